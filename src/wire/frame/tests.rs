//! The server's frames, held against the document of the socket.

use serde_json::{Value, json};

use super::*;
use crate::domain::refusal::Refusal;
use crate::wire::callback::{RenderContext, View};
use crate::wire::samples::{NOW, agent, at, billing, offered};

fn sent(frame: &ServerFrame<'_>) -> Value {
    serde_json::from_str(&frame.to_text(at(NOW))).expect("JSON")
}

#[test]
fn answers_carry_the_clients_id_as_it_was() {
    for (id, printed) in
        [(FrameId::Number(7), json!(7)), (FrameId::Text("a\"b".to_owned()), json!("a\"b"))]
    {
        assert_eq!(
            sent(&ServerFrame::Ack { id: &id }),
            json!({"type": "ack", "id": printed, "at": NOW})
        );
        assert_eq!(sent(&ServerFrame::Pong { id: &id })["id"], printed);
    }
    let problem = Problem::from(Refusal::OfferNotPending);
    let error = sent(&ServerFrame::Error { id: None, problem: &problem });
    assert_eq!(error["type"], "error");
    assert_eq!(error["id"], Value::Null);
    assert_eq!(error["problem"]["type"], "/problems/offer-not-pending");
    assert_eq!(error["problem"]["status"], 409);
}

#[test]
fn small_frames_have_their_fields() {
    let (callback, offer) = (CallbackId(1), OfferId(2));
    let revoked = ServerFrame::offer_revoked(callback, offer, RevokeReason::SessionLost);
    assert_eq!(
        sent(&revoked),
        json!({
            "type": "callback.offer_revoked", "at": NOW, "reason": "session_lost",
            "offer_id": "00000000-0000-0000-0000-000000000002",
            "callback_id": "00000000-0000-0000-0000-000000000001",
        })
    );
    let declined = sent(&ServerFrame::offer_declined(callback, offer));
    assert_eq!(
        (&declined["type"], &declined["reason"]),
        (&json!("callback.offer_revoked"), &json!("declined"))
    );
    let expired = sent(&ServerFrame::offer_expired(callback, offer));
    assert_eq!(expired["type"], "callback.offer_expired");
    assert_eq!(expired["reason"], "no_response");
    let gone = sent(&ServerFrame::unassigned(callback, UnassignReason::NoCall));
    assert_eq!(
        (&gone["type"], &gone["reason"]),
        (&json!("callback.unassigned"), &json!("no_call"))
    );
    let away = ServerFrame::presence_changed(Presence::Away, Some("lunch"), PresenceBy::Agent);
    assert_eq!(
        sent(&away),
        json!({
            "type": "agent.presence_changed", "presence": "away", "reason": "lunch",
            "by": "agent", "at": NOW,
        })
    );
    let queue = QueueId::parse("billing").expect("an id");
    let since = at("2026-11-24T12:59:18.500Z");
    let line = ServerFrame::queue_updated(&queue, 3, Some(since), at(NOW));
    assert_eq!(
        sent(&line),
        json!({
            "type": "queue.updated", "queue": "billing", "waiting": 3,
            "oldest_wait_seconds": 41, "at": NOW,
        })
    );
    let empty = sent(&ServerFrame::queue_updated(&queue, 0, None, at(NOW)));
    assert_eq!(empty["oldest_wait_seconds"], Value::Null);
}

#[test]
fn an_offer_comes_with_its_callback_and_context() {
    let (full, queue, links) = (offered(), billing(), Links::new());
    let shown = || {
        let frame = RenderContext {
            view: View::Inside,
            queue: Some(&queue),
            links: &links,
            at: at(NOW),
            lost: None,
            position: None,
            estimated_wait_seconds: None,
            omit_context: false,
        };
        CallbackBody::new(&full, frame)
    };
    let offer = OfferBody::new(&full.callback, shown()).expect("it is offered");
    let told = sent(&ServerFrame::Offered(offer));
    assert_eq!(told["type"], "callback.offered");
    assert_eq!(told["offer_id"], "00000000-0000-0000-0000-000000000009");
    assert_eq!(told["expires_at"], "2026-11-24T13:00:30Z");
    assert_eq!(told["at"], NOW);
    assert_eq!(told["callback"]["context"]["searches"][0]["query"], "refund");
    assert_eq!(told["callback"]["offered_to"], "mara");
    let assigned = sent(&ServerFrame::assigned(shown(), AssignedBy::Claim));
    assert_eq!(
        (&assigned["type"], &assigned["by"]),
        (&json!("callback.assigned"), &json!("claim"))
    );
    assert_eq!(assigned["callback"]["number"], "CB0001042");
    let updated = sent(&ServerFrame::Updated { callback: shown() });
    assert_eq!(updated["type"], "callback.updated");
}

#[test]
fn welcome_is_the_whole_truth() {
    let queue = billing();
    let settings = crate::domain::policy::AgentSettings {
        id: agent("mara"),
        name: "Mara Vogt".to_owned(),
        queues: Vec::new(),
        skills: crate::domain::skills::Skills::default(),
        capacity: crate::domain::policy::Capacity::default(),
    };
    let links = Links::from([("call".to_owned(), "tel:{phone}".to_owned())]);
    let told = sent(&ServerFrame::Welcome(WelcomeBody {
        session_id: SessionId(1),
        agent: AgentName::of(&settings),
        heartbeat_seconds: 10,
        presence: "away",
        reason: None,
        offers: Vec::new(),
        assignments: Vec::new(),
        queues: vec![WelcomeQueue::of(&queue, at(NOW))],
        presence_reasons: vec![ChoiceBody::of(&queue.settings.reasons[0])],
        links: &links,
    }));
    assert_eq!(
        told,
        json!({
            "type": "welcome", "at": NOW,
            "session_id": "00000000-0000-0000-0000-000000000001",
            "agent": {"id": "mara", "name": "Mara Vogt"},
            "heartbeat_seconds": 10, "presence": "away", "reason": null,
            "offers": [], "assignments": [],
            "queues": [{
                "id": "billing", "name": "Billing", "labels": {}, "media": ["voice"],
                "open": true,
                "reasons": [{"id": "invoice", "labels": {}}, {"id": "other", "labels": {}}],
                "decline_reasons": [], "dispositions": [], "wrap_up_seconds": 60,
            }],
            "presence_reasons": [{"id": "invoice", "labels": {}}],
            "links": {"call": "tel:{phone}"},
        })
    );
}
