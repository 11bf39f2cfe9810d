//! Another attempt: when the policy makes it, when an agent asks for it, and when there is none.

use super::contact::agents_choice;
use super::deadlines::last_retry_at;
use super::{CallbackMachine, Draft, ENGINE, Taken};
use crate::domain::agent::UnassignReason;
use crate::domain::callback::{ClosedReason, FinalState, OpenReason, Outcome, State};
use crate::domain::event::{By, CallbackEvent};
use crate::domain::message::Who;
use crate::domain::policy::{Medium, QueueSettings};
use crate::domain::refusal::Refusal;
use crate::domain::time::{Now, Span, Timestamp};

/// When an agent wants it tried again.
pub(super) struct RetryWish {
    /// At this time; by policy if not said.
    pub(super) at: Option<Timestamp>,
    /// The same agent is preferred then.
    pub(super) mine: bool,
    /// The customer agreed to be called outside contact hours.
    pub(super) agreed: bool,
}

impl CallbackMachine {
    /// When the policy tries again: the end of the outcome's delay, and that moved into operating
    /// hours, and into contact hours where they bind.
    pub(super) fn policy_retry_at(
        &self,
        now: Timestamp,
        outcome: Outcome,
    ) -> (Timestamp, Timestamp) {
        let settings = &self.queue().settings;
        let delays = &settings.retry_delays_minutes;
        let minutes = match outcome {
            Outcome::NoAnswer => delays.no_answer,
            Outcome::Busy => delays.busy,
            Outcome::Voicemail => delays.voicemail,
            Outcome::Refused => delays.refused,
            Outcome::Failed => delays.failed,
            Outcome::Unknown | Outcome::Answered | Outcome::WrongNumber => delays.unknown,
        };
        let at = now + Span::minutes(minutes);
        let opens_at = settings.hours.next_open(at);
        (at, opens_at.and_then(|at| self.allowed_from(at)).unwrap_or(Timestamp::NEVER))
    }

    pub(super) fn retry_at(
        &mut self,
        now: &Now,
        (wanted, due): (Timestamp, Timestamp),
        by: By,
        why: UnassignReason,
        draft: &mut Draft,
    ) {
        if due > self.last_retry_at(now.wall) {
            let reason = ClosedReason::Expired;
            self.end(now, FinalState::ClosedAbandoned, reason, ENGINE, draft);
            return;
        }
        let why = if why == UnassignReason::Closed { UnassignReason::Retry } else { why };
        self.unassign(why, draft);
        self.end_interaction(now, draft);
        let extends = self.queue().settings.retry_extends_expiry;
        let record = self.record_mut();
        if extends {
            record.expiry_base = due;
        }
        // Until it falls due: from here on it is looked for a time, should the hours change.
        record.queued_since = Some(wanted);
        record.retrying = true;
        let attempts = record.attempts;
        draft.events.push(CallbackEvent::RetryScheduled { at: due, attempts, by });
        self.open(now, due, OpenReason::Retry);
    }

    fn last_retry_at(&self, now: Timestamp) -> Timestamp {
        last_retry_at(self.record(), self.queue(), now)
    }

    /// The agent wants it tried again later.
    pub(super) fn retry(
        &mut self,
        now: &Now,
        who: &Who,
        wish: &RetryWish,
        draft: &mut Draft,
    ) -> Result<Taken, Refusal> {
        if !matches!(self.record().state(), State::Accepted | State::WrapUp) {
            return Err(self.illegal("retry"));
        }
        let agent = self.assigned_actor(who, "retry")?;
        self.attempts_left()?;
        // Who has agreed, or chosen a time, has chosen.
        self.record_mut().contact_hours_bind = wish.at.is_none() && !wish.agreed;
        let (wanted, due) = if let Some(at) = wish.at {
            let at = self.wished_retry_at(now, at, wish)?;
            (at, at)
        } else if self.record().medium == Medium::Video {
            let detail = "a video callback has no retry by policy: say when, or close it";
            return Err(Refusal::field("/at", detail));
        } else {
            let outcome = self.interaction_mut().outcome.unwrap_or(Outcome::Unknown);
            self.policy_retry_at(now.wall, outcome)
        };
        if due == Timestamp::NEVER {
            return Err(Refusal::OutsideContactHours { next_allowed_at: None });
        }
        if due > self.last_retry_at(now.wall) {
            return Err(too_late(&self.queue().settings));
        }
        if wish.mine {
            self.prefer_again(&agent);
        }
        self.retry_at(now, (wanted, due), By::Agent(agent), UnassignReason::Retry, draft);
        Ok(Taken::Done)
    }

    fn wished_retry_at(
        &self,
        now: &Now,
        at: Timestamp,
        wish: &RetryWish,
    ) -> Result<Timestamp, Refusal> {
        if at <= now.wall {
            return Err(Refusal::StartPast);
        }
        let hours = &self.queue().settings.hours;
        if !hours.is_open(at) {
            return Err(Refusal::OutsideHours { next_allowed_at: hours.next_open(at) });
        }
        if !wish.agreed {
            agents_choice(&self.record().reach, &self.queue().settings, at)?;
        }
        Ok(at)
    }
}

/// A retry later than any may be.
pub fn too_late(settings: &QueueSettings) -> Refusal {
    let days = settings.retry_days;
    Refusal::field("/at", format!("must be within {days} days of the first call (retry_days)"))
}
