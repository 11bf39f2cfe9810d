//! Queues' series: the line, what was offered, and how good estimates were.

use std::fmt;

use prometheus_client::encoding::DescriptorEncoder;
use prometheus_client::metrics::MetricType;

use super::{MOST_QUEUES, OfNow, float, label, seconds};
use crate::engine::figures::LineFigures;

/// No queue is called so.
const OTHERS: &str = "*";

impl OfNow {
    pub(super) fn queues(&self, out: &mut DescriptorEncoder) -> Result<(), fmt::Error> {
        let help = "Callbacks queued";
        self.lines(out, MetricType::Gauge, "queue_waiting", help, |lines| {
            Some(lines.iter().map(|line| float(line.waiting)).sum())
        })?;
        let help = "For how long the oldest of them waits";
        self.lines(out, MetricType::Gauge, "queue_oldest_wait_seconds", help, |lines| {
            Some(lines.iter().map(|line| seconds(line.oldest_wait)).fold(0.0, f64::max))
        })?;
        let help = "Callbacks that an agent was offered or has";
        self.lines(out, MetricType::Gauge, "queue_with_agents", help, |lines| {
            Some(lines.iter().map(|line| float(line.with_agents)).sum())
        })?;
        self.offered(out)?;
        self.estimates(out)
    }

    fn offered(&self, out: &mut DescriptorEncoder) -> Result<(), fmt::Error> {
        let help = "Callbacks asked for as soon as possible, by customers and channels";
        self.lines(out, MetricType::Counter, "queue_asap_requests", help, |lines| {
            Some(lines.iter().map(|line| float(line.asap_requests)).sum())
        })?;
        let help = "Times that availability was asked and a callback offered";
        self.lines(out, MetricType::Counter, "queue_callback_offers", help, |lines| {
            Some(lines.iter().map(|line| float(line.callback_offers)).sum())
        })?;
        let help = "Customers called for the first time by the time promised";
        self.lines(out, MetricType::Counter, "queue_promises_kept", help, |lines| {
            Some(lines.iter().map(|line| float(line.promises_kept)).sum())
        })?;
        let help = "Customers who weren't called by the time promised";
        self.lines(out, MetricType::Counter, "queue_promises_broken", help, |lines| {
            Some(lines.iter().map(|line| float(line.promises_broken)).sum())
        })
    }

    /// Of several queues the share is that of all their estimates, the error the largest.
    fn estimates(&self, out: &mut DescriptorEncoder) -> Result<(), fmt::Error> {
        let scored = |lines: &[LineFigures]| -> f64 {
            let scored = lines.iter().filter_map(|line| line.accuracy);
            // In whole numbers, since the sum of no floats at all is -0.0.
            float(scored.map(|accuracy| u64::from(accuracy.scored)).sum())
        };
        let help = "The last estimates whose wait is over, at most 500";
        self.lines(out, MetricType::Gauge, "queue_estimates_scored", help, |lines| {
            Some(scored(lines))
        })?;
        let help = "Share of their waits inside the range that is said to hold for 0.8";
        self.lines(out, MetricType::Gauge, "queue_estimate_inside_ratio", help, |lines| {
            let all = lines.iter().filter_map(|line| line.accuracy);
            let inside: f64 = all.map(|one| one.inside_share * f64::from(one.scored)).sum();
            let scored = scored(lines);
            (scored > 0.0).then(|| inside / scored)
        })?;
        let help = "Half of them were off by no more";
        self.lines(out, MetricType::Gauge, "queue_estimate_median_error_seconds", help, |lines| {
            let all = lines.iter().filter_map(|line| line.accuracy);
            all.map(|one| one.median_error_seconds).max().map(f64::from)
        })
    }

    /// A series per queue for which there is a value.
    fn lines(
        &self,
        out: &mut DescriptorEncoder,
        kind: MetricType,
        name: &str,
        help: &str,
        value: impl Fn(&[LineFigures]) -> Option<f64>,
    ) -> Result<(), fmt::Error> {
        self.many(out, kind, name, help, |it| {
            let lines = &it.figures.lines;
            let (own, others) = lines.split_at(lines.len().min(MOST_QUEUES));
            let own = own.iter().map(|one| (one.queue.as_str(), std::slice::from_ref(one)));
            let others = (!others.is_empty()).then_some((OTHERS, others));
            let all = own.chain(others);
            all.filter_map(|(name, lines)| Some((label("queue", name), value(lines)?))).collect()
        })
    }
}
