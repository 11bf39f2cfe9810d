//! API keys, made, changed and revoked while the server runs; and what goes on with one meanwhile.

use std::fmt::Write as _;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::events::Stream;
use crate::server::{Server, asap, send};
use crate::socket::desk::Desk;

/// As `sha256sum` prints it.
pub(crate) fn sha256(token: &str) -> String {
    Sha256::digest(token).iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").expect("a string takes any text");
        text
    })
}

fn path(token: &str) -> String {
    format!("/v1/keys/{}", sha256(token))
}

#[test]
fn a_key_is_good_from_the_answer_on_until_it_is_revoked() {
    let server = Server::start();
    let look = || server.get("/v1/queues", "desk-key-1");
    look().is_problem(401, "unauthorized");
    let made = server.put(&path("desk-key-1"), "admin-key", &json!({"role": "supervisor"}));
    assert_eq!((made.status, made.header("location")), (201, Some(&*path("desk-key-1"))));
    let shown = json!({
        "token_sha256": sha256("desk-key-1"), "role": "supervisor", "agent": null,
    });
    assert_eq!(made.body, shown);
    assert_eq!(look().status, 200);
    let channel = json!({"role": "channel", "channel": "chat"});
    let changed = server.put(&path("desk-key-1"), "admin-key", &channel);
    assert_eq!((changed.status, changed.version()), (200, made.version() + 1));
    look().is_problem(403, "forbidden");
    assert_eq!(server.post("/v1/callbacks", "desk-key-1", &asap("030 123456")).status, 201);
    let stale = server.request("DELETE", &path("desk-key-1"), "admin-key");
    send(stale.header("If-Match", made.tag())).is_problem(412, "version-stale");
    assert_eq!(server.delete(&path("desk-key-1"), "admin-key").status, 204);
    look().is_problem(401, "unauthorized");
    server.delete(&path("desk-key-1"), "admin-key").is_problem(404, "not-found");
}

#[test]
fn keys_of_the_configuration_are_changed_and_revoked_too() {
    let server = Server::start();
    let keys = |limit: u32| server.get(&format!("/v1/keys?limit={limit}"), "admin-key").body;
    let first = keys(3);
    assert_eq!(first["items"].as_array().map(Vec::len), Some(3));
    let rest = format!("/v1/keys?cursor={}", first["next_cursor"].as_str().expect("more"));
    let rest = server.get(&rest, "admin-key").body;
    assert_eq!(
        (rest["items"].as_array().map(Vec::len), &rest["next_cursor"]),
        (Some(4), &json!(null))
    );
    assert!(!keys(200).to_string().contains("admin-key"), "tokens aren't kept");

    let public = server.get(&path("public-key"), "admin-key");
    let wanted = json!({
        "token_sha256": sha256("public-key"), "role": "channel", "channel": "portal",
        "public": true, "allowed_origins": ["https://shop.example"],
        "public_limits": {"requests_per_minute": 30, "callbacks_per_hour": 3},
    });
    assert_eq!((&public.body, public.header("etag")), (&wanted, Some("\"1\"")));
    let frames = || {
        let page = server.request("GET", "/callback/a", "").send().expect("it answers");
        page.headers()["content-security-policy"].to_str().expect("ASCII").to_owned()
    };
    assert!(frames().ends_with("frame-ancestors https://shop.example"));
    let mut other = public.body.clone();
    other["allowed_origins"] = json!(["https://other.example"]);
    assert_eq!(server.put(&path("public-key"), "admin-key", &other).status, 200);
    assert!(frames().ends_with("frame-ancestors https://other.example"));
    let slots = |origin: &str| {
        let asked = server.request("GET", "/v1/queues/billing/slots", "public-key");
        send(asked.header("Origin", origin)).status
    };
    assert_eq!((slots("https://shop.example"), slots("https://other.example")), (403, 200));
    assert_eq!(server.delete(&path("public-key"), "admin-key").status, 204);
    assert_eq!(slots("https://other.example"), 401);
    assert!(frames().ends_with("frame-ancestors 'none'"));
    assert_eq!(server.put(&path("public-key"), "admin-key", &wanted).status, 201);
    assert_eq!(slots("https://shop.example"), 200);
}

#[test]
fn only_administrators_set_keys_and_none_of_another_workspace() {
    let server = Server::start();
    let admin = json!({"role": "admin"});
    for token in ["lead-key-1", "mara-key-1", "portal-key", "public-key"] {
        server.get("/v1/keys", token).is_problem(403, "forbidden");
        server.get(&path("admin-key"), token).is_problem(403, "forbidden");
        server.put(&path("mine"), token, &admin).is_problem(403, "forbidden");
        server.delete(&path("admin-key"), token).is_problem(403, "forbidden");
    }
    server.get(&path("admin-key"), "other-admin").is_problem(404, "not-found");
    server.delete(&path("admin-key"), "other-admin").is_problem(404, "not-found");
    // Else whoever has that key would end up here.
    let taken = server.put(&path("portal-key"), "other-admin", &admin);
    assert_eq!(taken.pointers(), ["/token_sha256"]);
    for bad in ["admin-key", &sha256("a")[1..], "%20"] {
        let put = server.put(&format!("/v1/keys/{bad}"), "admin-key", &admin);
        assert_eq!(put.pointers(), ["/token_sha256"], "{bad}");
        server.get(&format!("/v1/keys/{bad}"), "admin-key").is_problem(404, "not-found");
    }
    for (body, pointer) in [
        (json!({}), "/role"),
        (json!({"role": "agent"}), "/agent"),
        (json!({"role": "admin", "token": "in the clear"}), "/token"),
        (json!({"role": "channel", "channel": "chat", "public": true}), "/allowed_origins"),
    ] {
        let put = server.put(&path("mine"), "admin-key", &body);
        assert_eq!(put.pointers(), [pointer], "{body}");
    }
    let absent = server.request("PUT", &path("mine"), "admin-key").header("If-Match", "*");
    send(absent.json(&admin)).is_problem(412, "version-stale");
}

#[test]
fn sessions_and_streams_end_with_the_key_that_they_were_opened_with() {
    let server = Server::start_with(&[("RINGBACK_LIMITS__HEARTBEAT_SECONDS", "3")]);
    let agent = json!({"role": "agent", "agent": "mara"});
    assert_eq!(server.put(&path("desk-key-1"), "admin-key", &agent).status, 201);
    let lead = json!({"role": "supervisor"});
    assert_eq!(server.put(&path("boss-key-1"), "admin-key", &lead).status, 201);
    let mut desk = Desk::connect(&server, "desk-key-1");
    let mut kept = Desk::connect(&server, "mara-key-1");
    for desk in [&mut desk, &mut kept] {
        desk.expect("welcome");
    }
    let mut stream = Stream::open(&server, "boss-key-1", None);
    // The same again, as another may have it, ends nothing.
    assert_eq!(server.put(&path("desk-key-1"), "admin-key", &agent).status, 200);
    desk.is_quiet();
    let tom = json!({"role": "agent", "agent": "tom"});
    assert_eq!(server.put(&path("desk-key-1"), "admin-key", &tom).status, 200);
    assert_eq!(desk.closed(), 4401, "it is another agent's by now");
    // A sign of life: three heartbeats without any would end it too.
    kept.is_quiet();
    assert_eq!(server.delete(&path("boss-key-1"), "admin-key").status, 204);
    server.callback(&asap("030 123456"));
    // What happened before may still be told.
    while let Some(told) = stream.next() {
        assert_ne!(told.kind, "callback.created", "nothing is told any more");
    }
    kept.is_quiet();
}

#[test]
fn there_are_as_many_keys_as_are_allowed_at_most() {
    let most = ("RINGBACK_LIMITS__MAX_KEYS", "300");
    let server = Server::start_with(&[most]);
    let make = |number: u32| {
        let channel = json!({"role": "channel", "channel": "chat"});
        server.put(&path(&format!("chat-{number}")), "admin-key", &channel)
    };
    let configured = 7;
    for number in configured..300 {
        assert_eq!(make(number).status, 201, "{number}");
    }
    make(300).is_problem(409, "limit-reached");
    assert_eq!(make(299).status, 200, "one that is there may be changed");
    assert_eq!(server.delete(&path("chat-7"), "admin-key").status, 204);
    assert_eq!(make(300).status, 201);
    let list: Value = server.get("/v1/keys?limit=200", "admin-key").body;
    assert_eq!(list["items"].as_array().map(Vec::len), Some(200));
}
