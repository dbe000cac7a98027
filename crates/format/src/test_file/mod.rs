//! Test files: what a flow starts with, how apps answer, what must come out. YAML or JSON, one reader for all.
//!
//! Must never pass over a key that it does not know, nor judge a run: that is done where runs are made.
//! Tests: `tests/test_files.rs`.

mod read;
mod schema;
mod write;

use std::collections::BTreeMap;

use flowdeck_model::Value;
use indexmap::IndexMap;
use serde_json::Map;

use crate::Source;
use crate::diagnostic::{Diagnostic, Severity};
use crate::findings::Findings;
use crate::tree;

pub use schema::schema;
pub use write::{print, snippet, update};

/// One test: a flow, its start, answers in the place of apps and people, and what is expected.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Test {
    /// Its name; where it has none, `case 2` by its place in the file, or empty.
    pub id: String,
    /// What it shows, for people.
    pub why: String,
    /// The flow file or export, as seen from the test file (`export`: from the folder of exports).
    pub file: Option<String>,
    /// Which flow, where the file holds several.
    pub flow: Option<String>,
    /// What it starts with by the names of an export: `args`, `inputs`, `events`, `outputs`, `http`, `context`.
    pub inputs: Value,
    /// Values of the flow's inputs.
    pub input: Map<String, Value>,
    /// Fields of the event that starts it.
    pub event: Option<Map<String, Value>>,
    /// Rows that are there before, by table.
    pub tables: Map<String, Value>,
    /// Answers of apps in order, the last one repeats; by step, card id, card, or a card's name in an export.
    pub answers: IndexMap<String, Vec<Value>>,
    /// What people and programs say to waits, by step or card id: `approve`, `reject`, `{signal: …}`.
    pub decisions: IndexMap<String, Value>,
    /// Fields of connections that are not secret, by app.
    pub connections: BTreeMap<String, BTreeMap<String, String>>,
    /// The time at its start (RFC 3339).
    pub clock: Option<String>,
    /// What must come out, by [`EXPECTED`]'s keys. `null` where nothing is said.
    pub expected: Value,
    /// Behaviour of Okta that nobody documents and that the expectation rests on.
    pub unknowns_touched: Vec<String>,
    /// Its line in the file, from 1.
    pub line: usize,
}

/// A time as test files write it.
///
/// ```
/// use flowdeck_format::test_file::time;
///
/// assert_eq!(time("1970-01-01T00:00:01Z").map(|at| at.0), Some(1000));
/// ```
#[must_use]
pub fn time(text: &str) -> Option<flowdeck_model::Millis> {
    text.parse::<jiff::Timestamp>().ok().map(|t| flowdeck_model::Millis(t.as_millisecond()))
}

/// The parts of an expectation.
pub const EXPECTED: &[&str] = &[
    "status",
    "output",
    "outputs",
    "requests",
    "error",
    "response",
    "tables",
    "output_kind",
    "output_doubt",
    "app_calls",
    "key_outputs",
    "named_only",
];

/// The ends that a test may expect.
pub const ENDS: &[&str] = &["finished", "stopped", "failed", "waiting"];

/// What reading a test file gave.
#[derive(Debug, Clone)]
pub struct ReadTests {
    /// Its tests. With errors among the diagnostics they must not be run.
    pub tests: Vec<Test>,
    /// What is wrong, in file order.
    pub diagnostics: Vec<Diagnostic>,
}

impl ReadTests {
    /// Whether any diagnostic is an error.
    #[must_use]
    pub fn has_errors(&self) -> bool {
        self.diagnostics.iter().any(|d| d.severity == Severity::Error)
    }
}

/// Reads a test file. Never panics and never fails: see the diagnostics.
#[must_use]
pub fn read(source: &Source) -> ReadTests {
    let mut findings = Findings::default();
    let documents: Vec<_> =
        tree::parse_with(source, tree::EmptyKeys::Taken, &mut findings).into_iter().map(|d| d.root).collect();
    let tests = if findings.has_errors() { Vec::new() } else { read::tests(&source.text, &documents, &mut findings) };
    ReadTests { tests, diagnostics: findings.into_diagnostics(&source.text, &documents) }
}
