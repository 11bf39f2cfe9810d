//! The journal: numbers entries, makes them visible and durable, and holds outputs until they are.
//!
//! It lives on the workspace's thread and never waits. Two tasks work for it elsewhere: the
//! `writer`, which owns the log and appends one group at a time (everything taken since the last
//! one), and the projector, which brings the tables up behind it. They tell what happened through
//! one function, [`Notify`], which posts to the workspace's thread; only then does the journal
//! know. It must never let an output go before the newest entry that it shows is durable.

mod shared;
mod store_link;
mod writer;

use std::collections::VecDeque;
use std::sync::{Arc, Weak};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::{Notify as Bell, mpsc, watch};
use tokio::task::JoinHandle;

use super::entry::Entry;
use super::library::{Codec, Packed};
use super::ports::{EntryNumber, Epoch, RowWrite};

pub(super) use self::shared::Shared;
pub(super) use self::store_link::{End, Failure, Pauses, StoreLink};
pub(super) use self::writer::{Errand, Writer};
#[cfg(test)]
pub(super) use self::writer::{GROUP_BYTES, GROUP_ENTRIES, LOOK_WHEN_IDLE};

/// Where the journal's tasks tell what happened. Called on their thread: must not block, and must
/// keep the order.
pub type Notify = Arc<dyn Fn(JournalEvent) + Send + Sync>;

/// What the workspace's thread is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum JournalEvent {
    /// Every entry up to this one is durable: give the number to [`Journal::acknowledge`].
    Durable(EntryNumber),
    /// The store has not acknowledged for `store_stall_ms`. Told once per stall.
    Stalled,
    /// It does again. Told before the `Durable` that ended the stall, so that whoever gets a held
    /// answer finds the doors open.
    Resumed,
    /// [`Journal::must_wait`] said yes, and would now say no.
    Room,
    /// Another process took the workspace: drop what is held, and leave. The last event.
    Fenced {
        /// The epoch found.
        found: Epoch,
        /// The epoch that this process held.
        ours: Epoch,
    },
    /// The store lost what this journal can't write again. The last event.
    Lost(Lost),
}

/// What the store lost, or why it can't be gone on with.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Lost {
    /// The store was emptied or replaced. Recovery from it would find no callbacks: this is the
    /// one that the workspace must not simply start again from.
    #[error("the store is another one (instance {found:032x}, ours is {ours:032x})")]
    Replaced {
        /// The instance found.
        found: u128,
        /// The instance taken.
        ours: u128,
    },
    /// The log ends too early, and what is missing isn't in memory any more.
    #[error("the log ends at {found}; acknowledged is {durable}, in memory from {kept_from}")]
    LogBehind {
        /// Number of the last entry found.
        found: EntryNumber,
        /// Number of the newest entry acknowledged.
        durable: EntryNumber,
        /// Number of the oldest entry still in memory.
        kept_from: EntryNumber,
    },
    /// The log has entries that this journal never wrote.
    #[error("the log ends at {found}; the newest entry sent is {newest}")]
    LogAhead {
        /// Number of the last entry found.
        found: EntryNumber,
        /// Number of the newest entry sent.
        newest: EntryNumber,
    },
    /// The tables went back further than the log reaches, or than fits in memory beside it.
    #[error("the tables went back to {found} and can't be brought up to {watermark} again")]
    TablesBehind {
        /// The watermark found.
        found: EntryNumber,
        /// The watermark before.
        watermark: EntryNumber,
    },
    /// The tables stand past what is durable.
    #[error("the tables stand at {found}; durable is {durable}")]
    TablesAhead {
        /// The watermark found.
        found: EntryNumber,
        /// Number of the newest entry durable.
        durable: EntryNumber,
    },
    /// The store refuses to go on, by name.
    #[error("{0}")]
    Broken(String),
}

/// The journal's bounds, as configured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct JournalSettings {
    /// What the overlay may hold: `overlay_mib`.
    pub overlay_bytes: usize,
    /// The oldest group may be unacknowledged for so long: `store_stall_ms`.
    pub stall_after: Duration,
    /// Groups that a log may lose are kept in memory for so long: `resend_seconds`.
    pub resend_for: Duration,
    /// What the log may hold: `log_max_mib`.
    pub log_max_bytes: u64,
}

impl Default for JournalSettings {
    fn default() -> Self {
        Self {
            overlay_bytes: 256 << 20,
            stall_after: Duration::from_millis(800),
            resend_for: Duration::from_secs(5),
            log_max_bytes: 1_024 << 20,
        }
    }
}

/// The journal of one workspace, holding outputs of type `O`.
pub struct Journal<O> {
    codec: Arc<dyn Codec>,
    shared: Arc<Shared>,
    newest: EntryNumber,
    durable: EntryNumber,
    held: VecDeque<(EntryNumber, O)>,
    /// Taken, and not yet with the writer.
    taken: Vec<Bytes>,
    has_taken: Arc<Bell>,
    // Unbounded as a type, bounded by the door: what is taken is permits × fan-out at most.
    to_writer: Option<mpsc::UnboundedSender<Vec<Bytes>>>,
    durability: watch::Receiver<EntryNumber>,
    tasks: Tasks,
}

/// The tasks behind a journal; they end with it.
pub(super) struct Tasks {
    pub(super) writer: JoinHandle<()>,
    pub(super) projector: JoinHandle<()>,
}

impl Drop for Tasks {
    fn drop(&mut self) {
        self.writer.abort();
        self.projector.abort();
    }
}

/// How a journal was closed.
#[derive(Debug)]
pub struct Closed {
    /// All that was taken is durable. If not, any part of it may be: the next start finds out.
    pub is_durable: bool,
}

impl<O> Journal<O> {
    pub(super) fn new(
        codec: Arc<dyn Codec>,
        shared: Arc<Shared>,
        to_writer: mpsc::UnboundedSender<Vec<Bytes>>,
        durability: watch::Receiver<EntryNumber>,
        tasks: Tasks,
    ) -> Self {
        let newest = shared.overlay.newest();
        Self {
            codec,
            shared,
            newest,
            durable: newest,
            held: VecDeque::new(),
            taken: Vec::new(),
            has_taken: Arc::default(),
            to_writer: Some(to_writer),
            durability,
            tasks,
        }
    }

    /// Takes an entry: reads show it from now on, and the writer has its bytes after the next
    /// [`Self::hand_over`]. Never refuses and never waits; see [`Self::must_wait`].
    #[expect(clippy::needless_pass_by_value, reason = "what was journaled must not change")]
    pub fn take(&mut self, entry: Entry) -> EntryNumber {
        let packed = self.codec.rows(self.newest + 1, &entry);
        self.take_packed(packed)
    }

    pub(super) fn take_rows(&mut self, rows: &[RowWrite]) -> EntryNumber {
        let packed = self.codec.pack(rows);
        self.take_packed(packed)
    }

    fn take_packed(&mut self, Packed { bytes, rows }: Packed) -> EntryNumber {
        self.newest += 1;
        self.shared.overlay.put(self.newest, rows);
        if self.shared.overlay.is_quarter_full() {
            self.shared.hurry_projector();
        }
        if self.taken.is_empty() {
            self.has_taken.notify_one();
        }
        self.taken.push(bytes);
        self.newest
    }

    /// Rung by the first entry taken since the last [`Self::hand_over`].
    pub fn has_taken(&self) -> Arc<Bell> {
        Arc::clone(&self.has_taken)
    }

    /// Gives the writer what was taken. One call for all that a turn of the workspace's thread has
    /// taken makes one group of it, and wakes the writer once.
    pub fn hand_over(&mut self) {
        let taken = std::mem::take(&mut self.taken);
        if let (Some(to_writer), false) = (&self.to_writer, taken.is_empty()) {
            // A writer that has ended said so by an event, which is on its way to this thread;
            // these entries are lost with the outputs held for them.
            let _ = to_writer.send(taken);
        }
    }

    /// Tells a stall of which the writer can't: a log that is a file keeps its thread until the
    /// disk has written. To be called from time to time while something isn't durable; returns
    /// after how long again, or that nothing is waited for.
    pub fn look_for_stall(&self) -> Option<Duration> {
        self.shared.look_for_stall();
        // Told a quarter too late at most.
        (self.durable < self.newest).then(|| self.shared.stall_after() / 4)
    }

    /// Holds an output until the newest entry taken is durable; gives it back if it is already.
    /// Outputs leave in the order in which they came.
    #[must_use = "what is given back has to be let go now"]
    pub fn hold(&mut self, output: O) -> Option<O> {
        if self.durable == self.newest {
            // Nothing is held then: all of it was for entries up to this one.
            return Some(output);
        }
        self.held.push_back((self.newest, output));
        None
    }

    /// Learns that every entry up to `number` is durable, and gives back what that lets go.
    #[must_use = "what is given back has to be let go now"]
    pub fn acknowledge(&mut self, number: EntryNumber) -> Vec<O> {
        assert!(number <= self.newest, "durable is at most what was taken");
        self.durable = self.durable.max(number);
        let free = self.held.partition_point(|(needs, _)| *needs <= self.durable);
        self.held.drain(..free).map(|(_, output)| output).collect()
    }

    /// Number of the newest entry taken.
    pub fn newest(&self) -> EntryNumber {
        self.newest
    }

    /// What it stands on, for figures: gone when the journal and its tasks are.
    pub(super) fn shared(&self) -> Weak<Shared> {
        Arc::downgrade(&self.shared)
    }

    /// The overlay or the log is at its bound: the door must not admit what changes state until
    /// [`JournalEvent::Room`] comes.
    #[must_use]
    pub fn must_wait(&self) -> bool {
        self.shared.must_wait()
    }

    /// Closes it: all that was taken becomes durable, the tables catch up, both tasks end and the
    /// log is dropped; or, after `within`, they are stopped as they are. Takes no entries before.
    ///
    /// Outputs that are still held are dropped, durable or not: whoever waits for one has to be
    /// turned away before.
    pub async fn close(mut self, within: Duration) -> Closed {
        self.hand_over();
        self.to_writer = None;
        self.shared.hurry_projector();
        let both = async {
            // A task that panicked is as ended as any; what it left undone is told below.
            let _ = (&mut self.tasks.writer).await;
            let _ = (&mut self.tasks.projector).await;
        };
        if tokio::time::timeout(within, both).await.is_err() {
            tracing::warn!("the journal was closed before its store had everything");
            self.tasks.writer.abort();
            self.tasks.projector.abort();
        }
        // The writer's own word: the event of its last group may still be on its way here.
        let is_durable = *self.durability.borrow() == self.newest;
        Closed { is_durable }
    }
}
