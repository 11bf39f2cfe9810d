//! What a callback's queue learns about waiting from a step: seen by comparing before and after.

use super::CallbackMachine;
use crate::domain::callback::{Callback, Phase, State};
use crate::domain::effect::StepOutput;
use crate::domain::ids::{AgentId, QueueId};
use crate::domain::message::{Letter, QueueMessage, Seen};
use crate::domain::time::{Now, Timestamp};

impl CallbackMachine {
    /// Told before the queue hears that it has left, or is there.
    pub(super) fn tell_seen(
        &self,
        now: &Now,
        before: Option<&Callback>,
        after: &Callback,
        out: &mut StepOutput,
    ) {
        let Some(before) = before else { return };
        let mut tell = |queue: &QueueId, seen| {
            out.send(Letter::Queue(queue.clone(), QueueMessage::Seen(seen)));
        };
        if let (None, Some(at)) = (before.first_called_at, after.first_called_at) {
            let seen = Seen::FirstCalled { at, asked_at: after.asked_at(), told: after.told };
            tell(&after.queue, seen);
        }
        if let Some(seen) = self.promise_seen(before, after) {
            tell(&after.queue, seen);
        }
        if let Some((agent, since)) = called_for(before)
            && after.assigned_agent() != Some(agent)
        {
            tell(&before.queue, Seen::Served { service: now.wall.since(since) });
        }
        if matches!(before.state(), State::Queued | State::Offered) && after.gave_up() {
            tell(&before.queue, Seen::GaveUp);
        }
    }

    /// What became of a promise: broken once, when its time is over, else kept by the call.
    fn promise_seen(&self, before: &Callback, after: &Callback) -> Option<Seen> {
        if after.promise_broken {
            return (!before.promise_broken).then_some(Seen::PromiseBroken);
        }
        let called = before.awaits_its_call() && after.state() == State::Calling;
        self.promise.filter(|_| called).map(|_kept| Seen::PromiseKept)
    }
}

/// The agent who has called the customer, and since when they have it.
fn called_for(callback: &Callback) -> Option<(&AgentId, Timestamp)> {
    match &callback.phase {
        Phase::Calling { interaction, assignment, .. }
        | Phase::WrapUp { interaction, assignment, .. } => {
            let since = interaction.accepted_at.or(interaction.called_at)?;
            Some((&assignment.agent, since))
        }
        Phase::Open { .. }
        | Phase::Queued { .. }
        | Phase::Offered { .. }
        | Phase::Accepted { .. }
        | Phase::Ended { .. } => None,
    }
}
