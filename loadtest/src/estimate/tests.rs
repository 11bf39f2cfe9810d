//! Months of real calls, and days made up so that every figure can be worked out by hand.

use std::path::Path;

use super::*;
use crate::bank::Service;

fn month(name: &str) -> Scored {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/data/bank/");
    let rows = bank::read(Path::new(&format!("{folder}{name}.csv.gz")));
    let mut rows = rows.expect("the bank's months must be at shared/data/bank");
    rows.retain(|row| row.kind != OTHER_DESK);
    score(&rows)
}

/// January is what the range's step was chosen by; February wasn't looked at.
#[test]
fn the_engines_estimates_are_as_good_as_is_said() {
    for (name, rmse) in [("january", 63.0), ("february", 72.0)] {
        let scored = month(name);
        assert!(scored.answered > 13_000, "{scored:?}");
        assert!(scored.rmse_seconds.engine <= rmse, "{scored:?}");
        assert!(scored.rmse_seconds.engine < scored.rmse_seconds.queue_length, "{scored:?}");
        assert!((0.77..=0.83).contains(&scored.coverage_80), "{scored:?}");
    }
}

fn call(date: &str, asked_at: u32, waited: Option<u32>, served: Option<(u32, u32)>) -> Row {
    Row {
        call: 0,
        date: date.to_owned(),
        kind: "PS".to_owned(),
        priority: 0,
        asked_at: Some(asked_at),
        waited,
        service: served.map(|(at, seconds)| Service { at, seconds, agent: None }),
    }
}

#[test]
fn a_call_is_told_what_was_known_when_it_queued() {
    // Five services of 100 s by one agent, then one more who waits behind it.
    let at_once = |at| call("1999-01-04", at, None, Some((at, 100)));
    let mut rows: Vec<Row> = (0..6).map(|turn| at_once(turn * 100)).collect();
    rows.push(call("1999-01-04", 550, Some(50), Some((600, 80))));
    // Waits behind that one, and gives up; nobody knows of it before.
    rows.push(call("1999-01-04", 560, Some(20), None));
    let scored = score(&rows);
    assert_eq!(scored.answered, 1);
    assert!((scored.rmse_seconds.engine - 50.0).abs() < 1e-9, "told 100 s, waited 50: {scored:?}");
    assert!((scored.bias_seconds.queue_length - 50.0).abs() < 1e-9);
    assert!((scored.bias_seconds.last_to_enter_service + 50.0).abs() < 1e-9);
    assert!((scored.coverage_80 - 1.0).abs() < 1e-9);
}

#[test]
fn a_day_begins_with_an_empty_line() {
    let mut rows = vec![call("1999-01-04", 10, Some(80_000), None)];
    rows.extend((0..6).map(|turn| call("1999-01-04", turn * 100, None, Some((turn * 100, 100)))));
    rows.push(call("1999-01-05", 10, None, Some((10, 500))));
    rows.push(call("1999-01-05", 20, Some(100), Some((120, 9))));
    let scored = score(&rows);
    assert_eq!(scored.answered, 1);
    // One who waited all of the day before gave up: the rate is 1/100 + 1/80,000 a second.
    assert!(scored.bias_seconds.engine.abs() < 0.5, "{scored:?}");
}

#[test]
fn those_with_a_head_start_are_ahead() {
    let mut first = call("1999-01-04", 100, Some(10), None);
    let second = call("1999-01-04", 50, Some(10), None);
    assert!(place(&second) < place(&first));
    first.priority = 2;
    assert!(place(&first) < place(&second));
}

#[test]
fn unknown_types_and_empty_months_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("month.csv");
    let header = "call,date,weekday,type,priority,t_in,t_q,wait,outcome,t_ser,service,agent";
    std::fs::write(&file, format!("{header}\n1,1999-01-04,0,PS,0,8,10,9,served,19,60,A\n"))
        .unwrap();
    let with = |types: &[&str]| {
        let types = types.iter().map(|kind| (*kind).to_owned()).collect();
        run(&Args { file: file.clone(), types, json: true })
    };
    let error = with(&["PS", "XX"]).unwrap_err().to_string();
    assert!(error.contains("\"XX\"") && error.contains("PS"), "{error}");
    let error = with(&[]).unwrap_err().to_string();
    assert!(error.contains("none of these calls"), "{error}");
}
