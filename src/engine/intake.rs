//! What a command goes through before any step: its turn, its facts, and the letter it becomes.
//!
//! Reads are futures on this thread, so nobody waits for another's; a command that was told
//! `unavailable` before its turn came is dropped here, without a step.

mod needs;

use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, oneshot};

pub(super) use self::needs::ACTIVE_MAX;
use self::needs::{Found, Needs, read};
use super::answers::Reply;
use super::ask::{Ask, QueueQuestion, external, new_reach};
use super::contacts::Contacts;
use super::door::{Cause, Standing};
use super::entry::{Kept, Keyed};
use super::facts::{FactKey, Lines};
use super::figures::Refused;
use super::filter::Filter;
use super::handle::SessionOutlet;
use super::office::Office;
use super::outputs::CommandAnswer;
use super::ports::StoreError;
use super::queue_actor::BeginRemoval;
use super::shell::post;
use crate::domain::callback::{Channel, Snapshot};
use crate::domain::effect::Answer;
use crate::domain::fnv::Fnv;
use crate::domain::ids::{AgentId, CallbackId, QueueId, SessionId};
use crate::domain::machines::callback::CallbackMachine;
use crate::domain::message::{
    Action, AgentMessage, AvailabilityQuestion, CallbackCommand, CallbackMessage, Create, Letter,
    QueueMessage, RouterMessage, Token, Wish,
};
use crate::domain::policy::{AgentSettings, Medium, QueueSettings};
use crate::domain::refusal::Refusal;
use crate::domain::time::{Span, Timestamp};

/// Commands that wait for their turn or their facts, and what is needed to decide about them.
pub(crate) struct Intake {
    lines: Lines,
    waiting: BTreeMap<Token, Waiting>,
    /// What stands in line without being a command.
    turns: BTreeMap<Token, oneshot::Sender<()>>,
    keys_used: Filter,
    externals_used: Filter,
    pub(super) contacts: Contacts,
    last_number: u64,
}

struct Waiting {
    ask: Ask,
    keyed: Option<Keyed>,
    cause: Arc<Cause>,
}

impl Intake {
    /// An intake that has seen nothing yet. In a new store it knows that there is nothing to see.
    pub(crate) fn new(now: Timestamp, store_is_new: bool, last_number: u64, bound: usize) -> Self {
        let since = if store_is_new { Timestamp(i64::MIN) } else { now };
        // They matter for ever: what was used before a start can't be denied after it.
        let externals = if store_is_new { bound } else { 0 };
        Self {
            lines: Lines::default(),
            waiting: BTreeMap::new(),
            turns: BTreeMap::new(),
            keys_used: Filter::new(Kept::FOR, since, now, bound),
            externals_used: Filter::new(Span(i64::MAX), since, now, externals),
            contacts: Contacts::default(),
            last_number,
        }
    }

    /// What must be read for a command; notes the keys as used.
    fn needs(&mut self, token: Token, now: Timestamp) -> Needs {
        let mut needs = Needs::default();
        let Some(waiting) = self.waiting.get(&token) else { return needs };
        if let Some(keyed) = waiting.keyed {
            let hash = first_eight(&keyed.key.0);
            needs.kept = self.keys_used.maybe(hash, now).then_some(keyed);
            if !waiting.ask.only_asks() {
                self.keys_used.put(hash, now);
            }
        }
        if let Ask::Create(wish) = &waiting.ask
            && let Some((channel, id)) = external(wish)
        {
            let hash = external_hash(channel, &id);
            needs.external = self.externals_used.maybe(hash, now).then_some((channel, id));
            self.externals_used.put(hash, now);
        }
        if let Ask::RetryFailure { id } = waiting.ask {
            needs.failure = Some(id);
        }
        needs.contact = waiting.ask.contact().filter(|contact| self.contacts.maybe(*contact));
        needs
    }
}

impl Office {
    /// Takes a command in: gives it a token and lets it wait for its turn.
    pub(crate) fn admit(
        self: &Rc<Self>,
        ask: Ask,
        keyed: Option<Keyed>,
        reply: Reply,
        permit: OwnedSemaphorePermit,
    ) {
        let token = self.answers.borrow_mut().open(reply, keyed);
        let cause = Cause::command(permit, token, self.unanswered.clone());
        if !ask.only_asks() && !self.may_write() {
            cause.answered(token);
            let room = self.journal_has_room();
            self.shared.door.refused(if room { Refused::Unavailable } else { Refused::NoRoom });
            self.turn_away(token);
            return;
        }
        let keys = ask.keys(keyed);
        let mut intake = self.intake.borrow_mut();
        intake.waiting.insert(token, Waiting { ask, keyed, cause });
        let turn = intake.lines.enter(token, keys);
        drop(intake);
        if turn {
            self.look(token);
        }
    }

    /// Stands in line for these keys as a command would, and returns when its turn has come.
    /// Whoever does must call [`Self::next_in_line`] with the token.
    pub(crate) async fn take_turn(self: &Rc<Self>, keys: Vec<FactKey>) -> Token {
        let token = self.answers.borrow_mut().mark();
        let (turn, has_come) = oneshot::channel();
        if self.stand_in_line(token, keys, turn) {
            // Never dropped before: lines outlast whoever stands in them.
            let _ = has_come.await;
        }
        token
    }

    /// True: others are ahead, and `turn` is told when they aren't any more.
    fn stand_in_line(&self, token: Token, keys: Vec<FactKey>, turn: oneshot::Sender<()>) -> bool {
        let mut intake = self.intake.borrow_mut();
        let others_first = !intake.lines.enter(token, keys);
        if others_first {
            intake.turns.insert(token, turn);
        }
        others_first
    }

    /// Whether the journal takes more.
    pub(crate) fn may_write(&self) -> bool {
        let Standing { stalled_since, .. } = self.shared.door.standing();
        stalled_since.is_none() && !self.draining.get() && self.journal_has_room()
    }

    /// Refuses without a step: at once during a stall, since the line of outputs doesn't move and
    /// all who stood in it were told; else in that line, so that a session's answers keep order.
    fn turn_away(self: &Rc<Self>, token: Token) {
        if self.shared.door.standing().stalled_since.is_none() {
            self.refuse(token, Refusal::Unavailable);
            return;
        }
        let pending = self.answers.borrow_mut().close(token);
        if let Some(reply) = pending.and_then(|pending| pending.reply) {
            self.give(reply, Err(Refusal::Unavailable.into()));
        }
    }

    /// The store stalls: everybody who waits is told at once. What was stepped may still take
    /// effect; what wasn't won't.
    pub(crate) fn turn_all_away(self: &Rc<Self>) {
        let replies = self.answers.borrow_mut().take_replies();
        for reply in replies {
            self.give(reply, Err(Refusal::Unavailable.into()));
        }
    }

    /// A command has left the lines: those that it was ahead of have their turn.
    pub(crate) fn next_in_line(self: &Rc<Self>, token: Token) {
        let ready = self.intake.borrow_mut().lines.leave(token);
        for token in ready {
            self.look(token);
        }
    }

    /// It's a command's turn: reads what it needs, or goes on at once.
    fn look(self: &Rc<Self>, token: Token) {
        if let Some(turn) = self.intake.borrow_mut().turns.remove(&token) {
            // Gone only when this life is over.
            let _ = turn.send(());
            return;
        }
        let now = self.now();
        let needs = self.intake.borrow_mut().needs(token, now.steady);
        if needs.is_empty() {
            self.judge(token, Ok(Found::default()));
            return;
        }
        let office = Rc::clone(self);
        let library = Arc::clone(&self.library);
        self.spawn(async move {
            let found = read(library.as_ref(), needs, now.wall).await;
            office.judge(token, found);
        });
    }

    /// The facts are known: the command is answered from them, or becomes a letter.
    fn judge(self: &Rc<Self>, token: Token, found: Result<Found, StoreError>) {
        let Some(waiting) = self.intake.borrow_mut().waiting.remove(&token) else { return };
        let Waiting { ask, keyed, cause } = waiting;
        let gone = self.answers.borrow_mut().of(token).is_none_or(|one| one.reply.is_none());
        if gone {
            // Told `unavailable` while it waited: nothing was done, and nothing will be.
            cause.answered(token);
            self.answers.borrow_mut().close(token);
            self.next_in_line(token);
            return;
        }
        let (mut active, mut external) = (Vec::new(), None);
        let answer = match found {
            Err(error) => {
                tracing::warn!(error = %error, "a command's facts can't be read");
                Some(made(Refusal::Unavailable))
            }
            Ok(Found { kept: Some(kept), .. }) => Some(match keyed {
                Some(keyed) if keyed.fingerprint == kept.keyed.fingerprint => {
                    CommandAnswer::Replayed(Box::new(kept.answer))
                }
                Some(_) | None => CommandAnswer::KeyReused,
            }),
            Ok(Found { failure: Some(failure), .. }) => {
                self.retry_failure(token, failure, &cause);
                return;
            }
            Ok(Found { kept: None, external: id, active: found, failure: None }) => {
                (active, external) = (found, id);
                None
            }
        };
        match answer {
            Some(answer) => {
                cause.answered(token);
                self.answer(token, answer);
            }
            None => self.dispatch(token, ask, (active, external), &cause),
        }
    }

    /// Turns a command into its first letter.
    fn dispatch(
        self: &Rc<Self>,
        token: Token,
        ask: Ask,
        (active, external): (Vec<Snapshot>, Option<CallbackId>),
        cause: &Arc<Cause>,
    ) {
        let letter = match ask {
            Ask::Replayed => {
                // Nothing was found: it wasn't answered under this key.
                cause.answered(token);
                return self.answer(token, CommandAnswer::Made(Box::new(Ok(Answer::Done))));
            }
            Ask::Create(wish) => self.create(token, *wish, active, external),
            Ask::ServeElsewhere { callbacks, who, include_scheduled } => {
                return self.serve_elsewhere(token, &callbacks, &who, include_scheduled, cause);
            }
            Ask::Deny { phone, denied, if_match } => {
                return self.deny(token, (phone, denied), if_match, &active, cause);
            }
            Ask::Act { callback, who, action, if_match } => {
                self.act(token, callback, CallbackCommand { token, who, if_match, action })
            }
            Ask::MeetingMade { callback, meeting, late } => {
                let made = CallbackMessage::MeetingMade { token, meeting: *meeting, late };
                Ok(Letter::Callback(callback, made))
            }
            // What was given up would have been found.
            Ask::RetryFailure { .. } => Err(Refusal::NotFound),
            Ask::RemoveQueue { id, if_match } => {
                match self.remove_queue(token, &id, if_match, cause) {
                    Ok(()) => return,
                    Err(refusal) => Err(refusal),
                }
            }
            Ask::PutQueue { settings, if_match } => Ok(put_queue(token, settings, if_match)),
            Ask::PauseQueue { id, pause } => self.to_queue(id, pause.message(token)),
            Ask::ResumeQueue { id, halves } => {
                self.to_queue(id, QueueMessage::Resume { token, halves })
            }
            Ask::Queue { queue, question } => self.ask_queue(token, queue, question),
            Ask::PutAgent { settings, if_match } => Ok(self.put_agent(token, settings, if_match)),
            Ask::RemoveAgent { id, if_match } => {
                self.to_agent(id, AgentMessage::Remove { token, if_match })
            }
            Ask::SetPresence { id, by, presence, reason } => {
                let token = Some(token);
                self.to_agent(id, AgentMessage::SetPresence { token, by, presence, reason })
            }
            Ask::SetExternalLoad { id, units, until } => {
                self.to_agent(id, AgentMessage::SetExternalLoad { token, units, until })
            }
            Ask::Webhook(ask) => return self.webhook(token, ask, cause),
            Ask::Key(ask) => return self.key(token, ask, cause),
            Ask::Connect { agent, session, outlet } => self.connect(token, agent, session, outlet),
            Ask::Trace { callback } => Ok(self.trace(token, &callback)),
        };
        match letter {
            Ok(letter) => self.deliver(letter, Some(Arc::clone(cause))),
            Err(refusal) => {
                cause.answered(token);
                self.refuse(token, refusal);
            }
        }
    }

    /// A question that a queue answers.
    fn ask_queue(
        &self,
        token: Token,
        queue: QueueId,
        question: QueueQuestion,
    ) -> Result<Letter, Refusal> {
        let staff = || self.shared.boards.staff(&queue);
        let message = match question {
            QueueQuestion::Position { callback, medium } => {
                let free_agents = staff().free.of(medium);
                QueueMessage::Position { token, callback, free_agents }
            }
            QueueQuestion::Availability { medium, live_wait_seconds } => {
                let staff = staff();
                let question = AvailabilityQuestion { token, medium, live_wait_seconds, staff };
                QueueMessage::Availability(question)
            }
            QueueQuestion::Stats => {
                let free_agents = staff().free.of(Medium::Voice);
                QueueMessage::Stats { token, free_agents }
            }
            QueueQuestion::Slots(question) => QueueMessage::Slots { token, question },
        };
        self.to_queue(queue, message)
    }

    fn trace(&self, token: Token, callback: &Snapshot) -> Letter {
        let queue = self.known.borrow().queue_of(&callback.queue);
        let work = CallbackMachine::as_work(callback, queue, &self.now());
        Letter::Router(RouterMessage::Trace { token, work: Box::new(work) })
    }

    fn create(
        &self,
        token: Token,
        wish: Wish,
        active: Vec<Snapshot>,
        external: Option<CallbackId>,
    ) -> Result<Letter, Refusal> {
        let queue = wish.queue.clone();
        if self.known.borrow().queue(&queue).is_none() {
            return Err(Refusal::field("/queue", "there is no such queue"));
        }
        if self.known.borrow().is_denied(wish.request.customer.phone.as_ref()) {
            return Err(Refusal::NumberDenied);
        }
        if !self.arrive(token, &queue) {
            return Err(Refusal::Overloaded);
        }
        let id = CallbackId(self.now().fresh.0);
        let mut intake = self.intake.borrow_mut();
        intake.last_number += 1;
        let number = intake.last_number;
        let free_agents = self.shared.boards.staff(&queue).free.of(wish.medium);
        let (duplicates, told) = (Vec::new(), None);
        let create =
            Create { token, id, number, wish, active, external, duplicates, free_agents, told };
        let create = Box::new(create);
        Ok(Letter::Queue(queue, QueueMessage::Create(create)))
    }

    fn act(
        &self,
        token: Token,
        callback: CallbackId,
        command: CallbackCommand,
    ) -> Result<Letter, Refusal> {
        let reach = new_reach(&command.action);
        if reach.is_some_and(|it| self.known.borrow().is_denied(it.phone.as_ref())) {
            return Err(Refusal::NumberDenied);
        }
        if let Action::Requeue { queue: Some(queue), .. } = &command.action {
            if self.known.borrow().queue(&queue.settings.id).is_none() {
                return Err(Refusal::field("/queue", "there is no such queue"));
            }
            if !self.arrive(token, &queue.settings.id) {
                return Err(Refusal::Overloaded);
            }
        }
        let message = CallbackMessage::Command(Box::new(command));
        Ok(Letter::Callback(callback, message))
    }

    /// Notes that the command brings a callback into a queue; false: it is just being removed, or
    /// that is just being refused, so that whoever asks again is told which.
    fn arrive(&self, token: Token, queue: &QueueId) -> bool {
        let arrives = self.known.borrow_mut().arrive(queue);
        if arrives && let Some(pending) = self.answers.borrow_mut().of(token) {
            pending.into = Some(queue.clone());
        }
        arrives
    }

    /// An agent's timers are those of their queues, as these are now.
    fn put_agent(
        &self,
        token: Token,
        settings: Arc<AgentSettings>,
        if_match: Option<u64>,
    ) -> Letter {
        let timers = self.known.borrow().timers(&settings);
        let (id, token) = (settings.id.clone(), Some(token));
        Letter::Agent(id, AgentMessage::Put { token, if_match, settings, timers })
    }

    /// Begins a queue's removal, unless something is on its way there, and tells its actor. The
    /// actor makes the machine's letter, since that says how many dormant callbacks the queue has,
    /// which must be counted first; a removal that hasn't begun it refuses.
    fn remove_queue(
        &self,
        token: Token,
        id: &QueueId,
        if_match: Option<u64>,
        cause: &Arc<Cause>,
    ) -> Result<(), Refusal> {
        let there = self.directory.queues.expect_letter_if_there(id);
        let actor = there.ok_or(Refusal::NotFound)?;
        self.shared.gauges.letter_posted();
        let begun = self.known.borrow_mut().begin_removal(id);
        if begun && let Some(pending) = self.answers.borrow_mut().of(token) {
            pending.removes = Some(id.clone());
        }
        let cause = Arc::clone(cause);
        post(&actor, BeginRemoval { token, if_match, begun, cause });
        Ok(())
    }

    fn connect(
        self: &Rc<Self>,
        token: Token,
        agent: AgentId,
        session: SessionId,
        outlet: Box<dyn SessionOutlet>,
    ) -> Result<Letter, Refusal> {
        if !self.directory.agents.has(&agent) {
            return Err(Refusal::NotFound);
        }
        let first = self.sessions.borrow().is_empty();
        self.sessions.borrow_mut().add(session, agent.clone(), outlet);
        if first {
            self.watch_lines();
        }
        self.to_agent(agent, AgentMessage::Connect { token, session })
    }

    fn to_queue(&self, id: QueueId, message: QueueMessage) -> Result<Letter, Refusal> {
        let known = self.directory.queues.has(&id);
        if known { Ok(Letter::Queue(id, message)) } else { Err(Refusal::NotFound) }
    }

    fn to_agent(&self, id: AgentId, message: AgentMessage) -> Result<Letter, Refusal> {
        let known = self.directory.agents.has(&id);
        if known { Ok(Letter::Agent(id, message)) } else { Err(Refusal::NotFound) }
    }
}

fn put_queue(token: Token, settings: Arc<QueueSettings>, if_match: Option<u64>) -> Letter {
    let (id, token) = (settings.id.clone(), Some(token));
    Letter::Queue(id, QueueMessage::Put { token, if_match, settings })
}

fn made(refusal: Refusal) -> CommandAnswer {
    CommandAnswer::Made(Box::new(Err(refusal)))
}

/// The key is a digest already.
fn first_eight(digest: &[u8; 32]) -> u64 {
    digest.iter().take(8).fold(0, |hash, byte| (hash << 8) | u64::from(*byte))
}

/// A filter needs no more than an even spread.
fn external_hash(channel: Channel, id: &str) -> u64 {
    Fnv::of(&[channel.as_str().as_bytes(), &[0], id.as_bytes()])
}
