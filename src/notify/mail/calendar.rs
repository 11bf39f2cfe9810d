//! The calendar entry of a booked callback: RFC 5545, sent as RFC 5546 has it.
//!
//! Calendars find their entry by its UID, which is the callback's id for good, and take the file
//! with the highest SEQUENCE. Times are in UTC: an instant needs no VTIMEZONE that might be older
//! than the rules it was booked by, and every calendar shows it in its owner's zone.
//!
//! Written here rather than by crate `icalendar`, which asks the clock for DTSTAMP, makes random
//! UIDs, and lets a quote end a parameter; the tests read it back with that crate.

use lettre::message::Mailbox;

use super::item::MailItem;
use crate::domain::civil::LocalTime;
use crate::domain::dispatch::{MailKind, Slot};
use crate::domain::policy::Medium;
use crate::domain::time::Timestamp;
use crate::domain::zone::TimeZone;

/// The most bytes of a line, its break left out: RFC 5545 section 3.1.
const LINE_BYTES: usize = 75;

/// What a calendar is to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Method {
    /// Enter it, or move it.
    Request,
    /// Take it out.
    Cancel,
}

impl Method {
    /// The word in the file and in its content type.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Request => "REQUEST",
            Self::Cancel => "CANCEL",
        }
    }
}

/// What a mail tells calendars, and about which time; none: nothing.
pub(super) fn notice(item: &MailItem) -> Option<(Method, Slot)> {
    match item.kind {
        MailKind::Confirmation => item.slot.map(|slot| (Method::Request, slot)),
        // Moved from a booked time to as soon as possible, it has no place in a calendar any more.
        MailKind::Change => item
            .slot
            .map(|slot| (Method::Request, slot))
            .or_else(|| item.previous_slot.map(|slot| (Method::Cancel, slot))),
        MailKind::Cancellation => item.slot.map(|slot| (Method::Cancel, slot)),
        // The entry is there already; a retry is no appointment.
        MailKind::Reminder | MailKind::TriedToReach | MailKind::Sorry => None,
    }
}

/// The file. `summary` and `description` are in the customer's language; `attendee` is the
/// address that the mail goes to, as the mail has it.
pub(super) fn file(
    item: &MailItem,
    (method, slot): (Method, Slot),
    organizer: &Mailbox,
    attendee: &Mailbox,
    summary: &str,
    description: &str,
) -> String {
    let status = match method {
        Method::Request => "CONFIRMED",
        Method::Cancel => "CANCELLED",
    };
    let mut out = Lines(String::with_capacity(1_024));
    out.line("BEGIN:VCALENDAR");
    out.line("PRODID:-//Ringback//Callbacks//EN");
    out.line("VERSION:2.0");
    out.line("CALSCALE:GREGORIAN");
    out.line(&format!("METHOD:{}", method.as_str()));
    out.line("BEGIN:VEVENT");
    out.line(&format!("UID:{}", item.callback));
    out.line(&format!("SEQUENCE:{}", item.sequence));
    out.line(&format!("DTSTAMP:{}", utc(item.at)));
    out.line(&format!("DTSTART:{}", utc(slot.start)));
    out.line(&format!("DTEND:{}", utc(slot.end())));
    out.line(&format!("SUMMARY:{}", text(summary)));
    out.line(&format!("DESCRIPTION:{}", text(description)));
    if let (Medium::Video, Some(join_url)) = (item.medium, &item.join_url) {
        out.line(&format!("LOCATION:{}", text(join_url)));
    }
    out.line(&format!("URL:{}", uri(&item.manage_url)));
    out.line(&format!("STATUS:{status}"));
    let name = |mailbox: &Mailbox| {
        mailbox.name.as_deref().map(|name| format!(";CN={}", quoted(name))).unwrap_or_default()
    };
    let address = |mailbox: &Mailbox| format!("mailto:{}", uri(mailbox.email.as_ref()));
    out.line(&format!("ORGANIZER{}:{}", name(organizer), address(organizer)));
    out.line(&format!(
        "ATTENDEE{};CUTYPE=INDIVIDUAL;ROLE=REQ-PARTICIPANT;PARTSTAT=ACCEPTED;RSVP=FALSE:{}",
        name(attendee),
        address(attendee)
    ));
    out.line("END:VEVENT");
    out.line("END:VCALENDAR");
    out.0
}

/// Content lines, folded and ended.
struct Lines(String);

impl Lines {
    /// Folds between characters: a reader that unfolds late must still find UTF-8 on each line.
    fn line(&mut self, content: &str) {
        let mut rest = content;
        let mut room = LINE_BYTES;
        while rest.len() > room {
            let mut cut = room;
            while !rest.is_char_boundary(cut) {
                cut -= 1;
            }
            let (line, more) = rest.split_at(cut);
            self.0.push_str(line);
            self.0.push_str("\r\n ");
            rest = more;
            // The blank that a continuation begins with counts.
            room = LINE_BYTES - 1;
        }
        self.0.push_str(rest);
        self.0.push_str("\r\n");
    }
}

/// `20261124T090000Z`.
fn utc(at: Timestamp) -> String {
    let local: LocalTime = TimeZone::utc().local(at);
    let (year, month, day) = local.date().year_month_day();
    let second = local.second_of_day();
    let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
    format!("{year:04}{month:02}{day:02}T{hour:02}{minute:02}{second:02}Z")
}

/// A TEXT value: what has a meaning in one is escaped, control characters go.
fn text(plain: &str) -> String {
    let mut out = String::with_capacity(plain.len() + 16);
    for c in plain.chars() {
        match c {
            '\\' | ';' | ',' => out.extend(['\\', c]),
            '\n' => out.push_str("\\n"),
            c if c.is_control() => {}
            c => out.push(c),
        }
    }
    out
}

/// A parameter's value in quotes, inside which nothing but a quote has a meaning.
fn quoted(plain: &str) -> String {
    let inner: String = plain
        .chars()
        .filter(|c| !c.is_control())
        .map(|c| if c == '"' { '\'' } else { c })
        .collect();
    format!("\"{inner}\"")
}

/// A URI: what can't stand in one is percent-encoded, what is encoded already stays.
fn uri(plain: &str) -> String {
    use std::fmt::Write;
    let mut out = String::with_capacity(plain.len());
    for byte in plain.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~:/?#[]@!$&'()*+,;=%".contains(&byte) {
            out.push(char::from(byte));
        } else {
            write!(out, "%{byte:02X}").expect("writing to a String can't fail");
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_folded_between_characters_at_75_bytes() {
        for (content, lines) in [
            ("x".repeat(75), 1),
            ("x".repeat(76), 2),
            ("x".repeat(75 + 74), 2),
            ("x".repeat(75 + 75), 3),
            ("ä".repeat(60), 2),
            ("🎉".repeat(60), 4),
            (String::new(), 1),
        ] {
            let mut out = Lines(String::new());
            out.line(&content);
            let folded = out.0;
            assert!(folded.ends_with("\r\n"));
            assert!(folded.lines().all(|line| line.len() <= LINE_BYTES), "{folded}");
            assert_eq!(folded.lines().count(), lines, "{folded}");
            assert_eq!(folded.replace("\r\n ", "").trim_end(), content);
        }
    }

    #[test]
    fn nothing_escapes_from_its_value() {
        assert_eq!(text("a,b;c\\d\r\nEND:VEVENT\u{0}"), "a\\,b\\;c\\\\d\\nEND:VEVENT");
        assert_eq!(quoted("A \"B\";X=1:\r\nC"), "\"A 'B';X=1:C\"");
        assert_eq!(
            uri("https://a.example/x y\r\n\"{ä}%20"),
            "https://a.example/x%20y%0D%0A%22%7B%C3%A4%7D%20"
        );
    }

    #[test]
    fn instants_are_written_in_utc() {
        assert_eq!(utc(Timestamp(1_795_510_799_999)), "20261124T085959Z");
        assert_eq!(utc(Timestamp(0)), "19700101T000000Z");
    }
}
