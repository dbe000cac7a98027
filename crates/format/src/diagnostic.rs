//! What is wrong with a flow file, where, and what to do: for people (miette) and programs (JSON).
//!
//! Must never hold a value of the file longer than a line, nor a secret.
//! Tests: `tests/diagnostics.rs`.

use std::fmt;
use std::ops::Range;

use miette::{GraphicalReportHandler, GraphicalTheme, LabeledSpan, NamedSource};
use serde::Serialize;

use crate::Source;

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// The flow cannot be run.
    Error,
    /// It can be run, but is probably not what was meant.
    Warning,
}

/// One error or warning.
///
/// ```
/// use flowdeck_format::{Source, read};
///
/// let source = Source::new("a.yaml", "flow: a\ncards:\n  - wait: soon\n");
/// let diagnostic = &read(&source, None).diagnostics[0];
/// assert_eq!((diagnostic.code, diagnostic.line, diagnostic.column), ("wrong-duration", 3, 11));
/// // For people: with an excerpt of the file, and what to do.
/// let shown = diagnostic.render(&source, false);
/// assert!(shown.contains("a.yaml:3:11") && shown.contains("wait: soon") && shown.contains("`90s`"));
/// // For programs.
/// assert_eq!(diagnostic.to_json()["code"], "wrong-duration");
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Diagnostic {
    /// How bad it is.
    pub severity: Severity,
    /// Stable word for programs: `unknown-card`.
    pub code: &'static str,
    /// What is wrong and what was expected.
    pub message: String,
    /// What to do, where it is known.
    pub remedy: Option<String>,
    /// Byte range in the text.
    pub span: Range<usize>,
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// Where in the file's structure: `cards[2].with.id`; empty for the file as a whole.
    pub path: String,
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

/// Most lines of an excerpt: a finding may concern the whole file.
const EXCERPT_LINES_MAX: usize = 12;
/// Longest line that an excerpt shows, in bytes.
const EXCERPT_LINE_BYTES_MAX: usize = 2_000;

/// The part of a span that an excerpt shows.
fn shown(text: &str, span: &Range<usize>) -> Range<usize> {
    let inside = text.get(span.clone()).unwrap_or_default();
    let end = inside.match_indices('\n').nth(EXCERPT_LINES_MAX - 1).map_or(span.end, |(at, _)| span.start + at);
    span.start..end
}

impl Diagnostic {
    /// For people: message, file, line, column, excerpt and remedy; `colour` adds terminal colours.
    #[must_use]
    pub fn render(&self, source: &Source, colour: bool) -> String {
        let span = shown(&source.text, &self.span);
        // The excerpt has whole lines; one without end is no help.
        let first = source.text.get(..span.start).and_then(|t| t.rfind('\n')).map_or(0, |at| at + 1);
        let rest = source.text.get(first..).unwrap_or_default();
        if rest.lines().take(EXCERPT_LINES_MAX + 2).any(|line| line.len() > EXCERPT_LINE_BYTES_MAX) {
            return self.line_text(&source.name) + "\n";
        }
        let theme = if colour { GraphicalTheme::unicode() } else { GraphicalTheme::unicode_nocolor() };
        let report = Report { diagnostic: self, span, source: NamedSource::new(&source.name, source.text.clone()) };
        let mut out = String::new();
        match GraphicalReportHandler::new_themed(theme).with_width(110).render_report(&mut out, &report) {
            Ok(()) => out,
            Err(_) => format!("{}:{}:{}: {}\n", source.name, self.line, self.column, self.message),
        }
    }

    /// One line: `file:line:column: error[code]: message; remedy`.
    #[must_use]
    pub fn line_text(&self, source_name: &str) -> String {
        let severity = match self.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        };
        let remedy = self.remedy.as_ref().map(|r| format!("; {r}")).unwrap_or_default();
        format!("{source_name}:{}:{}: {severity}[{}]: {}{remedy}", self.line, self.column, self.code, self.message)
    }

    /// For programs.
    #[must_use]
    pub fn to_json(&self) -> serde_json::Value {
        serde_json::to_value(self).unwrap_or_default()
    }
}

/// A diagnostic beside its source, as miette wants it.
struct Report<'a> {
    span: Range<usize>,
    diagnostic: &'a Diagnostic,
    source: NamedSource<std::sync::Arc<str>>,
}

impl fmt::Debug for Report<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.diagnostic, f)
    }
}

impl fmt::Display for Report<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self.diagnostic, f)
    }
}

impl std::error::Error for Report<'_> {}

impl miette::Diagnostic for Report<'_> {
    fn code<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        Some(Box::new(self.diagnostic.code))
    }

    fn severity(&self) -> Option<miette::Severity> {
        Some(match self.diagnostic.severity {
            Severity::Error => miette::Severity::Error,
            Severity::Warning => miette::Severity::Warning,
        })
    }

    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        self.diagnostic.remedy.as_ref().map(|r| Box::new(r) as Box<dyn fmt::Display>)
    }

    fn source_code(&self) -> Option<&dyn miette::SourceCode> {
        Some(&self.source)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        let Range { start, end } = self.span;
        let label = (!self.diagnostic.path.is_empty()).then(|| self.diagnostic.path.clone());
        Some(Box::new(std::iter::once(LabeledSpan::new(label, start, end.saturating_sub(start)))))
    }
}
