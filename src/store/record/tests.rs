//! Every record comes back as it was, is written as ever, and tells its damage.

use std::collections::BTreeSet;
use std::fmt::Debug;

use proptest::prelude::*;

use super::*;
use crate::domain::callback::{Channel, State};
use crate::domain::ids::{AgentId, QueueId, WebhookId};
use crate::domain::key::{ApiKey, TokenHash};
use crate::engine::entry::{IdempotencyKey, Keyed};
use crate::store::keys;
use crate::store::samples::Sampler;
use crate::store::samples::callbacks::id;

/// What is read is what was written, and bytes that were cut, changed or added to are told to be
/// damaged, or are another record; nothing panics.
fn check<R: Record + PartialEq + Debug>(record: &R) {
    let key = keys::key(keys::META, b"key".as_slice());
    let row = record.to_row();
    let read = R::from_row(&key, &row).expect("what was written can be read");
    assert_eq!(read, *record);
    for length in 0..row.len() {
        assert_damaged(R::from_row(&key, &row[..length]), "meta/6b6579");
    }
    assert_damaged(R::from_row(&key, &[&row[..], &[0]].concat()), "meta/6b6579");
    assert_damaged(R::from_row(&key, &[&[R::VERSION + 1], &row[1..]].concat()), "meta/6b6579");
    for place in 0..row.len() {
        for change in [1, 0x80, 0xff] {
            let mut changed = row.to_vec();
            changed[place] ^= change;
            if let Ok(other) = R::from_row(&key, &changed) {
                // Numbers may be written in more bytes than they need; nothing else is lost.
                assert_eq!(R::from_row(&key, &other.to_row()).expect("just written"), other);
            }
        }
    }
}

fn from_row_like<R: Record>(_: &R, key: &RowKey, row: &[u8]) -> Result<R, StoreError> {
    R::from_row(key, row)
}

fn assert_damaged<R: Debug>(read: Result<R, StoreError>, place: &str) {
    match read {
        Err(StoreError::Damaged { place: told, .. }) => assert_eq!(told, place),
        other => panic!("damage must be told, not {other:?}"),
    }
}

fn agent_id() -> AgentId {
    AgentId::parse("mara").expect("a slug")
}

fn queue_id() -> QueueId {
    QueueId::parse("billing").expect("a slug")
}

fn webhook_id() -> WebhookId {
    WebhookId::parse("crm").expect("a slug")
}

fn kept(sampler: &mut Sampler, answer: KeptAnswer) -> Kept {
    let keyed = Keyed { key: IdempotencyKey([7; 32]), fingerprint: [9; 32] };
    Kept { keyed, at: sampler.at(), answer }
}

fn kept_callback(sampler: &mut Sampler) -> Kept {
    let callback = Arc::new(sampler.callback(1, State::Queued));
    let position = sampler.maybe(Sampler::count);
    kept(
        sampler,
        KeptAnswer::Callback {
            callback,
            position,
            created: true,
            duplicates: vec![crate::domain::ids::CallbackId(5)],
        },
    )
}

#[test]
fn records_with_every_field_set_come_back_as_they_were() {
    for state in State::ALL {
        check(&Arc::new(Sampler::full(1).callback(5, state)));
    }
    check(&Arc::new(Sampler::full(2).request(Channel::Portal)));
    check(&Box::new(Sampler::full(3).interaction()));
    check(&Arc::new(Sampler::full(4).agent(agent_id())));
    check(&kept_callback(&mut Sampler::full(5)));
    check(&Arc::new(Sampler::full(9).webhook(webhook_id())));
    check(&Arc::new(Sampler::full(10).progress(webhook_id())));
    for grant in Sampler::full(11).grants() {
        let (token, version) = (TokenHash([7; 32]), 3);
        check(&Arc::new(ApiKey { token, grant: Some(grant), version }));
        check(&Arc::new(ApiKey { token, grant: None, version }));
    }
    check(&Sampler::full(12).intake());
    check(&Box::new(Sampler::full(13).work()));
    check(&Box::new(Sampler::full(14).agent_tally()));
    check(&Sampler::full(15).line());
    for seed in 0..4 {
        check(&Box::new(Sampler::full(seed).item(5)));
        let failure = Box::new(Sampler::full(seed).failure(5));
        check(&failure);
        check(&kept(&mut Sampler::full(6), KeptAnswer::Failure(failure)));
    }
}

#[test]
fn a_queue_with_every_setting_comes_back_as_it_was() {
    let queue = Arc::new(Sampler::full(6).queue(queue_id()));
    check(&queue);
    check(&kept(&mut Sampler::full(7), KeptAnswer::Queue(queue)));
}

#[test]
fn events_of_every_kind_come_back_as_they_were() {
    let mut sampler = Sampler::full(8);
    let events = sampler.events(id(1));
    let names: BTreeSet<_> = events.iter().map(Event::name).collect();
    assert_eq!((names.len(), events.len()), (29, 29), "one of each kind");
    let known = |name: &&str| crate::domain::webhook::is_type(name);
    assert!(names.iter().all(known), "webhooks can ask for each: {names:?}");
    for event in events {
        check(&EventRecord { at: sampler.at(), event });
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever is set and whatever isn't, in whichever variant.
    #[test]
    fn any_records_come_back_as_they_were(seed: u64) {
        let mut sampler = Sampler::new(seed);
        let key = keys::key(keys::META, b"key".as_slice());
        macro_rules! same {
            ($record:expr) => {
                let record = $record;
                let read = from_row_like(&record, &key, &record.to_row());
                prop_assert_eq!(&read.unwrap(), &record);
            };
        }
        for state in State::ALL {
            same!(Arc::new(sampler.callback(seed >> 40, state)));
        }
        let channel = sampler.pick(&Channel::ALL);
        same!(Arc::new(sampler.request(channel)));
        same!(Box::new(sampler.interaction()));
        same!(Box::new(sampler.item(seed >> 40)));
        same!(Box::new(sampler.failure(seed >> 40)));
        same!(Arc::new(sampler.agent(agent_id())));
        same!(Arc::new(sampler.queue(queue_id())));
        same!(kept_callback(&mut sampler));
        same!(Arc::new(sampler.webhook(webhook_id())));
        same!(Arc::new(sampler.progress(webhook_id())));
        same!(sampler.intake());
        same!(Box::new(sampler.work()));
        same!(Box::new(sampler.agent_tally()));
        same!(sampler.line());
        for event in sampler.events(id(1)) {
            same!(EventRecord { at: sampler.at(), event });
        }
    }

    #[test]
    fn random_bytes_never_panic(mut bytes: Vec<u8>) {
        let key = keys::key(keys::META, b"key".as_slice());
        if let Some(version) = bytes.first_mut() {
            *version = 1;
        }
        let _ = Arc::<Callback>::from_row(&key, &bytes).is_ok();
        let _ = Arc::<Request>::from_row(&key, &bytes).is_ok();
        let _ = Arc::<Queue>::from_row(&key, &bytes).is_ok();
        let _ = Arc::<Agent>::from_row(&key, &bytes).is_ok();
        let _ = EventRecord::from_row(&key, &bytes).is_ok();
        let _ = Kept::from_row(&key, &bytes).is_ok();
        let _ = Arc::<Webhook>::from_row(&key, &bytes).is_ok();
        let _ = Arc::<Progress>::from_row(&key, &bytes).is_ok();
        let _ = Intake::from_row(&key, &bytes).is_ok();
        let _ = Box::<Work>::from_row(&key, &bytes).is_ok();
        let _ = Box::<AgentTally>::from_row(&key, &bytes).is_ok();
        let _ = Line::from_row(&key, &bytes).is_ok();
    }
}

#[test]
fn a_callback_whose_interaction_is_not_counted_is_damaged() {
    let mut callback = Sampler::full(1).callback(1, State::Queued);
    callback.interactions = 0;
    let key = keys::callback(callback.id);
    let row = Arc::new(callback).to_row();
    assert!(matches!(
        Arc::<Callback>::from_row(&key, &row),
        Err(StoreError::Damaged { place, .. }) if place.starts_with("callback/0")
    ));
}

/// Stores are read by later releases: these bytes were written once and must never change, and
/// must always read as the same record. Another layout gets another number and a file beside.
macro_rules! golden {
    ($name:ident, $file:literal, $record:expr) => {
        #[test]
        fn $name() {
            let record = $record;
            let written: String = include_str!($file).split_whitespace().collect();
            assert_eq!(hex(&record.to_row()), written);
        }
    };
}

golden!(
    callbacks_are_written_as_ever,
    "golden/callback_1.hex",
    Arc::new(Sampler::full(1).callback(5, State::Calling))
);
golden!(
    requests_are_written_as_ever,
    "golden/request_1.hex",
    Arc::new(Sampler::full(2).request(Channel::Portal))
);
golden!(
    interactions_are_written_as_ever,
    "golden/interaction_1.hex",
    Box::new(Sampler::full(3).interaction())
);
golden!(
    agents_are_written_as_ever,
    "golden/agent_2.hex",
    Arc::new(Sampler::full(4).agent(agent_id()))
);
golden!(
    queues_are_written_as_ever,
    "golden/queue_1.hex",
    Arc::new(Sampler::full(6).queue(queue_id()))
);
golden!(
    kept_answers_are_written_as_ever,
    "golden/kept_1.hex",
    kept_callback(&mut Sampler::full(5))
);
golden!(
    webhooks_are_written_as_ever,
    "golden/webhook_1.hex",
    Arc::new(Sampler::full(9).webhook(webhook_id()))
);
golden!(
    their_progress_is_written_as_ever,
    "golden/progress_1.hex",
    Arc::new(Sampler::full(10).progress(webhook_id()))
);
golden!(
    keys_are_written_as_ever,
    "golden/api_key_1.hex",
    Arc::new(ApiKey {
        token: TokenHash([7; 32]),
        grant: Sampler::full(11).grants().into_iter().next(),
        version: 3,
    })
);
golden!(intakes_are_written_as_ever, "golden/intake_1.hex", Sampler::full(12).intake());
golden!(work_is_written_as_ever, "golden/work_1.hex", Box::new(Sampler::full(13).work()));
golden!(
    agents_tallies_are_written_as_ever,
    "golden/agent_tally_1.hex",
    Box::new(Sampler::full(14).agent_tally())
);
golden!(lines_are_written_as_ever, "golden/line_1.hex", Sampler::full(15).line());
golden!(events_are_written_as_ever, "golden/event_1.hex", AllEvents);

/// The bytes of a golden file.
fn bytes(written: &str) -> Vec<u8> {
    let digits: Vec<u8> = written.bytes().filter(u8::is_ascii_hexdigit).collect();
    let pairs = digits.chunks(2).map(|pair| std::str::from_utf8(pair).expect("ASCII"));
    pairs.map(|pair| u8::from_str_radix(pair, 16).expect("two digits")).collect()
}

/// What an earlier release wrote is read, with what its layout lacked.
#[test]
fn first_layouts_of_agents_and_denied_numbers_are_read() {
    let key = keys::key(keys::META, b"key".as_slice());
    let agent = Sampler::full(4).agent(agent_id());
    let read = Arc::<Agent>::from_row(&key, &bytes(include_str!("golden/agent_1.hex")));
    let settings_version = agent.version;
    assert_eq!(*read.expect("it is read"), Agent { settings_version, ..agent });
    let denied = Sampler::full(15).denied();
    let row = Arc::new(denied.clone()).to_row();
    assert_eq!(hex(&row), include_str!("golden/denied_2.hex").trim());
    let read = Arc::<Denied>::from_row(&key, &bytes(include_str!("golden/denied_1.hex")));
    assert_eq!(*read.expect("it is read"), Denied { version: 1, ..denied });
}

/// All events' rows after one another.
struct AllEvents;

impl AllEvents {
    #[expect(clippy::unused_self, reason = "it stands in for a record")]
    fn to_row(&self) -> Vec<u8> {
        let mut sampler = Sampler::full(8);
        let events = sampler.events(id(1));
        let rows = events.into_iter().map(|event| EventRecord { at: sampler.at(), event }.to_row());
        rows.flatten().collect()
    }
}
