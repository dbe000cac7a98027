//! The flow graph: what a flow file means once it is read.
//!
//! Must never hold layout, comments, secrets or connection ids. Serialised, it is the stored form of a flow version
//! (format 1): fields are only ever added, with defaults.
//! Tests: `crates/format` (round trips), `crates/engine` (meaning).

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use crate::card::InDoubt;
use crate::field::FieldDecl;
use crate::mapping::Mapping;
use crate::names::{AppName, CardId, CardName, FlowName, Nickname, SlotName};
use crate::schedule::Schedule;
use crate::table::TableDecl;

/// Named mappings in order.
pub type Mappings = IndexMap<String, Mapping>;

/// The step id of a flow's event card unless the flow names another.
pub const EVENT_ID: &str = "event";

/// A flow with the helpers that live in the same file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Flow {
    /// Its name.
    pub name: FlowName,
    /// What it is for.
    #[serde(default)]
    pub description: String,
    /// Connection slots.
    #[serde(default)]
    pub slots: IndexMap<SlotName, Slot>,
    /// What starts it.
    #[serde(default)]
    pub on: Trigger,
    /// Values a caller or person gives, `${input.key}`.
    #[serde(default)]
    pub inputs: Vec<FieldDecl>,
    /// Outputs of a helper, where declared.
    #[serde(default)]
    pub outputs: Vec<FieldDecl>,
    /// Most uses of a card in one run before a person is asked.
    #[serde(default)]
    pub limits: IndexMap<CardName, u64>,
    /// Longest time a run may take, waits for connections not counted.
    #[serde(default)]
    pub timeout_ms: Option<u64>,
    /// How long a run waits for a person (connections, approvals, signals) unless the card says otherwise.
    #[serde(default)]
    pub wait_ms: Option<u64>,
    /// What happens where a connection is missing.
    #[serde(default)]
    pub when_not_connected: WhenNotConnected,
    /// Whether inputs and outputs of its steps are kept in history.
    #[serde(default = "yes")]
    pub keep_data: bool,
    /// Tables it uses; made when the flow is first run.
    #[serde(default)]
    pub tables: Vec<TableDecl>,
    /// Its cards, left to right.
    pub cards: Vec<Card>,
    /// Helper flows of the same file. A helper has no helpers of its own.
    #[serde(default)]
    pub helpers: IndexMap<FlowName, Flow>,
}

fn yes() -> bool {
    true
}

/// A place in a flow that wants a connection.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Slot {
    /// The app.
    pub app: AppName,
    /// The nickname to look for and to suggest.
    #[serde(default)]
    pub nickname: Option<Nickname>,
    /// Scopes needed besides those of the cards.
    #[serde(default)]
    pub scopes: Vec<String>,
}

/// Policy for a missing connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WhenNotConnected {
    /// Wait with a prompt.
    #[default]
    Wait,
    /// Fail the card.
    Fail,
}

/// What starts a flow.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Trigger {
    /// A person or program starts it.
    #[default]
    Manual,
    /// Cron.
    Schedule(Schedule),
    /// An event card of an app.
    Event(EventCard),
    /// A call of its own URL. `${event.raw}` is the request: `headers`, `query`, and `body` as text; `${event.body}`,
    /// `${event.query}` and `${event.headers}` hold the declared fields.
    Endpoint(Endpoint),
    /// A person with the right to start it, from a list of such flows. `${event.user_id}` is who did.
    Delegated,
}

/// An event card: step 0 of a run. Its outputs are `${event.key}`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EventCard {
    /// How mappings refer to it.
    pub id: CardId,
    /// The event.
    pub card: CardName,
    /// The connection it listens with.
    #[serde(default)]
    pub slot: Option<SlotName>,
    /// Whether it is known that no app offers it (yet).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unbound: bool,
    /// Its options.
    #[serde(default)]
    pub with: Mappings,
}

/// A flow's own URL.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Endpoint {
    /// Allowed methods.
    pub methods: Vec<String>,
    /// Who may call: `public`, `token`, `oauth`.
    pub access: String,
    /// Fields read from the body, which is then JSON.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub body: Vec<FieldDecl>,
    /// Query parameters with names.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub query: Vec<FieldDecl>,
    /// Headers with names; case does not matter.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub headers: Vec<FieldDecl>,
}

/// One operation of a flow.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Card {
    /// Stable id, unique in its flow.
    pub id: CardId,
    /// The name on screens, where it differs from the card's own.
    #[serde(default)]
    pub title: String,
    /// A person's note.
    #[serde(default)]
    pub note: String,
    /// Switched off: passed over; its outputs are null.
    #[serde(default)]
    pub disabled: bool,
    /// Automatic repetition after faults that allow it.
    #[serde(default)]
    pub retry: Option<Retry>,
    /// Longest time of one attempt, or of the whole card where it is a control card.
    #[serde(default)]
    pub timeout_ms: Option<u64>,
    /// What to do with a write that got no answer; the card's own rule where not set.
    #[serde(default)]
    pub in_doubt: Option<InDoubt>,
    /// What it does.
    pub kind: CardKind,
}

/// Automatic repetition.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Retry {
    /// How often at most, the first attempt not counted.
    pub times: u32,
    /// Pause before the first repetition.
    pub pause_ms: u64,
    /// What the pause is multiplied with each time.
    pub factor: f64,
    /// Longest pause.
    pub pause_ms_max: u64,
}

/// A nested list of cards. Cards outside see only what it gives.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Lane {
    /// Its cards, left to right.
    #[serde(default)]
    pub cards: Vec<Card>,
    /// Values worked out at its end; they become outputs of the control card.
    #[serde(default)]
    pub give: Mappings,
}

/// What a card does.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CardKind {
    /// A function or action of the catalogue.
    Call(Call),
    /// If/else: lanes are part of the flow, so Return and Continue If in them end the flow.
    /// Outputs: what the lane that ran gives.
    If {
        /// The condition.
        when: Mapping,
        /// Where it is true.
        then: Lane,
        /// Where it is not.
        otherwise: Lane,
    },
    /// Else-if: the first true branch runs as a block of its own; Return and Continue If leave the block only.
    /// Outputs: what the block returns or gives.
    ElseIf {
        /// Tried in order.
        branches: Vec<Branch>,
        /// Where none is true.
        otherwise: Lane,
    },
    /// One of two values. Output: `value`.
    AssignIf {
        /// The condition.
        when: Mapping,
        /// Where it is true.
        then: Mapping,
        /// Where it is not.
        otherwise: Mapping,
    },
    /// The value of an option by its exact text. Output: `value`.
    Lookup {
        /// The text looked up.
        key: Mapping,
        /// Options.
        options: Mappings,
        /// Without a match.
        otherwise: Mapping,
    },
    /// Goes on only if true; else the flow (or block, iteration, helper) ends here, without error.
    ContinueIf {
        /// The condition.
        when: Mapping,
        /// Becomes the result `{message}` where it stops.
        message: Option<Mapping>,
    },
    /// Cards for each item. Outputs: each given key as a list in order of items; `count`; `errors`.
    ForEach(ForEach),
    /// A new list. Output: `list`.
    Map {
        /// Where items come from.
        each: Each,
        /// Cards for each item.
        cards: Vec<Card>,
        /// The new item.
        value: Mapping,
    },
    /// Items for which a condition holds. Output: `list`.
    Filter {
        /// Where items come from.
        each: Each,
        /// Cards for each item.
        cards: Vec<Card>,
        /// The condition.
        keep: Mapping,
    },
    /// One value out of all items, left to right. Output: `value`.
    Reduce {
        /// Where items come from (its concurrency is 1).
        each: Each,
        /// The first value; `${so_far}` inside.
        start: Mapping,
        /// Cards for each item.
        cards: Vec<Card>,
        /// The next value.
        value: Mapping,
    },
    /// Cards a number of times. Outputs: as for each.
    Times {
        /// How often.
        count: Mapping,
        /// Name of the iteration number, from 0.
        #[serde(rename = "as")]
        name: CardId,
        /// How many at once.
        concurrency: u32,
        /// The cards.
        lane: Lane,
    },
    /// Cards as long as a condition holds. Outputs: the carried values; `count`.
    While {
        /// Carried values before the first round, `${name.key}`.
        start: Mappings,
        /// Name of the carried values inside.
        #[serde(rename = "as")]
        name: CardId,
        /// The condition over them.
        when: Mapping,
        /// Most rounds; one more is a fault.
        times_max: u64,
        /// The cards; what the lane gives is carried to the next round.
        lane: Lane,
    },
    /// Cards whose error is caught. A block: Return and Continue If leave the block only.
    /// Outputs: what the lane that ended returns or gives; `failed`.
    Try {
        /// The cards.
        lane: Lane,
        /// Repetition of the whole lane before the error is caught.
        retry: Option<Retry>,
        /// Name of the error in the catch lane.
        error: CardId,
        /// What runs after an error.
        catch: Lane,
    },
    /// Lanes side by side. Outputs: an object of what it gives for each lane, under the lane's name.
    Parallel {
        /// The lanes.
        lanes: IndexMap<CardId, Lane>,
    },
    /// A helper flow. Outputs: what it returns.
    CallFlow {
        /// The helper.
        flow: FlowName,
        /// Its inputs.
        with: Mappings,
    },
    /// A helper flow on its own. Output: `run`, its run id.
    CallFlowAsync {
        /// The helper.
        flow: FlowName,
        /// Its inputs.
        with: Mappings,
    },
    /// Ends the flow (or block, helper) with these outputs.
    Return {
        /// The outputs.
        with: Mappings,
    },
    /// Ends the flow with a raw HTTP answer, or gives it to the caller and goes on.
    ReturnRaw {
        /// HTTP status.
        status: Mapping,
        /// Headers object.
        headers: Mapping,
        /// Body.
        body: Mapping,
        /// Whether the flow goes on behind it. Only the first answer of a run is given.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        go_on: bool,
    },
    /// Ends the flow (or block, helper) with an error.
    ReturnError {
        /// What went wrong.
        message: Mapping,
        /// HTTP status for a caller.
        status: Option<Mapping>,
        /// Further fields of the error.
        with: Mappings,
        /// Only if this is true.
        when: Option<Mapping>,
    },
    /// A durable pause.
    Wait(Wait),
}

/// A function or action.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Call {
    /// The operation.
    pub card: CardName,
    /// The connection slot.
    #[serde(default)]
    pub slot: Option<SlotName>,
    /// Whether it is known that nothing offers it (yet): it fails when a run comes to it, and only then.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unbound: bool,
    /// Its inputs.
    #[serde(default)]
    pub with: Mappings,
}

/// A branch of an else-if.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Branch {
    /// The condition.
    pub when: Mapping,
    /// The block.
    pub lane: Lane,
}

/// Where a loop's items come from, and their name.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Each {
    /// The items.
    pub items: Items,
    /// Name of the item, `${user.ID}`.
    #[serde(rename = "as")]
    pub name: CardId,
    /// Name of the position from 0, where wanted.
    #[serde(default)]
    pub index: Option<CardId>,
    /// How many iterations at once; 1 keeps strict order.
    pub concurrency: u32,
}

/// Items of a loop.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Items {
    /// A list.
    List(Mapping),
    /// Pages of an action as they arrive; each page's list is worked through before the next is asked for.
    Pages(Call),
}

/// For each.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ForEach {
    /// Where items come from.
    pub each: Each,
    /// What an error in an iteration does.
    #[serde(default)]
    pub on_error: OnLoopError,
    /// The cards.
    pub lane: Lane,
}

/// What an error in an iteration does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnLoopError {
    /// The loop fails; iterations under way are let finish their current step.
    #[default]
    Stop,
    /// The loop goes on; the error is listed in `errors` with its index.
    GoOn,
}

/// A durable pause.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Wait {
    /// For what.
    pub until: WaitUntil,
    /// When to give up; the flow's `wait_ms` (30 days) where not set. Not for times.
    #[serde(default)]
    pub deadline_ms: Option<u64>,
}

/// What a pause waits for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WaitUntil {
    /// A time span in milliseconds.
    Duration(Mapping),
    /// A point in time (ISO 8601); past is at once.
    Time(Mapping),
    /// A signal sent to the run. Output: `payload`.
    Signal {
        /// The signal's name.
        name: Mapping,
    },
    /// A person's decision. Outputs: `approved`, `by`, `comment`.
    Approval {
        /// What is asked.
        message: Mapping,
    },
}

impl CardKind {
    /// The word for it in files and messages.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Self::Call(_) => "card",
            Self::If { .. } => "if",
            Self::ElseIf { .. } => "else_if",
            Self::AssignIf { .. } => "assign_if",
            Self::Lookup { .. } => "lookup",
            Self::ContinueIf { .. } => "continue_if",
            Self::ForEach(_) => "for_each",
            Self::Map { .. } => "map",
            Self::Filter { .. } => "filter",
            Self::Reduce { .. } => "reduce",
            Self::Times { .. } => "times",
            Self::While { .. } => "while",
            Self::Try { .. } => "try",
            Self::Parallel { .. } => "parallel",
            Self::CallFlow { .. } => "call_flow",
            Self::CallFlowAsync { .. } => "call_flow_async",
            Self::Return { .. } => "return",
            Self::ReturnRaw { .. } => "return_raw",
            Self::ReturnError { .. } => "return_error",
            Self::Wait(_) => "wait",
        }
    }
}
