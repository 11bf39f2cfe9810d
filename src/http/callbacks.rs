//! `/v1/callbacks`: asking for one, looking at them, changing one's fields.

use std::sync::Arc;

use actix_web::http::StatusCode;

use super::call::Call;
use super::reply::Reply;
use super::slots;
use crate::domain::agent::Lost;
use crate::domain::callback::{State, Told};
use crate::domain::effect::InLine;
use crate::domain::message::Action;
use crate::domain::queue::Queue;
use crate::domain::refusal::Refusal;
use crate::engine::entry::KeptAnswer;
use crate::engine::handle::{Acted, Answered, CommandError};
use crate::engine::library::{FullCallback, Page};
use crate::wire::callback::{Besides, CallbackBody, ExistingBody, RenderContext, View};
use crate::wire::event::EventBody;
use crate::wire::json::Object;
use crate::wire::list::{LIST, may_list, narrow, read_list, those_seen};
use crate::wire::manage;
use crate::wire::page::{PageBody, PageQuery, print_cursor};
use crate::wire::patch::{Rights, Target, read_patch};
use crate::wire::problem::{Kind, Problem};
use crate::wire::query::Query;
use crate::wire::request::read_request;
use crate::wire::role::Role;
use crate::wire::trace::TraceBody;

/// `POST /v1/callbacks`.
pub(super) async fn create(call: &Call<'_>) -> Result<Reply, Problem> {
    if matches!(call.role(), Role::Customer(_)) {
        return Err(Problem::forbidden("A manage token is good for its one callback only."));
    }
    call.public_request()?;
    let counted = call.count_public_request();
    let keyed = call.keyed()?;
    let workspace = call.workspace();
    let most = call.shared.limits.max_requirements;
    let wish = match read_request(&call.body.value, call.role(), &workspace.handle, most) {
        Ok(wish) => slots::fits(call, &wish).await.map(|()| wish),
        Err(problem) => Err(problem),
    };
    let wish = match wish {
        Ok(wish) => wish,
        Err(problem) => return replayed_or(call, problem).await,
    };
    let phone = wish.request.customer.phone;
    if let Err(problem) = counted.and_then(|()| call.count_callback(phone)) {
        return replayed_or(call, problem).await;
    }
    let request = Arc::clone(&wish.request);
    let answered = workspace.handle.create(wish, keyed).await;
    // Neither what was answered before nor what isn't taken for the moment uses up anything; should
    // the latter have been taken after all, its repetition is answered from what is kept.
    if matches!(
        answered,
        Ok(Answered { replayed: true, .. })
            | Err(CommandError::Refused(Refusal::Overloaded | Refusal::Unavailable))
    ) {
        call.uncount_callback(phone);
    }
    let Answered { value: acted, replayed } = answered?;
    if replayed || !acted.created {
        return created(call, Answered { value: acted, replayed }).await;
    }
    // What was made now has the texts that came with it: nothing needs to be read.
    let full = FullCallback { callback: acted.callback.clone(), request, ended: Vec::new() };
    Ok(show_created(call, &full, &acted))
}

/// What was answered under the request's key before, else the problem: a replay is looked for
/// before fields are checked, since what was good then (a start, a queue) may be gone by now.
pub(super) async fn replayed_or(call: &Call<'_>, problem: Problem) -> Result<Reply, Problem> {
    let Some(keyed) = call.keyed()? else { return Err(problem) };
    match call.workspace().handle.replayed(keyed).await? {
        Some(KeptAnswer::Callback { callback, position, created: made, duplicates }) => {
            let value = Acted { callback, position, created: made, duplicates };
            let answered = Answered { value, replayed: true };
            if call.part("id").is_empty() {
                created(call, answered).await
            } else {
                acted(call, answered).await
            }
        }
        Some(KeptAnswer::Queue(_) | KeptAnswer::Failure(_) | KeptAnswer::Served { .. }) | None => {
            Err(problem)
        }
    }
}

async fn created(call: &Call<'_>, answered: Answered<Acted>) -> Result<Reply, Problem> {
    let Answered { value: acted, replayed } = answered;
    let full = call.workspace().handle.complete(acted.callback.clone()).await?;
    Ok(show_created(call, &full, &acted).replayed(replayed))
}

const fn seconds_told(told: Told) -> u32 {
    told.estimate.seconds
}

fn show_created(call: &Call<'_>, full: &FullCallback, acted: &Acted) -> Reply {
    let Acted { callback: _, position, created: made, duplicates } = acted;
    let made = *made;
    let workspace = call.workspace();
    let id = full.callback.id;
    let theirs = match call.role() {
        Role::Channel { channel, public } => {
            made || (!public && full.request.origin.channel == *channel)
        }
        Role::Customer(_) | Role::Agent(_) | Role::Supervisor(_) | Role::Admin(_) => true,
    };
    let is_channel = matches!(call.role(), Role::Channel { .. });
    let token = (is_channel && theirs).then(|| workspace.signer.token(id));
    let url = token.as_ref().map(|token| manage::url(&call.shared.public_url, token));
    let queue = queue_at_change(call, full);
    let status = if made { StatusCode::CREATED } else { StatusCode::OK };
    let reply = if theirs {
        let render = RenderContext {
            view: view(call.role()),
            queue: queue.as_deref(),
            links: &workspace.links,
            at: full.callback.updated_at,
            lost: None,
            position: *position,
            // What was told when it was asked for, so that a replay tells the same.
            estimated_wait_seconds: position.and(full.callback.told).map(seconds_told),
            omit_context: false,
        };
        let besides = Besides {
            manage: token.as_deref().zip(url.as_deref()),
            existing: !made,
            duplicates: call.role().is_inside().then_some(duplicates.as_slice()),
        };
        Reply::json(status, &CallbackBody::new(full, render).besides(besides))
    } else {
        Reply::json(status, &ExistingBody::new(&full.callback))
    };
    let reply = reply.version(full.callback.version);
    if made { reply.location(format!("/v1/callbacks/{id}")) } else { reply }
}

/// The queue as the callback's last change saw it: a pause that began later must not show in the
/// answer to that change when it is given again.
fn queue_at_change(call: &Call<'_>, full: &FullCallback) -> Option<Arc<Queue>> {
    let queue = call.workspace().handle.queue(&full.callback.queue)?;
    let at = full.callback.updated_at;
    let later = queue.offers_paused.as_ref().is_some_and(|paused| paused.since > at);
    Some(if later {
        Arc::new(Queue { offers_paused: None, ..Queue::clone(&queue) })
    } else {
        queue
    })
}

/// The answer to whatever changed a callback. It is seen from the moment of the change, so that a
/// replay shows the same.
pub(super) async fn acted(call: &Call<'_>, answered: Answered<Acted>) -> Result<Reply, Problem> {
    let Acted { callback, position, created: _, duplicates: _ } = answered.value;
    let full = call.workspace().handle.complete(callback).await?;
    let in_line = match position {
        Some(position) => {
            let estimate = full.callback.told.map(|told| told.estimate);
            Some(InLine { position, estimate })
        }
        // Under a key the same must be answered again, and by then the line has moved.
        None if call.is_keyed() => None,
        None => match in_line(call, &full).await {
            // It is done, whether or not there is room at the door to ask for its place.
            Err(problem) if problem.kind == Kind::Overloaded => None,
            in_line => in_line?,
        },
    };
    Ok(show(call, &full, in_line, SeenFrom::Change).replayed(answered.replayed))
}

/// The instant that an answer is seen from.
#[derive(Clone, Copy)]
enum SeenFrom {
    /// The callback's last change.
    Change,
    /// Now.
    Now,
}

fn show(call: &Call<'_>, full: &FullCallback, in_line: Option<InLine>, seen: SeenFrom) -> Reply {
    let workspace = call.workspace();
    let queue = match seen {
        SeenFrom::Change => queue_at_change(call, full),
        SeenFrom::Now => workspace.handle.queue(&full.callback.queue),
    };
    let render = RenderContext {
        view: view(call.role()),
        queue: queue.as_deref(),
        links: &workspace.links,
        at: match seen {
            SeenFrom::Change => full.callback.updated_at,
            SeenFrom::Now => call.now,
        },
        lost: match seen {
            SeenFrom::Change => None,
            SeenFrom::Now => lost(call, full),
        },
        position: in_line.map(|in_line| in_line.position),
        estimated_wait_seconds: in_line
            .and_then(|in_line| in_line.estimate)
            .map(|estimate| estimate.seconds),
        omit_context: false,
    };
    Reply::ok(&CallbackBody::new(full, render)).version(full.callback.version)
}

/// Whether the agent that has it has no session, and since when.
fn lost(call: &Call<'_>, full: &FullCallback) -> Option<Lost> {
    let agent = full.callback.assigned_agent()?;
    call.workspace().handle.agent(agent)?.lost()
}

fn view(role: &Role) -> View {
    match role {
        Role::Customer(_) | Role::Channel { .. } => View::Outside,
        Role::Agent(_) | Role::Supervisor(_) | Role::Admin(_) => View::Inside,
    }
}

/// `GET /v1/callbacks/{id}`.
pub(super) async fn get(call: &Call<'_>) -> Result<Reply, Problem> {
    let full = call.callback().await?;
    call.not_public()?;
    let in_line = in_line(call, &full).await?;
    Ok(show(call, &full, in_line, SeenFrom::Now))
}

async fn in_line(call: &Call<'_>, full: &FullCallback) -> Result<Option<InLine>, Problem> {
    let callback = &full.callback;
    if callback.state() != State::Queued {
        return Ok(None);
    }
    let handle = &call.workspace().handle;
    Ok(handle.in_line(callback).await?)
}

/// `GET /v1/callbacks`.
pub(super) async fn list(call: &Call<'_>) -> Result<Reply, Problem> {
    call.not_public()?;
    let workspace = call.workspace();
    let agent = workspace.agent_of(call.role());
    let region_of = |queue: &_| workspace.handle.queue(queue)?.settings.default_region;
    let pairs = call.query()?;
    may_list(call.role(), &pairs)?;
    let mut read = read_list(&pairs, &region_of)?;
    narrow(&mut read.filter, call.role(), agent.as_deref());
    let Page { items, next } = workspace.handle.list(read).await?;
    let items = those_seen(&workspace.handle, call.role(), agent.as_deref(), items).await?;
    let queues: Vec<_> =
        items.iter().map(|full| workspace.handle.queue(&full.callback.queue)).collect();
    let rows = items.iter().zip(&queues).map(|(full, queue)| {
        let render = RenderContext {
            view: view(call.role()),
            queue: queue.as_deref(),
            links: &workspace.links,
            at: call.now,
            lost: lost(call, full),
            position: None,
            estimated_wait_seconds: None,
            omit_context: false,
        };
        CallbackBody::new(full, render)
    });
    let next_cursor = next.as_deref().map(|place| print_cursor(LIST, place));
    Ok(Reply::ok(&PageBody { items: rows.collect::<Vec<_>>(), next_cursor }))
}

/// `PATCH /v1/callbacks/{id}`.
pub(super) async fn patch(call: &Call<'_>) -> Result<Reply, Problem> {
    let full = call.callback().await?;
    let body = call.body.object();
    let rights = Rights::of(call.role(), &full.callback);
    // Whoever may change nothing is told so, whatever the body says.
    rights.check(body.as_ref().map_or(&Object::new(), |body| body))?;
    let body = body?;
    let done = patch_once(call, &full, body).await;
    if call.if_match(full.callback.version).is_some()
        || !matches!(&done, Err(problem) if is_stale(problem))
    {
        return done;
    }
    // Somebody else's patch came between reading and writing, and this one named no version: it
    // is merged into what there is now. Each round that fails is another's that succeeded.
    for _ in 0..MERGES_MAX {
        let full = call.callback().await?;
        let done = patch_once(call, &full, body).await;
        if !matches!(&done, Err(problem) if is_stale(problem)) {
            return done;
        }
    }
    Err(Refusal::Overloaded.into())
}

/// How often a patch is merged again before its sender is told to come back later.
const MERGES_MAX: usize = 16;

fn is_stale(problem: &Problem) -> bool {
    problem.kind == Kind::VersionStale
}

async fn patch_once(
    call: &Call<'_>,
    full: &FullCallback,
    body: &Object<'_>,
) -> Result<Reply, Problem> {
    let workspace = call.workspace();
    let queue = live_queue(call, full, "patch")?;
    let max_requirements = call.shared.limits.max_requirements;
    let target = Target { full, queue: &queue, known: &workspace.handle, max_requirements };
    let patch = read_patch(body, target)?;
    let action = Action::Patch(Box::new(patch));
    let (id, who) = (full.callback.id, call.role().who());
    let if_match = call.if_match(full.callback.version);
    acted(call, workspace.handle.act(id, who, action, if_match, None).await?).await
}

/// The queue of a callback to which `action` is to be done. A queue is only ever removed when
/// nothing waits in it, so that where there is none, the callback has ended.
pub(super) fn live_queue(
    call: &Call<'_>,
    full: &FullCallback,
    action: &'static str,
) -> Result<Arc<Queue>, Problem> {
    let state = full.callback.state();
    let queue = call.workspace().handle.queue(&full.callback.queue);
    queue.ok_or_else(|| Refusal::IllegalTransition { state, action }.into())
}

/// `GET /v1/callbacks/{id}/routing`.
pub(super) async fn routing(call: &Call<'_>) -> Result<Reply, Problem> {
    let full = call.callback().await?;
    call.inside()?;
    let in_line = in_line(call, &full).await?;
    let position = in_line.map(|in_line| in_line.position);
    let trace = call.workspace().handle.trace(full.callback.clone()).await?;
    Ok(Reply::ok(&TraceBody::new(&full.callback, position, &trace)))
}

/// `GET /v1/callbacks/{id}/history`.
pub(super) async fn history(call: &Call<'_>) -> Result<Reply, Problem> {
    let full = call.callback().await?;
    call.inside()?;
    let pairs = call.query()?;
    let mut query = Query::new(&pairs);
    let id = full.callback.id;
    let page = PageQuery::read(&mut query, format!("history of {id}"));
    query.finish().map_err(Problem::invalid)?;
    let (limit, after) = (page.limit, page.after_number()?);
    let workspace = call.workspace();
    let mut events = workspace.handle.history(id, after, limit + 1).await?;
    let more = events.len() > limit;
    events.truncate(limit);
    let last = events.last().filter(|_| more);
    let next_cursor = last.map(|event| page.next(&event.id.to_be_bytes()));
    let items = events.iter().map(|event| EventBody::new(event, &workspace.id));
    Ok(Reply::ok(&PageBody { items: items.collect::<Vec<_>>(), next_cursor }))
}
