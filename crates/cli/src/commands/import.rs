//! `flowdeck import`: an Okta export as native files, one a flow, with a report of what was changed.
//!
//! Must never touch the network, start anything, or write over a file unless told to.
//! Tests: `crates/cli/tests/exports.rs`.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use clap::Args;
use serde_json::{Map, Value, json};

use crate::end::{End, WrongFile, usage};
use crate::options::Globals;
use crate::out;
use crate::session::Session;
use crate::{exports, files};

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  flowdeck import workflow.flopack --out flows/onboarding
  flowdeck import workflow.flopack --json           the report only

Nothing is started and no network is used; the flows arrive switched off.
Exit codes: 0 imported, 65 the file is no export or is damaged.")]
pub(crate) struct Import {
    /// An export from Okta Workflows: .flopack, .folder or .flow.
    export: PathBuf,
    /// The folder to write to; made where it is not there.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Write over files that are there.
    #[arg(long)]
    force: bool,
    /// The report as one JSON object.
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(import: &Import, globals: &Globals) -> Result<End> {
    let cards = Session::cards_of(globals)?;
    let source = files::source(&import.export)?;
    let Some(read) = exports::read(&source, &cards)? else {
        bail!(WrongFile::new(format!("{} is not an export from Okta Workflows", source.name)))
    };
    if import.out.is_none() && !import.json {
        return Err(usage("say where the files go with --out DIR, or ask for the report alone with --json"));
    }
    let report = serde_json::to_value(&read.export.report).context("write the report")?;
    let mut written: Vec<(String, String)> = read.export.files().into_iter().map(|f| (f.name, f.text)).collect();
    written.push(("slots.json".into(), format!("{:#}\n", report["slots"])));
    written.push(("tables.json".into(), format!("{:#}\n", tables(&read.export))));
    written.push(("import-report.json".into(), format!("{report:#}\n")));
    if let Some(folder) = &import.out {
        write(folder, &written, import.force)?;
    }
    if import.json {
        out::json(&report);
    } else {
        out::text(&read.export.report.text());
    }
    let wrong = read.diagnostics.iter().filter(|d| d.severity == flowdeck::Severity::Error);
    let lines: Vec<String> = wrong.map(|d| exports::line(&read.name, d)).collect();
    lines.iter().for_each(|line| out::error(&format!("{line}\n")));
    Ok(if lines.is_empty() { End::Fine } else { End::WrongFile })
}

/// Imports into a folder and prints the report, as `import EXPORT --out FOLDER` does.
pub(crate) fn into(export: &Path, folder: &Path, globals: &Globals) -> Result<End> {
    let import = Import { export: export.into(), out: Some(folder.into()), force: false, json: false };
    run(&import, globals)
}

/// A name for the folder of an export's flows: the file's own name, or that of its folder where all are called alike.
pub(crate) fn folder_name(export: &Path) -> String {
    let stem = |path: &Path| path.file_stem().map(|stem| stem.to_string_lossy().into_owned());
    let own = stem(export).unwrap_or_default();
    let name = match export.canonicalize().ok().as_deref().and_then(Path::parent).and_then(stem) {
        Some(parent) if own == "workflow" && !parent.is_empty() => parent,
        _ => own,
    };
    let plain = name.chars().map(|c| if c.is_alphanumeric() || matches!(c, '-' | '_') { c } else { '-' });
    plain.collect::<String>().to_lowercase()
}

/// All tables with their columns.
fn tables(export: &flowdeck::format::import::Export) -> Value {
    let mut all = Map::new();
    for table in export.flows.iter().flat_map(|flow| &flow.tables) {
        let columns = table.columns.iter().map(|c| (c.name.clone(), json!(c.kind)));
        all.insert(table.name.to_string(), Value::Object(columns.collect()));
    }
    Value::Object(all)
}

fn write(folder: &Path, files: &[(String, String)], force: bool) -> Result<()> {
    std::fs::create_dir_all(folder).with_context(|| format!("make the folder {}", folder.display()))?;
    let there: Vec<&str> =
        files.iter().map(|(name, _)| name.as_str()).filter(|name| folder.join(name).exists()).collect();
    if !force && !there.is_empty() {
        let some = there.iter().take(5).copied().collect::<Vec<_>>().join(", ");
        return Err(usage(format!(
            "{} already holds {some}; choose another folder, or write over them with --force",
            folder.display()
        )));
    }
    for (name, text) in files {
        let path = folder.join(name);
        std::fs::write(&path, text).with_context(|| format!("write {}", path.display()))?;
    }
    Ok(())
}
