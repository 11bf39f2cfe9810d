//! Commands under way, by their tokens: who waits for the answer, and what hangs on it.
//!
//! An answer is made by a step and given when durable; between the two the command stands here.
//! A command whose caller was told `unavailable` during a stall stays, because its entry must
//! still carry what was answered under its key.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::sync::oneshot;

use super::entry::{Kept, KeptAnswer, Keyed};
use super::handle::{Acted, Answered, CommandError};
use crate::domain::agent::Agent;
use crate::domain::dispatch::Failure;
use crate::domain::effect::Answer;
use crate::domain::ids::{QueueId, SessionId};
use crate::domain::message::Token;
use crate::domain::queue::Queue;
use crate::domain::refusal::Refusal;
use crate::domain::time::Timestamp;

/// An answer on its way to whoever sent the command.
pub(crate) type CommandResult = Result<Answered<Answer>, CommandError>;

/// Where an answer goes.
#[derive(Debug)]
pub(crate) enum Reply {
    /// To a caller on another thread.
    Caller(oneshot::Sender<CommandResult>),
    /// Into a session's stream.
    Frame {
        /// The session.
        session: SessionId,
        /// Its count of its commands.
        frame: u64,
    },
    /// A session's welcome.
    Welcome {
        /// The session.
        session: SessionId,
        /// Told when it is up.
        up: oneshot::Sender<Result<SessionId, Refusal>>,
    },
    /// The regular look at a queue's line, for the sessions of its agents.
    Line(QueueId),
}

/// A command under way.
#[derive(Debug)]
pub(crate) struct Pending {
    /// Who waits; none once they were told that the store stalls.
    pub(crate) reply: Option<Reply>,
    /// The key that it came under.
    pub(crate) keyed: Option<Keyed>,
    /// The queue into which it brings a callback.
    pub(crate) into: Option<QueueId>,
    /// The queue that it removes.
    pub(crate) removes: Option<QueueId>,
    /// Its answer stands in the journal's line.
    pub(crate) made: bool,
}

/// All commands under way.
#[derive(Debug, Default)]
pub(crate) struct Answers {
    last: u64,
    pending: BTreeMap<Token, Pending>,
}

impl Answers {
    /// Notes a command and marks it with a token.
    pub(crate) fn open(&mut self, reply: Reply, keyed: Option<Keyed>) -> Token {
        let token = self.mark();
        let pending = Pending { reply: Some(reply), keyed, into: None, removes: None, made: false };
        self.pending.insert(token, pending);
        token
    }

    /// A token that no command has.
    pub(crate) fn mark(&mut self) -> Token {
        self.last += 1;
        Token(self.last)
    }

    /// The command, while it is under way.
    pub(crate) fn of(&mut self, token: Token) -> Option<&mut Pending> {
        self.pending.get_mut(&token)
    }

    /// The command is over; its answer may be given.
    pub(crate) fn close(&mut self, token: Token) -> Option<Pending> {
        self.pending.remove(&token)
    }

    /// Everybody who waits, in order of arrival; the commands stay.
    pub(crate) fn take_replies(&mut self) -> Vec<Reply> {
        self.pending.values_mut().filter_map(|pending| pending.reply.take()).collect()
    }
}

impl Pending {
    /// An answer was made. Returns what the entry keeps of it for repetitions under its key.
    pub(crate) fn make(&mut self, result: &Result<Answer, Refusal>, at: Timestamp) -> Option<Kept> {
        self.made = true;
        let answer = keep(result.as_ref().ok()?)?;
        Some(Kept { keyed: self.keyed?, at, answer })
    }
}

/// What is kept of an answer; none of those that no POST is answered with.
pub(crate) fn keep(answer: &Answer) -> Option<KeptAnswer> {
    match answer {
        Answer::Callback { callback, position, created, duplicates } => {
            Some(KeptAnswer::Callback {
                callback: callback.clone(),
                position: *position,
                created: *created,
                duplicates: duplicates.clone(),
            })
        }
        Answer::Queue { queue, created: _ } => Some(KeptAnswer::Queue(queue.clone())),
        Answer::Failure(failure) => Some(KeptAnswer::Failure(failure.clone())),
        Answer::Served { closed, kept } => {
            Some(KeptAnswer::Served { closed: closed.clone(), kept: kept.clone() })
        }
        Answer::Agent { .. }
        | Answer::Webhook { .. }
        | Answer::Denied { .. }
        | Answer::Key { .. }
        | Answer::Welcome(_)
        | Answer::Position(_)
        | Answer::Availability(_)
        | Answer::Trace(_)
        | Answer::QueueStats(_)
        | Answer::Slots(_)
        | Answer::Booked { .. }
        | Answer::Done => None,
    }
}

/// The answer that was kept.
pub(crate) fn replay(kept: KeptAnswer) -> Answer {
    match kept {
        KeptAnswer::Callback { callback, position, created, duplicates } => {
            Answer::Callback { callback, position, created, duplicates }
        }
        KeptAnswer::Queue(queue) => Answer::Queue { queue, created: false },
        KeptAnswer::Failure(failure) => Answer::Failure(failure),
        KeptAnswer::Served { closed, kept } => Answer::Served { closed, kept },
    }
}

/// The answer to a command that came without a key.
pub(crate) fn unkeyed(result: Result<Answered<Answer>, CommandError>) -> Result<Answer, Refusal> {
    match result {
        Ok(answered) => Ok(answered.value),
        Err(CommandError::Refused(refusal)) => Err(refusal),
        Err(CommandError::KeyReused) => {
            tracing::error!("a command without a key was answered as if it had one");
            Err(Refusal::Internal)
        }
    }
}

/// A callback's answer, as callers get it.
pub(crate) fn acted(answered: Answered<Answer>) -> Result<Answered<Acted>, CommandError> {
    let Answered { value, replayed } = answered;
    match value {
        Answer::Callback { callback, position, created, duplicates } => {
            Ok(Answered { value: Acted { callback, position, created, duplicates }, replayed })
        }
        other => Err(strange(&other).into()),
    }
}

/// A queue's answer, as callers get it.
pub(crate) fn queue(answered: Answered<Answer>) -> Result<Answered<Arc<Queue>>, CommandError> {
    let Answered { value, replayed } = answered;
    match value {
        Answer::Queue { queue, created: _ } => Ok(Answered { value: queue, replayed }),
        other => Err(strange(&other).into()),
    }
}

/// A failure's answer, as callers get it.
pub(crate) fn failure(answered: Answered<Answer>) -> Result<Answered<Failure>, CommandError> {
    let Answered { value, replayed } = answered;
    match value {
        Answer::Failure(failure) => Ok(Answered { value: *failure, replayed }),
        other => Err(strange(&other).into()),
    }
}

/// An agent's answer, as callers get it; true: made.
pub(crate) fn agent(answer: Answer) -> Result<(Arc<Agent>, bool), Refusal> {
    match answer {
        Answer::Agent { agent, created } => Ok((agent, created)),
        other => Err(strange(&other)),
    }
}

/// A machine answered with something that the command doesn't ask for: a defect.
pub(crate) fn strange(_answer: &Answer) -> Refusal {
    tracing::error!("a command was answered with something that it doesn't ask for");
    Refusal::Internal
}
