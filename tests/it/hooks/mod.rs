//! Webhooks: set by administrators, signed, filtered, in order, through every trouble.

mod receiver;
mod settings;
mod trouble;

use std::time::Duration;

use serde_json::{Value, json};
use standardwebhooks::Webhook;

use self::receiver::{Hook, Receiver, Reply};
use crate::redis::now;
use crate::server::{Server, asap};

/// Receivers of tests have no other addresses than inner ones.
const LAB: (&str, &str) = ("RINGBACK_WEBHOOKS__ALLOW_INNER", "true");

/// The first retry comes after a fifth of a second.
const HOUR: (&str, &str) = ("RINGBACK_WEBHOOKS__GIVE_UP_AFTER_SECONDS", "3600");

const OLD: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const NEW: &str = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

fn lab() -> Server {
    Server::start_with(&[LAB, HOUR])
}

/// Makes or changes a webhook.
#[track_caller]
fn set(server: &Server, id: &str, body: &Value) -> Value {
    let answer = server.put(&format!("/v1/webhooks/{id}"), "admin-key", body);
    assert!([200, 201].contains(&answer.status), "{}", answer.body);
    answer.body
}

/// A callback, and its calling off: created, queued, canceled.
fn short_life(server: &Server, phone: &str) -> String {
    let made = server.callback(&asap(phone));
    let id = made["id"].as_str().expect("an id").to_owned();
    let path = format!("/v1/callbacks/{id}/cancel");
    assert_eq!(server.post(&path, "portal-key", &json!({})).status, 200);
    id
}

const LIFE: [&str; 3] = ["callback.created", "callback.queued", "callback.canceled"];

#[track_caller]
fn until(what: &str, done: impl Fn() -> bool) {
    let deadline = now() + Duration::from_secs(30);
    while !done() {
        assert!(now() < deadline, "{what}");
        std::thread::park_timeout(Duration::from_millis(10));
    }
}

fn of<'a>(hooks: &'a [Hook], callback: &str) -> Vec<&'a Hook> {
    hooks.iter().filter(|hook| hook.callback() == callback).collect()
}

fn kinds(hooks: &[&Hook]) -> Vec<String> {
    hooks.iter().map(|hook| hook.kind().to_owned()).collect()
}

fn believes(secret: &str, hook: &Hook) -> bool {
    Webhook::new(secret).expect("a secret").verify(&hook.bytes, &hook.headers).is_ok()
}

#[test]
fn events_arrive_signed_in_order_and_as_in_history() {
    let server = lab();
    let receiver = Receiver::willing();
    let made = set(&server, "crm", &json!({"url": receiver.url()}));
    let secret = made["secret"].as_str().expect("it is told once");
    let id = short_life(&server, "030 123456");
    let hooks = receiver.wait_for("three events", |hooks| of(hooks, &id).len() == 3);
    let hooks = of(&hooks, &id);
    assert_eq!(kinds(&hooks), LIFE);
    let history = server.get(&format!("/v1/callbacks/{id}/history"), "lead-key-1").body;
    for (hook, event) in hooks.iter().zip(history["items"].as_array().expect("a list")) {
        assert!(believes(secret, hook), "{hook:?}");
        assert!(!believes(NEW, hook));
        assert_eq!(hook.header("webhook-id"), format!("evt_main_{}", event["id"]));
        assert_eq!(hook.header("content-type"), "application/json");
        let mut body = hook.body.clone();
        let timestamp = body.as_object_mut().expect("an object").remove("timestamp");
        assert_eq!((timestamp.as_ref(), &body), (Some(&event["at"]), event));
    }
}

#[test]
fn only_what_was_asked_for_arrives() {
    let server = lab();
    let [by_type, by_channel, both, queues] = [(); 4].map(|()| Receiver::willing());
    let ended = json!(["callback.closed", "callback.canceled"]);
    set(&server, "by_type", &json!({"url": by_type.url(), "types": ended}));
    set(&server, "by_channel", &json!({"url": by_channel.url(), "channels": ["chat"]}));
    let body = json!({"url": both.url(), "types": ended, "channels": ["chat"]});
    set(&server, "both", &body);
    set(&server, "queues", &json!({"url": queues.url(), "types": ["queue.*"]}));

    let portal = short_life(&server, "030 123456");
    let made = server.post("/v1/callbacks", "chat-key-1", &asap("030 123457"));
    let chat = made.body["id"].as_str().expect("an id").to_owned();
    let pause = server.post("/v1/queues/billing/pause", "lead-key-1", &json!({}));
    assert_eq!(pause.status, 200, "{}", pause.body);
    let path = format!("/v1/callbacks/{chat}/cancel");
    assert_eq!(server.post(&path, "chat-key-1", &json!({})).status, 200);

    let hooks = by_type.wait_for("two ends", |hooks| hooks.len() == 2);
    assert_eq!((hooks[0].callback(), hooks[1].callback()), (&*portal, &*chat));
    let hooks = by_channel.wait_for("three events", |hooks| hooks.len() == 3);
    assert_eq!(kinds(&of(&hooks, &chat)), LIFE, "no queue's event, since it has no channel");
    let hooks = both.wait_for("one end", |hooks| !hooks.is_empty());
    assert_eq!(kinds(&of(&hooks, &chat)), ["callback.canceled"]);
    let hooks = queues.wait_for("one pause", |hooks| !hooks.is_empty());
    assert_eq!((hooks[0].kind(), &hooks[0].body["queue_id"]), ("queue.paused", &json!("billing")));
}

#[test]
fn a_secret_is_changed_without_a_receiver_that_disbelieves() {
    let server = lab();
    let receiver = Receiver::willing();
    let url = receiver.url();
    let next = |secret: &Value| {
        set(&server, "crm", secret);
        let id = short_life(&server, "030 123456");
        let hooks = receiver.wait_for("three events", |hooks| of(hooks, &id).len() == 3);
        let hook = of(&hooks, &id)[0].clone();
        (believes(OLD, &hook), believes(NEW, &hook))
    };
    assert_eq!(next(&json!({"url": url, "secret": OLD})), (true, false));
    assert_eq!(next(&json!({"url": url, "secret": NEW})), (true, true), "either one");
    let shown = server.get("/v1/webhooks/crm", "admin-key").body;
    assert!(shown["status"]["former_secret_until"].is_string(), "{shown}");
    assert_eq!(next(&json!({"url": url})), (true, true), "nothing is said of secrets");
    let leaked = json!({"url": url, "secret": OLD, "former_secret_seconds": 0});
    assert_eq!(next(&leaked), (true, false), "the other one isn't good any more");
}

#[test]
fn one_callback_whose_events_fail_holds_up_no_other() {
    let server = lab();
    let failing: std::sync::Arc<std::sync::Mutex<Option<String>>> = std::sync::Arc::default();
    let told = std::sync::Arc::clone(&failing);
    let receiver = Receiver::start(move |hook| {
        let failing = told.lock().expect("nobody panics");
        let fails = failing.as_deref() == Some(hook.callback());
        Reply::Status(if fails { 500 } else { 200 })
    });
    let made = server.callback(&asap("030 123450"));
    let unlucky = made["id"].as_str().expect("an id").to_owned();
    *failing.lock().expect("nobody panics") = Some(unlucky.clone());
    set(&server, "crm", &json!({"url": receiver.url()}));
    let patch = |text: &str| {
        let path = format!("/v1/callbacks/{unlucky}");
        let patched = server.patch(&path, "lead-key-1", &json!({"description": text}));
        assert_eq!(patched.status, 200, "{}", patched.body);
    };
    patch("one");
    patch("two");
    receiver.wait_for_attempts(1);
    let others: Vec<String> =
        (0..20).map(|number| short_life(&server, &format!("030 1234{number:02}"))).collect();
    let hooks =
        receiver.wait_for("all others", |hooks| others.iter().all(|id| of(hooks, id).len() == 3));
    for id in &others {
        assert_eq!(kinds(&of(&hooks, id)), LIFE);
    }
    let attempts = receiver.attempts();
    let tried: std::collections::BTreeSet<u64> = attempts
        .iter()
        .filter(|(hook, _)| hook.callback() == unlucky)
        .map(|(hook, _)| hook.id())
        .collect();
    assert_eq!(tried.len(), 1, "the second waits for the first");
    let failure = || server.get("/v1/webhooks/crm", "admin-key").body["status"].clone();
    until("it is told", || failure()["last_failure"] == "answered 500");

    *failing.lock().expect("nobody panics") = None;
    let hooks = receiver.wait_for("both", |hooks| of(hooks, &unlucky).len() == 2);
    let hooks = of(&hooks, &unlucky);
    assert!(hooks[0].id() < hooks[1].id(), "in order");
}
