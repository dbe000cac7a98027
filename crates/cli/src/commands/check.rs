//! `flowdeck check`: what is wrong with flow files and their tests, where, and the fix.
//!
//! Must never change a file or touch the network.
//! Tests: `crates/cli/tests/check.rs`.

use std::path::{Path, PathBuf};

use anyhow::Result;
use clap::Args;
use flowdeck::format::test_file;
use flowdeck::{Diagnostic, Severity, Source};
use serde_json::json;

use crate::end::{End, WrongFile, of_error};
use crate::options::Globals;
use crate::screen::style::count;
use crate::session::Session;
use crate::terminal::style_of;
use crate::{exports, files, out};

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  flowdeck check flows/welcome.flow.yaml
  cat flow.yaml | flowdeck check -
  flowdeck check --json flows/*.yaml

Exit codes: 0 no errors, 65 a file is wrong.")]
pub(crate) struct Check {
    /// Flow files, tests of flows, exports; `-` for standard input.
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// One JSON object a line.
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(check: &Check, globals: &Globals) -> Result<End> {
    let cards = Session::cards_of(globals)?;
    let colour = style_of(std::io::stderr()).colour;
    let mut end = End::Fine;
    for path in &check.files {
        let source = match files::source(path) {
            Ok(source) => source,
            // The others are checked all the same.
            Err(error) => {
                end = End::WrongFile;
                let text = of_error(&error).1;
                let known = error.downcast_ref::<WrongFile>().and_then(|wrong| wrong.diagnostics.first());
                match (check.json, known) {
                    (true, Some(known)) => out::json(&in_file(path, known.clone())),
                    (true, None) => out::json(&unreadable(path, &text)),
                    (false, _) => out::error(&text),
                }
                continue;
            }
        };
        if let Some(read) = exports::read(&source, &cards)? {
            if export(check, &read, &cards) {
                end = End::WrongFile;
            }
            continue;
        }
        let (found, diagnostics) = content(path, &source, &cards);
        for diagnostic in &diagnostics {
            if check.json {
                let mut line = diagnostic.to_json();
                line["file"] = source.name.clone().into();
                out::json(&line);
            } else {
                out::error(&format!("{}\n", diagnostic.render(&source, colour)));
            }
        }
        if diagnostics.iter().any(|d| d.severity == Severity::Error) {
            end = End::WrongFile;
        } else if !check.json {
            out::text(&format!("{}: {found}, no errors\n", source.name));
        }
    }
    Ok(end)
}

fn in_file(path: &Path, mut diagnostic: serde_json::Value) -> serde_json::Value {
    diagnostic["file"] = path.display().to_string().into();
    diagnostic
}

/// The line for a program of a file that cannot be read.
fn unreadable(path: &Path, text: &str) -> serde_json::Value {
    let message = text.trim_end().trim_start_matches("error: ");
    json!({ "file": path, "severity": Severity::Error, "code": null, "message": message })
}

/// What a file holds, in words, and what is wrong with it.
fn content(path: &Path, source: &Source, cards: &flowdeck::Cards) -> (String, Vec<Diagnostic>) {
    if files::is_test(path) {
        let read = test_file::read(source);
        return (count(read.tests.len() as u64, "test"), read.diagnostics);
    }
    let (checked, _) = files::read(source, cards);
    let all: usize = checked.flows.iter().map(flowdeck::model::Flow::card_count).sum();
    let words = format!("{}, {}", count(checked.flows.len() as u64, "flow"), count(all as u64, "card"));
    (words, checked.diagnostics)
}

/// What is wrong with an export; true where anything is an error.
fn export(check: &Check, read: &exports::ReadExport, cards: &flowdeck::Cards) -> bool {
    let problems = exports::problems(read, cards);
    let wrong = problems.iter().any(|d| d.severity == Severity::Error);
    for diagnostic in &problems {
        if check.json {
            let mut line = diagnostic.to_json();
            line["file"] = read.name.clone().into();
            out::json(&line);
        } else {
            out::error(&format!("{}\n", exports::line(&read.name, diagnostic)));
        }
    }
    if !check.json && !wrong {
        let report = &read.export.report;
        let (flows, cards) = (count(report.flows.len() as u64, "flow"), count(report.cards.len() as u64, "card"));
        let lost = match report.lost.len() as u64 {
            0 => String::new(),
            n => format!("; {} could not be kept, `flowdeck import` tells which", count(n, "thing")),
        };
        let unbound = match report.unbound.len() as u64 {
            0 => String::new(),
            n => format!("; {} that nothing here offers, where a run stops", count(n, "card")),
        };
        out::text(&format!("{}: an export with {flows}, {cards}, no errors{unbound}{lost}\n", read.name));
    }
    wrong
}
