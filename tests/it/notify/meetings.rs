//! The tests of `notify`: what Zoom and Jitsi are asked, and what callers then see.

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use jwt_compact::alg::{Hs256, Hs256Key};
use jwt_compact::{AlgorithmExt, UntrustedToken};
use serde_json::{Value, json};
use tokio::runtime::{Builder, Runtime};

use super::fake::{State, Trouble};
use super::test_server::TestServer;
use crate::redis::now;
use crate::server::{Server, slot_at};

const LEAD: &str = "lead-key-1";
const PORTAL: &str = "portal-key";

/// How long anything may take that a test waits for.
const PATIENCE: Duration = Duration::from_mins(1);

/// Zoom on a free port, on threads of its own.
struct Zoom {
    state: Arc<Mutex<State>>,
    server: TestServer,
    _runtime: Runtime,
}

impl Zoom {
    fn start() -> Self {
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let runtime = runtime.expect("a runtime");
        let state = Arc::new(Mutex::new(State::default()));
        let shared = Arc::clone(&state);
        let answer = move |asked: &_| shared.lock().expect("no panic").answer(asked);
        let server = runtime.block_on(TestServer::start(answer));
        Self { state, server, _runtime: runtime }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no panic")
    }

    fn meetings(&self) -> Vec<Value> {
        self.state().meetings.values().cloned().collect()
    }

    fn provider(&self) -> String {
        let (api, token) = (self.server.url("/v2"), self.server.url("/oauth/token"));
        format!(
            "provider = \"zoom\"\naccount_id = \"the&account\"\nclient_id = \"client\"\n\
             client_secret = \"secret\"\nhost_user = \"host@example.com\"\n\
             api_url = \"{api}\"\ntoken_url = \"{token}\""
        )
    }
}

fn start(provider: &str) -> Server {
    Server::start_configured(&format!(
        r#"
listen = "127.0.0.1:0"
public_url = "https://callbacks.example"
[meetings]
connect_seconds = 1
answer_seconds = 2
[[workspace]]
id = "main"
secret = "the secret that manage links are signed with"
  [workspace.meetings]
  {provider}
  [[workspace.key]]
  role = "supervisor"
  token = "{LEAD}"
  [[workspace.key]]
  role = "channel"
  channel = "portal"
  token = "{PORTAL}"
  [[workspace.queue]]
  id = "sales"
  name = "Sales"
  media = ["voice", "video"]
"#
    ))
}

fn book(server: &Server) -> Value {
    let made = server.callback(&json!({
        "queue": "sales", "type": "scheduled", "medium": "video",
        "customer": {"name": "Ada", "email": "ada@example.com"},
        "schedule": {"start": slot_at(20, "15:00")},
    }));
    assert_eq!((&made["state"], &made["meeting"]), (&json!("open"), &Value::Null));
    made
}

fn path(made: &Value, action: &str) -> String {
    format!("/v1/callbacks/{}{action}", made["id"].as_str().expect("an id"))
}

fn until<T>(mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = now() + PATIENCE;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(now() < deadline, "it never came to that");
        std::thread::park_timeout(Duration::from_millis(10));
    }
}

/// The callback's meeting as the role sees it, once there is one.
fn meeting(server: &Server, made: &Value, role: &str) -> Value {
    until(|| {
        let meeting = server.get(&path(made, ""), role).body["meeting"].clone();
        (!meeting.is_null()).then_some(meeting)
    })
}

#[test]
fn a_zoom_meeting_is_made_once_moved_and_removed_through_every_trouble() {
    let zoom = Zoom::start();
    let server = start(&zoom.provider());
    let fault = json!({"code": 429, "message": "too many"});
    let wait = vec![("retry-after", "1".to_owned())];
    zoom.state().troubles.extend([
        ("POST /oauth/token", Trouble::Refused(500, Vec::new(), json!({}))),
        ("GET /v2/users", Trouble::Refused(429, wait, fault)),
        ("POST /v2/users", Trouble::AnswerLost),
    ]);
    let made = book(&server);
    let seen = meeting(&server, &made, LEAD);
    let [one] = &zoom.meetings()[..] else { panic!("one meeting in {:?}", zoom.meetings()) };
    assert_eq!(seen["provider"], "zoom");
    assert_eq!((&seen["join_url"], &seen["host_url"]), (&one["join_url"], &one["start_url"]));
    assert_eq!(one["start_time"], made["schedule"]["start"]);
    let outside = meeting(&server, &made, PORTAL);
    assert_eq!(outside, json!({"provider": "zoom", "join_url": one["join_url"]}));
    let history = server.get(&path(&made, "/history"), LEAD).body;
    let ready = history["items"].as_array().expect("a list").iter();
    let ready: Vec<_> = ready.filter(|event| event["type"] == "callback.meeting_ready").collect();
    assert_eq!(ready.len(), 1);
    assert_eq!(ready[0]["data"]["join_url"], one["join_url"]);

    zoom.state().troubles.push_back(("PATCH /v2/meetings", Trouble::Slow));
    let later = slot_at(21, "09:30");
    let moved = server.post(&path(&made, "/reschedule"), PORTAL, &json!({"start": later}));
    assert_eq!(moved.status, 200, "{}", moved.body);
    until(|| (zoom.meetings()[0]["start_time"] == *later).then_some(()));
    assert_eq!(zoom.meetings().len(), 1);

    let down = Trouble::Refused(503, Vec::new(), json!({}));
    zoom.state().troubles.push_back(("DELETE /v2/meetings", down));
    // The token is believed no more either.
    zoom.state().good.clear();
    let gone = server.post(&path(&made, "/cancel"), PORTAL, &json!({}));
    assert_eq!(gone.status, 200, "{}", gone.body);
    until(|| zoom.meetings().is_empty().then_some(()));
}

#[test]
fn a_jitsi_room_is_signed_for_customer_and_agent_apart() {
    let secret = "the-secret-of-prosody";
    let provider = format!(
        "provider = \"jitsi\"\ndomain = \"meet.example\"\napp_id = \"ringback\"\n\
         app_secret = \"{secret}\""
    );
    let server = start(&provider);
    let made = book(&server);
    let seen = meeting(&server, &made, LEAD);
    assert_eq!(seen["provider"], "jitsi");
    let key = Hs256Key::new(secret.as_bytes());
    let claims = |link: &Value| -> Value {
        let (_, token) = link.as_str().expect("a link").split_once("?jwt=").expect("signed");
        let token = UntrustedToken::new(token).expect("a token");
        let token = Hs256.validator::<Value>(&key).validate(&token).expect("it is believed");
        token.claims().custom.clone()
    };
    let (customer, host) = (claims(&seen["join_url"]), claims(&seen["host_url"]));
    assert_eq!(customer["room"], host["room"]);
    assert_eq!(customer["context"]["user"]["moderator"], false);
    assert_eq!(host["context"]["user"]["moderator"], true);
    assert!(meeting(&server, &made, PORTAL)["host_url"].is_null());
}
