//! What lapsed leaves nothing behind, in whatever portions it goes.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::super::tests::{MapRows, now};
use super::*;
use crate::domain::callback::{Channel, State};
use crate::domain::dispatch::{OutboxChange, Undelivered};
use crate::domain::effect::Change;
use crate::domain::event::AgentEvent;
use crate::domain::ids::{OfferId, QueueId, SessionId};
use crate::domain::measure::{Measured, QUARTER, Tally};
use crate::engine::entry::{Entry, KeptAnswer, Keyed};
use crate::engine::library::Library as _;
use crate::store::samples::Sampler;
use crate::store::samples::callbacks::id;

const AT: Timestamp = Timestamp(1_000);

fn workspace() -> (Arc<MapRows>, StoreLibrary) {
    let rows = Arc::new(MapRows::default());
    (Arc::clone(&rows), StoreLibrary::new(rows))
}

fn entry(changes: Vec<Change>, events: Vec<Event>) -> Entry {
    Entry { at: AT, changes, events, kept: None, secret: None }
}

/// A callback that ended, with texts in two versions and so many entries of events.
fn ended(rows: &MapRows, seed: u64, at: Timestamp, entries: usize) -> Callback {
    let mut sampler = Sampler::new(seed);
    let mut callback = sampler.callback(seed, State::Canceled);
    if let Phase::Ended { at: ended, .. } = &mut callback.phase {
        *ended = at;
    }
    (callback.request_version, callback.interactions) = (2, 2);
    let first = Arc::new(Request { version: 1, ..sampler.request(Channel::Portal) });
    let second = Arc::new(Request { version: 2, ..sampler.request(Channel::Portal) });
    let (before, after) = (None, Arc::clone(&first));
    rows.change(Change::Request { callback: callback.id, before, after });
    let before = Some(first);
    rows.change(Change::Request { callback: callback.id, before, after: second });
    for index in 0..2 {
        let interaction = Box::new(sampler.interaction());
        rows.change(Change::Interaction { callback: callback.id, index, interaction });
    }
    for _ in 0..entries {
        let mut events = sampler.events(callback.id);
        events.retain(|event| matches!(event, Event::Callback(of, _) if *of == callback.id));
        rows.write(&entry(Vec::new(), events));
    }
    // Whoever was offered it sees it; the record doesn't name them any more.
    for agent in ["early", "late"] {
        let agent = AgentId::parse(agent).expect("a slug");
        let offer = OfferId(1);
        let event = CallbackEvent::Offered { offer, agent: agent.clone(), expires_at: AT };
        rows.write(&entry(Vec::new(), vec![Event::Callback(callback.id, event)]));
        rows.put(seen_by(&agent, callback.id));
    }
    let dispatch = sampler.dispatch(seed);
    let failure = Failure {
        id: seed,
        what: Undelivered::Dispatch(dispatch.clone()),
        ..sampler.failure(seed)
    };
    rows.change(Change::Outbox(Box::new(OutboxChange::New(dispatch))));
    rows.change(Change::Outbox(Box::new(OutboxChange::Failed(failure))));
    let after = Arc::new(callback.clone());
    rows.change(Change::Callback { before: None, after });
    callback
}

/// Walks and removes as the engine does, `batch` at a time; returns how many entries that took.
fn drop_all(
    rows: &MapRows,
    library: &StoreLibrary,
    kind: Lapsing,
    until: i64,
    batch: usize,
) -> u32 {
    let mut entries = 0;
    loop {
        let found = now(library.lapsed(kind, None, Timestamp(until), batch)).expect("sound");
        if found.is_empty() {
            return entries;
        }
        let removal = now(library.removal(found)).expect("sound");
        assert!(removal.rows.len() <= MOST_ROWS + 2 * EVENTS_AT_ONCE + 100);
        assert!(!removal.rows.is_empty());
        rows.apply(removal.rows);
        entries += 1;
        assert!(entries < 1_000, "it comes to an end");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(20))]

    #[test]
    fn nothing_is_left_of_a_callback_that_lapsed_and_all_of_the_others(
        seed: u64, count in 1..12_u64, batch in 1..6_usize,
    ) {
        let (rows, library) = workspace();
        let (kept_rows, _) = workspace();
        let mut gone = BTreeSet::new();
        let seeds = (0..count).map(|nth| (seed % 1_000_000) * 100 + nth + 1);
        for (nth, seed) in seeds.enumerate() {
            let at = Timestamp(AT.0 + i64::try_from(nth).expect("few"));
            let callback = ended(&rows, seed, at, nth % 3);
            if nth as u64 * 2 < count {
                gone.insert(callback.id);
            }
        }
        let last = AT.0 + i64::try_from(gone.len()).expect("few") - 1;
        drop_all(&rows, &library, Lapsing::Callbacks, last, batch);
        for id in &gone {
            prop_assert_eq!(rows.naming(*id), Vec::<RowKey>::new());
        }
        // What is left is what would be there had they never been.
        let seeds = (0..count).map(|nth| (seed % 1_000_000) * 100 + nth + 1);
        for (nth, seed) in seeds.enumerate() {
            let at = Timestamp(AT.0 + i64::try_from(nth).expect("few"));
            if nth as u64 * 2 >= count {
                ended(&kept_rows, seed, at, nth % 3);
            }
        }
        let without_events = |rows: &MapRows| {
            let outbox = [keys::OUTBOX, keys::OUTBOX_DUE, keys::OUTBOX_OF];
            let numbered = [keys::EVENT, keys::HISTORY, keys::META];
            let mut keys = rows.keys();
            keys.retain(|key| !numbered.contains(&key.table) && !outbox.contains(&key.table));
            keys
        };
        prop_assert_eq!(without_events(&rows), without_events(&kept_rows));
    }
}

#[test]
fn a_long_history_goes_in_parts_and_the_callback_with_the_last() {
    let (rows, library) = workspace();
    let callback = ended(&rows, 7, AT, 40);
    let (found, limit) = (vec![(AT, Lapsed::Callback(callback.id))], 1);
    let first = now(library.removal(found)).expect("sound");
    assert_eq!(first.whole, 0);
    rows.apply(first.rows);
    assert!(now(library.callback(callback.id)).expect("sound").is_some(), "it is there still");
    let entries = drop_all(&rows, &library, Lapsing::Callbacks, AT.0, limit);
    assert!(entries > 1, "{entries}");
    assert_eq!(rows.naming(callback.id), []);
}

#[test]
fn only_what_ended_long_enough_ago_is_found_and_from_after_the_last() {
    let (rows, library) = workspace();
    let all: Vec<_> = (1..=5)
        .map(|nth| {
            let at = Timestamp(AT.0 + i64::try_from(nth).expect("few"));
            (at, Lapsed::Callback(ended(&rows, nth, at, 0).id))
        })
        .collect();
    let walk = |after, until, limit| {
        now(library.lapsed(Lapsing::Callbacks, after, Timestamp(AT.0 + until), limit))
            .expect("sound")
    };
    assert_eq!(walk(None, 0, 10), []);
    assert_eq!(walk(None, 3, 10), all[..3]);
    assert_eq!(walk(None, 9, 2), all[..2]);
    assert_eq!(walk(Some(all[1]), 4, 10), all[2..4]);
    assert_eq!(walk(Some(all[4]), 9, 10), []);
}

#[test]
fn a_number_is_not_given_again_after_its_callback_went() {
    let (rows, library) = workspace();
    for seed in [9, 3] {
        ended(&rows, seed, AT, 0);
    }
    let highest = now(library.inventory()).expect("sound").last_number;
    for _ in 0..2 {
        let found = now(library.lapsed(Lapsing::Callbacks, None, AT, 1)).expect("sound");
        rows.apply(now(library.removal(found)).expect("sound").rows);
        assert_eq!(now(library.inventory()).expect("sound").last_number, highest);
    }
    assert_eq!(now(library.lapsed(Lapsing::Callbacks, None, AT, 1)).expect("sound"), []);
}

#[test]
fn how_far_events_are_gone_is_noted_and_never_goes_back() {
    let (rows, library) = workspace();
    let gone_to = || now(library.events_gone_to()).expect("sound");
    assert_eq!(gone_to(), 0);
    let later = ended(&rows, 2, Timestamp(AT.0 + 1), 2);
    ended(&rows, 3, AT, 2);
    let last = |id| {
        let events = now(library.history(id, 0, 100)).expect("sound");
        events.last().expect("it has some").id
    };
    let of_later = last(later.id);
    drop_all(&rows, &library, Lapsing::Callbacks, AT.0, 10);
    let first = gone_to();
    assert!(first > of_later, "the one that was written last went first");
    drop_all(&rows, &library, Lapsing::Callbacks, AT.0 + 1, 10);
    assert_eq!(gone_to(), first);
}

#[test]
fn an_answer_goes_and_one_under_the_same_key_that_is_newer_stays() {
    let (rows, library) = workspace();
    let queue = Arc::new(Sampler::full(1).queue(QueueId::parse("billing").expect("a slug")));
    let answer = |key: u8, at: i64| {
        let keyed = Keyed { key: IdempotencyKey([key; 32]), fingerprint: [key; 32] };
        let kept = Kept { keyed, at: Timestamp(at), answer: KeptAnswer::Queue(Arc::clone(&queue)) };
        rows.write(&Entry { kept: Some(kept.clone()), ..entry(Vec::new(), Vec::new()) });
        kept
    };
    answer(1, 10);
    answer(2, 10);
    let newer = answer(2, 90);
    drop_all(&rows, &library, Lapsing::Answers, 50, 10);
    let kept = |key| now(library.kept(IdempotencyKey([key; 32]), Timestamp(90))).expect("sound");
    assert_eq!((kept(1), kept(2)), (None, Some(newer)));
    assert_eq!(rows.keys().len(), 2, "the newer answer and its place");
    drop_all(&rows, &library, Lapsing::Answers, 90, 10);
    assert_eq!(rows.keys().len(), 0);
}

#[test]
fn events_of_agents_and_queues_go_by_their_time_and_those_of_callbacks_dont() {
    let (rows, library) = workspace();
    let mara = AgentId::parse("mara").expect("a slug");
    let event = |at: i64| {
        let up = AgentEvent::Connected { session: SessionId(1) };
        let of_callback = Event::Callback(id(1), CallbackEvent::Stuck { offers_lost: 8 });
        let events = vec![Event::Agent(mara.clone(), up), of_callback];
        rows.write(&Entry { at: Timestamp(at), ..entry(Vec::new(), events) });
    };
    event(10);
    event(20);
    assert_eq!(rows.keys().len(), 2 * 4);
    drop_all(&rows, &library, Lapsing::Events, 10, 10);
    assert_eq!(rows.keys().len(), 2 * 4 - 2 + 1, "and it is noted which one went");
    assert_eq!(now(library.history(id(1), 0, 10)).expect("sound").len(), 2);
}

#[test]
fn what_was_measured_goes_by_whole_quarters_and_is_read_by_its_time() {
    let (rows, library) = workspace();
    let quarter = |nth: i64| Timestamp(nth * QUARTER.0);
    let mut sampler = Sampler::new(1);
    for nth in 0..4 {
        for name in ["billing", "sales", "support"] {
            let queue = QueueId::parse(name).expect("a slug");
            let tally = Tally::Intake(queue, sampler.intake());
            let measured = Measured { quarter: quarter(nth), tally };
            rows.change(Change::Measured(Box::new(measured)));
        }
    }
    let read = |from, to| now(library.measured(quarter(from), quarter(to))).expect("sound");
    let quarters = |all: Vec<Measured>| all.iter().map(|one| one.quarter).collect::<BTreeSet<_>>();
    assert_eq!((read(1, 3).len(), quarters(read(1, 3))), (6, [1, 2].map(quarter).into()));
    // A quarter's rows are removed together, although fewer are walked at once.
    let entries = drop_all(&rows, &library, Lapsing::Measures, quarter(1).0, 2);
    assert_eq!((entries, quarters(read(0, 9))), (2, [2, 3].map(quarter).into()));
    drop_all(&rows, &library, Lapsing::Measures, quarter(9).0, 100);
    assert_eq!(rows.keys().len(), 0);
}
