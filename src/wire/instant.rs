//! Instants and ids as they stand in JSON: RFC 3339 in UTC, and hyphenated.

use serde::{Serialize, Serializer};

use uuid::Uuid;
use uuid::fmt::Hyphenated;

use crate::domain::civil::{LocalTime, rfc3339};
use crate::domain::time::Timestamp;

/// An instant that writes itself as text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Instant(pub Timestamp);

impl Serialize for Instant {
    fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        out.serialize_str(rfc3339(self.0).as_str())
    }
}

/// A local time that writes itself as text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Local(pub LocalTime);

impl Serialize for Local {
    fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        out.serialize_str(self.0.text().as_str())
    }
}

/// The value of an id that writes itself as text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Id(pub u128);

impl Serialize for Id {
    fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        let mut text = [0; Hyphenated::LENGTH];
        out.serialize_str(Uuid::from_u128(self.0).hyphenated().encode_lower(&mut text))
    }
}
