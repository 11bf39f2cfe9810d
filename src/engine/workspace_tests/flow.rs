//! What happens when nothing goes wrong: answers, frames and readers in the right order.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::mpsc;

use super::rig::{
    Rig, Session, agent_settings, asap, external, keyed, limits, queue_id, scheduled, until,
};
use crate::domain::agent::Presence;
use crate::domain::callback::{Outcome, State};
use crate::domain::effect::Notice;
use crate::domain::ids::{AgentId, OfferId, QueueId};
use crate::domain::measure::{Measured, Tally};
use crate::domain::message::{Action, OfferAnswer, Who};
use crate::domain::policy::{Membership, QueueSettings};
use crate::domain::refusal::Refusal;
use crate::domain::time::Span;
use crate::engine::entry::KeptAnswer;
use crate::engine::handle::{CommandError, EndReason, Handle, SessionOutlet, ToSession};
use crate::engine::system::Ended;

const SUPERVISOR: Who = Who::Supervisor(None);

#[tokio::test]
async fn a_request_is_answered_when_it_is_durable_and_not_before() {
    let rig = Rig::new().await;
    let before = rig.handle.health();
    rig.vault.log_open.send_replace(false);
    let handle = rig.handle.clone();
    let asked = tokio::spawn(async move { handle.create(asap(), None).await });
    until("the entry is taken", || rig.handle.health().taken > before.taken).await;
    let reading = {
        let handle = rig.handle.clone();
        let id = rig.vault.callbacks()[0].id;
        tokio::spawn(async move { handle.callback(id).await })
    };
    tokio::task::yield_now().await;
    assert!(!asked.is_finished() && !reading.is_finished(), "nothing shows what isn't durable");
    assert_eq!(rig.vault.durable() as u64, before.durable);
    rig.vault.log_open.send_replace(true);
    let acted = asked.await.expect("no panic").expect("taken").value;
    assert_eq!((acted.callback.state(), acted.position), (State::Queued, Some(1)));
    assert_eq!((acted.callback.number, acted.created), (1, true));
    let read = reading.await.expect("no panic").expect("readable").expect("there");
    assert_eq!(read.callback.id, acted.callback.id);
}

#[tokio::test]
async fn an_agent_is_offered_accepts_calls_and_closes() {
    let rig = Rig::new().await;
    let mut mara = rig.session("mara").await;
    let id = rig.create(asap()).await.expect("taken").id;
    let (callback, offer) = mara.offer().await;
    assert_eq!(callback.id, id);
    assert_eq!(mara.accept(offer).await, Ok(()));
    assert!(matches!(mara.notice().await, Notice::Assigned { .. }), "behind its answer");
    assert_eq!(mara.accept(offer).await, Ok(()), "again is as once");
    assert_eq!(mara.act(id, Action::Call).await, Ok(()));
    assert!(matches!(mara.notice().await, Notice::Updated { .. }));
    let answered = Action::Outcome { outcome: Outcome::Answered, notes: None };
    assert_eq!(mara.act(id, answered).await, Ok(()));
    assert!(matches!(mara.notice().await, Notice::Updated { .. }));
    assert_eq!(mara.act(id, Action::EndCall { notes: None }).await, Ok(()));
    assert!(matches!(mara.notice().await, Notice::Updated { .. }));
    let close = Action::Close { disposition: None, notes: None, resolved: None };
    assert_eq!(mara.act(id, close).await, Ok(()));
    assert!(matches!(mara.notice().await, Notice::Unassigned { .. }));
    assert_eq!(rig.state(id).await, State::ClosedComplete);
    until("its actor is let go", || rig.handle.health().live == 0).await;
    let history = rig.handle.history(id, 0, 100).await.expect("readable");
    let names: Vec<_> = history.iter().map(|stored| stored.event.name()).collect();
    assert_eq!(names.first(), Some(&"callback.created"));
    assert_eq!(names.last(), Some(&"callback.closed"));
}

/// Notes what readers see of mara's load when an answer goes out.
struct LoadAtAnswer {
    handle: Handle,
    seen: Mutex<mpsc::UnboundedSender<u32>>,
}

impl SessionOutlet for LoadAtAnswer {
    fn put(&self, message: ToSession) {
        if let ToSession::Answer { result, .. } = message {
            let mara = AgentId::parse("mara").expect("a slug");
            assert_eq!(result, Ok(()));
            let units = self.handle.agent(&mara).expect("she is known").held_units;
            let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
            seen.send(units).expect("the test waits for it");
        }
    }
}

#[tokio::test]
async fn whoever_is_answered_and_reads_finds_what_they_did() {
    let rig = Rig::new().await;
    let mut mara = rig.session("mara").await;
    let id = rig.create(asap()).await.expect("taken").id;
    let (_, offer) = mara.offer().await;
    let (seen, mut told) = mpsc::unbounded_channel();
    let outlet = LoadAtAnswer { handle: rig.handle.clone(), seen: Mutex::new(seen) };
    let agent = AgentId::parse("mara").expect("a slug");
    let session = rig.handle.connect(agent, Box::new(outlet)).await.expect("a second one");
    rig.handle.session_answer_offer(session, 1, offer, OfferAnswer::Accept).await;
    assert_eq!(told.recv().await, Some(1), "her load, which another machine counts");
    rig.handle.session_act(session, 2, id, Action::Requeue { queue: None, agent: None }).await;
    assert_eq!(told.recv().await, Some(0));
}

#[tokio::test]
async fn an_offer_that_nobody_made_is_not_pending() {
    let rig = Rig::new().await;
    let mut mara = rig.session("mara").await;
    let refused = mara.accept(OfferId(1)).await;
    assert_eq!(refused, Err(Refusal::OfferNotPending));
}

#[tokio::test]
async fn an_accept_repeated_over_a_new_connection_is_known() {
    let rig = Rig::new().await;
    let mut mara = rig.session("mara").await;
    let id = rig.create(asap()).await.expect("taken").id;
    let (_, offer) = mara.offer().await;
    assert_eq!(mara.accept(offer).await, Ok(()));
    rig.handle.disconnect(mara.id);
    let mut again = rig.connect("mara").await;
    let welcome = again.welcome.take().expect("it came first");
    assert_eq!(welcome.assignments.iter().map(|one| one.id).collect::<Vec<_>>(), [id]);
    assert_eq!(again.accept(offer).await, Ok(()));
}

#[tokio::test]
async fn one_key_a_thousand_times_at_once_makes_one_callback() {
    let mut limits = limits();
    limits.admission_wait = Span::days(1);
    let rig = Rig::with(limits).await;
    let create = |_| {
        let handle = rig.handle.clone();
        tokio::spawn(async move { handle.create(asap(), Some(keyed(1, 1))).await })
    };
    let asked: Vec<_> = (0..1_000).map(create).collect();
    let mut first = 0;
    let mut answers = Vec::new();
    for one in asked {
        let answered = one.await.expect("no panic").expect("taken");
        first += usize::from(!answered.replayed);
        answers.push((answered.value.callback, answered.value.position, answered.value.created));
    }
    assert_eq!(first, 1);
    assert_eq!(rig.vault.callbacks().len(), 1);
    assert!(answers.iter().all(|answer| *answer == answers[0]));
    let found = rig.handle.replayed(keyed(1, 1)).await.expect("readable").expect("kept");
    assert!(matches!(found, KeptAnswer::Callback { created: true, .. }));
    assert_eq!(rig.handle.replayed(keyed(3, 3)).await, Ok(None));
    assert_eq!(rig.handle.replayed(keyed(1, 2)).await, Err(CommandError::KeyReused));
    let reused = rig.handle.create(asap(), Some(keyed(1, 2))).await;
    assert_eq!(reused.err(), Some(CommandError::KeyReused));
    let other = rig.handle.create(asap(), Some(keyed(2, 1))).await.expect("taken");
    assert!(!other.replayed);
}

#[tokio::test]
async fn a_kept_answer_shows_what_the_command_left_and_lasts_over_a_restart() {
    let rig = Rig::new().await;
    let mut mara = rig.session("mara").await;
    let made = rig.handle.create(asap(), Some(keyed(1, 1))).await.expect("taken").value;
    let (_, offer) = mara.offer().await;
    assert_eq!(mara.accept(offer).await, Ok(()));
    let rig = rig.restart().await;
    let again = rig.handle.create(asap(), Some(keyed(1, 1))).await.expect("kept");
    assert!(again.replayed && again.value.created);
    assert_eq!(again.value.callback, made.callback);
}

#[tokio::test]
async fn an_external_id_is_taken_once_also_at_the_same_time_and_after_a_restart() {
    let rig = Rig::new().await;
    let (one, two) = tokio::join!(rig.create(external("X-1")), rig.create(external("X-1")));
    let id = one.as_ref().or(two.as_ref()).expect("one is taken").id;
    let refused = [one, two].into_iter().filter_map(Result::err).collect::<Vec<_>>();
    assert_eq!(refused, [Refusal::Duplicate { id }]);
    let rig = rig.restart().await;
    let refused = rig.create(external("X-1")).await.err();
    assert_eq!(refused, Some(Refusal::Duplicate { id }));
    assert!(rig.create(external("X-2")).await.is_ok());
}

#[tokio::test]
async fn what_is_booked_sleeps_in_the_store_and_falls_due_in_time() {
    let rig = Rig::new().await;
    let id = rig.create(scheduled(Span::minutes(30))).await.expect("taken").id;
    until("its actor is let go", || rig.handle.health().live == 0).await;
    assert_eq!(rig.state(id).await, State::Open);
    rig.time.advance(Span::minutes(28));
    tokio::task::yield_now().await;
    assert_eq!(rig.state(id).await, State::Open);
    rig.time.advance(Span::minutes(1));
    until("it is due", || rig.vault.callbacks()[0].state() == State::Queued).await;
    assert_eq!(rig.handle.health().live, 1);
    assert_eq!(rig.position(id).await, Some(1));
}

#[tokio::test]
async fn a_jump_of_the_wall_clock_is_noticed_without_any_message() {
    let rig = Rig::new().await;
    let id = rig.create(scheduled(Span::minutes(30))).await.expect("taken").id;
    rig.time.jump(Span::minutes(29));
    rig.time.advance(Span::seconds(1));
    until("it is due", || rig.vault.callbacks()[0].state() == State::Queued).await;
    assert_eq!(rig.state(id).await, State::Queued);
}

#[tokio::test]
async fn a_sleeping_callback_is_read_when_it_is_addressed() {
    let rig = Rig::new().await;
    let id = rig.create(scheduled(Span::minutes(30))).await.expect("taken").id;
    until("its actor is let go", || rig.handle.health().live == 0).await;
    let action = Action::Cancel { reason: None };
    let canceled = rig.act(id, Who::Customer, action.clone()).await.expect("it is open");
    assert_eq!(canceled.state(), State::Canceled);
    until("it is let go again", || rig.handle.health().live == 0).await;
    let refused = rig.act(id, Who::Customer, action).await.err();
    assert_eq!(
        refused,
        Some(Refusal::IllegalTransition { state: State::Canceled, action: "cancel" })
    );
    let nobody = rig.act(crate::domain::ids::CallbackId(5), SUPERVISOR, Action::Call).await;
    assert_eq!(nobody.err(), Some(Refusal::NotFound));
}

#[tokio::test]
async fn a_queue_with_sleeping_callbacks_is_not_removed() {
    let rig = Rig::new().await;
    let id = rig.create(scheduled(Span::minutes(30))).await.expect("taken").id;
    let refused = rig.handle.remove_queue(queue_id(), None).await.err();
    assert!(matches!(refused, Some(Refusal::InUse(_))), "{refused:?}");
    rig.act(id, Who::Customer, Action::Cancel { reason: None }).await.expect("it is open");
    assert_eq!(rig.handle.remove_queue(queue_id(), None).await, Ok(()));
    assert_eq!(rig.handle.queue(&queue_id()), None);
    assert_eq!(rig.handle.remove_queue(queue_id(), None).await, Err(Refusal::NotFound));
    assert!(rig.create(asap()).await.is_err());
    let made = rig.handle.put_queue(QueueSettings::new(queue_id()), None).await;
    assert!(made.expect("it is free again").1);
    assert!(rig.create(asap()).await.is_ok());
}

#[tokio::test]
async fn nobody_watches_the_line_of_a_queue_that_was_removed() {
    let rig = Rig::new().await;
    let minutes = async || {
        let (mut known, now) = (Vec::new(), rig.handle.now());
        let tell = |measured: Measured| {
            if let Tally::Line(queue, line) = measured.tally
                && queue == queue_id()
            {
                known = line.minutes;
            }
        };
        rig.handle.measured(now - Span::minutes(60), now, tell).await.expect("it can be read");
        known
    };
    rig.time.advance(Span::minutes(1));
    assert_eq!(rig.handle.remove_queue(queue_id(), None).await, Ok(()));
    assert_eq!(rig.handle.remove_queue(queue_id(), None).await, Err(Refusal::NotFound));
    rig.time.advance(Span::minutes(2));
    assert_eq!(minutes().await, [Some(0), Some(0)], "nothing of the two minutes since");
    let made = rig.handle.put_queue(QueueSettings::new(queue_id()), None).await;
    assert!(made.expect("it is free again").1);
    assert_eq!(minutes().await, [Some(0), Some(0), None, Some(0)]);
}

#[tokio::test]
async fn a_removed_agents_sessions_end() {
    let rig = Rig::new().await;
    let mut mara = rig.session("mara").await;
    let id = AgentId::parse("mara").expect("a slug");
    assert_eq!(rig.handle.remove_agent(id.clone(), None).await, Ok(()));
    assert!(matches!(mara.next().await, ToSession::End(EndReason::AgentRemoved)));
    assert_eq!(rig.handle.agent(&id), None);
    assert_eq!(rig.handle.remove_agent(id, None).await, Err(Refusal::NotFound));
    let (_, made) = rig.handle.put_agent(agent_settings("mara"), None).await.expect("free again");
    assert!(made);
}

#[tokio::test]
async fn readers_see_an_agent_as_soon_as_a_command_on_them_is_answered() {
    let rig = Rig::new().await;
    let _mara = rig.session("mara").await;
    let view = rig.handle.agent(&AgentId::parse("mara").expect("a slug")).expect("known");
    assert_eq!((view.agent.presence, view.sessions.len()), (Presence::Available, 1));
    assert_eq!(rig.handle.agents().len(), 2);
}

#[tokio::test]
async fn a_line_is_told_every_five_seconds_while_it_changes() {
    let rig = Rig::new().await;
    let mut mara = rig.connect("mara").await;
    rig.create(asap()).await.expect("taken");
    rig.time.advance(Span::seconds(5));
    let notice = mara.notice().await;
    assert!(matches!(notice, Notice::QueueUpdated { waiting: 1, .. }), "{notice:?}");
    rig.time.advance(Span::seconds(5));
    rig.create(asap()).await.expect("taken");
    rig.time.advance(Span::seconds(5));
    let notice = mara.notice().await;
    assert!(matches!(notice, Notice::QueueUpdated { waiting: 2, .. }), "{notice:?}");
    assert!(mara.sent().is_none());
}

#[tokio::test]
async fn many_sessions_are_told_of_a_line_in_portions() {
    let rig = Rig::new().await;
    let mut desks = Vec::new();
    for _ in 0..65 {
        desks.push(rig.connect("mara").await);
    }
    rig.create(asap()).await.expect("taken");
    rig.time.advance(Span::seconds(5));
    for desk in &mut desks[..64] {
        assert!(matches!(desk.notice().await, Notice::QueueUpdated { waiting: 1, .. }));
    }
    assert!(desks[64].sent().is_none(), "time stands still");
    let mut last = None;
    until("the last is told", || {
        rig.time.advance(Span::millis(2));
        last = desks[64].sent();
        last.is_some()
    })
    .await;
    assert!(matches!(last, Some(ToSession::Notice(Notice::QueueUpdated { waiting: 1, .. }))));
}

#[tokio::test]
async fn portions_are_of_all_lines_together() {
    let rig = Rig::new().await;
    let other = QueueId::parse("sales").expect("a slug");
    rig.handle.put_queue(QueueSettings::new(other.clone()), None).await.expect("made");
    let mut settings = agent_settings("mara");
    settings.queues.push(Membership { queue: other, preference: 1 });
    rig.handle.put_agent(settings, None).await.expect("changed");
    let mut desks = Vec::new();
    for _ in 0..40 {
        desks.push(rig.connect("mara").await);
    }
    rig.create(asap()).await.expect("taken");
    rig.time.advance(Span::seconds(5));
    for desk in &mut desks {
        assert!(matches!(desk.notice().await, Notice::QueueUpdated { .. }));
    }
    let mut told = 40 + desks.iter_mut().filter_map(Session::sent).count();
    assert!(told <= 64, "{told} at once");
    until("all are told of both lines", || {
        rig.time.advance(Span::millis(2));
        told += desks.iter_mut().filter_map(Session::sent).count();
        told == 80
    })
    .await;
}

#[tokio::test]
async fn a_restart_finds_the_same_state_and_offers_anew() {
    let rig = Rig::new().await;
    let mut mara = rig.session("mara").await;
    let first = rig.create(asap()).await.expect("taken").id;
    let (_, offer) = mara.offer().await;
    assert_eq!(mara.accept(offer).await, Ok(()));
    let mut omar = rig.session("omar").await;
    let second = rig.create(asap()).await.expect("taken").id;
    let (_, pending) = omar.offer().await;
    let booked = rig.create(scheduled(Span::minutes(60))).await.expect("taken").id;
    let rig = rig.restart().await;
    let mut notices = Vec::new();
    while let Some(sent) = omar.sent() {
        notices.push(sent);
    }
    assert!(matches!(notices.last(), Some(ToSession::End(EndReason::Restart))), "{notices:?}");
    assert_eq!(rig.state(first).await, State::Accepted);
    assert_eq!(rig.state(second).await, State::Queued);
    assert_eq!(rig.state(booked).await, State::Open);
    assert_eq!(rig.handle.health().live, 2);
    let mut omar = rig.connect("omar").await;
    let (callback, offer) = omar.offer().await;
    assert!(callback.id == second && offer != pending);
    let mara = rig.connect("mara").await;
    let welcome = mara.welcome.expect("it came first");
    assert_eq!(welcome.assignments.iter().map(|one| one.id).collect::<Vec<_>>(), [first]);
    assert_eq!(rig.create(asap()).await.expect("taken").number, 4);
}

#[tokio::test]
async fn a_workspace_makes_its_secret_once() {
    let (one, two) = (Rig::new().await, Rig::new().await);
    let secret = one.handle.secret();
    assert_ne!(secret, two.handle.secret());
    let one = one.restart().await;
    assert_eq!(one.handle.secret(), secret);
}

#[tokio::test]
async fn a_drain_ends_sessions_and_takes_nothing_more() {
    let rig = Rig::new().await;
    let mut mara = rig.session("mara").await;
    let id = rig.create(asap()).await.expect("taken").id;
    mara.offer().await;
    assert_eq!(rig.running.drain().await, Ended::Drained);
    assert!(matches!(mara.next().await, ToSession::End(EndReason::Restart)));
    assert_eq!(rig.handle.create(asap(), None).await.err(), Some(Refusal::Unavailable.into()));
    assert_eq!(rig.handle.callback(id).await.err(), Some(Refusal::Unavailable));
    assert!(!rig.handle.health().ready);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_under_way_stays_within_permits_times_fan_out() {
    let mut limits = limits();
    limits.max_commands_in_flight = 64;
    limits.admission_wait = Span::days(1);
    let rig = Rig::with(limits).await;
    let _mara = rig.session("mara").await;
    let create = |_| {
        let handle = rig.handle.clone();
        tokio::spawn(async move { handle.create(asap(), None).await.is_ok() })
    };
    let asked: Vec<_> = (0..3_000).map(create).collect();
    for one in asked {
        let taken = tokio::time::timeout(Duration::from_mins(1), one).await;
        assert!(taken.expect("in time").expect("no panic"));
    }
    // A create's longest time: queue, callback, and then router, queue and scheduler at once; the
    // one agent's offer adds a few.
    let most = rig.handle.shared.gauges.letters_most();
    assert!(most <= 64 * 8, "{most} letters were on their way at once");
    assert_eq!(rig.handle.health().in_flight, 0);
}

#[tokio::test]
async fn a_missed_offer_is_not_followed_by_another_to_who_goes_away() {
    let rig = Rig::new().await;
    let mut mara = rig.session("mara").await;
    let first = rig.create(asap()).await.expect("taken").id;
    mara.offer().await;
    let second = rig.create(asap()).await.expect("taken").id;
    rig.time.advance(Span::seconds(31));
    loop {
        match mara.notice().await {
            Notice::PresenceChanged { .. } => break,
            Notice::OfferExpired { .. } | Notice::QueueUpdated { .. } => {}
            other => panic!("{other:?}"),
        }
    }
    rig.create(asap()).await.expect("whatever was under way before is over");
    let names = async |id| {
        let history = rig.handle.history(id, 0, 100).await.expect("readable");
        history.iter().map(|stored| stored.event.name()).collect::<Vec<_>>()
    };
    let missed = ["created", "queued", "offered", "offer_expired", "queued"];
    assert_eq!(names(first).await, missed.map(|name| format!("callback.{name}")));
    assert_eq!(names(second).await, ["callback.created", "callback.queued"]);
}
