//! How good estimates were, and how long callbacks took: what a queue publishes of itself.

use std::collections::VecDeque;

use super::{Estimate, seconds};
use crate::domain::time::{Span, Timestamp};

/// Estimates beyond these are forgotten.
const SCORES: usize = 500;

/// The mean is that of the last hour if it has so many, else of the last day.
const CALLED_LEAST: u32 = 5;

/// Minutes of a day.
const DAY: i64 = 24 * 60;

/// How good the last estimates were.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Accuracy {
    /// How many were scored; 500 at most.
    pub scored: u32,
    /// The share of waits inside their range.
    pub inside_share: f64,
    /// Half of the estimates were off by no more, in seconds.
    pub median_error_seconds: u32,
}

/// The last estimates, each with what became of it.
#[derive(Debug, Clone, Default)]
pub struct Scores {
    /// Whether the wait was inside, and by how many seconds the estimate was off.
    last: VecDeque<(bool, u32)>,
    accuracy: Option<Accuracy>,
}

impl Scores {
    /// Notes an estimate whose wait is over.
    pub fn note(&mut self, estimate: &Estimate, waited: Span, inside: bool) {
        let off = (waited.0 - Span::seconds(estimate.seconds).0).unsigned_abs();
        let off = u32::try_from(off.saturating_add(500) / 1_000).unwrap_or(u32::MAX);
        self.last.push_back((inside, off));
        if self.last.len() > SCORES {
            self.last.pop_front();
        }
        let mut errors: Vec<u32> = self.last.iter().map(|(_, error)| *error).collect();
        let middle = (errors.len() - 1) / 2;
        let (_, median, _) = errors.select_nth_unstable(middle);
        let median_error_seconds = *median;
        let count = |scored: usize| u32::try_from(scored).unwrap_or(u32::MAX);
        let inside = count(self.last.iter().filter(|(inside, _)| *inside).count());
        let scored = count(self.last.len());
        let inside_share = f64::from(inside) / f64::from(scored);
        self.accuracy = Some(Accuracy { scored, inside_share, median_error_seconds });
    }

    /// How good they were; none before the first.
    pub fn accuracy(&self) -> Option<Accuracy> {
        self.accuracy
    }
}

/// The mean time from request to first call, over the last hour or day; kept by the minute.
#[derive(Debug, Clone, Default)]
pub struct MeanDelay {
    /// Minutes in which callbacks were first called: how many, and what they took together.
    minutes: VecDeque<(i64, u32, Span)>,
}

impl MeanDelay {
    /// Notes a callback that was first called at `at`, so long after it was asked for.
    pub fn note(&mut self, at: Timestamp, delay: Span) {
        let minute = minute(at);
        self.forget(minute);
        let delay = delay.max(Span::ZERO);
        let place = self.minutes.partition_point(|(one, _, _)| *one < minute);
        match self.minutes.get_mut(place).filter(|(one, _, _)| *one == minute) {
            Some((_, count, total)) => {
                *count += 1;
                *total += delay;
            }
            None => self.minutes.insert(place, (minute, 1, delay)),
        }
    }

    /// The mean in seconds, seen from `now`; none where too few were called.
    pub fn mean(&self, now: Timestamp) -> Option<u32> {
        let since = |minutes: i64| {
            let recent = self.minutes.iter().filter(|(one, _, _)| *one > minute(now) - minutes);
            recent.fold((0_u32, Span::ZERO), |(count, total), (_, more, delay)| {
                (count + more, total + *delay)
            })
        };
        let enough = |(count, _): &(u32, Span)| *count >= CALLED_LEAST;
        let hour = Some(since(60)).filter(enough);
        let (count, total) = hour.or_else(|| Some(since(DAY)).filter(enough))?;
        Some(super::down(seconds(total) / f64::from(count) + 0.5))
    }

    fn forget(&mut self, now: i64) {
        while self.minutes.front().is_some_and(|(one, _, _)| *one <= now - DAY) {
            self.minutes.pop_front();
        }
    }
}

fn minute(at: Timestamp) -> i64 {
    at.0.div_euclid(60_000)
}

#[cfg(test)]
mod tests {
    use super::super::Basis;
    use super::*;

    #[test]
    fn accuracy_is_that_of_the_last_estimates() {
        let mut scores = Scores::default();
        assert_eq!(scores.accuracy(), None);
        let told = Estimate { basis: Basis::Line, seconds: 60, low: 20, high: 90 };
        for (waited, inside) in [(55, true), (70, true), (100, false)] {
            scores.note(&told, Span::seconds(waited), inside);
        }
        let accuracy = scores.accuracy().unwrap();
        assert_eq!((accuracy.scored, accuracy.median_error_seconds), (3, 10));
        assert!((accuracy.inside_share - 2.0 / 3.0).abs() < 1e-9);
        for _ in 0..SCORES {
            scores.note(&told, Span::millis(61_600), true);
        }
        let accuracy = scores.accuracy().unwrap();
        assert_eq!((accuracy.scored, accuracy.median_error_seconds), (500, 2));
        assert!((accuracy.inside_share - 1.0).abs() < 1e-9, "the others are forgotten");
    }

    #[test]
    fn the_mean_delay_is_the_hours_then_the_days_then_none() {
        let at = |minutes: u32| Timestamp(0) + Span::minutes(minutes);
        let mut delay = MeanDelay::default();
        for _ in 0..4 {
            delay.note(at(10), Span::seconds(100));
        }
        assert_eq!(delay.mean(at(10)), None, "four say nothing");
        delay.note(at(100), Span::seconds(601));
        assert_eq!(delay.mean(at(100)), Some(200), "five of the day");
        for _ in 0..4 {
            delay.note(at(120), Span::seconds(1));
        }
        assert_eq!(delay.mean(at(120)), Some(121), "five of the hour");
        assert_eq!(delay.mean(at(159)), Some(121));
        assert_eq!(delay.mean(at(160)), Some(112), "nine of the day");
        assert_eq!(delay.mean(at(10 + DAY_MINUTES)), Some(121));
        assert_eq!(delay.mean(at(120 + DAY_MINUTES)), None);
        delay.note(at(200 + DAY_MINUTES), Span::seconds(1));
        assert_eq!(delay.minutes.len(), 1, "what is older than a day is forgotten");
    }

    const DAY_MINUTES: u32 = 24 * 60;
}
