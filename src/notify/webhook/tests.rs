//! Deliveries to receivers that are honest, slow, broken or hostile (fault F25).

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use reqwest::dns::{Addrs, Name, Resolving};
use standardwebhooks::Webhook;

use super::*;
use crate::domain::event::{CallbackEvent, Event};
use crate::domain::ids::CallbackId;
use crate::domain::time::Span;
use crate::engine::clock::Clock;
use crate::notify::test_server::{Reply, TestServer};

const NEW: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const OLD: &str = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

/// Gives the same address for every name, and counts how often it was asked.
struct Names {
    address: IpAddr,
    asked: Arc<AtomicUsize>,
}

impl Resolve for Names {
    fn resolve(&self, _: Name) -> Resolving {
        self.asked.fetch_add(1, Ordering::SeqCst);
        let found: Addrs = Box::new([SocketAddr::new(self.address, 0)].into_iter());
        Box::pin(async move { Ok(found) })
    }
}

fn settings(allow_inner: bool) -> Webhooks {
    let (connect, answer) = (Duration::from_secs(5), Duration::from_secs(10));
    Webhooks {
        allow_inner,
        connect,
        answer,
        give_up_after: Duration::from_hours(24),
        concurrency: 8,
        concurrency_in_all: 256,
        max_waiting: 1_000,
    }
}

/// Allows inner addresses, since the tests' receivers have no others, and isn't patient.
fn lab() -> Sender {
    let answer = Duration::from_millis(300);
    Sender::new(&Webhooks { connect: answer, answer, ..settings(true) }).expect("TLS")
}

/// As in production, where every name leads to this machine.
fn strict(address: IpAddr) -> (Sender, Arc<AtomicUsize>) {
    let asked = Arc::new(AtomicUsize::new(0));
    let names = Arc::new(Names { address, asked: Arc::clone(&asked) });
    (Sender::with_names(&settings(false), names).expect("TLS"), asked)
}

fn endpoint(url: impl Into<String>) -> Endpoint {
    let secret = SigningSecret::parse(NEW).expect("a secret");
    Endpoint { url: url.into(), secret, former_secret: None }
}

fn delivery() -> Delivery {
    let event = Event::Callback(CallbackId(7), CallbackEvent::Stuck { offers_lost: 8 });
    let stored = StoredEvent { id: 42, at: Timestamp(1_796_137_200_000), event };
    let workspace = WorkspaceId::parse("main").expect("a slug");
    Delivery::new(&stored, &workspace, Clock::system().wall())
}

async fn send(reply: impl Fn() -> Reply + Send + Sync + 'static) -> Outcome {
    let server = TestServer::start(move |_| reply()).await;
    lab().deliver(&endpoint(server.url("/hook")), &delivery()).await
}

#[tokio::test]
async fn a_receiver_gets_the_event_and_believes_it_by_either_secret() {
    let server = TestServer::start(|_| Reply::status(204)).await;
    let to = Endpoint {
        former_secret: Some(SigningSecret::parse(OLD).expect("a secret")),
        ..endpoint(server.url("/hook?of=main"))
    };
    assert_eq!(lab().deliver(&to, &delivery()).await, Outcome::Delivered(()));
    assert_eq!(lab().deliver(&endpoint(&to.url), &delivery()).await, Outcome::Delivered(()));

    let [both, one] = &server.asked()[..] else { panic!("two requests") };
    assert_eq!((both.method.as_str(), both.target.as_str()), ("POST", "/hook?of=main"));
    assert_eq!(both.header("content-type"), Some("application/json"));
    assert_eq!(both.header("webhook-id"), Some("evt_main_42"));
    let body: serde_json::Value = serde_json::from_slice(&both.body).expect("JSON");
    assert_eq!(body["type"], "callback.stuck");
    assert_eq!((&body["id"], &body["workspace"]), (&42.into(), &"main".into()));
    assert_eq!(body["data"]["offers_lost"], 8);
    assert_eq!((&body["timestamp"], &body["at"]), (&body["at"], &"2026-12-01T15:00:00Z".into()));

    for (asked, secret, believed) in
        [(both, NEW, true), (both, OLD, true), (one, NEW, true), (one, OLD, false)]
    {
        let headers = asked.headers.iter().filter_map(|(name, value)| {
            Some((name.parse::<HeaderName>().ok()?, HeaderValue::from_str(value).ok()?))
        });
        let headers: HeaderMap = headers.collect();
        let receiver = Webhook::new(secret).expect("a secret");
        assert_eq!(receiver.verify(&asked.body, &headers).is_ok(), believed, "{secret}");
        let mut changed = asked.body.clone();
        changed[0] = b' ';
        assert!(receiver.verify(&changed, &headers).is_err());
    }
}

#[tokio::test]
async fn what_a_receiver_answers_decides_what_becomes_of_it() {
    for status in [200, 201, 202, 299] {
        assert_eq!(send(move || Reply::status(status)).await, Outcome::Delivered(()), "{status}");
    }
    for status in [300, 304, 400, 401, 404, 418, 429, 500, 502, 503, 504] {
        let later = Outcome::later(format!("answered {status}"));
        assert_eq!(send(move || Reply::status(status)).await, later, "{status}");
    }
    assert_eq!(send(|| Reply::status(410)).await, Outcome::given_up("answered 410"));
    let wait = || Reply::Answer(503, vec![("retry-after", "90".into())], String::new());
    let retry_after = Some(Span::seconds(90));
    assert_eq!(send(wait).await, Outcome::Later { reason: "answered 503".into(), retry_after });
}

#[tokio::test]
async fn a_redirect_is_a_failure_and_leads_nowhere() {
    let inner = TestServer::start(|_| Reply::status(200)).await;
    for status in [301, 302, 303, 307, 308] {
        let target = inner.url("/secret");
        let reply =
            move || Reply::Answer(status, vec![("location", target.clone())], String::new());
        assert_eq!(send(reply).await, Outcome::later(format!("answered {status}")));
    }
    assert_eq!(inner.connections(), 0);
}

#[tokio::test]
async fn a_receiver_that_hangs_drips_or_talks_nonsense_is_left_in_time() {
    let no_answer = Outcome::later("no answer in time");
    assert_eq!(send(|| Reply::Hang).await, no_answer);
    assert_eq!(send(|| Reply::Start(b"HTTP/1.1 200".to_vec())).await, no_answer);
    assert_eq!(send(|| Reply::Drip(b"HTTP/1.1 200 x\r\nname: a".to_vec())).await, no_answer);
    assert!(matches!(send(|| Reply::Cut).await, Outcome::Later { .. }));
    let no_http = || Reply::Flood(b"220 mail ready\r\n".to_vec());
    assert!(matches!(send(no_http).await, Outcome::Later { .. }));
    let endless_head = || Reply::Flood(b"HTTP/1.1 200 x\r\nname: ".to_vec());
    assert!(matches!(send(endless_head).await, Outcome::Later { .. }));
}

#[tokio::test]
async fn a_body_is_never_waited_for() {
    let head = "HTTP/1.1 200 x\r\ncontent-length: 99999999999\r\n\r\n";
    let started = move || Reply::Start(head.into());
    let dripping = move || Reply::Drip(head.into());
    let flooding = move || Reply::Flood(head.into());
    assert_eq!(send(started).await, Outcome::Delivered(()));
    assert_eq!(send(dripping).await, Outcome::Delivered(()));
    assert_eq!(send(flooding).await, Outcome::Delivered(()));
}

#[tokio::test]
async fn nobody_there_is_told_without_the_address() {
    let gone = TestServer::start(|_| Reply::Hang).await;
    let url = gone.url("/token-in-the-path");
    drop(gone);
    // The listener is closed by its task's end, which this run of the test alone can bring.
    tokio::task::yield_now().await;
    let Outcome::Later { reason, retry_after: None } =
        lab().deliver(&endpoint(url), &delivery()).await
    else {
        panic!("it can't have been delivered");
    };
    assert!(!reason.is_empty() && !reason.contains("token-in-the-path"), "{reason}");
}

#[tokio::test]
async fn an_inner_address_in_numbers_is_refused_before_any_connection() {
    let server = TestServer::start(|_| Reply::status(200)).await;
    let port = server.address.port();
    let (sender, asked) = strict(IpAddr::V4(Ipv4Addr::LOCALHOST));
    for host in [
        "127.0.0.1",
        "127.1",
        "2130706433",
        "0x7f.0.0.1",
        "0177.0.0.1",
        "0.0.0.0",
        "[::1]",
        "[::]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[fe80::1]",
        "[fd00:ec2::254]",
        "10.0.0.1",
        "169.254.169.254",
        "168.63.129.16",
    ] {
        let url = format!("https://{host}:{port}/");
        assert_eq!(sender.check_url(&url), Err(BadUrl::Inner), "{url}");
        let outcome = sender.deliver(&endpoint(url), &delivery()).await;
        assert_eq!(outcome, Outcome::given_up("the address must not be an inner address"));
    }
    assert_eq!((server.connections(), asked.load(Ordering::SeqCst)), (0, 0));
}

#[tokio::test]
async fn a_name_that_leads_inside_is_refused_before_any_connection() {
    let server = TestServer::start(|_| Reply::status(200)).await;
    let mapped = Ipv4Addr::LOCALHOST.to_ipv6_mapped();
    for address in [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(mapped)] {
        let (sender, asked) = strict(address);
        for host in ["hooks.example", "localhost", "localhost."] {
            let url = format!("https://{host}:{}/", server.address.port());
            let outcome = sender.deliver(&endpoint(url), &delivery()).await;
            assert_eq!(outcome, Outcome::later("the host has inner addresses alone"), "{host}");
        }
        assert_eq!(asked.load(Ordering::SeqCst), 3);
    }
    assert_eq!(server.connections(), 0);
}

#[tokio::test]
async fn of_mixed_addresses_the_inner_ones_are_left_out() {
    struct Mixed;
    impl Resolve for Mixed {
        fn resolve(&self, _: Name) -> Resolving {
            let texts = ["10.0.0.1", "1.1.1.1", "::1", "2606:4700::1111"];
            let all = texts.map(|text| SocketAddr::new(text.parse().expect("an address"), 0));
            let all: Addrs = Box::new(all.into_iter());
            Box::pin(async move { Ok(all) })
        }
    }
    let name = "hooks.example".parse().expect("a name");
    let left = Outward::new(Arc::new(Mixed), false).resolve(name).await;
    let left: Vec<String> =
        left.unwrap_or_else(|error| panic!("{error}")).map(|at| at.ip().to_string()).collect();
    assert_eq!(left, ["1.1.1.1", "2606:4700::1111"]);
}

/// A name is asked for once, and what was answered then is where it goes: a second answer, which
/// could be another, isn't asked for.
#[tokio::test]
async fn the_address_that_was_looked_at_is_the_one_connected_to() {
    let server = TestServer::start(|_| Reply::status(200)).await;
    let asked = Arc::new(AtomicUsize::new(0));
    let names = Names { address: server.address.ip(), asked: Arc::clone(&asked) };
    let sender = Sender::with_names(&settings(true), Arc::new(names)).expect("TLS");
    let url = format!("http://hooks.example:{}/", server.address.port());
    assert_eq!(sender.deliver(&endpoint(url), &delivery()).await, Outcome::Delivered(()));
    assert_eq!((server.connections(), asked.load(Ordering::SeqCst)), (1, 1));
    let host = server.asked()[0].header("host").map(str::to_owned);
    assert_eq!(host, Some(format!("hooks.example:{}", server.address.port())));
}

#[test]
fn addresses_are_held_to_their_form() {
    let (sender, _) = strict(IpAddr::V4(Ipv4Addr::LOCALHOST));
    for (url, expected) in [
        ("https://hooks.example", Ok(())),
        ("https://hooks.example:8443/a?b=c", Ok(())),
        ("https://1.1.1.1/", Ok(())),
        ("https://[2606:4700::1111]/", Ok(())),
        ("http://hooks.example/", Err(BadUrl::NotEncrypted)),
        ("ftp://hooks.example/", Err(BadUrl::Malformed)),
        ("file:///etc/passwd", Err(BadUrl::Malformed)),
        ("hooks.example", Err(BadUrl::Malformed)),
        ("https://u@hooks.example/", Err(BadUrl::Malformed)),
        ("https://u:p@hooks.example/", Err(BadUrl::Malformed)),
        ("https://hooks.example/#a", Err(BadUrl::Malformed)),
        ("", Err(BadUrl::Malformed)),
    ] {
        assert_eq!(sender.check_url(url), expected, "{url}");
    }
    let long = |bytes: usize| format!("https://a.example/{}", "x".repeat(bytes - 18));
    assert_eq!(sender.check_url(&long(URL_MAX)), Ok(()));
    assert_eq!(sender.check_url(&long(URL_MAX + 1)), Err(BadUrl::Malformed));
    assert_eq!(lab().check_url("http://127.0.0.1/"), Ok(()));
    assert_eq!(lab().check_url("ftp://127.0.0.1/"), Err(BadUrl::Malformed));
}
