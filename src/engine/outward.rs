//! The ports of what goes out unasked: mails to customers, meetings for video callbacks.
//!
//! Adapters live in `notify`. What is due, in which order, and when again, is the dispatcher's; an
//! adapter tries once, within its own time-out, and says what became of it. It must never put an
//! address, a link or a customer's words into a reason: reasons are stored, listed and logged.

use std::fmt;
use std::sync::Arc;

use super::library::FullCallback;
use super::ports::PortFuture;
use crate::domain::dispatch::{Carrier, Mail, Meeting, Outcome, Provider};
use crate::domain::ids::{CallbackId, WorkspaceId};
use crate::domain::queue::Queue;
use crate::domain::time::Timestamp;

/// A mail, with all that it is made of.
#[derive(Debug, Clone)]
pub struct MailToSend {
    /// The item's number: the same mail has the same one each time.
    pub id: u64,
    /// What it is about, as it was then.
    pub mail: Mail,
    /// When that was.
    pub caused_at: Timestamp,
    /// The callback with its texts, as they are now.
    pub full: FullCallback,
    /// Its queue.
    pub queue: Arc<Queue>,
    /// What manage links are signed with.
    pub secret: Arc<[u8; 32]>,
}

/// Whoever sends mails.
pub trait Mails: Send + Sync {
    /// Puts the mail together and hands it over.
    fn send<'a>(&'a self, mail: &'a MailToSend) -> PortFuture<'a, Outcome>;
}

/// What a meeting is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Appointment {
    /// Whose it is.
    pub workspace: WorkspaceId,
    /// The callback; a meeting is found again by it.
    pub callback: CallbackId,
    /// What the customer reads above the meeting.
    pub topic: String,
    /// The booked start.
    pub start: Timestamp,
    /// Its end.
    pub end: Timestamp,
    /// What the agent reads under the customer's picture.
    pub customer_name: Option<String>,
}

/// Whoever makes meetings.
pub trait Meetings: Send + Sync {
    /// Who that is.
    fn provider(&self) -> Provider;

    /// Makes the callback's meeting, or finds the one that an earlier attempt made.
    fn create<'a>(&'a self, appointment: &'a Appointment) -> PortFuture<'a, Outcome<Meeting>>;

    /// Moves the meeting; one that is gone is made again.
    fn update<'a>(
        &'a self,
        id: &'a str,
        appointment: &'a Appointment,
    ) -> PortFuture<'a, Outcome<Meeting>>;

    /// The same meeting with links that are good from now on.
    fn renew<'a>(
        &'a self,
        id: &'a str,
        appointment: &'a Appointment,
    ) -> PortFuture<'a, Outcome<Meeting>>;

    /// Removes the callback's meeting. `id` is none where no attempt to make it was ever answered;
    /// it may exist all the same, and is looked for.
    fn delete<'a>(&'a self, callback: CallbackId, id: Option<&'a str>) -> PortFuture<'a, Outcome>;
}

/// Who carries out what goes out; none: it is kept out, and everything else works.
#[derive(Clone, Default)]
pub struct Outward {
    /// Mails.
    pub mails: Option<Arc<dyn Mails>>,
    /// Meetings.
    pub meetings: Option<Arc<dyn Meetings>>,
}

impl Outward {
    /// Whether there is somebody.
    pub fn has(&self, carrier: Carrier) -> bool {
        match carrier {
            Carrier::Mail => self.mails.is_some(),
            Carrier::Meeting => self.meetings.is_some(),
        }
    }
}

impl fmt::Debug for Outward {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_set().entries(Carrier::ALL.iter().filter(|one| self.has(**one))).finish()
    }
}
