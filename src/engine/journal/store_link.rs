//! The log as the writer uses it: sends a group until it is durable, whatever the store goes
//! through meanwhile, or finds out that it never can be.
//!
//! Separate from the writer, which decides what is sent when. After every hitch it compares the
//! store with what it left there: same instance, and an end that fits. Entries that the store had
//! acknowledged and lost are written again from the last groups, kept in memory where it may lose
//! any. It must never send groups in another order, and never take an error for an acknowledgement.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::time::Instant;

use super::{JournalEvent, Lost, Shared};
use crate::engine::ports::{EntryNumber, Epoch, Log, LogEntry, LogState, StoreError};

/// Bytes of acknowledged groups kept for sending again, within `resend_seconds`; at the bound the
/// oldest go early, and a store that lost them ends in [`Lost::LogBehind`].
pub(in crate::engine) const RESEND_BYTES: usize = 64 << 20;

/// What is waited before the store is asked again, growing from the first to the second.
const PAUSES: (Duration, Duration) = (Duration::from_millis(10), Duration::from_millis(250));

/// Growing pauses between attempts.
#[derive(Debug)]
pub(in crate::engine) struct Pauses {
    next: Duration,
}

impl Pauses {
    pub(in crate::engine) fn new() -> Self {
        Self { next: PAUSES.0 }
    }

    pub(in crate::engine) async fn wait(&mut self) {
        let pause = self.next;
        self.next = (pause * 2).min(PAUSES.1);
        tokio::time::sleep(pause).await;
    }
}

/// Why a journal can't go on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::engine) enum End {
    /// Another process took the workspace.
    Fenced { found: Epoch, ours: Epoch },
    /// The store lost something.
    Lost(Lost),
}

impl From<End> for JournalEvent {
    fn from(end: End) -> Self {
        match end {
            End::Fenced { found, ours } => Self::Fenced { found, ours },
            End::Lost(lost) => Self::Lost(lost),
        }
    }
}

impl From<Lost> for End {
    fn from(lost: Lost) -> Self {
        Self::Lost(lost)
    }
}

/// Why a look at the store came to nothing.
#[derive(Debug)]
pub(in crate::engine) enum Failure {
    /// Asking again may help.
    Again(StoreError),
    /// Nothing will.
    End(End),
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Busy(_) | StoreError::Unavailable(_) | StoreError::Gap { .. } => {
                Self::Again(error)
            }
            StoreError::Fenced { found, ours } => Self::End(End::Fenced { found, ours }),
            StoreError::Locked(_) | StoreError::Newer { .. } | StoreError::Damaged { .. } => {
                Lost::Broken(error.to_string()).into()
            }
        }
    }
}

impl From<Lost> for Failure {
    fn from(lost: Lost) -> Self {
        Self::End(lost.into())
    }
}

/// Entries that go to the log together.
#[derive(Debug, Clone)]
pub(in crate::engine) struct Group {
    pub(in crate::engine) first: EntryNumber,
    pub(in crate::engine) entries: Vec<Bytes>,
}

impl Group {
    pub(in crate::engine) fn last(&self) -> EntryNumber {
        self.first + self.entries.len() as u64 - 1
    }

    pub(in crate::engine) fn bytes(&self) -> usize {
        self.entries.iter().map(Bytes::len).sum()
    }
}

/// The log, held under one epoch.
pub(in crate::engine) struct StoreLink {
    log: Box<dyn Log>,
    instance: u128,
    durable: EntryNumber,
    recent: Recent,
    shared: Arc<Shared>,
}

impl StoreLink {
    pub(in crate::engine) fn new(
        log: Box<dyn Log>,
        taken: LogState,
        resend_for: Duration,
        shared: Arc<Shared>,
    ) -> Self {
        let keep_for = if log.may_lose() { resend_for } else { Duration::ZERO };
        Self {
            log,
            instance: taken.instance,
            durable: taken.last,
            recent: Recent::new(keep_for),
            shared,
        }
    }

    /// Number of the newest entry acknowledged.
    pub(in crate::engine) fn durable(&self) -> EntryNumber {
        self.durable
    }

    /// Sends the next group until it is acknowledged. After it was told, what is kept too long
    /// is to be dropped: see [`Self::forget_old`].
    pub(in crate::engine) async fn append(&mut self, group: Group) -> Result<(), End> {
        let mut pauses = Pauses::new();
        loop {
            let Err(error) = self.log.append(group.first, group.entries.clone()).await else {
                self.durable = group.last();
                self.recent.keep(group);
                return Ok(());
            };
            tracing::warn!(%error, first = group.first, "a group was not acknowledged");
            if let Failure::End(end) = error.into() {
                return Err(end);
            }
            // It may have been restarted, emptied or replaced: nothing is sent before that is
            // known.
            pauses.wait().await;
            self.until_compared(group.last(), &mut pauses).await?;
            self.shared.doubt_tables();
        }
    }

    /// Drops what was kept for long enough, which of a log that loses nothing is all.
    pub(in crate::engine) fn forget_old(&mut self) {
        self.recent.forget_old();
    }

    /// Looks whether the store still is what it was, until it answers.
    pub(in crate::engine) async fn check(&mut self) -> Result<(), End> {
        if self.until_compared(self.durable, &mut Pauses::new()).await? {
            self.shared.doubt_tables();
        }
        Ok(())
    }

    /// Compares until the store answers; true: not at once, or something had been lost.
    async fn until_compared(
        &mut self,
        newest: EntryNumber,
        pauses: &mut Pauses,
    ) -> Result<bool, End> {
        let mut is_in_doubt = false;
        loop {
            match self.compare(newest).await {
                Ok(is_whole) => return Ok(is_in_doubt || !is_whole),
                Err(Failure::End(end)) => return Err(end),
                Err(Failure::Again(error)) => tracing::debug!(%error, "the store is waited for"),
            }
            is_in_doubt = true;
            pauses.wait().await;
        }
    }

    /// Compares the store with what was left there, up to entry `newest`, which may have arrived
    /// without an answer. False: it had lost some of it, which was written again.
    async fn compare(&mut self, newest: EntryNumber) -> Result<bool, Failure> {
        let state = self.log.state().await?;
        if state.instance != self.instance {
            return Err(Lost::Replaced { found: state.instance, ours: self.instance }.into());
        }
        if state.last > newest {
            return Err(Lost::LogAhead { found: state.last, newest }.into());
        }
        if state.last >= self.durable {
            // Only now: what was acknowledged last before a long outage is what a replica may lack.
            self.recent.forget_old();
            return Ok(true);
        }
        let Some(missing) = self.recent.after(state.last) else {
            let kept_from = self.recent.first().unwrap_or(self.durable + 1);
            let (found, durable) = (state.last, self.durable);
            return Err(Lost::LogBehind { found, durable, kept_from }.into());
        };
        tracing::warn!(found = state.last, durable = self.durable, "writing lost entries again");
        for group in missing {
            self.log.append(group.first, group.entries).await?;
        }
        Ok(false)
    }

    /// Lets the log drop what comes before `keep_from`, and returns what it holds then.
    pub(in crate::engine) async fn trim(
        &mut self,
        keep_from: EntryNumber,
    ) -> Result<u64, StoreError> {
        self.log.trim(keep_from).await?;
        self.log.size_bytes().await
    }

    pub(in crate::engine) async fn read(
        &mut self,
        from: EntryNumber,
        limit: usize,
    ) -> Result<Vec<LogEntry>, StoreError> {
        self.log.read(from, limit).await
    }
}

/// The last groups acknowledged.
#[derive(Debug)]
struct Recent {
    groups: VecDeque<(Instant, Group)>,
    bytes: usize,
    keep_for: Duration,
}

impl Recent {
    fn new(keep_for: Duration) -> Self {
        Self { groups: VecDeque::new(), bytes: 0, keep_for }
    }

    fn keep(&mut self, group: Group) {
        self.bytes += group.bytes();
        self.groups.push_back((Instant::now(), group));
    }

    fn forget_old(&mut self) {
        let now = Instant::now();
        let keep_for = self.keep_for;
        let bytes = &mut self.bytes;
        while let Some((_, group)) = self.groups.pop_front_if(|(acknowledged, _)| {
            now.duration_since(*acknowledged) > keep_for || *bytes > RESEND_BYTES
        }) {
            *bytes -= group.bytes();
        }
    }

    fn first(&self) -> Option<EntryNumber> {
        self.groups.front().map(|(_, group)| group.first)
    }

    /// Everything after entry `last`, if all of it is here. It is to be written again, so it is
    /// as young as if it were new: a replica may lack it a second time.
    fn after(&mut self, last: EntryNumber) -> Option<Vec<Group>> {
        self.first().filter(|first| *first <= last + 1)?;
        let missing = self.groups.iter_mut().filter(|(_, group)| group.last() > last);
        let renewed = missing.map(|(acknowledged, group)| {
            *acknowledged = Instant::now();
            group.clone().starting_after(last)
        });
        Some(renewed.collect())
    }
}

impl Group {
    /// Without the entries up to `last`: groups are written whole, but what a store lost may have
    /// been cut by something that doesn't know of groups.
    fn starting_after(mut self, last: EntryNumber) -> Self {
        let there = (last + 1).saturating_sub(self.first);
        // A group has few entries; a count past them would empty it, and callers ask for groups
        // that end after `last`.
        let there = usize::try_from(there).unwrap_or(usize::MAX).min(self.entries.len());
        self.entries.drain(..there);
        self.first += there as u64;
        self
    }
}
