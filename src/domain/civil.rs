//! The calendar and the clock on the wall: dates, weekdays, local times, and RFC 3339 texts.
//!
//! Separate from `zone`, because nothing here depends on a time zone: a [`LocalTime`] is what a
//! clock shows, and becomes an instant only through [`super::zone::TimeZone`]. Must never guess a
//! zone or an offset.
//!
//! Counting in whole seconds and days on the proleptic Gregorian calendar keeps all of it plain
//! integer arithmetic, which can't fail inside the years that may be written.

use std::fmt;

use super::time::Timestamp;

const DAY_SECONDS: i64 = 86_400;
/// The instants that RFC 3339 can print: years 0000 to 9999.
const PRINTABLE_MS: (i64, i64) = (-62_167_219_200_000, 253_402_300_799_999);
/// The instants and local times that are taken: years 1970 to 9999.
const FIRST_YEAR: i32 = 1970;
/// 9999-12-31.
const LAST_DAY: i32 = 2_932_896;
/// No text of a time that we take is longer; nine digits of a second and an offset have room.
const TEXT_MAX: usize = 40;

/// A day of the week; ordered from Monday on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Weekday {
    Monday,
    Tuesday,
    Wednesday,
    Thursday,
    Friday,
    Saturday,
    Sunday,
}

impl Weekday {
    /// All seven, from Monday on.
    pub const ALL: [Self; 7] = [
        Self::Monday,
        Self::Tuesday,
        Self::Wednesday,
        Self::Thursday,
        Self::Friday,
        Self::Saturday,
        Self::Sunday,
    ];

    /// Takes `mon` … `sun`, as in the settings; none for anything else.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|day| day.as_str() == text)
    }

    /// `mon` … `sun`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Monday => "mon",
            Self::Tuesday => "tue",
            Self::Wednesday => "wed",
            Self::Thursday => "thu",
            Self::Friday => "fri",
            Self::Saturday => "sat",
            Self::Sunday => "sun",
        }
    }

    /// 0 for Monday … 6 for Sunday.
    pub const fn index(self) -> usize {
        self as usize
    }
}

/// A date of the Gregorian calendar, without a zone.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Date(i32);

impl Date {
    /// Takes `2026-12-25`, years 1970 to 9999.
    pub fn parse(text: &str) -> Result<Self, BadDate> {
        let bad = || BadDate(shown(text));
        let bytes: &[u8; 10] = text.as_bytes().try_into().map_err(|_| bad())?;
        let date = read_date(bytes).ok_or_else(bad)?;
        if date.year_month_day().0 < FIRST_YEAR { Err(bad()) } else { Ok(date) }
    }

    /// The date, if there is such a day; years 0 to 9999.
    pub fn new(year: i32, month: u8, day: u8) -> Option<Self> {
        let written = (0..=9999).contains(&year) && (1..=12).contains(&month);
        let date = Self(days_from_civil(year, i32::from(month), i32::from(day)));
        // A 31st of June counts on into July, so only a date that comes back unchanged exists.
        (written && date.year_month_day() == (year, month, day)).then_some(date)
    }

    /// Days since 1970-01-01.
    pub const fn days(self) -> i32 {
        self.0
    }

    /// The date that many days after 1970-01-01; none outside years 0 to 9999.
    pub fn from_days(days: i32) -> Option<Self> {
        let earliest = days_from_civil(0, 1, 1);
        (earliest..=LAST_DAY).contains(&days).then_some(Self(days))
    }

    /// Year, month 1–12 and day 1–31.
    pub fn year_month_day(self) -> (i32, u8, u8) {
        civil_from_days(self.0)
    }

    /// The day of the week.
    pub fn weekday(self) -> Weekday {
        // 1970-01-01 was a Thursday.
        let index = (self.0 + 3).rem_euclid(7);
        Weekday::ALL[usize::try_from(index).expect("a remainder of seven is 0 to 6")]
    }

    /// So many days later, or earlier; stays within the calendar's last day, 9999-12-31.
    #[must_use]
    pub fn plus_days(self, days: i32) -> Self {
        Self(self.0.saturating_add(days).min(LAST_DAY))
    }

    /// This date at a time of day, told as seconds since its midnight (86,400 is the next one).
    pub const fn at_second(self, second: u32) -> LocalTime {
        LocalTime(self.0 as i64 * DAY_SECONDS + second as i64)
    }
}

impl fmt::Display for Date {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, month, day) = self.year_month_day();
        write!(out, "{year:04}-{month:02}-{day:02}")
    }
}

impl fmt::Debug for Date {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, out)
    }
}

/// What a clock on the wall shows: date and time of day in whole seconds, without an offset.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LocalTime(i64);

impl LocalTime {
    /// Takes `2026-11-24T10:00` and `2026-11-24T10:00:30`, years 1970 to 9999, and no offset.
    pub fn parse(text: &str) -> Result<Self, BadLocalTime> {
        let bytes = text.as_bytes();
        if bytes.len() > 16 && has_offset(text) {
            return Err(BadLocalTime::Offset(shown(text)));
        }
        Self::read(bytes).ok_or_else(|| BadLocalTime::Malformed(shown(text)))
    }

    fn read(text: &[u8]) -> Option<Self> {
        if !matches!(text.len(), 16 | 19) || text[10] != b'T' {
            return None;
        }
        let date = read_date(&text[..10])?;
        let second = read_clock(&text[11..])?;
        (date.year_month_day().0 >= FIRST_YEAR).then(|| date.at_second(second))
    }

    /// Its date.
    pub fn date(self) -> Date {
        let days = self.0.div_euclid(DAY_SECONDS);
        Date(i32::try_from(days).expect("local times stay within years 0 to 9999"))
    }

    /// Seconds since the date's midnight as the clock counts them, 0–86,399.
    pub fn second_of_day(self) -> u32 {
        u32::try_from(self.0.rem_euclid(DAY_SECONDS)).expect("a day has 86,400 seconds")
    }

    /// Seconds since 1970-01-01T00:00 by the same clock: the compact form for storing.
    pub const fn civil_seconds(self) -> i64 {
        self.0
    }

    /// The local time so many seconds after 1970-01-01T00:00 by the same clock; moved into years
    /// 0 to 9999.
    pub fn from_civil_seconds(seconds: i64) -> Self {
        Self(seconds.clamp(PRINTABLE_MS.0 / 1_000, PRINTABLE_MS.1 / 1_000))
    }

    /// `2026-11-24T10:00`; seconds only where they aren't zero, so that what is printed reads back.
    pub fn text(self) -> TimeText {
        let time = Self::from_civil_seconds(self.0);
        let text = TimeText::of(time);
        TimeText { length: if time.0 % 60 == 0 { TimeText::MINUTES } else { text.length }, ..text }
    }
}

impl fmt::Display for LocalTime {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.text().as_str())
    }
}

impl fmt::Debug for LocalTime {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, out)
    }
}

/// Why a text isn't a date.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a date: write it as 2026-12-25, years 1970 to 9999")]
pub struct BadDate(pub String);

/// Why a text isn't a local time.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadLocalTime {
    /// It says an offset, so it is an instant.
    #[error("{0:?} has an offset: leave it away and name the time zone, or send it as an instant")]
    Offset(String),
    /// Another shape, or no such day or time of day.
    #[error("{0:?} is not a local time: write it as 2026-11-24T10:00, years 1970 to 9999")]
    Malformed(String),
}

/// Why a text isn't an instant.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadInstant {
    /// A local time: without an offset it isn't one instant.
    #[error("{0:?} has no offset: end it with Z, or with an offset such as +01:00")]
    NoOffset(String),
    /// Another shape, or no such day or time of day. A leap second is none either: no clock that
    /// we run on has them.
    #[error("{0:?} is not an RFC 3339 instant: write it as 2026-11-24T15:00:00Z")]
    Malformed(String),
    /// Outside the years 1970 to 9999, counted in UTC.
    #[error("{0:?} is out of range: the years 1970 to 9999 are taken")]
    OutOfRange(String),
}

/// Reads an RFC 3339 instant with any offset; what is finer than a millisecond is cut off.
pub fn parse_rfc3339(text: &str) -> Result<Timestamp, BadInstant> {
    let malformed = || BadInstant::Malformed(shown(text));
    let bytes = text.as_bytes();
    if bytes.len() > TEXT_MAX || bytes.len() < 16 || !matches!(bytes[10], b'T' | b't') {
        return Err(malformed());
    }
    let date = read_date(&bytes[..10]).ok_or_else(malformed)?;
    // Seconds are required; a local time is told apart first, since its fault is another one.
    if LocalTime::read(bytes).is_some() {
        return Err(BadInstant::NoOffset(shown(text)));
    }
    let second = bytes.get(11..19).and_then(read_clock).ok_or_else(malformed)?;
    let (millis, rest) = read_fraction(&bytes[19..]).ok_or_else(malformed)?;
    if rest.is_empty() {
        return Err(BadInstant::NoOffset(shown(text)));
    }
    let offset = read_offset(rest).ok_or_else(malformed)?;
    let at = (date.at_second(second).0 - i64::from(offset)) * 1_000 + i64::from(millis);
    if (0..=PRINTABLE_MS.1).contains(&at) {
        Ok(Timestamp(at))
    } else {
        Err(BadInstant::OutOfRange(shown(text)))
    }
}

/// Prints `2026-11-24T15:00:00Z`, with milliseconds only where they aren't zero.
///
/// What lies outside the years 0000 to 9999, as [`Timestamp::NEVER`] does, is printed as the
/// nearest instant inside: an answer must stay readable, and such a time has no meaning to show.
pub fn format_rfc3339(at: Timestamp) -> String {
    rfc3339(at).as_str().to_owned()
}

/// The same in place.
pub fn rfc3339(at: Timestamp) -> TimeText {
    let at = at.0.clamp(PRINTABLE_MS.0, PRINTABLE_MS.1);
    let text = TimeText::of(LocalTime(at.div_euclid(1_000)));
    let millis = u32::try_from(at.rem_euclid(1_000)).expect("a remainder of 1,000 is below it");
    text.in_utc(millis)
}

/// A time as text, in place rather than on the heap: an answer has a dozen.
#[derive(Clone, Copy)]
pub struct TimeText {
    text: [u8; Self::MOST],
    length: usize,
}

impl TimeText {
    const MINUTES: usize = "2026-11-24T10:00".len();
    const SECONDS: usize = "2026-11-24T10:00:00".len();
    const MOST: usize = "2026-11-24T10:00:00.000Z".len();

    /// `2026-11-24T10:00:00`, of a time in years 0 to 9999.
    fn of(time: LocalTime) -> Self {
        let (year, month, day) = time.date().year_month_day();
        let year = u32::try_from(year).expect("years are 0 to 9999");
        let second = time.second_of_day();
        let mut text = *b"0000-00-00T00:00:00.000Z";
        text[..2].copy_from_slice(&two_digits(year / 100));
        text[2..4].copy_from_slice(&two_digits(year % 100));
        text[5..7].copy_from_slice(&two_digits(month.into()));
        text[8..10].copy_from_slice(&two_digits(day.into()));
        text[11..13].copy_from_slice(&two_digits(second / 3_600));
        text[14..16].copy_from_slice(&two_digits(second / 60 % 60));
        text[17..19].copy_from_slice(&two_digits(second % 60));
        Self { text, length: Self::SECONDS }
    }

    /// With milliseconds, where they aren't zero, and `Z`.
    fn in_utc(mut self, millis: u32) -> Self {
        if millis == 0 {
            self.text[Self::SECONDS] = b'Z';
            return Self { length: Self::SECONDS + 1, ..self };
        }
        let [_, hundreds] = two_digits(millis / 100);
        self.text[20] = hundreds;
        self.text[21..23].copy_from_slice(&two_digits(millis % 100));
        Self { length: Self::MOST, ..self }
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        str::from_utf8(&self.text[..self.length]).expect("digits and marks")
    }
}

/// The digits of a number below 100.
fn two_digits(number: u32) -> [u8; 2] {
    [number / 10, number % 10].map(|digit| b'0' + digit.to_le_bytes()[0])
}

/// A text as an error may repeat it.
pub(super) fn shown(text: &str) -> String {
    text.chars().take(TEXT_MAX).collect()
}

/// Whether what follows `2026-11-24T10:00` looks like a zone's offset.
fn has_offset(text: &str) -> bool {
    text.get(16..).is_some_and(|rest| rest.contains(['Z', 'z', '+', '-']))
}

fn read_number(digits: &[u8]) -> Option<u32> {
    let each = digits.iter().map(|byte| byte.is_ascii_digit().then(|| u32::from(byte - b'0')));
    each.into_iter().try_fold(0, |sum, digit| Some(sum * 10 + digit?))
}

/// Reads `YYYY-MM-DD`; the caller has made sure of the ten bytes.
fn read_date(text: &[u8]) -> Option<Date> {
    let [y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2] = *text else { return None };
    let year = i32::try_from(read_number(&[y1, y2, y3, y4])?).ok()?;
    let month = u8::try_from(read_number(&[m1, m2])?).ok()?;
    let day = u8::try_from(read_number(&[d1, d2])?).ok()?;
    Date::new(year, month, day)
}

/// Reads `HH:MM` or `HH:MM:SS` into seconds since midnight.
fn read_clock(text: &[u8]) -> Option<u32> {
    let (hours, minutes, seconds) = match *text {
        [h1, h2, b':', m1, m2] => ([h1, h2], [m1, m2], [b'0', b'0']),
        [h1, h2, b':', m1, m2, b':', s1, s2] => ([h1, h2], [m1, m2], [s1, s2]),
        _ => return None,
    };
    let (h, m, s) = (read_number(&hours)?, read_number(&minutes)?, read_number(&seconds)?);
    (h < 24 && m < 60 && s < 60).then_some(h * 3_600 + m * 60 + s)
}

/// Reads an optional fraction of a second as milliseconds, and returns what follows it.
fn read_fraction(text: &[u8]) -> Option<(u32, &[u8])> {
    let Some(digits) = text.strip_prefix(b".") else { return Some((0, text)) };
    let count = digits.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (digits, rest) = digits.split_at(count);
    let mut millis = [b'0'; 3];
    for (place, digit) in millis.iter_mut().zip(digits) {
        *place = *digit;
    }
    (count > 0).then_some((read_number(&millis)?, rest))
}

/// Reads `Z` or `±HH:MM` into seconds east of UTC.
fn read_offset(text: &[u8]) -> Option<i32> {
    let (sign, clock) = match text {
        [b'Z' | b'z'] => return Some(0),
        [b'+', clock @ ..] if clock.len() == 5 => (1, clock),
        [b'-', clock @ ..] if clock.len() == 5 => (-1, clock),
        _ => return None,
    };
    Some(sign * i32::try_from(read_clock(clock)?).ok()?)
}

/// Days since 1970-01-01; source: Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms",
/// `days_from_civil`. Years are counted from March, so that the leap day is a year's last.
const fn days_from_civil(year: i32, month: i32, day: i32) -> i32 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

/// The inverse, `civil_from_days` of the same source.
fn civil_from_days(days: i32) -> (i32, u8, u8) {
    let days = days + 719_468;
    let (era, day_of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let march_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * march_month + 2) / 5 + 1;
    let month = (march_month + 2) % 12 + 1;
    let year = era * 400 + year_of_era + i32::from(month <= 2);
    let small = |number: i32| u8::try_from(number).expect("months and days are below 32");
    (year, small(month), small(day))
}

#[cfg(test)]
mod tests;
