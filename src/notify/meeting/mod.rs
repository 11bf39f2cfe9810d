//! Meetings for video callbacks: a port, and who implements it.
//!
//! One meeting per callback, whatever is lost on the way: every method may be repeated after any
//! failure, and comes to the same end. What is due, and when again, is the outbox's. Must never
//! write a link into a log: whoever has it can come in.

mod jitsi;
mod zoom;

use std::fmt;
use std::sync::Arc;

pub use jitsi::Jitsi;
pub use zoom::Zoom;

use super::outcome::Outcome;
use crate::config::{self, OutwardCalls};
use crate::domain::ids::{CallbackId, WorkspaceId};
use crate::domain::time::Timestamp;
use crate::engine::clock::Clock;
use crate::engine::ports::PortFuture;

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

/// Who made a meeting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
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

/// A meeting that was made.
#[derive(Clone, PartialEq, Eq)]
pub struct Meeting {
    /// By whom.
    pub provider: Provider,
    /// What the provider calls it.
    pub id: String,
    /// The customer's way in.
    pub join_url: String,
    /// The agent's way in. Zoom's is good for two hours: [`Meetings::renew`] before it is shown.
    pub host_url: String,
}

impl fmt::Debug for Meeting {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Meeting").field("provider", &self.provider).finish_non_exhaustive()
    }
}

/// Whoever makes meetings.
pub trait Meetings: Send + Sync {
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

/// Whom a workspace's settings name. Fails where TLS can't be set up.
pub fn open(
    settings: &config::Meetings,
    calls: &OutwardCalls,
    clock: Arc<Clock>,
) -> Result<Box<dyn Meetings>, reqwest::Error> {
    Ok(match settings {
        config::Meetings::Zoom(account) => Box::new(Zoom::new(account, calls, clock)?),
        config::Meetings::Jitsi(server) => Box::new(Jitsi::new(server)),
    })
}
