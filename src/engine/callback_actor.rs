//! A callback's actor: one per callback that is under way or addressed.
//!
//! A dormant callback that is addressed is read from the store first; letters wait meanwhile, and
//! nobody else does. When it sleeps or ends, its actor is let go with its machine. One that waits
//! in line rests: its machine stays in memory without an actor, until the next letter.

use std::mem;
use std::rc::Rc;
use std::sync::Arc;

use actix::{Actor, ActorContext as _, Addr, AsyncContext as _, Context, Handler, Message};

use super::door::Cause;
use super::office::Office;
use super::ports::StoreError;
use super::shell::{Envelope, Rebuilt, Shell, post};
use crate::domain::agent::RevokeReason;
use crate::domain::callback::{Callback, Phase, Snapshot};
use crate::domain::effect::{Change, Effect, StepOutput};
use crate::domain::ids::{AgentId, CallbackId, QueueId};
use crate::domain::machines::callback::CallbackMachine;
use crate::domain::message::{
    AgentMessage, CallbackMessage, Letter, OfferEnd, QueueMessage, RouterMessage, Token,
};
use crate::domain::queue::Queue;
use crate::domain::refusal::Refusal;
use crate::domain::slots::Seat;
use crate::domain::time::{Now, Span};

/// How long after a failed read the store is asked again.
const READ_AGAIN: Span = Span::millis(500);

/// The actor of one callback.
pub(crate) struct CallbackActor {
    office: Rc<Office>,
    id: CallbackId,
    state: State,
}

enum State {
    /// Its record is being read; these letters wait.
    Reading(Vec<Envelope<CallbackMessage>>),
    /// It runs.
    Running(Shell<CallbackDesk>),
}

/// A callback's record was read, or wasn't.
#[derive(Message)]
#[rtype(result = "()")]
struct Read(Result<Option<Snapshot>, StoreError>);

impl CallbackActor {
    /// Starts the actor of a callback that has none: one that rested, a new one, or one to be
    /// read.
    pub(crate) fn begin(
        office: &Rc<Office>,
        id: CallbackId,
        rested: Option<Box<CallbackDesk>>,
        created: bool,
    ) -> Addr<Self> {
        match rested {
            Some(machine) => Self::running(office, id, Shell::new(Rc::clone(office), machine)),
            None if created => {
                let shell = Shell::new(Rc::clone(office), Box::new(CallbackDesk::new(id)));
                Self::running(office, id, shell)
            }
            None => {
                let actor = Self::dormant(office, id);
                office.read_callback(id, actor.clone(), Span::ZERO);
                actor
            }
        }
    }

    fn running(office: &Rc<Office>, id: CallbackId, shell: Shell<CallbackDesk>) -> Addr<Self> {
        Self { office: Rc::clone(office), id, state: State::Running(shell) }.start()
    }

    /// Starts the actor of a callback whose record is being read: it is told by [`Read`].
    fn dormant(office: &Rc<Office>, id: CallbackId) -> Addr<Self> {
        Self { office: Rc::clone(office), id, state: State::Reading(Vec::new()) }.start()
    }

    /// Makes a live callback anew in recovery, and its actor where it doesn't rest; neither if it
    /// isn't live any more then.
    pub(crate) fn recovered(office: &Rc<Office>, callback: &Snapshot) {
        let id = callback.id;
        let desk = Box::new(CallbackDesk::of(callback, office));
        let shell = Shell::recovered(Rc::clone(office), desk);
        let callbacks = &office.directory.callbacks;
        if shell.machine.may_go(false) {
            return;
        }
        if may_rest(&shell) {
            callbacks.rest(id, shell.into_machine());
        } else {
            callbacks.insert(id, Self::running(office, id, shell));
        }
    }

    /// What there is of it is known: the letters that waited are handled, in their order.
    fn run(&mut self, shell: Shell<CallbackDesk>, ctx: &mut Context<Self>) {
        let running = State::Running(shell);
        let State::Reading(waiting) = mem::replace(&mut self.state, running) else { return };
        let mut let_go = true;
        for envelope in waiting {
            let_go = self.take(envelope);
        }
        self.leave_if(let_go, ctx);
    }

    fn take(&mut self, envelope: Envelope<CallbackMessage>) -> bool {
        match &mut self.state {
            State::Reading(waiting) => {
                waiting.push(envelope);
                false
            }
            State::Running(shell) => {
                shell.machine.know_denied(&self.office);
                if let Some(queue) = shell.machine.newer_queue(&self.office) {
                    let message = CallbackMessage::QueueChanged(queue);
                    shell.take(Envelope { message, cause: None });
                }
                let let_go = shell.take(envelope);
                if let Some((queue, version)) = shell.machine.decided.take().map(|it| *it) {
                    self.office.check_booking(self.id, &queue, version);
                }
                let_go
            }
        }
    }

    fn leave_if(&mut self, let_go: bool, ctx: &mut Context<Self>) {
        let callbacks = &self.office.directory.callbacks;
        let rests = !let_go && matches!(&self.state, State::Running(shell) if may_rest(shell));
        if (let_go || rests) && callbacks.forget_if_idle(&self.id) {
            ctx.stop();
            if rests {
                let state = mem::replace(&mut self.state, State::Reading(Vec::new()));
                if let State::Running(shell) = state {
                    callbacks.rest(self.id, shell.into_machine());
                }
            }
        }
        self.office.shared.gauges.live(callbacks.len());
    }

    /// The store can't be read: whoever asked is told, the rest waits on.
    fn refuse_commands(&mut self) {
        let State::Reading(waiting) = &mut self.state else { return };
        let mut kept = Vec::new();
        for envelope in mem::take(waiting) {
            let token = match &envelope.message {
                CallbackMessage::Command(command) => command.token,
                CallbackMessage::MeetingMade { token, .. } => *token,
                CallbackMessage::Create { .. }
                | CallbackMessage::Propose { .. }
                | CallbackMessage::Claimed { .. }
                | CallbackMessage::Reserved { .. }
                | CallbackMessage::Noted(_)
                | CallbackMessage::Recheck
                | CallbackMessage::NumberDenied(_)
                | CallbackMessage::Wake
                | CallbackMessage::RevokeOffer { .. }
                | CallbackMessage::GraceOver { .. }
                | CallbackMessage::AgentLost { .. }
                | CallbackMessage::AgentBack { .. }
                | CallbackMessage::QueueChanged(_)
                | CallbackMessage::CarryOver { .. }
                | CallbackMessage::SetUnroutable(_) => {
                    kept.push(envelope);
                    continue;
                }
            };
            if let Some(cause) = &envelope.cause {
                cause.answered(token);
            }
            self.office.refuse(token, Refusal::Unavailable);
        }
        *waiting = kept;
    }
}

impl Actor for CallbackActor {
    type Context = Context<Self>;
}

impl Office {
    /// Reads a callback's record for its actor.
    fn read_callback(self: &Rc<Self>, id: CallbackId, actor: Addr<CallbackActor>, after: Span) {
        let office = Rc::clone(self);
        self.spawn(async move {
            if after > Span::ZERO {
                office.shared.clock.wait(after).await;
            }
            post(&actor, Read(office.library.callback(id).await));
        });
    }

    /// Wakes dormant callbacks, each with the permit of its own. Their records are read together:
    /// a read is a hop to another thread and back, which costs more than the row.
    pub(crate) fn wake_dormant(self: &Rc<Self>, due: Vec<(CallbackId, Option<Arc<Cause>>)>) {
        if due.is_empty() {
            return;
        }
        let start = |(id, cause)| {
            let mut reads = None;
            let start = |rested: Option<_>| match rested {
                Some(_) => CallbackActor::begin(self, id, rested, false),
                None => reads.insert(CallbackActor::dormant(self, id)).clone(),
            };
            let post = |actor: &Addr<_>| self.send(actor, CallbackMessage::Wake, cause);
            self.directory.callbacks.post(&id, start, post);
            reads.map(|actor| (id, actor))
        };
        let actors: Vec<_> = due.into_iter().filter_map(start).collect();
        let office = Rc::clone(self);
        self.spawn(async move {
            let ids = actors.iter().map(|(id, _)| *id).collect();
            let Ok(found) = office.library.callbacks(ids).await else {
                // Each finds out for itself whether it is the one that can't be read.
                for (id, actor) in actors {
                    office.read_callback(id, actor, Span::ZERO);
                }
                return;
            };
            // Those that are there, in the order in which they were asked for.
            let mut found = found.into_iter().peekable();
            for (id, actor) in actors {
                post(&actor, Read(Ok(found.next_if(|callback| callback.id == id))));
            }
        });
    }
}

impl Handler<Envelope<CallbackMessage>> for CallbackActor {
    type Result = ();

    fn handle(&mut self, envelope: Envelope<CallbackMessage>, ctx: &mut Self::Context) {
        let office = Rc::clone(&self.office);
        office.watch(|| {
            office.callback_arrived(&self.id);
            let let_go = self.take(envelope);
            self.leave_if(let_go, ctx);
        });
    }
}

impl Handler<Read> for CallbackActor {
    type Result = ();

    fn handle(&mut self, Read(found): Read, ctx: &mut Self::Context) {
        let office = Rc::clone(&self.office);
        let shell = |desk| Shell::new(Rc::clone(&office), Box::new(desk));
        office.watch(|| match found {
            Ok(Some(callback)) => self.run(shell(CallbackDesk::of(&callback, &office)), ctx),
            Ok(None) => self.run(shell(CallbackDesk::new(self.id)), ctx),
            Err(error @ StoreError::Damaged { .. }) => {
                tracing::error!(error = %error, callback = %self.id, "a callback is damaged");
                let mut shell = shell(CallbackDesk::new(self.id));
                shell.put_aside();
                self.run(shell, ctx);
            }
            Err(error) => {
                tracing::warn!(error = %error, callback = %self.id, "a callback can't be read");
                self.refuse_commands();
                office.read_callback(self.id, ctx.address(), READ_AGAIN);
            }
        });
    }
}

/// Whether it may do without an actor until the next letter: it waits in line, which mostly takes
/// minutes, and owes nobody anything.
fn may_rest(shell: &Shell<CallbackDesk>) -> bool {
    shell.is_sound() && shell.machine.waits_in_line()
}

/// A callback's machine, with what it takes to make it anew.
pub(crate) struct CallbackDesk {
    id: CallbackId,
    machine: CallbackMachine,
    /// As it wrote itself last.
    newest: Option<Snapshot>,
    /// What it has asked of others; few have, so it is boxed.
    asked: Option<Box<Asked>>,
    /// The queue, and its record's version, by which a time to wait for was decided in the last
    /// step.
    decided: Option<Box<(QueueId, u64)>>,
}

/// What a callback has asked of others, and hasn't been answered yet.
#[derive(Default)]
struct Asked {
    /// Agents asked of the router, by the command that asked.
    claims: Vec<(Token, AgentId)>,
    /// Claims of a machine that was made anew since.
    orphans: Vec<(Token, AgentId)>,
    /// Questions to a queue for a seat, by the command that asked. A seat that comes to a machine
    /// made anew since is given back by it.
    reserving: Vec<Option<Token>>,
}

impl CallbackDesk {
    fn new(id: CallbackId) -> Self {
        Self { id, machine: CallbackMachine::new(id), newest: None, asked: None, decided: None }
    }

    fn waits_in_line(&self) -> bool {
        let queued = |newest: &Snapshot| matches!(newest.phase, Phase::Queued { .. });
        self.newest.as_ref().is_some_and(queued) && self.asked.is_none()
    }

    /// Takes out what was asked by this command.
    fn answered(
        &mut self,
        from: impl FnOnce(&mut Asked) -> &mut Vec<(Token, AgentId)>,
        token: Token,
    ) -> Option<AgentId> {
        let asked = self.asked.as_mut()?;
        let claims = from(asked);
        let place = claims.iter().position(|(claim, _)| *claim == token)?;
        let (_, agent) = claims.remove(place);
        self.forget_answered();
        Some(agent)
    }

    fn forget_answered(&mut self) {
        self.asked.take_if(|asked| {
            asked.claims.is_empty() && asked.orphans.is_empty() && asked.reserving.is_empty()
        });
    }

    fn of(callback: &Snapshot, office: &Office) -> Self {
        let now = office.now();
        // Here, so that the machine has no copy of its own.
        let newest = Callback::rebased(callback, &now);
        let machine = restored(&newest, office, &now);
        Self { machine, newest: Some(newest), ..Self::new(callback.id) }
    }

    /// The deny list holds from its entry on: an offer that was proposed before isn't made any
    /// more, although the letter that tells of the denial is behind it.
    fn know_denied(&mut self, office: &Office) {
        let known = office.known.borrow();
        if let Some(newest) = &self.newest {
            self.machine.know_denied(known.is_denied(newest.reach.phone.as_ref()));
        }
    }

    /// Its queue, where that is another than the one it works by: of a long line all are told, but
    /// some time later, and nobody decides by the old one meanwhile.
    fn newer_queue(&self, office: &Office) -> Option<Arc<Queue>> {
        let callback = self.machine.callback()?;
        let newest = office.known.borrow().queue_of(&callback.queue);
        (!self.machine.works_by(&newest)).then_some(newest)
    }

    fn release(&self, agent: AgentId) -> Letter {
        Letter::Router(RouterMessage::Release { callback: self.id, agent })
    }
}

impl Rebuilt for CallbackDesk {
    type Message = CallbackMessage;

    const KIND: &'static str = "callback";

    fn name(&self) -> String {
        self.id.to_string()
    }

    fn note(&mut self, message: &CallbackMessage) -> Vec<Letter> {
        match message {
            CallbackMessage::Propose { agent } => vec![self.release(agent.clone())],
            CallbackMessage::Create { create, queue, position } => {
                // What stands in line is told of another version when it joins.
                let decided = || Box::new((queue.settings.id.clone(), queue.version));
                self.decided = position.is_none().then(decided);
                // The queue has given it a place in line, and a seat.
                let leave = QueueMessage::Leave { callback: self.id };
                let wish = &create.wish;
                let start = wish.booking.as_ref().map(|booking| booking.start);
                let free = QueueMessage::FreeSeat(Seat { medium: wish.medium, start });
                [leave, free].map(|message| Letter::Queue(wish.queue.clone(), message)).into()
            }
            CallbackMessage::Claimed { token, result } => {
                match (self.answered(|asked| &mut asked.claims, *token), result) {
                    (Some(agent), Ok(())) => vec![self.release(agent)],
                    (Some(_) | None, _) => Vec::new(),
                }
            }
            CallbackMessage::Reserved { token, result } => {
                if let Some(asked) = &mut self.asked {
                    asked.reserving.retain(|one| one != token);
                }
                self.forget_answered();
                let seated = result.as_ref().ok();
                let decided = seated.map(|seated| (seated.queue.clone(), seated.version));
                self.decided = decided.map(Box::new);
                let kept = result.as_ref().map(|seated| {
                    Letter::Queue(seated.queue.clone(), QueueMessage::FreeSeat(seated.seat))
                });
                kept.into_iter().collect()
            }
            CallbackMessage::Command(_)
            | CallbackMessage::MeetingMade { .. }
            | CallbackMessage::Wake
            | CallbackMessage::RevokeOffer { .. }
            | CallbackMessage::GraceOver { .. }
            | CallbackMessage::AgentLost { .. }
            | CallbackMessage::AgentBack { .. }
            | CallbackMessage::QueueChanged(_)
            | CallbackMessage::Recheck
            | CallbackMessage::Noted(_)
            | CallbackMessage::CarryOver { .. }
            | CallbackMessage::NumberDenied(_)
            | CallbackMessage::SetUnroutable(_) => Vec::new(),
        }
    }

    fn step(&mut self, now: &Now, message: CallbackMessage, out: &mut StepOutput) {
        if let CallbackMessage::Claimed { token, result } = &message
            && let Some(agent) = self.answered(|asked| &mut asked.orphans, *token)
            && result.is_ok()
        {
            // Whoever asked was answered when the machine panicked, and the router has stopped
            // looking for others: the agent is as good as proposed.
            self.machine.step(now, CallbackMessage::Propose { agent }, out);
            return;
        }
        self.machine.step(now, message, out);
    }

    fn learn(&mut self, out: &StepOutput) {
        for change in &out.changes {
            if let Change::Callback { after, .. } = change {
                self.newest = Some(Arc::clone(after));
            }
        }
        for effect in &out.effects {
            let Effect::Send(letter) = effect else { continue };
            if let Letter::Router(RouterMessage::Claim(claim)) = letter {
                let asked = self.asked.get_or_insert_default();
                asked.claims.push((claim.token, claim.agent.clone()));
            }
            if let Letter::Queue(_, QueueMessage::Reserve(reserve)) = letter {
                self.asked.get_or_insert_default().reserving.push(reserve.token);
            }
        }
    }

    fn recover(&mut self, now: &Now, out: &mut StepOutput) {
        self.machine.recover(now, out);
    }

    fn rebuild(&mut self, office: &Office, now: &Now, out: &mut StepOutput) {
        if let Some(asked) = self.asked.as_deref_mut() {
            asked.orphans.append(&mut asked.claims);
        }
        let Some(newest) = &self.newest else {
            self.machine = CallbackMachine::new(self.id);
            return;
        };
        self.machine = restored(newest, office, now);
        if !newest.state().is_live() {
            return;
        }
        self.machine.recover(now, out);
        // The router has the agent's hold already, and counts them.
        out.effects.retain(|effect| {
            !matches!(effect, Effect::Send(Letter::Router(RouterMessage::Hold { .. })))
        });
        if let Phase::Offered { offer, .. } = &newest.phase {
            let end = OfferEnd::Revoked(RevokeReason::Restarted);
            let (callback, offer, agent) = (self.id, offer.id, offer.agent.clone());
            out.send(Letter::Agent(agent, AgentMessage::OfferEnded { callback, offer, end }));
        }
    }

    fn farewell(&self) -> Vec<Letter> {
        vec![Letter::Router(RouterMessage::Withdraw(self.id))]
    }

    fn may_go(&self, let_go: bool) -> bool {
        let idle = let_go || self.newest.as_ref().is_none_or(|newest| !newest.state().is_live());
        // The answer to a claim must find the one who asked.
        idle && self.asked.is_none()
    }
}

/// A machine made from its record, by what is known now.
fn restored(callback: &Snapshot, office: &Office, now: &Now) -> CallbackMachine {
    let known = office.known.borrow();
    let queue = known.queue_of(&callback.queue);
    let mut machine = CallbackMachine::restore(callback, queue, now);
    machine.know_denied(known.is_denied(callback.reach.phone.as_ref()));
    machine
}
