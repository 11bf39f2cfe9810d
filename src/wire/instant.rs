//! Instants as they stand in JSON: RFC 3339 in UTC.

use serde::{Serialize, Serializer};

use crate::domain::civil::format_rfc3339;
use crate::domain::time::Timestamp;

/// An instant that writes itself as text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Instant(pub Timestamp);

impl Serialize for Instant {
    fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        out.serialize_str(&format_rfc3339(self.0))
    }
}
