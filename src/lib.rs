//! Ringback: a callback engine for contact centres.

pub mod app;
pub mod cli;
pub mod config;
pub mod domain;
pub mod engine;
pub mod http;
pub mod notify;
pub mod pages;
pub mod store;
pub mod telemetry;
pub mod wire;
pub mod ws;
