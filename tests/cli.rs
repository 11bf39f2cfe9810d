//! The command line as a user meets it: exit codes, and what goes to which stream.

use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{Command, Output, Stdio};

fn ringback() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ringback"));
    command.env_clear().stdin(Stdio::null());
    command
}

fn run(arguments: &[&str]) -> Output {
    ringback().args(arguments).output().expect("the binary runs")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("UTF-8")
}

#[test]
fn a_bad_configuration_is_exit_2_and_a_line_for_each_fault() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("bad.toml");
    fs::write(&path, "listen = \"x\"\n[limits]\nbody_kib = 0\nbody = 1\n").expect("it is written");
    let name = path.to_str().expect("UTF-8");
    for command in [&["config", "check"][..], &["serve"], &[]] {
        let output = run(&[command, &["--config", name]].concat());
        assert_eq!(output.status.code(), Some(2), "{command:?}");
        let faults = text(&output.stderr);
        assert_eq!(faults.lines().count(), 3, "{faults}");
        for line in faults.lines() {
            assert!(line.starts_with(&format!("{name}: ")), "{line}");
        }
        assert_eq!(text(&output.stdout), "");
    }
}

#[test]
fn the_printed_defaults_are_a_good_file() {
    let output = run(&["config", "default"]);
    assert_eq!(output.status.code(), Some(0));
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("default.toml");
    fs::write(&path, &output.stdout).expect("it is written");
    let output = run(&["config", "check", "--config", path.to_str().expect("UTF-8")]);
    assert_eq!((output.status.code(), text(&output.stderr)), (Some(0), String::new()));
}

#[test]
fn a_variable_of_the_environment_is_checked_like_a_file() {
    let mut command = ringback();
    command.args(["config", "check"]).env("RINGBACK_LIMITS__BODY_KIB", "many");
    let output = command.output().expect("the binary runs");
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(
        text(&output.stderr),
        "environment RINGBACK_LIMITS__BODY_KIB: limits.body_kib = \"many\": must be an integer \
         from 1 to 65536\n"
    );
}

#[test]
fn what_can_not_be_done_is_exit_2() {
    for arguments in [
        &["export"][..],
        &["import"],
        &["token", "--role", "agent", "--subject", "mara"],
        &["token", "--demo", "--role", "agent", "--subject", "Mara"],
        &["serve", "--config", "there-is-no-such-file.toml"],
        &["unknown"],
    ] {
        let output = run(arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(!output.stderr.is_empty() && output.stdout.is_empty(), "{arguments:?}");
    }
}

#[test]
fn serving_says_where_on_one_line_and_ends_with_0_on_sigterm() {
    let mut command = ringback();
    command.args(["--listen", "127.0.0.1:0", "--store", "memory:"]);
    let mut server =
        command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("it starts");
    let mut lines = BufReader::new(server.stdout.take().expect("it is piped")).lines();
    let line = lines.next().expect("a line").expect("UTF-8");
    let port = line.strip_prefix("listening on http://127.0.0.1:").expect("the address");
    assert_ne!(port.parse::<u16>().expect("a port"), 0);
    let killed = Command::new("kill").arg(server.id().to_string()).status().expect("kill runs");
    assert!(killed.success());
    assert_eq!(lines.count(), 0, "one line, and then the end");
    assert_eq!(server.wait().expect("it ends").code(), Some(0));
}
