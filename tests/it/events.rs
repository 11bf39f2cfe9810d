//! The stream of events: who sees what, and how it is taken up again.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use reqwest::blocking::Response;
use ringback::domain::callback::{Channel, Request};
use ringback::domain::ids::{QueueId, WorkspaceId};
use ringback::domain::message::{Action, Who, Wish};
use ringback::domain::policy::QueueSettings;
use ringback::domain::time::{Span, Timestamp};
use ringback::engine::clock::{Clock, ManualTime};
use ringback::engine::outward::Outward;
use ringback::engine::system::{Ended, EngineConfig, Limits, Workspace};
use ringback::store::index::RowCodec;
use ringback::store::library::StoreLibrary;
use ringback::store::{OpenStore, StoreUrl};
use serde_json::{Value, json};

use crate::redis::now;
use crate::server::{Server, asap, send, wall_now};

/// A stream that is open.
pub(crate) struct Stream {
    lines: std::io::Lines<BufReader<Response>>,
}

/// An event of a stream: its id, its type, and what it says.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Told {
    id: u64,
    pub(crate) kind: String,
    data: Value,
}

impl Stream {
    #[track_caller]
    pub(crate) fn open(server: &Server, credential: &str, last: Option<u64>) -> Self {
        let mut request = server.request("GET", "/v1/events", credential);
        if let Some(last) = last {
            request = request.header("Last-Event-ID", last.to_string());
        }
        let response = request.send().expect("it answers");
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        let mut lines = BufReader::new(response).lines();
        // It is there before anything happens.
        assert_eq!(lines.next().expect("a line").expect("text"), "retry: 1000");
        Self { lines }
    }

    /// The next event; none: the stream has ended.
    pub(crate) fn next(&mut self) -> Option<Told> {
        let (mut id, mut kind, mut data) = (0, String::new(), None);
        loop {
            let line = match self.lines.next()? {
                Ok(line) => line,
                Err(error) => {
                    assert!(!is_time_out(&error), "the stream goes on, and nothing is told");
                    return None;
                }
            };
            match line.split_once(": ") {
                Some(("id", text)) => id = text.parse().expect("a number"),
                Some(("event", text)) => text.clone_into(&mut kind),
                Some(("data", text)) => data = Some(serde_json::from_str(text).expect("JSON")),
                _ => {
                    if let Some(data) = data.take().filter(|_| line.is_empty()) {
                        return Some(Told { id, kind, data });
                    }
                }
            }
        }
    }

    /// The number behind the next sign of life.
    #[track_caller]
    fn sign(&mut self) -> u64 {
        let mut line = || self.lines.next().expect("the stream goes on").expect("text");
        while line() != ":" {}
        let line = line();
        line.strip_prefix("id: ").and_then(|id| id.parse().ok()).expect("an id behind the sign")
    }

    #[track_caller]
    fn take(&mut self, count: usize) -> Vec<Told> {
        (0..count).map(|_| self.next().expect("an event")).collect()
    }
}

/// Whether the client has given up waiting, which is no end of the server's.
fn is_time_out(error: &std::io::Error) -> bool {
    let cause = error.get_ref().and_then(|cause| cause.downcast_ref::<reqwest::Error>());
    cause.is_some_and(reqwest::Error::is_timeout)
}

/// A callback, and its calling off: three events.
fn short_life(server: &Server, phone: &str) -> String {
    let made = server.callback(&asap(phone));
    call_off(server, &made);
    made["id"].as_str().expect("an id").to_owned()
}

fn call_off(server: &Server, made: &Value) {
    let path = format!("/v1/callbacks/{}/cancel", made["id"].as_str().expect("an id"));
    assert_eq!(server.post(&path, "portal-key", &json!({})).status, 200);
}

#[test]
fn events_come_as_in_history_and_are_taken_up_again() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = format!("embedded:{}", folder.path().join("data").display());
    let server = Server::start_on(folder.path(), &store);
    let before = short_life(&server, "030 123455");
    let mut stream = Stream::open(&server, "lead-key-1", None);
    let id = short_life(&server, "030 123456");
    let told = stream.take(3);
    let kinds: Vec<&str> = told.iter().map(|one| one.kind.as_str()).collect();
    assert_eq!(kinds, ["callback.created", "callback.queued", "callback.canceled"]);
    let history = server.get(&format!("/v1/callbacks/{id}/history"), "lead-key-1").body;
    for (one, event) in told.iter().zip(history["items"].as_array().expect("a list")) {
        assert_eq!(
            (&one.data, &json!(one.id), &json!(one.kind)),
            (event, &event["id"], &event["type"])
        );
    }
    assert!(told[0].id < told[1].id && told[1].id < told[2].id);

    let mut again = Stream::open(&server, "lead-key-1", Some(told[0].id));
    assert_eq!(again.take(2), told[1..]);
    let all = Stream::open(&server, "admin-key", Some(0)).take(6);
    assert_eq!(all[0].data["callback_id"], json!(before));
    server.kill_now();
    assert_eq!(stream.next(), None, "it ends with the server");
    drop(server);
    // Much longer than is waited for below.
    let drain = [("RINGBACK_LIMITS__DRAIN_SECONDS", "600")];
    let server = Server::start_on_with(folder.path(), &store, &drain);
    let mut again = Stream::open(&server, "lead-key-1", Some(told[1].id));
    assert_eq!(again.take(1), told[2..]);
    let pause = server.post("/v1/queues/billing/pause", "lead-key-1", &json!({}));
    assert_eq!(pause.status, 200);
    let next = again.next().expect("an event");
    assert_eq!((next.kind.as_str(), &next.data["queue_id"]), ("queue.paused", &json!("billing")));
    server.terminate();
    assert_eq!(again.next(), None);
    assert_eq!(server.exit_code(Duration::from_secs(30)), Some(0), "streams don't hold it up");
}

#[test]
fn whoever_asks_for_its_head_alone_takes_no_place() {
    let server = Server::start();
    for _ in 0..21 {
        let head = server.request("HEAD", "/v1/events", "lead-key-1").send().expect("an answer");
        assert_eq!(head.status(), 200);
        assert_eq!(head.headers()["content-type"], "text/event-stream");
    }
    drop(Stream::open(&server, "lead-key-1", None));
}

#[test]
fn a_stream_shows_that_it_lives_while_others_events_pass_it_by() {
    let server = Server::start();
    let mut stream = Stream::open(&server, "chat-key-1", None);
    let (told, sign) = std::sync::mpsc::channel();
    let reader = std::thread::spawn(move || told.send(stream.sign()).expect("it is waited for"));
    let deadline = now() + Duration::from_secs(90);
    let sign = loop {
        for what in ["pause", "resume"] {
            let path = format!("/v1/queues/billing/{what}");
            assert_eq!(server.post(&path, "lead-key-1", &json!({})).status, 200);
        }
        if let Ok(sign) = sign.recv_timeout(Duration::from_millis(100)) {
            break sign;
        }
        assert!(now() < deadline, "it says nothing, though no event was shown for 15 s");
    };
    assert!(sign > 0, "and how far it has read");
    reader.join().expect("no panic");
}

#[test]
fn a_channel_sees_its_own_callbacks_and_no_agents() {
    let server = Server::start();
    let mut stream = Stream::open(&server, "chat-key-1", None);
    let mut session = server.mara();
    let made = server.callback(&asap("030 123456"));
    // Called off before it was offered, it would be taken back from nobody.
    session.wait_for("callback.offered");
    call_off(&server, &made);
    session.wait_for("callback.offer_revoked");
    let made = server.post("/v1/callbacks", "chat-key-1", &asap("030 123457"));
    let own = made.body["id"].clone();
    session.wait_for("callback.offered");
    let told = stream.take(3);
    let kinds: Vec<&str> = told.iter().map(|one| one.kind.as_str()).collect();
    assert_eq!(kinds, ["callback.created", "callback.queued", "callback.offered"]);
    for one in told {
        assert_eq!(one.data["callback_id"], own);
        assert!(!one.data.to_string().contains("mara"), "{}", one.data);
    }
}

#[test]
fn who_may_not_and_what_cannot_be_is_refused() {
    let server = Server::start();
    let made = server.callback(&asap("030 123456"));
    let link = made["manage_token"].as_str().expect("a token");
    for credential in ["mara-key-1", "public-key", link] {
        server.get("/v1/events", credential).is_problem(403, "forbidden");
    }
    server.get("/v1/events", "").is_problem(401, "unauthorized");
    assert_eq!(server.get("/v1/events?types=all", "lead-key-1").pointers(), ["/types"]);
    for last in ["x", "-1", "1.5", "", "18446744073709551616", "999999999999"] {
        let request = server.request("GET", "/v1/events", "lead-key-1");
        let answer = send(request.header("Last-Event-ID", last));
        assert_eq!(answer.pointers(), ["/Last-Event-ID"], "{last}");
    }
}

#[test]
fn no_more_streams_are_open_than_there_may_be() {
    let server = Server::start_with(&[("RINGBACK_LIMITS__STREAMS_PER_CREDENTIAL", "100")]);
    let mut streams: Vec<Stream> =
        (0..100).map(|_| Stream::open(&server, "lead-key-1", None)).collect();
    let refused = server.get("/v1/events", "admin-key");
    refused.is_problem(503, "overloaded");
    assert!(refused.header("retry-after").is_some());
    let id = short_life(&server, "030 123456");
    for stream in &mut streams {
        assert_eq!(stream.take(3)[2].data["callback_id"], json!(id));
    }
    drop(streams);
    // Nothing happens that would be written to them, and no sign of life is due for 15 s.
    let deadline = crate::redis::now() + Duration::from_secs(10);
    loop {
        let request = server.request("GET", "/v1/events", "admin-key").send();
        if request.expect("it answers").status() == 200 {
            break;
        }
        assert!(crate::redis::now() < deadline, "others may come");
    }
}

/// A reader whose system takes in little, and who doesn't read at all.
fn stand_still(server: &Server) -> std::net::TcpStream {
    use std::io::Write;
    let address = server.url.strip_prefix("http://").expect("the address");
    let address: std::net::SocketAddr = address.parse().expect("an address");
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None);
    let socket = socket.expect("a socket");
    socket.set_recv_buffer_size(4_096).expect("it can be set");
    socket.connect(&address.into()).expect("it listens");
    let mut stream = std::net::TcpStream::from(socket);
    let request = "GET /v1/events HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer lead-key-1\r\n\
                   Last-Event-ID: 0\r\n\r\n";
    stream.write_all(request.as_bytes()).expect("it is taken");
    stream
}

#[test]
fn who_does_not_read_is_cut_off_and_comes_again() {
    use std::io::{Read, Write};
    let server = Server::start_with(&[("RINGBACK_LIMITS__SOCKET_WRITE_SECONDS", "1")]);
    for number in 0..500 {
        short_life(&server, &format!("030 {:06}", 120_000 + number));
    }
    let mut still = stand_still(&server);
    let mut other = Stream::open(&server, "lead-key-1", Some(0));
    assert_eq!(other.take(1_500).len(), 1_500, "others don't notice");
    // Once the system has given the connection up, what comes of it is answered with a reset.
    still.set_nonblocking(true).expect("it can be set");
    let deadline = crate::redis::now() + Duration::from_secs(30);
    let waits = |error: std::io::Error| error.kind() == std::io::ErrorKind::WouldBlock;
    while still.write(b"\r\n").map_or_else(waits, |_| true) {
        assert!(crate::redis::now() < deadline, "it is cut off");
    }
    let mut read = String::new();
    // What had come before is there still, up to the reset.
    let _ = still.read_to_string(&mut read);
    let ids = read.lines().filter_map(|line| line.strip_prefix("id: ")?.parse::<u64>().ok());
    let mut again = Stream::open(&server, "lead-key-1", ids.max().or(Some(0)));
    assert!(again.next().is_some());
}

#[test]
fn a_credential_has_so_many_streams_and_leaves_the_others_theirs() {
    let server = Server::start_with(&[("RINGBACK_LIMITS__STREAMS_PER_CREDENTIAL", "2")]);
    let first = Stream::open(&server, "portal-key", None);
    let _second = Stream::open(&server, "portal-key", None);
    let one_more = || server.request("GET", "/v1/events", "portal-key").send().expect("it answers");
    let refused = send(server.request("GET", "/v1/events", "portal-key"));
    let problem = refused.is_problem(429, "rate-limited");
    let detail = problem["detail"].as_str().expect("a text");
    assert!(detail.starts_with("2 streams with this credential are open"), "{detail}");
    assert_eq!(refused.header("retry-after"), Some("5"));
    let _others = ["chat-key-1", "lead-key-1"].map(|key| Stream::open(&server, key, None));
    drop(first);
    // Nothing happens that would be written to it, and no sign of life is due for 15 s.
    let deadline = now() + Duration::from_secs(10);
    while one_more().status() != 200 {
        assert!(now() < deadline, "the place of a stream that was closed isn't free");
    }
}

#[test]
fn a_token_that_ends_ends_its_stream() {
    use jsonwebtoken::{EncodingKey, Header, encode};
    let server = Server::start();
    let at = server.get("/v1/stats", "lead-key-1").body["at"].clone();
    let at: jiff::Timestamp = at.as_str().expect("an instant").parse().expect("RFC 3339");
    let claims = json!({"sub": "lead", "role": "supervisor", "workspace": "main",
                        "aud": "ringback", "exp": at.as_second() + 10});
    let key = EncodingKey::from_secret(crate::server::SIGNING);
    let token = encode(&Header::default(), &claims, &key).expect("a token");
    let mut stream = Stream::open(&server, &token, None);
    short_life(&server, "030 123456");
    assert_eq!(stream.take(3).len(), 3);
    assert_eq!(stream.next(), None);
}

/// Lets an engine work in `folder` long ago, and returns the newest event that it left there.
async fn work_long_ago(folder: &Path) -> u64 {
    let now = Timestamp(wall_now().as_millisecond());
    // Longer than `retain_days` is unless it is set.
    let long_ago = ManualTime::starting_at(now - Span::days(100));
    let queue = QueueId::parse("billing").expect("a slug");
    let workspace = WorkspaceId::parse("main").expect("a slug");
    let store: StoreUrl = format!("embedded:{}", folder.display()).parse().expect("a URL");
    let OpenStore { log, tables } = store.open(&workspace).await.expect("it is ours");
    let config = EngineConfig {
        workspace,
        limits: Limits::default(),
        queues: vec![QueueSettings::new(queue.clone())],
        agents: Vec::new(),
        keys: Vec::new(),
        secret: None,
        clock: Arc::new(Clock::manual(long_ago)),
        outward: Outward::default(),
    };
    let library = Box::new(|rows| Arc::new(StoreLibrary::new(rows)) as Arc<_>);
    let started = Workspace::start(config, log, tables, Arc::new(RowCodec), library).await;
    let (handle, running) = started.expect("it starts");
    let wish = Wish::asap(queue, Who::Channel, Request::by("Ada", Channel::Portal));
    let id = handle.create(wish, None).await.expect("taken").value.callback.id;
    let cancel = Action::Cancel { reason: None };
    handle.act(id, Who::Channel, cancel, None, None).await.expect("canceled");
    let newest = handle.newest_event().await.expect("readable");
    assert_eq!(running.drain().await, Ended::Drained);
    newest
}

#[test]
fn who_comes_after_events_are_gone_is_told_so() {
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path().join("data");
    let runtime = tokio::runtime::Runtime::new().expect("threads");
    let newest = runtime.block_on(work_long_ago(&data));
    let server = Server::start_on(folder.path(), &format!("embedded:{}", data.display()));
    let follow = |last: u64| {
        server.request("GET", "/v1/events", "lead-key-1").header("Last-Event-ID", last.to_string())
    };
    // What is as old goes in the background, soon after the start.
    let deadline = now() + Duration::from_secs(30);
    while follow(0).send().expect("it answers").status() != 410 {
        assert!(now() < deadline, "what is kept for 90 days is there after 100");
    }
    let gone = send(follow(0));
    gone.is_problem(410, "gone");
    let mut stream = Stream::open(&server, "lead-key-1", Some(newest));
    // That queue knows no region of its own.
    server.callback(&asap("+4930123456"));
    assert_eq!(stream.take(1)[0].kind, "callback.created", "the way on is open");
}
