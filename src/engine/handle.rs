//! The one way into a workspace from other threads: commands, reads and sessions.
//!
//! A handle is cheap to clone and speaks to the workspace's thread by messages. Every answer,
//! reads included, comes when the newest journal entry that it shows is durable.
//! Roles and what a caller may see are checked by the caller (http, ws) before it asks; what
//! depends on a callback's state is checked by its machine.

use std::sync::Arc;

use super::entry::Keyed;
use super::library::{FullCallback, ListRead, Page, StoredEvent};
use crate::domain::agent::{Agent, AgentView, Presence, PresenceBy, Welcome};
use crate::domain::callback::Snapshot;
use crate::domain::effect::{Notice, QueueStats, Trace};
use crate::domain::ids::{AgentId, CallbackId, QueueId, SessionId};
use crate::domain::message::{Action, Who, Wish};
use crate::domain::policy::{AgentSettings, QueueSettings};
use crate::domain::queue::Queue;
use crate::domain::refusal::Refusal;
use crate::domain::time::Timestamp;

/// A command's answer, or what a command under the same `Idempotency-Key` was answered before.
#[derive(Debug, Clone)]
pub struct Answered<T> {
    /// The answer.
    pub value: T,
    /// It was given before; nothing was done now.
    pub replayed: bool,
}

/// Why a command under a key has no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CommandError {
    /// It was refused, or the engine can't take it now.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The key was used for something else.
    #[error("this Idempotency-Key was used for another request; use a new one")]
    KeyReused,
}

/// A callback that a command made or changed, as its answer shows it.
#[derive(Debug, Clone)]
pub struct Acted {
    /// As the command left it.
    pub callback: Snapshot,
    /// Its place in line, where the command was an asap request.
    pub position: Option<u32>,
    /// It was made by the command.
    pub created: bool,
}

/// What a session is sent, in order: each is durable when it comes.
#[derive(Debug, Clone)]
pub enum ToSession {
    /// The first: the whole truth.
    Welcome(Box<Welcome>),
    /// Something happened.
    Notice(Notice),
    /// The session's own command `frame` was carried out, or not. `Done` or a callback.
    Answer {
        /// The session's own count of its commands.
        frame: u64,
        /// How.
        result: Result<(), Refusal>,
    },
    /// The session must end, with this WebSocket close code (4403, 1012).
    Close(u16),
}

/// Where the engine puts what a session is sent. Called on the workspace's thread: must not block,
/// and bounds what it keeps by itself (cutting the session off).
pub trait SessionOutlet: Send {
    /// Takes the next one.
    fn put(&self, message: ToSession);
}

/// How the workspace stands, for readiness and metrics.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Health {
    /// It takes and answers commands.
    pub ready: bool,
    /// The store doesn't acknowledge: since when, in milliseconds.
    pub stalled_ms: Option<u64>,
    /// It is draining.
    pub draining: bool,
    /// Number of the newest durable entry.
    pub durable: u64,
    /// Number of the newest entry taken.
    pub taken: u64,
    /// Callbacks with an actor.
    pub live: usize,
    /// Commands under way.
    pub in_flight: usize,
}

/// A workspace, as other threads speak to it.
#[derive(Clone)]
pub struct Handle {
    _inner: Arc<()>,
}

#[expect(clippy::todo, clippy::unused_async, unused_variables, reason = "filled in next")]
impl Handle {
    /// The wall clock, in the one place that reads it.
    pub fn now(&self) -> Timestamp {
        todo!()
    }

    /// Makes a callback. With a key the first command's answer is kept for 24 h; repetitions that
    /// come while it is under way wait for it.
    pub async fn create(
        &self,
        wish: Wish,
        keyed: Option<Keyed>,
    ) -> Result<Answered<Acted>, CommandError> {
        todo!()
    }

    /// Does something to a callback.
    pub async fn act(
        &self,
        callback: CallbackId,
        who: Who,
        action: Action,
        if_match: Option<u64>,
        keyed: Option<Keyed>,
    ) -> Result<Answered<Acted>, CommandError> {
        todo!()
    }

    /// Makes or replaces a queue; true: made.
    pub async fn put_queue(
        &self,
        settings: QueueSettings,
        if_match: Option<u64>,
    ) -> Result<(Arc<Queue>, bool), Refusal> {
        todo!()
    }

    /// Removes a queue; refused while callbacks there aren't final.
    pub async fn remove_queue(&self, id: QueueId, if_match: Option<u64>) -> Result<(), Refusal> {
        todo!()
    }

    /// Stops requests, offers, or both.
    pub async fn pause_queue(
        &self,
        id: QueueId,
        pause: QueuePause,
        keyed: Option<Keyed>,
    ) -> Result<Answered<Arc<Queue>>, CommandError> {
        todo!()
    }

    /// Lets requests, offers, or both go on.
    pub async fn resume_queue(
        &self,
        id: QueueId,
        intake: bool,
        offers: bool,
        keyed: Option<Keyed>,
    ) -> Result<Answered<Arc<Queue>>, CommandError> {
        todo!()
    }

    /// Makes or replaces an agent; true: made.
    pub async fn put_agent(
        &self,
        settings: AgentSettings,
        if_match: Option<u64>,
    ) -> Result<(Arc<Agent>, bool), Refusal> {
        todo!()
    }

    /// Removes an agent; refused while they hold work. Their sessions end with 4403.
    pub async fn remove_agent(&self, id: AgentId, if_match: Option<u64>) -> Result<(), Refusal> {
        todo!()
    }

    /// Sets what an agent wants.
    pub async fn set_presence(
        &self,
        id: AgentId,
        by: PresenceBy,
        presence: Presence,
        reason: Option<String>,
    ) -> Result<Arc<Agent>, Refusal> {
        todo!()
    }

    /// Sets an agent's work elsewhere.
    pub async fn set_external_load(
        &self,
        id: AgentId,
        units: u32,
        until: Timestamp,
    ) -> Result<Arc<Agent>, Refusal> {
        todo!()
    }

    /// Brings up a session: `ToSession::Welcome` comes first, then what happens, in order.
    pub async fn connect(
        &self,
        agent: AgentId,
        outlet: Box<dyn SessionOutlet>,
    ) -> Result<SessionId, Refusal> {
        todo!()
    }

    /// Does something to a callback in a session's name; `ToSession::Answer` with this `frame`
    /// comes in the session's stream, before any notice of what it caused. Waits for a permit.
    pub async fn session_act(
        &self,
        session: SessionId,
        frame: u64,
        callback: CallbackId,
        action: Action,
    ) {
        todo!()
    }

    /// Accepts or declines an offer known by its id alone: the callback is looked up among what
    /// the session's agent was offered; an unknown one is `offer-not-pending`.
    pub async fn session_answer_offer(&self, session: SessionId, frame: u64, action: Action) {
        todo!()
    }

    /// Sets presence in a session's name; answered as `session_act` is.
    pub async fn session_presence(
        &self,
        session: SessionId,
        frame: u64,
        presence: Presence,
        reason: Option<String>,
    ) {
        todo!()
    }

    /// Tells that a session is gone. Never waits and never fails.
    pub fn disconnect(&self, session: SessionId) {
        todo!()
    }

    /// A callback with its texts.
    pub async fn callback(&self, id: CallbackId) -> Result<Option<FullCallback>, Refusal> {
        todo!()
    }

    /// Texts and ended interactions for a callback that an answer or a notice carries.
    pub async fn complete(&self, callback: Snapshot) -> Result<FullCallback, Refusal> {
        todo!()
    }

    /// A page of callbacks. A cursor of another read is `Refusal::Invalid` at `/cursor`.
    pub async fn list(&self, read: ListRead) -> Result<Page<FullCallback>, Refusal> {
        todo!()
    }

    /// A callback's events after an id.
    pub async fn history(
        &self,
        id: CallbackId,
        after: u64,
        limit: usize,
    ) -> Result<Vec<StoredEvent>, Refusal> {
        todo!()
    }

    /// A queued callback's place in line; 1 is next.
    pub async fn position(&self, queue: QueueId, id: CallbackId) -> Result<Option<u32>, Refusal> {
        todo!()
    }

    /// Why a callback isn't assigned.
    pub async fn trace(&self, callback: Snapshot) -> Result<Trace, Refusal> {
        todo!()
    }

    /// A queue's line, now.
    pub async fn queue_stats(&self, id: QueueId) -> Result<QueueStats, Refusal> {
        todo!()
    }

    /// A queue, as durable.
    pub fn queue(&self, id: &QueueId) -> Option<Arc<Queue>> {
        todo!()
    }

    /// All queues, by id, as durable.
    pub fn queues(&self) -> Vec<Arc<Queue>> {
        todo!()
    }

    /// An agent, as durable.
    pub fn agent(&self, id: &AgentId) -> Option<Arc<AgentView>> {
        todo!()
    }

    /// All agents, by id, as durable.
    pub fn agents(&self) -> Vec<Arc<AgentView>> {
        todo!()
    }

    /// How the workspace stands.
    pub fn health(&self) -> Health {
        todo!()
    }

    /// The workspace's own secret, for manage links.
    pub fn secret(&self) -> Arc<[u8; 32]> {
        todo!()
    }
}

/// What a supervisor stops.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueuePause {
    /// New requests.
    pub intake: bool,
    /// Offers.
    pub offers: bool,
    /// Why.
    pub reason: Option<String>,
    /// Until when.
    pub until: Option<Timestamp>,
}
