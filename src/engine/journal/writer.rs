//! The writer: one group to the log at a time, each with everything that came since the last.
//!
//! Separate from the journal because it waits for the store, on another thread or task. It owns
//! the log, so whoever else needs it (the projector, to trim or to read) sends an [`Errand`],
//! run between groups. It must never have two groups under way, nor tell a number durable
//! before the log acknowledged it.

use std::collections::VecDeque;
use std::future::Future;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{Instant, sleep};

use super::store_link::{End, Group, StoreLink};
use super::{JournalEvent, JournalSettings, Shared};
use crate::engine::ports::{EntryNumber, LogEntry, StoreError};

/// Most entries in a group: a Redis script takes each as an argument, and some thousands at once
/// are its bound.
pub(in crate::engine) const GROUP_ENTRIES: usize = 1_024;

/// A group ends with the entry that brings it to this: enough for full disk and network speed,
/// little enough that whoever waits for the next group waits for a few milliseconds only.
pub(in crate::engine) const GROUP_BYTES: usize = 1 << 20;

/// Where so many wait, those who are answered after one group would all wait for the next one, and
/// nothing would be done while the store works: groups of half of them take turns with the work.
const HALVED: RangeInclusive<usize> = 16..=256;

/// When nothing is written for so long, the store is looked at, so that one which was emptied
/// under an idle workspace is noticed within a second.
pub(in crate::engine) const LOOK_WHEN_IDLE: Duration = Duration::from_millis(500);

/// What the projector needs of the log.
#[derive(Debug)]
pub(in crate::engine) enum Errand {
    /// The tables have everything before this number.
    Trim(EntryNumber),
    /// The tables don't know that they were taken: is the store still the same?
    Look(oneshot::Sender<()>),
    /// Entries are needed again.
    Read {
        from: EntryNumber,
        limit: usize,
        reply: oneshot::Sender<Result<Vec<LogEntry>, StoreError>>,
    },
}

/// The task that writes.
pub(in crate::engine) struct Writer {
    link: StoreLink,
    shared: Arc<Shared>,
    settings: JournalSettings,
    entries: mpsc::UnboundedReceiver<Vec<Bytes>>,
    errands: mpsc::Receiver<Errand>,
    durability: watch::Sender<EntryNumber>,
    /// Received, and too much for the last group.
    waiting: VecDeque<Bytes>,
    /// How many entries the last group had.
    last_group: usize,
    /// About what the log holds: measured at each trim, counted in between.
    log_bytes: u64,
}

impl Writer {
    pub(in crate::engine) fn new(
        link: StoreLink,
        log_bytes: u64,
        shared: Arc<Shared>,
        settings: JournalSettings,
        entries: mpsc::UnboundedReceiver<Vec<Bytes>>,
        errands: mpsc::Receiver<Errand>,
        durability: watch::Sender<EntryNumber>,
    ) -> Self {
        let waiting = VecDeque::new();
        shared.counts.log_holds(log_bytes);
        Self {
            link,
            shared,
            settings,
            entries,
            errands,
            durability,
            waiting,
            last_group: 0,
            log_bytes,
        }
    }

    /// Runs until the journal is dropped or can't go on.
    pub(in crate::engine) async fn run(mut self) {
        if let Err(end) = self.serve().await {
            self.shared.tell_end(end.into());
        }
        let shared = Arc::clone(&self.shared);
        // Drops the log, and tells the projector by the closed channel that no more will come.
        drop(self);
        shared.hurry_projector();
    }

    async fn serve(&mut self) -> Result<(), End> {
        while !self.shared.has_ended() {
            while let Ok(errand) = self.errands.try_recv() {
                self.carry_out(errand).await?;
            }
            if self.waiting.is_empty() && !self.wait().await? {
                return Ok(());
            }
            if let Some(group) = self.next_group() {
                self.write(group).await?;
            }
        }
        Ok(())
    }

    /// Waits for an entry, and does what comes up meanwhile. False: there will be none.
    async fn wait(&mut self) -> Result<bool, End> {
        tokio::select! {
            biased;
            entries = self.entries.recv() => {
                self.waiting.extend(entries.unwrap_or_default());
                return Ok(!self.waiting.is_empty());
            }
            Some(errand) = self.errands.recv() => self.carry_out(errand).await?,
            () = sleep(LOOK_WHEN_IDLE) => self.look().await?,
        }
        Ok(true)
    }

    /// What waits, within a group's bounds.
    fn next_group(&mut self) -> Option<Group> {
        while self.waiting.len() < GROUP_ENTRIES
            && let Ok(entries) = self.entries.try_recv()
        {
            self.waiting.extend(entries);
        }
        let waiting = self.waiting.len();
        let half = (self.last_group + waiting).div_ceil(2);
        let most = if HALVED.contains(&waiting) { half } else { GROUP_ENTRIES };
        let most = most.min(waiting);
        let mut bytes = 0;
        let mut count = 0;
        while count < most && bytes < GROUP_BYTES {
            bytes += self.waiting[count].len();
            count += 1;
        }
        self.last_group = count;
        let entries: Vec<Bytes> = self.waiting.drain(..count).collect();
        (count > 0).then(|| Group { first: self.link.durable() + 1, entries })
    }

    async fn write(&mut self, group: Group) -> Result<(), End> {
        let (last, bytes, entries) = (group.last(), group.bytes(), group.entries.len());
        let began = Instant::now();
        watch_for_stall(&self.shared, self.link.append(group)).await?;
        self.shared.counts.appended(entries, began.elapsed());
        self.durability.send_replace(last);
        self.shared.store_answered();
        self.shared.tell(JournalEvent::Durable(last));
        // What this frees, nobody waits for.
        self.link.forget_old();
        self.log_bytes += bytes as u64;
        self.shared.counts.log_holds(self.log_bytes);
        if self.log_bytes >= self.settings.log_max_bytes {
            self.shared.set_log_is_full(true);
        }
        Ok(())
    }

    async fn look(&mut self) -> Result<(), End> {
        watch_for_stall(&self.shared, self.link.check()).await?;
        self.shared.store_answered();
        Ok(())
    }

    async fn carry_out(&mut self, errand: Errand) -> Result<(), End> {
        match errand {
            Errand::Trim(keep_from) => {
                self.trim(keep_from).await;
                Ok(())
            }
            Errand::Look(reply) => {
                self.look().await?;
                let _ = reply.send(());
                Ok(())
            }
            Errand::Read { from, limit, reply } => {
                let read = self.link.read(from, limit);
                let read = watch_for_stall(&self.shared, read).await;
                if read.is_ok() {
                    self.shared.store_answered();
                }
                // A projector that has ended doesn't wait for its answer.
                let _ = reply.send(read);
                Ok(())
            }
        }
    }

    async fn trim(&mut self, keep_from: EntryNumber) {
        if self.shared.is_in_doubt() {
            // The tables may have lost what this would drop; the projector asks again later.
            return;
        }
        let trim = self.link.trim(keep_from);
        match watch_for_stall(&self.shared, trim).await {
            Ok(bytes) => {
                self.shared.store_answered();
                self.log_bytes = bytes;
                self.shared.counts.log_holds(bytes);
                // A log that keeps more than it was told to must not stop the workspace for good:
                // when nothing is left to trim, waiting can't help.
                let can_shrink = keep_from <= self.link.durable();
                let is_full = bytes >= self.settings.log_max_bytes && can_shrink;
                self.shared.set_log_is_full(is_full);
            }
            // Nobody waits for it, and the next one covers it; what is wrong with the store, if
            // anything, the next group or look finds out.
            Err(error) => {
                tracing::warn!(%error, keep_from, "the log could not be trimmed");
            }
        }
    }
}

/// Waits for `work`, and tells a stall when it takes too long. If it keeps the whole thread,
/// [`Journal::look_for_stall`](super::Journal::look_for_stall) tells it from another one.
async fn watch_for_stall<T>(shared: &Shared, work: impl Future<Output = T>) -> T {
    tokio::pin!(work);
    shared.store_is_asked();
    let in_time = tokio::select! {
        biased;
        done = &mut work => Some(done),
        () = sleep(shared.stall_after()), if !shared.is_stalled() => None,
    };
    let done = if let Some(done) = in_time {
        done
    } else {
        shared.look_for_stall();
        work.await
    };
    shared.store_is_done();
    done
}
