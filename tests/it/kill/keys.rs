//! One idempotency key, two hundred times at once, also across kills: one callback, and one answer.

use std::collections::BTreeSet;
use std::sync::Barrier;
use std::sync::atomic::{AtomicU64, Ordering};

use reqwest::blocking::Client;
use serde_json::{Value, json};

use super::customers::client;
use super::{Store, check};
use crate::server::Server;

/// How often it is asked at once.
const AT_ONCE: usize = 200;
/// Kills on each store, each at another count of answers.
const KILLS: u64 = 4;

/// An answer: its status, whether it was given before, and its body.
type Heard = (u16, bool, Value);

fn ask(client: &Client, url: &str, key: &str) -> Option<Heard> {
    let body = json!({
        "queue": "billing", "type": "asap", "origin": {"interaction_ref": key},
        "customer": {"id": key, "name": "Ada", "phone": "+14155550123"},
    });
    let request = client.post(format!("{url}/v1/callbacks")).bearer_auth("portal-key");
    let answer = request.header("Idempotency-Key", key).json(&body).send().ok()?;
    let replayed = answer.headers().contains_key("idempotent-replayed");
    Some((answer.status().as_u16(), replayed, answer.json().ok()?))
}

/// Asks so often at once; what was answered. The server is killed after `kill_after` answers.
fn at_once(server: &Server, key: &str, kill_after: Option<u64>) -> Vec<Heard> {
    let client = client();
    let (begin, answers) = (Barrier::new(AT_ONCE), AtomicU64::new(0));
    std::thread::scope(|scope| {
        let asking: Vec<_> = (0..AT_ONCE)
            .map(|_| {
                scope.spawn(|| {
                    begin.wait();
                    let heard = ask(&client, &server.url, key);
                    if Some(answers.fetch_add(1, Ordering::SeqCst)) == kill_after {
                        server.kill_now();
                    }
                    heard
                })
            })
            .collect();
        asking.into_iter().filter_map(|one| one.join().expect("it asked")).collect()
    })
}

/// All of them say the same, which one of them at most was the first to hear.
fn are_one(heard: &[Heard], firsts: usize) -> Option<Value> {
    let all: BTreeSet<String> = heard.iter().map(|(.., body)| body.to_string()).collect();
    assert!(all.len() <= 1, "{all:?}");
    assert!(heard.iter().all(|(status, ..)| *status == 201), "{heard:?}");
    let first = heard.iter().filter(|(_, replayed, _)| !replayed).count();
    assert!(first <= firsts, "{first} of {} were the first", heard.len());
    heard.first().map(|(.., body)| body.clone())
}

fn one_key(store: &Store) {
    let mut server = store.serve();
    let heard = at_once(&server, "all at once", None);
    assert_eq!(heard.len(), AT_ONCE);
    are_one(&heard, 1);
    for kill in 0..KILLS {
        let key = format!("across kill {kill}");
        let before = are_one(&at_once(&server, &key, Some(kill * kill)), 1);
        drop(server);
        server = store.serve();
        let after = at_once(&server, &key, None);
        assert_eq!(after.len(), AT_ONCE);
        let first = usize::from(before.is_none());
        let after = are_one(&after, first).expect("an answer");
        assert!(before.is_none_or(|before| before == after), "another answer than before");
    }
    let list = check::get(&client(), &server.url, "/v1/callbacks?limit=200");
    let items = list["items"].as_array().expect("a list");
    let keys: BTreeSet<String> =
        items.iter().map(|one| one["origin"]["interaction_ref"].to_string()).collect();
    assert_eq!((items.len(), keys.len()), (5, 5), "one callback for each key");
}

#[test]
fn one_key_is_one_callback_on_the_embedded_store() {
    one_key(&Store::embedded());
}

#[test]
fn one_key_is_one_callback_on_redis() {
    one_key(&Store::redis());
}
