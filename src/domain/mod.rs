//! Values, states and decisions, pure: no I/O, clock, randomness or serialisation.
//!
//! `now`, ids and settings come in as arguments; what is to be done goes out in an outbox.

pub mod ids;
pub mod time;
