//! What whoever runs the server reads: figures as the page for operators tells them.

use std::collections::BTreeMap;

use rlimit::{INFINITY, Resource};
use serde_json::{Value, json};

use crate::redis::now;
use crate::server::{Server, asap, send};
use crate::socket::wait_until;

const PAGE: &str = include_str!("../../docs/operations.md");

/// Type and labels of each metric.
type Metrics<'a> = BTreeMap<&'a str, (&'a str, Vec<&'a str>)>;

/// What stands between backticks.
fn quoted(cell: &str) -> Vec<&str> {
    cell.split('`').skip(1).step_by(2).collect()
}

/// The metrics that the page tells of.
fn told() -> Metrics<'static> {
    let lines = PAGE.lines().skip_while(|line| !line.starts_with("| name | type | labels |"));
    let rows = lines.skip(2).take_while(|line| line.starts_with('|'));
    rows.map(|row| {
        let cells: Vec<&str> = row.split('|').map(str::trim).collect();
        assert!(!cells[4].is_empty(), "{row} says what it means");
        let mut labels = quoted(cells[3]);
        labels.sort_unstable();
        (quoted(cells[1])[0], (cells[2], labels))
    })
    .collect()
}

/// The metrics of a text, each with the labels that all its samples have.
fn found(text: &str) -> Metrics<'_> {
    let mut metrics = Metrics::new();
    let mut current = "";
    for line in text.lines() {
        if let Some((name, kind)) =
            line.strip_prefix("# TYPE ").and_then(|rest| rest.split_once(' '))
        {
            current = name;
            let twice = metrics.insert(name, (kind, vec!["no samples"]));
            assert!(twice.is_none(), "{name} is described once");
        } else if !line.starts_with('#') {
            assert!(line.starts_with(current), "{line} under {current}");
            let (_, labels) = metrics.get_mut(current).expect("described before");
            let inside = line.split_once('{').map_or("", |(_, rest)| rest);
            let inside = inside.rsplit_once('}').map_or("", |(inside, _)| inside);
            let names = inside.split("\",").filter_map(|label| Some(label.split_once('=')?.0));
            let mut names: Vec<&str> = names.filter(|name| *name != "le").collect();
            names.sort_unstable();
            *labels = names;
        }
    }
    metrics
}

pub(crate) fn metrics(server: &Server) -> String {
    let answer = server.request("GET", "/metrics", "").send().expect("it answers");
    assert_eq!(answer.status(), 200);
    answer.text().expect("UTF-8")
}

/// The value of one sample.
fn value(text: &str, sample: &str) -> f64 {
    let line = text.lines().find_map(|line| line.strip_prefix(sample)?.strip_prefix(' '));
    line.unwrap_or_else(|| panic!("no {sample} in\n{text}")).parse().expect("a number")
}

#[test]
fn every_metric_is_told_and_every_one_that_is_told_is_there() {
    let server = Server::start();
    let wish = json!({"queue": "billing", "type": "asap", "customer": {"name": "Ada Lovelace",
        "phone": "+4915112345678"}});
    let made = server.post("/v1/callbacks", "portal-key", &wish);
    assert_eq!(made.status, 201, "{}", made.body);
    let path = format!("/v1/callbacks/{}/cancel", made.body["id"].as_str().expect("an id"));
    assert_eq!(server.post(&path, "lead-key-1", &json!({})).status, 200);
    let hook = json!({"url": "https://hooks.example", "types": ["queue.paused"]});
    assert_eq!(server.put("/v1/webhooks/crm", "admin-key", &hook).status, 201);
    let deadline = now() + std::time::Duration::from_secs(15);
    while !metrics(&server).contains("webhook=\"crm\"") {
        assert!(now() < deadline, "whoever delivers for it begins");
    }
    let text = metrics(&server);
    let below_nothing = text.lines().find(|line| line.contains(" -0"));
    assert_eq!(below_nothing, None);
    let (told, found) = (told(), found(&text));
    let names = |metrics: &Metrics<'_>| metrics.keys().map(|&name| name.to_owned()).collect();
    let (expected, names): (Vec<String>, Vec<String>) = (names(&told), names(&found));
    assert_eq!(names, expected);
    for (name, (kind, labels)) in &found {
        assert_eq!(*kind, told[name].0, "{name}");
        // Nothing was refused at the door, no socket has ended, no estimate has come true.
        let none = [
            "ringback_commands_refused",
            "ringback_sockets_ended",
            "ringback_queue_estimate_inside_ratio",
            "ringback_queue_estimate_median_error_seconds",
        ]
        .contains(name);
        assert_eq!(labels == &["no samples"], none, "{name}");
        assert!(none || *labels == told[name].1, "{name}: {labels:?}");
    }
    let count = |sample: &str| value(&text, sample);
    let created = "ringback_events_total{workspace=\"main\",type=\"callback.created\"}";
    assert!((count(created) - 1.0).abs() < f64::EPSILON);
    let groups = "ringback_journal_append_duration_seconds_count{workspace=\"main\"}";
    assert!(count(groups) >= 2.0);
    let line = "ringback_queue_waiting{workspace=\"main\",queue=\"billing\"}";
    assert!(count(line) < 1.0);
}

#[test]
fn figures_name_nobody() {
    let server = Server::start();
    let wish = json!({"queue": "billing", "type": "asap", "customer": {"name": "Ada Lovelace",
        "phone": "+4915112345678"}});
    let made = server.post("/v1/callbacks", "portal-key", &wish);
    let id = made.body["id"].as_str().expect("an id").to_owned();
    server.get(&format!("/v1/callbacks/{id}"), "lead-key-1");
    server.get("/v1/agents/mara/status", "lead-key-1");
    let text = metrics(&server);
    for word in ["Ada", "4915112345678", "mara", "portal-key", id.as_str()] {
        assert!(!text.contains(word), "{word} in\n{text}");
    }
}

#[test]
fn readiness_tells_alarms_beside_it() {
    let server = Server::start();
    let ready = server.get("/readyz", "");
    assert_eq!((ready.status, &ready.body["alarms"]), (200, &json!({})));
}

#[test]
fn what_a_full_disk_holds_up_goes_on_once_there_is_room() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = format!("embedded:{}", folder.path().join("data").display());
    let server = Server::start_on(folder.path(), &store);
    let first = server.callback(&asap("030 123456"));
    let process = i32::try_from(server.id()).expect("small");
    let bound = |bytes| {
        let limits = Some((bytes, INFINITY));
        rlimit::prlimit(process, Resource::FSIZE, limits, None).expect("it can be set");
    };
    // Once the tables have it, nothing can be written any more: they notice when they settle at
    // rest, and take nothing from then on.
    let projected = "ringback_journal_projected{workspace=\"main\"}";
    let durable = value(&metrics(&server), "ringback_journal_durable{workspace=\"main\"}");
    wait_until("it is in the tables", || value(&metrics(&server), projected) >= durable);
    bound(1);
    let failures = "ringback_tables_failures_total{workspace=\"main\"}";
    wait_until("the tables fail", || value(&metrics(&server), failures) > 0.0);
    let ask = || {
        let request = server.request("POST", "/v1/callbacks", "portal-key");
        send(request.header("Idempotency-Key", "second").json(&asap("030 123457")))
    };
    let path = format!("/v1/callbacks/{}", first["id"].as_str().expect("an id"));
    assert_eq!(server.get(&path, "admin-key").status, 200, "what there is can be read");
    ask().is_problem(503, "unavailable");

    bound(INFINITY);
    wait_until("it goes on", || ask().status == 201);
    let seconds = "ringback_tables_failing_seconds{workspace=\"main\"}";
    wait_until("the tables are written", || value(&metrics(&server), seconds) <= 0.0);
    wait_until("no alarm is left", || server.get("/readyz", "").body["alarms"] == json!({}));
    let listed = |server: &Server| -> Vec<Value> {
        let list = server.get("/v1/callbacks?sort=created_at", "admin-key").body;
        let items = list["items"].as_array().expect("a list");
        items.iter().map(|item| item["id"].clone()).collect()
    };
    let all = listed(&server);
    assert_eq!((all.len(), &all[0]), (2, &first["id"]));
    server.kill_now();
    drop(server);
    assert_eq!(listed(&Server::start_on(folder.path(), &store)), all);
}
