//! Receivers that are down, hang, lead elsewhere or lead inside; and servers that are killed.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::json;

use super::receiver::{Receiver, Reply};
use super::{HOUR, LAB, LIFE, kinds, lab, of, set, short_life, until};
use crate::redis::RedisServer;
use crate::server::{Server, asap};

/// A receiver that takes nothing until the flag is set.
fn down(up: &Arc<AtomicBool>, reply: fn() -> Reply) -> Receiver {
    let up = Arc::clone(up);
    Receiver::start(move |_| if up.load(Ordering::SeqCst) { Reply::Status(200) } else { reply() })
}

fn figure(server: &Server, sample: &str) -> f64 {
    let text = server.request("GET", "/metrics", "").send().expect("it answers");
    let text = text.text().expect("UTF-8");
    let line = text.lines().find_map(|line| line.strip_prefix(sample)?.strip_prefix(' '));
    line.map_or(0.0, |value| value.parse().expect("a number"))
}

#[test]
fn an_outage_loses_nothing_and_costs_few_attempts() {
    let server = lab();
    let up = Arc::new(AtomicBool::new(false));
    let receiver = down(&up, || Reply::Status(503));
    set(&server, "crm", &json!({"url": receiver.url()}));
    let all: Vec<String> =
        (0..30).map(|number| short_life(&server, &format!("030 1234{number:02}"))).collect();
    let failing = "ringback_webhook_failing{workspace=\"main\",webhook=\"crm\"}";
    until("it is seen to be down", || figure(&server, failing) > 0.0);
    assert!(receiver.attempts().len() < 30, "one at a time, now and then");
    up.store(true, Ordering::SeqCst);
    let hooks = receiver.wait_for("all", |hooks| all.iter().all(|id| of(hooks, id).len() == 3));
    for id in &all {
        assert_eq!(kinds(&of(&hooks, id)), LIFE);
    }
    until("it is seen to be up", || figure(&server, failing) == 0.0);
    let delivered = "ringback_webhook_attempts_total{workspace=\"main\",result=\"delivered\"}";
    until("they are counted", || figure(&server, delivered) >= 90.0);
}

/// On each store that outlives a process.
fn on_each_store(check: impl Fn(&Path, &str)) {
    let folder = tempfile::tempdir().expect("a folder");
    check(folder.path(), &format!("embedded:{}", folder.path().join("data").display()));
    let (folder, redis) = (tempfile::tempdir().expect("a folder"), RedisServer::start());
    check(folder.path(), &redis.url());
}

#[test]
fn what_was_acknowledged_arrives_across_kills() {
    on_each_store(arrives_across_kills);
}

fn arrives_across_kills(folder: &Path, store: &str) {
    let answer = ("RINGBACK_WEBHOOKS__ANSWER_SECONDS", "2");
    let connect = ("RINGBACK_WEBHOOKS__CONNECT_SECONDS", "2");
    let settings = [LAB, HOUR, answer, connect];
    let start = || Server::start_on_with(folder, store, &settings);
    let server = start();
    let up = Arc::new(AtomicBool::new(false));
    let receiver = down(&up, || Reply::Hang);
    set(&server, "crm", &json!({"url": receiver.url()}));
    let mut all = Vec::new();
    for number in 0..10 {
        all.push(short_life(&server, &format!("030 1234{number:02}")));
    }
    receiver.wait_for_attempts(1);
    // Nothing was delivered, and then everything is under way at once.
    server.kill_now();
    drop(server);
    let server = start();
    for number in 10..20 {
        all.push(short_life(&server, &format!("030 1234{number:02}")));
    }
    up.store(true, Ordering::SeqCst);
    receiver.wait_for("some", |hooks| hooks.len() > 10);
    server.kill_now();
    drop(server);
    let _server = start();
    let hooks = receiver.wait_for("all", |hooks| all.iter().all(|id| of(hooks, id).len() >= 3));
    for id in &all {
        // Repetitions have the id of what they repeat, and order holds between first arrivals.
        let mut seen = std::collections::BTreeSet::new();
        let mut first = of(&hooks, id);
        first.retain(|hook| seen.insert(hook.header("webhook-id").to_owned()));
        assert_eq!(kinds(&first), LIFE);
    }
}

#[test]
fn a_restart_goes_on_where_it_was() {
    on_each_store(goes_on_where_it_was);
}

fn goes_on_where_it_was(folder: &Path, store: &str) {
    let start = || Server::start_on_with(folder, store, &[LAB, HOUR]);
    let server = start();
    let receiver = Receiver::willing();
    set(&server, "crm", &json!({"url": receiver.url()}));
    let before = short_life(&server, "030 123456");
    receiver.wait_for("three events", |hooks| of(hooks, &before).len() == 3);
    server.terminate();
    assert_eq!(server.exit_code(Duration::from_secs(30)), Some(0));
    let server = start();
    let after = short_life(&server, "030 123457");
    let hooks = receiver.wait_for("three events", |hooks| of(hooks, &after).len() == 3);
    assert_eq!(hooks.len(), 6, "nothing twice after an orderly end");
}

#[test]
fn a_receiver_that_hangs_holds_up_neither_others_nor_callbacks() {
    let answer = ("RINGBACK_WEBHOOKS__ANSWER_SECONDS", "300");
    let server = Server::start_with(&[LAB, HOUR, answer]);
    let hanging = Receiver::start(|_| Reply::Hang);
    let willing = Receiver::willing();
    for number in 0..5 {
        set(&server, &format!("hangs{number}"), &json!({"url": hanging.url()}));
    }
    set(&server, "works", &json!({"url": willing.url()}));
    let mut session = server.mara();
    let made = server.callback(&asap("030 123456"));
    assert_eq!(session.wait_for("callback.offered")["callback"]["id"], made["id"]);
    let all: Vec<String> =
        (0..20).map(|number| short_life(&server, &format!("030 1235{number:02}"))).collect();
    willing.wait_for("all", |hooks| all.iter().all(|id| of(hooks, id).len() == 3));
    hanging.wait_for_attempts(5);
    assert!(hanging.attempts().len() <= 5 * 8, "so many at once are the most");
    server.terminate();
    assert_eq!(server.exit_code(Duration::from_secs(30)), Some(0), "the end waits for none");
}

#[test]
fn an_event_that_is_not_taken_is_given_up_in_time_and_can_be_sent_again() {
    on_each_store(is_given_up_and_sent_again);
}

fn is_given_up_and_sent_again(folder: &Path, store: &str) {
    let second = ("RINGBACK_WEBHOOKS__GIVE_UP_AFTER_SECONDS", "1");
    let start = || Server::start_on_with(folder, store, &[LAB, second]);
    let server = start();
    let up = Arc::new(AtomicBool::new(false));
    let told = Arc::clone(&up);
    let receiver = Receiver::start(move |hook| {
        let fails = hook.kind() == "callback.queued" && !told.load(Ordering::SeqCst);
        Reply::Status(if fails { 500 } else { 200 })
    });
    set(&server, "crm", &json!({"url": receiver.url()}));
    let id = short_life(&server, "030 123456");
    let hooks = receiver.wait_for("the others", |hooks| of(hooks, &id).len() == 2);
    assert_eq!(kinds(&of(&hooks, &id)), ["callback.created", "callback.canceled"]);
    let attempts = receiver.attempts();
    let failed = attempts.iter().filter(|(_, status)| *status == 500).count();
    assert!(failed > 2, "{failed} attempts");
    let given_up = "ringback_webhook_attempts_total{workspace=\"main\",result=\"given_up\"}";
    until("it is counted", || figure(&server, given_up) > 0.0);
    let failures =
        |server: &Server| server.get("/v1/outbox/failures", "admin-key").body["items"].clone();
    until("it is listed", || failures(&server)[0].is_object());
    let failure = failures(&server)[0].clone();
    assert_eq!((&failure["kind"], &failure["name"]), (&json!("webhook"), &json!("crm")));
    assert_eq!((&failure["callback_id"], &failure["attempts"]), (&json!(id), &json!(failed)));
    assert_eq!(failure["reason"], "answered 500");

    server.kill_now();
    drop(server);
    let server = start();
    assert_eq!(failures(&server), json!([failure]), "it is kept");
    let retry = format!("/v1/outbox/failures/{}/retry", failure["id"]);
    let inactive = json!({"url": receiver.url(), "active": false});
    set(&server, "crm", &inactive);
    server.post(&retry, "admin-key", &json!({})).is_problem(409, "in-use");
    set(&server, "crm", &json!({"url": receiver.url()}));
    up.store(true, Ordering::SeqCst);
    assert_eq!(server.post(&retry, "admin-key", &json!({})).status, 200);
    let hooks = receiver.wait_for("the third", |hooks| of(hooks, &id).len() == 3);
    assert_eq!(json!(of(&hooks, &id)[2].id()), failure["event_id"]);
    assert_eq!(failures(&server), json!([]));
    server.kill_now();
    drop(server);
    let server = start();
    assert_eq!(failures(&server), json!([]), "it is gone for good");
    server.post(&retry, "admin-key", &json!({})).is_problem(404, "not-found");
}

#[test]
fn a_redirect_leads_nowhere() {
    let server = lab();
    let inner = Receiver::willing();
    let to = inner.url();
    let receiver = Receiver::start(move |_| Reply::Redirect(307, to.clone()));
    set(&server, "crm", &json!({"url": receiver.url()}));
    short_life(&server, "030 123456");
    receiver.wait_for_attempts(2);
    assert_eq!(inner.connections(), 0);
    let failure = || server.get("/v1/webhooks/crm", "admin-key").body["status"].clone();
    until("it is told", || failure()["last_failure"] == "answered 307");
}

/// Only a name can lead inside: addresses in numbers are refused when they are set.
#[test]
fn a_name_that_leads_inside_is_not_connected_to() {
    let server = Server::start_with(&[HOUR]);
    let inner = Receiver::willing();
    set(&server, "crm", &json!({"url": format!("https://localhost:{}/", inner.port())}));
    short_life(&server, "030 123456");
    let shown = || server.get("/v1/webhooks/crm", "admin-key").body["status"].clone();
    until("it is tried", || shown()["last_failure"].is_string());
    assert_eq!(shown()["last_failure"], "the host has inner addresses alone");
    assert_eq!(inner.connections(), 0);
}
