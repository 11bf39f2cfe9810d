//! The one way into a workspace from other threads: commands, reads and sessions.
//!
//! A handle is cheap to clone and speaks to the workspace's thread by messages. Every answer,
//! reads included, comes when the newest journal entry that it shows is durable.
//! Roles and what a caller may see are checked by the caller (http, ws) before it asks; what
//! depends on a callback's state is checked by its machine.

mod contacts;
mod held;
mod measures;
mod pause;
mod slots;
#[cfg(test)]
mod visit;
mod waits;

use std::sync::Arc;

pub use contacts::ServedElsewhere;
pub use measures::{Looked, Windows};
pub use pause::QueuePause;
pub use slots::{Booked, Conflicts};

use tokio::sync::oneshot;

use super::answers::{acted, agent, failure, keep, queue, strange, unkeyed};
use super::ask::{Ask, QueueQuestion};
use super::door_actor::{Command, Connect, Frame, FrameAsk, Gone};
use super::entry::{KeptAnswer, Keyed};
use super::figures::Figures;
use super::health::Health;
use super::library::{BAD_CURSOR, FullCallback, ListRead, Page, StoredEvent};
use super::ports::StoreError;
use super::shared::{Gate, Shared};
use crate::domain::agent::{Agent, AgentView, Presence, PresenceBy, Welcome};
use crate::domain::callback::Snapshot;
use crate::domain::dispatch::Failure;
use crate::domain::effect::{Answer, Notice, QueueStats, Trace};
use crate::domain::ids::{AgentId, CallbackId, OfferId, QueueId, SessionId};
use crate::domain::message::{Action, OfferAnswer, Who, Wish};
use crate::domain::policy::{AgentSettings, QueueSettings};
use crate::domain::queue::{Halves, Queue};
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
    /// What the contact had waiting for the same, where an agent asked for one more.
    pub duplicates: Vec<CallbackId>,
}

/// What a session is sent, in order: each is durable when it comes.
#[derive(Debug, Clone)]
pub enum ToSession {
    /// The first: the whole truth.
    Welcome(Box<Welcome>),
    /// Something happened.
    Notice(Notice),
    /// The session's own command `frame` was carried out, or not. What it changed comes by notices.
    Answer {
        /// The session's own count of its commands.
        frame: u64,
        /// Nothing, or why it wasn't carried out.
        result: Result<(), Refusal>,
    },
    /// The session must end.
    End(EndReason),
}

/// Why the engine ends a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EndReason {
    /// Its agent was removed.
    AgentRemoved,
    /// The workspace restarts or drains.
    Restart,
}

/// Where the engine puts what a session is sent. Called on the workspace's thread: must not block,
/// and bounds what it keeps by itself (cutting the session off).
pub trait SessionOutlet: Send {
    /// Takes the next one.
    fn put(&self, message: ToSession);
}

/// A workspace, as other threads speak to it.
#[derive(Clone)]
pub struct Handle {
    pub(super) shared: Arc<Shared>,
}

impl Handle {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        Self { shared }
    }

    /// The wall clock, in the one place that reads it.
    pub fn now(&self) -> Timestamp {
        self.shared.clock.wall()
    }

    /// Makes a callback. With a key the first command's answer is kept for 24 h; repetitions that
    /// come while it is under way wait for it.
    pub async fn create(
        &self,
        wish: Wish,
        keyed: Option<Keyed>,
    ) -> Result<Answered<Acted>, CommandError> {
        acted(self.command(Ask::Create(Box::new(wish)), keyed).await?)
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
        acted(self.command(Ask::Act { callback, who, action, if_match }, keyed).await?)
    }

    /// What a command under this key was answered with, if one was; waits for one under way.
    pub async fn replayed(&self, keyed: Keyed) -> Result<Option<KeptAnswer>, CommandError> {
        let answered = self.answered(Ask::Replayed, Some(keyed)).await?;
        Ok(if answered.replayed { keep(&answered.value) } else { None })
    }

    /// Makes or replaces a queue; true: made.
    pub async fn put_queue(
        &self,
        settings: QueueSettings,
        if_match: Option<u64>,
    ) -> Result<(Arc<Queue>, bool), Refusal> {
        let settings = Arc::new(settings);
        match self.plain(Ask::PutQueue { settings, if_match }).await? {
            Answer::Queue { queue, created } => Ok((queue, created)),
            other => Err(strange(&other)),
        }
    }

    /// Removes a queue; refused while callbacks there aren't final.
    pub async fn remove_queue(&self, id: QueueId, if_match: Option<u64>) -> Result<(), Refusal> {
        match self.plain(Ask::RemoveQueue { id, if_match }).await? {
            Answer::Done => Ok(()),
            other => Err(strange(&other)),
        }
    }

    /// Stops requests, offers, or both.
    pub async fn pause_queue(
        &self,
        id: QueueId,
        pause: QueuePause,
        keyed: Option<Keyed>,
    ) -> Result<Answered<Arc<Queue>>, CommandError> {
        queue(self.command(Ask::PauseQueue { id, pause }, keyed).await?)
    }

    /// Lets requests, offers, or both go on.
    pub async fn resume_queue(
        &self,
        id: QueueId,
        halves: Halves,
        keyed: Option<Keyed>,
    ) -> Result<Answered<Arc<Queue>>, CommandError> {
        queue(self.command(Ask::ResumeQueue { id, halves }, keyed).await?)
    }

    /// Makes or replaces an agent; true: made.
    pub async fn put_agent(
        &self,
        settings: AgentSettings,
        if_match: Option<u64>,
    ) -> Result<(Arc<Agent>, bool), Refusal> {
        let settings = Arc::new(settings);
        agent(self.plain(Ask::PutAgent { settings, if_match }).await?)
    }

    /// Removes an agent; refused while they hold work. Their sessions end.
    pub async fn remove_agent(&self, id: AgentId, if_match: Option<u64>) -> Result<(), Refusal> {
        match self.plain(Ask::RemoveAgent { id, if_match }).await? {
            Answer::Done => Ok(()),
            other => Err(strange(&other)),
        }
    }

    /// Sets what an agent wants.
    pub async fn set_presence(
        &self,
        id: AgentId,
        by: PresenceBy,
        presence: Presence,
        reason: Option<String>,
    ) -> Result<Arc<Agent>, Refusal> {
        let ask = Ask::SetPresence { id, by, presence, reason };
        agent(self.plain(ask).await?).map(|(agent, _created)| agent)
    }

    /// Sets an agent's work elsewhere.
    pub async fn set_external_load(
        &self,
        id: AgentId,
        units: u32,
        until: Timestamp,
    ) -> Result<Arc<Agent>, Refusal> {
        let ask = Ask::SetExternalLoad { id, units, until };
        agent(self.plain(ask).await?).map(|(agent, _created)| agent)
    }

    /// What was given up, by number, after `after`.
    pub async fn failures(&self, after: u64, limit: usize) -> Result<Vec<Failure>, Refusal> {
        let gate = self.shared.gate()?;
        let failures = gate.library.failures(after, limit).await.map_err(unreadable)?;
        self.shown(&gate, failures).await
    }

    /// Has what was given up tried again; answers what it was.
    pub async fn retry_failure(
        &self,
        id: u64,
        keyed: Option<Keyed>,
    ) -> Result<Answered<Failure>, CommandError> {
        failure(self.command(Ask::RetryFailure { id }, keyed).await?)
    }

    /// Brings up a session: `ToSession::Welcome` comes first, then what happens, in order.
    pub async fn connect(
        &self,
        agent: AgentId,
        outlet: Box<dyn SessionOutlet>,
    ) -> Result<SessionId, Refusal> {
        let permit = self.shared.door.enter(&self.shared.clock).await?;
        let (up, is_up) = oneshot::channel();
        self.shared.post(Connect { agent, outlet, up, permit })?;
        is_up.await.unwrap_or(Err(Refusal::Unavailable))
    }

    /// Does something to a callback in a session's name; `ToSession::Answer` with this `frame`
    /// comes in the session's stream, before any notice of what it caused. Waits for a permit
    /// alone: a session that sends its next command only when it has the last one's answer gets
    /// its answers in order.
    pub async fn session_act(
        &self,
        session: SessionId,
        frame: u64,
        callback: CallbackId,
        action: Action,
    ) {
        self.frame(session, frame, FrameAsk::Act { callback, action }).await;
    }

    /// Accepts or declines an offer known by its id alone: the callback is looked up among what
    /// the session's agent was offered; an unknown one is `offer-not-pending`. Waits as
    /// `session_act` does.
    pub async fn session_answer_offer(
        &self,
        session: SessionId,
        frame: u64,
        offer: OfferId,
        answer: OfferAnswer,
    ) {
        let action = match answer {
            OfferAnswer::Accept => Action::Accept { offer, session: Some(session) },
            OfferAnswer::Decline { reason } => {
                Action::Decline { offer, reason, session: Some(session) }
            }
        };
        self.frame(session, frame, FrameAsk::AnswerOffer { offer, action }).await;
    }

    /// Sets presence in a session's name; answered as `session_act` is.
    pub async fn session_presence(
        &self,
        session: SessionId,
        frame: u64,
        presence: Presence,
        reason: Option<String>,
    ) {
        self.frame(session, frame, FrameAsk::Presence { presence, reason }).await;
    }

    /// Tells that a session is gone. Never waits and never fails.
    pub fn disconnect(&self, session: SessionId) {
        // A workspace that isn't there has no sessions.
        let _ = self.shared.post(Gone(session));
    }

    /// A callback with its texts.
    pub async fn callback(&self, id: CallbackId) -> Result<Option<FullCallback>, Refusal> {
        let gate = self.shared.gate()?;
        let full = self.stored(id).await?;
        self.shown(&gate, full).await
    }

    /// The same, perhaps not durable yet: to go on by, and never to be shown.
    pub async fn stored(&self, id: CallbackId) -> Result<Option<FullCallback>, Refusal> {
        let library = &self.shared.gate()?.library;
        let Some(callback) = library.callback(id).await.map_err(unreadable)? else {
            return Ok(None);
        };
        match library.complete(callback).await {
            Ok(full) => Ok(Some(full)),
            // Perhaps it lapsed between the two reads.
            Err(error) => match library.callback(id).await.map_err(unreadable)? {
                Some(_) => Err(unreadable(error)),
                None => Ok(None),
            },
        }
    }

    /// Texts and ended interactions for a callback that an answer or a notice carries.
    pub async fn complete(&self, callback: Snapshot) -> Result<FullCallback, Refusal> {
        // What belongs to a state that was let out is durable as that state is: no waiting.
        self.shared.gate()?.library.complete(callback).await.map_err(unreadable)
    }

    /// A page of callbacks. A cursor of another read is `Refusal::Invalid` at `/cursor`.
    pub async fn list(&self, read: ListRead) -> Result<Page<FullCallback>, Refusal> {
        let gate = self.shared.gate()?;
        let page = gate.library.list(read).await.map_err(|error| match error {
            Some(error) => unreadable(error),
            None => Refusal::field("/cursor", BAD_CURSOR),
        })?;
        self.shown(&gate, page).await
    }

    /// A callback's events after an id.
    pub async fn history(
        &self,
        id: CallbackId,
        after: u64,
        limit: usize,
    ) -> Result<Vec<StoredEvent>, Refusal> {
        let gate = self.shared.gate()?;
        let events = match gate.library.history(id, after, limit).await {
            Ok(events) => events,
            Err(error) => {
                // Perhaps it lapsed between the reads: then a second look finds no rest of it.
                let events = gate.library.history(id, after, limit).await;
                events.map_err(|_same| unreadable(error))?
            }
        };
        self.shown(&gate, events).await
    }

    /// Why a callback isn't assigned.
    pub async fn trace(&self, callback: Snapshot) -> Result<Trace, Refusal> {
        match self.question(Ask::Trace { callback }).await? {
            Answer::Trace(trace) => Ok(*trace),
            other => Err(strange(&other)),
        }
    }

    /// A queue's line, now.
    pub async fn queue_stats(&self, id: QueueId) -> Result<QueueStats, Refusal> {
        let question = QueueQuestion::Stats;
        match self.question(Ask::Queue { queue: id, question }).await? {
            Answer::QueueStats(stats) => Ok(stats),
            other => Err(strange(&other)),
        }
    }

    /// A queue, as durable.
    pub fn queue(&self, id: &QueueId) -> Option<Arc<Queue>> {
        self.shared.boards.queues.one(id)
    }

    /// All queues, by id, as durable.
    pub fn queues(&self) -> Vec<Arc<Queue>> {
        self.shared.boards.queues.all()
    }

    /// An agent, as durable.
    pub fn agent(&self, id: &AgentId) -> Option<Arc<AgentView>> {
        self.shared.boards.agents.one(id)
    }

    /// All agents, by id, as durable.
    pub fn agents(&self) -> Vec<Arc<AgentView>> {
        self.shared.boards.agents.all()
    }

    /// How the workspace stands.
    pub fn health(&self) -> Health {
        self.shared.health()
    }

    /// Figures for whoever runs the server.
    pub fn figures(&self) -> Figures {
        self.shared.figures()
    }

    /// The workspace's own secret, for manage links.
    pub fn secret(&self) -> Arc<[u8; 32]> {
        Arc::clone(self.shared.secret.get().expect("a handle is given out when it is ready"))
    }

    /// Lets the next step of this kind of machine panic.
    #[cfg(test)]
    pub(crate) fn poison(&self, kind: &'static str) {
        self.poison_after(kind, 0);
    }

    /// Lets a step of this kind of machine panic, after so many more that don't.
    #[cfg(test)]
    pub(crate) fn poison_after(&self, kind: &'static str, spares: usize) {
        self.shared.poison(kind, spares);
    }

    /// Takes back the panics that haven't come yet.
    #[cfg(test)]
    pub(crate) fn antidote(&self) {
        self.shared.antidote();
    }

    async fn command(
        &self,
        ask: Ask,
        keyed: Option<Keyed>,
    ) -> Result<Answered<Answer>, CommandError> {
        let permit = self.shared.door.enter(&self.shared.clock).await?;
        let (answer, answered) = oneshot::channel();
        self.shared.post(Command { ask, keyed, answer, permit })?;
        answered.await.unwrap_or(Err(CommandError::Refused(Refusal::Unavailable)))
    }

    pub(super) async fn plain(&self, ask: Ask) -> Result<Answer, Refusal> {
        unkeyed(self.command(ask, None).await)
    }

    async fn question(&self, ask: Ask) -> Result<Answer, Refusal> {
        unkeyed(self.answered(ask, None).await)
    }

    async fn answered(
        &self,
        ask: Ask,
        keyed: Option<Keyed>,
    ) -> Result<Answered<Answer>, CommandError> {
        let permit = self.shared.door.ask(&self.shared.clock).await?;
        let (answer, answered) = oneshot::channel();
        self.shared.post(Command { ask, keyed, answer, permit })?;
        answered.await.unwrap_or(Err(CommandError::Refused(Refusal::Unavailable)))
    }

    async fn frame(&self, session: SessionId, frame: u64, ask: FrameAsk) {
        let permit = self.shared.door.enter(&self.shared.clock).await;
        // A workspace that isn't there has no sessions.
        let _ = self.shared.post(Frame { session, count: frame, ask, permit });
    }

    /// What was read may leave when the newest entry that it may show is durable.
    pub(super) async fn shown<T>(&self, gate: &Gate, value: T) -> Result<T, Refusal> {
        self.shared.door.wait_durable(gate.life, gate.library.newest()).await?;
        Ok(value)
    }
}

#[expect(clippy::needless_pass_by_value, reason = "it maps errors")]
pub(super) fn unreadable(error: StoreError) -> Refusal {
    if let StoreError::Damaged { .. } = error {
        tracing::error!(error = %error, alarm = true, "what is stored is damaged");
        return Refusal::Internal;
    }
    tracing::warn!(error = %error, "the store can't be read");
    Refusal::Unavailable
}
