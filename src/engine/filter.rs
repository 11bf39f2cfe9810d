//! Remembers which keys were used, in 4 bytes each, so that a new key needs no read of the store.
//!
//! It answers "no" only where that is certain: everything used since `complete_since` is in it.
//! Before that, and beyond its bound, it answers "maybe", and the store is read. It never says
//! that a key was used: two keys may share a hash.

use super::hashes::Hashes;
use crate::domain::time::{Span, Timestamp};

/// The hashes used within the last `span` to twice `span`, in two generations.
#[derive(Debug)]
pub(crate) struct Filter {
    newer: Hashes,
    older: Hashes,
    newer_since: Timestamp,
    /// All that was used from here on was put in.
    complete_since: Timestamp,
    /// How long a used key matters.
    span: Span,
    /// The most hashes in both generations together.
    bound: usize,
}

impl Filter {
    /// Keys matter for `span`; all used from `complete_since` on will be put in.
    pub(crate) fn new(span: Span, complete_since: Timestamp, now: Timestamp, bound: usize) -> Self {
        let (newer, older) = (Hashes::default(), Hashes::default());
        Self { newer, older, newer_since: now, complete_since, span, bound }
    }

    /// Whether the key may have been used within `span`; false is certain.
    pub(crate) fn maybe(&mut self, hash: u64, now: Timestamp) -> bool {
        self.turn(now);
        now - self.span < self.complete_since
            || self.newer.contains(hash)
            || self.older.contains(hash)
    }

    /// The key is used. `now` never runs backwards: it is the steady clock's.
    pub(crate) fn put(&mut self, hash: u64, now: Timestamp) {
        self.turn(now);
        if self.newer.len() + self.older.len() < self.bound {
            self.newer.insert(hash);
        } else {
            // What isn't put in can't be denied: complete only from here on.
            self.complete_since = now + Span::millis(1);
        }
    }

    /// Drops the older generation when the newer one is `span` old; both when it is twice that.
    fn turn(&mut self, now: Timestamp) {
        while now.since(self.newer_since) >= self.span {
            self.older = std::mem::take(&mut self.newer);
            let empty = self.older.is_empty();
            self.newer_since = if empty { now } else { self.newer_since + self.span };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: Span = Span::days(1);

    fn at(hours: u32) -> Timestamp {
        Timestamp(1_000_000_000) + Span::minutes(hours * 60)
    }

    #[test]
    fn what_was_used_within_the_span_is_never_denied() {
        for used in [0, 1, 12, 23, 24, 30, 47] {
            let mut filter = Filter::new(DAY, Timestamp(0), at(0), 100);
            for hour in 0..used {
                filter.put(u64::from(hour) + 1_000, at(hour));
            }
            filter.put(7, at(used));
            for later in 0..24 {
                assert!(filter.maybe(7, at(used + later)), "used at {used}, asked {later} h later");
            }
        }
    }

    #[test]
    fn what_was_not_used_is_denied_and_what_is_old_is_forgotten() {
        let mut filter = Filter::new(DAY, Timestamp(0), at(0), 100);
        filter.put(7, at(0));
        assert!(!filter.maybe(8, at(1)));
        filter.put(9, at(25));
        assert!(!filter.maybe(7, at(49)));
    }

    #[test]
    fn until_it_is_complete_it_denies_nothing() {
        let mut filter = Filter::new(DAY, at(0), at(0), 100);
        assert!(filter.maybe(8, at(0)));
        assert!(filter.maybe(8, at(23)));
        assert!(!filter.maybe(8, at(24)));
    }

    #[test]
    fn at_its_bound_it_denies_nothing_until_a_span_has_passed_without() {
        let mut filter = Filter::new(DAY, Timestamp(0), at(0), 2);
        filter.put(1, at(0));
        filter.put(2, at(1));
        assert!(!filter.maybe(3, at(2)));
        filter.put(3, at(2));
        assert!(filter.maybe(3, at(2)) && filter.maybe(4, at(20)));
        filter.put(5, at(50));
        assert!(!filter.maybe(4, at(50)));
        assert!(filter.maybe(5, at(50)));
    }
}
