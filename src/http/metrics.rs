//! Figures for Prometheus: requests counted here, and how each workspace stands at the moment.

mod of_now;

use std::fmt;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

use self::of_now::OfNow;
pub(super) use self::of_now::Standing;
use crate::engine::figures::SocketCounts;

/// Before every name.
const PREFIX: &str = "ringback";

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
        let mut registry = Registry::with_prefix(PREFIX);
        registry.register("http_requests", "Requests answered", requests.clone());
        let help = "Time from a request's head to its answer";
        registry.register("http_request_duration_seconds", help, Family::clone(&seconds));
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
    pub(super) fn text(
        &self,
        workspaces: Vec<Standing>,
        sockets: &SocketCounts,
    ) -> Result<String, fmt::Error> {
        let mut of_now = Registry::with_prefix(PREFIX);
        of_now.register_collector(Box::new(OfNow::new(workspaces, sockets)));
        let mut text = String::new();
        encode(&mut text, &of_now)?;
        // Each encoding ends with the marker of the end; only the last may.
        let mut text = text.trim_end().trim_end_matches("# EOF").to_owned();
        encode(&mut text, &self.registry)?;
        Ok(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::figures::Figures;
    use crate::engine::health::Health;

    fn text(metrics: &Metrics, health: Health) -> String {
        let (workspace, figures) = ("main".to_owned(), Figures::default());
        let sockets = SocketCounts::default();
        sockets.opened();
        sockets.opened();
        sockets.ended("silent");
        let standing = Standing { workspace, health, figures };
        metrics.text(vec![standing], &sockets).expect("written to a String")
    }

    #[test]
    fn figures_are_told_by_route_and_by_workspace() {
        let metrics = Metrics::new();
        metrics.count("GET", "/v1/callbacks/{id}", 200, 0.002);
        metrics.count("GET", "/v1/callbacks/{id}", 200, 0.002);
        let text = text(&metrics, Health { ready: true, live: 3, ..Health::default() });
        for line in [
            "ringback_ready{workspace=\"main\"} 1",
            "ringback_callback_actors{workspace=\"main\"} 3",
            "ringback_alarm{workspace=\"main\",alarm=\"set_aside\"} 0",
            "ringback_sockets_open 1",
            "ringback_sockets_ended_total{reason=\"silent\"} 1",
            "ringback_journal_append_duration_seconds_count{workspace=\"main\"} 0",
            "ringback_http_requests_total{method=\"GET\",route=\"/v1/callbacks/{id}\",\
             status=\"200\"} 2",
        ] {
            assert!(text.contains(line), "{line}\n{text}");
        }
        assert_eq!(text.matches("# EOF").count(), 1);
        assert!(text.ends_with("# EOF\n"), "{text}");
    }

    /// What Prometheus asks of names: one prefix, base units, and `_total` for counters alone.
    #[test]
    fn names_follow_the_conventions() {
        let metrics = Metrics::new();
        metrics.count("GET", "/healthz", 200, 0.002);
        let text = text(&metrics, Health::default());
        let types = text.lines().filter_map(|line| line.strip_prefix("# TYPE "));
        let types: Vec<(&str, &str)> = types.filter_map(|line| line.split_once(' ')).collect();
        assert!(types.len() > 30, "{text}");
        for (name, kind) in &types {
            let plain = |letter: char| letter.is_ascii_lowercase() || letter == '_';
            assert!(name.starts_with("ringback_") && name.chars().all(plain), "{name}");
            // The suffix of counters stands at their samples.
            assert!(!name.ends_with("_total"), "{name}");
            for unit in ["milliseconds", "_ms", "micros", "minutes", "kib", "mib"] {
                assert!(!name.contains(unit), "{name}: seconds and bytes");
            }
            let count = types.iter().filter(|(other, _)| other == name).count();
            assert_eq!(count, 1, "{name}");
            let samples = |suffix: &str| text.contains(&format!("\n{name}{suffix}"));
            match *kind {
                "counter" => assert!(!samples(" ") && !samples("{"), "{name}"),
                "histogram" => assert!(samples("_bucket") && samples("_sum"), "{name}"),
                other => assert_eq!(other, "gauge", "{name}"),
            }
        }
    }
}
