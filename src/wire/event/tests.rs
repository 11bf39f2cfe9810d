//! Events' shape: the members that all of them have, and their data.

use serde_json::json;

use super::*;
use crate::domain::agent::{AssignedBy, Presence, PresenceBy, RevokeReason, UnassignReason};
use crate::domain::callback::{CallbackType, ClosedReason, Outcome};
use crate::domain::ids::{CallbackId, InteractionId, OfferId, QueueId, SessionId};
use crate::domain::policy::Medium;
use crate::wire::samples::{NOW, agent, at};

fn told(event: Event) -> Value {
    let stored = StoredEvent { id: 65, at: at(NOW), event };
    let workspace = WorkspaceId::parse("main").expect("an id");
    serde_json::to_value(EventBody::new(&stored, &workspace)).expect("an event")
}

/// One of each of a callback's events.
fn callback_events() -> Vec<CallbackEvent> {
    let (offer, mara, by) = (OfferId(9), agent("mara"), By::Agent(agent("mara")));
    let queue = QueueId::parse("billing").expect("an id");
    let reason = Some("busy".to_owned());
    vec![
        CallbackEvent::Created {
            queue: queue.clone(),
            kind: CallbackType::Asap,
            medium: Medium::Voice,
            start: None,
            by: by.clone(),
        },
        CallbackEvent::Rescheduled { start: Some(at(NOW)), by: by.clone() },
        CallbackEvent::Canceled { reason: ClosedReason::ByCustomer, text: None, by: By::Customer },
        CallbackEvent::Queued { interaction: InteractionId(1), queued_since: at(NOW) },
        CallbackEvent::Offered { offer, agent: mara.clone(), expires_at: at(NOW) },
        CallbackEvent::Accepted { offer, agent: mara.clone() },
        CallbackEvent::Declined { offer, agent: mara.clone(), reason },
        CallbackEvent::OfferExpired { offer, agent: mara.clone() },
        CallbackEvent::OfferRevoked { offer, agent: mara.clone(), reason: RevokeReason::Canceled },
        CallbackEvent::Assigned { agent: mara.clone(), by: AssignedBy::Accept },
        CallbackEvent::Unassigned { agent: mara.clone(), reason: UnassignReason::Closed },
        CallbackEvent::Calling { agent: mara.clone(), attempt: 1 },
        CallbackEvent::Answered { agent: mara.clone() },
        CallbackEvent::CallEnded { agent: mara.clone(), outcome: Outcome::Busy },
        CallbackEvent::RetryScheduled { at: at(NOW), attempts: 1, by: By::Engine },
        CallbackEvent::Requeued { queue, agent: Some(mara), by },
        CallbackEvent::Updated { by: By::Supervisor, fields: vec!["priority".to_owned()] },
        CallbackEvent::Unroutable { reason: Some(Unroutable::TooLarge) },
        CallbackEvent::Stuck { offers_lost: 8 },
        CallbackEvent::CarriedOver { due: at(NOW), why: OpenReason::CarriedOver },
        CallbackEvent::ScheduleConflict { start: at(NOW), next_open: None },
        CallbackEvent::PromiseBroken { promised_by: at(NOW) },
        CallbackEvent::Closed {
            state: FinalState::ClosedComplete,
            reason: ClosedReason::Reached,
            disposition: Some("settled".to_owned()),
            by: By::Engine,
        },
    ]
}

#[test]
fn every_event_of_a_callback_has_the_same_frame() {
    for event in callback_events() {
        let name = event.name();
        let told = told(Event::Callback(CallbackId(1), event));
        assert_eq!(told["type"], name);
        assert_eq!(told["id"], 65);
        assert_eq!(told["at"], NOW);
        assert_eq!(told["workspace"], "main");
        assert_eq!(told["callback_id"], "00000000-0000-0000-0000-000000000001");
        assert!(told.get("agent_id").is_none() && told.get("queue_id").is_none());
        assert!(!told["data"].as_object().expect("an object").is_empty(), "{name}");
    }
}

#[test]
fn events_of_agents_and_queues_name_whose_they_are() {
    let presence = AgentEvent::PresenceChanged {
        presence: Presence::Away,
        reason: Some("no_response".to_owned()),
        by: PresenceBy::Engine,
    };
    let told_agent = told(Event::Agent(agent("mara"), presence));
    assert_eq!(told_agent["agent_id"], "mara");
    assert_eq!(
        told_agent["data"],
        json!({"presence": "away", "reason": "no_response", "by": "engine"})
    );
    for event in [
        AgentEvent::Connected { session: SessionId(1) },
        AgentEvent::Disconnected { session: SessionId(1), remaining: 0 },
    ] {
        let told = told(Event::Agent(agent("mara"), event));
        assert_eq!(told["data"]["session_id"], "00000000-0000-0000-0000-000000000001");
    }
    let queue = QueueId::parse("billing").expect("an id");
    let halves = Halves { intake: true, offers: false };
    let paused = QueueEvent::Paused { halves, reason: None, until: None };
    let told_queue = told(Event::Queue(queue.clone(), paused));
    assert_eq!(
        (&told_queue["queue_id"], &told_queue["type"]),
        (&json!("billing"), &json!("queue.paused"))
    );
    let resumed = QueueEvent::Resumed { halves };
    let data = &told(Event::Queue(queue, resumed))["data"];
    assert_eq!(*data, json!({"intake": true, "offers": false}));
}

#[test]
fn channels_are_told_nothing_of_agents() {
    let workspace = WorkspaceId::parse("main").expect("an id");
    for event in callback_events() {
        let stored =
            StoredEvent { id: 65, at: at(NOW), event: Event::Callback(CallbackId(1), event) };
        let body = EventBody::new(&stored, &workspace).without_agents();
        let text = serde_json::to_string(&body).expect("an event");
        let is_private = text.contains("mara") || text.contains("\"reason\":\"busy\"");
        assert!(!is_private, "{text}");
    }
}
