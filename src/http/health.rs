//! `/healthz`, `/readyz`, `/metrics`: for whoever runs the server.

use serde_json::{Map, Value, json};

use super::metrics::Standing;
use super::reply::Reply;
use super::state::Shared;
use crate::engine::health::{Alarm, Health};
use crate::wire::problem::{Kind, Problem};

/// Prometheus reads this version of its text.
const METRICS_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// `GET /healthz`: the process answers.
pub(super) fn healthz() -> Reply {
    Reply::ok(&json!({"status": "ok"}))
}

/// `GET /readyz`: every workspace takes commands. Alarms are told beside it: not all of them keep
/// work from being taken.
pub(super) fn readyz(shared: &Shared) -> Result<Reply, Problem> {
    let health = |one: &super::state::Workspace| (one.id.to_string(), one.handle.health());
    let all: Vec<(String, Health)> = shared.workspaces.iter().map(health).collect();
    let ready = all.iter().all(|(_, health)| is_ready(health));
    let alarms = alarms(&all);
    let workspaces: Map<String, Value> =
        all.into_iter().map(|(id, health)| (id, word(&health).into())).collect();
    if ready {
        let body = json!({"status": "ready", "workspaces": workspaces, "alarms": alarms});
        return Ok(Reply::ok(&body));
    }
    Err(Problem::new(Kind::Unavailable, "Not every workspace takes commands; try again later.")
        .with("workspaces", workspaces)
        .with("alarms", alarms))
}

/// What somebody should look at, by workspace; those without an alarm are left out.
fn alarms(all: &[(String, Health)]) -> Map<String, Value> {
    let words = |health: &Health| -> Vec<&str> {
        health.alarms.iter().copied().map(Alarm::as_str).collect()
    };
    let ringing = all.iter().filter(|(_, health)| !health.alarms.is_empty());
    ringing.map(|(id, health)| (id.clone(), words(health).into())).collect()
}

fn is_ready(health: &Health) -> bool {
    health.ready && health.stalled_ms.is_none() && !health.draining
}

fn word(health: &Health) -> &'static str {
    match health {
        Health { draining: true, .. } => "draining",
        Health { stalled_ms: Some(_), .. } => "stalled",
        Health { alarms, .. } if alarms.contains(&Alarm::StoreReplaced) => "replaced",
        Health { ready: true, .. } => "ready",
        Health { .. } => "starting",
    }
}

/// `GET /metrics`.
pub(super) fn metrics(shared: &Shared) -> Result<Reply, Problem> {
    let standing = |one: &super::state::Workspace| Standing {
        workspace: one.id.to_string(),
        health: one.handle.health(),
        figures: one.handle.figures(),
    };
    let all = shared.workspaces.iter().map(standing).collect();
    let text = shared.metrics.text(all, &shared.sockets);
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
        let alarms_of = |ringing: Vec<Alarm>| {
            let health = Health { alarms: ringing, ..ready.clone() };
            alarms(&[("main".to_owned(), health)]).get("main").cloned()
        };
        assert_eq!(alarms_of(vec![Alarm::SetAside]), Some(json!(["set_aside"])));
        assert_eq!(alarms_of(vec![]), None);
        assert_eq!(word(&Health::default()), "starting");
        assert!(!is_ready(&Health::default()));
    }
}
