//! `flowdeck check`: what is wrong with flow files, where, and the fix.
//!
//! Must never change a file or touch the network.
//! Tests: `crates/cli/tests/check.rs`.

use std::io::IsTerminal;
use std::path::PathBuf;

use anyhow::Result;
use clap::Args;

use crate::{End, files};

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  flowdeck check flows/welcome.flow.yaml
  cat flow.yaml | flowdeck check -
  flowdeck check --json flows/*.yaml

Exit codes: 0 no errors, 65 a file is wrong.")]
pub(crate) struct Check {
    /// Flow files; `-` for standard input.
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// One JSON object a line.
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(check: &Check) -> Result<End> {
    let cards = files::cards()?;
    let colour = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    let mut end = End::Fine;
    for path in &check.files {
        let source = files::source(path)?;
        let checked = flowdeck::read(&source, Some(&cards));
        if checked.has_errors() {
            end = End::WrongFile;
        }
        for diagnostic in &checked.diagnostics {
            if check.json {
                let mut line = diagnostic.to_json();
                line["file"] = source.name.clone().into();
                println!("{line}");
            } else {
                eprintln!("{}", diagnostic.render(&source, colour));
            }
        }
        if !check.json && !checked.has_errors() {
            let count: usize = checked.flows.iter().map(|f| f.cards.len()).sum();
            println!("{}: {} flow(s), {count} card(s), no errors", source.name, checked.flows.len());
        }
    }
    Ok(end)
}
