//! The clocks of a workspace, and its source of fresh ids: the one file that reads either.
//!
//! Two clocks, because appointments follow the wall and time-outs must not jump with it. The
//! steady one starts at the wall's instant and can be held while the store is stalled, so that
//! nobody misses an offer that they couldn't have answered. Nothing else in the engine may ask
//! the system what time it is; machines are handed a [`Now`].

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use tokio::sync::Notify;

use super::ports::PortFuture;
use crate::domain::ids::Fresh;
use crate::domain::time::{Now, Span, Timestamp};

/// How far wall and steady clock may drift apart between two looks before it counts as a jump.
pub const JUMP: Span = Span::millis(500);

/// While an appointment is pending the clocks are compared at least this often.
pub const LOOK: Span = Span::seconds(1);

/// Stands in `held_since` while the steady clock runs.
const RUNNING: i64 = i64::MIN;

/// A workspace's clocks.
#[derive(Debug)]
pub struct Clock {
    source: Source,
    /// For how long, in all, the steady clock was held.
    held_total: AtomicI64,
    /// Since when it is held, on the scale of the source.
    held_since: AtomicI64,
    ids: Mutex<IdSource>,
}

#[derive(Debug, Clone)]
enum Source {
    System { wall: Timestamp, steady: Instant },
    Manual(Arc<ManualTime>),
}

impl Clock {
    /// The system's clocks; the steady one starts now.
    #[expect(clippy::disallowed_methods, reason = "this is the file that reads clocks")]
    pub fn system() -> Self {
        let seed = uuid::Uuid::now_v7().as_u128();
        Self::from_source(Source::System { wall: system_wall(), steady: Instant::now() }, seed)
    }

    /// A clock that a test moves by hand.
    pub fn manual(time: Arc<ManualTime>) -> Self {
        Self::from_source(Source::Manual(time), 1)
    }

    /// The same time, held and released by itself: one workspace's stall is not another's.
    #[must_use]
    pub fn apart(&self) -> Self {
        let seed = self.now().fresh.0;
        Self::from_source(self.source.clone(), seed)
    }

    fn from_source(source: Source, seed: u128) -> Self {
        Self {
            source,
            held_total: AtomicI64::new(0),
            held_since: AtomicI64::new(RUNNING),
            ids: Mutex::new(IdSource::new(seed)),
        }
    }

    /// The wall clock.
    pub fn wall(&self) -> Timestamp {
        match &self.source {
            Source::System { .. } => system_wall(),
            Source::Manual(time) => Timestamp(time.wall.load(Ordering::SeqCst)),
        }
    }

    /// The steady clock, on the wall's scale.
    pub fn steady(&self) -> Timestamp {
        let held_since = self.held_since.load(Ordering::SeqCst);
        let raw = if held_since == RUNNING { self.raw() } else { held_since };
        Timestamp(raw - self.held_total.load(Ordering::SeqCst))
    }

    /// Time that neither jumps nor is ever held.
    pub fn running(&self) -> Timestamp {
        Timestamp(self.raw())
    }

    /// Both clocks, with a fresh id, for one step.
    pub fn now(&self) -> Now {
        let wall = self.wall();
        Now { wall, steady: self.steady(), fresh: self.fresh(wall) }
    }

    /// How far the wall clock is ahead of the one that never jumps.
    pub fn drift(&self) -> Span {
        Span(self.wall().0 - self.raw())
    }

    /// Stops the steady clock; holding it twice is the same as once.
    pub fn hold(&self) {
        let now = self.raw();
        let running = Ordering::SeqCst;
        // Failing to exchange means that it is held already.
        let _ = self.held_since.compare_exchange(RUNNING, now, running, running);
    }

    /// Whether the steady clock stands still.
    pub fn is_held(&self) -> bool {
        self.held_since.load(Ordering::SeqCst) != RUNNING
    }

    /// Lets the steady clock go on from where it was held.
    pub fn release(&self) {
        let since = self.held_since.swap(RUNNING, Ordering::SeqCst);
        if since != RUNNING {
            self.held_total.fetch_add(self.raw() - since, Ordering::SeqCst);
        }
    }

    /// Waits for so much time to pass, whether or not the steady clock is held.
    pub fn wait(&self, span: Span) -> PortFuture<'static, ()> {
        match &self.source {
            Source::System { .. } => {
                let millis = u64::try_from(span.0).unwrap_or(0);
                Box::pin(tokio::time::sleep(Duration::from_millis(millis)))
            }
            Source::Manual(time) => Box::pin(Arc::clone(time).pass(span)),
        }
    }

    /// Time that neither jumps nor can be held, on the wall's scale at the start.
    fn raw(&self) -> i64 {
        match &self.source {
            Source::System { wall, steady } => {
                wall.0 + i64::try_from(steady.elapsed().as_millis()).unwrap_or(i64::MAX / 2)
            }
            Source::Manual(time) => time.steady.load(Ordering::SeqCst),
        }
    }

    fn fresh(&self, wall: Timestamp) -> Fresh {
        let mut ids = self.ids.lock().unwrap_or_else(PoisonError::into_inner);
        Fresh(ids.next(wall))
    }
}

#[expect(clippy::disallowed_methods, reason = "this is the file that reads clocks")]
fn system_wall() -> Timestamp {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    // A machine whose clock stands before 1970 counts as standing at it.
    let millis = since.map_or(0, |since| since.as_millis());
    Timestamp(i64::try_from(millis).unwrap_or(i64::MAX))
}

/// Makes `UUIDv7` values that rise: milliseconds, a count within them, and 62 random bits.
#[derive(Debug)]
struct IdSource {
    state: u64,
    millis: u64,
    count: u16,
}

impl IdSource {
    /// RFC 9562 gives the count 12 bits.
    const COUNT_MAX: u16 = 0x0fff;

    #[expect(clippy::cast_possible_truncation, reason = "both halves of the seed are folded in")]
    fn new(seed: u128) -> Self {
        Self { state: (seed as u64) ^ ((seed >> 64) as u64), millis: 0, count: 0 }
    }

    fn next(&mut self, wall: Timestamp) -> u128 {
        let millis = u64::try_from(wall.0).unwrap_or(0);
        if millis > self.millis {
            (self.millis, self.count) = (millis, 0);
        } else if self.count == Self::COUNT_MAX {
            // More than 4,096 in a millisecond, or a wall clock that was set back: go on from the
            // next one, so that ids still rise.
            (self.millis, self.count) = (self.millis + 1, 0);
        } else {
            self.count += 1;
        }
        let random = u128::from(self.random() >> 2);
        (u128::from(self.millis & 0xffff_ffff_ffff) << 80)
            | (0x7 << 76)
            | (u128::from(self.count) << 64)
            | (0b10 << 62)
            | random
    }

    /// `SplitMix64` (Steele, Lea, Flood: Fast splittable pseudorandom number generators, 2014).
    fn random(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}

/// Time for tests: stands still until moved.
#[derive(Debug)]
pub struct ManualTime {
    wall: AtomicI64,
    steady: AtomicI64,
    moved: Notify,
}

impl ManualTime {
    /// Both clocks at `start`.
    pub fn starting_at(start: Timestamp) -> Arc<Self> {
        Arc::new(Self {
            wall: AtomicI64::new(start.0),
            steady: AtomicI64::new(start.0),
            moved: Notify::new(),
        })
    }

    /// Time passes, by both clocks.
    pub fn advance(&self, span: Span) {
        self.wall.fetch_add(span.0, Ordering::SeqCst);
        self.steady.fetch_add(span.0, Ordering::SeqCst);
        self.moved.notify_waiters();
    }

    /// The wall clock is set; no time passes.
    pub fn jump(&self, span: Span) {
        self.wall.fetch_add(span.0, Ordering::SeqCst);
    }

    async fn pass(self: Arc<Self>, span: Span) {
        let until = self.steady.load(Ordering::SeqCst) + span.0;
        loop {
            // Listening starts before the look, so that a move in between isn't missed.
            let mut moved = std::pin::pin!(self.moved.notified());
            moved.as_mut().enable();
            if self.steady.load(Ordering::SeqCst) >= until {
                return;
            }
            moved.await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manual() -> (Arc<ManualTime>, Clock) {
        let time = ManualTime::starting_at(Timestamp(1_000_000));
        (Arc::clone(&time), Clock::manual(time))
    }

    #[test]
    fn a_held_steady_clock_stands_and_goes_on_from_there() {
        let (time, clock) = manual();
        clock.hold();
        time.advance(Span::seconds(5));
        clock.hold();
        assert_eq!(clock.steady(), Timestamp(1_000_000));
        clock.release();
        clock.release();
        time.advance(Span::seconds(1));
        assert_eq!(clock.steady(), Timestamp(1_001_000));
        assert_eq!(clock.wall(), Timestamp(1_006_000));
    }

    #[test]
    fn a_jump_of_the_wall_shows_as_drift_and_leaves_the_steady_clock() {
        let (time, clock) = manual();
        time.jump(Span::millis(-3_600_000));
        assert_eq!(clock.drift(), Span::millis(-3_600_000));
        assert_eq!(clock.steady(), Timestamp(1_000_000));
        time.advance(Span::days(1));
        assert_eq!(clock.drift(), Span::millis(-3_600_000));
    }

    #[test]
    fn fresh_ids_are_uuids_of_version_7_that_rise_even_when_the_wall_falls_back() {
        let (time, clock) = manual();
        let mut last = 0;
        for round in 0..10_000 {
            if round == 5_000 {
                time.jump(Span::days(1) - Span::days(2));
            }
            let id = clock.now().fresh.0;
            // The last bit tells interaction and offer apart, so the rest must differ.
            assert!(id >> 64 > last >> 64, "{id:x} follows {last:x}");
            let uuid = uuid::Uuid::from_u128(id);
            assert_eq!((uuid.get_version_num(), uuid.get_variant()), (7, uuid::Variant::RFC4122));
            last = id;
        }
    }

    #[test]
    fn a_clock_apart_shows_the_same_time_and_is_held_by_itself() {
        let (time, clock) = manual();
        let apart = clock.apart();
        clock.hold();
        time.advance(Span::seconds(5));
        assert_eq!(apart.steady(), Timestamp(1_005_000));
        assert_eq!(clock.steady(), Timestamp(1_000_000));
        assert_eq!(apart.wall(), clock.wall());
        assert_ne!(apart.now().fresh, clock.now().fresh);
    }

    #[test]
    fn the_system_clocks_start_together() {
        let clock = Clock::system();
        assert!(clock.drift().0.abs() < 1_000, "{:?}", clock.drift());
        assert!(clock.now().fresh.interaction() != clock.now().fresh.interaction());
    }

    #[tokio::test]
    async fn waiting_ends_when_time_is_moved_far_enough() {
        let (time, clock) = manual();
        let waiter = tokio::spawn(clock.wait(Span::seconds(2)));
        tokio::task::yield_now().await;
        time.advance(Span::seconds(1));
        tokio::task::yield_now().await;
        assert!(!waiter.is_finished());
        time.advance(Span::seconds(1));
        waiter.await.expect("no panic");
    }
}
