//! Queues and agents as JSON, every key with its value, defaults too: what a PUT takes again.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::fields::name_of;
use super::queue::{MEDIA, MODES, POLICIES, STAFF, STRATEGIES};
use crate::domain::civil::Weekday;
use crate::domain::hours::{DayInterval, Hours};
use crate::domain::phone::Region;
use crate::domain::policy::{
    AgentSettings, Choice, PerMedium, QueueSettings, RetryDelays, SlotCapacity,
};
use crate::domain::skills::{Requirements, Widening};

/// A queue's settings.
pub fn print_queue(queue: &QueueSettings) -> Map<String, Value> {
    let parts = [about(queue), routing(queue), handling(queue), booking(queue)];
    let keys = parts.into_iter().filter_map(|part| match part {
        Value::Object(map) => Some(map),
        _ => None,
    });
    keys.flatten().collect()
}

fn about(queue: &QueueSettings) -> Value {
    let interval = queue.contact_hours.interval();
    let regions = queue
        .allowed_regions
        .as_ref()
        .map(|regions| regions.iter().map(Region::as_str).collect::<Vec<_>>());
    let media: Vec<&str> = queue.media.iter().map(|medium| name_of(&MEDIA, *medium)).collect();
    json!({
        "id": queue.id.as_str(),
        "name": queue.name,
        "labels": queue.labels,
        "time_zone": queue.time_zone.name(),
        "hours": weekly(&queue.hours),
        "exceptions": exceptions(&queue.hours),
        "contact_hours": hours(interval),
        "default_region": queue.default_region.as_ref().map(Region::as_str),
        "allowed_regions": regions,
        "media": media,
        "requirements": print_requirements(&queue.requirements),
        "steps": queue.steps.iter().map(step).collect::<Vec<_>>(),
        "reasons": queue.reasons.iter().map(choice).collect::<Vec<_>>(),
    })
}

fn routing(queue: &QueueSettings) -> Value {
    json!({
        "lead_seconds": queue.lead_seconds,
        "age_step_seconds": queue.age_step_seconds,
        "preference_limit_seconds": queue.preference_limit_seconds,
        "strategy": name_of(&STRATEGIES, queue.strategy),
        "on_time_seconds": queue.on_time_seconds,
        "promise_window_minutes": queue.promise_window_minutes,
        "promise_slack_seconds": queue.promise_slack_seconds,
        "service_level_seconds": queue.service_level_seconds,
        "wait_threshold_seconds": queue.wait_threshold_seconds,
        "offer_timeout_seconds": queue.offer_timeout_seconds,
        "max_missed_offers": queue.max_missed_offers,
        "decline_cooldown_seconds": queue.decline_cooldown_seconds,
        "decline_reasons": queue.decline_reasons.iter().map(|reason| {
            coded(&reason.choice, "reassignable", reason.reassignable)
        }).collect::<Vec<_>>(),
        "max_offers": queue.max_offers,
        "auto_accept": queue.auto_accept,
        "agents_may_claim": queue.agents_may_claim,
    })
}

fn handling(queue: &QueueSettings) -> Value {
    json!({
        "session_grace_seconds": queue.session_grace_seconds,
        "call_grace_seconds": queue.call_grace_seconds,
        "preview_seconds": queue.preview_seconds,
        "max_call_seconds": queue.max_call_seconds,
        "max_interactions": queue.max_interactions,
        "wrap_up_mode": name_of(&MODES, queue.wrap_up_mode),
        "wrap_up_seconds": queue.wrap_up_seconds,
        "max_wrap_up_seconds": queue.max_wrap_up_seconds,
        "dispositions": queue.dispositions.iter().map(|code| {
            coded(&code.choice, "resolved", code.resolved)
        }).collect::<Vec<_>>(),
    })
}

fn booking(queue: &QueueSettings) -> Value {
    json!({
        "max_attempts": queue.max_attempts,
        "retry_delays_minutes": retry_delays(&queue.retry_delays_minutes),
        "no_show_minutes": queue.no_show_minutes,
        "expire_after_minutes": queue.expire_after_minutes,
        "retry_extends_expiry": queue.retry_extends_expiry,
        "retry_days": queue.retry_days,
        "overrun_minutes": queue.overrun_minutes,
        "duplicate_window_minutes": queue.duplicate_window_minutes,
        "duplicate_policy": name_of(&POLICIES, queue.duplicate_policy),
        "slot_minutes": queue.slot_minutes,
        "slot_capacity": slot_capacity(queue.slot_capacity),
        "slot_reserve": f64::from(queue.slot_reserve) / 1_000.0,
        "min_notice_minutes": queue.min_notice_minutes,
        "max_days_ahead": queue.max_days_ahead,
        "max_outstanding": per_medium(queue.max_outstanding),
        "reminder_minutes": queue.reminder_minutes,
    })
}

/// The weekly hours, each interval once with all its days; none where it is always open.
fn weekly(hours: &Hours) -> Vec<Value> {
    if Weekday::ALL.iter().all(|day| hours.weekly(*day) == [DayInterval::WHOLE_DAY]) {
        return Vec::new();
    }
    let mut intervals: BTreeMap<DayInterval, Vec<&str>> = BTreeMap::new();
    for day in Weekday::ALL {
        for interval in hours.weekly(day) {
            intervals.entry(*interval).or_default().push(day.as_str());
        }
    }
    let entry = |(interval, days): (DayInterval, Vec<&str>)| {
        json!({
            "days": days,
            "from": interval.from().to_string(),
            "to": interval.to().to_string(),
        })
    };
    intervals.into_iter().map(entry).collect()
}

fn exceptions(hours: &Hours) -> Vec<Value> {
    let mut list = Vec::new();
    for (date, intervals) in hours.exceptions() {
        let date = date.to_string();
        if intervals.is_empty() {
            list.push(json!({"date": date, "closed": true}));
        }
        list.extend(intervals.iter().map(|interval| {
            let (from, to) = (interval.from().to_string(), interval.to().to_string());
            json!({"date": date, "from": from, "to": to})
        }));
    }
    list
}

fn hours(interval: DayInterval) -> Value {
    json!({"from": interval.from().to_string(), "to": interval.to().to_string()})
}

/// Requirements, of a queue or a callback.
pub fn print_requirements(requirements: &Requirements) -> Vec<Value> {
    let print = requirements.iter().map(|asked| {
        json!({
            "skill": asked.skill.as_str(),
            "min_level": asked.min_level.value(),
            "mandatory": asked.mandatory,
            "expires_after_seconds": asked.expires_after_seconds,
        })
    });
    print.collect()
}

fn step(step: &Widening) -> Value {
    json!({
        "after_seconds": step.after_seconds,
        "min_level_delta": step.min_level_delta,
        "drop_optional": step.drop_optional,
    })
}

fn retry_delays(delays: &RetryDelays) -> Value {
    json!({
        "no_answer": delays.no_answer,
        "busy": delays.busy,
        "voicemail": delays.voicemail,
        "refused": delays.refused,
        "failed": delays.failed,
        "unknown": delays.unknown,
    })
}

fn choice(choice: &Choice) -> Value {
    json!({"id": choice.id, "labels": choice.labels})
}

fn coded(choice: &Choice, flag: &str, set: bool) -> Value {
    json!({"id": choice.id, "labels": choice.labels, flag: set})
}

fn slot_capacity(value: PerMedium<SlotCapacity>) -> Value {
    let places = |capacity| match capacity {
        SlotCapacity::Fixed(places) => json!(places),
        SlotCapacity::Staff => json!(STAFF),
    };
    if value.voice == value.video {
        return places(value.voice);
    }
    json!({"voice": places(value.voice), "video": places(value.video)})
}

fn per_medium(value: PerMedium<u32>) -> Value {
    if value.voice == value.video {
        return json!(value.voice);
    }
    json!({"voice": value.voice, "video": value.video})
}

/// An agent's settings.
pub fn print_agent(agent: &AgentSettings) -> Map<String, Value> {
    let queues = agent.queues.iter().map(|membership| match membership.preference {
        1 => json!(membership.queue.as_str()),
        preference => json!({"queue": membership.queue.as_str(), "preference": preference}),
    });
    let skills = agent.skills.iter().map(|(name, held)| {
        let held = match (held.level.value(), held.preference.value()) {
            (level, 1) => json!(level),
            (level, preference) => json!({"level": level, "preference": preference}),
        };
        (name.to_string(), held)
    });
    let mut capacity = Map::from_iter([("units".to_owned(), json!(agent.capacity.units))]);
    let media = [("voice", agent.capacity.media.voice), ("video", agent.capacity.media.video)];
    for (medium, bound) in media {
        capacity.extend(bound.map(|bound| (medium.to_owned(), json!(bound))));
    }
    Map::from_iter([
        ("id".to_owned(), json!(agent.id.as_str())),
        ("name".to_owned(), json!(agent.name)),
        ("queues".to_owned(), queues.collect()),
        ("skills".to_owned(), Value::Object(skills.collect())),
        ("capacity".to_owned(), Value::Object(capacity)),
    ])
}
