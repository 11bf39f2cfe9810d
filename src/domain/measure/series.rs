//! Tallies by time: quarters of an hour for a day, and slots of some seconds for an hour.

use std::collections::BTreeMap;
use std::ops::AddAssign;

use super::{quarter_of, start_of};
use crate::domain::time::{Span, Timestamp};

/// What the last minutes are kept by. Borders of quarters are borders of slots.
pub(super) const SLOT: Span = Span::seconds(15);

/// What the last hour is kept by: slots become that when they are old enough.
const LONG_SLOT: Span = Span::minutes(1);

/// How long short slots are kept: what the shortest window needs.
const SHORT_FOR: Span = Span::minutes(2);

/// How long slots are kept.
const SLOTS_KEPT: Span = Span::minutes(62);

/// One queue's or agent's tallies, by their first instants.
#[derive(Debug, Clone, Default)]
pub(super) struct Series<T> {
    slots: BTreeMap<Timestamp, T>,
    pub(super) quarters: BTreeMap<Timestamp, T>,
}

impl<T: Default + for<'a> AddAssign<&'a T>> Series<T> {
    /// Counts something; answers the quarter that it belongs to.
    pub(super) fn count(&mut self, at: Timestamp, count: impl Fn(&mut T)) -> Timestamp {
        let quarter = quarter_of(at);
        count(self.slots.entry(start_of(at, SLOT)).or_default());
        count(self.quarters.entry(quarter).or_default());
        quarter
    }

    /// Adds what was stored of a quarter. To the slots it counts at the quarter's beginning: when
    /// in it that was isn't known.
    pub(super) fn restore(&mut self, now: Timestamp, quarter: Timestamp, tally: &T) {
        if quarter >= now - SLOTS_KEPT {
            *self.slots.entry(quarter).or_default() += tally;
        }
        *self.quarters.entry(quarter).or_default() += tally;
    }

    /// Forgets what is too old, and keeps by the minute what is older than some.
    pub(super) fn forget(&mut self, now: Timestamp, quarters_from: Timestamp) {
        self.slots = self.slots.split_off(&(now - SLOTS_KEPT));
        self.quarters = self.quarters.split_off(&quarters_from);
        let short_from = start_of(now - SHORT_FOR, LONG_SLOT);
        let short = self.slots.range(..short_from).map(|(at, _)| *at);
        let short: Vec<Timestamp> = short.filter(|at| start_of(*at, LONG_SLOT) != *at).collect();
        for at in short {
            if let Some(tally) = self.slots.remove(&at) {
                *self.slots.entry(start_of(at, LONG_SLOT)).or_default() += &tally;
            }
        }
    }

    pub(super) fn sum(&self, window: Window) -> T {
        let mut sum = T::default();
        let tallies = match window {
            Window::Slots { from } => self.slots.range(from..),
            Window::Quarters { from } => self.quarters.range(from..),
        };
        tallies.for_each(|(_, tally)| sum += tally);
        sum
    }
}

/// A time up to now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Window {
    /// From the beginning of a slot.
    Slots {
        /// Inclusive.
        from: Timestamp,
    },
    /// From the beginning of a quarter.
    Quarters {
        /// Inclusive.
        from: Timestamp,
    },
}

impl Window {
    /// The last so much, at most an hour, up to a slot more: a short one for a minute.
    pub fn last(span: Span, now: Timestamp) -> Self {
        let slot = if span <= LONG_SLOT { SLOT } else { LONG_SLOT };
        Self::Slots { from: start_of(now - span, slot) }
    }

    /// Everything since an instant of the last day.
    pub fn since(at: Timestamp) -> Self {
        Self::Quarters { from: quarter_of(at) }
    }

    /// Its first instant.
    pub const fn from(self) -> Timestamp {
        match self {
            Self::Slots { from } | Self::Quarters { from } => from,
        }
    }
}
