//! An agent: presence, connection, and what they hold, as their sessions see it.
//!
//! The machine owns the agent's record. What is held stands in the callbacks; here is a copy of
//! it, told by them, from which a session that connects gets the whole truth. Every frame to an
//! agent's sessions leaves from here, so that no session can miss one between its welcome and the
//! next. It must never decide about a callback: it tells them what became of the agent.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::domain::agent::{
    Agent, AgentView, Engagement, ExternalLoad, Presence, PresenceBy, RevokeReason, UnassignReason,
    Welcome,
};
use crate::domain::callback::{Snapshot, State};
use crate::domain::effect::{Answer, Change, Effect, Notice, Outbox};
use crate::domain::event::{AgentEvent, Event};
use crate::domain::ids::{AgentId, CallbackId, OfferId, SessionId};
use crate::domain::message::{
    AgentMessage, AgentReport, AgentTimers, CallbackMessage, Letter, Machine, OfferEnd,
    RouterMessage, SchedulerMessage, Token,
};
use crate::domain::policy::AgentSettings;
use crate::domain::refusal::Refusal;
use crate::domain::time::{Now, Timestamp};

/// The machine of one agent.
#[derive(Debug, Clone)]
pub struct AgentMachine {
    id: AgentId,
    /// The record; none before the first `Put`.
    record: Option<Arc<Agent>>,
    timers: AgentTimers,
    /// Sessions that are up, in the order in which they came.
    sessions: Vec<SessionId>,
    /// Since when a session has been up without a break, or none has.
    connection_since: Timestamp,
    /// Since when the last session is gone, by the steady clock; none while one is up.
    gone_since: Option<Timestamp>,
    /// The first grace was told to the callbacks.
    grace_told: bool,
    /// Offers and assignments.
    held: BTreeMap<CallbackId, Snapshot>,
    /// What the others were told last.
    told: Told,
}

#[derive(Debug, Clone, Default)]
struct Told {
    report: Option<Box<AgentReport>>,
    view: Option<Arc<AgentView>>,
    timers: (Option<Timestamp>, Option<Timestamp>),
}

impl AgentMachine {
    /// A machine that waits for `Put`.
    pub fn new(id: AgentId, timers: AgentTimers) -> Self {
        Self {
            id,
            record: None,
            timers,
            sessions: Vec::new(),
            connection_since: Timestamp::default(),
            gone_since: None,
            grace_told: false,
            held: BTreeMap::new(),
            told: Told::default(),
        }
    }

    /// A machine made from its record; `recover` follows once it may send.
    pub fn restore(agent: Arc<Agent>, timers: AgentTimers) -> Self {
        let mut machine = Self::new(agent.settings.id.clone(), timers);
        machine.record = Some(agent);
        machine
    }

    /// After a restart: nobody is connected, and grace periods start now.
    pub fn recover(&mut self, now: &Now, out: &mut Outbox) {
        self.connection_since = now.wall;
        self.gone_since = Some(now.steady);
        self.settle(out);
    }

    /// After a panic: the sessions that are up are taken over from the engine's own list.
    pub fn adopt(&mut self, now: &Now, sessions: Vec<SessionId>, held: Vec<Snapshot>) {
        self.connection_since = now.wall;
        self.gone_since = sessions.is_empty().then_some(now.steady);
        self.sessions = sessions;
        self.held = held.into_iter().map(|callback| (callback.id, callback)).collect();
    }

    /// Takes one message.
    pub fn step(&mut self, now: &Now, message: AgentMessage, out: &mut Outbox) {
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
                self.notify(Notice::Assigned { callback, by }, out);
            }
            AgentMessage::Hold { callback } => self.hold(callback),
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

    fn connect(&mut self, now: &Now, token: Token, session: SessionId, out: &mut Outbox) {
        let Some(agent) = self.record.clone() else {
            out.answer(token, Err(Refusal::NotFound));
            return;
        };
        if self.sessions.is_empty() {
            self.connection_since = now.wall;
        }
        self.sessions.push(session);
        self.gone_since = None;
        self.grace_told = false;
        out.events.push(Event::Agent(self.id.clone(), AgentEvent::Connected { session }));
        let (offers, assignments) =
            self.held.values().cloned().partition(|callback| callback.offer().is_some());
        let welcome = Welcome { session, agent, offers, assignments };
        out.answer(token, Ok(Answer::Welcome(Box::new(welcome))));
    }

    fn disconnect(&mut self, now: &Now, session: SessionId, out: &mut Outbox) {
        let before = self.sessions.len();
        self.sessions.retain(|one| *one != session);
        if self.sessions.len() == before {
            return;
        }
        let remaining = u32::try_from(self.sessions.len()).unwrap_or(u32::MAX);
        let event = AgentEvent::Disconnected { session, remaining };
        out.events.push(Event::Agent(self.id.clone(), event));
        if self.sessions.is_empty() {
            self.connection_since = now.wall;
            self.gone_since = Some(now.steady);
            self.grace_told = false;
            self.revoke_offers(RevokeReason::SessionLost, out);
        }
    }

    fn set_presence_asked(
        &mut self,
        now: &Now,
        token: Option<Token>,
        by: PresenceBy,
        presence: Presence,
        reason: Option<String>,
        out: &mut Outbox,
    ) {
        if self.record.is_none() {
            if let Some(token) = token {
                out.answer(token, Err(Refusal::NotFound));
            }
            return;
        }
        self.set_presence(now, by, presence, reason, out);
        if let (Some(token), Some(agent)) = (token, self.record.clone()) {
            out.answer(token, Ok(Answer::Agent { agent, created: false }));
        }
    }

    fn set_presence(
        &mut self,
        now: &Now,
        by: PresenceBy,
        presence: Presence,
        reason: Option<String>,
        out: &mut Outbox,
    ) {
        let Some(agent) = &self.record else { return };
        if agent.presence == presence && agent.reason == reason {
            return;
        }
        let was = agent.presence;
        self.change(
            |agent| {
                if agent.presence != presence {
                    agent.presence_since = now.wall;
                }
                agent.presence = presence;
                agent.reason.clone_from(&reason);
                if presence == Presence::Available {
                    agent.missed_offers = 0;
                    if was != Presence::Available {
                        agent.idle_since = now.steady;
                    }
                }
            },
            out,
        );
        let event = AgentEvent::PresenceChanged { presence, reason, by };
        out.events.push(Event::Agent(self.id.clone(), event));
        if presence != Presence::Available {
            self.revoke_offers(RevokeReason::AgentAway, out);
        }
        if let Some(agent) = self.record.clone() {
            self.notify(Notice::PresenceChanged { agent, by }, out);
        }
    }

    fn set_external(&mut self, now: &Now, token: Token, load: ExternalLoad, out: &mut Outbox) {
        if self.record.is_none() {
            out.answer(token, Err(Refusal::NotFound));
            return;
        }
        let external = (load.units > 0 && load.until > now.wall).then_some(load);
        self.change(|agent| agent.external = external, out);
        self.revoke_what_no_longer_fits(out);
        if let Some(agent) = self.record.clone() {
            out.answer(token, Ok(Answer::Agent { agent, created: false }));
        }
    }

    /// Pending offers go back, newest first, until the rest fits beside the work elsewhere.
    fn revoke_what_no_longer_fits(&mut self, out: &mut Outbox) {
        let Some(agent) = &self.record else { return };
        let external = agent.external.map_or(0, |load| load.units);
        let mut free = i64::from(agent.settings.capacity.units)
            - i64::from(external)
            - i64::from(self.held_units());
        let mut offers: Vec<_> =
            self.held.values().filter(|one| one.offer().is_some()).cloned().collect();
        while let (true, Some(callback)) = (free < 0, offers.pop()) {
            free += i64::from(callback.size);
            self.revoke_offer(callback.id, RevokeReason::AtCapacity, out);
        }
    }

    fn put(
        &mut self,
        now: &Now,
        token: Option<Token>,
        if_match: Option<u64>,
        settings: Arc<AgentSettings>,
        out: &mut Outbox,
    ) {
        let version = self.record.as_ref().map_or(0, |agent| agent.version);
        if let (Some(token), true) = (token, if_match.is_some_and(|wanted| wanted != version)) {
            out.answer(token, Err(Refusal::VersionStale { version }));
            return;
        }
        let created = self.record.is_none();
        if created {
            self.gone_since = Some(now.steady);
            self.connection_since = now.wall;
            self.record = Some(Arc::new(Agent {
                settings: Arc::clone(&settings),
                version: 0,
                presence: Presence::Offline,
                reason: None,
                presence_since: now.wall,
                missed_offers: 0,
                idle_since: now.steady,
                external: None,
            }));
        }
        self.change(|agent| agent.settings = settings, out);
        if let (Some(token), Some(agent)) = (token, self.record.clone()) {
            out.answer(token, Ok(Answer::Agent { agent, created }));
        }
    }

    fn remove(&mut self, token: Token, if_match: Option<u64>, out: &mut Outbox) {
        let Some(agent) = &self.record else {
            out.answer(token, Err(Refusal::NotFound));
            return;
        };
        let version = agent.version;
        if if_match.is_some_and(|wanted| wanted != version) {
            out.answer(token, Err(Refusal::VersionStale { version }));
            return;
        }
        if !self.held.is_empty() {
            let held = self.held.len();
            let text = format!("the agent holds {held} callbacks; requeue or close them first");
            out.answer(token, Err(Refusal::InUse(text)));
            return;
        }
        let id = self.id.clone();
        self.record = None;
        out.changes.push(Change::AgentRemoved(id.clone()));
        out.send(Letter::Router(RouterMessage::RemoveAgent(id.clone())));
        let sessions = std::mem::take(&mut self.sessions);
        if !sessions.is_empty() {
            out.effects.push(Effect::CloseSessions { sessions });
        }
        out.effects.push(Effect::PublishAgent(id.clone(), None));
        let machine = Machine::Agent(id);
        let (wall, steady) = (None, None);
        out.send(Letter::Scheduler(SchedulerMessage::SetTimer { machine, wall, steady }));
        out.answer(token, Ok(Answer::Done));
        out.effects.push(Effect::LetGo);
    }

    fn offered(&mut self, callback: Snapshot, out: &mut Outbox) {
        self.hold(Arc::clone(&callback));
        let id = callback.id;
        self.notify(Notice::Offered { callback }, out);
        // The router decided by what it knew; the agent may have gone meanwhile.
        if self.sessions.is_empty() {
            self.revoke_offer(id, RevokeReason::SessionLost, out);
        } else if self.record.as_ref().is_none_or(|one| one.presence != Presence::Available) {
            self.revoke_offer(id, RevokeReason::AgentAway, out);
        }
    }

    fn offer_ended(
        &mut self,
        now: &Now,
        callback: CallbackId,
        offer: OfferId,
        end: OfferEnd,
        out: &mut Outbox,
    ) {
        if self.held.get(&callback).and_then(|one| one.offer()).is_some_and(|one| one.id == offer) {
            self.held.remove(&callback);
        }
        match end {
            OfferEnd::Accepted => {}
            OfferEnd::Declined => self.change(|agent| agent.missed_offers = 0, out),
            OfferEnd::Expired => {
                self.notify(Notice::OfferExpired { callback, offer }, out);
                self.change(
                    |agent| agent.missed_offers = agent.missed_offers.saturating_add(1),
                    out,
                );
                let missed = self.record.as_ref().map_or(0, |agent| agent.missed_offers);
                if missed >= self.timers.max_missed_offers.max(1) {
                    self.send_away(now, "no_response", out);
                }
            }
            OfferEnd::Revoked(reason) => {
                self.notify(Notice::OfferRevoked { callback, offer, reason }, out);
            }
        }
    }

    fn unassigned(
        &mut self,
        now: &Now,
        callback: CallbackId,
        reason: UnassignReason,
        out: &mut Outbox,
    ) {
        self.held.remove(&callback);
        self.notify(Notice::Unassigned { callback, reason }, out);
        self.change(|agent| agent.idle_since = now.steady, out);
        if reason == UnassignReason::NoCall {
            self.send_away(now, "no_call", out);
        }
    }

    fn send_away(&mut self, now: &Now, reason: &str, out: &mut Outbox) {
        let available =
            self.record.as_ref().is_some_and(|agent| agent.presence == Presence::Available);
        if available {
            let reason = Some(reason.to_owned());
            self.set_presence(now, PresenceBy::Engine, Presence::Away, reason, out);
        }
    }

    fn wake(&mut self, now: &Now, out: &mut Outbox) {
        let over = self.record.as_ref().and_then(|agent| agent.external);
        if over.is_some_and(|load| load.until <= now.wall) {
            self.change(|agent| agent.external = None, out);
        }
        let Some(gone_since) = self.gone_since else { return };
        if !self.grace_told && gone_since + self.timers.session_grace <= now.steady {
            self.grace_told = true;
            self.tell_held(out, |agent| CallbackMessage::GraceOver { agent });
        }
        if gone_since + self.timers.call_grace <= now.steady {
            self.gone_since = None;
            self.tell_held(out, |agent| CallbackMessage::CallGraceOver { agent });
            let offline =
                self.record.as_ref().is_some_and(|agent| agent.presence == Presence::Offline);
            if !offline {
                let reason = Some("connection_lost".to_owned());
                self.set_presence(now, PresenceBy::Engine, Presence::Offline, reason, out);
            }
        }
    }

    fn tell_held(&self, out: &mut Outbox, message: impl Fn(AgentId) -> CallbackMessage) {
        for callback in self.held.keys() {
            out.send(Letter::Callback(*callback, message(self.id.clone())));
        }
    }

    fn revoke_offers(&self, reason: RevokeReason, out: &mut Outbox) {
        for (id, callback) in &self.held {
            if callback.offer().is_some() {
                self.revoke_offer(*id, reason, out);
            }
        }
    }

    fn revoke_offer(&self, callback: CallbackId, reason: RevokeReason, out: &mut Outbox) {
        let agent = self.id.clone();
        out.send(Letter::Callback(callback, CallbackMessage::RevokeOffer { agent, reason }));
    }

    fn hold(&mut self, callback: Snapshot) {
        let theirs = callback.holder() == Some(&self.id);
        let newer = self.held.get(&callback.id).is_none_or(|held| held.version <= callback.version);
        if theirs && newer {
            self.held.insert(callback.id, callback);
        }
    }

    fn notify(&self, notice: Notice, out: &mut Outbox) {
        if !self.sessions.is_empty() {
            let sessions = self.sessions.clone();
            out.effects.push(Effect::Notify { sessions, notice });
        }
    }

    /// Changes the record, if that changes anything.
    fn change(&mut self, edit: impl FnOnce(&mut Agent), out: &mut Outbox) {
        let Some(old) = &self.record else { return };
        let mut agent = Agent::clone(old);
        edit(&mut agent);
        if agent == **old && agent.version > 0 {
            return;
        }
        agent.version += 1;
        let agent = Arc::new(agent);
        self.record = Some(Arc::clone(&agent));
        // One step may change the record twice; only what it is at the end is written.
        out.changes.retain(|change| !matches!(change, Change::Agent(_)));
        out.changes.push(Change::Agent(agent));
    }

    fn held_units(&self) -> u32 {
        self.held.values().map(|callback| callback.size).fold(0, u32::saturating_add)
    }

    fn engagement(&self) -> Engagement {
        let mut wraps_up = false;
        let mut offered = false;
        for callback in self.held.values() {
            match callback.state() {
                State::Offered => offered = true,
                State::WrapUp => wraps_up = true,
                State::Accepted | State::Calling => return Engagement::Busy,
                State::Open
                | State::Queued
                | State::ClosedComplete
                | State::ClosedAbandoned
                | State::Canceled => {}
            }
        }
        match (offered, wraps_up) {
            (true, _) => Engagement::Offered,
            (false, true) => Engagement::WrapUp,
            (false, false) => Engagement::Idle,
        }
    }

    /// Tells the router, the readers and the scheduler what is new.
    fn settle(&mut self, out: &mut Outbox) {
        let Some(agent) = self.record.clone() else { return };
        let report = Box::new(AgentReport {
            settings: Arc::clone(&agent.settings),
            presence: agent.presence,
            connected: !self.sessions.is_empty(),
            idle_since: agent.idle_since,
            external_units: agent.external.map_or(0, |load| load.units),
        });
        if self.told.report.as_ref() != Some(&report) {
            self.told.report = Some(report.clone());
            out.send(Letter::Router(RouterMessage::PutAgent(report)));
        }
        let view = AgentView {
            agent: Arc::clone(&agent),
            sessions: self.sessions.clone(),
            connection_since: self.connection_since,
            engagement: self.engagement(),
            held_units: self.held_units(),
            held: self.held.keys().copied().collect(),
        };
        if self.told.view.as_deref() != Some(&view) {
            let view = Arc::new(view);
            self.told.view = Some(Arc::clone(&view));
            out.effects.push(Effect::PublishAgent(self.id.clone(), Some(view)));
        }
        let timers = self.deadlines(&agent);
        if timers != self.told.timers {
            self.told.timers = timers;
            let machine = Machine::Agent(self.id.clone());
            let (wall, steady) = timers;
            out.send(Letter::Scheduler(SchedulerMessage::SetTimer { machine, wall, steady }));
        }
    }

    fn deadlines(&self, agent: &Agent) -> (Option<Timestamp>, Option<Timestamp>) {
        let wall = agent.external.map(|load| load.until);
        let offline_and_free = agent.presence == Presence::Offline && self.held.is_empty();
        let steady = self.gone_since.filter(|_| !offline_and_free).map(|gone_since| {
            let grace = gone_since + self.timers.session_grace;
            if self.grace_told { gone_since + self.timers.call_grace } else { grace }
        });
        (wall, steady)
    }
}
