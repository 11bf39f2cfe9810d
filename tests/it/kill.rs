//! `kill -9` in the middle of a flood: what was acknowledged is there afterwards, on each store.

use std::path::Path;

use serde_json::Value;

use crate::redis::RedisServer;
use crate::server::{Server, asap};

/// Each round floods, kills at another moment, restarts and checks.
const ROUNDS: usize = 6;
/// Threads that ask at once.
const ASKING: usize = 4;

/// Asks until the server is gone; the ids and versions that were acknowledged.
fn flood(server: &Server, thread: usize, round: usize) -> Vec<String> {
    let client = reqwest::blocking::Client::new();
    let mut acknowledged = Vec::new();
    for count in 0..100_000 {
        let phone = format!("+14155{:06}", thread * 100_000 + count);
        let sent = client
            .post(format!("{}/v1/callbacks", server.url))
            .bearer_auth("portal-key")
            .header("Idempotency-Key", format!("{round}-{thread}-{count}"))
            .json(&asap(&phone))
            .send();
        let Ok(answer) = sent else { return acknowledged };
        if answer.status() == 201
            && let Ok(body) = answer.json::<Value>()
        {
            acknowledged.push(body["id"].as_str().expect("an id").to_owned());
        }
    }
    acknowledged
}

fn rounds(folder: &Path, store: &str) {
    let mut all = Vec::new();
    let mut numbers = std::collections::BTreeSet::new();
    for round in 0..ROUNDS {
        let server = Server::start_on(folder, store);
        let enough = 20 + round * 30;
        let found = std::thread::scope(|scope| {
            let server = &server;
            let asking: Vec<_> = (0..ASKING)
                .map(|thread| scope.spawn(move || flood(server, thread, round)))
                .collect();
            // The moment differs by how much has been taken, not by the clock.
            loop {
                let stats = server.get("/v1/callbacks?state=active&limit=1", "lead-key-1");
                let number = stats.body["items"][0]["number"].as_str().unwrap_or("CB0000000");
                let number: usize = number[2..].parse().expect("digits");
                if number >= all.len() + enough {
                    break;
                }
            }
            server.kill_now();
            asking.into_iter().flat_map(|one| one.join().expect("it asked")).collect::<Vec<_>>()
        });
        drop(server);
        all.extend(found);
        let server = Server::start_on(folder, store);
        for id in &all {
            let answer = server.get(&format!("/v1/callbacks/{id}"), "lead-key-1");
            assert_eq!(answer.status, 200, "{id} was acknowledged, and is lost");
            numbers.insert(answer.body["number"].as_str().expect("a number").to_owned());
        }
        assert_eq!(numbers.len(), all.len(), "a number was given twice");
    }
    assert!(all.len() > ROUNDS * 20);
}

#[test]
fn nothing_acknowledged_is_lost_on_the_embedded_store() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = format!("embedded:{}", folder.path().join("data").display());
    rounds(folder.path(), &store);
}

#[test]
fn nothing_acknowledged_is_lost_on_redis() {
    let redis = RedisServer::start();
    let folder = tempfile::tempdir().expect("a folder");
    rounds(folder.path(), &redis.url());
}
