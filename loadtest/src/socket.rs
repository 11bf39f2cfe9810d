//! The agent's side of `/v1/agent/socket`: frames out, frames in, and the check that every frame
//! of ours is answered exactly once and in order.
//!
//! Separate from the agent's conduct, so that conduct can be tested without a network. It never
//! decides what to send.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail, ensure};
use futures_util::{SinkExt, StreamExt};
use hyper::header::{self, HeaderValue};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{self, Message};

use crate::client::{Target, dial};
use crate::clock;

/// How long a frame of ours may go unanswered, and a handshake or a write may take.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);
/// Read buffers of 10,000 sockets must not take gigabytes; the library's own default is 128 KiB.
const READ_BUFFER_BYTES: usize = 4 * 1024;

/// A callback as far as a simulated agent looks at it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(crate) struct Callback {
    pub(crate) id: String,
    pub(crate) state: String,
    pub(crate) version: u64,
    #[serde(default)]
    pub(crate) queue: String,
    #[serde(default)]
    pub(crate) external_id: Option<String>,
    #[serde(default)]
    pub(crate) customer: Customer,
    #[serde(default)]
    interactions: Vec<Interaction>,
}

/// Whom a callback calls.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
pub(crate) struct Customer {
    #[serde(default)]
    pub(crate) id: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
struct Interaction {
    answered_at: Option<String>,
    outcome: Option<String>,
}

impl Callback {
    /// Whether the customer picked up at the present attempt.
    pub(crate) fn is_answered(&self) -> bool {
        self.interactions.last().is_some_and(|last| {
            last.answered_at.is_some() || last.outcome.as_deref() == Some("answered")
        })
    }
}

/// An offer, as `callback.offered` and `welcome` tell it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(crate) struct Offer {
    pub(crate) offer_id: String,
    pub(crate) callback: Callback,
}

/// The whole truth at connect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Welcome {
    pub(crate) presence: String,
    pub(crate) offers: Vec<Offer>,
    pub(crate) assignments: Vec<Callback>,
}

/// What a server frame says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum News {
    Welcome(Welcome),
    Offered(Offer),
    OfferEnded {
        offer_id: String,
        expired: bool,
    },
    Assigned(Callback),
    Updated(Callback),
    Unassigned {
        callback_id: String,
    },
    Presence {
        presence: String,
    },
    /// Nothing that a simulated agent acts on.
    Other,
}

/// The server's answer to a frame of ours: nothing, or the problem.
pub(crate) type Verdict = Result<(), Problem>;

/// Why a frame was refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Problem {
    /// The last part of the problem's `type`.
    pub(crate) name: String,
    /// The callback's state, where the problem says it.
    pub(crate) state: Option<String>,
}

/// Something that came in, with the server's time in milliseconds.
#[derive(Debug)]
pub(crate) enum Incoming<T> {
    News { at: i64, news: News },
    Answer { at: i64, sent_at: i64, took: Duration, tag: T, verdict: Verdict },
}

/// Why a session ended.
#[derive(Debug)]
pub(crate) enum Ended {
    /// The connection is gone; a reconnect may follow.
    Lost(String),
    /// The server broke the contract.
    Violation(String),
}

#[derive(Deserialize)]
struct Frame {
    #[serde(rename = "type")]
    kind: String,
    at: String,
    id: Option<Value>,
    offer_id: Option<String>,
    callback_id: Option<String>,
    callback: Option<Callback>,
    presence: Option<String>,
    offers: Option<Vec<Offer>>,
    assignments: Option<Vec<Callback>>,
    problem: Option<Map<String, Value>>,
}

struct Sent<T> {
    id: String,
    at: Instant,
    wall: i64,
    tag: T,
}

/// One session. `T` is what the owner wants back with each answer.
pub(crate) struct AgentSocket<T> {
    stream: WebSocketStream<TcpStream>,
    sent: VecDeque<Sent<T>>,
    next_id: u64,
}

impl<T> AgentSocket<T> {
    /// Connects and shakes hands; an HTTP refusal is an error that names its status.
    pub(crate) async fn connect(target: &Target, token: &str) -> Result<Self, Refused> {
        let connecting = async {
            let mut request =
                format!("ws://{}/v1/agent/socket", target.authority()).into_client_request()?;
            let headers = request.headers_mut();
            let protocol = HeaderValue::from_static("ringback.v1");
            headers.insert(header::SEC_WEBSOCKET_PROTOCOL, protocol);
            let bearer = HeaderValue::from_str(&format!("Bearer {token}"))?;
            headers.insert(header::AUTHORIZATION, bearer);
            let config = WebSocketConfig::default().read_buffer_size(READ_BUFFER_BYTES);
            let stream = dial(target).await?;
            let shaken =
                tokio_tungstenite::client_async_with_config(request, stream, Some(config)).await;
            Ok::<_, anyhow::Error>(shaken?.0)
        };
        match timeout(PATIENCE, connecting).await {
            Ok(Ok(stream)) => Ok(Self { stream, sent: VecDeque::new(), next_id: 1 }),
            Ok(Err(error)) => Err(Refused::from(error)),
            Err(_) => Err(Refused::Unreachable("no handshake within 10 s".to_owned())),
        }
    }

    /// How many frames of ours wait for their answer.
    pub(crate) fn unanswered(&self) -> usize {
        self.sent.len()
    }

    /// When the oldest unanswered frame will have waited too long.
    pub(crate) fn answer_due(&self) -> Option<Instant> {
        self.sent.front().map(|sent| sent.at + PATIENCE)
    }

    /// Sends a frame; `fields` are its fields but `type` and `id`.
    pub(crate) async fn send(&mut self, kind: &str, fields: Value, tag: T) -> Result<(), Ended> {
        let id = self.next_id.to_string();
        self.next_id += 1;
        let mut frame = fields;
        frame["type"] = json!(kind);
        frame["id"] = json!(id);
        let at = clock::now();
        self.sent.push_back(Sent { id, at, wall: clock::utc().timestamp_millis(), tag });
        match timeout(PATIENCE, self.stream.send(Message::text(frame.to_string()))).await {
            Ok(sent) => sent.map_err(|error| Ended::Lost(error.to_string())),
            Err(_) => Err(Ended::Lost("the server didn't read for 10 s".to_owned())),
        }
    }

    /// Waits for the next frame. May be dropped and called again without loss.
    pub(crate) async fn receive(&mut self) -> Result<Incoming<T>, Ended> {
        loop {
            let message = match self.stream.next().await {
                Some(Ok(message)) => message,
                Some(Err(error)) => return Err(Ended::Lost(error.to_string())),
                None => return Err(Ended::Lost("the connection ended".to_owned())),
            };
            match message {
                Message::Text(text) => {
                    let read = self.read(&text);
                    return read.map_err(|error| Ended::Violation(format!("{error:#}: {text}")));
                }
                Message::Binary(_) => {
                    return Err(Ended::Violation("a binary frame came".to_owned()));
                }
                Message::Close(close) => {
                    let code = close.map_or(1005, |close| u16::from(close.code));
                    return Err(Ended::Lost(format!("closed with {code}")));
                }
                // The library answers pings by itself with the next flush, which reading does.
                Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => {}
            }
        }
    }

    /// Says goodbye; whether the server hears it doesn't matter any more.
    pub(crate) async fn close(mut self) {
        drop(timeout(PATIENCE, self.stream.close(None)).await);
    }

    fn read(&mut self, text: &str) -> Result<Incoming<T>> {
        let frame: Frame = serde_json::from_str(text).context("a frame that can't be read")?;
        let at = clock::millis(&frame.at).context("`at` is not an instant")?;
        if matches!(frame.kind.as_str(), "ack" | "error" | "pong") {
            return self.answer(at, frame);
        }
        Ok(Incoming::News { at, news: news(frame)? })
    }

    fn answer(&mut self, at: i64, frame: Frame) -> Result<Incoming<T>> {
        let sent = self.sent.pop_front().context("an answer to nothing")?;
        let id = frame.id.as_ref().and_then(Value::as_str);
        ensure!(id == Some(&sent.id), "an answer out of order: {} was next", sent.id);
        let verdict = match frame.problem {
            Some(problem) if frame.kind == "error" => Err(Problem::read(&problem)),
            None if frame.kind != "error" => Ok(()),
            _ => bail!("`problem` belongs to errors, and to them only"),
        };
        let took = clock::now().duration_since(sent.at);
        Ok(Incoming::Answer { at, sent_at: sent.wall, took, tag: sent.tag, verdict })
    }
}

/// Why no session came to be.
#[derive(Debug)]
pub(crate) enum Refused {
    /// Not reachable or overloaded just now.
    Unreachable(String),
    /// The server doesn't want this credential or request; asking again won't help.
    ForGood(String),
}

impl From<anyhow::Error> for Refused {
    fn from(error: anyhow::Error) -> Self {
        let status = match error.downcast_ref::<tungstenite::Error>() {
            Some(tungstenite::Error::Http(response)) => Some(response.status().as_u16()),
            _ => None,
        };
        match status {
            Some(429 | 500..) | None => Self::Unreachable(format!("{error:#}")),
            Some(status) => Self::ForGood(format!("the server answers {status} to the handshake")),
        }
    }
}

impl Problem {
    fn read(problem: &Map<String, Value>) -> Self {
        let text = |name| problem.get(name).and_then(Value::as_str);
        let kind = text("type").unwrap_or_default();
        let name = kind.rsplit('/').next().unwrap_or(kind).to_owned();
        Self { name, state: text("state").map(str::to_owned) }
    }
}

fn news(frame: Frame) -> Result<News> {
    let missing = |name: &str| anyhow!("`{name}` is missing");
    let callback = |found: Option<Callback>| found.ok_or_else(|| missing("callback"));
    Ok(match frame.kind.as_str() {
        "welcome" => News::Welcome(Welcome {
            presence: frame.presence.ok_or_else(|| missing("presence"))?,
            offers: frame.offers.ok_or_else(|| missing("offers"))?,
            assignments: frame.assignments.ok_or_else(|| missing("assignments"))?,
        }),
        "callback.offered" => News::Offered(Offer {
            offer_id: frame.offer_id.ok_or_else(|| missing("offer_id"))?,
            callback: callback(frame.callback)?,
        }),
        "callback.offer_revoked" | "callback.offer_expired" => News::OfferEnded {
            offer_id: frame.offer_id.ok_or_else(|| missing("offer_id"))?,
            expired: frame.kind.ends_with("expired"),
        },
        "callback.assigned" => News::Assigned(callback(frame.callback)?),
        "callback.updated" => News::Updated(callback(frame.callback)?),
        "callback.unassigned" => News::Unassigned {
            callback_id: frame.callback_id.ok_or_else(|| missing("callback_id"))?,
        },
        "agent.presence_changed" => {
            News::Presence { presence: frame.presence.ok_or_else(|| missing("presence"))? }
        }
        _ => News::Other,
    })
}
