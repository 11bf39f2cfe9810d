//! Which zones a country has, as far as their clocks differ today.
//!
//! A number tells the country and not the place. Where all clocks of a country show the same, that
//! is enough; else whoever asks must be content with several zones. `zone1970.tab` keeps zones
//! apart that differed once; here zones count as one whose clocks agree in the years that matter.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::TimeZone;
use crate::domain::phone::Region;
use crate::domain::time::{Span, Timestamp};

const TABLE: &str = include_str!("zone1970.tab");

/// From 2026 on, in steps of a week, to 2031: a change of clocks lasts for months.
const FROM: Timestamp = Timestamp(1_767_225_600_000);
const STEP: Span = Span::days(7);
const STEPS: u32 = 5 * 52;

/// The zones of a country whose clocks differ, the most populous first; none where it has none.
///
/// Worked out once for each country that is asked for, since it takes half a millisecond for the
/// United States.
pub fn zones_of(region: Region) -> Arc<[TimeZone]> {
    static KNOWN: Mutex<BTreeMap<Region, Arc<[TimeZone]>>> = Mutex::new(BTreeMap::new());
    let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    let zones = known.entry(region).or_insert_with(|| differing(region).into());
    Arc::clone(zones)
}

fn differing(region: Region) -> Vec<TimeZone> {
    let mut clocks: Vec<Vec<i64>> = Vec::new();
    let mut zones = Vec::new();
    for zone in rows(region) {
        let clock = offsets(&zone);
        if !clocks.contains(&clock) {
            clocks.push(clock);
            zones.push(zone);
        }
    }
    zones
}

/// The zones of a country's rows, in the table's order; those of its own come before those that it
/// shares with others who are named first.
fn rows(region: Region) -> impl Iterator<Item = TimeZone> {
    let row = move |line: &'static str| {
        let (countries, name) = line.split_once(' ')?;
        let place = countries.split(',').position(|country| country == region.as_str())?;
        Some((place > 0, TimeZone::parse(name).ok()?))
    };
    let lines = TABLE.lines().filter(|line| !line.starts_with('#'));
    let mut found: Vec<_> = lines.filter_map(row).collect();
    found.sort_by_key(|(shared, _)| *shared);
    found.into_iter().map(|(_, zone)| zone)
}

fn offsets(zone: &TimeZone) -> Vec<i64> {
    let at = |step| FROM + Span(STEP.0 * i64::from(step));
    (0..STEPS).map(|step| zone.offset_seconds(at(step).0 / 1_000)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn zones(region: &str) -> Vec<String> {
        let region = Region::parse(region).expect("a region");
        zones_of(region).iter().map(|zone| zone.name().to_owned()).collect()
    }

    #[test]
    fn a_country_with_one_clock_has_one_zone() {
        for (region, zone) in [
            ("DE", "Europe/Berlin"),
            ("GB", "Europe/London"),
            ("JP", "Asia/Tokyo"),
            ("NP", "Asia/Kathmandu"),
            ("NO", "Europe/Berlin"),
            ("AR", "America/Argentina/Buenos_Aires"),
        ] {
            assert_eq!(zones(region), [zone], "{region}");
        }
    }

    #[test]
    fn where_clocks_differ_each_has_its_zone() {
        let us = zones("US");
        for zone in [
            "America/New_York",
            "America/Chicago",
            "America/Denver",
            "America/Phoenix",
            "America/Los_Angeles",
            "America/Anchorage",
            "America/Adak",
            "Pacific/Honolulu",
        ] {
            assert!(us.contains(&zone.to_owned()), "{zone}: {us:?}");
        }
        assert_eq!(us.len(), 8, "{us:?}");
        assert_eq!(zones("ES"), ["Europe/Madrid", "Atlantic/Canary"]);
        assert!(zones("RU").len() >= 10 && zones("AU").len() >= 5);
    }

    #[test]
    fn every_row_names_a_zone_that_there_is() {
        let lines: Vec<&str> = TABLE.lines().filter(|line| !line.starts_with('#')).collect();
        assert!(lines.len() > 300);
        for line in lines {
            let (countries, name) = line.split_once(' ').expect("two columns");
            assert!(TimeZone::parse(name).is_ok(), "{name}");
            assert!(countries.split(',').all(|country| country.len() == 2), "{line}");
        }
    }
}
