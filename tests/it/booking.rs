//! What an agent books for a customer, contact hours, numbers, and what customers do by themselves.

use serde_json::{Value, json};

use crate::server::{LATER, Server, asap, booked, send, slot, slot_at};

fn path(callback: &Value) -> String {
    format!("/v1/callbacks/{}", callback["id"].as_str().expect("an id"))
}

/// 22 o'clock in Berlin, and the next 8 o'clock.
const NIGHT: &str = "2037-11-24T21:00:00Z";
const MORNING: &str = "2037-11-25T07:00:00Z";

#[test]
fn an_agent_books_from_whatever_they_have_in_hand() {
    let server = Server::start();
    let portals = server.callback(&booked("030 123456", &slot(2)));
    let body = json!({
        "queue": "billing", "type": "scheduled",
        "customer": {"name": "Ada Lovelace", "phone": "030 123456", "time_zone": "Europe/Lisbon"},
        "reason": "invoice", "short_description": "Charged twice",
        "schedule": {"local_start": "2037-11-24T15:00"},
        "origin": {"channel": "voice", "interaction_ref": "IMS1", "case_id": "CS1"},
    });
    let made = server.post("/v1/callbacks", "mara-key-1", &body);
    assert_eq!((made.status, &made.body["state"]), (201, &json!("open")), "{}", made.body);
    let is = |pointer: &str, value: Value| {
        assert_eq!(made.body.pointer(pointer), Some(&value), "{pointer}: {}", made.body);
    };
    is("/requested_by", json!("agent"));
    is("/booked_by", json!("mara"));
    is("/record_url", json!("https://crm.example/CS1"));
    is("/customer/time_zone", json!("Europe/Lisbon"));
    is("/schedule/time_zone", json!("Europe/Lisbon"));
    is("/schedule/local_start", json!("2037-11-24T15:00"));
    is("/schedule/start", json!(LATER));
    is("/origin/channel", json!("voice"));
    is("/origin/interaction_ref", json!("IMS1"));
    assert!(made.body.get("manage_token").is_none(), "the customer has it in the mail");
    let told = portals["id"].clone();
    assert_eq!(made.body["duplicates"], json!([]), "{told} lies a day before");

    // The list of scheduled callbacks, and the tiles: all of the contact, whoever booked them.
    let rows = |query: &str| {
        let list = server.get(&format!("/v1/callbacks?{query}"), "mara-key-1");
        assert_eq!(list.status, 200, "{}", list.body);
        list.body["items"].as_array().expect("a list").clone()
    };
    let mine = rows("state=open&type=scheduled&booked_by=mara&sort=start");
    assert_eq!(mine.len(), 1);
    let shown = ["/number", "/customer/name", "/customer/phone", "/schedule/start", "/reason"];
    let row: Vec<_> = shown.iter().map(|pointer| mine[0].pointer(pointer)).collect();
    let wanted = ["CB0000002", "Ada Lovelace", "+4930123456", LATER, "invoice"].map(Value::from);
    assert_eq!(row, wanted.iter().map(Some).collect::<Vec<_>>());
    let tiles = rows("contact_id=%2B4930123456&state=active&sort=start");
    let ids: Vec<_> = tiles.iter().map(|row| &row["id"]).collect();
    assert_eq!(ids, [&portals["id"], &made.body["id"]]);
    assert_eq!(rows("case_id=CS1").len(), 1);
    assert_eq!(rows("interaction_ref=IMS1").len(), 1);
}

#[test]
fn an_agents_time_outside_contact_hours_needs_the_customers_word() {
    let server = Server::start();
    let night = booked("030 123456", NIGHT);
    for token in ["mara-key-1", "lead-key-1"] {
        let refused = server.post("/v1/callbacks", token, &night);
        let problem = refused.is_problem(422, "outside-contact-hours");
        assert_eq!(problem["next_allowed_at"], MORNING);
        assert_eq!(problem["errors"][0]["pointer"], "/schedule/start");
    }
    let mut agreed = night.clone();
    agreed["customer_agreed"] = json!(true);
    let made = server.post("/v1/callbacks", "mara-key-1", &agreed);
    assert_eq!((made.status, &made.body["customer_agreed"]), (201, &json!(true)));
    // What the customer picks isn't bound, nor where they say that they are elsewhere.
    server.callback(&booked("030 123459", &slot_at(2, "22:00")));
    let mut elsewhere = booked("030 123457", NIGHT);
    elsewhere["customer"]["time_zone"] = json!("America/New_York");
    assert_eq!(server.post("/v1/callbacks", "mara-key-1", &elsewhere).status, 201);
    // Moving is choosing too.
    let calm = server.callback(&booked("030 123458", &slot(2)));
    let act = |token: &str, body: Value| server.post(&(path(&calm) + "/reschedule"), token, &body);
    let refused = act("mara-key-1", json!({"start": NIGHT}));
    assert_eq!(refused.is_problem(422, "outside-contact-hours")["next_allowed_at"], MORNING);
    assert_eq!(act("mara-key-1", json!({"start": NIGHT, "customer_agreed": true})).status, 200);
    let link = calm["manage_token"].as_str().expect("a token");
    assert_eq!(act(link, json!({"start": slot_at(3, "22:00")})).status, 200);
}

#[test]
fn where_a_customer_may_be_is_told_where_it_is_not_clear() {
    let server = Server::start();
    let mut body = booked("+1 415 555 0123", "2037-11-24T15:00:00Z");
    let made = server.post("/v1/callbacks", "mara-key-1", &body);
    let problem = made.is_problem(422, "outside-contact-hours");
    assert_eq!(problem["next_allowed_at"], "2037-11-24T18:00:00Z", "8 o'clock in Honolulu too");
    body["schedule"]["start"] = json!("2037-11-24T19:00:00Z");
    let made = server.post("/v1/callbacks", "mara-key-1", &body).body;
    let zones = made["customer"]["time_zone_candidates"].as_array().expect("a list");
    assert!(zones.contains(&json!("America/New_York")) && zones.len() > 4, "{made}");
    let known = server.callback(&booked("030 123456", &slot(2)));
    assert_eq!(known["customer"].get("time_zone_candidates"), None, "Germany has one clock");
    let mut said = booked("+1 415 555 0124", &slot(2));
    said["customer"]["time_zone"] = json!("America/Chicago");
    assert_eq!(server.callback(&said)["customer"].get("time_zone_candidates"), None);
}

#[test]
fn numbers_that_cost_or_belong_to_people_in_need_are_not_called() {
    let server = Server::start();
    for (phone, region) in [
        ("112", "emergency"),
        ("+49 900 1234567", "premium"),
        ("+49 180 5123456", "shared cost"),
        ("+881 612 345 678", "satellite"),
    ] {
        let refused = server.post("/v1/callbacks", "portal-key", &asap(phone));
        let problem = refused.is_problem(422, "phone-refused");
        assert_eq!(problem["errors"][0]["pointer"], "/customer/phone", "{region}");
    }
    // Any country for those who have a secret key; the queue's own regions, where it names some.
    server.callback(&asap("+14155550123"));
    let queue = json!({"default_region": "DE", "allowed_regions": ["DE", "AT"]});
    assert_eq!(server.put("/v1/queues/billing", "admin-key", &queue).status, 200);
    for token in ["portal-key", "mara-key-1"] {
        let refused = server.post("/v1/callbacks", token, &asap("+14155550199"));
        refused.is_problem(422, "phone-refused");
    }
    server.callback(&asap("+43 1 5123456"));
}

#[test]
fn customers_see_and_change_their_own_callback_and_nothing_else() {
    let server = Server::start();
    let made = server.callback(&asap("030 123456"));
    let booked_one = server.callback(&booked("030 123457", &slot(2)));
    let link = |callback: &Value| callback["manage_token"].as_str().expect("a token").to_owned();
    let (asked, planned) = (link(&made), link(&booked_one));
    let seen = server.get(&path(&made), &asked).body;
    assert_eq!((&seen["state"], &seen["position"]), (&json!("queued"), &json!(1)));
    assert!(seen.get("estimated_wait_seconds").is_some());
    for agents in ["offered_to", "assigned_agent", "notes"] {
        assert_eq!(seen.get(agents), None, "{agents} is agents' only");
    }
    for others in ["booked_by", "preferred_agent", "unroutable"] {
        assert_eq!(seen.get(others), Some(&Value::Null), "{others} is anybody's");
    }
    server.get(&path(&booked_one), &asked).is_problem(404, "not-found");
    let act = |callback: &Value, token: &str, action: &str, body: Value| {
        server.post(&format!("{}/{action}", path(callback)), token, &body)
    };
    act(&booked_one, &asked, "cancel", json!({})).is_problem(404, "not-found");
    act(&booked_one, "chat-key-1", "cancel", json!({})).is_problem(404, "not-found");
    let moved = act(&booked_one, &planned, "reschedule", json!({"start": slot(3)}));
    assert_eq!((moved.status, &moved.body["state"]), (200, &json!("open")), "{}", moved.body);
    let now = act(&booked_one, &planned, "reschedule", json!({"asap": true}));
    assert_eq!(now.body["state"], "queued");
    let gone = act(&booked_one, &planned, "cancel", json!({"reason": "Solved it"}));
    assert_eq!(
        (&gone.body["canceled_by"], &gone.body["cancel_reason"]),
        (&json!("customer"), &json!("Solved it"))
    );
    act(&booked_one, &planned, "cancel", json!({})).is_problem(409, "illegal-transition");
    // Afterwards the link still reads.
    assert_eq!(server.get(&path(&booked_one), &planned).body["state"], "canceled");
    let channels = act(&made, "portal-key", "cancel", json!({}));
    assert_eq!(channels.body["canceled_by"], "customer");
    let patch = server.request("PATCH", &path(&made), &asked);
    send(patch.json(&json!({"reason": "x"}))).is_problem(403, "forbidden");
}
