//! A queue, as far as routing needs it.

use std::collections::BTreeSet;

use super::agents::AgentState;
use super::registry::No;
use super::signatures::Signature;
use crate::domain::ids::{CallbackId, QueueId};
use crate::domain::policy::Strategy;
use crate::domain::queue::Queue;
use crate::domain::time::Span;

/// What of a queue's settings decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Rules {
    pub(crate) strategy: Strategy,
    /// After so much waiting every eligible agent counts as preference 1.
    pub(crate) preference_limit: Option<Span>,
    /// From this long before it breaks a promise goes first.
    pub(crate) promise_slack: Span,
    pub(crate) offers_paused: bool,
}

impl Rules {
    pub(crate) fn of(queue: &Queue) -> Self {
        let settings = &queue.settings;
        let limit = settings.preference_limit_seconds;
        Self {
            strategy: settings.strategy,
            preference_limit: (limit > 0).then(|| Span::seconds(limit)),
            promise_slack: Span::seconds(settings.promise_slack_seconds),
            offers_paused: queue.offers_paused.is_some(),
        }
    }
}

/// A queue and what is filed under it.
#[derive(Debug)]
pub(crate) struct QueueState {
    pub(crate) id: QueueId,
    /// None while only others have spoken of it: letters of different senders may cross.
    pub(crate) rules: Option<Rules>,
    /// Agents who serve it.
    pub(crate) members: BTreeSet<No<AgentState>>,
    pub(crate) signatures: BTreeSet<No<Signature>>,
    /// Work that found no room in the table of signatures.
    pub(crate) overflow: BTreeSet<CallbackId>,
    /// Those signatures, and that work, for which room is kept.
    pub(crate) pressing: BTreeSet<No<Signature>>,
    pub(crate) pressing_overflow: BTreeSet<CallbackId>,
}

impl QueueState {
    pub(crate) const fn new(id: QueueId) -> Self {
        Self {
            id,
            rules: None,
            members: BTreeSet::new(),
            signatures: BTreeSet::new(),
            overflow: BTreeSet::new(),
            pressing: BTreeSet::new(),
            pressing_overflow: BTreeSet::new(),
        }
    }

    /// Whether its work may be proposed.
    pub(crate) fn offers(&self) -> bool {
        self.rules.is_some_and(|rules| !rules.offers_paused)
    }

    pub(crate) fn strategy(&self) -> Strategy {
        self.rules.map_or(Strategy::LongestIdle, |rules| rules.strategy)
    }
}
