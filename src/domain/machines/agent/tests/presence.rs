//! Presence: set by people and by rules, and what it does to offers, idle time and missed offers.

use super::{Bench, OfferEnd, START, Token, callback, presence};
use crate::domain::agent::{Engagement, Presence, PresenceBy, RevokeReason, UnassignReason};
use crate::domain::callback::State;
use crate::domain::effect::Notice;
use crate::domain::event::AgentEvent;
use crate::domain::message::AgentMessage;
use crate::domain::time::Span;

fn unassigned(id: u128, reason: UnassignReason) -> AgentMessage {
    AgentMessage::Unassigned { callback: callback(id), reason }
}

#[test]
fn going_away_or_offline_takes_offers_back_and_leaves_assignments() {
    for wish in [Presence::Away, Presence::Offline] {
        let mut bench = Bench::available();
        bench.offered(1);
        bench.assigned(2, State::Accepted);
        bench.tell(presence(wish));
        assert_eq!(bench.revoked(), [(1, RevokeReason::AgentAway)]);
        assert_eq!(bench.told().len(), 1, "the assignment hears nothing");
        let by = PresenceBy::Agent;
        let changed = AgentEvent::PresenceChanged { presence: wish, reason: None, by };
        assert_eq!(bench.events(), [&changed]);
        assert!(matches!(
            bench.notices()[..],
            [(_, Notice::PresenceChanged { by: PresenceBy::Agent, .. })]
        ));
        assert_eq!(bench.report().map(|report| report.presence), Some(wish));
        assert_eq!(bench.record().missed_offers, 0, "without penalty");
    }
}

#[test]
fn the_same_presence_again_is_no_event_but_another_reason_is() {
    let mut bench = Bench::available();
    bench.at = bench.at + Span::seconds(5);
    bench.tell(presence(Presence::Available));
    assert!(bench.events().is_empty() && bench.answer().is_ok());
    bench.tell(AgentMessage::SetPresence {
        token: Some(Token(2)),
        by: PresenceBy::Supervisor,
        presence: Presence::Available,
        reason: Some("back".to_owned()),
    });
    assert_eq!(bench.events().len(), 1);
    assert_eq!(bench.record().presence_since, START, "since when hasn't changed");
    assert_eq!(bench.record().idle_since, START);
}

#[test]
fn an_offer_to_who_has_gone_meanwhile_is_taken_back_untold() {
    let mut bench = Bench::available();
    bench.tell(presence(Presence::Away));
    let offer = bench.offered(1);
    assert_eq!(bench.revoked(), [(1, RevokeReason::AgentAway)]);
    assert!(bench.notices().is_empty());
    bench.offer_ended(&offer, OfferEnd::Revoked(RevokeReason::AgentAway));
    assert!(bench.notices().is_empty(), "nor of its end");
}

#[test]
fn a_missed_offer_sends_away_and_is_told() {
    let mut bench = Bench::available();
    let offer = bench.offered(1);
    bench.offer_ended(&offer, OfferEnd::Expired);
    assert_eq!(bench.presence(), (Presence::Away, Some("no_response")));
    assert!(matches!(
        bench.notices()[..],
        [
            (_, Notice::OfferExpired { .. }),
            (_, Notice::PresenceChanged { by: PresenceBy::Engine, .. })
        ]
    ));
    bench.tell(presence(Presence::Available));
    assert_eq!(bench.record().missed_offers, 0, "a new beginning");
}

#[test]
fn offers_are_missed_in_a_row_or_not_at_all() {
    let mut bench = Bench::available();
    bench.tell(AgentMessage::SetTimers(super::timers(2)));
    assert_eq!(bench.report().map(|report| report.last_chance), Some(false));
    let mut miss = |end: OfferEnd| {
        let offer = bench.offered(1);
        bench.offer_ended(&offer, end);
        (bench.record().missed_offers, bench.presence().0)
    };
    assert_eq!(miss(OfferEnd::Expired), (1, Presence::Available));
    assert_eq!(miss(OfferEnd::Revoked(RevokeReason::Canceled)), (1, Presence::Available));
    assert_eq!(miss(OfferEnd::Declined(None)), (0, Presence::Available));
    assert_eq!(miss(OfferEnd::Expired), (1, Presence::Available));
    assert_eq!(miss(OfferEnd::Expired), (2, Presence::Away));
    let mut taking = Bench::available();
    taking.tell(AgentMessage::SetTimers(super::timers(2)));
    let offer = taking.offered(1);
    taking.offer_ended(&offer, OfferEnd::Expired);
    taking.assigned(2, State::Accepted);
    assert_eq!(taking.record().missed_offers, 0);
}

#[test]
fn who_accepts_and_does_not_call_goes_away() {
    let table = [
        (UnassignReason::NoCall, Presence::Away, Some("no_call")),
        (UnassignReason::Closed, Presence::Available, None),
        (UnassignReason::Requeued, Presence::Available, None),
        (UnassignReason::Canceled, Presence::Available, None),
    ];
    for (reason, presence, why) in table {
        let mut bench = Bench::available();
        bench.assigned(1, State::Accepted);
        bench.tell(unassigned(1, reason));
        assert_eq!(bench.presence(), (presence, why), "{reason:?}");
        assert!(matches!(bench.notices()[0].1, Notice::Unassigned { .. }));
    }
    let mut offline = Bench::available();
    offline.assigned(1, State::Accepted);
    offline.tell(presence(Presence::Offline));
    offline.tell(unassigned(1, UnassignReason::NoCall));
    assert_eq!(offline.presence(), (Presence::Offline, None), "a rule brings nobody back");
}

#[test]
fn idle_time_counts_from_the_last_wrap_up_or_from_becoming_available() {
    let mut bench = Bench::available();
    let since = |bench: &Bench| bench.record().idle_since.since(START);
    bench.at = START + Span::seconds(10);
    let offer = bench.offered(1);
    bench.offer_ended(&offer, OfferEnd::Declined(None));
    assert_eq!(since(&bench), Span::ZERO, "a decline moves nobody");
    bench.tell(AgentMessage::SetTimers(super::timers(2)));
    let offer = bench.offered(1);
    bench.offer_ended(&offer, OfferEnd::Expired);
    assert_eq!(since(&bench), Span::ZERO, "nor does a missed offer");
    bench.assigned(3, State::Accepted);
    bench.tell(unassigned(3, UnassignReason::Canceled));
    assert_eq!(since(&bench), Span::ZERO, "nor does what was never called");
    bench.assigned(2, State::WrapUp);
    bench.at = START + Span::seconds(20);
    bench.tell(unassigned(2, UnassignReason::Closed));
    assert_eq!(since(&bench), Span::seconds(20));
    bench.at = START + Span::seconds(30);
    bench.tell(presence(Presence::Away));
    assert_eq!(since(&bench), Span::seconds(20));
    bench.tell(presence(Presence::Available));
    assert_eq!(since(&bench), Span::seconds(30));
}

#[test]
fn engagement_follows_from_what_is_held() {
    let table = [
        (vec![State::Offered], Engagement::Offered, 1),
        (vec![State::Accepted], Engagement::Busy, 1),
        (vec![State::Calling], Engagement::Busy, 1),
        (vec![State::WrapUp], Engagement::WrapUp, 1),
        (vec![State::Offered, State::WrapUp], Engagement::Offered, 2),
        (vec![State::Offered, State::Calling, State::WrapUp], Engagement::Busy, 3),
    ];
    for (states, engagement, units) in table {
        let mut bench = Bench::available();
        assert_eq!(bench.view().map(|view| view.engagement), Some(Engagement::Idle));
        for (id, state) in (1..).zip(&states) {
            match state {
                State::Offered => drop(bench.offered(id)),
                held => bench.assigned(id, *held),
            }
        }
        let view = bench.view().expect("readers are told");
        assert_eq!((view.engagement, view.held_units), (engagement, units), "{states:?}");
    }
}

#[test]
fn who_says_first_that_they_want_work_has_the_grace_to_connect() {
    let mut bench = Bench::made();
    bench.at = START + Span::days(1);
    bench.tell(presence(Presence::Available));
    assert_eq!(bench.timers(), Some((None, Some(bench.at + Span::seconds(30)))));
    bench.pass(Span::seconds(899));
    assert_eq!(bench.presence(), (Presence::Available, None));
    bench.pass(Span::seconds(1));
    assert_eq!(bench.presence(), (Presence::Offline, Some("connection_lost")));
}
