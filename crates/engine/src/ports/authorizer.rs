//! The authorization port: turns a card's need into a usable credential, or into a durable wait.
//!
//! Must never guess an account, and never hand a secret to the engine.
//! Tests: fakes in `crates/sim`; the real one in `crates/connections`.

use std::any::Any;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use flowdeck_model::connect::{Need, PromptReason};
use flowdeck_model::{ConnectionId, Fault, Millis, PromptId};

use super::store::{Op, StoreError};

/// A credential in use, as an opaque handle.
#[derive(Clone)]
pub struct Authorized {
    /// The connection.
    pub connection: ConnectionId,
    /// The generation of its grant.
    pub generation: u64,
    /// The verified account's stable id.
    pub subject: Option<String>,
    /// The verified account's readable name.
    pub account: Option<String>,
    /// The connection's form fields that are not secret (`domain`), for URLs.
    pub fields: Arc<BTreeMap<String, String>>,
    /// What the apps crate hands to egress (an `Arc<dyn egress::Credential>` inside).
    pub handle: Arc<dyn Any + Send + Sync>,
}

impl fmt::Debug for Authorized {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Authorized")
            .field("connection", &self.connection)
            .field("generation", &self.generation)
            .finish_non_exhaustive()
    }
}

/// What a wait for a connection waits on; a text so that it can be an index key:
/// `con:<id>`, `slot:<app>:<flow>:<slot>`, `app:<app>`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct WaitKey(pub String);

/// A wait that the engine must commit.
#[derive(Debug, Clone)]
pub struct Hold {
    /// What it waits on.
    pub on: WaitKey,
    /// Version of the registry that was seen; a later change makes the wait ready at once.
    pub seen: u64,
    /// Why.
    pub reason: PromptReason,
    /// The prompt that asks for it.
    pub prompt: PromptId,
    /// When the prompt gives up.
    pub deadline: Millis,
    /// Records (the prompt) that go into the very commit of the wait.
    pub ops: Vec<Op>,
}

/// Answer to a need.
#[derive(Debug, Clone)]
pub enum Decision {
    /// Go on with this credential; the operations (a first binding of the slot, an audit record) go into the
    /// commit before the effect.
    Ready(Authorized, Vec<Op>),
    /// Wait for a person.
    Wait(Hold),
    /// The provider or we are in trouble that may pass; the connection is not at fault.
    Later {
        /// Try again after.
        retry_ms: u64,
        /// For the journal, and for the person where it does not pass.
        fault: Fault,
    },
    /// Not to be used here (policy, disabled), or plainly the app's answer.
    Denied(Fault),
}

/// A definite refusal of a credential by the app.
#[derive(Debug, Clone, PartialEq)]
pub enum Loss {
    /// 401 or a body that says so.
    Unauthorized {
        /// The app's words, shortened.
        detail: String,
    },
    /// A scope is missing.
    Scope {
        /// Scopes named by the app; the card's own where it names none.
        scopes: Vec<String>,
        /// The app's words, shortened.
        detail: String,
    },
}

/// Decides about credentials.
#[async_trait]
pub trait Authorizer: Send + Sync {
    /// Finds the connection for a need, refreshes it where needed, and checks its scopes.
    ///
    /// # Errors
    /// Only when the store cannot be read or written.
    async fn authorize(&self, need: &Need) -> Result<Decision, StoreError>;

    /// Reports that the app refused a credential. A report about an older generation than the current one harms
    /// nothing: the answer is then `Ready` with the newer one.
    ///
    /// # Errors
    /// Only when the store cannot be read or written.
    async fn refused(&self, need: &Need, used: &Authorized, loss: Loss) -> Result<Decision, StoreError>;

    /// Reports that a credential worked.
    fn worked(&self, used: &Authorized);

    /// Whether anything about `on` changed after version `seen`, so that who waits should ask again.
    async fn changed(&self, on: &WaitKey, seen: u64) -> Result<bool, StoreError>;

    /// Keys changed since the last call, for waking who waits; returns when there is at least one.
    async fn next_changes(&self) -> Vec<WaitKey>;

    /// Reports that a run waits at a prompt no more, though nobody answered it: it was cancelled, failed or expired. Its
    /// wait is gone from the store when this is called. A prompt that nobody waits at is closed.
    ///
    /// # Errors
    /// Only when the store cannot be read or written.
    async fn left(&self, prompt: PromptId) -> Result<(), StoreError>;

    /// The account that a connection speaks for now: `(generation, subject)`. For in-doubt steps and cursors.
    async fn account(&self, connection: ConnectionId) -> Result<Option<(u64, Option<String>)>, StoreError>;
}
