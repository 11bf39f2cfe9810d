//! `/v1/customers`: what a channel or an agent knows of a customer beyond one callback.

use serde::Serialize;

use super::call::Call;
use super::reply::Reply;
use crate::domain::callback::Callback;
use crate::domain::ids::CallbackId;
use crate::engine::entry::KeptAnswer;
use crate::engine::handle::{Answered, ServedElsewhere};
use crate::wire::list::those_seen;
use crate::wire::problem::Problem;
use crate::wire::role::Role;
use crate::wire::served::{Served, Whose, read_served};

#[derive(Serialize)]
struct ServedBody {
    closed: Vec<String>,
    kept: Vec<String>,
}

/// `POST /v1/customers/served_elsewhere`. What the caller may not see is neither called off nor
/// told: a channel's other channels' callbacks, an agent's other queues'.
pub(super) async fn served_elsewhere(call: &Call<'_>) -> Result<Reply, Problem> {
    if matches!(call.role(), Role::Customer(_)) {
        return Err(Problem::forbidden("A manage token is good for its one callback only."));
    }
    call.not_public()?;
    let keyed = call.keyed()?;
    let workspace = call.workspace();
    let served = match call.fields(|fields| read_served(fields, &workspace.handle)) {
        Ok(served) => served,
        Err(problem) => return replayed_or(call, problem).await,
    };
    let agent = workspace.agent_of(call.role());
    let found = workspace.handle.active(served.whose.key()).await?;
    let meant = found.into_iter().filter(|full| is_meant(&served, &full.callback)).collect();
    let theirs = those_seen(&workspace.handle, call.role(), agent.as_deref(), meant).await?;
    let ids = theirs.iter().map(|full| full.callback.id).collect();
    let (who, booked) = (call.role().who(), served.include_scheduled);
    let Answered { value, replayed } =
        workspace.handle.serve_elsewhere(ids, who, booked, keyed).await?;
    Ok(show(&value).replayed(replayed))
}

fn is_meant(served: &Served, callback: &Callback) -> bool {
    let theirs = match &served.whose {
        Whose::Phone(phone) => callback.reach.phone == Some(*phone),
        Whose::Contact(contact) => callback.reach.contact == Some(*contact),
    };
    theirs && served.queue.as_ref().is_none_or(|queue| *queue == callback.queue)
}

fn show(served: &ServedElsewhere) -> Reply {
    let ids = |ids: &[CallbackId]| ids.iter().map(ToString::to_string).collect();
    Reply::ok(&ServedBody { closed: ids(&served.closed), kept: ids(&served.kept) })
}

/// What was answered under the request's key before, else the problem.
async fn replayed_or(call: &Call<'_>, problem: Problem) -> Result<Reply, Problem> {
    let Some(keyed) = call.keyed()? else { return Err(problem) };
    match call.workspace().handle.replayed(keyed).await? {
        Some(KeptAnswer::Served { closed, kept }) => {
            Ok(show(&ServedElsewhere { closed, kept }).replayed(true))
        }
        Some(KeptAnswer::Callback { .. } | KeptAnswer::Queue(_) | KeptAnswer::Failure(_))
        | None => Err(problem),
    }
}
