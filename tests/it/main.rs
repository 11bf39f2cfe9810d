//! The server as its users meet it: a process with an address, spoken to over HTTP and WebSocket,
//! on each store, and killed in the middle.

mod http;
mod kill;
#[path = "../support/redis.rs"]
mod redis;
mod server;
mod socket;
