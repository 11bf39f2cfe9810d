//! Work elsewhere and capacity: what is held is kept, pending offers that no longer fit go back.

use super::{Bench, Token, callback, put};
use crate::domain::agent::RevokeReason;
use crate::domain::callback::State;
use crate::domain::message::AgentMessage;
use crate::domain::time::{Span, Timestamp};

fn load(units: u32, until: Timestamp) -> AgentMessage {
    AgentMessage::SetExternalLoad { token: Token(4), units, until }
}

#[test]
fn work_elsewhere_counts_until_its_end() {
    let mut bench = Bench::available();
    let until = bench.at + Span::minutes(240);
    bench.tell(load(2, until));
    assert_eq!(bench.report().map(|report| report.external_units), Some(2));
    assert_eq!(bench.timers(), Some((Some(until), None)));
    bench.at = until - Span::millis(1);
    bench.tell(AgentMessage::Wake);
    assert_eq!(bench.record().external.map(|load| load.units), Some(2));
    bench.pass(Span::millis(1));
    assert_eq!(bench.report().map(|report| report.external_units), Some(0));
    bench.tell(load(2, bench.at + Span::minutes(1)));
    bench.tell(load(0, bench.at + Span::minutes(1)));
    assert_eq!(bench.record().external, None);
}

#[test]
fn pending_offers_that_no_longer_fit_beside_it_go_back_the_newest_first() {
    let mut bench = Bench::available();
    bench.assigned(1, State::Calling);
    bench.offered(2);
    bench.offered(3);
    let until = bench.at + Span::minutes(5);
    bench.tell(load(1, until));
    assert_eq!(bench.revoked(), [(3, RevokeReason::AtCapacity)]);
    bench.tell(load(9, until));
    assert_eq!(
        bench.revoked(),
        [(3, RevokeReason::AtCapacity), (2, RevokeReason::AtCapacity)],
        "and never an assignment"
    );
}

#[test]
fn a_smaller_capacity_takes_nothing_away() {
    let mut bench = Bench::available();
    bench.assigned(1, State::Calling);
    bench.offered(2);
    bench.tell(put(1, None));
    assert!(bench.told().is_empty());
    assert_eq!(bench.report().map(|report| report.settings.capacity.units), Some(1));
    assert_eq!(bench.machine.held_units(), 2);
}

#[test]
fn a_pending_offer_holds_capacity_and_is_no_assignment() {
    let mut bench = Bench::available();
    bench.offered(1);
    let view = bench.view().expect("it is published");
    assert_eq!((view.held_units, view.assigned.as_slice()), (1, &[][..]));
    bench.assigned(2, State::Accepted);
    let view = bench.view().expect("it is published");
    assert_eq!((view.held_units, view.assigned.as_slice()), (2, &[callback(2)][..]));
}
