//! One mail as the outbox knows it: everything that it will say, and nothing to be looked up.
//!
//! Separate from the domain's records, so that a mail tells how things were when it was caused,
//! however late it goes out.

use crate::domain::callback::shown_number;
use crate::domain::dispatch::{Estimate, MailKind, Slot};
use crate::domain::ids::CallbackId;
use crate::domain::phone::Email;
use crate::domain::policy::Medium;
use crate::domain::time::Timestamp;
use crate::domain::zone::TimeZone;

/// A mail to a customer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MailItem {
    /// What tells it from all others, for good: the `Message-ID` is made of it.
    pub id: String,
    /// Why it is written.
    pub kind: MailKind,
    /// When that happened: the mail's `Date`, and the calendar entry's time stamp.
    pub at: Timestamp,
    /// The callback; also the name of its entry in calendars.
    pub callback: CallbackId,
    /// The callback's number.
    pub number: u64,
    /// Rises with each change of the callback that calendars must hear of, such as its version.
    pub sequence: u32,
    /// The customer's name, as it was given.
    pub customer_name: String,
    /// Where the mail goes.
    pub customer_email: Email,
    /// The language that they want; none: English.
    pub locale: Option<String>,
    /// The zone that all times are shown in.
    pub zone: TimeZone,
    /// The queue's name, in the customer's language if it has one.
    pub queue: String,
    /// By phone or by video.
    pub medium: Medium,
    /// The booked time; the one canceled in a cancellation; none for as soon as possible.
    pub slot: Option<Slot>,
    /// Of a change: the booked time before; none if there was none.
    pub previous_slot: Option<Slot>,
    /// How often they were called.
    pub attempts: u32,
    /// Of an asap confirmation or change: the place in line, from 1.
    pub position: Option<u32>,
    /// Of an asap confirmation or change: how long it is likely to take.
    pub estimate: Option<Estimate>,
    /// After a try that didn't reach them: when the next one is due; none: not known yet.
    pub next_try: Option<Timestamp>,
    /// Where the customer sees, moves and cancels it.
    pub manage_url: String,
    /// Where the customer can book another; none: left out.
    pub book_url: Option<String>,
    /// Where a video customer joins; none: not known yet.
    pub join_url: Option<String>,
}

impl MailItem {
    /// The number as people see it.
    pub fn shown_number(&self) -> String {
        shown_number(self.number)
    }
}
