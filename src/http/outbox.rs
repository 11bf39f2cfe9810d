//! `/v1/outbox`: what was given up, and having it tried again.

use super::call::Call;
use super::reply::Reply;
use crate::domain::dispatch::Failure;
use crate::engine::entry::KeptAnswer;
use crate::wire::failure::FailureBody;
use crate::wire::page::{PageBody, PageQuery};
use crate::wire::problem::Problem;
use crate::wire::query::Query;

/// `GET /v1/outbox/failures`: by number, the oldest first.
pub(super) async fn failures(call: &Call<'_>) -> Result<Reply, Problem> {
    call.administers()?;
    let pairs = call.query()?;
    let mut query = Query::new(&pairs);
    let page = PageQuery::read(&mut query, "outbox_failures");
    query.finish().map_err(Problem::invalid)?;
    let (limit, after) = (page.limit, page.after_number()?);
    let handle = &call.workspace().handle;
    let mut failures = handle.failures(after, limit + 1).await?;
    let more = failures.len() > limit;
    failures.truncate(limit);
    let last = failures.last().filter(|_| more);
    let next_cursor = last.map(|failure| page.next(&failure.id.to_be_bytes()));
    let items: Vec<_> = failures.iter().map(FailureBody::new).collect();
    Ok(Reply::ok(&PageBody { items, next_cursor }))
}

/// `POST /v1/outbox/failures/{id}/retry`.
pub(super) async fn retry(call: &Call<'_>) -> Result<Reply, Problem> {
    call.administers()?;
    let Ok(id) = call.part("id").parse() else { return Err(Problem::not_found()) };
    if let Err(problem) = call.fields(|_| Some(())) {
        return replayed_or(call, problem).await;
    }
    let answered = call.workspace().handle.retry_failure(id, call.keyed()?).await?;
    Ok(show(&answered.value).replayed(answered.replayed))
}

fn show(failure: &Failure) -> Reply {
    Reply::ok(&FailureBody::new(failure))
}

/// What was answered under the request's key before, else the problem.
async fn replayed_or(call: &Call<'_>, problem: Problem) -> Result<Reply, Problem> {
    let Some(keyed) = call.keyed()? else { return Err(problem) };
    match call.workspace().handle.replayed(keyed).await? {
        Some(KeptAnswer::Failure(failure)) => Ok(show(&failure).replayed(true)),
        Some(KeptAnswer::Callback { .. } | KeptAnswer::Queue(_) | KeptAnswer::Served { .. })
        | None => Err(problem),
    }
}
