//! Connections and prompts as everybody outside the registry sees them. No secret can be in here.
//!
//! Must never hold grant material.
//! Tests: `crates/connections`.

use serde::{Deserialize, Serialize};

use crate::app::AuthField;
use crate::ids::{ConnectionId, PromptId, RunId};
use crate::names::{AppName, CardName, FlowName, Nickname, SlotName};
use crate::path::StepPath;
use crate::time::Millis;

/// State of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ConnectionState {
    /// Made, never authorized yet.
    Unbound,
    /// Works as far as is known.
    Active,
    /// Recent trouble that may pass.
    Degraded,
    /// The grant is gone; a person must reauthorize.
    NeedsReauth,
    /// Switched off by an administrator.
    Disabled,
}

/// A connection, without any secret.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ConnectionView {
    /// Its id for ever.
    pub id: ConnectionId,
    /// The app.
    pub app: AppName,
    /// Unique per app.
    pub nickname: Nickname,
    /// Which auth method it uses.
    pub method: String,
    /// Its state.
    pub state: ConnectionState,
    /// Why, where the state asks for an explanation.
    #[serde(default)]
    pub state_reason: String,
    /// The account's readable name, as verified.
    #[serde(default)]
    pub account: Option<String>,
    /// The account's stable id, as verified.
    #[serde(default)]
    pub subject: Option<String>,
    /// Form fields that are not secret (`domain`, `client_id`).
    #[serde(default)]
    pub fields: indexmap::IndexMap<String, String>,
    /// Scopes asked for.
    #[serde(default)]
    pub requested: Vec<String>,
    /// Scopes granted; `None` where the app has none.
    #[serde(default)]
    pub granted: Option<Vec<String>>,
    /// Rises with each new grant.
    pub generation: u64,
    /// When the credential last worked.
    #[serde(default)]
    pub proved_at: Option<Millis>,
    /// When the access token ends.
    #[serde(default)]
    pub expires_at: Option<Millis>,
    /// When it was made.
    pub created_at: Millis,
    /// How many runs wait for it.
    #[serde(default)]
    pub waiting: u64,
}

/// Why a connection is needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PromptReason {
    /// There is none yet.
    Missing,
    /// There are several and nothing says which.
    Choose,
    /// The grant is gone.
    Lost,
    /// It lacks a scope.
    Scope,
    /// The app registration is at fault (client id or secret).
    Setup,
}

/// What a card needs of a connection.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Need {
    /// The app.
    pub app: AppName,
    /// The flow that declares the slot.
    pub flow: FlowName,
    /// The slot.
    pub slot: SlotName,
    /// The nickname that the slot suggests.
    #[serde(default)]
    pub nickname: Option<Nickname>,
    /// Scopes the card needs.
    #[serde(default)]
    pub scopes: Vec<String>,
    /// Scopes that other cards of the flow need at the same slot: the card does not wait for them, but a person is asked
    /// once for all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub also: Vec<String>,
    /// The card.
    pub card: CardName,
    /// The card's title.
    pub card_title: String,
    /// The run and its step; `None` during preflight of a run that does not exist yet.
    #[serde(default)]
    pub step: Option<(RunId, StepPath)>,
}

/// State of a prompt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PromptState {
    /// Waits for a person.
    Open,
    /// Answered; what waited goes on.
    Answered,
    /// Its deadline passed, or nothing waits any more.
    Closed,
}

/// A connect prompt as data: what is needed, by which card, why, and how to answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PromptView {
    /// Its id.
    pub id: PromptId,
    /// Its state.
    pub state: PromptState,
    /// The app.
    pub app: AppName,
    /// The app's name on screens.
    pub app_title: String,
    /// Why.
    pub reason: PromptReason,
    /// A sentence for people: what happened, to which card, what to do.
    pub message: String,
    /// The slots that wait.
    pub slots: Vec<(FlowName, SlotName)>,
    /// Titles of the cards that wait.
    pub cards: Vec<String>,
    /// The nickname to suggest.
    pub nickname: Nickname,
    /// The connection to repair, where there is one.
    #[serde(default)]
    pub connection: Option<ConnectionId>,
    /// Scopes to ask for: granted and needed together.
    #[serde(default)]
    pub scopes: Vec<String>,
    /// Ways to answer with a new connection.
    pub methods: Vec<PromptMethod>,
    /// Connections of the app that could be used instead.
    #[serde(default)]
    pub others: Vec<ConnectionView>,
    /// How many runs wait.
    pub waiting: u64,
    /// When it was raised.
    pub created_at: Millis,
    /// When it gives up.
    pub deadline: Millis,
}

/// One way to answer a prompt with a new authorization.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PromptMethod {
    /// Key of the auth method.
    pub key: String,
    /// Its name on screens.
    pub title: String,
    /// The form, besides the nickname.
    pub fields: Vec<AuthField>,
    /// Values already known for fields that are not secret.
    #[serde(default)]
    pub known: indexmap::IndexMap<String, String>,
    /// "Need help?" as Markdown, placeholders filled.
    pub help: String,
    /// The redirect URI to register, where it must be.
    #[serde(default)]
    pub redirect_uri: Option<String>,
    /// Whether a browser consent follows the form.
    pub browser: bool,
    /// Whether a device code can be used.
    pub device: bool,
}
