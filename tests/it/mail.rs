//! Mails, handed to a real mail server as the server hands them.

use std::collections::BTreeSet;

use mail_parser::MessageParser;
use ringback::config::{Input, load};
use ringback::domain::civil::parse_rfc3339;
use ringback::domain::dispatch::Outcome;
use ringback::domain::dispatch::{MailKind, Slot};
use ringback::domain::ids::CallbackId;
use ringback::domain::phone::Email;
use ringback::domain::policy::Medium;
use ringback::domain::zone::TimeZone;
use ringback::notify::mail::{MailItem, Mailer};

use crate::mail_server::MailServer;

fn mailer(server: &MailServer) -> Mailer {
    let url = server.url();
    let text = format!("[mail]\nserver = \"{url}\"\nfrom = \"Example <callbacks@example.org>\"\n");
    let file = Some(("mail.toml".to_owned(), text));
    let loaded = load(&Input { file, ..Input::default() }).expect("a good configuration");
    Mailer::new(&loaded.settings.mail.expect("a mail server")).expect("a mailer")
}

fn item(kind: MailKind) -> MailItem {
    let at = |text: &str| parse_rfc3339(text).expect("an instant");
    MailItem {
        id: format!("0198c0de.{}", kind.as_str()),
        kind,
        at: at("2026-11-20T08:00:00Z"),
        callback: CallbackId(1),
        number: 1_042,
        sequence: 1,
        customer_name: "Jürgen Müller".to_owned(),
        customer_email: Email::parse("juergen@müller.example").expect("an address"),
        locale: Some("de-DE".to_owned()),
        zone: TimeZone::parse("Europe/Berlin").expect("a zone"),
        queue: "Rechnungen".to_owned(),
        medium: Medium::Voice,
        slot: Some(Slot { start: at("2026-11-24T09:00:00Z"), minutes: 15 }),
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

fn send(mailer: &Mailer, item: &MailItem) -> Outcome {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime").block_on(mailer.send(item))
}

#[test]
fn each_mail_arrives_once_and_as_it_was_meant() {
    let server = MailServer::start();
    let mailer = mailer(&server);
    for kind in MailKind::ALL {
        assert_eq!(send(&mailer, &item(kind)), Outcome::Delivered(()), "{kind:?}");
    }
    let mails = server.mails();
    assert_eq!(mails.len(), MailKind::ALL.len());
    let parsed: Vec<_> =
        mails.iter().map(|mail| MessageParser::default().parse(mail).expect("a mail")).collect();
    let ids: BTreeSet<_> = parsed.iter().filter_map(|mail| mail.message_id()).collect();
    assert_eq!(ids.len(), mails.len(), "{ids:?}");
    for mail in &parsed {
        // The envelope, as the server notes it.
        let to = mail.header_raw("X-RcptTo").map(str::trim);
        assert_eq!(to, Some("juergen@xn--mller-kva.example"));
        let text = mail.body_text(0).expect("plain text");
        assert!(text.starts_with("Guten Tag Jürgen Müller,"), "{text}");
    }
    let booked = "Gebucht: Ihr Rückruf am Dienstag, 24. November 2026, 10:00 Uhr (Europe/Berlin, \
                  UTC+01:00)";
    assert_eq!(parsed.iter().filter(|mail| mail.subject() == Some(booked)).count(), 1);
}

#[test]
fn a_mail_waits_out_a_server_that_is_down() {
    let mut server = MailServer::start();
    let mailer = mailer(&server);
    server.kill();
    let down = send(&mailer, &item(MailKind::Reminder));
    assert!(matches!(down, Outcome::Later { .. }), "{down:?}");
    server.restart();
    assert_eq!(send(&mailer, &item(MailKind::Reminder)), Outcome::Delivered(()));
    assert_eq!(server.mails().len(), 1);
}
