//! A day's plan, and what is made of its end.

use super::*;
use crate::bank::Service;

fn row(
    call: u32,
    kind: &str,
    priority: u8,
    asked_at: Option<u32>,
    service: Option<Service>,
) -> Row {
    Row { call, date: "1999-01-04".to_owned(), kind: kind.to_owned(), priority, asked_at, service }
}

fn by(agent: &str, at: u32, seconds: u32) -> Service {
    Service { at, seconds, agent: Some(agent.to_owned()) }
}

fn rows() -> Vec<Row> {
    vec![
        row(1, "PS", 2, Some(1_000), Some(by("A01", 1_100, 60))),
        row(2, "PS", 0, Some(2_000), None),
        row(3, "NE", 0, None, None),
        row(4, "PS", 0, Some(900), Some(by("A02", 900, 100))),
        row(5, "PS", 0, Some(9_000), Some(by("A01", 9_000, 200))),
    ]
}

#[test]
fn who_asked_for_an_agent_asks_for_a_callback_in_order() {
    let day = Day::new(&rows(), "run", 0, 86_400).unwrap();
    let ids: Vec<&str> = day.requests.iter().map(|asked| asked.external_id.as_str()).collect();
    assert_eq!(ids, ["run-4", "run-1", "run-2", "run-5"]);
    assert_eq!(day.requests[1].priority, 6);
    // Who hung up gets the mean service of the type: (60 + 100 + 200) / 3.
    assert!((day.requests[2].talk_seconds - 120.0).abs() < 1e-9);
    assert_eq!(day.means.keys().collect::<Vec<_>>(), ["ps"]);
    assert_eq!(day.agents["a01"], bank::Presence { from: 1_100, to: 9_200 });
    assert_eq!((day.from, day.to), (900, 9_200));
}

#[test]
fn a_part_of_the_day_has_its_own_requests_and_shifts() {
    let day = Day::new(&rows(), "run", 950, 3_000).unwrap();
    assert_eq!(day.requests.len(), 2);
    assert_eq!(day.agents["a01"], bank::Presence { from: 1_100, to: 3_000 });
    assert_eq!(day.agents["a02"], bank::Presence { from: 950, to: 1_000 });
    let error = Day::new(&rows(), "run", 20_000, 30_000).unwrap_err().to_string();
    assert!(error.contains("nobody asked"), "{error}");
}

#[test]
fn times_of_day_end_at_midnight() {
    assert_eq!(time_of_day("09:30"), Ok(34_200));
    assert_eq!(time_of_day("24:00"), Ok(86_400));
    for wrong in ["24:01", "9", "09:60", "x:00", "99999999999:00"] {
        assert!(time_of_day(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn the_bank_s_head_start_shrinks_with_the_speed_but_stays() {
    assert_eq!(head_start_seconds(1.0), 90);
    assert_eq!(head_start_seconds(60.0), 2);
    assert_eq!(head_start_seconds(10_000.0), 1);
}

#[test]
fn waits_are_shown_in_the_day_s_own_seconds() {
    let body = br#"{"id":"c1","number":"CB0000001","version":2,"type":"asap","state":"queued"}"#;
    let created = Created::from_answer(body).unwrap();
    let acknowledged = clock::now();
    let asked = vec![Asked { queue: "ps".to_owned(), created: created.clone(), acknowledged }];
    let found = vec![Some(json!({"version": 9, "state": "closed_complete"}))];
    let called = BTreeMap::from([(Arc::from("c1"), acknowledged + Duration::from_millis(500))]);
    let table = per_queue(60.0, &asked, &found, &called);
    let row = &table.rows[0];
    assert_eq!(row[..4], [json!("ps"), json!(1), json!(1), json!(0)]);
    assert!((row[6].as_f64().unwrap() - 30.0).abs() < 0.1, "{row:?}");
    assert!(is_kept(&created, found[0].as_ref()));
    assert!(!is_kept(&created, Some(&json!({"version": 1}))));
    assert!(!is_kept(&created, None));
}
