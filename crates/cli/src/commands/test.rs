//! `flowdeck test`: replays flows offline with the answers of test files, and shows what is not as expected.
//!
//! Must never open a connection or the data folder's store, nor pass where there is nothing to test.
//! Tests: `crates/cli/tests/tests_of_flows.rs`.

mod cases;
mod find;

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use clap::Args;
use flowdeck::format::test_file;
use flowdeck::testing::Tested;
use flowdeck::{Offline, Source};
use serde_json::{Value, json};

use crate::build::save;
use crate::end::{End, WrongFile, of_error, usage};
use crate::options::Globals;
use crate::screen::tests as screen;
use crate::session::Session;
use crate::{files, out};

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  flowdeck test                               every *.test.yaml below this folder
  flowdeck test flows/welcome.test.yaml
  flowdeck test flows --update                write what came out as what is expected
  flowdeck run flows/welcome.flow.yaml --record=flows     make a test of a real run

No app is asked: every answer comes from the test file. docs/testing-flows.md has the format.
Exit codes: 0 all as expected, 1 something differs, 65 a file is wrong.")]
pub(crate) struct Test {
    /// Test files, or folders with such; this folder where none is named.
    paths: Vec<PathBuf>,
    /// Write what came out into the files as what is expected.
    #[arg(long)]
    update: bool,
    /// Where the exports are that scenarios name.
    #[arg(long, value_name = "DIR")]
    exports: Option<PathBuf>,
    /// One JSON object a line, the totals last.
    #[arg(long)]
    json: bool,
}

/// How many of what.
#[derive(Debug, Default)]
struct Totals {
    passed: usize,
    failed: usize,
    updated: usize,
    wrong_files: usize,
}

pub(crate) async fn run(test: &Test, globals: &Globals) -> Result<End> {
    let named = if test.paths.is_empty() { vec![PathBuf::from(".")] } else { test.paths.clone() };
    let found = find::tests(&named)?;
    if found.is_empty() {
        let places: Vec<String> = named.iter().map(|p| p.display().to_string()).collect();
        return Err(usage(format!("there is no *.test.yaml below {}", places.join(", "))));
    }
    let offline = Offline::new(Session::offline_cards(globals)?);
    let mut totals = Totals::default();
    for file in &found {
        if let Err(error) = Box::pin(whole(test, &offline, file, &mut totals)).await {
            let Some(WrongFile { diagnostics, .. }) = error.downcast_ref::<WrongFile>() else { return Err(error) };
            totals.wrong_files += 1;
            let (_, text) = of_error(&error);
            if test.json {
                let message = text.trim_end().trim_start_matches("error: ");
                out::json(&json!({ "type": "file", "file": file, "message": message, "diagnostics": diagnostics }));
            } else {
                out::error(&text);
            }
        }
    }
    if test.json {
        out::json(&json!({
            "type": "tests", "tests": totals.passed + totals.failed, "passed": totals.passed,
            "failed": totals.failed, "updated": totals.updated, "wrong_files": totals.wrong_files,
        }));
    } else {
        let (passed, failed) = (totals.passed, totals.failed);
        out::text(&screen::totals(passed, failed, totals.updated, totals.wrong_files, out::style()));
    }
    Ok(match totals {
        Totals { wrong_files: 1.., .. } => End::WrongFile,
        Totals { failed: 1.., .. } => End::Failed,
        _ => End::Fine,
    })
}

/// All tests of one file.
async fn whole(test: &Test, offline: &Offline, file: &Path, totals: &mut Totals) -> Result<()> {
    let source = files::source(file)?;
    let read = test_file::read(&source);
    if read.has_errors() {
        wrong_file(&source, &read.diagnostics)?;
    }
    if read.tests.is_empty() {
        bail!(WrongFile::new(format!("{} holds no test", source.name)));
    }
    let mut new: Vec<Option<Value>> = Vec::new();
    for case in &read.tests {
        let flow = cases::flow(case, file, test.exports.as_deref(), offline.cards())?;
        let tested = flowdeck::testing::test(offline, case, &flow).await;
        let tested = tested.map_err(|error| WrongFile::new(format!("{}:{}: {error}", source.name, case.line)))?;
        let is_new = test.update && tested.missing.is_empty() && !tested.holds();
        new.push(is_new.then(|| tested.came.clone()));
        totals.passed += usize::from(tested.holds() || is_new);
        totals.failed += usize::from(!tested.holds() && !is_new);
        totals.updated += usize::from(is_new);
        tell(test, &source, case, &tested, is_new);
    }
    if new.iter().any(Option::is_some) {
        let text =
            test_file::update(&source, &new).or_else(|wrong| wrong_file(&source, &wrong).map(|()| String::new()))?;
        save::replace(file, &source.text, &text)?;
    }
    Ok(())
}

fn wrong_file(source: &Source, wrong: &[flowdeck::Diagnostic]) -> Result<()> {
    let text: Vec<String> = wrong.iter().map(|d| d.line_text(&source.name)).collect();
    bail!(WrongFile { text: text.join("\n"), diagnostics: wrong.iter().map(flowdeck::Diagnostic::to_json).collect() })
}

fn tell(test: &Test, source: &Source, case: &test_file::Test, tested: &Tested, updated: bool) {
    if test.json {
        out::json(&json!({
            "type": "test", "file": source.name, "line": case.line, "id": case.id, "passed": tested.holds() || updated,
            "updated": updated, "status": tested.status, "wrong": tested.wrong, "missing": tested.missing,
        }));
        return;
    }
    out::text(&screen::test(&source.name, case, tested, updated, out::style()));
}
