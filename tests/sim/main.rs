//! The machines that run in production, under a virtual clock, with people and crashes around
//! them. A run is repeated from its seed: `SEED=17 make sim`.

mod checks;
mod people;
mod rng;
mod run;
mod world;

use std::collections::BTreeSet;

use run::simulate;
use world::Planted;

/// Seeds tried in each run of the tests, beside a fresh one.
const SEEDS: u64 = 1_000;

#[test]
fn nothing_goes_wrong_whatever_happens() {
    if let Ok(seed) = std::env::var("SEED") {
        let seed = seed.parse().expect("SEED is a number");
        let report = simulate(seed, Planted::Nothing);
        assert!(report.violations.is_empty(), "seed {seed}: {:#?}", report.violations);
        return;
    }
    let fresh = getrandom::u64().expect("the system has random numbers");
    eprintln!("fresh seed: {fresh}");
    let seeds: Vec<u64> = (1..=SEEDS).chain([fresh]).collect();
    let halves = seeds.split_at(seeds.len() / 2);
    let total = std::thread::scope(|scope| {
        let run = |seeds: &[u64]| seeds.iter().map(|seed| check(*seed)).sum::<u64>();
        let other = scope.spawn(move || run(halves.1));
        run(halves.0) + other.join().expect("a seed failed; it is named above")
    });
    eprintln!("{} seeds, {total} steps", seeds.len());
    assert!(total > SEEDS * 100, "the simulation hardly ran: {total} steps");
}

fn check(seed: u64) -> u64 {
    let report = simulate(seed, Planted::Nothing);
    assert!(
        report.violations.is_empty(),
        "seed {seed}: {:#?}\nrepeat it: SEED={seed} make sim",
        report.violations
    );
    report.steps
}

#[test]
fn the_same_seed_gives_the_same_run() {
    let (one, other) = (simulate(42, Planted::Nothing), simulate(42, Planted::Nothing));
    assert_eq!((one.steps, one.entries), (other.steps, other.entries));
}

/// Seeds within which each planted fault must be found.
const PLANTED_SEEDS: u64 = 400;

#[test]
fn planted_faults_are_found() {
    let faults = [
        Planted::OutputsNotHeld,
        Planted::OffersNotRevoked,
        Planted::ReleasesLost,
        Planted::SleepersForgotten,
        Planted::SeatsLost,
        Planted::DispatchesNotHeld,
        Planted::DispatchesLost,
        Planted::DoneTooSoon,
        Planted::WithdrawalsLost,
        Planted::OpenEventsLost,
        Planted::FactsOutOfTurn,
        Planted::DenialsForgotten,
    ];
    for fault in faults {
        let found: BTreeSet<String> = (1..=PLANTED_SEEDS)
            .map(|seed| simulate(seed, fault))
            .find(|report| !report.violations.is_empty())
            .map(|report| report.violations.into_iter().collect())
            .unwrap_or_default();
        assert!(!found.is_empty(), "{fault:?} was planted and not found");
        eprintln!("{fault:?}: {}", found.first().expect("not empty"));
    }
}
