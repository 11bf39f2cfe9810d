//! One table per rule, by hand.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::domain::ids::{AgentId, CallbackId, Fresh, QueueId, SkillName};
use crate::domain::policy::QueueSettings;
use crate::domain::queue::{Paused, Queue};
use crate::domain::skills::{Held, Level, Preference, Requirement, Skills};
use crate::domain::time::{Now, Timestamp};

pub(super) fn agent_id(number: u32) -> AgentId {
    AgentId::parse(&format!("agent-{number}")).expect("a slug")
}

pub(super) fn queue_id(number: u32) -> QueueId {
    QueueId::parse(&format!("queue-{number}")).expect("a slug")
}

pub(super) fn callback(number: u32) -> CallbackId {
    CallbackId(u128::from(number))
}

pub(super) fn now_at(at: Timestamp) -> Now {
    Now { wall: at, steady: at, fresh: Fresh(0) }
}

pub(super) fn queue_with(settings: QueueSettings, offers_paused: Option<Paused>) -> Arc<Queue> {
    Arc::new(Queue {
        settings: Arc::new(settings),
        version: 1,
        intake_paused: None,
        offers_paused,
        pauses: Vec::new(),
    })
}

/// Skills by name, level and preference.
pub(super) fn skills(held: &[(&str, u32, u32)]) -> Skills {
    let held = held.iter().map(|(name, level, preference)| {
        let held = Held {
            level: Level::new(i64::from(*level)).expect("1 to 5"),
            preference: Preference::new(i64::from(*preference)).expect("1 to 9"),
        };
        (SkillName::parse(name).expect("a slug"), held)
    });
    Skills::new(held.collect::<BTreeMap<_, _>>()).expect("a few")
}

pub(super) fn require(
    skill: &str,
    level: u32,
    mandatory: bool,
    expires_after_seconds: Option<u32>,
) -> Requirement {
    Requirement {
        skill: SkillName::parse(skill).expect("a slug"),
        mandatory,
        min_level: Level::new(i64::from(level)).expect("1 to 5"),
        expires_after_seconds,
    }
}
