//! Who gets a session, and who is refused in which words.

use std::io::{Read, Write};

use jsonwebtoken::{EncodingKey, Header, encode};
use serde_json::json;

use super::desk::{Desk, dial};
use super::{PATIENCE, now, number, start};
use crate::server::{Answer, SIGNING, Server, send};

const NEVER: i64 = 4_000_000_000;

fn signed(role: &str, subject: &str, exp: i64) -> String {
    let claims = json!({
        "sub": subject, "role": role, "workspace": "main", "aud": "ringback", "exp": exp,
    });
    encode(&Header::default(), &claims, &EncodingKey::from_secret(SIGNING)).expect("a token")
}

/// A handshake with this credential in its header, these subprotocols and this origin.
fn shake(server: &Server, token: &str, protocols: &str, origin: &str) -> Answer {
    let mut request = server
        .request("GET", "/v1/agent/socket", token)
        .header("Connection", "Upgrade")
        .header("Upgrade", "websocket")
        .header("Sec-WebSocket-Version", "13")
        .header("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==");
    for line in protocols.lines() {
        request = request.header("Sec-WebSocket-Protocol", line);
    }
    if !origin.is_empty() {
        request = request.header("Origin", origin);
    }
    let response = request.send().expect("it answers");
    if response.status() == 101 {
        let (status, headers) = (101, response.headers().clone());
        return Answer { status, headers, body: json!(null) };
    }
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    let body = response.json().expect("a problem");
    Answer { status, headers, body }
}

#[test]
fn the_subprotocol_must_be_offered() {
    let server = start("", "");
    for offered in ["", "ringback.v2", "graphql-ws, chat", "Ringback.V1"] {
        shake(&server, "mara-key-1", offered, "").is_problem(400, "malformed");
    }
    for offered in [
        "ringback.v1",
        "chat, ringback.v1",
        "ringback.v1,chat",
        "chat\nringback.v1",
        "ringback.v1\nx",
    ] {
        let taken = shake(&server, "mara-key-1", offered, "");
        assert_eq!(taken.status, 101, "{offered}");
        let chosen: Vec<_> = taken.headers.get_all("sec-websocket-protocol").iter().collect();
        assert_eq!(chosen, ["ringback.v1"], "{offered}");
    }
    shake(&server, "wrong-key-1", "", "").is_problem(401, "unauthorized");
    // What isn't a handshake at all.
    let post = server.request("POST", "/v1/agent/socket", "mara-key-1");
    send(post).is_problem(405, "method-not-allowed");
    let plain = server.request("GET", "/v1/agent/socket", "mara-key-1");
    send(plain.header("Sec-WebSocket-Protocol", "ringback.v1")).is_problem(400, "malformed");
}

#[test]
fn an_agent_has_so_many_sessions_and_leaves_the_others_theirs() {
    let server = Server::start_with(&[("RINGBACK_LIMITS__SESSIONS_PER_AGENT", "2")]);
    let take = || shake(&server, "mara-key-1", "ringback.v1", "");
    let (mut first, mut second) =
        (Desk::connect(&server, "mara-key-1"), Desk::connect(&server, "mara-key-1"));
    let refused = take();
    let problem = refused.is_problem(429, "rate-limited");
    let detail = problem["detail"].as_str().expect("a text");
    assert!(detail.starts_with("2 sessions of this agent are open"), "{detail}");
    assert_eq!(refused.header("retry-after"), Some("5"));
    Desk::connect(&server, "tom-key-1").expect("welcome");
    for desk in [&mut first, &mut second] {
        desk.expect("welcome");
    }
    drop(first);
    let deadline = now() + PATIENCE;
    while take().status != 101 {
        assert!(now() < deadline, "the place of a session that has ended isn't free");
    }
}

/// RFC 6455, section 4.4.
#[test]
fn another_version_of_the_protocol_is_told_which_is_spoken() {
    let server = start("", "");
    for version in ["12", "8", "0", "13, 8", "256", "x"] {
        let request = server
            .request("GET", "/v1/agent/socket", "mara-key-1")
            .header("Connection", "Upgrade")
            .header("Upgrade", "websocket")
            .header("Sec-WebSocket-Version", version)
            .header("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==")
            .header("Sec-WebSocket-Protocol", "ringback.v1");
        let refused = send(request);
        refused.is_problem(426, "upgrade-required");
        assert_eq!(refused.header("sec-websocket-version"), Some("13"), "{version}");
        assert_eq!(refused.header("upgrade"), Some("websocket"));
    }
}

#[test]
fn a_browser_brings_its_credential_as_a_subprotocol() {
    let server = start("", "");
    let token = signed("agent", "mara", NEVER);
    for credential in ["mara-key-1", &token] {
        for offered in [
            format!("ringback.v1, bearer.{credential}"),
            format!("bearer.{credential},ringback.v1"),
        ] {
            let session = shake(&server, "", &offered, "");
            assert_eq!(session.status, 101, "{}", session.body);
            let chosen = session.header("sec-websocket-protocol");
            assert_eq!(chosen, Some("ringback.v1"), "the credential isn't sent back");
        }
        let only = format!("bearer.{credential}");
        shake(&server, "", &only, "").is_problem(400, "malformed");
    }
    shake(&server, "", "ringback.v1, bearer.", "").is_problem(401, "unauthorized");
    shake(&server, "", "ringback.v1, bearer.wrong-key", "").is_problem(401, "unauthorized");
    shake(&server, "wrong-key-1", "ringback.v1, bearer.mara-key-1", "")
        .is_problem(401, "unauthorized");
}

#[test]
fn only_agents_get_a_session() {
    let server = start("", "");
    let manage = server.callback(&number(1))["manage_token"].as_str().expect("text").to_owned();
    let (lead, portal) = (signed("supervisor", "kim", NEVER), signed("channel", "x", NEVER));
    for credential in ["admin-key", "lead-key-1", "portal-key", "nobody-key", &manage, &lead] {
        shake(&server, credential, "ringback.v1", "").is_problem(403, "forbidden");
    }
    let gone = signed("agent", "nobody", NEVER);
    shake(&server, &gone, "ringback.v1", "").is_problem(403, "forbidden");
    let expired = signed("agent", "mara", 1_000_000_000);
    for credential in ["", "wrong-key-1", &expired, &portal, &token_of_elsewhere()] {
        let refused = shake(&server, credential, "ringback.v1", "");
        refused.is_problem(401, "unauthorized");
        assert_eq!(refused.header("www-authenticate"), Some("Bearer"));
    }
    assert_eq!(shake(&server, "lead-tom-1", "ringback.v1", "").status, 101);
}

/// Signed with this workspace's key, for another.
fn token_of_elsewhere() -> String {
    let claims = json!({
        "sub": "mara", "role": "agent", "workspace": "other", "aud": "ringback", "exp": NEVER,
    });
    encode(&Header::default(), &claims, &EncodingKey::from_secret(SIGNING)).expect("a token")
}

#[test]
fn pages_of_other_sites_are_kept_out() {
    let server = start("", "");
    for origin in [
        "https://evil.example",
        "null",
        "https://desk.example.evil.example",
        "https://desk.example:8443",
        "http://desk.example",
        "http://callbacks.example",
        "https://desk.example/",
        "file://",
    ] {
        shake(&server, "mara-key-1", "ringback.v1", origin).is_problem(403, "forbidden");
        let browser = shake(&server, "", "ringback.v1, bearer.mara-key-1", origin);
        browser.is_problem(403, "forbidden");
    }
    for origin in ["https://desk.example", "https://callbacks.example", &server.url] {
        assert_eq!(shake(&server, "mara-key-1", "ringback.v1", origin).status, 101, "{origin}");
    }
}

#[test]
fn whoever_guesses_credentials_is_told_to_wait() {
    let server = start("wrong_credentials_per_minute = 30", "");
    let guess = |number: u32| shake(&server, &format!("guess-{number}"), "ringback.v1", "");
    for number in 0..30 {
        guess(number).is_problem(401, "unauthorized");
    }
    let refused = guess(30);
    refused.is_problem(429, "rate-limited");
    assert!(refused.header("retry-after").is_some());
    assert_eq!(shake(&server, "mara-key-1", "ringback.v1", "").status, 101);
}

#[test]
fn a_handshake_that_trickles_is_given_up() {
    let server = start("header_seconds = 1", "");
    let begun = now();
    let mut half = dial(&server, None);
    half.write_all(b"GET /v1/agent/socket HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\n")
        .expect("sent");
    let mut silent = dial(&server, None);
    silent.write_all(b"G").expect("sent");
    // A header each moment doesn't win time.
    let mut trickling = dial(&server, None);
    trickling.write_all(b"GET /v1/agent/socket HTTP/1.1\r\n").expect("sent");
    trickling.set_read_timeout(Some(std::time::Duration::from_millis(50))).expect("it can be set");
    let mut answer: Vec<u8> = Vec::new();
    loop {
        let ended = trickling.write_all(b"X-More: 1\r\n").is_err();
        let mut bytes = [0; 1_024];
        match trickling.read(&mut bytes) {
            Ok(0) => break,
            Ok(count) => answer.extend(&bytes[..count]),
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock && !ended => {}
            Err(_) => break,
        }
        assert!(begun.elapsed() < PATIENCE, "it trickles for good");
    }
    for stream in [&mut half, &mut silent] {
        let mut rest = Vec::new();
        stream.read_to_end(&mut rest).expect("it is closed");
        assert!(rest.is_empty() || rest.starts_with(b"HTTP/1.1 408"), "{rest:?}");
    }
    assert_eq!(server.get("/healthz", "").status, 200);
}
