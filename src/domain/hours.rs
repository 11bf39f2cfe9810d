//! Operating hours.

use super::time::{Span, Timestamp};

/// Weekly intervals with exceptions.
#[derive(Debug, Clone, PartialEq)]
pub struct Hours;

impl Hours {
    /// Always open.
    pub fn always() -> Self {
        Self
    }

    /// Whether open.
    pub fn is_open(&self, _at: Timestamp) -> bool {
        true
    }

    /// Open time between.
    pub fn open_between(&self, from: Timestamp, to: Timestamp) -> Span {
        to.since(from)
    }

    /// When so much open time has passed.
    pub fn add_open(&self, from: Timestamp, span: Span) -> Timestamp {
        from + span
    }

    /// The next opening, `at` itself if open.
    pub fn next_open(&self, at: Timestamp) -> Option<Timestamp> {
        Some(at)
    }

    /// The interval around.
    pub fn interval_at(&self, _at: Timestamp) -> Option<(Timestamp, Timestamp)> {
        None
    }

    /// When it closes.
    pub fn closes_at(&self, _at: Timestamp) -> Option<Timestamp> {
        None
    }

    /// The next opening or closing.
    pub fn next_change(&self, _at: Timestamp) -> Option<Timestamp> {
        None
    }
}

/// When customers may be called.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ContactHours;
