//! The command line: parses it, and calls what it names. Decides exit codes, nothing else.
//!
//! 0: done. 1: it failed. 2: a bad command line or configuration. 3: another process took over.

mod apply;
mod settings;
mod token;

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use crate::{app, config, telemetry};

/// The code of a bad command line or configuration.
const BAD_INPUT: u8 = 2;

/// A callback engine for contact centres.
#[derive(Debug, Parser)]
#[command(name = "ringback", version, args_conflicts_with_subcommands = true)]
pub struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    serve: Sources,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve; this is also what happens without any subcommand
    Serve(Sources),
    /// Put a file's queues, agents and keys into a running server
    Apply(apply::Arguments),
    /// Look at the configuration
    Config {
        #[command(subcommand)]
        command: ConfigCommand,
    },
    /// Sign a token with a workspace's `jwt.hs256_secret`, and print it
    Token(token::Arguments),
    /// Write a workspace as JSON lines (not there yet)
    Export,
    /// Read a workspace from JSON lines (not there yet)
    Import,
}

#[derive(Debug, Subcommand)]
enum ConfigCommand {
    /// Tell everything that is wrong with it
    Check(CheckArguments),
    /// Print the defaults, each with its reason
    Default,
}

#[derive(Debug, Args)]
struct CheckArguments {
    /// The configuration file, in place of --config
    #[arg(value_name = "FILE", conflicts_with = "demo")]
    file: Option<PathBuf>,
    #[command(flatten)]
    sources: Sources,
}

/// Where settings come from, besides environment and defaults.
#[derive(Debug, Args)]
struct Sources {
    /// The configuration file
    #[arg(long, value_name = "FILE", env = "RINGBACK_CONFIG", conflicts_with = "demo")]
    config: Option<PathBuf>,
    /// Where to listen; port 0 takes any free one
    #[arg(long, value_name = "ADDRESS:PORT")]
    listen: Option<String>,
    /// Where everything is kept: memory:, embedded:PATH, redis://… or rediss://…
    #[arg(long, value_name = "URL")]
    store: Option<String>,
    /// Serve a small call centre with customers and agents at work
    #[arg(long)]
    demo: bool,
}

/// Does what the command line says.
pub fn run(cli: Cli) -> ExitCode {
    match cli.command.unwrap_or(Command::Serve(cli.serve)) {
        Command::Serve(sources) => serve(&sources),
        Command::Apply(arguments) => apply::run(&arguments),
        Command::Config { command: ConfigCommand::Check(CheckArguments { file, sources }) } => {
            check(&Sources { config: file.or(sources.config), ..sources })
        }
        Command::Config { command: ConfigCommand::Default } => {
            say(config::DEFAULTS.trim_end());
            ExitCode::SUCCESS
        }
        Command::Token(arguments) => token::run(&arguments),
        Command::Export | Command::Import => {
            complain(
                "export and import are not there yet; copy the store while the server is down",
            );
            ExitCode::from(BAD_INPUT)
        }
    }
}

fn serve(sources: &Sources) -> ExitCode {
    let Ok(loaded) = settings::load(sources) else { return ExitCode::from(BAD_INPUT) };
    telemetry::start();
    for warning in &loaded.warnings {
        tracing::warn!(warning, "configuration");
    }
    // actix needs its own runtime on this thread: its actors' arbiter.
    match actix_web::rt::System::new().block_on(app::run(loaded.settings)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            complain(&error.to_string());
            ExitCode::from(error.exit_code())
        }
    }
}

fn check(sources: &Sources) -> ExitCode {
    let Ok(loaded) = settings::load(sources) else { return ExitCode::from(BAD_INPUT) };
    for warning in &loaded.warnings {
        complain(&format!("warning: {warning}"));
    }
    if let Err(error) = app::check(&loaded.settings) {
        complain(&error.to_string());
        return ExitCode::from(error.exit_code());
    }
    say("the configuration is good");
    ExitCode::SUCCESS
}

/// A line to standard output. A reader that went away is no fault of ours.
fn say(text: &str) {
    let _ = writeln!(io::stdout(), "{text}");
}

/// A line to standard error.
fn complain(text: &str) {
    let _ = writeln!(io::stderr(), "{text}");
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn serving_is_what_happens_without_a_subcommand() {
        for line in ["ringback --listen h:1 --demo", "ringback serve --demo --listen h:1"] {
            let cli = Cli::try_parse_from(line.split(' ')).expect("a good line");
            let Command::Serve(sources) = cli.command.unwrap_or(Command::Serve(cli.serve)) else {
                panic!("{line}")
            };
            assert_eq!((sources.listen.as_deref(), sources.demo), (Some("h:1"), true), "{line}");
        }
    }

    #[test]
    fn the_demo_has_a_file_of_its_own() {
        let line = ["ringback", "serve", "--demo", "--config", "a.toml"];
        assert!(Cli::try_parse_from(line).is_err());
    }
}
