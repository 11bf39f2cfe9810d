//! What all simulated agents of a run have seen together: counts, latencies, holds.
//!
//! One for the whole run, shared under a lock, because a histogram for each of 10,000 agents
//! would take gigabytes. It only counts; what is a violation is decided here and nowhere else.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use crate::overlap::{Hold, overlaps};
use crate::report::{Report, Spread, Unit};

/// What the spread of frames sent while agents come and go is called.
pub(crate) const UNSTEADY: &str = "coming and going";
/// Sentences about breaches that are kept.
const KEPT_VIOLATIONS: usize = 1_000;

/// Counts of a run.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) sessions: u64,
    pub(crate) reconnects: u64,
    /// Sessions that ended, or never came to be, by the reason.
    pub(crate) losses: BTreeMap<String, u64>,
    pub(crate) offers: u64,
    pub(crate) accepted: u64,
    pub(crate) declined: u64,
    pub(crate) expired: u64,
    pub(crate) revoked: u64,
    pub(crate) assigned_otherwise: u64,
    pub(crate) resumed: u64,
    pub(crate) taken_away: u64,
    pub(crate) outcomes: BTreeMap<&'static str, u64>,
    pub(crate) finished: u64,
    /// Frames answered with an error, by the problem's name.
    pub(crate) problems: BTreeMap<String, u64>,
    /// What broke the contract of the socket; the first are kept, all are counted.
    violations: Vec<String>,
    violated: usize,
    /// Agents that the server refused for good, and why.
    pub(crate) refused: Vec<String>,
    /// First `call` of each callback.
    pub(crate) called: BTreeMap<Arc<str>, Instant>,
    pub(crate) offered_holds: Vec<Hold>,
    pub(crate) assigned_holds: Vec<Hold>,
    /// When all are there and nobody leaves yet, where that is what is measured.
    pub(crate) steady: Option<Range<Instant>>,
    latencies: BTreeMap<&'static str, Spread>,
    /// Of frames sent outside of that time.
    unsteady: Spread,
}

/// The tally of a run, shared by its agents.
#[derive(Debug, Clone, Default)]
pub(crate) struct Shared(Arc<Mutex<Tally>>);

impl Shared {
    /// The tally, for a moment: nobody waits or writes while holding it.
    pub(crate) fn lock(&self) -> MutexGuard<'_, Tally> {
        self.0.lock().expect("nobody panics while holding the tally")
    }
}

impl Tally {
    /// Counts a breach of the socket's contract.
    pub(crate) fn violate(&mut self, sentence: String) {
        self.violated += 1;
        if self.violations.len() < KEPT_VIOLATIONS {
            self.violations.push(sentence);
        }
    }

    /// Counts a session that ended or never came to be.
    pub(crate) fn lost(&mut self, reason: String) {
        *self.losses.entry(reason).or_default() += 1;
    }

    /// Counts how long the answer to a frame took that has come now.
    pub(crate) fn answered(&mut self, frame: &'static str, now: Instant, took: Duration) {
        let is_steady = self
            .steady
            .as_ref()
            .is_none_or(|steady| now.checked_sub(took).is_some_and(|sent| steady.contains(&sent)));
        let spread =
            if is_steady { self.latencies.entry(frame).or_default() } else { &mut self.unsteady };
        spread.record(took);
    }

    /// Moves counts, latencies and verdicts into a report.
    pub(crate) fn report(&mut self, report: &mut Report) {
        for (name, count) in [
            ("sessions", self.sessions),
            ("reconnects", self.reconnects),
            ("offers", self.offers),
            ("accepted", self.accepted),
            ("declined", self.declined),
            ("expired", self.expired),
            ("revoked", self.revoked),
            ("assigned otherwise", self.assigned_otherwise),
            ("resumed", self.resumed),
            ("taken away", self.taken_away),
            ("finished", self.finished),
        ] {
            report.fact(name, count);
        }
        for (outcome, count) in &self.outcomes {
            report.fact(format!("outcome {outcome}"), *count);
        }
        for (reason, count) in &self.losses {
            report.fact(format!("session lost: {reason}"), *count);
        }
        for (problem, count) in &self.problems {
            report.fact(format!("problem {problem}"), *count);
        }
        let mut all = Spread::default();
        for (frame, spread) in std::mem::take(&mut self.latencies) {
            all.add(&spread);
            report.spread(frame, Unit::Milliseconds, spread);
        }
        report.spread("all frames", Unit::Milliseconds, all);
        report.spread(UNSTEADY, Unit::Milliseconds, std::mem::take(&mut self.unsteady));
        let offered = overlaps(std::mem::take(&mut self.offered_holds));
        let assigned = overlaps(std::mem::take(&mut self.assigned_holds));
        report.verdict("offered twice", offered.len());
        report.verdict("assigned twice", assigned.len());
        report.verdict("contract broken", self.violated);
        report.verdict("agents refused", self.refused.len());
        report.violations(offered);
        report.violations(assigned);
        report.violations(std::mem::take(&mut self.violations));
        report.violations(std::mem::take(&mut self.refused));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock;

    #[test]
    fn frames_sent_while_agents_come_and_go_are_told_apart() {
        let from = clock::now();
        let second = Duration::from_secs(1);
        let mut tally = Tally { steady: Some(from..from + 2 * second), ..Tally::default() };
        for (answered, took) in [(0, 1), (1, 1), (3, 2), (3, 1)] {
            tally.answered("presence", from + second * answered, second * took);
        }
        let mut report = Report::new("agents");
        tally.report(&mut report);
        let times = report.to_json()["times"].clone();
        assert_eq!(
            (&times["all frames"]["count"], &times["presence"]["count"]),
            (&2.into(), &2.into())
        );
        assert_eq!(times[UNSTEADY]["count"], 2);
    }
}
