//! Which events an endpoint asked for: by type, and by the channel that a callback came through.

use std::collections::BTreeSet;

use crate::domain::callback::Channel;
use crate::domain::event::Event;

/// What an endpoint asked for. Nothing named: everything.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// Names of event types, as on the wire; empty: all.
    pub types: BTreeSet<String>,
    /// Channels of origin; empty: all. With any, events of agents and queues are left out, since
    /// they belong to none.
    pub channels: BTreeSet<Channel>,
}

impl Filter {
    /// Whether an event is to be sent; `channel` is its callback's origin, if it is one's.
    pub fn wants(&self, event: &Event, channel: Option<Channel>) -> bool {
        let kind = self.types.is_empty() || self.types.contains(event.name());
        let origin = self.channels.is_empty()
            || channel.is_some_and(|channel| self.channels.contains(&channel));
        kind && origin
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::event::{CallbackEvent, QueueEvent};
    use crate::domain::ids::{CallbackId, QueueId};

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
            (filter(&["callback.closed"], &[]), chat, false),
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
        let resumed = Event::Queue(queue, QueueEvent::Resumed { intake: true, offers: true });
        assert!(filter(&["queue.resumed"], &[]).wants(&resumed, None));
        assert!(!filter(&["queue.resumed"], &[Channel::Chat]).wants(&resumed, None));
    }
}
