//! The flowdeck command: arguments in, exit codes out.
//!
//! Must never hold a rule of its own: what a command does lives in the crates below.
//! Tests: `crates/cli/tests`.

// Whoever reads may go away: `out` writes without a panic.
#![deny(clippy::print_stdout, clippy::print_stderr)]

mod again;
mod answer;
mod api;
mod browser;
mod build;
mod commands;
mod confirm;
mod end;
mod event;
mod exports;
mod files;
mod interrupts;
mod late;
mod logging;
mod options;
mod out;
mod playground;
mod screen;
mod session;
mod terminal;
mod watch;

use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::{CommandFactory, Parser, Subcommand};

use crate::end::End;
use crate::late::Late;
use crate::options::Globals;

/// Runs flow cards: events start flows, actions command apps, functions shape data.
#[derive(Debug, Parser)]
#[command(
    name = "flowdeck",
    version,
    about,
    max_term_width = 100,
    after_help = "Examples:
  flowdeck run flows/welcome.flow.yaml       run a flow; it asks for what it needs
  flowdeck init                              a first connection or a first flow, step by step
  flowdeck new; flowdeck add my.flow.yaml    build a flow card by card
  flowdeck check flows/*.yaml                what is wrong with flow files, and the fix
  flowdeck test flows                        replay flows offline, compare what comes out
  flowdeck serve --watch flows               serve the flows of a folder
  flowdeck prompts list                      what waits for a connection
  flowdeck runs list                         what ran, what waits
  flowdeck explain not-connected             what an error means

Exit codes: 0 finished, 1 failed, 2 wrong command line, 65 a file is wrong,
75 paused and waiting for somebody, 130 interrupted; the run can be resumed."
)]
struct Arguments {
    #[command(flatten)]
    globals: Globals,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Runs a flow to its end, or to what only a person can do.
    Run(commands::run::Run),
    /// Checks flow files: syntax, cards, fields, types, references.
    Check(commands::check::Check),
    /// Makes a flow file: its name, and what starts it.
    New(commands::new::New),
    /// Puts a card into a flow file: choose it, fill it in, connect its app in place.
    Add(commands::add::Add),
    /// Replays flows offline and compares what comes out with what is expected.
    Test(commands::test::Test),
    /// Makes native flow files of an Okta export.
    Import(commands::import::Import),
    /// Tidies flow files; comments stay.
    Fmt(commands::fmt::Fmt),
    /// Prints the JSON Schema of flow, app or test files, for editors.
    Schema(commands::schema::Schema),
    /// Guides the first steps: Okta, the playground, or an export.
    Init(commands::init::Init),
    /// Authorizes an account of an app, once for every flow.
    Connect(commands::connect::Connect),
    /// Lists, tests, renames and removes connections.
    Connections(commands::connections::Connections),
    /// Lists and answers what waits for a connection.
    Prompts(commands::prompts::Prompts),
    /// Lists runs and moves them: resume, retry, cancel, signal, approve, settle.
    Runs(commands::runs::Runs),
    /// Serves flows: endpoints, schedules, watched folders; drives every run.
    Serve(commands::serve::Serve),
    /// Lists, publishes, switches and starts flows that are served.
    Flows(commands::flows::Flows),
    /// Addresses that apps push their events to: add, list, secret, remove.
    Hooks(commands::hooks::Hooks),
    /// Lists apps, or shows one.
    Apps(commands::apps::Apps),
    /// Lists cards, or shows one.
    Cards(commands::cards::Cards),
    /// Shows and changes rows that flows keep.
    Tables(commands::tables::Tables),
    /// Who may sign in to the server: add, list, role, disable, reset.
    People(commands::people::People),
    /// What programs show to the server: add, list, revoke.
    Tokens(commands::tokens::Tokens),
    /// Keeps the playground up, so that its pages can be looked at.
    Playground(commands::playground::Playground),
    /// Looks whether everything is in place here.
    Doctor(commands::doctor::Doctor),
    /// Tells what an error code means and what to do.
    Explain(commands::explain::Explain),
    /// Prints what a shell needs to complete commands and options.
    Completions(commands::completions::Completions),
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    logging::start(arguments.globals.verbose);
    logging::quiet_panics();
    match run(&arguments) {
        Ok(end) => end.into(),
        Err(error) => {
            let (end, text) = end::of_error(&error);
            out::failure(&text);
            end.into()
        }
    }
}

fn run(arguments: &Arguments) -> Result<End> {
    let globals = &arguments.globals;
    match &arguments.command {
        Command::Check(check) => commands::check::run(check, globals),
        Command::Import(import) => commands::import::run(import, globals),
        Command::Fmt(fmt) => commands::fmt::run(fmt),
        Command::Schema(schema) => commands::schema::run(schema),
        Command::Apps(apps) => commands::apps::run(apps, globals),
        Command::Cards(cards) => commands::cards::run(cards, globals),
        Command::Explain(explain) => commands::explain::run(explain),
        Command::Completions(completions) => commands::completions::run(completions, Arguments::command()),
        Command::New(new) => wait(commands::new::run(new, globals)),
        Command::Add(add) => wait(commands::add::run(add, globals)),
        Command::Test(test) => wait(commands::test::run(test, globals)),
        Command::Run(run) => wait(commands::run::run(run, globals)),
        Command::Init(init) => wait(commands::init::run(init, globals)),
        Command::Connect(connect) => wait(commands::connect::run(connect, globals)),
        Command::Connections(connections) => wait(commands::connections::run(connections, globals)),
        Command::Prompts(prompts) => wait(commands::prompts::run(prompts, globals)),
        Command::Runs(runs) => wait(commands::runs::run(runs, globals)),
        Command::Tables(tables) => wait(commands::tables::run(tables, globals)),
        Command::People(people) => wait(commands::people::run(people, globals)),
        Command::Tokens(tokens) => wait(commands::tokens::run(tokens, globals)),
        Command::Serve(serve) => wait_or(commands::serve::run(serve, globals), serve.late()),
        Command::Flows(flows) => wait(commands::flows::run(flows, globals)),
        Command::Hooks(hooks) => wait(commands::hooks::run(hooks, globals)),
        Command::Playground(playground) => wait(commands::playground::run(playground, globals)),
        Command::Doctor(doctor) => wait(commands::doctor::run(doctor, globals)),
    }
}

/// Runs what needs a runtime; only such commands pay for one. Ctrl-C ends a command where it has not its own way.
fn wait(command: impl Future<Output = Result<End>>) -> Result<End> {
    wait_or(command, Late::INTERRUPTED)
}

fn wait_or(command: impl Future<Output = Result<End>>, late: Late) -> Result<End> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().context("start the runtime")?;
    let end = runtime.block_on(Box::pin(async {
        let interrupts = interrupts::Interrupts::listen();
        late.ends_after(interrupts.clone());
        tokio::select! {
            end = command => end,
            // Whoever presses it twice does not want to wait.
            () = interrupts.heard(2) => Ok(End::Interrupted),
        }
    }));
    // A read of the terminal cannot be called back; nothing else is left to wait for.
    runtime.shutdown_background();
    end
}
