//! The wall clock of these tests, which is that of the server on the same machine.

use std::fmt;
use std::time::Duration;

/// An instant of the wall clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Instant(jiff::Timestamp);

impl Instant {
    #[expect(clippy::disallowed_methods, reason = "bookings are made by the server's clock")]
    pub(super) fn now() -> Self {
        Self(jiff::Timestamp::now())
    }

    pub(super) fn read(text: &str) -> Self {
        Self(text.parse().expect("an instant"))
    }

    pub(super) fn in_seconds(self, seconds: u64) -> Self {
        Self(self.0 + Duration::from_secs(seconds))
    }

    pub(super) fn less_seconds(self, seconds: u64) -> Self {
        Self(self.0 - Duration::from_secs(seconds))
    }
}

impl fmt::Display for Instant {
    /// To the second, as bookings are.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.0}", self.0)
    }
}
