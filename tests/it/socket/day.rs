//! An agent's whole day over the socket: every frame that a client may send, what comes of it in
//! which order, and what the agent's other sessions and colleagues see.

use serde_json::{Value, json};

use super::desk::Desk;
use super::{PATIENCE, id, look, now, number, presence, start, status};
use crate::server::Server;

/// Mara, who is offered a callback.
fn offered(server: &Server) -> (Desk, Value, Value) {
    let mut desk = Desk::ready(server, "mara-key-1");
    let made = server.callback(&number(1));
    let offer = desk.expect("callback.offered");
    assert_eq!(offer["callback"]["id"], made["id"]);
    (desk, made, offer["offer_id"].clone())
}

/// Mara, who has accepted one.
fn accepted(server: &Server) -> (Desk, Value) {
    let (mut desk, made, offer) = offered(server);
    desk.does(&json!({"id": "take", "type": "accept", "offer_id": offer}));
    assert_eq!(desk.expect("callback.assigned")["by"], "accept");
    (desk, made)
}

#[test]
fn an_agent_is_offered_accepts_calls_and_closes() {
    let server = start("", "");
    let (mut desk, made, offer) = offered(&server);
    let id = &made["id"];
    desk.does(&json!({"id": 2, "type": "accept", "offer_id": offer}));
    let assigned = desk.expect("callback.assigned");
    assert_eq!((&assigned["by"], &assigned["callback"]["id"]), (&json!("accept"), id));
    desk.does(&json!({"id": 4, "type": "call", "callback_id": id}));
    assert_eq!(desk.expect("callback.updated")["callback"]["state"], "calling");
    desk.fails(&json!({"id": 5, "type": "end_call", "callback_id": id}), "outcome-missing");
    desk.does(&json!({"id": 6, "type": "outcome", "callback_id": id, "outcome": "answered"}));
    desk.expect("callback.updated");
    desk.does(&json!({"id": 7, "type": "end_call", "callback_id": id, "notes": "Promised"}));
    assert_eq!(desk.expect("callback.updated")["callback"]["state"], "wrap_up");
    desk.does(&json!({"id": 8, "type": "extend_wrap_up", "callback_id": id, "seconds": 600}));
    desk.expect("callback.updated");
    let close = json!({"id": 9, "type": "close", "callback_id": id, "disposition": "settled"});
    desk.does(&close);
    let gone = desk.expect("callback.unassigned");
    assert_eq!((&gone["callback_id"], &gone["reason"]), (id, &json!("closed")));
    let closed = look(&server, &made);
    assert_eq!(
        (&closed["state"], &closed["closed_reason"], &closed["disposition"]),
        (&json!("closed_complete"), &json!("reached"), &json!("settled"))
    );
    desk.is_quiet();
}

#[test]
fn a_repeated_frame_is_acknowledged_again_and_changes_nothing() {
    let server = start("", "");
    let (mut desk, made, offer) = offered(&server);
    let id = &made["id"];
    for (frame, told) in [
        (json!({"type": "accept", "offer_id": offer}), "callback.assigned"),
        (json!({"type": "call", "callback_id": id}), "callback.updated"),
        (json!({"type": "outcome", "callback_id": id, "outcome": "answered"}), "callback.updated"),
        (json!({"type": "end_call", "callback_id": id, "notes": "n"}), "callback.updated"),
        (json!({"type": "close", "callback_id": id, "notes": "done"}), "callback.unassigned"),
    ] {
        let mut frame = frame;
        frame["id"] = json!("first");
        desk.does(&frame);
        desk.expect(told);
        let version = look(&server, &made)["version"].clone();
        frame["id"] = json!("again");
        desk.does(&frame);
        desk.is_quiet();
        assert_eq!(look(&server, &made)["version"], version, "{frame}");
    }
}

#[test]
fn a_call_that_was_not_taken_is_put_off_handed_on_or_tried_again() {
    let server = start("", "");
    let (mut desk, made) = accepted(&server);
    let id = &made["id"];
    desk.does(&json!({"id": 1, "type": "call", "callback_id": id}));
    desk.expect("callback.updated");
    desk.does(&json!({"id": 2, "type": "outcome", "callback_id": id, "outcome": "busy"}));
    assert_eq!(desk.expect("callback.updated")["callback"]["state"], "wrap_up");
    let far = json!({"id": 3, "type": "retry", "callback_id": id, "at": "2037-01-01T12:00:00Z"});
    assert_eq!(desk.fails(&far, "invalid")["errors"][0]["pointer"], "/at");
    let retry = json!({"id": 4, "type": "retry", "callback_id": id, "customer_agreed": true});
    desk.does(&retry);
    assert_eq!(desk.expect("callback.unassigned")["reason"], "retry");
    assert_eq!(look(&server, &made)["state"], "open");
    desk.does(&retry);

    // Handed on to a colleague, who is preferred then.
    let mut tom = Desk::ready(&server, "tom-key-1");
    let second = server.callback(&number(2));
    let offer = desk.expect("callback.offered")["offer_id"].clone();
    desk.does(&json!({"id": 5, "type": "accept", "offer_id": offer}));
    desk.expect("callback.assigned");
    let requeue = json!({"id": 6, "type": "requeue", "callback_id": second["id"],
                         "agent_id": "tom"});
    desk.does(&requeue);
    assert_eq!(desk.expect("callback.unassigned")["reason"], "requeued");
    let offer = tom.expect("callback.offered");
    assert_eq!(offer["callback"]["id"], second["id"]);
    desk.is_quiet();
}

#[test]
fn a_declined_offer_goes_to_somebody_else() {
    let server = start("", "");
    let (mut mara, made, offer) = offered(&server);
    let mut tom = Desk::ready(&server, "tom-key-1");
    let decline = |id: u32, reason: &str| {
        let fields = (&offer, reason);
        json!({"id": id, "type": "decline", "offer_id": fields.0, "reason": fields.1})
    };
    let problem = mara.fails(&decline(1, "tired"), "invalid");
    assert_eq!(problem["errors"][0]["pointer"], "/reason");
    let accept = json!({"id": 2, "type": "accept", "offer_id": offer});
    tom.fails(&accept, "offer-not-pending");
    mara.does(&decline(3, "conflict"));
    let next = tom.expect("callback.offered");
    assert_eq!(next["callback"]["id"], made["id"]);
    mara.fails(&accept, "offer-not-pending");
    mara.fails(&json!({"id": 4, "type": "call", "callback_id": made["id"]}), "illegal-transition");
    let never = json!({"id": 5, "type": "accept", "offer_id": made["id"]});
    mara.fails(&never, "offer-not-pending");
    mara.is_quiet();
}

#[test]
fn what_is_declined_in_one_tab_is_gone_from_the_other() {
    let server = start("", "");
    let (mut first, made, offer) = offered(&server);
    let mut second = Desk::connect(&server, "mara-key-1");
    assert_eq!(second.expect("welcome")["offers"][0]["offer_id"], offer);
    second.does(&json!({"id": 1, "type": "decline", "offer_id": offer}));
    second.is_quiet();
    let gone = first.expect("callback.offer_revoked");
    assert_eq!(
        (&gone["offer_id"], &gone["callback_id"], &gone["reason"]),
        (&offer, &made["id"], &json!("declined"))
    );
    first.is_quiet();

    // Over HTTP no session knows of it yet.
    let made = server.callback(&number(2));
    let offer = first.expect("callback.offered")["offer_id"].clone();
    assert_eq!(second.expect("callback.offered")["offer_id"], offer);
    let path = format!("/v1/callbacks/{}/decline", id(&made));
    assert_eq!(server.post(&path, "mara-key-1", &json!({"offer_id": offer})).status, 200);
    for desk in [&mut first, &mut second] {
        assert_eq!(desk.expect("callback.offer_revoked")["reason"], "declined");
        desk.is_quiet();
    }
}

#[test]
fn what_is_accepted_in_one_tab_is_no_offer_in_the_other() {
    let server = start("", "");
    let (mut first, made, offer) = offered(&server);
    let mut second = Desk::connect(&server, "mara-key-1");
    second.expect("welcome");
    second.does(&json!({"id": 1, "type": "accept", "offer_id": offer}));
    let gone = first.expect("callback.offer_revoked");
    assert_eq!(
        (&gone["offer_id"], &gone["callback_id"], &gone["reason"]),
        (&offer, &made["id"], &json!("accepted_elsewhere"))
    );
    for desk in [&mut first, &mut second] {
        assert_eq!(desk.expect("callback.assigned")["callback"]["id"], made["id"]);
        desk.is_quiet();
    }
    let path = |action: &str| format!("/v1/callbacks/{}/{action}", id(&made));
    assert_eq!(server.post(&path("requeue"), "lead-key-1", &json!({})).status, 200);
    for desk in [&mut first, &mut second] {
        desk.expect("callback.unassigned");
    }

    // Over HTTP no session knows of it yet.
    let offer = first.expect("callback.offered")["offer_id"].clone();
    assert_eq!(second.expect("callback.offered")["offer_id"], offer);
    let accepted = server.post(&path("accept"), "mara-key-1", &json!({"offer_id": offer}));
    assert_eq!(accepted.status, 200);
    for desk in [&mut first, &mut second] {
        assert_eq!(desk.expect("callback.offer_revoked")["reason"], "accepted_elsewhere");
        assert_eq!(desk.expect("callback.assigned")["by"], "accept");
        desk.is_quiet();
    }
}

#[test]
fn an_accept_that_comes_too_late_is_refused() {
    let server = start("", "");
    let (mut desk, made, offer) = offered(&server);
    let path = format!("/v1/callbacks/{}/cancel", id(&made));
    assert_eq!(server.post(&path, "portal-key", &json!({})).status, 200);
    let revoked = desk.expect("callback.offer_revoked");
    assert_eq!(
        (&revoked["offer_id"], &revoked["callback_id"], &revoked["reason"]),
        (&offer, &made["id"], &json!("canceled"))
    );
    desk.fails(&json!({"id": 1, "type": "accept", "offer_id": offer}), "offer-not-pending");
    desk.fails(&json!({"id": 2, "type": "decline", "offer_id": offer}), "offer-not-pending");
    desk.is_quiet();
}

#[test]
fn an_offer_that_nobody_answers_expires_and_sends_the_agent_away() {
    let server = start("", "offer_timeout_seconds = 5");
    let (mut desk, made, offer) = offered(&server);
    let expired = desk.expect("callback.offer_expired");
    assert_eq!((&expired["offer_id"], &expired["callback_id"]), (&offer, &made["id"]));
    let away = desk.expect("agent.presence_changed");
    assert_eq!(
        (&away["presence"], &away["reason"], &away["by"]),
        (&json!("away"), &json!("no_response"), &json!("engine"))
    );
    desk.fails(&json!({"id": 1, "type": "accept", "offer_id": offer}), "offer-not-pending");
    assert_eq!(look(&server, &made)["state"], "queued");
}

#[test]
fn every_session_of_an_agent_is_told_and_one_accept_wins() {
    let server = start("", "");
    let (mut first, made, offer) = offered(&server);
    let mut second = Desk::connect(&server, "mara-key-1");
    let welcome = second.expect("welcome");
    assert_eq!(welcome["offers"][0]["offer_id"], offer, "an offer that waits is shown");
    assert_eq!(status(&server, "mara")["sessions"], 2);
    let mut revoked = 0;
    // Both tabs at once: one wins, and since it is the same agent, all is well for the other.
    for desk in [&mut second, &mut first] {
        desk.send(&json!({"id": 1, "type": "accept", "offer_id": offer}));
    }
    for desk in [&mut first, &mut second] {
        let mut told = vec![desk.next(), desk.next()];
        if told.iter().any(|frame| frame["type"] == "callback.offer_revoked") {
            told.push(desk.next());
            revoked += 1;
        }
        let mut told: Vec<_> = told.iter().map(|frame| frame["type"].clone()).collect();
        told.sort_by_key(Value::to_string);
        told.truncate(2);
        assert_eq!(told, ["ack", "callback.assigned"]);
        desk.is_quiet();
    }
    assert_eq!(revoked, 1, "the one that came second");
    first.fails(&json!({"id": 3, "type": "decline", "offer_id": offer}), "offer-not-pending");
    first.does(&json!({"id": 4, "type": "call", "callback_id": made["id"]}));
    assert_eq!(first.expect("callback.updated")["callback"]["state"], "calling");
    first.does(&json!({"id": 5, "type": "presence", "presence": "away", "reason": "lunch"}));
    assert_eq!(second.expect("callback.updated")["callback"]["state"], "calling");
    let away = second.expect("agent.presence_changed");
    assert_eq!((&away["presence"], &away["reason"]), (&json!("away"), &json!("lunch")));
    assert_eq!(away["by"], "agent");
}

#[test]
fn what_others_do_to_an_agent_is_told_with_who_did_it() {
    let server = start("", "");
    let mut desk = Desk::connect(&server, "mara-key-1");
    desk.expect("welcome");
    let here = json!({"presence": "available"});
    server.put("/v1/agents/mara/presence", "lead-key-1", &here);
    assert_eq!(desk.expect("agent.presence_changed")["by"], "supervisor");
    server.put("/v1/agents/mara/presence", "mara-key-1", &json!({"presence": "away"}));
    assert_eq!(desk.expect("agent.presence_changed")["by"], "agent");

    let made = server.callback(&number(1));
    let act = |action: &str, token: &str, body: Value| {
        let done = server.post(&format!("/v1/callbacks/{}/{action}", id(&made)), token, &body);
        assert_eq!(done.status, 200, "{}", done.body);
    };
    act("assign", "lead-key-1", json!({"agent_id": "mara"}));
    assert_eq!(desk.expect("callback.assigned")["by"], "supervisor");
    let text = json!({"short_description": "Charged twice"});
    server.patch(&format!("/v1/callbacks/{}", id(&made)), "lead-key-1", &text);
    let updated = desk.expect("callback.updated");
    assert_eq!(updated["callback"]["short_description"], "Charged twice");
    act("requeue", "lead-key-1", json!({}));
    assert_eq!(desk.expect("callback.unassigned")["reason"], "requeued");
    act("assign", "mara-key-1", json!({"agent_id": "mara"}));
    assert_eq!(desk.expect("callback.assigned")["by"], "claim");
    act("cancel", "portal-key", json!({}));
    assert_eq!(desk.expect("callback.unassigned")["reason"], "canceled");
    desk.is_quiet();
}

#[test]
fn going_away_takes_offers_back_and_comes_after_the_ack() {
    let server = start("", "");
    let (mut desk, made, offer) = offered(&server);
    let wrong = json!({"id": 1, "type": "presence", "presence": "away", "reason": "weather"});
    assert_eq!(desk.fails(&wrong, "invalid")["errors"][0]["pointer"], "/reason");
    desk.does(&presence(2, "away"));
    assert_eq!(desk.expect("agent.presence_changed")["presence"], "away");
    let revoked = desk.expect("callback.offer_revoked");
    assert_eq!((&revoked["offer_id"], &revoked["reason"]), (&offer, &json!("agent_away")));
    assert_eq!(look(&server, &made)["state"], "queued");
    desk.does(&presence(3, "away"));
    desk.is_quiet();
    desk.does(&presence(4, "available"));
    desk.expect("agent.presence_changed");
    assert_ne!(desk.expect("callback.offered")["offer_id"], offer, "without penalty");
}

/// Reads until the line is told to be one callback long.
fn line_of_one(desk: &mut Desk) -> Value {
    let begun = now();
    loop {
        let message = desk.0.read().expect("a frame");
        assert!(begun.elapsed() < PATIENCE, "the line is never told");
        let Ok(frame) = serde_json::from_slice::<Value>(&message.into_data()) else { continue };
        assert_eq!(frame["type"], "queue.updated");
        if frame["waiting"] == 1 {
            return frame;
        }
    }
}

#[test]
fn a_line_that_has_changed_is_told() {
    let server = start("", "");
    let mut desk = Desk::connect(&server, "mara-key-1");
    desk.expect("welcome");
    server.callback(&number(1));
    let line = line_of_one(&mut desk);
    assert_eq!(line["queue"], "billing");
    let waited = line["oldest_wait_seconds"].as_i64();
    assert!(waited.is_some_and(|seconds| (0..20).contains(&seconds)), "{line}");
    // Whoever comes later is told too, although it hasn't changed.
    let mut later = Desk::connect(&server, "tom-key-1");
    later.expect("welcome");
    line_of_one(&mut later);
}
