//! Commands: who may carry out what, in which order that is found out, and what others are asked
//! first.
//!
//! Separate from what the actions do. A refusal must leave no trace: whoever calls puts the record
//! back.

use super::{Asked, Asking, CallbackMachine, Draft, SeatFor, Taken, answer_with, call, retry};
use crate::domain::callback::{Snapshot, State};
use crate::domain::effect::StepOutput;
use crate::domain::machines::digest::digest;
use crate::domain::message::{Action, CallbackCommand, Claim, Letter, RouterMessage, Token};
use crate::domain::refusal::Refusal;
use crate::domain::slots::Bound;
use crate::domain::time::Now;

impl CallbackMachine {
    pub(super) fn command(
        &mut self,
        now: &Now,
        command: CallbackCommand,
        before: Option<&Snapshot>,
        out: &mut StepOutput,
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

    pub(super) fn ask(&mut self, asking: Asking, out: &mut StepOutput) {
        let Asking { command, asked } = &asking;
        let (token, record) = (command.token, self.record());
        match asked {
            Asked::Seat(SeatFor::Move(booking)) => {
                let bound = command.who.bound();
                self.ask_for_seat(&record.queue, Some(token), booking.clone(), bound, out);
            }
            Asked::Seat(SeatFor::Transfer { queue, agent: _ }) => {
                let booking = record.booking.clone();
                let booking = booking.expect("only what is booked needs a seat there");
                let queue = &queue.settings.id;
                self.ask_for_seat(queue, Some(token), booking, Bound::ToNothing, out);
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
        self.pending.push(asking);
    }

    /// The command that an answer is for; none where the machine was made anew meanwhile: whoever
    /// asked was answered then.
    pub(super) fn take_claim(&mut self, token: Option<Token>) -> Option<Asking> {
        let place = self.pending.iter().position(|asking| Some(asking.command.token) == token)?;
        Some(self.pending.remove(place))
    }

    pub(super) fn claimed(
        &mut self,
        now: &Now,
        token: Token,
        result: Result<(), Refusal>,
        before: Option<&Snapshot>,
        out: &mut StepOutput,
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
