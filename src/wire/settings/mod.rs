//! Queues and agents as the administrator writes them: the same in configuration files and API.
//!
//! Separate from the domain's settings, which hold what is known to be good: here every key is
//! read, checked and explained, and all faults are told at once. Nothing is kept here.

mod address;
mod agent;
mod calendar;
pub mod fields;
mod key;
mod print;
mod queue;
#[cfg(test)]
mod tests;

use std::ops::RangeInclusive;

use crate::domain::ids::{AgentId, BadSlug, QueueId};
use crate::domain::policy::{AgentSettings, QueueSettings};
use crate::wire::json::Json;
use fields::{Fault, Fields, Item};

pub use address::{is_authority, web_address};
pub use agent::read_agent;
pub use key::{key, print_key, read_grant};
pub use print::{print_agent, print_queue, print_requirements};
pub use queue::{read_choice, read_queue, read_requirements};

/// Counts for which no other range is documented.
pub const COUNTS: RangeInclusive<u32> = 0..=u32::MAX;

/// A year in seconds: the longest time in that unit.
pub const YEAR_SECONDS: RangeInclusive<u32> = 0..=31_536_000;

/// A year in minutes.
pub const YEAR_MINUTES: RangeInclusive<u32> = 0..=525_600;

/// A year in days.
pub const YEAR_DAYS: RangeInclusive<u32> = 0..=365;

/// The queue that a request body describes. `id` comes from the path; the body may repeat it.
pub fn queue(
    body: &Json<'_>,
    id: &QueueId,
    max_requirements: usize,
) -> Result<QueueSettings, Vec<Fault>> {
    whole(body, |fields| read_queue(fields, Some(id), max_requirements))
}

/// The agent that a request body describes; `known` says which queues there are.
pub fn agent(
    body: &Json<'_>,
    id: &AgentId,
    known: &dyn Fn(&QueueId) -> bool,
) -> Result<AgentSettings, Vec<Fault>> {
    whole(body, |fields| read_agent(fields, Some(id), known))
}

pub(super) fn whole<T>(
    body: &Json<'_>,
    read: impl FnOnce(&mut Fields<'_>) -> Option<T>,
) -> Result<T, Vec<Fault>> {
    let mut faults = Vec::new();
    let settings = Item::root(body, &mut faults).table(read).flatten();
    match settings {
        Some(settings) if faults.is_empty() => Ok(settings),
        _ => Err(faults),
    }
}

/// The id of what is read: from the request's path, or the table's own; both must agree.
pub(super) fn id<T: PartialEq + Clone>(
    fields: &mut Fields<'_>,
    path: Option<&T>,
    parse: fn(&str) -> Result<T, BadSlug>,
) -> Option<T> {
    let Some(path) = path else {
        return fields.required("id").and_then(|item| item.parsed(parse));
    };
    let given = fields.parsed("id", parse);
    if given.is_some_and(|given| given != *path) {
        fields.fault("id", "must be the id in the path, or left out");
    }
    Some(path.clone())
}
