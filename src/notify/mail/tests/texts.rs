//! What each kind of mail says in each language, and how times are written.

use super::*;

fn in_locale(locale: &str, item: &MailItem) -> Got {
    Got::new(&MailItem { locale: Some(locale.to_owned()), ..item.clone() })
}

/// Plain text and HTML both say all of these.
#[track_caller]
fn says(got: &Got, phrases: &[&str]) {
    for phrase in phrases {
        assert!(got.text().contains(phrase), "{phrase:?} is not in\n{}", got.text());
        assert!(got.html().contains(phrase), "{phrase:?} is not in\n{}", got.html());
    }
}

const MANAGE: &str = "https://callbacks.example/callback/t0ken";
const BERLIN: &str = "Tuesday, 24 November 2026 at 10:00 (Europe/Berlin, UTC+01:00)";
const BERLIN_DE: &str = "Dienstag, 24. November 2026, 10:00 Uhr (Europe/Berlin, UTC+01:00)";

#[test]
fn a_booking_is_confirmed() {
    let item = booked(MailKind::Confirmation);
    let en = in_locale("en", &item);
    assert_eq!(en.subject(), format!("Booked: your callback on {BERLIN}"));
    says(&en, &["Hello Ada Lovelace,", "Your callback with Billing is booked for", BERLIN]);
    says(&en, &[MANAGE, "CB0001042", "keep your phone"]);
    let de = in_locale("de", &item);
    assert_eq!(de.subject(), format!("Gebucht: Ihr Rückruf am {BERLIN_DE}"));
    says(&de, &["Guten Tag Ada Lovelace,", "Ihr Rückruf (Billing) ist gebucht für", BERLIN_DE]);
    says(&de, &[MANAGE, "CB0001042", "Telefon"]);
    assert!(de.html().contains("<html lang=\"de\">"));
}

#[test]
fn an_asap_request_is_confirmed_with_its_place_in_line() {
    let range = |low_minutes, high_minutes| Some(Estimate { low_minutes, high_minutes });
    let item = item(MailKind::Confirmation);
    let with = |estimate| MailItem { position: Some(3), estimate, ..item.clone() };
    let en = in_locale("en", &with(range(5, 20)));
    assert_eq!(en.subject(), "We will call you back");
    says(&en, &["You are number 3 in line.", "We expect to call you in 5 to 20 minutes."]);
    says(&in_locale("en", &with(range(1, 1))), &["in about 1 minute."]);
    says(&in_locale("en", &with(range(0, 2))), &["within 2 minutes."]);
    says(&in_locale("en", &with(range(0, 0))), &["within a minute."]);
    let de = in_locale("de", &with(range(5, 20)));
    assert_eq!(de.subject(), "Wir rufen Sie zurück");
    says(&de, &["Sie sind an 3. Stelle", "voraussichtlich in 5 bis 20 Minuten an."]);
    for (locale, word) in [("en", "in line"), ("de", "Stelle")] {
        let bare = in_locale(locale, &item);
        assert!(!bare.text().contains(word) && !bare.html().contains(word));
        assert!(!bare.text().contains("inute"), "{}", bare.text());
    }
}

#[test]
fn a_change_tells_both_times() {
    let item =
        MailItem { previous_slot: Some(slot("2026-10-20T08:00:00Z")), ..booked(MailKind::Change) };
    let en = in_locale("en", &item);
    assert_eq!(en.subject(), format!("Moved: your callback is now on {BERLIN}"));
    let before = "Before it was Tuesday, 20 October 2026 at 10:00 (Europe/Berlin, UTC+02:00).";
    says(&en, &["Your callback with Billing has a new time:", BERLIN, before, MANAGE]);
    let de = in_locale("de", &item);
    says(&de, &["Ihr Rückruf (Billing) hat einen neuen Termin:", BERLIN_DE, "Bisher war es:"]);
    let asap = MailItem { slot: None, ..item };
    let en = in_locale("en", &asap);
    assert_eq!(en.subject(), "Changed: we will call you back as soon as possible");
    says(&en, &["we will call you as soon as possible", before, MANAGE]);
    says(&in_locale("de", &asap), &["Wir rufen Sie so bald wie möglich an.", "Bisher war es:"]);
}

#[test]
fn a_cancellation_names_the_time_and_leads_on() {
    let book_url = Some("https://www.example/book".to_owned());
    let item = MailItem { book_url, ..booked(MailKind::Cancellation) };
    let en = in_locale("en", &item);
    assert_eq!(en.subject(), format!("Canceled: your callback on {BERLIN}"));
    says(&en, &["Your callback with Billing is canceled:", BERLIN, "https://www.example/book"]);
    assert!(!en.text().contains(MANAGE));
    let de = in_locale("de", &MailItem { slot: None, ..item });
    assert_eq!(de.subject(), "Abgesagt: Ihr Rückruf");
    says(&de, &["Ihr Rückruf (Billing) ist abgesagt.", "https://www.example/book"]);
}

#[test]
fn a_reminder_of_a_video_call_has_the_link_to_join() {
    let join_url = Some("https://meet.example/j/1?pwd=a&b=c".to_owned());
    let item = MailItem { medium: Medium::Video, join_url, ..booked(MailKind::Reminder) };
    let en = in_locale("en", &item);
    assert_eq!(en.subject(), format!("Reminder: your video call on {BERLIN}"));
    says(&en, &["This is a reminder of your video call with Billing:", BERLIN, MANAGE]);
    assert!(en.text().contains("https://meet.example/j/1?pwd=a&b=c\n"));
    assert!(en.html().contains("href=\"https://meet.example/j/1?pwd=a&amp;b=c\""), "{}", en.html());
    assert!(!en.text().contains("phone"));
    let de = in_locale("de", &MailItem { join_url: None, ..item });
    says(&de, &["wir erinnern Sie an Ihr Videogespräch (Billing):", BERLIN_DE]);
    says(&de, &["Den Link zur Teilnahme senden wir Ihnen"]);
}

#[test]
fn who_was_not_reached_is_told_when_it_is_tried_again() {
    let next_try = Some(at("2026-11-20T08:15:00Z"));
    let item = MailItem { attempts: 1, next_try, ..item(MailKind::TriedToReach) };
    let en = in_locale("en", &item);
    assert_eq!(en.subject(), "We tried to reach you");
    let next = "Friday, 20 November 2026 at 09:15 (Europe/Berlin, UTC+01:00)";
    says(&en, &["We called you about your callback from Billing", next, MANAGE]);
    says(&en, &["We will try again:"]);
    let de = in_locale("de", &item);
    assert_eq!(de.subject(), "Wir haben Sie nicht erreicht");
    says(&de, &["Freitag, 20. November 2026, 09:15 Uhr (Europe/Berlin, UTC+01:00)", MANAGE]);
    let video = MailItem { medium: Medium::Video, next_try: None, ..item };
    let en = in_locale("en", &video);
    says(&en, &["We waited for you in your video call with Billing"]);
    assert!(!en.text().contains("try again"));
}

#[test]
fn who_is_given_up_is_told_so_and_where_to_book() {
    let book_url = Some("https://www.example/book".to_owned());
    let tried = MailItem { attempts: 5, book_url, ..item(MailKind::Sorry) };
    let en = in_locale("en", &tried);
    assert_eq!(en.subject(), "We are sorry we missed you");
    says(&en, &["We called you 5 times about your request to Billing and could not reach you."]);
    says(&en, &["https://www.example/book"]);
    let expired = MailItem { attempts: 0, ..tried.clone() };
    let en = in_locale("en", &expired);
    says(&en, &["we did not manage to call you in time"]);
    assert_eq!(en.subject(), "We are sorry we did not call you in time");
    says(&in_locale("de", &tried), &["5 Mal angerufen", "https://www.example/book"]);
    says(&in_locale("de", &expired), &["nicht rechtzeitig anrufen"]);
}

#[test]
fn the_nearest_language_is_taken() {
    let item = booked(MailKind::Reminder);
    for (locale, start) in [
        ("de-AT", "Erinnerung: "),
        ("DE_ch", "Erinnerung: "),
        ("de-Latn-DE", "Erinnerung: "),
        ("en-GB", "Reminder: "),
        ("fr", "Reminder: "),
        ("den", "Reminder: "),
        ("../de", "Reminder: "),
        ("", "Reminder: "),
    ] {
        assert!(in_locale(locale, &item).subject().starts_with(start), "{locale}");
    }
    let american = in_locale("en-US", &item);
    let time = "Tuesday, November 24, 2026 at 10:00 AM (Europe/Berlin, UTC+01:00)";
    says(&american, &[time, "This is a reminder of your callback"]);
}

/// Local time and offset right up to, through and after each change of clocks.
#[test]
fn times_are_right_through_both_changes_of_the_clocks() {
    let table = [
        ("Europe/Berlin", "2026-03-29T00:59:00Z", "29 March 2026 at 01:59", "UTC+01:00"),
        ("Europe/Berlin", "2026-03-29T01:00:00Z", "29 March 2026 at 03:00", "UTC+02:00"),
        ("Europe/Berlin", "2026-10-25T00:30:00Z", "25 October 2026 at 02:30", "UTC+02:00"),
        ("Europe/Berlin", "2026-10-25T01:30:00Z", "25 October 2026 at 02:30", "UTC+01:00"),
        ("America/New_York", "2026-03-08T06:59:00Z", "8 March 2026 at 01:59", "UTC-05:00"),
        ("America/New_York", "2026-03-08T07:00:00Z", "8 March 2026 at 03:00", "UTC-04:00"),
        ("America/New_York", "2026-11-01T05:30:00Z", "1 November 2026 at 01:30", "UTC-04:00"),
        ("America/New_York", "2026-11-01T06:30:00Z", "1 November 2026 at 01:30", "UTC-05:00"),
        ("Australia/Lord_Howe", "2026-04-04T14:45:00Z", "5 April 2026 at 01:45", "UTC+11:00"),
        ("Australia/Lord_Howe", "2026-04-04T15:15:00Z", "5 April 2026 at 01:45", "UTC+10:30"),
        ("Asia/Kathmandu", "2026-11-24T09:00:00Z", "24 November 2026 at 14:45", "UTC+05:45"),
        ("America/St_Johns", "2026-01-01T02:00:00Z", "31 December 2025 at 22:30", "UTC-03:30"),
        ("Europe/London", "2026-11-24T09:00:00Z", "24 November 2026 at 09:00", "UTC+00:00"),
    ];
    for (zone, start, local, offset) in table {
        let item = MailItem {
            zone: TimeZone::parse(zone).expect("a zone"),
            slot: Some(slot(start)),
            ..item(MailKind::Reminder)
        };
        let expected = format!(", {local} ({}, {offset})", zone.replace('_', " "));
        let got = Got::new(&item);
        says(&got, &[&expected]);
        assert!(got.subject().ends_with(&expected), "{}", got.subject());
    }
    let utc = MailItem { zone: TimeZone::utc(), ..booked(MailKind::Reminder) };
    says(&Got::new(&utc), &["at 09:00 (UTC)"]);
}

#[test]
fn twelve_hour_clocks_have_noon_and_midnight() {
    let shown = |start: &str| {
        let zone = TimeZone::parse("America/New_York").expect("a zone");
        let item = MailItem { zone, slot: Some(slot(start)), ..item(MailKind::Reminder) };
        in_locale("en-US", &item).subject().to_owned()
    };
    for (start, time) in [
        ("2026-11-24T05:05:00Z", "at 12:05 AM"),
        ("2026-11-24T16:59:00Z", "at 11:59 AM"),
        ("2026-11-24T17:00:00Z", "at 12:00 PM"),
        ("2026-11-24T18:00:00Z", "at 1:00 PM"),
        ("2026-11-25T04:59:00Z", "at 11:59 PM"),
    ] {
        assert!(shown(start).contains(time), "{} for {start}", shown(start));
    }
}
