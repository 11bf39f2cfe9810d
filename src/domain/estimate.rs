//! How long a customer will wait: a published estimator, with a range that keeps its own promise.
//!
//! The estimator is the one for Markovian patience, given that the customer is served: with `s`
//! agents busy, services of mean `1/μ`, waiting customers who give up at rate `θ` each, and `Q`
//! ahead, the wait is a sum of independent exponential times of the rates `sμ + (i + 1)θ` for
//! `i = 0 … Q` (W. Whitt, *Improving service by informing customers about anticipated delays*,
//! Management Science 45, 1999; R. Ibrahim and W. Whitt, *Real-time delay estimation in
//! overloaded multiserver queues with abandonments*, Management Science 55, 2009). Its mean is
//! the estimate. Real services aren't exponential and agents come and go, so the quantiles of that
//! sum cover less than they say; `band` learns by how much.
//!
//! Separate from the queue's machine so that it can be run over data by itself. It must stay
//! cheap: a few additions per event, and an estimate that doesn't grow with the line.

mod band;
mod scores;

use std::collections::VecDeque;

use band::Band;
pub use scores::{Accuracy, MeanDelay, Scores};

use super::time::Span;

/// The mean service is that of so many services.
const SERVICES: usize = 200;

/// Fewer services than this say nothing.
const SERVICES_LEAST: usize = 5;

/// Customers who gave up are counted up to here; then old ones count half, so that patience is
/// learned anew where customers change.
const GAVE_UP_MOST: u32 = 20_000;

/// Terms of the sum that are added one by one; the rest is integrated.
const EXACT_TERMS: u32 = 64;

/// What a customer was told when they were queued.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Estimate {
    /// What it rests on.
    pub basis: Basis,
    /// The wait expected, in seconds.
    pub seconds: u32,
    /// The wait is at least this, in seconds, and at most `high`, for 80 of 100.
    pub low: u32,
    /// See `low`.
    pub high: u32,
}

/// What an estimate rests on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Basis {
    /// An agent is free and nobody is ahead: there is nothing to wait for but the agent's answer.
    FreeAgent,
    /// The line ahead, and those who work at it.
    Line,
}

/// A line, as somebody finds it who joins it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ahead {
    /// Waiting customers who are served before.
    pub waiting: u32,
    /// Agents who have work of the queue.
    pub busy: u32,
    /// Agents who have room for more.
    pub free: u32,
}

/// What has been seen of a queue, as far as it says how long one waits there.
#[derive(Debug, Clone, Default)]
pub struct Estimator {
    /// The last services, oldest first, and their sum.
    services: VecDeque<Span>,
    services_total: Span,
    /// Customers who gave up while waiting.
    gave_up: u32,
    /// What all customers together have waited.
    waited: Span,
    band: Band,
}

impl Estimator {
    /// An estimator that has seen nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// An agent has finished with a customer.
    pub fn served(&mut self, service: Span) {
        let service = service.max(Span::ZERO);
        self.services.push_back(service);
        self.services_total += service;
        if self.services.len() > SERVICES
            && let Some(oldest) = self.services.pop_front()
        {
            self.services_total = self.services_total - oldest;
        }
    }

    /// Customers have waited, all of them together.
    pub fn waited(&mut self, together: Span) {
        self.waited += together.max(Span::ZERO);
    }

    /// A waiting customer gave up.
    pub fn gave_up(&mut self) {
        self.gave_up += 1;
        if self.gave_up >= GAVE_UP_MOST {
            self.gave_up /= 2;
            self.waited = Span(self.waited.0 / 2);
        }
    }

    /// How long somebody will wait who finds the line like that; none where too little is known.
    pub fn estimate(&self, ahead: Ahead) -> Option<Estimate> {
        if ahead.free > 0 && ahead.waiting == 0 {
            let high = self.band.answers_within();
            return Some(Estimate { basis: Basis::FreeAgent, seconds: 0, low: 0, high });
        }
        let wait = self.wait(ahead)?;
        let (low, high) = self.band.range(wait);
        let (low, high) = (down(low), up(high));
        Some(Estimate { basis: Basis::Line, seconds: down(wait.mean + 0.5), low, high })
    }

    /// The wait as its mean and variance, in seconds.
    fn wait(&self, ahead: Ahead) -> Option<Wait> {
        let drain = f64::from(ahead.busy) / self.mean_service()?;
        let waited = seconds(self.waited);
        let patience = if waited > 0.0 { f64::from(self.gave_up) / waited } else { 0.0 };
        (drain > 0.0).then(|| Wait::of(ahead.waiting, drain, patience))
    }

    /// The mean of the last services, in seconds.
    pub fn mean_service(&self) -> Option<f64> {
        let count = u32::try_from(self.services.len()).ok()?;
        let mean = seconds(self.services_total) / f64::from(count);
        (self.services.len() >= SERVICES_LEAST && mean > 0.0).then_some(mean)
    }

    /// The same as a span.
    pub fn handling(&self) -> Option<Span> {
        let count = i64::try_from(self.services.len()).ok()?;
        let enough = self.services.len() >= SERVICES_LEAST && self.services_total > Span::ZERO;
        enough.then(|| Span(self.services_total.0 / count))
    }

    /// Learns from an estimate whose wait is over. True: the wait was inside its range.
    pub fn score(&mut self, estimate: &Estimate, waited: Span) -> bool {
        self.band.learn(estimate, waited)
    }
}

/// A wait's mean and variance.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Wait {
    /// In seconds.
    mean: f64,
    /// In seconds squared.
    variance: f64,
}

impl Wait {
    /// The sum of exponential times of rates `drain + (i + 1) patience`, `i = 0 … ahead`: means
    /// and variances add. Beyond the first terms by Euler and Maclaurin's formula, which is off
    /// by less than one part in a million there, so that it costs the same at any length.
    fn of(ahead: u32, drain: f64, patience: f64) -> Self {
        let rate = |term: u32| (f64::from(term) + 1.0).mul_add(patience, drain);
        let (mut mean, mut variance) = (0.0, 0.0);
        for term in 0..=ahead.min(EXACT_TERMS - 1) {
            mean += rate(term).recip();
            variance += rate(term).powi(-2);
        }
        if ahead >= EXACT_TERMS {
            let (first, last) = (rate(EXACT_TERMS), rate(ahead));
            let between = f64::from(ahead - EXACT_TERMS);
            // ∫ dx / (a + θx) = ln(1 + θn/a) / θ, which is n/a where nobody gives up.
            let grown = between * patience / first;
            let integral = if grown > 1e-9 { grown.ln_1p() / patience } else { between / first };
            let slope = |power: i32| patience * (first.powi(-power) - last.powi(-power)) / 12.0;
            mean += integral + f64::midpoint(first.recip(), last.recip()) + slope(2);
            variance += between / (first * last)
                + f64::midpoint(first.powi(-2), last.powi(-2))
                + 2.0 * slope(3);
        }
        Self { mean, variance }
    }
}

/// Seconds, with what is less than one.
#[expect(clippy::cast_precision_loss, reason = "52 bits of milliseconds are 140,000 years")]
fn seconds(span: Span) -> f64 {
    span.0 as f64 / 1_000.0
}

/// Whole seconds, rounded down.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "such a cast ends at the least and the greatest number"
)]
fn down(seconds: f64) -> u32 {
    seconds.floor() as u32
}

/// Whole seconds, rounded up.
fn up(seconds: f64) -> u32 {
    down(seconds.ceil())
}

#[cfg(test)]
mod tests;
