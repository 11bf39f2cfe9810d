//! Why the server ends a session, and the WebSocket close code that says so.
//!
//! The one place that has the numbers, so that what a client is told and what is counted of it
//! can't differ. The engine knows reasons only.

use crate::engine::handle::EndReason;

/// A close code of the server's: those below 4000 are the protocol's (RFC 6455, section 7.4.1, and
/// the IANA's registry), the others this server's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CloseCode {
    /// What came were no frames of this protocol.
    NoFrames,
    /// A frame was larger than one may be.
    TooLarge,
    /// The workspace restarts or drains: come again.
    Restart,
    /// The credential has ended.
    CredentialEnded,
    /// The agent was removed.
    AgentRemoved,
    /// Nothing came for three heartbeats.
    Silent,
    /// More waits to be read than may.
    DoesNotRead,
}

impl CloseCode {
    /// The number on the wire.
    pub(super) const fn as_u16(self) -> u16 {
        match self {
            Self::NoFrames => 1008,
            Self::TooLarge => 1009,
            Self::Restart => 1012,
            Self::CredentialEnded => 4401,
            Self::AgentRemoved => 4403,
            Self::Silent => 4408,
            Self::DoesNotRead => 4413,
        }
    }

    /// The word for it in figures.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::NoFrames => "no_frames",
            Self::TooLarge => "too_large",
            Self::Restart => "restart",
            Self::CredentialEnded => "credential_ended",
            Self::AgentRemoved => "agent_removed",
            Self::Silent => "silent",
            Self::DoesNotRead => "does_not_read",
        }
    }
}

impl From<EndReason> for CloseCode {
    fn from(reason: EndReason) -> Self {
        match reason {
            EndReason::AgentRemoved => Self::AgentRemoved,
            EndReason::Restart => Self::Restart,
        }
    }
}
