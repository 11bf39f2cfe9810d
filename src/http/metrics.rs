//! Figures for Prometheus: requests counted here, and how each workspace stands at the moment.

use std::fmt;
use std::sync::atomic::AtomicU64;

use prometheus_client::encoding::text::encode;
use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue, LabelValueEncoder};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

use crate::engine::handle::Health;

/// Bounds of the histogram's buckets, in seconds: from a read of memory to a stalled store.
const BUCKETS: [f64; 11] = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0];

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    method: &'static str,
    route: &'static str,
    status: u16,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RouteLabels {
    method: &'static str,
    route: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct WorkspaceLabels {
    workspace: WorkspaceLabel,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct WorkspaceLabel(String);

impl EncodeLabelValue for WorkspaceLabel {
    fn encode(&self, out: &mut LabelValueEncoder) -> Result<(), fmt::Error> {
        self.0.encode(out)
    }
}

/// What is counted while requests are answered.
pub(super) struct Metrics {
    requests: Family<RequestLabels, Counter>,
    seconds: Family<RouteLabels, Histogram>,
    registry: Registry,
}

impl Metrics {
    pub(super) fn new() -> Self {
        let requests = Family::default();
        let seconds = Family::new_with_constructor((|| Histogram::new(BUCKETS)) as fn() -> _);
        let mut registry = Registry::with_prefix("ringback");
        registry.register("http_requests", "Requests answered", requests.clone());
        registry.register("http_request_seconds", "Time to answer", Family::clone(&seconds));
        Self { requests, seconds, registry }
    }

    /// Counts a request. `route` is the route's pattern, never the path: that would make a
    /// series of every callback, and tell their ids.
    pub(super) fn count(
        &self,
        method: &'static str,
        route: &'static str,
        status: u16,
        seconds: f64,
    ) {
        self.requests.get_or_create(&RequestLabels { method, route, status }).inc();
        self.seconds.get_or_create(&RouteLabels { method, route }).observe(seconds);
    }

    /// Everything, as text.
    pub(super) fn text(&self, workspaces: &[(&str, Health)]) -> Result<String, fmt::Error> {
        let mut text = String::new();
        encode(&mut text, &of_now(workspaces))?;
        // Each encoding ends with the marker of the end; only the last may.
        let mut text = text.trim_end().trim_end_matches("# EOF").to_owned();
        encode(&mut text, &self.registry)?;
        Ok(text)
    }
}

fn of_now(workspaces: &[(&str, Health)]) -> Registry {
    type Figure = fn(&Health) -> u64;
    let figures: [(&str, &str, Figure); 7] = [
        ("ready", "1 while the workspace takes commands", |health| u64::from(health.ready)),
        ("draining", "1 while it drains", |health| u64::from(health.draining)),
        ("store_stalled_milliseconds", "How long the store hasn't acknowledged", |health| {
            health.stalled_ms.unwrap_or(0)
        }),
        ("journal_taken", "Newest journal entry taken", |health| health.taken),
        ("journal_durable", "Newest durable journal entry", |health| health.durable),
        ("callbacks_live", "Callbacks with an actor", |health| health.live as u64),
        ("commands_in_flight", "Commands under way", |health| health.in_flight as u64),
    ];
    let mut registry = Registry::with_prefix("ringback");
    for (name, help, figure) in figures {
        let family = Family::<WorkspaceLabels, Gauge<u64, AtomicU64>>::default();
        for (workspace, health) in workspaces {
            let workspace = WorkspaceLabel((*workspace).to_owned());
            family.get_or_create(&WorkspaceLabels { workspace }).set(figure(health));
        }
        registry.register(name, help, family);
    }
    registry
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_told_by_route_and_by_workspace() {
        let metrics = Metrics::new();
        metrics.count("GET", "/v1/callbacks/{id}", 200, 0.002);
        metrics.count("GET", "/v1/callbacks/{id}", 200, 0.002);
        let health = Health { ready: true, live: 3, ..Health::default() };
        let text = metrics.text(&[("main", health)]).expect("written to a String");
        for line in [
            "ringback_ready{workspace=\"main\"} 1",
            "ringback_callbacks_live{workspace=\"main\"} 3",
            "ringback_http_requests_total{method=\"GET\",route=\"/v1/callbacks/{id}\",\
             status=\"200\"} 2",
        ] {
            assert!(text.contains(line), "{line}\n{text}");
        }
        assert_eq!(text.matches("# EOF").count(), 1);
        assert!(text.ends_with("# EOF\n"), "{text}");
    }
}
