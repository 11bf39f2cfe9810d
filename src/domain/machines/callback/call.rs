//! The call and what follows it: outcome, wrap-up, close.

use super::{CallbackMachine, Draft, ENGINE, Taken};
use crate::domain::agent::UnassignReason;
use crate::domain::callback::{
    Assignment, ClosedReason, Fallback, FinalState, Interaction, InteractionState, Outcome, Phase,
    PreferMode, Preferred, Remarks, State,
};
use crate::domain::event::CallbackEvent;
use crate::domain::ids::AgentId;
use crate::domain::message::Who;
use crate::domain::policy::{Medium, WrapUpMode};
use crate::domain::refusal::Refusal;
use crate::domain::time::{Now, Span};

/// What is said at closing.
pub(super) struct ClosingWord {
    /// The closing code.
    pub(super) disposition: Option<String>,
    /// What is written beside it.
    pub(super) notes: Option<String>,
    /// The matter is settled.
    pub(super) resolved: Option<bool>,
}

impl CallbackMachine {
    /// The agent calls now; in wrap-up after an unanswered call that is one more attempt.
    pub(super) fn call(
        &mut self,
        now: &Now,
        who: &Who,
        draft: &mut Draft,
    ) -> Result<Taken, Refusal> {
        let (agent, redial) = match &self.record().phase {
            Phase::Accepted { .. } => (self.assigned_actor(who, "call")?, false),
            Phase::WrapUp { interaction, .. } => {
                let agent = self.assigned_actor(who, "call")?;
                if interaction.outcome == Some(Outcome::Answered) {
                    return Err(self.illegal("call"));
                }
                (agent, true)
            }
            Phase::Open { .. }
            | Phase::Queued { .. }
            | Phase::Offered { .. }
            | Phase::Calling { .. }
            | Phase::Ended { .. } => return Err(self.illegal("call")),
        };
        // A call that comes too late breaks its promise, whether or not that was noticed before.
        self.break_promise(now, draft);
        let mut interaction = if redial {
            self.attempts_left()?;
            self.end_interaction(now, draft);
            self.new_interaction(now)
        } else {
            self.take_interaction().expect("accepted has an interaction")
        };
        interaction.state = InteractionState::Calling;
        interaction.agent = Some(agent.clone());
        interaction.accepted_at.get_or_insert(now.wall);
        interaction.called_at = Some(now.wall);
        draft
            .events
            .push(CallbackEvent::Calling { agent: agent.clone(), attempt: interaction.attempt });
        self.warned = false;
        let record = self.record_mut();
        record.first_called_at.get_or_insert(now.wall);
        let assignment = Assignment { agent, since: now.steady };
        record.phase = Phase::Calling { interaction, assignment, since: now.steady };
        Ok(Taken::Done)
    }

    pub(super) fn attempts_left(&self) -> Result<(), Refusal> {
        let record = self.record();
        let bound = self.queue().settings.max_interactions;
        if record.attempts >= record.max_attempts || record.interactions >= bound {
            return Err(Refusal::AttemptsUsedUp { max_attempts: record.max_attempts });
        }
        Ok(())
    }

    /// How the call went; in wrap-up a correction.
    pub(super) fn outcome(
        &mut self,
        now: &Now,
        who: &Who,
        outcome: Outcome,
        notes: Option<String>,
        draft: &mut Draft,
    ) -> Result<Taken, Refusal> {
        match self.record().state() {
            State::Calling => {
                let agent = self.assigned_actor(who, "report the outcome of")?;
                if outcome == Outcome::Answered {
                    self.answered(now, agent, notes, draft);
                } else {
                    self.call_failed(now, outcome, notes, draft);
                }
                Ok(Taken::Done)
            }
            State::WrapUp => {
                self.assigned_actor(who, "report the outcome of")?;
                let mut fields = vec!["outcome".to_owned()];
                fields.extend(notes.is_some().then(|| "notes".to_owned()));
                self.correct(now, outcome, notes);
                draft.events.push(CallbackEvent::Updated { by: who.by(), fields });
                Ok(Taken::Done)
            }
            State::Open
            | State::Queued
            | State::Offered
            | State::Accepted
            | State::ClosedComplete
            | State::ClosedAbandoned
            | State::Canceled => Err(self.illegal("outcome")),
        }
    }

    fn answered(&mut self, now: &Now, agent: AgentId, notes: Option<String>, draft: &mut Draft) {
        self.count(Outcome::Answered);
        let interaction = self.interaction_mut();
        let first = interaction.answered_at.is_none();
        interaction.answered_at.get_or_insert(now.wall);
        interaction.outcome = Some(Outcome::Answered);
        set_notes(interaction, notes);
        if first {
            draft.events.push(CallbackEvent::Answered { agent });
        }
    }

    /// The call is over and the customer wasn't reached.
    pub(super) fn call_failed(
        &mut self,
        now: &Now,
        outcome: Outcome,
        notes: Option<String>,
        draft: &mut Draft,
    ) {
        self.count(outcome);
        let interaction = self.interaction_mut();
        interaction.outcome = Some(outcome);
        interaction.answered_at = None;
        interaction.ended_at = Some(now.wall);
        interaction.state = InteractionState::ClosedAbandoned;
        set_notes(interaction, notes);
        self.wrap_up(now, outcome, draft);
    }

    /// The answered call is over.
    pub(super) fn end_call(
        &mut self,
        now: &Now,
        who: &Who,
        notes: Option<String>,
        draft: &mut Draft,
    ) -> Result<Taken, Refusal> {
        if self.record().state() != State::Calling {
            return Err(self.illegal("end_call"));
        }
        self.assigned_actor(who, "end the call of")?;
        if self.interaction_mut().outcome != Some(Outcome::Answered) {
            return Err(Refusal::OutcomeMissing);
        }
        self.end_answered(now, notes, draft);
        Ok(Taken::Done)
    }

    fn end_answered(&mut self, now: &Now, notes: Option<String>, draft: &mut Draft) {
        let interaction = self.interaction_mut();
        interaction.ended_at = Some(now.wall);
        interaction.state = InteractionState::ClosedComplete;
        set_notes(interaction, notes);
        self.wrap_up(now, Outcome::Answered, draft);
    }

    /// Attempts are counted by outcome; a correction counts anew.
    fn count(&mut self, outcome: Outcome) {
        let before = self.interaction_mut().outcome.is_some_and(Outcome::counts);
        let record = self.record_mut();
        record.attempts = record.attempts + u32::from(outcome.counts()) - u32::from(before);
    }

    fn correct(&mut self, now: &Now, outcome: Outcome, notes: Option<String>) {
        self.count(outcome);
        let interaction = self.interaction_mut();
        interaction.outcome = Some(outcome);
        if outcome == Outcome::Answered {
            // While the call lasted, though it is said only now.
            let by = interaction.ended_at.unwrap_or(now.wall);
            interaction.answered_at.get_or_insert(by);
            interaction.state = InteractionState::ClosedComplete;
        } else {
            interaction.answered_at = None;
            interaction.state = InteractionState::ClosedAbandoned;
        }
        set_notes(interaction, notes);
    }

    fn wrap_up(&mut self, now: &Now, outcome: Outcome, draft: &mut Draft) {
        let agent = self.record().assigned_agent().cloned().expect("a call has its agent");
        draft.events.push(CallbackEvent::CallEnded { agent: agent.clone(), outcome });
        let settings = std::sync::Arc::clone(&self.queue().settings);
        let lasts = match settings.wrap_up_mode {
            WrapUpMode::Timed => settings.wrap_up_seconds,
            WrapUpMode::Required => settings.max_wrap_up_seconds,
            WrapUpMode::None => 0,
        };
        let interaction = self.take_interaction().expect("a call has its interaction");
        self.record_mut().phase = Phase::WrapUp {
            interaction,
            assignment: Assignment { agent, since: now.steady },
            since: now.steady,
            ends_at: now.steady + Span::seconds(lasts),
        };
        if lasts == 0 {
            self.wrap_up_over(now, draft);
        }
    }

    /// More time for wrap-up.
    pub(super) fn extend_wrap_up(
        &mut self,
        who: &Who,
        seconds: u32,
        draft: &mut Draft,
    ) -> Result<Taken, Refusal> {
        if self.record().state() != State::WrapUp {
            return Err(self.illegal("extend_wrap_up"));
        }
        self.assigned_actor(who, "extend the wrap-up of")?;
        let bound = Span::seconds(self.queue().settings.max_wrap_up_seconds);
        if let Phase::WrapUp { since, ends_at, .. } = &mut self.record_mut().phase {
            let wished = *ends_at + Span::seconds(seconds);
            *ends_at = wished.min(*since + bound).max(*ends_at);
        }
        let fields = vec!["next_deadline".to_owned()];
        draft.events.push(CallbackEvent::Updated { by: who.by(), fields });
        draft.tells = true;
        Ok(Taken::Done)
    }

    /// The agent has been lost for too long in the middle of a call, or the call lasts too long.
    pub(super) fn call_given_up(
        &mut self,
        now: &Now,
        agent: &AgentId,
        why: UnassignReason,
        draft: &mut Draft,
    ) {
        if self.interaction_mut().outcome == Some(Outcome::Answered) {
            self.end_answered(now, None, draft);
            return;
        }
        self.count(Outcome::Unknown);
        let interaction = self.interaction_mut();
        interaction.outcome = Some(Outcome::Unknown);
        interaction.ended_at = Some(now.wall);
        draft
            .events
            .push(CallbackEvent::CallEnded { agent: agent.clone(), outcome: Outcome::Unknown });
        self.prefer_again(agent);
        self.after_call(now, why, draft);
    }

    /// The same agent is preferred for the next attempt; one who is required stays so.
    pub(super) fn prefer_again(&mut self, agent: &AgentId) {
        let preferred = &mut self.record_mut().preferred;
        let required = preferred
            .as_ref()
            .is_some_and(|wish| wish.agent == *agent && wish.mode == PreferMode::Require);
        if !required {
            *preferred = Some(Box::new(prefer(agent.clone(), Preferred::PREFER_SECONDS)));
        }
    }

    /// What follows a call: closed if the customer was reached, else as the retry policy says.
    pub(super) fn after_call(&mut self, now: &Now, why: UnassignReason, draft: &mut Draft) {
        let outcome = self.interaction_mut().outcome.unwrap_or(Outcome::Unknown);
        let record = self.record();
        let reached = record.reached || outcome == Outcome::Answered;
        let used_up = record.attempts >= record.max_attempts
            || record.interactions >= self.queue().settings.max_interactions;
        let ending = if reached {
            Some((FinalState::ClosedComplete, ClosedReason::Reached))
        } else if outcome == Outcome::WrongNumber {
            Some((FinalState::ClosedAbandoned, ClosedReason::WrongNumber))
        } else if used_up {
            Some((FinalState::ClosedAbandoned, ClosedReason::AttemptsUsedUp))
        } else if record.medium == Medium::Video {
            Some((FinalState::ClosedAbandoned, ClosedReason::Unreached))
        } else {
            None
        };
        if let Some((state, reason)) = ending {
            self.end(now, state, reason, ENGINE, draft);
            return;
        }
        self.record_mut().contact_hours_bind = true;
        let at = self.policy_retry_at(now.wall, outcome);
        self.retry_at(now, at, ENGINE, why, draft);
    }

    /// Closes it, or adds disposition and notes to one whose wrap-up ran out a moment ago.
    pub(super) fn close(
        &mut self,
        now: &Now,
        who: &Who,
        word: ClosingWord,
        draft: &mut Draft,
    ) -> Result<Taken, Refusal> {
        let assigned = self.record().assigned_agent().is_some()
            && self.record().assigned_agent() == who.agent();
        let may = match self.record().state() {
            State::Accepted | State::WrapUp => assigned || who.supervises(),
            State::Open | State::Queued | State::Offered if who.supervises() => true,
            State::Calling => return Err(self.illegal("close")),
            State::Open
            | State::Queued
            | State::Offered
            | State::ClosedComplete
            | State::ClosedAbandoned
            | State::Canceled => {
                return self.close_late(now, who, word, draft);
            }
        };
        if !may {
            return Err(Refusal::Forbidden(
                "only the assigned agent or a supervisor may close it".to_owned(),
            ));
        }
        let resolved = self.check_disposition(word.disposition.as_deref())?;
        let resolved = word.resolved.unwrap_or(resolved);
        self.end_offer_closed(draft);
        let outcome = self.record().interaction().and_then(|interaction| interaction.outcome);
        let record = self.record_mut();
        let reached = record.reached || outcome == Some(Outcome::Answered);
        record.remarks.add(Remarks::new(word.disposition, word.notes, None));
        let (state, reason) = if reached {
            (FinalState::ClosedComplete, ClosedReason::Reached)
        } else if resolved {
            (FinalState::ClosedComplete, ClosedReason::Resolved)
        } else if !assigned {
            (FinalState::ClosedAbandoned, ClosedReason::ClosedBySupervisor)
        } else if outcome == Some(Outcome::WrongNumber) {
            (FinalState::ClosedAbandoned, ClosedReason::WrongNumber)
        } else {
            (FinalState::ClosedAbandoned, ClosedReason::Unreached)
        };
        self.end(now, state, reason, who.by(), draft);
        Ok(Taken::Done)
    }

    fn close_late(
        &mut self,
        now: &Now,
        who: &Who,
        word: ClosingWord,
        draft: &mut Draft,
    ) -> Result<Taken, Refusal> {
        let may = match (self.record().closable_by.as_deref(), who.agent()) {
            (Some((agent, until)), Some(actor)) => agent == actor && now.wall <= *until,
            (Some(_) | None, _) => false,
        };
        if !may {
            return Err(self.illegal("close"));
        }
        self.check_disposition(word.disposition.as_deref())?;
        let given = [("disposition", word.disposition.is_some()), ("notes", word.notes.is_some())];
        let fields = given.iter().filter(|(_, given)| *given).map(|(name, _)| (*name).to_owned());
        let fields = fields.collect();
        let record = self.record_mut();
        record.remarks.add(Remarks::new(word.disposition, word.notes, None));
        draft.events.push(CallbackEvent::Updated { by: who.by(), fields });
        Ok(Taken::Done)
    }

    /// Whether the disposition means that the matter is settled.
    fn check_disposition(&self, disposition: Option<&str>) -> Result<bool, Refusal> {
        let known = &self.queue().settings.dispositions;
        let Some(id) = disposition else { return Ok(false) };
        if known.is_empty() {
            return Ok(false);
        }
        known.iter().find(|one| one.choice.id == id).map(|one| one.resolved).ok_or_else(|| {
            let ids: Vec<_> = known.iter().map(|one| one.choice.id.as_str()).collect();
            let detail = format!("must be one of the queue's dispositions: {}", ids.join(", "));
            Refusal::field("/disposition", detail)
        })
    }

    pub(super) fn interaction_mut(&mut self) -> &mut Interaction {
        match &mut self.record_mut().phase {
            Phase::Open { carried: Some(interaction), .. }
            | Phase::Queued { interaction }
            | Phase::Offered { interaction, .. }
            | Phase::Accepted { interaction, .. }
            | Phase::Calling { interaction, .. }
            | Phase::WrapUp { interaction, .. } => interaction,
            Phase::Open { carried: None, .. } | Phase::Ended { .. } => {
                unreachable!("only states with an interaction ask for it")
            }
        }
    }
}

/// A preference for one agent, for so long.
pub(super) fn prefer(agent: AgentId, wait_seconds: u32) -> Preferred {
    Preferred { agent, mode: PreferMode::Prefer, wait_seconds, fallback: Fallback::Anyone }
}

fn set_notes(interaction: &mut Interaction, notes: Option<String>) {
    if notes.is_some() {
        interaction.notes = notes;
    }
}
