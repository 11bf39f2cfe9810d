//! How everything stands at the moment of the question, in Prometheus' words.
//!
//! Every label has few values: words of the domain, workspaces of the configuration, and queues,
//! of which the first [`MOST_QUEUES`] by id have series of their own. Nothing here may name a
//! callback, an agent or a customer.

mod queues;

use std::fmt;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, MetricEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;

use crate::domain::time::Span;
use crate::domain::webhook::WebhookStanding;
use crate::engine::figures::{CarrierFigures, Figures, Histogram, SocketCounts};
use crate::engine::health::{Alarm, Health};

/// Queues beyond it are summed under one name that no queue has.
const MOST_QUEUES: usize = 500;

/// A workspace with all that is known of it.
#[derive(Debug)]
pub(in crate::http) struct Standing {
    pub(in crate::http) workspace: String,
    pub(in crate::http) health: Health,
    pub(in crate::http) figures: Figures,
}

/// All workspaces, and what is counted over all of them.
#[derive(Debug)]
pub(super) struct OfNow {
    workspaces: Vec<Standing>,
    sockets_opened: u64,
    sockets_ended: Vec<(&'static str, u64)>,
}

type Labels = Vec<(&'static str, String)>;

/// A series: its labels beside the workspace, and its value.
type Series = (Labels, f64);

impl OfNow {
    pub(super) fn new(workspaces: Vec<Standing>, sockets: &SocketCounts) -> Self {
        let (sockets_opened, sockets_ended) = sockets.read();
        Self { workspaces, sockets_opened, sockets_ended }
    }
}

impl Collector for OfNow {
    fn encode(&self, mut out: DescriptorEncoder) -> Result<(), fmt::Error> {
        let out = &mut out;
        self.standing(out)?;
        self.journal(out)?;
        self.door(out)?;
        self.callbacks(out)?;
        self.queues(out)?;
        self.agents(out)?;
        self.webhooks(out)?;
        self.outbox(out)?;
        self.trouble(out)?;
        self.sockets(out)
    }
}

impl OfNow {
    fn standing(&self, out: &mut DescriptorEncoder) -> Result<(), fmt::Error> {
        let version = vec![("version", env!("CARGO_PKG_VERSION").to_owned())];
        gauges(out, "build_info", "1, with the version", vec![(version, 1.0)])?;
        self.gauge(out, "ready", "1 while it takes commands", |it| flag(it.health.ready))?;
        self.gauge(out, "draining", "1 while it drains", |it| flag(it.health.draining))?;
        self.many(out, MetricType::Gauge, "alarm", "1 while somebody should look", |it| {
            let rings = |alarm: &Alarm| flag(it.health.alarms.contains(alarm));
            let alarms = Alarm::ALL.iter();
            alarms.map(|alarm| (label("alarm", alarm.as_str()), rings(alarm))).collect()
        })
    }

    fn journal(&self, out: &mut DescriptorEncoder) -> Result<(), fmt::Error> {
        let help = "For how long the store hasn't acknowledged";
        self.gauge(out, "store_stalled_seconds", help, |it| {
            float(it.health.stalled_ms.unwrap_or(0)) / 1e3
        })?;
        self.counter(out, "store_stalls", "Times that the store stalled", |it| it.figures.stalls)?;
        let help = "Number of the newest journal entry taken";
        self.gauge(out, "journal_taken", help, |it| float(it.health.taken))?;
        let help = "Number of the newest durable journal entry";
        self.gauge(out, "journal_durable", help, |it| float(it.health.durable))?;
        let help = "Number of the newest journal entry that the tables have";
        self.gauge(out, "journal_projected", help, |it| float(it.figures.journal.projected))?;
        let help = "Entries of each group that became durable together";
        self.histogram(out, "journal_group_entries", help, 1.0, |it| {
            &it.figures.journal.group_entries
        })?;
        let help = "Time until a group was durable";
        self.histogram(out, "journal_append_duration_seconds", help, 1e6, |it| {
            &it.figures.journal.append_micros
        })?;
        let help = "What is durable in the log but not yet in the tables";
        self.gauge(out, "overlay_bytes", help, |it| float(it.figures.journal.overlay_bytes))?;
        let help = "Its bound, overlay_mib: there writes are refused";
        self.gauge(out, "overlay_max_bytes", help, |it| float(it.figures.overlay_max_bytes))?;
        self.gauge(out, "log_bytes", "What the log holds", |it| {
            float(it.figures.journal.log_bytes)
        })?;
        let help = "Its bound, log_max_mib: there writes are refused";
        self.gauge(out, "log_max_bytes", help, |it| float(it.figures.log_max_bytes))?;
        let help = "Batches that couldn't be written to the tables";
        self.counter(out, "tables_failures", help, |it| it.figures.journal.tables_failures)?;
        let help = "For how long the tables couldn't be written";
        self.gauge(out, "tables_failing_seconds", help, |it| {
            it.figures.journal.tables_failing.as_secs_f64()
        })
    }

    fn door(&self, out: &mut DescriptorEncoder) -> Result<(), fmt::Error> {
        let help = "Commands that may be under way, max_commands_in_flight";
        self.gauge(out, "door_permits", help, |it| float(it.figures.door_permits))?;
        let help = "Commands and due callbacks under way";
        self.gauge(out, "commands_in_flight", help, |it| float(it.health.in_flight as u64))?;
        let help = "Commands refused at the door";
        self.many(out, MetricType::Counter, "commands_refused", help, |it| {
            let refused = it.figures.refused.iter();
            refused.map(|(why, count)| (label("reason", why.as_str()), float(*count))).collect()
        })
    }

    fn callbacks(&self, out: &mut DescriptorEncoder) -> Result<(), fmt::Error> {
        let help = "Live callbacks; dormant ones aren't counted";
        self.many(out, MetricType::Gauge, "callbacks", help, |it| {
            let live = it.figures.live.iter();
            live.map(|(state, count)| (label("state", state.as_str()), float(*count))).collect()
        })?;
        self.many(out, MetricType::Counter, "callbacks_ended", "How callbacks ended", |it| {
            let ended = it.figures.ended.iter();
            let labels = |state: &str, reason: &str| {
                vec![("state", state.to_owned()), ("reason", reason.to_owned())]
            };
            ended.map(|((state, reason), count)| (labels(state, reason), float(*count))).collect()
        })?;
        let help = "Callbacks in memory; most of those in line wait without an actor";
        self.gauge(out, "callback_actors", help, |it| float(it.health.live as u64))?;
        self.many(out, MetricType::Counter, "events", "Events by type", |it| {
            let events = it.figures.events.iter();
            events.map(|(name, count)| (label("type", name), float(*count))).collect()
        })?;
        let help = "What was removed when its time was over";
        self.many(out, MetricType::Counter, "removed", help, |it| {
            let kinds =
                ["answers", "callbacks", "events", "measures"].into_iter().zip(it.health.removed);
            kinds.map(|(kind, count)| (label("kind", kind), float(count))).collect()
        })
    }

    fn outbox(&self, out: &mut DescriptorEncoder) -> Result<(), fmt::Error> {
        let help = "Mails and meetings that aren't done, those whose time hasn't come included";
        self.carriers(out, MetricType::Gauge, "outbox_waiting", help, |it| it.waiting)?;
        let help = "Mails sent, and meetings made, moved or removed";
        self.carriers(out, MetricType::Counter, "outbox_sent", help, |it| it.sent)?;
        let help = "Tries that failed and are made again";
        self.carriers(out, MetricType::Counter, "outbox_retried", help, |it| it.retried)?;
        let help = "What was given up, and stands in the list of failures";
        self.carriers(out, MetricType::Counter, "outbox_failed", help, |it| it.given_up)
    }

    fn carriers(
        &self,
        out: &mut DescriptorEncoder,
        kind: MetricType,
        name: &str,
        help: &str,
        value: impl Fn(&CarrierFigures) -> u64,
    ) -> Result<(), fmt::Error> {
        self.many(out, kind, name, help, |it| {
            let carriers = it.figures.outbox.iter();
            carriers.map(|one| (label("kind", one.carrier.as_str()), float(value(one)))).collect()
        })
    }

    fn agents(&self, out: &mut DescriptorEncoder) -> Result<(), fmt::Error> {
        let help = "Agents by what they want and what they do";
        self.many(out, MetricType::Gauge, "agents", help, |it| {
            let agents = it.figures.agents.iter();
            let labels = |presence: &str, engagement: &str| {
                vec![("presence", presence.to_owned()), ("engagement", engagement.to_owned())]
            };
            agents
                .map(|((presence, engagement), count)| {
                    (labels(presence.as_str(), engagement.as_str()), float(*count))
                })
                .collect()
        })?;
        self.gauge(out, "agent_sessions", "Sessions of agents", |it| float(it.figures.sessions))
    }

    fn webhooks(&self, out: &mut DescriptorEncoder) -> Result<(), fmt::Error> {
        let help = "Attempts to deliver events to webhooks, by what became of them";
        self.many(out, MetricType::Counter, "webhook_attempts", help, |it| {
            let attempts = it.figures.deliveries.attempts.iter();
            attempts.map(|(what, count)| (label("result", what.as_str()), float(*count))).collect()
        })?;
        let help = "Events read for a webhook that are still to be delivered";
        self.each_webhook(out, "webhook_waiting", help, |it| float(it.waiting as u64))?;
        let help = "For how long the oldest of them has been";
        self.each_webhook(out, "webhook_oldest_seconds", help, |it| seconds(it.oldest))?;
        let help = "1 while a webhook's receiver takes nothing and is only tried now and then";
        self.each_webhook(out, "webhook_failing", help, |it| flag(it.failing))
    }

    fn each_webhook(
        &self,
        out: &mut DescriptorEncoder,
        name: &str,
        help: &str,
        value: fn(&WebhookStanding) -> f64,
    ) -> Result<(), fmt::Error> {
        self.many(out, MetricType::Gauge, name, help, |it| {
            let webhooks = it.figures.deliveries.webhooks.iter();
            webhooks.map(|(id, one)| (label("webhook", id.as_str()), value(one))).collect()
        })
    }

    fn trouble(&self, out: &mut DescriptorEncoder) -> Result<(), fmt::Error> {
        let help = "Steps that panicked; the machine was made anew";
        self.counter(out, "panics", help, |it| it.health.panics)?;
        let help = "Callbacks, agents and queues that get no more steps until a restart";
        self.gauge(out, "machines_set_aside", help, |it| float(it.health.set_aside))
    }

    fn sockets(&self, out: &mut DescriptorEncoder) -> Result<(), fmt::Error> {
        let ended: u64 = self.sockets_ended.iter().map(|(_, count)| count).sum();
        let open = float(self.sockets_opened.saturating_sub(ended));
        gauges(out, "sockets_open", "Agents' sockets that are up", vec![(Vec::new(), open)])?;
        let opened = vec![(Vec::new(), float(self.sockets_opened))];
        series(out, MetricType::Counter, "sockets_opened", "Sockets that came up", opened)?;
        let ended = self.sockets_ended.iter();
        let ended = ended.map(|(reason, count)| (label("reason", reason), float(*count)));
        series(out, MetricType::Counter, "sockets_ended", "Sockets by their end", ended.collect())
    }

    fn gauge(
        &self,
        out: &mut DescriptorEncoder,
        name: &str,
        help: &str,
        value: impl Fn(&Standing) -> f64,
    ) -> Result<(), fmt::Error> {
        self.many(out, MetricType::Gauge, name, help, |it| vec![(Vec::new(), value(it))])
    }

    fn counter(
        &self,
        out: &mut DescriptorEncoder,
        name: &str,
        help: &str,
        value: impl Fn(&Standing) -> u64,
    ) -> Result<(), fmt::Error> {
        self.many(out, MetricType::Counter, name, help, |it| vec![(Vec::new(), float(value(it)))])
    }

    /// Series of each workspace, with its name in front of their labels.
    fn many(
        &self,
        out: &mut DescriptorEncoder,
        kind: MetricType,
        name: &str,
        help: &str,
        of: impl Fn(&Standing) -> Vec<Series>,
    ) -> Result<(), fmt::Error> {
        let mut all = Vec::new();
        for it in &self.workspaces {
            for (mut labels, value) in of(it) {
                labels.insert(0, ("workspace", it.workspace.clone()));
                all.push((labels, value));
            }
        }
        series(out, kind, name, help, all)
    }

    /// `per_unit`: so many of what was counted are one of the metric's unit.
    fn histogram(
        &self,
        out: &mut DescriptorEncoder,
        name: &str,
        help: &str,
        per_unit: f64,
        of: impl Fn(&Standing) -> &Histogram,
    ) -> Result<(), fmt::Error> {
        let help = format!("{help}.");
        let mut metric = out.encode_descriptor(name, &help, None, MetricType::Histogram)?;
        for it in &self.workspaces {
            let Histogram { buckets, sum, count } = of(it);
            let inside: u64 = buckets.iter().map(|(_, count)| count).sum();
            let bounded = buckets.iter().map(|(bound, count)| (float(*bound) / per_unit, *count));
            // The encoder sums the buckets up.
            let all = bounded.chain([(f64::INFINITY, count.saturating_sub(inside))]);
            let all: Vec<(f64, u64)> = all.collect();
            let labels = label("workspace", &it.workspace);
            let mut series = metric.encode_family(&labels)?;
            series.encode_histogram::<NoLabelSet>(float(*sum) / per_unit, *count, &all, None)?;
        }
        Ok(())
    }
}

fn gauges(
    out: &mut DescriptorEncoder,
    name: &str,
    help: &str,
    all: Vec<Series>,
) -> Result<(), fmt::Error> {
    series(out, MetricType::Gauge, name, help, all)
}

fn series(
    out: &mut DescriptorEncoder,
    kind: MetricType,
    name: &str,
    help: &str,
    all: Vec<Series>,
) -> Result<(), fmt::Error> {
    let mut metric = out.encode_descriptor(name, &format!("{help}."), None, kind)?;
    for (labels, value) in all {
        if labels.is_empty() {
            // Not as a family, which would write its lack of labels as {}.
            one(&mut metric, kind, value)?;
        } else {
            one(&mut metric.encode_family(&labels)?, kind, value)?;
        }
    }
    Ok(())
}

fn one(out: &mut MetricEncoder, kind: MetricType, value: f64) -> Result<(), fmt::Error> {
    match kind {
        MetricType::Counter => out.encode_counter::<NoLabelSet, f64, f64>(&value, None),
        MetricType::Gauge | MetricType::Histogram | MetricType::Info | MetricType::Unknown => {
            out.encode_gauge(&value)
        }
    }
}

fn label(name: &'static str, value: &str) -> Labels {
    vec![(name, value.to_owned())]
}

fn flag(yes: bool) -> f64 {
    f64::from(u8::from(yes))
}

/// Prometheus keeps every value as a float; exact up to 2^53.
#[expect(clippy::cast_precision_loss, reason = "what is lost is lost by Prometheus anyway")]
fn float(count: u64) -> f64 {
    count as f64
}

fn seconds(span: Span) -> f64 {
    float(u64::try_from(span.0).unwrap_or(0)) / 1e3
}

#[cfg(test)]
mod tests {
    use prometheus_client::encoding::text::encode;
    use prometheus_client::registry::Registry;

    use super::*;
    use crate::domain::estimate::Accuracy;
    use crate::domain::ids::QueueId;
    use crate::engine::figures::LineFigures;

    #[test]
    fn queues_beyond_the_bound_share_a_series() {
        let inside_share = 0.75;
        let line = |number: u64| LineFigures {
            queue: QueueId::parse(&format!("q{number:04}")).expect("a slug"),
            waiting: 1,
            oldest_wait: Span::millis(i64::try_from(number).expect("few") * 500),
            with_agents: 0,
            asap_requests: 2,
            callback_offers: 5,
            promises_kept: 3,
            promises_broken: 1,
            accuracy: Some(Accuracy { scored: 4, inside_share, median_error_seconds: 7 }),
        };
        let lines = (0..MOST_QUEUES as u64 + 3).map(line).collect();
        let figures = Figures { lines, ..Figures::default() };
        let (workspace, health) = ("main".to_owned(), Health::default());
        let of_now =
            OfNow::new(vec![Standing { workspace, health, figures }], &SocketCounts::default());
        let mut registry = Registry::default();
        registry.register_collector(Box::new(of_now));
        let mut text = String::new();
        encode(&mut text, &registry).expect("written to a String");
        let series = text.lines().filter(|line| line.starts_with("queue_waiting{")).count();
        assert_eq!(series, MOST_QUEUES + 1);
        assert!(text.contains("queue_waiting{workspace=\"main\",queue=\"*\"} 3.0"), "{text}");
        assert!(text.contains("seconds{workspace=\"main\",queue=\"*\"} 251.0"), "{text}");
        for (name, value) in [
            ("asap_requests_total", "6.0"),
            ("promises_kept_total", "9.0"),
            ("promises_broken_total", "3.0"),
            ("callback_offers_total", "15.0"),
            ("estimates_scored", "12.0"),
            ("estimate_inside_ratio", "0.75"),
            ("estimate_median_error_seconds", "7.0"),
        ] {
            let series = format!("queue_{name}{{workspace=\"main\",queue=\"*\"}} {value}");
            assert!(text.contains(&series), "{series}\n{text}");
        }
    }

    #[test]
    fn a_histogram_counts_up_and_what_is_above_every_bound_is_in_the_last_bucket() {
        let group_entries = Histogram { buckets: vec![(1, 2), (2, 1)], sum: 14, count: 4 };
        let mut figures = Figures::default();
        figures.journal.group_entries = group_entries;
        let (workspace, health) = ("main".to_owned(), Health::default());
        let of_now =
            OfNow::new(vec![Standing { workspace, health, figures }], &SocketCounts::default());
        let mut registry = Registry::default();
        registry.register_collector(Box::new(of_now));
        let mut text = String::new();
        encode(&mut text, &registry).expect("written to a String");
        let lines: Vec<_> =
            text.lines().filter(|line| line.starts_with("journal_group_entries_")).collect();
        assert_eq!(
            lines,
            [
                "journal_group_entries_sum{workspace=\"main\"} 14.0",
                "journal_group_entries_count{workspace=\"main\"} 4",
                "journal_group_entries_bucket{le=\"1.0\",workspace=\"main\"} 2",
                "journal_group_entries_bucket{le=\"2.0\",workspace=\"main\"} 3",
                "journal_group_entries_bucket{le=\"+Inf\",workspace=\"main\"} 4",
            ]
        );
    }
}
