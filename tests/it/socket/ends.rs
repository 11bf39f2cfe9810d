//! How sessions end from the server's side: with their credential, with their agent, with their
//! silence, and with the server.

use std::io::Read;
use std::time::Duration;

use jsonwebtoken::{EncodingKey, Header, encode};
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;

use super::desk::{Desk, frame};
use super::{PATIENCE, now, number, start, status, wait_until};
use crate::server::SIGNING;

/// A token of mara's that ends in so many seconds.
#[expect(clippy::disallowed_methods, reason = "tokens end by the real clock")]
fn token(seconds: u64) -> String {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after");
    let claims = json!({
        "sub": "mara", "role": "agent", "workspace": "main", "aud": "ringback",
        "exp": now.as_secs() + seconds,
    });
    encode(&Header::default(), &claims, &EncodingKey::from_secret(SIGNING)).expect("a token")
}

/// Reads on for so many heartbeats, with nothing else to be heard.
#[track_caller]
fn beats(desk: &mut Desk, count: usize) {
    let mut heard = 0;
    while heard < count {
        match desk.0.read().expect("a frame") {
            Message::Ping(_) => heard += 1,
            Message::Text(text) => assert!(text.contains("queue.updated"), "{text}"),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn a_credential_that_has_ended_ends_the_session_unless_it_is_renewed() {
    let server = start("heartbeat_seconds = 3", "");
    let first = token(10);
    let mut renewed = Desk::connect(&server, &first);
    let mut left = Desk::connect(&server, &first);
    renewed.expect("welcome");
    left.expect("welcome");
    renewed.does(&json!({"id": 1, "type": "auth", "token": token(600)}));
    // Whoever isn't read meanwhile is taken for gone.
    let left = std::thread::spawn(move || left.closed());
    while !left.is_finished() {
        beats(&mut renewed, 1);
    }
    assert_eq!(left.join().expect("it is closed"), 4401);
    beats(&mut renewed, 1);
    renewed.is_quiet();
    // A key doesn't end by itself.
    renewed.does(&json!({"id": 2, "type": "auth", "token": "mara-key-1"}));
}

#[test]
fn only_the_same_agent_renews_a_session() {
    let server = start("wrong_credentials_per_minute = 30", "");
    let mut desk = Desk::connect(&server, &token(600));
    desk.expect("welcome");
    let auth = |token: &str| json!({"id": "a", "type": "auth", "token": token});
    desk.fails(&auth("wrong-key"), "unauthorized");
    desk.fails(&auth("tom-key-1"), "forbidden");
    desk.fails(&auth("lead-key-1"), "forbidden");
    desk.fails(&auth("other-mara"), "forbidden");
    desk.is_quiet();
    // Guessing through a session counts as guessing does elsewhere.
    for guess in 0..29 {
        desk.fails(&auth(&format!("wrong-key-{guess}")), "unauthorized");
    }
    desk.fails(&auth("one-more"), "rate-limited");
    desk.does(&auth("mara-key-1"));
}

#[test]
fn a_credential_that_has_ended_is_good_for_nothing_between_two_heartbeats() {
    let server = start("heartbeat_seconds = 3600", "");
    let mut desk = Desk::connect(&server, &token(10));
    desk.expect("welcome");
    let begun = now();
    let code = loop {
        // The Close may be on its way already.
        let _ = desk.0.send(Message::text(r#"{"id": 1, "type": "ping"}"#));
        match desk.0.read().expect("an answer") {
            Message::Close(frame) => break u16::from(frame.expect("a close code").code),
            Message::Ping(_) | Message::Text(_) => {}
            other => panic!("{other:?}"),
        }
        assert!(begun.elapsed() < PATIENCE, "it lives on");
        std::thread::park_timeout(Duration::from_millis(10));
    };
    assert_eq!(code, 4401);
}

#[test]
fn a_removed_agent_has_no_session() {
    let server = start("", "");
    let mut desks: Vec<_> = (0..2).map(|_| Desk::connect(&server, "mara-key-1")).collect();
    for desk in &mut desks {
        desk.expect("welcome");
    }
    assert_eq!(server.delete("/v1/agents/mara", "admin-key").status, 204);
    for desk in &mut desks {
        assert_eq!(desk.closed(), 4403);
    }
    let again = server.request("GET", "/v1/agent/socket", "mara-key-1");
    assert_eq!(crate::server::send(again).status, 403);
}

#[test]
fn a_client_that_leaves_is_counted_as_such() {
    let server = start("", "");
    drop(Desk::ready(&server, "mara-key-1"));
    wait_until("it is counted", || {
        let left = "ringback_sockets_ended_total{reason=\"left\"} 1";
        crate::operations::metrics(&server).contains(left)
    });
}

#[test]
fn a_silent_session_has_three_heartbeats() {
    // The first comes after the welcome was read, also on a busy machine.
    let server = start("heartbeat_seconds = 3", "");
    let mut mute = Desk::connect(&server, "tom-key-1");
    mute.expect("welcome");
    let mut bytes = Vec::new();
    mute.0.get_mut().read_to_end(&mut bytes).expect("it is ended");
    let pings = bytes.windows(2).filter(|two| *two == [0x89, 0]).count();
    assert_eq!(pings, 2, "and the third is the end");
}

#[test]
fn a_session_that_gives_no_sign_of_life_is_dropped() {
    let server = start("heartbeat_seconds = 2", "");
    let mut silent = Desk::ready(&server, "mara-key-1");
    let made = server.callback(&number(1));
    silent.expect("callback.offered");
    // A client that answers no ping, but says something.
    let mut mute = Desk::connect(&server, "tom-key-1");
    mute.expect("welcome");
    let mut pings = 0;
    while pings < 4 {
        let mut bytes = [0; 4_096];
        let count = mute.0.get_mut().read(&mut bytes).expect("it isn't closed");
        assert!(count > 0, "any frame is a sign of life");
        if bytes[..count].windows(2).any(|two| two == [0x89, 0]) {
            pings += 1;
            let text = br#"{"id": 1, "type": "ping"}"#;
            mute.bytes(&frame(0x81, text.len() as u64, text));
        }
    }
    wait_until("the silent one is dropped", || status(&server, "mara")["connected"] == false);
    assert_eq!(silent.closed_unread(), 4408);
    assert_eq!(status(&server, "tom")["connected"], true);
    assert_eq!(super::look(&server, &made)["state"], "queued", "its offer was taken back");
}

#[test]
fn the_server_says_goodbye_and_ends() {
    // Much longer than is waited for.
    let server = start("drain_seconds = 600", "");
    let mut desks: Vec<_> = ["mara-key-1", "mara-key-1", "tom-key-1"]
        .into_iter()
        .map(|key| Desk::connect(&server, key))
        .collect();
    for desk in &mut desks {
        desk.expect("welcome");
    }
    // What was asked before is answered before.
    let mut flood = Vec::new();
    for number in 0..50 {
        let text = json!({"id": number, "type": "presence", "presence": "away"}).to_string();
        flood.extend(frame(0x81, text.len() as u64, text.as_bytes()));
    }
    desks[0].bytes(&flood);
    let answered: Value = desks[0].expect("ack");
    assert_eq!(answered["id"], 0);
    server.terminate();
    for desk in &mut desks {
        assert_eq!(desk.ended(), 1012);
    }
    assert_eq!(server.exit_code(PATIENCE), Some(0));
}
