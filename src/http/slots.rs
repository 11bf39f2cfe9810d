//! `GET /v1/queues/{id}/slots`, and whether a booking is a slot.

use serde_json::json;

use super::call::Call;
use super::reply::Reply;
use crate::domain::callback::{Booking, Callback};
use crate::domain::ids::QueueId;
use crate::domain::message::{Action, Wish};
use crate::domain::policy::Medium;
use crate::domain::refusal::Refusal;
use crate::domain::slots::Nearest;
use crate::domain::time::Span;
use crate::wire::problem::Problem;
use crate::wire::query::Query;
use crate::wire::schedule::is_slot;
use crate::wire::slot::{SlotQuery, slot_list};

/// `GET /v1/queues/{id}/slots`.
pub(super) async fn list(call: &Call<'_>) -> Result<Reply, Problem> {
    let id = QueueId::parse(call.part("id")).map_err(|_| Problem::not_found())?;
    let workspace = call.workspace();
    let queue = workspace.queue(&id)?;
    let own = call.own_callback().await?;
    if own.as_ref().is_some_and(|own| own.callback.queue != id) {
        return Err(Problem::not_found());
    }
    call.public_request()?;
    let counted = call.count_public_request();
    let pairs = call.query()?;
    let mut query = Query::new(&pairs);
    let own = own.as_ref().map(|own| &*own.callback);
    let asked = SlotQuery::read(&mut query, &queue, own, call.now);
    query.finish().map_err(Problem::invalid)?;
    let SlotQuery { medium, from, to, zone } = asked?;
    counted?;
    // A slot that starts before the end of the time may be taken after it.
    let until = to + Span::minutes(queue.settings.slot_minutes);
    let booked = workspace.handle.booked(id, medium, from, until).await?;
    let rooms: Vec<_> = booked.book(call.now).slots(medium, from, to).collect();
    let items = slot_list(&rooms, &zone);
    Ok(Reply::ok(&json!({"items": items, "time_zone": zone.name()})))
}

/// Whether a request's booking is a slot, for those who are bound to slots.
pub(super) async fn fits(call: &Call<'_>, wish: &Wish) -> Result<(), Problem> {
    match &wish.booking {
        Some(booking) => check(call, &wish.queue, wish.medium, booking).await,
        None => Ok(()),
    }
}

/// The same for a callback that shall be moved.
pub(super) async fn fits_action(
    call: &Call<'_>,
    callback: &Callback,
    action: Action,
) -> Result<Action, Problem> {
    if let Action::Reschedule { booking: Some(booking) } = &action {
        check(call, &callback.queue, callback.medium, booking).await?;
    }
    Ok(action)
}

/// The queue's machine refuses what is no slot too, and is the one to rely on; here it is told
/// before limits, versions and states are looked at.
async fn check(
    call: &Call<'_>,
    queue: &QueueId,
    medium: Medium,
    booking: &Booking,
) -> Result<(), Problem> {
    let workspace = call.workspace();
    // A queue that has gone meanwhile is the engine's to tell of.
    let Some(there) = workspace.handle.queue(queue) else { return Ok(()) };
    if is_slot(booking, &there, call.role().bound()) {
        return Ok(());
    }
    let slots = workspace.handle.nearest_slots(queue.clone(), medium, booking.start).await?;
    let nearest = Nearest { slots, zone: booking.zone.clone() };
    Err(Refusal::NotASlot { nearest }.into())
}
