//! The flowdeck command: arguments in, exit codes out.
//!
//! Must never hold a rule of its own: what a command does lives in the crates below.
//! Tests: `crates/cli/tests`.

mod commands;
mod files;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Runs flow cards: events start flows, actions command apps, functions shape data.
#[derive(Debug, Parser)]
#[command(
    name = "flowdeck",
    version,
    about,
    after_help = "Examples:
  flowdeck check flows/welcome.flow.yaml     check a flow file
  flowdeck fmt --write flows/*.yaml          tidy flow files, comments kept
  flowdeck apps show okta                    an app's cards, scopes and help"
)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Checks flow files: syntax, cards, fields, types, references.
    Check(commands::check::Check),
    /// Tidies flow files; comments stay.
    Fmt(commands::fmt::Fmt),
    /// Prints the JSON Schema of flow files, for editors.
    Schema,
    /// Lists apps, or shows one.
    Apps(commands::apps::Apps),
}

/// What a command came to, as the exit code says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// 0: done.
    Fine,
    /// 2: the command line is wrong.
    Usage,
    /// 65: a file is wrong.
    WrongFile,
}

impl From<End> for ExitCode {
    fn from(end: End) -> Self {
        match end {
            End::Fine => Self::SUCCESS,
            End::Usage => Self::from(2),
            End::WrongFile => Self::from(65),
        }
    }
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let result = match &arguments.command {
        Command::Check(check) => commands::check::run(check),
        Command::Fmt(fmt) => commands::fmt::run(fmt),
        Command::Schema => commands::schema::run(),
        Command::Apps(apps) => commands::apps::run(apps),
    };
    match result {
        Ok(end) => end.into(),
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
