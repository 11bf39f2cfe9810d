//! Ringback: a callback engine for contact centres.

pub mod domain;
pub mod engine;
pub mod store;
