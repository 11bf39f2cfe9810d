//! What leaves the process: held behind the journal, let go in order when it is durable.
//!
//! Also the one place that knows that the journal may be gone: a life that is over writes nothing
//! and lets nothing out any more.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use super::answers::{CommandResult, Reply, replay};
use super::entry::{Entry, KeptAnswer};
use super::handle::{Answered, CommandError, EndReason, ToSession};
use super::journal::Journal;
use super::office::Office;
use super::ports::EntryNumber;
use crate::domain::agent::AgentView;
use crate::domain::denied::Denied;
use crate::domain::dispatch::Carrier;
use crate::domain::effect::{Answer, Notice};
use crate::domain::ids::{AgentId, QueueId, SessionId, WebhookId};
use crate::domain::key::{ApiKey, TokenHash};
use crate::domain::message::{AgentMessage, Letter, Token};
use crate::domain::phone::PhoneNumber;
use crate::domain::queue::Queue;
use crate::domain::refusal::Refusal;
use crate::domain::webhook::Webhook;

/// What leaves the process, or shows readers something, once the journal allows it.
#[derive(Debug)]
pub(crate) enum Output {
    /// A command's answer.
    Answer { token: Token, result: CommandAnswer },
    /// Frames to sessions.
    Notify { sessions: Vec<SessionId>, notice: Notice },
    /// These sessions end.
    CloseSessions { sessions: Vec<SessionId> },
    /// All sessions end: the last that leaves in a drain.
    CloseAll,
    /// Readers see an agent.
    PublishAgent(AgentId, Option<Arc<AgentView>>),
    /// A carrier has something to do.
    GoesOut(Carrier),
    /// Readers see a queue.
    PublishQueue(QueueId, Option<Arc<Queue>>),
    /// Whoever delivers for webhooks has something new to do.
    WakeWebhooks,
    /// Readers see a webhook.
    PublishWebhook(WebhookId, Option<Arc<Webhook>>),
    /// Readers see that a number is denied, or isn't any more.
    PublishDenied(PhoneNumber, Option<Arc<Denied>>),
    /// Whoever lets callers in sees a key.
    PublishKey(TokenHash, Option<Arc<ApiKey>>),
}

/// How a command is answered.
#[derive(Debug)]
pub(crate) enum CommandAnswer {
    /// By a step, or by the engine itself.
    Made(Box<Result<Answer, Refusal>>),
    /// As it was answered before, under the same key.
    Replayed(Box<KeptAnswer>),
    /// Its key was used for something else.
    KeyReused,
}

impl Office {
    /// Holds an output until the newest entry is durable.
    pub(crate) fn hold(self: &Rc<Self>, output: Output) {
        let free = self.journal.borrow_mut().as_mut().and_then(|journal| journal.hold(output));
        if let Some(output) = free {
            self.show(&output);
            self.let_out(output);
        }
    }

    /// Entries up to `number` are durable: lets go what was held behind them, in its order, but
    /// shows readers first what they see now. Whoever is answered and reads finds what they did,
    /// also where another machine shows it, as an agent their load; unless so many commands are
    /// under way that the log takes them in several groups: then what that machine shows may come
    /// with the next one.
    pub(crate) fn let_out_to(self: &Rc<Self>, number: EntryNumber) {
        let mut journal = self.journal.borrow_mut();
        let free = journal.as_mut().map(|journal| journal.acknowledge(number)).unwrap_or_default();
        drop(journal);
        for output in &free {
            self.show(output);
        }
        for output in free {
            self.let_out(output);
        }
    }

    /// Gives the journal's writer what this turn of the thread has written.
    pub(crate) fn hand_over(&self) {
        if let Some(journal) = self.journal.borrow_mut().as_mut() {
            journal.hand_over();
        }
    }

    /// Looks for a stall of the store; returns when to look again, if there is a reason.
    pub(crate) fn look_for_stall(&self) -> Option<Duration> {
        self.journal.borrow().as_ref().and_then(Journal::look_for_stall)
    }

    /// Whether the journal takes more.
    pub(crate) fn journal_has_room(&self) -> bool {
        self.journal.borrow().as_ref().is_some_and(|journal| !journal.must_wait())
    }

    /// Number of the newest entry.
    pub(crate) fn newest(&self) -> EntryNumber {
        self.journal.borrow().as_ref().map_or(0, Journal::newest)
    }

    /// What the versions of a thing that is made now count from. An entry raises a version by a
    /// few, far less than it may have events: no thing that was removed had versions as high, and
    /// no old tag fits.
    pub(crate) fn version_base(&self) -> u64 {
        self.newest() * Entry::MAX_EVENTS
    }

    /// Takes the journal away to be closed.
    pub(crate) fn take_journal(&self) -> Option<Journal<Output>> {
        self.journal.borrow_mut().take()
    }

    /// Shows readers what an output has for them.
    fn show(&self, output: &Output) {
        let boards = &self.shared.boards;
        match output {
            Output::PublishAgent(id, view) => boards.publish_agent(id.clone(), view.clone()),
            Output::PublishQueue(id, queue) => boards.queues.publish(id.clone(), queue.clone()),
            Output::PublishWebhook(id, hook) => boards.webhooks.publish(id.clone(), hook.clone()),
            Output::PublishDenied(phone, denied) => {
                boards.denied.publish(*phone, denied.clone());
            }
            Output::PublishKey(token, key) => boards.keys.publish(*token, key.clone()),
            Output::Answer { .. }
            | Output::Notify { .. }
            | Output::CloseSessions { .. }
            | Output::CloseAll
            | Output::GoesOut(_)
            | Output::WakeWebhooks => {}
        }
    }

    /// Lets one output go that has been shown.
    pub(crate) fn let_out(self: &Rc<Self>, output: Output) {
        match output {
            Output::Answer { token, result } => self.give_answer(token, result),
            Output::Notify { sessions, notice } => {
                self.sessions.borrow_mut().notify(&sessions, &notice);
            }
            Output::CloseSessions { sessions } => {
                self.sessions.borrow_mut().end(&sessions, EndReason::AgentRemoved);
            }
            Output::CloseAll => self.sessions.borrow_mut().end_all(EndReason::Restart),
            Output::PublishAgent(id, None) => self.sessions.borrow_mut().forget(&id),
            Output::GoesOut(carrier) => self.outbox.wake(carrier),
            Output::WakeWebhooks | Output::PublishWebhook(..) => {
                self.shared.boards.webhooks_changed.send_replace(());
            }
            Output::PublishAgent(_, Some(_))
            | Output::PublishQueue(..)
            | Output::PublishDenied(..)
            | Output::PublishKey(..) => {}
        }
    }

    fn give_answer(self: &Rc<Self>, token: Token, result: CommandAnswer) {
        let Some(pending) = self.answers.borrow_mut().close(token) else { return };
        let Some(reply) = pending.reply else { return };
        let result = match result {
            CommandAnswer::Made(made) => (*made)
                .map(|value| Answered { value, replayed: false })
                .map_err(CommandError::Refused),
            CommandAnswer::Replayed(kept) => Ok(Answered { value: replay(*kept), replayed: true }),
            CommandAnswer::KeyReused => Err(CommandError::KeyReused),
        };
        self.give(reply, result);
    }

    /// Gives an answer to whoever waits. A caller that has gone away is no fault.
    pub(crate) fn give(self: &Rc<Self>, reply: Reply, result: CommandResult) {
        match reply {
            Reply::Caller(caller) => drop(caller.send(result)),
            Reply::Frame { session, frame } => {
                let result = result.map(|_answer| ()).map_err(refusal_of);
                self.sessions.borrow().put(session, ToSession::Answer { frame, result });
            }
            Reply::Welcome { session, up } => {
                let welcome = match result.map(|answered| answered.value) {
                    Ok(Answer::Welcome(welcome)) => Ok(welcome),
                    Ok(_) => Err(Refusal::Internal),
                    Err(error) => Err(refusal_of(error)),
                };
                let told = welcome.map(|welcome| {
                    self.tell_lines_again(&welcome.agent.settings.id);
                    self.sessions.borrow_mut().welcome(welcome);
                    session
                });
                let refused = told.is_err();
                if up.send(told).is_err() || refused {
                    self.session_gone(session);
                }
            }
            Reply::Line(queue) => {
                if let Ok(Answered { value: Answer::QueueStats(stats), .. }) = result {
                    self.tell_line(&queue, &stats);
                }
            }
        }
    }

    /// A session is gone: its agent is told.
    pub(crate) fn session_gone(self: &Rc<Self>, session: SessionId) {
        if self.draining.get() {
            // Recovery begins without sessions anyway; nothing is taken from the agent now.
            return;
        }
        let agent = self.sessions.borrow_mut().remove(session);
        if let Some(agent) = agent {
            self.deliver(Letter::Agent(agent, AgentMessage::Disconnect { session }), None);
        }
    }
}

/// What a session is told of a command that failed; its commands come without keys.
fn refusal_of(error: CommandError) -> Refusal {
    match error {
        CommandError::Refused(refusal) => refusal,
        CommandError::KeyReused => Refusal::Internal,
    }
}
