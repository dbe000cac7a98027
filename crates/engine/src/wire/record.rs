//! The record of a run: status and summary, kept until retention ends.
//!
//! Must never hold what is needed to go on: that is the state's.
//! Tests: below.

use flowdeck_model::{Fault, Fields, FlowHash, FlowName, Millis, RunId, StepPath, Value};
use serde::{Deserialize, Serialize};

use super::entry::WaitReason;

/// Where a run is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Ready or at work.
    Running,
    /// Waits for time, a signal, an approval or a connection.
    Waiting,
    /// A person must say whether a write happened.
    InDoubt,
    /// Ended well.
    Finished,
    /// Ended with a fault; can be retried.
    Failed,
    /// Ended by a person.
    Cancelled,
    /// A wait came to its deadline; can be resumed.
    Expired,
}

impl Status {
    /// The word for it in sentences.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Waiting => "waiting",
            Self::InDoubt => "in doubt",
            Self::Finished => "finished",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
            Self::Expired => "expired",
        }
    }

    /// Whether the run has ended (an expired one can still be resumed, a failed one retried).
    #[must_use]
    pub fn is_ended(self) -> bool {
        matches!(self, Self::Finished | Self::Failed | Self::Cancelled | Self::Expired)
    }
}

/// A wait as seen from outside.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct WaitView {
    /// The step.
    pub path: StepPath,
    /// For what.
    pub reason: WaitReason,
    /// When it gives up.
    #[serde(default)]
    pub deadline: Option<Millis>,
}

/// A raw HTTP answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RawAnswer {
    /// HTTP status.
    pub status: u16,
    /// Headers by name.
    pub headers: Vec<(String, String)>,
    /// The body: text as it is, anything else as JSON.
    pub body: Value,
}

/// Numbers about a run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Steps that ended well.
    pub steps: u64,
    /// Attempts at actions.
    pub attempts: u64,
    /// Steps and attempts that failed.
    pub faults: u64,
    /// Entries in history.
    pub entries: u64,
}

/// Status and summary of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunView {
    /// Its id.
    pub id: RunId,
    /// Its flow (the helper, for a run of *call flow async*).
    pub flow: FlowName,
    /// The version it pins: the whole flow file, helpers included.
    pub hash: FlowHash,
    /// Where it is.
    pub status: Status,
    /// What it waits for; at most [`WAITS_SHOWN_MAX`] of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub waits: Vec<WaitView>,
    /// When it was accepted.
    pub started_at: Millis,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<Millis>,
    /// Input values; empty where the flow keeps no data and the run has ended.
    pub input: Fields,
    /// Fields of the event, where one started it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event: Option<Fields>,
    /// What it returned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<Fields>,
    /// The raw HTTP answer, where it returned one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub raw: Option<RawAnswer>,
    /// Whether Continue If ended it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub stopped: bool,
    /// Why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fault: Option<Fault>,
    /// The step that failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failed_at: Option<StepPath>,
    /// Writes whose outcome is not known.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unknown: Vec<StepPath>,
    /// Why this process cannot drive it and what a person can do; it is found again at the next start. Never stored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub set_aside: Option<Fault>,
    /// Who sends signals shows it; made at the run's start, so that a signal may come before its wait.
    pub token: String,
    /// As stored: `input` and `event` are in a chunk of their own. Never true of a record that was read.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub given_apart: bool,
    /// The run that started it with *call flow async*.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<RunId>,
    /// The helper that this run runs, where it was started with *call flow async*.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entry: Option<FlowName>,
    /// Numbers.
    pub counts: Counts,
}

/// Most waits listed in a record; the run itself may have more.
pub const WAITS_SHOWN_MAX: usize = 32;

impl RunView {
    /// The stored form.
    ///
    /// # Errors
    /// [`super::WireError`] where a value cannot be written.
    pub fn encode(&self) -> Result<Vec<u8>, super::WireError> {
        super::encode("run record", self)
    }

    /// From the stored form.
    ///
    /// # Errors
    /// [`super::WireError`] for anything else.
    pub fn decode(bytes: &[u8]) -> Result<Self, super::WireError> {
        super::decode("run record", bytes)
    }
}

/// Longest text of a summary, in characters.
const TEXT_MAX: usize = 300;

/// A run in a list: what a person needs to tell it from others. Its values are in its record ([`RunView`]), whose fields
/// these are.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunSummary {
    /// Its id.
    pub id: RunId,
    /// Its flow.
    pub flow: FlowName,
    /// The version it pins.
    pub hash: FlowHash,
    /// Where it is.
    pub status: Status,
    /// What it waits for; at most [`WAITS_SHOWN_MAX`] of them, long texts shortened.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub waits: Vec<WaitView>,
    /// When it was accepted.
    pub started_at: Millis,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<Millis>,
    /// Whether Continue If ended it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub stopped: bool,
    /// Why it failed: without the app's own body, a long text shortened.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fault: Option<Fault>,
    /// The step that failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failed_at: Option<StepPath>,
    /// Why this process cannot drive it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub set_aside: Option<Fault>,
    /// The run that started it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<RunId>,
    /// Numbers.
    pub counts: Counts,
}

impl RunSummary {
    /// Out of a stored record; its values are passed over without being kept.
    ///
    /// # Errors
    /// [`super::WireError`] for anything else.
    pub fn decode(bytes: &[u8]) -> Result<Self, super::WireError> {
        let mut summary: Self = super::decode("run record", bytes)?;
        for fault in summary.fault.iter_mut() {
            fault.body = Value::Null;
            shorten(&mut fault.message);
            shorten(&mut fault.remedy);
        }
        for wait in &mut summary.waits {
            match &mut wait.reason {
                WaitReason::Approval { message } | WaitReason::InDoubt { message, .. } => shorten(message),
                WaitReason::Signal { name } => shorten(name),
                WaitReason::Connection { .. } | WaitReason::Time { .. } | WaitReason::Retry { .. } => {}
            }
        }
        Ok(summary)
    }
}

fn shorten(text: &mut String) {
    if let Some((cut, _)) = text.char_indices().nth(TEXT_MAX) {
        text.truncate(cut);
        text.push('\u{2026}');
    }
}
