//! Texts that try to be more than text, and templates that an operator got wrong.

use std::fs;
use std::path::Path;

use proptest::prelude::*;

use super::*;

/// Names that try to become markup, a header, a second recipient or somebody's advertisement.
const NAMES: [&str; 8] = [
    "<script>alert(1)</script>",
    "\"><img src=x onerror=alert(1)>",
    "Ada\r\nBcc: eve@evil.example",
    "Ada\nSubject: You won",
    "{{ manage_url }}{% include 'x' %}",
    "=?utf-8?q?x=0D=0ABcc:_eve=40evil.example?=",
    "Ada\u{202e}gnp.exe\u{0}\u{7f}",
    "a\u{85}b\u{2028}c",
];

#[test]
fn names_are_text_in_every_part_of_every_mail() {
    for kind in MailKind::ALL {
        for name in NAMES {
            let item =
                MailItem { customer_name: name.to_owned(), queue: name.to_owned(), ..booked(kind) };
            let got = Got::new(&item);
            let to = got.0.to().expect("a recipient");
            assert_eq!(to.iter().count(), 1, "{name:?}");
            let only = to.first().expect("one");
            assert_eq!(only.address(), Some("ada@example.com"), "{name:?}");
            assert!(got.0.bcc().is_none() && got.0.cc().is_none(), "{name:?}");
            assert!(!got.subject().contains(char::is_control), "{:?}", got.subject());
            let html = got.html();
            assert!(!html.contains("<script") && !html.contains("<img"), "{html}");
            assert!(!got.text().contains('\u{202e}') && !html.contains('\u{202e}'));
            assert_eq!(got.text().contains("{{ manage_url }}"), name.starts_with("{{"));
        }
    }
}

#[test]
fn names_that_are_addresses_are_not_greeted() {
    for name in [
        "win at http://evil.example",
        "evil.example",
        "Visit EVIL.example now",
        "eve@evil.example",
        "evil\u{3002}example",
    ] {
        let got = Got::new(&MailItem { customer_name: name.to_owned(), ..item(MailKind::Sorry) });
        assert!(got.text().starts_with("Hello,\n"), "{}", got.text());
        assert_eq!(got.0.to().and_then(|to| to.first()).and_then(|to| to.name()), None);
    }
    for name in ["J. R. R. Tolkien", "J.R.R. Tolkien", "Dr. Who", "Müller-Lüdenscheidt", "李雷"]
    {
        let got = Got::new(&MailItem { customer_name: name.to_owned(), ..item(MailKind::Sorry) });
        assert!(got.text().starts_with(&format!("Hello {name},\n")), "{}", got.text());
        assert_eq!(got.0.to().and_then(|to| to.first()).and_then(|to| to.name()), Some(name));
    }
}

#[test]
fn links_that_are_not_of_the_web_are_left_out() {
    let item = MailItem {
        medium: Medium::Video,
        join_url: Some("javascript:alert(1)".to_owned()),
        book_url: Some("data:text/html,x".to_owned()),
        ..booked(MailKind::Confirmation)
    };
    for kind in MailKind::ALL {
        let got = Got::new(&MailItem { kind, ..item.clone() });
        for text in [got.text(), got.html()] {
            assert!(!text.contains("javascript:") && !text.contains("data:"), "{text}");
        }
    }
}

#[test]
fn addresses_in_other_scripts_are_sent_to_as_punycode() {
    let to = |address: &str| {
        let customer_email = Email::parse(address).expect("an address");
        let mail = compose(&MailItem { customer_email, ..booked(MailKind::Sorry) }, &settings());
        mail.map(|mail| mail.envelope().to()[0].to_string())
    };
    assert_eq!(to("ada@müller.example").expect("a mail"), "ada@xn--mller-kva.example");
    assert_eq!(to("o'brien_{x}@a-b.example").expect("a mail"), "o'brien_{x}@a-b.example");
    assert!(matches!(to("a..b@example.com"), Err(ComposeError::Address)));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever a name is made of, there is one recipient, a one-line subject, and sound MIME.
    #[test]
    fn any_name_makes_a_sound_mail(name in any::<String>(), queue in any::<String>()) {
        let item = MailItem { customer_name: name, queue, ..booked(MailKind::Confirmation) };
        let got = Got::new(&item);
        prop_assert_eq!(got.0.to().map(|to| to.iter().count()), Some(1));
        prop_assert!(!got.subject().contains(char::is_control));
        prop_assert_eq!(got.0.parts.len(), 6);
    }
}

fn write(folder: &Path, name: &str, text: &str) {
    let path = folder.join(name);
    fs::create_dir_all(path.parent().expect("it has one")).expect("a folder");
    fs::write(path, text).expect("a file");
}

fn faults(folder: &Path) -> Vec<String> {
    Templates::load(Some(folder)).err().map(|faults| faults.lines).unwrap_or_default()
}

#[test]
fn an_operators_texts_win_over_the_built_in_ones() {
    let folder = tempfile::tempdir().expect("a folder");
    write(folder.path(), "de/sorry.txt", "Pardon, {{ name }}\n\nGruss\n");
    write(folder.path(), "de-CH/when.txt", "am {{ day }}.{{ month }}.");
    write(folder.path(), "README", "passed over");
    let templates = Templates::load(Some(folder.path())).expect("good ones");
    assert_eq!(templates.locales().collect::<Vec<_>>(), ["de", "de-ch", "en", "en-us"]);
    let settings = MailSettings { templates, ..settings() };
    let subject = |kind, locale: &str| {
        let item = MailItem { locale: Some(locale.to_owned()), ..booked(kind) };
        let mail = compose(&item, &settings).expect("a mail");
        Got::of(&mail.formatted()).subject().to_owned()
    };
    assert_eq!(subject(MailKind::Sorry, "de-AT"), "Pardon, Ada Lovelace");
    assert_eq!(subject(MailKind::Reminder, "de-CH"), "Erinnerung: Ihr Rückruf am am 24.11.");
    assert_eq!(subject(MailKind::TriedToReach, "en"), "We tried to reach you");
}

#[test]
fn a_language_is_added_by_a_folder_and_only_as_a_whole() {
    let folder = tempfile::tempdir().expect("a folder");
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/notify/mail/templates/en");
    for entry in fs::read_dir(own).expect("the built-in ones") {
        let path = entry.expect("an entry").path();
        let name = path.file_name().and_then(|name| name.to_str()).expect("a name");
        let text = fs::read_to_string(&path).expect("a text").replace("Reminder:", "Rappel :");
        write(folder.path(), &format!("fr/{name}"), &text);
    }
    let templates = Templates::load(Some(folder.path())).expect("a whole language");
    let item = MailItem { locale: Some("fr-CA".to_owned()), ..booked(MailKind::Reminder) };
    let mail = compose(&item, &MailSettings { templates, ..settings() }).expect("a mail");
    assert!(Got::of(&mail.formatted()).subject().starts_with("Rappel : your callback"));

    fs::remove_file(folder.path().join("fr/sorry.html")).expect("it was there");
    assert_eq!(faults(folder.path()), ["fr/sorry.html: is missing"]);
}

#[test]
fn a_template_that_cannot_be_used_is_told_at_the_start() {
    let folder = tempfile::tempdir().expect("a folder");
    write(folder.path(), "de/reminder.txt", "Erinnerung\n\n{% if name %}");
    write(folder.path(), "de/remainder.txt", "");
    write(folder.path(), "notes.txt", "");
    let told = faults(folder.path());
    assert_eq!(told.len(), 3, "{told:#?}");
    assert!(told[0].contains("de/remainder.txt: is none of confirmation.txt, "), "{told:#?}");
    assert!(told[1].contains("notes.txt: is none of layout.html, parts.html"), "{told:#?}");
    assert!(told[2].contains("de/reminder.txt"), "{told:#?}");

    let folder = tempfile::tempdir().expect("a folder");
    write(folder.path(), "de/sorry.html", "{{ nmae }}");
    let told = faults(folder.path());
    assert_eq!(told.len(), 1, "{told:#?}");
    assert!(told[0].contains("undefined") && told[0].contains("sorry.html"), "{told:#?}");

    let missing = folder.path().join("nowhere");
    assert!(faults(&missing)[0].contains("nowhere: can't be read"), "{:#?}", faults(&missing));

    let folder = tempfile::tempdir().expect("a folder");
    write(folder.path(), "en/sorry.txt", "{% include '/etc/hostname' %}");
    assert!(
        faults(folder.path())[0].contains("template not found"),
        "{:#?}",
        faults(folder.path())
    );
}
