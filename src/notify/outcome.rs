//! What became of one attempt to tell the world something.
//!
//! Separate from the adapters, because the outbox treats all of them alike. Must never hold an
//! address, a token or a customer's data: reasons are stored, listed and logged.

use crate::domain::time::Span;

/// What became of one attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome<T = ()> {
    /// Done; what came of it.
    Delivered(T),
    /// Not now. Trying again is safe, also where the other side may have done it already.
    Later {
        /// Why, in a few words for the list of failures.
        reason: String,
        /// How long the other side asked to be left alone.
        retry_after: Option<Span>,
    },
    /// Trying again can't help until somebody changes something.
    GivenUp {
        /// Why, in a few words for the list of failures.
        reason: String,
    },
}

impl<T> Outcome<T> {
    /// Not now, and the other side didn't say until when.
    pub fn later(reason: impl Into<String>) -> Self {
        Self::Later { reason: reason.into(), retry_after: None }
    }

    /// Never, as things are.
    pub fn given_up(reason: impl Into<String>) -> Self {
        Self::GivenUp { reason: reason.into() }
    }
}
