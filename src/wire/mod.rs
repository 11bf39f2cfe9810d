//! The JSON shapes that http, ws and webhooks share.

pub mod settings;
