//! The command line of Ringback.

use std::process::ExitCode;

use clap::Parser;
use ringback::cli::{self, Cli};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    cli::run(Cli::parse())
}
