//! The flow that a test is about.
//!
//! Must never take another flow than the test names.
//! Tests: `crates/cli/tests/tests_of_flows.rs`.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Result, bail};
use flowdeck::Cards;
use flowdeck::format::test_file::Test;
use flowdeck::model::Flow;

use crate::end::WrongFile;
use crate::{exports, files};

/// Reads the flow: beside the test file, or among the exports.
pub(super) fn flow(test: &Test, file: &Path, exports: Option<&Path>, cards: &Cards) -> Result<Arc<Flow>> {
    let path = path(test, file, exports)?;
    let source = files::source(&path)?;
    let exports::Native { source, flow: name, .. } = exports::native(source, test.flow.as_deref(), cards)
        .map_err(|error| WrongFile::new(format!("{}:{}: {error}", file.display(), test.line)))?;
    let (checked, _) = files::read(&source, cards);
    if checked.has_errors() {
        let lines: Vec<String> = checked.diagnostics.iter().map(|d| d.line_text(&source.name)).collect();
        let diagnostics = checked.diagnostics.iter().map(flowdeck::Diagnostic::to_json).collect();
        bail!(WrongFile { text: lines.join("\n"), diagnostics });
    }
    let names: Vec<&str> = checked.flows.iter().map(|f| f.name.as_str()).collect();
    let found = match &name {
        Some(name) => checked.flows.iter().find(|f| f.name.as_str() == *name),
        None if checked.flows.len() == 1 => checked.flows.first(),
        None => None,
    };
    match found {
        Some(flow) => Ok(Arc::new(flow.clone())),
        None => {
            let why = format!("name one of its flows with `flow`: {}", names.join(", "));
            bail!(WrongFile::new(format!("{}:{}: {}: {why}", file.display(), test.line, source.name)))
        }
    }
}

fn path(test: &Test, file: &Path, exports: Option<&Path>) -> Result<PathBuf> {
    let folder = file.parent().unwrap_or(Path::new(""));
    if let Some(named) = &test.file {
        let beside = folder.join(named);
        return Ok(match exports.map(|exports| exports.join(named)) {
            Some(among) if !beside.exists() => among,
            _ => beside,
        });
    }
    let name = file.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    let stem = [".test.yaml", ".test.yml", ".test.json"].iter().find_map(|end| name.strip_suffix(end));
    let candidates = ["flow.yaml", "flow.yml", "flow.json"].iter().map(|end| {
        let stem = stem.unwrap_or_default();
        folder.join(format!("{stem}.{end}"))
    });
    match candidates.clone().find(|path| path.is_file()) {
        Some(path) => Ok(path),
        None => {
            let wanted = candidates.map(|p| p.display().to_string()).next().unwrap_or_default();
            let what = format!("name the flow file with `file`: there is no {wanted}");
            bail!(WrongFile::new(format!("{}:{}: {what}", file.display(), test.line)))
        }
    }
}
