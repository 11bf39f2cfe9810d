//! Mails to customers: from what happened to a callback to an answer of the mail server.
//!
//! ```text
//! MailItem ──compose──▶ Message ──Mailer──▶ Outcome
//! ```
//!
//! Must never decide that a mail is due, nor remember that one was sent: that is the engine's
//! outbox. The same item makes the same message each time, `Message-ID` included, so that a mail
//! that went out twice can be told to be one.

mod calendar;
mod compose;
mod item;
mod mailer;
mod post;
mod templates;
#[cfg(test)]
mod tests;
mod words;

pub use compose::{ComposeError, MailSettings, compose};
pub use item::MailItem;
pub use mailer::{Mailer, MailerError};
pub use post::Post;
pub use templates::{TemplateFaults, Templates};
