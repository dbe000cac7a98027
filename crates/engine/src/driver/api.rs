//! What callers of the engine give and get.
//!
//! Must never hold behaviour.
//! Tests: `tests/driver`.

use std::sync::Arc;

use flowdeck_model::{CardName, Fault, Fields, Flow, FlowHash, Millis, PromptId, RunId, StepPath};

use crate::machine::program::CompileError;
use crate::ports::{Authorizer, CardHost, Clock, Store, StoreError, Vault};
use crate::tables::TableError;
use crate::wire::WireError;
use crate::wire::entry::WaitReason;
use crate::wire::record::Status;

/// Bounds of the engine.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Most runs at work at once; others wait in the ready queue.
    pub active_runs_max: usize,
    /// Most callers that may wait for a place among the active runs; more are refused as busy.
    pub waiting_starts_max: usize,
    /// A commit comes at the latest after this long, in milliseconds.
    pub commit_after_ms: u64,
    /// A commit comes at the latest after this many steps.
    pub commit_after_steps: u32,
    /// A commit comes at the latest after this many bytes of outputs.
    pub commit_after_bytes: usize,
    /// An outcome of an effect is committed at most this much later, in milliseconds.
    pub outcome_within_ms: u64,
    /// Longest time of one attempt unless the card says otherwise, in milliseconds.
    pub attempt_ms: u64,
    /// How long runs wait for a person unless the flow says otherwise, in milliseconds.
    pub wait_ms: u64,
    /// How long the sealed state of a run that failed or expired is kept for a retry, in milliseconds.
    pub sealed_kept_ms: u64,
    /// Capacity of each subscriber's queue of notices.
    pub notices_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            active_runs_max: 256,
            waiting_starts_max: 10_000,
            commit_after_ms: 1_000,
            commit_after_steps: 256,
            commit_after_bytes: 256 << 10,
            outcome_within_ms: 50,
            attempt_ms: 300_000,
            wait_ms: 30 * 24 * 3_600_000,
            sealed_kept_ms: 7 * 24 * 3_600_000,
            notices_max: 1_024,
        }
    }
}

/// What an engine is made of.
#[derive(Clone)]
pub struct Parts {
    /// Where everything durable lives.
    pub store: Arc<dyn Store>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Cards.
    pub cards: Arc<dyn CardHost>,
    /// Connections.
    pub authorizer: Arc<dyn Authorizer>,
    /// Seals values that derive from secrets, and those of flows that keep no data.
    pub vault: Arc<dyn Vault>,
    /// Seed of all randomness (run ids, steps' seeds); from the system's source in production.
    pub seed: u64,
    /// Bounds.
    pub limits: Limits,
}

impl std::fmt::Debug for Parts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Parts").field("store", &self.store).field("limits", &self.limits).finish_non_exhaustive()
    }
}

/// A request to run a flow.
#[derive(Debug, Clone)]
pub struct Start {
    /// The flow with its helpers.
    pub flow: Arc<Flow>,
    /// Values for its inputs.
    pub input: Fields,
    /// Fields of the event that starts it.
    pub event: Option<Fields>,
    /// A second start with the same key (and flow name) answers the first one's run.
    pub idempotency_key: Option<String>,
    /// Its id, for a caller who must know it before the run has come anywhere; made where not given.
    pub id: Option<RunId>,
}

impl Start {
    /// A start by hand.
    #[must_use]
    pub fn new(flow: impl Into<Arc<Flow>>, input: Fields) -> Self {
        Self { flow: flow.into(), input, event: None, idempotency_key: None, id: None }
    }
}

/// A person's word about a write in doubt.
#[derive(Debug, Clone, PartialEq)]
pub enum Settlement {
    /// It happened, with these outputs.
    Happened(Fields),
    /// It did not; it is sent again.
    DidNot,
    /// Nobody knows; the step fails.
    GiveUp,
}

/// Which runs.
#[derive(Debug, Clone, Default)]
pub struct RunFilter {
    /// Only of this flow.
    pub flow: Option<flowdeck_model::FlowName>,
    /// Only with one of these; all where empty.
    pub status: Vec<Status>,
}

/// Some runs, newest first.
#[derive(Debug, Clone)]
pub struct RunPage {
    /// The runs.
    pub runs: Vec<crate::wire::record::RunSummary>,
    /// Where the next page begins; `None` at the end.
    pub next: Option<RunId>,
}

/// Something a subscriber may want to know at once.
#[derive(Debug, Clone)]
pub struct Notice {
    /// The run.
    pub run: RunId,
    /// When.
    pub at: Millis,
    /// The entry's sequence number; `None` while it is provisional (not committed yet).
    pub seq: Option<u64>,
    /// What happened.
    pub what: NoticeKind,
}

impl Notice {
    /// Whether it tells what stays: something committed, or a run that is set aside.
    #[must_use]
    pub fn is_lasting(&self) -> bool {
        self.seq.is_some() || matches!(self.what, NoticeKind::SetAside { .. })
    }
}

/// What happened.
#[derive(Debug, Clone)]
pub enum NoticeKind {
    /// A run was accepted.
    RunStarted {
        /// Its version.
        hash: FlowHash,
    },
    /// An action begins.
    StepStarted {
        /// The step.
        path: StepPath,
        /// The card.
        card: CardName,
    },
    /// A step ended well.
    StepFinished {
        /// The step.
        path: StepPath,
    },
    /// A step failed.
    StepFailed {
        /// The step.
        path: StepPath,
        /// Why.
        fault: Fault,
    },
    /// A step waits.
    Waiting {
        /// The step.
        path: StepPath,
        /// For what.
        reason: WaitReason,
        /// The prompt, where it waits for a connection.
        prompt: Option<PromptId>,
    },
    /// A step goes on.
    Resumed {
        /// The step.
        path: StepPath,
    },
    /// A write is in doubt.
    InDoubt {
        /// The step.
        path: StepPath,
    },
    /// The run ended or expired.
    RunEnded {
        /// How.
        status: Status,
    },
    /// This process cannot drive the run any further; it is found again at the next start. Not part of its history.
    SetAside {
        /// Why, and what a person can do.
        fault: Fault,
    },
}

/// Why the engine could not do what was asked.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum EngineError {
    /// The store refused.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Something stored cannot be read.
    #[error(transparent)]
    Wire(#[from] WireError),
    /// The flow cannot be run.
    #[error(transparent)]
    Flow(#[from] CompileError),
    /// The input does not fit the flow.
    #[error("{0}")]
    Input(Fault),
    /// A table operation could not be carried out.
    #[error("{0}")]
    Table(Fault),
    /// No such run.
    #[error("there is no run {0}; `flowdeck runs list` shows them")]
    NoRun(RunId),
    /// The run is not in a state for that.
    #[error("run {run} is {}: {message}", status.word())]
    NotNow {
        /// The run.
        run: RunId,
        /// Its status.
        status: Status,
        /// What would be possible.
        message: String,
    },
    /// Too many callers wait already.
    #[error("{waiting} starts wait for a free place already; try again later")]
    Busy {
        /// How many.
        waiting: usize,
    },
    /// The engine is shutting down.
    #[error("the engine is stopping; start again later")]
    Stopping,
    /// A defect of ours that one run met; it is set aside until the next start, the others go on.
    #[error("run {0} met a defect of flowdeck and is set aside until the next start; report it with the log")]
    Broke(RunId),
    /// A defect of ours.
    #[error("internal: {0}")]
    Internal(String),
}

impl From<TableError> for EngineError {
    fn from(error: TableError) -> Self {
        match error {
            TableError::Fault(fault) => Self::Table(fault),
            TableError::Store(error) => Self::Store(error),
        }
    }
}
