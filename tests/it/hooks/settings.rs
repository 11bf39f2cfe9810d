//! Who may set webhooks, what is refused, and what they show of themselves.

use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};

use serde_json::{Value, json};

use super::receiver::{Receiver, Reply};
use super::{OLD, kinds, lab, of, set, short_life};
use crate::redis::now;
use crate::server::{Server, send};

const URL: &str = "https://hooks.example/ringback";

#[test]
fn a_webhook_is_made_replaced_and_removed() {
    let server = Server::start();
    let path = "/v1/webhooks/crm";
    let body = json!({"url": URL, "types": ["callback.*"], "channels": ["portal"]});
    let made = server.put(path, "admin-key", &body);
    assert_eq!(made.status, 201, "{}", made.body);
    assert_eq!(made.header("location"), Some(path));
    assert!(made.body["secret"].as_str().expect("it is told").starts_with("whsec_"));
    let shown = server.get(path, "admin-key");
    assert_eq!((shown.status, shown.tag()), (200, made.tag()));
    let mut without = made.body.clone();
    without.as_object_mut().expect("an object").remove("secret");
    assert_eq!(shown.body, without, "a secret is shown once");
    // What a GET gave is taken back as it is.
    let again = server.put(path, "admin-key", &shown.body);
    assert_eq!((again.status, again.version()), (200, made.version() + 1), "{}", again.body);
    assert!(again.body.get("secret").is_none());
    let given = server.put("/v1/webhooks/own", "admin-key", &json!({"url": URL, "secret": OLD}));
    assert_eq!((given.status, given.body.get("secret")), (201, None), "who gave it knows it");
    let list = server.get("/v1/webhooks?limit=1", "admin-key").body;
    assert_eq!(list["items"][0]["id"], "crm");
    let next = list["next_cursor"].as_str().expect("there is more");
    let list = server.get(&format!("/v1/webhooks?limit=1&cursor={next}"), "admin-key").body;
    assert_eq!((&list["items"][0]["id"], &list["next_cursor"]), (&json!("own"), &json!(null)));

    let stale = server.request("PUT", path, "admin-key").header("If-Match", made.tag());
    send(stale.json(&body)).is_problem(412, "version-stale");
    let only_new = server.request("PUT", path, "admin-key").header("If-None-Match", "*");
    send(only_new.json(&body)).is_problem(412, "version-stale");
    let nowhere = server.request("PUT", "/v1/webhooks/none", "admin-key").header("If-Match", "*");
    send(nowhere.json(&body)).is_problem(412, "version-stale");
    let stale = server.request("DELETE", path, "admin-key").header("If-Match", made.tag());
    send(stale).is_problem(412, "version-stale");
    assert_eq!(server.delete(path, "admin-key").status, 204);
    server.get(path, "admin-key").is_problem(404, "not-found");
    server.delete(path, "admin-key").is_problem(404, "not-found");
    server.get("/v1/webhooks/own", "other-admin").is_problem(404, "not-found");
}

#[test]
fn what_cannot_be_is_refused_with_its_place() {
    let server = Server::start();
    let put = |body: &Value| server.put("/v1/webhooks/crm", "admin-key", body);
    let bad = json!({
        "id": "other", "url": "ftp://a.example", "types": ["callback.created", "call.*"],
        "channels": ["fax"], "active": "yes", "secret": "whsec_short", "surprise": 1,
        "former_secret_seconds": -1,
    });
    let expected = [
        "/id",
        "/url",
        "/types/1",
        "/channels/0",
        "/active",
        "/secret",
        "/former_secret_seconds",
        "/surprise",
    ];
    assert_eq!(put(&bad).pointers(), expected);
    assert_eq!(put(&json!({})).pointers(), ["/url"]);
    for url in [
        "http://hooks.example/",
        "https://127.0.0.1/",
        "https://127.1/",
        "https://2130706433/",
        "https://[::1]/",
        "https://[::ffff:10.0.0.1]/",
        "https://10.0.0.1:8443/",
        "https://169.254.169.254/latest/meta-data",
        "https://user:word@hooks.example/",
        "https://hooks.example/#a",
        "hooks.example",
        "",
    ] {
        assert_eq!(put(&json!({"url": url})).pointers(), ["/url"], "{url}");
    }
    let bad_id = server.put("/v1/webhooks/Bad%20Id", "admin-key", &json!({"url": URL}));
    assert_eq!(bad_id.pointers(), ["/id"]);
    let list = server.get("/v1/webhooks?surprise=1", "admin-key");
    assert_eq!(list.pointers(), ["/surprise"]);
    for credential in ["lead-key-1", "mara-key-1", "portal-key", "public-key"] {
        let put = server.put("/v1/webhooks/crm", credential, &json!({"url": URL}));
        put.is_problem(403, "forbidden");
        server.get("/v1/webhooks", credential).is_problem(403, "forbidden");
        server.get("/v1/webhooks/crm", credential).is_problem(403, "forbidden");
        server.delete("/v1/webhooks/crm", credential).is_problem(403, "forbidden");
    }
    server.get("/v1/webhooks", "").is_problem(401, "unauthorized");
    let all = json!({"url": URL, "active": false});
    for number in 0..100 {
        assert_eq!(set(&server, &format!("w{number}"), &all)["active"], false);
    }
    put(&all).is_problem(409, "limit-reached");
    assert_eq!(set(&server, "w7", &all)["id"], "w7", "one that is there can be changed");
}

#[test]
fn a_webhook_starts_at_now_and_ends_with_its_removal() {
    let server = lab();
    let receiver = Receiver::willing();
    let url = json!({"url": receiver.url()});
    let before = short_life(&server, "030 123456");
    set(&server, "crm", &url);
    let during = short_life(&server, "030 123457");
    receiver.wait_for("three events", |hooks| of(hooks, &during).len() == 3);
    assert_eq!(server.delete("/v1/webhooks/crm", "admin-key").status, 204);
    let without = short_life(&server, "030 123458");
    set(&server, "crm", &url);
    set(&server, "crm", &json!({"url": receiver.url(), "active": false}));
    let inactive = short_life(&server, "030 123459");
    set(&server, "crm", &url);
    let again = short_life(&server, "030 123450");
    let hooks = receiver.wait_for("three events", |hooks| of(hooks, &again).len() == 3);
    for missed in [before, without, inactive] {
        assert_eq!(of(&hooks, &missed).len(), 0);
    }
}

#[test]
fn a_receiver_that_is_gone_for_good_is_left_alone_until_somebody_says_otherwise() {
    let server = lab();
    let status = Arc::new(AtomicU16::new(410));
    let told = Arc::clone(&status);
    let receiver = Receiver::start(move |_| Reply::Status(told.load(Ordering::SeqCst)));
    let url = json!({"url": receiver.url()});
    set(&server, "crm", &url);
    let refused = short_life(&server, "030 123456");
    let shown = || server.get("/v1/webhooks/crm", "admin-key").body;
    let deadline = now() + std::time::Duration::from_secs(30);
    while shown()["active"] == true {
        assert!(now() < deadline, "{}", shown());
    }
    assert_eq!(shown()["status"]["disabled_reason"], "answered 410");
    let attempts = receiver.attempts().len();
    status.store(200, Ordering::SeqCst);
    short_life(&server, "030 123457");
    set(&server, "crm", &url);
    assert_eq!(shown()["status"]["disabled_reason"], json!(null));
    let after = short_life(&server, "030 123458");
    let hooks = receiver.wait_for("three events", |hooks| of(hooks, &after).len() == 3);
    assert_eq!(of(&hooks, &refused).len(), 0);
    assert_eq!(hooks.len() + attempts, receiver.attempts().len(), "nothing in between");
}

#[test]
fn how_deliveries_stand_is_shown() {
    let server = lab();
    let status = Arc::new(AtomicU16::new(500));
    let told = Arc::clone(&status);
    let receiver = Receiver::start(move |_| Reply::Status(told.load(Ordering::SeqCst)));
    set(&server, "crm", &json!({"url": receiver.url(), "types": ["callback.canceled"]}));
    let shown = || server.get("/v1/webhooks/crm", "admin-key").body["status"].clone();
    let id = short_life(&server, "030 123456");
    let deadline = now() + std::time::Duration::from_secs(30);
    let until = |what: &str, done: &dyn Fn(&Value) -> bool| {
        while !done(&shown()) {
            assert!(now() < deadline, "{what}: {}", shown());
        }
    };
    until("it waits", &|status| status["waiting"] == 1 && status["last_failed_at"].is_string());
    assert_eq!(shown()["last_failure"], "answered 500");
    assert_eq!(shown()["last_delivered_at"], json!(null));
    status.store(200, Ordering::SeqCst);
    let hooks = receiver.wait_for("it arrives", |hooks| !hooks.is_empty());
    assert_eq!(kinds(&of(&hooks, &id)), ["callback.canceled"]);
    until("it is up to date", &|status| {
        status["waiting"] == 0
            && status["behind_seconds"] == 0
            && status["last_delivered_at"].is_string()
    });
}
