//! The demo's people: customers who ask, and agents who take, call and close.
//!
//! They live in the server's own process and speak to the engine through its handle, as http and
//! ws do, so that the first command of a newcomer shows a call centre at work. A few callbacks a
//! minute; nothing here is used outside `--demo`.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::Duration;

use secrecy::ExposeSecret;
use tokio::sync::mpsc;

use crate::config;
use crate::domain::agent::{Presence, PresenceBy};
use crate::domain::callback::{Booking, Callback, Channel, Outcome, Request, State};
use crate::domain::effect::Notice;
use crate::domain::ids::{AgentId, CallbackId};
use crate::domain::key::Grant;
use crate::domain::message::{Action, Who, Wish};
use crate::domain::phone::PhoneNumber;
use crate::domain::queue::Queue;
use crate::domain::slots::Grid;
use crate::domain::time::Span;
use crate::engine::handle::{Handle, SessionOutlet, ToSession};
use crate::http::Demo;

/// Customers' names.
const NAMES: [&str; 8] = [
    "Ada Lovelace",
    "Grace Hopper",
    "Alan Turing",
    "Edsger Dijkstra",
    "Barbara Liskov",
    "Agner Erlang",
    "Conny Palm",
    "Radia Perlman",
];

/// What they want.
const WISHES: [&str; 4] =
    ["Charged twice", "New contract", "The line is dead", "Question about the invoice"];

/// Lets people loose on a workspace, until the process ends.
pub(super) fn play(handle: &Handle) {
    for view in handle.agents() {
        let id = view.agent.settings.id.clone();
        actix_web::rt::spawn(agent(handle.clone(), id));
    }
    actix_web::rt::spawn(customers(handle.clone()));
}

/// What a newcomer can do with it: addresses, and a credential of each kind.
pub(super) fn guide(workspace: &config::Workspace, address: SocketAddr) -> Vec<String> {
    let mut lines = vec![
        format!("the pages: http://{address}/"),
        format!("the API's description: http://{address}/docs"),
    ];
    let mut told = BTreeSet::new();
    for key in &workspace.keys {
        let Some(token) = key.token.as_ref().filter(|_| !key.revoked) else { continue };
        let who = match &key.grant {
            Grant::Channel { public: Some(_), .. } => "a page's public key".to_owned(),
            Grant::Channel { .. } => "a channel".to_owned(),
            Grant::Agent(agent) => format!("agent {agent}"),
            Grant::Supervisor(_) => "a supervisor".to_owned(),
            Grant::Admin(_) => "an administrator".to_owned(),
        };
        if told.insert(who.clone()) {
            lines.push(format!("credential of {who}: {}", token.expose_secret()));
        }
    }
    lines
}

/// What its pages let everybody in with.
pub(super) fn credentials(workspace: &config::Workspace) -> Demo {
    let queues = workspace.queues.iter();
    let queues = queues.map(|queue| (queue.id.as_str().to_owned(), queue.name.clone())).collect();
    let mut demo = Demo { agents: Vec::new(), supervisor: None, queues };
    for key in &workspace.keys {
        let Some(token) = key.token.as_ref().filter(|_| !key.revoked) else { continue };
        let token = token.expose_secret().to_owned();
        match &key.grant {
            Grant::Agent(id) => {
                let agent = workspace.agents.iter().find(|agent| agent.id == *id);
                let name = agent.map_or(id.as_str(), |agent| &agent.name);
                demo.agents.push((name.to_owned(), token));
            }
            Grant::Supervisor(_) => demo.supervisor = Some(token),
            Grant::Channel { .. } | Grant::Admin(_) => {}
        }
    }
    demo
}

/// A number from `low` to `high`.
fn draw(low: u64, high: u64) -> u64 {
    let random = getrandom::u64().expect("the system has random numbers");
    low + random % (high - low + 1)
}

fn pick<'a>(words: &[&'a str]) -> &'a str {
    let place = usize::try_from(draw(0, words.len() as u64 - 1)).unwrap_or(0);
    words[place]
}

async fn wait(low: u64, high: u64) {
    tokio::time::sleep(Duration::from_millis(draw(low, high))).await;
}

async fn customers(handle: Handle) {
    loop {
        wait(2_000, 9_000).await;
        let queues = handle.queues();
        let Some(place) = (queues.len() as u64).checked_sub(1) else { continue };
        let queue = &queues[usize::try_from(draw(0, place)).unwrap_or(0)];
        if let Err(refusal) = handle.create(wish(&handle, queue), None).await {
            tracing::debug!(%refusal, "a customer of the demo was refused");
        }
    }
}

fn wish(handle: &Handle, queue: &Queue) -> Wish {
    let zone = queue.settings.time_zone.clone();
    // The demo's slots are short, so that some of them begin while somebody looks.
    let (from, to) = (handle.now() + Span::seconds(90), handle.now() + Span::seconds(400));
    let mut slots = Grid::of(&queue.settings).slots(from, to);
    let slot = (draw(0, 9) < 3).then(|| slots.nth(usize::try_from(draw(0, 1)).unwrap_or(0)));
    let booking = slot.flatten().map(|slot| Booking::at(slot.start, zone.clone()));
    let digits = draw(0, 99);
    let mut request = Request::by(pick(&NAMES), Channel::VirtualAgent);
    // The range that is set aside for fiction.
    request.customer.phone = PhoneNumber::from_e164(&format!("+141555501{digits:02}"));
    request.short_description = Some(pick(&WISHES).to_owned());
    let wish = Wish::asap(queue.settings.id.clone(), Who::Channel, request);
    let wish = Wish { zone, ..wish };
    match booking {
        Some(booking) => wish.booked(booking),
        None => wish,
    }
}

/// What the engine sends an agent of the demo.
struct Inbox(mpsc::UnboundedSender<ToSession>);

impl SessionOutlet for Inbox {
    fn put(&self, message: ToSession) {
        // The agent may have gone home with the process.
        let _ = self.0.send(message);
    }
}

async fn agent(handle: Handle, id: AgentId) {
    loop {
        // A person who signs in as this agent does the work; both would fight over it.
        while sessions(&handle, &id) > 0 {
            wait(2_000, 3_000).await;
        }
        let (inbox, mut messages) = mpsc::unbounded_channel();
        let Ok(session) = handle.connect(id.clone(), Box::new(Inbox(inbox))).await else {
            wait(1_000, 2_000).await;
            continue;
        };
        let available = Presence::Available;
        // Whoever is refused here is tried again with the next session.
        let _ = handle.set_presence(id.clone(), PresenceBy::Agent, available, None).await;
        let mut frame = 0;
        while let Some(message) = messages.recv().await {
            if matches!(message, ToSession::End(_)) {
                break;
            }
            for (callback, action) in reactions(&message) {
                wait(1_000, 6_000).await;
                if sessions(&handle, &id) > 1 {
                    break;
                }
                frame += 1;
                handle.session_act(session, frame, callback, action).await;
            }
            if sessions(&handle, &id) > 1 {
                break;
            }
        }
        handle.disconnect(session);
        wait(1_000, 2_000).await;
    }
}

/// How many sessions an agent has.
fn sessions(handle: &Handle, id: &AgentId) -> usize {
    handle.agent(id).map_or(0, |view| view.sessions.len())
}

/// What an agent does about what happened; at first about all that a person left lying there.
fn reactions(message: &ToSession) -> Vec<(CallbackId, Action)> {
    let reactions: Vec<_> = match message {
        ToSession::Notice(
            Notice::Offered { callback }
            | Notice::Assigned { callback, .. }
            | Notice::Updated { callback },
        ) => vec![callback],
        ToSession::Welcome(welcome) => welcome.assignments.iter().collect(),
        ToSession::Notice(_) | ToSession::Answer { .. } | ToSession::End(_) => Vec::new(),
    };
    let steps = reactions.into_iter();
    steps.filter_map(|callback| Some((callback.id, next_step(callback)?))).collect()
}

fn next_step(callback: &Callback) -> Option<Action> {
    let outcome = callback.interaction().and_then(|interaction| interaction.outcome);
    match (callback.state(), outcome) {
        (State::Offered, _) => {
            let offer = callback.offer()?.id;
            Some(match draw(0, 19) {
                0 => Action::Decline { offer, reason: None, session: None },
                _ => Action::Accept { offer, session: None },
            })
        }
        (State::Accepted, _) => Some(Action::Call),
        (State::Calling, Some(Outcome::Answered)) => Some(Action::EndCall { notes: None }),
        (State::Calling, _) => {
            let outcome = match draw(0, 9) {
                0 => Outcome::NoAnswer,
                1 => Outcome::Busy,
                _ => Outcome::Answered,
            };
            Some(Action::Outcome { outcome, notes: None })
        }
        (State::WrapUp, Some(Outcome::Answered)) => {
            Some(Action::Close { disposition: None, notes: None, resolved: None })
        }
        (State::WrapUp, _) => Some(Action::Retry { at: None, mine: false, customer_agreed: false }),
        (
            State::Open
            | State::Queued
            | State::ClosedComplete
            | State::ClosedAbandoned
            | State::Canceled,
            _,
        ) => None,
    }
}
