//! Bytes to flows and back: the native flow file (YAML and JSON as one model), its printer, `fmt` and its JSON Schema.
//!
//! Must never panic on any text, nor know the engine, the store, files or the network; cards only through `Catalogue`.
//! Tests: `tests/` of this crate (golden diagnostics, round trips, hostile files, samples).

#![warn(missing_docs)]

mod check;
mod comments;
mod diagnostic;
mod duration;
pub mod edit;
mod emit;
mod findings;
mod fmt;
pub mod import;
mod limits;
mod link;
mod nearest;
mod order;
mod print;
mod read;
mod schema;
pub mod test_file;
mod text;
mod tokens;
mod tree;
mod upstream;

use std::sync::Arc;

use flowdeck_model::{Catalogue, Flow};

pub use diagnostic::{Diagnostic, Severity};
pub use duration::{duration_text, parse_duration};
pub use fmt::format_text;
pub use link::Load;
pub use print::{print, print_json};
pub use schema::schema;
pub use text::NotText;
pub use upstream::{Upstream, read_upstream};

use findings::Findings;

/// A flow file in memory.
#[derive(Debug, Clone)]
pub struct Source {
    /// Its name for messages; a name ending in `.json` is read as JSON, anything else as YAML.
    pub name: String,
    /// Its text.
    pub text: Arc<str>,
}

impl Source {
    /// A source from its name and text.
    #[must_use]
    pub fn new(name: &str, text: &str) -> Self {
        Self { name: name.into(), text: Arc::from(text) }
    }
}

/// What reading a file gave.
#[derive(Debug, Clone)]
pub struct Checked {
    /// The flows that could be read, in file order. With errors among the diagnostics they must not be run.
    pub flows: Vec<Flow>,
    /// Errors and warnings in file order.
    pub diagnostics: Vec<Diagnostic>,
}

impl Checked {
    /// Whether any diagnostic is an error.
    #[must_use]
    pub fn has_errors(&self) -> bool {
        self.diagnostics.iter().any(|d| d.severity == Severity::Error)
    }
}

/// The documents of a well-formed file as plain values, to hold them against the schema; none where it is not well formed.
#[must_use]
pub fn values_of(source: &Source) -> Vec<serde_json::Value> {
    let mut findings = Findings::default();
    let documents = tree::parse_with(source, tree::EmptyKeys::Taken, &mut findings);
    if findings.has_errors() { Vec::new() } else { documents.iter().map(|d| d.root.to_value()).collect() }
}

/// Reads a flow file; with a catalogue its cards, fields, types and references are checked too.
///
/// Never panics and never fails: what is wrong is among the diagnostics, at most 100 of them. Helpers in files of
/// their own are an error here; see [`read_with`].
#[must_use]
pub fn read(source: &Source, catalogue: Option<&dyn Catalogue>) -> Checked {
    read_with(source, catalogue, &alone)
}

/// For [`read_with`] where there is only this one file.
///
/// # Errors
/// Always.
pub fn alone(_path: &str) -> Result<Source, String> {
    Err("only this one file was given".into())
}

/// As [`read`]; `load` gives the texts of helpers that are in files of their own, by their paths as seen from where
/// `source` is seen. At most 100 files, 8 deep.
#[must_use]
pub fn read_with(source: &Source, catalogue: Option<&dyn Catalogue>, load: &Load<'_>) -> Checked {
    read_on(source, catalogue, &mut link::Trail { load, files: Vec::new(), count: 0 }, None)
}

fn read_on(
    source: &Source,
    catalogue: Option<&dyn Catalogue>,
    trail: &mut link::Trail<'_>,
    probe: Option<&mut upstream::Probe>,
) -> Checked {
    let mut findings = Findings::default();
    let documents = tree::parse(source, &mut findings);
    let mut flows = Vec::new();
    if !findings.has_errors() {
        let mut drafts = read::read_documents(&source.text, &documents, catalogue, &mut findings);
        trail.files.push(source.name.clone());
        for draft in &mut drafts {
            let links = std::mem::take(&mut draft.links);
            link::add(source, &mut draft.flow, &links, catalogue, trail, &mut findings);
        }
        trail.files.pop();
        if let (Some(catalogue), false) = (catalogue, findings.has_errors()) {
            check::check(&source.text, &drafts, catalogue, &mut findings, probe);
        }
        flows = drafts.into_iter().map(|draft| draft.flow).collect();
    }
    Checked { flows, diagnostics: findings.into_diagnostics(&source.text, &documents) }
}
