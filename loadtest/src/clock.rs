//! The driver's clocks, in one place.
//!
//! The workspace bans clocks elsewhere because the engine's decisions must be repeatable; a driver
//! has to measure. Nothing else in this crate reads one.

use std::time::{Duration, Instant, SystemTime};

use chrono::{DateTime, SecondsFormat, Utc};

/// The monotonic clock, for latencies and time-outs.
#[expect(clippy::disallowed_methods, reason = "a load driver measures real time")]
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// The wall clock, for bookings and for lines of the ledger.
#[expect(clippy::disallowed_methods, reason = "bookings are made relative to real time")]
pub(crate) fn utc() -> DateTime<Utc> {
    DateTime::from(SystemTime::now())
}

/// Waits until `instant`; returns at once where it has passed.
pub(crate) async fn sleep_until(instant: Instant) {
    tokio::time::sleep_until(instant.into()).await;
}

/// RFC 3339 in UTC, to the second where there is nothing finer.
pub(crate) fn rfc3339(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::AutoSi, true)
}

/// Reads an RFC 3339 instant as milliseconds since 1970.
pub(crate) fn millis(text: &str) -> Option<i64> {
    DateTime::parse_from_rfc3339(text).ok().map(|at| at.timestamp_millis())
}

/// Seconds as a command line gives them; what is not a finite positive number becomes zero.
pub(crate) fn seconds(value: f64) -> Duration {
    Duration::try_from_secs_f64(value).unwrap_or(Duration::ZERO)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_are_read_with_and_without_milliseconds() {
        assert_eq!(millis("1970-01-01T00:00:01Z"), Some(1_000));
        assert_eq!(millis("1970-01-01T00:00:01.250Z"), Some(1_250));
        assert_eq!(millis("yesterday"), None);
    }

    #[test]
    fn negative_and_endless_seconds_are_no_time_at_all() {
        assert_eq!(seconds(-1.0), Duration::ZERO);
        assert_eq!(seconds(f64::INFINITY), Duration::ZERO);
        assert_eq!(seconds(1.5), Duration::from_millis(1_500));
    }
}
