//! Zone rules that change between two starts: future bookings move with their wall time.

use serde_json::{Value, json};

use crate::redis::now;
use crate::server::{Server, booked, slot};

/// A compiled zone (RFC 9636) without any change in the past, which follows `rule` for ever.
fn compiled(offset_seconds: i32, name: &str, rule: &str) -> Vec<u8> {
    let name = [name.as_bytes(), &[0]].concat();
    let mut file = Vec::new();
    for _version in 0..2 {
        file.extend(b"TZif2");
        file.extend([0; 15]);
        let names = u32::try_from(name.len()).expect("short");
        for count in [0, 0, 0, 0, 1, names] {
            file.extend(count.to_be_bytes());
        }
        file.extend(offset_seconds.to_be_bytes());
        file.extend([0, 0]);
        file.extend(&name);
    }
    file.extend(format!("\n{rule}\n").as_bytes());
    file
}

fn rescheduled(server: &Server, id: &str) -> Vec<Value> {
    let history = server.get(&format!("/v1/callbacks/{id}/history"), "lead-key-1").body;
    let events = history["items"].as_array().expect("a list").iter();
    events.filter(|one| one["type"] == "callback.rescheduled").cloned().collect()
}

fn remaining(server: &Server, start: &str) -> Value {
    let path = format!("/v1/queues/billing/slots?from={start}");
    server.get(&path, "portal-key").body["items"][0].clone()
}

#[test]
fn bookings_move_with_their_wall_time_when_the_rules_of_their_zone_change() {
    let folder = tempfile::tempdir().expect("a folder");
    let zones = folder.path().join("zones/Europe");
    std::fs::create_dir_all(&zones).expect("a folder");
    // Some day Berlin keeps a time three hours ahead all the year.
    std::fs::write(zones.join("Berlin"), compiled(10_800, "+03", "<+03>-3")).expect("written");
    let newer = folder.path().join("zones").display().to_string();
    let store = format!("embedded:{}", folder.path().join("data").display());

    let server = Server::start_on(folder.path(), &store);
    let old: jiff::Timestamp = slot(5).parse().expect("an instant");
    let berlin = old.in_tz("Europe/Berlin").expect("a zone");
    let local = berlin.strftime("%Y-%m-%dT%H:%M").to_string();
    let mut body = booked("+4930123456", "");
    body["schedule"] = json!({"local_start": local, "time_zone": "Europe/Berlin"});
    let made = server.callback(&body);
    assert_eq!(made["schedule"]["start"], old.to_string());
    let id = made["id"].as_str().expect("an id");
    body["customer"]["phone"] = json!("+4930123457");
    body["schedule"] = json!({"start": slot(6)});
    let other = server.callback(&body);
    drop(server);

    let settings = [("RINGBACK_TZDB", &*newer)];
    let server = Server::start_on_with(folder.path(), &store, &settings);
    let deadline = now() + std::time::Duration::from_secs(30);
    let path = format!("/v1/callbacks/{id}");
    let seen = loop {
        let seen = server.get(&path, "portal-key").body;
        if seen["version"] != made["version"] {
            break seen;
        }
        assert!(now() < deadline, "it doesn't move: {seen}");
        std::thread::yield_now();
    };
    let earlier = i64::from(10_800 - berlin.offset().seconds());
    let new = old - jiff::SignedDuration::from_secs(earlier);
    assert_eq!(seen["schedule"]["start"], new.to_string());
    assert_eq!(seen["schedule"]["local_start"], local);
    assert_eq!(seen["version"], 2);
    let due = new - jiff::SignedDuration::from_secs(60);
    assert_eq!(seen["next_attempt_at"], due.to_string());
    let events = rescheduled(&server, id);
    assert_eq!(events.len(), 1);
    assert_eq!(
        (&events[0]["data"]["by"], &events[0]["data"]["start"]),
        (&json!("engine"), &json!(new.to_string()))
    );
    assert_eq!(remaining(&server, &new.to_string())["remaining"], 3);
    assert_eq!(remaining(&server, &old.to_string())["remaining"], 4);
    let there = server
        .get(&format!("/v1/callbacks/{}", other["id"].as_str().expect("an id")), "portal-key");
    assert_eq!(there.body["version"], 1, "UTC is as it was");
    drop(server);

    // The same rules again: nothing moves twice.
    let server = Server::start_on_with(folder.path(), &store, &settings);
    assert_eq!(server.get(&path, "portal-key").body["version"], 2);
    assert_eq!(rescheduled(&server, id).len(), 1);
    assert_eq!(remaining(&server, &new.to_string())["remaining"], 3);
}
