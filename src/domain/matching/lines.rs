//! Work of one signature in the order in which it is taken.
//!
//! It is separate because the same lines stand in two places: what is open to every eligible
//! agent stands at its signature, what waits for one agent stands at that agent.

use std::collections::BTreeSet;

use crate::domain::ids::CallbackId;
use crate::domain::rank::Rank;
use crate::domain::time::Timestamp;

/// What decides which work a freed agent takes: the smallest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Turn {
    /// The deadline of a promise that is about to break; `NEVER` for all else.
    pub(crate) deadline: Timestamp,
    /// The pair's; 0 with a deadline, where it doesn't count, and 1 for what has aged.
    pub(crate) preference: u8,
    pub(crate) rank: Rank,
    pub(crate) id: CallbackId,
}

/// Where a callback stands in its lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Standing {
    /// The deadline of its promise, once that is about to break.
    pub(crate) urgent: Option<Timestamp>,
    /// It has waited so long that it counts as preference 1 for everybody.
    pub(crate) aged: bool,
    pub(crate) rank: Rank,
    pub(crate) id: CallbackId,
}

impl Standing {
    /// Its turn at an agent of that preference.
    pub(crate) fn turn(&self, preference: u8) -> Turn {
        let deadline = self.urgent.unwrap_or(Timestamp::NEVER);
        let preference = match (self.urgent, self.aged) {
            (Some(_), _) => 0,
            (None, true) => 1,
            (None, false) => preference,
        };
        Turn { deadline, preference, rank: self.rank, id: self.id }
    }
}

/// Three lines, each in its own order.
#[derive(Debug, Default)]
pub(crate) struct Lines {
    /// Promises about to break: by deadline.
    urgent: BTreeSet<(Timestamp, Rank, CallbackId)>,
    /// Preference 1 for everybody: by rank.
    aged: BTreeSet<(Rank, CallbackId)>,
    /// All else: by rank.
    fresh: BTreeSet<(Rank, CallbackId)>,
}

impl Lines {
    pub(crate) fn is_empty(&self) -> bool {
        self.urgent.is_empty() && self.aged.is_empty() && self.fresh.is_empty()
    }

    pub(crate) fn insert(&mut self, standing: &Standing) {
        let Standing { rank, id, .. } = *standing;
        let new = match (standing.urgent, standing.aged) {
            (Some(deadline), _) => self.urgent.insert((deadline, rank, id)),
            (None, true) => self.aged.insert((rank, id)),
            (None, false) => self.fresh.insert((rank, id)),
        };
        assert!(new, "a callback stands in line once");
    }

    pub(crate) fn remove(&mut self, standing: &Standing) {
        let Standing { rank, id, .. } = *standing;
        let found = match (standing.urgent, standing.aged) {
            (Some(deadline), _) => self.urgent.remove(&(deadline, rank, id)),
            (None, true) => self.aged.remove(&(rank, id)),
            (None, false) => self.fresh.remove(&(rank, id)),
        };
        assert!(found, "a callback is taken out of the line that it stands in");
    }

    /// What an agent of that preference takes first, leaving out what is excluded for them. It
    /// looks at one item more than are excluded.
    pub(crate) fn first(
        &self,
        preference: u8,
        excluded: impl Fn(CallbackId) -> bool,
    ) -> Option<Turn> {
        let pressing = self.first_pressing(&excluded);
        if pressing.is_some_and(|turn| turn.deadline < Timestamp::NEVER) {
            return pressing;
        }
        pressing.into_iter().chain(first_by_rank(&self.fresh, preference, excluded)).min()
    }

    /// The first of what is about to break its promise, else of what has aged; at everybody alike.
    pub(crate) fn first_pressing(&self, excluded: impl Fn(CallbackId) -> bool) -> Option<Turn> {
        let urgent = self.urgent.iter().find(|(_, _, id)| !excluded(*id));
        let urgent = urgent.map(|&(deadline, rank, id)| Turn { deadline, preference: 0, rank, id });
        urgent.or_else(|| first_by_rank(&self.aged, 1, excluded))
    }

    /// All that stands here, in no order that matters.
    pub(crate) fn ids(&self) -> impl Iterator<Item = CallbackId> {
        let urgent = self.urgent.iter().map(|(_, _, id)| *id);
        urgent.chain(self.aged.iter().chain(&self.fresh).map(|(_, id)| *id))
    }
}

/// What stands first in a line that goes by rank.
fn first_by_rank(
    line: &BTreeSet<(Rank, CallbackId)>,
    preference: u8,
    excluded: impl Fn(CallbackId) -> bool,
) -> Option<Turn> {
    let &(rank, id) = line.iter().find(|(_, id)| !excluded(*id))?;
    Some(Turn { deadline: Timestamp::NEVER, preference, rank, id })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn standing(id: u128, rank: i64) -> Standing {
        Standing { urgent: None, aged: false, rank: Rank(rank), id: CallbackId(id) }
    }

    fn first(lines: &Lines, preference: u8) -> Option<u128> {
        lines.first(preference, |_| false).map(|turn| turn.id.0)
    }

    #[test]
    fn urgent_goes_first_then_preference_then_rank_then_id() {
        let mut lines = Lines::default();
        assert_eq!(first(&lines, 1), None);
        lines.insert(&standing(2, 10));
        lines.insert(&standing(1, 10));
        assert_eq!(first(&lines, 1), Some(1), "ties by id");
        lines.insert(&Standing { aged: true, ..standing(3, 20) });
        assert_eq!(first(&lines, 1), Some(1), "at preference 1 the rank alone counts");
        assert_eq!(first(&lines, 2), Some(3), "what has aged counts as preference 1");
        lines.insert(&Standing { urgent: Some(Timestamp(500)), ..standing(4, 30) });
        lines.insert(&Standing { urgent: Some(Timestamp(400)), aged: true, ..standing(5, 40) });
        assert_eq!(first(&lines, 1), Some(5), "the earliest deadline");
        lines.remove(&Standing { urgent: Some(Timestamp(400)), aged: true, ..standing(5, 40) });
        assert_eq!(first(&lines, 1), Some(4));
    }

    #[test]
    fn what_is_excluded_is_passed_over() {
        let mut lines = Lines::default();
        lines.insert(&standing(1, 10));
        lines.insert(&standing(2, 20));
        let turn = lines.first(3, |id| id == CallbackId(1));
        assert_eq!(turn, Some(standing(2, 20).turn(3)));
        assert_eq!(lines.first(3, |_| true), None);
    }
}
