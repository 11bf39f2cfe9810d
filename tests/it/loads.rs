//! The load driver's measurements, each at its smallest: that they run to their end on servers of
//! their own and account for what they made. How fast anything is isn't looked at here.

use std::process::{Command, Stdio};

use serde_json::Value;

use crate::replay::loadtest;

/// Runs a command on a store in a folder of the test's own; its report.
#[track_caller]
fn measure(arguments: &str) -> Value {
    let folder = tempfile::tempdir().expect("a folder");
    let output = Command::new(loadtest())
        .args(arguments.split(' '))
        .arg("--json")
        .arg("--ringback")
        .arg(env!("CARGO_BIN_EXE_ringback"))
        .arg("--folder")
        .arg(folder.path())
        .stderr(Stdio::inherit())
        .output();
    let output = output.expect("it runs");
    let said = String::from_utf8(output.stdout).expect("text");
    // 1: a verdict isn't 0. Those that tell of speed or memory are no test's business.
    assert!(matches!(output.status.code(), Some(0 | 1)), "{arguments}: {}", output.status);
    let left = std::fs::read_dir(folder.path()).expect("it is there");
    let left = left.filter(|entry| {
        let name = entry.as_ref().expect("an entry").file_name();
        name.to_string_lossy().starts_with("run-")
    });
    assert_eq!(left.count(), 0, "stores go with the run");
    serde_json::from_str(&said).expect("JSON")
}

#[test]
fn a_storm_ends_when_all_are_queued() {
    let report = measure("storm --count 40");
    assert_eq!(report["times"]["lateness"]["count"], 40, "{report:#}");
    assert!(report["facts"]["queued per second"].as_f64().expect("a rate") > 0.0);
}

#[test]
fn a_storm_on_redis_does_too() {
    let report = measure("storm --count 40 --store redis-everysec");
    assert_eq!(report["times"]["lateness"]["count"], 40, "{report:#}");
}

#[test]
fn cycles_are_whole_and_their_entries_are_committed_alone() {
    let report = measure("cycle --agents 2 --seconds 1");
    let facts = &report["facts"];
    let entries = facts["journal entries of a cycle"].as_f64().expect("a number");
    // Request, offer, accept, call, answered, end and close at the least.
    assert!((7.0..12.0).contains(&entries), "{report:#}");
    assert!(facts["their commits alone, cycles per second"].as_f64().expect("a rate") > 0.0);
}

#[test]
fn every_callback_is_heard_of_by_an_idle_agent() {
    let report = measure("latency --rate 10 --seconds 1");
    assert_eq!(report["times"]["POST to notification"]["count"], 10, "{report:#}");
}

#[test]
fn no_session_is_lost_while_agents_come_and_go() {
    let report = measure("fanout --agents 5 --seconds 2");
    assert_eq!(report["facts"]["sessions"], 5, "{report:#}");
    assert_eq!(report["verdicts"]["sessions lost"], 0, "{report:#}");
}

#[test]
fn a_killed_server_is_ready_again_and_its_callbacks_can_be_read() {
    let report = measure("recover --live 5 --dormant 10 --rounds 1");
    assert!(report["facts"]["rows read"].as_u64().expect("a count") >= 15, "{report:#}");
    assert_eq!(report["times"]["until ready"]["count"], 1);
}

#[test]
fn memory_is_told_by_kind() {
    let report = measure(
        "footprint --first 5 --live 5 --dormant 5 --agents 2 --rest-seconds 1 --stay-seconds 12",
    );
    for kind in ["a dormant callback", "a live callback", "a session"] {
        assert!(report["facts"][format!("bytes of {kind}")].is_number(), "{report:#}");
    }
}

#[test]
fn growth_has_a_row_for_each_size() {
    let report = measure("growth --dormant 10 --steps 1 --due 10");
    let sizes = report["sizes"].as_array().expect("a table");
    assert_eq!(sizes.len(), 2, "{report:#}");
    assert_eq!(sizes[1]["dormant"], 100);
}

#[test]
fn a_soak_accounts_for_every_callback() {
    let report = measure("soak --seconds 4 --windows 4 --agents 3 --rate 5");
    assert_eq!(report["facts"]["asked"], report["facts"]["ended"], "{report:#}");
    for verdict in ["unaccounted for", "lost", "assigned twice"] {
        assert_eq!(report["verdicts"][verdict], 0, "{report:#}");
    }
}
