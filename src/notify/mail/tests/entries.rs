//! Calendar entries, read by crate `icalendar`.

use icalendar::parser::{Component, read_calendar, unfold};

use super::*;

/// The properties of the one event of a mail's entry, and the calendar's method.
struct Event {
    method: String,
    fields: Vec<(String, String)>,
    raw: String,
}

impl Event {
    fn of(item: &MailItem) -> Option<Self> {
        let (method, raw) = Got::new(item).entry()?;
        assert!(raw.lines().all(|line| line.len() <= 75), "{raw}");
        let text = unfold(&raw);
        let calendar = read_calendar(&text).expect("a calendar");
        let [event] = &calendar.components[..] else { panic!("one event in {raw}") };
        assert_eq!(event.name.as_str(), "VEVENT");
        let told = |name: &str| {
            let found = calendar.properties.iter().find(|field| field.name.as_str() == name);
            found.map(|field| field.val.as_str().to_owned())
        };
        assert_eq!(told("VERSION").as_deref(), Some("2.0"));
        assert_eq!(told("METHOD").as_deref(), Some(&*method), "as in the content type");
        let fields = Self::fields(event);
        Some(Self { method, fields, raw })
    }

    fn fields(event: &Component<'_>) -> Vec<(String, String)> {
        let field = |field: &icalendar::parser::Property<'_>| {
            (field.name.as_str().to_owned(), field.val.as_str().to_owned())
        };
        event.properties.iter().map(field).collect()
    }

    #[track_caller]
    fn get(&self, name: &str) -> &str {
        let found: Vec<_> = self.fields.iter().filter(|(field, _)| field == name).collect();
        assert_eq!(found.len(), 1, "{name} in {}", self.raw);
        &found[0].1
    }

    fn has(&self, name: &str) -> bool {
        self.fields.iter().any(|(field, _)| field == name)
    }
}

#[test]
fn a_booking_has_an_entry_with_all_that_calendars_ask_for() {
    let event = Event::of(&booked(MailKind::Confirmation)).expect("an entry");
    assert_eq!(event.method, "REQUEST");
    for (name, value) in [
        ("UID", "0198c0de-0000-7000-8000-000000000001"),
        ("SEQUENCE", "3"),
        ("DTSTAMP", "20261120T080000Z"),
        ("DTSTART", "20261124T090000Z"),
        ("DTEND", "20261124T091500Z"),
        ("SUMMARY", "Callback: Billing"),
        ("STATUS", "CONFIRMED"),
        ("URL", "https://callbacks.example/callback/t0ken"),
        ("ORGANIZER", "mailto:callbacks@example.org"),
        ("ATTENDEE", "mailto:ada@example.com"),
    ] {
        assert_eq!(event.get(name), value, "{name}");
    }
    let description = event.get("DESCRIPTION");
    assert!(description.contains("https://callbacks.example/callback/t0ken"), "{description}");
    assert!(description.contains("CB0001042"), "{description}");
    assert!(!event.has("LOCATION"), "a phone call has no place");
}

#[test]
fn the_attachment_is_the_entry_too() {
    let got = Got::new(&booked(MailKind::Confirmation));
    let (_, entry) = got.entry().expect("an entry");
    let attached = got.0.attachments().find(|part| part.attachment_name().is_some());
    let attached = attached.expect("an attachment");
    assert_eq!(attached.attachment_name(), Some("callback.ics"));
    assert_eq!(attached.contents(), entry.as_bytes());
}

#[test]
fn a_change_moves_the_entry_and_a_cancellation_takes_it_out() {
    let booking = Event::of(&booked(MailKind::Confirmation)).expect("an entry");
    let moved = MailItem {
        sequence: 4,
        previous_slot: booked(MailKind::Change).slot,
        slot: Some(slot("2026-11-25T10:30:00Z")),
        ..item(MailKind::Change)
    };
    let change = Event::of(&moved).expect("an entry");
    assert_eq!((&*change.method, change.get("UID")), ("REQUEST", booking.get("UID")));
    assert_eq!(change.get("SEQUENCE"), "4");
    assert_eq!(change.get("DTSTART"), "20261125T103000Z");

    let canceled = MailItem { kind: MailKind::Cancellation, sequence: 5, ..moved };
    let cancel = Event::of(&canceled).expect("an entry");
    assert_eq!((&*cancel.method, cancel.get("UID")), ("CANCEL", booking.get("UID")));
    assert_eq!((cancel.get("SEQUENCE"), cancel.get("STATUS")), ("5", "CANCELLED"));
    assert_eq!(cancel.get("DESCRIPTION"), "No longer at this time. Reference: CB0001042");
    assert_eq!(cancel.get("ORGANIZER"), booking.get("ORGANIZER"));
    assert_eq!(cancel.get("ATTENDEE"), booking.get("ATTENDEE"));
}

#[test]
fn moved_to_as_soon_as_possible_the_entry_goes() {
    let previous_slot = booked(MailKind::Change).slot;
    let asap = MailItem { previous_slot, ..item(MailKind::Change) };
    let event = Event::of(&asap).expect("an entry");
    assert_eq!((&*event.method, event.get("DTSTART")), ("CANCEL", "20261124T090000Z"));
}

#[test]
fn what_is_no_appointment_has_no_entry() {
    for kind in MailKind::ALL {
        assert!(Event::of(&item(kind)).is_none(), "{kind:?}, asap");
    }
    for kind in [MailKind::Reminder, MailKind::TriedToReach, MailKind::Sorry] {
        assert!(Event::of(&booked(kind)).is_none(), "{kind:?}, booked");
    }
}

#[test]
fn a_video_call_takes_place_behind_its_link() {
    let join_url = Some("https://meet.example/j/1?pwd=a,b;c".to_owned());
    let video = MailItem {
        medium: Medium::Video,
        locale: Some("de".to_owned()),
        join_url,
        ..booked(MailKind::Confirmation)
    };
    let event = Event::of(&video).expect("an entry");
    assert_eq!(event.get("SUMMARY"), "Videogespräch: Billing");
    assert!(
        event.raw.replace("\r\n ", "").contains("LOCATION:https://meet.example/j/1?pwd=a\\,b\\;c")
    );
    assert!(event.get("DESCRIPTION").contains("Teilnehmen: https://meet.example/j/1"));
    let later = Event::of(&MailItem { join_url: None, ..video }).expect("an entry");
    assert!(!later.has("LOCATION"));
}

#[test]
fn entries_are_at_the_instant_through_both_changes_of_the_clocks() {
    for (start, from, to) in [
        ("2026-10-25T00:45:00Z", "20261025T004500Z", "20261025T010000Z"),
        ("2026-10-25T01:45:00Z", "20261025T014500Z", "20261025T020000Z"),
        ("2026-03-29T00:45:00Z", "20260329T004500Z", "20260329T010000Z"),
    ] {
        let item = MailItem { slot: Some(slot(start)), ..item(MailKind::Confirmation) };
        let event = Event::of(&item).expect("an entry");
        assert_eq!((event.get("DTSTART"), event.get("DTEND")), (from, to));
    }
}

#[test]
fn hostile_names_stay_in_their_place() {
    let item = MailItem {
        customer_name: "Eve\";X=\"1:mailto:a\r\nATTENDEE:mailto:b;c,d\\".to_owned(),
        queue: "Billing\r\nEND:VEVENT\nBEGIN:VEVENT\r\nSUMMARY:x; a,b\\n".to_owned(),
        manage_url: "https://callbacks.example/\"\r\nATTACH:http://evil.example".to_owned(),
        ..booked(MailKind::Confirmation)
    };
    let event = Event::of(&item).expect("an entry");
    assert_eq!(event.get("ATTENDEE"), "mailto:ada@example.com");
    assert!(!event.has("ATTACH") && !event.has("X"));
    let raw = event.raw.replace("\r\n ", "");
    assert!(
        raw.contains("SUMMARY:Callback: Billing END:VEVENT BEGIN:VEVENT SUMMARY:x\\; a\\,b\\\\n\r")
    );
}
