//! Meetings for video callbacks: who implements the engine's port.
//!
//! One meeting per callback, whatever is lost on the way: every method may be repeated after any
//! failure, and comes to the same end. What is due, and when again, is the outbox's. Must never
//! write a link into a log: whoever has it can come in.

mod jitsi;
mod zoom;

use std::sync::Arc;

pub use jitsi::Jitsi;
pub use zoom::Zoom;

use crate::config::{self, OutwardCalls};
use crate::engine::clock::Clock;
use crate::engine::outward::Meetings;

/// Whom a workspace's settings name. Fails where TLS can't be set up.
pub fn open(
    settings: &config::Meetings,
    calls: &OutwardCalls,
    clock: Arc<Clock>,
) -> Result<Arc<dyn Meetings>, reqwest::Error> {
    Ok(match settings {
        config::Meetings::Zoom(account) => Arc::new(Zoom::new(account, calls, clock)?),
        config::Meetings::Jitsi(server) => Arc::new(Jitsi::new(server)),
    })
}
