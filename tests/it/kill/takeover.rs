//! Two servers on one store: on Redis the last one started has it, in a folder the first.

use std::process::{Command, Stdio};

use super::check::Judge;
use super::dice::Dice;
use super::ledger::{Ledger, PATIENCE};
use super::{Room, Store, config, finish, full_house, open_desks};
use crate::server::asap;

#[test]
fn on_redis_the_last_one_started_has_it_and_the_first_exits_3() {
    let dice = Dice::cast("takeover");
    let store = Store::redis();
    let ledger = Ledger::default();
    let first = store.serve();
    let desks = open_desks(&first.url, &ledger, &dice);
    let mut second = None;
    let ends = full_house(&first.url, &ledger, &dice, desks, 40, || {
        ledger.wait_until("some is acknowledged", |books| books.acknowledged >= 150);
        second = Some(store.serve());
        // The first goes by itself, and takes its clients' connections with it.
    });
    let second = second.expect("it was started");
    assert!(ends.iter().all(Result::is_err), "nobody works at the first any more");
    assert_eq!(first.exit_code(PATIENCE), Some(3));
    let mut judge = Judge::default();
    judge.look(&second.url, &ledger.books());
    finish(&second.url, &ledger, &dice);
    judge.look(&second.url, &ledger.books());
}

#[test]
fn in_a_folder_the_first_has_it_and_the_second_exits_2() {
    let store = Store::embedded();
    let first = store.serve();
    let made = first.callback(&asap("+14155550123"));
    let config_file = store.folder().join("second.toml");
    std::fs::write(&config_file, config(Room::Usual)).expect("it is written");
    let second = Command::new(env!("CARGO_BIN_EXE_ringback"))
        .env_clear()
        .args(["serve", "--store", &store.url(), "--config"])
        .arg(&config_file)
        .stdin(Stdio::null())
        .output()
        .expect("it runs");
    let said = String::from_utf8_lossy(&second.stderr);
    assert_eq!(second.status.code(), Some(2), "{said}");
    assert!(second.stdout.is_empty(), "it never listens");
    let path = format!("/v1/callbacks/{}", made["id"].as_str().expect("an id"));
    assert_eq!(first.get(&path, "lead-key-1").status, 200);
    first.callback(&asap("+14155550124"));
}
