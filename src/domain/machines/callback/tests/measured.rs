//! What each step of a callback says that is measured.

use super::{BOSS, Bench, START, agent, mara, queue};
use crate::domain::callback::{CallbackType, Channel, ClosedReason, Outcome};
use crate::domain::ids::{AgentId, QueueId};
use crate::domain::measure::facts::{Fact, OfferStep, facts};
use crate::domain::message::{Action, CallbackMessage};
use crate::domain::policy::Medium;
use crate::domain::time::{Span, Timestamp};

impl Bench {
    /// What the last step says.
    fn facts(&self) -> Vec<Fact> {
        let settings = &self.machine.queue().settings;
        facts(self.at, &self.out.changes, &self.out.events, |_| std::sync::Arc::clone(settings))
    }
}

fn billing() -> QueueId {
    QueueId::parse("billing").expect("an id")
}

fn offer(step: OfferStep) -> Fact {
    Fact::Offer(billing(), agent("mara"), step)
}

fn holds() -> Fact {
    Fact::Holds(agent("mara"), 1)
}

fn releases() -> Fact {
    Fact::Releases(agent("mara"), 1)
}

fn called() -> Fact {
    Fact::Called(billing(), agent("mara"))
}

fn reached(called_at: Timestamp, reached: bool) -> Fact {
    Fact::Reached { queue: billing(), agent: agent("mara"), called_at, reached }
}

fn handled(span: Span) -> Fact {
    Fact::Handled(billing(), agent("mara"), span)
}

#[test]
fn a_life_from_request_to_close() {
    let mut bench = Bench::asap();
    let created = Fact::Created(billing(), Channel::Api, CallbackType::Asap, Medium::Voice);
    assert_eq!(bench.facts(), [created, Fact::Queued(billing())]);
    let declined = bench.offer("mara");
    assert_eq!(bench.facts(), [offer(OfferStep::Made), holds()]);
    bench.act(&mara(), decline(declined)).expect("declined");
    assert_eq!(bench.facts(), [offer(OfferStep::Declined), releases()]);
    bench.offer("noor");
    bench.pass(Span::seconds(30));
    let noor = |step| Fact::Offer(billing(), AgentId::parse("noor").expect("an id"), step);
    assert_eq!(bench.facts(), [noor(OfferStep::Missed), Fact::Releases(agent("noor"), 1)]);
    bench.pass(Span::seconds(60));
    let accepted = bench.offer("mara");
    bench.act(&mara(), Action::Accept { offer: accepted, session: None }).expect("accepted");
    assert_eq!(bench.facts(), [offer(OfferStep::Accepted)], "and still held");
    bench.pass(Span::seconds(10));
    bench.act(&mara(), Action::Call).expect("called");
    let (kind, wait) = (CallbackType::Asap, Span::seconds(100));
    let first = Fact::FirstCalled { queue: billing(), kind, wait, in_time: true };
    let at = bench.at;
    assert_eq!(bench.facts(), [first, called()]);
    bench.pass(Span::seconds(20));
    bench.outcome(Outcome::Answered);
    assert_eq!(bench.facts(), [reached(at, true)]);
    bench.pass(Span::seconds(20));
    bench.act(&mara(), Action::EndCall { notes: None }).expect("ended");
    assert_eq!(bench.facts(), []);
    bench.pass(Span::seconds(60));
    let closed = Fact::Closed(billing(), ClosedReason::Reached, Some(1));
    assert_eq!(bench.facts(), [releases(), handled(Span::seconds(110)), closed]);
}

fn decline(offer: crate::domain::ids::OfferId) -> Action {
    Action::Decline { offer, reason: None, session: None }
}

#[test]
fn a_redial_is_a_call_of_its_own_and_a_correction_counts_where_the_call_began() {
    let mut bench = Bench::ended_call(Outcome::Busy);
    bench.at = START + Span::seconds(40);
    bench.act(&mara(), Action::Call).expect("redialled");
    assert_eq!(bench.facts(), [called(), handled(Span::seconds(40))]);
    bench.at = START + Span::seconds(50);
    bench.outcome(Outcome::NoAnswer);
    assert_eq!(bench.facts(), []);
    bench.outcome(Outcome::Answered);
    assert_eq!(bench.facts(), [reached(START + Span::seconds(40), true)]);
    bench.outcome(Outcome::Voicemail);
    assert_eq!(bench.facts(), [reached(START + Span::seconds(40), false)]);
    bench.pass(Span::seconds(60));
    assert_eq!(bench.facts(), [releases(), handled(Span::seconds(70))], "a retry closes nothing");
}

#[test]
fn who_is_never_called_counts_unless_they_called_it_off() {
    let mut late = Bench::asap();
    late.pass(Span::minutes(60));
    let never = Fact::NeverCalled(billing(), CallbackType::Asap);
    assert_eq!(late.facts(), [never, Fact::Closed(billing(), ClosedReason::Expired, Some(0))]);
    let mut off = Bench::asap();
    off.act(&BOSS, Action::Cancel { reason: None }).expect("called off");
    assert_eq!(off.facts(), [Fact::Closed(billing(), ClosedReason::BySupervisor, None)]);
}

#[test]
fn a_booking_is_on_time_and_its_promise_kept_or_neither() {
    let start = START + Span::minutes(5);
    for (late, in_time) in [(Span::seconds(299), true), (Span::seconds(301), false)] {
        let mut bench = Bench::new(queue(|_| ()), Medium::Voice, Some(start));
        let kind = CallbackType::Scheduled;
        let created = Fact::Created(billing(), Channel::Api, kind, Medium::Voice);
        assert_eq!(bench.facts(), [created], "it isn't due yet");
        bench.pass(Span::minutes(4));
        assert_eq!(bench.facts(), [Fact::Queued(billing())]);
        let offer = bench.offer("mara");
        bench.act(&mara(), Action::Accept { offer, session: None }).expect("accepted");
        bench.at = start + late;
        bench.act(&mara(), Action::Call).expect("called");
        let wait = Span::seconds(60) + late;
        let first = Fact::FirstCalled { queue: billing(), kind, wait, in_time };
        assert_eq!(bench.facts(), [Fact::Promise(billing(), in_time), first, called()]);
    }
    let mut window =
        Bench::new(queue(|one| one.promise_window_minutes = Some(1)), Medium::Voice, None);
    window.tell(CallbackMessage::Wake);
    window.take_and_call();
    assert!(window.facts().contains(&Fact::Promise(billing(), true)));
}
