//! An agent's browser: a socket that can also send what no browser would, read slowly, or vanish.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};

use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::client::{IntoClientRequest, client};
use tokio_tungstenite::tungstenite::{Message, WebSocket};

use super::PATIENCE;
use crate::server::Server;

/// An agent's session.
pub(crate) struct Desk(pub(super) WebSocket<TcpStream>);

/// A connection to the server; `window` bounds what the system takes in while nobody reads.
pub(super) fn dial(server: &Server, window: Option<usize>) -> TcpStream {
    let address = server.url.strip_prefix("http://").expect("the address");
    let address: SocketAddr = address.parse().expect("an address");
    let kinds = (socket2::Domain::IPV4, socket2::Type::STREAM);
    let socket = socket2::Socket::new(kinds.0, kinds.1, None).expect("a socket");
    if let Some(window) = window {
        socket.set_recv_buffer_size(window).expect("it can be set");
    }
    socket.set_read_timeout(Some(PATIENCE)).expect("it can be set");
    socket.set_write_timeout(Some(PATIENCE)).expect("it can be set");
    socket.connect(&address.into()).expect("it listens");
    socket.into()
}

/// A client's frame as bytes: first byte, announced length, payload; the mask is all zeros.
pub(super) fn frame(first: u8, length: u64, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![first];
    match length {
        0..126 => bytes.push(0x80 | u8::try_from(length).expect("short")),
        126..=0xffff => {
            bytes.push(0x80 | 0x7e);
            bytes.extend(u16::try_from(length).expect("two bytes").to_be_bytes());
        }
        _ => {
            bytes.push(0x80 | 0x7f);
            bytes.extend(length.to_be_bytes());
        }
    }
    bytes.extend([0; 4]);
    bytes.extend(payload);
    bytes
}

impl Desk {
    pub(crate) fn connect(server: &Server, token: &str) -> Self {
        Self::connect_by(server, token, None)
    }

    /// Connects with a small window, for clients that won't read.
    pub(super) fn connect_by(server: &Server, token: &str, window: Option<usize>) -> Self {
        let url = server.url.replace("http://", "ws://") + "/v1/agent/socket";
        let mut request = url.into_client_request().expect("a request");
        let header = |text: &str| text.parse().expect("a header");
        request.headers_mut().insert("Authorization", header(&format!("Bearer {token}")));
        request.headers_mut().insert("Sec-WebSocket-Protocol", header("ringback.v1"));
        Self(client(request, dial(server, window)).expect("a session").0)
    }

    /// Connects, reads the welcome and makes the agent available.
    pub(super) fn ready(server: &Server, token: &str) -> Self {
        let mut desk = Self::connect(server, token);
        desk.expect("welcome");
        desk.does(&json!({"id": "ready", "type": "presence", "presence": "available"}));
        desk.expect("agent.presence_changed");
        desk
    }

    pub(super) fn send(&mut self, frame: &Value) {
        self.text(&frame.to_string());
    }

    pub(super) fn text(&mut self, text: &str) {
        self.0.send(Message::text(text.to_owned())).expect("sent");
    }

    /// Sends bytes past all rules.
    pub(super) fn bytes(&mut self, bytes: &[u8]) {
        self.0.get_mut().write_all(bytes).expect("sent");
    }

    /// The next frame that isn't about a queue's line.
    #[track_caller]
    pub(super) fn next(&mut self) -> Value {
        loop {
            match self.0.read().expect("a frame") {
                Message::Text(text) => {
                    let frame: Value = serde_json::from_str(&text).expect("JSON");
                    assert!(frame["at"].is_string(), "{frame}");
                    if frame["type"] != "queue.updated" {
                        return frame;
                    }
                }
                Message::Close(frame) => panic!("closed: {frame:?}"),
                _ => {}
            }
        }
    }

    #[track_caller]
    pub(crate) fn expect(&mut self, kind: &str) -> Value {
        let frame = self.next();
        assert_eq!(frame["type"], kind, "{frame}");
        frame
    }

    /// Sends a frame whose very next answer must be its `ack`.
    #[track_caller]
    pub(super) fn does(&mut self, frame: &Value) {
        self.send(frame);
        let ack = self.next();
        assert_eq!((&ack["type"], &ack["id"]), (&json!("ack"), &frame["id"]), "{ack}");
    }

    /// Sends a frame that must be refused; returns the problem.
    #[track_caller]
    pub(super) fn fails(&mut self, frame: &Value, problem: &str) -> Value {
        self.send(frame);
        let error = self.expect("error");
        assert_eq!(error["id"], frame["id"], "{error}");
        assert_eq!(error["problem"]["type"], format!("/problems/{problem}"), "{error}");
        error["problem"].clone()
    }

    /// Nothing waits: the next answer is that of a ping sent now.
    #[track_caller]
    pub(crate) fn is_quiet(&mut self) {
        self.send(&json!({"id": "quiet?", "type": "ping"}));
        assert_eq!(self.expect("pong")["id"], "quiet?");
    }

    /// Half-closes the connection: the server reads what was sent, and then its end.
    pub(super) fn hang_up(&mut self) {
        self.0.get_mut().shutdown(std::net::Shutdown::Write).expect("it is connected");
    }

    /// What `closed` returns, of a client that has read nothing for long and answers nothing now.
    #[track_caller]
    pub(super) fn closed_unread(&mut self) -> u16 {
        let mut bytes = Vec::new();
        self.0.get_mut().read_to_end(&mut bytes).expect("it is closed in order");
        match bytes.as_slice() {
            [.., 0x88, 2, high, low] => u16::from_be_bytes([*high, *low]),
            other => panic!("no Close at the end of {} bytes", other.len()),
        }
    }

    /// Reads to the server's Close; returns its code.
    #[track_caller]
    pub(crate) fn closed(&mut self) -> u16 {
        loop {
            match self.0.read() {
                Ok(Message::Close(frame)) => return u16::from(frame.expect("a close code").code),
                Ok(_) => {}
                Err(error) => panic!("no Close: {error}"),
            }
        }
    }

    /// Reads to the server's Close and, without answering it, on to the connection's end; returns
    /// the code.
    #[track_caller]
    pub(super) fn ended(&mut self) -> u16 {
        let code = self.closed();
        let mut rest = Vec::new();
        // Either is an end; a time-out isn't.
        match self.0.get_mut().read_to_end(&mut rest) {
            Ok(_) => {}
            Err(error) => assert_eq!(error.kind(), ErrorKind::ConnectionReset),
        }
        code
    }
}
