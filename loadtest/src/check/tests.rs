//! Ledgers held against servers that keep their word, and ones that don't.

use std::fs;

use clap::Parser;

use super::*;
use crate::stub;

const NOW: i64 = 1_764_000_000_000;

fn events(list: &[(&str, &str)]) -> Vec<Event> {
    let event = |(kind, agent): &(&str, &str)| Event {
        kind: format!("callback.{kind}"),
        data: json!({"agent_id": agent}),
    };
    list.iter().map(event).collect()
}

fn kinds(found: &[Violation]) -> Vec<Kind> {
    found.iter().map(|(kind, _)| *kind).collect()
}

fn created(start: Option<&str>) -> Created {
    Created {
        at: "2025-11-24T15:00:00Z".to_owned(),
        id: "c1".to_owned(),
        number: "CB0000001".to_owned(),
        version: 2,
        kind: "scheduled".to_owned(),
        state: "open".to_owned(),
        start: start.map(str::to_owned),
    }
}

fn offer(agent_id: &str, offer_id: &str) -> OfferLine {
    OfferLine {
        at: "2025-11-24T15:00:00Z".to_owned(),
        agent_id: agent_id.to_owned(),
        offer_id: offer_id.to_owned(),
        callback_id: "c1".to_owned(),
    }
}

#[test]
fn a_history_with_one_agent_at_a_time_is_clean() {
    let history = events(&[
        ("created", ""),
        ("queued", ""),
        ("offered", "mara"),
        ("declined", "mara"),
        ("offered", "timo"),
        ("accepted", "timo"),
        ("assigned", "timo"),
        ("calling", "timo"),
        ("call_ended", "timo"),
        ("retry_scheduled", "timo"),
        ("queued", ""),
        ("offered", "mara"),
        ("accepted", "mara"),
        ("closed", "mara"),
    ]);
    assert!(review("c1", &history).is_empty());
}

#[test]
fn two_agents_at_once_are_found_in_a_history() {
    let taken = events(&[("offered", "mara"), ("accepted", "mara"), ("offered", "timo")]);
    assert_eq!(kinds(&review("c1", &taken)), [Kind::AssignedTwice]);
    let twice = events(&[("accepted", "mara"), ("accepted", "timo")]);
    assert_eq!(kinds(&review("c1", &twice)), [Kind::AssignedTwice]);
    let offered = events(&[("offered", "mara"), ("offered", "timo")]);
    assert_eq!(kinds(&review("c1", &offered)), [Kind::OfferedTwice]);
    let other = events(&[("offered", "mara"), ("accepted", "timo")]);
    assert_eq!(kinds(&review("c1", &other)), [Kind::OfferedTwice]);
}

#[test]
fn every_acknowledged_accept_needs_an_event_of_its_own() {
    let promise =
        Promise { accepted: vec![offer("mara", "o1"), offer("mara", "o2")], ..Promise::default() };
    let one = events(&[("accepted", "mara"), ("accepted", "timo")]);
    assert_eq!(kinds(&lost_accepts("c1", &promise, &one)), [Kind::AcceptLost]);
    let both = events(&[("accepted", "mara"), ("accepted", "mara")]);
    assert!(lost_accepts("c1", &promise, &both).is_empty());
    let mut named = both;
    named[0].data["offer_id"] = json!("o2");
    named[1].data["offer_id"] = json!("o3");
    assert_eq!(lost_accepts("c1", &promise, &named).len(), 1);
}

#[test]
fn a_booking_stands_or_has_moved_on_as_it_may() {
    let start = "2026-11-25T15:00:00Z";
    let promise = Promise { created: Some(created(Some(start))), ..Promise::default() };
    let with = |state: &str, start: &str, history: &[(&str, &str)]| {
        let callback = json!({"version": 3, "number": "CB0000001", "state": state,
                              "schedule": {"start": start}});
        let truth = Truth { callback: Some(callback), history: events(history) };
        kinds(&judge("c1", &promise, &truth, NOW))
    };
    assert_eq!(with("open", start, &[]), []);
    assert_eq!(with("open", "2026-11-25T15:00:00.000Z", &[]), []);
    assert_eq!(with("open", "2026-11-25T16:00:00Z", &[]), [Kind::Moved]);
    assert_eq!(with("open", "2026-11-25T16:00:00Z", &[("rescheduled", "")]), []);
    assert_eq!(with("queued", start, &[]), [Kind::Early]);
    assert_eq!(with("canceled", start, &[("canceled", "")]), []);
    let due = Truth {
        callback: Some(json!({"version": 3, "number": "CB0000001", "state": "queued",
                              "schedule": {"start": start}})),
        history: Vec::new(),
    };
    let soon = clock::millis(start).unwrap() - 60_000;
    assert!(judge("c1", &promise, &due, soon).is_empty());
}

#[test]
fn a_number_given_twice_and_a_version_gone_back_are_found() {
    let mut second = created(None);
    second.id = "c2".to_owned();
    let entries = vec![Entry::Created(created(None)), Entry::Created(second)];
    let promises = Promises::read(entries);
    assert_eq!(kinds(&promises.shared_numbers()), [Kind::OtherNumber]);
    let callback = json!({"version": 1, "number": "CB0000002", "state": "open"});
    let truth = Truth { callback: Some(callback), history: Vec::new() };
    let found = judge("c1", &promises.callbacks["c1"], &truth, NOW);
    assert_eq!(kinds(&found), [Kind::WentBack, Kind::OtherNumber]);
}

#[derive(Parser)]
struct Line {
    #[command(flatten)]
    args: Args,
}

#[tokio::test]
async fn a_server_that_lost_one_of_two_fails_the_check() {
    let target = stub::serve(|asked| {
        let callback = json!({"id": "c1", "version": 2, "number": "CB0000001", "state": "queued"});
        let accepted = json!({"id": 7, "type": "callback.accepted", "data": {"agent_id": "mara"}});
        let first = json!({"items": [], "next_cursor": "second"});
        let second = json!({"items": [accepted], "next_cursor": null});
        match asked.path.as_str() {
            "/v1/callbacks/c1" => Some((200, None, callback.to_string())),
            "/v1/callbacks/c1/history?limit=200" => Some((200, None, first.to_string())),
            "/v1/callbacks/c1/history?limit=200&cursor=second" => {
                Some((200, None, second.to_string()))
            }
            _ => Some((404, None, "{}".to_owned())),
        }
    })
    .await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.jsonl");
    let mut second = created(None);
    (second.id, second.number) = ("c2".to_owned(), "CB0000002".to_owned());
    let mut text = String::new();
    for entry in [
        Entry::Created(created(None)),
        Entry::Created(second),
        Entry::Accepted(offer("mara", "o1")),
    ] {
        text.push_str(&serde_json::to_string(&entry).unwrap());
        text.push('\n');
    }
    fs::write(&path, text).unwrap();
    let server = target.to_string();
    let line = ["check", "--server", &server, "--token", "t", "--ledger", path.to_str().unwrap()];
    let report = run(Line::try_parse_from(line).unwrap().args).await.unwrap();
    assert!(!report.is_clean());
    let json = report.to_json();
    assert_eq!(json["verdicts"]["lost"], 1);
    assert_eq!(json["verdicts"]["accepts lost"], 0);
    assert_eq!(json["facts"]["callbacks acknowledged"], 2);
    assert_eq!(json["violations"][0], "c2 is not there any more");
}
