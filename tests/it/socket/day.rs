//! An agent's whole day over the socket, and what bad frames get.

use std::net::TcpStream;

use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::stream::MaybeTlsStream;
use tokio_tungstenite::tungstenite::{Message, WebSocket, connect};

use crate::server::{Server, asap};

/// An agent's browser.
struct Desk(WebSocket<MaybeTlsStream<TcpStream>>);

impl Desk {
    fn connect(server: &Server, token: &str) -> Self {
        let url = server.url.replace("http://", "ws://") + "/v1/agent/socket";
        let mut request = url.into_client_request().expect("a request");
        let header = |text: &str| text.parse().expect("a header");
        request.headers_mut().insert("Authorization", header(&format!("Bearer {token}")));
        request.headers_mut().insert("Sec-WebSocket-Protocol", header("ringback.v1"));
        Self(connect(request).expect("a session").0)
    }

    fn send(&mut self, frame: &Value) {
        self.0.send(Message::text(frame.to_string())).expect("sent");
    }

    /// The next frame that isn't about a queue's line.
    fn next(&mut self) -> Value {
        loop {
            match self.0.read().expect("a frame") {
                Message::Text(text) => {
                    let frame: Value = serde_json::from_str(&text).expect("JSON");
                    if frame["type"] != "queue.updated" {
                        return frame;
                    }
                }
                Message::Close(_) => panic!("closed"),
                _ => {}
            }
        }
    }

    fn expect(&mut self, kind: &str) -> Value {
        let frame = self.next();
        assert_eq!(frame["type"], kind, "{frame}");
        frame
    }

    fn does(&mut self, frame: &Value) {
        self.send(frame);
        let ack = self.next();
        assert_eq!((&ack["type"], &ack["id"]), (&json!("ack"), &frame["id"]), "{ack}");
    }
}

#[test]
fn an_agent_is_offered_accepts_calls_and_closes() {
    let server = Server::start();
    let mut desk = Desk::connect(&server, "mara-key-1");
    let welcome = desk.expect("welcome");
    assert_eq!(welcome["agent"]["id"], "mara");
    desk.does(&json!({"id": 1, "type": "presence", "presence": "available"}));
    desk.expect("agent.presence_changed");
    let made = server.callback(&asap("+14155550123"));
    let offered = desk.expect("callback.offered");
    assert_eq!(offered["callback"]["id"], made["id"]);
    let offer = &offered["offer_id"];
    desk.does(&json!({"id": 2, "type": "accept", "offer_id": offer}));
    desk.expect("callback.assigned");
    desk.does(&json!({"id": 3, "type": "accept", "offer_id": offer}));
    let id = &made["id"];
    desk.does(&json!({"id": 4, "type": "call", "callback_id": id}));
    desk.expect("callback.updated");
    desk.send(&json!({"id": 5, "type": "end_call", "callback_id": id}));
    let early = desk.expect("error");
    assert_eq!(early["problem"]["type"], "/problems/outcome-missing");
    desk.does(&json!({"id": 6, "type": "outcome", "callback_id": id, "outcome": "answered"}));
    desk.expect("callback.updated");
    desk.does(&json!({"id": 7, "type": "end_call", "callback_id": id}));
    desk.expect("callback.updated");
    desk.does(&json!({"id": 8, "type": "close", "callback_id": id, "notes": "settled"}));
    desk.expect("callback.unassigned");
    let path = format!("/v1/callbacks/{}", id.as_str().expect("an id"));
    let closed = server.get(&path, "portal-key").body;
    assert_eq!(closed["state"], "closed_complete");
    assert_eq!(closed["closed_reason"], "reached");
}

#[test]
fn a_session_that_comes_back_is_told_the_whole_truth() {
    let server = Server::start();
    let mut desk = Desk::connect(&server, "mara-key-1");
    desk.expect("welcome");
    desk.does(&json!({"id": "a", "type": "presence", "presence": "available"}));
    desk.expect("agent.presence_changed");
    server.callback(&asap("+14155550123"));
    let offered = desk.expect("callback.offered");
    desk.does(&json!({"id": "b", "type": "accept", "offer_id": offered["offer_id"]}));
    drop(desk);
    let mut desk = Desk::connect(&server, "mara-key-1");
    let welcome = desk.expect("welcome");
    assert_eq!(welcome["assignments"][0]["state"], "accepted");
}

#[test]
fn what_is_no_frame_is_an_error_and_the_third_ends_the_session() {
    let server = Server::start();
    let mut desk = Desk::connect(&server, "mara-key-1");
    desk.expect("welcome");
    desk.send(&json!({"id": 1, "type": "ping"}));
    assert_eq!(desk.expect("pong")["id"], 1);
    desk.0.send(Message::text("not JSON")).expect("sent");
    assert_eq!(desk.expect("error")["id"], Value::Null);
    desk.0.send(Message::binary(vec![1, 2, 3])).expect("sent");
    desk.expect("error");
    desk.send(&json!({"id": 2, "type": "dance"}));
    assert_eq!(desk.expect("error")["id"], 2);
    let close = loop {
        match desk.0.read() {
            Ok(Message::Close(frame)) => break frame.expect("a close code"),
            Ok(_) => {}
            Err(error) => panic!("{error}"),
        }
    };
    assert_eq!(u16::from(close.code), 1008);
}
