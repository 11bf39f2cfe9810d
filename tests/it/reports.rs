//! Stats windows and reports: against what history tells, on each store and over a `kill -9`, and
//! what is refused.

use std::path::Path;

use serde_json::{Value, json};

use crate::redis::RedisServer;
use crate::server::{Server, Session, asap, send, wall_now};

const LEAD: &str = "lead-key-1";

/// What is counted by events, and by which.
const COUNTED: [(&str, &str); 9] = [
    ("created", "callback.created"),
    ("agent_offers", "callback.offered"),
    ("accepted", "callback.accepted"),
    ("declined", "callback.declined"),
    ("missed", "callback.offer_expired"),
    ("revoked", "callback.offer_revoked"),
    ("called", "callback.calling"),
    ("answered", "callback.answered"),
    ("promises_broken", "callback.promise_broken"),
];

/// The day before this one to the one after, so that a midnight in between does nothing.
fn span() -> String {
    let day = |days: i64| {
        let day = wall_now() + jiff::SignedDuration::from_hours(days * 24);
        day.strftime("%Y-%m-%d").to_string()
    };
    format!("from={}&to={}", day(-1), day(2))
}

fn report(server: &Server, kind: &str, rest: &str) -> Vec<Value> {
    let answer = server.get(&format!("/v1/reports/{kind}?{}&{rest}", span()), LEAD);
    assert_eq!(answer.status, 200, "{}", answer.body);
    answer.body["items"].as_array().expect("a list").clone()
}

/// A count, over all rows in which `key` is `id`.
fn sum(rows: &[Value], key: &str, id: &str, name: &str) -> u64 {
    let its = rows.iter().filter(|row| key.is_empty() || row[key] == id);
    its.map(|row| row[name].as_u64().unwrap_or_else(|| panic!("{name} in {row}"))).sum()
}

/// Everything of the workspace, by each report, is what all histories together tell.
fn check(server: &Server) {
    let all = server.get("/v1/callbacks?limit=200", LEAD).body;
    let all = all["items"].as_array().expect("a list");
    let (mut events, mut first_called) = (Vec::new(), 0);
    for callback in all {
        let id = callback["id"].as_str().expect("an id");
        let history = server.get(&format!("/v1/callbacks/{id}/history?limit=200"), LEAD).body;
        let its = history["items"].as_array().expect("a list").clone();
        first_called += u64::from(its.iter().any(|event| event["type"] == "callback.calling"));
        events.extend(its);
    }
    let told = |kind: &str| events.iter().filter(|event| event["type"] == kind).count() as u64;
    let ended = |state: &str| all.iter().filter(|one| one["state"] == state).count() as u64;
    for by in ["by=hour", "by=day", "by=hour&time_zone=Asia/Kathmandu"] {
        let callbacks = report(server, "callbacks", by);
        let queues = report(server, "queues", by);
        for (name, event) in COUNTED {
            assert_eq!(sum(&callbacks, "", "", name), told(event), "{name} {by}");
            assert_eq!(sum(&queues, "queue", "billing", name), told(event), "{name} {by}");
        }
        for rows in [&callbacks, &queues] {
            let sum = |name| sum(rows, "", "", name);
            assert_eq!(sum("first_called"), first_called);
            assert_eq!(sum("completed"), ended("closed_complete"));
            assert_eq!(sum("canceled"), ended("canceled"));
            assert_eq!(sum("closed"), ended("closed_complete") + ended("canceled"));
        }
        let agents = report(server, "agents", by);
        for (name, event) in COUNTED.into_iter().filter(|(name, _)| agents[0].get(name).is_some()) {
            assert_eq!(sum(&agents, "", "", name), told(event), "agents' {name} {by}");
        }
    }
}

struct Day<'a> {
    server: &'a Server,
    socket: Session,
}

impl<'a> Day<'a> {
    fn begin(server: &'a Server) -> Self {
        Self { server, socket: server.mara() }
    }

    fn act(&self, id: &str, action: &str, body: &Value) {
        let done = self.server.post(&format!("/v1/callbacks/{id}/{action}"), "mara-key-1", body);
        assert_eq!(done.status, 200, "{action}: {}", done.body);
    }

    /// What comes is offered to mara: the callback and the offer.
    fn offered(&mut self) -> (String, Value) {
        let frame = self.socket.wait_for("callback.offered");
        let id = frame["callback"]["id"].as_str().expect("an id").to_owned();
        (id, json!({"offer_id": frame["offer_id"]}))
    }

    /// One is called, taken and closed; the other declined, and called off.
    fn work(&mut self, phone: &str) {
        self.server.callback(&asap(phone));
        let (id, offer) = self.offered();
        self.act(&id, "accept", &offer);
        self.act(&id, "call", &json!({}));
        self.act(&id, "outcome", &json!({"outcome": "answered"}));
        self.act(&id, "end_call", &json!({}));
        self.act(&id, "close", &json!({}));
        let other = self.server.callback(&asap(&format!("{phone}9")));
        let (id, offer) = self.offered();
        assert_eq!(other["id"], id);
        self.act(&id, "decline", &offer);
        let off = self.server.post(&format!("/v1/callbacks/{id}/cancel"), LEAD, &json!({}));
        assert_eq!(off.status, 200, "{}", off.body);
    }
}

/// The same through a life, and over `kill -9` on what lasts.
fn day_on(start: &dyn Fn() -> Server, lasts: bool) {
    let server = start();
    let mut day = Day::begin(&server);
    day.work("030 123451");
    check(&server);
    if !lasts {
        return;
    }
    let before = report(&server, "queues", "by=day");
    server.kill_now();
    drop(server);
    let server = start();
    check(&server);
    let unlike = |row: &Value| {
        let mut row = row.clone();
        // Time that was not yet written down may be lost; offers and lines are written once a
        // minute.
        for name in [
            "occupancy",
            "held_unit_seconds",
            "available_unit_seconds",
            "callback_offers",
            "take_rate",
            "asap_requests",
            "waiting_max",
        ] {
            row.as_object_mut().expect("a row").remove(name);
        }
        row
    };
    let after = report(&server, "queues", "by=day");
    let rows = |rows: &[Value]| rows.iter().map(unlike).collect::<Vec<_>>();
    assert_eq!(rows(&after), rows(&before));
    let mut day = Day::begin(&server);
    day.work("030 123452");
    check(&server);
    let stats = server.get("/v1/stats", LEAD).body;
    let queue = &stats["queues"][0]["windows"]["day"];
    assert_eq!(queue["created"], 4, "{queue}");
    server.terminate();
    assert_eq!(server.exit_code(std::time::Duration::from_secs(30)), Some(0));
    check(&start());
}

#[test]
fn reports_are_what_history_tells_in_memory() {
    day_on(&Server::start, false);
}

#[test]
fn reports_are_what_history_tells_embedded_and_over_kills() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = format!("embedded:{}", folder.path().join("data").display());
    day_on(&|| Server::start_on(folder.path(), &store), true);
}

#[test]
fn reports_are_what_history_tells_on_redis_and_over_kills() {
    let redis = RedisServer::start();
    let folder = tempfile::tempdir().expect("a folder");
    let path: &Path = folder.path();
    day_on(&|| Server::start_on(path, &redis.url()), true);
}

#[test]
fn how_long_lines_were_is_known_after_a_restart() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = format!("embedded:{}", folder.path().join("data").display());
    let start = || Server::start_on(folder.path(), &store);
    let line = |server: &Server| {
        let stats = server.get("/v1/stats", LEAD).body;
        let told = &stats["queues"][0]["waiting_by_minute"];
        let most = told["most"].as_array().expect("minutes").clone();
        assert_eq!(most.len(), 60);
        most
    };
    let server = start();
    for phone in ["030 123451", "030 123452", "030 123453"] {
        server.callback(&asap(phone));
    }
    assert_eq!(line(&server).last(), Some(&json!(3)));
    // Those who wait are called off, so that a line made anew at the start tells less.
    let all = server.get("/v1/callbacks", LEAD).body;
    for one in all["items"].as_array().expect("a list") {
        let id = one["id"].as_str().expect("an id");
        let off = server.post(&format!("/v1/callbacks/{id}/cancel"), LEAD, &json!({}));
        assert_eq!(off.status, 200, "{}", off.body);
    }
    server.terminate();
    assert_eq!(server.exit_code(std::time::Duration::from_secs(30)), Some(0));
    let server = start();
    // The minute may have changed meanwhile; the next one begins with what the last one ended.
    assert_eq!(line(&server).iter().filter_map(Value::as_u64).max(), Some(3));
    let longest = |kind: &str| {
        let rows = report(&server, kind, "by=hour");
        rows.iter().filter_map(|row| row["waiting_max"].as_u64()).max()
    };
    assert_eq!((longest("queues"), longest("callbacks")), (Some(3), Some(3)));
}

#[test]
fn windows_tell_what_was_just_done_and_null_where_nothing_was() {
    let server = Server::start();
    let window = |stats: &Value, of: &str, name: &str| stats[of][0]["windows"][name].clone();
    let names = ["last_minute", "last_15_minutes", "last_60_minutes", "day"];
    let stats = server.get("/v1/stats", LEAD).body;
    for name in names {
        let queue = window(&stats, "queues", name);
        assert_eq!((&queue["created"], &queue["service_level"]), (&json!(0), &Value::Null));
        let nothing = ["wait_mean_seconds", "on_time", "reach_rate", "take_rate", "occupancy"];
        assert!(nothing.iter().all(|name| queue[name].is_null()), "{queue}");
        assert!(window(&stats, "agents", name)["handling_mean_seconds"].is_null());
    }
    let mut day = Day::begin(&server);
    server.get("/v1/queues/billing/availability?live_wait_seconds=900", "portal-key");
    day.work("030 123451");
    let stats = server.get("/v1/stats", LEAD).body;
    for name in names.into_iter().filter(|name| *name != "day") {
        let queue = window(&stats, "queues", name);
        for (name, expected) in [
            ("created", json!(2)),
            ("created_by_channel", json!({"portal": 2})),
            ("queued", json!(2)),
            ("closed_by_reason", json!({"reached": 1, "by_supervisor": 1})),
            ("first_called", json!(1)),
            ("service_level", json!(1.0)),
            ("service_level_of", json!(1)),
            ("reach_rate", json!(1.0)),
            ("attempts_mean", json!(1.0)),
            ("agent_offers", json!(2)),
            ("declined", json!(1)),
            ("asap_requests", json!(2)),
            ("callback_offers", json!(1)),
            ("take_rate", json!(2.0)),
        ] {
            assert_eq!(queue[name], expected, "{name} in {queue}");
        }
        let agent = window(&stats, "agents", name);
        assert_eq!((&agent["handled"], &agent["accepted"]), (&json!(1), &json!(1)), "{agent}");
        let times = agent["presence"].as_array().expect("a list");
        assert_eq!((times.len(), &times[0]["presence"]), (1, &json!("available")), "{agent}");
        let (held, all) = (&agent["held_unit_seconds"], &agent["available_unit_seconds"]);
        assert!(held.as_f64() > Some(0.0) && held.as_f64() <= all.as_f64(), "{agent}");
        assert!(queue["occupancy"].as_f64() > Some(0.0), "{queue}");
    }
    assert_eq!(stats["queues"][1]["windows"]["day"]["created"], 0, "sales had nothing");
}

#[test]
fn only_supervisors_read_reports() {
    let server = Server::start();
    let made = server.callback(&asap("030 123456"));
    let customer = made["manage_token"].as_str().expect("a token");
    let path = format!("/v1/reports/queues?{}&by=day", span());
    for credential in ["portal-key", "public-key", "mara-key-1", customer] {
        server.get(&path, credential).is_problem(403, "forbidden");
    }
    server.get(&path, "").is_problem(401, "unauthorized");
    for credential in [LEAD, "admin-key"] {
        assert_eq!(server.get(&path, credential).status, 200);
    }
    let other = server.get(&path, "other-admin").body;
    assert!(other["items"].as_array().expect("a list").iter().all(|row| row["created"] == 0));
}

#[test]
fn what_is_asked_wrongly_is_refused_by_name() {
    let server = Server::start_with(&[("RINGBACK_LIMITS__REPORT_MAX_ROWS", "100")]);
    let get = |kind: &str, query: &str| server.get(&format!("/v1/reports/{kind}?{query}"), LEAD);
    get("nothing", "from=2026-03-01&to=2026-03-02&by=day").is_problem(404, "not-found");
    for (query, pointers) in [
        ("", &["/from", "/to", "/by"][..]),
        ("from=2026-03-02&to=2026-03-02&by=day", &["/to"]),
        ("from=2026-03-03&to=2026-03-02T00:00:00Z&by=day", &["/to"]),
        ("from=2026-03-01&to=2026-04-03&by=day", &["/to"]),
        ("from=2026-03-01&to=2026-03-20&by=hour", &["/to"]),
        ("from=2026-02-30&to=2026-03-20&by=day", &["/from"]),
        ("from=yesterday&to=2026-03-20&by=day", &["/from"]),
        ("from=2026-03-01&to=2026-03-02&by=week", &["/by"]),
        ("from=2026-03-01&to=2026-03-02&by=day&format=xml", &["/format"]),
        ("from=2026-03-01&to=2026-03-02&by=day&by=day", &["/by"]),
        ("from=2026-03-01&to=2026-03-02&by=day&queue=billing", &["/queue"]),
    ] {
        assert_eq!(get("queues", query).pointers(), pointers, "{query}");
    }
    let zone = "from=2026-03-01&to=2026-03-02&by=day&time_zone=Mars/Olympus";
    get("queues", zone).is_problem(422, "unknown-zone");
    let most = get("queues", "from=2026-03-01&to=2026-04-01&by=day");
    assert_eq!(most.body["items"].as_array().map(Vec::len), Some(62), "two queues, 31 days");
}

#[test]
fn hours_and_days_are_those_of_the_zone() {
    let server = Server::start();
    let get = |query: &str| {
        let answer = server.get(&format!("/v1/reports/callbacks?{query}"), LEAD);
        assert_eq!(answer.status, 200, "{}", answer.body);
        answer.body
    };
    for (day, next, hours) in [("2026-03-29", "2026-03-30", 23), ("2026-10-25", "2026-10-26", 25)] {
        let query = format!("from={day}&to={next}&time_zone=Europe/Berlin");
        let body = get(&format!("{query}&by=hour"));
        let rows = body["items"].as_array().expect("a list");
        assert_eq!((rows.len(), &rows[0]["local_from"]), (hours, &json!(format!("{day}T00:00"))));
        assert_eq!(rows[hours - 1]["local_from"], format!("{day}T23:00"));
        let body = get(&format!("{query}&by=day"));
        assert_eq!(body["items"].as_array().map(Vec::len), Some(1));
    }
    let body = get("from=2026-05-01&to=2026-05-02&by=day&time_zone=asia/kathmandu");
    assert_eq!(body["time_zone"], "Asia/Kathmandu");
    assert_eq!(body["items"][0]["from"], "2026-04-30T18:15:00Z");
    let body = get("from=2026-05-01T08:20:00Z&to=2026-05-01T08:21:00Z&by=hour");
    assert_eq!(
        (&body["from"], &body["time_zone"]),
        (&json!("2026-05-01T08:00:00Z"), &json!("UTC"))
    );
}

#[test]
fn a_table_has_quotes_where_it_must_and_no_formulas() {
    let server = Server::start();
    for (id, name) in [("a", "=cmd|' /C calc'!A0"), ("b", "Ada, \"Desk\""), ("c", "@SUM(A1)")] {
        let body = json!({"name": name});
        assert_eq!(server.put(&format!("/v1/queues/{id}"), "admin-key", &body).status, 201);
    }
    let path = "/v1/reports/queues?from=2026-03-01&to=2026-03-02&by=day";
    let text = |request: reqwest::blocking::RequestBuilder| {
        let answer = request.send().expect("it answers");
        let media = answer.headers()["content-type"].to_str().expect("text").to_owned();
        assert!(media.starts_with("text/csv"), "{media}");
        assert!(answer.headers().contains_key("content-disposition"));
        answer.text().expect("UTF-8")
    };
    let table = text(server.request("GET", &format!("{path}&format=csv"), LEAD));
    let accepted = server.request("GET", path, LEAD).header("Accept", "text/csv, */*;q=0.1");
    assert_eq!(text(accepted), table);
    let lines: Vec<&str> = table.split("\r\n").collect();
    assert!(lines[0].starts_with("from,to,local_from,queue,name,created,"), "{table}");
    assert!(lines[1].contains(",a,'=cmd|' /C calc'!A0,0,"), "{table}");
    assert!(lines[2].contains(",b,\"Ada, \"\"Desk\"\"\",0,"), "{table}");
    assert!(lines.iter().any(|line| line.contains(",c,'@SUM(A1),0,")), "{table}");
    let columns = lines[0].split(',').count();
    assert_eq!(lines[1].split(',').count(), columns);
    let json = server.request("GET", &format!("{path}&format=json"), LEAD);
    assert_eq!(send(json.header("Accept", "text/csv")).status, 200);
}
