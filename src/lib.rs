//! Ringback: a callback engine for contact centres.
//!
//! Commands come in over HTTP and WebSockets, become letters to the machines of [`domain`], and
//! leave a journal entry each. Imports point one way:
//!
//! * [`domain`]: values, states and decisions, pure; one machine per callback, agent and queue, one
//!   router, one scheduler.
//! * [`engine`]: the actors around these machines, the journal, recovery, and the ports.
//! * [`store`]: the ports' adapters: memory, embedded files, Redis.
//! * [`wire`]: JSON shapes that all ways in and out share.
//! * [`http`], [`ws`]: the ways in; [`notify`]: the ways out; [`pages`]: the web pages' files.
//! * [`config`], [`telemetry`], [`app`], [`cli`]: settings, logs, composition, commands.
//!
//! What holds everywhere:
//!
//! 1. All state of a workspace changes on one thread.
//! 2. One fact stands in one record, so that no step needs two of them to agree.
//! 3. Nothing leaves before the journal entries that it shows are durable.
//! 4. The journal appends in groups.
//! 5. A timer is a hint: the record decides whether anything is due.
//! 6. Appointments follow the wall clock, time-outs the steady clock.
//! 7. A callback that waits for its time is a record, not an actor.
//!
//! docs/architecture.md says why, and tests/tidy holds the layers to it.

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
