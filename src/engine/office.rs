//! What a workspace's actors share, on its one thread; and how a step's output is carried out.
//!
//! Here the order is kept that everything rests on: a step's changes go to the journal first,
//! then its letters leave at once, and what leaves the process is held behind the entry. Nothing
//! here decides anything about a callback, and nothing waits: reads are futures of their own.

use std::cell::{Cell, OnceCell, RefCell};
use std::collections::BTreeSet;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::Arc;

use actix::Addr;
use futures_util::FutureExt as _;
use tokio::sync::mpsc;

use super::agent_actor::AgentActor;
use super::answers::Answers;
use super::callback_actor::CallbackActor;
use super::directory::Directory;
use super::door::Cause;
use super::entry::{Entry, Kept, Secret};
use super::intake::Intake;
use super::journal::Journal;
use super::known::Known;
use super::library::Library;
use super::life::Fault;
use super::line_notices::LineNotices;
use super::measures::SharedLedger;
use super::outbox::OutboxDesk;
use super::outputs::{CommandAnswer, Output};
use super::outward::Outward;
use super::queue_actor::QueueActor;
use super::router_actor::RouterActor;
use super::scheduler_actor::SchedulerActor;
use super::served::Served;
use super::sessions::Sessions;
use super::shared::Shared;
use super::shell::{Envelope, post};
use crate::domain::denied::Denied;
use crate::domain::dispatch::{Carrier, OutboxChange};
use crate::domain::effect::{Answer, Change, Effect, StepOutput};
use crate::domain::event::Event;
use crate::domain::ids::{AgentId, CallbackId, QueueId};
use crate::domain::message::{AgentMessage, CallbackMessage, Letter, QueueMessage, Token};
use crate::domain::phone::PhoneNumber;
use crate::domain::refusal::Refusal;
use crate::domain::time::{Now, Timestamp};

/// The actors of which there is one.
pub(crate) struct Singles {
    /// Decides who gets what.
    pub(crate) router: Addr<RouterActor>,
    /// Wakes machines, and dormant callbacks when they are due.
    pub(crate) scheduler: Addr<SchedulerActor>,
}

/// What the actors of a workspace share.
pub(crate) struct Office {
    /// What other threads see too.
    pub(crate) shared: Arc<Shared>,
    /// Reads rows of the store, and those on their way there.
    pub(crate) library: Arc<dyn Library>,
    /// Where the actors are.
    pub(crate) directory: Directory,
    /// Settings as they are now, durable or not.
    pub(crate) known: RefCell<Known>,
    /// Sessions that are up.
    pub(crate) sessions: RefCell<Sessions>,
    /// Commands under way.
    pub(crate) answers: RefCell<Answers>,
    /// Commands that wait for their facts.
    pub(crate) intake: RefCell<Intake>,
    /// What goes out: who is being served, whom to wake.
    pub(crate) outbox: OutboxDesk,
    /// Who carries that out.
    pub(crate) outward: Outward,
    /// Commands that became several.
    pub(crate) served: RefCell<Served>,
    /// What sessions were told of queues' lines.
    pub(crate) line_notices: RefCell<LineNotices>,
    /// Queues whose bookings are being looked at again.
    pub(super) rechecking: RefCell<BTreeSet<QueueId>>,
    /// The zone rules by which all bookings were looked at, as this life found them.
    pub(super) zone_rules: Cell<Option<u64>>,
    /// What is measured.
    pub(super) ledger: SharedLedger,
    /// Nothing is offered any more.
    pub(crate) draining: Cell<bool>,
    /// Where commands are told that nobody answered.
    pub(crate) unanswered: mpsc::UnboundedSender<Token>,
    /// None once it is being closed: then nothing is written and nothing leaves any more.
    pub(super) journal: RefCell<Option<Journal<Output>>>,
    /// Set once, before the first letter: their actors need the office.
    pub(crate) singles: OnceCell<Singles>,
    ending: mpsc::UnboundedSender<Fault>,
}

/// What a step wants that only its own actor can do.
#[derive(Debug, Default)]
pub(crate) struct Todo {
    /// It may be let go.
    pub(crate) let_go: bool,
    /// A read of the due order.
    pub(crate) read: Option<DueRead>,
    /// The alarm, by wall and steady clock.
    pub(crate) alarm: Option<(Option<Timestamp>, Option<Timestamp>)>,
}

/// A read of the due order.
#[derive(Debug, Clone, Copy)]
pub(crate) struct DueRead {
    /// Which read it is, for its answer.
    pub(crate) read: u64,
    /// Those behind this one in order of due time and id; `None` from the beginning.
    pub(crate) after: Option<(Timestamp, CallbackId)>,
    /// Those due by then, this instant included.
    pub(crate) until: Timestamp,
    /// At most so many.
    pub(crate) limit: usize,
}

/// What an office is made of.
pub(crate) struct Fittings {
    pub(crate) shared: Arc<Shared>,
    pub(crate) library: Arc<dyn Library>,
    pub(crate) journal: Journal<Output>,
    pub(crate) intake: Intake,
    pub(crate) ledger: SharedLedger,
    pub(crate) outward: Outward,
    pub(crate) unanswered: mpsc::UnboundedSender<Token>,
    pub(crate) ending: mpsc::UnboundedSender<Fault>,
}

impl Office {
    /// An office in which nobody is yet.
    pub(crate) fn new(fittings: Fittings) -> Self {
        let Fittings { shared, library, journal, intake, ledger, outward, unanswered, ending } =
            fittings;
        Self {
            shared,
            library,
            directory: Directory::default(),
            known: RefCell::default(),
            sessions: RefCell::default(),
            answers: RefCell::default(),
            intake: RefCell::new(intake),
            outbox: OutboxDesk::new(journal.newest()),
            outward,
            served: RefCell::default(),
            line_notices: RefCell::default(),
            rechecking: RefCell::default(),
            zone_rules: Cell::new(None),
            ledger,
            draining: Cell::new(false),
            unanswered,
            journal: RefCell::new(Some(journal)),
            singles: OnceCell::new(),
            ending,
        }
    }

    /// The time, for one step.
    pub(crate) fn now(&self) -> Now {
        self.shared.clock.now()
    }

    /// Does what a step's output says, in the one order that is right.
    pub(crate) fn carry_out(
        self: &Rc<Self>,
        now: &Now,
        out: StepOutput,
        cause: Option<&Arc<Cause>>,
    ) -> Todo {
        let StepOutput { mut changes, events, effects } = out;
        let mut todo = Todo::default();
        let mut letters = Vec::new();
        let mut kept = Vec::new();
        let mut answered = Vec::new();
        // Readers see a thing before its command is answered, and a command is answered before
        // the notices that it caused.
        let (mut shown, mut answers, mut notices) = (Vec::new(), Vec::new(), Vec::new());
        for effect in effects {
            match effect {
                Effect::Send(letter) => letters.push(letter),
                Effect::Answer { token, result } => {
                    let Some((token, result)) = self.whole(token, result) else { continue };
                    if let Some(cause) = cause {
                        cause.answered(token);
                    }
                    kept.extend(self.answer_made(token, &result, now.wall));
                    answered.push(token);
                    let result = CommandAnswer::Made(result);
                    answers.push(Output::Answer { token, result });
                }
                Effect::Notify { sessions, notice } => {
                    notices.push(Output::Notify { sessions, notice });
                }
                Effect::CloseSessions { sessions } => {
                    notices.push(Output::CloseSessions { sessions });
                }
                Effect::PublishAgent(id, view) => shown.push(Output::PublishAgent(id, view)),
                Effect::PublishQueue(id, queue) => shown.push(Output::PublishQueue(id, queue)),
                Effect::LetGo => todo.let_go = true,
                Effect::ReadDue { read, after, until, limit } => {
                    todo.read = Some(DueRead { read, after, until, limit });
                }
                Effect::SetAlarm { wall, steady } => todo.alarm = Some((wall, steady)),
            }
        }
        let timers = self.known.borrow_mut().learn(&changes);
        self.recheck_changed(&changes);
        self.intake.borrow_mut().contacts.learn(&changes);
        let going_out = self.keep_out(&mut changes);
        self.write(now.wall, changes, events, kept);
        for output in going_out.into_iter().map(Output::GoesOut) {
            self.hold(output);
        }
        for output in shown.into_iter().chain(answers).chain(notices) {
            self.hold(output);
        }
        for letter in letters.into_iter().chain(timers) {
            self.deliver(letter, cause.cloned());
        }
        for token in answered {
            self.next_in_line(token);
        }
        todo
    }

    /// Keeps out what nobody carries out here, and says who has something to do.
    fn keep_out(&self, changes: &mut Vec<Change>) -> BTreeSet<Carrier> {
        let mut going_out = BTreeSet::new();
        changes.retain(|change| {
            let Change::Outbox(change) = change else { return true };
            let carrier = match &**change {
                OutboxChange::New(dispatch) if !self.outward.has(dispatch.carrier()) => {
                    return false;
                }
                OutboxChange::New(dispatch) => Some(dispatch.carrier()),
                OutboxChange::Again { item, .. } => {
                    item.as_ref().map(|item| item.dispatch.carrier())
                }
                OutboxChange::Later { .. }
                | OutboxChange::Done(_)
                | OutboxChange::GivenUp { .. }
                | OutboxChange::Failed(_) => None,
            };
            self.shared.gauges.outbox.took(change);
            going_out.extend(carrier);
            true
        });
        going_out
    }

    /// Hands a step's changes and events to the journal, as one entry, with what is kept of its
    /// answer; a step that answers two commands keeps the second in an entry of its own.
    pub(super) fn write(
        &self,
        at: Timestamp,
        mut changes: Vec<Change>,
        events: Vec<Event>,
        kept: Vec<Kept>,
    ) {
        let mut kept = kept.into_iter();
        let first = kept.next();
        if changes.is_empty() && events.is_empty() && first.is_none() {
            return;
        }
        let mut journal = self.journal.borrow_mut();
        let Some(journal) = journal.as_mut() else { return };
        self.shared.gauges.steps.took(&changes, &events);
        let measured = self.measure(at, &changes, &events);
        changes.extend(measured);
        journal.take(Entry { at, changes, events, kept: first, secret: None });
        for kept in kept {
            let (changes, events, kept) = (Vec::new(), Vec::new(), Some(kept));
            journal.take(Entry { at, changes, events, kept, secret: None });
        }
        self.shared.gauges.taken(journal.newest());
    }

    /// Writes down that a number is on the deny list, or isn't any more.
    pub(super) fn write_denied(&self, phone: PhoneNumber, denied: Option<Arc<Denied>>) {
        let changes = vec![Change::Denied(phone, denied)];
        self.known.borrow_mut().learn(&changes);
        self.write(self.shared.clock.wall(), changes, Vec::new(), Vec::new());
    }

    /// Writes down the secret that the workspace has made for itself.
    pub(crate) fn write_secret(&self, secret: Secret) {
        let mut journal = self.journal.borrow_mut();
        let Some(journal) = journal.as_mut() else { return };
        let (at, secret) = (self.shared.clock.wall(), Some(secret));
        journal.take(Entry { at, changes: Vec::new(), events: Vec::new(), kept: None, secret });
    }

    /// An answer was made: returns what is kept of it.
    fn answer_made(
        &self,
        token: Token,
        result: &Result<Answer, Refusal>,
        at: Timestamp,
    ) -> Option<Kept> {
        let mut answers = self.answers.borrow_mut();
        let pending = answers.of(token)?;
        let kept = pending.make(result, at);
        let (into, removes) = (pending.into.take(), pending.removes.take());
        let mut known = self.known.borrow_mut();
        if let Some(queue) = into {
            known.arrived(&queue);
        }
        if let Some(queue) = removes {
            known.removal_over(&queue);
        }
        kept
    }

    /// Answers a command without a step.
    pub(crate) fn answer(self: &Rc<Self>, token: Token, result: CommandAnswer) {
        let (token, result) = match result {
            CommandAnswer::Made(made) => match self.whole(token, made) {
                Some((token, made)) => (token, CommandAnswer::Made(made)),
                None => return,
            },
            given @ (CommandAnswer::Replayed(_) | CommandAnswer::KeyReused) => (token, given),
        };
        if let CommandAnswer::Made(made) = &result {
            let at = self.shared.clock.wall();
            let kept = self.answer_made(token, made, at);
            self.write(at, Vec::new(), Vec::new(), kept.into_iter().collect());
        } else if let Some(pending) = self.answers.borrow_mut().of(token) {
            pending.made = true;
        }
        self.hold(Output::Answer { token, result });
        self.next_in_line(token);
    }

    /// Refuses a command without a step.
    pub(crate) fn refuse(self: &Rc<Self>, token: Token, refusal: Refusal) {
        self.answer(token, CommandAnswer::Made(Box::new(Err(refusal))));
    }

    /// A command's last message is handled: if nobody has answered it, it failed.
    pub(crate) fn settle_unanswered(self: &Rc<Self>, token: Token) {
        let made = self.answers.borrow_mut().of(token).is_none_or(|pending| pending.made);
        if !made {
            tracing::error!(token = token.0, "a command was left without an answer");
            self.served.borrow_mut().forget(token);
            self.refuse(token, Refusal::Internal);
        }
    }

    /// Posts a letter to its machine, which is started if it has to be.
    pub(crate) fn deliver(self: &Rc<Self>, letter: Letter, cause: Option<Arc<Cause>>) {
        let directory = &self.directory;
        match letter {
            Letter::Callback(id, message) => {
                if self.draining.get() && matches!(message, CallbackMessage::Propose { .. }) {
                    return;
                }
                let created = matches!(message, CallbackMessage::Create { .. });
                let start = |rested| CallbackActor::begin(self, id, rested, created);
                let post = |actor: &Addr<_>| self.send(actor, message, cause);
                directory.callbacks.post(&id, start, post);
            }
            Letter::Agent(id, message) => {
                let made = matches!(message, AgentMessage::Put { .. });
                let start = || made.then(|| AgentActor::begin(Rc::clone(self), id.clone()));
                directory.agents.post(&id, start, |actor| self.send(actor, message, cause));
            }
            Letter::Queue(id, message) => {
                let made = matches!(message, QueueMessage::Put { .. });
                let start = || made.then(|| QueueActor::begin(Rc::clone(self), id.clone()));
                directory.queues.post(&id, start, |actor| self.send(actor, message, cause));
            }
            Letter::Router(message) => self.send(&self.singles().router, message, cause),
            Letter::Scheduler(message) => self.send(&self.singles().scheduler, message, cause),
        }
    }

    pub(crate) fn send<A, T>(&self, actor: &Addr<A>, message: T, cause: Option<Arc<Cause>>)
    where
        A: actix::Actor<Context = actix::Context<A>> + actix::Handler<Envelope<T>>,
        T: Send + 'static,
    {
        self.shared.gauges.letter_posted();
        post(actor, Envelope { message, cause });
    }

    /// A callback's actor has taken a letter out of its mailbox.
    pub(crate) fn callback_arrived(&self, id: &CallbackId) {
        self.shared.gauges.letter_arrived();
        self.directory.callbacks.arrived(id);
    }

    /// An agent's actor has taken a letter out of its mailbox.
    pub(crate) fn agent_arrived(&self, id: &AgentId) {
        self.shared.gauges.letter_arrived();
        self.directory.agents.arrived(id);
    }

    /// A queue's actor has taken a letter out of its mailbox.
    pub(crate) fn queue_arrived(&self, id: &QueueId) {
        self.shared.gauges.letter_arrived();
        self.directory.queues.arrived(id);
    }

    /// The scheduler's actor, for what only it is told.
    pub(crate) fn scheduler(&self) -> &Addr<SchedulerActor> {
        &self.singles().scheduler
    }

    fn singles(&self) -> &Singles {
        self.singles.get().expect("router and scheduler start before anybody sends a letter")
    }

    /// Runs an actor's handler. A panic here is the shell's own, not a step's: nobody knows what
    /// was done and what wasn't, so the workspace starts again as a whole.
    pub(crate) fn watch(&self, handler: impl FnOnce()) {
        if catch_unwind(AssertUnwindSafe(handler)).is_err() {
            self.fail("the engine's own code panicked");
        }
    }

    /// Runs a future on this thread, watched like a handler.
    pub(crate) fn spawn(self: &Rc<Self>, work: impl Future<Output = ()> + 'static) {
        let office = Rc::clone(self);
        actix::spawn(async move {
            if AssertUnwindSafe(work).catch_unwind().await.is_err() {
                office.fail("the engine's own code panicked");
            }
        });
    }

    /// The workspace must start again as a whole.
    pub(crate) fn fail(&self, reason: &'static str) {
        tracing::error!(reason, alarm = true, "the workspace starts again as a whole");
        self.end(Fault::Broken);
    }

    /// This life of the workspace is over; the first to say so is heard.
    pub(crate) fn end(&self, fault: Fault) {
        // The receiver is gone only when the life is over already.
        let _ = self.ending.send(fault);
    }
}
