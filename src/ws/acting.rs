//! What a client's actions are held against before the engine has them.

use super::Admitted;
use crate::domain::ids::CallbackId;
use crate::domain::message::Action;
use crate::wire::action::{ActionName, check_holder, fits_queue};
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
        && fits_queue(handle, wanted, &full.callback, handle.now()).is_ok()
    {
        return action;
    }
    let full = seen(handle, &role, callback).await?;
    check_holder(name, &role, &full.callback)?;
    let action = action?;
    fits_queue(handle, &action, &full.callback, handle.now())?;
    Ok(action)
}
