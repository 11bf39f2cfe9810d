//! The HTTP API: routes, credentials, and the order in which a request is checked.
//!
//! Handlers turn requests into commands and reads of the engine's handle, and its answers into the
//! shapes of `wire`. They decide who may ask and nothing else: what a state allows is the domain's.

mod actions;
mod agents;
pub mod auth;
mod availability;
mod body;
mod call;
mod callbacks;
mod cors;
mod customers;
mod deny_list;
mod docs;
mod events;
mod health;
mod idempotency;
mod jwt;
mod keys;
mod limit;
mod metrics;
mod openapi;
mod outbox;
mod pages;
mod precondition;
mod queues;
mod reply;
mod reports;
mod routes;
mod server;
mod slots;
mod state;
mod stats;
mod webhooks;

use actix_web::web::Query;

use crate::wire::problem::{Kind, Problem};

pub use jwt::{BadKeys, Verifier};
pub use pages::{Demo, PageSettings};
pub use server::{Hooks, Http, Mount, OnConnect};
pub use state::{HttpLimits, HttpState, WorkspaceAccess};

/// Names and values of a query, decoded, in their order.
fn query_pairs(text: &str) -> Result<Vec<(String, String)>, Problem> {
    let pairs = Query::<Vec<(String, String)>>::from_query(text);
    let pairs = pairs.map_err(|_| Problem::new(Kind::Malformed, "The query can't be read."))?;
    Ok(pairs.into_inner())
}
