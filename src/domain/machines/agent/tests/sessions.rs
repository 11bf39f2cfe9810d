//! Connections: welcome, several sessions, and grace periods when the last is gone.

use std::sync::Arc;

use super::{Bench, START, callback, held, presence, put};
use crate::domain::agent::{Presence, PresenceBy, RevokeReason};
use crate::domain::callback::State;
use crate::domain::effect::{Answer, Change, Effect, Notice, StepOutput};
use crate::domain::event::AgentEvent;
use crate::domain::ids::SessionId;
use crate::domain::machines::agent::AgentMachine;
use crate::domain::message::{AgentMessage, CallbackMessage, Token};
use crate::domain::refusal::Refusal;
use crate::domain::time::Span;

fn connect(session: u128) -> AgentMessage {
    AgentMessage::Connect { token: Token(5), session: SessionId(session) }
}

fn disconnect(session: u128) -> AgentMessage {
    AgentMessage::Disconnect { session: SessionId(session) }
}

#[test]
fn a_new_agent_starts_offline_and_is_told_nothing() {
    let bench = Bench::made();
    assert_eq!(bench.presence(), (Presence::Offline, None));
    assert_eq!((bench.record().version, bench.record().missed_offers), (1, 0));
    assert!(bench.events().is_empty() && bench.notices().is_empty());
    let report = bench.report().expect("the router hears of them");
    assert!(!report.connected && report.presence == Presence::Offline);
    assert_eq!(bench.timers(), None, "who is offline and holds nothing has no deadline");
}

#[test]
fn the_welcome_is_the_whole_truth() {
    let mut bench = Bench::available();
    bench.offered(1);
    bench.assigned(2, State::Calling);
    bench.tell(connect(2));
    let Ok(Answer::Welcome(welcome)) = bench.answer() else { panic!("a welcome") };
    assert_eq!(welcome.session, SessionId(2));
    assert_eq!(welcome.agent.presence, Presence::Available);
    assert_eq!(welcome.offers.iter().map(|one| one.id).collect::<Vec<_>>(), [callback(1)]);
    assert_eq!(welcome.assignments.iter().map(|one| one.id).collect::<Vec<_>>(), [callback(2)]);
    assert_eq!(bench.events(), [&AgentEvent::Connected { session: SessionId(2) }]);
    assert!(bench.told().is_empty(), "a second session changes nothing for the callbacks");
}

#[test]
fn an_offer_goes_to_all_sessions_and_stays_until_the_last_is_gone() {
    let mut bench = Bench::available();
    bench.tell(connect(2));
    bench.offered(1);
    let [(sessions, Notice::Offered { .. })] = bench.notices()[..] else { panic!("one notice") };
    assert_eq!(sessions, [SessionId(1), SessionId(2)]);
    bench.tell(disconnect(1));
    let (session, remaining) = (SessionId(1), 1);
    assert_eq!(bench.events(), [&AgentEvent::Disconnected { session, remaining }]);
    assert!(bench.told().is_empty());
    bench.tell(disconnect(1));
    assert!(bench.events().is_empty(), "it is gone already");
    bench.tell(disconnect(2));
    let (session, remaining) = (SessionId(2), 0);
    assert_eq!(bench.events(), [&AgentEvent::Disconnected { session, remaining }]);
    assert_eq!(bench.revoked(), [(1, RevokeReason::SessionLost)]);
    assert_eq!(bench.presence().0, Presence::Available, "presence is another thing");
    assert!(!bench.report().expect("news for the router").connected);
}

#[test]
fn grace_periods_pass_one_after_the_other() {
    let mut bench = Bench::available();
    bench.assigned(1, State::Accepted);
    bench.at = bench.at + Span::seconds(100);
    bench.tell(disconnect(1));
    let lost = bench.at;
    assert!(matches!(
        bench.told()[..],
        [(1, CallbackMessage::AgentLost { since, .. })] if *since == lost
    ));
    assert_eq!(bench.timers(), Some((None, Some(lost + Span::seconds(30)))));
    bench.pass(Span::seconds(30) - Span::millis(1));
    assert!(bench.told().is_empty());
    bench.pass(Span::millis(1));
    assert!(matches!(bench.told()[..], [(1, CallbackMessage::GraceOver { .. })]));
    assert_eq!(bench.timers(), Some((None, Some(lost + Span::seconds(900)))));
    bench.pass(Span::seconds(870) - Span::millis(1));
    assert!(bench.told().is_empty(), "the first grace is told once");
    assert_eq!(bench.presence(), (Presence::Available, None));
    bench.pass(Span::millis(1));
    assert_eq!(bench.presence(), (Presence::Offline, Some("connection_lost")));
    assert!(matches!(
        bench.events()[..],
        [AgentEvent::PresenceChanged { by: PresenceBy::Engine, .. }]
    ));
    assert_eq!(bench.timers(), None, "nothing more to come");
}

#[test]
fn presence_does_not_wait_for_the_longer_grace() {
    let mut bench = Bench::available();
    bench.machine.timers.call_grace = Span::seconds(2);
    bench.assigned(1, State::Accepted);
    bench.tell(disconnect(1));
    assert_eq!(bench.timers(), Some((None, Some(bench.at + Span::seconds(2)))));
    bench.pass(Span::seconds(2));
    assert_eq!(bench.presence(), (Presence::Offline, Some("connection_lost")));
    assert!(bench.told().is_empty(), "what they hold has its own grace");
    assert_eq!(bench.timers(), Some((None, Some(bench.at + Span::seconds(28)))));
    bench.pass(Span::seconds(28));
    assert!(matches!(bench.told()[..], [(1, CallbackMessage::GraceOver { .. })]));
    assert_eq!(bench.timers(), None, "nothing more to come");
}

#[test]
fn a_presence_set_between_two_graces_ends_with_the_longer_one() {
    let mut bench = Bench::available();
    bench.machine.timers.call_grace = Span::seconds(2);
    bench.assigned(1, State::Accepted);
    bench.tell(disconnect(1));
    bench.pass(Span::seconds(2));
    bench.tell(presence(Presence::Available));
    assert_eq!(bench.presence().0, Presence::Available);
    bench.pass(Span::seconds(28));
    assert!(matches!(bench.told()[..], [(1, CallbackMessage::GraceOver { .. })]));
    assert_eq!(bench.presence(), (Presence::Offline, Some("connection_lost")));
}

#[test]
fn a_presence_set_for_who_is_gone_prolongs_no_grace_of_what_they_hold() {
    let mut bench = Bench::available();
    bench.assigned(1, State::Accepted);
    bench.tell(presence(Presence::Offline));
    bench.tell(disconnect(1));
    bench.at = bench.at + Span::seconds(20);
    bench.tell(presence(Presence::Available));
    assert!(bench.told().is_empty() && bench.timers().is_none(), "it isn't lost anew");
    bench.pass(Span::seconds(10));
    assert!(matches!(bench.told()[..], [(1, CallbackMessage::GraceOver { .. })]));
}

#[test]
fn a_reconnect_in_time_finds_all_as_it_was() {
    let mut bench = Bench::available();
    bench.assigned(1, State::Calling);
    bench.tell(disconnect(1));
    bench.at = bench.at + Span::seconds(899);
    bench.tell(AgentMessage::Wake);
    bench.tell(connect(2));
    assert!(matches!(bench.told()[..], [(1, CallbackMessage::AgentBack { .. })]));
    assert_eq!(bench.presence(), (Presence::Available, None));
    assert_eq!(bench.timers(), Some((None, None)));
    bench.pass(Span::seconds(900));
    assert_eq!(bench.presence(), (Presence::Available, None));
    bench.tell(disconnect(2));
    let again = bench.at + Span::seconds(30);
    assert_eq!(bench.timers(), Some((None, Some(again))), "the grace starts again");
}

#[test]
fn what_comes_to_an_agent_who_has_just_gone_is_told_or_taken_back() {
    let mut bench = Bench::available();
    bench.tell(disconnect(1));
    let lost = bench.at;
    bench.at = lost + Span::seconds(1);
    bench.assigned(1, State::Accepted);
    assert!(matches!(
        bench.told()[..],
        [(1, CallbackMessage::AgentLost { since, .. })] if *since == lost
    ));
    bench.offered(2);
    assert_eq!(bench.revoked(), [(2, RevokeReason::SessionLost)]);
}

#[test]
fn after_a_restart_nobody_is_connected_and_the_grace_starts_then() {
    let agent = Bench::available().machine.record.clone().expect("the record");
    let machine = AgentMachine::restore(agent, super::timers(1));
    let at = START + Span::seconds(1_000);
    let mut bench = Bench { machine, at, out: StepOutput::default() };
    bench.tell(AgentMessage::Hold { callback: held(1, State::Calling) });
    assert!(bench.notices().is_empty());
    let now = bench.now();
    bench.out = StepOutput::default();
    bench.machine.recover(&now, &mut bench.out);
    assert!(matches!(
        bench.told()[..],
        [(1, CallbackMessage::AgentLost { since, .. })] if *since == at
    ));
    assert_eq!(bench.timers(), Some((None, Some(at + Span::seconds(30)))));
    bench.tell(AgentMessage::Hold { callback: held(2, State::Accepted) });
    assert!(matches!(bench.told()[..], [(2, CallbackMessage::AgentLost { .. })]));
    bench.tell(connect(1));
    assert_eq!(bench.told().len(), 2, "both hear that the agent is back");
}

#[test]
fn a_machine_made_anew_tells_what_is_held_how_the_agent_stands() {
    let made_anew = |sessions: Vec<SessionId>| {
        let agent = Bench::available().machine.record.clone().expect("the record");
        let machine = AgentMachine::restore(agent, super::timers(1));
        let mut bench = Bench { machine, at: START, out: StepOutput::default() };
        let now = bench.now();
        let all = vec![held(1, State::Offered), held(2, State::Calling)];
        bench.machine.adopt(&now, sessions, all, &mut bench.out);
        bench
    };
    let gone = made_anew(Vec::new());
    assert_eq!(gone.revoked(), [(1, RevokeReason::SessionLost)]);
    let lost = |message: &CallbackMessage| matches!(message, CallbackMessage::AgentLost { .. });
    assert!(gone.told().iter().any(|(id, message)| *id == 2 && lost(message)));
    let there = made_anew(vec![SessionId(1)]);
    let back = |message: &CallbackMessage| matches!(message, CallbackMessage::AgentBack { .. });
    assert_eq!(there.told().len(), 2);
    assert!(there.told().iter().all(|(_, message)| back(message)));
}

#[test]
fn what_is_declined_in_one_session_is_gone_from_the_others() {
    let mut bench = Bench::available();
    bench.tell(connect(2));
    for (within, told) in
        [(Some(SessionId(2)), vec![SessionId(1)]), (None, vec![SessionId(1), SessionId(2)])]
    {
        let offer = bench.offered(1);
        bench.offer_ended(&offer, super::OfferEnd::Declined(within));
        let [(sessions, Notice::OfferDeclined { callback, .. })] = bench.notices()[..] else {
            panic!("{:?}", bench.notices());
        };
        assert_eq!((sessions, *callback), (&told[..], offer.id));
        bench.offer_ended(&offer, super::OfferEnd::Declined(within));
        assert!(bench.notices().is_empty(), "it is shown no more");
    }
}

#[test]
fn what_is_accepted_in_one_session_is_no_offer_in_the_others() {
    let mut bench = Bench::available();
    bench.tell(connect(2));
    for (within, told) in
        [(Some(SessionId(2)), vec![SessionId(1)]), (None, vec![SessionId(1), SessionId(2)])]
    {
        let offer = bench.offered(1);
        bench.offer_ended(&offer, super::OfferEnd::Accepted(within));
        let [(sessions, Notice::OfferRevoked { callback, reason, .. })] = bench.notices()[..]
        else {
            panic!("{:?}", bench.notices());
        };
        assert_eq!((sessions, *callback), (&told[..], offer.id));
        assert_eq!(*reason, RevokeReason::AcceptedElsewhere);
    }
}

#[test]
fn an_agent_is_removed_only_with_empty_hands_and_their_sessions_end() {
    let mut bench = Bench::available();
    let offer = bench.offered(1);
    let remove = |if_match| AgentMessage::Remove { token: Token(3), if_match };
    bench.tell(remove(None));
    assert!(matches!(bench.answer(), Err(Refusal::InUse(_))));
    bench.offer_ended(&offer, super::OfferEnd::Declined(None));
    bench.tell(remove(Some(2)));
    assert!(matches!(bench.answer(), Err(Refusal::VersionStale { .. })));
    bench.tell(remove(None));
    assert!(matches!(bench.answer(), Ok(Answer::Done)));
    assert!(bench.out.effects.iter().any(|effect| {
        matches!(effect, Effect::CloseSessions { sessions } if sessions[..] == [SessionId(1)])
    }));
    assert!(bench.out.changes.iter().any(|change| matches!(change, Change::AgentRemoved(_))));
    bench.tell(connect(9));
    assert_eq!(bench.answer().err(), Some(&Refusal::NotFound));
}

#[test]
fn settings_are_replaced_for_the_version_that_was_read() {
    let mut bench = Bench::available();
    let (version, of_all) = (bench.record().settings_version, bench.record().version);
    assert_eq!((version, of_all), (1, 2), "presence isn't a setting");
    bench.tell(put(5, Some(of_all)));
    assert_eq!(bench.answer().err(), Some(&Refusal::VersionStale { version }));
    bench.tell(put(5, Some(version)));
    let Ok(Answer::Agent { agent, created: false }) = bench.answer() else { panic!("the agent") };
    assert_eq!((agent.settings_version, agent.settings.capacity.units), (version + 1, 5));
    assert_eq!(agent.presence, Presence::Available, "presence isn't a setting");
    let shown = Arc::clone(agent);
    bench.tell(presence(Presence::Available));
    assert_eq!(bench.record(), &*shown, "the same again changes nothing");
}
