//! What queues had learned about waiting, learned again after a start from what ended lately.
//!
//! In the background, once the workspace takes commands, and from a bounded number of callbacks:
//! until then, and where they are too few, there is no estimate. It must never hold anybody up.

use std::collections::BTreeMap;
use std::rc::Rc;

use super::library::{FullCallback, ListFilter, ListRead, SortKey};
use super::office::Office;
use crate::domain::callback::{Interaction, Phase, State};
use crate::domain::ids::QueueId;
use crate::domain::message::{Letter, Past, QueueMessage};
use crate::domain::time::{Span, Timestamp};

/// Callbacks are read in pages of so many.
const PAGE: usize = 200;

/// So many pages at most: a day of 2,000 callbacks.
const PAGES: usize = 10;

/// Between two pages, so that commands hardly notice.
const BETWEEN: Span = Span::millis(50);

/// Callbacks asked for earlier say nothing of today's waits.
const NO_OLDER: Span = Span::days(7);

impl Office {
    /// Begins to tell queues what ended lately, newest pages first.
    pub(crate) fn recall_waits(self: &Rc<Self>) {
        let office = Rc::clone(self);
        self.spawn(async move {
            let since = office.shared.clock.wall() - NO_OLDER;
            let mut found: BTreeMap<QueueId, Vec<Past>> = BTreeMap::new();
            let mut after = None;
            for _ in 0..PAGES {
                let filter = ListFilter {
                    states: State::ALL.into_iter().filter(|state| state.is_final()).collect(),
                    ..ListFilter::default()
                };
                let sort = SortKey::CreatedAt;
                let read = ListRead { filter, sort, descending: true, limit: PAGE, after };
                let Ok(page) = office.library.list(read).await else { break };
                let newer = page.items.iter().take_while(|full| full.callback.created_at > since);
                let mut count = 0;
                for full in newer {
                    count += 1;
                    if !full.callback.state().is_final() {
                        continue;
                    }
                    let queue = full.callback.queue.clone();
                    found.entry(queue).or_default().push(past(full));
                }
                after = page.next;
                if count < page.items.len() || after.is_none() {
                    break;
                }
                office.shared.clock.wait(BETWEEN).await;
            }
            for (queue, mut past) in found {
                past.reverse();
                office.deliver(Letter::Queue(queue, QueueMessage::Recall(past)), None);
            }
        });
    }
}

/// What an ended callback says of waiting.
fn past(full: &FullCallback) -> Past {
    let callback = &full.callback;
    let ended_at = match &callback.phase {
        Phase::Ended { at, .. } => *at,
        Phase::Open { .. }
        | Phase::Queued { .. }
        | Phase::Offered { .. }
        | Phase::Accepted { .. }
        | Phase::Calling { .. }
        | Phase::WrapUp { .. } => callback.updated_at,
    };
    let services = full.ended.iter().enumerate().filter_map(|(place, one)| {
        // Wrap-up of the last one ended with the callback; of the others nobody knows.
        let is_last = place + 1 == full.ended.len();
        service(one, if is_last { Some(ended_at) } else { None })
    });
    Past {
        waited: waited(callback.created_at, &full.ended, ended_at),
        gave_up: callback.gave_up() && full.ended.iter().all(|one| one.called_at.is_none()),
        services: services.collect(),
        first_called_at: callback.first_called_at,
        asked_at: callback.asked_at(),
        told: callback.told,
    }
}

/// How long an agent had it who called: from accept to the end of wrap-up, as far as is known.
fn service(interaction: &Interaction, closed_at: Option<Timestamp>) -> Option<Span> {
    interaction.called_at?;
    let ended_at = interaction.ended_at.max(closed_at)?;
    Some(ended_at.since(interaction.accepted_at?).max(Span::ZERO))
}

/// How long its customer stood in line before the first call, or before they gave up.
fn waited(asked_at: Timestamp, ended: &[Interaction], ended_at: Timestamp) -> Span {
    let Some(first) = ended.first() else { return Span::ZERO };
    let until = first.accepted_at.or(first.called_at).unwrap_or(ended_at);
    let since = first.created_at.max(asked_at);
    until.since(since).max(Span::ZERO)
}

#[cfg(test)]
mod tests;
