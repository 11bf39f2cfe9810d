//! What is said of a wait when it begins, by the line itself and by the engine's estimator, and
//! what becomes of that.
//!
//! Separate from the run's events, which these only look at. Nothing here moves anybody.

use ringback::domain::estimate::{Ahead, Estimate};
use ringback::domain::time::Span;

use super::Run;
use crate::simulate::outcome::count;
use crate::simulate::plan::Micros;
use crate::simulate::tally::seconds;

/// What was said of a wait when it began, in seconds.
#[derive(Debug, Clone, Copy)]
pub(super) struct Foretold {
    /// By the line's length, and by how long its head has waited.
    by_line: (f64, f64),
    /// By the engine's estimator; none while it knows too little.
    by_engine: Option<Estimate>,
}

impl Run<'_> {
    /// Whether somebody who has to wait is offered a callback instead: where so long a wait is to
    /// be expected.
    pub(super) fn is_offered(&self, number: usize) -> bool {
        let Some(option) = &self.plan.classes[number].callback else { return false };
        option.offer_above_seconds <= 0.0
            || self.by_length(number).is_none_or(|wait| wait > option.offer_above_seconds)
    }

    /// The wait to be expected by those ahead, the mean conversation and the agents who are there;
    /// none where nobody is.
    fn by_length(&self, number: usize) -> Option<f64> {
        let class = &self.plan.classes[number];
        let rate: f64 = class
            .groups
            .iter()
            .map(|group| {
                let staff = count(self.floor.staff(*group) as u64);
                staff / (class.service.mean() * self.plan.groups[*group].pace[number])
            })
            .sum();
        (rate > 0.0).then(|| (count(self.line_length(class)) + 1.0) / rate)
    }

    /// What is said of a wait that begins: by the line itself (Ibrahim and Whitt 2009), and by the
    /// engine's estimator.
    pub(super) fn foretell(&mut self, number: usize) -> Option<Foretold> {
        let by_length = self.by_length(number)?;
        let class = &self.plan.classes[number];
        let small = |count: u64| u32::try_from(count).unwrap_or(u32::MAX);
        let staff: usize = class.groups.iter().map(|group| self.floor.staff(*group)).sum();
        let waiting = small(self.line_length(class));
        let ahead = Ahead { waiting, busy: small(staff as u64), free: 0 };
        let by_engine = self.estimators[class.line].estimate(ahead);
        while let Some((callback, came)) = self.lines[class.line].front().copied() {
            if self.customer(callback).is_some_and(|customer| customer.agent.is_none()) {
                let by_head = seconds(self.now - came);
                return Some(Foretold { by_line: (by_length, by_head), by_engine });
            }
            self.lines[class.line].pop_front();
        }
        Some(Foretold { by_line: (by_length, 0.0), by_engine })
    }

    /// The wait of somebody on the line is over.
    pub(super) fn learn(
        &mut self,
        class: usize,
        waited: Micros,
        said: Option<Foretold>,
        counts: bool,
    ) {
        let estimator = &mut self.estimators[self.plan.classes[class].line];
        let tally = &mut self.classes[class];
        let span = Span::millis(waited / 1_000);
        estimator.waited(span);
        let Some(Foretold { by_line, by_engine }) = said else { return };
        if counts {
            tally.compare(by_line, seconds(waited));
        }
        if let Some(estimate) = by_engine {
            let inside = estimator.score(&estimate, span);
            if counts {
                tally.score(f64::from(estimate.seconds), seconds(waited), inside);
            }
        }
    }
}
