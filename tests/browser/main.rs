//! The pages in a real browser: each file of tests beside this one is run by Node with Chromium,
//! against the server that was just built.

use std::path::Path;
use std::process::Command;
use std::sync::{Mutex, PoisonError};

/// A browser takes a machine for itself: several at once would only wait for each other.
static TURN: Mutex<()> = Mutex::new(());

/// Runs one file; what it prints is shown when it fails.
fn run(file: &str) {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let tools = root.join("target/browser/node_modules/playwright-core");
    assert!(tools.is_dir(), "the browser's driver is missing: .ci/install chromium playwright");
    let output = Command::new("node")
        .args(["--test", "--test-reporter=spec"])
        .arg(root.join("tests/browser").join(file))
        .env("RINGBACK", env!("CARGO_BIN_EXE_ringback"))
        .output()
        .expect("Node runs (.ci/install playwright)");
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{told}{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn the_agents_day() {
    run("agent.test.mjs");
}

#[test]
fn appointments() {
    run("schedule.test.mjs");
}

#[test]
fn what_goes_wrong() {
    run("trouble.test.mjs");
}

#[test]
fn the_supervisors_view() {
    run("supervisor.test.mjs");
}

#[test]
fn the_customers_link() {
    run("callback.test.mjs");
}

#[test]
fn everybody_can_use_it() {
    run("access.test.mjs");
}
