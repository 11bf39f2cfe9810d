//! The settings as a whole: what goes in comes out, and what is wrong is told with its place.

use serde_json::{Value, json};

use super::*;
use crate::domain::hours::ContactHours;
use crate::domain::policy::{Medium, PerMedium, SlotCapacity, Strategy};

fn id(text: &str) -> QueueId {
    QueueId::parse(text).expect("a slug")
}

fn read(body: &Value) -> Result<QueueSettings, Vec<Fault>> {
    queue(&Json::from(body), &id("billing"), 8)
}

fn places(faults: Result<impl Sized, Vec<Fault>>) -> Vec<String> {
    faults.err().unwrap_or_default().into_iter().map(|fault| fault.pointer).collect()
}

/// A queue in which hardly anything is a default.
fn full() -> Value {
    json!({
        "id": "billing", "name": "Billing", "labels": {"de": "Rechnungen"},
        "time_zone": "Europe/Berlin",
        "hours": [
            {"days": ["mon", "wed"], "from": "08:00", "to": "12:00"},
            {"days": ["mon"], "from": "13:00", "to": "24:00"},
            {"days": ["fri"], "from": "22:00", "to": "02:00"},
        ],
        "exceptions": [
            {"date": "2026-12-24", "from": "08:00", "to": "10:00"},
            {"date": "2026-12-24", "from": "11:00", "to": "12:00"},
            {"date": "2026-12-25", "closed": true},
        ],
        "default_region": "DE", "allowed_regions": ["DE", "AT"],
        "contact_hours": {"from": "00:00", "to": "24:00"},
        "media": ["video", "voice"],
        "requirements": [{"skill": "french", "min_level": 3, "mandatory": false,
            "expires_after_seconds": 120}],
        "steps": [{"after_seconds": 60, "min_level_delta": -1},
            {"after_seconds": 120, "min_level_delta": 2, "drop_optional": true}],
        "strategy": "best_skilled", "promise_window_minutes": 30,
        "decline_reasons": ["tired", {"id": "rude", "reassignable": false}],
        "dispositions": [{"id": "sold", "labels": {"en": "Sold"}, "resolved": true}],
        "reasons": ["invoice"], "wrap_up_mode": "required",
        "retry_delays_minutes": {"busy": 0}, "duplicate_policy": "reject",
        "slot_capacity": {"voice": "staff", "video": 1}, "slot_reserve": 0.125,
        "max_outstanding": 50,
        "offer_timeout_seconds": 600, "lead_seconds": 31_536_000, "max_attempts": 4_294_967_295_u32,
    })
}

#[test]
fn an_empty_body_is_a_queue_with_every_default() {
    assert_eq!(read(&json!({})), Ok(QueueSettings::new(id("billing"))));
}

#[test]
fn what_is_printed_reads_as_the_same() {
    for body in [json!({}), full()] {
        let settings = read(&body).expect("good settings");
        let printed = Value::Object(print_queue(&settings));
        assert_eq!(read(&printed), Ok(settings));
    }
}

#[test]
fn values_arrive_where_they_belong() {
    let settings = read(&full()).expect("good settings");
    assert_eq!(settings.time_zone.name(), "Europe/Berlin");
    assert_eq!(settings.hours.exceptions().count(), 2);
    assert_eq!(settings.contact_hours, ContactHours::ALWAYS);
    assert_eq!(settings.media, [Medium::Voice, Medium::Video]);
    assert_eq!(settings.strategy, Strategy::BestSkilled);
    assert_eq!(
        settings.slot_capacity,
        PerMedium { voice: SlotCapacity::Staff, video: SlotCapacity::Fixed(1) }
    );
    assert_eq!(settings.slot_reserve, 125);
    assert_eq!(settings.max_outstanding, PerMedium::both(50));
    assert_eq!(settings.retry_delays_minutes.busy, 0);
    assert_eq!(settings.retry_delays_minutes.no_answer, 15);
    let reassignable: Vec<bool> =
        settings.decline_reasons.iter().map(|reason| reason.reassignable).collect();
    assert_eq!(reassignable, [true, false]);
}

#[test]
fn the_ends_of_the_ranges_are_taken_and_what_lies_beyond_is_not() {
    for (key, least, most) in [
        ("offer_timeout_seconds", 5_u64, 600),
        ("slot_minutes", 1, 1_440),
        ("session_grace_seconds", 0, 31_536_000),
        ("expire_after_minutes", 0, 525_600),
        ("retry_days", 0, 365),
        ("max_offers", 0, 4_294_967_295),
    ] {
        for good in [least, most] {
            assert_eq!(places(read(&json!({key: good}))), [""; 0], "{key} {good}");
        }
        let place = [format!("/{key}")];
        assert_eq!(places(read(&json!({key: most + 1}))), place, "{key}");
        let below = i64::try_from(least).expect("small") - 1;
        assert_eq!(places(read(&json!({key: below}))), place, "{key}");
        assert_eq!(places(read(&json!({key: "7"}))), place, "{key}");
    }
}

#[test]
fn every_fault_is_told_at_its_place() {
    for (body, expected) in [
        (json!([]), vec![""]),
        (json!({"id": "sales"}), vec!["/id"]),
        (json!({"time_zone": "PST", "lead_second": 1}), vec!["/time_zone", "/lead_second"]),
        (
            json!({"hours": [{"days": [], "from": "25:00"}]}),
            vec!["/hours/0/days", "/hours/0/from", "/hours/0/to"],
        ),
        (
            json!({"hours": [{"days": ["monday"], "from": "08:00", "to": "09:00"}]}),
            vec!["/hours/0/days/0"],
        ),
        (
            json!({"exceptions": [{"date": "2026-02-30", "closed": true}]}),
            vec!["/exceptions/0/date"],
        ),
        (
            json!({"exceptions": [{"date": "2026-02-01", "closed": true},
            {"date": "2026-02-01", "from": "08:00", "to": "09:00"}]}),
            vec!["/exceptions/1/date"],
        ),
        (
            json!({"exceptions": [{"date": "2026-02-01", "from": "08:00", "to": "09:00"},
            {"date": "2026-02-01", "closed": true}]}),
            vec!["/exceptions/1/date"],
        ),
        (json!({"media": []}), vec!["/media"]),
        (
            json!({"default_region": "de", "allowed_regions": ["DEU"]}),
            vec!["/default_region", "/allowed_regions/0"],
        ),
        (json!({"wrap_up_seconds": 1_801}), vec!["/wrap_up_seconds"]),
        (
            json!({"retry_delays_minutes": {"wrong_number": 1}}),
            vec!["/retry_delays_minutes/wrong_number"],
        ),
        (
            json!({"requirements": [{"skill": "French"}, {"min_level": 6}]}),
            vec!["/requirements/0/skill", "/requirements/1/skill", "/requirements/1/min_level"],
        ),
        (json!({"requirements": [{"skill": "a"}, {"skill": "a"}]}), vec!["/requirements"]),
        (
            json!({"requirements": 1, "lead_seconds": -1, "name": "x"}),
            vec!["/requirements", "/lead_seconds"],
        ),
        (
            json!({"dispositions": ["a", "a"], "labels": {"": "x"}}),
            vec!["/labels/", "/dispositions"],
        ),
    ] {
        assert_eq!(places(read(&body)), expected, "{body}");
    }
}

#[test]
fn no_more_requirements_than_the_limit() {
    let body = json!({"requirements": [{"skill": "a"}, {"skill": "b"}]});
    assert_eq!(places(queue(&Json::from(&body), &id("billing"), 2)), [""; 0]);
    assert_eq!(places(queue(&Json::from(&body), &id("billing"), 1)), ["/requirements"]);
}

#[test]
fn agents_read_and_print_alike() {
    let mara = AgentId::parse("mara").expect("a slug");
    let known = |queue: &QueueId| ["billing", "sales"].contains(&queue.as_str());
    let body = json!({
        "name": "Mara Vogt",
        "queues": ["sales", {"queue": "billing", "preference": 2}],
        "skills": {"french": 4, "refunds": {"level": 2, "preference": 3}},
        "capacity": {"units": 3, "video": 1},
    });
    let settings = agent(&Json::from(&body), &mara, &known).expect("a good agent");
    assert_eq!(settings.membership(&id("billing")).map(|it| it.preference), Some(2));
    assert_eq!(settings.membership(&id("sales")).map(|it| it.preference), Some(1));
    assert_eq!(settings.capacity.media, PerMedium { voice: None, video: Some(1) });
    let printed = Value::Object(print_agent(&settings));
    assert_eq!(agent(&Json::from(&printed), &mara, &known), Ok(settings));
    for (body, expected) in [
        (
            json!({"queues": ["support", "Sales", {"preference": 1}]}),
            vec!["/queues/0", "/queues/1", "/queues/2/queue"],
        ),
        (json!({"queues": ["sales", {"queue": "sales"}]}), vec!["/queues"]),
        (json!({"queues": [{"queue": "sales", "preference": 10}]}), vec!["/queues/0/preference"]),
        (
            json!({"skills": {"French": 1, "a": 0, "b": {"level": 6}, "c": {}}}),
            vec!["/skills/French", "/skills/a", "/skills/b/level", "/skills/c/level"],
        ),
        (json!({"capacity": {"units": -1, "chat": 1}}), vec!["/capacity/units", "/capacity/chat"]),
    ] {
        assert_eq!(places(agent(&Json::from(&body), &mara, &known)), expected, "{body}");
    }
}

#[test]
fn steps_are_in_order_of_time_and_within_bounds() {
    let steps = |steps: Value| read(&json!({ "steps": steps }));
    let later_first = json!([{"after_seconds": 90}, {"after_seconds": 30, "min_level_delta": -2}]);
    let read = steps(later_first).expect("good steps").steps;
    assert_eq!(read.iter().map(|step| step.after_seconds).collect::<Vec<_>>(), [30, 90]);
    assert_eq!(places(steps(json!([{"min_level_delta": 1}]))), ["/steps/0/after_seconds"]);
    let large = json!([{"after_seconds": 1, "min_level_delta": 5}, {"after_seconds": -1}]);
    assert_eq!(places(steps(large)), ["/steps/0/min_level_delta", "/steps/1/after_seconds"]);
    assert_eq!(places(steps(json!([{"after_seconds": 1, "drop": true}]))), ["/steps/0/drop"]);
    let many: Vec<Value> = (0..21).map(|second| json!({"after_seconds": second})).collect();
    assert_eq!(places(steps(json!(many))), ["/steps"]);
}
