//! Logs: to standard error, as much as `RUST_LOG` says (`info` unless it says otherwise, of the
//! embedded tables' own lines warnings alone: they tell of every file that they write; of HTTP's
//! and WebSocket's nothing: they call an error what any client can cause by sending nonsense or by
//! leaving).

use std::io::{self, IsTerminal};

use tracing_subscriber::EnvFilter;

/// What is logged where `RUST_LOG` says nothing.
const USUAL: &str = "info,actix_http::h1=off,actix_http::ws=off,fjall=warn,lsm_tree=warn";

/// Starts logging for the whole process. A second call changes nothing.
pub fn start() {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(USUAL));
    // It says which number it reads, and numbers stand in no log.
    let silent = "rlibphonenumber=off".parse().expect("a directive");
    let filter = filter.add_directive(silent);
    let colours = io::stderr().is_terminal();
    let logs = tracing_subscriber::fmt().with_env_filter(filter).with_ansi(colours);
    // An error means that somebody else, a test perhaps, has set up logging already.
    let _ = logs.with_writer(io::stderr).try_init();
}
