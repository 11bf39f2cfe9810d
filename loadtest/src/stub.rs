//! Stands in for the server in tests: answers HTTP from a closure, and holds the other end of
//! agents' sockets, on a free port.
//!
//! Only the contract's outer shape; what a server says and when is each test's own.

use std::sync::Arc;

use futures_util::{SinkExt, StreamExt};
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::server;

use crate::client::Target;
use crate::clock;

/// How a request for the agent's socket begins.
const SOCKET_LINE: &[u8] = b"GET /v1/agent/socket";

/// A request as the closure sees it.
pub(crate) struct Asked {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) key: Option<String>,
    pub(crate) body: Bytes,
}

/// What the closure answers: a status, a `Retry-After` and a body. `None` cuts the connection.
pub(crate) type Answer = Option<(u16, Option<u32>, String)>;

/// Serves HTTP until the test's runtime ends; says where.
pub(crate) async fn serve(answer: impl Fn(Asked) -> Answer + Send + Sync + 'static) -> Target {
    listen(answer, None::<fn(TcpStream) -> std::future::Ready<()>>).await
}

/// Serves HTTP, and hands connections that ask for the agent's socket to `sit`.
pub(crate) async fn serve_both<F>(
    answer: impl Fn(Asked) -> Answer + Send + Sync + 'static,
    sit: impl Fn(TcpStream) -> F + Send + Sync + 'static,
) -> Target
where
    F: Future<Output = ()> + Send + 'static,
{
    listen(answer, Some(sit)).await
}

async fn listen<F>(
    answer: impl Fn(Asked) -> Answer + Send + Sync + 'static,
    sit: Option<impl Fn(TcpStream) -> F + Send + Sync + 'static>,
) -> Target
where
    F: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let target = Target::parse(&format!("http://{}", listener.local_addr().unwrap())).unwrap();
    let (answer, sit) = (Arc::new(answer), Arc::new(sit));
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (answer, sit) = (Arc::clone(&answer), Arc::clone(&sit));
            tokio::spawn(async move {
                let mut head = [0; SOCKET_LINE.len()];
                let read = stream.peek(&mut head).await.unwrap();
                if let Some(sit) = sit.as_ref().as_ref().filter(|_| &head[..read] == SOCKET_LINE) {
                    sit(stream).await;
                    return;
                }
                let service = service_fn(move |request: Request<Incoming>| {
                    let answer = Arc::clone(&answer);
                    async move { respond(request, answer.as_ref()).await }
                });
                let connection = http1::Builder::new();
                drop(connection.serve_connection(TokioIo::new(stream), service).await);
            });
        }
    });
    target
}

async fn respond(
    request: Request<Incoming>,
    answer: &(impl Fn(Asked) -> Answer + Send + Sync),
) -> Result<Response<Full<Bytes>>, std::io::Error> {
    let header =
        |name: &str| request.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
    let (key, method) = (header("idempotency-key"), request.method().to_string());
    let path = request.uri().to_string();
    let body = request.into_body().collect().await.unwrap().to_bytes();
    let Some((status, retry_after, text)) = answer(Asked { method, path, key, body }) else {
        return Err(std::io::Error::other("cut"));
    };
    let mut response = Response::builder().status(status);
    if let Some(seconds) = retry_after {
        response = response.header("retry-after", seconds);
    }
    Ok(response.body(Full::new(Bytes::from(text))).unwrap())
}

/// The server's side of one agent's socket.
pub(crate) struct Seat(WebSocketStream<TcpStream>);

impl Seat {
    /// Shakes hands, and holds the agent to how that is done.
    pub(crate) async fn accept(stream: TcpStream) -> Self {
        #[expect(clippy::result_large_err, reason = "the callback's shape is the library's")]
        let check = |request: &server::Request, mut response: server::Response| {
            let header = |name| request.headers()[name].to_str().unwrap();
            assert_eq!(request.uri().path(), "/v1/agent/socket");
            assert_eq!(header("sec-websocket-protocol"), "ringback.v1");
            assert!(header("authorization").starts_with("Bearer "));
            let protocol = "ringback.v1".parse().unwrap();
            response.headers_mut().insert("sec-websocket-protocol", protocol);
            Ok(response)
        };
        Self(tokio_tungstenite::accept_hdr_async(stream, check).await.unwrap())
    }

    /// Sends a frame, dated now.
    pub(crate) async fn say(&mut self, mut frame: Value) {
        frame["at"] = json!(clock::rfc3339(clock::utc()));
        self.0.send(Message::text(frame.to_string())).await.unwrap();
    }

    /// Welcomes the agent, without offers.
    pub(crate) async fn welcome(&mut self, presence: &str, assignments: Value) {
        let frame = json!({"type": "welcome", "session_id": "s", "agent": {"id": "demo-1"},
            "heartbeat_seconds": 10, "presence": presence, "offers": [],
            "assignments": assignments, "queues": []});
        self.say(frame).await;
    }

    /// The agent's next frame; `None` at the end.
    pub(crate) async fn next(&mut self) -> Option<Value> {
        match self.0.next().await? {
            Ok(Message::Text(text)) => Some(serde_json::from_str(&text).unwrap()),
            _ => None,
        }
    }

    /// The agent's next frame, which must be of this type.
    pub(crate) async fn hear(&mut self, kind: &str) -> Value {
        let frame = self.next().await;
        let frame = frame.unwrap_or_else(|| panic!("the socket ended, `{kind}` was expected"));
        assert_eq!(frame["type"], kind, "{frame}");
        frame
    }

    /// Hears a frame and acknowledges it.
    pub(crate) async fn ack(&mut self, kind: &str) -> Value {
        let frame = self.hear(kind).await;
        self.say(json!({"type": "ack", "id": frame["id"]})).await;
        frame
    }

    /// Lets the agent go offline and hang up.
    pub(crate) async fn goodbye(mut self) {
        let frame = self.ack("presence").await;
        assert_eq!(frame["presence"], "offline");
        while self.next().await.is_some() {}
    }
}
