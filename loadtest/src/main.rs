//! Load drivers for Ringback: they speak to a server on this machine as its clients do.
//!
//! Each command is bounded in time and number, prints a report, and exits 1 where something that
//! must be 0 is not, 2 where the run itself failed.

mod agents;
mod bank;
mod check;
mod cli;
mod client;
mod clock;
mod customers;
mod desk;
mod estimate;
mod flood;
mod ledger;
mod overlap;
mod replay;
mod report;
mod setup;
mod shift;
mod simulate;
mod socket;
#[cfg(test)]
mod stub;
mod tally;
mod token;

use std::process::ExitCode;

use clap::Parser;

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
