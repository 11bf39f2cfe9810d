//! What a step's changes and events say that is measured.
//!
//! Read off the records before and after, as everything is that follows from a step, so that no
//! handler can forget to count, and what is counted is what was written down.

use std::sync::Arc;

use crate::domain::agent::{Agent, Presence};
use crate::domain::callback::{
    Callback, CallbackType, Channel, ClosedReason, FinalState, Interaction, Outcome, Phase,
};
use crate::domain::effect::Change;
use crate::domain::event::{AgentEvent, CallbackEvent, Event};
use crate::domain::ids::{AgentId, InteractionId, QueueId};
use crate::domain::policy::{Medium, QueueSettings};
use crate::domain::time::{Span, Timestamp};

/// What became of an offer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OfferStep {
    /// It was made.
    Made,
    /// Accepted.
    Accepted,
    /// Declined.
    Declined,
    /// Not answered in time.
    Missed,
    /// Taken back.
    Revoked,
}

/// How an agent stands, as far as it is measured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// What they want.
    pub presence: Presence,
    /// Why they want that, as it was said with their presence.
    pub reason: Option<String>,
    /// Units of capacity that callbacks may take: all but what work elsewhere takes.
    pub units: u32,
}

impl Standing {
    /// How this one stands.
    pub fn of(agent: &Agent) -> Self {
        let elsewhere = agent.external.map_or(0, |load| load.units);
        Self {
            presence: agent.presence,
            reason: agent.reason.clone(),
            units: agent.settings.capacity.units.saturating_sub(elsewhere),
        }
    }
}

/// One thing that is measured. It happened at the time of the step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fact {
    /// A callback was made.
    Created(QueueId, Channel, CallbackType, Medium),
    /// An interaction fell due.
    Queued(QueueId),
    /// Something became of an offer.
    Offer(QueueId, AgentId, OfferStep),
    /// A customer was called.
    Called(QueueId, AgentId),
    /// A call that was begun then turned out to have reached the customer, or not to have.
    Reached {
        /// Of this queue.
        queue: QueueId,
        /// Who had called.
        agent: AgentId,
        /// When the call was begun.
        called_at: Timestamp,
        /// Whether the customer was reached, or not after all.
        reached: bool,
    },
    /// A customer was called for the first time.
    FirstCalled {
        /// Of this queue.
        queue: QueueId,
        /// Asap or scheduled.
        kind: CallbackType,
        /// After so long.
        wait: Span,
        /// Within the service level, or on time.
        in_time: bool,
    },
    /// A callback ended that nobody called off, and its customer was never called.
    NeverCalled(QueueId, CallbackType),
    /// A promise was kept, or broken.
    Promise(QueueId, bool),
    /// An agent is done with a call, after so long.
    Handled(QueueId, AgentId, Span),
    /// A callback ended; with its attempts, unless it was called off.
    Closed(QueueId, ClosedReason, Option<u32>),
    /// A callback takes units of an agent's capacity.
    Holds(AgentId, u32),
    /// It doesn't any more.
    Releases(AgentId, u32),
    /// An agent stands so now.
    Stands(AgentId, Standing),
    /// An agent has a session, or none.
    Connected(AgentId, bool),
    /// An agent was removed.
    Removed(AgentId),
    /// A queue was removed.
    QueueRemoved(QueueId),
}

/// What a step says that is measured. `settings`: a queue's, as they are now.
pub fn facts(
    now: Timestamp,
    changes: &[Change],
    events: &[Event],
    settings: impl Fn(&QueueId) -> Arc<QueueSettings>,
) -> Vec<Fact> {
    let mut facts = Vec::new();
    let ended: Vec<&Interaction> = changes
        .iter()
        .filter_map(|change| match change {
            Change::Interaction { interaction, .. } => Some(&**interaction),
            _ => None,
        })
        .collect();
    for change in changes {
        match change {
            Change::Callback { before, after } => {
                let step = Step { now, before: before.as_deref(), after, ended: &ended };
                step.told(events, &mut facts);
                step.compared(&settings, &mut facts);
            }
            Change::Agent(agent) => {
                facts.push(Fact::Stands(agent.settings.id.clone(), Standing::of(agent)));
            }
            Change::AgentRemoved(id) => facts.push(Fact::Removed(id.clone())),
            Change::QueueRemoved(id) => facts.push(Fact::QueueRemoved(id.clone())),
            Change::Request { .. }
            | Change::Interaction { .. }
            | Change::Denied(..)
            | Change::Key(..)
            | Change::Queue(_)
            | Change::Outbox(_)
            | Change::Webhook(_)
            | Change::Measured(_) => {}
        }
    }
    facts.extend(events.iter().filter_map(of_agent));
    facts
}

fn of_agent(event: &Event) -> Option<Fact> {
    let Event::Agent(agent, event) = event else { return None };
    match event {
        AgentEvent::Connected { .. } => Some(Fact::Connected(agent.clone(), true)),
        AgentEvent::Disconnected { remaining, .. } => {
            Some(Fact::Connected(agent.clone(), *remaining > 0))
        }
        AgentEvent::PresenceChanged { .. } => None,
    }
}

/// A callback's step.
struct Step<'a> {
    now: Timestamp,
    before: Option<&'a Callback>,
    after: &'a Callback,
    /// Interactions that left the record.
    ended: &'a [&'a Interaction],
}

impl Step<'_> {
    /// What its events tell.
    fn told(&self, events: &[Event], facts: &mut Vec<Fact>) {
        let queue = &self.after.queue;
        // An offer that ends by a transfer was one of the queue that it leaves.
        let offered_in = self.before.map_or(queue, |before| &before.queue);
        let mut offer = |queue: &QueueId, agent: &AgentId, step| {
            facts.push(Fact::Offer(queue.clone(), agent.clone(), step));
        };
        for event in events {
            let Event::Callback(_, event) = event else { continue };
            match event {
                CallbackEvent::Offered { agent, .. } => offer(queue, agent, OfferStep::Made),
                CallbackEvent::Accepted { agent, .. } => offer(queue, agent, OfferStep::Accepted),
                CallbackEvent::Declined { agent, .. } => {
                    offer(offered_in, agent, OfferStep::Declined);
                }
                CallbackEvent::OfferExpired { agent, .. } => {
                    offer(offered_in, agent, OfferStep::Missed);
                }
                CallbackEvent::OfferRevoked { agent, .. } => {
                    offer(offered_in, agent, OfferStep::Revoked);
                }
                CallbackEvent::Created { .. }
                | CallbackEvent::Rescheduled { .. }
                | CallbackEvent::Canceled { .. }
                | CallbackEvent::Queued { .. }
                | CallbackEvent::Assigned { .. }
                | CallbackEvent::Unassigned { .. }
                | CallbackEvent::Calling { .. }
                | CallbackEvent::Answered { .. }
                | CallbackEvent::CallEnded { .. }
                | CallbackEvent::RetryScheduled { .. }
                | CallbackEvent::Requeued { .. }
                | CallbackEvent::Updated { .. }
                | CallbackEvent::Unroutable { .. }
                | CallbackEvent::Stuck { .. }
                | CallbackEvent::CarriedOver { .. }
                | CallbackEvent::ScheduleConflict { .. }
                | CallbackEvent::PromiseBroken { .. }
                | CallbackEvent::MeetingReady { .. }
                | CallbackEvent::Closed { .. } => {}
            }
        }
    }

    /// What is seen by comparing.
    fn compared(&self, settings: &impl Fn(&QueueId) -> Arc<QueueSettings>, facts: &mut Vec<Fact>) {
        let (before, after, queue) = (self.before, self.after, &self.after.queue);
        if before.is_none() {
            let (channel, kind, medium) = (after.channel, after.kind, after.medium);
            facts.push(Fact::Created(queue.clone(), channel, kind, medium));
        }
        self.capacity(facts);
        let interaction = |one: &Callback| one.interaction().map(|it| it.id);
        let is_new = interaction(after).is_some_and(|id| before.and_then(interaction) != Some(id));
        if is_new && !matches!(after.phase, Phase::Calling { .. }) {
            facts.push(Fact::Queued(queue.clone()));
        }
        let was_promised = before.is_some_and(|before| before.promise_broken);
        if after.promise_broken && !was_promised {
            facts.push(Fact::Promise(queue.clone(), false));
        }
        let called = matches!(after.phase, Phase::Calling { .. })
            && before.is_some_and(Callback::awaits_its_call);
        if called && !after.promise_broken {
            let windowed = || settings(queue).promise_window_minutes.is_some();
            if after.kind == CallbackType::Scheduled || windowed() {
                facts.push(Fact::Promise(queue.clone(), true));
            }
        }
        let called_before = before.and_then(|before| before.first_called_at);
        if let (None, Some(at)) = (called_before, after.first_called_at) {
            self.first_called(at, &settings(queue), facts);
        }
        self.calls(facts);
        if let Phase::Ended { state, reason, .. } = &after.phase
            && !before.is_some_and(|before| before.state().is_final())
        {
            let called_off = *state == FinalState::Canceled;
            if !called_off && after.first_called_at.is_none() {
                facts.push(Fact::NeverCalled(queue.clone(), after.kind));
            }
            let attempts = (!called_off).then_some(after.attempts);
            facts.push(Fact::Closed(queue.clone(), *reason, attempts));
        }
    }

    fn first_called(&self, at: Timestamp, settings: &QueueSettings, facts: &mut Vec<Fact>) {
        let after = self.after;
        let wait = at.since(after.queued_since.unwrap_or(after.created_at)).max(Span::ZERO);
        let start = after.booking.as_ref().map(|booking| booking.start);
        let in_time = match (after.kind, start) {
            (CallbackType::Scheduled, Some(start)) => {
                at <= start + Span::seconds(settings.on_time_seconds)
            }
            (CallbackType::Scheduled | CallbackType::Asap, _) => {
                wait <= Span::seconds(settings.service_level_seconds)
            }
        };
        let (queue, kind) = (after.queue.clone(), after.kind);
        facts.push(Fact::FirstCalled { queue, kind, wait, in_time });
    }

    /// Whose capacity it takes.
    fn capacity(&self, facts: &mut Vec<Fact>) {
        let held = |one: &Callback| one.holder().cloned().map(|agent| (agent, one.size));
        let (was, is) = (self.before.and_then(held), held(self.after));
        if was != is {
            facts.extend(was.map(|(agent, size)| Fact::Releases(agent, size)));
            facts.extend(is.map(|(agent, size)| Fact::Holds(agent, size)));
        }
    }

    /// Calls that began, turned out otherwise, or are over.
    fn calls(&self, facts: &mut Vec<Fact>) {
        let was = self.before.and_then(calling);
        let is = calling(self.after);
        let id = |call: Option<(&Interaction, &AgentId)>| call.map(|(call, _)| call.id);
        if let Some((call, agent)) = is.filter(|_| id(was) != id(is)) {
            facts.push(Fact::Called(self.after.queue.clone(), agent.clone()));
            self.turned_out(None, call, agent, facts);
        }
        let (Some(before), Some((call, agent))) = (self.before, was) else { return };
        self.turned_out(call.outcome, self.newest(call.id).unwrap_or(call), agent, facts);
        let goes_on = is.is_some_and(|(after, holder)| after.id == call.id && holder == agent);
        let from = call.accepted_at.or(call.called_at);
        if let Some(from) = from.filter(|_| !goes_on) {
            let took = self.now.since(from).max(Span::ZERO);
            facts.push(Fact::Handled(before.queue.clone(), agent.clone(), took));
        }
    }

    /// A call's outcome was `before`, and may be another one now.
    fn turned_out(
        &self,
        before: Option<Outcome>,
        call: &Interaction,
        agent: &AgentId,
        facts: &mut Vec<Fact>,
    ) {
        let reached = call.outcome == Some(Outcome::Answered);
        let changed = reached != (before == Some(Outcome::Answered));
        if let Some(called_at) = call.called_at.filter(|_| changed) {
            let queue = self.before.map_or(&self.after.queue, |before| &before.queue).clone();
            facts.push(Fact::Reached { queue, agent: agent.clone(), called_at, reached });
        }
    }

    /// An interaction as it is after the step.
    fn newest(&self, id: InteractionId) -> Option<&Interaction> {
        let live = self.after.interaction().filter(|one| one.id == id);
        live.or_else(|| self.ended.iter().copied().find(|one| one.id == id))
    }
}

/// The call that an agent makes or writes up.
fn calling(callback: &Callback) -> Option<(&Interaction, &AgentId)> {
    match &callback.phase {
        Phase::Calling { interaction, assignment, .. }
        | Phase::WrapUp { interaction, assignment, .. } => Some((interaction, &assignment.agent)),
        Phase::Open { .. }
        | Phase::Queued { .. }
        | Phase::Offered { .. }
        | Phase::Accepted { .. }
        | Phase::Ended { .. } => None,
    }
}
