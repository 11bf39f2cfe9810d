//! The words of one mail: what templates are told, and what they make of it.
//!
//! The one place where what people wrote meets a template. Separate from `compose`, which knows
//! mails and no words. Must never pass on a line break of a customer's: a subject is one line.

use minijinja::{Value, context};

use super::calendar::{self, Method};
use super::item::MailItem;
use super::templates::Templates;
use crate::domain::dispatch::{Estimate, MailKind, Slot};
use crate::domain::ids::CallbackId;
use crate::domain::phone::Email;
use crate::domain::policy::Medium;
use crate::domain::time::Timestamp;
use crate::domain::zone::TimeZone;

/// The most characters of a name in a greeting.
const NAME_SHOWN: usize = 80;
/// The most characters of a subject.
const SUBJECT_MAX: usize = 200;

/// All texts of one mail, in the customer's language.
pub(super) struct Words {
    /// One line.
    pub(super) subject: String,
    /// The plain text.
    pub(super) text: String,
    /// The same as HTML.
    pub(super) html: String,
    /// The heading of the calendar entry.
    pub(super) summary: String,
    /// What the calendar entry says.
    pub(super) description: String,
}

/// Fills in the templates for a mail.
pub(super) fn of(item: &MailItem, templates: &Templates) -> Result<Words, minijinja::Error> {
    let locale = item.locale.as_deref();
    let when = |at: Timestamp| -> Result<String, minijinja::Error> {
        let text = templates.render(locale, "when.txt", |_| clock(&item.zone, at))?;
        Ok(text.trim().to_owned())
    };
    let start = item.slot.map(|slot| when(slot.start)).transpose()?;
    let previous_start = item.previous_slot.map(|slot| when(slot.start)).transpose()?;
    let next_try = item.next_try.map(when).transpose()?;
    let facts = context! {
        name => greeted(&item.customer_name),
        queue => one_line(&item.queue),
        number => item.shown_number(),
        video => item.medium == Medium::Video,
        start, previous_start, next_try,
        minutes => item.slot.map(|slot| slot.minutes),
        // Of the calendar entry, which goes also when a booking is moved to no fixed time.
        canceled => matches!(calendar::notice(item), Some((Method::Cancel, _))),
        attempts => item.attempts,
        position => item.position,
        low => item.estimate.map(|estimate| estimate.low_minutes),
        high => item.estimate.map(|estimate| estimate.high_minutes),
        manage_url => web(Some(&item.manage_url)),
        book_url => web(item.book_url.as_deref()),
        join_url => web(item.join_url.as_deref()),
    };
    let kind = item.kind.as_str();
    let fill = |file: &str, subject: &str| {
        templates.render(locale, file, |lang| context! { lang, subject, ..facts.clone() })
    };
    let (subject, text) = head_and_rest(&fill(&format!("{kind}.txt"), "")?);
    let html = fill(&format!("{kind}.html"), &subject)?;
    let (summary, description) = head_and_rest(&fill("calendar.txt", &subject)?);
    Ok(Words { subject, text, html, summary, description })
}

/// What a clock in the zone shows, in the parts that languages put together.
fn clock(zone: &TimeZone, at: Timestamp) -> Value {
    let local = zone.local(at);
    let (year, month, day) = local.date().year_month_day();
    let minutes = local.second_of_day() / 60;
    let (hour, minute) = (minutes / 60, minutes % 60);
    let offset = (local.civil_seconds() - at.0.div_euclid(1_000)) / 60;
    let sign = if offset < 0 { '-' } else { '+' };
    let offset = offset.abs();
    context! {
        year, month, day,
        // 1 is Monday.
        weekday => local.date().weekday().index() + 1,
        hour => format!("{hour:02}"),
        minute => format!("{minute:02}"),
        hour12 => (hour + 11) % 12 + 1,
        afternoon => hour >= 12,
        zone => zone.name().replace('_', " "),
        offset => format!("UTC{sign}{:02}:{:02}", offset / 60, offset % 60),
    }
}

/// The first line, and what follows it.
fn head_and_rest(text: &str) -> (String, String) {
    let (head, rest) = text.trim_start().split_once('\n').unwrap_or((text, ""));
    let head: String = one_line(head).chars().take(SUBJECT_MAX).collect();
    (head, format!("{}\n", rest.trim()))
}

/// Without line breaks, other control characters, and what turns the order of characters round.
pub(super) fn one_line(text: &str) -> String {
    let breaks = |c: char| c.is_control() || c.is_whitespace() || turns(c);
    text.split(breaks).filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
}

/// The marks that make text run the other way: with them a name could show an address backwards.
fn turns(c: char) -> bool {
    ('\u{202a}'..='\u{202e}').contains(&c)
        || ('\u{2066}'..='\u{2069}').contains(&c)
        || ['\u{200e}', '\u{200f}'].contains(&c)
}

/// A name to greet; empty for what looks like an address of the web or of mail.
///
/// Anybody may ask for a callback in anybody's name, and mail programs make links of such words:
/// with them our mails would carry strangers' advertisements to whomever they choose.
pub(super) fn greeted(name: &str) -> String {
    let name = one_line(name);
    let lower = name.to_lowercase();
    let dotted = || {
        lower.match_indices('.').any(|(at, _)| {
            lower[at + 1..].chars().take(2).filter(|c| c.is_alphanumeric()).count() == 2
        })
    };
    if lower.contains(['@', '\u{3002}', '\u{ff0e}', '\u{ff61}'])
        || lower.contains("://")
        || dotted()
    {
        return String::new();
    }
    name.chars().take(NAME_SHOWN).collect()
}

/// An address that a mail may link to; none for any other.
fn web(url: Option<&str>) -> Option<&str> {
    url.filter(|url| crate::wire::text::web_address(url).is_ok())
}

/// Mails of every kind that take every branch of the built-in templates, to try templates on.
pub(super) fn samples(locale: &str) -> Vec<MailItem> {
    let at = Timestamp(1_800_000_000_000);
    let slot = Slot { start: at, minutes: 15 };
    let bare = MailItem {
        id: "sample".to_owned(),
        kind: MailKind::Confirmation,
        at,
        callback: CallbackId(1),
        number: 1,
        sequence: 1,
        customer_name: "Ada".to_owned(),
        customer_email: Email::parse("ada@example.com").expect("it is an address"),
        locale: Some(locale.to_owned()),
        zone: TimeZone::utc(),
        queue: "Billing".to_owned(),
        medium: Medium::Voice,
        slot: None,
        previous_slot: None,
        attempts: 0,
        position: None,
        estimate: None,
        next_try: None,
        manage_url: "https://example.com/m".to_owned(),
        book_url: None,
        join_url: None,
    };
    let line = MailItem {
        position: Some(3),
        estimate: Some(Estimate { low_minutes: 5, high_minutes: 20 }),
        attempts: 1,
        next_try: Some(at),
        ..bare.clone()
    };
    let booked = MailItem { slot: Some(slot), previous_slot: Some(slot), ..line.clone() };
    let video = MailItem { medium: Medium::Video, attempts: 2, ..booked.clone() };
    let join_url = Some("https://example.com/j".to_owned());
    let joined = MailItem { join_url: join_url.clone(), book_url: join_url, ..video.clone() };
    let one = Some(Estimate { low_minutes: 0, high_minutes: 1 });
    let none = Some(Estimate { low_minutes: 0, high_minutes: 0 });
    let sure = Some(Estimate { low_minutes: 1, high_minutes: 1 });
    let soon = [one, none, sure].map(|estimate| MailItem { estimate, ..line.clone() });
    let all = [bare, line, booked, video, joined].into_iter().chain(soon);
    let of_kind = |item: MailItem| MailKind::ALL.map(|kind| MailItem { kind, ..item.clone() });
    all.flat_map(of_kind).collect()
}
