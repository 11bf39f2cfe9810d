//! Reads an agent: queues served, skills held, and how much at once.

use std::collections::BTreeMap;

use super::COUNTS;
use super::fields::{Fields, Item};
use crate::domain::ids::{AgentId, QueueId, SkillName};
use crate::domain::policy::{AgentSettings, Capacity, Membership, PerMedium};
use crate::domain::skills::{Held, Level, Preference, Skills};

/// An agent. The id comes with the request's path, else from the table itself; `known` says which
/// queues there are.
pub fn read_agent(
    fields: &mut Fields<'_>,
    path: Option<&AgentId>,
    known: &dyn Fn(&QueueId) -> bool,
) -> Option<AgentSettings> {
    let id = super::id(fields, path, AgentId::parse);
    let name = fields.text("name");
    let queues = fields.take("queues").and_then(|item| {
        item.checked(|item| item.list(|item| membership(item, known)), memberships)
    });
    let skills = fields.take("skills").and_then(|item| item.checked(held, Skills::new));
    let capacity = fields.take("capacity").and_then(|item| item.table(capacity));
    // Given up only here, when every field was read and its faults told.
    let id = id?;
    Some(AgentSettings {
        name: name.unwrap_or_else(|| id.to_string()),
        id,
        queues: queues.unwrap_or_default(),
        skills: skills.unwrap_or_default(),
        capacity: capacity.unwrap_or_default(),
    })
}

/// One queue served: its id, or a table that gives it a preference.
fn membership(item: Item<'_>, known: &dyn Fn(&QueueId) -> bool) -> Option<Membership> {
    let read = |item: Item<'_>| {
        item.parsed(|text| {
            let queue = QueueId::parse(text).map_err(|error| error.to_string())?;
            let there = known(&queue).then_some(queue);
            there.ok_or_else(|| "there is no such queue".to_owned())
        })
    };
    let (queue, preference) = if item.is_text() {
        (read(item)?, 1)
    } else {
        let table = item.table(|fields| {
            let preference = fields.number("preference", 1, 1..=9);
            Some((fields.required("queue").and_then(read)?, preference))
        });
        table.flatten()?
    };
    let preference = u8::try_from(preference).expect("the range ends at 9");
    Some(Membership { queue, preference })
}

/// By id, since the order says nothing; each at most once.
fn memberships(mut list: Vec<Membership>) -> Result<Vec<Membership>, String> {
    list.sort();
    match list.windows(2).find(|pair| pair[0].queue == pair[1].queue) {
        Some(pair) => Err(format!("has {} twice", pair[0].queue)),
        None => Ok(list),
    }
}

/// `french = 4`, or `french = { level = 4, preference = 2 }`.
fn held(item: Item<'_>) -> Option<BTreeMap<SkillName, Held>> {
    let entries = item.entries(|name, item| {
        let name = match SkillName::parse(name) {
            Ok(name) => name,
            Err(error) => return item.fault(error.to_string()),
        };
        let (level, preference) = if item.is_number() {
            (item.number(1..=5)?, 1)
        } else {
            let table = item.table(|fields| {
                let preference = fields.number("preference", 1, 1..=9);
                Some((fields.required("level").and_then(|item| item.number(1..=5))?, preference))
            });
            table.flatten()?
        };
        let level = Level::new(i64::from(level)).expect("the range is that of levels");
        let preference =
            Preference::new(i64::from(preference)).expect("the range is that of preferences");
        Some((name, Held { level, preference }))
    });
    entries.map(|entries| entries.into_iter().collect())
}

fn capacity(fields: &mut Fields<'_>) -> Capacity {
    let units = fields.number("units", Capacity::default().units, COUNTS);
    let voice = fields.take("voice").and_then(|item| item.number(COUNTS));
    let video = fields.take("video").and_then(|item| item.number(COUNTS));
    Capacity { units, media: PerMedium { voice, video } }
}
