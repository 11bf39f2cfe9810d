//! What an agent wants and does elsewhere: presence, set by them or by a rule, and outside work.
//!
//! Pending offers that no longer suit are taken back.

use super::AgentMachine;
use crate::domain::agent::{ExternalLoad, Presence, PresenceBy, RevokeReason};
use crate::domain::effect::{Answer, Notice, StepOutput};
use crate::domain::event::{AgentEvent, Event};
use crate::domain::message::Token;
use crate::domain::refusal::Refusal;
use crate::domain::time::Now;

impl AgentMachine {
    pub(super) fn set_presence_asked(
        &mut self,
        now: &Now,
        token: Option<Token>,
        by: PresenceBy,
        presence: Presence,
        reason: Option<String>,
        out: &mut StepOutput,
    ) {
        if self.record.is_none() {
            if let Some(token) = token {
                out.answer(token, Err(Refusal::NotFound));
            }
            return;
        }
        let was = self.record.as_ref().map(|agent| agent.presence);
        if was == Some(Presence::Offline)
            && presence != Presence::Offline
            && self.sessions.is_empty()
            && (self.held.is_empty() || (self.over.session && self.over.call))
        {
            // Whoever says first that they want work and connects then has the grace for it; but
            // what they hold has the one that runs since they left.
            self.lose(now, out);
        }
        self.set_presence(now, by, presence, reason, out);
        if let (Some(token), Some(agent)) = (token, self.record.clone()) {
            out.answer(token, Ok(Answer::Agent { agent, created: false }));
        }
    }

    pub(super) fn set_presence(
        &mut self,
        now: &Now,
        by: PresenceBy,
        presence: Presence,
        reason: Option<String>,
        out: &mut StepOutput,
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

    pub(super) fn set_external(
        &mut self,
        now: &Now,
        token: Token,
        load: ExternalLoad,
        out: &mut StepOutput,
    ) {
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
    fn revoke_what_no_longer_fits(&mut self, out: &mut StepOutput) {
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

    pub(super) fn send_away(&mut self, now: &Now, reason: &str, out: &mut StepOutput) {
        let available =
            self.record.as_ref().is_some_and(|agent| agent.presence == Presence::Available);
        if available {
            let reason = Some(reason.to_owned());
            self.set_presence(now, PresenceBy::Engine, Presence::Away, reason, out);
        }
    }
}
