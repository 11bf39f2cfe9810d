//! Callbacks that wait in line without an actor: whatever comes next finds them as they were.

use std::rc::Rc;

use super::rig::{Rig, Session, asap, limits, queue_id, scheduled, until};
use crate::domain::callback::State;
use crate::domain::effect::Notice;
use crate::domain::ids::CallbackId;
use crate::domain::message::{Action, CallbackMessage, Letter, Who};
use crate::domain::refusal::Refusal;
use crate::domain::time::Span;

const SUPERVISOR: Who = Who::Supervisor(None);

/// Where a callback's machine is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Nowhere,
    AtAnActor,
    AtRest,
}

/// Where these are when no letter is on its way any more, and how many are somewhere.
async fn places(rig: &Rig, ids: &[CallbackId]) -> (Vec<Place>, usize) {
    for _ in 0..10_000 {
        let ids = ids.to_vec();
        let seen = rig.handle.visit(move |office| {
            let callbacks = &office.directory.callbacks;
            let place = |id| match (callbacks.has(id), callbacks.rests(id)) {
                (false, _) => Place::Nowhere,
                (true, false) => Place::AtAnActor,
                (true, true) => Place::AtRest,
            };
            let is_quiet = office.shared.gauges.letters() == 0;
            is_quiet.then(|| (ids.iter().map(place).collect(), callbacks.len()))
        });
        if let Some(seen) = seen.await {
            return seen;
        }
        tokio::task::yield_now().await;
    }
    panic!("a letter is on its way for ever");
}

/// One with mara, and others in line behind it.
async fn one_in_hand(rig: &Rig) -> (Session, CallbackId, Vec<CallbackId>) {
    let mut mara = rig.session("mara").await;
    let in_hand = rig.create(asap()).await.expect("taken").id;
    let (_, offer) = mara.offer().await;
    assert_eq!(mara.accept(offer).await, Ok(()));
    assert!(matches!(mara.notice().await, Notice::Assigned { .. }));
    let mut in_line = Vec::new();
    for _ in 0..3 {
        in_line.push(rig.create(asap()).await.expect("taken").id);
    }
    (mara, in_hand, in_line)
}

async fn names(rig: &Rig, id: CallbackId) -> Vec<&'static str> {
    let history = rig.handle.history(id, 0, 100).await.expect("readable");
    history.iter().map(|stored| stored.event.name()).collect()
}

#[tokio::test]
async fn who_waits_in_line_rests_and_is_counted_all_the_same() {
    let rig = Rig::new().await;
    let (_mara, in_hand, in_line) = one_in_hand(&rig).await;
    assert_eq!(places(&rig, &in_line).await, (vec![Place::AtRest; 3], 4));
    assert_eq!(places(&rig, &[in_hand]).await, (vec![Place::AtAnActor], 4));
    until("it is shown", || rig.handle.health().live == 4).await;
    let unknown = [CallbackId(7)];
    assert_eq!(places(&rig, &unknown).await, (vec![Place::Nowhere], 4));
}

#[tokio::test]
async fn a_timer_finds_who_rests_and_whoever_ends_is_gone() {
    let rig = Rig::new().await;
    let id = rig.create(asap()).await.expect("taken").id;
    assert_eq!(places(&rig, &[id]).await, (vec![Place::AtRest], 1));
    rig.time.advance(Span::minutes(61));
    until("it expires", || rig.vault.callbacks()[0].state().is_final()).await;
    assert_eq!(places(&rig, &[id]).await, (vec![Place::Nowhere], 0));
    until("it is shown", || rig.handle.health().live == 0).await;
}

#[tokio::test]
async fn a_letter_posted_in_whatever_turn_a_callback_goes_to_rest_is_handled() {
    let rig = Rig::new().await;
    let id = rig.create(asap()).await.expect("taken").id;
    for turns in 0..12 {
        assert_eq!(places(&rig, &[id]).await, (vec![Place::AtRest], 1), "after {turns} turns");
        let wake = move || Letter::Callback(id, CallbackMessage::Wake);
        let post = rig.handle.visit(move |office| {
            office.deliver(wake(), None);
            let this = Rc::clone(office);
            office.spawn(async move {
                for _ in 0..turns {
                    tokio::task::yield_now().await;
                }
                this.deliver(wake(), None);
                this.deliver(wake(), None);
            });
        });
        post.await;
    }
    // One that nobody handles would be on its way for ever.
    assert_eq!(places(&rig, &[id]).await, (vec![Place::AtRest], 1));
    assert_eq!(names(&rig, id).await, ["callback.created", "callback.queued"]);
    let cancel = || rig.act(id, SUPERVISOR, Action::Cancel { reason: None });
    let (first, second) = tokio::join!(cancel(), cancel());
    assert_eq!(first.expect("possible").state(), State::Canceled);
    assert!(second.is_err(), "the second finds it canceled: {second:?}");
    // Who is answered may look before the actor has gone.
    until("it is gone", || rig.handle.health().live == 0).await;
    assert_eq!(places(&rig, &[id]).await, (vec![Place::Nowhere], 0));
}

#[tokio::test]
async fn who_rests_and_panics_three_times_is_set_aside_and_rests_no_more() {
    let rig = Rig::new().await;
    let id = rig.create(asap()).await.expect("taken").id;
    assert_eq!(places(&rig, &[id]).await, (vec![Place::AtRest], 1));
    for set_aside in [0, 0, 1] {
        rig.handle.poison("callback");
        let refused = rig.act(id, SUPERVISOR, Action::Cancel { reason: None }).await.err();
        assert_eq!(refused, Some(Refusal::Internal));
        // At rest its panics would be forgotten.
        assert_eq!(places(&rig, &[id]).await, (vec![Place::AtAnActor], 1));
        assert_eq!(rig.handle.health().set_aside, set_aside);
    }
}

#[tokio::test]
async fn recovery_leaves_who_waits_in_line_without_an_actor() {
    let rig = Rig::new().await;
    let (mara, in_hand, in_line) = one_in_hand(&rig).await;
    let dormant = rig.create(scheduled(Span::days(1))).await.expect("taken").id;
    drop(mara);
    let rig = rig.restart().await;
    assert_eq!(places(&rig, &in_line).await, (vec![Place::AtRest; 3], 4));
    assert_eq!(places(&rig, &[in_hand]).await, (vec![Place::AtAnActor], 4));
    assert_eq!(places(&rig, &[dormant]).await, (vec![Place::Nowhere], 4));
    let cancel = Action::Cancel { reason: None };
    let canceled = rig.act(in_line[1], SUPERVISOR, cancel).await.expect("possible");
    assert_eq!(canceled.state(), State::Canceled);
    assert_eq!(rig.position(in_line[2]).await, Some(2));
}

#[tokio::test]
async fn whoever_is_woken_from_sleep_may_be_at_rest_or_at_work() {
    let rig = Rig::new().await;
    let (_mara, in_hand, in_line) = one_in_hand(&rig).await;
    let dormant = rig.create(scheduled(Span::days(1))).await.expect("taken").id;
    let all = [in_hand, in_line[0], dormant];
    let before = [Place::AtAnActor, Place::AtRest, Place::Nowhere];
    assert_eq!(places(&rig, &all).await, (before.to_vec(), 4));
    // One is asked for twice at once: its record is read once.
    let due = [in_line[0], in_hand, dormant, dormant];
    let wake = rig.handle.visit(move |office| {
        office.wake_dormant(due.map(|id| (id, None)).to_vec());
    });
    wake.await;
    assert_eq!(places(&rig, &all).await, (before.to_vec(), 4));
    assert_eq!(rig.state(in_hand).await, State::Accepted);
    assert_eq!(rig.state(in_line[0]).await, State::Queued);
    assert_eq!(rig.state(dormant).await, State::Open);
    assert_eq!(rig.position(in_line[0]).await, Some(1));
}

#[tokio::test]
async fn what_falls_due_during_recovery_is_woken_once() {
    // Several pages of what is live.
    const LINE: usize = 60;
    let rig = Rig::new().await;
    for _ in 0..LINE {
        rig.create(asap()).await.expect("taken");
    }
    // Its id is beyond theirs.
    rig.time.advance(Span::seconds(1));
    let due = rig.create(scheduled(Span::minutes(30))).await.expect("taken").id;
    let Rig { vault, time, running, .. } = rig;
    running.drain().await;
    time.advance(Span::minutes(30));
    let rig = Rig::start(vault, time, limits()).await;
    let is_queued = |rig: &Rig| {
        let all = rig.vault.callbacks();
        all.iter().any(|one| one.id == due && one.state() == State::Queued)
    };
    until("it is woken", || is_queued(&rig)).await;
    assert_eq!(places(&rig, &[due]).await, (vec![Place::AtRest], LINE + 1));
    assert_eq!(names(&rig, due).await, ["callback.created", "callback.queued"]);
    let all = u32::try_from(LINE + 1).expect("small");
    assert_eq!(rig.position(due).await, Some(all));
    let counted = rig.handle.figures().live;
    let counted: Vec<_> = counted.into_iter().map(|(_, count)| count).collect();
    // Queued, offered, accepted, calling, in wrap-up.
    assert_eq!(counted, [u64::from(all), 0, 0, 0, 0]);
    assert_eq!(rig.handle.health().live, LINE + 1);
    let stats = rig.handle.queue_stats(queue_id()).await.expect("known");
    assert_eq!((stats.waiting, stats.with_agents), (all, 0));
}
