//! Customers and those who book for them: they ask, call off and move, each under a key of its own.

use reqwest::blocking::Client;
use serde_json::{Value, json};

use super::dice::Dice;
use super::instant::Instant;
use super::ledger::{Ledger, PATIENCE, Request, text};
use crate::redis::now;

/// Long before anybody looks.
const FAR: &str = "2037-11-24T15:00:00Z";

/// One who asks, until the server is gone or the ledger is closed.
pub(super) struct Customer<'a> {
    pub(super) url: &'a str,
    pub(super) ledger: &'a Ledger,
    /// Told apart from all others in this test.
    pub(super) name: u64,
    pub(super) dice: Dice,
}

/// What became of a request.
#[derive(Debug)]
pub(super) enum Heard {
    /// This, whatever it says.
    Answer { status: u16, body: Value, replayed: bool },
    /// Nothing: the server is gone.
    Gone,
}

impl Customer<'_> {
    /// Asks for at most so many callbacks.
    pub(super) fn run(mut self, most: u64) {
        let client = client();
        let mut mine: Vec<(String, &'static str)> = Vec::new();
        let mut count = 0;
        while !self.ledger.is_over() {
            count += 1;
            let share = self.dice.share(&[50, 18, 8, 10, 14]);
            let key = format!("{}-{count}", self.name);
            let asks = share < 3 && u64::try_from(mine.len()).expect("fits") < most;
            let request = if asks {
                self.asks(&key, share)
            } else if let Some((id, credential)) = self.dice.pick(&mine).cloned() {
                self.changes(&id, credential, share == 3)
            } else {
                continue;
            };
            let credential = request.credential;
            match say(&client, self.url, self.ledger, &key, &request) {
                Heard::Gone => return,
                Heard::Answer { status: 201, body, .. } => {
                    mine.push((text(&body["id"]), credential));
                }
                // One may have been taken by an agent, called off, or be over.
                Heard::Answer { status: 200 | 409, .. } => {}
                Heard::Answer { status: 422, body, .. } if is_past(&body) => {}
                Heard::Answer { status, body, .. } => panic!("{status}: {body}"),
            }
        }
    }

    fn asks(&mut self, key: &str, share: usize) -> Request {
        let phone = format!("+1415{}", 5_000_000 + self.dice.next() % 1_000_000);
        let mut body = json!({
            "queue": "billing", "type": "asap", "customer": {"name": "Ada", "phone": phone},
            "origin": {"interaction_ref": key},
        });
        if share > 0 {
            body["type"] = json!("scheduled");
            let soon = self.soon();
            body["schedule"] = json!({"start": if share == 1 { soon } else { FAR.to_owned() }});
        }
        // Staff book any instant; what the portal may book is its slots.
        let credential = if share == 0 { "portal-key" } else { "lead-key-1" };
        Request { path: "/v1/callbacks".to_owned(), credential, body, answer: None }
    }

    /// A few seconds from now.
    fn soon(&mut self) -> String {
        Instant::now().in_seconds(self.dice.between(2, 4)).to_string()
    }

    fn changes(&mut self, id: &str, credential: &'static str, cancels: bool) -> Request {
        let (action, credential, body) = if cancels {
            ("cancel", credential, json!({"reason": "No longer needed"}))
        } else {
            let start = match self.dice.share(&[40, 40, 20]) {
                0 => json!({"asap": true}),
                1 => json!({"start": self.soon()}),
                _ => json!({"start": FAR}),
            };
            ("reschedule", "lead-key-1", start)
        };
        Request { path: format!("/v1/callbacks/{id}/{action}"), credential, body, answer: None }
    }
}

/// A booking that came too late: refused for longer than it was ahead.
pub(super) fn is_past(problem: &Value) -> bool {
    problem["type"] == "/problems/start-past"
}

/// A client that waits for as long as these tests do.
pub(super) fn client() -> Client {
    Client::builder().timeout(PATIENCE).build().expect("a client")
}

/// Sends a request until it is answered otherwise than by 503, and writes it down before and after.
pub(super) fn say(
    client: &Client,
    url: &str,
    ledger: &Ledger,
    key: &str,
    request: &Request,
) -> Heard {
    ledger.sends(key, request.clone());
    let deadline = now() + PATIENCE;
    loop {
        let _attempt = ledger.attempt();
        let sent = client
            .post(format!("{url}{}", request.path))
            .bearer_auth(request.credential)
            .header("Idempotency-Key", key)
            .json(&request.body)
            .send();
        let Ok(answer) = sent else { return Heard::Gone };
        let status = answer.status().as_u16();
        let header = |name| answer.headers().get(name).and_then(|value| value.to_str().ok());
        let replayed = header("idempotent-replayed") == Some("true");
        let again = header("retry-after").and_then(|seconds| seconds.parse::<u64>().ok());
        let Ok(body) = answer.json::<Value>() else { return Heard::Gone };
        if status != 503 {
            ledger.answered(key, status, &body);
            return Heard::Answer { status, body, replayed };
        }
        assert!(again.is_some_and(|seconds| seconds > 0), "503 says when to come again: {body}");
        ledger.is_refused();
        assert!(now() < deadline, "still {body}");
        ledger.wait_a_moment();
    }
}
