//! Asking for callbacks, looking at them, moving them and calling them off.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::{Value, json};

use crate::server::{LATER, Server, asap, booked, send, slot};

#[test]
fn a_channel_gets_what_it_asked_for_with_a_link_for_the_customer() {
    let server = Server::start();
    let mut body = asap("030 123456");
    body["origin"] = json!({"case_id": "CS1"});
    let made = server.post("/v1/callbacks", "portal-key", &body);
    assert_eq!(made.status, 201);
    let callback = &made.body;
    let id = callback["id"].as_str().expect("an id");
    assert_eq!(made.header("location"), Some(&*format!("/v1/callbacks/{id}")));
    assert_eq!(made.header("etag"), Some("\"1\""));
    assert_eq!(callback["number"], "CB0000001");
    assert_eq!((&callback["state"], &callback["position"]), (&json!("queued"), &json!(1)));
    assert_eq!(callback["customer"]["phone"], "+4930123456");
    assert_eq!(callback["origin"]["channel"], "portal");
    assert_eq!(callback["record_url"], "https://crm.example/CS1");
    assert_eq!(callback["next_deadline"]["action"], "expire");

    let token = callback["manage_token"].as_str().expect("text");
    assert_eq!(callback["manage_url"], format!("https://callbacks.example/callback/{token}"));
    let seen = server.get(&format!("/v1/callbacks/{id}"), token);
    assert_eq!((seen.status, &seen.body["position"]), (200, &json!(1)));
    assert!(seen.body.get("offered_to").is_none() && seen.body.get("manage_token").is_none());

    let second = server.callback(&asap("030 123457"));
    assert_eq!((&second["number"], &second["position"]), (&json!("CB0000002"), &json!(2)));
    let agents = server.post("/v1/callbacks", "mara-key-1", &asap("030 123458")).body;
    assert_eq!(agents["requested_by"], "agent");
    assert_eq!(agents["booked_by"], "mara");
    assert_eq!(agents["origin"]["channel"], "case");
    assert!(agents.get("manage_token").is_none() && agents.get("offered_to").is_some());
}

#[test]
fn a_request_sent_again_under_its_key_gets_the_same_answer() {
    let server = Server::start();
    let ask = |key: &str, body: &Value| {
        let request = server.request("POST", "/v1/callbacks", "portal-key");
        send(request.header("Idempotency-Key", key).json(body))
    };
    let first = ask("k1", &asap("030 123456"));
    let again = ask("k1", &asap("030 123456"));
    assert_eq!((first.status, again.status), (201, 201));
    assert_eq!(first.body, again.body);
    assert_eq!(first.header("idempotent-replayed"), None);
    assert_eq!(again.header("idempotent-replayed"), Some("true"));
    assert_eq!(again.header("etag"), first.header("etag"));
    ask("k1", &asap("030 123457")).is_problem(422, "idempotency-key-reused");
    ask("k1", &json!({})).is_problem(422, "idempotency-key-reused");
    assert_eq!(ask(&"x".repeat(256), &asap("030 1")).pointers(), ["/Idempotency-Key"]);
    // A refused request isn't kept: mended, it is taken under the same key.
    assert_eq!(ask("k2", &json!({})).status, 422);
    assert_eq!(ask("k2", &asap("030 123458")).status, 201);
    // Another credential's key is another key.
    let request = server.request("POST", "/v1/callbacks", "chat-key-1");
    let other = send(request.header("Idempotency-Key", "k1").json(&asap("030 123456")));
    assert_eq!(other.header("idempotent-replayed"), None);

    let id = first.body["id"].as_str().expect("an id");
    let cancel = || {
        let path = format!("/v1/callbacks/{id}/cancel");
        send(server.request("POST", &path, "portal-key").header("Idempotency-Key", "c"))
    };
    let (first, again) = (cancel(), cancel());
    assert_eq!((first.status, &first.body), (again.status, &again.body));
    assert_eq!(again.header("idempotent-replayed"), Some("true"));
}

#[test]
fn one_key_at_once_makes_one_callback() {
    let server = Arc::new(Server::start());
    let threads: Vec<_> = (0..16)
        .map(|_| {
            let server = Arc::clone(&server);
            std::thread::spawn(move || {
                let request = server.request("POST", "/v1/callbacks", "portal-key");
                let body = asap("030 123456");
                send(request.header("Idempotency-Key", "once").json(&body)).body.to_string()
            })
        })
        .collect();
    let bodies: BTreeSet<String> =
        threads.into_iter().map(|thread| thread.join().expect("it answers")).collect();
    assert_eq!(bodies.len(), 1);
    let list = server.get("/v1/callbacks", "lead-key-1").body;
    assert_eq!(list["items"].as_array().map(Vec::len), Some(1));
}

#[test]
fn a_customer_moves_and_cancels_their_own() {
    let server = Server::start();
    let made = server.callback(&booked("030 123456", &slot(2)));
    let (id, token) = (made["id"].as_str().expect("id"), made["manage_token"].as_str().expect("t"));
    assert_eq!(made["state"], "open");
    let path = |action: &str| format!("/v1/callbacks/{id}/{action}");

    let to = slot(5);
    let instant: jiff::Timestamp = to.parse().expect("an instant");
    let local =
        instant.in_tz("Europe/Berlin").expect("a zone").strftime("%Y-%m-%dT%H:%M").to_string();
    let moved = json!({"local_start": local, "time_zone": "Europe/Berlin"});
    let moved = server.post(&path("reschedule"), token, &moved);
    assert_eq!(moved.status, 200, "{}", moved.body);
    assert_eq!(moved.body["schedule"]["start"], to);
    assert_eq!(moved.body["schedule"]["local_start"], local);
    assert_eq!(moved.header("etag"), Some("\"2\""));
    let past = server.post(&path("reschedule"), token, &json!({"start": "2020-01-01T00:00:00Z"}));
    past.is_problem(422, "start-past");
    let zone = json!({"local_start": "2037-12-01T10:00", "time_zone": "PST"});
    assert!(
        server.post(&path("reschedule"), token, &zone).is_problem(422, "unknown-zone")["hint"]
            .is_string()
    );
    let gap = json!({"local_start": "2037-03-29T02:30", "time_zone": "Europe/Berlin"});
    let gap = server.post(&path("reschedule"), token, &gap);
    assert_eq!(gap.is_problem(422, "local-time-missing")["next_local_start"], "2037-03-29T03:00");
    for bad in [json!({}), json!({"asap": true, "start": LATER}), json!({"start": LATER, "x": 1})] {
        assert_eq!(server.post(&path("reschedule"), token, &bad).status, 422, "{bad}");
    }
    let asap = server.post(&path("reschedule"), token, &json!({"asap": true}));
    assert_eq!((&asap.body["state"], &asap.body["type"]), (&json!("queued"), &json!("asap")));

    let gone = server.post(&path("cancel"), token, &json!({"reason": "solved"}));
    assert_eq!(gone.body["state"], "canceled");
    assert_eq!(gone.body["canceled_by"], "customer");
    assert_eq!(gone.body["cancel_reason"], "solved");
    let again = server.post(&path("cancel"), token, &json!({}));
    let problem = again.is_problem(409, "illegal-transition");
    assert_eq!((&problem["state"], &problem["action"]), (&json!("canceled"), &json!("cancel")));
    assert_eq!(server.get(&format!("/v1/callbacks/{id}"), token).status, 200);
}

#[test]
fn a_write_that_is_meant_for_another_version_is_refused() {
    let server = Server::start();
    let made = server.callback(&asap("030 123456"));
    let url = format!("/v1/callbacks/{}", made["id"].as_str().expect("an id"));
    let patch = |tag: &str, priority: u8| {
        let request = server.request("PATCH", &url, "lead-key-1").header("If-Match", tag);
        send(request.json(&json!({"priority": priority})))
    };
    for stale in ["\"7\"", "W/\"1\"", "nonsense"] {
        assert_eq!(patch(stale, 9).is_problem(412, "version-stale")["version"], 1);
    }
    let patched = patch("\"7\", \"1\"", 9);
    assert_eq!((patched.status, patched.header("etag")), (200, Some("\"2\"")));
    assert_eq!(patched.body["priority"], 9);
    patch("\"1\"", 8).is_problem(412, "version-stale");
    assert_eq!(patch("*", 7).status, 200);
    let same = patch("\"3\"", 7);
    assert_eq!(same.header("etag"), Some("\"3\""), "nothing changed");
}

#[test]
fn a_repetition_is_answered_whatever_has_become_of_the_version() {
    let server = Server::start();
    let made = server.callback(&asap("030 123456"));
    let made = format!("/v1/callbacks/{}", made["id"].as_str().expect("an id"));
    for (of, action) in
        [(&*made, "cancel"), ("/v1/queues/sales", "pause"), ("/v1/queues/sales", "resume")]
    {
        let (path, tag) = (&*format!("{of}/{action}"), &*server.get(of, "lead-key-1").tag());
        let ask = || {
            let request = server.request("POST", path, "lead-key-1").header("If-Match", tag);
            send(request.header("Idempotency-Key", path).json(&json!({})))
        };
        let (first, again) = (ask(), ask());
        assert_eq!(first.status, 200, "{path}: {}", first.body);
        assert_eq!((again.status, &again.body), (200, &first.body), "{path}");
        assert_eq!(again.header("idempotent-replayed"), Some("true"), "{path}");
        let request = server.request("POST", path, "lead-key-1").header("If-Match", tag);
        send(request.json(&json!({}))).is_problem(412, "version-stale");
    }
    let put = |path: &str| {
        let request = server.request("PUT", path, "admin-key").header("If-Match", "*");
        send(request.json(&json!({})))
    };
    for path in ["/v1/queues/new", "/v1/agents/new"] {
        put(path).is_problem(412, "version-stale");
        server.get(path, "admin-key").is_problem(404, "not-found");
    }
    assert_eq!(put("/v1/queues/sales").status, 200);
}

#[test]
fn patches_at_once_are_merged_one_after_the_other() {
    let server = Server::start();
    let mut body = asap("030 123456");
    body["context"] = json!({"attributes": {}});
    let made = server.callback(&body);
    let path = format!("/v1/callbacks/{}", made["id"].as_str().expect("an id"));
    std::thread::scope(|scope| {
        for number in 0..8 {
            let (server, path) = (&server, &path);
            scope.spawn(move || {
                let more = json!({"context": {"attributes": {format!("a{number}"): number}}});
                let patched = server.patch(path, "portal-key", &more);
                assert_eq!(patched.status, 200, "{}", patched.body);
            });
        }
    });
    let shown = server.get(&path, "lead-key-1").body;
    let attributes = shown["context"]["attributes"].as_object().expect("an object");
    assert_eq!(attributes.len(), 8, "none was lost: {attributes:?}");
}

#[test]
fn faults_are_told_before_anything_of_the_state() {
    let server = Server::start();
    let made = server.callback(&asap("030 123456"));
    let path = format!("/v1/callbacks/{}/cancel", made["id"].as_str().expect("an id"));
    server.post(&path, "portal-key", &json!({}));
    // 422 before 412 and 409.
    let request = server.request("POST", &path, "portal-key").header("If-Match", "\"99\"");
    assert_eq!(send(request.json(&json!({"why": 1}))).pointers(), ["/why"]);
    let request = server.request("POST", &path, "portal-key").header("If-Match", "\"99\"");
    send(request.json(&json!({}))).is_problem(412, "version-stale");
    server.post(&path, "portal-key", &json!({})).is_problem(409, "illegal-transition");
    // A code that the queue doesn't list is a fault like any other, whatever the state.
    let codes = json!({"dispositions": ["sold"], "decline_reasons": ["rude"],
                       "hours": [{"days": ["mon"], "from": "08:00", "to": "09:00"}]});
    assert_eq!(server.put("/v1/queues/billing", "admin-key", &codes).status, 200);
    let offer = "01936b5e-3c5a-7cc0-8000-000000000001";
    for (action, body, pointer) in [
        ("close", json!({"disposition": "lost"}), "/disposition"),
        ("decline", json!({"offer_id": offer, "reason": "tired"}), "/reason"),
    ] {
        let path = path.replace("cancel", action);
        let request = server.request("POST", &path, "mara-key-1").header("If-Match", "\"99\"");
        assert_eq!(send(request.json(&body)).pointers(), [pointer]);
    }
    let closed = json!({"at": "2037-11-24T15:00:00Z"});
    let retry = server.post(&path.replace("cancel", "retry"), "mara-key-1", &closed);
    let problem = retry.is_problem(422, "outside-hours");
    assert_eq!(problem["next_allowed_at"], "2037-11-30T08:00:00Z");
    // 404 and 403 before 422.
    let nowhere = "/v1/callbacks/01936b5e-3c5a-7cc0-8000-000000000001/cancel";
    server.post(nowhere, "portal-key", &json!({"why": 1})).is_problem(404, "not-found");
    let calls = path.replace("cancel", "call");
    server.post(&calls, "portal-key", &json!({"why": 1})).is_problem(403, "forbidden");
}

#[test]
fn a_list_has_every_row_once_whatever_the_size_of_its_pages() {
    let server = Server::start();
    let mut made = BTreeSet::new();
    for number in 0..7 {
        let body = asap(&format!("030 12345{number}"));
        made.insert(server.callback(&body)["id"].as_str().expect("an id").to_owned());
    }
    for sort in ["created_at", "-created_at", "queued_since", "-queued_since"] {
        let (mut cursor, mut seen) = (String::new(), Vec::new());
        loop {
            let path = format!("/v1/callbacks?limit=3&sort={sort}&state=active{cursor}");
            let page = server.get(&path, "lead-key-1");
            assert_eq!(page.status, 200, "{}", page.body);
            let items = page.body["items"].as_array().expect("a list");
            seen.extend(items.iter().map(|row| row["id"].as_str().expect("an id").to_owned()));
            match page.body["next_cursor"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => break,
            }
        }
        assert_eq!(seen.len(), 7, "{sort}");
        assert_eq!(seen.iter().cloned().collect::<BTreeSet<_>>(), made);
    }
    let page = server.get("/v1/callbacks?limit=3", "lead-key-1");
    let cursor = page.body["next_cursor"].as_str().expect("there is more");
    for other in ["state=open&", "sort=start&", "queue=sales&"] {
        let path = format!("/v1/callbacks?{other}cursor={cursor}");
        assert_eq!(server.get(&path, "lead-key-1").pointers(), ["/cursor"], "{other}");
    }
    for bad in ["limit=0", "limit=201", "cursor=%21", "state=x", "unknown=1"] {
        assert_eq!(server.get(&format!("/v1/callbacks?{bad}"), "lead-key-1").status, 422, "{bad}");
    }
}

#[test]
fn lists_are_filtered_by_what_a_desk_knows() {
    let server = Server::start();
    let mut body = asap("030 123456");
    body["customer"]["email"] = json!("Ada@Example.com");
    body["customer"]["id"] = json!("CON0042");
    body["origin"] = json!({"case_id": "CS1", "interaction_ref": "IMS1"});
    body["external_id"] = json!("X-1");
    server.callback(&body);
    server.callback(&booked("030 123457", &slot(2)));
    let count = |query: &str| {
        let list = server.get(&format!("/v1/callbacks?{query}"), "lead-key-1");
        assert_eq!(list.status, 200, "{query}: {}", list.body);
        list.body["items"].as_array().expect("a list").len()
    };
    for one in [
        "phone=%2B4930123456",
        "phone=+4930123456",
        "queue=billing&phone=030123456",
        "email=ada@example.com",
        "contact_id=CON0042",
        "case_id=CS1",
        "interaction_ref=IMS1",
        "external_id=X-1",
        "number=CB0000001",
        "state=queued",
        "state=open",
        "type=asap",
        "type=scheduled",
        "q=CB0000002",
        &*format!("due_after={}", slot(1)),
    ] {
        assert_eq!(count(one), 1, "{one}");
    }
    for two in [
        "",
        "state=active",
        "queue=billing",
        "medium=voice",
        "requested_by=customer",
        "sort=start",
        "sort=-queued_since",
    ] {
        assert_eq!(count(two), 2, "{two}");
    }
    for none in
        ["state=canceled", "queue=sales", "agent_id=mara", "due_before=2020-01-01T00:00:00Z"]
    {
        assert_eq!(count(none), 0, "{none}");
    }
}

#[test]
fn the_same_external_id_of_one_channel_is_refused() {
    let server = Server::start();
    let mut body = asap("030 123456");
    body["external_id"] = json!("X-1");
    let id = server.callback(&body)["id"].clone();
    let again = server.post("/v1/callbacks", "portal-key", &body);
    assert_eq!((again.status, &again.body["existing"]), (200, &json!(true)), "{}", again.body);
    assert_eq!(again.body["id"], id);
    server.post("/v1/queues/billing/pause", "lead-key-1", &json!({"intake": true}));
    let paused = server.post("/v1/callbacks", "portal-key", &body);
    assert_eq!((paused.status, &paused.body["id"]), (200, &id), "{}", paused.body);
    server.post("/v1/queues/billing/resume", "lead-key-1", &json!({}));
    body["customer"]["phone"] = json!("030 123457");
    let second = server.post("/v1/callbacks", "portal-key", &body);
    assert_eq!(second.is_problem(409, "duplicate")["id"], id);
    assert_eq!(server.post("/v1/callbacks", "chat-key-1", &body).status, 201);
}
