//! What a client's actions are held against before the engine has them.

use std::sync::Arc;

use super::Admitted;
use crate::domain::ids::{AgentId, CallbackId, QueueId};
use crate::domain::message::Action;
use crate::domain::phone::PhoneNumber;
use crate::domain::queue::Queue;
use crate::domain::time::Timestamp;
use crate::engine::handle::Handle;
use crate::engine::library::FullCallback;
use crate::wire::action::{ActionName, Known, check_action, check_holder};
use crate::wire::list::{may_see, seen};
use crate::wire::problem::Problem;
use crate::wire::role::Role;

/// An action as the engine is to have it, held in the order of requests against whether the agent
/// may know of the callback, may act on it, and has said what can be taken.
pub(super) async fn may_act(
    admitted: &Admitted,
    callback: CallbackId,
    name: ActionName,
    action: Result<Action, Problem>,
) -> Result<Action, Problem> {
    let handle = &admitted.handle;
    let role = Role::Agent(admitted.agent.clone());
    // To go on it needn't be durable, since the `ack` waits for what comes of it; a refusal shows
    // how it stands.
    let agent = handle.agent(&admitted.agent);
    let settings = agent.as_ref().map(|view| &*view.agent.settings);
    if let (Ok(wanted), Some(full)) = (&action, handle.stored(callback).await?)
        && may_see(&role, settings, &full)
        && check_holder(name, &role, &full.callback).is_ok()
        && fits_queue(handle, wanted, &full).is_ok()
    {
        return action;
    }
    let full = seen(handle, &role, callback).await?;
    check_holder(name, &role, &full.callback)?;
    let action = action?;
    fits_queue(handle, &action, &full)?;
    Ok(action)
}

fn fits_queue(handle: &Handle, action: &Action, full: &FullCallback) -> Result<(), Problem> {
    // A queue that is gone has nothing that waits: the engine says so.
    match handle.queue(&full.callback.queue) {
        Some(queue) => check_action(action, &full.callback, &queue, handle.now()),
        None => Ok(()),
    }
}

/// What frames may refer to.
pub(super) struct KnownTo<'a>(pub(super) &'a Handle);

impl Known for KnownTo<'_> {
    fn queue(&self, id: &QueueId) -> Option<Arc<Queue>> {
        self.0.queue(id)
    }

    fn is_denied(&self, phone: &PhoneNumber) -> bool {
        self.0.denied(phone).is_some()
    }

    fn has_agent(&self, id: &AgentId) -> bool {
        self.0.agent(id).is_some()
    }

    fn now(&self) -> Timestamp {
        self.0.now()
    }
}
