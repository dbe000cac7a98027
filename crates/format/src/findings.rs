//! Collects what is wrong while a file is read; places are byte ranges until the end.
//!
//! Must never grow without bound.
//! Tests: `tests/diagnostics.rs`.

use std::ops::Range;

use crate::diagnostic::{Diagnostic, Severity};
use crate::limits::DIAGNOSTICS_MAX;
use crate::tree::Node;

/// One thing that is wrong.
#[derive(Debug)]
struct Finding {
    severity: Severity,
    code: &'static str,
    message: String,
    remedy: Option<String>,
    span: Range<usize>,
}

/// What is wrong so far.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    all: Vec<Finding>,
    errors: usize,
    left_out: usize,
}

impl Findings {
    fn push(
        &mut self,
        severity: Severity,
        code: &'static str,
        span: Range<usize>,
        message: String,
        remedy: Option<String>,
    ) {
        self.errors += usize::from(severity == Severity::Error);
        if self.all.len() == DIAGNOSTICS_MAX {
            self.left_out += 1;
            return;
        }
        self.all.push(Finding { severity, code, message, remedy, span });
    }

    /// Adds an error that has no better remedy than its message.
    pub(crate) fn error(&mut self, code: &'static str, span: &Range<usize>, message: impl Into<String>) {
        self.push(Severity::Error, code, span.clone(), message.into(), None);
    }

    /// Adds an error with what to do about it.
    pub(crate) fn error_with(
        &mut self,
        code: &'static str,
        span: &Range<usize>,
        message: impl Into<String>,
        remedy: impl Into<Option<String>>,
    ) {
        self.push(Severity::Error, code, span.clone(), message.into(), remedy.into());
    }

    /// Adds a warning.
    pub(crate) fn warning(
        &mut self,
        code: &'static str,
        span: &Range<usize>,
        message: impl Into<String>,
        remedy: impl Into<Option<String>>,
    ) {
        self.push(Severity::Warning, code, span.clone(), message.into(), remedy.into());
    }

    /// Whether further ones are only counted: a costly message need not be made.
    pub(crate) fn is_full(&self) -> bool {
        self.all.len() >= DIAGNOSTICS_MAX
    }

    /// A remedy that costs time to find, where it will be shown at all.
    pub(crate) fn hint(&self, find: impl FnOnce() -> Option<String>) -> Option<String> {
        if self.is_full() { None } else { find() }
    }

    /// Whether there is any error.
    pub(crate) fn has_errors(&self) -> bool {
        self.errors > 0
    }

    /// How many errors there are.
    pub(crate) fn errors(&self) -> usize {
        self.errors
    }

    /// The diagnostics in file order, with lines, columns and paths.
    pub(crate) fn into_diagnostics(mut self, text: &str, documents: &[Node]) -> Vec<Diagnostic> {
        self.all.sort_by_key(|f| f.span.start);
        let left_out = self.left_out;
        let mut lines = LineIndex { text, offset: 0, line: 1, line_start: 0 };
        let mut diagnostics: Vec<_> = self
            .all
            .into_iter()
            .map(|f| {
                let (line, column) = lines.place(f.span.start);
                let path = documents.iter().find(|d| d.covers(f.span.start)).map(|d| d.path_to(f.span.start));
                let Finding { severity, code, message, remedy, span } = f;
                Diagnostic { severity, code, message, remedy, span, line, column, path: path.unwrap_or_default() }
            })
            .collect();
        if let (Some(last), true) = (diagnostics.last_mut(), left_out > 0) {
            last.message.push_str(&format!(" ({left_out} more problems are not listed)"));
        }
        diagnostics
    }
}

/// Lines and columns of growing offsets, in one pass over the text.
struct LineIndex<'a> {
    text: &'a str,
    offset: usize,
    line: usize,
    line_start: usize,
}

impl LineIndex<'_> {
    fn place(&mut self, at: usize) -> (usize, usize) {
        let mut at = at.min(self.text.len());
        while !self.text.is_char_boundary(at) {
            at -= 1;
        }
        for (i, _) in self.text[self.offset..at].match_indices('\n') {
            self.line += 1;
            self.line_start = self.offset + i + 1;
        }
        self.offset = at;
        (self.line, self.text[self.line_start..at].chars().count() + 1)
    }
}
