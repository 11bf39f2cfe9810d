//! The server from outside: started on a free port, spoken to over HTTP, ended when a test is over.

mod http_abuse;
mod http_actions;
mod http_admin;
mod http_intake;
mod http_roles;
mod server;
