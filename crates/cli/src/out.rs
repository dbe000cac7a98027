//! Standard output: results for people and lines for programs. Standard error: what is wrong.
//!
//! Must never fail because whoever reads has seen enough.
//! Tests: `crates/cli/tests/looking.rs`, `crates/cli/tests/check.rs`.

use std::io::{IsTerminal, Write};

use serde::Serialize;

use crate::screen::style::{Style, reflow};

/// Writes text; a reader that went away is no error.
pub(crate) fn text(text: &str) {
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).ok();
}

/// Writes one JSON object as one line.
pub(crate) fn json(value: &impl Serialize) {
    if let Ok(line) = serde_json::to_string(value) {
        text(&(line + "\n"));
    }
}

/// Writes one JSON value over several lines, for whoever reads it with their eyes too.
pub(crate) fn pretty(value: &impl Serialize) {
    if let Ok(lines) = serde_json::to_string_pretty(value) {
        text(&(lines + "\n"));
    }
}

/// Writes text to standard error; unlike `eprint!`, a reader that went away ends nothing.
pub(crate) fn error(text: &str) {
    let mut err = std::io::stderr().lock();
    err.write_all(text.as_bytes()).and_then(|()| err.flush()).ok();
}

/// The last words of a command that failed: on a terminal broken where the screen ends, elsewhere as they are.
pub(crate) fn failure(text: &str) {
    let err = std::io::stderr();
    if err.is_terminal() {
        return error(&reflow(text, crate::terminal::style_of(err).text_width()));
    }
    error(text);
}

/// What a command says that only looks, until it has let go of the data folder: whoever reads it may take their time,
/// and nobody else has to wait for them.
#[derive(Debug, Default)]
pub(crate) struct Pages(String);

impl Pages {
    pub(crate) fn text(&mut self, text: &str) {
        self.0.push_str(text);
    }

    /// As [`json`].
    pub(crate) fn json(&mut self, value: &impl Serialize) {
        if let Ok(line) = serde_json::to_string(value) {
            self.text(&(line + "\n"));
        }
    }

    /// Writes all of it.
    pub(crate) fn print(&self) {
        text(&self.0);
    }
}

/// Whether a person looks at it.
pub(crate) fn is_terminal() -> bool {
    std::io::stdout().is_terminal()
}

/// How its screens look.
pub(crate) fn style() -> Style {
    crate::terminal::style_of(std::io::stdout())
}
