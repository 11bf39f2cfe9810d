//! What a queue tells of waiting: to whoever comes, to whoever waits, and of itself afterwards.

use super::{Bench, HOUR, OFFERS, START, asap, place};
use crate::domain::callback::Told;
use crate::domain::callback_offer::Reason;
use crate::domain::effect::{Answer, Availability, InLine};
use crate::domain::estimate::{Basis, Estimate};
use crate::domain::ids::CallbackId;
use crate::domain::message::{
    AvailabilityQuestion, CallbackMessage, Past, QueueMessage, Seen, Token,
};
use crate::domain::policy::{Medium, PerMedium};
use crate::domain::queue::{Halves, Staff};
use crate::domain::time::{Span, Timestamp};

impl Bench {
    fn see(&mut self, seen: Seen) {
        self.tell(QueueMessage::Seen(seen));
    }

    /// Five services of 100 seconds, and an agent at the sixth.
    fn busy() -> Self {
        let mut bench = Self::office();
        for _ in 0..5 {
            bench.see(Seen::Served { service: Span::seconds(100) });
        }
        bench.join(6, None);
        bench
    }

    /// What the request that was just made is told.
    fn told_of_wait(&self) -> Option<Told> {
        self.told().into_iter().find_map(|(_, message)| match message {
            CallbackMessage::Create { create, .. } => create.told,
            _ => None,
        })
    }

    fn in_line(&mut self, id: u128) -> Option<InLine> {
        let (token, callback) = (Token(9), CallbackId(id));
        self.tell(QueueMessage::Position { token, callback, free_agents: 0 });
        match self.answer() {
            Some(Ok(Answer::Position(in_line))) => *in_line,
            other => panic!("a place is told: {other:?}"),
        }
    }

    fn availability(&mut self, staff: Staff, live_wait_seconds: Option<u32>) -> Availability {
        let (token, medium) = (Token(9), Medium::Voice);
        let question = AvailabilityQuestion { token, medium, live_wait_seconds, staff };
        self.tell(QueueMessage::Availability(question));
        match self.answer() {
            Some(Ok(Answer::Availability(availability))) => (**availability).clone(),
            other => panic!("an availability is told: {other:?}"),
        }
    }
}

fn one_free() -> Staff {
    Staff { connected: 1, available: 1, free: PerMedium::both(1) }
}

fn first_called(at: Timestamp, told: Option<Told>) -> Seen {
    Seen::FirstCalled { at, asked_at: Some(START), told }
}

#[test]
fn whoever_is_queued_is_told_by_the_line_ahead_and_those_at_work() {
    let mut bench = Bench::busy();
    bench.create(7, asap());
    let told = bench.told_of_wait().expect("enough is known");
    assert_eq!((told.at, told.estimate.seconds, told.estimate.basis), (START, 100, Basis::Line));
    bench.create(8, asap());
    assert_eq!(bench.told_of_wait().map(|told| told.estimate.seconds), Some(200));
    // A second agent takes one: the line is shorter and goes twice as fast.
    bench.join(7, None);
    let in_line = bench.in_line(8).expect("it waits");
    assert_eq!((in_line.position, in_line.estimate.map(|it| it.seconds)), (1, Some(50)));
}

#[test]
fn a_free_agent_is_no_wait_and_too_little_is_no_number() {
    let mut bench = Bench::office();
    bench.create(1, asap());
    assert_eq!(bench.told_of_wait(), None, "nobody is there and nothing was seen");
    let told = bench.availability(one_free(), None);
    assert_eq!(told.estimate, None, "who is free doesn't take the one who waits");
    bench.join(1, None);
    let told = bench.availability(one_free(), None);
    let none = Estimate { basis: Basis::FreeAgent, seconds: 0, low: 0, high: 0 };
    assert_eq!(told.estimate, Some(none));
    bench.tell(QueueMessage::Stats { token: Token(9), free_agents: 1 });
    let Some(Ok(Answer::QueueStats(stats))) = bench.answer() else { panic!("stats") };
    assert_eq!(stats.estimate, Some(none), "a supervisor is told the same");
    assert_eq!(told.offer.reasons, [Reason::ShortWait]);
}

#[test]
fn nothing_is_told_while_offers_are_paused_or_the_queue_is_closed() {
    let mut bench = Bench::busy();
    bench.join(7, Some(place(1)));
    bench.pause(OFFERS, None);
    assert_eq!(bench.in_line(7), Some(InLine { position: 1, estimate: None }));
    let told = bench.availability(one_free(), None);
    assert_eq!(told.estimate, None);
    bench.tell(QueueMessage::Resume { token: Token(5), halves: Halves::BOTH });
    assert!(bench.in_line(7).and_then(|it| it.estimate).is_some());
    bench.at = START + Span(HOUR.0 * 11);
    assert_eq!(bench.in_line(7).and_then(|it| it.estimate), None);
}

#[test]
fn those_who_give_up_shorten_the_estimate() {
    let mut bench = Bench::busy();
    bench.join(7, Some(place(1)));
    bench.join(8, Some(place(2)));
    // Two wait for 500 s together: one gives up per 1,000 s waited.
    bench.at = START + Span::seconds(500);
    bench.see(Seen::GaveUp);
    let in_line = bench.in_line(7).expect("it waits");
    assert_eq!(in_line.estimate.map(|it| it.seconds), Some(91), "1 / (1/100 + 1/1000)");
}

#[test]
fn an_estimate_is_scored_by_the_first_call() {
    let mut bench = Bench::busy();
    bench.create(7, asap());
    let told = bench.told_of_wait();
    bench.join(7, Some(place(1)));
    bench.see(first_called(START + Span::seconds(130), told));
    let accuracy = bench.machine.stats().accuracy.expect("one was scored");
    assert_eq!((accuracy.scored, accuracy.median_error_seconds), (1, 30));
    // One that left before it was called isn't scored, nor one of which nothing was known.
    bench.see(first_called(START + Span::seconds(5), None));
    assert_eq!(bench.machine.stats().accuracy.map(|it| it.scored), Some(1));
}

#[test]
fn what_falls_due_notes_what_would_be_told_and_so_does_what_waits_at_a_restart() {
    let noted = |bench: &Bench| -> Vec<(u128, u32)> {
        let told = bench.told().into_iter().filter_map(|(id, message)| match message {
            CallbackMessage::Noted(told) => Some((id, told.estimate.seconds)),
            _ => None,
        });
        told.collect()
    };
    let mut bench = Bench::busy();
    bench.join(8, Some(place(2)));
    assert_eq!(noted(&bench), [(8, 100)]);
    bench.join(8, Some(place(2)));
    assert_eq!(noted(&bench), [], "it is there already");
    let mut anew = Bench::office();
    anew.join(6, None);
    anew.join(8, Some(place(2)));
    assert_eq!(noted(&anew), [], "nothing is known yet");
    let past = Past {
        waited: Span::ZERO,
        gave_up: false,
        services: vec![Span::seconds(100)],
        first_called_at: None,
        asked_at: None,
        told: None,
    };
    anew.tell(QueueMessage::Recall(vec![past; 5]));
    assert_eq!(noted(&anew), [(8, 100)]);
}

#[test]
fn the_average_and_the_take_rate_are_told() {
    let mut bench = Bench::office();
    for _ in 0..5 {
        bench.see(first_called(START + Span::seconds(40), None));
    }
    let told = bench.availability(Staff::default(), Some(600));
    assert_eq!(told.average_callback_seconds, Some(40));
    assert!(told.offer.is_made());
    bench.create(7, asap());
    let stats = bench.machine.stats();
    assert_eq!((stats.callback_offers, stats.asap_requests), (1, 1));
    bench.availability(one_free(), Some(1));
    assert_eq!(bench.machine.stats().callback_offers, 1, "nothing was offered that time");
}

#[test]
fn a_promise_that_cannot_be_kept_is_not_made() {
    let mut bench = Bench::busy();
    let mut settings = (*bench.record().settings).clone();
    settings.promise_window_minutes = Some(5);
    let settings = std::sync::Arc::new(settings);
    bench.tell(QueueMessage::Put { token: Some(Token(1)), if_match: None, settings });
    let staff = Staff { connected: 1, available: 1, ..Staff::default() };
    assert!(bench.availability(staff, Some(600)).offer.asap.offered, "231 s at the likely most");
    bench.join(7, Some(place(1)));
    let offer = bench.availability(staff, Some(600)).offer;
    assert_eq!(offer.asap.reason, Some(Reason::LimitReached));
    assert!(!offer.asap.offered && offer.scheduled.offered);
}

#[test]
fn what_ended_before_a_restart_is_learned_again_and_a_panic_forgets_nothing() {
    let told = Estimate { basis: Basis::Line, seconds: 60, low: 10, high: 90 };
    let past = Past {
        waited: Span::seconds(70),
        gave_up: false,
        services: vec![Span::seconds(100)],
        first_called_at: Some(START + Span::seconds(70)),
        asked_at: Some(START),
        told: Some(Told { at: START, estimate: told }),
    };
    let mut bench = Bench::office();
    bench.tell(QueueMessage::Recall(vec![past; 5]));
    let stats = bench.machine.stats();
    assert_eq!(stats.accuracy.map(|it| (it.scored, it.median_error_seconds)), Some((5, 10)));
    let waits = bench.machine.take_waits();
    bench.machine = super::QueueMachine::restore(std::sync::Arc::new(bench.record().clone()));
    bench.machine = bench.machine.clone().with_waits(waits);
    bench.join(6, None);
    let told = bench.availability(Staff::default(), None);
    assert_eq!((told.average_callback_seconds, told.waiting), (Some(70), 0));
    assert_eq!(told.estimate.map(|it| it.seconds), Some(100));
}
