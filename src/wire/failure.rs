//! What was given up, as the list of failures shows it.

use serde::Serialize;

use super::instant::Instant;
use crate::domain::dispatch::{Failure, Undelivered};

/// Something that was given up.
#[derive(Debug, Serialize)]
pub struct FailureBody<'a> {
    id: u64,
    kind: &'static str,
    name: &'a str,
    callback_id: Option<String>,
    event_id: Option<u64>,
    attempts: u32,
    first_attempt_at: Instant,
    failed_at: Instant,
    reason: &'a str,
}

impl<'a> FailureBody<'a> {
    /// A failure.
    pub fn new(failure: &'a Failure) -> Self {
        let (name, event_id) = match &failure.what {
            Undelivered::Dispatch(dispatch) => (dispatch.name(), None),
            Undelivered::Webhook { webhook, event, callback: _ } => {
                (webhook.as_str(), Some(*event))
            }
        };
        Self {
            id: failure.id,
            kind: failure.what.kind(),
            name,
            callback_id: failure.what.callback().map(|callback| callback.to_string()),
            event_id,
            attempts: failure.tries,
            first_attempt_at: Instant(failure.first_try),
            failed_at: Instant(failure.failed_at),
            reason: &failure.reason,
        }
    }
}
