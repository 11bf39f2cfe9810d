//! What a request for a callback may say: each field at its limits, and every fault in one answer.

use serde_json::{Value, json};

use crate::server::{Answer, Server, asap, booked, slot};

fn ask(server: &Server, credential: &str, body: &Value) -> Answer {
    server.post("/v1/callbacks", credential, body)
}

/// A request with a number of its own, and one more member at a pointer.
fn with(number: usize, pointer: &str, value: Value) -> Value {
    let mut body = asap(&format!("+4930{:06}", 200_000 + number));
    body["origin"] = json!({});
    let (place, name) = pointer.rsplit_once('/').expect("a pointer");
    body.pointer_mut(place).expect("it is there")[name] = value;
    body
}

#[test]
fn every_fault_is_told_in_one_answer_with_its_place() {
    let server = Server::start();
    let body = json!({
        "queue": "nowhere", "type": "later", "medium": "fax", "priorty": 3, "priority": 10,
        "customer": {"phone": "030 1234567", "emial": "a@b.example", "kind": "robot"},
        "size": 0, "requirements": [{"skill": "A", "min_level": 6}], "max_attempts": -1,
        "preferred_agent": {"agent_id": "nobody", "mode": "maybe"}, "customer_agreed": "yes",
        "context": {"foo": 1, "articles": [{"url": "javascript:alert(1)"}]},
        "expire_after_minutes": 1.5, "origin": {"channel": "chat", "page_url": "x"},
    });
    let refused = ask(&server, "portal-key", &body);
    let mut pointers = refused.pointers();
    pointers.sort_unstable();
    // The number may be good: only an unknown queue's country is missing to it.
    assert_eq!(
        pointers,
        [
            "/context/articles/0/url",
            "/context/foo",
            "/customer/emial",
            "/customer/kind",
            "/customer/name",
            "/customer_agreed",
            "/expire_after_minutes",
            "/max_attempts",
            "/medium",
            "/origin/channel",
            "/origin/page_url",
            "/preferred_agent/agent_id",
            "/preferred_agent/mode",
            "/priority",
            "/priorty",
            "/queue",
            "/requirements/0/min_level",
            "/requirements/0/skill",
            "/size",
            "/type",
        ]
    );
    let text = refused.body.to_string();
    for hint in ["did you mean `priority`?", "did you mean `email`?"] {
        assert!(text.contains(hint), "{text}");
    }
    let strange = server.get("/v1/callbacks?statee=open", "lead-key-1");
    assert_eq!(strange.pointers(), ["/statee"]);
    assert!(strange.body.to_string().contains("did you mean `state`?"), "{}", strange.body);
}

#[test]
fn each_text_is_taken_up_to_its_limit_and_no_further() {
    let server = Server::start();
    let mut number = 0;
    let mut status = |pointer: &str, value: Value| {
        number += 1;
        let answer = ask(&server, "portal-key", &with(number, pointer, value));
        if answer.status == 201 {
            let shown = answer.body.pointer(pointer).expect("what was sent comes back");
            assert!(!shown.is_null(), "{pointer}");
        } else {
            assert_eq!(answer.pointers(), [pointer]);
        }
        answer.status
    };
    for (pointer, most) in [
        ("/customer/name", 200),
        ("/customer/id", 200),
        ("/customer/account", 200),
        ("/reason", 200),
        ("/short_description", 200),
        ("/description", 4_000),
        ("/external_id", 200),
        ("/origin/case_id", 200),
        ("/origin/interaction_ref", 200),
    ] {
        // Counted in characters, not in bytes.
        assert_eq!(status(pointer, json!("ä".repeat(most))), 201, "{pointer}");
        assert_eq!(status(pointer, json!("ä".repeat(most + 1))), 422, "{pointer}");
        assert_eq!(status(pointer, json!("")), 422, "{pointer}");
        assert_eq!(status(pointer, json!(7)), 422, "{pointer}");
    }
    for (pointer, good, bad) in [
        ("/priority", json!(0), json!(-1)),
        ("/priority", json!(9), json!(9.5)),
        ("/size", json!(1), json!(0)),
        ("/max_attempts", json!(4_294_967_295_u32), json!(4_294_967_296_u64)),
        ("/expire_after_minutes", json!(525_600), json!(525_601)),
        ("/customer/phone_extension", json!("204"), json!("x")),
        ("/customer/email", json!("ada@example.com"), json!("ada@")),
        ("/customer/kind", json!("consumer"), json!("Contact")),
        ("/customer/locale", json!("en-US"), json!("x")),
        ("/origin/page_url", json!("https://a.example/"), json!("ftp://a.example")),
        ("/customer_agreed", json!(true), json!(1)),
    ] {
        assert_eq!(status(pointer, good), 201, "{pointer}");
        assert_eq!(status(pointer, bad), 422, "{pointer}");
    }
    let filled = |size: usize| json!({"ivr_path": "x".repeat(size - "{\"ivr_path\":\"\"}".len())});
    assert_eq!(status("/context", filled(32 * 1_024)), 201);
    assert_eq!(status("/context", filled(32 * 1_024 + 1)), 422);
}

#[test]
fn a_start_is_an_instant_or_a_local_time_in_its_zone() {
    let server = Server::start();
    let hours = json!({"default_region": "DE", "time_zone": "Europe/Berlin",
                       "hours": [{"days": ["mon"], "from": "00:00", "to": "24:00"},
                                 {"days": ["sun"], "from": "00:00", "to": "12:00"}]});
    assert_eq!(server.put("/v1/queues/billing", "admin-key", &hours).status, 200);
    let mut number = 0;
    let mut schedule = |schedule: Value| {
        number += 1;
        let mut body = booked(&format!("030 {}", 300_000 + number), "");
        body["schedule"] = schedule;
        body["customer_agreed"] = json!(true);
        // Agents book any instant at which the queue is open.
        ask(&server, "lead-key-1", &body)
    };
    let made = schedule(json!({"start": "2037-11-23T10:00:00.250+01:00"}));
    assert_eq!(made.body["schedule"]["start"], "2037-11-23T09:00:00.250Z", "{}", made.body);
    assert_eq!(made.body["schedule"]["local_start"], "2037-11-23T10:00");
    assert_eq!(
        made.body["schedule"]["time_zone"], "Europe/Berlin",
        "the queue's, as none is named"
    );
    let local = json!({"local_start": "2037-11-23T10:00", "time_zone": "America/New_York"});
    assert_eq!(schedule(local).body["schedule"]["start"], "2037-11-23T15:00:00Z");
    // The clocks go back on that Sunday: the first of the two is meant.
    let twice = schedule(json!({"local_start": "2037-10-25T02:30"}));
    assert_eq!(twice.body["schedule"]["start"], "2037-10-25T00:30:00Z");
    assert_eq!(twice.body["schedule"]["repeated"], true);
    let gap = schedule(json!({"local_start": "2037-03-29T02:30"}));
    let problem = gap.is_problem(422, "local-time-missing");
    assert_eq!(problem["next_local_start"], "2037-03-29T03:00");
    assert_eq!(problem["next_start"], "2037-03-29T01:00:00Z");
    let zone = schedule(json!({"local_start": "2037-11-23T10:00", "time_zone": "PST"}));
    assert_eq!(zone.is_problem(422, "unknown-zone")["hint"], "America/Los_Angeles");
    let closed = schedule(json!({"start": "2037-11-24T10:00:00Z"}));
    let problem = closed.is_problem(422, "outside-hours");
    assert_eq!(problem["next_allowed_at"], "2037-11-28T23:00:00Z");
    schedule(json!({"start": "2020-11-23T10:00:00Z"})).is_problem(422, "start-past");
    for (bad, pointer) in [
        (json!({}), "/schedule"),
        (json!({"start": "2037-11-23T10:00:00"}), "/schedule/start"),
        (json!({"local_start": "2037-11-23T10:00Z"}), "/schedule/local_start"),
        (
            json!({"start": "2037-11-23T10:00:00Z", "local_start": "2037-11-23T10:00"}),
            "/schedule/start",
        ),
    ] {
        assert_eq!(schedule(bad).pointers(), [pointer]);
    }
}

#[test]
fn what_a_type_or_medium_needs_must_be_there() {
    let server = Server::start();
    let start = slot(2);
    let mut video = booked("+4930123456", &start);
    video["medium"] = json!("video");
    ask(&server, "portal-key", &video).is_problem(422, "invalid");
    video["customer"] = json!({"name": "Ada", "email": "ada@example.com"});
    let refused = ask(&server, "portal-key", &video);
    assert_eq!(refused.is_problem(422, "medium-not-offered")["errors"][0]["pointer"], "/medium");
    video["queue"] = json!("sales");
    let made = ask(&server, "portal-key", &video);
    assert_eq!((made.status, &made.body["customer"]["phone"]), (201, &json!(null)));
    let path = format!("/v1/callbacks/{}/reschedule", made.body["id"].as_str().expect("an id"));
    assert_eq!(server.post(&path, "portal-key", &json!({"asap": true})).pointers(), ["/asap"]);
    video["type"] = json!("asap");
    video["schedule"] = json!(null);
    assert_eq!(ask(&server, "portal-key", &video).pointers(), ["/type"]);
    let mut late = asap("030 123456");
    late["schedule"] = json!({"start": start});
    assert_eq!(ask(&server, "portal-key", &late).pointers(), ["/schedule"]);
    late["type"] = json!("scheduled");
    late["schedule"] = json!(null);
    assert_eq!(ask(&server, "portal-key", &late).pointers(), ["/schedule"]);
}

#[test]
fn who_waited_in_a_live_line_keeps_their_place() {
    let server = Server::start();
    let now = server.get("/v1/stats", "lead-key-1").body["at"].clone();
    let now: jiff::Timestamp = now.as_str().expect("an instant").parse().expect("RFC 3339");
    let ago = |minutes: i64| (now - jiff::SignedDuration::from_mins(minutes)).to_string();
    let first = server.callback(&asap("030 123456"));
    let mut body = asap("030 123457");
    body["origin"] = json!({"waiting_since": ago(239)});
    let waited = server.callback(&body);
    assert_eq!(waited["queued_since"], waited["origin"]["waiting_since"]);
    assert_eq!(waited["position"], 1, "ahead of who came before");
    let path = format!("/v1/callbacks/{}", first["id"].as_str().expect("an id"));
    assert_eq!(server.get(&path, "portal-key").body["position"], 2);
    let refused = ask(&server, "lead-key-1", &body);
    assert_eq!(refused.pointers(), ["/origin/waiting_since"], "channels alone know");
    body["origin"] = json!({"waiting_since": ago(241)});
    assert_eq!(ask(&server, "portal-key", &body).pointers(), ["/origin/waiting_since"]);
    body["origin"] = json!({"waiting_since": ago(-10)});
    assert_eq!(ask(&server, "portal-key", &body).pointers(), ["/origin/waiting_since"]);
}
