//! The card port: evaluates function cards and performs actions.
//!
//! Must never see a credential: it gets an opaque handle.
//! Tests: fakes in `crates/sim`; the real host in `crates/apps` and `crates/flowdeck`.

use async_trait::async_trait;
use flowdeck_model::card::{Ambient, Catalogue};
use flowdeck_model::table::TableOp;
use flowdeck_model::{CardName, Fault, Fields, Millis, RunId, StepPath, Value};

use super::authorizer::{Authorized, Loss};

/// One call of an action.
#[derive(Debug, Clone)]
pub struct CardCall {
    /// The run.
    pub run: RunId,
    /// The step.
    pub path: StepPath,
    /// The card.
    pub card: CardName,
    /// Its inputs, converted to their types.
    pub inputs: Fields,
    /// The same in every attempt of a step until a person retries it: run id, step path, number of manual retries.
    pub idempotency_key: String,
    /// From 1.
    pub attempt: u32,
    /// The moment of the step.
    pub ambient: Ambient,
    /// When to give up (wall clock).
    pub deadline: Millis,
    /// Where the next page begins, for paged calls; `None` for the first.
    pub page: Option<Value>,
    /// Whether every page is wanted in one answer: so unless a loop takes them one by one.
    pub all_pages: bool,
    /// The connection, where the card needs one.
    pub authorized: Option<Authorized>,
}

/// What came of a call.
#[derive(Debug, Clone)]
pub enum CardOutcome {
    /// It happened.
    Done {
        /// Outputs by key.
        outputs: Fields,
        /// Where the next page begins; `None` at the end.
        next_page: Option<Value>,
    },
    /// A definite answer: it did not happen (or happened and reported an error; nothing to look up).
    Failed {
        /// Why.
        fault: Fault,
        /// Whether repeating may help (429, 5xx of a read); after this pause where the app says so.
        retry_after_ms: Option<u64>,
        /// Whether the fault may pass by itself.
        transient: bool,
    },
    /// A definite refusal of the credential or its scopes: it did not happen.
    Refused(Loss),
    /// No definite answer: it may or may not have happened.
    Unknown(Fault),
    /// To be carried out on our own tables inside a commit.
    Table(TableOp),
}

/// What a look-up says of a write in doubt.
#[derive(Debug, Clone)]
pub enum LookUp {
    /// It happened, with these outputs.
    Happened(Fields),
    /// It did not happen.
    DidNot,
    /// It cannot be told.
    CannotTell,
    /// The app refused the credential, so that nothing could be seen.
    Refused(Loss),
}

/// Finds, evaluates and performs cards.
#[async_trait]
pub trait CardHost: Catalogue {
    /// Computes a `Pure` or `Observe` function card. Must not block or do I/O.
    ///
    /// # Errors
    /// The card's [`Fault`].
    fn evaluate(&self, card: &CardName, inputs: Fields, ambient: &Ambient) -> Result<Fields, Fault>;

    /// Whether `evaluate` (and not `perform`) runs this card.
    fn is_function(&self, card: &CardName) -> bool;

    /// SHA-256 (hex) over the request that `perform` would send, for the intent record.
    ///
    /// # Errors
    /// A [`Fault`] where the inputs cannot make a request; the step then fails without an effect.
    fn request_hash(&self, call: &CardCall) -> Result<String, Fault>;

    /// Performs an action once: at most one writing request.
    async fn perform(&self, call: CardCall) -> CardOutcome;

    /// Looks a write in doubt up, with the same account.
    async fn look_up(&self, call: CardCall) -> LookUp;
}
