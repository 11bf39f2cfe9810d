//! An agent's machine on a bench: sessions, presence, and what befalls the callbacks they hold.
//!
//! Here is the bench; the rows are in the modules, by what they are about.

mod load;
mod presence;
mod sessions;

use std::sync::Arc;

use super::AgentMachine;
use crate::domain::agent::{Agent, AgentView, Presence, PresenceBy, RevokeReason};
use crate::domain::callback::{Snapshot, State};
use crate::domain::effect::{Answer, Effect, Notice, StepOutput};
use crate::domain::event::{AgentEvent, Event};
use crate::domain::ids::{AgentId, CallbackId, Fresh, SessionId};
use crate::domain::machines::callback::tests::{START, held};
use crate::domain::message::{
    AgentMessage, AgentReport, AgentTimers, CallbackMessage, Letter, Machine, OfferEnd,
    RouterMessage, SchedulerMessage, Token,
};
use crate::domain::policy::{AgentSettings, Capacity};
use crate::domain::refusal::Refusal;
use crate::domain::skills::Skills;
use crate::domain::time::{Now, Span, Timestamp};

/// Mara's machine with its clock, and what the last step left.
struct Bench {
    machine: AgentMachine,
    at: Timestamp,
    out: StepOutput,
}

fn timers(max_missed_offers: u32) -> AgentTimers {
    AgentTimers {
        session_grace: Span::seconds(30),
        call_grace: Span::seconds(900),
        max_missed_offers,
    }
}

fn settings(units: u32) -> Arc<AgentSettings> {
    Arc::new(AgentSettings {
        id: AgentId::parse("mara").expect("an id"),
        name: "Mara".to_owned(),
        queues: Vec::new(),
        skills: Skills::default(),
        capacity: Capacity { units, ..Capacity::default() },
    })
}

fn put(units: u32, if_match: Option<u64>) -> AgentMessage {
    let token = Some(Token(1));
    AgentMessage::Put { token, if_match, settings: settings(units), timers: timers(1) }
}

fn presence(presence: Presence) -> AgentMessage {
    AgentMessage::SetPresence {
        token: Some(Token(2)),
        by: PresenceBy::Agent,
        presence,
        reason: None,
    }
}

impl Bench {
    /// An agent who was made a moment ago.
    fn made() -> Self {
        let id = AgentId::parse("mara").expect("an id");
        let machine = AgentMachine::new(id, 0, timers(1));
        let mut bench = Self { machine, at: START, out: StepOutput::default() };
        bench.tell(put(3, None));
        bench
    }

    /// An agent who is there, with one session, and wants work.
    fn available() -> Self {
        let mut bench = Self::made();
        bench.tell(AgentMessage::Connect { token: Token(1), session: SessionId(1) });
        bench.tell(presence(Presence::Available));
        bench
    }

    fn now(&self) -> Now {
        Now { wall: self.at, steady: self.at, fresh: Fresh(2) }
    }

    fn tell(&mut self, message: AgentMessage) {
        self.out = StepOutput::default();
        self.machine.step(&self.now(), message, &mut self.out);
    }

    fn pass(&mut self, span: Span) {
        self.at = self.at + span;
        self.tell(AgentMessage::Wake);
    }

    fn offered(&mut self, id: u128) -> Snapshot {
        let callback = held(id, State::Offered);
        self.tell(AgentMessage::Offered { callback: Arc::clone(&callback) });
        callback
    }

    fn offer_ended(&mut self, callback: &Snapshot, end: OfferEnd) {
        let offer = callback.offer().expect("it was offered").id;
        self.tell(AgentMessage::OfferEnded { callback: callback.id, offer, end });
    }

    fn assigned(&mut self, id: u128, state: State) {
        let callback = held(id, state);
        let by = crate::domain::agent::AssignedBy::Accept;
        self.tell(AgentMessage::Assigned { callback, by });
    }

    fn record(&self) -> &Agent {
        self.machine.record.as_deref().expect("the agent was made")
    }

    fn presence(&self) -> (Presence, Option<&str>) {
        (self.record().presence, self.record().reason.as_deref())
    }

    fn events(&self) -> Vec<&AgentEvent> {
        let events = self.out.events.iter().map(|event| match event {
            Event::Agent(_, event) => event,
            other => panic!("not an agent's: {other:?}"),
        });
        events.collect()
    }

    fn notices(&self) -> Vec<(&[SessionId], &Notice)> {
        let notices = self.out.effects.iter().filter_map(|effect| match effect {
            Effect::Notify { sessions, notice } => Some((sessions.as_slice(), notice)),
            _ => None,
        });
        notices.collect()
    }

    /// What the callbacks are told.
    fn told(&self) -> Vec<(u128, &CallbackMessage)> {
        let told = self.out.effects.iter().filter_map(|effect| match effect {
            Effect::Send(Letter::Callback(id, message)) => Some((id.0, message)),
            _ => None,
        });
        told.collect()
    }

    fn revoked(&self) -> Vec<(u128, RevokeReason)> {
        let told = self.told().into_iter().filter_map(|(id, message)| match message {
            CallbackMessage::RevokeOffer { reason, .. } => Some((id, *reason)),
            _ => None,
        });
        told.collect()
    }

    /// What the router is told, if anything is new.
    fn report(&self) -> Option<&AgentReport> {
        self.out.effects.iter().find_map(|effect| match effect {
            Effect::Send(Letter::Router(RouterMessage::PutAgent(report))) => Some(&**report),
            _ => None,
        })
    }

    fn view(&self) -> Option<&AgentView> {
        self.out.effects.iter().find_map(|effect| match effect {
            Effect::PublishAgent(_, view) => view.as_deref(),
            _ => None,
        })
    }

    /// The timers that the scheduler was told by the last step, if they are new.
    fn timers(&self) -> Option<(Option<Timestamp>, Option<Timestamp>)> {
        self.out.effects.iter().find_map(|effect| match effect {
            Effect::Send(Letter::Scheduler(SchedulerMessage::SetTimer {
                machine: Machine::Agent(_),
                wall,
                steady,
            })) => Some((*wall, *steady)),
            _ => None,
        })
    }

    fn answer(&self) -> Result<&Answer, &Refusal> {
        let answer = self.out.effects.iter().find_map(|effect| match effect {
            Effect::Answer { result, .. } => Some((**result).as_ref()),
            _ => None,
        });
        answer.expect("a command is answered")
    }
}

fn callback(id: u128) -> CallbackId {
    CallbackId(id)
}
