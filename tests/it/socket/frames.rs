//! Frames as bytes: what is answered, in which order, and what malformed, huge, endless and too
//! many ones get.

use std::io::{ErrorKind, Read, Write};
use std::time::Duration;

use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;

use super::desk::{Desk, frame};
use super::{PATIENCE, presence, start, status, wait_until};
use crate::server::Server;

/// First bytes of frames that are whole, and of the pieces of one.
const TEXT: u8 = 0x81;
const PING: u8 = 0x89;
const PONG: u8 = 0x8a;
const FIRST_PIECE: u8 = 0x01;
const PIECE: u8 = 0x00;
const LAST_PIECE: u8 = 0x80;

fn connect(server: &Server) -> Desk {
    let mut desk = Desk::connect(server, "mara-key-1");
    desk.expect("welcome");
    desk
}

fn text(frame_text: &str) -> Vec<u8> {
    frame(TEXT, frame_text.len() as u64, frame_text.as_bytes())
}

/// What the server's process holds in memory, in KiB.
fn resident(server: &Server) -> u64 {
    let path = format!("/proc/{}/status", server.id());
    let text = std::fs::read_to_string(path).expect("it runs");
    let line = text.lines().find(|line| line.starts_with("VmRSS:")).expect("it is told");
    line.split_whitespace().nth(1).and_then(|number| number.parse().ok()).expect("a number")
}

#[test]
fn what_is_no_frame_is_an_error_and_the_third_ends_the_session() {
    let server = start("", "");
    let nested =
        format!(r#"{{"id": 7, "type": "ping", "x": {}1{}}}"#, "[".repeat(40), "]".repeat(40));
    let deep = "[".repeat(60_000);
    let rounds: [[(&str, Value); 3]; 4] = [
        [("not JSON", Value::Null), ("[1]", Value::Null), ("", Value::Null)],
        [
            (r#"{"id": 2, "type": "dance"}"#, json!(2)),
            (r#"{"id": "x", "type": "assign"}"#, json!("x")),
            (r#"{"id": 3}"#, json!(3)),
        ],
        [
            (r#"{"type": "ping"}"#, Value::Null),
            (r#"{"id": 1, "id": 2, "type": "ping"}"#, Value::Null),
            (r#"{"id": {}, "type": "ping"}"#, Value::Null),
        ],
        [(&nested, Value::Null), (&deep, Value::Null), ("{}", Value::Null)],
    ];
    for round in rounds {
        let mut desk = connect(&server);
        for (number, (bad, id)) in round.into_iter().enumerate() {
            if number > 0 {
                desk.is_quiet();
            }
            desk.text(bad);
            let error = desk.expect("error");
            assert_eq!((&error["id"], &error["problem"]["status"]), (&id, &json!(400)), "{error}");
        }
        assert_eq!(desk.closed(), 1008);
    }
    let mut desk = connect(&server);
    for _ in 0..3 {
        desk.0.send(Message::binary(br#"{"id": 1, "type": "ping"}"#.to_vec())).expect("sent");
        assert_eq!(desk.expect("error")["id"], Value::Null);
    }
    assert_eq!(desk.closed(), 1008);
}

#[test]
fn a_frame_with_faulty_fields_is_answered_and_costs_nothing() {
    let server = start("", "");
    let mut desk = connect(&server);
    for (mut bad, pointer) in [
        (json!({"type": "ping", "at": 1}), "/at"),
        (json!({"type": "presence"}), "/presence"),
        (json!({"type": "presence", "presence": "busy"}), "/presence"),
        (json!({"type": "presence", "presence": "away", "force": true}), "/force"),
        (json!({"type": "accept", "offer_id": 1}), "/offer_id"),
        (json!({"type": "call", "callback_id": "x"}), "/callback_id"),
        (json!({"type": "auth"}), "/token"),
        (json!({"type": "close", "callback_id": null}), "/callback_id"),
    ] {
        bad["id"] = json!(format!("for {pointer}"));
        assert_eq!(desk.fails(&bad, "invalid")["errors"][0]["pointer"], pointer);
    }
    desk.is_quiet();
}

#[test]
fn every_frame_of_a_flood_is_answered_once_and_in_order() {
    let server = start("", "");
    let mut desk = connect(&server);
    let nothing = "01936b5e-3c5a-7cc0-8000-000000000001";
    let mut flood = Vec::new();
    let mut wanted = Vec::new();
    for number in 0..400 {
        // Answered by the session itself, by the engine, and by a refusal at either.
        let (id, body, answer) = match number % 5 {
            0 => (json!(number), json!({"type": "ping"}), "pong"),
            1 => {
                let wants = if number % 2 == 0 { "available" } else { "away" };
                (json!(number), json!({"type": "presence", "presence": wants}), "ack")
            }
            2 => {
                let id = json!(format!("frame {number} ü"));
                (id, json!({"type": "accept", "offer_id": nothing}), "error")
            }
            3 => (json!(-number), json!({"type": "call", "callback_id": nothing}), "error"),
            _ => (json!(number), json!({"type": "ping", "more": true}), "error"),
        };
        let mut sent = body;
        sent["id"] = id.clone();
        flood.extend(text(&sent.to_string()));
        wanted.push((json!(answer), id));
    }
    desk.bytes(&flood);
    let mut found = Vec::new();
    while found.len() < wanted.len() {
        let answer = desk.next();
        if answer["type"] != "agent.presence_changed" {
            found.push((answer["type"].clone(), answer["id"].clone()));
        }
    }
    assert_eq!(found, wanted);
    desk.does(&presence(1, "offline"));
    assert_eq!(status(&server, "mara")["presence"], "offline");
}

#[test]
fn a_frame_beyond_64_kib_ends_the_session_at_once() {
    let server = start("", "");
    let filled = |length: usize| {
        let empty = r#"{"id": 1, "type": "ping", "pad": ""}"#.len();
        format!(r#"{{"id": 1, "type": "ping", "pad": "{}"}}"#, "x".repeat(length - empty))
    };
    let mut desk = connect(&server);
    desk.text(&filled(64 * 1_024));
    assert_eq!(desk.expect("error")["problem"]["errors"][0]["pointer"], "/pad");
    desk.text(&filled(64 * 1_024 + 1));
    assert_eq!(desk.closed(), 1009);
    let mut desk = connect(&server);
    desk.text(&filled(65 * 1_024));
    assert_eq!(desk.ended(), 1009, "a client that goes on has no connection for long");
    wait_until("the session is gone", || status(&server, "mara")["connected"] == false);
}

#[test]
fn a_frame_is_judged_by_what_it_announces() {
    let server = start("", "");
    let before = resident(&server);
    // One for each pair, and as many sessions as one agent may have.
    let mut desks: Vec<_> = (0..16).map(|_| connect(&server)).collect();
    for (number, desk) in desks.iter_mut().enumerate() {
        let length = [1 << 40, 65_537, u64::MAX >> 1, u64::MAX][number % 4];
        let first = [TEXT, FIRST_PIECE, 0x82, PING][number / 4];
        desk.bytes(&frame(first, length, b"and little more"));
    }
    for desk in &mut desks {
        assert_eq!(desk.closed(), 1009);
    }
    let grown = resident(&server).saturating_sub(before);
    assert!(grown < 16 * 1_024, "{grown} KiB more for 16 sessions");
}

#[test]
fn a_frame_in_pieces_is_one_frame_and_no_larger_than_one() {
    let server = start("", "");
    let mut desk = connect(&server);
    desk.bytes(&frame(FIRST_PIECE, 9, br#"{"id": 1,"#));
    desk.bytes(&frame(PING, 2, b"hi"));
    desk.bytes(&frame(PIECE, 0, b""));
    desk.bytes(&frame(PIECE, 14, br#" "type": "ping"#));
    desk.bytes(&frame(LAST_PIECE, 2, br#""}"#));
    assert_eq!(desk.expect("pong")["id"], 1);
    // Without end, but for the bound: pieces of nothing cost nothing.
    desk.bytes(&frame(FIRST_PIECE, 9, br#"{"id": 2,"#));
    desk.bytes(&frame(PIECE, 0, b"").repeat(20_000));
    desk.bytes(&frame(LAST_PIECE, 16, br#" "type": "ping"}"#));
    assert_eq!(desk.expect("pong")["id"], 2);
    desk.bytes(&frame(FIRST_PIECE, 1_024, &[b' '; 1_024]));
    desk.bytes(&frame(PIECE, 1_024, &[b' '; 1_024]).repeat(64));
    assert_eq!(desk.closed(), 1009);
    let mut desk = connect(&server);
    desk.bytes(&frame(0x02, 1, b"x"));
    desk.bytes(&frame(PIECE, 1_024, &[b' '; 1_024]).repeat(200));
    desk.bytes(&frame(LAST_PIECE, 0, b""));
    assert_eq!(desk.expect("error")["id"], Value::Null, "binary, however long");
    desk.is_quiet();
}

#[test]
fn what_breaks_the_protocol_ends_the_session() {
    let server = start("", "");
    for broken in [
        frame(TEXT, 4, b"\"\xff\xfe\""),
        // Unmasked, a reserved kind, a piece of nothing, a ping in pieces, one that is too long.
        vec![TEXT, 2, b'{', b'}'],
        frame(0x83, 0, b""),
        frame(LAST_PIECE, 0, b""),
        frame(0x09, 0, b""),
        frame(PING, 126, &[b'x'; 126]),
    ] {
        let mut desk = connect(&server);
        desk.bytes(&broken);
        assert_eq!(desk.closed(), 1008, "{broken:?}");
    }
    let mut desk = connect(&server);
    let reason = CloseFrame { code: CloseCode::Normal, reason: "bye".into() };
    desk.0.close(Some(reason)).expect("sent");
    assert_eq!(desk.closed(), 1000, "a client's own Close is answered");
    wait_until("the sessions are gone", || status(&server, "mara")["connected"] == false);
}

/// Sends pings without reading until nothing more is taken; how many were sent whole, and what is
/// left of one that wasn't.
fn flood(desk: &mut Desk, ping: &[u8]) -> (usize, Vec<u8>) {
    let stream = desk.0.get_mut();
    stream.set_write_timeout(Some(Duration::from_millis(500))).expect("it can be set");
    let many = ping.repeat(500);
    let mut sent = 0;
    while sent < 64 << 20 {
        match stream.write(&many[sent % ping.len()..]) {
            Ok(count) => sent += count,
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::WouldBlock);
                let rest = (ping.len() - sent % ping.len()) % ping.len();
                let pings = (sent + rest) / ping.len();
                return (pings, ping[ping.len() - rest..].to_vec());
            }
        }
    }
    panic!("64 MiB of pings were taken from a client that doesn't read");
}

#[test]
fn a_flood_of_pings_is_answered_as_fast_as_it_is_read() {
    let server = start("", "");
    let mut desks: Vec<_> = (0..4).map(|_| connect(&server)).collect();
    let before = resident(&server);
    let ping = frame(PING, 125, &[b'p'; 125]);
    let floods: Vec<_> = std::thread::scope(|scope| {
        let floods = desks.iter_mut().map(|desk| scope.spawn(|| flood(desk, &ping)));
        let floods: Vec<_> = floods.collect();
        floods.into_iter().map(|one| one.join().expect("it was held back")).collect()
    });
    let grown = resident(&server).saturating_sub(before);
    assert!(grown < 4 * 8 * 1_024, "{grown} KiB for four sessions");
    let (mut desk, (pings, rest)) = desks.into_iter().zip(floods).next().expect("there are four");
    // Others aren't held up.
    let mut other = Desk::connect(&server, "tom-key-1");
    other.expect("welcome");
    // Nothing was lost: each ping has its pong.
    let mut reader = desk.0.get_ref().try_clone().expect("a second hand");
    let reading = std::thread::spawn(move || {
        let mut answers = Vec::new();
        let mut chunk = vec![0; 1 << 20];
        while count(&answers) < pings {
            let read = reader.read(&mut chunk).expect("pongs");
            assert!(read > 0, "closed");
            answers.extend_from_slice(&chunk[..read]);
        }
        count(&answers)
    });
    desk.0.get_mut().set_write_timeout(Some(PATIENCE)).expect("it can be set");
    desk.bytes(&rest);
    assert_eq!(reading.join().expect("it read"), pings);
}

#[test]
fn a_flood_that_asks_for_nothing_is_not_gathered() {
    const PONGS: usize = 400_000;
    let server = start("", "");
    let mut desk = connect(&server);
    desk.is_quiet();
    let before = resident(&server);
    // 50 MiB that the session only drops, and one frame behind them that it answers.
    let pongs = frame(PONG, 125, &[b'p'; 125]).repeat(100);
    let mut most = 0;
    for number in 0..PONGS / 100 {
        desk.bytes(&pongs);
        if number % 100 == 0 {
            most = most.max(resident(&server).saturating_sub(before));
        }
    }
    most = most.max(resident(&server).saturating_sub(before));
    desk.is_quiet();
    // What a session may have, and what the allocator takes in advance.
    assert!(most < 16 * 1_024, "{most} KiB");
}

/// Pongs among the frames in `bytes`.
fn count(mut bytes: &[u8]) -> usize {
    let mut pongs = 0;
    while let [first, length, rest @ ..] = bytes {
        let (head, length) = match *length {
            126 if rest.len() >= 2 => (2, usize::from(u16::from_be_bytes([rest[0], rest[1]]))),
            126 => break,
            length => (0, usize::from(length)),
        };
        let Some(after) = rest.get(head + length..) else { break };
        pongs += usize::from(*first == 0x8a);
        bytes = after;
    }
    pongs
}
