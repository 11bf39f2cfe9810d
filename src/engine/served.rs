//! Commands that become several: one letter to each callback, and one answer made of theirs.
//!
//! Each callback decides about itself, in an entry of its own. The answer leaves with the last of
//! them, so that it is durable when all are; a crash in between leaves some done, and whoever
//! repeats the command gets the rest.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

use super::door::Cause;
use super::office::Office;
use super::outputs::CommandAnswer;
use crate::domain::callback::{ClosedReason, Phase};
use crate::domain::effect::Answer;
use crate::domain::ids::CallbackId;
use crate::domain::message::{Action, CallbackCommand, CallbackMessage, Letter, Token, Who};
use crate::domain::refusal::Refusal;

/// Commands whose parts are under way.
#[derive(Debug, Default)]
pub(crate) struct Served {
    parts: BTreeMap<Token, Token>,
    wholes: BTreeMap<Token, Whole>,
}

/// What is known of a command's parts so far.
#[derive(Debug, Default)]
struct Whole {
    missing: usize,
    closed: Vec<CallbackId>,
    kept: Vec<CallbackId>,
    refused: Option<Refusal>,
}

/// A command and its answer.
pub(crate) type Answering = (Token, Box<Result<Answer, Refusal>>);

impl Served {
    /// An answer was made: it is a whole command's, or a part's, and then perhaps the last.
    fn answered(
        &mut self,
        token: Token,
        result: Box<Result<Answer, Refusal>>,
    ) -> Option<Answering> {
        let Some(parent) = self.parts.remove(&token) else { return Some((token, result)) };
        let whole = self.wholes.get_mut(&parent)?;
        whole.note(*result);
        if whole.missing > 0 {
            return None;
        }
        let Whole { closed, kept, refused, missing: _ } = self.wholes.remove(&parent)?;
        let result = refused.map_or(Ok(Answer::Served { closed, kept }), Err);
        Some((parent, Box::new(result)))
    }

    /// The command is over, however many of its parts are missing.
    pub(crate) fn forget(&mut self, parent: Token) {
        if self.wholes.remove(&parent).is_some() {
            self.parts.retain(|_, of| *of != parent);
        }
    }
}

impl Whole {
    fn note(&mut self, result: Result<Answer, Refusal>) {
        self.missing -= 1;
        match result {
            Ok(Answer::Callback { callback, .. }) => match &callback.phase {
                Phase::Ended { reason: ClosedReason::ServedElsewhere, .. } => {
                    self.closed.push(callback.id);
                }
                // It has ended by itself meanwhile.
                Phase::Ended { .. } => {}
                Phase::Open { .. }
                | Phase::Queued { .. }
                | Phase::Offered { .. }
                | Phase::Accepted { .. }
                | Phase::Calling { .. }
                | Phase::WrapUp { .. } => self.kept.push(callback.id),
            },
            Ok(_) => self.refused = Some(Refusal::Internal),
            // It has lapsed.
            Err(Refusal::NotFound) => {}
            Err(refusal) => self.refused = Some(refusal),
        }
        self.closed.sort_unstable();
        self.kept.sort_unstable();
    }
}

impl Office {
    /// The command and the answer that an answer completes, if it does.
    pub(crate) fn whole(
        &self,
        token: Token,
        result: Box<Result<Answer, Refusal>>,
    ) -> Option<Answering> {
        self.served.borrow_mut().answered(token, result)
    }

    /// Tells each callback that its customer was served another way.
    pub(crate) fn serve_elsewhere(
        self: &Rc<Self>,
        token: Token,
        callbacks: &[CallbackId],
        who: &Who,
        include_scheduled: bool,
        cause: &Arc<Cause>,
    ) {
        if callbacks.is_empty() {
            cause.answered(token);
            let nothing = Answer::Served { closed: Vec::new(), kept: Vec::new() };
            self.answer(token, CommandAnswer::Made(Box::new(Ok(nothing))));
            return;
        }
        let whole = Whole { missing: callbacks.len(), ..Whole::default() };
        self.served.borrow_mut().wholes.insert(token, whole);
        for id in callbacks {
            let part = self.answers.borrow_mut().mark();
            self.served.borrow_mut().parts.insert(part, token);
            let action = Action::ServeElsewhere { include_scheduled };
            let command = CallbackCommand { token: part, who: who.clone(), if_match: None, action };
            let message = CallbackMessage::Command(Box::new(command));
            self.deliver(Letter::Callback(*id, message), Some(Arc::clone(cause)));
        }
    }
}
