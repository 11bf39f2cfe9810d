//! `ringback apply`: puts a file's queues, agents and keys into a running server, over its API.
//!
//! Queues go first, since agents name them. Of keys nothing but the hashes of their tokens is sent.
//! What the file doesn't name stays as it is, and is told of keys; those that it revokes are
//! revoked. What is the same already isn't written, so that applying a file twice changes nothing
//! the second time.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use reqwest::blocking::{Client, RequestBuilder, Response};
use reqwest::header::{ETAG, IF_MATCH, IF_NONE_MATCH};
use reqwest::redirect::Policy;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value};

use super::token::find;
use super::{BAD_INPUT, complain, say, settings};
use crate::config::Workspace;
use crate::domain::key::TokenHash;
use crate::wire::settings::{print_agent, print_key, print_queue};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The file, as `serve --config` takes it
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// The server's address
    #[arg(long, value_name = "URL", env = "RINGBACK_SERVER")]
    #[arg(default_value = "http://127.0.0.1:8080")]
    server: String,
    /// An admin's key or token
    #[arg(long, env = "RINGBACK_TOKEN", hide_env_values = true)]
    token: SecretString,
    /// The file's workspace to take; may be left out where it has only one
    #[arg(long)]
    workspace: Option<String>,
}

pub(super) fn run(arguments: &Arguments) -> ExitCode {
    let Ok(loaded) = settings::load_file(&arguments.file) else {
        return ExitCode::from(BAD_INPUT);
    };
    let workspace = match find(&loaded.settings.workspaces, arguments.workspace.as_deref()) {
        Ok(workspace) => workspace,
        Err(fault) => {
            complain(&fault);
            return ExitCode::from(BAD_INPUT);
        }
    };
    match put_all(arguments, workspace) {
        Ok(()) => ExitCode::SUCCESS,
        Err(fault) => {
            complain(&fault);
            ExitCode::FAILURE
        }
    }
}

/// Stops at the first that the server doesn't take: what follows may depend on it. Running it again
/// after the fault is mended is safe.
fn put_all(arguments: &Arguments, workspace: &Workspace) -> Result<(), String> {
    let server = Server::new(arguments)?;
    for queue in &workspace.queues {
        server.put("queues", queue.id.as_str(), &print_queue(queue))?;
    }
    for agent in &workspace.agents {
        server.put("agents", agent.id.as_str(), &print_agent(agent))?;
    }
    for key in &workspace.keys {
        let (token, configured) = (key.token_sha256.to_string(), key.configured());
        if key.revoked {
            server.revoke(&token)?;
        } else {
            server.put("keys", &token, &print_key(&configured))?;
        }
    }
    if !workspace.keys.is_empty() {
        let named: BTreeSet<_> = workspace.keys.iter().map(|key| key.token_sha256).collect();
        server.tell_others(&named)?;
    }
    Ok(())
}

/// A running server, as an administrator speaks to it.
struct Server<'a> {
    client: Client,
    base: &'a str,
    token: &'a SecretString,
}

impl<'a> Server<'a> {
    fn new(arguments: &'a Arguments) -> Result<Self, String> {
        let client = Client::builder()
            .connect_timeout(Duration::from_secs(5))
            .timeout(Duration::from_secs(30))
            // A redirect would carry the token to somebody who wasn't named.
            .redirect(Policy::none())
            .build()
            .map_err(|error| error.to_string())?;
        Ok(Self { client, base: arguments.server.trim_end_matches('/'), token: &arguments.token })
    }

    fn put(&self, kind: &str, id: &str, body: &Map<String, Value>) -> Result<(), String> {
        let path = format!("/v1/{kind}/{id}");
        let url = format!("{}{path}", self.base);
        let shown = self.send(&path, self.client.get(&url))?;
        let there = match shown.status().as_u16() {
            404 => None,
            200..300 => Some(shown),
            _ => return Err(refused(&path, shown)),
        };
        let Some(there) = there else {
            let absent = self.client.put(&url).header(IF_NONE_MATCH, "*").json(body);
            self.write(&path, absent)?;
            say(&format!("{path}: made"));
            return Ok(());
        };
        let version = there.headers().get(ETAG).cloned();
        let old: Value = there.json().map_err(|error| format!("{path}: {}", chain(&error)))?;
        let changed: Vec<&str> = body
            .iter()
            .filter(|(key, value)| old.get(key.as_str()) != Some(value))
            .map(|(key, _)| key.as_str())
            .collect();
        if changed.is_empty() {
            say(&format!("{path}: unchanged"));
            return Ok(());
        }
        let mut replace = self.client.put(&url).json(body);
        if let Some(version) = version {
            // Somebody else's change in between isn't overwritten unseen.
            replace = replace.header(IF_MATCH, version);
        }
        self.write(&path, replace)?;
        say(&format!("{path}: replaced ({})", changed.join(", ")));
        Ok(())
    }

    /// Lets nobody in with a key any more.
    fn revoke(&self, token: &str) -> Result<(), String> {
        let path = format!("/v1/keys/{token}");
        let answer = self.send(&path, self.client.delete(format!("{}{path}", self.base)))?;
        match answer.status().as_u16() {
            404 => say(&format!("{path}: unchanged")),
            200..300 => say(&format!("{path}: revoked")),
            _ => return Err(refused(&path, answer)),
        }
        Ok(())
    }

    /// Tells which keys are good that the file doesn't name: one that was taken out of it stays.
    fn tell_others(&self, named: &BTreeSet<TokenHash>) -> Result<(), String> {
        let mut path = "/v1/keys?limit=200".to_owned();
        loop {
            let answer = self.send(&path, self.client.get(format!("{}{path}", self.base)))?;
            if !answer.status().is_success() {
                return Err(refused(&path, answer));
            }
            let page: Value =
                answer.json().map_err(|error| format!("{path}: {}", chain(&error)))?;
            for key in page["items"].as_array().into_iter().flatten() {
                let token = key["token_sha256"].as_str().unwrap_or_default();
                if TokenHash::parse(token).is_ok_and(|token| !named.contains(&token)) {
                    complain(&format!(
                        "/v1/keys/{token}: the file doesn't name it, and it stays; to revoke it, \
                         let the file say so: revoked = true"
                    ));
                }
            }
            let Some(cursor) = page["next_cursor"].as_str() else { return Ok(()) };
            path = format!("/v1/keys?limit=200&cursor={cursor}");
        }
    }

    fn write(&self, path: &str, request: RequestBuilder) -> Result<(), String> {
        let answer = self.send(path, request)?;
        if answer.status().is_success() { Ok(()) } else { Err(refused(path, answer)) }
    }

    fn send(&self, path: &str, request: RequestBuilder) -> Result<Response, String> {
        let sent = request.bearer_auth(self.token.expose_secret()).send();
        sent.map_err(|error| format!("{path}: {}", chain(&error)))
    }
}

/// What the server said instead of doing it.
fn refused(path: &str, answer: Response) -> String {
    let status = answer.status().as_u16();
    format!("{path}: {status} {}", told(&answer.json().unwrap_or(Value::Null)))
}

/// What a problem says, with the places that it names.
fn told(problem: &Value) -> String {
    let text = |value: &Value, key: &str| value[key].as_str().unwrap_or_default().to_owned();
    let mut lines = vec![text(problem, "detail")];
    for error in problem["errors"].as_array().into_iter().flatten() {
        lines.push(format!("  {}: {}", text(error, "pointer"), text(error, "detail")));
    }
    lines.join("\n")
}

/// An error with its causes, on one line: the outermost alone never says what went wrong.
fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader, Read, Write};
    use std::net::TcpListener;
    use std::thread::{self, JoinHandle};

    use super::*;
    use crate::config::{Input, load};

    const FILE: &str = r#"
        [[workspace]]
        id = "main"
        [[workspace.queue]]
        id = "billing"
        [[workspace.agent]]
        id = "mara"
        queues = ["billing"]
    "#;

    /// A server that gives each connection the next of `answers`, and tells what it was sent.
    fn server(answers: &'static [(u16, &str)]) -> (String, JoinHandle<Vec<String>>) {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = format!("http://{}/", listener.local_addr().expect("it is bound"));
        let heard = thread::spawn(move || {
            let heard = answers.iter().map(|(status, body)| {
                let (stream, _) = listener.accept().expect("a connection");
                let mut reader = BufReader::new(stream);
                let mut head = String::new();
                while !head.ends_with("\r\n\r\n") {
                    let read = reader.read_line(&mut head).expect("a line of the head");
                    assert_ne!(read, 0, "the head ends early: {head}");
                }
                let asked = head.to_lowercase();
                let length = asked.split("content-length: ").nth(1).unwrap_or("0\r\n");
                let length = length.split("\r\n").next().unwrap_or_default();
                let mut sent = vec![0; length.parse().expect("a number")];
                reader.read_exact(&mut sent).expect("the body");
                let mut stream = reader.into_inner();
                let length = body.len();
                let head = format!("HTTP/1.1 {status} X\r\ncontent-length: {length}\r\n");
                write!(stream, "{head}connection: close\r\n\r\n{body}").expect("a listener");
                format!("{asked}{}", String::from_utf8_lossy(&sent))
            });
            heard.collect()
        });
        (address, heard)
    }

    fn apply(answers: &'static [(u16, &str)]) -> (Result<(), String>, Vec<String>) {
        let (server, heard) = server(answers);
        let file = Some(("a.toml".to_owned(), FILE.to_owned()));
        let loaded = load(&Input { file, ..Input::default() }).expect("a good file");
        let arguments =
            Arguments { file: PathBuf::new(), server, token: "the-token".into(), workspace: None };
        let result = put_all(&arguments, &loaded.settings.workspaces[0]);
        (result, heard.join().expect("the server ends"))
    }

    #[test]
    fn queues_are_put_before_the_agents_that_name_them() {
        let (result, heard) = apply(&[(404, "{}"), (201, "{}"), (404, "{}"), (201, "{}")]);
        assert_eq!(result, Ok(()));
        assert!(heard[0].starts_with("get /v1/queues/billing http/1.1\r\n"), "{}", heard[0]);
        assert!(heard[1].starts_with("put /v1/queues/billing http/1.1\r\n"), "{}", heard[1]);
        assert!(heard[1].contains("authorization: bearer the-token\r\n"), "{}", heard[1]);
        assert!(heard[1].contains("\"offer_timeout_seconds\":30"), "{}", heard[1]);
        assert!(heard[3].starts_with("put /v1/agents/mara http/1.1\r\n"), "{}", heard[3]);
    }

    #[test]
    fn what_is_the_same_is_not_written() {
        const MARA: &str = r#"{"id": "mara", "name": "mara", "queues": ["billing"], "skills": {},
                               "capacity": {"units": 1}}"#;
        // The queue differs in all but its id; the agent in nothing.
        let (result, heard) = apply(&[(200, r#"{"id": "billing"}"#), (200, "{}"), (200, MARA)]);
        assert_eq!(result, Ok(()));
        assert!(heard[1].starts_with("put /v1/queues/billing "), "{}", heard[1]);
        assert!(heard[2].starts_with("get /v1/agents/mara "), "{}", heard[2]);
    }

    #[test]
    fn a_refusal_ends_it_and_is_told_with_its_places() {
        let problem = r#"{"detail": "mend it", "errors": [{"pointer": "/a", "detail": "no"}]}"#;
        assert_eq!(told(&serde_json::from_str(problem).expect("JSON")), "mend it\n  /a: no");
        let (result, heard) = apply(&[(422, r#"{"detail": "mend it"}"#)]);
        assert_eq!(result, Err("/v1/queues/billing: 422 mend it".to_owned()));
        assert_eq!(heard.len(), 1);
    }
}
