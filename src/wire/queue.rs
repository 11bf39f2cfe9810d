//! Queues as supervisors and agents see them, and what is asked of them.

use serde::Serialize;
use serde_json::{Map, Value, json};

use super::instant::Instant;
use super::json::Json;
use super::problem::Problem;
use super::request::invalid;
use super::settings::fields::{Fault, Fields};
use super::settings::print_queue;
use super::text::{REASON_MAX, instant, line};
use crate::domain::effect::QueueStats;
use crate::domain::queue::{Halves, Paused, Queue};
use crate::domain::time::Timestamp;
use crate::domain::zone::TimeZone;
use crate::engine::handle::{Conflicts, QueuePause};

/// The member of a queue's body that isn't a setting; a PUT passes it over, so that what a GET
/// gave can be sent back.
pub const STATUS: &str = "status";

/// The member of a PUT's answer that isn't a setting; passed over as well.
pub const CONFLICTS: &str = "conflicts";

/// Why a queue's body can't be taken. A zone that there isn't has a problem of its own, where
/// nothing else is wrong.
pub fn bad_queue(body: &Json<'_>, faults: Vec<Fault>) -> Problem {
    let zone = || body.get("time_zone").and_then(Json::as_str).map(TimeZone::parse);
    match faults.as_slice() {
        [one] if one.pointer == "/time_zone" => match zone() {
            Some(Err(error)) => Problem::unknown_zone(&one.pointer, &error),
            Some(Ok(_)) | None => invalid(faults),
        },
        _ => invalid(faults),
    }
}

/// Bookings that a PUT has left outside the hours.
pub fn conflicts_body(conflicts: &Conflicts) -> Value {
    let first: Vec<String> = conflicts.first.iter().map(ToString::to_string).collect();
    json!({"count": conflicts.count, "first": first})
}

/// A queue as `GET /v1/queues/{id}` shows it: what a PUT takes, and how it stands.
pub fn queue_body(queue: &Queue, now: Timestamp) -> Map<String, Value> {
    let mut body = print_queue(&queue.settings);
    let status = json!({
        "open": queue.is_open(now),
        "intake_paused": queue.intake_paused.as_ref().map(PausedBody::of),
        "offers_paused": queue.offers_paused.as_ref().map(PausedBody::of),
    });
    body.insert(STATUS.to_owned(), status);
    body
}

#[derive(Debug, Serialize)]
struct PausedBody<'a> {
    since: Instant,
    until: Option<Instant>,
    reason: Option<&'a str>,
}

impl<'a> PausedBody<'a> {
    fn of(paused: &'a Paused) -> Self {
        Self {
            since: Instant(paused.since),
            until: paused.until.map(Instant),
            reason: paused.reason.as_deref(),
        }
    }
}

/// A queue in the directory.
#[derive(Debug, Serialize)]
pub struct QueueName<'a> {
    id: &'a str,
    name: &'a str,
    open: bool,
}

impl<'a> QueueName<'a> {
    /// The queue, seen from `now`.
    pub fn new(queue: &'a Queue, now: Timestamp) -> Self {
        Self {
            id: queue.settings.id.as_str(),
            name: &queue.settings.name,
            open: queue.is_open(now),
        }
    }
}

/// A queue's line, now.
#[derive(Debug, Serialize)]
pub struct QueueStatsBody<'a> {
    #[serde(flatten)]
    queue: QueueName<'a>,
    intake_paused: bool,
    offers_paused: bool,
    waiting: u32,
    oldest_wait_seconds: Option<i64>,
    with_agents: u32,
    average_callback_seconds: Option<u32>,
    estimated_wait_seconds: Option<u32>,
    estimate: Option<AccuracyBody>,
    asap_requests: u64,
    callback_offers: u64,
    take_rate: Option<f64>,
    promises_kept: u64,
    promises_broken: u64,
}

/// How good the last estimates were.
#[derive(Debug, Serialize)]
struct AccuracyBody {
    scored: u32,
    inside_share: f64,
    median_error_seconds: u32,
}

impl<'a> QueueStatsBody<'a> {
    /// The queue and its line, seen from `now`.
    pub fn new(queue: &'a Queue, stats: &QueueStats, now: Timestamp) -> Self {
        let waited = |since| now.since(since).whole_seconds().max(0);
        Self {
            queue: QueueName::new(queue, now),
            intake_paused: queue.intake_paused.is_some(),
            offers_paused: queue.offers_paused.is_some(),
            waiting: stats.waiting,
            oldest_wait_seconds: stats.oldest_since.map(waited),
            with_agents: stats.with_agents,
            average_callback_seconds: stats.average_callback_seconds,
            estimated_wait_seconds: stats.estimate.map(|estimate| estimate.seconds),
            estimate: stats.accuracy.map(|accuracy| AccuracyBody {
                scored: accuracy.scored,
                inside_share: share(accuracy.inside_share),
                median_error_seconds: accuracy.median_error_seconds,
            }),
            asap_requests: stats.asap_requests,
            callback_offers: stats.callback_offers,
            take_rate: take_rate(stats),
            promises_kept: stats.promises_kept,
            promises_broken: stats.promises_broken,
        }
    }
}

/// Asap requests ÷ availabilities that offered; none before the first.
#[expect(clippy::cast_precision_loss, reason = "exact up to 2^53")]
fn take_rate(stats: &QueueStats) -> Option<f64> {
    (stats.callback_offers > 0)
        .then(|| share(stats.asap_requests as f64 / stats.callback_offers as f64))
}

/// To four decimals.
pub(super) fn share(value: f64) -> f64 {
    (value * 10_000.0).round() / 10_000.0
}

/// Reads the body of `pause`: both, unless one is named.
pub fn read_pause(fields: &mut Fields<'_>, now: Timestamp) -> QueuePause {
    let halves = read_halves(fields);
    let until = fields.parsed("until", |text| {
        let until = instant(text).map_err(|error| error.to_string())?;
        if until > now { Ok(until) } else { Err("lies in the past".to_owned()) }
    });
    QueuePause { halves, reason: fields.parsed("reason", line(REASON_MAX)), until }
}

/// Reads the body of `resume`: both, unless one is named. It takes all fields of `pause`, so that
/// what paused a queue can be sent again to resume it; reason and end say nothing there.
pub fn read_resume(fields: &mut Fields<'_>) -> Halves {
    fields.parsed("until", instant);
    fields.parsed("reason", line(REASON_MAX));
    read_halves(fields)
}

/// Intake and offers; neither named means both.
fn read_halves(fields: &mut Fields<'_>) -> Halves {
    let named = fields.count_of(&["intake", "offers"]) > 0;
    let (intake, offers) = (fields.flag("intake", !named), fields.flag("offers", !named));
    let halves = Halves { intake, offers };
    if !halves.any() {
        fields.fault("", "must name intake, offers or both");
    }
    halves
}
