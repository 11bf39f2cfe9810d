//! The end of each step: the router, the readers and the scheduler hear what is new, nothing else.

use std::sync::Arc;

use super::AgentMachine;
use crate::domain::agent::{Agent, AgentView, Engagement, Presence};
use crate::domain::callback::State;
use crate::domain::effect::{Effect, StepOutput};
use crate::domain::ids::CallbackId;
use crate::domain::message::{AgentReport, Letter, Machine, RouterMessage, SchedulerMessage};
use crate::domain::time::Timestamp;

impl AgentMachine {
    /// Tells the router, the readers and the scheduler what is new.
    pub(super) fn settle(&mut self, out: &mut StepOutput) {
        let Some(agent) = self.record.clone() else { return };
        let report = Box::new(AgentReport {
            settings: Arc::clone(&agent.settings),
            presence: agent.presence,
            connected: !self.sessions.is_empty(),
            idle_since: agent.idle_since,
            external_units: agent.external.map_or(0, |load| load.units),
            last_chance: self.goes_away_at(agent.missed_offers.saturating_add(1)),
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
            session_grace: self.timers.session_grace,
            held_units: self.held_units(),
            assigned: self.assigned(),
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

    pub(super) fn held_units(&self) -> u32 {
        self.held.values().map(|callback| callback.size).fold(0, u32::saturating_add)
    }

    fn assigned(&self) -> Vec<CallbackId> {
        let assigned = self.held.values().filter(|held| held.assigned_agent() == Some(&self.id));
        assigned.map(|held| held.id).collect()
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

    fn deadlines(&self, agent: &Agent) -> (Option<Timestamp>, Option<Timestamp>) {
        let wall = agent.external.map(|load| load.until);
        let offline_and_free = agent.presence == Presence::Offline && self.held.is_empty();
        let steady = self.gone_since.filter(|_| !offline_and_free).and_then(|gone_since| {
            let session = (!self.over.session).then_some(self.timers.session_grace);
            let call = (!self.over.call).then_some(self.timers.call_grace);
            session.into_iter().chain(call).min().map(|grace| gone_since + grace)
        });
        (wall, steady)
    }
}
