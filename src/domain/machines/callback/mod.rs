//! A callback's life: one machine per callback that is live or addressed.
//!
//! The machine owns the callback's record and is the only one that changes it. A step works on
//! the record in place; when a command is refused the record is put back, so a refusal leaves no
//! trace. What others must hear (the queue's line, the router, the agent, the scheduler) follows
//! from comparing the record before and after in `settle`, not from each handler remembering it.
//! It must never decide who gets the callback: that is the router's.

mod call;
mod change;
mod command;
pub mod contact;
pub mod deadlines;
mod denied;
mod life;
mod offer;
mod outward;
pub mod recheck;
mod reschedule;
pub mod retry;
mod seen;
mod settle;
#[cfg(test)]
pub(in crate::domain) mod tests;

use std::sync::Arc;

pub(super) use change::asap_ever;

use crate::domain::agent::{AssignedBy, UnassignReason};
use crate::domain::callback::{
    Booking, Callback, Interaction, Preferred, Request, Snapshot, State, Told as ToldOfWait,
};
use crate::domain::effect::{Answer, Effect, StepOutput};
use crate::domain::event::{By, CallbackEvent};
use crate::domain::ids::{AgentId, CallbackId, OfferId, QueueId};
use crate::domain::message::{CallbackCommand, CallbackMessage, Missed, OfferEnd, Who};
use crate::domain::queue::Queue;
use crate::domain::refusal::Refusal;
use crate::domain::slots::Seat;
use crate::domain::time::{Now, Timestamp};

/// The machine of one callback.
#[derive(Debug, Clone)]
pub struct CallbackMachine {
    id: CallbackId,
    /// The record; none before `Create`.
    record: Option<Snapshot>,
    /// The queue it waits in, as last heard of.
    queue: Option<Arc<Queue>>,
    /// Wishes for an agent or a seat that the router or the queue hasn't answered yet.
    pending: Vec<Asking>,
    /// What the others were told last, so that they are told only what is new.
    told: Told,
    /// When the time to wait is over, and when the promise breaks, by the steady clock; worked out
    /// from the queue's hours when waiting begins and whenever the queue changes.
    waits_until: Option<Timestamp>,
    promise: Option<Timestamp>,
    /// Until when contact hours allow what waits, by the steady clock, where they bind it.
    allowed_until: Option<Timestamp>,
    /// Since when it waits; none before.
    waiting: Option<Waiting>,
    /// The agent asked for, and since when it waits for them, by the steady clock.
    preferred_since: Option<Box<(Preferred, Timestamp)>>,
    /// What would have been told of the wait when it was queued, until that is written.
    noted: Option<Box<ToldOfWait>>,
    /// The agent was told that time runs out.
    warned: bool,
    /// The customer's number is on the deny list.
    denied: bool,
    /// Since when the assigned agent has no session, by the steady clock.
    agent_lost_since: Option<Timestamp>,
}

/// Since when it waits, by both clocks: how far they have come apart since then is what the wall
/// clock has jumped, and what the store has stalled.
#[derive(Debug, Clone, Copy)]
struct Waiting {
    /// Its queue time.
    wall: Timestamp,
    /// The same by the steady clock, as it was worked out when the wait began.
    steady: Timestamp,
}

/// What others believe of this callback.
#[derive(Debug, Clone, Default)]
struct Told {
    /// The queue counts it as live.
    joined: bool,
    /// Seats that are counted as its own, by queue: the one it has, and one kept for it.
    seats: Vec<(QueueId, Seat)>,
    /// The scheduler's timers for it.
    timers: (Option<Timestamp>, Option<Timestamp>),
    /// The scheduler's note of when to wake it from sleep.
    sleeps: bool,
}

/// What a step has decided beside the record itself.
#[derive(Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is decided by itself")]
struct Draft {
    /// What happened, in order.
    events: Vec<CallbackEvent>,
    /// Interactions that ended and left the record.
    ended: Vec<Interaction>,
    /// The texts as they were, and as they are now.
    request: Option<(Option<Arc<Request>>, Arc<Request>)>,
    /// How the pending offer ended, if one did.
    offer_end: Option<(AgentId, OfferId, OfferEnd)>,
    /// How an assignment began.
    assigned: Option<AssignedBy>,
    /// Whose assignment ended, and why.
    unassigned: Option<(AgentId, UnassignReason)>,
    /// Agents whose reservation ends although the record never showed it.
    released: Vec<AgentId>,
    /// It must be filed with the router anew.
    enqueue: bool,
    /// Its queue counts ranks in another way.
    other_place: bool,
    /// The place in line that an asap request got.
    position: Option<u32>,
    /// The meeting's link is known only after mails went out without it.
    late_link: bool,
    /// The time that it waited for has come.
    fell_due: bool,
    /// What happened is told, also where it changes nothing else.
    tells: bool,
}

impl Draft {
    /// What the agent has missed, of the things that may send them away.
    fn missed(&self) -> Option<Missed> {
        match (&self.offer_end, &self.unassigned) {
            (Some((_, _, OfferEnd::Expired)), _) => Some(Missed::Offer),
            (_, Some((_, UnassignReason::NoCall))) => Some(Missed::Call),
            _ => None,
        }
    }
}

/// How a command was taken.
enum Taken {
    /// It was carried out.
    Done,
    /// It was carried out before; nothing changed now.
    Again,
    /// The router or the queue is to be asked; the answer comes later.
    Asks(Asked),
}

/// What others are asked for before a command is carried out.
#[derive(Debug, Clone)]
enum Asked {
    /// Its queue, or another, to keep a seat.
    Seat(SeatFor),
    /// The router, to reserve an agent; `force`: past their capacity.
    Agent { agent: AgentId, force: bool },
}

/// What a seat is kept for.
#[derive(Debug, Clone)]
enum SeatFor {
    /// Another start.
    Move(Booking),
    /// Another queue, with an agent who is preferred there.
    Transfer { queue: Arc<Queue>, agent: Option<AgentId> },
}

/// A command that waits for an answer.
#[derive(Debug, Clone)]
struct Asking {
    command: CallbackCommand,
    asked: Asked,
}

impl CallbackMachine {
    /// A machine that waits for `Create`.
    pub fn new(id: CallbackId) -> Self {
        Self {
            id,
            record: None,
            queue: None,
            pending: Vec::new(),
            told: Told::default(),
            waits_until: None,
            promise: None,
            allowed_until: None,
            waiting: None,
            preferred_since: None,
            noted: None,
            warned: false,
            denied: false,
            agent_lost_since: None,
        }
    }

    /// A machine made from its record: of a dormant or ended callback that is addressed, or of a
    /// live one after a restart (then `recover` follows).
    pub fn restore(callback: &Snapshot, queue: Arc<Queue>, now: &Now) -> Self {
        let mut machine = Self::new(callback.id);
        machine.record = Some(Callback::rebased(callback, now));
        machine.queue = Some(queue);
        machine.told.sleeps = callback.state() == State::Open;
        machine.told.seats = seats_of(callback);
        machine.preferred_since = settle::wished_since(callback, now);
        machine
    }

    /// Whether this is its queue as it knows it.
    pub fn works_by(&self, queue: &Queue) -> bool {
        self.queue.as_ref().is_none_or(|known| known.version == queue.version)
    }

    /// Where it stands.
    pub fn callback(&self) -> Option<&Callback> {
        self.record.as_deref()
    }

    /// Takes one message.
    ///
    /// # Panics
    ///
    /// On a broken invariant; the record is then as good as lost and is read again.
    pub fn step(&mut self, now: &Now, message: CallbackMessage, out: &mut StepOutput) {
        let previous = self.record.clone();
        let before = previous.as_ref();
        let mut draft = Draft::default();
        if before.is_none() && !matches!(message, CallbackMessage::Create { .. }) {
            // There is no such callback: only who asked wants to hear it.
            if let CallbackMessage::Command(command) = message {
                out.answer(command.token, Err(Refusal::NotFound));
            } else if let CallbackMessage::MeetingMade { token, .. } = message {
                out.answer(token, Err(Refusal::NotFound));
            }
            out.effects.push(Effect::LetGo);
            return;
        }
        match message {
            CallbackMessage::Noted(told) => return self.note(told, out),
            CallbackMessage::Create { create, queue, position } => {
                let (token, duplicates) = (create.token, create.duplicates.clone());
                draft.position = position;
                self.create(now, *create, queue, &mut draft);
                let after = self.settle(now, before, draft, None, out);
                let created = true;
                let answer = Answer::Callback { callback: after, position, created, duplicates };
                out.answer(token, Ok(answer));
                return;
            }
            CallbackMessage::Command(command) => {
                self.command(now, *command, before, out);
                return;
            }
            CallbackMessage::Claimed { token, result } => {
                self.claimed(now, token, result, before, out);
                return;
            }
            CallbackMessage::MeetingMade { token, meeting, late } => {
                self.meeting_made(meeting, late, &mut draft);
                let callback = self.settle(now, before, draft, None, out);
                out.answer(token, Ok(answer_with(callback)));
                return;
            }
            CallbackMessage::Reserved { token, result } => {
                self.reserved(now, token, result, before, out);
                return;
            }
            CallbackMessage::Propose { agent } => self.propose(now, agent, &mut draft),
            CallbackMessage::Wake => {
                self.told.timers = (None, None);
                self.wake(now, &mut draft);
            }
            CallbackMessage::RevokeOffer { agent, reason } => {
                self.revoke(now, &agent, reason, &mut draft);
            }
            CallbackMessage::GraceOver { agent } => self.grace_over(now, &agent, &mut draft),
            CallbackMessage::AgentLost { agent, since } => {
                self.set_agent_lost_since(&agent, Some(since));
            }
            CallbackMessage::AgentBack { agent } => self.set_agent_lost_since(&agent, None),
            CallbackMessage::QueueChanged(queue) => self.queue_changed(now, queue, &mut draft),
            CallbackMessage::Recheck => self.recheck(now, &mut draft, out),
            CallbackMessage::CarryOver { next_open } => self.shut(now, next_open, &mut draft),
            CallbackMessage::NumberDenied(denied) => self.number_denied(now, denied, &mut draft),
            CallbackMessage::SetUnroutable(reason) => self.set_unroutable(reason, &mut draft),
        }
        self.settle(now, before, draft, None, out);
    }

    /// An estimate is written with the next change: it alone is none.
    fn note(&mut self, told: ToldOfWait, out: &mut StepOutput) {
        self.noted = Some(Box::new(told));
        if !self.record().state().is_live() && self.pending.is_empty() {
            out.effects.push(Effect::LetGo);
        }
    }

    fn record(&self) -> &Callback {
        self.record.as_deref().expect("a callback is created before anything else happens to it")
    }

    fn record_mut(&mut self) -> &mut Callback {
        let record = self.record.as_mut();
        Arc::make_mut(record.expect("a callback is created before anything else happens"))
    }

    fn queue(&self) -> &Arc<Queue> {
        self.queue.as_ref().expect("a callback that exists has its queue")
    }

    /// The refusal of an action that the state doesn't allow.
    fn illegal(&self, action: &'static str) -> Refusal {
        Refusal::IllegalTransition { state: self.record().state(), action }
    }

    /// The assigned agent, if it is they who act.
    fn assigned_actor(&self, who: &Who, action: &'static str) -> Result<AgentId, Refusal> {
        let Some(assigned) = self.record().assigned_agent() else {
            return Err(self.illegal(action));
        };
        match who.agent() {
            Some(agent) if agent == assigned => Ok(agent.clone()),
            Some(_) | None => Err(Refusal::Forbidden(format!(
                "only the agent that the callback is assigned to may {action} it"
            ))),
        }
    }
}

/// The seat that it has, with its queue.
fn seats_of(callback: &Callback) -> Vec<(QueueId, Seat)> {
    callback.seat().map(|seat| (callback.queue.clone(), seat)).into_iter().collect()
}

fn answer_with(callback: Snapshot) -> Answer {
    Answer::Callback { callback, position: None, created: false, duplicates: Vec::new() }
}

/// Whom a rule's change is put down to.
const ENGINE: By = By::Engine;
