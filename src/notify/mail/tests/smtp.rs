//! What becomes of a mail, by what the mail server does.

use std::time::Duration;

use lettre::transport::smtp::client::{Certificate, TlsParameters};

use super::servers::{AUTHORITY, Fault, Heard, Server, Speaks};
use super::*;
use crate::config::{Encryption, Login, Mail, MailServer};

/// Long enough for any conversation that goes on.
const PATIENCE: Duration = Duration::from_secs(20);
/// How long to wait for what doesn't come.
const BRIEF: Duration = Duration::from_millis(300);

fn mail(port: u16, encryption: Encryption, timeout: Duration) -> Mail {
    Mail {
        server: MailServer { host: "localhost".to_owned(), port, encryption },
        login: None,
        from: "callbacks@example.org".parse().expect("a mailbox"),
        reply_to: None,
        timeout,
        templates: None,
    }
}

fn mailer(port: u16, timeout: Duration) -> Mailer {
    Mailer::new(&mail(port, Encryption::None, timeout)).expect("a mailer")
}

/// One mail to a server with this fault.
async fn with(fault: Fault, timeout: Duration) -> (Outcome, Heard) {
    let server = Server::start(Speaks::Clear, &[fault]).await;
    let outcome = mailer(server.port, timeout).send(&booked(MailKind::Confirmation)).await;
    (outcome, server.heard())
}

/// Why it is tried again.
#[track_caller]
fn later(outcome: Outcome) -> String {
    let Outcome::Later { reason, .. } = outcome else { panic!("{outcome:?}") };
    reason
}

#[tokio::test]
async fn a_mail_is_handed_over_whole() {
    let (outcome, heard) = with(Fault::Never, PATIENCE).await;
    assert_eq!(outcome, Outcome::Delivered(()));
    let expected = [
        "EHLO example.org",
        "MAIL FROM:<callbacks@example.org>",
        "RCPT TO:<ada@example.com>",
        "DATA",
        "QUIT",
    ];
    assert_eq!(heard.commands, expected);
    let [mail] = &heard.mails[..] else { panic!("one mail") };
    assert!(Got::of(mail).subject().starts_with("Booked: "));
}

#[tokio::test]
async fn a_server_that_says_later_is_asked_later() {
    for (at, says) in [
        ("greeting", "421 too busy"),
        ("MAIL", "451 try again"),
        ("RCPT", "451 4.7.1 <ada@example.com>: greylisted"),
        ("DATA", "452 disk full"),
        (".", "451 scanner is down"),
        ("RCPT", "what?"),
    ] {
        let (outcome, _) = with(Fault::Says(at, says), PATIENCE).await;
        let reason = later(outcome);
        assert!(!reason.contains("ada@"), "{reason}");
    }
}

#[tokio::test]
async fn a_server_that_says_never_is_not_asked_again() {
    for (at, says) in [
        ("MAIL", "530 authentication needed"),
        ("RCPT", "550 5.1.1 <ada@example.com>: no such user"),
        ("DATA", "554 no"),
        (".", "554 looks like spam"),
    ] {
        let (outcome, _) = with(Fault::Says(at, says), PATIENCE).await;
        let Outcome::GivenUp { reason } = outcome else { panic!("{at}: {outcome:?}") };
        assert!(!reason.contains("ada@"), "{reason}");
        assert!(reason.contains(says.split(' ').next_back().expect("a word")), "{reason}");
    }
}

/// It isn't the mail that is refused then, and the operator may mend it within the day.
#[tokio::test]
async fn a_server_that_refuses_us_is_asked_later() {
    later(with(Fault::Says("greeting", "554 not you"), PATIENCE).await.0);
    later(with(Fault::Says("EHLO", "550 not you"), PATIENCE).await.0);
}

#[tokio::test]
async fn a_server_that_hangs_or_goes_away_is_asked_later() {
    for at in ["greeting", "EHLO", "MAIL", "RCPT", "DATA", "."] {
        let reason = later(with(Fault::Hangs(at), BRIEF).await.0);
        assert!(reason.contains("took longer"), "{at}: {reason}");
        later(with(Fault::Cuts(at), PATIENCE).await.0);
    }
}

#[tokio::test]
async fn a_server_that_is_down_is_asked_later() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let port = listener.local_addr().expect("bound").port();
    drop(listener);
    later(mailer(port, PATIENCE).send(&item(MailKind::Sorry)).await);
}

#[tokio::test]
async fn a_mail_is_sent_whatever_becomes_of_the_goodbye() {
    for fault in [Fault::Cuts("QUIT"), Fault::Hangs("QUIT"), Fault::Says("QUIT", "500 no")] {
        assert_eq!(with(fault, PATIENCE).await.0, Outcome::Delivered(()), "{fault:?}");
    }
}

#[tokio::test]
async fn after_a_lost_answer_the_second_mail_is_the_first_again() {
    let server = Server::start(Speaks::Clear, &[Fault::Cuts("."), Fault::Never]).await;
    let mailer = mailer(server.port, PATIENCE);
    later(mailer.send(&booked(MailKind::Change)).await);
    assert_eq!(mailer.send(&booked(MailKind::Change)).await, Outcome::Delivered(()));
    let [first, second] = &server.heard().mails[..] else { panic!("two mails") };
    assert_eq!(first, second);
}

#[tokio::test]
async fn one_that_ran_out_of_time_leaves_nothing_for_the_next() {
    let faults = [Fault::Hangs("DATA"), Fault::Never, Fault::Says("RCPT", "550 no")];
    let server = Server::start(Speaks::Clear, &faults).await;
    later(mailer(server.port, BRIEF).send(&item(MailKind::Sorry)).await);
    let mailer = mailer(server.port, PATIENCE);
    assert_eq!(mailer.send(&item(MailKind::Sorry)).await, Outcome::Delivered(()));
    assert!(matches!(mailer.send(&item(MailKind::Sorry)).await, Outcome::GivenUp { .. }));
    assert_eq!(server.heard().mails.len(), 1);
}

#[tokio::test]
async fn an_address_that_cannot_be_written_to_meets_no_server() {
    let server = Server::start(Speaks::Clear, &[Fault::Never]).await;
    let customer_email = Email::parse("a..b@example.com").expect("ours takes it");
    let item = MailItem { customer_email, ..item(MailKind::Sorry) };
    let outcome = mailer(server.port, PATIENCE).send(&item).await;
    assert!(matches!(outcome, Outcome::GivenUp { .. }), "{outcome:?}");
    assert!(server.heard().commands.is_empty());
}

fn with_login(port: u16, encryption: Encryption) -> Mail {
    let login = Login { user: "ringback".to_owned(), password: "horse".into() };
    Mail { login: Some(login), ..mail(port, encryption, PATIENCE) }
}

/// A mailer that trusts the tests' authority too.
fn trusting(mail: &Mail) -> Mailer {
    let authority = Certificate::from_pem(AUTHORITY).expect("it is in the tree");
    let trusted = TlsParameters::builder(mail.server.host.clone());
    Mailer::trusting(mail, trusted.add_root_certificate(authority)).expect("a mailer")
}

#[tokio::test]
async fn we_log_in_over_tls() {
    for (speaks, encryption) in
        [(Speaks::Tls, Encryption::Tls), (Speaks::StartTls, Encryption::StartTls)]
    {
        let server = Server::start(speaks, &[Fault::Never]).await;
        let mailer = trusting(&with_login(server.port, encryption));
        assert_eq!(mailer.send(&item(MailKind::Sorry)).await, Outcome::Delivered(()), "{speaks:?}");
        let heard = server.heard();
        assert_eq!(heard.mails.len(), 1);
        // "\0ringback\0horse"
        assert!(heard.commands.contains(&"AUTH PLAIN AHJpbmdiYWNrAGhvcnNl".to_owned()));
    }
}

#[tokio::test]
async fn a_login_that_is_not_taken_is_tried_later() {
    let server = Server::start(Speaks::Tls, &[Fault::Says("AUTH", "535 no")]).await;
    let mailer = trusting(&with_login(server.port, Encryption::Tls));
    let reason = later(mailer.send(&item(MailKind::Sorry)).await);
    assert!(!reason.contains("horse"), "{reason}");
}

#[tokio::test]
async fn a_server_without_a_certificate_that_we_trust_hears_nothing() {
    for (speaks, encryption) in
        [(Speaks::Tls, Encryption::Tls), (Speaks::StartTls, Encryption::StartTls)]
    {
        let server = Server::start(speaks, &[Fault::Never]).await;
        let mailer = Mailer::new(&with_login(server.port, encryption)).expect("a mailer");
        later(mailer.send(&item(MailKind::Sorry)).await);
        let heard = server.heard().commands;
        assert!(!heard.iter().any(|it| it.starts_with("AUTH") || it.starts_with("MAIL")));
    }
}

#[tokio::test]
async fn without_starttls_nothing_goes_out_in_the_clear() {
    let server = Server::start(Speaks::Clear, &[Fault::Never]).await;
    let mailer = trusting(&with_login(server.port, Encryption::StartTls));
    later(mailer.send(&item(MailKind::Sorry)).await);
    assert_eq!(server.heard().commands, ["EHLO example.org"]);
}
