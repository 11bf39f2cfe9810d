//! A server of a test's own on a free port, requests to it, and its end, gentle or not.

use std::io::{BufRead, BufReader};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use reqwest::blocking::{Client, RequestBuilder};
use reqwest::header::HeaderMap;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::stream::MaybeTlsStream;
use tokio_tungstenite::tungstenite::{Message, WebSocket, connect};

use crate::redis::now;

/// How long anything may take that a test waits for.
const PATIENCE: Duration = Duration::from_secs(15);

/// What signs the tokens of workspace `main`.
pub(crate) const SIGNING: &[u8] = b"a secret of at least thirty-two bytes";

const CONFIG: &str = r#"
listen = "127.0.0.1:0"
public_url = "https://callbacks.example"

[limits]
body_seconds = 2

[[workspace]]
id = "main"
secret = "the secret that manage links are signed with"
links = { case = "https://crm.example/{case_id}" }
  [workspace.jwt]
  hs256_secret = "a secret of at least thirty-two bytes"
  audience = "ringback"
  [[workspace.key]]
  role = "admin"
  token = "admin-key"
  [[workspace.key]]
  role = "supervisor"
  token = "lead-key-1"
  [[workspace.key]]
  role = "agent"
  agent = "mara"
  token = "mara-key-1"
  [[workspace.key]]
  role = "agent"
  agent = "tom"
  token = "tom-key-1"
  [[workspace.key]]
  role = "channel"
  channel = "portal"
  token = "portal-key"
  [[workspace.key]]
  role = "channel"
  channel = "chat"
  token = "chat-key-1"
  [[workspace.key]]
  role = "channel"
  channel = "portal"
  public = true
  allowed_origins = ["https://shop.example"]
  token = "public-key"
  [[workspace.queue]]
  id = "billing"
  default_region = "DE"
  [[workspace.queue]]
  id = "sales"
  media = ["voice", "video"]
  [[workspace.agent]]
  id = "mara"
  name = "Mara Vogt"
  queues = ["billing"]
  [[workspace.agent]]
  id = "tom"
  queues = ["sales"]

[[workspace]]
id = "other"
presence_reasons = ["lunch"]
  [[workspace.key]]
  role = "admin"
  token = "other-admin"
  [[workspace.queue]]
  id = "billing"
"#;

/// The configuration, without a limit to how often one number may ask.
pub(crate) fn patient() -> String {
    CONFIG.replacen("id = \"main\"", "id = \"main\"\nphone_requests_per_minute = 0", 1)
}

/// The same with more settings: before the limits, and of queue `billing`.
pub(crate) fn patient_with(top: &str, billing: &str) -> String {
    let config = patient().replacen("[limits]", &format!("{top}\n[limits]"), 1);
    let billing = format!("default_region = \"DE\"\n{billing}");
    config.replacen("default_region = \"DE\"", &billing, 1)
}

struct Process(Child);

/// A server that lives as long as the test.
pub(crate) struct Server {
    process: Process,
    pub(crate) url: String,
    client: Client,
    _folder: Option<tempfile::TempDir>,
}

/// An answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Value,
}

impl Server {
    /// Starts it in memory.
    pub(crate) fn start() -> Self {
        Self::start_with(&[])
    }

    /// Starts it in memory, with settings in its environment.
    pub(crate) fn start_with(settings: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let server = Self::launch(folder.path(), "memory:", CONFIG, settings);
        Self { _folder: Some(folder), ..server }
    }

    /// Starts it in memory with a configuration of the test's own.
    pub(crate) fn start_configured(config: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let server = Self::launch(folder.path(), "memory:", config, &[]);
        Self { _folder: Some(folder), ..server }
    }

    /// Starts it in memory, without a limit to how often one number may ask.
    pub(crate) fn start_patient() -> Self {
        Self::start_configured(&patient())
    }

    /// Starts it on `store`, with its configuration in `folder`.
    pub(crate) fn start_on(folder: &Path, store: &str) -> Self {
        Self::launch(folder, store, CONFIG, &[])
    }

    /// Starts it on `store`, with its configuration in `folder` and settings in its environment.
    pub(crate) fn start_on_with(folder: &Path, store: &str, settings: &[(&str, &str)]) -> Self {
        Self::launch(folder, store, CONFIG, settings)
    }

    /// Starts it on `store` with a configuration of the test's own, written into `folder`.
    pub(crate) fn start_configured_on(folder: &Path, store: &str, config: &str) -> Self {
        Self::launch(folder, store, config, &[])
    }

    fn launch(folder: &Path, store: &str, text: &str, settings: &[(&str, &str)]) -> Self {
        let config = folder.join("ringback.toml");
        std::fs::write(&config, text).expect("it is written");
        // A write past a limit that a test sets to its files fails, and doesn't end the server.
        let mut process = Command::new("/bin/sh")
            .env_clear()
            .envs(settings.iter().copied())
            .args(["-c", "trap '' XFSZ; exec \"$@\"", "sh", env!("CARGO_BIN_EXE_ringback")])
            .args(["serve", "--store", store, "--config"])
            .arg(&config)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("it starts");
        let mut lines = BufReader::new(process.stdout.take().expect("it is piped")).lines();
        let line = lines.next().expect("a line").expect("UTF-8");
        let url = line.strip_prefix("listening on ").expect("the address").to_owned();
        Self { process: Process(process), url, client: Client::new(), _folder: None }
    }

    /// `kill -9`, while others still speak to it; dropping it afterwards waits for its end.
    pub(crate) fn kill_now(&self) {
        let killed = Command::new("kill").args(["-9", &self.process.0.id().to_string()]).status();
        assert!(killed.expect("there is kill").success(), "it runs");
    }

    /// SIGTERM.
    pub(crate) fn terminate(&self) {
        let told = Command::new("kill").args(["-TERM", &self.process.0.id().to_string()]).status();
        assert!(told.expect("there is kill").success(), "it runs");
    }

    /// Its exit code, which must come by itself `within` this time.
    pub(crate) fn exit_code(self, within: Duration) -> Option<i32> {
        let (told, ended) = std::sync::mpsc::channel();
        let (id, mut process) = (self.id(), self.process);
        std::thread::spawn(move || told.send(process.0.wait().expect("it is our child")));
        let ended = ended.recv_timeout(within);
        if ended.is_err() {
            let _ = Command::new("kill").args(["-9", &id.to_string()]).status();
        }
        ended.expect("it ends in time").code()
    }

    /// The process's id.
    pub(crate) fn id(&self) -> u32 {
        self.process.0.id()
    }

    /// A request with a credential, not yet sent.
    pub(crate) fn request(&self, method: &str, path: &str, token: &str) -> RequestBuilder {
        let method = Method::from_bytes(method.as_bytes()).expect("a method");
        let request = self.client.request(method, format!("{}{path}", self.url));
        if token.is_empty() { request } else { request.bearer_auth(token) }
    }

    pub(crate) fn get(&self, path: &str, token: &str) -> Answer {
        send(self.request("GET", path, token))
    }

    pub(crate) fn delete(&self, path: &str, token: &str) -> Answer {
        send(self.request("DELETE", path, token))
    }

    pub(crate) fn post(&self, path: &str, token: &str, body: &Value) -> Answer {
        send(self.request("POST", path, token).json(body))
    }

    pub(crate) fn put(&self, path: &str, token: &str, body: &Value) -> Answer {
        send(self.request("PUT", path, token).json(body))
    }

    pub(crate) fn patch(&self, path: &str, token: &str, body: &Value) -> Answer {
        send(self.request("PATCH", path, token).json(body))
    }

    /// A callback that the portal asked for.
    pub(crate) fn callback(&self, body: &Value) -> Value {
        let made = self.post("/v1/callbacks", "portal-key", body);
        assert_eq!(made.status, 201, "{}", made.body);
        made.body
    }

    /// A session of the agent whose credential it is. It has been welcomed: before that, nobody
    /// may see the agent as connected yet.
    pub(crate) fn session(&self, token: &str) -> Session {
        let url = self.url.replace("http://", "ws://") + "/v1/agent/socket";
        let mut request = url.into_client_request().expect("a request");
        let header = |text: &str| text.parse().expect("a header");
        request.headers_mut().insert("Authorization", header(&format!("Bearer {token}")));
        request.headers_mut().insert("Sec-WebSocket-Protocol", header("ringback.v1"));
        let (socket, _) = connect(request).expect("a session");
        if let MaybeTlsStream::Plain(stream) = socket.get_ref() {
            stream.set_read_timeout(Some(PATIENCE)).expect("it can be set");
        }
        let mut session = Session { socket, welcome: None };
        session.welcome = Some(session.wait_for("welcome"));
        session
    }

    /// Mara's session, with her available.
    pub(crate) fn mara(&self) -> Session {
        let session = self.session("mara-key-1");
        let presence = json!({"presence": "available"});
        let here = self.put("/v1/agents/mara/presence", "mara-key-1", &presence);
        assert_eq!((here.status, &here.body["presence"]), (200, &json!("available")));
        session
    }

    /// A request's text, as it is on the wire, and the whole answer's.
    pub(crate) fn raw(&self, text: &[u8]) -> String {
        use std::io::{Read, Write};
        let address = self.url.strip_prefix("http://").expect("the address");
        let mut stream = TcpStream::connect(address).expect("it listens");
        stream.set_read_timeout(Some(PATIENCE)).expect("it can be set");
        stream.write_all(text).expect("it is taken");
        let mut answer = Vec::new();
        // A connection that is reset after its answer has still been answered.
        if let Err(error) = stream.read_to_end(&mut answer) {
            assert_ne!(error.kind(), std::io::ErrorKind::WouldBlock, "the connection goes on");
        }
        String::from_utf8_lossy(&answer).into_owned()
    }
}

/// An agent's session, for tests of HTTP that need somebody to be there.
pub(crate) struct Session {
    socket: WebSocket<MaybeTlsStream<TcpStream>>,
    /// It was read when the session began, and is still the first frame to whoever waits for it.
    welcome: Option<Value>,
}

impl Session {
    /// The next frame of a type; those before it are passed over.
    pub(crate) fn wait_for(&mut self, kind: &str) -> Value {
        let mut passed = Vec::new();
        if let Some(welcome) = self.welcome.take() {
            if kind == "welcome" {
                return welcome;
            }
            passed.push(welcome["type"].clone());
        }
        let deadline = now() + PATIENCE;
        while now() < deadline {
            let Message::Text(text) = self.socket.read().expect("a frame") else { continue };
            let frame: Value = serde_json::from_str(&text).expect("JSON");
            if frame["type"] == kind {
                return frame;
            }
            passed.push(frame["type"].clone());
        }
        panic!("no {kind} came, but {passed:?}");
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended by itself; either way nothing remains.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

pub(crate) fn send(request: RequestBuilder) -> Answer {
    let response = request.send().expect("it answers");
    let (status, headers) = (response.status(), response.headers().clone());
    let text = response.text().expect("UTF-8");
    let body = match (status, text.is_empty()) {
        (StatusCode::NO_CONTENT, _) | (_, true) => Value::Null,
        _ => serde_json::from_str(&text).unwrap_or_else(|_| panic!("{status}: {text}")),
    };
    Answer { status: status.as_u16(), headers, body }
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().expect("text"))
    }

    /// The version that its tag tells.
    #[track_caller]
    pub(crate) fn version(&self) -> u64 {
        let tag = self.header("etag").expect("a tag").trim_matches('"');
        tag.parse().expect("a number")
    }

    /// Its tag, as `If-Match` takes it.
    #[track_caller]
    pub(crate) fn tag(&self) -> String {
        self.header("etag").expect("a tag").to_owned()
    }

    /// Holds it against a problem's name and status.
    #[track_caller]
    pub(crate) fn is_problem(&self, status: u16, name: &str) -> &Value {
        assert_eq!(self.status, status, "{}", self.body);
        assert_eq!(self.body["type"], format!("/problems/{name}"), "{}", self.body);
        assert_eq!(self.body["status"], status);
        assert_eq!(self.header("content-type"), Some("application/problem+json"));
        &self.body
    }

    /// The pointers of a 422's faults.
    #[track_caller]
    pub(crate) fn pointers(&self) -> Vec<&str> {
        self.is_problem(422, "invalid");
        let errors = self.body["errors"].as_array().expect("a list");
        errors.iter().map(|error| error["pointer"].as_str().expect("text")).collect()
    }
}

/// The least that can be asked for, by a phone number of its own.
pub(crate) fn asap(phone: &str) -> Value {
    json!({"queue": "billing", "type": "asap", "customer": {"name": "Ada", "phone": phone}})
}

/// The same at a start.
pub(crate) fn booked(phone: &str, start: &str) -> Value {
    json!({
        "queue": "billing", "type": "scheduled", "customer": {"name": "Ada", "phone": phone},
        "schedule": {"start": start},
    })
}

/// A slot of every queue that a channel may book: at noon UTC, some days from now, so that no
/// contact hours stand in an agent's way at whatever time the tests run.
pub(crate) fn slot(days: i64) -> String {
    slot_at(days, "12:00")
}

/// The same at another time of that day, in UTC.
pub(crate) fn slot_at(days: i64, time: &str) -> String {
    let day = wall_now() + jiff::SignedDuration::from_hours(days * 24);
    format!("{}T{time}:00Z", day.strftime("%Y-%m-%d"))
}

/// The wall clock, which the server goes by too.
#[expect(clippy::disallowed_methods, reason = "slots are booked by the server's clock")]
pub(crate) fn wall_now() -> jiff::Timestamp {
    jiff::Timestamp::now()
}

/// Far enough ahead for every test; agents alone may book it.
pub(crate) const LATER: &str = "2037-11-24T15:00:00Z";
