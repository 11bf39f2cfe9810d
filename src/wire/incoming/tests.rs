//! Clients' frames: what is taken, what is an error, and what counts as no frame at all.

use super::*;
use crate::domain::callback::Outcome;
use crate::domain::ids::OfferId;
use crate::wire::samples::{World, agent};

const CALLBACK: &str = "01936b5e-3c5a-7cc0-8000-000000000001";

/// A frame; one whose action is at fault alone counts as bad as well.
fn read(text: &str) -> Result<Incoming, BadFrame> {
    let Incoming { id, frame } = read_frame(text, &World::new())?;
    match frame {
        ClientFrame::Act { action, .. } if action.is_err() => {
            let problem = action.expect_err("it is at fault");
            Err(BadFrame { id: Some(id), problem, strike: false })
        }
        frame => Ok(Incoming { id, frame }),
    }
}

fn act(text: &str) -> Action {
    let text = text.replace('@', CALLBACK);
    match read(&text).expect("a good frame").frame {
        ClientFrame::Act { callback, action, .. } => {
            assert_eq!(callback.to_string(), CALLBACK);
            action.expect("a good action")
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn every_frame_of_the_document_is_read() {
    let frame = read(r#"{"id": 1, "type": "presence", "presence": "away", "reason": "lunch"}"#);
    let frame = frame.expect("good");
    assert_eq!(frame.id, FrameId::Number(1));
    assert!(matches!(
        frame.frame,
        ClientFrame::Presence { presence: Presence::Away, reason: Some(reason) }
            if reason == "lunch"
    ));
    let offer = format!(r#"{{"id": "x", "type": "accept", "offer_id": "{CALLBACK}"}}"#);
    let accept = read(&offer).expect("good");
    assert_eq!(accept.id, FrameId::Text("x".to_owned()));
    let id = OfferId::parse(CALLBACK).expect("an id");
    assert!(matches!(
        accept.frame,
        ClientFrame::AnswerOffer { offer, answer: OfferAnswer::Accept } if offer == id
    ));
    assert!(matches!(act(r#"{"id": 3, "type": "call", "callback_id": "@"}"#), Action::Call));
    assert!(matches!(
        act(r#"{"id": 3, "type": "outcome", "callback_id": "@", "outcome": "busy"}"#),
        Action::Outcome { outcome: Outcome::Busy, notes: None }
    ));
    assert!(matches!(
        act(r#"{"id": 3, "type": "end_call", "callback_id": "@", "notes": "n"}"#),
        Action::EndCall { notes: Some(_) }
    ));
    assert!(matches!(
        act(r#"{"id": 3, "type": "retry", "callback_id": "@", "mine": true}"#),
        Action::Retry { at: None, mine: true, customer_agreed: false }
    ));
    assert!(matches!(
        act(r#"{"id": 3, "type": "requeue", "callback_id": "@", "queue": "video",
                "agent_id": "mara"}"#),
        Action::Requeue { queue: Some(_), agent: Some(to) } if to == agent("mara")
    ));
    assert!(matches!(
        act(r#"{"id": 3, "type": "close", "callback_id": "@", "resolved": false}"#),
        Action::Close { resolved: Some(false), .. }
    ));
    assert!(matches!(
        act(r#"{"id": 3, "type": "extend_wrap_up", "callback_id": "@", "seconds": 60}"#),
        Action::ExtendWrapUp { seconds: 60 }
    ));
    let auth = read(r#"{"id": 4, "type": "auth", "token": "t"}"#).expect("good");
    assert!(matches!(auth.frame, ClientFrame::Auth { token } if token == "t"));
    let ping = read(r#"{"id": 5, "type": "ping"}"#).expect("good");
    assert!(matches!(ping.frame, ClientFrame::Ping));
}

#[test]
fn what_is_no_frame_counts_against_the_session() {
    for (text, id) in [
        ("", None),
        ("hello", None),
        ("[1]", None),
        (r#"{"type": "ping"}"#, None),
        (r#"{"id": null, "type": "ping"}"#, None),
        (r#"{"id": {}, "type": "ping"}"#, None),
        (r#"{"id": 1.5, "type": "ping"}"#, None),
        (r#"{"id": 1, "id": 2, "type": "ping"}"#, None),
        (r#"{"id": 1}"#, Some(FrameId::Number(1))),
        (r#"{"id": 1, "type": 5}"#, Some(FrameId::Number(1))),
        (r#"{"id": 1, "type": "assign"}"#, Some(FrameId::Number(1))),
    ] {
        let bad = read(text).expect_err(text);
        assert!(bad.strike, "{text}");
        assert_eq!((bad.id, bad.problem.status()), (id, 400), "{text}");
    }
    let told = |text| read(text).expect_err("no frame").problem.detail;
    assert!(told("hello").starts_with("The frame isn't JSON: "), "{}", told("hello"));
    let twice = told(r#"{"id": 1, "type": "ping", "type": "auth"}"#);
    assert!(twice.starts_with("The frame isn't taken: ") && twice.contains("type"), "{twice}");
    let long = format!(r#"{{"id": "{}", "type": "ping"}}"#, "x".repeat(FRAME_ID_MAX + 1));
    assert_eq!(read(&long).expect_err("too long").id, None);
}

#[test]
fn a_frame_with_bad_fields_is_answered_and_nothing_else() {
    for (text, pointers) in [
        (r#"{"id": 1, "type": "accept"}"#, &["/offer_id"][..]),
        (r#"{"id": 1, "type": "accept", "offer_id": "x", "more": 1}"#, &["/offer_id", "/more"]),
        (r#"{"id": 1, "type": "call", "callback_id": 7}"#, &["/callback_id"]),
        (r#"{"id": 1, "type": "outcome"}"#, &["/callback_id", "/outcome"]),
        (r#"{"id": 1, "type": "presence", "presence": "busy"}"#, &["/presence"]),
        (r#"{"id": 1, "type": "ping", "at": 1}"#, &["/at"]),
        (r#"{"id": 1, "type": "auth", "token": ""}"#, &["/token"]),
    ] {
        let bad = read(text).expect_err(text);
        assert!(!bad.strike, "{text}");
        assert_eq!(bad.problem.status(), 422);
        let found: Vec<_> = bad.problem.errors.iter().map(|fault| &*fault.pointer).collect();
        assert_eq!(found, pointers, "{text}");
    }
}

#[test]
fn actions_are_bounded() {
    for fields in [
        r#""type": "retry", "at": "2026-11-24""#,
        r#""type": "requeue", "queue": "nowhere""#,
        r#""type": "requeue", "agent_id": "nobody""#,
        r#""type": "extend_wrap_up", "seconds": 0"#,
        r#""type": "extend_wrap_up""#,
        r#""type": "outcome", "outcome": "talked""#,
        r#""type": "close", "resolved": 1"#,
        r#""type": "close", "disposition": """#,
    ] {
        let text = format!(r#"{{"id": 1, "callback_id": "{CALLBACK}", {fields}}}"#);
        assert_eq!(read(&text).expect_err(fields).problem.status(), 422);
    }
    let notes = |length: usize| {
        let notes = "x".repeat(length);
        read(&format!(
            r#"{{"id": 1, "type": "end_call", "callback_id": "{CALLBACK}", "notes": "{notes}"}}"#
        ))
    };
    assert!(notes(4_000).is_ok());
    assert!(notes(4_001).is_err());
}
