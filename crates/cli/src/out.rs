//! Standard output: results for people and lines for programs.
//!
//! Must never fail because whoever reads has seen enough.
//! Tests: `crates/cli/tests`.

use std::io::{IsTerminal, Write};

use serde::Serialize;

use crate::screen::style::Style;

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

/// Whether a person looks at it.
pub(crate) fn is_terminal() -> bool {
    std::io::stdout().is_terminal()
}

/// How its screens look.
pub(crate) fn style() -> Style {
    crate::terminal::style_of(std::io::stdout())
}
