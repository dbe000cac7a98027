//! How a command ends: exit codes, and errors that have one of their own.
//!
//! Must never end the process.
//! Tests: `crates/cli/tests/check.rs`, `crates/cli/tests/arguments.rs`.

use std::process::ExitCode;

use flowdeck::RuntimeError;
use flowdeck::model::RunId;
use flowdeck_server::client::CallError;
use flowdeck_server::session::SessionError;
use flowdeck_server::wire::Problem;

use crate::screen::style::{Style, reflow};

/// What a command came to, as the exit code says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// 0: done.
    Fine,
    /// 1: the run failed, or the command could not do its work.
    Failed,
    /// 2: the command line is wrong.
    Usage,
    /// 65: a file is wrong.
    WrongFile,
    /// 75: a run is paused and waits for somebody.
    Waiting,
    /// 130: interrupted; runs can be resumed.
    Interrupted,
}

impl End {
    /// The exit code.
    pub(crate) fn code(self) -> u8 {
        match self {
            Self::Fine => 0,
            Self::Failed => 1,
            Self::Usage => 2,
            Self::WrongFile => 65,
            Self::Waiting => 75,
            Self::Interrupted => 130,
        }
    }
}

impl From<End> for ExitCode {
    fn from(end: End) -> Self {
        Self::from(end.code())
    }
}

/// A command line that cannot be used; the sentence says what to write instead.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Usage(pub(crate) String);

/// Makes a [`Usage`] error.
pub(crate) fn usage(text: impl Into<String>) -> anyhow::Error {
    Usage(text.into()).into()
}

/// Nobody is there to answer; the sentence holds the exact command that does.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct NobodyThere(pub(crate) String);

/// A file that cannot be used as it is; what is wrong in it was shown already.
#[derive(Debug, thiserror::Error)]
#[error("{text}")]
pub(crate) struct WrongFile {
    pub(crate) text: String,
    /// What is wrong in it, as programs read it.
    pub(crate) diagnostics: Vec<serde_json::Value>,
}

impl WrongFile {
    /// Where a sentence says it all.
    pub(crate) fn new(text: impl Into<String>) -> Self {
        Self { text: text.into(), diagnostics: Vec::new() }
    }
}

/// A run was followed, and the command cannot go on; the run itself can.
#[derive(Debug, thiserror::Error)]
#[error("{run} is left where it is")]
pub(crate) struct LeftRun {
    pub(crate) run: RunId,
    /// What lets it go on.
    pub(crate) command: String,
}

/// The exit code of an error, and its text: what happened, what next, where more is told.
pub(crate) fn of_error(error: &anyhow::Error) -> (End, String) {
    if error.is::<Usage>() {
        return (End::Usage, format!("error: {error:#}\n"));
    }
    if error.is::<NobodyThere>() {
        return (End::Waiting, format!("{error:#}\n"));
    }
    if error.is::<WrongFile>() {
        return (End::WrongFile, format!("error: {error:#}\n"));
    }
    let left = error.downcast_ref::<LeftRun>();
    let code = code_of(error);
    let mut text = match (problem_of(error), left) {
        (Some(problem), _) => problem_text(problem),
        (None, None) => format!("error: {error:#}\n"),
        (None, Some(_)) => {
            let causes: Vec<String> = error.chain().skip(1).map(ToString::to_string).collect();
            format!("error: {}\n", causes.join(": "))
        }
    };
    if let Some(code) = code.as_deref().filter(|_| problem_of(error).is_none()) {
        text.push_str(&more(code));
    }
    if let Some(left) = left {
        text.push_str(&format!(
            "\n{} is left where it is; nothing is lost. It goes on with\n  {}\n",
            left.run, left.command
        ));
    }
    let end = match (code.as_deref(), left) {
        // Once somebody has made space.
        (Some("store.full"), Some(_)) => End::Waiting,
        (Some(code), _) => end_of_code(code),
        (None, _) => End::Failed,
    };
    (end, text)
}

fn end_of_code(code: &str) -> End {
    match code {
        // What was said on the command line, not what happened.
        "run.input" | "runtime.setting" | "serve.public" | "serve.public_url" | "flow.unknown" | "flow.no_token"
        | "hook.unknown" => End::Usage,
        _ if code.starts_with("flow.") || code == "app.file" => End::WrongFile,
        _ => End::Failed,
    }
}

/// The stable code of an error, where it has one.
pub(crate) fn code_of(error: &anyhow::Error) -> Option<String> {
    if let Some(problem) = problem_of(error) {
        return Some(problem.code.clone()).filter(|c| !c.is_empty());
    }
    let of_session = |error: &SessionError| error.code().map(ToOwned::to_owned);
    error.chain().find_map(|cause| match (cause.downcast_ref::<SessionError>(), cause.downcast_ref::<RuntimeError>()) {
        (Some(error), _) => of_session(error),
        (None, Some(error)) => Some(error.code().to_owned()),
        (None, None) => None,
    })
}

fn more(code: &str) -> String {
    format!("  more: flowdeck explain {code}\n")
}

/// The API's refusal in an error, where it is one.
pub(crate) fn problem_of(error: &anyhow::Error) -> Option<&Problem> {
    match error.downcast_ref::<CallError>() {
        Some(CallError::Problem(problem)) => Some(problem),
        _ => error.downcast_ref::<Problem>(),
    }
}

/// A refusal for people.
pub(crate) fn problem_text(problem: &Problem) -> String {
    let mut text = format!("error: {}\n", problem.title);
    for (field, wrong) in &problem.fields {
        let line = format!("{field}: {wrong}");
        if !problem.title.contains(&line) {
            text.push_str(&format!("  {line}\n"));
        }
    }
    if !problem.remedy.is_empty() {
        text.push_str(&format!("  {}\n", problem.remedy));
    }
    if !problem.code.is_empty() {
        text.push_str(&more(&problem.code));
    }
    text
}

/// As [`problem_text`], broken where the screen ends.
pub(crate) fn problem_on(problem: &Problem, style: Style) -> String {
    reflow(&problem_text(problem), style.text_width())
}

#[cfg(test)]
mod tests {
    use http::StatusCode;

    use super::*;

    #[test]
    fn a_run_that_is_left_is_told_how_it_goes_on() {
        let run: RunId = "run_01m8ppb6xrx1gk4e0rbrydk72r".parse().unwrap();
        let full = Problem::new(StatusCode::INSUFFICIENT_STORAGE, "store.full", "the disk is full");
        let left = || LeftRun { run, command: format!("flowdeck runs resume {run}") };
        let (end, text) = of_error(&anyhow::Error::new(full).context(left()));
        assert_eq!(end, End::Waiting, "{text}");
        assert!(text.starts_with("error: the disk is full\n"), "{text}");
        assert!(text.ends_with(&format!("goes on with\n  flowdeck runs resume {run}\n")), "{text}");
        let (end, text) = of_error(&anyhow::anyhow!("gone").context("while it read").context(left()));
        assert_eq!(end, End::Failed);
        assert!(text.starts_with("error: while it read: gone\n"), "{text}");
    }
}
