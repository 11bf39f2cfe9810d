//! A number on the deny list, as it comes in and is shown.

use serde::Serialize;

use super::instant::Instant;
use super::settings::fields::Fields;
use super::text::{REASON_MAX, line};
use crate::domain::denied::Denied;

/// A number on the deny list.
#[derive(Debug, Serialize)]
pub struct DeniedBody<'a> {
    phone: &'a str,
    reason: Option<&'a str>,
    since: Instant,
    by: &'static str,
}

impl<'a> DeniedBody<'a> {
    /// The number with what is said of it.
    pub fn new(denied: &'a Denied) -> Self {
        Self {
            phone: denied.phone.as_str(),
            reason: denied.reason.as_deref(),
            since: Instant(denied.since),
            by: denied.by.as_str(),
        }
    }
}

/// Reads why a number is denied, and nothing else.
pub fn read_reason(fields: &mut Fields<'_>) -> Option<String> {
    fields.parsed("reason", line(REASON_MAX))
}
