//! Twenty times on each store: a full house, the server killed at a random moment, and started
//! again on what it left; now and then killed as it starts, or together with its store.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde_json::Value;

use super::check::{Judge, Rows};
use super::customers::{Heard, client, is_past, say};
use super::dice::Dice;
use super::ledger::{Books, Ledger, Request};
use super::{AGENTS, Room, Store, finish, full_house, open_desks};
use crate::server::asap;

const ROUNDS: u64 = 20;
/// Writes acknowledged in a round before the kill, at least and at most.
const BEFORE_THE_KILL: (u64, u64) = (20, 160);
/// Callbacks that one customer asks for in a round.
const ASKED_FOR: u64 = 12;
/// Acknowledged requests that are sent again after each restart.
const REPEATED: usize = 12;

/// A server that is killed as it starts lives for so many milliseconds at most.
const LONGEST_START: u64 = 400;

fn rounds(test: &str, mut store: Store) {
    let mut dice = Dice::cast(test);
    let ledger = Ledger::default();
    let mut judge = Judge::default();
    let mut server = store.serve();
    let mut held = BTreeMap::new();
    for round in 0..ROUNDS {
        let dice_of_round = dice.fork(round);
        let enough = ledger.acknowledged() + dice.between(BEFORE_THE_KILL.0, BEFORE_THE_KILL.1);
        let desks = open_desks(&server.url, &ledger, &dice_of_round);
        for desk in &desks {
            let kept = held.get(&desk.agent).cloned().unwrap_or_default();
            assert!(desk.assignments().is_superset(&kept), "{}: {kept:?}", desk.agent);
        }
        full_house(&server.url, &ledger, &dice_of_round, desks, ASKED_FOR, || {
            ledger.wait_until("enough is acknowledged", |books| books.acknowledged >= enough);
            server.kill_now();
        });
        drop(server);
        if dice.share(&[75, 25]) == 1 {
            store.crash();
        }
        if dice.share(&[60, 40]) == 1 {
            store.start_and_kill(Duration::from_millis(dice.between(0, LONGEST_START)));
        }
        server = store.serve_in([Room::Usual, Room::Little][dice.share(&[60, 40])]);
        repeat(&server.url, &ledger, &mut dice);
        held = assignments(&judge.look(&server.url, &ledger.books()));
    }
    finish(&server.url, &ledger, &dice);
    let rows = judge.look(&server.url, &ledger.books());
    let over = rows.values().filter(|row| row["state"] == "closed_complete").count();
    assert!(over > 50, "agents did work: {over}");
    eprintln!("{test}: {} callbacks, {} acknowledged", rows.len(), ledger.acknowledged());
}

/// What agents hold and lose by no rule: a wrap-up may run out at any moment.
fn assignments(rows: &Rows) -> BTreeMap<String, BTreeSet<String>> {
    let mut held: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (id, row) in rows {
        let stays = row["state"] == "accepted" || row["state"] == "calling";
        if let (true, Some(agent)) = (stays, row["assigned_agent"].as_str()) {
            held.entry(agent.to_owned()).or_default().insert(id.clone());
        }
    }
    assert!(held.len() <= usize::try_from(AGENTS).expect("few"));
    held
}

/// What was under way at the kill is sent again, under the same keys, and so is some of what was
/// acknowledged: the answer is the same.
fn repeat(url: &str, ledger: &Ledger, dice: &mut Dice) {
    let client = client();
    let Books { requests, .. } = ledger.books();
    let (in_doubt, answered): (Vec<_>, Vec<_>) =
        requests.into_iter().partition(|(_, request)| request.answer.is_none());
    for (key, request) in in_doubt {
        match say(&client, url, ledger, &key, &request) {
            Heard::Answer { status: 200 | 201 | 409, .. } => {}
            // It never took effect, and by now its time is over.
            Heard::Answer { status: 422, body, .. } if is_past(&body) => {}
            other => panic!("{key}: {other:?}"),
        }
    }
    let is_kept = |(_, request): &&(String, Request)| {
        request.answer.as_ref().is_some_and(|(status, _)| *status < 300)
    };
    let kept: Vec<&(String, Request)> = answered.iter().filter(is_kept).collect();
    for _ in 0..REPEATED {
        let Some((key, request)) = dice.pick(&kept) else { return };
        let (status, body) = request.answer.clone().expect("it is kept");
        let again = Ledger::default();
        match say(&client, url, &again, key, request) {
            Heard::Answer { status: then, body: told, replayed } => {
                assert!(replayed, "{key} was carried out twice: {told}");
                assert_eq!((then, same(&told)), (status, same(&body)), "{key}");
            }
            Heard::Gone => panic!("{key}: the server is gone"),
        }
    }
}

/// An answer as it is compared.
fn same(body: &Value) -> String {
    body.to_string()
}

#[test]
fn what_is_acknowledged_survives_twenty_kills_on_the_embedded_store() {
    rounds("embedded", Store::embedded());
}

#[test]
fn what_is_acknowledged_survives_twenty_kills_on_redis() {
    rounds("redis", Store::redis());
}

/// A store that never saw a server through its start is as good as new.
fn first_starts(test: &str, new: fn() -> Store) {
    let mut dice = Dice::cast(test);
    for _ in 0..4 {
        let store = new();
        for _ in 0..dice.between(1, 5) {
            store.start_and_kill(Duration::from_millis(dice.between(0, LONGEST_START)));
        }
        let server = store.serve();
        let made = server.callback(&asap("+14155550123"));
        assert_eq!(made["number"], "CB0000001");
        server.kill_now();
        drop(server);
        let server = store.serve();
        let path = format!("/v1/callbacks/{}", made["id"].as_str().expect("an id"));
        let kept = server.get(&path, made["manage_token"].as_str().expect("a token"));
        assert_eq!((kept.status, &kept.body["number"]), (200, &made["number"]));
    }
}

#[test]
fn a_start_that_is_killed_is_made_good_by_the_next_on_the_embedded_store() {
    first_starts("first starts, embedded", Store::embedded);
}

#[test]
fn a_start_that_is_killed_is_made_good_by_the_next_on_redis() {
    first_starts("first starts, redis", Store::redis);
}
