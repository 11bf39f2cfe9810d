//! What goes out to the world unasked: mails to customers, webhooks, meetings.
//!
//! A layer beside `http` and `ws`. What is to go out, and when, is decided and kept by the engine;
//! here it is only put into words and handed over. Nothing here keeps state that a restart loses.

mod answer;
pub mod mail;
pub mod meeting;
#[cfg(test)]
mod test_server;
pub mod webhook;
