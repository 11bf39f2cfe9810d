//! `loadtest replay --what-if`: a bank's month as it was, and with callbacks offered, at the same
//! staff.
//!
//! Each day is played with the people of that day: who called when, how long they talked, and how
//! long they were willing to wait (whoever gave up does so after the same time; whoever was served
//! would have waited for longer than they had to, by an exponential time whose mean is estimated
//! from the whole month). Agents are there while they have calls, and between two calls that are
//! not too far apart. What the engine would have done is then compared with what happened.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use super::arrivals::{Arrivals, Traced};
use super::outcome::{Figure, Outcome, count};
use super::plan::{Plan, Times};
use super::plot::{Panel, Series, svg};
use super::scenario::Scenario;
use super::tally::ClassTally;
use crate::bank::{self, Row};
use crate::report::{Report, Table};

/// An agent without a call for longer than this is taken to be on a break.
const BREAK_SECONDS: u32 = 900;
/// How finely it is told when an agent is there.
const PERIOD_SECONDS: u32 = 60;
const DAY_SECONDS: u32 = 86_400;
/// Served from before midnight on, a conversation may last into the next day.
const LONGEST_DAY: u32 = DAY_SECONDS + 4 * 3_600;
/// What the bank's head start for its best customers was.
const HEAD_START_SECONDS: u32 = 90;
/// The bank's own way of putting callers who waited so long into figures.
const SERVICE_LEVEL_SECONDS: u32 = 60;

/// What is offered.
#[derive(Debug, Clone, Copy, clap::Args)]
pub(crate) struct Offer {
    /// With --what-if: a callback is offered above this estimate of the wait, in seconds
    #[arg(long = "offer-above", default_value_t = 60.0)]
    above: f64,
    /// With --what-if: the share of customers who take the offer
    #[arg(long, default_value_t = 0.5)]
    accept_share: f64,
    /// With --what-if: the window that a callback is promised, in minutes
    #[arg(long, default_value_t = 60)]
    promise_minutes: u32,
    /// With --what-if: how often each day is played
    #[arg(long, default_value_t = 5)]
    replications: u32,
    /// With --what-if: what is drawn is repeated from it
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

/// What became of all callers of the month.
#[derive(Debug, Clone, Default)]
struct Sums {
    /// One entry for each replication of the month: its days together.
    months: Vec<ClassTally>,
    busy: f64,
    there: f64,
}

/// Plays a month, or a day of it, twice.
pub(crate) fn run(
    file: &Path,
    date: Option<&str>,
    offer: Offer,
    plot: Option<&Path>,
) -> Result<Report> {
    ensure!((0.0..=1.0).contains(&offer.accept_share), "--accept-share is from 0 to 1");
    ensure!(offer.above >= 0.0, "--offer-above is at least 0");
    ensure!((1..=1_000).contains(&offer.replications), "--replications is from 1 to 1000");
    let rows = bank::read(file)?;
    let patience = patience(&rows)?;
    let rows = match date {
        Some(date) => bank::day(rows, date)?,
        None => rows,
    };
    let mut days: BTreeMap<String, Vec<Row>> = BTreeMap::new();
    for row in rows {
        days.entry(row.date.clone()).or_default().push(row);
    }
    let (mut as_it_was, mut with_offer) = (Sums::default(), Sums::default());
    let mut recorded = Recorded::default();
    for (number, (date, rows)) in (1_u64..).zip(&days) {
        eprintln!("{date}: playing it with and without callbacks");
        recorded.add(rows);
        for (sums, option) in [(&mut as_it_was, None), (&mut with_offer, Some(offer))] {
            let seed = offer.seed.wrapping_add(number << 32);
            let plan = plan(date, rows, patience, option, seed, offer.replications)?;
            let plan = plan.with_context(|| format!("{date}: nobody worked"))?;
            sums.add(&super::play(&plan)?);
        }
    }
    let shown = [("as it was, played", &as_it_was), ("with callbacks", &with_offer)];
    if let Some(path) = plot {
        let picture = picture(&recorded, &shown);
        std::fs::write(path, picture).with_context(|| format!("writing {}", path.display()))?;
    }
    Ok(report(&days, patience, offer, &recorded, &shown))
}

/// The mean patience by maximum likelihood: all the waiting there was, by those who gave up.
fn patience(rows: &[Row]) -> Result<f64> {
    let asked = || rows.iter().filter(|row| row.asked_at.is_some());
    let waited: f64 = asked().filter_map(|row| row.waited).map(f64::from).sum();
    let gone = asked().filter(|row| row.service.is_none()).count();
    ensure!(gone > 0 && waited > 0.0, "nobody gave up, so patience can't be estimated");
    Ok(waited / count(gone as u64))
}

/// What the file says itself.
#[derive(Debug, Default)]
struct Recorded {
    asked: u64,
    served: u64,
    waited: f64,
    in_time: u64,
}

impl Recorded {
    fn add(&mut self, rows: &[Row]) {
        for row in rows.iter().filter(|row| row.asked_at.is_some()) {
            self.asked += 1;
            if row.service.is_some() {
                let waited = row.waited.unwrap_or(0);
                self.served += 1;
                self.waited += f64::from(waited);
                self.in_time += u64::from(waited <= SERVICE_LEVEL_SECONDS);
            }
        }
    }
}

/// A day as a scenario; none if nobody worked.
fn plan(
    date: &str,
    rows: &[Row],
    patience: f64,
    offer: Option<Offer>,
    seed: u64,
    replications: u32,
) -> Result<Option<Plan>> {
    let staff = staff(rows);
    if staff.is_empty() {
        return Ok(None);
    }
    let mut calls: BTreeMap<(String, bool), Vec<Row>> = BTreeMap::new();
    for row in rows.iter().filter(|row| row.asked_at.is_some()) {
        let key = (row.kind.to_lowercase(), row.priority == 2);
        calls.entry(key).or_default().push(row.clone());
    }
    let means = bank::mean_services(rows);
    let mut classes = Vec::new();
    for (kind, best) in calls.keys() {
        let (name, priority) = if *best { (format!("{kind}-best"), 6) } else { (kind.clone(), 5) };
        let mean = means.get(&kind.to_uppercase()).copied().unwrap_or(1.0).max(1.0);
        classes.push(json!({
            "id": name, "queue": kind, "priority": priority,
            "arrivals": { "kind": "poisson", "rate_per_hour": 1.0 },
            "service": { "kind": "deterministic", "mean_seconds": mean },
            "patience": { "kind": "exponential", "mean_seconds": patience },
            "callback": offer.map(|offer| json!({
                "offer_above_seconds": offer.above,
                "accept_share": offer.accept_share,
                "promise_window_minutes": offer.promise_minutes,
            })),
        }));
    }
    let queues: std::collections::BTreeSet<&String> = calls.keys().map(|(kind, _)| kind).collect();
    let agents = staff.iter().map(|(name, there)| {
        json!({ "id": name.to_lowercase(), "counts": there, "period_seconds": PERIOD_SECONDS,
                "queues": queues })
    });
    let file = json!({
        "name": date, "seed": seed, "replications": replications,
        "duration_seconds": LONGEST_DAY, "until_empty": true,
        "service_level_seconds": SERVICE_LEVEL_SECONDS,
        "class": classes, "agents": agents.collect::<Vec<Value>>(),
        "settings": { "age_step_seconds": HEAD_START_SECONDS },
    });
    let scenario: Scenario =
        serde_json::from_value(without_nulls(file)).context("a day's scenario")?;
    let mut plan = Plan::new(&scenario, Path::new("."))?;
    for (class, calls) in plan.classes.iter_mut().zip(calls.values()) {
        let traced = Traced::with_mean(calls, class.service.mean());
        class.service = Times::Traced { mean: traced.mean_service };
        class.patience = Some(Times::Traced { mean: patience });
        class.arrivals = Arrivals::Trace(Arc::new(traced));
    }
    Ok(Some(plan))
}

fn without_nulls(value: Value) -> Value {
    match value {
        Value::Object(map) => map
            .into_iter()
            .filter(|(_, value)| !value.is_null())
            .map(|(key, value)| (key, without_nulls(value)))
            .collect(),
        Value::Array(list) => list.into_iter().map(without_nulls).collect(),
        other => other,
    }
}

/// Who was there in each period of the day: 1, or 0. Calls less than a break apart are one stay.
fn staff(rows: &[Row]) -> BTreeMap<String, Vec<u32>> {
    let mut calls: BTreeMap<String, Vec<(u32, u32)>> = BTreeMap::new();
    for service in rows.iter().filter_map(|row| row.service.as_ref()) {
        let Some(agent) = &service.agent else { continue };
        let ends = service.at + service.seconds;
        calls.entry(agent.clone()).or_default().push((service.at, ends));
    }
    let periods = LONGEST_DAY.div_ceil(PERIOD_SECONDS) as usize;
    let there = |mut calls: Vec<(u32, u32)>| {
        calls.sort_unstable();
        let mut there = vec![0; periods];
        let mut stay: Option<(u32, u32)> = None;
        let mut mark = |(from, to): (u32, u32)| {
            let first = (from / PERIOD_SECONDS) as usize;
            let last = (to / PERIOD_SECONDS) as usize;
            there.iter_mut().take(last + 1).skip(first).for_each(|one| *one = 1);
        };
        for (from, to) in calls {
            stay = match stay {
                Some((began, ended)) if from <= ended + BREAK_SECONDS => {
                    Some((began, ended.max(to)))
                }
                before => {
                    before.into_iter().for_each(&mut mark);
                    Some((from, to))
                }
            };
        }
        stay.into_iter().for_each(&mut mark);
        there
    };
    calls.into_iter().map(|(agent, calls)| (agent, there(calls))).collect()
}

impl Sums {
    fn add(&mut self, outcome: &Outcome<'_>) {
        self.months.resize(outcome.replications.len(), ClassTally::default());
        for (month, one) in self.months.iter_mut().zip(&outcome.replications) {
            one.classes.iter().for_each(|tally| month.add(tally));
            self.busy += one.agents.iter().map(|agent| agent.busy).sum::<f64>();
            self.there += one.agents.iter().map(|agent| agent.there).sum::<f64>();
        }
    }

    fn figure(&self, pair: impl Fn(&ClassTally) -> (f64, f64)) -> Figure {
        let pairs: Vec<_> = self.months.iter().map(pair).collect();
        Figure::ratio(&pairs, 0.99)
    }

    fn total(&self, of: impl Fn(&ClassTally) -> u64) -> f64 {
        let all: u64 = self.months.iter().map(of).sum();
        count(all) / count(self.months.len().max(1) as u64)
    }
}

/// What is shown of a month, one row each.
fn figures(sums: &Sums) -> Vec<(&'static str, Figure, usize)> {
    let share = |of: fn(&ClassTally) -> u64| {
        sums.figure(move |tally| (count(of(tally)), count(tally.arrivals)))
    };
    vec![
        ("mean wait of the answered, s", sums.figure(|one| (one.waits, count(one.answered))), 1),
        ("answered within 60 s, share of all", share(|one| one.in_time), 4),
        ("gave up, share of all", share(|one| one.abandoned), 4),
        ("called back, share of all", share(|one| one.callbacks), 4),
        ("until called back, s", sums.figure(|one| (one.delays, count(one.called_back))), 1),
        ("promises kept", sums.figure(|one| (count(one.kept), count(one.promised))), 4),
    ]
}

fn report(
    days: &BTreeMap<String, Vec<Row>>,
    patience: f64,
    offer: Offer,
    recorded: &Recorded,
    shown: &[(&'static str, &Sums); 2],
) -> Report {
    let mut report = Report::new("replay --what-if");
    let (first, last) = (days.keys().next(), days.keys().next_back());
    report.fact("days", days.len());
    report.fact("from", first.cloned().unwrap_or_default());
    report.fact("to", last.cloned().unwrap_or_default());
    report.fact("callers", recorded.asked);
    report.fact("mean patience, s", (patience * 10.0).round() / 10.0);
    report.fact("offered above, s", offer.above);
    report.fact("share who take it", offer.accept_share);
    report.fact("promised within, min", offer.promise_minutes);
    report.fact("replications of each day", offer.replications);
    let of_all = |number: u64| json!(format!("{:.4}", count(number) / count(recorded.asked)));
    let in_file = [
        json!(format!("{:.1}", recorded.waited / count(recorded.served))),
        of_all(recorded.in_time),
        of_all(recorded.asked - recorded.served),
        Value::Null,
        Value::Null,
        Value::Null,
    ];
    let mut rows = vec![vec![
        json!("callers"),
        json!(recorded.asked),
        json!(shown[0].1.total(|one| one.arrivals)),
        json!(shown[1].1.total(|one| one.arrivals)),
    ]];
    let sides = figures(shown[0].1).into_iter().zip(figures(shown[1].1));
    for ((before, after), recorded) in sides.zip(in_file) {
        let row = [before.1, after.1].map(|figure| super::show::shown(figure, before.2));
        let [one, other] = row;
        rows.push(vec![json!(before.0), recorded, one, other]);
    }
    let busy = |sums: &Sums| json!(format!("{:.4}", sums.busy / sums.there));
    rows.push(vec![
        json!("utilisation of agents"),
        Value::Null,
        busy(shown[0].1),
        busy(shown[1].1),
    ]);
    report.table(Table {
        name: "month",
        columns: vec!["figure", "recorded", shown[0].0, shown[1].0],
        rows,
    });
    report
}

fn picture(recorded: &Recorded, shown: &[(&'static str, &Sums); 2]) -> String {
    let all = [figures(shown[0].1), figures(shown[1].1)];
    let panel = |title: &str, y_label: &str, places: &[(usize, &str, Option<f64>)]| {
        let bar = |value: Option<f64>| (value, None);
        let recorded = places.iter().map(|(_, _, value)| bar(*value)).collect();
        let mut series = vec![Series { name: "recorded".to_owned(), bars: recorded }];
        for ((name, _), figures) in shown.iter().zip(&all) {
            let bars = places.iter().map(|(place, _, _)| {
                let figure = figures[*place].1;
                (figure.value, figure.half_width)
            });
            series.push(Series { name: (*name).to_owned(), bars: bars.collect() });
        }
        Panel {
            title: title.to_owned(),
            x_label: String::new(),
            y_label: y_label.to_owned(),
            categories: places.iter().map(|(_, name, _)| (*name).to_owned()).collect(),
            series,
        }
    };
    let of_all = |number: u64| Some(count(number) / count(recorded.asked));
    let waits = [
        (0, "on the line", Some(recorded.waited / count(recorded.served))),
        (4, "until called back", None),
    ];
    let shares = [
        (1, "within 60 s", of_all(recorded.in_time)),
        (2, "gave up", of_all(recorded.asked - recorded.served)),
        (3, "called back", None),
        (5, "promises kept", None),
    ];
    let panels = [
        panel("How long they waited", "mean, seconds", &waits),
        panel("What became of them", "share of all who called", &shares),
    ];
    svg("A bank's month: as it was, and with callbacks offered at the same staff", &panels)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(at: u32, waited: u32, talked: Option<u32>, agent: &str) -> Row {
        let service = talked.map(|seconds| bank::Service {
            at: at + waited,
            seconds,
            agent: Some(agent.to_owned()),
        });
        Row {
            call: at,
            date: "1999-01-04".to_owned(),
            kind: "PS".to_owned(),
            priority: 0,
            asked_at: Some(at),
            waited: Some(waited),
            service,
        }
    }

    #[test]
    fn an_agent_is_there_between_calls_but_not_in_a_break() {
        let rows = [
            call(60, 0, Some(60), "A"),
            call(600, 0, Some(120), "A"),
            call(7_200, 0, Some(60), "A"),
        ];
        let there = &staff(&rows)["A"];
        let minutes: Vec<usize> = (0..there.len()).filter(|minute| there[*minute] == 1).collect();
        assert_eq!(minutes, (1..=12).chain(120..=121).collect::<Vec<_>>());
    }

    #[test]
    fn patience_is_all_waiting_by_those_who_gave_up() {
        let rows = [call(0, 100, None, ""), call(5, 300, Some(60), "A"), call(9, 200, None, "")];
        assert!((patience(&rows).unwrap() - 300.0).abs() < 1e-9);
        assert!(patience(&rows[1..2]).is_err());
    }

    /// One agent; the second caller waits for the first, the third gives up after 100 s.
    #[test]
    fn a_day_is_played_as_it_was_and_with_an_offer() {
        let rows = [
            call(1_000, 0, Some(300), "A"),
            call(1_010, 290, Some(300), "A"),
            call(1_020, 100, None, ""),
        ];
        let offer =
            Offer { above: 0.0, accept_share: 1.0, promise_minutes: 60, replications: 1, seed: 1 };
        let sums = |option| {
            let plan = plan("1999-01-04", &rows, 300.0, option, 1, 1).unwrap().unwrap();
            let mut sums = Sums::default();
            sums.add(&super::super::play(&plan).unwrap());
            sums
        };
        let before = sums(None).months[0].clone();
        assert_eq!((before.arrivals, before.answered, before.abandoned), (3, 2, 1));
        assert!((before.waits - 290.0).abs() < 1e-6, "{before:?}");
        let after = sums(Some(offer)).months[0].clone();
        assert_eq!((after.callbacks, after.called_back, after.abandoned), (2, 2, 0));
        assert_eq!((after.promised, after.kept), (2, 2));
    }
}
