//! Values, states and decisions, pure: no I/O, clock, randomness or serialisation.
//!
//! `now`, ids and settings come in as arguments; what is to be done goes out in a
//! [`effect::StepOutput`].

pub mod agent;
pub mod back_off;
pub mod callback;
pub mod callback_offer;
pub mod civil;
pub mod denied;
pub mod dispatch;
pub mod duplicates;
pub mod effect;
pub mod estimate;
pub mod event;
pub(crate) mod fnv;
pub mod hours;
pub mod ids;
pub mod key;
pub mod machines;
pub(crate) mod matching;
pub mod measure;
pub mod message;
pub mod phone;
pub mod policy;
pub mod queue;
pub mod rank;
pub mod ranked;
pub mod refusal;
pub mod skills;
pub mod slots;
mod slug;
pub mod time;
pub mod webhook;
pub mod zone;
