//! Mails as customers get them, read back by other libraries than those that made them.

mod entries;
mod hostile;
mod servers;
mod smtp;
mod texts;

use lettre::message::Mailbox;
use mail_parser::{Message as Read, MessageParser, MimeHeaders};

use super::*;
use crate::domain::civil::parse_rfc3339;
use crate::domain::dispatch::Outcome;
use crate::domain::dispatch::{Estimate, MailKind, Slot};
use crate::domain::ids::CallbackId;
use crate::domain::phone::Email;
use crate::domain::policy::Medium;
use crate::domain::time::Timestamp;
use crate::domain::zone::TimeZone;

fn at(text: &str) -> Timestamp {
    parse_rfc3339(text).expect("an instant")
}

fn slot(start: &str) -> Slot {
    Slot { start: at(start), minutes: 15 }
}

/// An asap callback of Ada's, about which nothing else is known.
fn item(kind: MailKind) -> MailItem {
    MailItem {
        id: "0198c0de-1".to_owned(),
        kind,
        at: at("2026-11-20T08:00:00Z"),
        callback: CallbackId(0x0198_c0de_0000_7000_8000_0000_0000_0001),
        number: 1_042,
        sequence: 3,
        customer_name: "Ada Lovelace".to_owned(),
        customer_email: Email::parse("ada@example.com").expect("an address"),
        locale: None,
        zone: TimeZone::parse("Europe/Berlin").expect("a zone"),
        queue: "Billing".to_owned(),
        medium: Medium::Voice,
        slot: None,
        previous_slot: None,
        attempts: 0,
        position: None,
        estimate: None,
        next_try: None,
        manage_url: "https://callbacks.example/callback/t0ken".to_owned(),
        book_url: None,
        join_url: None,
    }
}

/// The same, booked for Tuesday at ten in Berlin.
fn booked(kind: MailKind) -> MailItem {
    MailItem { slot: Some(slot("2026-11-24T09:00:00Z")), ..item(kind) }
}

fn settings() -> MailSettings {
    MailSettings {
        from: "Example Ltd <callbacks@example.org>".parse::<Mailbox>().expect("a mailbox"),
        reply_to: None,
        templates: Templates::load(None).expect("the built-in ones"),
    }
}

fn bytes(item: &MailItem) -> Vec<u8> {
    compose(item, &settings()).expect("a mail").formatted()
}

/// A mail, parsed.
struct Got(Read<'static>);

impl Got {
    fn new(item: &MailItem) -> Self {
        Self::of(&bytes(item))
    }

    fn of(bytes: &[u8]) -> Self {
        assert!(bytes.is_ascii(), "servers without 8BITMIME take it");
        let text = std::str::from_utf8(bytes).expect("ASCII");
        assert!(!text.replace("\r\n", "").contains(['\r', '\n']), "whole line breaks only");
        assert!(text.lines().all(|line| line.len() <= 998), "RFC 5322, section 2.1.1");
        Self(MessageParser::default().parse(bytes).expect("a mail").into_owned())
    }

    fn subject(&self) -> &str {
        self.0.subject().expect("a subject")
    }

    fn text(&self) -> String {
        self.0.body_text(0).expect("plain text").replace("\r\n", "\n")
    }

    /// The HTML with slashes as they are shown; the templates' escaping covers them too.
    fn html(&self) -> String {
        let html = self.0.body_html(0).expect("HTML").replace("\r\n", "\n");
        html.replace("&#x2f;", "/")
    }

    /// The calendar entry's method and text; none if there is none.
    fn entry(&self) -> Option<(String, String)> {
        let is_entry = |part: &&mail_parser::MessagePart<'_>| {
            part.content_type().is_some_and(|kind| kind.subtype() == Some("calendar"))
        };
        let part = self.0.parts.iter().find(is_entry)?;
        let method = part.content_type().and_then(|kind| kind.attribute("method"));
        let text = part.text_contents().expect("text").to_owned();
        Some((method.expect("a method").to_owned(), text))
    }
}

#[test]
fn the_same_item_makes_the_same_bytes() {
    let item = booked(MailKind::Confirmation);
    assert_eq!(bytes(&item), bytes(&item));
    let got = Got::new(&item);
    assert_eq!(got.0.message_id(), Some("0198c0de-1@example.org"));
    assert_eq!(got.0.date().expect("a date").to_rfc3339(), "2026-11-20T08:00:00Z");
    let other = MailItem { id: "0198c0de_1".to_owned(), ..item.clone() };
    assert_ne!(Got::new(&other).0.message_id(), got.0.message_id());
}

#[test]
fn headers_are_those_of_a_machine_that_wants_no_machines_answer() {
    let mut settings = settings();
    settings.reply_to = Some("service@example.org".parse().expect("a mailbox"));
    let mail = compose(&booked(MailKind::Reminder), &settings).expect("a mail");
    let envelope = mail.envelope();
    assert_eq!(envelope.from().map(AsRef::as_ref), Some("callbacks@example.org"));
    let to: Vec<&str> = envelope.to().iter().map(AsRef::as_ref).collect();
    assert_eq!(to, ["ada@example.com"]);
    let got = Got::of(&mail.formatted()).0;
    let first = |address: Option<&mail_parser::Address<'_>>| {
        let address = address.and_then(mail_parser::Address::first).expect("an address");
        let name = address.name().unwrap_or_default();
        (name.to_owned(), address.address().expect("an address").to_owned())
    };
    let pair = |name: &str, address: &str| (name.to_owned(), address.to_owned());
    assert_eq!(first(got.from()), pair("Example Ltd", "callbacks@example.org"));
    assert_eq!(first(got.to()), pair("Ada Lovelace", "ada@example.com"));
    assert_eq!(first(got.reply_to()), pair("", "service@example.org"));
    assert_eq!(got.header_raw("Auto-Submitted").map(str::trim), Some("auto-generated"));
}

#[test]
fn a_mail_has_plain_text_before_html_and_the_entry_last() {
    let kinds = |item: &MailItem| -> Vec<String> {
        let got = Got::new(item);
        let kind = |part: &mail_parser::MessagePart<'_>| {
            let kind = part.content_type().expect("each part has one");
            format!("{}/{}", kind.ctype(), kind.subtype().unwrap_or_default())
        };
        got.0.parts.iter().map(kind).collect()
    };
    assert_eq!(
        kinds(&item(MailKind::Confirmation)),
        ["multipart/alternative", "text/plain", "text/html"]
    );
    assert_eq!(
        kinds(&booked(MailKind::Confirmation)),
        [
            "multipart/mixed",
            "multipart/alternative",
            "text/plain",
            "text/html",
            "text/calendar",
            "application/ics"
        ]
    );
}
