//! What travels over the HTTP API, the same on the local socket and on TCP.
//!
//! Must never hold a secret in an answer; secrets come in as [`SecretText`] and are consumed.
//! Tests: `tests/api.rs`.

use std::collections::BTreeMap;

use flowdeck::connections::{PreflightLine, SecretText};
use flowdeck::engine::{Entry, RunView};
use flowdeck::model::connect::{ConnectionView, PromptView};
use flowdeck::model::{
    AppName, CardId, ConnectionId, Fields, FlowName, Millis, Nickname, PromptId, RunId, SlotName, StepPath, Value,
};
use serde::{Deserialize, Serialize};

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

/// `GET /v1/runs?flow=&status=&cursor=&limit=`: runs, newest first.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunList {
    /// The runs.
    pub runs: Vec<RunView>,
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

/// One event of `GET /v1/runs/{id}/events` (server-sent events; `id` is the entry's number; `Last-Event-ID` resumes).
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
    /// The run ended, or only waits. The stream ends here unless it was asked to `follow=true` waits.
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

/// `GET /v1/prompts?state=open|answered|closed&app=`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PromptList {
    /// The prompts.
    pub prompts: Vec<PromptView>,
}

/// `POST /v1/prompts/{id}/use`: answers a prompt with a connection that is there. `POST /v1/prompts/{id}/close` needs no body.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UseConnection {
    /// The connection.
    pub connection: ConnectionId,
}

/// `POST /v1/bindings`: binds one slot of a flow.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bind {
    /// The flow.
    pub flow: FlowName,
    /// The slot.
    pub slot: SlotName,
    /// The connection.
    pub connection: ConnectionId,
}

/// `POST /v1/attempts`: begins to connect; the answer is an `Attempt`. Then `GET /v1/attempts/{id}`,
/// `POST /v1/attempts/{id}/poll`, `/paste` ([`Paste`]), `/confirm` ([`Confirm`]).
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Connect {
    /// The app.
    pub app: AppName,
    /// Key of the auth method; the first where not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub method: Option<String>,
    /// The nickname.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nickname: Option<Nickname>,
    /// The form.
    #[serde(default, serialize_with = "sent_form")]
    pub fields: BTreeMap<String, SecretText>,
    /// Scopes to ask for instead of the usual ones.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scopes: Option<Vec<String>>,
    /// The prompt it answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prompt: Option<PromptId>,
    /// The connection to repair or widen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connection: Option<ConnectionId>,
    /// Where the person is.
    pub surface: SurfaceName,
}

/// Where the person is who authorizes. With `browser` the holder itself listens on the redirect URI.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SurfaceName {
    /// A browser on this machine.
    Browser,
    /// A code typed on another device.
    Device,
    /// A browser whose last URL is pasted back.
    Paste,
    /// No person: form fields only.
    Direct,
}

/// `POST /v1/attempts/{id}/paste`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Paste {
    /// The browser's last URL, or its query.
    #[serde(serialize_with = "sent")]
    pub text: SecretText,
}

/// A secret on its way to the holder, over the local socket; answers never use this.
fn sent<S: serde::Serializer>(secret: &SecretText, s: S) -> Result<S::Ok, S::Error> {
    s.serialize_str(secret.expose())
}

fn sent_form<S: serde::Serializer>(form: &BTreeMap<String, SecretText>, s: S) -> Result<S::Ok, S::Error> {
    s.collect_map(form.iter().map(|(key, secret)| (key, secret.expose())))
}

/// `POST /v1/attempts/{id}/confirm`: whether the connection may speak for another account from now on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Confirm {
    /// Yes or no.
    pub accept: bool,
}

/// `GET /v1/connections?app=`. One: `GET /v1/connections/{id}`; `DELETE` disconnects; `POST …/test`, `…/rename`
/// ([`Rename`]), `…/switch` ([`Switch`]).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ConnectionList {
    /// The connections.
    pub connections: Vec<ConnectionView>,
}

/// `POST /v1/connections/{id}/rename`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rename {
    /// The new name.
    pub nickname: Nickname,
}

/// `POST /v1/connections/{id}/switch`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Switch {
    /// On or off.
    pub on: bool,
    /// Why it is off.
    #[serde(default)]
    pub reason: String,
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
    /// What is wrong with a flow file, each as `Diagnostic::to_json`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub diagnostics: Vec<Value>,
    /// What is wrong with a form: field key to sentence.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub fields: BTreeMap<String, String>,
}
