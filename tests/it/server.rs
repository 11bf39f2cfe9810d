//! Starts the real server on a free port, and ends it, gently or not.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use reqwest::blocking::{Client, Response};
use serde_json::{Value, json};

/// A key of the portal's channel.
pub(crate) const PORTAL: &str = "portal-key";
/// A key of the chat's channel.
pub(crate) const CHAT: &str = "chat-key";
/// Agent mara's key.
pub(crate) const MARA: &str = "mara-key";
/// A supervisor's key.
pub(crate) const BOSS: &str = "boss-key";
/// An administrator's key.
pub(crate) const ADMIN: &str = "admin-key";

const CONFIG: &str = r#"
[[workspace]]
id = "main"
key = [
    { role = "channel", channel = "portal", token = "portal-key" },
    { role = "channel", channel = "chat", token = "chat-key" },
    { role = "agent", agent = "mara", token = "mara-key" },
    { role = "supervisor", token = "boss-key" },
    { role = "admin", token = "admin-key" },
]
queue = [{ id = "billing", time_zone = "UTC" }]
agent = [{ id = "mara", name = "Mara Vogt", queues = ["billing"] }]
"#;

/// A running server.
pub(crate) struct Server {
    child: Child,
    /// `http://ADDR`.
    pub(crate) url: String,
    client: Client,
}

impl Server {
    /// Starts it on `store`, with its configuration in `folder`.
    pub(crate) fn start(folder: &Path, store: &str) -> Self {
        let config = folder.join("ringback.toml");
        std::fs::write(&config, CONFIG).expect("the folder can be written");
        let mut child = Command::new(env!("CARGO_BIN_EXE_ringback"))
            .args(["serve", "--listen", "127.0.0.1:0", "--store", store, "--config"])
            .arg(&config)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("the server is built");
        let out = child.stdout.take().expect("it is piped");
        let line = BufReader::new(out).lines().next().expect("it says where it listens");
        let line = line.expect("text");
        let url = line.strip_prefix("listening on ").expect("the documented line").to_owned();
        Self { child, url, client: Client::new() }
    }

    /// `kill -9`, while others still speak to it; dropping it afterwards waits for its end.
    pub(crate) fn kill_now(&self) {
        let killed = Command::new("kill").args(["-9", &self.child.id().to_string()]).status();
        assert!(killed.expect("there is kill").success(), "it runs");
    }

    pub(crate) fn post(&self, path: &str, token: &str, body: &Value) -> Response {
        self.post_keyed(path, token, body, None)
    }

    pub(crate) fn post_keyed(
        &self,
        path: &str,
        token: &str,
        body: &Value,
        key: Option<&str>,
    ) -> Response {
        let mut request =
            self.client.post(format!("{}{path}", self.url)).bearer_auth(token).json(body);
        if let Some(key) = key {
            request = request.header("Idempotency-Key", key);
        }
        request.send().expect("the server answers")
    }

    pub(crate) fn post_text(&self, path: &str, token: &str, body: String) -> Response {
        let request = self.client.post(format!("{}{path}", self.url)).bearer_auth(token);
        let request = request.header("Content-Type", "application/json").body(body);
        request.send().expect("the server answers")
    }

    pub(crate) fn get(&self, path: &str, token: &str) -> Response {
        let request = self.client.get(format!("{}{path}", self.url)).bearer_auth(token);
        request.send().expect("the server answers")
    }

    /// Asks for a callback as soon as possible, and returns it.
    pub(crate) fn ask(&self, phone: &str) -> Value {
        let answer = self.post("/v1/callbacks", PORTAL, &asap(phone));
        assert_eq!(answer.status(), 201);
        answer.json().expect("JSON")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have been killed before.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A request for a callback as soon as possible.
pub(crate) fn asap(phone: &str) -> Value {
    json!({"queue": "billing", "type": "asap",
           "customer": {"name": "Ada Lovelace", "phone": phone}})
}

/// The name at the end of a problem's type.
pub(crate) fn problem(answer: Response) -> (u16, String) {
    let status = answer.status().as_u16();
    let kind = answer.headers()["content-type"].to_str().expect("text").to_owned();
    assert!(kind.starts_with("application/problem+json"), "{kind}");
    let body: Value = answer.json().expect("JSON");
    let name = body["type"].as_str().expect("a type").to_owned();
    (status, name.trim_start_matches("/problems/").to_owned())
}
