//! What the scheduler is told: whom to wake, and when.

use super::Machine;
use crate::domain::ids::CallbackId;
use crate::domain::time::Timestamp;

/// What the scheduler is told.
#[derive(Debug, Clone)]
pub enum SchedulerMessage {
    /// Wake a machine at these times; replaces what was set for it before.
    SetTimer {
        /// The one that is told `Wake`.
        machine: Machine,
        /// By the wall clock.
        wall: Option<Timestamp>,
        /// By the steady clock.
        steady: Option<Timestamp>,
    },
    /// A callback went dormant, with its record in the store: wake it then.
    Slept {
        /// Not in memory any more.
        callback: CallbackId,
        /// When it is due to wake, by the wall clock.
        at: Timestamp,
    },
    /// A dormant callback was addressed, and is live.
    Roused {
        /// In memory again: its time is its own timer's matter.
        callback: CallbackId,
    },
    /// What `Effect::ReadDue` found: dormant callbacks in order of their time.
    Window {
        /// The number of the read.
        read: u64,
        /// Due time and id, ascending.
        items: Vec<(Timestamp, CallbackId)>,
        /// There are more up to the window's end than `items` has.
        more: bool,
    },
    /// Time has passed, the clock may have jumped, or permits came free.
    Tick {
        /// So many dormant callbacks may be woken now.
        permits: usize,
    },
}
