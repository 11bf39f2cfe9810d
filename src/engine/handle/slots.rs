//! Questions about slots, through the handle.

use std::ops::Range;
use std::sync::Arc;

use super::{Handle, unreadable};
use crate::domain::effect::Answer;
use crate::domain::ids::{CallbackId, QueueId};
use crate::domain::message::SlotQuestion;
use crate::domain::policy::Medium;
use crate::domain::queue::Queue;
use crate::domain::refusal::Refusal;
use crate::domain::slots::{Bookings, SlotBook, SlotRoom, Staffing};
use crate::domain::time::Timestamp;
use crate::engine::answers::strange;
use crate::engine::ask::{Ask, QueueQuestion};
use crate::engine::library::{BookedRead, Library};
use crate::engine::ports::StoreError;

/// What is taken of a queue's slots, to work lists out from on whichever thread.
#[derive(Debug, Clone)]
pub struct Booked {
    /// The queue, as it is.
    pub queue: Arc<Queue>,
    bookings: Bookings,
    staffing: Staffing,
}

impl Booked {
    /// The slots, seen from `now`.
    pub fn book(&self, now: Timestamp) -> SlotBook<'_> {
        let Self { queue, bookings, staffing } = self;
        SlotBook { settings: &queue.settings, bookings, staffing: *staffing, now }
    }
}

/// Bookings that lie outside their queue's hours.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Conflicts {
    /// Number of all of them.
    pub count: u64,
    /// The first of them, by start; at most 100.
    pub first: Vec<CallbackId>,
}

/// So many conflicts are named.
const FIRST_CONFLICTS: usize = 100;

/// Rows of one read.
const PAGE: usize = 1_000;

/// Booked callbacks of all media in a time, by start; and when the next one after it starts.
async fn read_booked(
    library: &dyn Library,
    queue: &QueueId,
    within: Range<Timestamp>,
) -> Result<(Vec<(Timestamp, CallbackId)>, Option<Timestamp>), StoreError> {
    let (mut found, mut next) = (Vec::new(), None);
    for medium in Medium::ALL {
        let mut after = None;
        loop {
            let (queue, from, until) = (queue.clone(), within.start, within.end);
            let read = BookedRead { queue, medium, after, from, until, limit: PAGE };
            let page = library.booked(read).await?;
            after = page.last().copied();
            let full = page.len() == PAGE;
            found.extend(page);
            if !full {
                break;
            }
        }
        let (queue, from, until) = (queue.clone(), within.end, Timestamp::NEVER);
        let read = BookedRead { queue, medium, after: None, from, until, limit: 1 };
        if from < Timestamp::NEVER {
            let first = library.booked(read).await?.first().map(|(start, _)| *start);
            next = next.into_iter().chain(first).min();
        }
    }
    found.sort_unstable();
    Ok((found, next))
}

impl Handle {
    /// What is taken of the slots of a queue that start in `from .. to`.
    pub async fn booked(
        &self,
        queue: QueueId,
        medium: Medium,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<Booked, Refusal> {
        match self.slots(queue, SlotQuestion::Between { medium, from, to }).await? {
            Answer::Booked { queue, bookings, staffing } => {
                Ok(Booked { queue, bookings, staffing })
            }
            other => Err(strange(&other)),
        }
    }

    /// The next free slots of a queue from an instant on, at most `count`.
    pub async fn next_slots(
        &self,
        queue: QueueId,
        medium: Medium,
        from: Timestamp,
        count: usize,
    ) -> Result<Vec<SlotRoom>, Refusal> {
        self.free_slots(queue, SlotQuestion::Next { medium, from, count }).await
    }

    /// The free slots of a queue nearest to a start that is none.
    pub async fn nearest_slots(
        &self,
        queue: QueueId,
        medium: Medium,
        start: Timestamp,
    ) -> Result<Vec<SlotRoom>, Refusal> {
        self.free_slots(queue, SlotQuestion::Near { medium, start }).await
    }

    /// Bookings whose start is to come and lies outside the queue's hours, over all media.
    pub async fn conflicts(&self, queue: &Queue) -> Result<Conflicts, Refusal> {
        let gate = self.shared.gate()?;
        let hours = &queue.settings.hours;
        let mut conflicts = Conflicts::default();
        let mut from = self.now();
        // From one time without hours to the next, and where nothing is booked to the next booking:
        // as many turns at most as there are bookings, however far ahead they are.
        while from < Timestamp::NEVER {
            if hours.is_open(from) {
                from = hours.closes_at(from).unwrap_or(Timestamp::NEVER);
                continue;
            }
            let until = hours.next_open(from).unwrap_or(Timestamp::NEVER);
            let found = read_booked(&*gate.library, &queue.settings.id, from..until).await;
            let (found, next) = found.map_err(unreadable)?;
            conflicts.count += found.len() as u64;
            let room = FIRST_CONFLICTS.saturating_sub(conflicts.first.len());
            conflicts.first.extend(found.into_iter().take(room).map(|(_, id)| id));
            from = next.unwrap_or(Timestamp::NEVER);
        }
        self.shown(&gate, conflicts).await
    }

    async fn free_slots(
        &self,
        queue: QueueId,
        question: SlotQuestion,
    ) -> Result<Vec<SlotRoom>, Refusal> {
        match self.slots(queue, question).await? {
            Answer::Slots(rooms) => Ok(rooms),
            other => Err(strange(&other)),
        }
    }

    async fn slots(&self, queue: QueueId, question: SlotQuestion) -> Result<Answer, Refusal> {
        self.question(Ask::Queue { queue, question: QueueQuestion::Slots(question) }).await
    }
}
