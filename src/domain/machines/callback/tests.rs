//! A callback's machine on a bench: the tables of its states and actions, one row after the other.
//!
//! Here is the bench; the rows are in the modules, by what they are about.

mod calls;
mod clocks;
mod closing;
mod contact_hours;
mod denied;
mod ends;
mod expiry;
mod measured;
mod moves;
mod offers;
mod outward;
mod promises;
mod recheck;
mod seats;
mod table;

use std::sync::Arc;

use super::CallbackMachine;
use crate::domain::callback::{
    Booking, Callback, CallbackType, Channel, ClosedReason, Customer, FinalState, InteractionState,
    Outcome, Phase, Request, Snapshot, State,
};
use crate::domain::civil::Weekday;
use crate::domain::effect::{Answer, Change, Effect, StepOutput};
use crate::domain::event::Event;
use crate::domain::hours::{DayInterval, Hours};
use crate::domain::ids::{AgentId, CallbackId, Fresh, OfferId, QueueId};
use crate::domain::message::{
    Action, AgentMessage, CallbackCommand, CallbackMessage, Create, Letter, QueueMessage,
    RouterMessage, Seated, Seen, Token, Who, Wish, Work,
};
use crate::domain::phone::PhoneNumber;
use crate::domain::policy::{Medium, QueueSettings};
use crate::domain::queue::Queue;
use crate::domain::refusal::Refusal;
use crate::domain::slots::Seat;
use crate::domain::time::{Now, Span, Timestamp};
use crate::domain::zone::TimeZone;

/// A machine with its clock, and what the last step left.
pub(in crate::domain) struct Bench {
    machine: CallbackMachine,
    at: Timestamp,
    /// So far the wall clock has jumped.
    ahead: Span,
    ids: u128,
    out: StepOutput,
}

pub(in crate::domain) const START: Timestamp = Timestamp(1_795_507_200_000);

fn agent(id: &str) -> AgentId {
    AgentId::parse(id).expect("an id")
}

fn mara() -> Who {
    Who::Agent(agent("mara"))
}

const BOSS: Who = Who::Supervisor(None);

pub(in crate::domain) fn queue(edit: impl FnOnce(&mut QueueSettings)) -> Arc<Queue> {
    let mut settings = QueueSettings::new(QueueId::parse("billing").expect("an id"));
    edit(&mut settings);
    Arc::new(Queue {
        settings: Arc::new(settings),
        version: 1,
        intake_paused: None,
        offers_paused: None,
        pauses: Vec::new(),
        unchecked: false,
    })
}

fn booking(start: Timestamp) -> Booking {
    Booking { end: start + Span::minutes(15), ..Booking::at(start, TimeZone::utc()) }
}

fn request() -> Arc<Request> {
    Arc::new(Request::by("Ada", Channel::Api))
}

/// A callback in that state, which mara was offered or has, for tests of other machines.
pub(in crate::domain) fn held(id: u128, state: State) -> Snapshot {
    let (bench, _) = table::at(state);
    let mut callback = bench.record().clone();
    callback.id = CallbackId(id);
    Arc::new(callback)
}

/// A request for tests of other machines.
pub(in crate::domain) fn wish(kind: CallbackType, start: Option<Timestamp>) -> Wish {
    let queue = QueueId::parse("billing").expect("an id");
    let request = Arc::unwrap_or_clone(request());
    Wish { kind, booking: start.map(booking), ..Wish::asap(queue, Who::Channel, request) }
}

/// The same of a contact with this number.
pub(in crate::domain) fn wish_of(
    phone: &str,
    kind: CallbackType,
    start: Option<Timestamp>,
) -> Wish {
    let mut wish = wish(kind, start);
    let request = Arc::make_mut(&mut wish.request);
    request.customer.phone = PhoneNumber::from_e164(phone);
    wish
}

/// The callback that such a request becomes, before anything happened to it.
pub(in crate::domain) fn waiting(id: u128, wish: Wish) -> Snapshot {
    let bench = Bench::asked(queue(|_| ()), wish.medium, None, |it| *it = wish);
    let mut callback = bench.record().clone();
    callback.id = CallbackId(id);
    Arc::new(callback)
}

/// A request on its way, of a contact who has nothing else.
pub(in crate::domain) fn create(id: CallbackId, wish: Wish) -> Create {
    let (active, duplicates) = (Vec::new(), Vec::new());
    let (free_agents, told) = (0, None);
    let (token, number, external) = (Token(1), 42, None);
    Create { token, id, number, wish, active, external, duplicates, free_agents, told }
}

impl Bench {
    fn new(queue: Arc<Queue>, medium: Medium, start: Option<Timestamp>) -> Self {
        Self::asked(queue, medium, start, |_| ())
    }

    fn asked(
        queue: Arc<Queue>,
        medium: Medium,
        start: Option<Timestamp>,
        edit: impl FnOnce(&mut Wish),
    ) -> Self {
        let id = CallbackId(7);
        let kind = if start.is_some() { CallbackType::Scheduled } else { CallbackType::Asap };
        let mut wish = Wish { queue: queue.settings.id.clone(), medium, ..wish(kind, start) };
        edit(&mut wish);
        let create = Box::new(create(id, wish));
        let machine = CallbackMachine::new(id);
        let (out, ahead) = (StepOutput::default(), Span::ZERO);
        let mut bench = Self { machine, at: START, ahead, ids: 100, out };
        bench.tell(CallbackMessage::Create { create, queue, position: Some(1) });
        bench
    }

    fn asap() -> Self {
        Self::new(queue(|_| ()), Medium::Voice, None)
    }

    fn tell(&mut self, message: CallbackMessage) {
        self.ids += 2;
        let wall = self.at + self.ahead;
        let now = Now { wall, steady: self.at, fresh: Fresh(self.ids) };
        self.out = StepOutput::default();
        self.machine.step(&now, message, &mut self.out);
    }

    fn act(&mut self, who: &Who, action: Action) -> Result<(), Refusal> {
        let command = CallbackCommand { token: Token(2), who: who.clone(), if_match: None, action };
        self.tell(CallbackMessage::Command(Box::new(command)));
        if let Some(seated) = self.asks_for_seat() {
            self.tell(CallbackMessage::Reserved { token: Some(Token(2)), result: Ok(seated) });
        }
        self.answer().expect("a command is answered").map(|_| ())
    }

    /// Its booking is looked at again, and gets the seat that it asks for.
    fn recheck(&mut self) {
        self.tell(CallbackMessage::Recheck);
        if let Some(seated) = self.asks_for_seat() {
            self.tell(CallbackMessage::Reserved { token: None, result: Ok(seated) });
        }
    }

    /// The seat that the last step has asked the queue for.
    fn asks_for_seat(&self) -> Option<Seated> {
        self.out.effects.iter().find_map(|effect| match effect {
            Effect::Send(Letter::Queue(queue, QueueMessage::Reserve(reserve))) => {
                let start = reserve.booking.start;
                let seat = Seat { medium: reserve.medium, start: Some(start) };
                let end = self.machine.queue().slot_end(start);
                Some(Seated { queue: queue.clone(), seat, end, overbooked: false, version: 1 })
            }
            _ => None,
        })
    }

    /// Seats that the last step has taken or given back: true for taken.
    fn seats(&self) -> Vec<(String, bool, Option<Timestamp>)> {
        let told = self.out.effects.iter().filter_map(|effect| match effect {
            Effect::Send(Letter::Queue(queue, QueueMessage::TakeSeat(seat))) => {
                Some((queue.to_string(), true, seat.start))
            }
            Effect::Send(Letter::Queue(queue, QueueMessage::FreeSeat(seat))) => {
                Some((queue.to_string(), false, seat.start))
            }
            _ => None,
        });
        told.collect()
    }

    fn answer(&self) -> Option<Result<Answer, Refusal>> {
        self.out.effects.iter().find_map(|effect| match effect {
            Effect::Answer { result, .. } => Some((**result).clone()),
            _ => None,
        })
    }

    fn pass(&mut self, span: Span) {
        self.at = self.at + span;
        self.tell(CallbackMessage::Wake);
    }

    fn offer(&mut self, id: &str) -> OfferId {
        self.tell(CallbackMessage::Propose { agent: agent(id) });
        self.record().offer().expect("it is offered").id
    }

    fn accepted() -> Self {
        let mut bench = Self::asap();
        let offer = bench.offer("mara");
        bench.act(&mara(), Action::Accept { offer, session: None }).expect("accepted");
        bench
    }

    fn ended_call(outcome: Outcome) -> Self {
        let mut bench = Self::accepted();
        bench.act(&mara(), Action::Call).expect("called");
        bench.act(&mara(), Action::Outcome { outcome, notes: None }).expect("told");
        if outcome == Outcome::Answered {
            bench.act(&mara(), Action::EndCall { notes: None }).expect("ended");
        }
        bench
    }

    fn record(&self) -> &Callback {
        self.machine.callback().expect("it was created")
    }

    fn state(&self) -> State {
        self.record().state()
    }

    /// A queue open from 8 to 18 hours; the bench starts at 8.
    fn office(edit: impl FnOnce(&mut QueueSettings)) -> Arc<Queue> {
        Self::open_until("18:00", edit)
    }

    pub(in crate::domain) fn open_until(
        to: &str,
        edit: impl FnOnce(&mut QueueSettings),
    ) -> Arc<Queue> {
        queue(|one| {
            let day = DayInterval::parse("08:00", to).expect("an interval");
            let week = Weekday::ALL.map(|weekday| (weekday, day));
            let hours = Hours::new(TimeZone::utc(), &week, Vec::new()).expect("hours");
            one.hours = Arc::new(hours);
            edit(one);
        })
    }

    /// Offered to mara, accepted and called by her.
    fn take_and_call(&mut self) {
        let offer = self.offer("mara");
        self.act(&mara(), Action::Accept { offer, session: None }).expect("accepted");
        self.act(&mara(), Action::Call).expect("called");
    }

    fn outcome(&mut self, outcome: Outcome) {
        self.act(&mara(), Action::Outcome { outcome, notes: None }).expect("told");
    }

    /// Interactions that the last step has ended: attempt, state and outcome.
    fn ended(&self) -> Vec<(u32, InteractionState, Option<Outcome>)> {
        let ended = self.out.changes.iter().filter_map(|change| match change {
            Change::Interaction { interaction, .. } => {
                Some((interaction.attempt, interaction.state, interaction.outcome))
            }
            _ => None,
        });
        ended.collect()
    }

    /// What the router was told of it by the last step.
    fn work(&self) -> Option<&Work> {
        self.out.effects.iter().find_map(|effect| match effect {
            Effect::Send(Letter::Router(RouterMessage::Enqueue(work))) => Some(&**work),
            _ => None,
        })
    }

    /// What the queue was told of promises by the last step.
    fn seen(&self) -> Vec<Seen> {
        let told = self.out.effects.iter().filter_map(|effect| match effect {
            Effect::Send(Letter::Queue(_, QueueMessage::Seen(seen))) => Some(*seen),
            _ => None,
        });
        told.filter(|seen| matches!(seen, Seen::PromiseKept | Seen::PromiseBroken)).collect()
    }

    /// Since when its first calls are measured, of those that the last step made.
    fn first_calls(&self) -> Vec<Option<Timestamp>> {
        let told = self.out.effects.iter().filter_map(|effect| match effect {
            Effect::Send(Letter::Queue(
                _,
                QueueMessage::Seen(Seen::FirstCalled { asked_at, .. }),
            )) => Some(*asked_at),
            _ => None,
        });
        told.collect()
    }

    fn closed(&self) -> Option<(FinalState, ClosedReason)> {
        match &self.record().phase {
            Phase::Ended { state, reason, .. } => Some((*state, *reason)),
            _ => None,
        }
    }

    fn events(&self) -> Vec<&'static str> {
        self.out.events.iter().map(Event::name).collect()
    }

    fn released(&self) -> Vec<&AgentId> {
        let released = self.out.effects.iter().filter_map(|effect| match effect {
            Effect::Send(Letter::Router(
                RouterMessage::Release { agent, .. } | RouterMessage::Missed { agent, .. },
            )) => Some(agent),
            _ => None,
        });
        released.collect()
    }

    fn enqueued(&self) -> bool {
        self.out
            .effects
            .iter()
            .any(|effect| matches!(effect, Effect::Send(Letter::Router(RouterMessage::Enqueue(_)))))
    }

    fn told_agent(&self, wanted: impl Fn(&AgentMessage) -> bool) -> bool {
        self.out.effects.iter().any(|effect| match effect {
            Effect::Send(Letter::Agent(_, message)) => wanted(message),
            _ => false,
        })
    }
}
