//! How a workspace stands: whether it takes work, and what somebody should look at.
//!
//! Separate from the figures, which are many and decide nothing: this is what `/readyz` answers
//! and what a person is woken for. It must be readable while nothing else goes on.

use super::library::Lapsing;

/// How the workspace stands, for readiness and metrics.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Health {
    /// It takes and answers commands.
    pub ready: bool,
    /// The store doesn't acknowledge: since when, in milliseconds.
    pub stalled_ms: Option<u64>,
    /// It is draining.
    pub draining: bool,
    /// Number of the newest durable entry.
    pub durable: u64,
    /// Number of the newest entry taken.
    pub taken: u64,
    /// Callbacks in memory, with an actor or without.
    pub live: usize,
    /// Commands under way.
    pub in_flight: usize,
    /// Steps that panicked since the process started.
    pub panics: u64,
    /// Machines that are set aside: they panicked again and again, or their record is damaged.
    pub set_aside: u64,
    /// What was removed when its time was over, since the process started, in the order of
    /// [`Lapsing::ALL`].
    pub removed: [u64; Lapsing::ALL.len()],
    /// What somebody should look at.
    pub alarms: Vec<Alarm>,
}

/// What somebody should look at, for as long as it lasts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Alarm {
    /// The store was emptied or replaced: nothing is taken, so that nothing is overwritten.
    StoreReplaced,
    /// The workspace can't be recovered from its store: nothing is taken, and it is tried again.
    RecoveryFailing,
    /// The store doesn't acknowledge.
    StoreStalled,
    /// The tables can't be written. Work goes on until overlay or log is at its bound.
    TablesFailing,
    /// Overlay or log is at its bound: writes are refused.
    NoRoom,
    /// A callback, agent or queue panicked again and again, and gets no more steps.
    SetAside,
}

impl Alarm {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::StoreReplaced,
        Self::RecoveryFailing,
        Self::StoreStalled,
        Self::TablesFailing,
        Self::NoRoom,
        Self::SetAside,
    ];

    /// The word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::StoreReplaced => "store_replaced",
            Self::RecoveryFailing => "recovery_failing",
            Self::StoreStalled => "store_stalled",
            Self::TablesFailing => "tables_failing",
            Self::NoRoom => "no_room",
            Self::SetAside => "set_aside",
        }
    }
}
