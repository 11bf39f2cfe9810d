//! A queue's actor: its machine, and a copy of its line to make it anew from.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

use actix::{Actor, ActorContext as _, Addr, AsyncContext as _, Context, Handler, Message};

use super::door::Cause;
use super::figures::Line;
use super::office::Office;
use super::ports::StoreError;
use super::shell::{Envelope, Rebuilt, Shell, post};
use crate::domain::effect::{Change, Effect, StepOutput};
use crate::domain::ids::{CallbackId, QueueId};
use crate::domain::machines::queue::QueueMachine;
use crate::domain::message::{CallbackMessage, Letter, Place, QueueMessage, RouterMessage, Token};
use crate::domain::queue::Queue;
use crate::domain::refusal::Refusal;
use crate::domain::slots::{Bookings, Seat};
use crate::domain::time::Now;

/// Dormant callbacks are counted up to here: enough to say that a queue is in use.
const COUNT_UP_TO: usize = 1_000;

/// The actor of one queue.
pub(crate) struct QueueActor {
    office: Rc<Office>,
    id: QueueId,
    shell: Shell<QueueDesk>,
    /// Where its line is shown to other threads.
    line: Arc<Line>,
}

/// Remove the queue, once its dormant callbacks are counted.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct BeginRemoval {
    /// Marks the command.
    pub(crate) token: Token,
    /// The version that it is meant for.
    pub(crate) if_match: Option<u64>,
    /// Nothing comes in from now on; false: something is on its way in.
    pub(crate) begun: bool,
    /// The command's permit.
    pub(crate) cause: Arc<Cause>,
}

/// The queue's dormant callbacks are counted, or can't be.
#[derive(Message)]
#[rtype(result = "()")]
struct Counted {
    removal: BeginRemoval,
    dormant: Result<usize, StoreError>,
}

impl QueueActor {
    /// Starts the actor of a queue that is about to be made.
    pub(crate) fn begin(office: Rc<Office>, id: QueueId) -> Addr<Self> {
        let desk = QueueDesk::new(id.clone(), office.version_base());
        let shell = Shell::new(Rc::clone(&office), Box::new(desk));
        Self::up(office, id, shell)
    }

    fn up(office: Rc<Office>, id: QueueId, shell: Shell<QueueDesk>) -> Addr<Self> {
        let line = office.shared.gauges.line(&id);
        let actor = Self { office, id, shell, line };
        actor.show_line();
        actor.start()
    }

    /// Starts the actor of a known queue in recovery.
    pub(crate) fn recovered(office: Rc<Office>, queue: &Arc<Queue>, seats: Bookings) -> Addr<Self> {
        let id = queue.settings.id.clone();
        let agents = office.known.borrow().agents_of(&id);
        let machine = QueueMachine::restore(Arc::clone(queue)).with_seats(seats.clone(), agents);
        let newest = Some(Arc::clone(queue));
        let desk = QueueDesk { machine, newest, seats, agents, ..QueueDesk::new(id.clone(), 0) };
        let shell = Shell::recovered(Rc::clone(&office), Box::new(desk));
        Self::up(office, id, shell)
    }

    fn take(&mut self, envelope: Envelope<QueueMessage>, ctx: &mut Context<Self>) {
        let let_go = self.shell.take(envelope);
        if !self.shell.is_set_aside() {
            self.show_line();
        }
        if let_go && self.office.directory.queues.forget_if_idle(&self.id) {
            self.office.shared.gauges.no_line(&self.id);
            ctx.stop();
        }
    }

    fn show_line(&self) {
        let desk = &self.shell.machine;
        let stats = desk.machine.stats();
        self.line.show(&stats);
        // One that was removed, or isn't made yet, has no line to be watched.
        if desk.newest.is_some() {
            self.office.note_demand(&self.id, &stats);
        }
    }

    /// With work in line the machine refuses anyway. Without, nothing can become dormant while
    /// the store counts: nothing is live, and nothing comes in.
    fn count(&self, removal: BeginRemoval, ctx: &Context<Self>) {
        let (office, id, actor) = (Rc::clone(&self.office), self.id.clone(), ctx.address());
        self.office.spawn(async move {
            let dormant = office.library.count_open(id, COUNT_UP_TO).await;
            post(&actor, Counted { removal, dormant });
        });
    }

    fn remove(&mut self, removal: BeginRemoval, dormant: u64, ctx: &mut Context<Self>) {
        let BeginRemoval { token, if_match, begun: _, cause } = removal;
        let message = QueueMessage::Remove { token, if_match, dormant };
        self.take(Envelope { message, cause: Some(cause) }, ctx);
    }

    fn refuse(&self, removal: &BeginRemoval, refusal: Refusal) {
        removal.cause.answered(removal.token);
        self.office.refuse(removal.token, refusal);
    }
}

impl Actor for QueueActor {
    type Context = Context<Self>;
}

impl Handler<Envelope<QueueMessage>> for QueueActor {
    type Result = ();

    fn handle(&mut self, envelope: Envelope<QueueMessage>, ctx: &mut Self::Context) {
        let office = Rc::clone(&self.office);
        office.watch(|| {
            office.queue_arrived(&self.id);
            self.take(envelope, ctx);
        });
    }
}

impl Handler<BeginRemoval> for QueueActor {
    type Result = ();

    fn handle(&mut self, removal: BeginRemoval, ctx: &mut Self::Context) {
        let office = Rc::clone(&self.office);
        office.watch(|| {
            office.queue_arrived(&self.id);
            if !removal.begun {
                let text = "callbacks are on their way there; try again when they have ended";
                self.refuse(&removal, Refusal::InUse(text.to_owned()));
            } else if self.shell.machine.line.is_empty() {
                self.count(removal, ctx);
            } else {
                self.remove(removal, 0, ctx);
            }
        });
    }
}

impl Handler<Counted> for QueueActor {
    type Result = ();

    fn handle(&mut self, Counted { removal, dormant }: Counted, ctx: &mut Self::Context) {
        let office = Rc::clone(&self.office);
        office.watch(|| match dormant {
            Ok(dormant) => self.remove(removal, dormant as u64, ctx),
            Err(error) => {
                tracing::warn!(error = %error, queue = %self.id, "its callbacks can't be counted");
                self.refuse(&removal, Refusal::Unavailable);
            }
        });
    }
}

/// A queue's machine, with what it takes to make it anew.
struct QueueDesk {
    id: QueueId,
    machine: QueueMachine,
    /// As it wrote itself last.
    newest: Option<Arc<Queue>>,
    /// What callbacks have told of themselves, and the version of the queue that they know: the
    /// queue's record doesn't have it.
    line: BTreeMap<CallbackId, (Option<Place>, u64)>,
    /// The seats taken: by what callbacks have told, and by what good steps have kept for them.
    seats: Bookings,
    /// Agents who serve it, as told last.
    agents: u32,
}

impl QueueDesk {
    fn new(id: QueueId, versions_after: u64) -> Self {
        let machine = QueueMachine::new(id.clone(), versions_after);
        let (line, seats) = (BTreeMap::new(), Bookings::default());
        Self { id, machine, newest: None, line, seats, agents: 0 }
    }
}

impl Rebuilt for QueueDesk {
    type Message = QueueMessage;

    const KIND: &'static str = "queue";

    fn name(&self) -> String {
        self.id.to_string()
    }

    fn note(&mut self, message: &QueueMessage) -> Vec<Letter> {
        match message {
            QueueMessage::Join { callback, place, version } => {
                self.line.insert(*callback, (*place, *version));
            }
            QueueMessage::Leave { callback } => {
                self.line.remove(callback);
            }
            QueueMessage::TakeSeat(seat) => self.seats.take(*seat),
            QueueMessage::FreeSeat(seat) => {
                if !self.seats.free(*seat) {
                    tracing::error!(queue = %self.id, "a seat that nobody has was given back");
                }
            }
            QueueMessage::Reserve(reserve) => {
                // Whoever asked must hear that there is no answer.
                let (token, result) = (reserve.token, Err(Refusal::Internal));
                let message = CallbackMessage::Reserved { token, result };
                return vec![Letter::Callback(reserve.callback, message)];
            }
            QueueMessage::Staff { agents } => self.agents = *agents,
            QueueMessage::Create(_)
            | QueueMessage::Put { .. }
            | QueueMessage::Remove { .. }
            | QueueMessage::Pause { .. }
            | QueueMessage::Resume { .. }
            | QueueMessage::Stats { .. }
            | QueueMessage::Availability(_)
            | QueueMessage::Seen(_)
            | QueueMessage::Recall(_)
            | QueueMessage::Slots { .. }
            | QueueMessage::Rechecked { .. }
            | QueueMessage::Position { .. }
            | QueueMessage::Wake => {}
        }
        Vec::new()
    }

    fn step(&mut self, now: &Now, message: QueueMessage, out: &mut StepOutput) {
        self.machine.step(now, message, out);
    }

    fn learn(&mut self, out: &StepOutput) {
        for change in &out.changes {
            match change {
                Change::Queue(queue) => self.newest = Some(Arc::clone(queue)),
                Change::QueueRemoved(_) => self.newest = None,
                Change::Callback { .. }
                | Change::Request { .. }
                | Change::Interaction { .. }
                | Change::Denied(..)
                | Change::Key(..)
                | Change::Agent(_)
                | Change::AgentRemoved(_)
                | Change::Webhook(_)
                | Change::Measured(_)
                | Change::Outbox(_) => {}
            }
        }
        for effect in &out.effects {
            let Effect::Send(Letter::Callback(_, message)) = effect else { continue };
            if let CallbackMessage::Create { create, .. } = message {
                let start = create.wish.booking.as_ref().map(|booking| booking.start);
                self.seats.take(Seat { medium: create.wish.medium, start });
            }
            if let CallbackMessage::Reserved { result: Ok(seated), .. } = message {
                self.seats.take(seated.seat);
            }
        }
    }

    fn recover(&mut self, now: &Now, out: &mut StepOutput) {
        self.machine.recover(now, out);
    }

    fn rebuild(&mut self, office: &Office, now: &Now, out: &mut StepOutput) {
        // Only statistics: as good as they were before the step that panicked.
        let waits = self.machine.take_waits();
        let machine = match &self.newest {
            Some(newest) => QueueMachine::restore(Arc::clone(newest)),
            None => QueueMachine::new(self.id.clone(), office.version_base()),
        };
        self.machine = machine.with_seats(self.seats.clone(), self.agents).with_waits(waits);
        self.machine.recover(now, out);
        for (callback, (place, version)) in &self.line {
            let (callback, place, version) = (*callback, *place, *version);
            self.machine.step(now, QueueMessage::Join { callback, place, version }, out);
        }
    }

    fn farewell(&self) -> Vec<Letter> {
        vec![Letter::Router(RouterMessage::RemoveQueue(self.id.clone()))]
    }

    fn may_go(&self, _let_go: bool) -> bool {
        self.newest.is_none()
    }
}
