//! Which events a webhook asked for: by type, and by the channel that a callback came through.

use std::collections::BTreeSet;

use crate::domain::callback::Channel;
use crate::domain::event::Event;

/// Every type of event.
pub const EVENT_TYPES: [&str; 29] = [
    "callback.created",
    "callback.rescheduled",
    "callback.canceled",
    "callback.queued",
    "callback.offered",
    "callback.accepted",
    "callback.declined",
    "callback.offer_expired",
    "callback.offer_revoked",
    "callback.assigned",
    "callback.unassigned",
    "callback.calling",
    "callback.answered",
    "callback.call_ended",
    "callback.retry_scheduled",
    "callback.requeued",
    "callback.updated",
    "callback.unroutable",
    "callback.stuck",
    "callback.carried_over",
    "callback.schedule_conflict",
    "callback.promise_broken",
    "callback.meeting_ready",
    "callback.closed",
    "agent.connected",
    "agent.disconnected",
    "agent.presence_changed",
    "queue.paused",
    "queue.resumed",
];

/// What stands for all types that begin alike.
const ANY: &str = "*";

/// What a webhook asked for. Nothing named: everything.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// Names of event types, or `callback.*` and its like; empty: all.
    pub types: BTreeSet<String>,
    /// Channels of origin; empty: all. With any, events of agents and queues are left out, since
    /// they belong to none.
    pub channels: BTreeSet<Channel>,
}

impl Filter {
    /// Whether an event is to be sent; `channel` is its callback's origin, if it is one's.
    pub fn wants(&self, event: &Event, channel: Option<Channel>) -> bool {
        let origin = self.channels.is_empty()
            || channel.is_some_and(|channel| self.channels.contains(&channel));
        origin && self.wants_type(event.name())
    }

    /// Whether events of a type may be sent at all.
    pub fn wants_type(&self, name: &str) -> bool {
        let group = name.split_once('.').map(|(group, _)| format!("{group}.{ANY}"));
        self.types.is_empty()
            || self.types.contains(name)
            || group.is_some_and(|group| self.types.contains(&group))
    }
}

/// Whether a text names a type, or all that begin alike.
pub fn is_type(text: &str) -> bool {
    let group = text.strip_suffix(ANY).filter(|group| group.ends_with('.'));
    let is_group =
        |group: &str| EVENT_TYPES.iter().any(|name| name.starts_with(group)) && group.len() > 1;
    EVENT_TYPES.contains(&text) || group.is_some_and(is_group)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::event::{CallbackEvent, QueueEvent};
    use crate::domain::ids::{CallbackId, QueueId};
    use crate::domain::queue::Halves;

    fn filter(types: &[&str], channels: &[Channel]) -> Filter {
        Filter {
            types: types.iter().map(|&name| name.to_owned()).collect(),
            channels: channels.iter().copied().collect(),
        }
    }

    #[test]
    fn both_conditions_must_hold_and_an_empty_one_always_does() {
        let stuck = Event::Callback(CallbackId(1), CallbackEvent::Stuck { offers_lost: 8 });
        let chat = Some(Channel::Chat);
        for (filter, channel, wanted) in [
            (filter(&[], &[]), chat, true),
            (filter(&["callback.stuck"], &[]), None, true),
            (filter(&["callback.stuck", "callback.closed"], &[Channel::Chat]), chat, true),
            (filter(&["callback.*"], &[Channel::Chat]), chat, true),
            (filter(&["agent.*", "queue.*"], &[]), chat, false),
            (filter(&["callback.closed"], &[Channel::Chat]), chat, false),
            (filter(&["callback.stuck"], &[Channel::Voice]), chat, false),
            (filter(&["callback"], &[]), chat, false),
        ] {
            assert_eq!(filter.wants(&stuck, channel), wanted, "{filter:?} {channel:?}");
        }
    }

    #[test]
    fn an_event_without_a_channel_passes_only_where_none_is_named() {
        let queue = QueueId::parse("billing").expect("a slug");
        let resumed = Event::Queue(queue, QueueEvent::Resumed { halves: Halves::BOTH });
        assert!(filter(&["queue.resumed"], &[]).wants(&resumed, None));
        assert!(!filter(&["queue.resumed"], &[Channel::Chat]).wants(&resumed, None));
    }

    #[test]
    fn types_are_known_ones_or_groups_of_them() {
        for good in ["callback.created", "agent.*", "queue.*", "callback.*"] {
            assert!(is_type(good), "{good}");
        }
        for bad in ["*", ".*", "callback", "callback.", "call.*", "callback*", "callback.nope", ""]
        {
            assert!(!is_type(bad), "{bad}");
        }
    }
}
