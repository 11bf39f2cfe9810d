//! The agent's record: made and set by an administrator, removed, and changed by the other parts
//! through `change` alone, which counts the version. Settings have a version of their own.

use std::sync::Arc;

use super::AgentMachine;
use crate::domain::agent::{Agent, Presence};
use crate::domain::effect::{Answer, Change, Effect, StepOutput};
use crate::domain::message::{Letter, Machine, RouterMessage, SchedulerMessage, Token};
use crate::domain::policy::AgentSettings;
use crate::domain::refusal::Refusal;
use crate::domain::time::Now;

impl AgentMachine {
    pub(super) fn put(
        &mut self,
        now: &Now,
        token: Option<Token>,
        if_match: Option<u64>,
        settings: Arc<AgentSettings>,
        out: &mut StepOutput,
    ) {
        let version = self.record.as_ref().map_or(0, |agent| agent.settings_version);
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
                version: self.versions_after,
                presence: Presence::Offline,
                reason: None,
                presence_since: now.wall,
                missed_offers: 0,
                idle_since: now.steady,
                external: None,
                settings_version: self.versions_after,
            }));
        }
        self.change(
            |agent| {
                let same = agent.settings == settings && !created;
                agent.settings_version += u64::from(!same);
                agent.settings = settings;
            },
            out,
        );
        if let (Some(token), Some(agent)) = (token, self.record.clone()) {
            out.answer(token, Ok(Answer::Agent { agent, created }));
        }
    }

    pub(super) fn remove(&mut self, token: Token, if_match: Option<u64>, out: &mut StepOutput) {
        let Some(agent) = &self.record else {
            out.answer(token, Err(Refusal::NotFound));
            return;
        };
        let version = agent.settings_version;
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
        self.versions_after = agent.version;
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

    /// Changes the record, if that changes anything.
    pub(super) fn change(&mut self, edit: impl FnOnce(&mut Agent), out: &mut StepOutput) {
        let Some(old) = &self.record else { return };
        let mut agent = Agent::clone(old);
        edit(&mut agent);
        if agent == **old {
            return;
        }
        agent.version += 1;
        let agent = Arc::new(agent);
        self.record = Some(Arc::clone(&agent));
        // One step may change the record twice; only what it is at the end is written.
        out.changes.retain(|change| !matches!(change, Change::Agent(_)));
        out.changes.push(Change::Agent(agent));
    }
}
