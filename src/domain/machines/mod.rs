//! The machines: each actor's behaviour as a plain struct with one entry, `step`.

pub mod agent;
pub mod callback;
mod digest;
pub mod queue;
pub mod router;
pub mod scheduler;
