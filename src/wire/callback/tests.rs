//! The shape of a callback, held against the document of the API.

use std::sync::Arc;

use serde_json::{Value, json};

use super::*;
use crate::wire::samples::{NOW, at, billing, body, offered, open};

/// The members that the document names, in its order.
const NAMES: [&str; 45] = [
    "queue",
    "type",
    "medium",
    "customer",
    "reason",
    "short_description",
    "description",
    "schedule",
    "origin",
    "context",
    "requirements",
    "preferred_agent",
    "priority",
    "size",
    "external_id",
    "max_attempts",
    "expire_after_minutes",
    "customer_agreed",
    "id",
    "number",
    "state",
    "version",
    "requested_by",
    "booked_by",
    "queued_since",
    "next_attempt_at",
    "expires_at",
    "promised_by",
    "next_deadline",
    "attempts",
    "offered_to",
    "assigned_agent",
    "unroutable",
    "meeting",
    "interactions",
    "disposition",
    "notes",
    "record_url",
    "canceled_by",
    "cancel_reason",
    "closed_reason",
    "created_at",
    "updated_at",
    "closed_at",
    "position",
];

fn text(full: &FullCallback, view: View) -> String {
    let links = Links::from([("case".to_owned(), "https://crm.example/{case_id}".to_owned())]);
    let queue = billing();
    let render = RenderContext {
        view,
        queue: Some(&queue),
        links: &links,
        at: at(NOW),
        lost: None,
        position: Some(2),
        estimated_wait_seconds: None,
        omit_context: false,
    };
    serde_json::to_string(&CallbackBody::new(full, render)).expect("a body")
}

fn shown(full: &FullCallback, view: View) -> Value {
    serde_json::from_str(&text(full, view)).expect("JSON")
}

#[test]
fn every_member_of_the_document_stands_there_in_its_order() {
    let text = text(&offered(), View::Inside);
    let mut from = 0;
    for name in &NAMES[..44] {
        let found = text[from..].find(&format!("\"{name}\":"));
        from += found.unwrap_or_else(|| panic!("{name} isn't where it should be"));
    }
    let value: Value = serde_json::from_str(&text).expect("JSON");
    let members = value.as_object().expect("an object");
    assert_eq!(members.len(), 44, "{:?}", members.keys());
}

#[test]
fn the_published_shape_has_the_same_members() {
    let schemas = include_str!("../../http/openapi/schemas.json");
    let schemas: Value = serde_json::from_str(schemas).expect("JSON");
    let told = schemas["Callback"]["properties"].as_object().expect("an object");
    let shown = shown(&offered(), View::Inside);
    for name in shown.as_object().expect("an object").keys() {
        assert!(told.contains_key(name), "{name}");
    }
    let only_at_times = [
        "position",
        "estimated_wait_seconds",
        "manage_token",
        "manage_url",
        "overbooked",
        "existing",
        "duplicates",
    ];
    assert_eq!(told.len(), 44 + only_at_times.len());
    assert!(only_at_times.iter().all(|name| told.contains_key(*name)));
    let asked = schemas["NewCallback"]["properties"].as_object().expect("an object");
    let sent: Vec<_> = body().as_object().expect("an object").keys().cloned().collect();
    assert_eq!(asked.keys().cloned().collect::<Vec<_>>(), sent);
}

#[test]
fn what_was_sent_comes_back() {
    let shown = shown(&open(), View::Outside);
    let sent = body();
    for (name, value) in sent.as_object().expect("an object") {
        // These two have more in the answer than in the request.
        if !["schedule", "origin"].contains(&name.as_str()) {
            assert_eq!(&shown[name], value, "{name}");
        }
    }
    assert_eq!(
        shown["schedule"],
        json!({
            "start": "2026-11-24T15:00:00Z", "end": "2026-11-24T15:15:00Z",
            "local_start": "2026-11-24T10:00", "time_zone": "America/New_York",
            "repeated": false,
        })
    );
    assert_eq!(shown["origin"]["case_id"], "CS0000042");
    assert_eq!(shown["origin"]["waiting_since"], Value::Null);
    assert_eq!(shown["record_url"], "https://crm.example/CS0000042");
    assert_eq!(shown["number"], "CB0001042");
    assert_eq!(shown["state"], "open");
    assert_eq!(shown["requested_by"], "customer");
    assert_eq!(shown["next_attempt_at"], "2026-11-24T14:59:00Z");
    assert_eq!(shown["next_deadline"], json!({"at": "2026-11-24T14:59:00Z", "action": "queue"}));
    assert_eq!(shown["promised_by"], "2026-11-24T15:05:00Z");
    // An hour after the slot's end, of which the queue is open until 17:00 UTC.
    assert_eq!(shown["expires_at"], "2026-11-24T16:15:00Z");
}

#[test]
fn customers_and_channels_get_nothing_that_is_agents_own() {
    let outside = text(&offered(), View::Outside);
    for secret in ["offered_to", "assigned_agent", "agent_id\":\"tom", "notes", "host_url"] {
        assert!(!outside.contains(secret), "{secret}");
    }
    for name in ["mara", "tom", "Rang out", "Be kind"] {
        let expected = usize::from(name == "mara");
        assert_eq!(
            outside.matches(&format!("\"{name}\"")).count(),
            expected,
            "only the agent asked for: {name}"
        );
    }
    let inside = shown(&offered(), View::Inside);
    assert_eq!(inside["offered_to"], "mara");
    assert_eq!(inside["notes"], "Be kind");
    assert_eq!(inside["interactions"][0]["agent_id"], "tom");
    assert_eq!(inside["interactions"][0]["notes"], "Rang out");
    assert_eq!(inside["interactions"][1]["state"], "offered");
}

#[test]
fn the_place_in_line_is_shown_while_queued_only() {
    let mut full = offered();
    assert_eq!(shown(&full, View::Inside).get("position"), None);
    let callback = Arc::make_mut(&mut full.callback);
    let interaction = callback.interaction().expect("a live one").clone();
    callback.phase = Phase::Queued { interaction: Box::new(interaction) };
    let shown = shown(&full, View::Outside);
    assert_eq!(shown["position"], 2);
    assert_eq!(shown["estimated_wait_seconds"], Value::Null);
    assert_eq!(shown["state"], "queued");
}

#[test]
fn an_ended_callback_says_how_and_has_no_deadline() {
    use crate::domain::callback::FinalState;

    let mut full = open();
    let callback = Arc::make_mut(&mut full.callback);
    callback.phase = Phase::Ended {
        state: FinalState::Canceled,
        reason: ClosedReason::ByAgent,
        at: at("2026-11-24T13:00:00.250Z"),
    };
    let shown = shown(&full, View::Inside);
    assert_eq!(shown["state"], "canceled");
    assert_eq!(shown["canceled_by"], "agent");
    assert_eq!(shown["closed_reason"], "by_agent");
    assert_eq!(shown["closed_at"], "2026-11-24T13:00:00.250Z");
    for name in ["next_deadline", "expires_at", "promised_by", "next_attempt_at"] {
        assert_eq!(shown[name], Value::Null, "{name}");
    }
}

#[test]
fn a_slow_client_gets_no_context_and_is_told_so() {
    let (full, queue, links) = (open(), billing(), Links::new());
    let render = RenderContext {
        view: View::Inside,
        queue: Some(&queue),
        links: &links,
        at: at(NOW),
        lost: None,
        position: None,
        estimated_wait_seconds: None,
        omit_context: true,
    };
    let body = serde_json::to_value(CallbackBody::new(&full, render)).expect("a body");
    assert_eq!(body["context_omitted"], true);
    assert_eq!(body.get("context"), None);
    assert_eq!(body["record_url"], Value::Null);
}

#[test]
fn numbers_have_seven_digits_at_least() {
    for (number, text) in [(1, "CB0000001"), (1042, "CB0001042"), (12_345_678, "CB12345678")] {
        assert_eq!(shown_number(number), text);
        assert_eq!(parse_number(text), Some(number));
    }
    for bad in ["", "CB", "1042", "CB1042", "cb0001042", "CB+001042", "CB00001042"] {
        assert_eq!(parse_number(bad), None, "{bad:?}");
    }
}
