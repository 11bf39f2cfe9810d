//! The estimator against exact values, and where it says nothing.

use super::*;

fn near(found: f64, expected: f64, within: f64, what: &str) {
    assert!((found - expected).abs() <= within, "{what}: {found} instead of {expected}");
}

/// A table of exact values, from beside the project.
macro_rules! table {
    ($name:literal) => {
        include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/data/reference/", $name))
    };
}

/// A table's rows, by column.
fn rows(text: &str) -> Vec<impl Fn(&str) -> f64> {
    let mut lines = text.lines();
    let header: Vec<&str> = lines.next().unwrap().split(',').collect();
    let rows = lines.map(|line| {
        let cells: Vec<f64> = line.split(',').map(|cell| cell.parse().unwrap()).collect();
        let header = header.clone();
        move |column: &str| cells[header.iter().position(|name| *name == column).unwrap()]
    });
    rows.collect()
}

/// What customers find in an M/M/s+M queue: the share who needn't wait, and the share of those who
/// have so many ahead.
fn lines_found(agents: f64, arrivals: f64, patience: f64) -> (f64, Vec<f64>) {
    let (mut weight, mut at_once) = (1.0, 0.0);
    for busy in 1..=down(agents) {
        at_once += weight;
        weight *= arrivals / f64::from(busy);
    }
    let lines = (1..).map(|place| {
        let found = weight;
        weight *= arrivals / f64::from(place).mul_add(patience, agents);
        found
    });
    let lines: Vec<f64> = lines.take_while(|found| *found > 1e-13).collect();
    let all = at_once + lines.iter().sum::<f64>();
    (at_once / all, lines.into_iter().map(|found| found / all).collect())
}

/// Given the line, the estimate is the wait's mean, so it is right on the whole: the mean of those
/// who are served. The estimator that knows nothing of service has the same sum one rate back.
#[test]
fn means_and_errors_are_the_exact_ones() {
    let rows = rows(table!("erlang_a.csv"));
    assert!(rows.len() > 100);
    for row in rows {
        let (agents, patience) = (row("s"), row("theta"));
        let what = format!("s {agents}, rho {}, theta {patience}", row("rho"));
        let (at_once, lines) = lines_found(agents, row("rho") * agents, patience);
        let (mut served, mut told) = (at_once, 0.0);
        let (mut waiting, mut patient, mut error) = (0.0, 0.0, 0.0);
        for (ahead, found) in (0..).zip(lines) {
            // Each step forward is a service, and not this customer's giving up.
            let is_served = found * agents / f64::from(ahead + 1).mul_add(patience, agents);
            served += is_served;
            told += is_served * Wait::of(ahead, agents, patience).mean;
            let wait = Wait::of(ahead, agents - patience, patience);
            waiting += found;
            patient += found * wait.mean;
            error += found * wait.variance;
        }
        near(told / served, row("EW_served"), 1e-6, &what);
        near(patient / waiting, row("EV_wait"), 1e-6, &what);
        near(error / waiting, row("ASE_QLm"), 1e-6, &what);
    }
}

/// Where nobody gives up it is (Q + 1) / sμ, whose error is known for M/M/s.
#[test]
fn without_giving_up_it_is_the_queue_length_estimator() {
    for (ahead, drain) in [(0, 0.5), (7, 2.0), (63, 0.1), (64, 0.1), (5_000, 3.0)] {
        let (wait, places) = (Wait::of(ahead, drain, 0.0), f64::from(ahead + 1));
        near(wait.mean, places / drain, 1e-6 * places, "mean");
        near(wait.variance, places / (drain * drain), 1e-4 * places, "variance");
    }
    for row in rows(table!("erlang_c.csv")) {
        // Of those who wait the line ahead is geometric.
        let (agents, rho) = (row("s"), row("rho"));
        let error = Wait::of(0, agents, 0.0).variance / (1.0 - rho);
        near(error, row("ASE_QL"), 1e-6 * error.max(1.0), "ASE_QL");
    }
}

#[test]
fn a_long_line_costs_no_more_and_is_as_exact() {
    for (drain, patience) in [(0.05, 0.001), (5.0, 0.000_1), (0.01, 2.0), (40.0, 0.3)] {
        for ahead in [64, 65, 100, 1_000, 100_000] {
            let exact = (0..=ahead).map(|term| (f64::from(term) + 1.0) * patience + drain);
            let (mean, variance) = exact.fold((0.0, 0.0), |(mean, variance), rate: f64| {
                (mean + rate.recip(), variance + rate.powi(-2))
            });
            let wait = Wait::of(ahead, drain, patience);
            near(wait.mean / mean, 1.0, 1e-6, "mean");
            near(wait.variance / variance, 1.0, 1e-6, "variance");
        }
    }
}

fn ahead(waiting: u32, busy: u32, free: u32) -> Ahead {
    Ahead { waiting, busy, free }
}

#[test]
fn there_is_no_number_where_the_data_is_thin() {
    let mut estimator = Estimator::new();
    for _ in 0..SERVICES_LEAST - 1 {
        estimator.served(Span::seconds(100));
    }
    assert_eq!(estimator.estimate(ahead(0, 1, 0)), None, "four services say nothing");
    estimator.served(Span::seconds(100));
    let told = estimator.estimate(ahead(0, 1, 0)).unwrap();
    assert_eq!(told.seconds, 100);
    assert!(told.low < 15 && told.high > 200, "one exponential time: {told:?}");
    assert_eq!(estimator.estimate(ahead(3, 1, 0)).unwrap().seconds, 400);
    assert_eq!(estimator.estimate(ahead(3, 4, 0)).unwrap().seconds, 100);
    assert_eq!(estimator.estimate(ahead(3, 0, 0)), None, "nobody works there");
    assert_eq!(estimator.estimate(ahead(3, 0, 2)), None, "those who are free don't take them");
}

#[test]
fn a_free_agent_and_nobody_ahead_is_no_wait() {
    let told = Estimator::new().estimate(ahead(0, 0, 1)).unwrap();
    assert_eq!(told, Estimate { basis: Basis::FreeAgent, seconds: 0, low: 0, high: 0 });
}

#[test]
fn those_who_give_up_shorten_the_wait() {
    let mut estimator = Estimator::new();
    for _ in 0..SERVICES_LEAST {
        estimator.served(Span::seconds(100));
    }
    estimator.waited(Span::seconds(1_000));
    estimator.gave_up();
    // Rates 0.011, 0.012 and 0.013 a second.
    assert_eq!(estimator.estimate(ahead(2, 1, 0)).unwrap().seconds, 251);
    for _ in 0..GAVE_UP_MOST {
        estimator.waited(Span::seconds(1_000));
        estimator.gave_up();
    }
    assert!(estimator.gave_up < GAVE_UP_MOST, "old ones count half");
    assert_eq!(estimator.estimate(ahead(2, 1, 0)).unwrap().seconds, 251);
}

#[test]
fn the_mean_service_is_that_of_the_last_ones() {
    let mut estimator = Estimator::new();
    (0..50).for_each(|_| estimator.served(Span::seconds(900)));
    (0..SERVICES).for_each(|_| estimator.served(Span::seconds(60)));
    near(estimator.mean_service().unwrap(), 60.0, 1e-9, "the others are forgotten");
}
