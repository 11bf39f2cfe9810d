//! The agents' socket from outside: a real process, real sockets, and clients of every temper.
//!
//! Here are the configuration that these tests share and what they know of the server beside its
//! frames; `desk` is an agent's browser.

mod day;
pub(crate) mod desk;
mod ends;
mod frames;
mod handshake;
mod lost;
mod scope;
mod slow;

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::server::{Server, asap};

/// How long anything may take that these tests wait for.
const PATIENCE: Duration = Duration::from_secs(30);

/// Two agents of one queue, with `limits` and `queue` as further settings.
fn config(limits: &str, queue: &str) -> String {
    format!(
        r#"
listen = "127.0.0.1:0"
public_url = "https://callbacks.example/eu"
[limits]
{limits}

[[workspace]]
id = "main"
desk_origins = ["https://desk.example"]
presence_reasons = ["lunch", {{ id = "training", labels = {{ de = "Schulung" }} }}]
links = {{ case = "https://crm.example/{{case_id}}", call = "tel:{{phone}}" }}
phone_requests_per_minute = 0
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
  role = "supervisor"
  agent = "tom"
  token = "lead-tom-1"
  [[workspace.key]]
  role = "agent"
  agent = "mara"
  token = "mara-key-1"
  [[workspace.key]]
  role = "agent"
  agent = "tom"
  token = "tom-key-1"
  [[workspace.key]]
  role = "agent"
  agent = "nobody"
  token = "nobody-key"
  [[workspace.key]]
  role = "channel"
  channel = "portal"
  token = "portal-key"
  [[workspace.queue]]
  id = "billing"
  name = "Billing"
  default_region = "DE"
  reasons = ["invoice"]
  decline_reasons = ["busy", {{ id = "conflict", reassignable = false }}]
  dispositions = [{{ id = "settled", resolved = true }}, "open"]
  {queue}
  [[workspace.agent]]
  id = "mara"
  name = "Mara Vogt"
  queues = ["billing"]
  [[workspace.agent]]
  id = "tom"
  queues = ["billing"]

[[workspace]]
id = "other"
  [[workspace.key]]
  role = "agent"
  agent = "mara"
  token = "other-mara"
  [[workspace.agent]]
  id = "mara"
"#
    )
}

/// A server with these further settings.
fn start(limits: &str, queue: &str) -> Server {
    Server::start_configured(&config(limits, queue))
}

/// A callback's id as text.
fn id(callback: &Value) -> &str {
    callback["id"].as_str().expect("an id")
}

/// A callback as a supervisor sees it.
fn look(server: &Server, callback: &Value) -> Value {
    server.get(&format!("/v1/callbacks/{}", id(callback)), "lead-key-1").body
}

/// An agent's status.
fn status(server: &Server, agent: &str) -> Value {
    server.get(&format!("/v1/agents/{agent}/status"), "lead-key-1").body
}

/// The time, to bound what is waited for.
#[expect(clippy::disallowed_methods, reason = "a test waits by the real clock")]
fn now() -> Instant {
    Instant::now()
}

/// Asks until it is so.
#[track_caller]
pub(crate) fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let begun = now();
    while !is_so() {
        assert!(begun.elapsed() < PATIENCE, "not within {PATIENCE:?}: {what}");
        // What is waited for needs the machine too.
        std::thread::park_timeout(Duration::from_millis(10));
    }
}

/// A callback of the queue with this last digit of its number.
fn number(last: u32) -> Value {
    asap(&format!("+4930123{last:04}"))
}

/// A frame that sets presence.
fn presence(id: u32, presence: &str) -> Value {
    json!({"id": id, "type": "presence", "presence": presence})
}
