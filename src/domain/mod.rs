//! Values, states and decisions, pure: no I/O, clock, randomness or serialisation.
//!
//! `now`, ids and settings come in as arguments; what is to be done goes out in an outbox.

pub mod civil;
pub mod hours;
pub mod ids;
pub mod rank;
pub mod skills;
pub mod time;
pub mod zone;
