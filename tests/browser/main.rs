//! The pages in a real browser: each file of tests beside this one is run by Node with Chromium,
//! against the server that was just built.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn folder() -> PathBuf {
    root().join("tests/browser")
}

/// Runs one file; what it prints is shown when it fails.
fn run(file: &str) {
    let driver = root().join("target/browser/node_modules/playwright-core");
    assert!(driver.is_dir(), "the browser's driver is missing: .ci/install chromium playwright");
    let output = Command::new("node")
        .args(["--test", "--test-reporter=spec"])
        .arg(folder().join(file))
        .env("RINGBACK", env!("CARGO_BIN_EXE_ringback"))
        // Within a test of Node's own its runner would report to that one.
        .env_remove("NODE_TEST_CONTEXT")
        .output()
        .expect("Node runs: .ci/install playwright");
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{told}{}", String::from_utf8_lossy(&output.stderr));
}

macro_rules! subjects {
    ($($name:ident: $file:literal),+ $(,)?) => {
        const FILES: &[&str] = &[$($file),+];

        $(#[test]
        fn $name() {
            run($file);
        })+
    };
}

subjects! {
    everybody_can_use_it: "access.test.mjs",
    the_agents_day: "agent.test.mjs",
    the_customers_link: "callback.test.mjs",
    appointments: "schedule.test.mjs",
    the_supervisors_view: "supervisor.test.mjs",
    all_together: "together.test.mjs",
    what_goes_wrong: "trouble.test.mjs",
    a_customer_asks: "widget.test.mjs",
}

#[test]
fn every_file_of_tests_is_run() {
    let entries = fs::read_dir(folder()).expect("the folder");
    let names = entries.map(|entry| entry.expect("an entry").file_name());
    let names = names.map(|name| name.into_string().expect("ASCII"));
    let tests: BTreeSet<String> = names.filter(|name| name.ends_with(".test.mjs")).collect();
    assert_eq!(tests, FILES.iter().map(|file| (*file).to_owned()).collect());
}
