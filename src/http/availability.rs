//! `GET /v1/queues/{id}/availability`: what a customer is told before they choose.

use super::call::Call;
use super::reply::Reply;
use crate::domain::ids::QueueId;
use crate::wire::availability::{AvailabilityBody, AvailabilityQuery};
use crate::wire::problem::Problem;
use crate::wire::query::Query;
use crate::wire::role::Role;

/// `GET /v1/queues/{id}/availability`.
pub(super) async fn show(call: &Call<'_>) -> Result<Reply, Problem> {
    let id = QueueId::parse(call.part("id")).map_err(|_| Problem::not_found())?;
    let workspace = call.workspace();
    let queue = workspace.queue(&id)?;
    if matches!(call.role(), Role::Customer(_)) {
        return Err(Problem::forbidden("A manage token is good for its one callback only."));
    }
    call.public_request()?;
    let counted = call.count_public_request();
    let pairs = call.query()?;
    let mut query = Query::new(&pairs);
    let asked = AvailabilityQuery::read(&mut query, &queue);
    query.finish().map_err(Problem::invalid)?;
    let AvailabilityQuery { medium, live_wait_seconds } = asked?;
    counted?;
    let availability = workspace.handle.availability(id, medium, live_wait_seconds).await?;
    Ok(Reply::ok(&AvailabilityBody::new(&availability, call.now)))
}
