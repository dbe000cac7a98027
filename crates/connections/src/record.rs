//! Stored records and their keys. JSON with a version; secrets inside are sealed, as hex.
//!
//! Must never be shown as they are: views are made in `registry`. Unknown fields of newer versions are ignored.
//! Tests: `tests/connect.rs`, `tests/refresh.rs`.

use std::collections::BTreeMap;

use flowdeck_model::connect::{ConnectionState, PromptReason};
use flowdeck_model::{AppName, AttemptId, ConnectionId, FlowName, Millis, Nickname, PromptId, SlotName};
use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use crate::api::AttemptFault;

/// A connection. Key `c/<id>` in Connections; its name is `n/<app>/<nickname>`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct ConnectionRecord {
    pub(crate) v: u32,
    pub(crate) id: ConnectionId,
    pub(crate) app: AppName,
    pub(crate) app_version: String,
    pub(crate) nickname: Nickname,
    pub(crate) method: String,
    pub(crate) state: ConnectionState,
    pub(crate) state_reason: String,
    /// The app registration is at fault: the prompt says so instead of "lost".
    pub(crate) setup: bool,
    pub(crate) subject: Option<String>,
    pub(crate) account: Option<String>,
    pub(crate) fields: IndexMap<String, String>,
    pub(crate) requested: Vec<String>,
    pub(crate) granted: Option<Vec<String>>,
    pub(crate) generation: u64,
    pub(crate) proved_at: Option<Millis>,
    pub(crate) issued_at: Millis,
    pub(crate) expires_at: Option<Millis>,
    pub(crate) renewable: bool,
    pub(crate) created_at: Millis,
    /// Refusals since the credential last worked.
    pub(crate) refusals: u32,
    /// Failed refreshes in a row, and when the next one may be tried.
    pub(crate) streak: u32,
    pub(crate) retry_at: Option<Millis>,
    /// When the first of these failures was.
    #[serde(default)]
    pub(crate) trouble_since: Option<Millis>,
}

/// Sealed texts by name. Key `g/<id>/<generation>` in Grants.
pub(crate) type SealedTexts = BTreeMap<String, String>;

/// A token call that may be under way. Key `i/<id>` in Grants.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Intent {
    pub(crate) generation: u64,
    pub(crate) started_at: Millis,
    pub(crate) fingerprint: String,
}

/// A prompt's unchanging part. Key `p/<id>`; `k/<key>` points at the open one; `d/<id>` marks its end.
///
/// The parts are separate keys because the engine commits them later than we decide: no late put can reopen a prompt
/// or drop another waiter.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct PromptHead {
    pub(crate) v: u32,
    pub(crate) id: PromptId,
    pub(crate) key: String,
    pub(crate) app: AppName,
    pub(crate) reason: PromptReason,
    pub(crate) connection: Option<ConnectionId>,
    pub(crate) nickname: Option<Nickname>,
    pub(crate) detail: String,
    pub(crate) created_at: Millis,
    pub(crate) deadline: Millis,
}

/// A card that waits, and until when. Key `m/<prompt>/<hash of slot and card>`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Member {
    pub(crate) flow: FlowName,
    pub(crate) slot: SlotName,
    pub(crate) card: String,
    pub(crate) scopes: Vec<String>,
    pub(crate) deadline: Millis,
    /// It was raised before a run, which may still come: nothing waits yet.
    #[serde(default)]
    pub(crate) raised: bool,
}

/// Where an attempt stands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Phase {
    Pending,
    Consumed,
    Candidate {
        was: String,
        now: String,
        subject: Option<String>,
        account: Option<String>,
        granted: Option<Vec<String>>,
        expires_at: Option<Millis>,
    },
    Done {
        connection: ConnectionId,
        /// What answered its prompt before it could.
        #[serde(default)]
        meanwhile: Option<Nickname>,
    },
    Failed(AttemptFault),
}

/// An attempt to connect. Key `a/<id>` in Attempts; `s/<hash of state>` finds it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct AttemptRecord {
    pub(crate) v: u32,
    pub(crate) id: AttemptId,
    pub(crate) app: AppName,
    pub(crate) method: String,
    pub(crate) nickname: Nickname,
    pub(crate) fields: IndexMap<String, String>,
    pub(crate) requested: Vec<String>,
    pub(crate) prompt: Option<PromptId>,
    pub(crate) connection: Option<ConnectionId>,
    pub(crate) redirect_uri: Option<String>,
    pub(crate) state_hash: Option<String>,
    pub(crate) expires_at: Millis,
    pub(crate) interval_s: u64,
    pub(crate) next_poll: Millis,
    pub(crate) device: Option<(String, String, Option<String>)>,
    pub(crate) sealed: SealedTexts,
    pub(crate) phase: Phase,
}

pub(crate) fn key(kind: &str, id: &[u8]) -> Vec<u8> {
    let mut out = kind.as_bytes().to_vec();
    out.push(b'/');
    out.extend_from_slice(id);
    out
}

pub(crate) fn grant_key(id: ConnectionId, generation: u64) -> Vec<u8> {
    let mut out = key("g", &id.to_bytes());
    out.extend_from_slice(&generation.to_be_bytes());
    out
}

pub(crate) fn name_key(app: &AppName, nickname: &Nickname) -> Vec<u8> {
    key("n", format!("{app}/{nickname}").as_bytes())
}

pub(crate) fn binding_key(kind: &str, app: &AppName, flow: &FlowName, slot: &SlotName) -> Vec<u8> {
    key(kind, format!("{app}/{flow}/{slot}").as_bytes())
}

pub(crate) fn member_key(prompt: PromptId, flow: &FlowName, slot: &SlotName, card: &str) -> Vec<u8> {
    let mut out = key("m", &prompt.to_bytes());
    out.extend_from_slice(&digest(&format!("{flow}/{slot}/{card}"))[..16]);
    out
}

pub(crate) fn digest(text: &str) -> [u8; 32] {
    use sha2::Digest;
    sha2::Sha256::digest(text.as_bytes()).into()
}

/// JSON of a record of ours.
pub(crate) fn encode<T: Serialize>(record: &T) -> Vec<u8> {
    serde_json::to_vec(record).expect("our records are plain data with text keys")
}
