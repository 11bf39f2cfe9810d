//! Requests, and what bad ones get.

use serde_json::{Value, json};

use crate::server::{ADMIN, BOSS, CHAT, MARA, PORTAL, Server, asap, problem};

fn server() -> (tempfile::TempDir, Server) {
    let folder = tempfile::tempdir().expect("a folder");
    let server = Server::start(folder.path(), "memory:");
    (folder, server)
}

#[test]
fn a_callback_is_made_read_moved_and_called_off() {
    let (_folder, server) = server();
    let made = server.ask("+14155550123");
    assert_eq!((&made["state"], &made["position"]), (&json!("queued"), &json!(1)));
    assert_eq!(made["number"], "CB0000001");
    let path = format!("/v1/callbacks/{}", made["id"].as_str().expect("an id"));
    let read: Value = server.get(&path, PORTAL).json().expect("JSON");
    assert_eq!(read["version"], 1);
    assert_eq!(server.get(&path, CHAT).status(), 404, "another channel's");
    let moved = json!({"local_start": "2030-06-03T10:00", "time_zone": "Europe/Berlin"});
    let moved = server.post(&format!("{path}/reschedule"), PORTAL, &moved);
    let moved: Value = moved.json().expect("JSON");
    assert_eq!(moved["state"], "open");
    assert_eq!(moved["schedule"]["start"], "2030-06-03T08:00:00Z");
    let manage = made["manage_token"].as_str().expect("a token");
    let canceled = server.post(&format!("{path}/cancel"), manage, &json!({}));
    let canceled: Value = canceled.json().expect("JSON");
    assert_eq!(
        (&canceled["state"], &canceled["closed_reason"]),
        (&json!("canceled"), &json!("by_customer"),)
    );
    let again = problem(server.post(&format!("{path}/cancel"), PORTAL, &json!({})));
    assert_eq!(again, (409, "illegal-transition".to_owned()));
    let history: Value = server.get(&format!("{path}/history"), BOSS).json().expect("JSON");
    let types: Vec<_> = history["items"].as_array().expect("a list").iter().collect();
    assert_eq!(types.first().expect("not empty")["type"], "callback.created");
    assert_eq!(types.last().expect("not empty")["type"], "callback.canceled");
}

#[test]
fn one_key_is_one_callback_and_another_body_is_refused() {
    let (_folder, server) = server();
    let first = server.post_keyed("/v1/callbacks", PORTAL, &asap("+14155550123"), Some("k"));
    assert_eq!(first.status(), 201);
    let first = first.text().expect("text");
    let again = server.post_keyed("/v1/callbacks", PORTAL, &asap("+14155550123"), Some("k"));
    assert_eq!(
        (again.status().as_u16(), &again.headers()["idempotent-replayed"]),
        (201, &"true".parse().expect("a header"),)
    );
    assert_eq!(again.text().expect("text"), first);
    let other = server.post_keyed("/v1/callbacks", PORTAL, &asap("+14155550124"), Some("k"));
    assert_eq!(problem(other), (422, "idempotency-key-reused".to_owned()));
}

#[test]
fn bad_input_gets_a_problem_that_names_the_fault() {
    let (_folder, server) = server();
    let post = |body: Value| problem(server.post("/v1/callbacks", PORTAL, &body));
    let with = |name: &str, value: Value| {
        let mut body = asap("+14155550123");
        body[name] = value;
        body
    };
    let invalid = (422, "invalid".to_owned());
    assert_eq!(post(with("nonsense", json!(1))), invalid);
    assert_eq!(post(with("priority", json!("high"))), invalid);
    assert_eq!(post(with("queue", json!("nowhere"))), invalid);
    assert_eq!(post(with("medium", json!("video"))).0, 422);
    assert_eq!(post(with("customer", json!({"name": "A", "phone": "12"}))).0, 422);
    let start = |start: &str| {
        let mut body = with("type", json!("scheduled"));
        body["schedule"] = json!({"start": start});
        body
    };
    assert_eq!(post(start("2020-01-01T10:00:00Z")), (422, "start-past".to_owned()));
    let mut zone = with("type", json!("scheduled"));
    zone["schedule"] = json!({"local_start": "2030-01-01T10:00", "time_zone": "PST"});
    assert_eq!(post(zone), (422, "unknown-zone".to_owned()));
    let text = |body: String| problem(server.post_text("/v1/callbacks", PORTAL, body));
    assert_eq!(text("{".to_owned()), (400, "malformed".to_owned()));
    assert_eq!(text(" ".repeat(65 * 1024)), (413, "too-large".to_owned()));
}

#[test]
fn roles_see_and_do_what_they_may() {
    let (_folder, server) = server();
    let made = server.ask("+14155550123");
    let path = format!("/v1/callbacks/{}", made["id"].as_str().expect("an id"));
    let unknown = problem(server.get(&path, "nobody's"));
    assert_eq!(unknown, (401, "unauthorized".to_owned()));
    let call = problem(server.post(&format!("{path}/call"), PORTAL, &json!({})));
    assert_eq!(call, (403, "forbidden".to_owned()));
    let early = problem(server.post(&format!("{path}/call"), MARA, &json!({})));
    assert_eq!(early, (409, "illegal-transition".to_owned()));
    assert_eq!(server.get("/v1/queues/billing", BOSS).status(), 200);
    assert_eq!(server.get("/v1/queues", ADMIN).status(), 200);
    let trace: Value = server.get(&format!("{path}/routing"), BOSS).json().expect("JSON");
    assert_eq!(trace["candidates"][0]["failed"], "offline");
    let list: Value = server.get("/v1/callbacks?state=active", BOSS).json().expect("JSON");
    assert_eq!(list["items"].as_array().map(Vec::len), Some(1));
    assert_eq!(server.get("/v1/nothing", BOSS).status(), 404);
}
