//! Zoom's API as it was published, as far as it concerns us, with what may go wrong.

use std::collections::{BTreeMap, VecDeque};

use serde_json::{Value, json};

use crate::notify::test_server::{Asked, Reply};

/// What goes wrong with one request, instead of or besides what it asks for.
#[derive(Debug, Clone)]
pub(super) enum Trouble {
    /// Not done; this status, headers and body.
    Refused(u16, Vec<(&'static str, String)>, Value),
    /// Not done; answered with what isn't JSON.
    Garbage,
    /// Not done, and never answered.
    Slow,
    /// Done, but the connection breaks before the answer.
    AnswerLost,
    /// Done, but the answer is cut within its body.
    AnswerCut,
    /// Done, but the answer isn't what was published.
    AnswerGarbled,
}

/// Zoom, as far as it concerns us.
#[derive(Default)]
pub(super) struct State {
    pub(super) meetings: BTreeMap<u64, Value>,
    made: u64,
    tokens: u64,
    /// Tokens that are believed.
    pub(super) good: Vec<String>,
    /// Meetings on a page of a list.
    pub(super) page: Option<usize>,
    /// What goes wrong with the next requests whose method and path begin so.
    pub(super) troubles: VecDeque<(&'static str, Trouble)>,
}

impl State {
    pub(super) fn answer(&mut self, asked: &Asked) -> Reply {
        let line = format!("{} {}", asked.method, asked.target);
        let at = self.troubles.iter().position(|(begin, _)| line.starts_with(begin));
        let trouble = at.and_then(|at| self.troubles.remove(at)).map(|(_, trouble)| trouble);
        match trouble {
            None => self.done(&line, asked),
            Some(Trouble::Refused(status, headers, body)) => {
                Reply::Answer(status, headers, body.to_string())
            }
            Some(Trouble::Garbage) => Reply::Answer(200, Vec::new(), "<html>".into()),
            Some(Trouble::Slow) => Reply::Hang,
            Some(Trouble::AnswerLost) => {
                self.done(&line, asked);
                Reply::Cut
            }
            Some(Trouble::AnswerCut) => {
                self.done(&line, asked);
                Reply::Start(b"HTTP/1.1 201 x\r\ncontent-length: 900\r\n\r\n{\"id\": 1".to_vec())
            }
            Some(Trouble::AnswerGarbled) => {
                self.done(&line, asked);
                Reply::json(201, &json!({"id": "?", "start_url": "javascript:1"}))
            }
        }
    }

    fn done(&mut self, line: &str, asked: &Asked) -> Reply {
        if line.starts_with("POST /oauth/token") {
            return self.token(asked);
        }
        let token = asked.header("authorization").and_then(|value| value.strip_prefix("Bearer "));
        if !token.is_some_and(|token| self.good.iter().any(|good| good == token)) {
            return fault(401, 124, "Invalid access token.");
        }
        let (path, query) = asked.target.split_once('?').unwrap_or((&asked.target, ""));
        if let Some(rest) = path.strip_prefix("/v2/users/") {
            return match (rest, asked.method.as_str()) {
                ("host%40example.com/meetings" | "host@example.com/meetings", "POST") => {
                    self.create(asked)
                }
                ("host%40example.com/meetings" | "host@example.com/meetings", "GET") => {
                    self.list(query)
                }
                _ => fault(404, 1_001, "User does not exist."),
            };
        }
        let id = path.strip_prefix("/v2/meetings/").and_then(|id| id.parse().ok());
        let Some(meeting) = id.and_then(|id| self.meetings.get_mut(&id)) else {
            return fault(404, 3_001, "Meeting does not exist.");
        };
        match asked.method.as_str() {
            "GET" => Reply::json(200, meeting),
            "PATCH" => {
                merge(meeting, asked);
                Reply::status(204)
            }
            "DELETE" => {
                self.meetings.remove(&id.expect("it was found"));
                Reply::status(204)
            }
            other => panic!("{other}"),
        }
    }

    fn token(&mut self, asked: &Asked) -> Reply {
        assert_eq!(
            asked.target,
            "/oauth/token?grant_type=account_credentials&account_id=the%26account"
        );
        // The client's id and secret, by RFC 7617.
        if asked.header("authorization") != Some("Basic Y2xpZW50OnNlY3JldA==") {
            let body = json!({"reason": "Invalid client_id or client_secret",
                              "error": "invalid_client"});
            return Reply::json(401, &body);
        }
        self.tokens += 1;
        let token = format!("token{}", self.tokens);
        self.good.push(token.clone());
        let body = json!({"access_token": token, "token_type": "bearer", "expires_in": 3_600,
                          "scope": "meeting:write:admin", "api_url": "https://api.zoom.us"});
        Reply::json(200, &body)
    }

    fn create(&mut self, asked: &Asked) -> Reply {
        assert_eq!(asked.header("content-type"), Some("application/json"));
        self.made += 1;
        let id = 97_763_643_000 + self.made;
        let mut meeting = json!({
            "id": id, "uuid": "aDYlohsHRtCd4ii1uC2+hA==", "status": "waiting",
            "created_at": format!("2026-11-23T05:31:{:02}Z", self.made),
            "join_url": format!("https://zoom.example/j/{id}?pwd=x"),
            "start_url": format!("https://zoom.example/s/{id}?zak=y"),
        });
        merge(&mut meeting, asked);
        if meeting["topic"] == "invalid" {
            return fault(400, 300, "Validation Failed.");
        }
        self.meetings.insert(id, meeting.clone());
        Reply::json(201, &meeting)
    }

    /// The newest first; without the host's links.
    fn list(&self, query: &str) -> Reply {
        assert!(query.starts_with("type=scheduled&page_size=300"), "{query}");
        let token = query.split_once("next_page_token=").map(|(_, token)| token);
        let from = token.map_or(0, |token| token.parse().expect("a token of ours"));
        let page = self.page.unwrap_or(300);
        let rows = self.meetings.values().rev().skip(from).take(page).map(|meeting| {
            let mut row = meeting.clone();
            row.as_object_mut().expect("an object").remove("start_url");
            row
        });
        let more = from + page < self.meetings.len();
        let next = if more { (from + page).to_string() } else { String::new() };
        Reply::json(
            200,
            &json!({"page_size": page, "total_records": self.meetings.len(),
                    "next_page_token": next, "meetings": rows.collect::<Vec<_>>()}),
        )
    }
}

fn merge(meeting: &mut Value, asked: &Asked) {
    let body: Value = serde_json::from_slice(&asked.body).expect("JSON");
    for (key, value) in body.as_object().expect("an object") {
        meeting[key] = value.clone();
    }
}

fn fault(status: u16, code: u32, message: &str) -> Reply {
    Reply::json(status, &json!({"code": code, "message": message}))
}
