//! What contact hours bind, and what they don't.

use std::sync::Arc;

use super::{BOSS, Bench, START, mara, queue, wish_of};
use crate::domain::callback::{CallbackType, ClosedReason, Outcome, Request, State};
use crate::domain::civil::Weekday;
use crate::domain::hours::{ContactHours, DayInterval, Hours};
use crate::domain::ids::Fresh;
use crate::domain::machines::callback::deadlines::runs_out;
use crate::domain::message::{Action, CallbackMessage, Patch};
use crate::domain::policy::{Medium, QueueSettings};
use crate::domain::queue::Queue;
use crate::domain::refusal::Refusal;
use crate::domain::time::{Now, Span, Timestamp};
use crate::domain::zone::TimeZone;

const BERLIN: &str = "+4930123456";
const AMERICA: &str = "+14155550123";

/// START is 8 o'clock in UTC and 9 in Berlin, where contact hours last from 7:00 to 20:00 UTC.
fn at(hours: u32, minutes: u32) -> Timestamp {
    START + Span::minutes(hours * 60 + minutes) - Span::minutes(8 * 60)
}

fn bench(queue: Arc<Queue>, phone: &str) -> Bench {
    Bench::asked(queue, Medium::Voice, None, |wish| {
        *wish = wish_of(phone, CallbackType::Asap, None);
    })
}

fn open(from: &str, to: &str, edit: impl FnOnce(&mut QueueSettings)) -> Arc<Queue> {
    queue(|one| {
        let day = DayInterval::parse(from, to).expect("an interval");
        let week = Weekday::ALL.map(|weekday| (weekday, day));
        one.hours = Arc::new(Hours::new(TimeZone::utc(), &week, Vec::new()).expect("hours"));
        edit(one);
    })
}

/// Called at that time, and nobody picked up; wrap-up is over.
fn called(bench: &mut Bench, time: Timestamp) {
    bench.at = time - Span::seconds(60);
    bench.take_and_call();
    bench.outcome(Outcome::NoAnswer);
    bench.pass(Span::seconds(60));
}

#[test]
fn a_retry_by_policy_is_moved_into_contact_hours() {
    let mut early = bench(queue(|_| ()), BERLIN);
    called(&mut early, at(12, 0));
    assert_eq!(early.record().next_attempt_at(), Some(at(12, 15)));
    let mut late = bench(queue(|_| ()), BERLIN);
    called(&mut late, at(19, 50));
    assert_eq!(late.record().next_attempt_at(), Some(at(31, 0)), "8 o'clock in Berlin");
    let mut always = bench(queue(|one| one.contact_hours = ContactHours::ALWAYS), BERLIN);
    called(&mut always, at(19, 50));
    assert_eq!(always.record().next_attempt_at(), Some(at(20, 5)));
    let mut nowhere = bench(queue(|_| ()), "");
    called(&mut nowhere, at(19, 50));
    assert_eq!(nowhere.record().next_attempt_at(), Some(at(20, 5)), "nobody knows where they are");
}

#[test]
fn where_several_zones_remain_the_hours_hold_in_all() {
    let mut retried = bench(queue(|_| ()), AMERICA);
    called(&mut retried, at(12, 0));
    let due = retried.record().next_attempt_at();
    assert_eq!(due, Some(at(18, 0)), "8 o'clock in Honolulu and 13 in New York");
}

#[test]
fn what_waits_when_contact_hours_end_goes_on_the_next_day_in_its_place() {
    let mut bench = bench(queue(|one| one.retry_delays_minutes.no_answer = 5), BERLIN);
    called(&mut bench, at(19, 45));
    bench.at = at(19, 50);
    bench.pass(Span::ZERO);
    assert_eq!(bench.state(), State::Queued);
    let timer = bench.machine.wakes_at();
    assert_eq!(timer, Some(at(20, 0)), "the end of contact hours");
    bench.offer("mara");
    bench.at = at(20, 0);
    bench.pass(Span::ZERO);
    assert_eq!(
        (bench.state(), bench.events().last()),
        (State::Open, Some(&"callback.carried_over"))
    );
    assert!(bench.events().contains(&"callback.offer_revoked"));
    assert_eq!(bench.record().next_attempt_at(), Some(at(31, 0)));
    let queue = Arc::clone(bench.machine.queue());
    let ends = runs_out(bench.record(), &queue, bench.at);
    assert_eq!(ends, at(31, 50), "of its hour ten minutes are over: the night doesn't count");
    bench.at = at(31, 0);
    bench.pass(Span::ZERO);
    assert_eq!((bench.state(), bench.record().queued_since), (State::Queued, Some(at(19, 50))));
    bench.at = at(31, 50);
    bench.pass(Span::ZERO);
    assert_eq!(bench.closed().map(|(_, reason)| reason), Some(ClosedReason::Expired));
}

#[test]
fn what_comes_back_from_an_agent_after_contact_hours_waits_for_the_next() {
    let mut bench = bench(queue(|one| one.retry_delays_minutes.no_answer = 5), BERLIN);
    called(&mut bench, at(19, 50));
    bench.at = at(19, 55);
    bench.pass(Span::ZERO);
    let offer = bench.offer("mara");
    bench.act(&mara(), Action::Accept { offer, session: None }).expect("accepted");
    bench.at = at(20, 0);
    bench.pass(Span::ZERO);
    assert_eq!(bench.state(), State::Open, "not called for preview_seconds");
    assert_eq!(bench.record().next_attempt_at(), Some(at(31, 0)));
}

/// A retry by policy that waits for an agent; it is 19:50.
fn retried() -> Bench {
    let mut bench = bench(queue(|one| one.retry_delays_minutes.no_answer = 5), BERLIN);
    called(&mut bench, at(19, 45));
    bench.at = at(19, 50);
    bench.pass(Span::ZERO);
    assert_eq!(bench.state(), State::Queued);
    bench
}

#[test]
fn a_retry_that_its_agent_sends_back_is_bound_as_it_was() {
    for (time, state) in [(at(19, 55), State::Queued), (at(20, 0), State::Open)] {
        let mut bench = retried();
        let offer = bench.offer("mara");
        bench.act(&mara(), Action::Accept { offer, session: None }).expect("accepted");
        bench.at = time;
        bench.act(&mara(), Action::Requeue { queue: None, agent: None }).expect("sent back");
        assert_eq!(bench.state(), state);
        bench.at = at(20, 0);
        bench.pass(Span::ZERO);
        assert_eq!(
            (bench.state(), bench.record().next_attempt_at()),
            (State::Open, Some(at(31, 0)))
        );
    }
}

#[test]
fn wider_contact_hours_bring_a_retry_forward() {
    let mut bench = bench(queue(|_| ()), BERLIN);
    called(&mut bench, at(19, 50));
    assert_eq!(bench.record().next_attempt_at(), Some(at(31, 0)));
    let nights = queue(|one| {
        one.contact_hours = ContactHours::parse("08:00", "21:30").expect("hours");
    });
    bench.tell(CallbackMessage::QueueChanged(nights));
    assert_eq!(bench.record().next_attempt_at(), Some(at(20, 5)));
}

#[test]
fn what_contact_hours_forbid_by_a_change_does_not_wait_for_an_agent() {
    let carried = |bench: &Bench, due| {
        assert_eq!(bench.events().last(), Some(&"callback.carried_over"));
        assert_eq!((bench.state(), bench.record().next_attempt_at()), (State::Open, Some(due)));
        assert!(!bench.enqueued());
    };
    let mornings = queue(|one| {
        one.contact_hours = ContactHours::parse("08:00", "12:00").expect("hours");
    });
    for offered in [false, true] {
        let mut bench = retried();
        if offered {
            bench.offer("mara");
        }
        bench.tell(CallbackMessage::QueueChanged(Arc::clone(&mornings)));
        carried(&bench, at(31, 0));
    }
    let mut bench = retried();
    let mut request = Request::clone(&super::request());
    request.customer.time_zone = Some(TimeZone::parse("Asia/Tokyo").expect("a zone"));
    let fields = vec!["customer.time_zone".to_owned()];
    let request = Some((super::request(), Arc::new(request)));
    bench
        .act(&BOSS, Action::Patch(Box::new(Patch { request, fields, ..Patch::default() })))
        .expect("changed");
    carried(&bench, at(23, 0));
    // An earlier process may have left it so.
    let mut lost = retried();
    lost.at = at(20, 0);
    let now = Now { wall: lost.at, steady: lost.at, fresh: Fresh(1) };
    lost.machine.recover(&now, &mut lost.out);
    assert_eq!(lost.machine.wakes_at(), Some(at(20, 0)));
}

#[test]
fn an_immediate_request_is_not_bound_and_one_for_another_opening_is() {
    let late = |one: &mut QueueSettings| {
        one.contact_hours = ContactHours::parse("12:00", "21:00").expect("hours");
    };
    let immediate = bench(queue(late), BERLIN);
    assert_eq!(immediate.state(), State::Queued, "it is 9 in Berlin");
    let carried = bench(open("10:00", "18:00", late), BERLIN);
    assert_eq!(carried.record().next_attempt_at(), Some(at(11, 0)), "12 in Berlin");
    // What waits at the queue's closing goes on in contact hours.
    let mut closing = bench(open("08:00", "09:00", late), BERLIN);
    assert_eq!(closing.state(), State::Queued);
    closing.at = at(9, 20);
    let next_open = Some(at(32, 0));
    closing.tell(CallbackMessage::CarryOver { next_open });
    assert_eq!(
        closing.closed().map(|(_, reason)| reason),
        Some(ClosedReason::Expired),
        "never both"
    );
}

#[test]
fn an_agents_retry_outside_them_needs_the_customers_word() {
    let retry = |at, customer_agreed| Action::Retry { at: Some(at), mine: false, customer_agreed };
    let mut bench = bench(queue(|_| ()), BERLIN);
    bench.at = at(12, 0);
    bench.take_and_call();
    bench.outcome(Outcome::NoAnswer);
    let refused = bench.act(&mara(), retry(at(20, 30), false));
    let next_allowed_at = Some(at(31, 0));
    assert_eq!(refused, Err(Refusal::OutsideContactHours { next_allowed_at }));
    bench.act(&mara(), retry(at(20, 30), true)).expect("they agreed");
    assert_eq!(bench.record().next_attempt_at(), Some(at(20, 30)));
    bench.at = at(20, 30);
    bench.pass(Span::ZERO);
    assert_eq!(bench.state(), State::Queued, "and it is called then");
}

#[test]
fn whoever_sends_it_back_by_hand_decides_that_it_is_called_now() {
    let mut bench = bench(queue(|_| ()), BERLIN);
    called(&mut bench, at(19, 50));
    bench.at = at(22, 0);
    bench.act(&BOSS, Action::Requeue { queue: None, agent: None }).expect("sent back");
    assert_eq!(bench.state(), State::Queued);
}

#[test]
fn where_a_countrys_zones_never_meet_the_queues_day_as_many_as_can_be_had_bind() {
    // From New York to Honolulu it is 8 to 21 o'clock everywhere only from 18 to 2 o'clock in UTC.
    let european = || open("07:00", "17:00", |_| ());
    let mut bench = bench(european(), AMERICA);
    assert_eq!(bench.state(), State::Queued);
    called(&mut bench, at(9, 0));
    assert_eq!(bench.record().next_attempt_at(), Some(at(16, 0)), "8 o'clock in Los Angeles");
    // In one zone alone they hold there or never.
    let early = |one: &mut QueueSettings| {
        one.contact_hours = ContactHours::parse("18:00", "19:00").expect("hours");
    };
    let mut never = self::bench(open("07:00", "12:00", early), BERLIN);
    never.at = at(9, 0);
    never.take_and_call();
    never.outcome(Outcome::NoAnswer);
    let retry = Action::Retry { at: None, mine: false, customer_agreed: false };
    let refused = Err(Refusal::OutsideContactHours { next_allowed_at: None });
    assert_eq!(never.act(&mara(), retry), refused, "nothing is thrown away");
    assert_eq!(never.state(), State::WrapUp);
}
