//! Load drivers for Ringback: they speak to a server on this machine as its clients do.
//!
//! Each command is bounded in time and number, prints a report, and exits 1 where something that
//! must be 0 is not, 2 where the run itself failed.

mod agents;
mod bank;
mod bench;
mod check;
mod child;
mod cli;
mod client;
mod clock;
mod customers;
mod cycle;
mod desk;
mod estimate;
mod fanout;
mod flood;
mod footprint;
mod growth;
mod house;
mod latency;
mod ledger;
mod overlap;
mod pace;
mod peers;
mod recover;
mod replay;
mod report;
mod setup;
mod shift;
mod simulate;
mod soak;
mod socket;
mod storm;
#[cfg(test)]
mod stub;
mod tally;
mod token;

use std::process::ExitCode;

use clap::Parser;

/// As the server's own, since the handler that it is compared with is served by this program.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    match cli::run(cli::Line::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(error) => {
            eprintln!("loadtest: {error:#}");
            ExitCode::from(2)
        }
    }
}
