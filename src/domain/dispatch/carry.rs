//! What whoever carries out the outbox decides: whose turn it is, what a meeting needs, what no
//! longer holds, and what follows from a try.
//!
//! Pure, so that the dispatcher only reads, waits and calls.

use super::{
    Carrier, Failure, Item, Mail, MailKind, MeetingTask, OutboxChange, Provider, Task, Undelivered,
};
use crate::domain::back_off;
use crate::domain::callback::{Callback, State};
use crate::domain::time::{Span, Timestamp};

/// What became of one attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome<T = ()> {
    /// Done; what came of it.
    Delivered(T),
    /// Not now. Trying again is safe, also where the other side may have done it already.
    Later {
        /// Why, in a few words for the list of failures.
        reason: String,
        /// How long the other side asked to be left alone.
        retry_after: Option<Span>,
    },
    /// Trying again can't help until somebody changes something.
    GivenUp {
        /// Why, in a few words for the list of failures.
        reason: String,
    },
}

impl<T> Outcome<T> {
    /// Not now, and the other side didn't say until when.
    pub fn later(reason: impl Into<String>) -> Self {
        Self::Later { reason: reason.into(), retry_after: None }
    }

    /// Never, as things are.
    pub fn given_up(reason: impl Into<String>) -> Self {
        Self::GivenUp { reason: reason.into() }
    }

    /// The same, with something else that came of it.
    pub fn map<U>(self, made: impl FnOnce(T) -> U) -> Outcome<U> {
        match self {
            Self::Delivered(value) => Outcome::Delivered(made(value)),
            Self::Later { reason, retry_after } => Outcome::Later { reason, retry_after },
            Self::GivenUp { reason } => Outcome::GivenUp { reason },
        }
    }
}

/// Whether an item may go now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// It may.
    Go,
    /// Another one of its callback goes first, and is due already.
    Behind,
    /// Another one of its callback goes first, and is tried again then.
    Wait(Timestamp),
}

/// Whose turn it is among a callback's `items`, which are in the order of their numbers.
///
/// What one carrier does for a callback is done in the order in which it was caused; a reminder
/// whose time hasn't come holds nobody up. A mail lets the first try at a meeting go first, so
/// that it can have the link. A withdrawal waits for nobody, since what fails before it may fail
/// for a day. `met`: there is somebody who makes meetings.
pub fn turn(item: &Item, items: &[Item], now: Timestamp, met: bool) -> Turn {
    if item.dispatch.task == Task::Withdraw {
        return Turn::Go;
    }
    let carrier = item.dispatch.carrier();
    let mut turn = Turn::Go;
    for earlier in items.iter().filter(|earlier| earlier.id < item.id) {
        let due = earlier.next_at <= now;
        if earlier.dispatch.carrier() == carrier {
            if due {
                return Turn::Behind;
            }
            if earlier.tries > 0 {
                turn = Turn::Wait(earlier.next_at);
            }
        } else if carrier == Carrier::Mail && met && due && earlier.tries == 0 {
            return Turn::Behind;
        }
    }
    turn
}

/// What a callback's record wants of its meeting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Work {
    /// Nothing.
    Nothing,
    /// That it is made.
    Create,
    /// That the one of this name is moved.
    Update(String),
    /// That the one of this name gets fresh links.
    Renew(String),
    /// That it is removed; none: what an attempt that was never answered may have made.
    Delete(Option<String>),
}

/// What there is to do for a meeting, by whoever makes them now.
pub fn work_on(callback: &Callback, task: MeetingTask, provider: Provider) -> Work {
    let known = callback.meeting.as_ref();
    let ours = known.filter(|meeting| meeting.provider == provider);
    let id = ours.map(|meeting| meeting.id.clone());
    if callback.state().is_final() {
        // Another provider's can't be reached any more.
        return if known.is_some() && id.is_none() { Work::Nothing } else { Work::Delete(id) };
    }
    match (task, id) {
        _ if callback.booking.is_none() => Work::Nothing,
        (MeetingTask::Keep, Some(id)) => Work::Update(id),
        (MeetingTask::Keep, None) => Work::Create,
        (MeetingTask::Renew, Some(id)) => Work::Renew(id),
        (MeetingTask::Renew, None) => Work::Nothing,
    }
}
/// Whether what a mail says still holds, seen from the callback as it is when it would go out.
pub fn still_holds(mail: &Mail, callback: &Callback, now: Timestamp) -> bool {
    let waits = matches!(callback.state(), State::Open | State::Queued | State::Offered);
    match mail.kind {
        MailKind::Reminder => {
            let ahead = mail.slot.is_some_and(|slot| now < slot.start);
            waits && ahead && mail.bookings == callback.bookings
        }
        MailKind::TriedToReach => !callback.state().is_final(),
        // They tell what happened, and what happened later has a mail of its own.
        MailKind::Confirmation | MailKind::Change | MailKind::Cancellation | MailKind::Sorry => {
            true
        }
    }
}

/// Those of a callback's `items` that nobody must hear of any more: reminders of what is over or
/// was moved, and all but the last of the same booking.
pub fn overtaken(items: &[Item], callback: &Callback, now: Timestamp) -> Vec<Item> {
    let mut reminders: Vec<(&Item, &Mail)> = Vec::new();
    for item in items {
        if let Task::Mail(mail) = &item.dispatch.task
            && mail.kind == MailKind::Reminder
        {
            reminders.push((item, mail));
        }
    }
    let last = reminders.last().map(|(item, _)| item.id);
    let holds = |item: &Item, mail| {
        callback.has_email && last == Some(item.id) && still_holds(mail, callback, now)
    };
    let gone = reminders.into_iter().filter(|(item, mail)| !holds(item, mail));
    gone.map(|(item, _)| item.clone()).collect()
}

/// What follows from a try that began then.
pub fn judge(
    item: &Item,
    began: Timestamp,
    outcome: Outcome,
    now: Timestamp,
    dice: u64,
) -> OutboxChange {
    let (tries, first_try) = (item.tries + 1, item.first_try.unwrap_or(began));
    let (reason, wait) = match outcome {
        Outcome::Delivered(()) => return OutboxChange::Done(item.clone()),
        Outcome::Later { reason, retry_after } => {
            let wait = back_off::DISPATCHES.wait(tries, now.since(first_try), retry_after, dice);
            (reason, wait)
        }
        Outcome::GivenUp { reason } => (reason, None),
    };
    if let Some(wait) = wait {
        let (first_try, reason) = (Some(first_try), Some(reason));
        let after = Item { tries, first_try, next_at: now + wait, reason, ..item.clone() };
        return OutboxChange::Later { before: item.clone(), after };
    }
    let what = Undelivered::Dispatch(item.dispatch.clone());
    let failure = Failure { id: item.id, what, tries, first_try, failed_at: now, reason };
    OutboxChange::GivenUp { item: item.clone(), failure }
}
#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::dispatch::Dispatch;
    use crate::domain::ids::CallbackId;

    const NOW: Timestamp = Timestamp(1_000);
    const LATER: Timestamp = Timestamp(2_000);

    fn item(id: u64, task: Task, tries: u32, next_at: Timestamp) -> Item {
        let callback = CallbackId(7);
        let dispatch = Dispatch { callback, caused_at: NOW, not_before: NOW, task };
        Item { tries, next_at, ..Item::new(id, dispatch) }
    }

    fn mail(id: u64, tries: u32, next_at: Timestamp) -> Item {
        let mail = Mail {
            kind: MailKind::Change,
            sequence: 1,
            slot: None,
            previous_slot: None,
            bookings: 1,
            position: None,
            estimate: None,
            attempts: 0,
            next_try: None,
        };
        item(id, Task::Mail(mail), tries, next_at)
    }

    fn meeting(id: u64, tries: u32, next_at: Timestamp) -> Item {
        item(id, Task::Meeting(MeetingTask::Keep), tries, next_at)
    }

    #[test]
    fn each_carrier_keeps_a_callbacks_order() {
        let last = mail(3, 0, NOW);
        for (earlier, expected) in [
            (vec![], Turn::Go),
            (vec![mail(1, 0, NOW)], Turn::Behind),
            (vec![mail(1, 4, NOW)], Turn::Behind),
            (vec![mail(1, 4, LATER)], Turn::Wait(LATER)),
            // A reminder whose time hasn't come.
            (vec![mail(1, 0, LATER)], Turn::Go),
            (vec![mail(1, 4, LATER), mail(2, 0, NOW)], Turn::Behind),
            (vec![meeting(1, 0, NOW)], Turn::Behind),
            (vec![meeting(1, 1, LATER)], Turn::Go),
            (vec![meeting(1, 1, NOW)], Turn::Go),
        ] {
            let items: Vec<Item> = earlier.into_iter().chain([last.clone()]).collect();
            assert_eq!(turn(&last, &items, NOW, true), expected, "{items:?}");
        }
        let items = [meeting(1, 0, NOW), last.clone()];
        assert_eq!(turn(&last, &items, NOW, false), Turn::Go, "nobody makes meetings");
    }

    #[test]
    fn a_withdrawal_waits_for_nobody() {
        let withdrawal = item(3, Task::Withdraw, 0, NOW);
        for earlier in [mail(1, 4, LATER), mail(1, 0, NOW), meeting(1, 0, NOW)] {
            assert_eq!(turn(&withdrawal, &[earlier], NOW, true), Turn::Go);
        }
    }

    #[test]
    fn a_meeting_waits_for_meetings_alone() {
        let last = meeting(3, 0, NOW);
        for (earlier, expected) in [
            (mail(1, 0, NOW), Turn::Go),
            (mail(1, 9, LATER), Turn::Go),
            (meeting(1, 0, NOW), Turn::Behind),
            (meeting(1, 2, LATER), Turn::Wait(LATER)),
            (meeting(4, 0, NOW), Turn::Go),
        ] {
            let items = [earlier, last.clone()];
            assert_eq!(turn(&last, &items, NOW, true), expected, "{items:?}");
        }
    }
}
