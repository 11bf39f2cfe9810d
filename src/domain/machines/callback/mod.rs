//! A callback's life: one machine per callback that is live or addressed.
//!
//! The machine owns the callback's record and is the only one that changes it. A step works on
//! the record in place; when a command is refused the record is put back, so a refusal leaves no
//! trace. What others must hear (the queue's line, the router, the agent, the scheduler) follows
//! from comparing the record before and after in `settle`, not from each handler remembering it.
//! It must never decide who gets the callback: that is the router's.

mod call;
mod change;
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

use super::digest::digest;
use crate::domain::agent::{AssignedBy, UnassignReason};
use crate::domain::callback::{
    Booking, Callback, Interaction, Preferred, Request, Snapshot, State, Told as ToldOfWait,
};
use crate::domain::effect::{Answer, Effect, Outbox};
use crate::domain::event::{By, CallbackEvent};
use crate::domain::ids::{AgentId, CallbackId, OfferId, QueueId};
use crate::domain::message::{
    Action, CallbackCommand, CallbackMessage, Claim, Letter, Missed, OfferEnd, RouterMessage,
    Token, Who,
};
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
    claims: Vec<Asking>,
    /// What the others were told last, so that they are told only what is new.
    told: Told,
    /// When the time to wait is over, and when the promise breaks, by the steady clock; worked out
    /// from the queue's hours when waiting begins and whenever the queue changes.
    waits_until: Option<Timestamp>,
    promise: Option<Timestamp>,
    /// Until when contact hours allow what waits, by the steady clock, where they bind it.
    allowed_until: Option<Timestamp>,
    /// Since when it waits, by the steady clock.
    waiting_since: Timestamp,
    /// The queue time for which that was worked out; the default before it waits.
    waiting_from: Timestamp,
    /// The agent asked for, and since when it waits for them, by the steady clock.
    preferred_since: Option<Box<(Preferred, Timestamp)>>,
    /// What would have been told of the wait when it was queued, until that is written.
    noted: Option<Box<ToldOfWait>>,
    /// The agent was told that time runs out.
    warned: bool,
    /// The customer's number is on the deny list.
    denied: bool,
    /// Since when the assigned agent has no session, by the steady clock.
    agent_lost: Option<Timestamp>,
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
            claims: Vec::new(),
            told: Told::default(),
            waits_until: None,
            promise: None,
            allowed_until: None,
            waiting_since: Timestamp::default(),
            waiting_from: Timestamp::default(),
            preferred_since: None,
            noted: None,
            warned: false,
            denied: false,
            agent_lost: None,
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

    /// Where it stands.
    pub fn callback(&self) -> Option<&Callback> {
        self.record.as_deref()
    }

    /// Takes one message.
    ///
    /// # Panics
    ///
    /// On a broken invariant; the record is then as good as lost and is read again.
    pub fn step(&mut self, now: &Now, message: CallbackMessage, out: &mut Outbox) {
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
            CallbackMessage::AgentLost { agent, since } => self.agent_lost(&agent, Some(since)),
            CallbackMessage::AgentBack { agent } => self.agent_lost(&agent, None),
            CallbackMessage::QueueChanged(queue) => self.queue_changed(now, queue, &mut draft),
            CallbackMessage::Recheck => self.recheck(now, &mut draft, out),
            CallbackMessage::CarryOver { next_open } => self.shut(now, next_open, &mut draft),
            CallbackMessage::NumberDenied(denied) => self.number_denied(now, denied, &mut draft),
            CallbackMessage::SetUnroutable(reason) => self.set_unroutable(reason, &mut draft),
        }
        self.settle(now, before, draft, None, out);
    }

    /// An estimate is written with the next change: it alone is none.
    fn note(&mut self, told: ToldOfWait, out: &mut Outbox) {
        self.noted = Some(Box::new(told));
        if !self.record().state().is_live() && self.claims.is_empty() {
            out.effects.push(Effect::LetGo);
        }
    }

    fn command(
        &mut self,
        now: &Now,
        command: CallbackCommand,
        before: Option<&Snapshot>,
        out: &mut Outbox,
    ) {
        let token = command.token;
        let mut draft = Draft::default();
        let digest = command.who.agent().map(|_| digest(&command.action));
        match self.act(now, &command, digest, &mut draft) {
            Ok(Taken::Done) => {
                let last = command.who.agent().cloned().zip(digest);
                let callback = self.settle(now, before, draft, last, out);
                out.answer(token, Ok(answer_with(callback)));
            }
            Ok(Taken::Again) => {
                let callback = self.settle(now, before, draft, None, out);
                out.answer(token, Ok(answer_with(callback)));
            }
            Ok(Taken::Asks(asked)) => {
                self.ask(Asking { command, asked }, out);
                self.settle(now, before, draft, None, out);
            }
            Err(refusal) => {
                self.record = before.cloned();
                self.settle(now, before, Draft::default(), None, out);
                out.answer(token, Err(refusal));
            }
        }
    }

    /// Carries a command out on the record. On an error the caller puts the record back.
    fn act(
        &mut self,
        now: &Now,
        command: &CallbackCommand,
        digest: Option<u64>,
        draft: &mut Draft,
    ) -> Result<Taken, Refusal> {
        let who = &command.who;
        let Some(record) = self.record.as_deref() else { return Err(Refusal::NotFound) };
        if let (Some(agent), Some(digest), Some(last)) = (who.agent(), digest, &record.last_action)
            && last.agent == *agent
            && last.digest == digest
            && last.version == record.version
            && repeatable(&command.action)
        {
            return Ok(Taken::Again);
        }
        if let Action::Accept { offer, .. } = &command.action
            && self.has_accepted(who, *offer)
        {
            return Ok(Taken::Again);
        }
        if command.if_match.is_some_and(|version| version != record.version) {
            let version = record.version;
            // Who may not do it at all is told that first.
            let tried = self.clone().carry_out(now, command, &mut Draft::default());
            let forbidden = tried.err().filter(|one| matches!(one, Refusal::Forbidden(_)));
            return Err(forbidden.unwrap_or(Refusal::VersionStale { version }));
        }
        self.carry_out(now, command, draft)
    }

    fn carry_out(
        &mut self,
        now: &Now,
        command: &CallbackCommand,
        draft: &mut Draft,
    ) -> Result<Taken, Refusal> {
        let who = &command.who;
        match &command.action {
            Action::Accept { offer, session } => self.accept(now, who, *offer, *session, draft),
            Action::Decline { offer, reason, session } => {
                self.decline(now, who, *offer, reason.as_deref(), *session, draft)
            }
            Action::Call => self.call(now, who, draft),
            Action::Outcome { outcome, notes } => {
                self.outcome(now, who, *outcome, notes.clone(), draft)
            }
            Action::EndCall { notes } => self.end_call(now, who, notes.clone(), draft),
            Action::ExtendWrapUp { seconds } => self.extend_wrap_up(who, *seconds, draft),
            Action::Retry { at, mine, customer_agreed } => {
                let wish = retry::RetryWish { at: *at, mine: *mine, agreed: *customer_agreed };
                self.retry(now, who, &wish, draft)
            }
            Action::Requeue { queue, agent } => {
                self.requeue(now, who, queue.clone(), agent.clone(), None, draft)
            }
            Action::Close { disposition, notes, resolved } => {
                let word = call::ClosingWord {
                    disposition: disposition.clone(),
                    notes: notes.clone(),
                    resolved: *resolved,
                };
                self.close(now, who, word, draft)
            }
            Action::Assign { agent, force } => self.assign(who, agent, *force),
            Action::Cancel { reason } => self.cancel(now, who, reason.clone(), draft),
            Action::ServeElsewhere { include_scheduled } => {
                Ok(self.serve_elsewhere(now, who, *include_scheduled, draft))
            }
            Action::Reschedule { booking: Some(booking) } => {
                self.reschedulable()?;
                Ok(Taken::Asks(Asked::Seat(SeatFor::Move(booking.clone()))))
            }
            Action::Reschedule { booking: None } => self.reschedule_to_asap(now, who, draft),
            Action::Patch(patch) => self.patch(now, who, patch, draft),
        }
    }

    fn ask(&mut self, asking: Asking, out: &mut Outbox) {
        let Asking { command, asked } = &asking;
        let (token, record) = (command.token, self.record());
        match asked {
            Asked::Seat(SeatFor::Move(booking)) => {
                self.ask_for_seat(Some(token), booking.clone(), command.who.bound(), out);
            }
            Asked::Seat(SeatFor::Transfer { queue, agent: _ }) => {
                self.ask_for_seat_in(queue, token, out);
            }
            Asked::Agent { agent, force } => {
                out.send(Letter::Router(RouterMessage::Claim(Box::new(Claim {
                    token,
                    callback: self.id,
                    queue: record.queue.clone(),
                    medium: record.medium,
                    size: record.size,
                    agent: agent.clone(),
                    force: *force,
                    by_agent: !command.who.supervises(),
                }))));
            }
        }
        self.claims.push(asking);
    }

    /// The command that an answer is for; none where the machine was made anew meanwhile: whoever
    /// asked was answered then.
    fn take_claim(&mut self, token: Option<Token>) -> Option<Asking> {
        let place = self.claims.iter().position(|claim| Some(claim.command.token) == token)?;
        Some(self.claims.remove(place))
    }

    fn claimed(
        &mut self,
        now: &Now,
        token: Token,
        result: Result<(), Refusal>,
        before: Option<&Snapshot>,
        out: &mut Outbox,
    ) {
        let mut draft = Draft::default();
        let Some(Asking { command, asked: Asked::Agent { agent, force: _ } }) =
            self.take_claim(Some(token))
        else {
            if let Ok(()) = result {
                self.settle(now, before, draft, None, out);
            }
            return;
        };
        let assigned = match result {
            Ok(()) => self.assigned(now, &command.who, &agent, &mut draft),
            Err(refusal) => Err(refusal),
        };
        // A proposal that came in between was sent back; the router must know that it still waits.
        draft.enqueue = self.record().state() == State::Queued;
        let callback = self.settle(now, before, draft, None, out);
        out.answer(token, assigned.map(|()| answer_with(callback)));
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

/// The actions whose repetition by the same agent is answered as the first was.
fn repeatable(action: &Action) -> bool {
    match action {
        Action::Call
        | Action::Outcome { .. }
        | Action::EndCall { .. }
        | Action::Retry { .. }
        | Action::Requeue { .. }
        | Action::Close { .. } => true,
        Action::Accept { .. }
        | Action::Decline { .. }
        | Action::ExtendWrapUp { .. }
        | Action::Assign { .. }
        | Action::Cancel { .. }
        | Action::Reschedule { .. }
        | Action::ServeElsewhere { .. }
        | Action::Patch(_) => false,
    }
}

/// Whom a rule's change is put down to.
const ENGINE: By = By::Engine;
