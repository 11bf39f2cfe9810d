//! `GET /v1/stats`: how each queue and agent stands now.

use futures_util::future::try_join_all;
use serde::Serialize;

use super::call::Call;
use super::reply::Reply;
use crate::wire::agent::AgentStatusBody;
use crate::wire::instant::Instant;
use crate::wire::problem::Problem;
use crate::wire::queue::QueueStatsBody;

#[derive(Serialize)]
struct StatsBody<'a> {
    at: Instant,
    queues: Vec<QueueStatsBody<'a>>,
    agents: Vec<AgentStatusBody<'a>>,
}

/// `GET /v1/stats`.
pub(super) async fn stats(call: &Call) -> Result<Reply, Problem> {
    call.supervises()?;
    let handle = &call.workspace().handle;
    let (queues, agents) = (handle.queues(), handle.agents());
    let lines = queues.iter().map(|queue| handle.queue_stats(queue.settings.id.clone()));
    let lines = try_join_all(lines).await?;
    let rows = queues.iter().zip(&lines);
    Ok(Reply::ok(&StatsBody {
        at: Instant(call.now),
        queues: rows.map(|(queue, stats)| QueueStatsBody::new(queue, stats, call.now)).collect(),
        agents: agents.iter().map(|view| AgentStatusBody::new(view, call.now)).collect(),
    }))
}
