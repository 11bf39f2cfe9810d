//! Time zones: what a local time means, and what an instant looks like on a wall.
//!
//! The one place that asks zone rules anything. Separate from `civil`, which knows no zone, and
//! from `hours`, which knows what a queue does with local times. Must never take an abbreviation
//! or an offset for a zone: `PST` names three countries' times, and an offset forgets the summer.
//!
//! The rules are those of the tzdb bundled with this build and not the machine's, so that the same
//! input has the same answer everywhere, unless a folder with newer ones was named at start.

mod countries;

use std::cell::RefCell;
use std::cmp::Ordering;
use std::collections::BTreeSet;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::OnceLock;

use jiff::tz::{AmbiguousOffset, TimeZoneDatabase};

pub use countries::zones_of;

use super::civil::{Date, LocalTime, shown};
use super::fnv::Fnv;
use super::time::Timestamp;

/// No name in tzdb is longer than 32 characters.
const NAME_MAX: usize = 64;

/// A zone of the IANA time zone database.
///
/// Cheap to clone: the rules are shared. Equal and ordered by name.
#[derive(Clone)]
pub struct TimeZone(jiff::tz::TimeZone);

/// The instant that a local time names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Resolved {
    /// The instant; the first one where there are two.
    pub at: Timestamp,
    /// The clock shows this local time twice (autumn).
    pub repeated: bool,
}

/// A local time that a clock never shows (spring gap), and the next one that it does show.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the clocks skip this local time; the next one that exists is {next_local}")]
pub struct Missing {
    /// What the clock shows at the first instant after the gap.
    pub next_local: LocalTime,
    /// The first instant after the gap.
    pub next_at: Timestamp,
}

/// How often a clock shows a local time, and when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shown {
    Once(Timestamp),
    Twice {
        first: Timestamp,
        second: Timestamp,
    },
    /// Skipped by the change of clocks at `after`.
    Never {
        after: Timestamp,
    },
}

thread_local! {
    /// The zone that was parsed last. Nearly all callbacks of a workspace have the same, and to
    /// look it up among all takes longer than to read the rest of a record.
    static LAST: RefCell<Option<TimeZone>> = const { RefCell::new(None) };
}

impl TimeZone {
    /// Takes a name of tzdb, in any case; keeps it as tzdb writes it.
    pub fn parse(text: &str) -> Result<Self, BadZone> {
        LAST.with_borrow_mut(|last| {
            if let Some(zone) = last.as_ref().filter(|zone| zone.name() == text) {
                return Ok(zone.clone());
            }
            let zone = Self::look_up(text)?;
            *last = Some(zone.clone());
            Ok(zone)
        })
    }

    fn look_up(text: &str) -> Result<Self, BadZone> {
        if let Some((_, hint)) = abbreviation(text) {
            return Err(BadZone::Abbreviation { given: shown(text), hint });
        }
        if looks_like_offset(text) {
            return Err(BadZone::Offset(shown(text)));
        }
        let known = || {
            let zone = if text.len() > NAME_MAX { None } else { rules_of(text) }?;
            let usable = zone.iana_name().is_some_and(|name| name != "Factory");
            usable.then_some(Self(zone))
        };
        known().ok_or_else(|| BadZone::Unknown { given: shown(text), near: near(text) })
    }

    /// UTC.
    pub fn utc() -> Self {
        Self(jiff::tz::TimeZone::UTC)
    }

    /// Its name, such as `Europe/Berlin`.
    pub fn name(&self) -> &str {
        self.0.iana_name().expect("`parse` takes only zones that have a name")
    }

    /// The instant that `local` names here: the first where there are two, refused where none.
    pub fn resolve(&self, local: LocalTime) -> Result<Resolved, Missing> {
        match self.shown(local) {
            Shown::Once(at) => Ok(Resolved { at, repeated: false }),
            Shown::Twice { first, .. } => Ok(Resolved { at: first, repeated: true }),
            Shown::Never { after } => {
                Err(Missing { next_local: self.local(after), next_at: after })
            }
        }
    }

    /// The same for a local time that was right once and may be gone since, because the zone's
    /// rules changed: then the first instant after the gap.
    pub fn resolve_lenient(&self, local: LocalTime) -> Timestamp {
        match self.shown(local) {
            Shown::Once(at) | Shown::Twice { first: at, .. } | Shown::Never { after: at } => at,
        }
    }

    /// The instant from which the clock shows no time before `local` any more.
    ///
    /// Where `local` exists once it is that instant. Inside an hour that the clock shows twice it
    /// is the second one; in a gap it is the gap. At the very start of a repeated hour it is the
    /// first: the hour after it is repeated, the time before it isn't.
    pub fn resolve_end(&self, local: LocalTime) -> Timestamp {
        let before = LocalTime::from_civil_seconds(local.civil_seconds() - 1);
        match self.shown(before) {
            Shown::Once(last) | Shown::Twice { second: last, .. } => Timestamp(last.0 + 1_000),
            Shown::Never { after } => after,
        }
    }

    /// What the clock here shows at an instant, in whole seconds.
    pub fn local(&self, at: Timestamp) -> LocalTime {
        // Far outside the calendar any offset does, so the sum can't overflow.
        let second = at.0.div_euclid(1_000);
        LocalTime::from_civil_seconds(second.saturating_add(self.offset_seconds(second)))
    }

    /// The instant at which a date begins here.
    ///
    /// Where the clocks skip midnight it is the first instant after the gap, and where they show it
    /// twice the first: days follow one another without gap or overlap, whatever their length. A
    /// date that the zone skipped altogether begins where the next one does.
    pub fn day_start(&self, date: Date) -> Timestamp {
        self.resolve_lenient(date.at_second(0))
    }

    /// The first instant of a date here, and the first one after it.
    pub fn day_bounds(&self, date: Date) -> (Timestamp, Timestamp) {
        (self.day_start(date), self.day_start(date.plus_days(1)))
    }

    /// The date whose bounds hold the instant.
    ///
    /// It is the date that the clock shows, except where clocks went back across midnight: what
    /// they then repeat of the day before belongs to the day that had begun.
    pub fn day_of(&self, at: Timestamp) -> Date {
        let mut date = self.local(at).date();
        while date < date.plus_days(1) && self.day_start(date.plus_days(1)) <= at {
            date = date.plus_days(1);
        }
        date
    }

    fn shown(&self, local: LocalTime) -> Shown {
        let (year, month, day) = local.date().year_month_day();
        let second = local.second_of_day();
        let part = |value: u32| i8::try_from(value).expect("clock fields are below 60");
        let written = jiff::civil::date(
            i16::try_from(year).expect("years are 0 to 9999"),
            i8::try_from(month).expect("months are 1 to 12"),
            i8::try_from(day).expect("days are 1 to 31"),
        )
        .at(part(second / 3_600), part(second / 60 % 60), part(second % 60), 0);
        let seconds = local.civil_seconds();
        let at = |offset: jiff::tz::Offset| seconds - i64::from(offset.seconds());
        match self.0.to_ambiguous_timestamp(written).offset() {
            AmbiguousOffset::Unambiguous { offset } => Shown::Once(Timestamp(at(offset) * 1_000)),
            AmbiguousOffset::Fold { before, after } => Shown::Twice {
                first: Timestamp(at(before) * 1_000),
                second: Timestamp(at(after) * 1_000),
            },
            // Read by the offset after the change it is still before it, and the other way round.
            AmbiguousOffset::Gap { before, after } => {
                Shown::Never { after: self.change_between(at(after), at(before)) }
            }
        }
    }

    /// The second at which the offset becomes that of `late`, after `early`; at most 17 look-ups.
    fn change_between(&self, mut early: i64, mut late: i64) -> Timestamp {
        let new = self.offset_seconds(late);
        while late - early > 1 {
            let middle = early + (late - early) / 2;
            if self.offset_seconds(middle) == new { late = middle } else { early = middle }
        }
        Timestamp(late * 1_000)
    }

    /// Seconds east of UTC at a second since 1970.
    fn offset_seconds(&self, second: i64) -> i64 {
        let (first, last) = (jiff::Timestamp::MIN.as_second(), jiff::Timestamp::MAX.as_second());
        let at = jiff::Timestamp::from_second(second.clamp(first, last))
            .expect("clamped to what a timestamp can be");
        i64::from(self.0.to_offset(at).seconds())
    }
}

impl PartialEq for TimeZone {
    fn eq(&self, other: &Self) -> bool {
        self.name() == other.name()
    }
}

impl Eq for TimeZone {}

impl PartialOrd for TimeZone {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for TimeZone {
    fn cmp(&self, other: &Self) -> Ordering {
        self.name().cmp(other.name())
    }
}

impl Hash for TimeZone {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.name().hash(state);
    }
}

impl fmt::Display for TimeZone {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.name())
    }
}

impl fmt::Debug for TimeZone {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.name())
    }
}

/// Why a text isn't a zone, and which name to use instead.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadZone {
    /// An abbreviation, which may mean several zones or only half of one's year.
    #[error("{given:?} is an abbreviation: name the zone, as in {hint}")]
    Abbreviation {
        /// What was given.
        given: String,
        /// Names to choose from.
        hint: &'static str,
    },
    /// An offset, which says nothing about the next change of clocks.
    #[error("{0:?} is an offset, not a zone: name the zone, as in Europe/Berlin, or UTC")]
    Offset(String),
    /// Nothing that tzdb has.
    #[error("{given:?} is not a time zone: use {}", self.hint())]
    Unknown {
        /// What was given.
        given: String,
        /// A zone whose city is written like it.
        near: Option<String>,
    },
}

impl BadZone {
    /// The name or names to use instead, for the problem's `hint`.
    pub fn hint(&self) -> &str {
        match self {
            Self::Abbreviation { hint, .. } => hint,
            Self::Offset(_) => "an IANA name such as Europe/Berlin, or UTC",
            Self::Unknown { near, .. } => {
                near.as_deref().unwrap_or("an IANA name such as Europe/Berlin, or UTC")
            }
        }
    }
}

/// Zones of a folder, which go before those of the build.
static NEWER: OnceLock<TimeZoneDatabase> = OnceLock::new();

/// Lets the zones that a folder has (compiled, as in `/usr/share/zoneinfo`) go before those of this
/// build, for as long as the process lives. For its very start: zones that were read before stay
/// as they were, and each thread keeps the one that it read last, so that a folder which changes
/// later takes a restart.
pub fn use_folder(folder: &str) -> Result<(), String> {
    let newer = TimeZoneDatabase::from_dir(folder).map_err(|error| error.to_string())?;
    if newer.available().next().is_none() {
        return Err("there is no time zone in it".to_owned());
    }
    NEWER.set(newer).map_err(|_second| "one folder was named already".to_owned())
}

fn rules_of(name: &str) -> Option<jiff::tz::TimeZone> {
    NEWER.get().and_then(|newer| newer.get(name).ok()).or_else(|| tzdb().get(name).ok())
}

/// A digest of all rules that hold: whether they have changed since another start. Reads every
/// zone, which takes some milliseconds, and keeps none.
pub fn rules() -> u64 {
    // The years that bookings can lie in, for as long as a release may be in use.
    let from = jiff::Timestamp::from_second(1_704_067_200).expect("2024 is in range");
    let to = jiff::Timestamp::from_second(2_051_222_400).expect("2035 is in range");
    let bundled = TimeZoneDatabase::bundled();
    let names = |all: &TimeZoneDatabase| -> Vec<String> {
        all.available().map(|name| name.as_str().to_owned()).collect()
    };
    let newer = NEWER.get().map(names).unwrap_or_default();
    let names: BTreeSet<String> = names(&bundled).into_iter().chain(newer).collect();
    let mut digest = Fnv::default();
    for name in names {
        let newer = NEWER.get().and_then(|newer| newer.get(&name).ok());
        let Some(zone) = newer.or_else(|| bundled.get(&name).ok()) else { continue };
        digest.take(name.as_bytes());
        digest.take(&zone.to_offset(from).seconds().to_be_bytes());
        for change in zone.following(from).take_while(|change| change.timestamp() < to) {
            digest.take(&change.timestamp().as_second().to_be_bytes());
            digest.take(&change.offset().seconds().to_be_bytes());
        }
    }
    digest.value()
}

/// The bundled database; parsed zones stay cached in it.
fn tzdb() -> &'static TimeZoneDatabase {
    static TZDB: OnceLock<TimeZoneDatabase> = OnceLock::new();
    TZDB.get_or_init(TimeZoneDatabase::bundled)
}

/// Abbreviations in use, with the zones that people mean by them. Some (`EST`, `CET`) are names of
/// tzdb as well; they are refused all the same, because they don't do what their users expect.
const ABBREVIATIONS: [(&str, &str); 29] = [
    ("PST PDT PT PST8PDT", "America/Los_Angeles"),
    ("MST MDT MT MST7MDT", "America/Denver, or America/Phoenix without summer time"),
    ("CST CDT CT CST6CDT", "America/Chicago (China: Asia/Shanghai)"),
    ("EST EDT ET EST5EDT", "America/New_York"),
    ("AKST AKDT", "America/Anchorage"),
    ("HST HDT", "Pacific/Honolulu"),
    ("AST ADT", "America/Halifax (Arabia: Asia/Riyadh)"),
    ("NST NDT", "America/St_Johns"),
    ("BRT BRST", "America/Sao_Paulo"),
    ("ART", "America/Argentina/Buenos_Aires"),
    ("GMT GMT0 GMT+0 GMT-0 Greenwich", "Europe/London, or UTC"),
    ("BST", "Europe/London (Bangladesh: Asia/Dhaka)"),
    ("WET WEST", "Europe/Lisbon"),
    ("CET CEST MET MEST MEZ MESZ", "Europe/Berlin"),
    ("EET EEST", "Europe/Helsinki"),
    ("MSK MSD", "Europe/Moscow"),
    ("TRT", "Europe/Istanbul"),
    ("IST", "Asia/Kolkata (Ireland: Europe/Dublin, Israel: Asia/Jerusalem)"),
    ("GST", "Asia/Dubai"),
    ("PKT", "Asia/Karachi"),
    ("WIB", "Asia/Jakarta"),
    ("SGT", "Asia/Singapore"),
    ("HKT", "Asia/Hong_Kong"),
    ("JST", "Asia/Tokyo"),
    ("KST", "Asia/Seoul"),
    ("SAST CAT EAT WAT", "Africa/Johannesburg, Africa/Nairobi or Africa/Lagos"),
    ("AWST ACST ACDT", "Australia/Perth or Australia/Adelaide"),
    ("AEST AEDT", "Australia/Sydney, or Australia/Brisbane without summer time"),
    ("NZST NZDT", "Pacific/Auckland"),
];

fn abbreviation(text: &str) -> Option<&'static (&'static str, &'static str)> {
    // None has a slash, which nearly every zone's name has.
    if text.contains('/') {
        return None;
    }
    ABBREVIATIONS
        .iter()
        .find(|(names, _)| names.split(' ').any(|name| name.eq_ignore_ascii_case(text)))
}

/// `+01:00`, `-5`, `UTC+2`, `GMT-03:00`, `Z`: what stands for an offset and not for a place.
fn looks_like_offset(text: &str) -> bool {
    let rest = ["UTC", "GMT"]
        .iter()
        .find_map(|name| {
            let (start, rest) = text.split_at_checked(3)?;
            start.eq_ignore_ascii_case(name).then_some(rest)
        })
        .unwrap_or(text);
    text.eq_ignore_ascii_case("Z") || rest.starts_with(['+', '-', '\u{2212}'])
}

/// A zone of the same city: `Berlin`, `new york` and `Europe/New_York` are told the right name.
fn near(text: &str) -> Option<String> {
    let city = |name: &str| name.rsplit('/').next().unwrap_or(name).replace(' ', "_");
    let wanted = city(text.get(..NAME_MAX).unwrap_or(text).trim());
    let mut names = tzdb().available().map(|name| name.as_str().to_owned());
    names.find(|name| name.contains('/') && city(name).eq_ignore_ascii_case(&wanted))
}

#[cfg(test)]
mod tests;
