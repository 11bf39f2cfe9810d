//! What a simulated agent does with what the socket tells: pure, so that it can be tested.
//!
//! A desk holds the agent's pending offers and assignments and a plan of what to send when. The
//! server's word always wins: `welcome` replaces what the desk believed, a refusal that names a
//! state is taken over. It never touches the network and never asks a clock.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::overlap::Hold;
use crate::socket::{Callback, News, Offer, Problem, Verdict, Welcome};
use crate::tally::Shared;

/// How often one act is repeated after a refusal that may pass, and how long to wait between.
const MAX_TRIES: u32 = 30;
const PAUSE: Duration = Duration::from_secs(1);

/// How a kind of agent behaves; all times are what a person would take.
pub(crate) trait Conduct: Send + 'static {
    /// Whether an offer is taken, and after how long.
    fn offer(&mut self, callback: &Callback) -> (Reply, Duration);
    /// What comes of a call, and how long it rings.
    fn ring(&mut self, callback: &Callback) -> (&'static str, Duration);
    /// How long an answered call goes on.
    fn talk(&mut self, callback: &Callback) -> Duration;
    /// What ends the wrap-up, and after how long; `None` leaves it to the engine.
    fn wrap_up(&mut self, callback: &Callback) -> Option<(Finish, Duration)>;
}

/// An agent's reply to an offer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reply {
    Accept,
    Decline,
}

/// How an agent ends a wrap-up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Finish {
    Close,
    Retry,
}

/// One frame to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Act {
    pub(crate) step: Step,
    /// The callback or, for replies, the offer.
    pub(crate) subject: Arc<str>,
    tries: u32,
}

/// The frames that a desk sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    Presence(&'static str),
    Reply(Reply),
    Call,
    Outcome(&'static str),
    EndCall,
    Finish(Finish),
}

impl Act {
    /// The frame's `type`.
    pub(crate) fn kind(&self) -> &'static str {
        match self.step {
            Step::Presence(_) => "presence",
            Step::Reply(Reply::Accept) => "accept",
            Step::Reply(Reply::Decline) => "decline",
            Step::Call => "call",
            Step::Outcome(_) => "outcome",
            Step::EndCall => "end_call",
            Step::Finish(Finish::Close) => "close",
            Step::Finish(Finish::Retry) => "retry",
        }
    }

    /// The frame's other fields.
    pub(crate) fn fields(&self) -> Value {
        match self.step {
            Step::Presence(presence) => json!({"presence": presence}),
            Step::Reply(_) => json!({"offer_id": &*self.subject}),
            Step::Outcome(outcome) => json!({"callback_id": &*self.subject, "outcome": outcome}),
            Step::Call | Step::EndCall | Step::Finish(_) => json!({"callback_id": &*self.subject}),
        }
    }
}

/// How far an assignment has come; later ones are greater.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Phase {
    Accepted,
    Calling,
    Talking,
    WrapUp,
}

impl Phase {
    /// The phase that a callback's state stands for; `None` where it is with no agent.
    fn of(state: &str, answered: bool) -> Option<Self> {
        match (state, answered) {
            ("accepted", _) => Some(Self::Accepted),
            ("calling", false) => Some(Self::Calling),
            ("calling", true) => Some(Self::Talking),
            ("wrap_up", _) => Some(Self::WrapUp),
            _ => None,
        }
    }
}

struct Assignment {
    callback: Callback,
    phase: Phase,
    /// Since when, by the server's clock in milliseconds.
    since: i64,
}

/// One agent's desk.
pub(crate) struct Desk<C> {
    agent_id: Arc<str>,
    conduct: C,
    tally: Shared,
    offers: BTreeMap<Arc<str>, (Callback, i64)>,
    assignments: BTreeMap<Arc<str>, Assignment>,
    plan: BTreeMap<(Instant, u64), Act>,
    planned: u64,
    wanted: &'static str,
    /// The server's time at the last frame, in milliseconds.
    last_at: i64,
}

impl<C: Conduct> Desk<C> {
    /// An empty desk of an agent who wants work.
    pub(crate) fn new(agent_id: &str, conduct: C, tally: Shared) -> Self {
        Self {
            agent_id: agent_id.into(),
            conduct,
            tally,
            offers: BTreeMap::new(),
            assignments: BTreeMap::new(),
            plan: BTreeMap::new(),
            planned: 0,
            wanted: "available",
            last_at: 0,
        }
    }

    /// Who sits here.
    pub(crate) fn agent_id(&self) -> &str {
        &self.agent_id
    }

    /// The presence that this agent wants to have.
    pub(crate) fn wanted(&self) -> &'static str {
        self.wanted
    }

    /// The callback of a pending offer.
    pub(crate) fn offered_callback(&self, offer_id: &str) -> Option<&str> {
        self.offers.get(offer_id).map(|(callback, _)| callback.id.as_str())
    }

    /// Whether there is nothing to do and nothing to wait for.
    pub(crate) fn is_idle(&self) -> bool {
        self.offers.is_empty() && self.assignments.is_empty() && self.plan.is_empty()
    }

    /// When the next act is due.
    pub(crate) fn next_due(&self) -> Option<Instant> {
        self.plan.keys().next().map(|(at, _)| *at)
    }

    /// Takes the next act that is due; acts that have become pointless are passed over.
    pub(crate) fn due(&mut self, now: Instant) -> Option<Act> {
        while let Some(entry) = self.plan.first_entry().filter(|entry| entry.key().0 <= now) {
            let act = entry.remove();
            let still = match act.step {
                Step::Presence(presence) => presence == self.wanted,
                // Who isn't available any more gets the offer revoked without replying.
                Step::Reply(_) => {
                    self.wanted == "available" && self.offers.contains_key(&act.subject)
                }
                Step::Call | Step::Outcome(_) | Step::EndCall | Step::Finish(_) => {
                    self.assignments.contains_key(&act.subject)
                }
            };
            if still {
                return Some(act);
            }
        }
        None
    }

    /// Says a presence; used at the start and the end of a shift, and to load the server with.
    pub(crate) fn want(&mut self, presence: &'static str, now: Instant) {
        self.wanted = presence;
        self.schedule(now, Step::Presence(presence), Arc::from(""), 0);
    }

    /// Takes in what the server tells.
    pub(crate) fn hear(&mut self, now: Instant, at: i64, news: News) {
        let heard = std::mem::replace(&mut self.last_at, at);
        match news {
            News::Welcome(welcome) => self.welcome(now, (heard, at), welcome),
            News::Offered(offer) => self.offered(now, at, offer),
            News::OfferEnded { offer_id, expired } => {
                if self.end_offer(&offer_id, at) {
                    let mut tally = self.tally.lock();
                    let count = if expired { &mut tally.expired } else { &mut tally.revoked };
                    *count += 1;
                }
            }
            News::Assigned(callback) => {
                if !self.assignments.contains_key(callback.id.as_str()) {
                    self.tally.lock().assigned_otherwise += 1;
                    self.begin(now, at, callback);
                }
            }
            News::Updated(callback) => self.updated(now, at, callback),
            News::Unassigned { callback_id } => {
                if self.end(&callback_id, at) {
                    self.tally.lock().taken_away += 1;
                }
            }
            // Set away by the engine or a supervisor: a willing agent comes back.
            News::Presence { presence } if presence != self.wanted => self.want(self.wanted, now),
            News::Presence { .. } | News::Other => {}
        }
    }

    /// Takes in the answer to an act: `sent_at` and `at` are milliseconds since 1970.
    pub(crate) fn answered(
        &mut self,
        now: Instant,
        (sent_at, at): (i64, i64),
        took: Duration,
        act: Act,
        verdict: Verdict,
    ) {
        self.last_at = at;
        // The engine may free a callback from the moment at which it was asked to; the driver's
        // clock says when that was, unless the server's runs behind it.
        let asked_at = sent_at.min(at);
        self.tally.lock().answered(act.kind(), now, took);
        if let Err(problem) = verdict {
            self.refused(now, at, act, &problem);
            return;
        }
        match act.step {
            Step::Presence(_) => {}
            Step::Reply(Reply::Decline) => {
                self.end_offer(&act.subject, asked_at);
                self.tally.lock().declined += 1;
            }
            Step::Reply(Reply::Accept) => {
                self.tally.lock().accepted += 1;
                if let Some((callback, _)) = self.offers.get(&act.subject).cloned() {
                    self.end_offer(&act.subject, at);
                    self.begin(now, at, callback);
                }
            }
            Step::Call => {
                self.tally.lock().called.entry(act.subject.clone()).or_insert(now);
                self.advance(now, &act.subject, Phase::Calling);
            }
            Step::Outcome(outcome) => {
                *self.tally.lock().outcomes.entry(outcome).or_default() += 1;
                let phase = if outcome == "answered" { Phase::Talking } else { Phase::WrapUp };
                self.advance(now, &act.subject, phase);
            }
            Step::EndCall => self.advance(now, &act.subject, Phase::WrapUp),
            Step::Finish(_) => {
                self.tally.lock().finished += 1;
                self.end(&act.subject, asked_at);
            }
        }
    }

    /// The session is gone: what was planned is void, and offers are no longer this agent's.
    pub(crate) fn lost(&mut self) {
        self.plan.clear();
        let offers: Vec<Arc<str>> = self.offers.keys().cloned().collect();
        for offer_id in offers {
            self.end_offer(&offer_id, self.last_at);
        }
    }

    /// The run is over: what is still held ends, as far as is known, with the last frame.
    pub(crate) fn leave(&mut self) {
        self.lost();
        let callbacks: Vec<Arc<str>> = self.assignments.keys().cloned().collect();
        for callback_id in callbacks {
            self.end(&callback_id, self.last_at);
        }
    }

    /// Takes over the server's truth; `heard` is when it last spoke before.
    fn welcome(&mut self, now: Instant, (heard, at): (i64, i64), welcome: Welcome) {
        self.plan.clear();
        if welcome.presence != self.wanted {
            self.want(self.wanted, now);
        }
        let told = &welcome.assignments;
        let held = self.assignments.keys().cloned();
        let gone: Vec<Arc<str>> =
            held.filter(|held| !told.iter().any(|told| *told.id == **held)).collect();
        for callback_id in gone {
            // It went while nobody listened; what is sure is that it was held when last heard.
            self.end(&callback_id, heard);
        }
        for callback in welcome.assignments {
            self.tally.lock().resumed += 1;
            let since = self.assignments.get(callback.id.as_str()).map_or(at, |held| held.since);
            self.begin(now, since, callback);
        }
        for offer in welcome.offers {
            self.offered(now, at, offer);
        }
    }

    fn offered(&mut self, now: Instant, at: i64, offer: Offer) {
        let offer_id: Arc<str> = offer.offer_id.into();
        if self.offers.contains_key(&offer_id) {
            return;
        }
        self.tally.lock().offers += 1;
        let (reply, after) = self.conduct.offer(&offer.callback);
        self.offers.insert(offer_id.clone(), (offer.callback, at));
        self.schedule(now + after, Step::Reply(reply), offer_id, 0);
    }

    fn updated(&mut self, now: Instant, at: i64, callback: Callback) {
        let Some(held) = self.assignments.get_mut(callback.id.as_str()) else { return };
        match Phase::of(&callback.state, callback.is_answered()) {
            // An echo of what this agent did itself may come after the next act was planned.
            Some(phase) if phase <= held.phase => held.callback = callback,
            Some(phase) => {
                let callback_id: Arc<str> = callback.id.as_str().into();
                held.callback = callback;
                self.advance(now, &callback_id, phase);
            }
            None => {
                self.end(&callback.id, at);
            }
        }
    }

    fn begin(&mut self, now: Instant, since: i64, callback: Callback) {
        let callback_id: Arc<str> = callback.id.as_str().into();
        let phase = Phase::of(&callback.state, callback.is_answered()).unwrap_or(Phase::Accepted);
        self.assignments.insert(callback_id.clone(), Assignment { callback, phase, since });
        self.plan_next(now, &callback_id);
    }

    fn advance(&mut self, now: Instant, callback_id: &Arc<str>, phase: Phase) {
        if let Some(held) = self.assignments.get_mut(callback_id) {
            held.phase = phase;
            self.plan_next(now, callback_id);
        }
    }

    /// Plans the next act of an assignment, in place of what was planned for it.
    fn plan_next(&mut self, now: Instant, callback_id: &Arc<str>) {
        self.plan.retain(|_, act| act.subject != *callback_id);
        let Some(held) = self.assignments.get(callback_id) else { return };
        let (step, after) = match held.phase {
            Phase::Accepted => (Step::Call, Duration::ZERO),
            Phase::Calling => {
                let (outcome, after) = self.conduct.ring(&held.callback);
                (Step::Outcome(outcome), after)
            }
            Phase::Talking => (Step::EndCall, self.conduct.talk(&held.callback)),
            Phase::WrapUp => {
                let Some((finish, after)) = self.conduct.wrap_up(&held.callback) else {
                    // The engine ends it; nothing more is to be done here.
                    self.tally.lock().finished += 1;
                    self.end(callback_id, self.last_at);
                    return;
                };
                (Step::Finish(finish), after)
            }
        };
        self.schedule(now + after, step, callback_id.clone(), 0);
    }

    fn refused(&mut self, now: Instant, at: i64, act: Act, problem: &Problem) {
        *self.tally.lock().problems.entry(problem.name.clone()).or_default() += 1;
        let passing = ["unavailable", "overloaded", "rate-limited", "internal"];
        if passing.contains(&problem.name.as_str()) && act.tries < MAX_TRIES {
            self.schedule(now + PAUSE, act.step, act.subject, act.tries + 1);
            return;
        }
        match act.step {
            Step::Presence(_) => {}
            Step::Reply(_) => {
                self.end_offer(&act.subject, at);
            }
            Step::Finish(Finish::Retry) => {
                self.schedule(now, Step::Finish(Finish::Close), act.subject, 0);
            }
            Step::Call | Step::Outcome(_) | Step::EndCall | Step::Finish(Finish::Close) => {
                let state = problem.state.as_deref().unwrap_or_default();
                let told = Phase::of(state, matches!(act.step, Step::EndCall));
                let held = self.assignments.get(&act.subject).map(|held| held.phase);
                match told {
                    // Only forward: a refusal in the phase that the desk believed in is final.
                    Some(told) if Some(told) > held => self.advance(now, &act.subject, told),
                    _ => {
                        self.end(&act.subject, at);
                    }
                }
            }
        }
    }

    fn schedule(&mut self, at: Instant, step: Step, subject: Arc<str>, tries: u32) {
        self.planned += 1;
        self.plan.insert((at, self.planned), Act { step, subject, tries });
    }

    /// Ends a pending offer; says whether there was one.
    fn end_offer(&mut self, offer_id: &str, to: i64) -> bool {
        let Some((callback, from)) = self.offers.remove(offer_id) else { return false };
        let hold = self.hold(&callback.id, from, to);
        self.tally.lock().offered_holds.push(hold);
        true
    }

    /// Ends an assignment; says whether there was one.
    fn end(&mut self, callback_id: &str, to: i64) -> bool {
        let Some(held) = self.assignments.remove(callback_id) else { return false };
        let ended = self.hold(callback_id, held.since, to);
        self.tally.lock().assigned_holds.push(ended);
        true
    }

    fn hold(&self, callback_id: &str, from: i64, to: i64) -> Hold {
        let agent_id = self.agent_id.clone();
        Hold { callback_id: callback_id.into(), agent_id, from, to: to.max(from) }
    }
}
