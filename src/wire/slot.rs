//! Slots as they are listed, and what is asked of them.

use serde_json::{Value, json};

use super::instant::Instant;
use super::problem::Problem;
use super::query::Query;
use super::request::MEDIA;
use super::text::instant;
use crate::domain::callback::Callback;
use crate::domain::policy::Medium;
use crate::domain::queue::Queue;
use crate::domain::slots::{LIST_DAYS, SlotRoom};
use crate::domain::time::{Span, Timestamp};
use crate::domain::zone::TimeZone;

/// Slots are listed for so many days where no end is given.
const USUAL_DAYS: u32 = 7;

/// Which slots are asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SlotQuery {
    /// Phone or video.
    pub medium: Medium,
    /// Those that start from here on.
    pub from: Timestamp,
    /// Until and without this.
    pub to: Timestamp,
    /// The zone of `local_start`.
    pub zone: TimeZone,
}

impl SlotQuery {
    /// Reads it. What isn't said follows from the customer's own callback, if it is a customer who
    /// asks, else from the queue: from now on, for a week, in its zone.
    pub fn read(
        query: &mut Query<'_>,
        queue: &Queue,
        own: Option<&Callback>,
        now: Timestamp,
    ) -> Result<Self, Problem> {
        let usual = own.map_or(Medium::Voice, |own| own.medium);
        let medium = query.word("medium", &MEDIA).unwrap_or(usual);
        let from = query.parsed("from", instant);
        let to = query.parsed("to", instant);
        let named = query.one("time_zone").map(TimeZone::parse).transpose();
        let from = from.unwrap_or(now);
        let to = to.unwrap_or(from + Span::days(USUAL_DAYS));
        if to < from {
            query.fault("to", "must not lie before from");
        } else if to.since(from) > Span::days(LIST_DAYS) {
            query.fault("to", format!("must lie {LIST_DAYS} days after from at most"));
        }
        let usual = own.map_or(&queue.settings.time_zone, |own| &own.zone);
        let zone = named.map_err(|error| Problem::unknown_zone("/time_zone", &error))?;
        if !queue.takes(medium) {
            let media: Vec<_> = queue.settings.media.iter().map(|one| one.as_str()).collect();
            return Err(Problem::medium_not_offered(&media));
        }
        Ok(Self { medium, from, to, zone: zone.unwrap_or_else(|| usual.clone()) })
    }
}

/// One slot, its start also as the clocks of a zone show it. `remaining` is null where there is no
/// limit.
pub fn slot(room: &SlotRoom, zone: &TimeZone) -> Value {
    json!({
        "start": Instant(room.slot.start),
        "end": Instant(room.slot.end),
        "local_start": zone.local(room.slot.start).to_string(),
        "remaining": room.remaining,
    })
}

/// Slots, one after the other.
pub fn slot_list(rooms: &[SlotRoom], zone: &TimeZone) -> Vec<Value> {
    rooms.iter().map(|room| slot(room, zone)).collect()
}
