//! `/healthz`, `/readyz`, `/metrics`: for whoever runs the server.

use serde_json::{Map, Value, json};

use super::reply::Reply;
use super::state::Shared;
use crate::engine::handle::Health;
use crate::wire::problem::{Kind, Problem};

/// Prometheus reads this version of its text.
const METRICS_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// `GET /healthz`: the process answers.
pub(super) fn healthz() -> Reply {
    Reply::ok(&json!({"status": "ok"}))
}

/// `GET /readyz`: every workspace takes commands.
pub(super) fn readyz(shared: &Shared) -> Result<Reply, Problem> {
    let health = |one: &super::state::Workspace| (one.id.to_string(), one.handle.health());
    let all: Vec<(String, Health)> = shared.workspaces.iter().map(health).collect();
    let ready = all.iter().all(|(_, health)| is_ready(health));
    let workspaces: Map<String, Value> =
        all.into_iter().map(|(id, health)| (id, word(&health).into())).collect();
    if ready {
        return Ok(Reply::ok(&json!({"status": "ready", "workspaces": workspaces})));
    }
    Err(Problem::new(Kind::Unavailable, "Not every workspace takes commands; try again later.")
        .with("workspaces", workspaces))
}

fn is_ready(health: &Health) -> bool {
    health.ready && health.stalled_ms.is_none() && !health.draining
}

fn word(health: &Health) -> &'static str {
    match health {
        Health { draining: true, .. } => "draining",
        Health { stalled_ms: Some(_), .. } => "stalled",
        Health { ready: true, .. } => "ready",
        Health { .. } => "starting",
    }
}

/// `GET /metrics`.
pub(super) fn metrics(shared: &Shared) -> Result<Reply, Problem> {
    let health = |one: &'_ super::state::Workspace| one.handle.health();
    let all: Vec<(&str, Health)> =
        shared.workspaces.iter().map(|one| (one.id.as_str(), health(one))).collect();
    let text = shared.metrics.text(&all);
    let text = text.map_err(|_| Problem::new(Kind::Internal, "The figures can't be written."))?;
    Ok(Reply::text(METRICS_TYPE, text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn readiness_ends_with_a_stall_and_with_draining() {
        let ready = Health { ready: true, ..Health::default() };
        let stalled = Health { stalled_ms: Some(800), ..ready.clone() };
        let draining = Health { draining: true, ..ready.clone() };
        let words = [(&ready, "ready"), (&stalled, "stalled"), (&draining, "draining")];
        for (health, expected) in words {
            assert_eq!(word(health), expected);
            assert_eq!(is_ready(health), expected == "ready");
        }
        assert_eq!(word(&Health::default()), "starting");
        assert!(!is_ready(&Health::default()));
    }
}
