//! Reads a queue: each key in its range, then what must hold between them.

use std::sync::Arc;

use super::calendar::{contact_hours, hours};
use super::fields::{Fields, Item, TEXT_MAX};
use super::{COUNTS, YEAR_DAYS, YEAR_MINUTES, YEAR_SECONDS};
use crate::domain::ids::{QueueId, SkillName};
use crate::domain::phone::Region;
use crate::domain::policy::{
    Choice, DeclineReason, Disposition, DuplicatePolicy, Labels, Medium, PerMedium, QueueSettings,
    RetryDelays, SlotCapacity, Strategy, WrapUpMode,
};
use crate::domain::skills::{Level, Requirement, Requirements, Widening};
use crate::domain::zone::TimeZone;

/// The words for media.
pub(super) const MEDIA: [(&str, Medium); 2] = [("voice", Medium::Voice), ("video", Medium::Video)];

/// The words for strategies.
pub(super) const STRATEGIES: [(&str, Strategy); 4] = [
    ("longest_idle", Strategy::LongestIdle),
    ("most_capacity", Strategy::MostCapacity),
    ("round_robin", Strategy::RoundRobin),
    ("best_skilled", Strategy::BestSkilled),
];

/// The words for how wrap-up ends.
pub(super) const MODES: [(&str, WrapUpMode); 3] =
    [("timed", WrapUpMode::Timed), ("required", WrapUpMode::Required), ("none", WrapUpMode::None)];

/// The words for what is done with duplicates.
pub(super) const POLICIES: [(&str, DuplicatePolicy); 3] = [
    ("return_existing", DuplicatePolicy::ReturnExisting),
    ("reject", DuplicatePolicy::Reject),
    ("allow", DuplicatePolicy::Allow),
];

/// A queue. Its id comes with the request's path, else from the table itself.
pub fn read_queue(
    fields: &mut Fields<'_>,
    path: Option<&QueueId>,
    max_requirements: usize,
) -> Option<QueueSettings> {
    let id = super::id(fields, path, QueueId::parse);
    // Without a good id it is read on: its other faults are to be told too.
    let unnamed = || QueueId::parse("unnamed").expect("these letters are an id");
    let mut queue = QueueSettings::new(id.clone().unwrap_or_else(unnamed));
    if let Some(name) = fields.text("name") {
        queue.name = name;
    }
    queue.labels = fields.take("labels").and_then(labels).unwrap_or_default();
    calendar(fields, &mut queue);
    if let Some(requirements) = fields.take("requirements") {
        queue.requirements = read_requirements(requirements, max_requirements).unwrap_or_default();
    }
    if let Some(steps) = fields.take("steps") {
        queue.steps = read_steps(steps).unwrap_or_default();
    }
    routing(fields, &mut queue);
    offers(fields, &mut queue);
    calls(fields, &mut queue);
    retries(fields, &mut queue);
    slots(fields, &mut queue);
    across(fields, &queue);
    id.map(|_| queue)
}

/// When it is open, whom it may call and when.
fn calendar(fields: &mut Fields<'_>, queue: &mut QueueSettings) {
    if let Some(zone) = fields.parsed("time_zone", TimeZone::parse) {
        queue.time_zone = zone;
    }
    queue.hours = Arc::new(hours(fields, &queue.time_zone));
    if let Some(hours) = fields.take("contact_hours").and_then(contact_hours) {
        queue.contact_hours = hours;
    }
    queue.default_region = fields.parsed("default_region", region);
    let regions = fields.take("allowed_regions");
    queue.allowed_regions = regions.and_then(|item| item.list(|item| item.parsed(region)));
    if let Some(media) = fields.take("media").and_then(|item| item.some(|item| item.word(&MEDIA))) {
        queue.media = Medium::ALL.into_iter().filter(|medium| media.contains(medium)).collect();
    }
}

/// Who goes first, and to whom.
fn routing(fields: &mut Fields<'_>, queue: &mut QueueSettings) {
    queue.strategy = fields.word("strategy", queue.strategy, &STRATEGIES);
    seconds(fields, "lead_seconds", &mut queue.lead_seconds);
    seconds(fields, "age_step_seconds", &mut queue.age_step_seconds);
    seconds(fields, "preference_limit_seconds", &mut queue.preference_limit_seconds);
    seconds(fields, "on_time_seconds", &mut queue.on_time_seconds);
    seconds(fields, "promise_slack_seconds", &mut queue.promise_slack_seconds);
    seconds(fields, "service_level_seconds", &mut queue.service_level_seconds);
    seconds(fields, "wait_threshold_seconds", &mut queue.wait_threshold_seconds);
    queue.promise_window_minutes =
        fields.take("promise_window_minutes").and_then(|item| item.number(YEAR_MINUTES));
}

/// How work is put to an agent.
fn offers(fields: &mut Fields<'_>, queue: &mut QueueSettings) {
    queue.offer_timeout_seconds =
        fields.number("offer_timeout_seconds", queue.offer_timeout_seconds, 5..=600);
    count(fields, "max_missed_offers", &mut queue.max_missed_offers);
    seconds(fields, "decline_cooldown_seconds", &mut queue.decline_cooldown_seconds);
    count(fields, "max_offers", &mut queue.max_offers);
    queue.auto_accept = fields.flag("auto_accept", queue.auto_accept);
    queue.agents_may_claim = fields.flag("agents_may_claim", queue.agents_may_claim);
    queue.decline_reasons = fields.list("decline_reasons", |item| {
        let (choice, reassignable) = coded(item, "reassignable", true)?;
        Some(DeclineReason { choice, reassignable })
    });
    distinct(fields, "decline_reasons", queue.decline_reasons.iter().map(|reason| &reason.choice));
}

/// What an agent does with it, and how long each step may take.
fn calls(fields: &mut Fields<'_>, queue: &mut QueueSettings) {
    seconds(fields, "session_grace_seconds", &mut queue.session_grace_seconds);
    seconds(fields, "call_grace_seconds", &mut queue.call_grace_seconds);
    seconds(fields, "preview_seconds", &mut queue.preview_seconds);
    seconds(fields, "max_call_seconds", &mut queue.max_call_seconds);
    count(fields, "max_interactions", &mut queue.max_interactions);
    queue.wrap_up_mode = fields.word("wrap_up_mode", queue.wrap_up_mode, &MODES);
    seconds(fields, "wrap_up_seconds", &mut queue.wrap_up_seconds);
    seconds(fields, "max_wrap_up_seconds", &mut queue.max_wrap_up_seconds);
    queue.reasons = fields.list("reasons", read_choice);
    distinct(fields, "reasons", queue.reasons.iter());
    queue.dispositions = fields.list("dispositions", |item| {
        let (choice, resolved) = coded(item, "resolved", false)?;
        Some(Disposition { choice, resolved })
    });
    distinct(fields, "dispositions", queue.dispositions.iter().map(|code| &code.choice));
}

/// When it is tried again, and when given up.
fn retries(fields: &mut Fields<'_>, queue: &mut QueueSettings) {
    count(fields, "max_attempts", &mut queue.max_attempts);
    if let Some(item) = fields.take("retry_delays_minutes") {
        queue.retry_delays_minutes = item.table(retry_delays).unwrap_or_default();
    }
    minutes(fields, "no_show_minutes", &mut queue.no_show_minutes);
    minutes(fields, "expire_after_minutes", &mut queue.expire_after_minutes);
    queue.retry_extends_expiry = fields.flag("retry_extends_expiry", queue.retry_extends_expiry);
    days(fields, "retry_days", &mut queue.retry_days);
    minutes(fields, "overrun_minutes", &mut queue.overrun_minutes);
}

fn retry_delays(fields: &mut Fields<'_>) -> RetryDelays {
    let mut delays = RetryDelays::default();
    minutes(fields, "no_answer", &mut delays.no_answer);
    minutes(fields, "busy", &mut delays.busy);
    minutes(fields, "voicemail", &mut delays.voicemail);
    minutes(fields, "refused", &mut delays.refused);
    minutes(fields, "failed", &mut delays.failed);
    minutes(fields, "unknown", &mut delays.unknown);
    delays
}

/// How much may be booked, and when.
fn slots(fields: &mut Fields<'_>, queue: &mut QueueSettings) {
    minutes(fields, "duplicate_window_minutes", &mut queue.duplicate_window_minutes);
    queue.duplicate_policy = fields.word("duplicate_policy", queue.duplicate_policy, &POLICIES);
    // A slot without length would fit into a day without end.
    queue.slot_minutes = fields.number("slot_minutes", queue.slot_minutes, 1..=1_440);
    slot_capacity(fields, &mut queue.slot_capacity);
    let reserve = fields.take("slot_reserve").and_then(Item::share);
    queue.slot_reserve = reserve.unwrap_or(queue.slot_reserve);
    minutes(fields, "min_notice_minutes", &mut queue.min_notice_minutes);
    days(fields, "max_days_ahead", &mut queue.max_days_ahead);
    per_medium(fields, "max_outstanding", &mut queue.max_outstanding);
    minutes(fields, "reminder_minutes", &mut queue.reminder_minutes);
}

/// What must hold between keys.
fn across(fields: &mut Fields<'_>, queue: &QueueSettings) {
    if queue.wrap_up_mode == WrapUpMode::Timed && queue.wrap_up_seconds > queue.max_wrap_up_seconds
    {
        let most = queue.max_wrap_up_seconds;
        fields.fault("wrap_up_seconds", format!("must not exceed max_wrap_up_seconds ({most})"));
    }
}

/// A code and its texts: a bare id, or a table.
pub fn read_choice(item: Item<'_>) -> Option<Choice> {
    if item.is_text() {
        return Some(Choice { id: item.text(TEXT_MAX)?, labels: Labels::new() });
    }
    item.table(choice).flatten()
}

fn choice(fields: &mut Fields<'_>) -> Option<Choice> {
    let id = fields.required("id").and_then(|item| item.text(TEXT_MAX));
    let labels = fields.take("labels").and_then(labels).unwrap_or_default();
    Some(Choice { id: id?, labels })
}

/// A choice with a flag of its own.
fn coded(item: Item<'_>, flag: &'static str, default: bool) -> Option<(Choice, bool)> {
    if item.is_text() {
        return Some((read_choice(item)?, default));
    }
    let read = item.table(|fields| {
        let set = fields.flag(flag, default);
        Some((choice(fields)?, set))
    });
    read.flatten()
}

/// Texts by locale.
fn labels(item: Item<'_>) -> Option<Labels> {
    let is_locale = |key: &str| {
        key.len() <= 35
            && key.starts_with(|c: char| c.is_ascii_alphabetic())
            && key.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    let entries = item.entries(|key, item| {
        if !is_locale(key) {
            return item.fault("is not under a locale such as en or de-AT");
        }
        Some((key.to_owned(), item.text(TEXT_MAX)?))
    });
    entries.map(|entries| entries.into_iter().collect())
}

/// Two of the same id would make the second unreachable.
fn distinct<'a>(fields: &mut Fields<'_>, key: &str, choices: impl Iterator<Item = &'a Choice>) {
    let mut ids: Vec<&str> = choices.map(|choice| choice.id.as_str()).collect();
    ids.sort_unstable();
    if let Some([twice, ..]) = ids.windows(2).find(|pair| pair[0] == pair[1]) {
        fields.fault(key, format!("has {twice:?} twice"));
    }
}

fn seconds(fields: &mut Fields<'_>, key: &'static str, value: &mut u32) {
    *value = fields.number(key, *value, YEAR_SECONDS);
}

fn minutes(fields: &mut Fields<'_>, key: &'static str, value: &mut u32) {
    *value = fields.number(key, *value, YEAR_MINUTES);
}

fn days(fields: &mut Fields<'_>, key: &'static str, value: &mut u32) {
    *value = fields.number(key, *value, YEAR_DAYS);
}

fn count(fields: &mut Fields<'_>, key: &'static str, value: &mut u32) {
    *value = fields.number(key, *value, COUNTS);
}

/// One number for all media, or a table with some of them.
fn per_medium(fields: &mut Fields<'_>, key: &'static str, value: &mut PerMedium<u32>) {
    let Some(item) = fields.take(key) else { return };
    if item.is_number() {
        if let Some(number) = item.number(COUNTS) {
            *value = PerMedium::both(number);
        }
        return;
    }
    item.table(|fields| {
        count(fields, "voice", &mut value.voice);
        count(fields, "video", &mut value.video);
    });
}

/// The word for as many as the agents can call.
pub(super) const STAFF: &str = "staff";

/// One capacity for all media, or a table with some of them.
fn slot_capacity(fields: &mut Fields<'_>, value: &mut PerMedium<SlotCapacity>) {
    let Some(item) = fields.take("slot_capacity") else { return };
    if item.is_number() || item.is_text() {
        *value = places(item).map_or(*value, PerMedium::both);
        return;
    }
    item.table(|fields| {
        let mut one = |key, value: &mut SlotCapacity| {
            *value = fields.take(key).and_then(places).unwrap_or(*value);
        };
        one("voice", &mut value.voice);
        one("video", &mut value.video);
    });
}

fn places(item: Item<'_>) -> Option<SlotCapacity> {
    if item.is_text() {
        return item.word(&[(STAFF, SlotCapacity::Staff)]);
    }
    item.number(COUNTS).map(SlotCapacity::Fixed)
}

/// What is asked of the agent who takes a callback: of all of a queue's, or of one.
pub fn read_requirements(item: Item<'_>, most: usize) -> Option<Requirements> {
    item.checked(
        |item| item.list(|item| item.table(requirement).flatten()),
        |list| Requirements::new(list, most),
    )
}

fn requirement(fields: &mut Fields<'_>) -> Option<Requirement> {
    let skill = fields.required("skill").and_then(|item| item.parsed(SkillName::parse));
    let level = fields.number("min_level", 1, 1..=5);
    let mandatory = fields.flag("mandatory", true);
    let expires = fields.take("expires_after_seconds").and_then(|item| item.number(YEAR_SECONDS));
    let min_level = Level::new(i64::from(level)).expect("the range is that of levels");
    Some(Requirement { skill: skill?, mandatory, min_level, expires_after_seconds: expires })
}

/// How what is asked of those who wait widens, in order of time.
fn read_steps(item: Item<'_>) -> Option<Vec<Widening>> {
    item.checked(
        |item| item.list(|item| item.table(step).flatten()),
        |mut steps: Vec<Widening>| {
            let most = QueueSettings::MAX_STEPS;
            if steps.len() > most {
                return Err(format!("must have at most {most} steps"));
            }
            steps.sort();
            Ok(steps)
        },
    )
}

fn step(fields: &mut Fields<'_>) -> Option<Widening> {
    const MOST: i64 = Widening::MAX_DELTA;
    let after = fields.required("after_seconds").and_then(|item| item.number(YEAR_SECONDS));
    let delta = fields.take("min_level_delta").and_then(|item| item.integer(-MOST..=MOST));
    let drop_optional = fields.flag("drop_optional", false);
    let min_level_delta = delta.unwrap_or(0);
    Some(Widening { after_seconds: after?, min_level_delta, drop_optional })
}

/// A country or territory of ISO 3166-1.
fn region(text: &str) -> Result<Region, &'static str> {
    let wanted = "must be the two capital letters of a country, such as DE or US";
    Region::parse(text).ok().filter(|region| region.as_str() == text).ok_or(wanted)
}
