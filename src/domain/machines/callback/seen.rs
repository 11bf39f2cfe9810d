//! What a callback's queue learns about waiting from a step: seen by comparing before and after.

use crate::domain::callback::{Callback, CallbackType, Phase, State};
use crate::domain::effect::Outbox;
use crate::domain::ids::AgentId;
use crate::domain::message::{Letter, QueueMessage, Seen};
use crate::domain::time::{Now, Timestamp};

/// Told before the queue hears that it has left, or is there.
pub(super) fn tell_seen(now: &Now, before: Option<&Callback>, after: &Callback, out: &mut Outbox) {
    let Some(before) = before else { return };
    if let (None, Some(at)) = (before.first_called_at, after.first_called_at) {
        let asked_at = (after.kind == CallbackType::Asap)
            .then(|| after.queued_since.unwrap_or_default().max(after.created_at));
        let seen = Seen::FirstCalled { at, asked_at, told: after.told };
        out.send(Letter::Queue(after.queue.clone(), QueueMessage::Seen(seen)));
    }
    let mut tell = |seen| {
        out.send(Letter::Queue(before.queue.clone(), QueueMessage::Seen(seen)));
    };
    if let Some((agent, since)) = called_for(before)
        && after.assigned_agent() != Some(agent)
    {
        tell(Seen::Served { service: now.wall.since(since) });
    }
    if matches!(before.state(), State::Queued | State::Offered) && after.gave_up() {
        tell(Seen::GaveUp);
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
