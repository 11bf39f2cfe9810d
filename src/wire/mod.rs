//! The JSON shapes that http, ws and webhooks share, with the conversions from and to the domain.
//!
//! Separate from `http` and `ws`, which only carry these shapes; nothing here knows actix, sockets
//! or the store.

pub mod action;
pub mod agent;
pub mod availability;
pub mod callback;
pub mod context;
pub mod customer;
pub mod denied;
pub mod event;
pub mod failure;
pub mod frame;
pub mod incoming;
pub mod instant;
pub mod json;
pub mod link;
pub mod list;
pub mod manage;
pub mod measures;
pub mod page;
pub mod patch;
pub mod problem;
pub mod query;
pub mod queue;
pub mod report;
pub mod request;
pub mod role;
#[cfg(test)]
mod samples;
pub mod schedule;
pub mod served;
pub mod settings;
pub mod slot;
pub mod text;
pub mod trace;
pub mod webhook;
