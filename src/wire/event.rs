//! Events as JSON: the same in history, on the event stream and in webhooks.

use serde::Serialize;
use serde_json::{Value, json};

use super::instant::Instant;
use crate::domain::callback::{FinalState, OpenReason, Unroutable};
use crate::domain::civil::format_rfc3339;
use crate::domain::event::{AgentEvent, By, CallbackEvent, Event, QueueEvent};
use crate::domain::ids::{AgentId, WorkspaceId};
use crate::domain::queue::Halves;
use crate::domain::time::Timestamp;
use crate::engine::library::StoredEvent;

/// An event, ready to be written.
#[derive(Debug, Serialize)]
pub struct EventBody<'a> {
    id: u64,
    #[serde(rename = "type")]
    kind: &'static str,
    at: Instant,
    workspace: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    callback_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    agent_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    queue_id: Option<&'a str>,
    data: Value,
}

impl<'a> EventBody<'a> {
    /// The event, as its workspace tells it.
    pub fn new(stored: &'a StoredEvent, workspace: &'a WorkspaceId) -> Self {
        let (mut callback_id, mut agent_id, mut queue_id) = (None, None, None);
        let data = match &stored.event {
            Event::Callback(id, event) => {
                callback_id = Some(id.to_string());
                callback_data(event)
            }
            Event::Agent(id, event) => {
                agent_id = Some(id.as_str());
                agent_data(event)
            }
            Event::Queue(id, event) => {
                queue_id = Some(id.as_str());
                queue_data(event)
            }
        };
        Self {
            id: stored.id,
            kind: stored.event.name(),
            at: Instant(stored.at),
            workspace: workspace.as_str(),
            callback_id,
            agent_id,
            queue_id,
            data,
        }
    }
}

/// What tells of agents, in the data of a callback's events.
const OF_AGENTS: [&str; 2] = ["agent_id", "preferred_agent"];

/// The event whose reason is an agent's own.
const DECLINED: &str = "callback.declined";

impl EventBody<'_> {
    /// Without what tells of agents: for channels, who don't see them in callbacks either.
    #[must_use]
    pub fn without_agents(mut self) -> Self {
        if let Value::Object(data) = &mut self.data {
            data.retain(|name, _| !OF_AGENTS.contains(&name.as_str()));
            // Why an agent declined is between them and their supervisors.
            if self.kind == DECLINED {
                data.remove("reason");
            }
        }
        self
    }
}

fn callback_data(event: &CallbackEvent) -> Value {
    match event {
        CallbackEvent::Created { queue, kind, medium, start, by } => json!({
            "queue": queue.as_str(), "type": kind.as_str(), "medium": medium.as_str(),
            "start": instant(*start), "by": by.as_str(), "agent_id": by_agent(by),
        }),
        CallbackEvent::Rescheduled { start, by } => json!({
            "start": instant(*start), "by": by.as_str(), "agent_id": by_agent(by),
        }),
        CallbackEvent::Canceled { reason, text, by } => json!({
            "closed_reason": reason.as_str(), "cancel_reason": text,
            "by": by.as_str(), "agent_id": by_agent(by),
        }),
        CallbackEvent::Queued { interaction, queued_since } => json!({
            "interaction_id": interaction.to_string(),
            "queued_since": format_rfc3339(*queued_since),
        }),
        CallbackEvent::Updated { by, fields } => json!({
            "by": by.as_str(), "agent_id": by_agent(by), "fields": fields,
        }),
        CallbackEvent::Unroutable { reason } => {
            json!({"reason": reason.as_ref().map(Unroutable::to_text)})
        }
        CallbackEvent::Stuck { offers_lost } => json!({"offers_lost": offers_lost}),
        CallbackEvent::CarriedOver { due, why } => json!({
            "next_attempt_at": format_rfc3339(*due), "reason": open_reason(*why),
        }),
        CallbackEvent::ScheduleConflict { start, next_open } => json!({
            "start": format_rfc3339(*start), "next_open_at": instant(*next_open),
        }),
        CallbackEvent::PromiseBroken { promised_by } => {
            json!({"promised_by": format_rfc3339(*promised_by)})
        }
        CallbackEvent::MeetingReady { provider, join_url } => {
            json!({"provider": provider.as_str(), "join_url": join_url})
        }
        CallbackEvent::Closed { state, reason, disposition, by } => json!({
            "state": final_state(*state), "closed_reason": reason.as_str(),
            "disposition": disposition, "by": by.as_str(), "agent_id": by_agent(by),
        }),
        CallbackEvent::Offered { .. }
        | CallbackEvent::Accepted { .. }
        | CallbackEvent::Declined { .. }
        | CallbackEvent::OfferExpired { .. }
        | CallbackEvent::OfferRevoked { .. }
        | CallbackEvent::Assigned { .. }
        | CallbackEvent::Unassigned { .. }
        | CallbackEvent::Calling { .. }
        | CallbackEvent::Answered { .. }
        | CallbackEvent::CallEnded { .. }
        | CallbackEvent::RetryScheduled { .. }
        | CallbackEvent::Requeued { .. } => handling_data(event),
    }
}

/// Events in which an agent has a part.
fn handling_data(event: &CallbackEvent) -> Value {
    match event {
        CallbackEvent::Offered { offer, agent, expires_at } => json!({
            "offer_id": offer.to_string(), "agent_id": agent.as_str(),
            "expires_at": format_rfc3339(*expires_at),
        }),
        CallbackEvent::Accepted { offer, agent } | CallbackEvent::OfferExpired { offer, agent } => {
            json!({"offer_id": offer.to_string(), "agent_id": agent.as_str()})
        }
        CallbackEvent::Declined { offer, agent, reason } => json!({
            "offer_id": offer.to_string(), "agent_id": agent.as_str(), "reason": reason,
        }),
        CallbackEvent::OfferRevoked { offer, agent, reason } => json!({
            "offer_id": offer.to_string(), "agent_id": agent.as_str(), "reason": reason.as_str(),
        }),
        CallbackEvent::Assigned { agent, by } => {
            json!({"agent_id": agent.as_str(), "by": by.as_str()})
        }
        CallbackEvent::Unassigned { agent, reason } => {
            json!({"agent_id": agent.as_str(), "reason": reason.as_str()})
        }
        CallbackEvent::Calling { agent, attempt } => {
            json!({"agent_id": agent.as_str(), "attempt": attempt})
        }
        CallbackEvent::Answered { agent } => json!({"agent_id": agent.as_str()}),
        CallbackEvent::CallEnded { agent, outcome } => {
            json!({"agent_id": agent.as_str(), "outcome": outcome.as_str()})
        }
        CallbackEvent::RetryScheduled { at, attempts, by } => json!({
            "next_attempt_at": format_rfc3339(*at), "attempts": attempts,
            "by": by.as_str(), "agent_id": by_agent(by),
        }),
        CallbackEvent::Requeued { queue, agent, by } => json!({
            "queue": queue.as_str(), "preferred_agent": agent.as_ref().map(AgentId::as_str),
            "by": by.as_str(), "agent_id": by_agent(by),
        }),
        CallbackEvent::Created { .. }
        | CallbackEvent::Rescheduled { .. }
        | CallbackEvent::Canceled { .. }
        | CallbackEvent::Queued { .. }
        | CallbackEvent::Updated { .. }
        | CallbackEvent::Unroutable { .. }
        | CallbackEvent::Stuck { .. }
        | CallbackEvent::CarriedOver { .. }
        | CallbackEvent::ScheduleConflict { .. }
        | CallbackEvent::PromiseBroken { .. }
        | CallbackEvent::MeetingReady { .. }
        | CallbackEvent::Closed { .. } => unreachable!("`callback_data` tells these itself"),
    }
}

fn agent_data(event: &AgentEvent) -> Value {
    match event {
        AgentEvent::Connected { session } => json!({"session_id": session.to_string()}),
        AgentEvent::Disconnected { session, remaining } => {
            json!({"session_id": session.to_string(), "remaining": remaining})
        }
        AgentEvent::PresenceChanged { presence, reason, by } => json!({
            "presence": presence.as_str(), "reason": reason, "by": by.as_str(),
        }),
    }
}

fn queue_data(event: &QueueEvent) -> Value {
    match event {
        QueueEvent::Paused { halves: Halves { intake, offers }, reason, until } => json!({
            "intake": intake, "offers": offers, "reason": reason, "until": instant(*until),
        }),
        QueueEvent::Resumed { halves: Halves { intake, offers } } => {
            json!({"intake": intake, "offers": offers})
        }
    }
}

fn instant(at: Option<Timestamp>) -> Option<String> {
    at.map(format_rfc3339)
}

fn by_agent(by: &By) -> Option<&str> {
    match by {
        By::Agent(agent) => Some(agent.as_str()),
        By::Customer | By::Channel | By::Supervisor | By::Engine => None,
    }
}

const fn open_reason(why: OpenReason) -> &'static str {
    match why {
        OpenReason::Booked => "booked",
        OpenReason::Retry => "retry",
        OpenReason::Opening => "opening",
        OpenReason::CarriedOver => "carried_over",
    }
}

const fn final_state(state: FinalState) -> &'static str {
    match state {
        FinalState::ClosedComplete => "closed_complete",
        FinalState::ClosedAbandoned => "closed_abandoned",
        FinalState::Canceled => "canceled",
    }
}

#[cfg(test)]
mod tests;
