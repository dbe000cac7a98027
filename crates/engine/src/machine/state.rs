//! The state of a run: frames, and in each frame the sub-state of its current step.
//!
//! Must never hold a credential, nor the program (that is pinned by hash).
//! Tests: `tests/driver/pairs.rs`; the stored form: `wire/state.rs`.

use std::collections::BTreeMap;
use std::sync::Arc;

use flowdeck_model::connect::PromptReason;
use flowdeck_model::{CardId, CardName, Fault, Fields, FlowName, Millis, PromptId, RunId, StepPath, Value};
use serde::{Deserialize, Serialize};

use super::program::{BlockId, Program};
use super::ranges::Ranges;
use crate::wire::entry::Intent;
use crate::wire::record::RawAnswer;

mod access;

/// Number of a frame; never used again in a run.
pub type FrameId = u32;

/// A run that has not ended for good.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunState {
    /// The run.
    pub run: RunId,
    /// When it was accepted.
    pub started_at: Millis,
    /// Randomness of the run.
    pub seed: u64,
    /// Where it is.
    pub phase: Phase,
    /// Input values.
    pub input: Fields,
    /// Fields of the event.
    pub event: Option<Fields>,
    /// Facts of the run, `${run.id}`.
    pub facts: Arc<Value>,
    /// Activations of card lists that are not over. Boxed: rounds of loops come and go at the ends of the map.
    pub frames: BTreeMap<FrameId, Box<Frame>>,
    /// The next frame's number.
    pub next_frame: FrameId,
    /// Ends that wait until steps under way are over.
    pub drains: Vec<Drain>,
    /// Signals that nobody waited for yet.
    pub signals: Vec<(String, Value)>,
    /// Uses of limited cards.
    pub uses: BTreeMap<CardName, u64>,
    /// Uses that a person allowed beyond the limit.
    pub allowed: BTreeMap<CardName, u64>,
    /// When the run must be over; does not count while a frame waits for a connection.
    pub due: Option<Millis>,
    /// Since when a frame has been waiting for a connection.
    pub held_since: Option<Millis>,
    /// Writes whose outcome is not known and will not be learned.
    pub unknown: Vec<StepPath>,
    /// The answer that the caller got before the run's end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answered: Option<crate::wire::record::RawAnswer>,
}

/// Where a run is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Accepted.
    New,
    /// Has frames that go on or wait.
    Running,
    /// Ended well.
    Finished(Outcome),
    /// Ended with a fault; its frames are kept for a retry.
    Failed {
        /// Why.
        fault: Fault,
        /// The frame whose step failed.
        frame: FrameId,
        /// The step.
        path: StepPath,
    },
    /// Ended by a person.
    Cancelled,
    /// A wait came to its deadline; its frames are kept.
    Expired,
}

/// How a run ended well.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Outcome {
    /// What it returned.
    pub output: Fields,
    /// Its raw HTTP answer.
    pub raw: Option<RawAnswer>,
    /// Whether Continue If ended it.
    pub stopped: bool,
}

/// One activation of a card list.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Frame {
    /// The frame whose current card is the container of this one.
    pub parent: Option<FrameId>,
    /// How deep; 0 for the run's own.
    pub depth: u16,
    /// The list.
    pub block: BlockId,
    /// What it is to its parent.
    pub role: Role,
    /// Its current card.
    pub at: u32,
    /// Outputs of its cards so far, by position.
    pub outputs: Vec<Option<Fields>>,
    /// The card that ran last.
    pub last: Option<u32>,
    /// Names of its own: a loop's item, an error.
    pub locals: Vec<(CardId, Local)>,
    /// Input values, where it is a helper's.
    pub input: Option<Fields>,
    /// Sub-state of the current step.
    pub step: Step,
    /// A wait for a connection that lies over the sub-state.
    pub hold: Option<Held>,
    /// What the current card keeps while its nested cards run.
    pub container: Option<Container>,
    /// When the current control card must be over.
    pub due: Option<Millis>,
    /// How often a person went back to a step of this list.
    pub retries: u32,
    /// How often the current step was put off for reasons that count as no attempt.
    pub put_off: u32,
}

/// A name of a frame.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Local {
    /// One value.
    Value(Arc<Value>),
    /// An item where it lies in its list, which all rounds share.
    Item(Arc<Value>, usize),
    /// Named values.
    Fields(Fields),
}

/// What a frame is to its parent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// The run itself.
    Root,
    /// A lane of if/else: part of the list around it.
    Lane,
    /// A branch of else-if.
    Block,
    /// The cards of a try.
    Try,
    /// Its catch lane.
    Catch,
    /// One round of a loop.
    Iteration(u64),
    /// A lane of parallel, by position.
    Parallel(u32),
    /// A helper flow.
    Helper(FlowName),
}

/// Sub-state of a frame's current step.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    /// About to begin.
    Ready,
    /// A function is being computed or an action attempted; if it writes, nothing has been sent yet.
    Attempting {
        /// From 1.
        attempt: u32,
        /// The intent of an earlier attempt whose outcome is not known.
        doubt: Option<Intent>,
    },
    /// A write was allowed to be sent.
    Sent {
        /// What was allowed.
        intent: Intent,
        /// The intent of an earlier attempt whose outcome is not known.
        #[serde(default)]
        doubt: Option<Intent>,
    },
    /// A write in doubt is being looked up.
    Looking {
        /// What was allowed.
        intent: Intent,
        /// Why it is in doubt.
        fault: Fault,
    },
    /// A person must say whether the write happened.
    InDoubt {
        /// What was allowed.
        intent: Intent,
        /// Why it is in doubt.
        fault: Fault,
        /// When the run expires.
        deadline: Millis,
    },
    /// A pause before the next attempt.
    Pausing {
        /// The attempt that comes.
        attempt: u32,
        /// When.
        until: Millis,
        /// The intent of an earlier attempt whose outcome is not known.
        doubt: Option<Intent>,
    },
    /// A wait card, or a limit.
    Waiting(Waiting),
    /// Nested cards run.
    Nested,
    /// It failed, and so did the run.
    Broken,
}

fn one() -> u64 {
    1
}

/// What a step waits for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Waiting {
    /// A point in time.
    Time {
        /// When.
        until: Millis,
    },
    /// A signal.
    Signal {
        /// Its name.
        name: String,
        /// When it gives up.
        deadline: Millis,
    },
    /// A person's decision.
    Approval {
        /// What is asked.
        message: String,
        /// When it gives up.
        deadline: Millis,
    },
    /// A person's leave to use a card more often than the flow's limit.
    Limit {
        /// The card.
        card: CardName,
        /// What is asked.
        message: String,
        /// When it gives up.
        deadline: Millis,
        /// How many more uses a yes allows.
        #[serde(default = "one")]
        more: u64,
    },
}

/// A wait for a connection.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Held {
    /// What it waits on (the text of a wait key).
    pub on: String,
    /// Registry version it saw.
    pub seen: u64,
    /// Why.
    pub reason: PromptReason,
    /// The prompt.
    pub prompt: PromptId,
    /// When the run expires.
    pub deadline: Millis,
}

/// What a control card keeps while its nested cards run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Container {
    /// One nested list.
    Single,
    /// A try; attempts of its lane so far.
    Try {
        /// From 1.
        attempt: u32,
    },
    /// Lanes side by side.
    Parallel {
        /// What each lane gave.
        results: Vec<Option<Fields>>,
    },
    /// A loop.
    Loop(Box<LoopState>),
}

/// A loop at work.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct LoopState {
    /// The list, or the list of the current page.
    pub items: Arc<Value>,
    /// Number of the first item of `items`.
    pub base: u64,
    /// Rounds known: the next round number that does not exist (yet).
    pub end: u64,
    /// The next round to begin.
    pub next: u64,
    /// Rounds at work.
    pub live: u32,
    /// Rounds that are over.
    pub done: Ranges,
    /// Pages asked for so far.
    pub pages: u64,
    /// Where the next page begins; `None` before the first and after the last.
    pub cursor: Option<Value>,
    /// Whether the last page has come (always, for lists).
    pub complete: bool,
    /// Carried values (reduce, while).
    pub carry: Fields,
    /// Faults of rounds, where the loop goes on.
    pub errors: Vec<(u64, Fault)>,
    /// Collected outputs by round; stored in chunks of their own.
    #[serde(skip)]
    pub results: Vec<(u64, Fields)>,
    /// How many of them are stored already.
    #[serde(skip)]
    pub stored: usize,
    /// How many chunks hold them.
    pub chunks: u32,
}

/// An end that waits until steps under way below a frame are over.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Drain {
    /// The frame that will end.
    pub top: FrameId,
    /// The frame where the end came from.
    pub from: FrameId,
    /// How it will end.
    pub end: End,
}

/// How a frame ends.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum End {
    /// Its cards are through.
    Through(Fields),
    /// Return.
    Return(Fields),
    /// Return Raw.
    Raw(RawAnswer),
    /// Continue If, with its message.
    Stop(Option<Arc<Value>>),
    /// A fault.
    Error {
        /// Why.
        fault: Fault,
        /// The step.
        path: StepPath,
    },
    /// A wait came to its deadline.
    Expire,
}
