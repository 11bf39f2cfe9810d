//! The HTTP contract from outside: a server on a free port for each test, held to the document of
//! the API status by status.

mod abuse;
mod actions;
mod admin;
mod cycle;
mod intake;
mod roles;
mod server;
