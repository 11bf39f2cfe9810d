//! Time zones and wall times.

use super::time::Timestamp;

/// An IANA zone.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct TimeZone(std::sync::Arc<str>);

impl TimeZone {
    /// UTC.
    pub fn utc() -> Self {
        Self("UTC".into())
    }

    /// Wall time.
    pub fn local_of(&self, at: Timestamp) -> LocalTime {
        LocalTime(at)
    }
}

/// A wall time without a zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct LocalTime(pub Timestamp);
