//! Slots over HTTP: listed, booked, moved, refused with others, and who is bound to them.

use std::sync::Barrier;

use serde_json::{Value, json};

use crate::redis::now;
use crate::server::{Answer, Server, asap, booked, send, slot, wall_now};

/// A queue in Berlin, always open, one place in each half hour.
fn set_up(server: &Server, more: &Value) {
    let mut settings = json!({
        "default_region": "DE", "time_zone": "Europe/Berlin", "slot_minutes": 30,
        "slot_capacity": 1, "media": ["voice", "video"],
    });
    let more = more.as_object().expect("settings").clone();
    settings.as_object_mut().expect("settings").extend(more);
    let put = server.put("/v1/queues/billing", "admin-key", &settings);
    assert_eq!(put.status, 200, "{}", put.body);
}

fn ask(server: &Server, credential: &str, body: &Value) -> Answer {
    server.post("/v1/callbacks", credential, body)
}

fn after(start: &str, minutes: i64) -> String {
    let at: jiff::Timestamp = start.parse().expect("an instant");
    (at + jiff::SignedDuration::from_mins(minutes)).to_string()
}

/// What remains of the slot that starts then.
fn remaining(server: &Server, start: &str) -> Value {
    let path = format!("/v1/queues/billing/slots?from={start}&to={}", after(start, 1));
    let list = server.get(&path, "portal-key");
    assert_eq!(list.status, 200, "{}", list.body);
    list.body["items"][0]["remaining"].clone()
}

#[test]
fn what_is_listed_can_be_booked_and_what_is_full_names_the_nearest() {
    let server = Server::start();
    set_up(&server, &json!({}));
    let list = server.get("/v1/queues/billing/slots?time_zone=America/New_York", "portal-key").body;
    assert_eq!(list["time_zone"], "America/New_York");
    let items = list["items"].as_array().expect("a list");
    let week = 7 * 48;
    assert!((week - 3..=week).contains(&items.len()), "a week from now: {}", items.len());
    let first = &items[3];
    let start = first["start"].as_str().expect("an instant");
    assert_eq!((&first["remaining"], first["end"].as_str()), (&json!(1), Some(&*after(start, 30))));
    let local = start.parse::<jiff::Timestamp>().expect("an instant").in_tz("America/New_York");
    let local = local.expect("a zone").strftime("%Y-%m-%dT%H:%M").to_string();
    assert_eq!(first["local_start"], local);

    let made = ask(&server, "portal-key", &booked("030 123456", start));
    assert_eq!(made.status, 201, "{}", made.body);
    assert_eq!(made.body["schedule"]["end"], after(start, 30));
    assert!(made.body.get("overbooked").is_none());
    assert_eq!(remaining(&server, start), 0);
    let full = ask(&server, "chat-key-1", &booked("030 123457", start));
    let problem = full.is_problem(409, "slot-full");
    let nearest = problem["nearest"].as_array().expect("a list");
    assert_eq!(nearest.len(), 5);
    for near in nearest {
        assert_eq!(near["remaining"], 1);
        assert_ne!(near["start"], start);
        assert!(near["local_start"].is_string() && near["end"].is_string());
    }
    let other = nearest[0]["start"].as_str().expect("an instant");
    assert_eq!(ask(&server, "chat-key-1", &booked("030 123457", other)).status, 201);

    // Off by a minute there is no slot, and the ones beside it are told.
    let off = ask(&server, "portal-key", &booked("030 123458", &after(start, 1)));
    assert_eq!(off.is_problem(422, "not-a-slot")["nearest"].as_array().map(Vec::len), Some(5));
}

#[test]
fn moving_and_calling_off_free_the_place() {
    let server = Server::start();
    set_up(&server, &json!({}));
    let (start, to) = (slot(2), slot(3));
    let made = ask(&server, "portal-key", &booked("030 123456", &start)).body;
    let (id, token) = (made["id"].as_str().expect("id"), made["manage_token"].as_str().expect("t"));
    let path = |action: &str| format!("/v1/callbacks/{id}/{action}");
    let move_to = |start: &str| server.post(&path("reschedule"), token, &json!({"start": start}));
    assert_eq!(move_to(&start).status, 200, "to where it is: it isn't in its own way");
    assert_eq!(move_to(&to).status, 200);
    assert_eq!((remaining(&server, &start), remaining(&server, &to)), (json!(1), json!(0)));
    let other = ask(&server, "portal-key", &booked("030 123457", &start));
    assert_eq!(other.status, 201, "{}", other.body);
    let problem = move_to(&start);
    assert!(problem.is_problem(409, "slot-full")["nearest"].is_array());
    assert_eq!(remaining(&server, &to), 0, "it keeps its place");
    let off = move_to(&after(&to, 10));
    assert!(off.is_problem(422, "not-a-slot")["nearest"].is_array());
    move_to("2036-01-01T00:00:00Z").is_problem(422, "too-far");
    let asap = server.post(&path("reschedule"), token, &json!({"asap": true}));
    assert_eq!(asap.body["type"], "asap");
    assert_eq!(remaining(&server, &to), 1);
    let other = other.body["id"].as_str().expect("an id");
    let gone = server.post(&format!("/v1/callbacks/{other}/cancel"), "portal-key", &json!({}));
    assert_eq!(gone.body["state"], "canceled");
    assert_eq!(remaining(&server, &start), 1);
}

#[test]
fn customers_give_notice_and_agents_book_as_they_like() {
    let server = Server::start();
    set_up(&server, &json!({"max_days_ahead": 3}));
    let now = wall_now().to_string();
    let soon = ask(&server, "portal-key", &booked("030 123456", &after(&now, 10)));
    assert!(soon.is_problem(422, "too-soon")["soonest_start"].is_string());
    let far = ask(&server, "portal-key", &booked("030 123456", &slot(5)));
    assert!(far.is_problem(422, "too-far")["latest_start"].is_string());
    ask(&server, "portal-key", &booked("030 123456", "2020-01-01T00:00:00Z"))
        .is_problem(422, "start-past");
    let start = slot(2);
    for (number, by, overbooked) in [(1, 0, None), (2, 7, Some(&json!(true)))] {
        let mine = booked(&format!("030 12345{number}"), &after(&start, by));
        let made = ask(&server, "mara-key-1", &mine);
        assert_eq!(made.status, 201, "{}", made.body);
        assert_eq!(made.body.get("overbooked"), overbooked);
    }
    assert_eq!(remaining(&server, &start), 0, "never below none");
    let made = ask(&server, "lead-key-1", &booked("030 123459", &slot(40)));
    assert_eq!(made.status, 201, "{}", made.body);
    let path = format!("/v1/callbacks/{}/reschedule", made.body["id"].as_str().expect("an id"));
    let moved = server.post(&path, "lead-key-1", &json!({"start": after(&start, 3)}));
    assert_eq!((moved.status, &moved.body["overbooked"]), (200, &json!(true)));
    let moved = server.post(&path, "lead-key-1", &json!({"start": slot(1)}));
    assert!(moved.body.get("overbooked").is_none());
}

#[test]
fn an_answer_given_again_still_says_that_it_was_overbooked() {
    let server = Server::start();
    set_up(&server, &json!({}));
    let start = slot(2);
    ask(&server, "mara-key-1", &booked("030 123456", &start));
    let again = || {
        let request = server.request("POST", "/v1/callbacks", "mara-key-1");
        send(request.header("Idempotency-Key", "k").json(&booked("030 123457", &start)))
    };
    let (first, second) = (again(), again());
    assert_eq!(first.body["overbooked"], true);
    assert_eq!(first.body, second.body);
}

#[test]
fn what_is_outstanding_is_bounded_for_channels() {
    let server = Server::start();
    set_up(&server, &json!({"max_outstanding": {"voice": 2}, "slot_capacity": 0}));
    let first = ask(&server, "portal-key", &asap("030 123456")).body;
    assert_eq!(ask(&server, "portal-key", &booked("030 123457", &slot(2))).status, 201);
    assert_eq!(remaining(&server, &slot(2)), Value::Null, "no limit of its own");
    for body in [asap("030 123458"), booked("030 123458", &slot(2))] {
        ask(&server, "portal-key", &body).is_problem(409, "limit-reached");
    }
    assert_eq!(ask(&server, "mara-key-1", &asap("030 123458")).status, 201);
    let id = first["id"].as_str().expect("an id");
    server.post(&format!("/v1/callbacks/{id}/cancel"), "portal-key", &json!({}));
    ask(&server, "portal-key", &asap("030 123459")).is_problem(409, "limit-reached");
    set_up(&server, &json!({"max_outstanding": 3, "slot_capacity": 0}));
    assert_eq!(ask(&server, "portal-key", &asap("030 123459")).status, 201);
}

#[test]
fn questions_about_slots_are_for_whoever_may_ask_and_told_what_is_wrong() {
    let server = Server::start();
    set_up(&server, &json!({}));
    let list =
        |query: &str, token: &str| server.get(&format!("/v1/queues/billing/slots?{query}"), token);
    let mine = ask(&server, "portal-key", &booked("030 123456", &slot(2))).body;
    let token = mine["manage_token"].as_str().expect("a token");
    for credential in ["portal-key", "mara-key-1", "lead-key-1", "admin-key", token] {
        assert_eq!(list("medium=voice", credential).status, 200, "{credential}");
    }
    server.get("/v1/queues/sales/slots", token).is_problem(404, "not-found");
    server.get("/v1/queues/nowhere/slots", "portal-key").is_problem(404, "not-found");
    server.get("/v1/queues/NO/slots", "portal-key").is_problem(404, "not-found");
    list("", "nobody").is_problem(401, "unauthorized");
    for (query, pointer) in [
        ("from=today", "/from"),
        ("from=2026-01-01T00:00:00Z&to=2026-02-02T00:00:00Z", "/to"),
        ("from=2026-01-02T00:00:00Z&to=2026-01-01T00:00:00Z", "/to"),
        ("medium=fax", "/medium"),
        ("mediun=voice", "/mediun"),
    ] {
        assert_eq!(list(query, "portal-key").pointers(), [pointer], "{query}");
    }
    let zone = list("time_zone=CET", "portal-key");
    assert_eq!(zone.is_problem(422, "unknown-zone")["hint"], "Europe/Berlin");
    set_up(&server, &json!({"media": ["voice"]}));
    list("medium=video", "portal-key").is_problem(422, "medium-not-offered");
    let past = list("from=2026-01-01T00:00:00Z&to=2026-01-31T00:00:00Z", "portal-key");
    assert_eq!(past.body["items"], json!([]), "what is past can't be booked");
}

/// Polls until a callback's history has events of that type; answers their data.
fn wait_for_event(server: &Server, id: &str, kind: &str) -> Vec<Value> {
    let deadline = now() + std::time::Duration::from_secs(30);
    loop {
        let path = format!("/v1/callbacks/{id}/history");
        let history = server.get(&path, "lead-key-1").body;
        let events = history["items"].as_array().expect("a list").iter();
        let found: Vec<_> =
            events.filter(|one| one["type"] == kind).map(|one| one["data"].clone()).collect();
        if !found.is_empty() {
            return found;
        }
        assert!(now() < deadline, "no {kind} came: {history}");
        std::thread::yield_now();
    }
}

/// A queue in UTC that is closed on a day.
fn closed_on(server: &Server, days: &[&str]) -> Value {
    let exceptions: Vec<_> = days.iter().map(|day| json!({"date": day, "closed": true})).collect();
    let settings = json!({"time_zone": "UTC", "default_region": "DE", "exceptions": exceptions});
    let put = server.put("/v1/queues/billing", "admin-key", &settings);
    assert_eq!(put.status, 200, "{}", put.body);
    put.body["conflicts"].clone()
}

#[test]
fn hours_changed_under_bookings_are_told_and_the_bookings_stay() {
    let server = Server::start();
    assert_eq!(closed_on(&server, &[]), json!({"count": 0, "first": []}));
    let (one, other) = (slot(2), slot(4));
    let left = ask(&server, "portal-key", &booked("030 123456", &one)).body;
    let inside = ask(&server, "portal-key", &booked("030 123457", &other)).body;
    let (id, day) = (left["id"].as_str().expect("an id"), &one[..10]);
    let told = closed_on(&server, &[day]);
    assert_eq!(told, json!({"count": 1, "first": [id]}));
    let event = wait_for_event(&server, id, "callback.schedule_conflict");
    assert_eq!(event.len(), 1);
    assert_eq!(event[0]["start"], one);
    assert!(event[0]["next_open_at"].is_string());
    let seen = server.get(&format!("/v1/callbacks/{id}"), "portal-key").body;
    assert_eq!((&seen["state"], &seen["schedule"]["start"]), (&json!("open"), &json!(one)));
    // The same again: it still lies outside, and that was told.
    assert_eq!(closed_on(&server, &[day])["count"], 1);
    assert_eq!(closed_on(&server, &[])["count"], 0);
    // What the PUT answered can be sent back as it is.
    let shown = server.get("/v1/queues/billing", "lead-key-1").body;
    let put = server.put("/v1/queues/billing", "admin-key", &shown);
    assert_eq!(server.put("/v1/queues/billing", "admin-key", &put.body).status, 200);
    let many = closed_on(&server, &[day, &other[..10]]);
    let ids = [id, inside["id"].as_str().expect("an id")];
    assert_eq!(many, json!({"count": 2, "first": ids}), "by start");
    let moved = server.post(
        &format!("/v1/callbacks/{id}/reschedule"),
        "portal-key",
        &json!({"start": slot(5)}),
    );
    assert_eq!(moved.status, 200, "{}", moved.body);
    assert_eq!(closed_on(&server, &[day, &other[..10]])["count"], 1);
}

#[test]
fn a_booking_in_a_far_year_holds_nobody_up_who_changes_the_hours() {
    let server = Server::start();
    let put = |from: &str| {
        let days = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
        let hours = json!([{"days": days, "from": from, "to": "18:00"}]);
        let settings = json!({"time_zone": "UTC", "default_region": "DE", "hours": hours});
        let put = server.put("/v1/queues/billing", "admin-key", &settings);
        assert_eq!(put.status, 200, "{}", put.body);
        put.body["conflicts"].clone()
    };
    put("08:00");
    let far = booked("030 123456", "9999-12-20T10:00:00Z");
    let made = ask(&server, "mara-key-1", &far);
    assert_eq!(made.status, 201, "{}", made.body);
    assert_eq!(put("09:00"), json!({"count": 0, "first": []}));
    assert_eq!(put("11:00"), json!({"count": 1, "first": [made.body["id"]]}));
}

#[test]
fn conflicts_are_told_also_by_a_server_that_was_killed_before_it_could() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = format!("embedded:{}", folder.path().join("data").display());
    let server = Server::start_on(folder.path(), &store);
    let start = slot(3);
    let ids: Vec<String> = (0..4)
        .map(|number| {
            let made = ask(&server, "portal-key", &booked(&format!("030 12345{number}"), &start));
            made.body["id"].as_str().expect("an id").to_owned()
        })
        .collect();
    assert_eq!(closed_on(&server, &[&start[..10]])["count"], 4);
    server.kill_now();
    drop(server);
    let server = Server::start_on(folder.path(), &store);
    for id in &ids {
        assert_eq!(wait_for_event(&server, id, "callback.schedule_conflict").len(), 1);
    }
}

/// Those who ask for the same slot at once, and how often.
const CLIENTS: usize = 200;
const RACES: usize = 100;

#[test]
fn the_last_place_of_a_slot_is_given_to_one_of_two_hundred_a_hundred_times() {
    let server = Server::start_with(&[("RINGBACK_WORKSPACE__0__PHONE_REQUESTS_PER_MINUTE", "0")]);
    set_up(&server, &json!({"max_days_ahead": 30}));
    let first: jiff::Timestamp = slot(2).parse().expect("an instant");
    let starts: Vec<String> = (0..i64::try_from(RACES).expect("few"))
        .map(|number| (first + jiff::SignedDuration::from_mins(30 * number)).to_string())
        .collect();
    let line = Barrier::new(CLIENTS);
    let won: Vec<Vec<bool>> = std::thread::scope(|scope| {
        let race = |client: usize| {
            let (server, starts, line) = (&server, &starts, &line);
            scope.spawn(move || {
                let run = |(race, start): (usize, &String)| {
                    let phone = format!("+4930{:07}", 1_000_000 + race * CLIENTS + client);
                    let body = booked(&phone, start);
                    line.wait();
                    let answer = server.post("/v1/callbacks", "portal-key", &body);
                    if answer.status != 201 {
                        let problem = answer.is_problem(409, "slot-full");
                        let nearest = problem["nearest"].as_array().expect("a list");
                        assert!(nearest.iter().all(|near| near["start"] != **start));
                        assert!(!nearest.is_empty() && nearest.len() <= 5);
                    }
                    answer.status == 201
                };
                starts.iter().enumerate().map(run).collect()
            })
        };
        let running: Vec<_> = (0..CLIENTS).map(race).collect();
        running.into_iter().map(|one| one.join().expect("it raced")).collect()
    });
    for (race, start) in starts.iter().enumerate() {
        let winners = won.iter().filter(|all| all[race]).count();
        assert_eq!(winners, 1, "{start}");
        assert_eq!(remaining(&server, start), 0);
    }
}
