//! An agent's tallies, and how they stand, from which their time follows.

use super::AgentTally;
use super::facts::Standing;
use super::series::{SLOT, Series};
use super::start_of;
use crate::domain::agent::Presence;
use crate::domain::time::{Span, Timestamp};

/// Longer than that between two looks at an agent, nobody watched: the machine slept, or its clock
/// was set.
const UNWATCHED: Span = Span::minutes(3);

/// An agent's book.
#[derive(Debug, Clone)]
pub(super) struct AgentBook {
    pub(super) series: Series<AgentTally>,
    pub(super) standing: Standing,
    pub(super) connected: bool,
    pub(super) held: u32,
    /// Up to when their time is counted.
    pub(super) counted_to: Timestamp,
}

impl AgentBook {
    pub(super) fn new(now: Timestamp) -> Self {
        let standing = Standing { presence: Presence::Offline, reason: None, units: 0 };
        let series = Series::default();
        Self { series, standing, connected: false, held: 0, counted_to: now }
    }

    /// Whether there is time to count.
    pub(super) fn is_on(&self) -> bool {
        self.standing.presence != Presence::Offline || self.held > 0
    }

    /// The time since it was counted last, cut at the borders of slots, which are borders of
    /// quarters too.
    pub(super) fn uncounted(&self, now: Timestamp) -> Vec<(Timestamp, AgentTally)> {
        let mut pieces = Vec::new();
        let end = now.min(self.counted_to + UNWATCHED);
        let mut from = self.counted_to;
        while self.is_on() && from < end {
            let to = end.min(start_of(from, SLOT) + SLOT);
            pieces.push((from, self.tally_of(to.since(from))));
            from = to;
        }
        pieces
    }

    fn tally_of(&self, span: Span) -> AgentTally {
        let mut tally = AgentTally::default();
        let Standing { presence, reason, units } = &self.standing;
        if *presence != Presence::Offline {
            tally.present(*presence, reason.as_deref(), span);
        }
        let works = *presence == Presence::Available && self.connected;
        let available = if works { self.held.max(*units) } else { self.held };
        tally.held = Span(span.0.saturating_mul(i64::from(self.held)));
        tally.available = Span(span.0.saturating_mul(i64::from(available)));
        tally
    }
}
