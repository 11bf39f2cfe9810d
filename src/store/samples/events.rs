//! Events.

use super::Sampler;
use super::callbacks::{CLOSED_REASONS, FINAL_STATES, OPEN_REASONS};
use crate::domain::agent::{AssignedBy, Presence, PresenceBy, RevokeReason, UnassignReason};
use crate::domain::callback::{CallbackType, Outcome};
use crate::domain::dispatch::Provider;
use crate::domain::event::{AgentEvent, By, CallbackEvent, Event, QueueEvent};
use crate::domain::ids::CallbackId;
use crate::domain::policy::Medium;
use crate::domain::queue::Halves;

const REVOKED: [RevokeReason; 13] = [
    RevokeReason::Canceled,
    RevokeReason::Rescheduled,
    RevokeReason::AcceptedElsewhere,
    RevokeReason::SessionLost,
    RevokeReason::AgentAway,
    RevokeReason::Reassigned,
    RevokeReason::Expired,
    RevokeReason::Closed,
    RevokeReason::CarriedOver,
    RevokeReason::Paused,
    RevokeReason::AtCapacity,
    RevokeReason::Restarted,
    RevokeReason::NumberDenied,
];

const UNASSIGNED: [UnassignReason; 7] = [
    UnassignReason::Closed,
    UnassignReason::Retry,
    UnassignReason::Requeued,
    UnassignReason::Canceled,
    UnassignReason::Reassigned,
    UnassignReason::NoCall,
    UnassignReason::ConnectionLost,
];

impl Sampler {
    /// One event of each kind.
    pub(in crate::store) fn events(&mut self, callback: CallbackId) -> Vec<Event> {
        let of_callback = [self.events_of_times(), self.events_of_agents(), self.events_of_ends()];
        let of_callback = of_callback.into_iter().flatten();
        let mut all: Vec<_> = of_callback.map(|event| Event::Callback(callback, event)).collect();
        let agent = self.agent_id();
        let of_agent = self.agent_events();
        all.extend(of_agent.into_iter().map(|event| Event::Agent(agent.clone(), event)));
        let queue = self.queue_id();
        let of_queue = self.queue_events();
        all.extend(of_queue.into_iter().map(|event| Event::Queue(queue.clone(), event)));
        all
    }

    pub(super) fn by(&mut self) -> By {
        let agent = By::Agent(self.agent_id());
        self.pick(&[By::Customer, By::Channel, agent, By::Supervisor, By::Engine])
    }

    fn events_of_times(&mut self) -> Vec<CallbackEvent> {
        let by = self.by();
        vec![
            CallbackEvent::Created {
                queue: self.queue_id(),
                kind: self.pick(&[CallbackType::Asap, CallbackType::Scheduled]),
                medium: self.pick(&Medium::ALL),
                start: self.maybe(Self::at),
                by: by.clone(),
            },
            CallbackEvent::Rescheduled { start: self.maybe(Self::at), by: by.clone() },
            CallbackEvent::Queued { interaction: self.interaction_id(), queued_since: self.at() },
            CallbackEvent::RetryScheduled { at: self.at(), attempts: self.count(), by: by.clone() },
            CallbackEvent::Requeued {
                queue: self.queue_id(),
                agent: self.maybe(Self::agent_id),
                by: by.clone(),
            },
            CallbackEvent::Updated { by, fields: self.some(Self::text) },
            CallbackEvent::Unroutable { reason: self.maybe(Self::unroutable) },
            CallbackEvent::Stuck { offers_lost: self.count() },
            CallbackEvent::CarriedOver { due: self.at(), why: self.pick(&OPEN_REASONS) },
            CallbackEvent::ScheduleConflict { start: self.at(), next_open: self.maybe(Self::at) },
            CallbackEvent::PromiseBroken { promised_by: self.at() },
            CallbackEvent::MeetingReady {
                provider: self.pick(&[Provider::Zoom, Provider::Jitsi]),
                join_url: self.text(),
            },
        ]
    }

    fn events_of_agents(&mut self) -> Vec<CallbackEvent> {
        let (agent, offer) = (self.agent_id(), self.offer_id());
        let assigned = [AssignedBy::Accept, AssignedBy::Supervisor, AssignedBy::Claim];
        vec![
            CallbackEvent::Offered { offer, agent: agent.clone(), expires_at: self.at() },
            CallbackEvent::Accepted { offer, agent: agent.clone() },
            CallbackEvent::Declined { offer, agent: agent.clone(), reason: self.maybe(Self::text) },
            CallbackEvent::OfferExpired { offer, agent: agent.clone() },
            CallbackEvent::OfferRevoked {
                offer,
                agent: agent.clone(),
                reason: self.pick(&REVOKED),
            },
            CallbackEvent::Assigned { agent: agent.clone(), by: self.pick(&assigned) },
            CallbackEvent::Unassigned { agent: agent.clone(), reason: self.pick(&UNASSIGNED) },
            CallbackEvent::Calling { agent: agent.clone(), attempt: self.count() },
            CallbackEvent::Answered { agent: agent.clone() },
            CallbackEvent::CallEnded { agent, outcome: self.pick(&Outcome::ALL) },
        ]
    }

    fn events_of_ends(&mut self) -> Vec<CallbackEvent> {
        vec![
            CallbackEvent::Canceled {
                reason: self.pick(&CLOSED_REASONS),
                text: self.maybe(Self::text),
                by: self.by(),
            },
            CallbackEvent::Closed {
                state: self.pick(&FINAL_STATES),
                reason: self.pick(&CLOSED_REASONS),
                disposition: self.maybe(Self::text),
                by: self.by(),
            },
        ]
    }

    fn agent_events(&mut self) -> Vec<AgentEvent> {
        let by = [PresenceBy::Agent, PresenceBy::Supervisor, PresenceBy::Engine];
        vec![
            AgentEvent::Connected { session: self.session_id() },
            AgentEvent::Disconnected { session: self.session_id(), remaining: self.count() },
            AgentEvent::PresenceChanged {
                presence: self.pick(&Presence::ALL),
                reason: self.maybe(Self::text),
                by: self.pick(&by),
            },
        ]
    }

    fn halves(&mut self) -> Halves {
        Halves { intake: self.yes(), offers: self.yes() }
    }

    fn queue_events(&mut self) -> Vec<QueueEvent> {
        vec![
            QueueEvent::Paused {
                halves: self.halves(),
                reason: self.maybe(Self::text),
                until: self.maybe(Self::at),
            },
            QueueEvent::Resumed { halves: self.halves() },
        ]
    }
}
