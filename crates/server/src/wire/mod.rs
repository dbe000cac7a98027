//! What travels over the HTTP API, the same on the local socket and on TCP.
//!
//! Must never hold a secret in an answer; secrets come in as [`SecretText`] and are consumed.
//! Tests: `tests/api.rs`.

use std::collections::BTreeMap;

use flowdeck::connections::PreflightLine;
use flowdeck::engine::{Entry, RunSummary, RunView};
use flowdeck::model::{CardId, Fields, FlowName, Millis, RunId, StepPath, Value};
use serde::{Deserialize, Serialize};

mod connect;
mod hooks;
mod library;
mod people;
mod rehearse;
mod served;

pub use connect::*;
pub use hooks::*;
pub use library::*;
pub use people::*;
pub use rehearse::*;
pub use served::*;

/// Version of this protocol; a command talks only to a holder of the same one.
pub const PROTOCOL: u32 = 1;

/// `GET /v1/about`: the version handshake.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct About {
    /// [`PROTOCOL`] of the holder.
    pub protocol: u32,
    /// Its program version.
    pub version: String,
    /// Its process id.
    pub pid: u32,
    /// The data folder that it holds.
    pub data: String,
}

/// A flow file as text; the holder never reads files of its guests.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FlowFile {
    /// Its name, for messages; `.json` at its end makes it JSON.
    pub name: String,
    /// Its text.
    pub text: String,
    /// Which flow, where it holds several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub flow: Option<FlowName>,
    /// Texts of helpers in files of their own, by their paths as seen from where `name` is seen.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub files: BTreeMap<String, String>,
}

/// `POST /v1/flows/check`: [`FlowFile`] in, this out; a file with errors is no error of the call.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FlowCheck {
    /// The flows that could be read.
    pub flows: Vec<FlowName>,
    /// Whether there are errors, and not only warnings.
    pub has_errors: bool,
    /// What is wrong, each as `Diagnostic::to_json`.
    pub diagnostics: Vec<Value>,
}

/// `POST /v1/preflight`: [`FlowFile`] in, this out. `POST /v1/prompts/raise` answers the same and stores the prompts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Preflight {
    /// The flow.
    pub flow: FlowName,
    /// One line a slot.
    pub lines: Vec<PreflightLine>,
}

/// `POST /v1/runs`: accepts a run; the answer is its [`RunView`], durable. It is driven by the holder.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StartRun {
    /// The flow.
    pub file: FlowFile,
    /// Values of its inputs; texts are converted to the declared types.
    #[serde(default)]
    pub input: Fields,
    /// The event that starts it, where an event card does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event: Option<Fields>,
    /// A second start with the same key answers the first one's run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idempotency_key: Option<String>,
}

/// `GET /v1/runs?flow=&status=&cursor=&limit=`: runs, newest first, without their values. One with all of it:
/// `GET /v1/runs/{id}`;
/// `GET /v1/runs/{id}/wait?past_waits=&within_ms=` answers when it has stopped, at the latest after `within_ms`
/// (60,000 at most). `POST /v1/runs/{id}/cancel` and `/resume` need no body.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunList {
    /// The runs.
    pub runs: Vec<RunSummary>,
    /// `cursor` of the next page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<RunId>,
}

/// `GET /v1/runs/{id}/entries?after=&limit=`: history.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EntryList {
    /// The entries.
    pub entries: Vec<Entry>,
}

/// One event of `GET /v1/runs/{id}/events?after=&follow=` (server-sent events; `id` is the entry's number; `Last-Event-ID` resumes).
/// The stream ends after [`RunEvent::Stopped`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "type")]
pub enum RunEvent {
    /// A committed entry of history.
    Entry {
        /// The entry.
        entry: Entry,
    },
    /// Something that is not committed yet: an action began, a step ended.
    Provisional {
        /// When.
        at: Millis,
        /// The step.
        path: StepPath,
        /// `step_started`, `step_finished`, `step_failed`.
        what: String,
        /// The card, where it is known.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        card: Option<String>,
    },
    /// The run ended, only waits, or cannot be driven by this process (`set_aside`). The stream ends here unless it was asked to `follow=true` waits.
    Stopped {
        /// The run.
        run: Box<RunView>,
    },
}

/// `POST /v1/runs/{id}/retry`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Retry {
    /// An earlier card to begin at; the failed one where not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<CardId>,
}

/// `POST /v1/runs/{id}/signal`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Signal {
    /// The signal's name.
    pub name: String,
    /// What it carries.
    #[serde(default)]
    pub payload: Value,
}

/// `POST /v1/runs/{id}/approve` and `/reject`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decide {
    /// The step, where several wait.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<StepPath>,
    /// Who decides.
    #[serde(default)]
    pub by: String,
    /// Why.
    #[serde(default)]
    pub comment: String,
}

/// `POST /v1/runs/{id}/settle`: a person's word about a write in doubt.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Settle {
    /// The step.
    pub path: StepPath,
    /// What happened.
    #[serde(flatten)]
    pub how: SettleHow,
}

/// What a person says of a write in doubt.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "how")]
pub enum SettleHow {
    /// It happened, with these outputs.
    Happened {
        /// The step's outputs.
        #[serde(default)]
        outputs: Fields,
    },
    /// It did not; it is sent again.
    DidNot,
    /// Nobody knows; the step fails.
    GiveUp,
}

/// An error answer (RFC 9457, `application/problem+json`).
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, thiserror::Error)]
#[error("{title}")]
pub struct Problem {
    /// HTTP status.
    pub status: u16,
    /// Stable code; `flowdeck explain CODE` has more.
    pub code: String,
    /// What happened.
    pub title: String,
    /// What to do next.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub remedy: String,
    /// When to try again, in seconds; in the header `Retry-After` too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after_s: Option<u64>,
    /// What is wrong with a flow file, each as `Diagnostic::to_json`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub diagnostics: Vec<Value>,
    /// What is wrong with a form: field key to sentence.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub fields: BTreeMap<String, String>,
}
