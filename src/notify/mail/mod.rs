//! Mails to customers: from what happened to a callback to an answer of the mail server.
//!
//! ```text
//! MailItem ──compose──▶ Message ──Mailer──▶ Outcome
//! ```
//!
//! Must never decide that a mail is due, nor remember that one was sent: whoever holds the items
//! asks [`Mailer::send`] until it says `Sent` or `Refused`, at the times of [`next_try`]. The same
//! item makes the same message each time, `Message-ID` included, so that a mail that went out
//! twice can be told to be one.

mod back_off;
mod calendar;
mod compose;
mod item;
mod mailer;
mod templates;
#[cfg(test)]
mod tests;
mod words;

pub use back_off::{GIVEN_UP_AFTER, next_try};
pub use compose::{ComposeError, MailSettings, compose};
pub use item::{Estimate, MailItem, MailKind, Slot};
pub use mailer::{Mailer, MailerError, Outcome};
pub use templates::{TemplateFaults, Templates};
