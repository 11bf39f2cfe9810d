//! What all replications of a scenario come to: figures with intervals, as data and as JSON.
//!
//! A share or a mean is the sum over all customers divided by their number; its half-width comes
//! from how the replications differ (the classical ratio estimator; Law, Simulation Modeling and
//! Analysis, 9.5), by Student's t. Nothing here runs anything.

use std::ops::Range;

use serde_json::{Map, Value, json};

use super::plan::{Class, Plan};
use super::student;
use super::tally::{AgentTally, ClassTally, Replication};

/// How sure the intervals of a report are.
const CONFIDENCE: f64 = 0.99;

/// A figure and how sure it is; nothing where there was nothing to measure.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Figure {
    pub(crate) value: Option<f64>,
    /// None with a single replication.
    pub(crate) half_width: Option<f64>,
}

/// What is measured of a class.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Measure {
    /// Of all who got to an agent on the line, those who didn't wait as 0.
    MeanWait,
    /// Answered at once, of all who came.
    NoWaitShare,
    /// Gave up, of all who came.
    AbandonedShare,
    /// Answered on the line within the service level, of all who came.
    ServiceLevel,
    /// Found no waiting place, of all who came.
    BlockedShare,
    /// Took the offer of a callback, of all who came.
    CallbackShare,
    /// From the request to the call, of those called back.
    CallbackDelay,
    /// Called within the promised window, of those with a promise who were called.
    PromisesKept,
}

/// All replications of a scenario.
#[derive(Debug)]
pub(crate) struct Outcome<'a> {
    pub(crate) plan: &'a Plan,
    pub(crate) replications: Vec<Replication>,
    pub(crate) wall_seconds: f64,
}

impl Figure {
    /// The ratio of two sums over replications.
    pub(crate) fn ratio(pairs: &[(f64, f64)], confidence: f64) -> Self {
        let (above, below) =
            pairs.iter().fold((0.0, 0.0), |sum, one| (sum.0 + one.0, sum.1 + one.1));
        if below <= 0.0 {
            return Self { value: None, half_width: None };
        }
        let value = above / below;
        let count = u32::try_from(pairs.len()).unwrap_or(u32::MAX);
        let mean = below / f64::from(count);
        let squares: f64 = pairs.iter().map(|one| ((one.0 - value * one.1) / mean).powi(2)).sum();
        let half_width = student::two_sided(confidence, count - 1)
            .map(|t| t * (squares / f64::from(count - 1) / f64::from(count)).sqrt());
        Self { value: Some(value), half_width }
    }

    fn json(self) -> Value {
        json!({ "value": self.value, "half_width_99": self.half_width })
    }
}

impl Measure {
    fn of(self, tally: &ClassTally) -> (f64, f64) {
        let all = count(tally.arrivals);
        match self {
            Self::MeanWait => (tally.waits, count(tally.answered)),
            Self::NoWaitShare => (count(tally.at_once), all),
            Self::AbandonedShare => (count(tally.abandoned), all),
            Self::ServiceLevel => (count(tally.in_time), all),
            Self::BlockedShare => (count(tally.blocked), all),
            Self::CallbackShare => (count(tally.callbacks), all),
            Self::CallbackDelay => (tally.delays, count(tally.called_back)),
            Self::PromisesKept => (count(tally.kept), count(tally.promised)),
        }
    }
}

impl Outcome<'_> {
    /// What a measure of some classes together is made of, by replication.
    pub(crate) fn pairs(&self, classes: &[usize], measure: Measure) -> Vec<(f64, f64)> {
        let pair = |one: &Replication| {
            let pairs = classes.iter().map(|class| measure.of(&one.classes[*class]));
            pairs.fold((0.0, 0.0), |sum, one| (sum.0 + one.0, sum.1 + one.1))
        };
        self.replications.iter().map(pair).collect()
    }

    /// Busy time and the time that they were there, of these agents together, by replication.
    pub(crate) fn busy_pairs(&self, agents: Range<usize>) -> Vec<(f64, f64)> {
        let pair = |one: &Replication| {
            let tallies = one.agents[agents.clone()].iter();
            tallies.fold((0.0, 0.0), |sum, agent| (sum.0 + agent.busy, sum.1 + agent.there))
        };
        self.replications.iter().map(pair).collect()
    }

    /// A count of a class over all replications.
    pub(crate) fn total(&self, class: usize, count: impl Fn(&ClassTally) -> u64) -> u64 {
        self.replications.iter().map(|one| count(&one.classes[class])).sum()
    }

    /// How many an agent served over all replications.
    pub(crate) fn served(&self, agent: usize) -> u64 {
        let of = |agent: &AgentTally| agent.served;
        self.replications.iter().map(|one| of(&one.agents[agent])).sum()
    }

    pub(crate) fn simulated_seconds(&self) -> f64 {
        self.replications.iter().map(|one| one.simulated).sum()
    }

    pub(crate) fn events(&self) -> u64 {
        self.replications.iter().map(|one| one.events).sum()
    }

    /// A class's figure at the confidence of reports.
    pub(crate) fn figure(&self, class: usize, measure: Measure) -> Figure {
        Figure::ratio(&self.pairs(&[class], measure), CONFIDENCE)
    }

    /// A group's utilisation at the confidence of reports.
    pub(crate) fn group_utilisation(&self, group: usize) -> Figure {
        let group = &self.plan.groups[group];
        Figure::ratio(&self.busy_pairs(group.first..group.first + group.size), CONFIDENCE)
    }

    /// An agent's utilisation at the confidence of reports.
    pub(crate) fn agent_utilisation(&self, agent: usize) -> Figure {
        Figure::ratio(&self.busy_pairs(agent..agent + 1), CONFIDENCE)
    }

    /// The whole result.
    pub(crate) fn json(&self) -> Value {
        let classes = self.plan.classes.iter().enumerate();
        let classes: Map<String, Value> = classes
            .map(|(number, class)| (class.id.clone(), self.class_json(number, class)))
            .collect();
        let agents = self.plan.agents.iter().enumerate().map(|(number, agent)| {
            let utilisation = self.agent_utilisation(number).json();
            let served = self.served(number);
            (agent.id.to_string(), json!({ "utilisation": utilisation, "served": served }))
        });
        let agents: Map<String, Value> = agents.collect();
        let groups = self.plan.groups.iter().enumerate().map(|(number, group)| {
            let utilisation = self.group_utilisation(number).json();
            (group.id.clone(), json!({ "utilisation": utilisation }))
        });
        let groups: Map<String, Value> = groups.collect();
        json!({
            "name": self.plan.name,
            "seed": self.plan.seed,
            "replications": self.replications.len(),
            "simulated_seconds": self.simulated_seconds(),
            "events": self.events(),
            "wall_seconds": self.wall_seconds,
            "classes": classes,
            "agents": agents,
            "groups": groups,
        })
    }

    fn class_json(&self, number: usize, class: &Class) -> Value {
        let figure = |measure| self.figure(number, measure).json();
        let promised = class.callback.as_ref().is_some_and(|option| option.promise.is_some());
        let kept = self.figure(number, Measure::PromisesKept).value.filter(|_| promised);
        json!({
            "arrivals": self.total(number, |tally| tally.arrivals),
            "served": self.total(number, |tally| tally.served),
            "abandoned": self.total(number, |tally| tally.abandoned),
            "blocked": self.total(number, |tally| tally.blocked),
            "balked": self.total(number, |tally| tally.balked),
            "callbacks": self.total(number, |tally| tally.callbacks),
            "mean_wait_seconds": figure(Measure::MeanWait),
            "no_wait_share": figure(Measure::NoWaitShare),
            "abandoned_share": figure(Measure::AbandonedShare),
            "service_level": figure(Measure::ServiceLevel),
            "callback_delay_seconds": figure(Measure::CallbackDelay),
            "promises_kept_share": kept,
            "estimate": self.estimate_json(number),
        })
    }

    /// How good the engine's estimates of the wait were, over those who had to and were answered.
    fn estimate_json(&self, number: usize) -> Value {
        let sum = |of: fn(&ClassTally) -> f64| {
            self.replications.iter().map(|one| of(&one.classes[number])).sum::<f64>()
        };
        let said = sum(|tally| count(tally.estimated));
        let mean = |total: f64| (said > 0.0).then(|| total / said);
        json!({
            "rmse_seconds": mean(sum(|tally| tally.estimate_squares)).map(f64::sqrt),
            "bias_seconds": mean(sum(|tally| tally.estimate_errors)),
            "coverage_80": mean(sum(|tally| count(tally.estimate_inside))),
        })
    }
}

/// A count as a figure.
#[expect(clippy::cast_precision_loss, reason = "counts far below 2^52")]
pub(crate) fn count(number: u64) -> f64 {
    number as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ratios_have_the_half_width_of_their_replications() {
        let figure = Figure::ratio(&[(1.0, 1.0), (2.0, 1.0), (3.0, 1.0)], 0.99);
        assert_eq!(figure.value, Some(2.0));
        // t of two degrees at 99 % is 9.9248; the deviation is 1.
        let wanted = 9.924_843 / 3.0_f64.sqrt();
        assert!((figure.half_width.unwrap() - wanted).abs() < 1e-5, "{figure:?}");
        let weighted = Figure::ratio(&[(10.0, 100.0), (1.0, 2.0)], 0.99);
        assert!((weighted.value.unwrap() - 11.0 / 102.0).abs() < 1e-12);
    }

    #[test]
    fn where_nothing_was_measured_nothing_is_said() {
        assert_eq!(Figure::ratio(&[(0.0, 0.0)], 0.99), Figure { value: None, half_width: None });
        let once = Figure::ratio(&[(1.0, 2.0)], 0.99);
        assert_eq!(once, Figure { value: Some(0.5), half_width: None });
    }
}
