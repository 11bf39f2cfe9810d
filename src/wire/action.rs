//! What may be asked of a callback, read from the body of a request or a frame of the socket.
//!
//! Both carry the same fields, so they are read here once. What depends on the callback (its
//! state, its queue's lists of codes) is the machine's to check.

use std::sync::Arc;

use super::problem::Problem;
use super::role::Role;
use super::settings::YEAR_SECONDS;
use super::settings::fields::{Fields, Item};
use super::text::{DISPOSITION_MAX, NOTES_MAX, REASON_MAX, instant, line, prose};
use crate::domain::callback::{Callback, Outcome};
use crate::domain::ids::{AgentId, OfferId, QueueId};
use crate::domain::machines::callback::contact::agents_choice;
use crate::domain::machines::callback::deadlines::last_retry_at;
use crate::domain::machines::callback::retry::too_late;
use crate::domain::message::Action;
use crate::domain::phone::PhoneNumber;
use crate::domain::policy::Choice;
use crate::domain::queue::Queue;
use crate::domain::refusal::Refusal;
use crate::domain::time::Timestamp;
use crate::engine::handle::Handle;

/// The actions whose fields are the same in a request and in a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are those of `Action`")]
pub enum ActionName {
    Accept,
    Decline,
    Call,
    Outcome,
    EndCall,
    ExtendWrapUp,
    Retry,
    Requeue,
    Close,
}

impl ActionName {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::Accept,
        Self::Decline,
        Self::Call,
        Self::Outcome,
        Self::EndCall,
        Self::ExtendWrapUp,
        Self::Retry,
        Self::Requeue,
        Self::Close,
    ];

    /// The word in paths and frames.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Accept => "accept",
            Self::Decline => "decline",
            Self::Call => "call",
            Self::Outcome => "outcome",
            Self::EndCall => "end_call",
            Self::ExtendWrapUp => "extend_wrap_up",
            Self::Retry => "retry",
            Self::Requeue => "requeue",
            Self::Close => "close",
        }
    }
}

/// What the workspace knows, as far as reading a body needs it.
pub trait Known {
    /// A queue.
    fn queue(&self, id: &QueueId) -> Option<Arc<Queue>>;
    /// Whether the number is on the deny list.
    fn is_denied(&self, phone: &PhoneNumber) -> bool;
    /// Whether there is such an agent.
    fn has_agent(&self, id: &AgentId) -> bool;
    /// The wall clock.
    fn now(&self) -> Timestamp;
}

impl Known for Handle {
    fn queue(&self, id: &QueueId) -> Option<Arc<Queue>> {
        Self::queue(self, id)
    }

    fn is_denied(&self, phone: &PhoneNumber) -> bool {
        self.denied(phone).is_some()
    }

    fn has_agent(&self, id: &AgentId) -> bool {
        self.agent(id).is_some()
    }

    fn now(&self) -> Timestamp {
        Self::now(self)
    }
}

/// Reads an action's fields; none where one can't be taken, its fault noted.
pub fn read_action(name: ActionName, fields: &mut Fields<'_>, known: &dyn Known) -> Option<Action> {
    Some(match name {
        ActionName::Accept => Action::Accept { offer: offer(fields)?, session: None },
        ActionName::Decline => {
            let offer = offer(fields);
            let reason = decline_reason(fields);
            Action::Decline { offer: offer?, reason, session: None }
        }
        ActionName::Call => Action::Call,
        ActionName::Outcome => {
            let words = Outcome::ALL.map(|outcome| (outcome.as_str(), outcome));
            let outcome = fields.required("outcome").and_then(|item| item.word(&words));
            let notes = notes(fields);
            Action::Outcome { outcome: outcome?, notes }
        }
        ActionName::EndCall => Action::EndCall { notes: notes(fields) },
        ActionName::ExtendWrapUp => {
            let seconds = fields.required("seconds");
            let seconds = seconds.and_then(|item| item.number(1..=*YEAR_SECONDS.end()));
            Action::ExtendWrapUp { seconds: seconds? }
        }
        ActionName::Retry => Action::Retry {
            at: fields.parsed("at", instant),
            mine: fields.flag("mine", false),
            customer_agreed: fields.flag("customer_agreed", false),
        },
        ActionName::Requeue => Action::Requeue {
            queue: fields.take("queue").and_then(|item| queue(item, known)),
            agent: fields.take("agent_id").and_then(|item| agent(item, known)),
        },
        ActionName::Close => Action::Close {
            disposition: fields.parsed("disposition", line(DISPOSITION_MAX)),
            notes: notes(fields),
            resolved: fields.take("resolved").and_then(Item::flag),
        },
    })
}

/// Refuses what is only for the agent that the callback is assigned to. The machine refuses it too,
/// and is the one to rely on; here it is told before any fault of the body.
pub fn check_holder(name: ActionName, role: &Role, callback: &Callback) -> Result<(), Problem> {
    let theirs = match name {
        ActionName::Accept | ActionName::Decline => return Ok(()),
        ActionName::Requeue | ActionName::Close if role.supervises() => return Ok(()),
        ActionName::Requeue
        | ActionName::Close
        | ActionName::Call
        | ActionName::Outcome
        | ActionName::EndCall
        | ActionName::ExtendWrapUp
        | ActionName::Retry => callback.assigned_agent(),
    };
    if theirs.is_none() || theirs == role.agent() {
        return Ok(());
    }
    let name = name.as_str();
    Err(Problem::forbidden(format!("Only the agent it is assigned to may {name} this callback.")))
}

/// Holds an action against its callback's queue, so that what isn't taken there is told before
/// anything of version and state: codes that it lists, times at which it is open. The machine does
/// so too when the action's turn comes; by then the settings may be others.
pub fn fits_queue(
    handle: &Handle,
    action: &Action,
    callback: &Callback,
    now: Timestamp,
) -> Result<(), Problem> {
    match handle.queue(&callback.queue) {
        Some(queue) => check_action(action, callback, &queue, now),
        // The queue is gone, so the callback has ended: the machine says so.
        None => Ok(()),
    }
}

fn check_action(
    action: &Action,
    callback: &Callback,
    queue: &Queue,
    now: Timestamp,
) -> Result<(), Problem> {
    let settings = &queue.settings;
    match action {
        Action::Decline { reason: Some(reason), .. } => {
            let known = settings.decline_reasons.iter().map(|listed| &listed.choice);
            listed("/reason", reason, known)
        }
        Action::Close { disposition: Some(disposition), .. } => {
            let known = settings.dispositions.iter().map(|listed| &listed.choice);
            listed("/disposition", disposition, known)
        }
        Action::Retry { at: Some(at), customer_agreed, .. } => {
            check_retry(*at, *customer_agreed, callback, queue, now)
        }
        Action::Accept { .. }
        | Action::Decline { .. }
        | Action::Call
        | Action::Outcome { .. }
        | Action::EndCall { .. }
        | Action::ExtendWrapUp { .. }
        | Action::Retry { .. }
        | Action::Requeue { .. }
        | Action::Close { .. }
        | Action::Assign { .. }
        | Action::Cancel { .. }
        | Action::Reschedule { .. }
        | Action::ServeElsewhere { .. }
        | Action::Patch(_) => Ok(()),
    }
}

fn check_retry(
    at: Timestamp,
    agreed: bool,
    callback: &Callback,
    queue: &Queue,
    now: Timestamp,
) -> Result<(), Problem> {
    let settings = &queue.settings;
    if at <= now {
        return Err(Problem::from(Refusal::StartPast).at("/at", "must be in the future"));
    }
    if !queue.is_open(at) {
        let next_allowed_at = settings.hours.next_open(at);
        let problem = Problem::from(Refusal::OutsideHours { next_allowed_at });
        return Err(problem.at("/at", "the queue isn't open then"));
    }
    if !agreed {
        agents_choice(&callback.reach, settings, at).map_err(|refusal| {
            Problem::from(refusal).at("/at", "the customer isn't called then")
        })?;
    }
    if at > last_retry_at(callback, queue, now) {
        return Err(too_late(settings).into());
    }
    Ok(())
}

/// Whether a code is one of those listed; where none are, any will do.
fn listed<'a>(
    pointer: &str,
    code: &str,
    known: impl Iterator<Item = &'a Choice>,
) -> Result<(), Problem> {
    let ids: Vec<&str> = known.map(|choice| choice.id.as_str()).collect();
    if ids.is_empty() || ids.contains(&code) {
        return Ok(());
    }
    Err(Problem::field(pointer, format!("must be one of the queue's: {}", ids.join(", "))))
}

/// The body of `assign`.
pub fn read_assign(fields: &mut Fields<'_>, known: &dyn Known) -> Option<Action> {
    let agent = fields.required("agent_id").and_then(|item| agent(item, known));
    let force = fields.flag("force", false);
    Some(Action::Assign { agent: agent?, force })
}

/// The body of `cancel`.
pub fn read_cancel(fields: &mut Fields<'_>) -> Action {
    Action::Cancel { reason: fields.parsed("reason", line(REASON_MAX)) }
}

/// A queue that there is.
pub fn queue(item: Item<'_>, known: &dyn Known) -> Option<Arc<Queue>> {
    item.parsed(|text| {
        let id = QueueId::parse(text).map_err(|error| error.to_string())?;
        known.queue(&id).ok_or_else(|| "is not a queue that there is".to_owned())
    })
}

/// An agent that there is.
pub fn agent(item: Item<'_>, known: &dyn Known) -> Option<AgentId> {
    item.parsed(|text| {
        let id = AgentId::parse(text).map_err(|error| error.to_string())?;
        if known.has_agent(&id) { Ok(id) } else { Err("is not an agent that there is".to_owned()) }
    })
}

/// The offer that is answered.
pub(super) fn offer(fields: &mut Fields<'_>) -> Option<OfferId> {
    let parse = |text: &str| OfferId::parse(text).ok_or("must be the id of an offer");
    fields.required("offer_id").and_then(|item| item.parsed(parse))
}

/// Why it is declined.
pub(super) fn decline_reason(fields: &mut Fields<'_>) -> Option<String> {
    fields.parsed("reason", line(REASON_MAX))
}

fn notes(fields: &mut Fields<'_>) -> Option<String> {
    fields.parsed("notes", prose(NOTES_MAX))
}
