//! Redis itself in trouble while everybody is at work: killed, stopped, emptied. Our server is
//! never started again.

use std::time::Duration;

use serde_json::{Value, json};

use super::check::Judge;
use super::customers::client;
use super::dice::Dice;
use super::ledger::{Ledger, PATIENCE};
use super::{Store, finish, full_house, open_desks};
use crate::redis::{RedisServer, now};
use crate::server::{Server, asap, send};

/// Callbacks that one customer asks for.
const ASKED_FOR: u64 = 60;
/// Writes acknowledged before and after each trouble.
const BETWEEN: u64 = 60;

/// What `GET /readyz` says of the workspace: nothing once it is ready.
fn readiness(url: &str) -> Option<Value> {
    let answer = client().get(format!("{url}/readyz")).send().expect("the process answers");
    let status = answer.status();
    let body: Value = answer.json().expect("JSON");
    (status == 503).then(|| body["workspaces"]["main"].clone())
}

/// Waits until `GET /readyz` says so.
fn until_readiness(url: &str, ledger: &Ledger, word: Option<&str>) {
    let deadline = now() + PATIENCE;
    while readiness(url) != word.map(|word| json!(word)) {
        assert!(now() < deadline, "it never says {word:?}");
        ledger.wait_a_moment();
    }
}

/// So many more writes are acknowledged.
fn until_more(ledger: &Ledger) {
    let enough = ledger.acknowledged() + BETWEEN;
    ledger.wait_until("it goes on", |books| books.acknowledged >= enough);
}

/// Waits until it is noticed: requests are refused, nothing is acknowledged, readiness is red.
fn until_refused(url: &str, ledger: &Ledger) {
    let begun = now();
    let enough = ledger.books().refused + 5;
    ledger.wait_until("it is refused", |books| books.refused >= enough);
    eprintln!("refused after {:?}", begun.elapsed());
    until_readiness(url, ledger, Some("stalled"));
}

/// Waits until all goes on, by itself.
fn until_back(url: &str, ledger: &Ledger) {
    let begun = now();
    let enough = ledger.acknowledged() + 1;
    ledger.wait_until("it goes on", |books| books.acknowledged >= enough);
    eprintln!("acknowledged again after {:?}", begun.elapsed());
    until_readiness(url, ledger, None);
}

/// A full house, and trouble so many times; nothing is lost, nothing done twice, and no agent is
/// cut off.
fn trouble(test: &str, times: usize, trouble: impl Fn(&mut RedisServer, &str, &Ledger)) {
    let dice = Dice::cast(test);
    let mut store = Store::redis();
    let server = store.serve();
    let Store::Redis(redis, _) = &mut store else { unreachable!("it was made so") };
    let ledger = Ledger::default();
    let desks = open_desks(&server.url, &ledger, &dice);
    let ends = full_house(&server.url, &ledger, &dice, desks, ASKED_FOR, || {
        for _ in 0..times {
            until_more(&ledger);
            trouble(redis, &server.url, &ledger);
        }
        until_more(&ledger);
        ledger.set_over(true);
    });
    for end in ends {
        end.expect("agents stay connected");
    }
    let mut judge = Judge::default();
    judge.look(&server.url, &ledger.books());
    finish(&server.url, &ledger, &dice);
    judge.look(&server.url, &ledger.books());
}

#[test]
fn redis_is_killed_under_load_and_comes_back() {
    trouble("redis killed", 3, |redis, url, ledger| {
        redis.kill();
        until_refused(url, ledger);
        redis.restart();
        until_back(url, ledger);
    });
}

#[test]
fn redis_stands_still_for_seconds_and_goes_on() {
    trouble("redis stopped", 2, |redis, url, ledger| {
        redis.freeze();
        until_refused(url, ledger);
        ledger.until_answered();
        let until = now() + Duration::from_secs(3);
        let acknowledged = ledger.acknowledged();
        while now() < until {
            assert_eq!(readiness(url), Some(json!("stalled")));
            ledger.wait_a_moment();
        }
        assert_eq!(ledger.acknowledged(), acknowledged, "nothing is acknowledged meanwhile");
        redis.thaw();
        until_back(url, ledger);
    });
}

#[test]
fn what_is_refused_while_redis_stands_still_uses_up_neither_key_nor_count() {
    let store = Store::redis();
    let server = Server::start_on(store.folder(), &store.url());
    let Store::Redis(redis, _) = &store else { unreachable!("it was made so") };
    let ledger = Ledger::default();
    let ask = |key: &str, phone: &str| {
        let request = server.request("POST", "/v1/callbacks", "public-key");
        let request = request.header("Origin", "https://shop.example");
        send(request.header("Idempotency-Key", key).json(&asap(phone)))
    };
    redis.freeze();
    // It is noticed by what is written.
    let written = server.post("/v1/callbacks", "portal-key", &asap("+4930123400"));
    written.is_problem(503, "unavailable");
    until_readiness(&server.url, &ledger, Some("stalled"));
    for number in 0..5 {
        let refused = ask(&format!("k{number}"), &format!("+493012341{number}"));
        refused.is_problem(503, "unavailable");
    }
    redis.thaw();
    until_readiness(&server.url, &ledger, None);
    // Under a key that was used up, another request would be refused.
    for number in 0..3 {
        let made = ask(&format!("k{number}"), &format!("+493012342{number}"));
        assert_eq!(made.status, 201, "{}", made.body);
    }
    ask("k3", "+4930123423").is_problem(429, "rate-limited");
}

/// Asks for what is there; any answer but it, or that it can't be said now, is wrong.
fn never_says_that_nothing_is_there(server: &Server, id: &str) {
    let one = server.get(&format!("/v1/callbacks/{id}"), "lead-key-1");
    assert!(one.status == 503 || one.body["id"] == id, "{}: {}", one.status, one.body);
    let all = server.get("/v1/callbacks", "lead-key-1");
    let none = all.body["items"].as_array().is_none_or(Vec::is_empty);
    assert!(all.status == 503 || !none, "{}: {}", all.status, all.body);
}

#[test]
fn an_emptied_redis_is_noticed_and_never_taken_for_no_callbacks() {
    let mut store = Store::redis();
    let server = store.serve();
    let Store::Redis(redis, _) = &mut store else { unreachable!("it was made so") };
    let ledger = Ledger::default();
    let body = json!({
        "queue": "billing", "type": "asap", "customer": {"name": "Ada", "phone": "+14155550123"},
    });
    let made = server.callback(&body);
    let id = made["id"].as_str().expect("an id");
    redis.restart_empty();
    let deadline = now() + PATIENCE;
    while readiness(&server.url) != Some(json!("replaced")) {
        assert!(now() < deadline, "it is never noticed");
        never_says_that_nothing_is_there(&server, id);
    }
    never_says_that_nothing_is_there(&server, id);
    server.post("/v1/callbacks", "portal-key", &body).is_problem(503, "unavailable");
    let alarms = server.get("/readyz", "").body["alarms"]["main"].clone();
    assert_eq!(alarms, json!(["store_replaced"]));
    // It stays so until somebody looks, and ends when it is told to.
    until_readiness(&server.url, &ledger, Some("replaced"));
    server.terminate();
    assert_eq!(server.exit_code(PATIENCE), Some(0));
}
