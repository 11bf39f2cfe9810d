//! The deny list, at intake and before each offer; and customers who were served another way.

use serde_json::{Value, json};

use crate::server::{Answer, Server, asap, booked, patient, send, slot};
use crate::socket::wait_until;

const PHONE: &str = "/v1/deny_list/%2B4930123456";

fn id(callback: &Value) -> &str {
    callback["id"].as_str().expect("an id")
}

fn path(callback: &Value) -> String {
    format!("/v1/callbacks/{}", id(callback))
}

/// Waits until a callback is known to wait in vain.
fn until_unroutable(server: &Server, callback: &Value) {
    wait_until("it is marked", || {
        let seen = server.get(&path(callback), "lead-key-1").body;
        (&seen["unroutable"], &seen["state"]) == (&json!("number_denied"), &json!("queued"))
    });
}

#[test]
fn the_list_is_kept_by_supervisors() {
    let server = Server::start();
    server.get(PHONE, "lead-key-1").is_problem(404, "not-found");
    let made = server.put(PHONE, "lead-key-1", &json!({"reason": "Asked not to be called"}));
    assert_eq!((made.status, made.header("location")), (201, Some(PHONE)), "{}", made.body);
    assert_eq!(
        (&made.body["phone"], &made.body["by"]),
        (&json!("+4930123456"), &json!("supervisor"))
    );
    let shown = server.get(PHONE, "lead-key-1");
    assert_eq!((&shown.body, shown.tag()), (&made.body, made.tag()));
    assert_eq!(server.get("/v1/deny_list/+4930123456", "lead-key-1").body, made.body);
    let replaced = server.put(PHONE, "admin-key", &json!({}));
    assert_eq!((replaced.status, &replaced.body["reason"]), (200, &Value::Null));
    server.put("/v1/deny_list/%2B4930123457", "lead-key-1", &json!({}));
    let first = server.get("/v1/deny_list?limit=1", "lead-key-1").body;
    assert_eq!(first["items"][0]["phone"], "+4930123456");
    let cursor = first["next_cursor"].as_str().expect("there is more");
    let second = server.get(&format!("/v1/deny_list?limit=1&cursor={cursor}"), "lead-key-1").body;
    assert_eq!(second["items"][0]["phone"], "+4930123457");
    assert_eq!(second["next_cursor"], Value::Null);
    let bad = server.put("/v1/deny_list/nobody", "lead-key-1", &json!({}));
    assert_eq!(bad.pointers(), ["/phone"]);
    let bad = server.put(PHONE, "lead-key-1", &json!({"why": 1}));
    assert_eq!(bad.pointers(), ["/why"]);
    for token in ["mara-key-1", "portal-key", "public-key"] {
        server.get("/v1/deny_list", token).is_problem(403, "forbidden");
        server.put(PHONE, token, &json!({})).is_problem(403, "forbidden");
        server.delete(PHONE, token).is_problem(403, "forbidden");
    }
    assert_eq!(server.get("/v1/deny_list", "other-admin").body["items"], json!([]));
    assert_eq!(server.delete(PHONE, "lead-key-1").status, 204);
    server.delete(PHONE, "lead-key-1").is_problem(404, "not-found");
}

#[test]
fn a_number_is_changed_for_the_version_that_was_read() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = format!("embedded:{}", folder.path().join("data").display());
    let server = Server::start_on(folder.path(), &store);
    let put = |server: &Server, (name, tag): (&str, &str), reason: &str| {
        let request = server.request("PUT", PHONE, "lead-key-1").header(name, tag);
        send(request.json(&json!({ "reason": reason })))
    };
    for tag in ["\"1\"", "\"0\"", "*", "W/\"0\""] {
        put(&server, ("If-Match", tag), "absent").is_problem(412, "version-stale");
    }
    let one = put(&server, ("If-None-Match", "*"), "one");
    assert_eq!(one.status, 201);
    put(&server, ("If-None-Match", "*"), "two").is_problem(412, "version-stale");
    let second = put(&server, ("If-Match", &one.tag()), "two");
    assert_eq!((second.status, second.version()), (200, one.version() + 1));
    put(&server, ("If-Match", &one.tag()), "three").is_problem(412, "version-stale");
    server.kill_now();
    drop(server);
    let server = Server::start_on(folder.path(), &store);
    let shown = server.get(PHONE, "lead-key-1");
    assert_eq!((&shown.body["reason"], shown.tag()), (&json!("two"), second.tag()));
    let delete =
        |tag: &str| send(server.request("DELETE", PHONE, "lead-key-1").header("If-Match", tag));
    delete(&one.tag()).is_problem(412, "version-stale");
    assert_eq!(delete(&second.tag()).status, 204);
}

#[test]
fn as_many_numbers_are_denied_as_are_allowed_at_most() {
    let server = Server::start_with(&[("RINGBACK_LIMITS__MAX_DENIED_NUMBERS", "2")]);
    let deny = |phone: &str| {
        server.put(&format!("/v1/deny_list/{phone}"), "lead-key-1", &json!({"reason": "abuse"}))
    };
    assert_eq!((deny("+493012341").status, deny("+493012342").status), (201, 201));
    deny("+493012343").is_problem(409, "limit-reached");
    assert_eq!(deny("+493012342").status, 200, "one that is there may be changed");
    assert_eq!(server.delete("/v1/deny_list/+493012341", "lead-key-1").status, 204);
    assert_eq!(deny("+493012343").status, 201);
}

#[test]
fn a_denied_number_is_refused_at_intake_whoever_asks() {
    let server = Server::start_patient();
    server.put(PHONE, "lead-key-1", &json!({}));
    for token in ["portal-key", "mara-key-1", "lead-key-1"] {
        let refused = server.post("/v1/callbacks", token, &asap("030 123456"));
        let problem = refused.is_problem(422, "phone-refused");
        assert_eq!(problem["errors"][0]["pointer"], "/customer/phone");
    }
    let other = server.callback(&asap("030 123457"));
    let to_denied = json!({"customer": {"phone": "+4930123456"}});
    let moved = server.patch(&path(&other), "lead-key-1", &to_denied);
    moved.is_problem(422, "phone-refused");
    server.delete(PHONE, "lead-key-1");
    server.callback(&asap("030 123456"));
}

#[test]
fn what_waits_for_a_denied_number_is_not_offered_until_it_is_off_the_list() {
    let server = Server::start();
    let mut mara = server.mara();
    let made = server.callback(&asap("030 123456"));
    mara.wait_for("callback.offered");
    server.put(PHONE, "lead-key-1", &json!({}));
    assert_eq!(mara.wait_for("callback.offer_revoked")["reason"], "number_denied");
    until_unroutable(&server, &made);
    let trace = server.get(&(path(&made) + "/routing"), "mara-key-1").body;
    assert_eq!(trace["would_change"], json!(["take the number off the deny list"]));
    let assign =
        server.post(&(path(&made) + "/assign"), "lead-key-1", &json!({"agent_id": "mara"}));
    assign.is_problem(422, "phone-refused");
    // Another's turn comes meanwhile.
    let other = server.callback(&asap("030 123457"));
    let offered = mara.wait_for("callback.offered");
    assert_eq!(offered["callback"]["id"], other["id"]);
    server.post(&(path(&other) + "/cancel"), "portal-key", &json!({}));
    assert_eq!(server.delete(PHONE, "lead-key-1").status, 204);
    let offered = mara.wait_for("callback.offered");
    assert_eq!(offered["callback"]["id"], made["id"]);
    let history = server.get(&(path(&made) + "/history"), "lead-key-1").body;
    let events = history["items"].as_array().expect("a list");
    let told = events.iter().filter(|event| event["type"] == "callback.unroutable");
    assert_eq!(told.count(), 2, "once that it is, once that it isn't any more");
}

/// The list outlives the process, and so does what it holds back.
#[test]
fn the_list_holds_after_kill_9() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = format!("embedded:{}", folder.path().join("data").display());
    let start = || Server::start_configured_on(folder.path(), &store, &patient());
    let server = start();
    let made = server.callback(&asap("030 123456"));
    server.put(PHONE, "lead-key-1", &json!({"reason": "Asked"}));
    server.kill_now();
    drop(server);
    let server = start();
    assert_eq!(server.get(PHONE, "lead-key-1").body["reason"], "Asked");
    let refused = server.post("/v1/callbacks", "chat-key-1", &asap("030 123456"));
    refused.is_problem(422, "phone-refused");
    until_unroutable(&server, &made);
    assert_eq!(server.delete(PHONE, "lead-key-1").status, 204);
    server.kill_now();
    drop(server);
    let server = start();
    let mut mara = server.mara();
    assert_eq!(mara.wait_for("callback.offered")["callback"]["id"], made["id"]);
}

fn served(server: &Server, token: &str, body: &Value) -> Answer {
    server.post("/v1/customers/served_elsewhere", token, body)
}

#[test]
fn a_customer_who_was_served_elsewhere_waits_no_more() {
    let server = Server::start_patient();
    let waiting = server.callback(&asap("030 123456"));
    let later = server.callback(&booked("030 123456", &slot(2)));
    let other = server.callback(&asap("030 123457"));
    let chats = server.post("/v1/callbacks", "chat-key-1", &booked("030 123456", &slot(9)));
    let phone = json!({"phone": "+4930123456"});
    let done = served(&server, "portal-key", &phone);
    let expected = json!({"closed": [id(&waiting)], "kept": [id(&later)]});
    assert_eq!((done.status, &done.body), (200, &expected), "the chat's isn't told");
    let seen = server.get(&path(&waiting), "portal-key").body;
    assert_eq!(
        (&seen["state"], &seen["closed_reason"]),
        (&json!("canceled"), &json!("served_elsewhere"))
    );
    assert_eq!(seen["canceled_by"], "customer");
    let again = served(&server, "portal-key", &phone).body;
    assert_eq!(again, json!({"closed": [], "kept": [id(&later)]}), "repeated, nothing happens");
    let booked = json!({"phone": "+4930123456", "include_scheduled": true, "queue": "billing"});
    let elsewhere = json!({"phone": "+4930123456", "include_scheduled": true, "queue": "sales"});
    assert_eq!(served(&server, "mara-key-1", &elsewhere).body, json!({"closed": [], "kept": []}));
    let closed = served(&server, "mara-key-1", &booked).body;
    assert_eq!(closed, json!({"closed": [id(&later), id(&chats.body)], "kept": []}));
    assert_eq!(server.get(&path(&other), "portal-key").body["state"], "queued");
}

#[test]
fn work_of_an_agent_goes_on_and_agents_see_to_their_own_queues() {
    let server = Server::start_patient();
    let mut mara = server.mara();
    let mut body = asap("030 123456");
    body["customer"]["id"] = json!("CON1");
    let taken = server.callback(&body);
    let offered = mara.wait_for("callback.offered");
    let accept = json!({"offer_id": offered["offer_id"]});
    assert_eq!(server.post(&(path(&taken) + "/accept"), "mara-key-1", &accept).status, 200);
    body["queue"] = json!("sales");
    body["customer"]["phone"] = json!("+4930123456");
    let sales = server.callback(&body);
    let contact = json!({"contact_id": "CON1"});
    let done = served(&server, "mara-key-1", &contact).body;
    assert_eq!(done, json!({"closed": [], "kept": [id(&taken)]}), "sales isn't hers");
    let done = served(&server, "lead-key-1", &contact).body;
    assert_eq!(done, json!({"closed": [id(&sales)], "kept": [id(&taken)]}));
}

#[test]
fn served_elsewhere_is_answered_the_same_under_its_key_and_refuses_what_it_cannot_read() {
    let server = Server::start();
    let made = server.callback(&asap("030 123456"));
    let ask = || {
        let path = "/v1/customers/served_elsewhere";
        let request = server.request("POST", path, "portal-key").header("Idempotency-Key", "s");
        send(request.json(&json!({"phone": "030 123456", "queue": "billing"})))
    };
    let (first, again) = (ask(), ask());
    assert_eq!(first.body, json!({"closed": [id(&made)], "kept": []}));
    assert_eq!((again.status, &again.body), (200, &first.body));
    assert_eq!(again.header("idempotent-replayed"), Some("true"));
    let nobody = || served(&server, "portal-key", &json!({"contact_id": "CON9"}));
    assert_eq!(nobody().body, json!({"closed": [], "kept": []}));
    for (body, pointer) in [
        (json!({}), ""),
        (json!({"phone": "+4930123456", "contact_id": "CON1"}), ""),
        (json!({"phone": "030 123456"}), "/phone"),
        (json!({"contact_id": "CON1", "queue": "nowhere"}), "/queue"),
        (json!({"contact_id": "CON1", "all": true}), "/all"),
    ] {
        assert_eq!(served(&server, "portal-key", &body).pointers(), [pointer], "{body}");
    }
    let link = made["manage_token"].as_str().expect("a token");
    for token in [link, "public-key"] {
        served(&server, token, &json!({"contact_id": "CON1"})).is_problem(403, "forbidden");
    }
}
