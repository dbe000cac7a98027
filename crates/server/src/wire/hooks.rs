//! Hooks of apps on the wire, and how an event gets to its flow.
//!
//! Must never hold a secret, but in the one answer that made it. Tests: `tests/hooks.rs`.

use flowdeck::connections::SecretText;
use flowdeck::model::{AppName, ConnectionId, Millis, Nickname, PromptId, Value};
use flowdeck::{Arrives, HookView, MadeHook};
use serde::{Deserialize, Serialize};

/// An address that an app pushes to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hook {
    /// Its id.
    pub id: String,
    /// The app.
    pub app: AppName,
    /// Its address below the server's.
    pub path: String,
    /// How a delivery proves who sends it.
    pub proof: String,
    /// Whether it has a secret: without one nothing is taken.
    pub has_secret: bool,
    /// Only flows that use this connection are started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connection: Option<ConnectionId>,
    /// When it was made.
    pub made: Millis,
    /// When a delivery was taken last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delivered: Option<Millis>,
}

impl From<HookView> for Hook {
    fn from(hook: HookView) -> Self {
        let HookView { id, app, connection, path, proof, has_secret, made, delivered } = hook;
        Self { id, app, path, proof, has_secret, connection, made, delivered }
    }
}

/// `GET /v1/hooks`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct HookList {
    /// All of them.
    pub hooks: Vec<Hook>,
}

/// `POST /v1/hooks`, on the local socket only; the answer is a [`NewHook`].
#[derive(Debug, Deserialize)]
pub struct AddHook {
    /// The app.
    pub app: AppName,
    /// Only for flows that use this connection.
    #[serde(default)]
    pub connection: Option<Nickname>,
    /// The secret, where the app made it already.
    #[serde(default)]
    pub secret: Option<SecretText>,
}

/// `POST /v1/hooks/{id}/secret`, on the local socket only; the answer is a [`NewHook`].
#[derive(Debug, Default, Deserialize)]
pub struct HookSecret {
    /// The app's secret; one is made where it is left out.
    #[serde(default)]
    pub secret: Option<SecretText>,
}

impl AddHook {
    /// What a command sends: the one place where the secret leaves it.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let secret = self.secret.as_ref().map(SecretText::expose);
        serde_json::json!({ "app": self.app, "connection": self.connection, "secret": secret })
    }
}

impl HookSecret {
    /// As [`AddHook::to_json`].
    #[must_use]
    pub fn to_json(&self) -> Value {
        serde_json::json!({ "secret": self.secret.as_ref().map(SecretText::expose) })
    }
}

/// A hook that was made or has a new secret.
#[derive(Debug, Deserialize)]
pub struct NewHook {
    /// The hook.
    pub hook: Hook,
    /// The secret, where it was made here: this once.
    #[serde(default)]
    pub secret: Option<SecretText>,
    /// Whether the app makes the secret.
    pub app_makes_secret: bool,
}

impl NewHook {
    /// The one place where a secret leaves.
    pub(crate) fn to_json(made: MadeHook) -> Value {
        let secret = made.secret.as_ref().map(|secret| secret.expose().to_owned());
        let (hook, app_makes_secret) = (Hook::from(made.hook), made.app_makes_secret);
        serde_json::json!({ "hook": hook, "secret": secret, "app_makes_secret": app_makes_secret })
    }
}

/// How the event that starts a flow gets to it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Arrival {
    /// Whether an app here offers the event.
    pub is_known: bool,
    /// How the app proves that it sends, where it can push.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pushed: Option<String>,
    /// Addresses that it may push to.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hooks: Vec<Hook>,
    /// How the app is asked, where it can be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub poll: Option<Poll>,
}

/// How an app is asked for events.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Poll {
    /// How often, in seconds.
    pub every_s: u32,
    /// When next.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<Millis>,
    /// When the app answered last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answered: Option<Millis>,
    /// What went wrong since.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// The prompt that must be answered first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waits: Option<PromptId>,
}

impl From<Arrives> for Arrival {
    fn from(arrives: Arrives) -> Self {
        let poll = arrives.poll.map(|poll| Poll {
            every_s: poll.every_s,
            next: poll.next,
            answered: poll.answered,
            error: poll.error,
            waits: poll.waits,
        });
        let hooks = arrives.hooks.into_iter().map(Hook::from).collect();
        Self { is_known: arrives.is_known, pushed: arrives.pushed, hooks, poll }
    }
}
