//! Ringback: a callback engine for contact centres.

pub mod config;
pub mod domain;
pub mod engine;
pub mod wire;
