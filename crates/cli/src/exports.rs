//! Okta exports on the command line: found by content, turned into the native text that everything else takes.
//!
//! Must never change an export, nor guess which of several flows is meant.
//! Tests: `crates/cli/tests/exports.rs`.

use std::path::Path;

use anyhow::{Result, bail};
use flowdeck::format::import::{self, Export};
use flowdeck::{Cards, Diagnostic, Severity, Source};

use crate::end::{WrongFile, usage};

/// An export that was read, with what is to be said of it.
pub(crate) struct ReadExport {
    pub(crate) name: String,
    pub(crate) export: Export,
    pub(crate) diagnostics: Vec<Diagnostic>,
}

/// Reads a file where it is an export; `None` where it is anything else.
///
/// # Errors
/// [`WrongFile`] where it cannot be read at all, or is an export without anything in it.
pub(crate) fn read(source: &Source, cards: &Cards) -> Result<Option<ReadExport>> {
    if !import::is_export(source.text.as_bytes()) {
        return Ok(None);
    }
    let file = Path::new(&source.name).file_name().map_or_else(|| source.name.clone(), |n| n.to_string_lossy().into());
    let (export, diagnostics) = import::read(&file, source.text.as_bytes(), cards);
    match export {
        Some(export) => Ok(Some(ReadExport { name: source.name.clone(), export, diagnostics })),
        None => {
            let lines: Vec<String> = diagnostics.iter().map(|d| line(&source.name, d)).collect();
            let diagnostics = diagnostics.iter().map(Diagnostic::to_json).collect();
            bail!(WrongFile { text: lines.join("\n"), diagnostics })
        }
    }
}

/// What runs: a native file, or a flow of an export as one.
pub(crate) struct Native {
    pub(crate) source: Source,
    /// The flow in it, where one was named or is the only one.
    pub(crate) flow: Option<String>,
    /// What reading the export said of this flow and its helpers; what is wrong with the native text is not among it.
    pub(crate) told: Vec<Diagnostic>,
}

/// A flow of an export as a native file; a file that is no export comes back as it is.
pub(crate) fn native(source: Source, flow: Option<&str>, cards: &Cards) -> Result<Native> {
    let Some(read) = read(&source, cards)? else {
        return Ok(Native { source, flow: flow.map(str::to_owned), told: Vec::new() });
    };
    let flows = &read.export.report.flows;
    let known = || {
        let lines = flows.iter().map(|f| format!("\n  --flow {}  ({}: {})", f.flow, f.start, f.title));
        lines.collect::<String>()
    };
    let chosen = match (flow, flows.as_slice()) {
        (Some(name), _) => read
            .export
            .named(name)
            .ok_or_else(|| usage(format!("{} has no flow `{name}`; it has:{}", source.name, known())))?,
        (None, [only]) => only,
        (None, []) => {
            let lines: Vec<String> = read.diagnostics.iter().map(|d| line(&source.name, d)).collect();
            let text = format!("{}\n{} holds no flow that can be run", lines.join("\n"), source.name);
            let diagnostics = read.diagnostics.iter().map(Diagnostic::to_json).collect();
            bail!(WrongFile { text: text.trim_start().to_owned(), diagnostics })
        }
        (None, several) => {
            // A helper is run by what calls it, so it is not what a person means without saying so.
            let mut starts = several.iter().filter(|flow| flow.start != "helper");
            match (starts.next(), starts.next()) {
                (Some(only), None) => only,
                _ => bail!(usage(format!("{} holds several flows; choose one:{}", source.name, known()))),
            }
        }
    };
    let Some(whole) = read.export.whole(&chosen.flow) else {
        bail!(WrongFile::new(format!("{}: the flow `{}` cannot be read", source.name, chosen.title)))
    };
    let reached = |flow: &str| flow == chosen.flow || whole.helpers.keys().any(|helper| helper.as_str() == flow);
    // Of cards that nothing offers, the check of the native text says the same.
    let told = read.diagnostics.iter().filter(|d| match d.code {
        "export-field" => d.path.split_once('.').is_some_and(|(flow, _)| reached(flow)),
        code => code == "export-key-twice",
    });
    let told = told.cloned().collect();
    let text = flowdeck::format::print(&whole);
    Ok(Native { source: Source::new(&source.name, &text), flow: Some(chosen.flow.clone()), told })
}

/// All that is wrong with an export: what reading it said, and what each of its flows is checked for.
pub(crate) fn problems(read: &ReadExport, cards: &Cards) -> Vec<Diagnostic> {
    let unbound = |d: &Diagnostic| d.code != "unbound-card";
    let mut all: Vec<Diagnostic> = read.diagnostics.iter().filter(|d| unbound(d)).cloned().collect();
    for flow in &read.export.flows {
        let Some(whole) = read.export.whole(flow.name.as_str()) else { continue };
        let source = Source::new("flow.yaml", &flowdeck::format::print(&whole));
        let checked = flowdeck::format::read(&source, Some(cards)).diagnostics;
        // Helpers are checked as flows of their own.
        all.extend(checked.into_iter().filter(|d| !d.path.starts_with("helpers")).map(|mut diagnostic| {
            diagnostic.path = format!("{}: {}", flow.name, diagnostic.path);
            diagnostic
        }));
    }
    all
}

/// One problem of an export as a line: an export has no lines of its own that a person could go to.
pub(crate) fn line(name: &str, diagnostic: &Diagnostic) -> String {
    let word = if diagnostic.severity == Severity::Error { "error" } else { "warning" };
    let place = if diagnostic.path.is_empty() { String::new() } else { format!(" {}", diagnostic.path) };
    let remedy = diagnostic.remedy.as_ref().map_or_else(String::new, |r| format!("; {r}"));
    format!("{name}:{place} {word}[{}]: {}{remedy}", diagnostic.code, diagnostic.message)
}
