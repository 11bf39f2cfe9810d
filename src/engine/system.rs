//! A workspace as a running thing: its thread, its inner lives one after the other, its end.
//!
//! All of a workspace's state changes on one thread with an actix system of its own. After a
//! fault that no single machine can be made anew from, that system is thrown away with all its
//! actors, and the next life recovers from the store on the same thread.

use std::sync::Arc;
use std::thread::JoinHandle;

use tokio::sync::{oneshot, watch};

use super::background::Background;
use super::clock::Clock;
use super::door::Phase;
use super::handle::Handle;
use super::journal::JournalSettings;
use super::library::{Codec, Library};
use super::life::{Life, Over, Ready, Store};
use super::outward::Outward;
use super::ports::{Log, Rows, StoreError, Tables};
use super::recovery::{OpenError, Places};
use super::shared::Shared;
use super::shared_log::SharedLog;
use crate::domain::ids::WorkspaceId;
use crate::domain::key::ApiKey;
use crate::domain::machines::router::RouterLimits;
use crate::domain::policy::{AgentSettings, QueueSettings};
use crate::domain::time::Span;

/// Makes a library above a workspace's rows; called once per inner life.
pub type MakeLibrary = Box<dyn Fn(Arc<dyn Rows>) -> Arc<dyn Library> + Send>;

/// What a workspace is started with.
#[derive(Debug, Clone)]
pub struct EngineConfig {
    /// Its id.
    pub workspace: WorkspaceId,
    /// Its bounds.
    pub limits: Limits,
    /// Queues made at start where the store doesn't have them yet.
    pub queues: Vec<QueueSettings>,
    /// Agents made at start where the store doesn't have them yet.
    pub agents: Vec<AgentSettings>,
    /// Keys as the configuration has them; what the store has of one wins.
    pub keys: Vec<Arc<ApiKey>>,
    /// The workspace's secret, where it is configured; else the store's.
    pub secret: Option<[u8; 32]>,
    /// The time; may be shared, since each workspace holds its own.
    pub clock: Arc<Clock>,
    /// Who sends its mails and makes its meetings.
    pub outward: Outward,
}

/// A workspace's bounds, by the names of the configuration.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Commands and due callbacks under way.
    pub max_commands_in_flight: u32,
    /// How long a command waits for a permit: `admission_wait_ms`.
    pub admission_wait: Span,
    /// The journal's own.
    pub journal: JournalSettings,
    /// Dormant callbacks in the scheduler's window.
    pub window_items: usize,
    /// How far ahead that window looks: `window_seconds`.
    pub window_span: Span,
    /// Used keys remembered, in 4 bytes each.
    pub filter_keys: usize,
    /// API keys at most, all of which are kept in memory.
    pub max_keys: usize,
    /// Numbers on the deny list at most, all of which are kept in memory.
    pub max_denied_numbers: usize,
    /// A machine that panics so often within `panic_span` is set aside.
    pub max_panics: usize,
    /// See `max_panics`.
    pub panic_span: Span,
    /// Callbacks are kept for so long after their end: `retain_days`.
    pub retain: Span,
    /// What was measured is kept for so long: `report_days`.
    pub report: Span,
    /// A drain takes no longer: `drain_seconds`.
    pub drain: Span,
    /// Mails on their way at once.
    pub mails_at_once: usize,
    /// Meetings worked on at once.
    pub meetings_at_once: usize,
    /// The router's own.
    pub router: RouterLimits,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_commands_in_flight: 256,
            admission_wait: Span::seconds(1),
            journal: JournalSettings::default(),
            window_items: 10_000,
            window_span: Span::seconds(300),
            filter_keys: 4_000_000,
            max_keys: 1_000,
            max_denied_numbers: 100_000,
            max_panics: 3,
            panic_span: Span::seconds(60),
            retain: Span::days(90),
            report: Span::days(93),
            drain: Span::seconds(10),
            mails_at_once: 8,
            meetings_at_once: 4,
            router: RouterLimits::default(),
        }
    }
}

/// Why a workspace didn't start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Its store can't be taken or read.
    #[error("the store of workspace {workspace} can't be used: {source}")]
    Store {
        /// Which workspace.
        workspace: WorkspaceId,
        /// What was wrong with it.
        source: OpenError,
    },
    /// The system gave no thread, or the thread died.
    #[error("workspace {workspace} got no thread of its own: {reason}")]
    Thread {
        /// Which workspace.
        workspace: WorkspaceId,
        /// What the system said, or that the thread ended before it was ready.
        reason: String,
    },
}

/// How a workspace ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// It was drained: everything acknowledged is durable, and all that was under way is too.
    Drained,
    /// It was drained, but the time was over before all that was under way was durable.
    DrainedLate,
    /// Another process took it: this one must exit (3) and not write again.
    Fenced,
    /// Its thread died.
    Crashed,
}

/// A workspace that runs; [`Handle`] speaks to it.
pub struct Running {
    ended: watch::Receiver<Option<Ended>>,
    drain: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// Starts workspaces.
pub struct Workspace;

impl Workspace {
    /// Starts a workspace on a thread of its own, and returns when it takes commands: recovered,
    /// with its queues and agents. Later faults of the store don't end it; see [`Ended`].
    pub async fn start(
        config: EngineConfig,
        log: Box<dyn Log>,
        tables: Arc<dyn Tables>,
        codec: Arc<dyn Codec>,
        library: MakeLibrary,
    ) -> Result<(Handle, Running), StartError> {
        let workspace = config.workspace.clone();
        let limits = config.limits.clone();
        let shared = Arc::new(Shared::new(workspace.clone(), limits, &config.clock));
        let store = Store { log: SharedLog::new(log), tables, codec, library };
        let (ready, is_ready) = oneshot::channel();
        let (drain, drained) = oneshot::channel();
        let (end, ended) = watch::channel(None);
        let lives = Lives { shared: Arc::clone(&shared), config, store, drain: drained };
        let thread = std::thread::Builder::new()
            .name(format!("ws-{workspace}"))
            .spawn(move || lives.run(ready, &end))
            .map_err(|error| StartError::Thread {
                workspace: workspace.clone(),
                reason: error.to_string(),
            })?;
        match is_ready.await {
            Ok(Ok(())) => {
                let running = Running { ended, drain: Some(drain), thread: Some(thread) };
                Ok((Handle::new(shared), running))
            }
            Ok(Err(source)) => Err(StartError::Store { workspace, source }),
            Err(_gone) => {
                Err(StartError::Thread { workspace, reason: "it ended before".to_owned() })
            }
        }
    }
}

impl Running {
    /// Waits until it ends by itself.
    pub async fn ended(&mut self) -> Ended {
        match self.ended.wait_for(Option::is_some).await {
            Ok(ended) => (*ended).unwrap_or(Ended::Crashed),
            Err(_gone) => Ended::Crashed,
        }
    }

    /// Takes nothing more, finishes what is under way, ends the sessions, makes all of it durable,
    /// and ends the thread: within `drain_seconds`.
    pub async fn drain(mut self) -> Ended {
        if let Some(drain) = self.drain.take() {
            // It may have ended by itself.
            let _ = drain.send(());
        }
        let ended = self.ended().await;
        if let Some(thread) = self.thread.take() {
            // It has told its end; what it held, such as a directory's lock, is free when it has
            // gone. A panic in its last breath changes nothing any more.
            let _ = tokio::task::spawn_blocking(move || thread.join()).await;
        }
        ended
    }
}

/// What the thread runs.
struct Lives {
    shared: Arc<Shared>,
    config: EngineConfig,
    store: Store,
    drain: oneshot::Receiver<()>,
}

/// How long after a failed recovery the next is tried.
const RECOVER_AGAIN: Span = Span::millis(500);

/// Lives that fail sooner than this, one after the other, are begun as slowly.
const SHORT: Span = Span::seconds(10);

impl Lives {
    fn run(mut self, ready: Ready, end: &watch::Sender<Option<Ended>>) {
        let mut ready = Some(ready);
        let name = |what: &str| format!("{what}-{}", self.shared.workspace);
        let threads = Background::start(&name("store"))
            .and_then(|store| Ok((store, Background::start(&name("tables"))?)))
            .and_then(|(store, tables)| Ok((store, tables, Background::start(&name("out"))?)));
        let (store, tables, elsewhere) = match threads {
            Ok(threads) => threads,
            Err(error) => {
                let reason = StoreError::Unavailable(format!("no thread for it: {error}"));
                // Whoever starts it may have gone away: then nobody hears why.
                let _ = ready.take().map(|ready| ready.send(Err(reason.into())));
                return;
            }
        };
        let places = Places { log: store.handle().clone(), tables: tables.handle().clone() };
        let mut instance = None;
        let mut short_lives = 0;
        let ended = loop {
            // A system per life: with it go all its actors, mailboxes and timers.
            let system = actix::System::new();
            let begun = self.shared.clock.running();
            let life = Life {
                shared: &self.shared,
                config: &self.config,
                store: &self.store,
                instance: &mut instance,
            };
            let threads = (&places, elsewhere.handle());
            match system.block_on(life.run(threads, &mut self.drain, &mut ready)) {
                Ok(Over::Ended(ended)) => break ended,
                Ok(Over::Restart) => {
                    let lasted = self.shared.clock.running().since(begun);
                    short_lives = if lasted < SHORT { short_lives + 1 } else { 0 };
                    if short_lives > 1 && system.block_on(self.drained_meanwhile()) {
                        break Ended::DrainedLate;
                    }
                }
                Err(error) => {
                    if let Some(ready) = ready.take() {
                        // Whoever starts it may have gone away: then nobody hears why.
                        let _ = ready.send(Err(error));
                        break Ended::Crashed;
                    }
                    tracing::error!(error = %error, alarm = true, "the store can't be recovered");
                    self.shared.gauges.set_recovery_fails(true);
                    if error.is_taken_by_another() {
                        break Ended::Fenced;
                    }
                    if matches!(error, OpenError::Replaced { .. }) {
                        self.shared.gauges.replaced();
                        break system.block_on(self.until_drained());
                    }
                    if system.block_on(self.drained_meanwhile()) {
                        break Ended::DrainedLate;
                    }
                }
            }
        };
        self.shared.door.tell(|standing| standing.phase = Phase::Ended);
        end.send_replace(Some(ended));
    }

    /// The store is another one: refuses everything and shows nothing, until somebody looks.
    async fn until_drained(&mut self) -> Ended {
        let _ = (&mut self.drain).await;
        Ended::DrainedLate
    }

    /// Waits before recovery is tried again; true: it was drained meanwhile.
    async fn drained_meanwhile(&mut self) -> bool {
        tokio::select! {
            _ = &mut self.drain => true,
            () = self.shared.clock.wait(RECOVER_AGAIN) => false,
        }
    }
}
