//! Connections, prompts and attempts as they travel.
//!
//! Must never hold a secret in an answer; secrets come in as [`SecretText`] and are consumed.
//! Tests: `tests/api.rs`.

use std::collections::BTreeMap;

use flowdeck::connections::{AuditRecord, BeginConnect, SecretText, Surface};
use flowdeck::model::connect::{ConnectionView, PromptView};
use flowdeck::model::{AppName, ConnectionId, FlowName, Nickname, PromptId, SlotName};
use serde::{Deserialize, Serialize};

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

/// The answer: what the slot used before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bound {
    /// The connection before this one; none where no run has used the slot yet.
    pub before: Option<ConnectionId>,
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

impl Connect {
    /// What the runtime is asked, with the surface as it is there.
    pub(crate) fn begin(self, surface: Surface) -> BeginConnect {
        let Self { app, method, nickname, fields, scopes, prompt, connection, surface: _ } = self;
        BeginConnect { app, method, nickname, fields, scopes, prompt, connection, surface }
    }
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

/// A secret on its way to the holder, over the local socket; of answers only the one that makes a token uses this.
pub(super) fn sent<S: serde::Serializer>(secret: &SecretText, s: S) -> Result<S::Ok, S::Error> {
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

/// `GET /v1/audit?limit=&before=`: what was done with connections and by people, newest first.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AuditList {
    /// The records.
    pub records: Vec<AuditRecord>,
}
