//! Recovery, the store's side: takes log and tables, reads the log's tail on top of the tables,
//! and starts a journal whose merged reads show exactly the newest durable state.
//!
//! Separate from the actors' side, which is made anew from those reads. It refuses stores that
//! don't fit each other, by name: going on with one of them would show a workspace with holes.

use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use tokio::runtime::Handle;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::journal::{
    End, Failure, Journal, JournalSettings, Lost, Notify, Pauses, Shared, StoreLink, Tasks, Writer,
};
use super::library::Codec;
use super::merged::Merged;
use super::overlay::Overlay;
use super::ports::{EntryNumber, Epoch, Log, LogState, StoreError, Tables};
use super::projector::{Progress, Projector, READ_ENTRIES};

/// Tables may be busy for so long at a start, as while they merge what they were left with: a start
/// that gives up has that begun anew. Any other trouble ends it, and the next one looks anew.
const TABLES_TAKE_WITHIN: Duration = Duration::from_mins(10);

/// Errands from the projector to the writer that may wait.
const ERRANDS: usize = 4;

/// A workspace's storage.
pub struct Storage {
    /// What makes things durable. Dropped when the journal has ended.
    pub log: Box<dyn Log>,
    /// What follows behind.
    pub tables: Arc<dyn Tables>,
    /// How entries become rows and bytes.
    pub codec: Arc<dyn Codec>,
    /// The instance of the store that this process had before, when it opens again after
    /// [`JournalEvent::Lost`]: another one is refused. `None` at start.
    pub expected_instance: Option<u128>,
}

/// Why a workspace can't be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The store said no, or doesn't answer; [`StoreError::Unavailable`] and [`StoreError::Busy`]
    /// are worth another try.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The store isn't the one that this process had.
    #[error("the store is another one (instance {found:032x}, expected {expected:032x})")]
    Replaced {
        /// The instance found.
        found: u128,
        /// The instance expected.
        expected: u128,
    },
    /// The tables have entries that the log never had: these two don't belong together, or the
    /// log lost its end.
    #[error("the tables stand at entry {watermark}, the log ends at {last}; restore both together")]
    LogBehindTables {
        /// The tables' watermark.
        watermark: EntryNumber,
        /// Number of the log's newest entry.
        last: EntryNumber,
    },
    /// Between tables and log entries are missing.
    #[error("entry {missing} is neither in the tables nor in the log; restore both together")]
    Hole {
        /// The first one missing.
        missing: EntryNumber,
    },
    /// It was lost again while it was opened.
    #[error("the store was lost while it was read: {0}")]
    Lost(Lost),
}

impl OpenError {
    /// Whether another process has the workspace now, or a newer release: nothing may be taken
    /// back from it.
    pub fn is_taken_by_another(&self) -> bool {
        match self {
            Self::Store(StoreError::Fenced { .. } | StoreError::Newer { .. }) => true,
            Self::Store(_)
            | Self::Lost(_)
            | Self::Replaced { .. }
            | Self::LogBehindTables { .. }
            | Self::Hole { .. } => false,
        }
    }
}

/// An opened workspace.
pub struct Opened<O> {
    /// The running journal, for the workspace's thread.
    pub journal: Journal<O>,
    /// Reads of the newest journaled state, for any thread.
    pub rows: Arc<Merged>,
    /// The epoch taken.
    pub epoch: Epoch,
    /// The store's instance, to be expected when this process opens it again.
    pub instance: u128,
    /// Number of the newest entry found, durable.
    pub newest: EntryNumber,
}

/// Where a journal's tasks run.
///
/// Two places, because neither may wait for the other, and both block: a log until the disk has
/// written a group, tables for some milliseconds with each batch.
#[derive(Debug, Clone)]
pub struct Places {
    /// The runtime of whatever reads or writes the log, so that connections live beside the task
    /// that uses them.
    pub log: Handle,
    /// The runtime of what follows behind.
    pub tables: Handle,
}

/// Takes a workspace's store and starts its journal.
pub async fn open<O>(
    storage: Storage,
    settings: JournalSettings,
    notify: Notify,
    places: &Places,
) -> Result<Opened<O>, OpenError> {
    let codec = Arc::clone(&storage.codec);
    let inner = places.clone();
    let started = places.log.spawn(async move { start(storage, settings, notify, &inner).await });
    let started = match AbortOnDrop(started).wait().await {
        Ok(started) => started?,
        Err(ended) => {
            let panicked = format!("opening the store was stopped: {ended}");
            return Err(StoreError::Unavailable(panicked).into());
        }
    };
    let Started { shared, rows, epoch, instance, to_writer, durability, tasks } = started;
    let journal = Journal::new(codec, shared, to_writer, durability, tasks);
    let newest = journal.newest();
    Ok(Opened { journal, rows, epoch, instance, newest })
}

struct Started {
    shared: Arc<Shared>,
    rows: Arc<Merged>,
    epoch: Epoch,
    instance: u128,
    to_writer: mpsc::UnboundedSender<Vec<bytes::Bytes>>,
    durability: watch::Receiver<EntryNumber>,
    tasks: Tasks,
}

async fn start(
    storage: Storage,
    settings: JournalSettings,
    notify: Notify,
    places: &Places,
) -> Result<Started, OpenError> {
    let began = Instant::now();
    let Storage { mut log, tables, codec, expected_instance } = storage;
    let (taken, watermark) = take(&mut *log, &*tables, expected_instance).await?;

    let overlay = Arc::new(Overlay::new(watermark, settings.overlay_bytes));
    let shared = Shared::new(Arc::clone(&overlay), watermark, notify, settings.stall_after);
    let shared = Arc::new(shared);
    let projector = |errands| {
        let (tables, codec, shared) = (&tables, &codec, &shared);
        let epoch = taken.epoch;
        Projector::new(Arc::clone(tables), Arc::clone(codec), Arc::clone(shared), epoch, errands)
    };
    // Without a writer to run errands: tables that move while they are opened are an error.
    let mut alone = projector(mpsc::channel(1).0);
    read_tail(&mut *log, &*codec, &overlay, &mut alone, &taken).await?;
    let (errands, errands_of_writer) = mpsc::channel(ERRANDS);
    let projector = projector(errands);
    let log_bytes = log.size_bytes().await?;

    let link = StoreLink::new(log, taken, settings.resend_for, Arc::clone(&shared));
    let (to_writer, entries) = mpsc::unbounded_channel();
    let (durable, durability) = watch::channel(taken.last);
    let writer = Writer::new(
        link,
        log_bytes,
        Arc::clone(&shared),
        settings,
        entries,
        errands_of_writer,
        durable,
    );
    let tasks = Tasks {
        writer: spawn(&places.log, &shared, writer.run()),
        projector: spawn(&places.tables, &shared, projector.run(durability.clone())),
    };
    tracing::info!(
        epoch = taken.epoch,
        watermark,
        newest = taken.last,
        log_bytes,
        elapsed_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX),
        "the workspace's store is taken, and its log read"
    );
    let rows = Arc::new(Merged::new(overlay, tables));
    let (epoch, instance) = (taken.epoch, taken.instance);
    Ok(Started { shared, rows, epoch, instance, to_writer, durability, tasks })
}

/// Takes the log, then the tables under its epoch, and looks whether they fit.
async fn take(
    log: &mut dyn Log,
    tables: &dyn Tables,
    expected: Option<u128>,
) -> Result<(LogState, EntryNumber), OpenError> {
    let taken = log.take().await?;
    if let Some(expected) = expected
        && expected != taken.instance
    {
        return Err(OpenError::Replaced { found: taken.instance, expected });
    }
    let mut waiting = Waiting::default();
    let watermark = loop {
        match tables.take(taken.epoch).await {
            Ok(watermark) => break watermark,
            Err(error) => waiting.for_tables(error).await?,
        }
    };
    if watermark > taken.last {
        return Err(OpenError::LogBehindTables { watermark, last: taken.last });
    }
    if watermark < taken.last && taken.first > watermark + 1 {
        return Err(OpenError::Hole { missing: watermark + 1 });
    }
    Ok((taken, watermark))
}

/// Puts the log's entries after the watermark into the overlay. Where they are more than fit (the
/// tables were set back), the projector writes the oldest before more are read.
async fn read_tail(
    log: &mut dyn Log,
    codec: &dyn Codec,
    overlay: &Overlay,
    projector: &mut Projector,
    taken: &LogState,
) -> Result<(), OpenError> {
    let mut next = overlay.newest() + 1;
    while next <= taken.last {
        let first = next;
        for entry in log.read(first, READ_ENTRIES).await? {
            if entry.number != next || next > taken.last {
                return Err(OpenError::Hole { missing: next });
            }
            overlay.put(next, codec.unpack(&entry.bytes)?);
            next += 1;
        }
        if next == first {
            return Err(OpenError::Hole { missing: next });
        }
        if overlay.is_full() {
            make_room(overlay, projector).await?;
        }
    }
    Ok(())
}

async fn make_room(overlay: &Overlay, projector: &mut Projector) -> Result<(), OpenError> {
    let mut waiting = Waiting::default();
    while overlay.is_quarter_full() {
        match projector.run_once(overlay.newest()).await {
            Ok(Progress::Moved(_)) => waiting = Waiting::default(),
            Ok(Progress::Done) => break,
            Err(Failure::End(End::Fenced { found, ours })) => {
                return Err(StoreError::Fenced { found, ours }.into());
            }
            Err(Failure::End(End::Lost(lost))) => return Err(OpenError::Lost(lost)),
            Err(Failure::Again(error)) => waiting.for_tables(error).await?,
        }
    }
    Ok(())
}

/// A start that waits while its tables are busy: since when, and how long until it asks again.
#[derive(Default)]
struct Waiting(Option<(Instant, Pauses)>);

impl Waiting {
    /// Waits before they are asked again; the error, if that doesn't help.
    async fn for_tables(&mut self, error: StoreError) -> Result<(), StoreError> {
        let (since, pauses) = self.0.get_or_insert_with(|| (Instant::now(), Pauses::new()));
        if !matches!(error, StoreError::Busy(_)) || since.elapsed() >= TABLES_TAKE_WITHIN {
            return Err(error);
        }
        tracing::warn!(%error, "the start waits for the tables to take what the log has");
        pauses.wait().await;
        Ok(())
    }
}

/// Runs a task of the journal; if it panics, the journal has ended.
fn spawn(
    tasks: &Handle,
    shared: &Arc<Shared>,
    task: impl Future<Output = ()> + Send + 'static,
) -> JoinHandle<()> {
    let shared = Arc::clone(shared);
    tasks.spawn(async move {
        if AssertUnwindSafe(task).catch_unwind().await.is_err() {
            let lost = Lost::Broken("a task of the journal panicked".to_owned());
            shared.tell_end(End::from(lost).into());
        }
    })
}

/// A task that ends when nobody waits for it any more.
pub(super) struct AbortOnDrop<T>(pub(super) JoinHandle<T>);

impl<T> AbortOnDrop<T> {
    pub(super) async fn wait(mut self) -> Result<T, tokio::task::JoinError> {
        (&mut self.0).await
    }
}

impl<T> Drop for AbortOnDrop<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}
