//! Texts that come in: how long each may be, and what it may be made of.
//!
//! Separate from the readers of bodies, so that all bounds stand in one list. Texts of several
//! lines are kept as they came, control characters and all, since every way out escapes them; what
//! names something (ids, references) or stands on one line (names, reasons) has no control
//! characters, because it goes into lists, subjects and calendars.

use crate::domain::civil::{BadInstant, parse_rfc3339};
use crate::domain::time::Timestamp;

/// Characters of a customer's name.
pub const NAME_MAX: usize = 200;
/// Characters of the one line that says what it is about.
pub const SHORT_DESCRIPTION_MAX: usize = 200;
/// Characters of a description.
pub const DESCRIPTION_MAX: usize = 4_000;
/// Characters of a reason: a request's, a decline's, a pause's, a presence's, a cancellation's.
pub const REASON_MAX: usize = 200;
/// Characters of an agent's notes.
pub const NOTES_MAX: usize = 4_000;
/// Characters of an id or reference that an integrator chooses.
pub const REFERENCE_MAX: usize = 200;
/// Characters of a disposition's code.
pub const DISPOSITION_MAX: usize = 200;
/// Characters of a web address.
pub const URL_MAX: usize = 2_000;
/// Characters of a locale; BCP 47 has none longer in use.
pub const LOCALE_MAX: usize = 35;
/// Bytes of `context`, as it is kept.
pub const CONTEXT_MAX_BYTES: usize = 32 * 1_024;

/// Whether a text has so many characters at most; it has no more of them than bytes.
fn is_at_most(most: usize, text: &str) -> bool {
    text.len() <= most || text.chars().count() <= most
}

/// Whether there is a control character in it. Nearly all texts are ASCII, and looked at bytewise.
fn has_control(text: &str) -> bool {
    if text.is_ascii() {
        return text.bytes().fold(false, |found, byte| found | byte.is_ascii_control());
    }
    text.chars().any(char::is_control)
}

/// One line for people: of so many characters at most, none of them a control character.
pub fn line(most: usize) -> impl Fn(&str) -> Result<String, String> {
    move |text| {
        let fits = !text.trim().is_empty() && is_at_most(most, text) && !has_control(text);
        fits.then(|| text.to_owned()).ok_or_else(|| {
            format!("must be text of 1 to {most} characters, none of them a control character")
        })
    }
}

/// Text for people: anything, of so many characters at most, but not nothing.
pub fn prose(most: usize) -> impl Fn(&str) -> Result<String, String> {
    move |text| {
        let fits = !text.trim().is_empty() && is_at_most(most, text);
        fits.then(|| text.to_owned())
            .ok_or_else(|| format!("must be text of 1 to {most} characters"))
    }
}

/// An integrator's id or reference: no control characters.
pub fn reference(text: &str) -> Result<String, String> {
    let fits = is_at_most(REFERENCE_MAX, text) && !text.trim().is_empty() && !has_control(text);
    fits.then(|| text.to_owned()).ok_or_else(|| {
        format!("must be 1 to {REFERENCE_MAX} characters, none of them a control character")
    })
}

/// A web address. Pages make links of it, so that no scheme that runs something is taken.
pub fn web_address(text: &str) -> Result<String, String> {
    let begins =
        |with: &str| text.get(..with.len()).is_some_and(|start| start.eq_ignore_ascii_case(with));
    let web = begins("https://") || begins("http://");
    let plain = !has_control(text) && !text.contains(char::is_whitespace);
    let fits = web && plain && is_at_most(URL_MAX, text);
    fits.then(|| text.to_owned())
        .ok_or_else(|| format!("must be an http or https address of at most {URL_MAX} characters"))
}

/// A locale such as `en-US`.
pub fn locale(text: &str) -> Result<String, String> {
    let word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    let fits = (2..=LOCALE_MAX).contains(&text.len())
        && text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.bytes().all(word);
    fits.then(|| text.to_owned()).ok_or_else(|| "must be a locale such as en-US".to_owned())
}

/// An instant.
pub fn instant(text: &str) -> Result<Timestamp, BadInstant> {
    parse_rfc3339(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prose_is_kept_as_it_came_and_bounded_in_characters() {
        let hostile = "<script>\u{0}\u{202e}\n\"é";
        assert_eq!(prose(20)(hostile).as_deref(), Ok(hostile));
        assert!(prose(3)("äöü").is_ok());
        assert!(prose(3)("äöüß").is_err());
        assert!(prose(3)("").is_err());
        assert!(prose(3)(" \n").is_err());
    }

    #[test]
    fn a_line_has_no_control_characters() {
        for good in ["Ada", "Zoë 李 \u{1f600}", "\u{202e}x"] {
            assert_eq!(line(9)(good).as_deref(), Ok(good));
        }
        for bad in ["", " ", "a\u{0}", "a\nb", "a\tb", "\u{7f}a", "a\u{85}b", "0123456789"] {
            assert!(line(9)(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn references_have_no_control_characters() {
        assert!(reference("CS0000042 / ä").is_ok());
        for bad in ["", " ", "a\u{0}", "a\nb", "\u{7f}", &"x".repeat(REFERENCE_MAX + 1)] {
            assert!(reference(bad).is_err(), "{bad:?}");
        }
        assert!(reference(&"ä".repeat(REFERENCE_MAX)).is_ok());
    }

    #[test]
    fn addresses_are_of_the_web_only() {
        for good in ["https://a.example/x?y=1#z", "HTTP://a"] {
            assert!(web_address(good).is_ok(), "{good:?}");
        }
        for bad in ["javascript:alert(1)", "", "data:,x", "https://a b", "//a", "https://a\n", "ä"]
        {
            assert!(web_address(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn locales_are_words() {
        for good in ["en", "en-US", "zh-Hant-TW", "de_AT"] {
            assert!(locale(good).is_ok(), "{good:?}");
        }
        for bad in ["", "e", "1e", "en US", "en\u{0}", &"a".repeat(LOCALE_MAX + 1)] {
            assert!(locale(bad).is_err(), "{bad:?}");
        }
    }
}
