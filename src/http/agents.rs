//! `/v1/agents` and what is known of them: settings, presence, work elsewhere, status, directory.

use std::sync::Arc;

use actix_web::http::StatusCode;
use serde::Serialize;

use super::call::Call;
use super::queues::check_version;
use super::reply::Reply;
use crate::domain::agent::{Agent, AgentView};
use crate::domain::ids::AgentId;
use crate::wire::agent::{
    AgentStatusBody, ColleagueBody, ExternalLoadBody, agent_body, read_external_load,
    read_presence_body,
};
use crate::wire::page::{PageBody, PageQuery, page_of};
use crate::wire::problem::Problem;
use crate::wire::query::Query;
use crate::wire::queue::QueueName;
use crate::wire::request::invalid;
use crate::wire::role::Role;
use crate::wire::settings;

fn show(agent: &Agent, status: StatusCode) -> Reply {
    Reply::json(status, &agent_body(agent)).version(agent.settings_version)
}

fn view(call: &Call<'_>) -> Result<Arc<AgentView>, Problem> {
    let id = AgentId::parse(call.part("id")).map_err(|_| Problem::not_found())?;
    call.workspace().handle.agent(&id).ok_or_else(Problem::not_found)
}

fn page(call: &Call<'_>, list: &str) -> Result<PageQuery, Problem> {
    let pairs = call.query()?;
    let mut query = Query::new(&pairs);
    let page = PageQuery::read(&mut query, list);
    query.finish().map_err(Problem::invalid)?;
    Ok(page)
}

/// `GET /v1/agents`.
pub(super) async fn list(call: &Call<'_>) -> Result<Reply, Problem> {
    call.supervises()?;
    let page = page(call, "agents")?;
    let agents = call.workspace().handle.agents();
    let (rows, next_cursor) = page_of(agents.iter(), |view| view.agent.settings.id.as_str(), &page);
    let items: Vec<_> = rows.into_iter().map(|view| agent_body(&view.agent)).collect();
    Ok(Reply::ok(&PageBody { items, next_cursor }))
}

/// `GET /v1/agents/{id}`.
pub(super) async fn get(call: &Call<'_>) -> Result<Reply, Problem> {
    call.supervises()?;
    Ok(show(&view(call)?.agent, StatusCode::OK))
}

/// `PUT /v1/agents/{id}`.
pub(super) async fn put(call: &Call<'_>) -> Result<Reply, Problem> {
    call.administers()?;
    let id = AgentId::parse(call.part("id"))
        .map_err(|error| Problem::field("/id", error.to_string()))?;
    let handle = &call.workspace().handle;
    let there = handle.agent(&id);
    // A queue that was removed stays with its agents, who serve it if it is made again: what a GET
    // showed can be put back.
    let has = |queue: &_| {
        there.as_ref().is_some_and(|view| view.agent.settings.membership(queue).is_some())
    };
    let known = |queue: &_| handle.queue(queue).is_some() || has(queue);
    let settings = settings::agent(&call.body.value, &id, &known).map_err(invalid)?;
    let there = there.as_ref().map(|view| view.agent.settings_version);
    call.check_there(there.is_some())?;
    let if_match = call.if_match(there.unwrap_or_default());
    let (agent, made) = handle.put_agent(settings, if_match).await?;
    let status = if made { StatusCode::CREATED } else { StatusCode::OK };
    let reply = show(&agent, status);
    Ok(if made { reply.location(format!("/v1/agents/{id}")) } else { reply })
}

/// `DELETE /v1/agents/{id}`.
pub(super) async fn delete(call: &Call<'_>) -> Result<Reply, Problem> {
    call.supervises()?;
    let agent = Arc::clone(&view(call)?.agent);
    call.administers()?;
    let (id, if_match) = (agent.settings.id.clone(), call.if_match(agent.settings_version));
    call.workspace().handle.remove_agent(id, if_match).await?;
    Ok(Reply::none())
}

/// `PUT /v1/agents/{id}/presence`.
pub(super) async fn presence(call: &Call<'_>) -> Result<Reply, Problem> {
    call.inside()?;
    let view = view(call)?;
    let id = view.agent.settings.id.clone();
    let forbidden = || Problem::forbidden("An agent sets their own presence only.");
    let by = call.role().presence_by(&id).ok_or_else(forbidden)?;
    let reasons = &call.workspace().presence_reasons;
    let (presence, reason) = call.fields(|fields| read_presence_body(fields, reasons))?;
    check_version(call, view.agent.version)?;
    let agent = call.workspace().handle.set_presence(id, by, presence, reason).await?;
    Ok(status_of(call, &view, agent))
}

/// `PUT /v1/agents/{id}/external_load`.
pub(super) async fn external_load(call: &Call<'_>) -> Result<Reply, Problem> {
    call.not_public()?;
    if matches!(call.role(), Role::Customer(_)) {
        return Err(Problem::forbidden("A manage token is good for its one callback only."));
    }
    let view = view(call)?;
    let id = view.agent.settings.id.clone();
    if matches!(call.role(), Role::Agent(own) if *own != id) {
        return Err(Problem::forbidden("An agent tells of their own work only."));
    }
    let (units, until) =
        call.fields(|fields| read_external_load(fields, &call.workspace().handle))?;
    check_version(call, view.agent.version)?;
    let agent = call.workspace().handle.set_external_load(id, units, until).await?;
    if matches!(call.role(), Role::Channel { .. }) {
        let body = ExternalLoadBody::new(&agent, call.now);
        return Ok(Reply::ok(&body).version(agent.version));
    }
    Ok(status_of(call, &view, agent))
}

/// The status as the command left it: the rest of the view may be older than the agent.
fn status_of(call: &Call<'_>, view: &AgentView, agent: Arc<Agent>) -> Reply {
    let version = agent.version;
    let view = AgentView { agent, ..view.clone() };
    Reply::ok(&AgentStatusBody::new(&view, call.now)).version(version)
}

/// `GET /v1/agents/{id}/status`.
pub(super) async fn status(call: &Call<'_>) -> Result<Reply, Problem> {
    call.supervises()?;
    let view = view(call)?;
    Ok(status_of(call, &view, Arc::clone(&view.agent)))
}

/// `GET /v1/agent_status`.
pub(super) async fn status_list(call: &Call<'_>) -> Result<Reply, Problem> {
    call.supervises()?;
    let page = page(call, "agent_status")?;
    let agents = call.workspace().handle.agents();
    let (rows, next_cursor) = page_of(agents.iter(), |view| view.agent.settings.id.as_str(), &page);
    let items: Vec<_> = rows.into_iter().map(|view| AgentStatusBody::new(view, call.now)).collect();
    Ok(Reply::ok(&PageBody { items, next_cursor }))
}

#[derive(Serialize)]
struct DirectoryBody<'a> {
    queues: Vec<QueueName<'a>>,
    agents: Vec<ColleagueBody<'a>>,
}

/// `GET /v1/directory`.
pub(super) async fn directory(call: &Call<'_>) -> Result<Reply, Problem> {
    call.inside()?;
    let handle = &call.workspace().handle;
    let (queues, agents) = (handle.queues(), handle.agents());
    Ok(Reply::ok(&DirectoryBody {
        queues: queues.iter().map(|queue| QueueName::new(queue, call.now)).collect(),
        agents: agents.iter().map(|view| ColleagueBody::new(view, call.now)).collect(),
    }))
}
