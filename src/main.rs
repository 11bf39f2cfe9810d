//! The command line of Ringback.

use std::process::ExitCode;

use clap::Parser;
use ringback::cli::{self, Cli};

fn main() -> ExitCode {
    cli::run(Cli::parse())
}
