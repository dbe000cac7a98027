//! The project's own commands: `cargo xtask test | soak | corpus | bench | tidy | docs | setup`.
//!
//! Must never be needed to build or run flowdeck itself.
//! Tests: beside each module; `cargo xtask test` runs itself in the gate.

mod bench;
mod corpus;
mod fuzz;
mod lints;
mod report;
mod setup;
mod shell;
mod soak;
mod test;
mod tidy;

use anyhow::{Result, bail};

const HELP: &str = "cargo xtask COMMAND

  test            the gate: set-up, tidy, lints, all tests; at most 30 minutes on 2 cores
  soak [NAME…]    long checks by name; `soak list` names them
  corpus DIR      exports below DIR: loaded, printed and read back, every flow run; scenarios (`corpus --help`)
  bench [NAME…]   ratios against the machine's own limits; `bench list` names them
  tidy            house rules: arrows between crates, file sizes, licences, words
  docs            writes the reference of the function cards into docs/
  setup           fetches what the tests need (npm packages, Debian packages when root)
";

fn main() -> std::process::ExitCode {
    match command() {
        Ok(()) => std::process::ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            std::process::ExitCode::FAILURE
        }
    }
}

fn command() -> Result<()> {
    let mut args = std::env::args().skip(1);
    let command = args.next().unwrap_or_default();
    let rest: Vec<String> = args.collect();
    match command.as_str() {
        "test" => test::run(&rest),
        "soak" => soak::run(&rest),
        "corpus" => corpus::run(&rest),
        "bench" => bench::run(&rest),
        "tidy" => tidy::run(),
        "docs" => shell::must(shell::cargo().args([
            "run",
            "--quiet",
            "--package",
            "flowdeck-functions",
            "--example",
            "reference",
            "--",
            "docs",
        ])),
        "setup" => setup::run().map(|set_up| set_up.print()),
        "" | "help" | "--help" | "-h" => {
            print!("{HELP}");
            Ok(())
        }
        other => bail!("unknown command `{other}`\n\n{HELP}"),
    }
}
