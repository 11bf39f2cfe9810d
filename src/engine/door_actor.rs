//! Takes commands off other threads' hands, on the workspace's thread.

use std::rc::Rc;

use actix::{Actor, Context, Handler, Message};
use tokio::sync::{OwnedSemaphorePermit, oneshot};

use super::answers::{CommandResult, Reply};
use super::ask::Ask;
use super::entry::Keyed;
use super::handle::{SessionOutlet, ToSession};
use super::office::Office;
use crate::domain::agent::{Presence, PresenceBy};
use crate::domain::ids::{AgentId, CallbackId, OfferId, SessionId};
use crate::domain::message::{Action, Who};
use crate::domain::refusal::Refusal;

/// The actor at the door.
pub(crate) struct DoorActor {
    office: Rc<Office>,
}

/// A command or question.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct Command {
    pub(crate) ask: Ask,
    pub(crate) keyed: Option<Keyed>,
    pub(crate) answer: oneshot::Sender<CommandResult>,
    pub(crate) permit: OwnedSemaphorePermit,
}

/// A session that wants to come up.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct Connect {
    pub(crate) agent: AgentId,
    pub(crate) outlet: Box<dyn SessionOutlet>,
    pub(crate) up: oneshot::Sender<Result<SessionId, Refusal>>,
    pub(crate) permit: OwnedSemaphorePermit,
}

/// A session's own command.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct Frame {
    pub(crate) session: SessionId,
    pub(crate) count: u64,
    pub(crate) ask: FrameAsk,
    /// A permit, or why there is none.
    pub(crate) permit: Result<OwnedSemaphorePermit, Refusal>,
}

/// What sessions ask for.
pub(crate) enum FrameAsk {
    /// Do something to a callback.
    Act { callback: CallbackId, action: Action },
    /// Answer an offer that is known by its id alone.
    AnswerOffer { offer: OfferId, action: Action },
    /// Set presence.
    Presence { presence: Presence, reason: Option<String> },
}

/// A session is gone.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct Gone(pub(crate) SessionId);

/// A test comes to see the office.
#[cfg(test)]
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct Visit(pub(crate) Box<Visiting>);

/// What a test does in the office.
#[cfg(test)]
type Visiting = dyn FnOnce(&Rc<Office>) + Send;

impl DoorActor {
    /// The actor at the door of an office.
    pub(crate) fn new(office: Rc<Office>) -> Self {
        Self { office }
    }
}

impl Actor for DoorActor {
    type Context = Context<Self>;
}

impl Handler<Command> for DoorActor {
    type Result = ();

    fn handle(&mut self, command: Command, _ctx: &mut Self::Context) {
        let Command { ask, keyed, answer, permit } = command;
        let office = &self.office;
        office.watch(|| office.admit(ask, keyed, Reply::Caller(answer), permit));
    }
}

impl Handler<Connect> for DoorActor {
    type Result = ();

    fn handle(&mut self, connect: Connect, _ctx: &mut Self::Context) {
        let Connect { agent, outlet, up, permit } = connect;
        let office = &self.office;
        office.watch(|| {
            let session = SessionId(office.now().fresh.0);
            let ask = Ask::Connect { agent, session, outlet };
            office.admit(ask, None, Reply::Welcome { session, up }, permit);
        });
    }
}

impl Handler<Frame> for DoorActor {
    type Result = ();

    fn handle(&mut self, frame: Frame, _ctx: &mut Self::Context) {
        let office = &self.office;
        office.watch(|| office.admit_frame(frame));
    }
}

impl Handler<Gone> for DoorActor {
    type Result = ();

    fn handle(&mut self, Gone(session): Gone, _ctx: &mut Self::Context) {
        let office = &self.office;
        office.watch(|| office.session_gone(session));
    }
}

#[cfg(test)]
impl Handler<Visit> for DoorActor {
    type Result = ();

    fn handle(&mut self, Visit(visit): Visit, _ctx: &mut Self::Context) {
        let office = &self.office;
        office.watch(|| visit(office));
    }
}

impl Office {
    /// Takes a session's command in. One from a session that is gone is dropped with it.
    fn admit_frame(self: &Rc<Self>, frame: Frame) {
        let Frame { session, count, ask, permit } = frame;
        let Some(agent) = self.sessions.borrow().agent(session).cloned() else { return };
        let reply = Reply::Frame { session, frame: count };
        match (permit, self.ask_of(agent, ask)) {
            (Ok(permit), Ok(ask)) => self.admit(ask, None, reply, permit),
            (Err(refusal), _) | (_, Err(refusal)) => self.refuse_frame(reply, refusal),
        }
    }

    /// What a session's command is, in its agent's name.
    fn ask_of(&self, agent: AgentId, ask: FrameAsk) -> Result<Ask, Refusal> {
        let act = |callback, action| {
            let who = Who::Agent(agent.clone());
            Ask::Act { callback, who, action, if_match: None }
        };
        match ask {
            FrameAsk::Act { callback, action } => Ok(act(callback, action)),
            FrameAsk::AnswerOffer { offer, action } => {
                let callback = self.sessions.borrow().offered(&agent, offer);
                callback.map(|id| act(id, action)).ok_or(Refusal::OfferNotPending)
            }
            FrameAsk::Presence { presence, reason } => {
                let by = PresenceBy::Agent;
                Ok(Ask::SetPresence { id: agent, by, presence, reason })
            }
        }
    }

    /// Refuses in the session's order: behind what is held already, or at once during a stall,
    /// when everything before it was refused at once too.
    fn refuse_frame(self: &Rc<Self>, reply: Reply, refusal: Refusal) {
        let stalled = self.shared.door.standing().stalled_since.is_some();
        if let (true, Reply::Frame { session, frame }) = (stalled, &reply) {
            let (frame, result) = (*frame, Err(refusal));
            self.sessions.borrow().put(*session, ToSession::Answer { frame, result });
            return;
        }
        let token = self.answers.borrow_mut().open(reply, None);
        self.refuse(token, refusal);
    }
}
