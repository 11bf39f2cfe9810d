//! Instants and spans, in milliseconds, and the two clocks that a step is given.

use std::fmt;
use std::ops::{Add, AddAssign, Sub};

/// An instant in UTC, in milliseconds since 1970-01-01.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Timestamp(pub i64);

/// A length of time in milliseconds; may be negative where one instant is taken from another.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Span(pub i64);

impl Timestamp {
    /// Later than anything that is ever stored.
    pub const NEVER: Self = Self(i64::MAX);

    /// The time from `earlier` to this; negative if `earlier` is the later one.
    pub fn since(self, earlier: Self) -> Span {
        Span(self.0.saturating_sub(earlier.0))
    }
}

impl Span {
    /// No time at all.
    pub const ZERO: Self = Self(0);

    /// So many milliseconds.
    pub const fn millis(count: i64) -> Self {
        Self(count)
    }

    /// So many seconds.
    pub const fn seconds(count: u32) -> Self {
        Self(count as i64 * 1_000)
    }

    /// So many minutes.
    pub const fn minutes(count: u32) -> Self {
        Self(count as i64 * 60_000)
    }

    /// So many days of 24 hours.
    pub const fn days(count: u32) -> Self {
        Self(count as i64 * 86_400_000)
    }

    /// Whole seconds, rounded down.
    pub const fn whole_seconds(self) -> i64 {
        self.0.div_euclid(1_000)
    }
}

impl Add<Span> for Timestamp {
    type Output = Self;

    fn add(self, span: Span) -> Self {
        Self(self.0.saturating_add(span.0))
    }
}

impl Sub<Span> for Timestamp {
    type Output = Self;

    fn sub(self, span: Span) -> Self {
        Self(self.0.saturating_sub(span.0))
    }
}

impl Add for Span {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl Sub for Span {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }
}

impl AddAssign for Span {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "@{}", self.0)
    }
}

impl fmt::Debug for Span {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}ms", self.0)
    }
}

/// The time of a step, by both clocks.
///
/// Appointments (a scheduled start, an opening, a retry) follow `wall`, which may jump. Time-outs
/// (an offer's, a grace period's) follow `steady`, which never jumps and stands still while the
/// store is stalled. Both start from the same instant when the process starts, and part from then
/// on: a steady instant means nothing to people, nor to another process. Callbacks are stored with
/// the gap between the two, and who shows their time-outs, or goes on with them after a restart,
/// counts them anew (`Callback::on_wall`, `Callback::rebase`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Now {
    /// The wall clock.
    pub wall: Timestamp,
    /// The monotonic clock, on the wall clock's scale.
    pub steady: Timestamp,
    /// Ids for what the step creates.
    pub fresh: super::ids::Fresh,
}
