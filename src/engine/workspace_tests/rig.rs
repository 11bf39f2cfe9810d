//! A workspace for a test: its store, its time, one queue, and agents' sessions as they see it.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::mpsc;

use super::vault::{NoTables, Vault, VaultCodec, VaultLibrary, VaultLog};
use crate::domain::agent::{Presence, PresenceBy, Welcome};
use crate::domain::callback::{Booking, Channel, Request, Snapshot, State};
use crate::domain::effect::Notice;
use crate::domain::ids::{AgentId, CallbackId, OfferId, QueueId, SessionId, WorkspaceId};
use crate::domain::message::{Action, OfferAnswer, Who, Wish};
use crate::domain::policy::{AgentSettings, Capacity, Medium, Membership, QueueSettings};
use crate::domain::refusal::Refusal;
use crate::domain::skills::Skills;
use crate::domain::time::{Span, Timestamp};
use crate::domain::zone::TimeZone;
use crate::engine::clock::{Clock, ManualTime};
use crate::engine::entry::{IdempotencyKey, Keyed};
use crate::engine::handle::{Handle, SessionOutlet, ToSession};
use crate::engine::outward::Outward;
use crate::engine::system::{EngineConfig, Limits, Running, Workspace};

/// Where the tests' time begins.
pub(super) const START: Timestamp = Timestamp(1_764_000_000_000);

/// A workspace with a queue `billing`, served by `mara` and `omar`.
pub(super) struct Rig {
    pub(super) vault: Arc<Vault>,
    pub(super) time: Arc<ManualTime>,
    pub(super) handle: Handle,
    pub(super) running: Running,
}

pub(super) fn limits() -> Limits {
    let mut limits = Limits::default();
    // Real time: a stall must be noticed, and a test mustn't wait long for it.
    limits.journal.stall_after = Duration::from_millis(50);
    limits
}

impl Rig {
    pub(super) async fn new() -> Self {
        Self::with(limits()).await
    }

    pub(super) async fn with(limits: Limits) -> Self {
        Self::start(Vault::new(), ManualTime::starting_at(START), limits).await
    }

    pub(super) async fn start(vault: Arc<Vault>, time: Arc<ManualTime>, limits: Limits) -> Self {
        Self::sending(vault, time, limits, Outward::default()).await
    }

    /// With somebody who carries out what goes out.
    pub(super) async fn sending(
        vault: Arc<Vault>,
        time: Arc<ManualTime>,
        limits: Limits,
        outward: Outward,
    ) -> Self {
        let media = Medium::ALL.to_vec();
        let config = EngineConfig {
            workspace: WorkspaceId::parse("main").expect("a slug"),
            limits,
            queues: vec![QueueSettings { media, ..QueueSettings::new(queue_id()) }],
            agents: vec![agent_settings("mara"), agent_settings("omar")],
            keys: Vec::new(),
            secret: None,
            clock: Arc::new(Clock::manual(Arc::clone(&time))),
            outward,
        };
        let log = Box::new(VaultLog { vault: Arc::clone(&vault), epoch: 0 });
        let codec = Arc::new(VaultCodec(Arc::clone(&vault)));
        let library = Arc::new(VaultLibrary(Arc::clone(&vault)));
        let (handle, running) = Workspace::start(
            config,
            log,
            Arc::new(NoTables),
            codec,
            Box::new(move |_rows| Arc::clone(&library) as Arc<_>),
        )
        .await
        .expect("a workspace in memory starts");
        Self { vault, time, handle, running }
    }

    /// Drains it and starts it again on the same store.
    pub(super) async fn restart(self) -> Self {
        let Self { vault, time, running, .. } = self;
        running.drain().await;
        Self::start(vault, time, limits()).await
    }

    pub(super) async fn create(&self, wish: Wish) -> Result<Snapshot, Refusal> {
        match self.handle.create(wish, None).await {
            Ok(answered) => Ok(answered.value.callback),
            Err(crate::engine::handle::CommandError::Refused(refusal)) => Err(refusal),
            Err(error) => panic!("a command without a key: {error}"),
        }
    }

    pub(super) async fn act(
        &self,
        id: CallbackId,
        who: Who,
        action: Action,
    ) -> Result<Snapshot, Refusal> {
        match self.handle.act(id, who, action, None, None).await {
            Ok(answered) => Ok(answered.value.callback),
            Err(crate::engine::handle::CommandError::Refused(refusal)) => Err(refusal),
            Err(error) => panic!("a command without a key: {error}"),
        }
    }

    /// A supervisor makes an agent available.
    pub(super) async fn make_available(&self, agent: &AgentId) {
        let (by, presence) = (PresenceBy::Supervisor, Presence::Available);
        let set = self.handle.set_presence(agent.clone(), by, presence, None).await;
        assert_eq!(set.expect("the agent is known").presence, presence);
    }

    /// A callback's place in line.
    pub(super) async fn position(&self, id: CallbackId) -> Option<u32> {
        let full = self.handle.callback(id).await.expect("it can be read").expect("it is there");
        let in_line = self.handle.in_line(&full.callback).await.expect("it is told");
        in_line.map(|in_line| in_line.position)
    }

    pub(super) async fn state(&self, id: CallbackId) -> State {
        let full = self.handle.callback(id).await.expect("it can be read");
        full.expect("it is there").callback.state()
    }

    /// A session of an agent who is available.
    pub(super) async fn session(&self, agent: &str) -> Session {
        let mut session = self.connect(agent).await;
        session.presence(Presence::Available).await;
        session
    }

    pub(super) async fn connect(&self, agent: &str) -> Session {
        self.try_connect(agent).await.expect("the agent is known")
    }

    /// A session, unless the engine can't take one now.
    pub(super) async fn try_connect(&self, agent: &str) -> Result<Session, Refusal> {
        let agent = AgentId::parse(agent).expect("a slug");
        let (outlet, sent) = mpsc::unbounded_channel();
        let outlet = Box::new(Outlet(Mutex::new(outlet)));
        let id = self.handle.connect(agent, outlet).await?;
        let handle = self.handle.clone();
        let mut session = Session { id, handle, sent, frames: 0, welcome: None };
        match session.next().await {
            ToSession::Welcome(welcome) => session.welcome = Some(welcome),
            other => panic!("the welcome comes first: {other:?}"),
        }
        Ok(session)
    }
}

/// Polls until `done`, with a deadline: for what no answer tells of.
pub(super) async fn until(what: &str, mut done: impl FnMut() -> bool) {
    let polled = async {
        while !done() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), polled)
        .await
        .unwrap_or_else(|_| panic!("{what}"));
}

struct Outlet(Mutex<mpsc::UnboundedSender<ToSession>>);

impl SessionOutlet for Outlet {
    fn put(&self, message: ToSession) {
        let sent = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // A session that was dropped reads no more.
        let _ = sent.send(message);
    }
}

/// An agent's session.
pub(super) struct Session {
    pub(super) id: SessionId,
    handle: Handle,
    sent: mpsc::UnboundedReceiver<ToSession>,
    frames: u64,
    pub(super) welcome: Option<Box<Welcome>>,
}

impl Session {
    /// What it is sent next.
    pub(super) async fn next(&mut self) -> ToSession {
        let next = tokio::time::timeout(Duration::from_secs(10), self.sent.recv()).await;
        next.expect("something comes").expect("the outlet is there")
    }

    /// What it was sent already.
    pub(super) fn sent(&mut self) -> Option<ToSession> {
        self.sent.try_recv().ok()
    }

    pub(super) async fn notice(&mut self) -> Notice {
        match self.next().await {
            ToSession::Notice(notice) => notice,
            other => panic!("a notice comes: {other:?}"),
        }
    }

    pub(super) async fn offer(&mut self) -> (Snapshot, OfferId) {
        match self.notice().await {
            Notice::Offered { callback } => {
                let offer = callback.offer().expect("it has a pending offer").id;
                (callback, offer)
            }
            other => panic!("an offer comes: {other:?}"),
        }
    }

    /// The answer to the last frame.
    pub(super) async fn answer(&mut self) -> Result<(), Refusal> {
        match self.next().await {
            ToSession::Answer { frame, result } => {
                assert_eq!(frame, self.frames, "answers come in order");
                result
            }
            other => panic!("the answer comes: {other:?}"),
        }
    }

    pub(super) async fn presence(&mut self, presence: Presence) {
        self.frames += 1;
        self.handle.session_presence(self.id, self.frames, presence, None).await;
        self.answer().await.expect("presence may always be set");
        let notice = self.notice().await;
        assert!(matches!(notice, Notice::PresenceChanged { .. }), "{notice:?}");
    }

    pub(super) async fn accept(&mut self, offer: OfferId) -> Result<(), Refusal> {
        self.frames += 1;
        let answer = OfferAnswer::Accept;
        self.handle.session_answer_offer(self.id, self.frames, offer, answer).await;
        self.answer().await
    }

    pub(super) async fn act(&mut self, id: CallbackId, action: Action) -> Result<(), Refusal> {
        self.frames += 1;
        self.handle.session_act(self.id, self.frames, id, action).await;
        self.answer().await
    }
}

pub(super) fn queue_id() -> QueueId {
    QueueId::parse("billing").expect("a slug")
}

pub(super) fn agent_settings(id: &str) -> AgentSettings {
    AgentSettings {
        id: AgentId::parse(id).expect("a slug"),
        name: id.to_owned(),
        queues: vec![Membership { queue: queue_id(), preference: 1 }],
        skills: Skills::default(),
        capacity: Capacity::default(),
    }
}

/// A request for as soon as possible.
pub(super) fn asap() -> Wish {
    Wish::asap(queue_id(), Who::Channel, Request::by("Ada", Channel::Portal))
}

/// A request for a time so far from the start of the test.
pub(super) fn scheduled(after: Span) -> Wish {
    let booking = Booking::at(START + after, TimeZone::utc());
    // Agents book any instant.
    Wish { who: Who::Supervisor(None), ..asap().booked(booking) }
}

/// With an external id.
pub(super) fn external(id: &str) -> Wish {
    let wish = asap();
    let mut request = Request::clone(&wish.request);
    request.external_id = Some(id.to_owned());
    Wish { request: Arc::new(request), ..wish }
}

pub(super) fn keyed(key: u8, fingerprint: u8) -> Keyed {
    Keyed { key: IdempotencyKey([key; 32]), fingerprint: [fingerprint; 32] }
}
