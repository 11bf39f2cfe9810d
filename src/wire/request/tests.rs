//! Requests at the door: what is taken, what is refused, and where the fault is said to be.

use serde_json::{Value, json};

use super::*;
use crate::domain::message::Who;
use crate::wire::samples::{NOW, World, agent, at, body, bot};

const PAGE: Role = Role::Channel { channel: Channel::VirtualAgent, public: true };

fn read(body: &Value, role: &Role) -> Result<Wish, Problem> {
    read_request(&Json::from(body), role, &World::new(), 8)
}

/// The document's request with a value at a pointer; null takes the member away.
fn with(pointer: &str, value: Value) -> Value {
    let mut body = body();
    let (parent, name) = pointer.rsplit_once('/').expect("a pointer");
    let parent = body.pointer_mut(parent).expect("it is there");
    parent.as_object_mut().expect("an object").insert(name.to_owned(), value);
    body
}

fn asap() -> Value {
    let mut body = with("/type", json!("asap"));
    body["schedule"] = Value::Null;
    body
}

fn pointers(result: Result<Wish, Problem>) -> Vec<String> {
    let problem = result.expect_err("refused");
    assert_eq!(problem.kind.name(), "invalid", "{problem:?}");
    problem.errors.into_iter().map(|fault| fault.pointer).collect()
}

fn kind(result: Result<Wish, Problem>) -> &'static str {
    result.expect_err("refused").kind.name()
}

#[test]
fn the_documents_request_is_taken_whole() {
    let wish = read(&body(), &bot()).expect("good");
    assert_eq!(wish.queue.as_str(), "billing");
    assert_eq!(wish.who, Who::Channel);
    assert_eq!((wish.kind, wish.medium), (CallbackType::Scheduled, Medium::Voice));
    let booking = wish.booking.expect("it is scheduled");
    assert_eq!(booking.start, at("2026-11-24T15:00:00Z"));
    assert_eq!(booking.local_start.to_string(), "2026-11-24T10:00");
    assert_eq!(wish.zone.name(), "America/New_York");
    assert_eq!((wish.priority.value(), wish.size), (5, 1));
    assert_eq!(wish.requirements.iter().count(), 1);
    assert_eq!(wish.preferred.expect("one is asked for").agent, agent("mara"));
    assert_eq!((wish.max_attempts, wish.expire_after_minutes), (Some(5), Some(60)));
    let request = wish.request;
    assert_eq!(request.origin.channel, Channel::VirtualAgent);
    assert_eq!(request.external_id.as_deref(), Some("X-1"));
}

#[test]
fn little_is_required() {
    let least = json!({
        "queue": "billing", "type": "asap",
        "customer": {"name": "Ada", "phone": "030 123456"},
    });
    let wish = read(&least, &bot()).expect("good");
    assert_eq!(wish.request.customer.phone.expect("given").as_str(), "+4930123456");
    assert_eq!((wish.priority.value(), wish.size, wish.booking), (5, 1, None));
    assert_eq!(wish.zone.name(), "Europe/Berlin");
    assert_eq!(wish.max_attempts, None);
    assert_eq!(pointers(read(&json!({}), &bot())), ["/queue", "/type", "/customer"]);
    let nobody = json!({"queue": "billing", "type": "scheduled", "customer": {}});
    let faults = pointers(read(&nobody, &bot()));
    assert_eq!(faults, ["/schedule", "/customer/name", "/customer/phone"]);
    for not_an_object in [json!([]), json!("x"), json!(null), json!(1)] {
        assert_eq!(pointers(read(&not_an_object, &bot())), [""]);
    }
}

#[test]
fn every_fault_is_told_at_once_with_its_place() {
    let mut body = body();
    body["queue"] = json!("nowhere");
    body["customer"]["name"] = json!("");
    body["customer"]["email"] = json!("nobody");
    body["requirements"][0]["min_level"] = json!(6);
    body["context"]["transcript"][0]["at"] = json!("noon");
    body["context"]["more"] = json!(1);
    body["priority"] = json!(10);
    body["surprise"] = json!(true);
    let mut found = pointers(read(&body, &bot()));
    found.sort_unstable();
    assert_eq!(
        found,
        [
            "/context/more",
            "/context/transcript/0/at",
            "/customer/email",
            "/customer/name",
            "/priority",
            "/queue",
            "/requirements/0/min_level",
            "/surprise",
        ]
    );
}

#[test]
fn fields_are_bounded() {
    let long = |length: usize| Value::String("x".repeat(length));
    for (pointer, most) in [
        ("/customer/name", 200),
        ("/short_description", 200),
        ("/description", 4_000),
        ("/external_id", 200),
        ("/customer/id", 200),
    ] {
        assert!(read(&with(pointer, long(most)), &bot()).is_ok(), "{pointer}");
        assert_eq!(pointers(read(&with(pointer, long(most + 1)), &bot())), [pointer]);
    }
    for (pointer, bad) in [
        ("/size", json!(0)),
        ("/size", json!(-1)),
        ("/size", json!(1.5)),
        ("/size", json!("1")),
        ("/priority", json!(-1)),
        ("/external_id", json!("a\u{0}b")),
        ("/customer/id", json!("a\nb")),
        ("/customer/phone_extension", json!("12a")),
        ("/customer/kind", json!("friend")),
        ("/customer/locale", json!("x y")),
        ("/origin/page_url", json!("javascript:alert(1)")),
        ("/context", json!([])),
        ("/customer_agreed", json!("yes")),
        ("/reason", json!("unlisted")),
        ("/preferred_agent/agent_id", json!("nobody")),
        ("/preferred_agent/mode", json!("must")),
        ("/type", json!("later")),
        ("/medium", json!("fax")),
    ] {
        assert_eq!(pointers(read(&with(pointer, bad.clone()), &bot())), [pointer], "{bad}");
    }
    let asked = json!([1, 2, 3, 4, 5, 6, 7, 8, 9].map(|n| json!({"skill": format!("s{n}")})));
    assert_eq!(pointers(read(&with("/requirements", asked), &bot())), ["/requirements"]);
}

#[test]
fn texts_for_people_are_kept_as_they_came() {
    let hostile = "<img src=x onerror=alert(1)>\u{202e}\u{0}\"'\\\n{{7*7}}";
    let wish = read(&with("/description", json!(hostile)), &bot()).expect("good");
    assert_eq!(wish.request.description.as_deref(), Some(hostile));
}

#[test]
fn numbers_in_attributes_come_back_as_they_were_sent_or_are_refused() {
    let text = r#"{"attributes":{"a":[18446744073709551615,-9223372036854775808,0.1,-2.5e-7]}}"#;
    let context: Value = serde_json::from_str(text).expect("JSON");
    let wish = read(&with("/context", context), &bot()).expect("good");
    assert_eq!(wish.request.context.as_deref(), Some(text));
    for bad in ["18446744073709551616", "-9223372036854775809", "9007199254740993.0", "1e300"] {
        let text = format!(r#"{{"attributes":{{"a":{{"b":[1,{bad}]}}}}}}"#);
        let context: Value = serde_json::from_str(&text).expect("JSON");
        let refused = read(&with("/context", context), &bot());
        assert_eq!(pointers(refused), ["/context/attributes/a/b/1"], "{bad}");
    }
}

#[test]
fn a_context_has_32_kib_at_most() {
    let context = |length: usize| {
        let empty = json!({"attributes": {"a": ""}}).to_string().len();
        json!({"attributes": {"a": "x".repeat(length - empty)}})
    };
    let fits = read(&with("/context", context(32 * 1_024)), &bot()).expect("good");
    assert_eq!(fits.request.context.as_ref().map(String::len), Some(32 * 1_024));
    let more = read(&with("/context", context(32 * 1_024 + 1)), &bot());
    assert_eq!(pointers(more), ["/context"]);
}

#[test]
fn a_start_is_an_instant_or_a_local_time() {
    let start = |schedule: Value| read(&with("/schedule", schedule), &bot());
    let local = json!({"local_start": "2026-11-24T10:00", "time_zone": "America/New_York"});
    let booking = start(local).expect("good").booking.expect("scheduled");
    assert_eq!(booking.start, at("2026-11-24T15:00:00Z"));
    // The customer's zone, where the request names none.
    let booking = start(json!({"local_start": "2026-11-24T11:00"})).expect("good").booking;
    assert_eq!(booking.expect("scheduled").start, at("2026-11-24T16:00:00Z"));
    let both = json!({"start": "2026-11-24T15:00:00Z", "local_start": "2026-11-24T10:00"});
    assert_eq!(pointers(start(both)), ["/schedule/start"]);
    assert_eq!(pointers(start(json!({}))), ["/schedule"]);
    assert_eq!(pointers(start(json!({"start": "2026-11-24T15:00:00"}))), ["/schedule/start"]);
    assert_eq!(pointers(start(json!({"start": 5}))), ["/schedule/start"]);
    let mut now = asap();
    now["schedule"] = json!({"start": "2026-11-24T15:00:00Z"});
    assert_eq!(pointers(read(&now, &bot())), ["/schedule"]);
    now["schedule"] = json!({"time_zone": "Asia/Tokyo"});
    assert_eq!(read(&now, &bot()).expect("good").zone.name(), "Asia/Tokyo");
}

#[test]
fn a_start_lies_ahead_while_the_queue_is_open() {
    let start = |text: &str| read(&with("/schedule/start", json!(text)), &bot());
    assert_eq!(kind(start(NOW)), "start-past");
    assert_eq!(kind(start("2020-01-01T00:00:00Z")), "start-past");
    // The queue closes at 18:00 in Berlin, and opens at 8.
    assert!(start("2026-11-24T16:59:59Z").is_ok());
    let late = start("2026-11-24T17:00:00Z").expect_err("closed");
    assert_eq!(late.kind.name(), "outside-hours");
    assert_eq!(late.members["next_allowed_at"], "2026-11-25T07:00:00Z");
    assert_eq!(late.errors[0].pointer, "/schedule/start");
}

#[test]
fn local_times_that_are_skipped_or_repeated_are_told() {
    let schedule = |local: &str| {
        let mut body = with("/queue", json!("video"));
        body["schedule"] = json!({"local_start": local, "time_zone": "Europe/Berlin"});
        body["reason"] = json!("anything");
        body["customer_agreed"] = json!(true);
        // Agents book as far ahead as they like.
        read(&body, &Role::Supervisor(None))
    };
    let missing = schedule("2027-03-28T02:30").expect_err("the clocks skip it");
    assert_eq!(missing.kind.name(), "local-time-missing");
    assert_eq!(missing.members["next_local_start"], "2027-03-28T03:00");
    assert_eq!(missing.members["next_start"], "2027-03-28T01:00:00Z");
    let twice = schedule("2027-10-31T02:30").expect("good").booking.expect("scheduled");
    assert!(twice.repeated);
    assert_eq!(twice.start, at("2027-10-31T00:30:00Z"));
    assert!(!schedule("2027-10-31T04:30").expect("good").booking.expect("scheduled").repeated);
}

#[test]
fn zones_have_names_of_places() {
    for pointer in ["/customer/time_zone", "/schedule/time_zone"] {
        for bad in ["PST", "+01:00", "Nowhere/City", ""] {
            let problem = read(&with(pointer, json!(bad)), &bot()).expect_err("no zone");
            assert_eq!(problem.kind.name(), "unknown-zone", "{bad}");
            assert!(problem.members["hint"].is_string());
            assert_eq!(problem.errors[0].pointer, pointer);
        }
    }
}

#[test]
fn some_numbers_are_not_called() {
    let phone = |text: &str| read(&with("/customer/phone", json!(text)), &bot());
    // Emergency, premium, shared cost, satellite.
    for refused in ["112", "110", "+49 900 1234567", "+49 180 5012345", "+870 773 111 632"] {
        let problem = phone(refused).expect_err(refused);
        assert_eq!(problem.kind.name(), "phone-refused", "{refused}");
        assert!(!problem.detail.contains(refused), "a number stands in no problem");
    }
    for bad in ["", "hello", "+999123456789", "12"] {
        assert_eq!(pointers(phone(bad)), ["/customer/phone"], "{bad}");
    }
    let ordinary = phone("+49 30 123456").expect("good").request;
    assert_eq!(ordinary.customer.phone.expect("given").as_str(), "+4930123456");
    // A key that stands in a page calls numbers of the queue's own region.
    let mut page = asap();
    for name in ["priority", "requirements", "preferred_agent", "size"] {
        page[name] = Value::Null;
    }
    assert_eq!(kind(read(&page, &PAGE)), "phone-refused");
    page["customer"]["phone"] = json!("030 123456");
    assert!(read(&page, &PAGE).is_ok());
}

#[test]
fn video_is_booked_and_reached_by_mail() {
    let mut video = body();
    video["queue"] = json!("video");
    video["medium"] = json!("video");
    video["customer"]["phone"] = Value::Null;
    assert!(read(&video, &bot()).is_ok());
    video["customer"]["email"] = Value::Null;
    assert_eq!(pointers(read(&video, &bot())), ["/customer/email"]);
    video["customer"]["email"] = json!("ada@example.com");
    video["type"] = json!("asap");
    video["schedule"] = Value::Null;
    assert_eq!(pointers(read(&video, &bot())), ["/type"]);
    assert_eq!(kind(read(&with("/medium", json!("video")), &bot())), "medium-not-offered");
}

#[test]
fn a_channel_speaks_for_itself_alone() {
    let other = with("/origin/channel", json!("chat"));
    assert_eq!(pointers(read(&other, &bot())), ["/origin/channel"]);
    let unsaid = with("/origin", Value::Null);
    let channel = |role: &Role| read(&unsaid, role).expect("good").request.origin.channel;
    assert_eq!(channel(&bot()), Channel::VirtualAgent);
    assert_eq!(channel(&Role::Agent(agent("mara"))), Channel::Case);
    let said = read(&other, &Role::Supervisor(None)).expect("good");
    assert_eq!(said.request.origin.channel, Channel::Chat);
    assert_eq!(said.who, Who::Supervisor(None));
}

#[test]
fn a_live_lines_wait_counts_for_four_hours_and_from_secret_keys() {
    let waiting = |since: &str| with("/origin/waiting_since", json!(since));
    let since =
        |text: &str| read(&waiting(text), &bot()).map(|wish| wish.request.origin.waiting_since);
    assert_eq!(since("2026-11-24T09:00:00Z").expect("4 h"), Some(at("2026-11-24T09:00:00Z")));
    assert_eq!(since("2026-11-24T13:00:30Z").expect("a fast clock"), Some(at(NOW)));
    for bad in ["2026-11-24T08:59:59Z", "2026-11-24T13:02:00Z", "an hour ago"] {
        assert_eq!(pointers(read(&waiting(bad), &bot())), ["/origin/waiting_since"], "{bad}");
    }
    let good = waiting("2026-11-24T12:55:00Z");
    for role in [Role::Agent(agent("mara")), Role::Supervisor(None)] {
        assert_eq!(pointers(read(&good, &role)), ["/origin/waiting_since"]);
    }
    assert!(pointers(read(&good, &PAGE)).contains(&"/origin/waiting_since".to_owned()));
}

#[test]
fn a_public_key_says_nothing_of_routing() {
    let mut found = pointers(read(&asap(), &PAGE));
    found.sort_unstable();
    assert_eq!(found, ["/preferred_agent", "/priority", "/requirements", "/size"]);
}
