//! What is done to one callback: `POST /v1/callbacks/{id}/…`.

use super::call::Call;
use super::callbacks::{acted, live_queue, replayed_or};
use super::reply::Reply;
use super::slots;
use crate::domain::message::Action;
use crate::engine::library::FullCallback;
use crate::wire::action::{
    ActionName, check_holder, fits_queue, read_action, read_assign, read_cancel,
};
use crate::wire::problem::Problem;
use crate::wire::request::invalid;
use crate::wire::schedule::{Asked, IN_MOVE, Move, book, check_contact_hours, read_move, zone_of};
use crate::wire::settings::fields::Item;

/// An agent's action.
pub(super) async fn agents(call: &Call<'_>, name: ActionName) -> Result<Reply, Problem> {
    let full = call.callback().await?;
    let allowed = match name {
        ActionName::Requeue | ActionName::Close => call.inside(),
        ActionName::Accept
        | ActionName::Decline
        | ActionName::Call
        | ActionName::Outcome
        | ActionName::EndCall
        | ActionName::ExtendWrapUp
        | ActionName::Retry => is_agent(call),
    };
    allowed?;
    check_holder(name, call.role(), &full.callback)?;
    let handle = &call.workspace().handle;
    let action = call
        .fields(|fields| read_action(name, fields, handle))
        .and_then(|action| fits_queue(handle, &action, &full.callback, call.now).map(|()| action));
    act(call, &full, action).await
}

/// `assign`.
pub(super) async fn assign(call: &Call<'_>) -> Result<Reply, Problem> {
    let full = call.callback().await?;
    call.inside()?;
    let action = call.fields(|fields| read_assign(fields, &call.workspace().handle));
    if let Ok(Action::Assign { agent, force }) = &action
        && !call.role().supervises()
        && (*force || call.role().agent() != Some(agent))
    {
        let detail = "Agents may assign to themselves only, and within their capacity.";
        return Err(Problem::forbidden(detail));
    }
    act(call, &full, action).await
}

/// `cancel`.
pub(super) async fn cancel(call: &Call<'_>) -> Result<Reply, Problem> {
    let full = call.callback().await?;
    call.not_public()?;
    let action = call.fields(|fields| Some(read_cancel(fields)));
    act(call, &full, action).await
}

/// `reschedule`.
pub(super) async fn reschedule(call: &Call<'_>) -> Result<Reply, Problem> {
    let full = call.callback().await?;
    call.not_public()?;
    let action = match read_reschedule(call, &full) {
        Ok(action) => slots::fits_action(call, &full.callback, action).await,
        Err(problem) => Err(problem),
    };
    act(call, &full, action).await
}

fn read_reschedule(call: &Call<'_>, full: &FullCallback) -> Result<Action, Problem> {
    let (mut faults, mut problem) = (Vec::new(), None);
    let medium = full.callback.medium;
    let moved = Item::root(&call.body.value, &mut faults)
        .table(|fields| read_move(fields, medium, &mut problem))
        .flatten();
    if !faults.is_empty() {
        return Err(invalid(faults));
    }
    if let Some(problem) = problem {
        return Err(problem);
    }
    let Some(Move::To { schedule, agreed }) = moved else {
        return Ok(Action::Reschedule { booking: None });
    };
    let queue = live_queue(call, full, "reschedule")?;
    let zone = zone_of(Some(&schedule), &full.request.customer, &queue);
    let start = schedule.start.as_ref().expect("`read_move` asks for a start");
    let asked = Asked { bound: call.role().bound(), now: call.now, place: IN_MOVE };
    let booking = book(start, zone, &queue, asked)?;
    if call.role().is_inside() && !agreed {
        let customer = &full.request.customer;
        check_contact_hours(start, &booking, customer, &queue, IN_MOVE)?;
    }
    Ok(Action::Reschedule { booking: Some(booking) })
}

/// Does it, or tells what was answered under the same key before.
async fn act(
    call: &Call<'_>,
    full: &FullCallback,
    action: Result<Action, Problem>,
) -> Result<Reply, Problem> {
    let keyed = call.keyed()?;
    let action = match action {
        Ok(action) => action,
        Err(problem) => return replayed_or(call, problem).await,
    };
    let (id, who) = (full.callback.id, call.role().who());
    let handle = &call.workspace().handle;
    let if_match = call.if_match(full.callback.version);
    acted(call, handle.act(id, who, action, if_match, keyed).await?).await
}

fn is_agent(call: &Call<'_>) -> Result<(), Problem> {
    if call.role().agent().is_some() {
        return Ok(());
    }
    Err(Problem::forbidden("Only the agent that has the callback may do that."))
}
