//! When customers come: the processes of a scenario, each a stream of instants.
//!
//! Separate from the other draws because an arrival depends on the one before, on the time of day
//! or on a file. It never looks at what becomes of anybody.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result, ensure};

use super::dice::Dice;
use super::plan::{Micros, micros};
use super::scenario;
use crate::bank;

/// The process of a class.
#[derive(Debug, Clone)]
pub(crate) enum Arrivals {
    /// Times between arrivals are alike: their mean in seconds, and how they are spread.
    Renewal { gap: f64, spread: Spread },
    /// Poisson, with a rate per second in each period of a day that begins anew at its end.
    Periods { period: f64, rates: Vec<f64>, busyness: Option<[f64; 2]> },
    /// Those of a file.
    Trace(Arc<Traced>),
}

/// How times between arrivals are spread.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Spread {
    Exponential,
    Deterministic,
    Hyperexponential { scv: f64 },
}

/// Calls of a day of a real call centre.
#[derive(Debug, Clone)]
pub(crate) struct Traced {
    calls: Vec<Call>,
    pub(crate) mean_service: f64,
}

/// A call as it was. Times are in seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Call {
    /// After midnight.
    pub(crate) at: u32,
    /// How long they waited on the line.
    pub(crate) waited: u32,
    /// How long they talked, if they did.
    pub(crate) talked: Option<u32>,
}

/// Somebody who comes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Coming {
    pub(crate) at: Micros,
    /// What the trace says of them.
    pub(crate) call: Option<Call>,
}

impl Traced {
    /// Reads the calls of a day of these types, or of all.
    pub(crate) fn read(path: &Path, date: &str, types: Option<&[String]>) -> Result<Self> {
        let mut rows = bank::day(bank::read(path)?, date)?;
        if let Some(types) = types {
            let known = bank::kinds(&rows);
            let stranger = types.iter().find(|kind| !known.contains(*kind));
            ensure!(
                stranger.is_none(),
                "types: {:?} didn't call on that day; there are {}",
                stranger.map_or("", String::as_str),
                known.into_iter().collect::<Vec<_>>().join(", ")
            );
            rows.retain(|row| types.contains(&row.kind));
        }
        Self::of(&rows)
    }

    /// The calls of these rows.
    fn of(rows: &[bank::Row]) -> Result<Self> {
        let served = rows.iter().filter_map(|row| row.service.as_ref());
        let served: Vec<f64> = served.map(|service| f64::from(service.seconds)).collect();
        ensure!(!served.is_empty(), "nobody was served on that day");
        let count = u32::try_from(served.len()).context("a day's calls")?;
        Ok(Self::with_mean(rows, served.iter().sum::<f64>() / f64::from(count)))
    }

    /// The calls of these rows; who wasn't served would have talked for so long.
    pub(crate) fn with_mean(rows: &[bank::Row], mean_service: f64) -> Self {
        let call = |row: &bank::Row| {
            let talked = row.service.as_ref().map(|service| service.seconds);
            Some(Call { at: row.asked_at?, waited: row.waited.unwrap_or(0), talked })
        };
        let mut calls: Vec<_> = rows.iter().filter_map(call).collect();
        calls.sort_unstable();
        Self { calls, mean_service }
    }
}

impl Arrivals {
    pub(crate) fn new(arrivals: &scenario::Arrivals, trace: Option<Traced>) -> Result<Self> {
        let gap = |rate: f64| {
            ensure!(
                rate.is_finite() && rate > 0.0,
                "rate_per_hour must be more than 0, not {rate}"
            );
            Ok(3_600.0 / rate)
        };
        Ok(match arrivals {
            scenario::Arrivals::Poisson { rate_per_hour } => {
                Self::Renewal { gap: gap(*rate_per_hour)?, spread: Spread::Exponential }
            }
            scenario::Arrivals::Deterministic { rate_per_hour } => {
                Self::Renewal { gap: gap(*rate_per_hour)?, spread: Spread::Deterministic }
            }
            scenario::Arrivals::Hyperexponential { rate_per_hour, scv } => {
                ensure!(scv.is_finite() && *scv >= 1.0, "scv must be at least 1, not {scv}");
                let spread = Spread::Hyperexponential { scv: *scv };
                Self::Renewal { gap: gap(*rate_per_hour)?, spread }
            }
            scenario::Arrivals::Periods { period_seconds, rates_per_hour, busyness_gamma } => {
                ensure!(
                    period_seconds.is_finite() && *period_seconds > 0.0,
                    "period_seconds must be more than 0, not {period_seconds}"
                );
                let fits = |rate: &f64| rate.is_finite() && *rate >= 0.0;
                ensure!(
                    rates_per_hour.iter().all(fits)
                        && rates_per_hour.iter().any(|rate| *rate > 0.0),
                    "rates_per_hour must be at least 0, one of them more"
                );
                let gamma = busyness_gamma.unwrap_or([1.0; 2]);
                ensure!(
                    gamma.iter().all(|one| one.is_finite() && *one > 0.0),
                    "busyness_gamma must be two numbers above 0: shape and rate"
                );
                Self::Periods {
                    period: *period_seconds,
                    rates: rates_per_hour.iter().map(|rate| rate / 3_600.0).collect(),
                    busyness: *busyness_gamma,
                }
            }
            scenario::Arrivals::Trace { .. } => Self::Trace(Arc::new(trace.context("trace")?)),
        })
    }

    /// The process from its beginning.
    pub(crate) fn start(&self, dice: Dice) -> Process {
        let first_day = Period { number: 0, from: 0.0, busyness: 1.0 };
        let mut process =
            Process { arrivals: self.clone(), dice, at: 0.0, taken: 0, period: first_day };
        process.new_day();
        process
    }
}

/// A process under way.
#[derive(Debug)]
pub(crate) struct Process {
    arrivals: Arrivals,
    dice: Dice,
    /// Of the last arrival, in seconds.
    at: f64,
    /// Calls of the trace that have come.
    taken: usize,
    period: Period,
}

#[derive(Debug)]
struct Period {
    number: usize,
    from: f64,
    /// The day's factor.
    busyness: f64,
}

impl Process {
    /// The next customer who comes before `end`.
    pub(crate) fn next(&mut self, end: Micros) -> Option<Coming> {
        let coming = match &self.arrivals {
            Arrivals::Renewal { gap, spread } => {
                let unit = match spread {
                    Spread::Exponential => self.dice.exponential(),
                    Spread::Deterministic => 1.0,
                    Spread::Hyperexponential { scv } => self.dice.hyperexponential(*scv),
                };
                self.at += gap * unit;
                Coming { at: micros(self.at), call: None }
            }
            Arrivals::Periods { .. } => Coming { at: self.next_of_periods(end)?, call: None },
            Arrivals::Trace(traced) => {
                let call = *traced.calls.get(self.taken)?;
                self.taken += 1;
                Coming { at: Micros::from(call.at) * 1_000_000, call: Some(call) }
            }
        };
        (coming.at < end).then_some(coming)
    }

    /// Draws how much work the rate has to do until the next arrival, and lets it.
    fn next_of_periods(&mut self, end: Micros) -> Option<Micros> {
        let mut left = self.dice.exponential();
        while micros(self.at) < end {
            let Arrivals::Periods { period, rates, .. } = &self.arrivals else { return None };
            let (length, count) = (*period, rates.len());
            let rate = rates[self.period.number % count] * self.period.busyness;
            let until = self.period.from + length;
            if rate * (until - self.at) >= left {
                self.at += left / rate;
                return Some(micros(self.at));
            }
            left -= rate * (until - self.at);
            self.at = until;
            self.period.number += 1;
            self.period.from = until;
            if self.period.number.is_multiple_of(count) {
                self.new_day();
            }
        }
        None
    }

    fn new_day(&mut self) {
        if let Arrivals::Periods { busyness: Some([shape, rate]), .. } = self.arrivals {
            self.period.busyness = self.dice.gamma(shape, rate);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Micros = 3_600_000_000;

    fn count(arrivals: &Arrivals, from: Micros, to: Micros, seed: u64) -> f64 {
        let mut process = arrivals.start(Dice::new([seed, 0, 0, 0]));
        let all = std::iter::from_fn(|| process.next(to)).filter(|coming| coming.at >= from);
        f64::from(u32::try_from(all.count()).unwrap())
    }

    fn read(text: &str) -> Result<Arrivals> {
        Arrivals::new(&toml::from_str(text).unwrap(), None)
    }

    #[test]
    fn rates_are_kept() {
        for text in [
            "kind = \"poisson\"\nrate_per_hour = 100",
            "kind = \"deterministic\"\nrate_per_hour = 100.0",
            "kind = \"hyperexponential\"\nrate_per_hour = 100.0\nscv = 4",
        ] {
            let found = count(&read(text).unwrap(), 0, 1_000 * HOUR, 1) / 1_000.0;
            assert!((found - 100.0).abs() < 2.0, "{text}: {found} an hour");
        }
    }

    #[test]
    fn periods_follow_one_another_and_begin_anew() {
        let text = "kind = \"periods\"\nperiod_seconds = 7200\nrates_per_hour = [252, 0, 192]";
        let arrivals = read(text).unwrap();
        let mean = |from, to| {
            let days = (1..=50).map(|seed| count(&arrivals, from * HOUR, to * HOUR, seed));
            days.sum::<f64>() / 50.0
        };
        assert!((mean(0, 2) - 504.0).abs() < 15.0, "{}", mean(0, 2));
        assert!(mean(2, 4) < f64::EPSILON);
        assert!((mean(4, 6) - 384.0).abs() < 15.0, "{}", mean(4, 6));
        assert!((mean(6, 8) - 504.0).abs() < 15.0, "{}", mean(6, 8));
    }

    #[test]
    fn a_days_busyness_is_one_factor() {
        let text = "kind = \"periods\"\nperiod_seconds = 3600\nrates_per_hour = [1000, 1000]\n\
                    busyness_gamma = [25, 25]";
        let arrivals = read(text).unwrap();
        let days: Vec<(f64, f64)> = (1..=400)
            .map(|seed| {
                let first = count(&arrivals, 0, HOUR, seed);
                (first, count(&arrivals, HOUR, 2 * HOUR, seed))
            })
            .collect();
        let mean = days.iter().map(|day| day.0).sum::<f64>() / 400.0;
        let spread = days.iter().map(|day| (day.0 - mean).powi(2)).sum::<f64>() / 400.0;
        let together = days.iter().map(|day| (day.0 - mean) * (day.1 - mean)).sum::<f64>() / 400.0;
        // Variance 1000 + 1000²/25; the two hours of a day share the second part.
        assert!((mean - 1_000.0).abs() < 40.0, "{mean}");
        assert!((spread - 41_000.0).abs() < 9_000.0, "{spread}");
        assert!((together - 40_000.0).abs() < 9_000.0, "{together}");
    }

    #[test]
    fn rates_that_make_no_sense_are_refused() {
        for text in [
            "kind = \"poisson\"\nrate_per_hour = 0",
            "kind = \"hyperexponential\"\nrate_per_hour = 1\nscv = 0.5",
            "kind = \"periods\"\nperiod_seconds = 0\nrates_per_hour = [1]",
            "kind = \"periods\"\nperiod_seconds = 60\nrates_per_hour = [0, 0]",
        ] {
            assert!(read(text).is_err(), "{text}");
        }
    }
}
