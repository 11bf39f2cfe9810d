//! The agent's socket: `GET /v1/agent/socket`.
//!
//! The session's actor only moves bytes; all that a session decides stands in its pump. Who is let
//! in is asked of a gate that the composition root provides, since http owns the credentials.

mod acting;
mod close;
mod guard;
mod looks;
mod outflow;
mod pump;
mod session;

use std::any::Any;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use crate::domain::ids::{AgentId, WorkspaceId};
use crate::domain::key::ApiKey;
use crate::domain::policy::Choice;
use crate::domain::time::Timestamp;
use crate::engine::figures::SocketCounts;
use crate::engine::handle::Handle;
use crate::engine::places::Places;
use crate::wire::link::Links;
use crate::wire::problem::Problem;

pub use session::configure;

/// The subprotocol that a client must offer.
pub const SUBPROTOCOL: &str = "ringback.v1";

/// The largest frame of a client, in bytes.
pub const FRAME_MAX: usize = 64 * 1024;

/// Who was let in.
#[derive(Clone)]
pub struct Admitted {
    /// The workspace's engine.
    pub handle: Handle,
    /// The workspace.
    pub workspace: WorkspaceId,
    /// As whom.
    pub agent: AgentId,
    /// When the credential ends.
    pub expires_at: Option<Timestamp>,
    /// The key that it is, if it is one: good for as long as it allows the same.
    pub key: Option<Arc<ApiKey>>,
    /// Templates of links.
    pub links: Links,
    /// What an agent may say when they go away.
    pub presence_reasons: Vec<Choice>,
    /// Sites that may use the socket, beside the server's own.
    pub desk_origins: Vec<String>,
}

/// Who is let in.
pub trait Gate: Send + Sync {
    /// The agent that a credential is good for; 401 or 403 for none, 429 for an address that sends
    /// too many of those.
    fn admit(&self, token: &str, address: Option<IpAddr>) -> Result<Admitted, Problem>;
}

/// A session's bounds.
#[derive(Debug, Clone, Copy)]
pub struct SocketLimits {
    /// What may wait to be written: `socket_buffer_kib`.
    pub buffer_bytes: usize,
    /// How often the server pings; a session silent for three of them is dropped.
    pub heartbeat: Duration,
    /// How long written bytes may go unacknowledged: `socket_write_seconds`.
    pub write: Duration,
}

/// What sockets are served from.
#[derive(Clone)]
pub struct SocketState {
    /// Who is let in.
    pub gate: Arc<dyn Gate>,
    /// Bounds.
    pub limits: SocketLimits,
    /// Sessions that are up, by whose they are.
    pub sessions: Arc<Places<(WorkspaceId, AgentId)>>,
    /// What is counted of them.
    pub counts: Arc<SocketCounts>,
}

/// Bounds what the system keeps for a client that doesn't read, and for how long: it is then cut
/// off although its session isn't polled any more.
pub fn on_connect(connection: &dyn Any, limits: &SocketLimits) {
    let Some(stream) = connection.downcast_ref::<actix_web::rt::net::TcpStream>() else { return };
    // Frames are small and each is awaited: without this an ack waits 40 ms for the next one.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::warn!(%error, "TCP_NODELAY can't be set");
    }
    let socket = socket2::SockRef::from(stream);
    if let Err(error) = socket.set_tcp_user_timeout(Some(limits.write)) {
        tracing::warn!(%error, "TCP_USER_TIMEOUT can't be set");
    }
    // The system would let this grow to megabytes before we noticed; Linux doubles what it is told.
    if let Err(error) = socket.set_send_buffer_size(limits.buffer_bytes / 2) {
        tracing::warn!(%error, "SO_SNDBUF can't be set");
    }
}
