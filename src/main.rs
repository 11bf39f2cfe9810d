//! The command line of Ringback.

use std::process::ExitCode;

use clap::Parser;
use ringback::cli::{self, Cli};

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    // A huge page stays whole for one row that lives in it, so what was freed after a burst would
    // not go back. A kernel that refuses only uses more memory.
    #[cfg(target_os = "linux")]
    let _ = rustix::thread::disable_transparent_huge_pages(true);
    cli::run(Cli::parse())
}
