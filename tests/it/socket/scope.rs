//! Whose a callback is: what an agent of another queue is told of it, and one who held it once.

use serde_json::{Value, json};

use super::desk::Desk;
use super::{id, look, number, presence, start, wait_until};
use crate::server::{Answer, Server, send};

/// Puts an agent into these queues.
fn serves(server: &Server, agent: &str, queues: &Value) {
    let put = server.put(&format!("/v1/agents/{agent}"), "admin-key", &json!({"queues": queues}));
    assert_eq!(put.status, 200, "{}", put.body);
}

fn post(server: &Server, callback: &Value, action: &str, key: &str, body: &Value) -> Answer {
    server.post(&format!("/v1/callbacks/{}/{action}", id(callback)), key, body)
}

/// A callback that mara has, and hasn't called.
fn assigned(server: &Server) -> (Desk, Value) {
    let mut mara = Desk::ready(server, "mara-key-1");
    let made = server.callback(&number(1));
    let offer = mara.expect("callback.offered")["offer_id"].clone();
    mara.does(&json!({"id": 1, "type": "accept", "offer_id": offer}));
    mara.expect("callback.assigned");
    (mara, made)
}

#[test]
fn a_frame_is_refused_as_the_request_would_be() {
    let server = start("", "");
    let (mut mara, made) = assigned(&server);
    // What is sent back stays in line.
    mara.does(&presence(2, "away"));
    let mut tom = Desk::connect(&server, "tom-key-1");
    tom.expect("welcome");
    let mut refused = |action: &str, fields: &Value, status: u16, name: &str| {
        let over_http = post(&server, &made, action, "tom-key-1", fields);
        let problem = over_http.is_problem(status, name);
        let mut frame = fields.clone();
        frame["id"] = json!(1);
        frame["type"] = json!(action);
        frame["callback_id"] = made["id"].clone();
        assert_eq!(tom.fails(&frame, name), *problem, "{action}");
    };
    let far = json!({"at": "2037-11-24T15:00:00Z"});
    // Of his queue, and another agent's: his to see, whatever he says of it.
    refused("call", &json!({}), 403, "forbidden");
    refused("outcome", &json!({"outcome": "talked"}), 403, "forbidden");
    refused("retry", &far, 403, "forbidden");
    // Of a queue that isn't his, it isn't there.
    serves(&server, "tom", &json!([]));
    refused("call", &json!({}), 404, "not-found");
    refused("outcome", &json!({"outcome": "talked"}), 404, "not-found");
    refused("requeue", &json!({"rank": 1}), 404, "not-found");
    // What can't be taken is told before what can't be done.
    serves(&server, "tom", &json!(["billing"]));
    assert_eq!(post(&server, &made, "requeue", "lead-key-1", &json!({})).status, 200);
    refused("retry", &far, 422, "invalid");
    refused("close", &json!({"disposition": "unlisted"}), 422, "invalid");
    refused("end_call", &json!({"notes": 1}), 422, "invalid");
    refused("call", &json!({}), 409, "illegal-transition");
}

#[test]
fn whoever_held_a_callback_goes_on_seeing_it() {
    let server = start("", "");
    let (mut mara, made) = assigned(&server);
    let path = format!("/v1/callbacks/{}", id(&made));
    let requeue = || {
        let request = server.request("POST", &format!("{path}/requeue"), "mara-key-1");
        send(request.header("Idempotency-Key", "away").json(&json!({})))
    };
    let first = requeue();
    assert_eq!((first.status, &first.body["state"]), (200, &json!("queued")), "{}", first.body);
    mara.expect("callback.unassigned");
    // Uncalled, it says nothing of her any more; nor does she serve its queue.
    serves(&server, "mara", &json!([]));
    let again = requeue();
    assert_eq!((again.header("idempotent-replayed"), &again.body), (Some("true"), &first.body));
    let repeated = post(&server, &made, "requeue", "mara-key-1", &json!({}));
    assert_eq!(repeated.status, 200, "{}", repeated.body);
    mara.does(&json!({"id": 2, "type": "requeue", "callback_id": made["id"]}));
    for place in ["", "/history", "/routing"] {
        let seen = server.get(&format!("{path}{place}"), "mara-key-1");
        assert_eq!(seen.status, 200, "{place} {}", seen.body);
    }
    for query in ["", "?queue=billing", "?state=active&sort=queued_since", "?phone=%2B49301230001"]
    {
        let list = server.get(&format!("/v1/callbacks{query}"), "mara-key-1").body;
        assert_eq!(list["items"][0]["id"], made["id"], "{query} {list}");
    }

    // Taken back by a supervisor, and held by another since.
    let lead = |action: &str, body: Value| {
        let done = post(&server, &made, action, "lead-key-1", &body);
        assert_eq!(done.status, 200, "{}", done.body);
    };
    let mut tom = Desk::ready(&server, "tom-key-1");
    tom.expect("callback.offered");
    lead("assign", json!({"agent_id": "tom"}));
    lead("requeue", json!({}));
    wait_until("it is back", || look(&server, &made)["assigned_agent"] == Value::Null);
    serves(&server, "tom", &json!([]));
    for key in ["mara-key-1", "tom-key-1"] {
        assert_eq!(server.get(&path, key).status, 200, "{key}");
    }
    // Who never had another sees nothing of it.
    let other = server.callback(&number(2));
    let hidden = server.get(&format!("/v1/callbacks/{}", id(&other)), "mara-key-1");
    hidden.is_problem(404, "not-found");
    let list = server.get("/v1/callbacks", "mara-key-1").body;
    assert_eq!(list["items"].as_array().map(Vec::len), Some(1), "{list}");
}
