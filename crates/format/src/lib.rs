//! Bytes to flows and back: the native flow file (YAML and JSON as one model), its printer, `fmt` and its JSON Schema.
//!
//! Must never panic on any text, nor know the engine, the store, files or the network; cards only through `Catalogue`.
//! Tests: `tests/` of this crate (golden diagnostics, round trips, hostile files, samples).
//!
//! Read a flow, see what is wrong with it, print it again:
//!
//! ```
//! use flowdeck_format::{Source, print, read};
//!
//! let source = Source::new("hello.flow.yaml", "flow: hello\ncards:\n  - return: { text: Hello }\n");
//! let checked = read(&source, None);
//! for diagnostic in &checked.diagnostics {
//!     eprintln!("{}", diagnostic.render(&source, false));
//! }
//! assert!(!checked.has_errors());
//! assert_eq!(read(&Source::new("again", &print(&checked.flows[0])), None).flows, checked.flows);
//! ```
//!
//! Without a catalogue only the file itself is checked. With one, cards, fields, types and references are too; the catalogue
//! of a whole flowdeck is `flowdeck::Cards`.

#![warn(missing_docs)]

mod check;
mod comments;
mod diagnostic;
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
mod unbound;
mod upstream;

use std::sync::Arc;

use flowdeck_model::{Catalogue, Flow};

pub use diagnostic::{Diagnostic, Severity};
pub use flowdeck_model::duration::{duration_text, parse_duration};
pub use fmt::format_text;
pub use link::Load;
pub use print::{print, print_json};
pub use schema::schema;
pub use text::NotText;
pub use upstream::{Upstream, read_upstream};

use findings::Findings;

/// A flow file in memory.
///
/// ```
/// use flowdeck_format::{Source, read};
///
/// // The name decides: JSON where it ends so, else YAML.
/// let json = Source::new("a.flow.json", r#"{ "flow": "a", "cards": [] }"#);
/// assert_eq!(read(&json, None).flows[0].name.as_str(), "a");
/// ```
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
///
/// ```
/// use flowdeck_format::{Severity, Source, read};
///
/// let checked = read(&Source::new("a.yaml", "flow: a\ncrads: []\ncards: []\n"), None);
/// let first = &checked.diagnostics[0];
/// assert!(checked.has_errors() && first.severity == Severity::Error);
/// assert_eq!(first.line_text("a.yaml"), "a.yaml:2:1: error[unknown-key]: `crads` is not known here; did you mean `cards`?");
/// ```
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
///
/// ```
/// use flowdeck_format::{Source, values_of};
///
/// let values = values_of(&Source::new("a.yaml", "flow: a\ncards: []\n---\nflow: b\ncards: []\n"));
/// assert_eq!(values[1]["flow"], "b");
/// ```
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
///
/// ```
/// use std::sync::Arc;
/// use flowdeck_format::{Source, read};
/// use flowdeck_model::{AppName, CardDecl, CardName, Catalogue};
///
/// /// One card is all there is.
/// struct Small(Arc<CardDecl>);
///
/// impl Catalogue for Small {
///     fn card(&self, name: &CardName) -> Option<Arc<CardDecl>> {
///         (self.0.name == *name).then(|| self.0.clone())
///     }
///     fn cards(&self) -> Vec<Arc<CardDecl>> {
///         vec![self.0.clone()]
///     }
///     fn has_app(&self, _: &AppName) -> bool {
///         false
///     }
///     fn apps(&self) -> Vec<AppName> {
///         Vec::new()
///     }
/// }
///
/// let now = CardDecl::function(CardName::new("date/now")?, "Now", "The time.");
/// let source = Source::new("a.yaml", "flow: a\ncards:\n  - card: date/nwo\n");
/// let checked = read(&source, Some(&Small(Arc::new(now))));
/// assert_eq!(checked.diagnostics[0].remedy.as_deref(), Some("did you mean `date/now`?"));
/// # Ok::<(), flowdeck_model::names::NameError>(())
/// ```
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
///
/// ```
/// use flowdeck_format::{Source, read_with};
///
/// let main = "flow: main\ncards:\n  - call_flow: greet\nhelpers: { greet: { file: lib/greet.flow.yaml } }\n";
/// let checked = read_with(&Source::new("main.flow.yaml", main), None, &|path| match path {
///     "lib/greet.flow.yaml" => Ok(Source::new(path, "flow: greet\ncards:\n  - return: { text: Hello }\n")),
///     other => Err(format!("there is no {other}")),
/// });
/// assert!(!checked.has_errors());
/// assert_eq!(checked.flows[0].helpers.len(), 1);
/// ```
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
