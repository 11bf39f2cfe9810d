//! What a customer is told before they choose: by role, by reason, and by what was learned.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::server::{Answer, Server, Session, asap, send, wall_now};

fn ask(server: &Server, query: &str) -> Value {
    let answer = server.get(&format!("/v1/queues/billing/availability{query}"), "portal-key");
    assert_eq!(answer.status, 200, "{}", answer.body);
    answer.body
}

/// Always open, with everything else as it comes, but for `settings`.
fn set_up(server: &Server, settings: &Value) {
    let mut queue = json!({"default_region": "DE", "name": "Billing"});
    for (name, value) in settings.as_object().expect("settings") {
        queue[name] = value.clone();
    }
    let put = server.put("/v1/queues/billing", "admin-key", &queue);
    assert_eq!(put.status, 200, "{}", put.body);
}

fn id(made: &Value) -> &str {
    made["id"].as_str().expect("an id")
}

fn act(server: &Server, made: &Value, action: &str, body: &Value) -> Answer {
    let done = server.post(&format!("/v1/callbacks/{}/{action}", id(made)), "mara-key-1", body);
    assert_eq!(done.status, 200, "{action}: {}", done.body);
    done
}

/// Mara accepts what she is offered next, and calls.
fn call(server: &Server, session: &mut Session, made: &Value) {
    let offer = session.wait_for("callback.offered");
    assert_eq!(offer["callback"]["id"], made["id"]);
    act(server, made, "accept", &json!({"offer_id": offer["offer_id"]}));
    act(server, made, "call", &json!({}));
}

fn finish(server: &Server, made: &Value) {
    act(server, made, "outcome", &json!({"outcome": "answered"}));
    act(server, made, "end_call", &json!({}));
    act(server, made, "close", &json!({}));
}

/// Five callbacks, from request to close: enough to say something.
fn serve_five(server: &Server, session: &mut Session) {
    for last in 1..=5 {
        let made = server.callback(&asap(&format!("030 12345{last}")));
        call(server, session, &made);
        finish(server, &made);
        // Whoever asks next is told by whether she is free.
        let idle = |status: &Value| status["engagement"] == "idle";
        let status = || server.get("/v1/agents/mara/status", "lead-key-1").body;
        wait_for("mara is free", status, idle);
    }
}

#[expect(clippy::disallowed_methods, reason = "a test waits by the real clock")]
fn wait_for(what: &str, mut found: impl FnMut() -> Value, is_so: impl Fn(&Value) -> bool) {
    let begun = Instant::now();
    loop {
        let found = found();
        if is_so(&found) {
            return;
        }
        assert!(begun.elapsed() < Duration::from_secs(20), "{what}: {found}");
        std::thread::park_timeout(Duration::from_millis(10));
    }
}

#[test]
fn whoever_may_ask_is_told_and_whoever_may_not_is_refused() {
    let server = Server::start();
    let path = "/v1/queues/billing/availability";
    for credential in ["portal-key", "mara-key-1", "lead-key-1", "admin-key"] {
        assert_eq!(server.get(path, credential).status, 200, "{credential}");
    }
    let page =
        |origin: &str| send(server.request("GET", path, "public-key").header("Origin", origin));
    assert_eq!(page("https://shop.example").status, 200);
    page("https://elsewhere.example").is_problem(403, "forbidden");
    let mine = server.callback(&asap("030 123456"));
    let token = mine["manage_token"].as_str().expect("a token");
    server.get(path, token).is_problem(403, "forbidden");
    server.get(path, "nobody").is_problem(401, "unauthorized");
    for queue in ["nowhere", "NO"] {
        let missing = server.get(&format!("/v1/queues/{queue}/availability"), "portal-key");
        missing.is_problem(404, "not-found");
    }
    for (query, pointer) in [
        ("medium=fax", "/medium"),
        ("live_wait_seconds=-1", "/live_wait_seconds"),
        ("live_wait_seconds=1.5", "/live_wait_seconds"),
        ("live_wait_seconds=31536001", "/live_wait_seconds"),
        ("live_wait=3", "/live_wait"),
    ] {
        let refused = server.get(&format!("{path}?{query}"), "portal-key");
        assert_eq!(refused.pointers(), [pointer], "{query}");
    }
    let video = server.get(&format!("{path}?medium=video"), "portal-key");
    video.is_problem(422, "medium-not-offered");
    // A key in a page has 30 requests a minute; one is used.
    for _ in 1..30 {
        assert_eq!(page("https://shop.example").status, 200);
    }
    page("https://shop.example").is_problem(429, "rate-limited");
}

#[test]
fn a_request_sent_again_from_a_page_uses_up_nothing() {
    let server = Server::start();
    let ask = |number: u32, key: &str| {
        let request = server.request("POST", "/v1/callbacks", "public-key");
        let request = request.header("Origin", "https://shop.example");
        send(request.header("Idempotency-Key", key).json(&asap(&format!("030 12345{number}"))))
    };
    for _ in 0..4 {
        assert_eq!(ask(1, "one").status, 201);
    }
    // A key in a page has 3 callbacks an hour.
    assert_eq!((ask(2, "two").status, ask(3, "three").status), (201, 201));
    ask(4, "four").is_problem(429, "rate-limited");
    assert_eq!(ask(1, "one").status, 201, "what was answered is answered again");
}

#[test]
fn nobody_there_offers_both_and_somebody_free_offers_nothing() {
    let server = Server::start();
    let told = ask(&server, "");
    assert_eq!(
        (&told["queue"], &told["name"], &told["media"]),
        (&json!("billing"), &json!("billing"), &json!(["voice"]))
    );
    assert_eq!((&told["open"], &told["closes_at"]), (&json!(true), &Value::Null));
    assert_eq!(told["agents"], json!({"connected": 0, "available": 0}));
    let yes = json!({"offered": true, "reason": "no_agents"});
    assert_eq!((&told["asap"], &told["scheduled"]), (&yes, &yes));
    assert_eq!((&told["offer_callback"], &told["waiting"]), (&json!(true), &json!(0)));
    assert_eq!(told["reasons"], json!(["no_agents"]));
    for unknown in [
        "estimated_wait_seconds",
        "estimated_wait_range_seconds",
        "average_callback_seconds",
        "promise_window_minutes",
        "next_open_at",
    ] {
        assert_eq!(told[unknown], Value::Null, "{unknown}");
    }
    let slots = told["next_slots"].as_array().expect("slots");
    assert_eq!((slots.len(), &slots[0]["remaining"]), (5, &json!(4)), "{told}");

    let _session = server.mara();
    let told = ask(&server, "");
    assert_eq!(told["agents"], json!({"connected": 1, "available": 1}));
    assert_eq!(told["estimated_wait_seconds"], 0);
    assert_eq!(told["estimated_wait_range_seconds"], json!([0, 0]));
    let no = json!({"offered": false, "reason": "short_wait"});
    assert_eq!((&told["asap"], &told["scheduled"]), (&no, &no));
    assert_eq!(told["offer_callback"], false);
    let told = ask(&server, "?live_wait_seconds=121");
    assert_eq!((&told["offer_callback"], &told["reasons"]), (&json!(true), &json!(["long_wait"])));
    assert_eq!(told["asap"], json!({"offered": true, "reason": "long_wait"}));
    assert_eq!(ask(&server, "?live_wait_seconds=120")["reasons"], json!(["short_wait"]));
    // Away, she is connected and not available.
    server.put("/v1/agents/mara/presence", "mara-key-1", &json!({"presence": "away"}));
    let told = ask(&server, "?medium=voice");
    assert_eq!(told["agents"], json!({"connected": 1, "available": 0}));
    assert_eq!(told["reasons"], json!(["no_agents"]));
    let stats = server.get("/v1/stats", "lead-key-1").body;
    let billing = &stats["queues"][0];
    assert_eq!((&billing["id"], &billing["callback_offers"]), (&json!("billing"), &json!(3)));
    assert_eq!((&billing["asap_requests"], &billing["take_rate"]), (&json!(0), &json!(0.0)));
    assert_eq!(billing["estimate"], Value::Null);
}

#[test]
fn what_stands_in_the_way_is_told_with_its_reason() {
    let server = Server::start();
    let refused = |told: &Value, kind: &str, reason: &str| {
        assert_eq!(told[kind], json!({"offered": false, "reason": reason}), "{told}");
    };
    let pause = |body: Value| server.post("/v1/queues/billing/pause", "lead-key-1", &body);
    assert_eq!(pause(json!({"intake": true})).status, 200);
    let told = ask(&server, "");
    assert_eq!(told["reasons"], json!(["no_agents", "paused"]));
    refused(&told, "asap", "paused");
    refused(&told, "scheduled", "paused");
    assert_eq!(told["offer_callback"], false);
    server.post("/v1/queues/billing/resume", "lead-key-1", &json!({}));
    assert_eq!(pause(json!({"offers": true})).status, 200);
    let told = ask(&server, "");
    refused(&told, "asap", "paused");
    assert_eq!(told["scheduled"], json!({"offered": true, "reason": "paused"}));
    server.post("/v1/queues/billing/resume", "lead-key-1", &json!({}));

    server.callback(&asap("030 123456"));
    set_up(&server, &json!({"max_outstanding": 1}));
    let told = ask(&server, "");
    assert_eq!(told["reasons"], json!(["no_agents", "limit_reached"]));
    refused(&told, "asap", "limit_reached");
    refused(&told, "scheduled", "limit_reached");

    // Open today alone, by the days of UTC: it closes at midnight.
    let today = || wall_now().to_zoned(jiff::tz::TimeZone::UTC);
    let day = |date: &jiff::Zoned| date.strftime("%a").to_string().to_lowercase();
    let hours = |day: String| json!({"hours": [{"days": [day], "from": "00:00", "to": "24:00"}]});
    let told = loop {
        let asked = day(&today());
        set_up(&server, &hours(asked.clone()));
        let told = ask(&server, "?live_wait_seconds=90000");
        // Once more where it became midnight meanwhile.
        if day(&today()) == asked {
            break told;
        }
    };
    assert_eq!((&told["open"], &told["next_open_at"]), (&json!(true), &Value::Null));
    assert!(told["closes_at"].is_string(), "{told}");
    assert_eq!(told["reasons"], json!(["long_wait", "no_agents", "closing"]));
    refused(&told, "asap", "closing");
    assert_eq!(told["scheduled"], json!({"offered": true, "reason": "long_wait"}));

    let in_three_days = today().saturating_add(jiff::Span::new().days(3));
    set_up(&server, &hours(day(&in_three_days)));
    let told = ask(&server, "?live_wait_seconds=90000");
    assert_eq!((&told["open"], &told["closes_at"]), (&json!(false), &Value::Null));
    assert!(told["next_open_at"].is_string(), "{told}");
    assert_eq!(told["reasons"], json!(["closed"]));
    refused(&told, "asap", "closed");
    assert_eq!(told["scheduled"], json!({"offered": true, "reason": "closed"}));
    assert_eq!(told["offer_callback"], true);
}

#[test]
fn video_can_only_be_booked() {
    let server = Server::start();
    let path = "/v1/queues/sales/availability?medium=video";
    let told = server.get(path, "portal-key").body;
    assert_eq!(told["asap"], json!({"offered": false, "reason": null}));
    assert_eq!(told["scheduled"], json!({"offered": true, "reason": "no_agents"}));
    assert_eq!(told["media"], json!(["voice", "video"]));
}

#[test]
fn what_was_seen_is_told_to_whoever_asks_next() {
    let server = Server::start();
    let mut session = server.mara();
    serve_five(&server, &mut session);
    let sixth = server.request("POST", "/v1/callbacks", "portal-key");
    let sixth = sixth.header("Idempotency-Key", "sixth").json(&asap("030 123466"));
    let again = sixth.try_clone().expect("it can be sent again");
    let made = send(sixth).body;
    assert_eq!((&made["position"], &made["estimated_wait_seconds"]), (&json!(1), &json!(0)));
    call(&server, &mut session, &made);
    let replayed = send(again);
    assert_eq!(replayed.body, made, "a replay tells the same");
    // Mara has the sixth: whoever comes now waits for her, who has taken moments for each.
    let waits = server.callback(&asap("030 123467"));
    assert_eq!((&waits["position"], &waits["state"]), (&json!(1), &json!("queued")));
    assert!(waits["estimated_wait_seconds"].is_u64(), "{waits}");
    let token = waits["manage_token"].as_str().expect("a token");
    for credential in [token, "portal-key", "mara-key-1", "lead-key-1"] {
        let seen = server.get(&format!("/v1/callbacks/{}", id(&waits)), credential).body;
        assert_eq!(seen["position"], 1, "{credential}: {seen}");
        assert!(seen["estimated_wait_seconds"].is_u64(), "{credential}: {seen}");
    }
    let told = ask(&server, "");
    assert_eq!(told["waiting"], 1);
    let range = told["estimated_wait_range_seconds"].as_array().expect("a range");
    let (low, high) = (range[0].as_u64(), range[1].as_u64());
    let wait = told["estimated_wait_seconds"].as_u64();
    assert!(low <= wait && wait <= high, "{told}");
    assert!(told["average_callback_seconds"].is_u64(), "{told}");

    let stats = server.get("/v1/stats", "lead-key-1").body;
    let billing = &stats["queues"][0];
    assert_eq!(billing["estimate"]["scored"], 6, "{billing}");
    assert_eq!(billing["asap_requests"], 7);
    assert!(billing["average_callback_seconds"].is_u64(), "{billing}");
    let metrics = server.request("GET", "/metrics", "admin-key").send().expect("it answers");
    let metrics = metrics.text().expect("text");
    for series in [
        "queue_estimates_scored{workspace=",
        "queue_estimate_inside_ratio{workspace=",
        "queue_estimate_median_error_seconds{workspace=",
        "queue_asap_requests_total{workspace=",
        "queue_callback_offers_total{workspace=",
    ] {
        assert!(metrics.contains(series), "{series}\n{metrics}");
    }
}

#[test]
fn what_was_learned_is_learned_again_after_a_restart() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = format!("embedded:{}", folder.path().join("data").display());
    let server = Server::start_on(folder.path(), &store);
    let mut session = server.mara();
    serve_five(&server, &mut session);
    drop(session);
    server.kill_now();
    drop(server);
    let server = Server::start_on(folder.path(), &store);
    let known = |told: &Value| told["average_callback_seconds"].is_u64();
    wait_for("the average is known again", || ask(&server, ""), known);
    let scored = |stats: &Value| stats["queues"][0]["estimate"]["scored"] == 5;
    wait_for("so is how good it was", || server.get("/v1/stats", "lead-key-1").body, scored);
}
