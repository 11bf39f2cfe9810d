//! Agents that stop reading, with real sockets that fill up: they are cut off, what they were
//! offered goes elsewhere, and nobody else notices.

use std::net::TcpStream;

use serde_json::{Value, json};

use super::desk::Desk;
use super::{PATIENCE, id, look, now, number, presence, start, status, wait_until};
use crate::server::Server;

/// What the client's system takes in while nobody reads.
const WINDOW: usize = 4_096;

/// A callback with nearly as much context as there may be, assigned to mara, who doesn't read.
fn stuffed(server: &Server) -> (Desk, Value) {
    for agent in ["mara", "tom"] {
        let settings = json!({"queues": ["billing"], "capacity": {"units": 2}});
        let path = format!("/v1/agents/{agent}");
        assert_eq!(server.put(&path, "admin-key", &settings).status, 200);
    }
    let mut body = number(1);
    body["context"] = json!({"attributes": {"text": "x".repeat(30_000)}});
    let made = server.callback(&body);
    let mut desk = Desk::connect_by(server, "mara-key-1", Some(WINDOW));
    desk.expect("welcome");
    let path = format!("/v1/callbacks/{}/assign", id(&made));
    assert_eq!(server.post(&path, "lead-key-1", &json!({"agent_id": "mara"})).status, 200);
    desk.expect("callback.assigned");
    (desk, made)
}

/// Changes the callback, which its agent is told.
fn change(server: &Server, callback: &Value, number: usize) {
    let body = json!({"description": format!("{number:04} {}", "d".repeat(3_900))});
    let path = format!("/v1/callbacks/{}", id(callback));
    let changed = server.patch(&path, "lead-key-1", &body);
    assert_eq!(changed.status, 200, "{}", changed.body);
}

/// Whether the server's end of a connection is there. Asked of the system: what is sent to see it
/// is acknowledged, and the system waits for whoever sends something.
fn server_has(client: &TcpStream) -> bool {
    let ports = [client.peer_addr(), client.local_addr()].map(|end| end.expect("an end").port());
    let [server, client] = ports.map(|port| format!("0100007F:{port:04X}"));
    let all = std::fs::read_to_string("/proc/net/tcp").expect("Linux");
    all.lines().any(|line| line.contains(&format!(" {server} {client} ")))
}

/// Changes the callback until its agent's session is gone.
fn flood(server: &Server, callback: &Value) -> usize {
    let begun = now();
    for number in 0.. {
        if status(server, "mara")["connected"] == false {
            return number;
        }
        change(server, callback, number);
        assert!(begun.elapsed() < PATIENCE, "{number} frames, and still not cut off");
    }
    unreachable!("it counts on")
}

#[test]
fn an_agent_who_does_not_read_is_cut_off_and_the_offer_goes_elsewhere() {
    let server = start("socket_write_seconds = 1", "session_grace_seconds = 0");
    let (mut mara, first) = stuffed(&server);
    assert!(server_has(mara.0.get_ref()));
    mara.does(&presence(1, "available"));
    let second = server.callback(&number(2));
    wait_until("it is offered", || look(&server, &second)["offered_to"] == "mara");
    let mut tom = Desk::ready(&server, "tom-key-1");
    flood(&server, &first);
    let mut offered = [tom.expect("callback.offered"), tom.expect("callback.offered")]
        .map(|offer| offer["callback"]["id"].clone());
    let mut wanted = [first["id"].clone(), second["id"].clone()];
    offered.sort_by_key(ToString::to_string);
    wanted.sort_by_key(ToString::to_string);
    assert_eq!(offered, wanted, "what was offered and what was assigned");
    tom.is_quiet();
    wait_until("the connection is gone", || !server_has(mara.0.get_ref()));
    let mut mara = Desk::connect(&server, "mara-key-1");
    let welcome = mara.expect("welcome");
    assert_eq!((&welcome["offers"], &welcome["assignments"]), (&json!([]), &json!([])));
}

#[test]
fn whoever_reads_again_too_late_is_told_why_they_were_cut_off() {
    let server = start("", "");
    let (mut mara, made) = stuffed(&server);
    let frames = flood(&server, &made);
    let mut bytes = 0;
    let mut last = 0;
    let code = loop {
        use tokio_tungstenite::tungstenite::Message;
        match mara.0.read().expect("a frame") {
            Message::Text(text) => {
                bytes += text.len();
                let frame: Value = serde_json::from_str(&text).expect("JSON");
                if frame["type"] == "callback.updated" {
                    let told = frame["callback"]["description"].as_str().expect("text");
                    let number: usize = told[..4].parse().expect("digits");
                    assert!(number >= last, "in order");
                    last = number;
                }
            }
            Message::Close(frame) => break u16::from(frame.expect("a close code").code),
            _ => {}
        }
    };
    assert_eq!(code, 4413);
    assert!(last + 1 < frames, "what waited was dropped: {last} of {frames}, {bytes} bytes");
    let mut mara = Desk::connect(&server, "mara-key-1");
    let welcome = mara.expect("welcome");
    let told = welcome["assignments"][0]["description"].as_str().expect("text");
    assert!(told.starts_with(&format!("{:04}", frames - 1)), "the truth is in the welcome");
}

#[test]
fn who_reads_slowly_is_told_without_context() {
    let server = start("", "");
    let (mut mara, made) = stuffed(&server);
    // Full frames fill the system's buffers and the first half of ours; short ones follow.
    let mut changes = 0;
    let mut behind = |more: usize| {
        for _ in 0..more {
            change(&server, &made, changes);
            changes += 1;
        }
        changes
    };
    let changes = behind(30);
    let mut omitted = Vec::new();
    for number in 0..changes {
        let frame = mara.expect("callback.updated");
        let callback = &frame["callback"];
        let told = callback["description"].as_str().expect("text");
        assert!(told.starts_with(&format!("{number:04}")), "nothing is left out");
        let without = callback["context_omitted"] == true;
        assert_eq!(without, callback["context"].is_null(), "{number}");
        omitted.push(without);
    }
    // The last of them may be told when the first are read already, and be full again.
    assert!(!omitted[0] && omitted.contains(&true), "{omitted:?}");
    let turns = omitted.windows(2).filter(|two| two[0] != two[1]).count();
    assert!(turns <= 2, "behind once, and then not any more: {omitted:?}");
    // Read to the end, all is as before.
    change(&server, &made, 9_000);
    assert!(mara.expect("callback.updated")["callback"]["context"].is_object());
    assert_eq!(status(&server, "mara")["connected"], true);
}

#[test]
fn a_client_that_does_not_read_does_not_hold_up_the_end() {
    // Nothing but the drain's own bound comes before patience is over.
    let server = start("drain_seconds = 2\nsocket_write_seconds = 600", "");
    let (_mara, made) = stuffed(&server);
    let mut tom = Desk::connect(&server, "tom-key-1");
    tom.expect("welcome");
    flood(&server, &made);
    server.terminate();
    assert_eq!(tom.closed(), 1012);
    assert_eq!(server.exit_code(PATIENCE), Some(0));
}

#[test]
fn a_welcome_that_is_large_comes_without_contexts() {
    let server = start("", "");
    let settings = json!({"queues": ["billing"], "capacity": {"units": 6, "voice": 6}});
    assert_eq!(server.put("/v1/agents/mara", "admin-key", &settings).status, 200);
    let assign = |last: u32| {
        let mut body = number(last);
        body["context"] = json!({"attributes": {"text": "x".repeat(30_000)}});
        let path = format!("/v1/callbacks/{}/assign", id(&server.callback(&body)));
        assert_eq!(server.post(&path, "lead-key-1", &json!({"agent_id": "mara"})).status, 200);
    };
    let mut first = Desk::connect(&server, "mara-key-1");
    first.expect("welcome");
    (0..4).for_each(assign);
    for (more, omitted) in [(0, false), (1, true)] {
        (4..4 + more).for_each(assign);
        let welcome = Desk::connect(&server, "mara-key-1").expect("welcome");
        let assignments = welcome["assignments"].as_array().expect("a list");
        assert_eq!(assignments.len() as u64, 4 + u64::from(more));
        for callback in assignments {
            assert_eq!(callback["context"].is_null(), omitted, "{more}");
            assert_eq!(callback["context_omitted"] == true, omitted, "{more}");
        }
    }
}
