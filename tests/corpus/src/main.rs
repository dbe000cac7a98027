//! `cargo xtask corpus`: the proof over real exports and scenarios.
//!
//! Must never open a connection, nor pass where something was left out.
//! Tests: beside each module; the corpus is the test.

mod begin;
mod coverage;
mod host;
mod judge;
mod known;
mod lenient;
mod made;
mod native;
mod report;
mod results;
mod sample;
mod scenario;
mod source;
mod world;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use flowdeck::egress::{Egress, Policy};
use flowdeck_apps::AppHost;
use flowdeck_format::{Source, test_file};
use indexmap::IndexMap;

use coverage::Coverage;
use known::Known;
use report::Report;
use source::Sample;

const HELP: &str = "cargo xtask corpus [DIR] [--json] [--scenarios DIR --exports DIR] [--only TEXT] [--cards]

  DIR                every export below it is loaded, printed and read again, and each of its flows is run
  --scenarios DIR    runs the scenario files in DIR; may be given more than once
  --exports DIR      where the exports of the scenarios are
  --known FILE       what is known to fall short; all else must hold, and what is named must not
  --only TEXT        only exports and scenarios with TEXT in their name
  --cards            counts of each card the exports it is in, the scenarios that run it and those that fail without
                     its result
  --json             one object a line
";

#[derive(Debug, Default)]
struct Asked {
    folders: Vec<PathBuf>,
    scenarios: Vec<PathBuf>,
    exports: Option<PathBuf>,
    known: Option<PathBuf>,
    only: Option<String>,
    cards: bool,
    json: bool,
}

fn asked() -> Result<Asked> {
    let mut asked = Asked::default();
    let mut args = std::env::args().skip(1);
    while let Some(arg) = args.next() {
        let mut value = || args.next().with_context(|| format!("{arg} needs a value\n\n{HELP}"));
        match arg.as_str() {
            "--json" => asked.json = true,
            "--cards" => asked.cards = true,
            "--scenarios" => asked.scenarios.push(value()?.into()),
            "--exports" => asked.exports = Some(value()?.into()),
            "--known" => asked.known = Some(value()?.into()),
            "--only" => asked.only = Some(value()?),
            "--help" | "-h" => bail!("{HELP}"),
            other if other.starts_with('-') => bail!("unknown option `{other}`\n\n{HELP}"),
            folder => asked.folders.push(folder.into()),
        }
    }
    if asked.folders.is_empty() && asked.scenarios.is_empty() {
        bail!("{HELP}");
    }
    Ok(asked)
}

fn main() -> ExitCode {
    let done = asked().and_then(|asked| {
        // One thread: what runs side by side takes the same turns each time, so that two executions can be compared.
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let holds = runtime.block_on(all(&asked));
        // What hangs must not hold the end up.
        runtime.shutdown_background();
        holds
    });
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::from(2)
        }
    }
}

async fn all(asked: &Asked) -> Result<bool> {
    let cards = flowdeck::Cards::with_files(&IndexMap::new(), &[])?;
    let tables = AppHost::new(cards.apps().clone(), Egress::new(Policy::default())?);
    let known = match &asked.known {
        Some(file) => Known::read(&std::fs::read_to_string(file).with_context(|| format!("read {}", file.display()))?)?,
        None => Known::default(),
    };
    let mut report = Report::new(asked.json, known);
    let mut coverage = asked.cards.then(|| Coverage::new(&cards));
    let wanted = |name: &str| asked.only.as_ref().is_none_or(|only| name.contains(only.as_str()));
    for folder in &asked.folders {
        let files = exports(folder)?;
        if files.is_empty() {
            bail!("there is no export below {}", folder.display());
        }
        for file in files {
            let name = name_of(&file, folder);
            if wanted(&name) {
                let bytes = std::fs::read(&file).with_context(|| format!("read {}", file.display()))?;
                if let Some(coverage) = &mut coverage {
                    // What does not load is told below.
                    let held = Sample::read(&name, &bytes, &cards).map(|sample| sample.names).unwrap_or_default();
                    coverage.export(&name, &held.into_values().flatten().collect());
                }
                report.sample(sample::check(&name, &bytes, &cards, &tables).await);
            }
        }
    }
    if asked.only.is_none() && !asked.folders.is_empty() {
        report.whole();
    }
    for folder in &asked.scenarios {
        let exports = asked.exports.clone().or_else(|| asked.folders.first().cloned());
        let exports = exports.context("--scenarios needs --exports")?;
        for file in test_files(folder)? {
            let text = std::fs::read_to_string(&file).with_context(|| format!("read {}", file.display()))?;
            let read = test_file::read(&Source::new(&file.display().to_string(), &text));
            if let Some(wrong) = read.diagnostics.first() {
                bail!("{}", wrong.line_text(&file.display().to_string()));
            }
            for scenario in read.tests.iter().filter(|s| wanted(&s.id)) {
                let export = scenario.file.as_deref().with_context(|| format!("{} names no export", scenario.id))?;
                let bytes = std::fs::read(exports.join(export))
                    .with_context(|| format!("read the export of scenario {}", scenario.id))?;
                let loaded = Sample::read(export, &bytes, &cards).map(Arc::new);
                let outcome = scenario::run(scenario, &loaded, &cards, &tables, None).await;
                if let (Some(coverage), true) = (&mut coverage, outcome.wrong.is_empty()) {
                    coverage.scenario((scenario, &loaded), &outcome, &cards, &tables).await;
                }
                report.scenario(outcome);
            }
        }
    }
    if let Some(coverage) = &coverage {
        coverage.close(asked.json);
    }
    Ok(report.close())
}

/// All exports below a folder, in order.
fn exports(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut left = vec![(folder.to_path_buf(), 0)];
    while let Some((folder, depth)) = left.pop() {
        for entry in std::fs::read_dir(&folder).with_context(|| format!("read {}", folder.display()))? {
            let path = entry?.path();
            if path.is_dir() && depth < 10 {
                left.push((path, depth + 1));
            } else if path.extension().is_some_and(|e| ["flopack", "folder", "flow"].iter().any(|x| e == *x)) {
                found.push(path);
            }
        }
    }
    found.sort();
    Ok(found)
}

fn test_files(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries = std::fs::read_dir(folder).with_context(|| format!("read {}", folder.display()))?;
    let mut files: Vec<_> = entries.map(|e| e.map(|e| e.path())).collect::<Result<_, _>>()?;
    let is_test = |name: &str| name.ends_with(".json") || name.ends_with(".test.yaml");
    files.retain(|path| path.file_name().is_some_and(|name| is_test(&name.to_string_lossy())));
    files.sort();
    if files.is_empty() {
        bail!("there is no scenario in {}", folder.display());
    }
    Ok(files)
}

/// The export's folder and name below the corpus.
fn name_of(file: &Path, folder: &Path) -> String {
    let below = file.strip_prefix(folder).unwrap_or(file).display().to_string();
    below.trim_end_matches("/workflow.flopack").to_owned()
}
