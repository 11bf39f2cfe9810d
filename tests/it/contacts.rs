//! One contact and all that waits for them: duplicates.

use std::collections::BTreeSet;
use std::sync::{Arc, Barrier};

use serde_json::{Value, json};

use crate::server::{Answer, Server, asap, booked, patient, send, slot, slot_at};

fn id(answer: &Value) -> &str {
    answer["id"].as_str().expect("an id")
}

fn policy(server: &Server, policy: &str) {
    let queue = json!({"default_region": "DE", "duplicate_policy": policy});
    assert_eq!(server.put("/v1/queues/billing", "admin-key", &queue).status, 200);
}

#[test]
fn a_customer_who_asks_twice_gets_the_one_that_waits() {
    let server = Server::start_patient();
    let first = server.callback(&asap("030 123456"));
    let again = server.post("/v1/callbacks", "portal-key", &asap("+49 30 123456"));
    assert_eq!((again.status, &again.body["existing"]), (200, &json!(true)), "{}", again.body);
    assert_eq!((id(&again.body), &again.body["position"]), (id(&first), &json!(1)));
    assert_eq!(again.body["manage_token"], first["manage_token"], "it is the channel's own");
    assert_eq!(again.header("location"), None);
    // Others learn no more than what the customer needs to know.
    let seen = |token: &str| {
        let request = server.request("POST", "/v1/callbacks", token);
        let request = request.header("Origin", "https://shop.example");
        let answer = send(request.json(&asap("030 123456")));
        let names = answer.body.as_object().expect("an object").keys().cloned();
        (answer.status, id(&answer.body).to_owned(), names.collect::<BTreeSet<_>>())
    };
    let names = ["existing", "id", "number", "schedule", "state"].map(str::to_owned);
    for other in ["chat-key-1", "public-key"] {
        assert_eq!(seen(other), (200, id(&first).to_owned(), names.clone().into()), "{other}");
    }
    // Another contact, another queue, another type: other callbacks.
    server.callback(&asap("030 123457"));
    let mut extension = asap("030 123456");
    extension["customer"]["phone_extension"] = json!("12");
    server.callback(&extension);
    let mut known = asap("030 123456");
    known["customer"]["id"] = json!("CON1");
    server.callback(&known);
    let mut elsewhere = asap("+49 30 123456");
    elsewhere["queue"] = json!("sales");
    server.callback(&elsewhere);
    server.callback(&booked("030 123456", &slot(2)));
    // What has ended is no duplicate.
    let path = format!("/v1/callbacks/{}/cancel", id(&first));
    assert_eq!(server.post(&path, "portal-key", &json!({})).status, 200);
    assert_ne!(id(&server.callback(&asap("030 123456"))), id(&first));
}

#[test]
fn two_bookings_are_the_same_within_an_hour_of_each_other() {
    let server = Server::start_patient();
    let ask = |time: &str| {
        server.post("/v1/callbacks", "portal-key", &booked("030 123456", &slot_at(2, time)))
    };
    let first = ask("15:00");
    assert_eq!(first.status, 201);
    assert_eq!(ask("17:00").status, 201);
    for close in ["14:00", "15:15", "15:45"] {
        let again = ask(close);
        assert_eq!((again.status, id(&again.body)), (200, id(&first.body)), "{close}");
    }
    assert_eq!(ask("13:45").status, 201);
}

#[test]
fn a_queue_may_refuse_duplicates_or_take_them() {
    let server = Server::start_patient();
    let first = server.callback(&asap("030 123456"));
    policy(&server, "reject");
    let ask = || server.post("/v1/callbacks", "chat-key-1", &asap("030 123456"));
    assert_eq!(ask().is_problem(409, "duplicate")["id"], first["id"]);
    policy(&server, "allow");
    let second = ask();
    assert_eq!((second.status, second.body.get("existing")), (201, None));
    assert_eq!(second.body.get("duplicates"), None, "that is for agents");
}

#[test]
fn agents_get_what_they_book_and_are_told_what_there_is() {
    let server = Server::start_patient();
    let first = server.callback(&asap("030 123456"));
    for policy_name in ["return_existing", "reject", "allow"] {
        policy(&server, policy_name);
        for token in ["mara-key-1", "lead-key-1"] {
            let mut body = asap("030 123456");
            body["customer"]["name"] = json!("Ada Lovelace");
            let made = server.post("/v1/callbacks", token, &body);
            assert_eq!(made.status, 201, "{}", made.body);
            assert_eq!(made.body["duplicates"][0], first["id"], "{}", made.body);
        }
    }
    let alone = server.post("/v1/callbacks", "mara-key-1", &asap("030 123457"));
    assert_eq!(alone.body["duplicates"], json!([]));
}

#[test]
fn a_duplicate_answered_under_a_key_is_answered_the_same_again() {
    let server = Server::start_patient();
    let ask = |key: &str, token: &str, body: &Value| {
        let request = server.request("POST", "/v1/callbacks", token);
        send(request.header("Idempotency-Key", key).json(body))
    };
    let same = |one: &Answer, other: &Answer| {
        assert_eq!((one.status, &one.body), (other.status, &other.body));
        assert_eq!(other.header("idempotent-replayed"), Some("true"));
    };
    let first = server.callback(&asap("030 123456"));
    let mut body = asap("030 123456");
    body["external_id"] = json!("X-1");
    let existing = ask("k1", "portal-key", &body);
    assert_eq!((existing.status, id(&existing.body)), (200, id(&first)));
    let told = ask("k2", "mara-key-1", &asap("030 123456"));
    let cancel = format!("/v1/callbacks/{}/cancel", id(&first));
    server.post(&cancel, "portal-key", &json!({}));
    same(&existing, &ask("k1", "portal-key", &body));
    same(&told, &ask("k2", "mara-key-1", &asap("030 123456")));
    // The external id wasn't used up by what was not made.
    server.post(&format!("/v1/callbacks/{}/cancel", id(&told.body)), "lead-key-1", &json!({}));
    let made = ask("k3", "portal-key", &body);
    assert_eq!((made.status, &made.body["external_id"]), (201, &json!("X-1")), "{}", made.body);
    let again = ask("k4", "portal-key", &body);
    assert_eq!((again.status, id(&again.body)), (200, id(&made.body)), "it finds itself");
    body["customer"]["phone"] = json!("030 123457");
    assert_eq!(ask("k5", "portal-key", &body).is_problem(409, "duplicate")["id"], made.body["id"]);
}

#[test]
fn a_contact_changed_by_a_patch_counts_as_who_it_is_now() {
    let server = Server::start_patient();
    let first = server.callback(&asap("030 123456"));
    let path = format!("/v1/callbacks/{}", id(&first));
    let moved = json!({"customer": {"phone": "+4930123457"}});
    assert_eq!(server.patch(&path, "lead-key-1", &moved).status, 200);
    assert_eq!(server.post("/v1/callbacks", "chat-key-1", &asap("030 123456")).status, 201);
    let again = server.post("/v1/callbacks", "chat-key-1", &asap("030 123457"));
    assert_eq!((again.status, id(&again.body)), (200, id(&first)));
}

/// Twenty requests of one contact at once make one callback; so do twenty more after a restart.
#[test]
fn of_requests_at_the_same_time_one_is_made() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = format!("embedded:{}", folder.path().join("data").display());
    let mut ids = BTreeSet::new();
    for round in 0..2 {
        let server = Arc::new(Server::start_configured_on(folder.path(), &store, &patient()));
        let start = Arc::new(Barrier::new(20));
        let ask = |number: usize| {
            let (server, start) = (Arc::clone(&server), Arc::clone(&start));
            std::thread::spawn(move || {
                let token = ["chat-key-1", "portal-key"][number % 2];
                start.wait();
                server.post("/v1/callbacks", token, &asap("030 123456"))
            })
        };
        let asked: Vec<_> = (0..20).map(ask).collect();
        let answers = asked.into_iter().map(|one| one.join().expect("answered"));
        let answers: Vec<Answer> = answers.collect();
        ids.extend(answers.iter().map(|answer| id(&answer.body).to_owned()));
        let made = answers.iter().filter(|answer| answer.status == 201).count();
        assert_eq!(made, usize::from(round == 0), "in round {round}");
        server.kill_now();
    }
    assert_eq!(ids.len(), 1);
}
