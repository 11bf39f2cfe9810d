//! An agent's actor: their machine, and a copy of what they hold to make it anew from.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

use actix::{Actor, ActorContext as _, Addr, Context, Handler};

use super::office::Office;
use super::shell::{Envelope, Rebuilt, Shell};
use crate::domain::agent::Agent;
use crate::domain::callback::Snapshot;
use crate::domain::effect::{Change, Effect, Notice, StepOutput};
use crate::domain::ids::{AgentId, CallbackId};
use crate::domain::machines::agent::AgentMachine;
use crate::domain::message::{AgentMessage, AgentTimers, Letter, OfferEnd, RouterMessage};
use crate::domain::policy::{AgentSettings, Capacity};
use crate::domain::skills::Skills;
use crate::domain::time::Now;

/// The actor of one agent.
pub(crate) struct AgentActor {
    office: Rc<Office>,
    id: AgentId,
    shell: Shell<AgentDesk>,
}

impl AgentActor {
    /// Starts the actor of an agent who is about to be made.
    pub(crate) fn begin(office: Rc<Office>, id: AgentId) -> Addr<Self> {
        let timers = office.known.borrow().timers(&nobody(&id));
        let desk = AgentDesk::new(id.clone(), office.version_base(), timers);
        let shell = Shell::new(Rc::clone(&office), Box::new(desk));
        Self { office, id, shell }.start()
    }

    /// Starts the actor of a known agent in recovery.
    pub(crate) fn recovered(office: Rc<Office>, agent: &Arc<Agent>) -> Addr<Self> {
        let id = agent.settings.id.clone();
        let timers = office.known.borrow().timers(&agent.settings);
        let machine = AgentMachine::restore(Arc::clone(agent), timers);
        let newest = Some(Arc::clone(agent));
        let desk = AgentDesk { machine, newest, ..AgentDesk::new(id.clone(), 0, timers) };
        let shell = Shell::recovered(Rc::clone(&office), Box::new(desk));
        Self { office, id, shell }.start()
    }
}

/// Settings of an agent who has none yet.
fn nobody(id: &AgentId) -> AgentSettings {
    AgentSettings {
        id: id.clone(),
        name: String::new(),
        queues: Vec::new(),
        skills: Skills::default(),
        capacity: Capacity::default(),
    }
}

impl Actor for AgentActor {
    type Context = Context<Self>;
}

impl Handler<Envelope<AgentMessage>> for AgentActor {
    type Result = ();

    fn handle(&mut self, envelope: Envelope<AgentMessage>, ctx: &mut Self::Context) {
        let office = Rc::clone(&self.office);
        office.watch(|| {
            office.agent_arrived(&self.id);
            let let_go = self.shell.take(envelope);
            if let_go && office.directory.agents.forget_if_idle(&self.id) {
                ctx.stop();
            }
        });
    }
}

/// An agent's machine, with what it takes to make it anew.
struct AgentDesk {
    id: AgentId,
    machine: AgentMachine,
    timers: AgentTimers,
    /// As it wrote itself last.
    newest: Option<Arc<Agent>>,
    /// What callbacks have told of themselves: the agent's record doesn't have it.
    held: BTreeMap<CallbackId, Snapshot>,
    /// What the sessions would miss if the step panics.
    at_stake: Option<Notice>,
}

impl AgentDesk {
    fn new(id: AgentId, versions_after: u64, timers: AgentTimers) -> Self {
        let machine = AgentMachine::new(id.clone(), versions_after, timers);
        Self { id, machine, timers, newest: None, held: BTreeMap::new(), at_stake: None }
    }

    fn hold(&mut self, callback: &Snapshot) {
        if callback.is_news_for(&self.id, self.held.get(&callback.id)) {
            self.held.insert(callback.id, Arc::clone(callback));
        }
    }
}

impl Rebuilt for AgentDesk {
    type Message = AgentMessage;

    const KIND: &'static str = "agent";

    fn name(&self) -> String {
        self.id.to_string()
    }

    fn note(&mut self, message: &AgentMessage) -> Vec<Letter> {
        self.at_stake = notice_of(message);
        match message {
            AgentMessage::Put { timers, .. } | AgentMessage::SetTimers(timers) => {
                self.timers = *timers;
            }
            AgentMessage::Offered { callback }
            | AgentMessage::Assigned { callback, .. }
            | AgentMessage::Hold { callback }
            | AgentMessage::Updated { callback } => self.hold(callback),
            AgentMessage::OfferEnded { callback, offer, end: _ } => {
                let is_it = |held: &Snapshot| held.offer().is_some_and(|one| one.id == *offer);
                if self.held.get(callback).is_some_and(is_it) {
                    self.held.remove(callback);
                }
            }
            AgentMessage::Unassigned { callback, reason: _ } => {
                self.held.remove(callback);
            }
            AgentMessage::Connect { .. }
            | AgentMessage::Disconnect { .. }
            | AgentMessage::SetPresence { .. }
            | AgentMessage::SetExternalLoad { .. }
            | AgentMessage::Remove { .. }
            | AgentMessage::Wake => {}
        }
        Vec::new()
    }

    fn step(&mut self, now: &Now, message: AgentMessage, out: &mut StepOutput) {
        self.machine.step(now, message, out);
    }

    fn learn(&mut self, out: &StepOutput) {
        for change in &out.changes {
            match change {
                Change::Agent(agent) => self.newest = Some(Arc::clone(agent)),
                Change::AgentRemoved(_) => self.newest = None,
                Change::Callback { .. }
                | Change::Request { .. }
                | Change::Interaction { .. }
                | Change::Denied(..)
                | Change::Key(..)
                | Change::Queue(_)
                | Change::QueueRemoved(_)
                | Change::Webhook(_)
                | Change::Measured(_)
                | Change::Outbox(_) => {}
            }
        }
    }

    fn recover(&mut self, now: &Now, out: &mut StepOutput) {
        self.machine.recover(now, out);
    }

    fn rebuild(&mut self, office: &Office, now: &Now, out: &mut StepOutput) {
        let Some(newest) = &self.newest else {
            self.machine = AgentMachine::new(self.id.clone(), office.version_base(), self.timers);
            return;
        };
        self.machine = AgentMachine::restore(Arc::clone(newest), self.timers);
        let sessions = office.sessions.borrow().of(&self.id);
        if let (Some(notice), false) = (self.at_stake.take(), sessions.is_empty()) {
            out.effects.push(Effect::Notify { sessions: sessions.clone(), notice });
        }
        let held = self.held.values().cloned().collect();
        self.machine.adopt(now, sessions, held, out);
        // Any message lets the machine tell router, readers and scheduler how the agent stands.
        self.machine.step(now, AgentMessage::SetTimers(self.timers), out);
    }

    fn farewell(&self) -> Vec<Letter> {
        vec![Letter::Router(RouterMessage::RemoveAgent(self.id.clone()))]
    }

    fn may_go(&self, _let_go: bool) -> bool {
        self.newest.is_none()
    }
}

/// What the message is told to the agent's sessions as, where it is.
fn notice_of(message: &AgentMessage) -> Option<Notice> {
    match message {
        AgentMessage::Offered { callback } => Some(Notice::Offered { callback: callback.clone() }),
        AgentMessage::OfferEnded { callback, offer, end } => {
            let (callback, offer) = (*callback, *offer);
            match *end {
                OfferEnd::Expired => Some(Notice::OfferExpired { callback, offer }),
                OfferEnd::Revoked(reason) => Some(Notice::OfferRevoked { callback, offer, reason }),
                OfferEnd::Declined(_) => Some(Notice::OfferDeclined { callback, offer }),
                OfferEnd::Accepted(_) => None,
            }
        }
        AgentMessage::Assigned { callback, by } => {
            Some(Notice::Assigned { callback: callback.clone(), by: *by })
        }
        AgentMessage::Updated { callback } => Some(Notice::Updated { callback: callback.clone() }),
        AgentMessage::Unassigned { callback, reason } => {
            Some(Notice::Unassigned { callback: *callback, reason: *reason })
        }
        AgentMessage::Connect { .. }
        | AgentMessage::Disconnect { .. }
        | AgentMessage::SetPresence { .. }
        | AgentMessage::SetExternalLoad { .. }
        | AgentMessage::Put { .. }
        | AgentMessage::SetTimers(_)
        | AgentMessage::Remove { .. }
        | AgentMessage::Hold { .. }
        | AgentMessage::Wake => None,
    }
}
