//! Durable events after an id, in their order: what webhooks and event streams read.
//!
//! Separate from the other reads because it goes on: a reader comes back with the id that it has
//! come to, and between two reads it is woken instead of asking again and again. It must never
//! show an event whose entry isn't durable, since that one may yet turn out never to have
//! happened, and its id may be given to another.

use super::door::Phase;
use super::entry::Entry;
use super::handle::{Handle, unreadable};
use super::library::StoredEvent;
use super::ports::{EntryNumber, PortFuture};
use crate::domain::callback::Channel;
use crate::domain::ids::CallbackId;
use crate::domain::refusal::Refusal;
use crate::domain::time::{Span, Timestamp};

/// A reader of a workspace's events.
pub struct EventFeed {
    handle: Handle,
    /// What was durable when the last read found no more; none: there may be more.
    seen: Option<(u64, EntryNumber)>,
}

impl EventFeed {
    /// A reader that hasn't read anything.
    pub fn new(handle: Handle) -> Self {
        Self { handle, seen: None }
    }

    /// Durable events after the id `after`, oldest first, at most `limit`.
    pub async fn read(&mut self, after: u64, limit: usize) -> Result<Vec<StoredEvent>, Refusal> {
        let shared = &self.handle.shared;
        let standing = shared.door.standing();
        let gate = shared.gate()?;
        if gate.life != standing.life {
            return Err(Refusal::Unavailable);
        }
        let mut events = gate.library.events(after, limit).await.map_err(unreadable)?;
        let full = events.len() == limit;
        events.retain(|event| entry_of(event.id) <= standing.durable);
        let has_more = full && events.len() == limit;
        self.seen = (!has_more).then_some((standing.life, standing.durable));
        Ok(events)
    }

    /// Whether there may be events that the last read didn't find.
    pub fn may_have_more(&self) -> bool {
        let now = self.handle.shared.door.standing();
        self.seen.is_none_or(|(life, durable)| now.life != life || now.durable > durable)
    }

    /// Not all of the last read was used: the next one is the same again.
    pub fn go_back(&mut self) {
        self.seen = None;
    }

    /// Waits until the workspace takes nothing more, or begins anew.
    pub async fn ended(&self) {
        let door = &self.handle.shared.door;
        door.wait_standing(|now| now.phase != Phase::Ready).await;
    }

    /// Waits until there may be events that the last read didn't find.
    pub async fn more(&self) {
        let Some((life, durable)) = self.seen else { return };
        let door = &self.handle.shared.door;
        door.wait_standing(|now| now.life != life || now.durable > durable).await;
    }
}

/// The entry that an event came with.
fn entry_of(event: u64) -> EntryNumber {
    event / Entry::MAX_EVENTS
}

/// The last event that an entry can have.
pub(super) fn last_event_of(entry: EntryNumber) -> u64 {
    entry * Entry::MAX_EVENTS + (Entry::MAX_EVENTS - 1)
}

impl Handle {
    /// The newest id that an event can have by now. All that was answered before has lower ones,
    /// and all of those are durable.
    pub async fn newest_event(&self) -> Result<u64, Refusal> {
        let gate = self.shared.gate()?;
        // What is durable may have been answered already, and not yet told at the door.
        let newest = last_event_of(gate.library.newest());
        self.shown(&gate, newest).await
    }

    /// The highest id of an event that was removed when its time was over; 0: none was.
    pub async fn events_gone_to(&self) -> Result<u64, Refusal> {
        self.shared.gate()?.library.events_gone_to().await.map_err(unreadable)
    }

    /// Those of these events that are there; only for ids that a feed has shown.
    pub async fn events_of(&self, ids: Vec<u64>) -> Result<Vec<StoredEvent>, Refusal> {
        self.shared.gate()?.library.events_of(ids).await.map_err(unreadable)
    }

    /// The channel that a callback came through, which never changes; none: it isn't there.
    pub async fn channel_of(&self, callback: CallbackId) -> Result<Option<Channel>, Refusal> {
        let found = self.shared.gate()?.library.callback(callback).await.map_err(unreadable)?;
        Ok(found.map(|callback| callback.channel))
    }

    /// Time that neither jumps nor stands still, on the wall's scale when the process began.
    pub fn running(&self) -> Timestamp {
        self.shared.clock.running()
    }

    /// Waits for so much of that time.
    pub fn wait(&self, span: Span) -> PortFuture<'static, ()> {
        self.shared.clock.wait(span)
    }

    /// How long events are kept.
    pub fn retain(&self) -> Span {
        self.shared.limits.retain
    }
}
