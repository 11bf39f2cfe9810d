//! Phone numbers, in the one form in which they are kept, compared and called.
//!
//! The one place that asks the numbering plans anything. Separate from intake, which decides which
//! kinds are taken: this says only what a number is. Must never print a number, not in an error
//! and not in debug output: who asked to be called is nobody's business.

use std::fmt;

use rlibphonenumber::{
    PHONE_NUMBER_UTIL, ParseError, PhoneNumber as PlanNumber, PhoneNumberFormat, PhoneNumberType,
    Region as PlanRegion, ValidationError,
};

mod email;

pub use email::{BadEmail, Email};

/// No number with all its punctuation is longer; what is gets refused before anything reads it.
const INPUT_MAX_CHARS: usize = 64;
/// `+` and the 15 digits that E.164 allows.
const E164_MAX: usize = 16;
/// The most digits of an extension; as many as the tables of the large telephone systems have.
const EXTENSION_MAX: usize = 11;
/// As many digits as a code to be dialled inside one network may have; ITU-T E.164 Annex A leaves
/// it open, and the longest in use (116 xxx in Europe) have six.
const SHORT_MAX: usize = 6;
/// What every handset takes for an emergency call: 3GPP TS 22.101, section 10.1.
const EMERGENCY: [&str; 8] = ["000", "08", "110", "112", "118", "119", "911", "999"];
/// The plus of all keyboards but those for full-width letters, and theirs.
const PLUS: [char; 2] = ['+', '\u{ff0b}'];
/// Country codes of satellite phones (870, 881) and of the international networks (882, 883) that
/// carry them and cost as much; ITU-T E.164.D.
const SATELLITE: [i32; 4] = [870, 881, 882, 883];

/// A phone number in E.164: `+` and up to 15 digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PhoneNumber {
    // In place rather than on the heap: 17 bytes, and copied with the record that it stands in.
    text: [u8; E164_MAX],
    length: u8,
}

/// What kind of number it is, by its country's numbering plan.
///
/// Emergency and short numbers aren't among them: they have no E.164 form, so they are refused as
/// [`BadPhone::Emergency`] and [`BadPhone::Short`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PhoneKind {
    /// Fixed line, mobile or internet telephony.
    Ordinary,
    /// Free for whoever calls.
    TollFree,
    /// Dearer than a call, for what is told on it.
    Premium,
    /// Partly paid by whoever is called.
    SharedCost,
    /// A satellite phone, or one in an international network.
    Satellite,
    /// Personal and universal numbers, pagers, mailboxes.
    Other,
}

/// A country or territory with a numbering plan, by its two ISO 3166-1 letters.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Region([u8; 2]);

/// The number behind a switchboard: 1–11 digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Extension {
    text: [u8; EXTENSION_MAX],
    length: u8,
}

/// Why a text isn't a phone number, and what to do. It never repeats the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadPhone {
    /// Longer than any number.
    #[error("more than {INPUT_MAX_CHARS} characters: send one phone number alone")]
    TooMuchText,
    /// Something else than a number stands there.
    #[error("not a phone number: use digits, spaces and + - . / ( ) alone")]
    NotANumber,
    /// An extension is part of it.
    #[error("the number has an extension: send that as phone_extension")]
    HasExtension,
    /// A national number, and no country to read it in.
    #[error("the country is missing: start the number with + and the country code")]
    NoCountry,
    /// No country has this code.
    #[error("there is no such country code: check the digits after +")]
    UnknownCountry,
    /// Calls to it belong to people in need.
    #[error("emergency numbers are not called back: send the customer's own number")]
    Emergency,
    /// It can be dialled inside one network only.
    #[error("short numbers can't be called from outside: send the full number")]
    Short,
    /// Digits are missing.
    #[error("too few digits for this country: send the full number with its area code")]
    TooFewDigits,
    /// More digits than the country's numbers have.
    #[error("too many digits for this country: check the number")]
    TooManyDigits,
    /// Of the right length, but in no range that is in use.
    #[error("no number of this country begins like this: check the digits")]
    NotInUse,
}

/// Why a text isn't a region.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a region: use the two letters of ISO 3166, such as DE")]
pub struct BadRegion(pub String);

/// Why a text isn't an extension; it isn't repeated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an extension: use 1 to {EXTENSION_MAX} digits")]
pub struct BadExtension;

/// Reads the numbering plans, 5 MB, for which the first number would have to wait.
pub fn load_plans() {
    // Whichever region is asked for, all of them are read.
    let _ = PHONE_NUMBER_UTIL.get_country_code_for_region(Region(*b"DE").in_plan());
}

impl PhoneNumber {
    /// Reads a number as people write them; one without `+` as it is dialled in `default_region`.
    pub fn parse(text: &str, default_region: Option<Region>) -> Result<Self, BadPhone> {
        Self::read(text, default_region).map(|(number, _kind)| number)
    }

    /// Reads a number as [`Self::parse`] does, and says what kind it is.
    pub fn read(text: &str, default_region: Option<Region>) -> Result<(Self, PhoneKind), BadPhone> {
        // Programs send E.164, of which nothing has to be guessed.
        if let Some(number) = written_out(text)
            && let Some(kind) = kind_in_plan(&number)
        {
            return Self::from_e164(text).map(|it| (it, kind)).ok_or(BadPhone::TooManyDigits);
        }
        Self::read_as_written(text, default_region)
    }

    fn read_as_written(
        text: &str,
        default_region: Option<Region>,
    ) -> Result<(Self, PhoneKind), BadPhone> {
        if text.chars().nth(INPUT_MAX_CHARS).is_some() {
            return Err(BadPhone::TooMuchText);
        }
        let digits = PHONE_NUMBER_UTIL.normalize_digits_only(text);
        let unopened = text.trim_start_matches(|c: char| c.is_whitespace() || c == '(');
        let international = unopened.starts_with(PLUS);
        if !international && EMERGENCY.contains(&digits.as_str()) {
            return Err(BadPhone::Emergency);
        }
        let parsed = PHONE_NUMBER_UTIL.parse(text, default_region.map(Region::in_plan));
        if parsed.as_ref().is_ok_and(|number| number.extension.is_some()) && !text.contains('*') {
            return Err(BadPhone::HasExtension);
        }
        // The plans' reader skips what it doesn't know and turns letters into digits. A name or a
        // second number in the field is a mistake, and the customer would not be the one called.
        let numerals = text.chars().filter(|c| c.is_numeric()).count();
        if !text.chars().all(may_stand_in_a_number)
            || unopened.trim_start_matches(PLUS).contains(PLUS)
            || numerals != digits.len()
        {
            return Err(BadPhone::NotANumber);
        }
        let short = !international && (1..=SHORT_MAX).contains(&digits.len());
        let number = parsed.map_err(|fault| unread(&fault, international, short))?;
        if let Some(kind) = kind_in_plan(&number) {
            let e164 = PHONE_NUMBER_UTIL.format(&number, PhoneNumberFormat::E164);
            return Self::from_e164(&e164).map(|it| (it, kind)).ok_or(BadPhone::TooManyDigits);
        }
        if EMERGENCY.contains(&number.national_number.to_string().as_str()) {
            return Err(BadPhone::Emergency);
        }
        Err(match PHONE_NUMBER_UTIL.is_possible_number_with_reason(&number) {
            _ if short => BadPhone::Short,
            Err(ValidationError::InvalidCountryCode) => BadPhone::UnknownCountry,
            Err(ValidationError::TooShort) => BadPhone::TooFewDigits,
            Err(ValidationError::TooLong) => BadPhone::TooManyDigits,
            Ok(_) | Err(ValidationError::InvalidLength) => BadPhone::NotInUse,
        })
    }

    /// Takes a number that is in E.164 already, by its shape alone: how stored ones are read.
    ///
    /// They were checked when they came in, and a plan that has changed since must not make a
    /// record unreadable.
    pub fn from_e164(text: &str) -> Option<Self> {
        let digits = text.strip_prefix('+')?;
        let fits = !digits.starts_with('0') && is_digits(digits, E164_MAX - 1);
        fits.then(|| Self { text: padded(text), length: short_length(text) })
    }

    /// The number, for calling and storing. Not for logs.
    pub fn as_str(&self) -> &str {
        visible(&self.text, self.length)
    }

    /// The country or territory that it belongs to; none for numbers of no country (+800, +870 …).
    pub fn region(&self) -> Option<Region> {
        let number = PHONE_NUMBER_UTIL.parse(self.as_str(), None).ok()?;
        let region = PHONE_NUMBER_UTIL.get_region_for_number(&number)?;
        Region::parse(region.as_region_str().as_str()).ok()
    }
}

impl fmt::Debug for PhoneNumber {
    /// The last two digits, by which two numbers of one trace can be told apart.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = self.as_str();
        write!(out, "+…{}", &text[text.len().saturating_sub(2).max(1)..])
    }
}

impl Region {
    /// Takes the two letters, in any case, of a region that has a numbering plan.
    pub fn parse(text: &str) -> Result<Self, BadRegion> {
        let bad = || BadRegion(super::civil::shown(text));
        let letters: [u8; 2] = text.as_bytes().try_into().map_err(|_| bad())?;
        if !letters.iter().all(u8::is_ascii_alphabetic) {
            return Err(bad());
        }
        let region = Self(letters.map(|letter| letter.to_ascii_uppercase()));
        let known = PHONE_NUMBER_UTIL.get_country_code_for_region(region.in_plan()).is_some();
        if known { Ok(region) } else { Err(bad()) }
    }

    /// Its two letters.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).expect("`parse` takes ASCII letters only")
    }

    fn in_plan(self) -> PlanRegion {
        PlanRegion::from_code(self.as_str()).expect("any two letters are a code")
    }
}

impl fmt::Display for Region {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.as_str())
    }
}

impl fmt::Debug for Region {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.as_str())
    }
}

impl Extension {
    /// Takes 1 to 11 digits.
    pub fn parse(text: &str) -> Result<Self, BadExtension> {
        let fits = is_digits(text, EXTENSION_MAX);
        fits.then(|| Self { text: padded(text), length: short_length(text) }).ok_or(BadExtension)
    }

    /// The digits.
    pub fn as_str(&self) -> &str {
        visible(&self.text, self.length)
    }
}

impl fmt::Debug for Extension {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "…({} digits)", self.length)
    }
}

/// A number in E.164, which needs no reader: the country's code, and then a number that doesn't
/// begin with a zero. None for any other text.
fn written_out(text: &str) -> Option<PlanNumber> {
    let digits = text.strip_prefix('+').filter(|digits| is_digits(digits, E164_MAX - 1))?;
    // No code is the beginning of another.
    (1..=3).find_map(|length| {
        let (code, national) = digits.split_at_checked(length)?;
        let country_code = code.parse().ok()?;
        PHONE_NUMBER_UTIL.get_region_for_country_code(country_code)?;
        let national_number = national.parse().ok().filter(|_| !national.starts_with('0'))?;
        Some(PlanNumber { country_code, national_number, ..PlanNumber::default() })
    })
}

/// What kind a number is; none if it is in no range that is in use.
fn kind_in_plan(number: &PlanNumber) -> Option<PhoneKind> {
    let kind = match PHONE_NUMBER_UTIL.get_number_type(number) {
        PhoneNumberType::Unknown => return None,
        PhoneNumberType::FixedLine
        | PhoneNumberType::Mobile
        | PhoneNumberType::FixedLineOrMobile
        | PhoneNumberType::VoIP => PhoneKind::Ordinary,
        PhoneNumberType::TollFree => PhoneKind::TollFree,
        PhoneNumberType::PremiumRate => PhoneKind::Premium,
        PhoneNumberType::SharedCost => PhoneKind::SharedCost,
        PhoneNumberType::PersonalNumber
        | PhoneNumberType::Pager
        | PhoneNumberType::UAN
        | PhoneNumberType::VoiceMail => PhoneKind::Other,
    };
    Some(if SATELLITE.contains(&number.country_code) { PhoneKind::Satellite } else { kind })
}

/// What to say where the plans' reader found no number.
fn unread(fault: &ParseError, international: bool, short: bool) -> BadPhone {
    match fault {
        ParseError::InvalidCountryCode if international => BadPhone::UnknownCountry,
        ParseError::InvalidCountryCode => BadPhone::NoCountry,
        ParseError::TooLongNsn => BadPhone::TooManyDigits,
        ParseError::TooShortAfterIdd | ParseError::TooShortNsn => BadPhone::TooFewDigits,
        ParseError::NotANumber(_) if short => BadPhone::Short,
        ParseError::NotANumber(_) => BadPhone::NotANumber,
    }
}

fn may_stand_in_a_number(character: char) -> bool {
    character.is_numeric()
        || character.is_whitespace()
        || PLUS.contains(&character)
        || "-\u{2010}\u{2011}\u{2012}\u{2013}\u{2014}\u{2212}./()".contains(character)
}

fn is_digits(text: &str, most: usize) -> bool {
    (1..=most).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
}

fn padded<const N: usize>(text: &str) -> [u8; N] {
    let mut bytes = [0; N];
    bytes[..text.len()].copy_from_slice(text.as_bytes());
    bytes
}

fn short_length(text: &str) -> u8 {
    u8::try_from(text.len()).expect("numbers and extensions are at most 16 characters")
}

fn visible(text: &[u8], length: u8) -> &str {
    std::str::from_utf8(&text[..usize::from(length)]).expect("only ASCII is stored")
}

#[cfg(test)]
mod tests;
