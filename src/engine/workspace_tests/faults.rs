//! What happens when something does go wrong: panics, stalls, overload, another process.

use std::sync::atomic::Ordering;
use std::time::Duration;

use super::rig::{Rig, asap, keyed, limits, queue_id, scheduled, until};
use crate::domain::agent::{Engagement, Presence};
use crate::domain::callback::State;
use crate::domain::effect::Notice;
use crate::domain::ids::AgentId;
use crate::domain::message::{Action, Who};
use crate::domain::policy::QueueSettings;
use crate::domain::refusal::Refusal;
use crate::domain::time::Span;
use crate::engine::figures::{Figures, Refused};
use crate::engine::handle::{CommandError, EndReason, ToSession};
use crate::engine::health::Alarm;
use crate::engine::system::Ended;

const SUPERVISOR: Who = Who::Supervisor(None);

fn mara_id() -> AgentId {
    AgentId::parse("mara").expect("a slug")
}

fn refused<T>(refusal: Refusal) -> Result<T, CommandError> {
    Err(CommandError::Refused(refusal))
}

#[tokio::test]
async fn a_callback_that_panics_is_made_anew_and_its_command_fails() {
    let rig = Rig::new().await;
    let id = rig.create(asap()).await.expect("taken").id;
    rig.handle.poison("callback");
    let cancel = Action::Cancel { reason: None };
    assert_eq!(rig.act(id, SUPERVISOR, cancel.clone()).await.err(), Some(Refusal::Internal));
    assert_eq!(rig.state(id).await, State::Queued);
    assert_eq!(rig.position(id).await, Some(1), "its place is kept");
    let mut mara = rig.session("mara").await;
    assert_eq!(mara.offer().await.0.id, id);
    assert_eq!(rig.act(id, SUPERVISOR, cancel).await.expect("possible").state(), State::Canceled);
    assert_eq!(rig.handle.health().panics, 1);
}

#[tokio::test]
async fn an_agent_reserved_for_a_callback_that_panics_is_free_again() {
    let rig = Rig::new().await;
    let first = rig.create(asap()).await.expect("taken").id;
    let mut mara = rig.connect("mara").await;
    rig.handle.poison("callback");
    mara.presence(Presence::Available).await;
    let (callback, _) = mara.offer().await;
    assert_eq!(callback.id, first, "it was proposed, panicked, waited on, and was offered");
    assert_eq!(rig.handle.health().panics, 1);
}

#[tokio::test]
async fn an_agent_claimed_for_a_callback_that_panics_is_free_again() {
    // The step that asks the router, the one that hears its answer, and one in between.
    for spares in [0, 1] {
        let rig = Rig::new().await;
        let id = rig.create(scheduled(Span::minutes(30))).await.expect("taken").id;
        let mut mara = rig.session("mara").await;
        rig.handle.poison_after("callback", spares);
        let (agent, force) = (mara_id(), false);
        let claimed = mara.act(id, Action::Assign { agent, force }).await;
        assert_eq!(claimed, Err(Refusal::Internal));
        let next = rig.create(asap()).await.expect("taken").id;
        assert_eq!(mara.offer().await.0.id, next, "after {spares} good steps");
    }
}

#[tokio::test]
async fn a_claim_that_a_panic_overtakes_reserves_nobody_for_good() {
    let rig = Rig::new().await;
    let id = rig.create(asap()).await.expect("taken").id;
    let mut mara = rig.connect("mara").await;
    rig.handle.poison_after("callback", 1);
    // Its queue changes while the router is asked for the agent.
    let queue = QueueSettings { name: "Bills".to_owned(), ..QueueSettings::new(queue_id()) };
    let assign = Action::Assign { agent: mara_id(), force: false };
    let (claimed, put) =
        tokio::join!(rig.act(id, SUPERVISOR, assign), rig.handle.put_queue(queue, None));
    assert_eq!(claimed.err(), Some(Refusal::Internal));
    assert!(put.is_ok());
    rig.make_available(&mara_id()).await;
    // She was away when the router's answer came: what was offered then was taken back.
    while !matches!(mara.notice().await, Notice::PresenceChanged { .. }) {}
    assert_eq!(mara.offer().await.0.id, id);
}

#[tokio::test]
async fn a_create_that_panics_leaves_no_ghost_in_line() {
    let rig = Rig::new().await;
    rig.handle.poison("callback");
    assert_eq!(rig.create(asap()).await.err(), Some(Refusal::Internal));
    let stats = rig.handle.queue_stats(queue_id()).await.expect("known");
    assert_eq!((stats.waiting, stats.with_agents), (0, 0));
    let position = rig.handle.create(asap(), None).await.expect("taken").value.position;
    assert_eq!(position, Some(1));
}

#[tokio::test]
async fn a_key_is_free_again_after_its_command_panicked() {
    let rig = Rig::new().await;
    rig.handle.poison("queue");
    let key = Some(keyed(1, 1));
    assert_eq!(rig.handle.create(asap(), key).await.err(), Some(Refusal::Internal.into()));
    assert!(!rig.handle.create(asap(), key).await.expect("taken").replayed);
}

#[tokio::test]
async fn a_queue_that_panics_keeps_its_line() {
    let rig = Rig::new().await;
    let first = rig.create(asap()).await.expect("taken").id;
    rig.time.advance(Span::seconds(1));
    let second = rig.create(asap()).await.expect("taken").id;
    rig.handle.poison("queue");
    assert_eq!(rig.handle.queue_stats(queue_id()).await.err(), Some(Refusal::Internal));
    assert_eq!(rig.position(second).await, Some(2));
    assert_eq!(rig.position(first).await, Some(1));
}

#[tokio::test]
async fn an_agent_that_panics_keeps_sessions_and_what_they_hold() {
    let rig = Rig::new().await;
    let mut mara = rig.session("mara").await;
    let id = rig.create(asap()).await.expect("taken").id;
    let (_, offer) = mara.offer().await;
    assert_eq!(mara.accept(offer).await, Ok(()));
    assert!(matches!(mara.notice().await, Notice::Assigned { .. }));
    rig.handle.poison("agent");
    assert_eq!(mara.act(id, Action::Call).await, Ok(()));
    assert!(matches!(mara.notice().await, Notice::Updated { .. }), "no frame is lost");
    assert_eq!(rig.handle.health().panics, 1);
    let again = rig.connect("mara").await;
    let welcome = again.welcome.expect("it came first");
    assert_eq!(welcome.assignments.iter().map(|one| one.id).collect::<Vec<_>>(), [id]);
    assert!(welcome.offers.is_empty());
}

#[tokio::test]
async fn a_machine_that_panics_three_times_in_a_minute_is_set_aside() {
    let rig = Rig::new().await;
    let id = rig.create(asap()).await.expect("taken").id;
    for _ in 0..3 {
        rig.handle.poison("callback");
        let refused = rig.act(id, SUPERVISOR, Action::Cancel { reason: None }).await.err();
        assert_eq!(refused, Some(Refusal::Internal));
    }
    let health = rig.handle.health();
    assert_eq!((health.panics, health.set_aside), (3, 1));
    let refused = rig.act(id, SUPERVISOR, Action::Cancel { reason: None }).await.err();
    assert_eq!(refused, Some(Refusal::Internal), "no step is tried any more");
    let mut mara = rig.session("mara").await;
    let other = rig.create(asap()).await.expect("others go on").id;
    assert_eq!(mara.offer().await.0.id, other);
    // Whoever runs the server is told, and a restart puts it back.
    let health = rig.handle.health();
    assert!(health.ready, "others are served");
    assert_eq!(health.alarms, [Alarm::SetAside]);
    rig.handle.antidote();
    let rig = rig.restart().await;
    assert_eq!(rig.handle.health().alarms, []);
    assert!(rig.act(id, SUPERVISOR, Action::Cancel { reason: None }).await.is_ok());
}

#[tokio::test]
async fn a_store_that_stands_is_an_alarm_until_it_goes_on() {
    let rig = Rig::new().await;
    rig.vault.log_open.send_replace(false);
    let (created, ()) = tokio::join!(rig.create(asap()), async {
        until("it is noticed", || rig.handle.health().alarms == [Alarm::StoreStalled]).await;
    });
    assert_eq!(created.err(), Some(Refusal::Unavailable));
    assert_eq!(rig.create(asap()).await.err(), Some(Refusal::Unavailable));
    rig.vault.log_open.send_replace(true);
    until("it goes on", || rig.handle.health().alarms.is_empty()).await;
    let figures = rig.handle.figures();
    assert_eq!((figures.stalls, figures.refused), (1, vec![(Refused::Unavailable, 1)]));
}

#[tokio::test]
async fn figures_follow_what_happens_and_recovery_counts_what_is_live() {
    let rig = Rig::new().await;
    let id = rig.create(asap()).await.expect("taken").id;
    let waiting = rig.create(asap()).await.expect("taken").id;
    rig.create(scheduled(Span::days(1))).await.expect("taken");
    let mut mara = rig.session("mara").await;
    let (_, offer) = mara.offer().await;
    let live = |rig: &Rig| {
        let live = rig.handle.figures().live;
        live.into_iter().map(|(_, count)| count).collect::<Vec<_>>()
    };
    // Queued, offered, accepted, calling, in wrap-up.
    until("it is counted", || live(&rig) == [1, 1, 0, 0, 0]).await;
    assert_eq!(mara.accept(offer).await, Ok(()));
    until("it is counted", || live(&rig) == [1, 0, 1, 0, 0]).await;
    rig.time.advance(Span::seconds(7));
    let queue = |rig: &Rig| rig.handle.figures().lines.remove(0);
    until("the queue has heard", || (queue(&rig).waiting, queue(&rig).with_agents) == (1, 1)).await;
    assert_eq!(queue(&rig).oldest_wait, Span::seconds(7));
    let busy = (Presence::Available, Engagement::Busy);
    until("she is seen", || rig.handle.figures().agents.get(&busy) == Some(&1)).await;
    let figures = rig.handle.figures();
    assert_eq!(figures.sessions, 1);
    let count = |figures: &Figures, name: &str| {
        figures.events.iter().find(|(event, _)| *event == name).map(|(_, count)| *count)
    };
    assert_eq!(count(&figures, "callback.created"), Some(3));
    assert_eq!(count(&figures, "callback.accepted"), Some(1));
    for id in [id, waiting] {
        rig.act(id, SUPERVISOR, Action::Cancel { reason: None }).await.expect("possible");
    }
    assert_eq!(live(&rig), [0; 5]);
    assert_eq!(rig.handle.figures().ended, [(("canceled", "by_supervisor"), 2)]);
    rig.create(asap()).await.expect("taken");
    // All is recovered, and mara's sessions are gone.
    let rig = rig.restart().await;
    assert_eq!(live(&rig), [1, 0, 0, 0, 0]);
    assert_eq!(queue(&rig).waiting, 1);
}

#[tokio::test]
async fn panics_far_apart_set_nothing_aside() {
    let rig = Rig::new().await;
    let id = rig.create(asap()).await.expect("taken").id;
    for _ in 0..4 {
        rig.handle.poison("callback");
        let refused = rig.act(id, SUPERVISOR, Action::Cancel { reason: None }).await.err();
        assert_eq!(refused, Some(Refusal::Internal));
        rig.time.advance(Span::seconds(31));
    }
    assert_eq!(rig.handle.health().set_aside, 0);
    assert!(rig.act(id, SUPERVISOR, Action::Cancel { reason: None }).await.is_ok());
}

#[tokio::test]
async fn a_router_or_scheduler_that_panics_starts_the_workspace_again_as_a_whole() {
    for kind in ["router", "scheduler"] {
        let rig = Rig::new().await;
        let mut mara = rig.session("mara").await;
        let id = rig.create(asap()).await.expect("taken").id;
        let (_, offer) = mara.offer().await;
        assert_eq!(mara.accept(offer).await, Ok(()));
        rig.handle.poison(kind);
        // It may be answered before the panic is noticed, or not at all.
        let _ = rig.create(asap()).await;
        loop {
            if let ToSession::End(reason) = mara.next().await {
                assert_eq!(reason, EndReason::Restart);
                break;
            }
        }
        until("it is ready again", || rig.handle.health().ready).await;
        assert_eq!(rig.state(id).await, State::Accepted, "after a panic of the {kind}");
        let mara = rig.connect("mara").await;
        let welcome = mara.welcome.expect("it came first");
        assert_eq!(welcome.assignments.iter().map(|one| one.id).collect::<Vec<_>>(), [id]);
    }
}

#[tokio::test]
async fn a_full_door_refuses_after_the_wait_and_takes_again_when_there_is_room() {
    let mut limits = limits();
    limits.max_commands_in_flight = 2;
    let rig = Rig::with(limits).await;
    // Known keys are looked up, and the look-ups hang: both permits stay taken.
    rig.handle.create(asap(), Some(keyed(1, 1))).await.expect("taken");
    rig.handle.create(asap(), Some(keyed(2, 2))).await.expect("taken");
    until("both permits are back", || rig.handle.health().in_flight == 0).await;
    rig.vault.reads_open.send_replace(false);
    let repeat = |key: u8| {
        let handle = rig.handle.clone();
        tokio::spawn(async move { handle.create(asap(), Some(keyed(key, key))).await })
    };
    let stuck = [repeat(1), repeat(2)];
    until("both are under way", || rig.handle.health().in_flight == 2).await;
    let handle = rig.handle.clone();
    let third = tokio::spawn(async move { handle.create(asap(), None).await });
    until("it waits at the door", || {
        rig.time.advance(Span::millis(100));
        third.is_finished()
    })
    .await;
    assert_eq!(third.await.expect("no panic").err(), Some(Refusal::Overloaded.into()));
    rig.vault.reads_open.send_replace(true);
    for one in stuck {
        assert!(one.await.expect("no panic").expect("kept").replayed);
    }
    assert!(rig.create(asap()).await.is_ok());
}

#[tokio::test]
async fn a_stall_is_told_at_once_and_what_was_stepped_takes_effect() {
    let rig = Rig::new().await;
    let mut mara = rig.session("mara").await;
    let known = rig.create(asap()).await.expect("taken").id;
    let (_, offer) = mara.offer().await;
    rig.vault.log_open.send_replace(false);
    let key = Some(keyed(1, 1));
    let first = rig.handle.create(asap(), key).await;
    assert_eq!(first.map(|_| ()), refused(Refusal::Unavailable), "told when the stall is noticed");
    let health = rig.handle.health();
    assert!(!health.ready && health.stalled_ms.is_some());
    assert_eq!(rig.create(asap()).await.err(), Some(Refusal::Unavailable));
    assert_eq!(mara.accept(offer).await, Err(Refusal::Unavailable), "the session is up, and told");
    // The offer's thirty seconds don't run meanwhile.
    rig.time.advance(Span::seconds(60));
    rig.vault.log_open.send_replace(true);
    until("it goes on", || rig.handle.health().ready).await;
    let again = rig.handle.create(asap(), key).await.expect("kept");
    assert!(again.replayed, "it did take effect, once");
    assert_eq!(rig.vault.callbacks().len(), 2);
    assert_eq!(mara.accept(offer).await, Ok(()), "nobody missed it");
    assert_eq!(rig.state(known).await, State::Accepted);
}

#[tokio::test]
async fn a_due_callback_waits_out_a_stall() {
    let rig = Rig::new().await;
    rig.create(scheduled(Span::minutes(30))).await.expect("taken");
    rig.vault.log_open.send_replace(false);
    let stuck = rig.create(asap()).await.err();
    assert_eq!(stuck, Some(Refusal::Unavailable));
    rig.time.advance(Span::minutes(30));
    tokio::task::yield_now().await;
    let sleeps = || rig.vault.callbacks().iter().any(|one| one.state() == State::Open);
    assert!(sleeps(), "timers are held");
    rig.vault.log_open.send_replace(true);
    until("it is due", || !sleeps()).await;
}

#[tokio::test]
async fn who_lost_the_workspace_sends_nothing_more() {
    let mut rig = Rig::new().await;
    let mut mara = rig.session("mara").await;
    rig.vault.fence();
    let lost = rig.handle.create(asap(), None).await;
    assert_eq!(lost.map(|_| ()), refused(Refusal::Unavailable));
    assert!(matches!(mara.next().await, ToSession::End(EndReason::Restart)));
    let ended = tokio::time::timeout(Duration::from_secs(10), rig.running.ended()).await;
    assert_eq!(ended.expect("in time"), Ended::Fenced);
    assert_eq!(rig.create(asap()).await.err(), Some(Refusal::Unavailable));
}

#[tokio::test]
async fn a_drain_that_the_store_holds_up_ends_in_its_time() {
    let rig = Rig::new().await;
    let mut mara = rig.session("mara").await;
    rig.vault.log_open.send_replace(false);
    assert_eq!(rig.create(asap()).await.err(), Some(Refusal::Unavailable));
    let time = rig.time.clone();
    let draining = tokio::spawn(rig.running.drain());
    until("it ends", || {
        time.advance(Span::seconds(1));
        draining.is_finished()
    })
    .await;
    assert_eq!(draining.await.expect("no panic"), Ended::DrainedLate);
    assert!(matches!(mara.next().await, ToSession::End(EndReason::Restart)));
    rig.vault.log_open.send_replace(true);
}

#[tokio::test]
async fn a_callback_whose_record_is_damaged_is_set_aside_and_holds_nobody_up() {
    let rig = Rig::new().await;
    let damaged = rig.create(scheduled(Span::minutes(30))).await.expect("taken").id;
    let sound = rig.create(scheduled(Span::minutes(30))).await.expect("taken").id;
    *rig.vault.damaged.lock().expect("nobody panicked") = Some(damaged);
    let cancel = || Action::Cancel { reason: None };
    assert_eq!(rig.act(damaged, SUPERVISOR, cancel()).await.err(), Some(Refusal::Internal));
    assert_eq!(rig.handle.health().set_aside, 1);
    rig.time.advance(Span::minutes(31));
    let mut mara = rig.session("mara").await;
    assert_eq!(mara.offer().await.0.id, sound);
    assert_eq!(rig.act(damaged, SUPERVISOR, cancel()).await.err(), Some(Refusal::Internal));
    // What waits for nothing more lets a drain end.
    assert_eq!(rig.running.drain().await, Ended::Drained);
}

#[tokio::test]
async fn what_falls_due_together_is_read_together() {
    let rig = Rig::new().await;
    for _ in 0..40 {
        rig.create(scheduled(Span::minutes(30))).await.expect("taken");
    }
    rig.time.advance(Span::minutes(31));
    let queued = || rig.vault.callbacks().iter().all(|one| one.state() == State::Queued);
    until("all of them are queued", queued).await;
    assert_eq!(rig.vault.read_alone.load(Ordering::Relaxed), 0);
}
