//! A callback from request to close, every step of the agent's taken over HTTP; the socket is only
//! there to be offered something.

use serde_json::{Value, json};

use crate::server::{Answer, Server, Session, asap, send};

/// Waits on mara's socket for an offer, with her presence set over HTTP.
fn offer(server: &Server, body: &Value) -> (Value, String, Session) {
    let mut session = server.mara();
    let made = server.callback(body);
    let frame = session.wait_for("callback.offered");
    assert_eq!(frame["callback"]["id"], made["id"]);
    let offer = frame["offer_id"].as_str().expect("an id").to_owned();
    (made, offer, session)
}

fn act(server: &Server, made: &Value, action: &str, body: &Value) -> Answer {
    let id = made["id"].as_str().expect("an id");
    server.post(&format!("/v1/callbacks/{id}/{action}"), "mara-key-1", body)
}

#[test]
fn an_agent_takes_every_step_over_http() {
    let server = Server::start();
    let (made, offer, _socket) = offer(&server, &asap("030 123456"));
    assert_eq!(made["state"], "queued", "the answer shows the state after the request itself");
    let does = |action: &str, body: Value, state: &str| {
        let done = act(&server, &made, action, &body);
        assert_eq!((done.status, &done.body["state"]), (200, &json!(state)), "{}", done.body);
        done
    };
    let tom = server.post(
        &format!("/v1/callbacks/{}/accept", made["id"].as_str().expect("an id")),
        "tom-key-1",
        &json!({"offer_id": offer}),
    );
    tom.is_problem(404, "not-found");
    let status = || server.get("/v1/agents/mara/status", "lead-key-1").body;
    assert_eq!(
        (&status()["engagement"], &status()["assignments"]),
        (&json!("offered"), &json!([]))
    );
    let taken = does("accept", json!({"offer_id": offer}), "accepted");
    assert_eq!(status()["assignments"], json!([made["id"]]));
    assert_eq!(taken.body["assigned_agent"], "mara");
    assert_eq!(taken.body["next_deadline"]["action"], "requeue");
    let again = does("accept", json!({"offer_id": offer}), "accepted");
    assert_eq!(again.header("etag"), taken.header("etag"), "a second accept changes nothing");
    act(&server, &made, "decline", &json!({"offer_id": offer}))
        .is_problem(409, "offer-not-pending");

    // From here on the channel may add nothing, and a colleague still may do nothing.
    let path = format!("/v1/callbacks/{}", made["id"].as_str().expect("an id"));
    let late = server.patch(&path, "portal-key", &json!({"context": {}}));
    assert_eq!(late.is_problem(409, "illegal-transition")["action"], "patch");
    let text = server.patch(&path, "mara-key-1", &json!({"short_description": "Hers to change"}));
    assert_eq!(text.body["short_description"], "Hers to change", "{}", text.body);
    server.put("/v1/agents/kim", "admin-key", &json!({"queues": ["billing"]}));
    let lead = "lead-key-1";
    let called = does("call", json!({}), "calling");
    server
        .post(&format!("{path}/assign"), lead, &json!({"agent_id": "kim"}))
        .is_problem(409, "illegal-transition");
    assert_eq!(does("call", json!({}), "calling").header("etag"), called.header("etag"));
    act(&server, &made, "end_call", &json!({})).is_problem(409, "outcome-missing");
    act(&server, &made, "retry", &json!({})).is_problem(409, "illegal-transition");
    let far = act(&server, &made, "retry", &json!({"at": "2037-11-24T15:00:00Z"}));
    assert_eq!(far.pointers(), ["/at"], "beyond retry_days, whatever the state");
    does("outcome", json!({"outcome": "answered"}), "calling");
    let ended = does("end_call", json!({"notes": "Refund promised"}), "wrap_up");
    assert_eq!(ended.body["interactions"][0]["state"], "closed_complete");
    assert_eq!(ended.body["interactions"][0]["notes"], "Refund promised");
    let longer = does("extend_wrap_up", json!({"seconds": 60}), "wrap_up");
    assert!(
        longer.body["next_deadline"]["at"].as_str() > ended.body["next_deadline"]["at"].as_str()
    );
    let closed = does("close", json!({"disposition": "settled"}), "closed_complete");
    assert_eq!(closed.body["closed_reason"], "reached");
    assert_eq!(closed.body["attempts"], 1);
    let again = does("close", json!({"disposition": "settled"}), "closed_complete");
    assert_eq!(again.header("etag"), closed.header("etag"));
    act(&server, &made, "call", &json!({})).is_problem(409, "illegal-transition");

    // The customer sees how it ended, and nothing of who it was with.
    let link = made["manage_token"].as_str().expect("a token");
    let seen = server.get(&format!("/v1/callbacks/{}", made["id"].as_str().expect("id")), link);
    assert_eq!(seen.body["state"], "closed_complete");
    let text = seen.body.to_string();
    assert!(!text.contains("mara") && !text.contains("Refund promised"), "{text}");
}

#[test]
fn a_call_that_was_not_taken_is_tried_again() {
    let server = Server::start();
    let (made, offer, _socket) = offer(&server, &asap("030 123456"));
    act(&server, &made, "accept", &json!({"offer_id": offer}));
    act(&server, &made, "call", &json!({}));
    let busy = act(&server, &made, "outcome", &json!({"outcome": "busy", "notes": "Engaged"}));
    assert_eq!((&busy.body["state"], &busy.body["attempts"]), (&json!("wrap_up"), &json!(1)));
    let past = act(&server, &made, "retry", &json!({"at": "2020-01-01T00:00:00Z"}));
    assert_eq!(past.is_problem(422, "start-past")["errors"][0]["pointer"], "/at");
    let far = act(&server, &made, "retry", &json!({"at": "2037-11-24T15:00:00Z"}));
    assert_eq!(far.pointers(), ["/at"], "beyond retry_days");
    let again = act(&server, &made, "retry", &json!({"mine": true, "customer_agreed": true}));
    assert_eq!(again.body["state"], "open", "{}", again.body);
    assert_eq!(again.body["preferred_agent"]["agent_id"], "mara");
    assert_eq!(again.body["interactions"][0]["outcome"], "busy");
    let at = again.body["next_attempt_at"].as_str().expect("an instant");
    assert!(at.starts_with("20"), "{at}");
}

#[test]
fn an_offer_is_taken_back_when_the_agent_has_no_room_for_it() {
    let server = Server::start();
    let (made, _offer, mut session) = offer(&server, &asap("030 123456"));
    let path = format!("/v1/callbacks/{}", made["id"].as_str().expect("an id"));
    let load = json!({"units": 1});
    assert_eq!(server.put("/v1/agents/mara/external_load", "portal-key", &load).status, 200);
    let revoked = session.wait_for("callback.offer_revoked");
    assert_eq!((&revoked["callback_id"], &revoked["reason"]), (&made["id"], &json!("at_capacity")));
    assert_eq!(server.get(&path, "lead-key-1").body["state"], "queued");
    let trace = server.get(&format!("{path}/routing"), "mara-key-1").body;
    assert_eq!(trace["candidates"][0]["failed"], "at_capacity", "{trace}");
}

#[test]
fn only_the_agent_who_has_it_may_do_something_to_it() {
    let server = Server::start();
    let (made, offer, _session) = offer(&server, &asap("030 123456"));
    server.put("/v1/agents/tom", "admin-key", &json!({"queues": ["billing"]}));
    let path =
        |action: &str| format!("/v1/callbacks/{}/{action}", made["id"].as_str().expect("an id"));
    let tom = |action: &str, body: &Value| server.post(&path(action), "tom-key-1", body);
    let named = json!({"offer_id": offer});
    tom("accept", &named).is_problem(403, "forbidden");
    act(&server, &made, "accept", &named);
    for action in ["call", "outcome", "end_call", "extend_wrap_up", "retry", "requeue", "close"] {
        // 403 before 422 and 412.
        tom(action, &json!({"surprise": 1})).is_problem(403, "forbidden");
        let stale = server.request("POST", &path(action), "tom-key-1").header("If-Match", "\"9\"");
        send(stale.json(&json!({}))).is_problem(403, "forbidden");
    }
    tom("assign", &json!({"agent_id": "mara"})).is_problem(403, "forbidden");
    tom("assign", &json!({"agent_id": "tom", "force": true})).is_problem(403, "forbidden");
    tom("assign", &json!({"agent_id": "tom"})).is_problem(403, "forbidden");
    // A customer may call off what nobody has called yet; the agent is told.
    let link = made["manage_token"].as_str().expect("a token");
    let gone = server.post(&path("cancel"), link, &json!({}));
    assert_eq!(gone.body["canceled_by"], "customer", "{}", gone.body);
}

#[test]
fn a_supervisor_gives_it_to_an_agent_and_may_take_their_room() {
    let server = Server::start();
    let (made, offer, _socket) = offer(&server, &asap("030 123456"));
    act(&server, &made, "accept", &json!({"offer_id": offer}));
    let second = server.callback(&asap("030 123457"));
    let path = format!("/v1/callbacks/{}/assign", second["id"].as_str().expect("an id"));
    let assign = |body: Value| server.post(&path, "lead-key-1", &body);
    assign(json!({"agent_id": "mara"})).is_problem(409, "at-capacity");
    let claim = server.post(&path, "mara-key-1", &json!({"agent_id": "mara"}));
    claim.is_problem(409, "at-capacity");
    let forced = server.request("POST", &path, "lead-key-1").header("Idempotency-Key", "f");
    let forced = send(forced.json(&json!({"agent_id": "mara", "force": true})));
    assert_eq!(forced.body["state"], "accepted", "{}", forced.body);
    let status = server.get("/v1/agents/mara/status", "lead-key-1").body;
    assert_eq!((&status["held_units"], &status["engagement"]), (&json!(2), &json!("busy")));
    assert_eq!(status["assignments"].as_array().map(Vec::len), Some(2));
    server.delete("/v1/agents/mara", "admin-key").is_problem(409, "in-use");
}

#[test]
fn a_pause_of_offers_takes_the_pending_ones_back() {
    let server = Server::start();
    let (made, offer, mut socket) = offer(&server, &asap("030 123456"));
    let paused = server.post("/v1/queues/billing/pause", "lead-key-1", &json!({"offers": true}));
    assert_eq!(paused.status, 200, "{}", paused.body);
    let revoked = socket.wait_for("callback.offer_revoked");
    assert_eq!((&revoked["offer_id"], &revoked["reason"]), (&json!(offer), &json!("paused")));
    let path = format!("/v1/callbacks/{}", made["id"].as_str().expect("an id"));
    assert_eq!(server.get(&path, "lead-key-1").body["state"], "queued");
    act(&server, &made, "accept", &json!({"offer_id": offer})).is_problem(409, "offer-not-pending");
    let resumed = server.post("/v1/queues/billing/resume", "lead-key-1", &json!({"offers": true}));
    assert_eq!(resumed.status, 200, "{}", resumed.body);
    let again = socket.wait_for("callback.offered");
    assert_eq!(again["callback"]["id"], made["id"]);
}
