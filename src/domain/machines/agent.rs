//! An agent: presence, connection, and what they hold, as their sessions see it.
//!
//! The machine owns the agent's record. What is held stands in the callbacks; here is a copy of
//! it, told by them, from which a session that connects gets the whole truth. Every frame to an
//! agent's sessions leaves from here, so that no session can miss one between its welcome and the
//! next. It must never decide about a callback: it tells them what became of the agent.

mod held;
mod presence;
mod record;
mod settle;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::domain::agent::{
    Agent, AgentView, ExternalLoad, Presence, PresenceBy, RevokeReason, Welcome,
};
use crate::domain::callback::Snapshot;
use crate::domain::effect::{Answer, Effect, Notice, StepOutput};
use crate::domain::event::{AgentEvent, Event};
use crate::domain::ids::{AgentId, CallbackId, SessionId};
use crate::domain::message::{
    AgentMessage, AgentReport, AgentTimers, CallbackMessage, Letter, Token,
};
use crate::domain::refusal::Refusal;
use crate::domain::time::{Now, Timestamp};

/// The machine of one agent.
#[derive(Debug, Clone)]
pub struct AgentMachine {
    id: AgentId,
    /// The record; none before the first `Put`.
    record: Option<Arc<Agent>>,
    /// No agent who had the id before had a version above it, so that a tag of theirs never fits
    /// the one who is made next.
    versions_after: u64,
    timers: AgentTimers,
    /// Sessions that are up, in the order in which they came.
    sessions: Vec<SessionId>,
    /// Since when a session has been up without a break, or none has.
    connection_since: Timestamp,
    /// Since when the last session is gone, by the steady clock; none while one is up.
    gone_since: Option<Timestamp>,
    over: Over,
    /// Offers and assignments.
    held: BTreeMap<CallbackId, Snapshot>,
    /// What the others were told last.
    told: Told,
}

/// Which grace periods of an agent without a session are over; either may be the longer one.
#[derive(Debug, Clone, Copy, Default)]
struct Over {
    /// What wasn't called has gone back.
    session: bool,
    /// Presence is `offline`.
    call: bool,
}

#[derive(Debug, Clone, Default)]
struct Told {
    report: Option<Box<AgentReport>>,
    view: Option<Arc<AgentView>>,
    timers: (Option<Timestamp>, Option<Timestamp>),
}

impl AgentMachine {
    /// A machine that waits for `Put`; `versions_after`: no earlier agent of that id had a version
    /// above it.
    pub fn new(id: AgentId, versions_after: u64, timers: AgentTimers) -> Self {
        Self {
            id,
            record: None,
            versions_after,
            timers,
            sessions: Vec::new(),
            connection_since: Timestamp::default(),
            gone_since: None,
            over: Over::default(),
            held: BTreeMap::new(),
            told: Told::default(),
        }
    }

    /// A machine made from its record; `recover` follows once it may send.
    pub fn restore(agent: Arc<Agent>, timers: AgentTimers) -> Self {
        let mut machine = Self::new(agent.settings.id.clone(), agent.version, timers);
        machine.record = Some(agent);
        machine
    }

    /// After a restart: nobody is connected, and grace periods start now.
    pub fn recover(&mut self, now: &Now, out: &mut StepOutput) {
        self.lose(now, out);
        self.settle(out);
    }

    /// After a panic: the sessions that are up are taken over from the engine's own list. What is
    /// held hears how they stand, since the step that was lost may have been about that.
    pub fn adopt(
        &mut self,
        now: &Now,
        sessions: Vec<SessionId>,
        held: Vec<Snapshot>,
        out: &mut StepOutput,
    ) {
        self.connection_since = now.wall;
        self.sessions = sessions;
        self.held = held.into_iter().map(|callback| (callback.id, callback)).collect();
        if self.sessions.is_empty() {
            self.lose(now, out);
            self.revoke_offers(RevokeReason::SessionLost, out);
        } else {
            self.gone_since = None;
            self.tell_held(out, |agent| CallbackMessage::AgentBack { agent });
        }
    }

    /// Takes one message.
    pub fn step(&mut self, now: &Now, message: AgentMessage, out: &mut StepOutput) {
        match message {
            AgentMessage::Connect { token, session } => self.connect(now, token, session, out),
            AgentMessage::Disconnect { session } => self.disconnect(now, session, out),
            AgentMessage::SetPresence { token, by, presence, reason } => {
                self.set_presence_asked(now, token, by, presence, reason, out);
            }
            AgentMessage::SetExternalLoad { token, units, until } => {
                self.set_external(now, token, ExternalLoad { units, until }, out);
            }
            AgentMessage::Put { token, if_match, settings, timers } => {
                self.timers = timers;
                self.put(now, token, if_match, settings, out);
            }
            AgentMessage::SetTimers(timers) => self.timers = timers,
            AgentMessage::Remove { token, if_match } => {
                self.remove(token, if_match, out);
                return;
            }
            AgentMessage::Offered { callback } => self.offered(callback, out),
            AgentMessage::OfferEnded { callback, offer, end } => {
                self.offer_ended(now, callback, offer, end, out);
            }
            AgentMessage::Assigned { callback, by } => {
                self.hold(Arc::clone(&callback));
                self.change(|agent| agent.missed_offers = 0, out);
                self.tell_lost(callback.id, out);
                self.notify(Notice::Assigned { callback, by }, out);
            }
            AgentMessage::Hold { callback } => {
                let id = callback.id;
                self.hold(callback);
                self.tell_lost(id, out);
            }
            AgentMessage::Updated { callback } => {
                self.hold(Arc::clone(&callback));
                self.notify(Notice::Updated { callback }, out);
            }
            AgentMessage::Unassigned { callback, reason } => {
                self.unassigned(now, callback, reason, out);
            }
            AgentMessage::Wake => {
                self.told.timers = (None, None);
                self.wake(now, out);
            }
        }
        self.settle(out);
    }

    fn connect(&mut self, now: &Now, token: Token, session: SessionId, out: &mut StepOutput) {
        let Some(agent) = self.record.clone() else {
            out.answer(token, Err(Refusal::NotFound));
            return;
        };
        if self.sessions.is_empty() {
            self.connection_since = now.wall;
        }
        self.sessions.push(session);
        if self.gone_since.take().is_some() {
            self.tell_held(out, |agent| CallbackMessage::AgentBack { agent });
        }
        out.events.push(Event::Agent(self.id.clone(), AgentEvent::Connected { session }));
        let (offers, assignments) =
            self.held.values().cloned().partition(|callback| callback.offer().is_some());
        let welcome = Welcome { session, agent, offers, assignments };
        out.answer(token, Ok(Answer::Welcome(Box::new(welcome))));
    }

    fn disconnect(&mut self, now: &Now, session: SessionId, out: &mut StepOutput) {
        let before = self.sessions.len();
        self.sessions.retain(|one| *one != session);
        if self.sessions.len() == before {
            return;
        }
        let remaining = u32::try_from(self.sessions.len()).unwrap_or(u32::MAX);
        let event = AgentEvent::Disconnected { session, remaining };
        out.events.push(Event::Agent(self.id.clone(), event));
        if self.sessions.is_empty() {
            self.lose(now, out);
            self.revoke_offers(RevokeReason::SessionLost, out);
        }
    }

    fn wake(&mut self, now: &Now, out: &mut StepOutput) {
        let over = self.record.as_ref().and_then(|agent| agent.external);
        if over.is_some_and(|load| load.until <= now.wall) {
            self.change(|agent| agent.external = None, out);
        }
        let Some(gone_since) = self.gone_since else { return };
        let session_ends =
            !self.over.session && gone_since + self.timers.session_grace <= now.steady;
        if session_ends {
            self.over.session = true;
            self.tell_held(out, |agent| CallbackMessage::GraceOver { agent });
        }
        let call_ends = !self.over.call && gone_since + self.timers.call_grace <= now.steady;
        self.over.call |= call_ends;
        // Also with the longer one: a supervisor may have set it meanwhile.
        let is_offline =
            self.record.as_ref().is_some_and(|agent| agent.presence == Presence::Offline);
        if (session_ends || call_ends) && self.over.call && !is_offline {
            let reason = Some("connection_lost".to_owned());
            self.set_presence(now, PresenceBy::Engine, Presence::Offline, reason, out);
        }
    }

    /// The last session is gone, or none has come yet: grace periods begin.
    fn lose(&mut self, now: &Now, out: &mut StepOutput) {
        self.gone_since = Some(now.steady);
        self.connection_since = now.wall;
        self.over = Over::default();
        let since = now.steady;
        self.tell_held(out, |agent| CallbackMessage::AgentLost { agent, since });
    }

    /// A callback that comes to an agent without a session is told so.
    fn tell_lost(&self, callback: CallbackId, out: &mut StepOutput) {
        if let Some(since) = self.gone_since {
            let agent = self.id.clone();
            let message = CallbackMessage::AgentLost { agent, since };
            out.send(Letter::Callback(callback, message));
        }
    }

    fn notify(&self, notice: Notice, out: &mut StepOutput) {
        notify(self.sessions.clone(), notice, out);
    }
}

fn notify(sessions: Vec<SessionId>, notice: Notice, out: &mut StepOutput) {
    if !sessions.is_empty() {
        out.effects.push(Effect::Notify { sessions, notice });
    }
}
