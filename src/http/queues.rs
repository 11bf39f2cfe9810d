//! `/v1/queues`: setting them up, pausing them.

use actix_web::http::StatusCode;

use super::call::Call;
use super::reply::Reply;
use crate::domain::ids::QueueId;
use crate::domain::queue::Queue;
use crate::engine::entry::KeptAnswer;
use crate::wire::json::Json;
use crate::wire::page::{PageBody, PageQuery, page_of};
use crate::wire::problem::Problem;
use crate::wire::query::Query;
use crate::wire::queue::{
    CONFLICTS, STATUS, bad_queue, conflicts_body, queue_body, read_pause, read_resume,
};
use crate::wire::settings;

fn show(call: &Call<'_>, queue: &Queue, status: StatusCode) -> Reply {
    Reply::json(status, &queue_body(queue, call.now)).version(queue.version)
}

fn id(call: &Call<'_>) -> Result<QueueId, Problem> {
    QueueId::parse(call.part("id")).map_err(|_| Problem::not_found())
}

/// `GET /v1/queues`.
pub(super) async fn list(call: &Call<'_>) -> Result<Reply, Problem> {
    call.supervises()?;
    let pairs = call.query()?;
    let mut query = Query::new(&pairs);
    let page = PageQuery::read(&mut query, "queues");
    query.finish().map_err(Problem::invalid)?;
    let queues = call.workspace().handle.queues();
    let (queues, next_cursor) = page_of(queues.iter(), |queue| queue.settings.id.as_str(), &page);
    let items: Vec<_> = queues.into_iter().map(|queue| queue_body(queue, call.now)).collect();
    Ok(Reply::ok(&PageBody { items, next_cursor }))
}

/// `GET /v1/queues/{id}`.
pub(super) async fn get(call: &Call<'_>) -> Result<Reply, Problem> {
    let queue = call.workspace().queue(&id(call)?)?;
    call.supervises()?;
    Ok(show(call, &queue, StatusCode::OK))
}

/// `PUT /v1/queues/{id}`.
pub(super) async fn put(call: &Call<'_>) -> Result<Reply, Problem> {
    call.administers()?;
    let id = QueueId::parse(call.part("id"))
        .map_err(|error| Problem::field("/id", error.to_string()))?;
    let mut body = call.body.object()?.clone();
    body.remove(STATUS);
    body.remove(CONFLICTS);
    let most = call.shared.limits.max_requirements;
    let body = Json::Object(body);
    let settings = settings::queue(&body, &id, most).map_err(|faults| bad_queue(&body, faults))?;
    let there = call.workspace().handle.queue(&id).map(|queue| queue.version);
    call.check_there(there.is_some())?;
    let if_match = call.if_match(there.unwrap_or_default());
    let (queue, made) = call.workspace().handle.put_queue(settings, if_match).await?;
    let status = if made { StatusCode::CREATED } else { StatusCode::OK };
    let conflicts = call.workspace().handle.conflicts(&queue).await?;
    let mut shown = queue_body(&queue, call.now);
    shown.insert(CONFLICTS.to_owned(), conflicts_body(&conflicts));
    let reply = Reply::json(status, &shown).version(queue.version);
    Ok(if made { reply.location(format!("/v1/queues/{id}")) } else { reply })
}

/// `DELETE /v1/queues/{id}`.
pub(super) async fn delete(call: &Call<'_>) -> Result<Reply, Problem> {
    let id = id(call)?;
    let version = call.workspace().queue(&id)?.version;
    call.administers()?;
    call.workspace().handle.remove_queue(id, call.if_match(version)).await?;
    Ok(Reply::none())
}

/// `POST /v1/queues/{id}/pause`.
pub(super) async fn pause(call: &Call<'_>) -> Result<Reply, Problem> {
    let queue = call.workspace().queue(&id(call)?)?;
    call.supervises()?;
    let keyed = call.keyed()?;
    let pause = call.fields(|fields| Some(read_pause(fields, call.now)));
    let pause = match pause.and_then(|pause| check_version(call, queue.version).map(|()| pause)) {
        Ok(pause) => pause,
        Err(problem) => return replayed_or(call, problem).await,
    };
    let id = queue.settings.id.clone();
    let answered = call.workspace().handle.pause_queue(id, pause, keyed).await?;
    Ok(show(call, &answered.value, StatusCode::OK).replayed(answered.replayed))
}

/// `POST /v1/queues/{id}/resume`.
pub(super) async fn resume(call: &Call<'_>) -> Result<Reply, Problem> {
    let queue = call.workspace().queue(&id(call)?)?;
    call.supervises()?;
    let keyed = call.keyed()?;
    let halves = call.fields(|fields| Some(read_resume(fields)));
    let halves = halves.and_then(|halves| check_version(call, queue.version).map(|()| halves));
    let halves = match halves {
        Ok(halves) => halves,
        Err(problem) => return replayed_or(call, problem).await,
    };
    let id = queue.settings.id.clone();
    let answered = call.workspace().handle.resume_queue(id, halves, keyed).await?;
    Ok(show(call, &answered.value, StatusCode::OK).replayed(answered.replayed))
}

/// What was answered under the request's key before, else the problem.
async fn replayed_or(call: &Call<'_>, problem: Problem) -> Result<Reply, Problem> {
    let Some(keyed) = call.keyed()? else { return Err(problem) };
    match call.workspace().handle.replayed(keyed).await? {
        Some(KeptAnswer::Queue(queue)) => Ok(show(call, &queue, StatusCode::OK).replayed(true)),
        Some(KeptAnswer::Callback { .. } | KeptAnswer::Failure(_) | KeptAnswer::Served { .. })
        | None => Err(problem),
    }
}

/// `If-Match` where the engine's command takes no version: held against what is shown.
pub(super) fn check_version(call: &Call<'_>, version: u64) -> Result<(), Problem> {
    match call.if_match(version) {
        Some(wanted) if wanted != version => {
            Err(crate::domain::refusal::Refusal::VersionStale { version }.into())
        }
        Some(_) | None => Ok(()),
    }
}
