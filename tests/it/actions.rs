//! What agents and supervisors do to a callback over HTTP.

use serde_json::{Value, json};

use crate::server::{Answer, Server, asap, booked, send, slot};

fn path(made: &Value, action: &str) -> String {
    format!("/v1/callbacks/{}{action}", made["id"].as_str().expect("an id"))
}

#[test]
fn an_agent_who_is_not_there_gets_nothing() {
    let server = Server::start();
    let made = server.callback(&asap("030 123456"));
    let assign = |agent: &str, credential: &str| {
        server.post(&path(&made, "/assign"), credential, &json!({"agent_id": agent}))
    };
    assign("mara", "lead-key-1").is_problem(409, "agent-not-connected");
    assert_eq!(assign("nobody", "lead-key-1").pointers(), ["/agent_id"]);
    assign("tom", "mara-key-1").is_problem(403, "forbidden");
    let offer = json!({"offer_id": "01936b5e-3c5a-7cc0-8000-000000000001"});
    let accept = server.post(&path(&made, "/accept"), "mara-key-1", &offer);
    accept.is_problem(409, "offer-not-pending");
    assert_eq!(
        server.post(&path(&made, "/accept"), "mara-key-1", &json!({})).pointers(),
        ["/offer_id"]
    );
    let call = server.post(&path(&made, "/call"), "mara-key-1", &json!({}));
    let problem = call.is_problem(409, "illegal-transition");
    assert_eq!((&problem["state"], &problem["action"]), (&json!("queued"), &json!("call")));
}

#[test]
fn what_is_queued_after_an_action_shows_its_place_in_line() {
    let server = Server::start();
    let first = server.callback(&asap("030 123450"));
    let made = server.callback(&booked("030 123456", &slot(2)));
    let moved = server.post(&path(&made, "/requeue"), "lead-key-1", &json!({}));
    assert_eq!((moved.status, &moved.body["position"]), (200, &json!(2)), "{}", moved.body);
    let patched = server.patch(&path(&made, ""), "lead-key-1", &json!({"priority": 9}));
    assert_eq!((patched.status, &patched.body["position"]), (200, &json!(1)), "{}", patched.body);
    assert_eq!(server.get(&path(&first, ""), "portal-key").body["position"], 2);
    let other = server.callback(&booked("030 123457", &slot(2)));
    let asap = server.post(&path(&other, "/reschedule"), "portal-key", &json!({"asap": true}));
    assert_eq!((asap.status, &asap.body["position"]), (200, &json!(3)), "{}", asap.body);
    // Under a key the answer is the same for ever, and the line isn't.
    let last = server.callback(&booked("030 123458", &slot(2)));
    let keyed = || {
        let request = server.request("POST", &path(&last, "/requeue"), "lead-key-1");
        send(request.header("Idempotency-Key", "r").json(&json!({})))
    };
    let answer = keyed();
    assert_eq!((answer.status, &answer.body["position"]), (200, &Value::Null), "{}", answer.body);
    server.post(&path(&first, "/cancel"), "portal-key", &json!({}));
    assert_eq!(keyed().body, answer.body);
    assert_eq!(server.get(&path(&last, ""), "lead-key-1").body["position"], 3);
}

#[test]
fn what_is_refused_for_overload_is_not_done() {
    let most = ("RINGBACK_LIMITS__MAX_COMMANDS_IN_FLIGHT", "1");
    let server = Server::start_with(&[most, ("RINGBACK_LIMITS__ADMISSION_WAIT_MS", "0")]);
    // What was answered may hold the one permit for a moment longer.
    let patiently = |ask: &dyn Fn() -> Answer| {
        let mut answers = std::iter::repeat_with(ask).take(10_000);
        answers.find(|answer| answer.status != 503).expect("the permit is given back")
    };
    let book = |last: u32| {
        let body = booked(&format!("030 1234{last}"), &slot(2));
        patiently(&|| server.post("/v1/callbacks", "lead-key-1", &body)).body
    };
    let made: Vec<Value> = (10..50).map(book).collect();
    let now = |one| server.post(&path(one, "/requeue"), "lead-key-1", &json!({}));
    let answers: Vec<_> = std::thread::scope(|scope| {
        let asked: Vec<_> = made.iter().map(|one| scope.spawn(move || now(one))).collect();
        asked.into_iter().map(|asked| asked.join().expect("it is answered")).collect()
    });
    for (one, answer) in made.iter().zip(answers) {
        let shown = patiently(&|| server.get(&path(one, ""), "lead-key-1"));
        let state = &shown.body["state"];
        if answer.status == 200 {
            assert_eq!((&answer.body["state"], state), (&json!("queued"), &json!("queued")));
        } else {
            answer.is_problem(503, "overloaded");
            assert_eq!(state, "open");
        }
    }
}

#[test]
fn a_supervisor_calls_now_and_closes() {
    let server = Server::start();
    let made = server.callback(&booked("030 123456", &slot(2)));
    let mut body = json!({"queue": "sales"});
    let moved = server.post(&path(&made, "/requeue"), "lead-key-1", &body);
    assert_eq!(moved.status, 200, "{}", moved.body);
    assert_eq!((&moved.body["state"], &moved.body["queue"]), (&json!("queued"), &json!("sales")));
    body["queue"] = json!("nowhere");
    assert_eq!(server.post(&path(&made, "/requeue"), "lead-key-1", &body).pointers(), ["/queue"]);
    let closed = json!({"resolved": true, "notes": "Solved by mail", "disposition": "solved"});
    let closed = server.post(&path(&made, "/close"), "lead-key-1", &closed);
    assert_eq!(closed.body["state"], "closed_complete");
    assert_eq!(closed.body["closed_reason"], "resolved");
    assert_eq!(closed.body["notes"], "Solved by mail");
    assert!(closed.body["closed_at"].is_string());

    let history = server.get(&path(&made, "/history"), "lead-key-1").body;
    let items = history["items"].as_array().expect("a list");
    let types: Vec<_> = items.iter().map(|event| event["type"].as_str().expect("text")).collect();
    assert_eq!(types.first(), Some(&"callback.created"));
    assert_eq!(types.last(), Some(&"callback.closed"));
    assert!(types.contains(&"callback.requeued"));
    let ids: Vec<_> = items.iter().map(|event| event["id"].as_u64().expect("a number")).collect();
    assert!(ids.windows(2).all(|pair| pair[0] < pair[1]), "{ids:?}");
    assert!(items.iter().all(|event| event["callback_id"] == made["id"]));
    // The same in pages of one.
    let (mut cursor, mut seen) = (String::new(), Vec::new());
    loop {
        let page = server.get(&path(&made, &format!("/history?limit=1{cursor}")), "lead-key-1");
        seen.extend(page.body["items"].as_array().expect("a list").iter().cloned());
        match page.body["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    assert_eq!(&seen, items);
    assert_eq!(
        server.get(&path(&made, "/history?cursor=AAAA"), "lead-key-1").pointers(),
        ["/cursor"]
    );
}

#[test]
fn routing_tells_why_nobody_has_it() {
    let server = Server::start();
    let made = server.callback(&asap("030 123456"));
    let trace = server.get(&path(&made, "/routing"), "lead-key-1").body;
    assert_eq!((&trace["state"], &trace["position"]), (&json!("queued"), &json!(1)));
    let candidate = &trace["candidates"][0];
    assert_eq!(candidate["agent_id"], "mara");
    assert_eq!(candidate["eligible"], false);
    assert_eq!(candidate["failed"], "offline");
    assert!(!trace["would_change"].as_array().expect("a list").is_empty());
    assert_eq!(server.post(&path(&made, "/cancel"), "portal-key", &json!({})).status, 200);
    let over = server.get(&path(&made, "/routing"), "lead-key-1").body;
    assert_eq!((&over["candidates"], &over["would_change"]), (&json!([]), &json!([])), "{over}");
}

#[test]
fn a_patch_changes_what_its_sender_may() {
    let server = Server::start();
    let mut body = asap("030 123456");
    body["context"] = json!({"ivr_path": "1-2", "attributes": {"a": 1}});
    let made = server.callback(&body);
    let patch = |credential: &str, body: Value| server.patch(&path(&made, ""), credential, &body);

    let lead = patch("lead-key-1", json!({"priority": 9, "customer": {"name": "Ada K."}}));
    assert_eq!(lead.status, 200, "{}", lead.body);
    assert_eq!(
        (&lead.body["priority"], &lead.body["customer"]["name"]),
        (&json!(9), &json!("Ada K."))
    );
    assert_eq!(lead.body["customer"]["phone"], "+4930123456");
    let context = patch("portal-key", json!({"context": {"attributes": {"b": 2}}}));
    assert_eq!(context.body["context"], json!({"ivr_path": "1-2", "attributes": {"a": 1, "b": 2}}));
    let mail = patch("portal-key", json!({"customer": {"email": "ada@example.com"}}));
    assert_eq!(mail.body["customer"]["email"], "ada@example.com");

    for (credential, body) in [
        ("portal-key", json!({"priority": 9})),
        ("portal-key", json!({"customer": {"phone": "030 1"}})),
        ("lead-key-1", json!({"context": {}})),
        ("mara-key-1", json!({"reason": "x"})),
        ("mara-key-1", json!({})),
    ] {
        patch(credential, body).is_problem(403, "forbidden");
    }
    // Mass assignment: what the engine decides is nobody's to set.
    for field in ["state", "version", "attempts", "queue", "id", "created_at", "assigned_agent"] {
        assert_eq!(patch("lead-key-1", json!({field: 1})).pointers(), [format!("/{field}")]);
    }
    assert_eq!(patch("lead-key-1", json!([])).pointers(), [""]);
    let merge = server.request("PATCH", &path(&made, ""), "lead-key-1");
    let merge = merge.header("Content-Type", "application/merge-patch+json");
    assert_eq!(send(merge.body("{\"description\": \"More\"}")).body["description"], "More");
    server.post(&path(&made, "/cancel"), "lead-key-1", &json!({}));
    patch("lead-key-1", json!({"priority": 1})).is_problem(409, "illegal-transition");
}
