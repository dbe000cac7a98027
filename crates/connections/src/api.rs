//! What callers of the registry say and hear: requests to connect, attempts, preflight lines, errors.
//!
//! Must never hold a readable secret in an answer; what comes in is [`SecretText`].
//! Tests: `tests/connect.rs`, `tests/canary.rs`.

use std::collections::BTreeMap;
use std::sync::Arc;

use flowdeck_egress::Egress;
use flowdeck_engine::ports::{Clock, Op, Space, Store};
use flowdeck_model::app::AppDirectory;
use flowdeck_model::connect::{ConnectionView, Need, PromptReason, PromptState, PromptView};
use flowdeck_model::{
    AppName, AttemptId, CardName, ConnectionId, FlowName, Millis, Nickname, PromptId, RunId, SlotName,
};
use serde::{Deserialize, Serialize};

use crate::random::Random;
use crate::seal::MasterKey;
use crate::secret::SecretText;

/// What a registry is made of.
pub struct RegistryParts {
    /// Where everything durable lives.
    pub store: Arc<dyn Store>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// The way out.
    pub egress: Egress,
    /// The apps' auth declarations.
    pub apps: Arc<dyn AppDirectory>,
    /// Seals secrets at rest.
    pub key: MasterKey,
    /// What an operator may choose.
    pub options: RegistryOptions,
    /// Randomness; [`crate::OsRandom`] outside tests.
    pub random: Arc<dyn Random>,
}

impl std::fmt::Debug for RegistryParts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RegistryParts").field("options", &self.options).finish_non_exhaustive()
    }
}

/// What an operator may choose.
#[derive(Debug, Clone)]
pub struct RegistryOptions {
    /// Port of the loopback redirect URI that is registered with providers.
    pub redirect_port: u16,
    /// Where browsers come back when it is not this machine's loopback: `https://flows.example.com`.
    pub redirect_base: Option<String>,
    /// Hosts (`localhost`, `localhost:4400`) that may be spoken to over plain http, and may be private.
    pub allow_http_hosts: Vec<String>,
    /// How long a prompt waits for a person, in milliseconds.
    pub prompt_wait_ms: u64,
    /// How long an attempt to connect may take, in milliseconds; at most 10 minutes count for a browser's answer.
    pub attempt_ms: u64,
    /// Time for one call to a provider, in milliseconds.
    pub call_timeout_ms: u64,
    /// Shortest and longest pause after a failed refresh, in milliseconds. A provider may ask for a longer one, of an hour
    /// at most; by chance each is up to a quarter longer.
    pub backoff_ms: (u64, u64),
}

impl Default for RegistryOptions {
    fn default() -> Self {
        Self {
            redirect_port: 8917,
            redirect_base: None,
            allow_http_hosts: Vec::new(),
            prompt_wait_ms: 30 * 24 * 3_600_000,
            attempt_ms: 10 * 60_000,
            call_timeout_ms: 20_000,
            backoff_ms: (1_000, 300_000),
        }
    }
}

/// Where the person is who authorizes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Surface {
    /// A browser that comes back to a URI that somebody listens on; `None` for `Registry::redirect_uri`.
    Browser {
        /// The redirect URI, exactly as sent.
        redirect_uri: Option<String>,
    },
    /// A code typed on another device (RFC 8628).
    Device,
    /// A browser whose last URL (or the code in it) is pasted back.
    Paste {
        /// The redirect URI, exactly as sent.
        redirect_uri: Option<String>,
    },
    /// No person needed: form fields only, or client credentials.
    Direct,
}

/// A request to connect, repair or widen.
#[derive(Debug, Clone)]
pub struct BeginConnect {
    /// The app.
    pub app: AppName,
    /// Which auth method; the connection's or the app's first where `None`.
    pub method: Option<String>,
    /// The nickname; the prompt's or one made from the app's name where `None`.
    pub nickname: Option<Nickname>,
    /// The form. For a repair, what is left out stays as it was.
    pub fields: BTreeMap<String, SecretText>,
    /// Scopes to ask for instead of the app's usual ones. What a prompt needs and what is granted is always added.
    pub scopes: Option<Vec<String>>,
    /// The prompt this answers.
    pub prompt: Option<PromptId>,
    /// The connection to repair or widen.
    pub connection: Option<ConnectionId>,
    /// Where the person is.
    pub surface: Surface,
}

impl BeginConnect {
    /// A request with an empty form for the app's first method.
    #[must_use]
    pub fn new(app: AppName, surface: Surface) -> Self {
        Self {
            app,
            method: None,
            nickname: None,
            fields: BTreeMap::new(),
            scopes: None,
            prompt: None,
            connection: None,
            surface,
        }
    }
}

/// One attempt to connect and what comes next.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Attempt {
    /// Its id.
    pub id: AttemptId,
    /// What comes next.
    pub step: AttemptStep,
}

/// What comes next in an attempt.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "step")]
#[non_exhaustive]
pub enum AttemptStep {
    /// Connected.
    Done {
        /// The connection.
        connection: Box<ConnectionView>,
        /// The connection that answered its prompt meanwhile: what waited goes on with that one, and nothing uses the
        /// new one yet.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        meanwhile: Option<Nickname>,
    },
    /// Open this in a browser.
    Browser {
        /// Where to send the browser.
        authorize_url: String,
        /// Where it comes back.
        redirect_uri: String,
        /// The attempt's state, single use.
        state: String,
    },
    /// Type this code there, then poll.
    Device {
        /// The code.
        user_code: String,
        /// Where to type it.
        verification_uri: String,
        /// The same with the code in it, where the provider gives one.
        verification_uri_complete: Option<String>,
        /// Seconds between polls; earlier polls are answered without a call.
        interval_s: u64,
        /// When the code ends.
        expires_at: Millis,
    },
    /// It is another account than before: switch, or not? Answer with `Registry::confirm`.
    ConfirmAccount {
        /// The account so far.
        was: String,
        /// The account that was authorized now.
        now: String,
        /// The connection in question.
        connection: ConnectionId,
    },
    /// It ended without a connection.
    Failed(AttemptFault),
}

/// Why an attempt ended without a connection.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AttemptFault {
    /// Stable code: `refused`, `declined`, `expired`, `provider`, `setup`, `unreachable`, `kept`, `interrupted`.
    pub code: String,
    /// What happened, for the person who must act.
    pub message: String,
    /// What to do next.
    pub remedy: String,
}

/// One line of a preflight: a slot, what it needs, and whether it has it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PreflightLine {
    /// The slot's need; scopes of all its cards together.
    pub need: Need,
    /// The connection that would be used, where one is found.
    pub connection: Option<ConnectionView>,
    /// Why it is not ready; `None` when it is.
    pub reason: Option<PromptReason>,
    /// Scopes that the connection lacks.
    pub missing_scopes: Vec<String>,
    /// The prompt that would ask for it: not stored yet unless it was open before.
    pub prompt: Option<PromptView>,
}

/// Which prompts to list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PromptFilter {
    /// Only of this app.
    pub app: Option<AppName>,
    /// Only in this state; every state where `None`.
    pub state: Option<PromptState>,
}

impl PromptFilter {
    /// Open prompts of every app.
    #[must_use]
    pub fn open() -> Self {
        Self { app: None, state: Some(PromptState::Open) }
    }
}

/// What to bind to a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BindTarget {
    /// Every slot of a prompt, which is then answered.
    Prompt(PromptId),
    /// One slot.
    Slot {
        /// The flow that declares it.
        flow: FlowName,
        /// The slot.
        slot: SlotName,
    },
}

/// What became of the provider's side of a removed connection.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Revocation {
    /// The provider took the grant back.
    Done,
    /// The app declares no way to revoke; remove it in the app's own settings.
    NotOffered,
    /// The provider did not confirm; remove it in the app's own settings.
    Failed {
        /// Why.
        why: String,
    },
}

/// What removing a connection did and whom it concerns.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Disconnected {
    /// The connection as it was.
    pub connection: ConnectionView,
    /// The provider's side.
    pub revocation: Revocation,
    /// Slots bound to it: they need a choice now.
    pub slots: Vec<(FlowName, SlotName)>,
    /// Open prompts that waited for it.
    pub prompts: Vec<PromptId>,
}

/// What a test of a connection showed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Tested {
    /// The connection after the test.
    pub connection: ConnectionView,
    /// Whether the credential works; `None` where that cannot be told: the app has no probe, or does not answer.
    pub works: Option<bool>,
    /// A sentence.
    pub message: String,
}

/// What an audit record tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum AuditKind {
    /// A card used it.
    Use,
    /// It was made.
    Connect,
    /// It was authorized again.
    Repair,
    /// It speaks for another account now.
    Switch,
    /// Its token was renewed.
    Refresh,
    /// Its grant was found dead.
    Lost,
    /// A slot was bound to it.
    Bind,
    /// It was renamed.
    Rename,
    /// It was switched off.
    Disable,
    /// It was switched on.
    Enable,
    /// It was removed.
    Disconnect,
    /// The first administrator was made.
    SetUp,
    /// Somebody signed in.
    SignIn,
    /// Somebody was not let in.
    SignInRefused,
    /// Somebody signed out.
    SignOut,
    /// A password was set.
    PasswordSet,
    /// A user was added.
    UserAdd,
    /// A user was given another role.
    RoleChange,
    /// A user was shut out.
    UserDisable,
    /// A user was let in again.
    UserEnable,
    /// A user was removed.
    UserRemove,
    /// An API token was made.
    TokenMake,
    /// An API token was revoked.
    TokenRevoke,
}

/// One audit record, of a connection or of a person. No secret.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AuditRecord {
    /// When.
    pub at: Millis,
    /// What.
    pub kind: AuditKind,
    /// Which connection, where it is of one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connection: Option<ConnectionId>,
    /// Its generation then.
    #[serde(default)]
    pub generation: u64,
    /// Who did it, or who was not let in; unknown where nobody has the name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub who: Option<String>,
    /// The card, for a use.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub card: Option<CardName>,
    /// The run, for a use.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<RunId>,
    /// More, in words.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub detail: String,
}

impl AuditRecord {
    /// What adds it to a commit. The random bytes tell it from others of the same moment.
    #[must_use]
    pub fn op(&self, random: [u8; 8]) -> Op {
        let mut key = self.at.0.to_be_bytes().to_vec();
        key.extend_from_slice(&random);
        Op::Put { space: Space::Audit, key, value: crate::record::encode(self) }
    }
}
