//! The deny list as the workspace keeps it: numbers are put on it and taken off by supervisors.
//!
//! Separate because no machine decides about it: the facts that a command took in line are all
//! that there is to know. What a callback does about it is its machine's.

use std::rc::Rc;
use std::sync::Arc;

use super::door::Cause;
use super::office::Office;
use super::outputs::{CommandAnswer, Output};
use crate::domain::callback::Snapshot;
use crate::domain::denied::Denied;
use crate::domain::effect::Answer;
use crate::domain::message::{CallbackMessage, Letter, Token};
use crate::domain::phone::PhoneNumber;
use crate::domain::refusal::Refusal;

impl Office {
    /// Puts a number on the deny list, or takes it off. Its line is held, so that `active` is all
    /// that there is for it.
    pub(crate) fn deny(
        self: &Rc<Self>,
        token: Token,
        wanted: (PhoneNumber, Option<Denied>),
        if_match: Option<u64>,
        active: &[Snapshot],
        cause: &Arc<Cause>,
    ) {
        let (phone, denied) = wanted;
        let (version, count) = {
            let known = self.known.borrow();
            (known.denied_version(&phone), known.denied_count())
        };
        let before = version > 0;
        let next = if before { version } else { self.version_base() } + 1;
        let denied = denied.map(|denied| Arc::new(Denied { version: next, ..denied }));
        let most = self.shared.limits.max_denied_numbers;
        let answer = match &denied {
            None if !before => Err(Refusal::NotFound),
            _ if if_match.is_some_and(|wanted| wanted != version) => {
                Err(Refusal::VersionStale { version })
            }
            None => Ok(Answer::Done),
            Some(_) if !before && count >= most => {
                Err(Refusal::LimitReached(format!("the deny list has {most} numbers, the most")))
            }
            Some(denied) => Ok(Answer::Denied { denied: Arc::clone(denied), created: !before }),
        };
        if answer.is_ok() {
            self.write_denied(phone, denied.clone());
            self.hold(Output::PublishDenied(phone, denied.clone()));
            self.tell_denied(active, denied.is_some(), cause);
        }
        cause.answered(token);
        self.answer(token, CommandAnswer::Made(Box::new(answer)));
    }

    /// Tells those of a number's callbacks that are up whether it is on the deny list. The others
    /// learn it when they are made.
    fn tell_denied(self: &Rc<Self>, active: &[Snapshot], denied: bool, cause: &Arc<Cause>) {
        let up = active.iter().filter(|callback| self.directory.callbacks.has(&callback.id));
        for callback in up {
            let message = CallbackMessage::NumberDenied(denied);
            self.deliver(Letter::Callback(callback.id, message), Some(Arc::clone(cause)));
        }
    }
}
