//! An hour of a real call centre's busiest day, played by the load driver at 600 times its speed.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::server::{SIGNING, Server};

/// The load driver, built beside the server.
pub(crate) fn loadtest() -> PathBuf {
    let built = Command::new(env!("CARGO"))
        .args(["build", "--quiet", "--locked", "--package", "loadtest", "--bin", "loadtest"])
        .status();
    assert!(built.expect("cargo runs").success(), "the load driver must build");
    PathBuf::from(env!("CARGO_BIN_EXE_ringback")).with_file_name("loadtest")
}

#[test]
fn an_hour_of_a_real_day_is_served_without_a_loss() {
    let loadtest = loadtest();
    let folder = tempfile::tempdir().expect("a folder");
    let store = format!("embedded:{}", folder.path().join("data").display());
    let server = Server::start_on(folder.path(), &store);
    let january = concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/data/bank/january.csv.gz");
    let played = Command::new(loadtest)
        .args(["replay", january, "--date", "busiest", "--from", "10:00", "--to", "11:00"])
        .args(["--speed", "600", "--json", "--server", &server.url])
        .args(["--admin-token", "admin-key", "--channel-token", "portal-key"])
        .args(["--jwt-secret", std::str::from_utf8(SIGNING).expect("text")])
        .stderr(Stdio::inherit())
        .output()
        .expect("it runs");
    let said = String::from_utf8(played.stdout).expect("text");
    assert!(played.status.success(), "{said}");
    let report: Value = serde_json::from_str(&said).expect("JSON");
    assert_eq!(report["ok"], true, "{report:#}");
    let facts = &report["facts"];
    assert_eq!(facts["requests"], 167, "what the hour had");
    assert_eq!(facts["acknowledged"], 167);
    // On a slow machine the agents' day is over before all are called: those wait still.
    let finished = facts["finished"].as_u64().expect("a count");
    let queues = report["queues"].as_array().expect("a table");
    let waiting = queues.iter().map(|row| row["still open"].as_u64().expect("a count"));
    assert_eq!(finished + waiting.sum::<u64>(), 167, "{report:#}");
    assert!(finished > 80, "{facts:#}");
    for verdict in ["lost", "assigned twice", "offered twice", "contract broken"] {
        assert_eq!(report["verdicts"][verdict], 0, "{report:#}");
    }
}
