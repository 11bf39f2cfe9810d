//! What is to go out because of what happened to a callback: mails to the customer, and work on
//! its meeting.
//!
//! A dispatch is written in the same journal entry as the step that caused it, so that neither is
//! there without the other; from then on it is an item of the outbox until it is done or given up.
//! It says how things were when it was caused, and nothing that the customer wrote: names and
//! addresses stand in the request and are read when it goes out.

mod carry;

use std::fmt;

pub use carry::{Outcome, Turn, Work, judge, overtaken, still_holds, turn, work_on};

use super::ids::CallbackId;
use super::time::{Span, Timestamp};

/// Why a customer is written to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum MailKind {
    /// It was asked for or booked.
    Confirmation,
    /// Its time was moved, by whomever, or the link to its meeting is known now.
    Change,
    /// It was canceled, by whomever.
    Cancellation,
    /// It will be soon.
    Reminder,
    /// They were called and not reached.
    TriedToReach,
    /// It is over without their having been reached.
    Sorry,
}

impl MailKind {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::Confirmation,
        Self::Change,
        Self::Cancellation,
        Self::Reminder,
        Self::TriedToReach,
        Self::Sorry,
    ];

    /// Its word, which its templates' files have as their name too.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Confirmation => "confirmation",
            Self::Change => "change",
            Self::Cancellation => "cancellation",
            Self::Reminder => "reminder",
            Self::TriedToReach => "tried_to_reach",
            Self::Sorry => "sorry",
        }
    }
}

/// A booked time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Slot {
    /// When it begins, by the wall clock.
    pub start: Timestamp,
    /// How long it is, in whole minutes.
    pub minutes: u32,
}

impl Slot {
    /// From its start to its end.
    pub fn between(start: Timestamp, end: Timestamp) -> Self {
        let minutes = end.since(start).whole_seconds().div_euclid(60).max(0);
        Self { start, minutes: u32::try_from(minutes).unwrap_or(u32::MAX) }
    }

    /// Its end.
    pub fn end(self) -> Timestamp {
        self.start + Span::minutes(self.minutes)
    }
}

/// How long a customer is likely to wait, in minutes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Estimate {
    /// They will hardly wait less.
    pub low_minutes: u32,
    /// They will hardly wait more; not below `low_minutes`.
    pub high_minutes: u32,
}

/// A mail to a callback's customer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mail {
    /// Why it is written.
    pub kind: MailKind,
    /// The callback's version then: calendars take the file with the highest one.
    pub sequence: u32,
    /// The booked time; the one canceled in a cancellation; none for as soon as possible.
    pub slot: Option<Slot>,
    /// Of a change: the booked time before; none if there was none, or if it stays.
    pub previous_slot: Option<Slot>,
    /// Which of its bookings it was, so that a reminder of an earlier one is known.
    pub bookings: u32,
    /// The place in line, from 1, where the customer asked for as soon as possible.
    pub position: Option<u32>,
    /// How long that is likely to take.
    pub estimate: Option<Estimate>,
    /// How often they had been called.
    pub attempts: u32,
    /// After a try that didn't reach them: when the next one is due.
    pub next_try: Option<Timestamp>,
}

/// Work on a callback's meeting.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum MeetingTask {
    /// Make it, move it or remove it, as the callback's record says when this is done.
    Keep,
    /// Fetch links that are good from now on: an agent is about to come in.
    Renew,
}

impl MeetingTask {
    /// Its word in lists.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Keep => "keep",
            Self::Renew => "renew",
        }
    }
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Task {
    /// Write to the customer.
    Mail(Mail),
    /// Work on the meeting.
    Meeting(MeetingTask),
    /// Take out of the outbox what was to be written to the customer later and holds no longer. The
    /// step that overtook it doesn't know which items those are.
    Withdraw,
}

/// Who carries a task out, each with a line of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Carrier {
    /// The mail server.
    Mail,
    /// Whoever makes meetings.
    Meeting,
}

impl Carrier {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Mail, Self::Meeting];

    /// Its word in lists and figures.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Mail => "mail",
            Self::Meeting => "meeting",
        }
    }
}

/// Something that goes out because of a step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dispatch {
    /// Because of what happened to it.
    pub callback: CallbackId,
    /// When that was.
    pub caused_at: Timestamp,
    /// Not before this, by the wall clock.
    pub not_before: Timestamp,
    /// What to send or to make.
    pub task: Task,
}

impl Dispatch {
    /// Who carries it out.
    pub const fn carrier(&self) -> Carrier {
        match self.task {
            Task::Mail(_) | Task::Withdraw => Carrier::Mail,
            Task::Meeting(_) => Carrier::Meeting,
        }
    }

    /// What it is called in lists and in the log.
    pub const fn name(&self) -> &'static str {
        match &self.task {
            Task::Mail(mail) => mail.kind.as_str(),
            Task::Meeting(task) => task.as_str(),
            Task::Withdraw => "withdraw",
        }
    }
}

/// A dispatch that isn't done yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// As events are numbered: its entry's number × 32 + its place there.
    pub id: u64,
    /// What is to be done.
    pub dispatch: Dispatch,
    /// How often it was tried.
    pub tries: u32,
    /// When it was tried first.
    pub first_try: Option<Timestamp>,
    /// When it is due.
    pub next_at: Timestamp,
    /// Why the last try failed.
    pub reason: Option<String>,
}

impl Item {
    /// An item that was never tried.
    pub fn new(id: u64, dispatch: Dispatch) -> Self {
        let next_at = dispatch.not_before;
        Self { id, dispatch, tries: 0, first_try: None, next_at, reason: None }
    }
}

/// What was given up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Undelivered {
    /// An item of the outbox.
    Dispatch(Dispatch),
    /// An event that a webhook's receiver didn't take.
    Webhook {
        /// The webhook's id.
        webhook: String,
        /// The event's id.
        event: u64,
        /// The callback that it tells of, if it is one's.
        callback: Option<CallbackId>,
    },
}

impl Undelivered {
    /// What kind of thing it is, for lists.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Dispatch(dispatch) => dispatch.carrier().as_str(),
            Self::Webhook { .. } => "webhook",
        }
    }

    /// The callback that it is about.
    pub const fn callback(&self) -> Option<CallbackId> {
        match self {
            Self::Dispatch(dispatch) => Some(dispatch.callback),
            Self::Webhook { callback, .. } => *callback,
        }
    }
}

/// Something that was given up: kept until somebody has it tried again, or it lapses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// The item's number; a webhook's delivery has one of its own.
    pub id: u64,
    /// What it was.
    pub what: Undelivered,
    /// How often it was tried.
    pub tries: u32,
    /// When it was tried first.
    pub first_try: Timestamp,
    /// When it was given up.
    pub failed_at: Timestamp,
    /// Why the last try failed.
    pub reason: String,
}

/// A change of the outbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OutboxChange {
    /// A step caused it; its number follows from the entry's.
    New(Dispatch),
    /// It is due at another time.
    Later {
        /// As it was.
        before: Item,
        /// As it is.
        after: Item,
    },
    /// It is done, or holds no longer.
    Done(Item),
    /// It was given up.
    GivenUp {
        /// As it was.
        item: Item,
        /// What is kept of it.
        failure: Failure,
    },
    /// Something without an item was given up: a webhook's delivery.
    Failed(Failure),
    /// A failure is no longer one; what it was about is due again, if it is an item.
    Again {
        /// What was kept.
        failure: Failure,
        /// The item, due again.
        item: Option<Item>,
    },
}

/// Who made a meeting.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Provider {
    /// Zoom.
    Zoom,
    /// A Jitsi server.
    Jitsi,
}

impl Provider {
    /// The word on the wire and in settings.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Zoom => "zoom",
            Self::Jitsi => "jitsi",
        }
    }
}

/// A meeting that was made. Whoever has a link can come in: it is never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Meeting {
    /// Who made it, and can move or delete it.
    pub provider: Provider,
    /// What the provider calls it.
    pub id: String,
    /// The customer's way in.
    pub join_url: String,
    /// The agent's way in; Zoom's is good for two hours.
    pub host_url: String,
}

impl fmt::Debug for Meeting {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Meeting").field("provider", &self.provider).finish_non_exhaustive()
    }
}
