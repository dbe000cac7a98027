//! Asks a person before something is lost.
//!
//! Must never take silence, the end of input or Ctrl-C for a yes.
//! Tests: `crates/cli/tests/connections.rs`.

use crate::api::Api;
use crate::end::End;
use crate::terminal::{Terminal, Typed};

/// How the command ends where the person did not say yes.
pub(crate) async fn refused(api: &Api, terminal: &mut Terminal, question: &str) -> Option<End> {
    let (line_end, end) = match api.session().or_interrupted(terminal.ask(question)).await {
        Some(Typed::Line(line)) if line.trim().to_lowercase().starts_with('y') => return None,
        Some(Typed::Line(_)) => ("", End::Fine),
        Some(Typed::End) => ("\n", End::Fine),
        None => ("\n", End::Interrupted),
    };
    terminal.say(&format!("{line_end}Nothing was changed.\n"));
    Some(end)
}
