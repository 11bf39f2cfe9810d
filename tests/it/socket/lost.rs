//! Connections that break: what is taken back and when, and what whoever comes back is told.

use jsonwebtoken::{EncodingKey, Header, encode};
use serde_json::{Value, json};

use super::desk::{Desk, frame};
use super::{id, look, now, number, presence, start, status, wait_until};
use crate::server::{SIGNING, Server};

/// Mara, who has accepted a callback.
fn accepted(server: &Server) -> (Desk, Value) {
    let mut desk = Desk::ready(server, "mara-key-1");
    let made = server.callback(&number(1));
    let offer = desk.expect("callback.offered")["offer_id"].clone();
    desk.does(&json!({"id": "take", "type": "accept", "offer_id": offer}));
    desk.expect("callback.assigned");
    (desk, made)
}

#[test]
fn welcome_is_the_whole_truth() {
    let server = start("heartbeat_seconds = 7", "wrap_up_seconds = 30");
    let (desk, made) = accepted(&server);
    let capacity = json!({"name": "Mara Vogt", "queues": ["billing"], "capacity": {"units": 2}});
    assert_eq!(server.put("/v1/agents/mara", "admin-key", &capacity).status, 200);
    let mut body = number(2);
    body["context"] = json!({"ivr_path": "1-4-2"});
    let second = server.callback(&body);
    wait_until("it is offered", || look(&server, &second)["state"] == "offered");
    let mut again = Desk::connect(&server, "mara-key-1");
    let welcome = again.expect("welcome");
    drop(desk);
    assert_eq!(welcome["agent"], json!({"id": "mara", "name": "Mara Vogt"}));
    assert_eq!((&welcome["presence"], &welcome["reason"]), (&json!("available"), &Value::Null));
    assert_eq!(welcome["heartbeat_seconds"], 7);
    assert!(welcome["session_id"].is_string());
    let (offers, assignments) = (&welcome["offers"], &welcome["assignments"]);
    assert_eq!(
        (offers.as_array().map(Vec::len), assignments.as_array().map(Vec::len)),
        (Some(1), Some(1))
    );
    assert_eq!(offers[0]["callback"]["id"], second["id"]);
    assert_eq!(offers[0]["callback"]["context"]["ivr_path"], "1-4-2");
    assert_eq!(offers[0]["callback"]["customer"]["name"], "Ada");
    assert!(offers[0]["offer_id"].is_string() && offers[0]["expires_at"].is_string());
    assert_eq!(
        (&assignments[0]["id"], &assignments[0]["state"], &assignments[0]["assigned_agent"]),
        (&made["id"], &json!("accepted"), &json!("mara"))
    );
    let none = json!({});
    assert_eq!(
        welcome["queues"],
        json!([{
            "id": "billing", "name": "Billing", "labels": none, "media": ["voice"], "open": true,
            "reasons": [{"id": "invoice", "labels": none}],
            "decline_reasons": [
                {"id": "busy", "labels": none, "reassignable": true},
                {"id": "conflict", "labels": none, "reassignable": false},
            ],
            "dispositions": [
                {"id": "settled", "labels": none, "resolved": true},
                {"id": "open", "labels": none, "resolved": false},
            ],
            "wrap_up_seconds": 30,
        }])
    );
    assert_eq!(
        welcome["presence_reasons"],
        json!([{"id": "lunch", "labels": none}, {"id": "training", "labels": {"de": "Schulung"}}])
    );
    let links = json!({"case": "https://crm.example/{case_id}", "call": "tel:{phone}"});
    assert_eq!(welcome["links"], links);
    // What the welcome shows can be acted on.
    let offer = &offers[0]["offer_id"];
    again.does(&json!({"id": 1, "type": "accept", "offer_id": offer}));
}

#[test]
fn an_offer_is_taken_back_when_the_last_session_goes() {
    let server = start("", "");
    let first = Desk::ready(&server, "mara-key-1");
    let mut second = Desk::connect(&server, "mara-key-1");
    second.expect("welcome");
    let made = server.callback(&number(1));
    let offer = second.expect("callback.offered")["offer_id"].clone();
    drop(first);
    wait_until("one is left", || status(&server, "mara")["sessions"] == 1);
    assert_eq!(look(&server, &made)["state"], "offered");
    second.is_quiet();
    drop(second);
    wait_until("it is taken back", || look(&server, &made)["state"] == "queued");
    let mut third = Desk::connect(&server, "mara-key-1");
    let welcome = third.expect("welcome");
    assert_eq!(welcome["presence"], "available", "a short break changes no presence");
    let again = third.expect("callback.offered");
    assert_eq!(again["callback"]["id"], made["id"]);
    assert_ne!(again["offer_id"], offer);
    third.fails(&json!({"id": 1, "type": "accept", "offer_id": offer}), "offer-not-pending");
    let events = server.get(&format!("/v1/callbacks/{}/history", id(&made)), "lead-key-1").body;
    assert!(events.to_string().contains("session_lost"), "{events}");
}

#[test]
fn what_was_accepted_goes_to_somebody_else_after_the_grace_period() {
    for grace in [0, 1] {
        let server = start("", &format!("session_grace_seconds = {grace}"));
        let (desk, made) = accepted(&server);
        let mut tom = Desk::ready(&server, "tom-key-1");
        let gone = now();
        drop(desk);
        let offer = tom.expect("callback.offered");
        assert_eq!(offer["callback"]["id"], made["id"]);
        assert!(gone.elapsed().as_secs() >= grace, "not before the grace is over");
        let mut back = Desk::connect(&server, "mara-key-1");
        let welcome = back.expect("welcome");
        assert_eq!(welcome["assignments"], json!([]));
        let late = json!({"id": 1, "type": "call", "callback_id": made["id"]});
        back.fails(&late, "illegal-transition");
    }
}

#[test]
fn work_of_a_lost_agent_shows_what_becomes_of_it_next() {
    let server = start("", "session_grace_seconds = 200\n  call_grace_seconds = 500");
    let at = |callback: &Value| -> jiff::Timestamp {
        callback["next_deadline"]["at"].as_str().expect("an instant").parse().expect("RFC 3339")
    };
    let (mut desk, made) = accepted(&server);
    let there = look(&server, &made);
    assert_eq!(there["next_deadline"]["action"], "requeue");
    drop(desk);
    wait_until("the session is gone", || status(&server, "mara")["connected"] == false);
    let lost = look(&server, &made);
    assert_eq!(lost["next_deadline"]["action"], "requeue");
    assert!(
        at(&lost) < at(&there),
        "session_grace_seconds are over before preview_seconds: {lost}"
    );
    let row = &server.get("/v1/callbacks?state=accepted", "lead-key-1").body["items"][0];
    assert_eq!(row["next_deadline"], lost["next_deadline"]);
    let outside = server.get(&format!("/v1/callbacks/{}", id(&made)), "portal-key").body;
    assert_eq!(outside["next_deadline"], there["next_deadline"], "nothing of agents outside");
    desk = Desk::connect(&server, "mara-key-1");
    desk.expect("welcome");
    assert_eq!(look(&server, &made)["next_deadline"], there["next_deadline"]);
    desk.does(&json!({"id": 1, "type": "call", "callback_id": made["id"]}));
    let there = look(&server, &made);
    drop(desk);
    wait_until("the session is gone", || status(&server, "mara")["connected"] == false);
    let lost = look(&server, &made);
    assert_eq!(lost["next_deadline"]["action"], "end_call");
    assert!(at(&lost) < at(&there), "call_grace_seconds are over before max_call_seconds: {lost}");
}

#[test]
fn whoever_is_back_within_the_grace_period_finds_all_as_it_was() {
    let server = start("", "session_grace_seconds = 30");
    let (desk, made) = accepted(&server);
    drop(desk);
    wait_until("the session is gone", || status(&server, "mara")["connected"] == false);
    assert_eq!(look(&server, &made)["state"], "accepted");
    let mut desk = Desk::connect(&server, "mara-key-1");
    assert_eq!(desk.expect("welcome")["assignments"][0]["id"], made["id"]);
    desk.does(&json!({"id": 1, "type": "call", "callback_id": made["id"]}));
    desk.expect("callback.updated");
    drop(desk);
    let mut desk = Desk::connect(&server, "mara-key-1");
    assert_eq!(desk.expect("welcome")["assignments"][0]["state"], "calling");
    desk.is_quiet();
}

#[test]
fn an_agent_who_stays_away_is_offline_and_their_call_is_over() {
    let server =
        start("", "session_grace_seconds = 0\n  call_grace_seconds = 1\n  wrap_up_seconds = 1");
    let (mut desk, made) = accepted(&server);
    desk.does(&json!({"id": 1, "type": "call", "callback_id": made["id"]}));
    desk.expect("callback.updated");
    drop(desk);
    wait_until("the call is over", || look(&server, &made)["state"] == "open");
    let callback = look(&server, &made);
    assert_eq!(callback["interactions"][0]["outcome"], "unknown");
    assert_eq!(callback["attempts"], 0);
    wait_until("offline", || status(&server, "mara")["presence"] == "offline");
    assert_eq!(status(&server, "mara")["reason"], "connection_lost");
    let mut desk = Desk::connect(&server, "mara-key-1");
    let welcome = desk.expect("welcome");
    assert_eq!(
        (&welcome["presence"], &welcome["reason"], &welcome["assignments"]),
        (&json!("offline"), &json!("connection_lost"), &json!([]))
    );
}

/// Mara with one callback offered, however it comes to her.
fn with_offer(server: &Server) -> (Desk, String, String) {
    let mut desk = Desk::connect(server, "mara-key-1");
    let welcome = desk.expect("welcome");
    let offer = match welcome["offers"].get(0) {
        Some(offer) => offer.clone(),
        None => desk.expect("callback.offered"),
    };
    let text = |value: &Value| value.as_str().expect("an id").to_owned();
    (desk, text(&offer["offer_id"]), text(&offer["callback"]["id"]))
}

#[test]
fn a_connection_cut_anywhere_in_a_frame_leaves_one_state() {
    let server = start("", "session_grace_seconds = 600");
    let mut desk = Desk::ready(&server, "mara-key-1");
    desk.is_quiet();
    drop(desk);
    let accept = |offer: &str| json!({"id": 1, "type": "accept", "offer_id": offer});
    let bytes = |body: &Value| {
        let text = body.to_string();
        frame(0x81, text.len() as u64, text.as_bytes())
    };
    let length = bytes(&accept("01936b5e-3c5a-7cc0-8000-000000000001")).len();
    for cut in (0..length).step_by(5).chain([length - 1, length]) {
        server.callback(&number(u32::try_from(cut).expect("small")));
        let (mut desk, offer, callback) = with_offer(&server);
        desk.bytes(&bytes(&accept(&offer))[..cut]);
        desk.hang_up();
        let gone = || status(&server, "mara")["connected"] == false;
        wait_until("the session is gone", gone);
        let mut desk = Desk::connect(&server, "mara-key-1");
        let welcome = desk.expect("welcome");
        if cut == length {
            // It came whole: the same accept is answered as the lost answer would have.
            assert_eq!(welcome["assignments"][0]["id"], callback, "{welcome}");
            desk.does(&accept(&offer));
        } else {
            assert_eq!(welcome["assignments"], json!([]), "cut at {cut}");
            let again = desk.expect("callback.offered");
            assert_eq!(again["callback"]["id"], callback);
            desk.fails(&accept(&offer), "offer-not-pending");
            let offer = again["offer_id"].as_str().expect("an id");
            desk.does(&accept(offer));
            desk.expect("callback.assigned");
        }
        // The same for its end: cut, and asked for again.
        let close = json!({"id": 2, "type": "close", "callback_id": callback, "resolved": true});
        let whole = bytes(&close);
        let at = if cut == length { whole.len() } else { cut.min(whole.len() - 1) };
        desk.bytes(&whole[..at]);
        desk.hang_up();
        wait_until("the session is gone", gone);
        let mut desk = Desk::connect(&server, "mara-key-1");
        let welcome = desk.expect("welcome");
        let held = welcome["assignments"].as_array().map_or(0, Vec::len);
        assert_eq!(held, usize::from(at < whole.len()), "cut at {at}");
        desk.does(&close);
        let closed = server.get(&format!("/v1/callbacks/{callback}"), "lead-key-1").body;
        assert_eq!(closed["state"], "closed_complete");
    }
}

#[test]
fn two_hundred_sessions_that_come_back_at_once_are_all_welcome() {
    const AGENTS: usize = 200;
    const HANDS: usize = 8;
    let server = start("", "session_grace_seconds = 60");
    let token = |name: &str| {
        let claims = json!({"sub": name, "role": "agent", "workspace": "main", "aud": "ringback",
                            "exp": 4_000_000_000_u64});
        encode(&Header::default(), &claims, &EncodingKey::from_secret(SIGNING)).expect("a token")
    };
    let names: Vec<_> = (0..AGENTS).map(|number| format!("agent-{number}")).collect();
    let join = |share: &[String]| {
        let desks = share.iter().map(|name| {
            let settings = json!({"name": name, "queues": ["billing"]});
            let made = server.put(&format!("/v1/agents/{name}"), "admin-key", &settings);
            assert_eq!(made.status, 201);
            let mut desk = Desk::connect(&server, &token(name));
            desk.expect("welcome");
            desk.does(&presence(1, "available"));
            desk
        });
        desks.collect::<Vec<_>>()
    };
    let each = |work: &(dyn Fn(&[String]) -> Vec<Desk> + Sync)| {
        std::thread::scope(|scope| {
            let shares = names.chunks(AGENTS / HANDS);
            let hands: Vec<_> = shares.map(|share| scope.spawn(move || work(share))).collect();
            hands.into_iter().flat_map(|hand| hand.join().expect("it went well")).collect()
        })
    };
    let desks: Vec<Desk> = each(&join);
    for number in 0..20 {
        let made = server.callback(&super::number(number));
        let body = json!({"agent_id": format!("agent-{number}"), "force": true});
        let path = format!("/v1/callbacks/{}/assign", id(&made));
        assert_eq!(server.post(&path, "lead-key-1", &body).status, 200);
    }
    drop(desks);
    let back = |share: &[String]| {
        let desks = share.iter().map(|name| {
            let mut desk = Desk::connect(&server, &token(name));
            let welcome = desk.expect("welcome");
            assert_eq!(
                (&welcome["agent"]["id"], &welcome["presence"]),
                (&json!(name), &json!("available"))
            );
            let number: u32 = name["agent-".len()..].parse().expect("a number");
            let held = welcome["assignments"].as_array().map_or(0, Vec::len);
            assert_eq!(held, usize::from(number < 20), "{name}");
            desk
        });
        desks.collect::<Vec<_>>()
    };
    let mut desks: Vec<Desk> = each(&back);
    for desk in &mut desks {
        desk.send(&json!({"id": "usable", "type": "ping"}));
        while desk.next()["type"] != "pong" {}
    }
}
