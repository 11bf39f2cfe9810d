//! The JSON shapes that http, ws and webhooks share, with the conversions from and to the domain.
//!
//! Separate from `http` and `ws`, which only carry these shapes; nothing here knows actix, sockets
//! or the store.

pub mod action;
pub mod callback;
pub mod frame;
pub mod instant;
pub mod json;
pub mod link;
pub mod problem;
pub mod role;
pub mod settings;
pub mod text;
