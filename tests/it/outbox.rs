//! What goes out, end to end: from a request over HTTP to a mail in a real mail server's box, in
//! good times and bad.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use icalendar::parser::{read_calendar, unfold};
use mail_parser::{MessageParser, MimeHeaders};
use serde_json::{Value, json};

use crate::mail_server::MailServer;
use crate::server::{Server, Session, booked, patient_with, send, slot, slot_at};

const ADMIN: &str = "admin-key";
const PORTAL: &str = "portal-key";

/// A workspace whose customers are written to; `queue` is more of its queue's settings.
fn config(mails: &MailServer, queue: &str) -> String {
    let url = mails.url();
    let mail = format!(
        "[mail]\nserver = \"{url}\"\nfrom = \"Example <callbacks@example.org>\"\n\
         timeout_seconds = 5"
    );
    let billing = "name = \"Billing\"\nlabels = { de = \"Rechnungen\" }\n\
                   duplicate_policy = \"allow\"\nslot_capacity = 0";
    patient_with(&mail, &format!("{billing}\n{queue}"))
}

fn start(mails: &MailServer, queue: &str) -> Server {
    Server::start_configured(&config(mails, queue))
}

/// A request whose customer has an address.
fn with_email(mut body: Value, address: &str) -> Value {
    body["customer"]["email"] = json!(address);
    body
}

fn start_of_booking() -> String {
    slot_at(20, "15:00")
}

fn new_start() -> String {
    slot_at(21, "09:30")
}

fn booking(number: usize) -> Value {
    let phone = format!("+49301234{number:03}");
    with_email(booked(&phone, &start_of_booking()), &format!("ada{number}@example.com"))
}

/// A mail, as far as the tests look at it.
#[derive(Debug)]
struct Mail {
    id: String,
    to: String,
    subject: String,
    text: String,
    calendar: Option<String>,
}

fn read(bytes: &[u8]) -> Mail {
    let mail = MessageParser::default().parse(bytes).expect("a mail");
    let is_entry = |part: &&mail_parser::MessagePart<'_>| {
        part.content_type().is_some_and(|kind| kind.subtype() == Some("calendar"))
    };
    let entry = mail.parts.iter().find(is_entry);
    Mail {
        id: mail.message_id().expect("an id").to_owned(),
        to: mail.header_raw("X-RcptTo").expect("the envelope").trim().to_owned(),
        subject: mail.subject().expect("a subject").to_owned(),
        text: mail.body_text(0).expect("plain text").replace("\r\n", "\n"),
        calendar: entry.map(|part| part.text_contents().expect("text").to_owned()),
    }
}

fn all(mails: &MailServer, count: usize) -> Vec<Mail> {
    mails.wait_for(count).iter().map(|mail| read(mail)).collect()
}

/// The mails whose subject begins so.
fn those<'a>(mails: &'a [Mail], subject: &str) -> Vec<&'a Mail> {
    mails.iter().filter(|mail| mail.subject.starts_with(subject)).collect()
}

fn one<'a>(mails: &'a [Mail], subject: &str) -> &'a Mail {
    match those(mails, subject)[..] {
        [mail] => mail,
        _ => panic!("one {subject:?} among {mails:#?}"),
    }
}

/// A property of a mail's calendar entry, read by another library than wrote it.
fn entry(mail: &Mail, name: &str) -> String {
    let text = unfold(mail.calendar.as_deref().expect("a calendar entry"));
    let calendar = read_calendar(&text).expect("a calendar");
    let event = calendar.components.iter().find(|one| one.name == "VEVENT").expect("an event");
    let all = calendar.properties.iter().chain(&event.properties);
    let found = all.into_iter().find(|property| property.name == name);
    found.unwrap_or_else(|| panic!("{name} in {text}")).val.to_string()
}

/// A figure of the server's.
fn figure(server: &Server, name: &str, kind: &str) -> u64 {
    let text = crate::operations::metrics(server);
    let begin = format!("{name}{{workspace=\"main\",kind=\"{kind}\"}} ");
    let line = text.lines().find_map(|line| line.strip_prefix(&begin));
    let value = line.unwrap_or_else(|| panic!("{name} in {text}"));
    value.trim_end_matches(".0").parse().expect("a whole number")
}

/// Waits until so many mails were given up: counted, and listed, which is not at once.
fn until_given_up(mails: &MailServer, server: &Server, count: usize) {
    let counted = || figure(server, "ringback_outbox_failed_total", "mail");
    mails.wait_until(|_| counted() == count as u64);
    let listed = || server.get("/v1/outbox/failures", ADMIN).body["items"].clone();
    mails.wait_until(|_| listed().as_array().map(Vec::len) == Some(count));
}

fn path(made: &Value, action: &str) -> String {
    format!("/v1/callbacks/{}{action}", made["id"].as_str().expect("an id"))
}

#[test]
fn a_booking_is_confirmed_moved_and_called_off_in_the_customers_calendar() {
    let mails = MailServer::start();
    let server = start(&mails, "");
    let mut body = booking(1);
    body["customer"]["time_zone"] = json!("America/New_York");
    let made = server.callback(&body);
    let first = all(&mails, 1);
    let booked = one(&first, "Booked: your callback on");
    assert_eq!(booked.to, "ada1@example.com");
    let local = made["schedule"]["local_start"].as_str().expect("text");
    let (_, time) = local.split_once('T').expect("a time");
    let shown = format!("at {time} (America/New York");
    assert!(booked.subject.contains(&shown), "{}", booked.subject);
    let link = made["manage_url"].as_str().expect("a link");
    assert!(booked.text.contains(link), "{}", booked.text);
    assert!(booked.text.contains("America/New York"), "{}", booked.text);

    let moved = server.post(&path(&made, "/reschedule"), PORTAL, &json!({"start": new_start()}));
    assert_eq!(moved.status, 200, "{}", moved.body);
    let second = all(&mails, 2);
    let change = one(&second, "Moved: your callback is now on");
    let gone = server.post(&path(&made, "/cancel"), PORTAL, &json!({}));
    assert_eq!(gone.status, 200, "{}", gone.body);
    let third = all(&mails, 3);
    let canceled = one(&third, "Canceled: your callback on");
    assert!(canceled.text.contains("https://callbacks.example/callback?queue=billing"));

    let uid = made["id"].as_str().expect("an id");
    let entries = [booked, change, canceled];
    assert!(entries.iter().all(|mail| entry(mail, "UID") == uid));
    assert_eq!(entries.map(|mail| entry(mail, "METHOD")), ["REQUEST", "REQUEST", "CANCEL"]);
    let starts = [start_of_booking(), new_start(), new_start()];
    let starts = starts.map(|start| start.replace(['-', ':'], ""));
    assert_eq!(entries.map(|mail| entry(mail, "DTSTART")), starts);
    let sequences: BTreeSet<u64> =
        entries.iter().map(|mail| entry(mail, "SEQUENCE").parse().expect("a number")).collect();
    assert_eq!(sequences.len(), 3, "each outdoes the one before");
    // A mail is in the box before it is known here that it was taken.
    mails.wait_until(|_| figure(&server, "ringback_outbox_sent_total", "mail") == 3);
    assert_eq!(figure(&server, "ringback_outbox_failed_total", "mail"), 0);
}

#[test]
fn an_asap_request_is_confirmed_in_the_customers_language() {
    let mails = MailServer::start();
    let server = start(&mails, "");
    let mut body = with_email(crate::server::asap("+4930123456"), "ada@example.com");
    body["customer"]["locale"] = json!("de-AT");
    server.callback(&body);
    let found = all(&mails, 1);
    let mail = one(&found, "Wir rufen Sie zurück");
    assert!(mail.calendar.is_none());
    assert!(mail.text.contains("Rechnungen") && mail.text.contains("an 1. Stelle"), "{mail:?}");
}

#[test]
fn without_an_address_or_a_mail_server_everything_else_works() {
    let mails = MailServer::start();
    let server = start(&mails, "");
    let made = server.callback(&booked("+49301234000", &start_of_booking()));
    assert_eq!(made["customer"]["email"], Value::Null);
    let address = json!({"customer": {"email": "late@example.com"}});
    let patched = server.patch(&path(&made, ""), PORTAL, &address);
    assert_eq!(patched.status, 200, "{}", patched.body);
    assert_eq!(one(&all(&mails, 1), "Booked: ").to, "late@example.com");

    let silent = Server::start();
    let made = silent.callback(&with_email(booked("+49301234002", &slot(2)), "ada@example.com"));
    let gone = silent.post(&path(&made, "/cancel"), PORTAL, &json!({}));
    assert_eq!(gone.status, 200);
    assert_eq!(figure(&silent, "ringback_outbox_waiting", "mail"), 0);
}

/// Mara takes what she is offered and calls in vain.
fn call_in_vain(server: &Server, session: &mut Session) {
    let frame = session.wait_for("callback.offered");
    let made = &frame["callback"];
    let act = |action: &str, body: Value| {
        let done = server.post(&path(made, action), "mara-key-1", &body);
        assert_eq!(done.status, 200, "{}", done.body);
    };
    act("/accept", json!({"offer_id": frame["offer_id"]}));
    act("/call", json!({}));
    act("/outcome", json!({"outcome": "no_answer"}));
}

#[test]
fn who_was_not_reached_hears_of_the_next_try_and_at_last_an_apology() {
    let mails = MailServer::start();
    let retry = r#"
        wrap_up_mode = "none"
        max_attempts = 2
        retry_delays_minutes = { no_answer = 0 }
        contact_hours = { from = "00:00", to = "24:00" }
    "#;
    let server = start(&mails, retry);
    let mut session = server.mara();
    server.callback(&with_email(crate::server::asap("+4930123456"), "ada@example.com"));
    call_in_vain(&server, &mut session);
    // It tells of a next try only while there is one.
    all(&mails, 2);
    call_in_vain(&server, &mut session);
    let found = all(&mails, 3);
    one(&found, "We will call you back");
    let tried = one(&found, "We tried to reach you");
    assert!(tried.text.contains("https://callbacks.example/callback/"), "{}", tried.text);
    let sorry = one(&found, "We are sorry we missed you");
    assert!(sorry.text.contains("called you 2 times"), "{}", sorry.text);
    assert!(sorry.text.contains("https://callbacks.example/callback?queue=billing"));
}

#[test]
fn a_mail_waits_out_a_server_in_trouble_and_comes_once() {
    let mut mails = MailServer::start();
    let server = start(&mails, "");
    mails.answer(Some("451 4.3.0 not now, ada1@example.com"));
    server.callback(&booking(1));
    mails.wait_until(|mails| mails.asked() >= 1);
    mails.answer(None);
    assert_eq!(all(&mails, 1).len(), 1);

    mails.kill();
    server.callback(&booking(2));
    let tried = |server: &Server| figure(server, "ringback_outbox_retried_total", "mail");
    mails.wait_until(|_| tried(&server) >= 2);
    mails.restart();
    let found = all(&mails, 2);
    let to: BTreeSet<&str> = found.iter().map(|mail| &*mail.to).collect();
    assert_eq!((found.len(), to.len()), (2, 2), "{found:?}");
    // The reminders wait for their time.
    mails.wait_until(|_| figure(&server, "ringback_outbox_waiting", "mail") == 2);
    assert_eq!(mails.mails().len(), 2, "each came once");
}

#[test]
fn what_is_given_up_stands_in_the_list_until_it_is_tried_again() {
    let mails = MailServer::start();
    let server = start(&mails, "");
    mails.answer(Some("550 5.1.1 no such mailbox ada1@example.com"));
    let made = server.callback(&booking(1));
    until_given_up(&mails, &server, 1);
    let list = server.get("/v1/outbox/failures", ADMIN);
    assert_eq!((list.status, &list.body["next_cursor"]), (200, &Value::Null));
    let [failure] = &list.body["items"].as_array().expect("a list")[..] else {
        panic!("one failure in {}", list.body);
    };
    assert_eq!(failure["kind"], "mail");
    assert_eq!(failure["name"], "confirmation");
    assert_eq!(failure["callback_id"], made["id"]);
    assert_eq!(failure["attempts"], 1);
    let reason = failure["reason"].as_str().expect("a reason");
    assert!(reason.contains("550") && !reason.contains('@'), "{reason}");

    let retry = format!("/v1/outbox/failures/{}/retry", failure["id"]);
    for role in ["lead-key-1", "mara-key-1", PORTAL] {
        server.get("/v1/outbox/failures", role).is_problem(403, "forbidden");
        server.post(&retry, role, &json!({})).is_problem(403, "forbidden");
    }
    server.post("/v1/outbox/failures/7/retry", ADMIN, &json!({})).is_problem(404, "not-found");
    server.post("/v1/outbox/failures/x/retry", ADMIN, &json!({})).is_problem(404, "not-found");
    let unknown = server.post(&retry, ADMIN, &json!({"now": true}));
    assert_eq!(unknown.pointers(), ["/now"]);
    server.get("/v1/outbox/failures?cursor=AAAA", ADMIN).is_problem(422, "invalid");

    mails.answer(None);
    let again = || send(server.request("POST", &retry, ADMIN).header("Idempotency-Key", "k1"));
    let first = again();
    assert_eq!((first.status, &first.body), (200, failure));
    let found = all(&mails, 1);
    assert_eq!(one(&found, "Booked: ").to, "ada1@example.com");
    let replayed = again();
    assert_eq!((replayed.status, &replayed.body), (200, failure));
    assert_eq!(replayed.header("idempotent-replayed"), Some("true"));
    assert_eq!(server.get("/v1/outbox/failures", ADMIN).body["items"], json!([]));
    server.post(&retry, ADMIN, &json!({})).is_problem(404, "not-found");
}

#[test]
fn failures_come_page_by_page() {
    let mails = MailServer::start();
    let server = start(&mails, "");
    mails.answer(Some("550 5.1.1 no"));
    for number in 0..3 {
        server.callback(&booking(number));
    }
    until_given_up(&mails, &server, 3);
    let first = server.get("/v1/outbox/failures?limit=2", ADMIN).body;
    let cursor = first["next_cursor"].as_str().expect("there is more");
    let second = server.get(&format!("/v1/outbox/failures?limit=2&cursor={cursor}"), ADMIN).body;
    let ids = |page: &Value| -> Vec<u64> {
        let items = page["items"].as_array().expect("a list").iter();
        items.map(|item| item["id"].as_u64().expect("a number")).collect()
    };
    let all = [ids(&first), ids(&second)].concat();
    assert_eq!(all.len(), 3);
    assert!(all.is_sorted());
    assert_eq!(second["next_cursor"], Value::Null);
}

/// So many mails of each `Message-ID`.
fn times(mails: &MailServer) -> BTreeMap<String, usize> {
    let mut times = BTreeMap::new();
    for mail in mails.mails() {
        *times.entry(read(&mail).id).or_default() += 1;
    }
    times
}

fn on(folder: &Path, config: &str) -> Server {
    let store = format!("embedded:{}", folder.join("store").display());
    Server::start_configured_on(folder, &store, config)
}

#[test]
fn killed_between_commit_and_sending_every_mail_still_comes() {
    const COUNT: usize = 40;
    let mut mails = MailServer::start();
    let folder = tempfile::tempdir().expect("a folder");
    let config = config(&mails, "");
    let server = on(folder.path(), &config);
    mails.kill();
    for number in 0..COUNT {
        server.callback(&booking(number));
    }
    server.kill_now();
    drop(server);
    mails.restart();
    let _server = on(folder.path(), &config);
    mails.wait_until(|mails| times(mails).len() >= COUNT);
    let times = times(&mails);
    assert_eq!(times.len(), COUNT, "none is lost");
    assert!(times.values().all(|count| *count == 1), "none had gone out: {times:?}");
}

#[test]
fn killed_while_it_sends_no_mail_is_lost_and_one_that_comes_twice_is_the_same() {
    const COUNT: usize = 30;
    let mails = MailServer::start();
    let folder = tempfile::tempdir().expect("a folder");
    let config = config(&mails, "");
    for round in 0..4 {
        let server = on(folder.path(), &config);
        for number in 0..COUNT {
            server.callback(&booking(round * COUNT + number));
        }
        server.kill_now();
    }
    let server = on(folder.path(), &config);
    mails.wait_until(|mails| times(mails).len() >= 4 * COUNT);
    mails.wait_until(|_| figure(&server, "ringback_outbox_waiting", "mail") == 4 * COUNT as u64);
    let times = times(&mails);
    assert_eq!(times.len(), 4 * COUNT, "none is lost");
    assert!(times.values().all(|count| *count <= 2), "{times:?}");
}
