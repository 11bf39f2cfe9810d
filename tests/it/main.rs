//! The server as its users meet it: a process with an address, spoken to over HTTP and WebSocket,
//! held to the document of the API status by status, on each store, and killed in the middle.

mod abuse;
mod actions;
mod admin;
mod availability;
mod booking;
mod contacts;
mod cors;
mod cycle;
mod denied;
mod events;
mod fields;
mod hooks;
mod intake;
mod keys;
mod kill;
mod layout;
mod lists;
mod loads;
mod mail;
#[path = "../support/mail_server.rs"]
mod mail_server;
mod notify;
mod operations;
mod outbox;
mod pages;
mod reasons;
#[path = "../support/redis.rs"]
mod redis;
mod replay;
mod reports;
mod roles;
mod schema;
mod server;
mod slots;
mod socket;
mod stores;
mod versions;
mod zones;
