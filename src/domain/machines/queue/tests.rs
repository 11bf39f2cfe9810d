//! A queue's machine on a bench: what may come in, pauses, the line, closing, settings.

mod rounds;
mod seats;
mod waits;

use std::sync::Arc;

use super::QueueMachine;
use crate::domain::callback::CallbackType;
use crate::domain::effect::{Answer, Change, Effect, InLine, QueueStats, StepOutput};
use crate::domain::event::{Event, QueueEvent};
use crate::domain::hours::ContactHours;
use crate::domain::ids::{AgentId, CallbackId, Fresh, QueueId};
use crate::domain::machines::callback::tests as callbacks;
use crate::domain::machines::callback::tests::START;
use crate::domain::message::{
    CallbackMessage, Create, Letter, Place, QueueMessage, RouterMessage, Token, Who, Wish,
};
use crate::domain::policy::DuplicatePolicy::{Allow, Reject, ReturnExisting};
use crate::domain::queue::{Halves, Queue};
use crate::domain::rank::{Priority, Rank};
use crate::domain::refusal::Refusal;
use crate::domain::time::{Now, Span, Timestamp};

const HOUR: Span = Span::minutes(60);

const INTAKE: Halves = Halves { intake: true, offers: false };
const OFFERS: Halves = Halves { intake: false, offers: true };

/// A machine with its clock, and what the last step left.
struct Bench {
    machine: QueueMachine,
    at: Timestamp,
    out: StepOutput,
}

impl Bench {
    fn new(queue: &Queue) -> Self {
        let id = QueueId::parse("billing").expect("an id");
        let machine = QueueMachine::new(id, 0);
        let mut bench = Self { machine, at: START, out: StepOutput::default() };
        bench.put(queue);
        bench
    }

    /// Open from 8 to 18 hours; it is 8.
    fn office() -> Self {
        Self::new(&callbacks::Bench::open_until("18:00", |_| ()))
    }

    fn put(&mut self, queue: &Queue) {
        let settings = Arc::clone(&queue.settings);
        self.tell(QueueMessage::Put { token: Some(Token(1)), if_match: None, settings });
    }

    fn tell(&mut self, message: QueueMessage) {
        self.out = StepOutput::default();
        let now = Now { wall: self.at, steady: self.at, fresh: Fresh(2) };
        self.machine.step(&now, message, &mut self.out);
    }

    fn create(&mut self, id: u128, wish: Wish) {
        let create = Create { token: Token(3), ..callbacks::create(CallbackId(id), wish) };
        self.tell(QueueMessage::Create(Box::new(create)));
    }

    fn join(&mut self, id: u128, place: Option<Place>) {
        let version = self.record().version;
        self.tell(QueueMessage::Join { callback: CallbackId(id), place, version });
    }

    fn pause(&mut self, halves: Halves, until: Option<Timestamp>) {
        let token = Token(4);
        self.tell(QueueMessage::Pause { token, halves, reason: None, until });
    }

    fn record(&self) -> &Queue {
        self.machine.record.as_deref().expect("it was made")
    }

    fn answer(&self) -> Option<Result<&Answer, &Refusal>> {
        self.out.effects.iter().find_map(|effect| match effect {
            Effect::Answer { result, .. } => Some((**result).as_ref()),
            _ => None,
        })
    }

    fn refused(&self) -> Option<&Refusal> {
        self.answer().and_then(Result::err)
    }

    fn told(&self) -> Vec<(u128, &CallbackMessage)> {
        let told = self.out.effects.iter().filter_map(|effect| match effect {
            Effect::Send(Letter::Callback(id, message)) => Some((id.0, message)),
            _ => None,
        });
        told.collect()
    }

    /// The callbacks that are told to wait for the next opening, and when that is.
    fn carried(&self) -> Vec<(u128, Option<Timestamp>)> {
        let told = self.told().into_iter().filter_map(|(id, message)| match message {
            CallbackMessage::CarryOver { next_open } => Some((id, *next_open)),
            _ => None,
        });
        told.collect()
    }
}

fn asap() -> Wish {
    callbacks::wish(CallbackType::Asap, None)
}

fn booked(start: Timestamp) -> Wish {
    callbacks::wish(CallbackType::Scheduled, Some(start))
}

fn place(seconds: i64) -> Place {
    Place { rank: Rank(seconds), queued_since: Timestamp(seconds) }
}

#[test]
fn requests_are_told_their_place_at_once_and_none_the_same() {
    let mut bench = Bench::office();
    for (id, expected) in [(1, Some(1)), (2, Some(2))] {
        bench.create(id, asap());
        let [(of, CallbackMessage::Create { position, .. })] = bench.told()[..] else {
            panic!("it is passed on")
        };
        assert_eq!((of, *position), (id, expected));
    }
    bench.create(3, Wish { priority: Priority::MOST, ..asap() });
    let [(3, CallbackMessage::Create { position: Some(1), .. })] = bench.told()[..] else {
        panic!("the most urgent is first")
    };
    bench.tell(QueueMessage::Position { token: Token(5), callback: CallbackId(1), free_agents: 0 });
    assert!(matches!(
        bench.answer(),
        Some(Ok(Answer::Position(Some(InLine { position: 2, estimate: None }))))
    ));
}

#[test]
fn while_closed_a_request_has_no_place_yet_and_a_booking_none_at_all() {
    let mut bench = Bench::office();
    bench.create(1, booked(START + HOUR));
    let [(1, CallbackMessage::Create { position: None, create, .. })] = bench.told()[..] else {
        panic!("it is passed on")
    };
    let booking = create.wish.booking.as_ref().expect("its time");
    assert_eq!(booking.end, START + HOUR + Span::minutes(15), "the end of its slot");
    bench.at = START + Span(HOUR.0 * 11);
    bench.create(2, asap());
    assert!(matches!(bench.told()[..], [(2, CallbackMessage::Create { position: None, .. })]));
}

#[test]
fn a_start_must_lie_in_the_future_and_in_the_hours() {
    let mut bench = Bench::office();
    bench.create(1, booked(START));
    assert_eq!(bench.refused(), Some(&Refusal::StartPast));
    bench.create(1, booked(START + Span(HOUR.0 * 10)));
    let next_allowed_at = Some(START + Span::days(1));
    assert_eq!(bench.refused(), Some(&Refusal::OutsideHours { next_allowed_at }));
    let who = Who::Supervisor(None);
    bench.create(1, Wish { who, ..booked(START + Span(HOUR.0 * 10) - Span::millis(1)) });
    assert!(bench.answer().is_none(), "the callback answers");
}

#[test]
fn a_pause_of_the_intake_is_for_everybody_and_ends_by_itself() {
    let mut bench = Bench::office();
    let until = Some(START + HOUR);
    bench.pause(INTAKE, until);
    assert!(matches!(
        bench.out.events[..],
        [Event::Queue(_, QueueEvent::Paused { halves: INTAKE, .. })]
    ));
    assert_eq!(bench.machine.told_timers.0, until);
    for who in [Who::Channel, Who::Customer, Who::Supervisor(None)] {
        bench.create(1, Wish { who, ..asap() });
        assert_eq!(bench.refused(), Some(&Refusal::IntakePaused { until }));
    }
    bench.at = START + HOUR;
    bench.tell(QueueMessage::Wake);
    assert!(matches!(
        bench.out.events[..],
        [Event::Queue(_, QueueEvent::Resumed { halves: INTAKE })]
    ));
    bench.create(2, asap());
    assert!(bench.answer().is_none());
}

#[test]
fn a_pause_of_offers_stops_the_queues_clock_and_all_hear_of_it() {
    let mut bench = Bench::office();
    bench.join(1, Some(place(1)));
    bench.pause(OFFERS, None);
    assert!(matches!(bench.told()[..], [(1, CallbackMessage::QueueChanged(_))]));
    assert!(bench.out.effects.iter().any(|effect| matches!(
        effect,
        Effect::Send(Letter::Router(RouterMessage::PutQueue(queue)))
            if queue.offers_paused.is_some()
    )));
    bench.at = START + Span::minutes(10);
    bench.pause(OFFERS, Some(START + HOUR));
    assert_eq!(bench.record().pauses.len(), 1, "it goes on, with another end");
    bench.at = START + Span::minutes(20);
    bench.tell(QueueMessage::Resume { token: Token(6), halves: Halves::BOTH });
    assert!(matches!(
        bench.out.events[..],
        [Event::Queue(_, QueueEvent::Resumed { halves: OFFERS })]
    ));
    let runs_out_at = bench.record().runs_out_at(START, HOUR, bench.at);
    assert_eq!(runs_out_at, START + Span::minutes(80), "twenty minutes didn't count");
    bench.tell(QueueMessage::Resume { token: Token(6), halves: Halves::BOTH });
    assert!(bench.out.events.is_empty() && bench.answer().is_some(), "nothing was paused");
}

#[test]
fn the_line_is_counted_with_its_oldest() {
    let mut bench = Bench::office();
    bench.join(1, Some(place(7)));
    bench.join(2, Some(place(5)));
    bench.join(3, None);
    bench.join(1, Some(place(9)));
    let stats = |bench: &mut Bench| {
        bench.tell(QueueMessage::Stats { token: Token(7), free_agents: 0 });
        let Some(Ok(Answer::QueueStats(stats))) = bench.answer() else { panic!("stats") };
        stats.clone()
    };
    let expected = QueueStats {
        waiting: 2,
        oldest_since: Some(Timestamp(5)),
        with_agents: 1,
        ..QueueStats::default()
    };
    assert_eq!(stats(&mut bench), expected);
    bench.tell(QueueMessage::Leave { callback: CallbackId(2) });
    bench.tell(QueueMessage::Leave { callback: CallbackId(3) });
    let expected = QueueStats {
        waiting: 1,
        oldest_since: Some(Timestamp(9)),
        with_agents: 0,
        ..QueueStats::default()
    };
    assert_eq!(stats(&mut bench), expected);
}

#[test]
fn after_the_overrun_what_waits_is_carried_over() {
    let mut bench = Bench::office();
    let (closes, opens) = (START + Span(HOUR.0 * 10), START + Span::days(1));
    let ends = closes + Span::minutes(15);
    assert_eq!(bench.machine.told_timers.0, Some(ends));
    bench.join(1, Some(place(1)));
    bench.join(2, None);
    bench.at = closes;
    bench.tell(QueueMessage::Wake);
    assert!(bench.carried().is_empty(), "agents who are there go on");
    assert_eq!(bench.machine.told_timers.0, Some(ends));
    bench.at = ends - Span::millis(1);
    bench.join(3, Some(place(3)));
    assert!(bench.carried().is_empty());
    bench.at = ends;
    bench.tell(QueueMessage::Wake);
    assert_eq!(bench.carried(), [1, 2, 3].map(|id| (id, Some(opens))));
    bench.join(4, Some(place(4)));
    assert_eq!(bench.carried(), [(4, Some(opens))], "what comes back later too");
    bench.join(5, None);
    assert!(bench.carried().is_empty(), "what an agent has is left alone");
    bench.at = opens;
    bench.join(6, Some(place(6)));
    assert!(bench.carried().is_empty(), "it is open again");
}

#[test]
fn without_an_overrun_the_closing_is_the_end_and_always_open_has_none() {
    let strict = callbacks::Bench::open_until("18:00", |one| one.overrun_minutes = 0);
    let mut bench = Bench::new(&strict);
    bench.join(1, Some(place(1)));
    bench.at = START + Span(HOUR.0 * 10);
    bench.tell(QueueMessage::Wake);
    assert_eq!(bench.carried().len(), 1);
    let mut always = Bench::new(&callbacks::queue(|_| ()));
    always.join(1, Some(place(1)));
    assert_eq!(always.machine.told_timers.0, None);
    always.at = START + Span::days(400);
    always.tell(QueueMessage::Wake);
    assert!(always.carried().is_empty());
}

#[test]
fn settings_are_replaced_for_the_version_read_and_whoever_works_by_them_hears() {
    let mut bench = Bench::office();
    bench.join(1, None);
    let settings = Arc::clone(&bench.record().settings);
    let put = |if_match| QueueMessage::Put {
        token: Some(Token(1)),
        if_match: Some(if_match),
        settings: Arc::clone(&settings),
    };
    bench.tell(put(9));
    assert_eq!(bench.refused(), Some(&Refusal::VersionStale { version: 1 }));
    bench.pause(INTAKE, None);
    bench.tell(put(2));
    let Some(Ok(Answer::Queue { queue, created: false })) = bench.answer() else { panic!() };
    assert_eq!(queue.version, 3);
    assert!(queue.intake_paused.is_some(), "a pause isn't a setting");
    assert!(matches!(bench.told()[..], [(1, CallbackMessage::QueueChanged(_))]));
    let (callback, place, version) = (CallbackId(2), None, 1);
    bench.tell(QueueMessage::Join { callback, place, version });
    assert!(
        matches!(bench.told()[..], [(2, CallbackMessage::QueueChanged(_))]),
        "who came with an older version gets this one"
    );
}

#[test]
fn a_queue_with_work_is_not_removed() {
    let mut bench = Bench::office();
    let remove = |dormant| QueueMessage::Remove { token: Token(8), if_match: None, dormant };
    bench.join(1, None);
    bench.tell(remove(0));
    assert!(matches!(bench.answer(), Some(Err(Refusal::InUse(_)))));
    bench.tell(QueueMessage::Leave { callback: CallbackId(1) });
    bench.tell(remove(1));
    assert!(matches!(bench.answer(), Some(Err(Refusal::InUse(_)))));
    bench.tell(remove(0));
    assert!(matches!(bench.answer(), Some(Ok(Answer::Done))));
    assert!(matches!(bench.out.changes[..], [Change::QueueRemoved(_)]));
    bench.create(1, asap());
    assert!(matches!(bench.answer(), Some(Err(Refusal::Invalid(_)))), "it is gone");
}

/// What becomes of a second request of a contact who has one waiting.
#[test]
fn a_contact_who_waits_already_gets_what_the_policy_says() {
    let agent = Who::Agent(AgentId::parse("mara").expect("an id"));
    let asks = |policy, who: &Who| {
        let mut bench = Bench::new(&callbacks::queue(|it| it.duplicate_policy = policy));
        let first = callbacks::wish_of("+4930123456", CallbackType::Asap, None);
        bench.create(1, first.clone());
        let waiting = callbacks::waiting(1, first.clone());
        let second = Wish { who: who.clone(), ..first };
        let create = callbacks::create(CallbackId(2), second);
        let create = Create { active: vec![waiting], ..create };
        bench.tell(QueueMessage::Create(Box::new(create)));
        bench
    };
    let bench = asks(ReturnExisting, &Who::Channel);
    let answer = bench.answer();
    let Some(Ok(Answer::Callback { callback, position, created: false, .. })) = answer else {
        panic!("the one that waits is answered: {answer:?}");
    };
    assert_eq!((callback.id, *position), (CallbackId(1), Some(1)));
    assert_eq!(bench.machine.stats().waiting, 1, "nothing new stands in line");
    let bench = asks(Reject, &Who::Channel);
    let id = CallbackId(1);
    assert_eq!(bench.answer().expect("refused").err(), Some(&Refusal::DuplicateContact { id }));
    for (policy, who) in
        [(Allow, &Who::Channel), (ReturnExisting, &agent), (Reject, &Who::Supervisor(None))]
    {
        let bench = asks(policy, who);
        let made = bench.out.effects.iter().find_map(|effect| match effect {
            Effect::Send(Letter::Callback(_, CallbackMessage::Create { create, .. })) => {
                Some(create.duplicates.clone())
            }
            _ => None,
        });
        assert_eq!(made, Some(vec![id]), "{policy:?} {who:?}");
    }
}

#[test]
fn an_agent_books_in_contact_hours_or_with_the_customers_word() {
    let night = START + Span::minutes(13 * 60);
    let ask = |who: Who, agreed: bool| {
        let mut bench = Bench::new(&callbacks::queue(|_| ()));
        let mut wish = callbacks::wish_of("+4930123456", CallbackType::Scheduled, Some(night));
        Arc::make_mut(&mut wish.request).customer_agreed = agreed;
        bench.create(1, Wish { who, ..wish });
        bench.answer().map(|answer| answer.map(|_| ()).map_err(Clone::clone))
    };
    let agent = || Who::Agent(AgentId::parse("mara").expect("an id"));
    let next_allowed_at = Some(START + Span::minutes(23 * 60));
    let refused = Some(Err(Refusal::OutsideContactHours { next_allowed_at }));
    assert_eq!(ask(agent(), false), refused, "22 o'clock in Berlin");
    assert_eq!(ask(Who::Supervisor(None), false), refused);
    assert_eq!(ask(agent(), true), None, "passed on to the callback");
    assert_eq!(ask(Who::Channel, false), None, "the customer has picked it");
}

#[test]
fn what_can_never_be_served_in_contact_hours_is_not_taken_while_closed() {
    let evenings = ContactHours::parse("20:00", "21:00").expect("hours");
    let office = callbacks::Bench::open_until("18:00", |one| one.contact_hours = evenings);
    let mut bench = Bench::new(&office);
    let ask = |bench: &mut Bench| {
        bench.create(1, callbacks::wish_of("+4930123456", CallbackType::Asap, None));
        bench.answer().map(|answer| answer.map(|_| ()).map_err(Clone::clone))
    };
    assert_eq!(ask(&mut bench), None, "while it is open that doesn't matter");
    bench.at = START + Span::minutes(13 * 60);
    let refused = Refusal::OutsideContactHours { next_allowed_at: None };
    assert_eq!(ask(&mut bench), Some(Err(refused)), "the office is closed in the evenings");
}
