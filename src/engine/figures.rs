//! Figures for whoever runs the server: counted where things happen, read by any thread.
//!
//! Separate from readiness (`health`), which says whether work is taken; a figure decides
//! nothing. Counting must cost next to nothing and wait for nobody for long: atomics, and a map of
//! few words behind a lock that is held for an addition.

pub mod deliveries;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use self::deliveries::DeliveryFigures;
pub use super::outbox::CarrierFigures;
use crate::domain::agent::{Engagement, Presence};
use crate::domain::callback::{Callback, Phase, State};
use crate::domain::effect::{Change, QueueStats};
use crate::domain::estimate::Accuracy;
use crate::domain::event::Event;
use crate::domain::ids::QueueId;
use crate::domain::time::{Span, Timestamp};

/// Upper bounds of groups' sizes, in entries; the last is a group's most.
const GROUP_BOUNDS: [u64; 11] = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1_024];

/// Upper bounds of the time until a group is durable, in microseconds: from a write to memory
/// past `store_stall_ms`.
const APPEND_BOUNDS: [u64; 12] =
    [100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 1_000_000];

/// Tables that couldn't be written for so long are an alarm; what is shorter is a hiccup.
const TABLES_ALARM: Duration = Duration::from_secs(5);

/// An alarm that lasts is told in the log again after so long.
const TELL_AGAIN: Duration = Duration::from_mins(1);

/// How often values fell into each bucket.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Histogram {
    /// Each bucket's upper bound, inclusive, and how many values fell into it alone. What lies
    /// above the last bound is in `count` only.
    pub buckets: Vec<(u64, u64)>,
    /// The sum of all values.
    pub sum: u64,
    /// How many there are.
    pub count: u64,
}

/// The same while it is counted.
#[derive(Debug)]
struct Counted<const N: usize> {
    bounds: &'static [u64; N],
    counts: [AtomicU64; N],
    sum: AtomicU64,
    count: AtomicU64,
}

impl<const N: usize> Counted<N> {
    fn new(bounds: &'static [u64; N]) -> Self {
        let counts = std::array::from_fn(|_| AtomicU64::new(0));
        Self { bounds, counts, sum: AtomicU64::new(0), count: AtomicU64::new(0) }
    }

    fn observe(&self, value: u64) {
        let place = self.bounds.partition_point(|bound| *bound < value);
        if let Some(count) = self.counts.get(place) {
            count.fetch_add(1, Ordering::Relaxed);
        }
        self.sum.fetch_add(value, Ordering::Relaxed);
        self.count.fetch_add(1, Ordering::Relaxed);
    }

    fn read(&self) -> Histogram {
        let counts = self.counts.iter().map(|count| count.load(Ordering::Relaxed));
        let buckets: Vec<_> = self.bounds.iter().copied().zip(counts).collect();
        // A value that is being counted may be in one and not yet in the other.
        let inside: u64 = buckets.iter().map(|(_, count)| count).sum();
        let count = self.count.load(Ordering::Relaxed).max(inside);
        Histogram { buckets, sum: self.sum.load(Ordering::Relaxed), count }
    }
}

/// A few words with a count each.
#[derive(Debug)]
pub(crate) struct Tally<K>(Mutex<BTreeMap<K, u64>>);

impl<K> Default for Tally<K> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<K: Ord + Copy> Tally<K> {
    pub(crate) fn count(&self, word: K) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner).entry(word).or_default() += 1;
    }

    pub(crate) fn read(&self) -> Vec<(K, u64)> {
        let counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        counts.iter().map(|(word, count)| (*word, *count)).collect()
    }
}

/// What journal, writer and projector count, from one opening of the store to the next.
#[derive(Debug)]
pub(super) struct JournalCounts {
    group_entries: Counted<{ GROUP_BOUNDS.len() }>,
    append_micros: Counted<{ APPEND_BOUNDS.len() }>,
    log_bytes: AtomicU64,
    failures: AtomicU64,
    failing: Mutex<Option<Failing>>,
}

/// Since when the tables can't be written, and when that was told.
#[derive(Debug)]
struct Failing {
    since: Instant,
    told: Option<Instant>,
}

impl Default for JournalCounts {
    fn default() -> Self {
        Self {
            group_entries: Counted::new(&GROUP_BOUNDS),
            append_micros: Counted::new(&APPEND_BOUNDS),
            log_bytes: AtomicU64::new(0),
            failures: AtomicU64::new(0),
            failing: Mutex::default(),
        }
    }
}

impl JournalCounts {
    /// A group became durable.
    pub(super) fn appended(&self, entries: usize, took: Duration) {
        self.group_entries.observe(entries as u64);
        self.append_micros.observe(u64::try_from(took.as_micros()).unwrap_or(u64::MAX));
    }

    /// What the log holds.
    pub(super) fn log_holds(&self, bytes: u64) {
        self.log_bytes.store(bytes, Ordering::Relaxed);
    }

    /// The tables couldn't be written. True: it lasts, and should be told.
    pub(super) fn tables_failed(&self) -> bool {
        self.failures.fetch_add(1, Ordering::Relaxed);
        let now = Instant::now();
        let mut failing = self.failing.lock().unwrap_or_else(PoisonError::into_inner);
        let failing = failing.get_or_insert(Failing { since: now, told: None });
        let lasts = now.duration_since(failing.since) >= TABLES_ALARM;
        let tell = lasts && failing.told.is_none_or(|told| now.duration_since(told) >= TELL_AGAIN);
        if tell {
            failing.told = Some(now);
        }
        tell
    }

    /// They were written. True: it had been told that they can't be.
    pub(super) fn tables_written(&self) -> bool {
        let mut failing = self.failing.lock().unwrap_or_else(PoisonError::into_inner);
        failing.take().is_some_and(|failing| failing.told.is_some())
    }

    /// For how long the tables couldn't be written.
    fn failing_for(&self) -> Duration {
        let failing = self.failing.lock().unwrap_or_else(PoisonError::into_inner);
        failing.as_ref().map_or(Duration::ZERO, |failing| failing.since.elapsed())
    }

    /// The tables couldn't be written for so long that somebody should look.
    pub(super) fn tables_are_failing(&self) -> bool {
        self.failing_for() >= TABLES_ALARM
    }

    pub(super) fn read(&self) -> JournalFigures {
        JournalFigures {
            group_entries: self.group_entries.read(),
            append_micros: self.append_micros.read(),
            log_bytes: self.log_bytes.load(Ordering::Relaxed),
            tables_failures: self.failures.load(Ordering::Relaxed),
            tables_failing: self.failing_for(),
            ..JournalFigures::default()
        }
    }
}

/// How a workspace's journal stands; all zero while it has none.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct JournalFigures {
    /// Number of the newest entry that the tables have.
    pub projected: u64,
    /// Entries of each group.
    pub group_entries: Histogram,
    /// Time until each group was durable, in microseconds.
    pub append_micros: Histogram,
    /// What the overlay holds that the tables lack.
    pub overlay_bytes: u64,
    /// What the log holds.
    pub log_bytes: u64,
    /// Batches that couldn't be written to the tables.
    pub tables_failures: u64,
    /// For how long they couldn't; zero while they can.
    pub tables_failing: Duration,
}

/// What steps count: events, states of callbacks that are live, and how callbacks ended.
#[derive(Debug, Default)]
pub(crate) struct StepCounts {
    events: Tally<&'static str>,
    ended: Tally<(&'static str, &'static str)>,
    live: [AtomicI64; State::ALL.len()],
}

impl StepCounts {
    /// A life begins: nothing is live yet.
    pub(crate) fn nothing_is_live(&self) {
        self.live.iter().for_each(|count| count.store(0, Ordering::Relaxed));
    }

    /// A live callback was recovered.
    pub(crate) fn recovered(&self, callback: &Callback) {
        self.add(callback.state(), 1);
    }

    /// A step's changes and events were journaled.
    pub(crate) fn took(&self, changes: &[Change], events: &[Event]) {
        for event in events {
            self.events.count(event.name());
        }
        for change in changes {
            let Change::Callback { before, after } = change else { continue };
            let was = before.as_deref().map(Callback::state);
            if was == Some(after.state()) {
                continue;
            }
            if let Some(was) = was {
                self.add(was, -1);
            }
            self.add(after.state(), 1);
            if let Phase::Ended { reason, .. } = &after.phase {
                self.ended.count((after.state().as_str(), reason.as_str()));
            }
        }
    }

    /// Dormant ones aren't counted at recovery, so neither are they later; final ones never end.
    fn add(&self, state: State, count: i64) {
        if state.is_live()
            && let Some(place) = State::ALL.iter().position(|one| *one == state)
        {
            self.live[place].fetch_add(count, Ordering::Relaxed);
        }
    }

    /// Live callbacks by state.
    pub(crate) fn live(&self) -> Vec<(State, u64)> {
        let all = State::ALL.into_iter().zip(&self.live).filter(|(state, _)| state.is_live());
        // A step that is being counted may have left one state and not yet reached the next.
        let count = |count: &AtomicI64| u64::try_from(count.load(Ordering::Relaxed)).unwrap_or(0);
        all.map(|(state, live)| (state, count(live))).collect()
    }

    /// Events by type.
    pub(crate) fn events(&self) -> Vec<(&'static str, u64)> {
        self.events.read()
    }

    /// Ends by state and reason.
    pub(crate) fn ended(&self) -> Vec<((&'static str, &'static str), u64)> {
        self.ended.read()
    }
}

/// A queue's line as it stood after the last step.
#[derive(Debug)]
pub(crate) struct Line {
    waiting: AtomicU64,
    /// Since when the oldest waits; the least number for none.
    oldest: AtomicI64,
    with_agents: AtomicU64,
    asap_requests: AtomicU64,
    callback_offers: AtomicU64,
    promises_kept: AtomicU64,
    promises_broken: AtomicU64,
    accuracy: Mutex<Option<Accuracy>>,
}

impl Default for Line {
    fn default() -> Self {
        Self {
            waiting: AtomicU64::new(0),
            oldest: AtomicI64::new(i64::MIN),
            with_agents: AtomicU64::new(0),
            asap_requests: AtomicU64::new(0),
            callback_offers: AtomicU64::new(0),
            promises_kept: AtomicU64::new(0),
            promises_broken: AtomicU64::new(0),
            accuracy: Mutex::default(),
        }
    }
}

impl Line {
    /// Shows the line as it is now.
    pub(crate) fn show(&self, stats: &QueueStats) {
        self.waiting.store(u64::from(stats.waiting), Ordering::Relaxed);
        let oldest = stats.oldest_since.map_or(i64::MIN, |at| at.0);
        self.oldest.store(oldest, Ordering::Relaxed);
        self.with_agents.store(u64::from(stats.with_agents), Ordering::Relaxed);
        self.asap_requests.store(stats.asap_requests, Ordering::Relaxed);
        self.callback_offers.store(stats.callback_offers, Ordering::Relaxed);
        self.promises_kept.store(stats.promises_kept, Ordering::Relaxed);
        self.promises_broken.store(stats.promises_broken, Ordering::Relaxed);
        *self.accuracy.lock().unwrap_or_else(PoisonError::into_inner) = stats.accuracy;
    }

    pub(crate) fn read(&self, queue: QueueId, now: Timestamp) -> LineFigures {
        let oldest = self.oldest.load(Ordering::Relaxed);
        let oldest = (oldest != i64::MIN).then_some(Timestamp(oldest));
        LineFigures {
            queue,
            waiting: self.waiting.load(Ordering::Relaxed),
            oldest_wait: oldest.map_or(Span::ZERO, |at| now.since(at).max(Span::ZERO)),
            with_agents: self.with_agents.load(Ordering::Relaxed),
            asap_requests: self.asap_requests.load(Ordering::Relaxed),
            callback_offers: self.callback_offers.load(Ordering::Relaxed),
            promises_kept: self.promises_kept.load(Ordering::Relaxed),
            promises_broken: self.promises_broken.load(Ordering::Relaxed),
            accuracy: *self.accuracy.lock().unwrap_or_else(PoisonError::into_inner),
        }
    }
}

/// A queue's line.
#[derive(Debug, Clone, PartialEq)]
pub struct LineFigures {
    /// The queue whose line it is.
    pub queue: QueueId,
    /// Callbacks queued.
    pub waiting: u64,
    /// For how long the oldest waits.
    pub oldest_wait: Span,
    /// Callbacks that an agent was offered or has.
    pub with_agents: u64,
    /// Requests for a callback as soon as possible, by customers and channels.
    pub asap_requests: u64,
    /// Times that a callback was offered.
    pub callback_offers: u64,
    /// Customers called for the first time as promised.
    pub promises_kept: u64,
    /// Those who weren't.
    pub promises_broken: u64,
    /// How good estimates were; none before the first was scored.
    pub accuracy: Option<Accuracy>,
}

/// Why the door let a command wait in vain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Refused {
    /// No permit came free within `admission_wait_ms`.
    Overloaded,
    /// The store stalls, or the workspace isn't ready.
    Unavailable,
    /// Overlay or log is at its bound.
    NoRoom,
}

impl Refused {
    /// The word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Overloaded => "overloaded",
            Self::Unavailable => "unavailable",
            Self::NoRoom => "no_room",
        }
    }
}

/// Agents' sockets, over all workspaces.
#[derive(Debug, Default)]
pub struct SocketCounts {
    opened: AtomicU64,
    ended: Tally<&'static str>,
}

impl SocketCounts {
    /// A socket is up.
    pub fn opened(&self) {
        self.opened.fetch_add(1, Ordering::Relaxed);
    }

    /// It has ended, for one of few reasons.
    pub fn ended(&self, reason: &'static str) {
        self.ended.count(reason);
    }

    /// How many were opened, and how they ended.
    pub fn read(&self) -> (u64, Vec<(&'static str, u64)>) {
        // The ends first: none is then counted whose beginning isn't.
        let ended = self.ended.read();
        (self.opened.load(Ordering::Relaxed), ended)
    }
}

/// What a workspace's figures are at one moment.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Figures {
    /// Its journal and tables.
    pub journal: JournalFigures,
    /// Times that the store stalled.
    pub stalls: u64,
    /// What the overlay may hold.
    pub overlay_max_bytes: u64,
    /// What the log may hold.
    pub log_max_bytes: u64,
    /// Commands that may be under way at once.
    pub door_permits: u64,
    /// Commands refused at the door.
    pub refused: Vec<(Refused, u64)>,
    /// Live callbacks by state.
    pub live: Vec<(State, u64)>,
    /// Callbacks that ended, by state and reason.
    pub ended: Vec<((&'static str, &'static str), u64)>,
    /// Events by type.
    pub events: Vec<(&'static str, u64)>,
    /// What goes out, by carrier.
    pub outbox: Vec<CarrierFigures>,
    /// Queues' lines, by id.
    pub lines: Vec<LineFigures>,
    /// Agents by what they want and do.
    pub agents: BTreeMap<(Presence, Engagement), u64>,
    /// Agents' sessions.
    pub sessions: u64,
    /// Webhooks.
    pub deliveries: DeliveryFigures,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_falls_into_the_first_bucket_that_holds_it() {
        let counted = Counted::new(&[10, 20, 30]);
        for value in [0, 10, 11, 30, 31, 1_000] {
            counted.observe(value);
        }
        let read = counted.read();
        assert_eq!(read.buckets, [(10, 2), (20, 1), (30, 1)]);
        assert_eq!((read.sum, read.count), (1_082, 6));
    }

    #[tokio::test(start_paused = true)]
    async fn tables_that_fail_are_told_when_it_lasts_and_then_once_a_minute() {
        let counts = JournalCounts::default();
        assert!(!counts.tables_failed() && !counts.tables_are_failing());
        tokio::time::advance(TABLES_ALARM).await;
        assert!(counts.tables_failed() && counts.tables_are_failing());
        assert!(!counts.tables_failed());
        tokio::time::advance(TELL_AGAIN).await;
        assert!(counts.tables_failed());
        assert_eq!(counts.read().tables_failures, 4);
        assert!(counts.tables_written(), "its end is told as well");
        assert!(!counts.tables_written() && !counts.tables_are_failing());
        assert!(!counts.tables_failed(), "another failure begins anew");
        assert!(!counts.tables_written(), "a hiccup has no end to be told");
    }

    #[test]
    fn an_empty_line_waits_for_nothing_and_a_clock_set_back_makes_no_wait() {
        let queue = QueueId::parse("billing").expect("a slug");
        let line = Line::default();
        let read = |now| line.read(queue.clone(), Timestamp(now));
        assert_eq!(read(5_000).oldest_wait, Span::ZERO);
        let oldest_since = Some(Timestamp(4_000));
        let stats =
            QueueStats { waiting: 2, oldest_since, with_agents: 1, ..QueueStats::default() };
        line.show(&stats);
        assert_eq!((read(5_000).oldest_wait, read(5_000).waiting), (Span::seconds(1), 2));
        assert_eq!(read(3_000).oldest_wait, Span::ZERO);
    }
}
