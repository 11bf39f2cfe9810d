//! Agents at work: each takes what is offered over a socket and goes through with it, now and
//! then declines, hands back, finds nobody in, or lets a wrap-up run out.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::io::ErrorKind;
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::client::{IntoClientRequest, client};
use tokio_tungstenite::tungstenite::{Error, Message, WebSocket};

use super::dice::Dice;
use super::ledger::{Act, Ledger, PATIENCE, text};
use crate::redis::now;

/// A read comes back so often to look whether work is over.
const GLANCE: Duration = Duration::from_millis(20);
/// The connection is gone, and why: a failure where agents are to stay connected.
#[derive(Debug)]
pub(super) struct Gone(#[expect(dead_code, reason = "shown when it is a failure")] String);

/// An agent with one session.
pub(super) struct Desk<'a> {
    socket: WebSocket<TcpStream>,
    pub(super) agent: String,
    ledger: &'a Ledger,
    dice: Dice,
    frames: u64,
    /// Came while something else was waited for.
    waiting: VecDeque<Value>,
    /// Offers to be answered: callback by offer.
    offers: BTreeMap<String, String>,
    /// Assignments as shown last.
    held: BTreeMap<String, Value>,
    /// What is left alone: that callback at that version.
    let_be: BTreeSet<(String, u64)>,
    available: bool,
}

/// How a frame was answered.
enum Reply {
    Done,
    /// The store couldn't be written, or the door was full.
    Later,
    /// It has moved on meanwhile.
    Refused(String),
}

impl<'a> Desk<'a> {
    /// Comes to work; the welcome is the whole truth.
    pub(super) fn open(
        url: &str,
        agent: &str,
        ledger: &'a Ledger,
        dice: Dice,
    ) -> Result<Self, Gone> {
        let address = url.strip_prefix("http://").expect("the address");
        let address: SocketAddr = address.parse().expect("an address");
        let stream = TcpStream::connect(address).map_err(|error| Gone(error.to_string()))?;
        stream.set_read_timeout(Some(PATIENCE)).expect("it can be set");
        let socket = url.replace("http://", "ws://") + "/v1/agent/socket";
        let mut request = socket.into_client_request().expect("a request");
        let header = |text: &str| text.parse().expect("a header");
        let token = header(&format!("Bearer {agent}-key"));
        request.headers_mut().insert("Authorization", token);
        request.headers_mut().insert("Sec-WebSocket-Protocol", header("ringback.v1"));
        let (socket, _) = client(request, stream).map_err(|error| Gone(error.to_string()))?;
        let mut desk = Self {
            socket,
            agent: agent.to_owned(),
            ledger,
            dice,
            frames: 0,
            waiting: VecDeque::new(),
            offers: BTreeMap::new(),
            held: BTreeMap::new(),
            let_be: BTreeSet::new(),
            available: false,
        };
        let welcome = desk.read()?.ok_or_else(|| Gone("no welcome".to_owned()))?;
        assert_eq!(welcome["type"], "welcome", "{welcome}");
        desk.socket.get_ref().set_read_timeout(Some(GLANCE)).expect("it can be set");
        for callback in welcome["assignments"].as_array().expect("a list") {
            desk.has(callback);
        }
        for offer in welcome["offers"].as_array().expect("a list") {
            desk.is_offered(offer);
        }
        Ok(desk)
    }

    /// What the welcome said is theirs.
    pub(super) fn assignments(&self) -> BTreeSet<String> {
        self.held.keys().cloned().collect()
    }

    /// Works until work is over, or the connection.
    pub(super) fn work(mut self) -> Result<(), Gone> {
        while !self.ledger.is_over() {
            if !self.available {
                let frame = json!({"type": "presence", "presence": "available"});
                self.available = matches!(self.ask(frame)?, Reply::Done);
            }
            if let Some(frame) = self.waiting.pop_front() {
                self.hear(&frame);
            } else if let Some((offer, callback)) = self.offers.pop_first() {
                self.answer(&offer, &callback)?;
            } else if !self.take_a_step()?
                && let Some(frame) = self.read()?
            {
                self.hear(&frame);
            }
        }
        Ok(())
    }

    fn answer(&mut self, offer: &str, callback: &str) -> Result<(), Gone> {
        let _attempt = self.ledger.attempt();
        let what = ["accept", "decline"][self.dice.share(&[94, 6])];
        match self.ask(json!({"type": what, "offer_id": offer}))? {
            Reply::Done => {
                let act = self.act(what, Some(offer));
                self.ledger.acted(callback, act);
            }
            Reply::Later => {
                self.offers.insert(offer.to_owned(), callback.to_owned());
                self.ledger.wait_a_moment();
            }
            Reply::Refused(problem) => assert_eq!(problem, "/problems/offer-not-pending"),
        }
        Ok(())
    }

    fn act(&self, what: &str, offer: Option<&str>) -> Act {
        let offer = offer.map(str::to_owned);
        Act { agent: self.agent.clone(), what: what.to_owned(), offer }
    }

    /// Does what comes next about one of their callbacks; false: there is nothing to do.
    fn take_a_step(&mut self) -> Result<bool, Gone> {
        let next = self.held.iter().find_map(|(id, callback)| {
            let version = callback["version"].as_u64().expect("a version");
            let free = !self.let_be.contains(&(id.clone(), version));
            free.then(|| (id.clone(), version, callback.clone()))
        });
        let Some((id, version, callback)) = next else { return Ok(false) };
        let Some(mut frame) = self.next_frame(&callback) else {
            self.let_be.insert((id, version));
            return Ok(true);
        };
        frame["callback_id"] = json!(id);
        let _attempt = self.ledger.attempt();
        let what = frame["outcome"].as_str().unwrap_or(&text(&frame["type"])).to_owned();
        match self.ask(frame)? {
            Reply::Done => {
                let act = self.act(&what, None);
                self.ledger.acted(&id, act);
                // What comes of it is shown by the next frames.
                self.let_be.insert((id, version));
            }
            Reply::Later => self.ledger.wait_a_moment(),
            Reply::Refused(problem) => {
                // Forbidden where another agent has it by now, and the frame that says so is on its
                // way.
                let moved_on = [
                    "/problems/illegal-transition",
                    "/problems/attempts-used-up",
                    "/problems/forbidden",
                ];
                assert!(moved_on.contains(&problem.as_str()), "{what}: {problem}");
                self.let_be.insert((id, version));
            }
        }
        Ok(true)
    }

    /// The next frame about a callback; none to let its time run out.
    fn next_frame(&mut self, callback: &Value) -> Option<Value> {
        let last = callback["interactions"].as_array().and_then(|all| all.last());
        let outcome = last.and_then(|one| one["outcome"].as_str());
        let kinds: &[&str] = match (callback["state"].as_str(), outcome) {
            (Some("accepted"), _) => match self.dice.share(&[84, 6, 5, 5]) {
                0 => &["call"],
                1 => &["requeue"],
                2 => &["retry"],
                _ => &["close"],
            },
            (Some("calling"), None) => match self.dice.share(&[66, 24, 10]) {
                0 => &["outcome", "answered"],
                1 => &["outcome", "no_answer"],
                _ => &["outcome", "busy"],
            },
            (Some("calling"), Some(_)) => &["end_call"],
            (Some("wrap_up"), Some("answered")) => match self.dice.share(&[85, 15]) {
                0 => &["close"],
                _ => return None,
            },
            (Some("wrap_up"), _) => match self.dice.share(&[20, 20, 60]) {
                0 => &["call"],
                1 => &["close"],
                _ => return None,
            },
            _ => return None,
        };
        let mut frame = json!({"type": kinds[0]});
        if let Some(outcome) = kinds.get(1) {
            frame["outcome"] = json!(outcome);
        }
        match kinds[0] {
            "retry" => frame["customer_agreed"] = json!(true),
            // One that comes after the wrap-up ran out changes these and nothing else.
            "close" => frame["notes"] = json!(format!("Closed by frame {}", self.frames)),
            _ => {}
        }
        Some(frame)
    }

    /// Sends a frame and waits for its answer; what else comes is kept.
    fn ask(&mut self, mut frame: Value) -> Result<Reply, Gone> {
        self.frames += 1;
        frame["id"] = json!(self.frames);
        let sent = self.socket.send(Message::text(frame.to_string()));
        sent.map_err(|error| Gone(error.to_string()))?;
        let deadline = now() + PATIENCE;
        while now() < deadline {
            let Some(came) = self.read()? else { continue };
            match came["type"].as_str() {
                Some("ack" | "pong") => {
                    assert_eq!(came["id"], frame["id"], "answers come in order");
                    return Ok(Reply::Done);
                }
                Some("error") => {
                    assert_eq!(came["id"], frame["id"], "answers come in order: {came}");
                    return Ok(match text(&came["problem"]["type"]).as_str() {
                        "/problems/unavailable" | "/problems/overloaded" => Reply::Later,
                        problem => Reply::Refused(problem.to_owned()),
                    });
                }
                _ => self.waiting.push_back(came),
            }
        }
        panic!("{frame} is never answered")
    }

    fn hear(&mut self, frame: &Value) {
        match frame["type"].as_str().expect("a type") {
            "callback.offered" => self.is_offered(frame),
            "callback.offer_revoked" | "callback.offer_expired" => {
                self.offers.remove(&text(&frame["offer_id"]));
            }
            "callback.assigned" | "callback.updated" => self.has(&frame["callback"]),
            "callback.unassigned" => {
                self.held.remove(&text(&frame["callback_id"]));
            }
            "agent.presence_changed" => self.available = frame["presence"] == "available",
            "queue.updated" => {}
            other => panic!("{other}: {frame}"),
        }
    }

    fn is_offered(&mut self, frame: &Value) {
        let callback = &frame["callback"];
        self.ledger.offered(&self.agent, &frame["offer_id"], callback);
        self.offers.insert(text(&frame["offer_id"]), text(&callback["id"]));
    }

    fn has(&mut self, callback: &Value) {
        self.ledger.shown(callback);
        self.held.insert(text(&callback["id"]), callback.clone());
    }

    /// The next frame, if one comes before it is time to glance up.
    fn read(&mut self) -> Result<Option<Value>, Gone> {
        match self.socket.read() {
            Ok(Message::Text(text)) => Ok(Some(serde_json::from_str(&text).expect("JSON"))),
            Ok(Message::Close(why)) => Err(Gone(format!("closed: {why:?}"))),
            Ok(_) => Ok(None),
            Err(Error::Io(error))
                if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) =>
            {
                Ok(None)
            }
            Err(error) => Err(Gone(error.to_string())),
        }
    }
}
