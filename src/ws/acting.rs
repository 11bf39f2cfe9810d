//! What a client's actions are held against before the engine has them.

use std::sync::Arc;

use super::Admitted;
use crate::domain::ids::{AgentId, CallbackId, QueueId};
use crate::domain::message::Action;
use crate::domain::phone::PhoneNumber;
use crate::domain::queue::Queue;
use crate::domain::time::Timestamp;
use crate::engine::handle::Handle;
use crate::wire::action::{ActionName, Known, check_action, check_holder};
use crate::wire::list::seen;
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
    let full = seen(handle, &role, callback).await?;
    check_holder(name, &role, &full.callback)?;
    let action = action?;
    // A queue that is gone has nothing that waits: the engine says so.
    if let Some(queue) = handle.queue(&full.callback.queue) {
        check_action(&action, &full.callback, &queue, handle.now())?;
    }
    Ok(action)
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
