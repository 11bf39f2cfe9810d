//! What became of one attempt: the engine's word for it, which all adapters answer with.

pub use crate::engine::outward::Outcome;
