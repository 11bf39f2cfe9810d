//! Floods against a stub that counts, refuses and hangs up.

use std::collections::BTreeMap;
use std::sync::Mutex;

use clap::Parser;
use serde_json::Value;

use super::*;
use crate::ledger;
use crate::stub::{self, Asked};

#[derive(Parser)]
struct Line {
    #[command(flatten)]
    args: Args,
}

fn args(target: &Target, more: &[&str]) -> Args {
    let server = target.to_string();
    let fixed = ["flood", "--server", &server, "--token", "key", "--queue", "billing"];
    Line::try_parse_from(fixed.iter().chain(more)).unwrap().args
}

fn created(id: &str, kind: &str) -> String {
    json!({"id": id, "number": format!("CB-{id}"), "version": 1, "type": kind, "state": "open",
           "schedule": {"start": "2026-11-25T15:00:00Z"}})
    .to_string()
}

/// How often each key was asked for, and the body it was asked for with.
type Seen = Arc<Mutex<BTreeMap<String, Vec<Bytes>>>>;

/// Refuses the first request of each key in one of three ways, and takes the second.
async fn reluctant(seen: Seen) -> Target {
    let answer = move |asked: Asked| {
        assert_eq!((asked.method.as_str(), asked.path.as_str()), ("POST", "/v1/callbacks"));
        let mut seen = seen.lock().unwrap();
        let key = asked.key.expect("every POST has its key");
        let number = seen.len();
        let tries = seen.entry(key.clone()).or_default();
        tries.push(asked.body);
        match (tries.len(), number % 3) {
            (1, 0) => Some((503, Some(0), "{}".to_owned())),
            (1, 1) => Some((429, Some(0), "{}".to_owned())),
            (1, _) => None,
            _ => Some((201, None, created(&key, "scheduled"))),
        }
    };
    stub::serve(answer).await
}

#[tokio::test]
async fn refused_and_cut_requests_are_repeated_with_the_same_key_and_counted_once() {
    let seen = Seen::default();
    let target = reluctant(Arc::clone(&seen)).await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.jsonl");
    let more = ["--connections", "3", "--count", "30", "--ledger", path.to_str().unwrap()];
    let report = run(args(&target, &more)).await.unwrap().to_json();
    let seen = seen.lock().unwrap();
    assert_eq!(seen.len(), 30);
    for (key, bodies) in seen.iter() {
        assert_eq!(bodies.len(), 2, "{key}");
        assert_eq!(bodies[0], bodies[1], "{key}");
    }
    let facts = &report["facts"];
    assert_eq!(facts["sent"], 30);
    assert_eq!(facts["acknowledged"], 30);
    assert_eq!(facts["status 201"], 30);
    assert_eq!(facts["repeated after 503"], 10);
    assert_eq!(facts["repeated after 429"], 10);
    assert_eq!(facts["repeated after a lost connection"], 10);
    assert_eq!(report["times"]["POST /v1/callbacks"]["count"], 30);
    let entries = ledger::read(&path).unwrap();
    let ids = entries.iter().map(|entry| match entry {
        Entry::Created(created) => created.id.clone(),
        other => panic!("{other:?}"),
    });
    assert_eq!(ids.collect::<std::collections::BTreeSet<_>>(), seen.keys().cloned().collect());
}

#[tokio::test]
async fn an_open_loop_sends_what_its_rate_and_time_say() {
    let target = stub::serve(|asked| Some((201, None, created(&asked.key?, "asap")))).await;
    let more = ["--rate", "200", "--seconds", "1", "--connections", "4"];
    let report = run(args(&target, &more)).await.unwrap().to_json();
    let sent = report["facts"]["sent"].as_u64().unwrap();
    assert!((100..=200).contains(&sent), "{sent}");
    assert_eq!(report["facts"]["loop"], "open");
}

#[tokio::test]
async fn a_refusal_for_good_is_counted_by_its_status_and_shown() {
    let refusal = r#"{"type":"/problems/not-a-slot","detail":"choose one of nearest"}"#;
    let target = stub::serve(move |_| Some((422, None, refusal.to_owned()))).await;
    let report = run(args(&target, &["--count", "5"])).await.unwrap().to_json();
    assert_eq!(report["facts"]["status 422"], 5);
    assert_eq!(report["facts"]["acknowledged"], 0);
    let shown = report["facts"]["a refusal"].as_str().unwrap();
    assert!(shown.contains("not-a-slot"), "{shown}");
}

#[test]
fn bodies_are_json_of_about_600_bytes_with_a_customer_each() {
    let starts = ["2026-11-25T15:00:00Z".to_owned(), "2026-11-25T15:15:00Z".to_owned()];
    let bodies = Bodies::new("billing", &starts, 0.25);
    let read: Vec<Value> = (0..8)
        .map(|ticket| {
            let body = bodies.body(ticket, 1_000 + ticket);
            assert!((540..=720).contains(&body.len()), "{}", body.len());
            serde_json::from_slice(&body).unwrap()
        })
        .collect();
    let scheduled = read.iter().filter(|body| body["type"] == "scheduled");
    assert_eq!(scheduled.clone().count(), 2);
    assert!(scheduled.clone().all(|body| body["schedule"]["start"].is_string()));
    assert!(read.iter().all(|body| body["queue"] == "billing"));
    let phones = read.iter().map(|body| body["customer"]["phone"].as_str().unwrap());
    assert_eq!(phones.collect::<std::collections::BTreeSet<_>>().len(), 8);
}

#[test]
fn an_unreachable_share_or_machine_is_refused() {
    let line = ["flood", "--server", "http://10.1.1.1", "--token", "t", "--queue", "q"];
    let error = Line::try_parse_from(line).err().unwrap().to_string();
    assert!(error.contains("this machine only"), "{error}");
}
