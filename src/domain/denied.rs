//! The deny list: numbers that aren't called, whoever asks.

use super::event::By;
use super::phone::PhoneNumber;
use super::time::Timestamp;

/// A number on the deny list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Denied {
    /// The number.
    pub phone: PhoneNumber,
    /// When it was put there, by the wall clock.
    pub since: Timestamp,
    /// Who put it there.
    pub by: By,
    /// Why, in words.
    pub reason: Option<String>,
    /// Rises with each change, for `ETag`; above that of any entry that the number had before.
    pub version: u64,
}
