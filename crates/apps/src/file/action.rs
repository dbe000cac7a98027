//! An action of an app file: typed inputs, a request template, outputs.
//!
//! Must never describe more than one writing request.
//! Tests: `tests/harness.rs`.

use flowdeck_model::app::BodyRule;
use flowdeck_model::{EffectClass, FieldDecl, InDoubt};
use indexmap::IndexMap;
use serde::Deserialize;
use serde_json::Value;

pub use super::output::{AfterLast, ListOutput, OnlyWhere, Output, RowsOutput};
pub use super::request::{Email, Filter, FilterOperator, Joined, Made, MoreJson, Part, Quote, Request, Terms, Way};

/// An action.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Action {
    /// Name on screens.
    pub title: String,
    /// One sentence ending with a full stop.
    pub summary: String,
    /// More, as Markdown.
    #[serde(default)]
    pub help: String,
    /// What it does to the world.
    pub effect: EffectClass,
    /// What to do with an answer that never came.
    #[serde(default)]
    pub in_doubt: InDoubt,
    /// Scopes it needs, all of them.
    #[serde(default)]
    pub scopes: Vec<String>,
    /// The role or permission the account needs, in words; named where the app answers 403.
    #[serde(default)]
    pub needs_role: String,
    /// Cards of Okta exports, `connector/method`, that this action serves besides those of its own name.
    #[serde(default)]
    pub export_names: Vec<String>,
    /// Typed inputs.
    #[serde(default)]
    pub inputs: Vec<FieldDecl>,
    /// Whether every answer goes to the flow, errors too; only refused credentials do not.
    #[serde(default)]
    pub every_answer: bool,
    /// Whether users may add inputs (custom attributes); they are `more` in mappings.
    #[serde(default)]
    pub more_inputs: bool,
    /// A mapping that gives an object whose members become outputs beyond the declared ones (custom attributes).
    #[serde(default)]
    pub more_outputs: Option<Value>,
    /// The request; absent where the outputs are made of the inputs alone.
    #[serde(default)]
    pub request: Option<Request>,
    /// Reads that come first, each with its answer under `before.NAME` in the request and the outputs.
    #[serde(default)]
    pub before: IndexMap<String, Before>,
    /// A mapping that gives a list: the request is made once for each, which is `each` in it. Only where repeating does
    /// no harm. `answers` has them all in outputs: `{each, status, body}`.
    #[serde(default)]
    pub repeat: Option<Value>,
    /// Whether it needs the app's connection, where the app has any.
    #[serde(default = "yes")]
    pub connection: bool,
    /// Header that carries our idempotency key, where the app honours one.
    #[serde(default)]
    pub idempotency_header: Option<String>,
    /// Outputs in order.
    #[serde(default)]
    pub outputs: Vec<Output>,
    /// How further pages are asked for.
    #[serde(default)]
    pub pagination: Option<Pagination>,
    /// Status codes that count as success besides 2xx, as 404 for a delete.
    #[serde(default)]
    pub also_ok: Vec<u16>,
    /// How to find out whether a write in doubt happened: a read, and a condition over its `response`.
    #[serde(default)]
    pub look_up: Option<LookUpRule>,
    /// Longest time of one attempt.
    #[serde(default)]
    pub timeout_ms: Option<u64>,
}

fn yes() -> bool {
    true
}

/// A read that comes before the request of an action.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Before {
    /// The request: GET, or one that `reads`.
    pub request: Request,
    /// A condition over `input`; without it always.
    #[serde(default)]
    pub when: Option<Value>,
    /// Whether it changes nothing though it is no GET, as a search or a token exchange.
    #[serde(default)]
    pub reads: bool,
    /// Whether the connection's credential is added.
    #[serde(default = "yes")]
    pub credential: bool,
    /// A condition over `response` that must hold; without it every good answer will do.
    #[serde(default)]
    pub must: Option<Value>,
    /// What to say where `must` does not hold.
    #[serde(default)]
    pub or_say: String,
}

/// How further pages are asked for.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub struct Pagination {
    /// The list output that grows page by page.
    pub output: String,
    /// Where the next page begins.
    pub next: NextPage,
    /// Most pages gathered into one answer when not streamed into a loop.
    #[serde(default = "pages_max")]
    pub pages_max: u32,
    /// A condition over `input`: whether the first page is all that is wanted.
    #[serde(default)]
    pub one_page: Option<Value>,
    /// A mapping that gives the most items wanted; null or 0 for all.
    #[serde(default)]
    pub items_max: Option<Value>,
}

fn pages_max() -> u32 {
    100
}

/// Where the next page begins.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum NextPage {
    /// `Link: <…>; rel="next"` (RFC 8288): the whole URL, which must stay on the same host.
    LinkHeader,
    /// A mapping over `response` that gives a cursor; null or empty ends. Put as this query parameter.
    Cursor {
        /// The mapping.
        value: Value,
        /// The query parameter.
        parameter: String,
    },
    /// A mapping over `response` that gives the whole next URL on the same host.
    Url {
        /// The mapping.
        value: Value,
    },
    /// Page numbers from 1 in this parameter until a page has fewer items than the size.
    Number {
        /// The query parameter.
        parameter: String,
        /// Items in a full page.
        size: u32,
        /// The number of the first page.
        #[serde(default = "one")]
        first: u64,
    },
    /// Offsets in this parameter until a page has fewer items than the size.
    Offset {
        /// The query parameter.
        parameter: String,
        /// Items in a full page.
        size: u32,
    },
}

fn one() -> u64 {
    1
}

/// How an error answer is read.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ErrorRule {
    /// Only for these status codes; all of 400 and above where empty.
    #[serde(default)]
    pub status: Vec<u16>,
    /// JSON pointer that must be there for the rule to match, where given. Also matches 2xx answers with it.
    #[serde(default)]
    pub present: Option<String>,
    /// JSON pointer to a value that must be one of `values` for the rule to match, where given. Also matches 2xx answers.
    #[serde(default)]
    pub is: Option<BodyRule>,
    /// JSON pointer to the sentence for people.
    pub message: String,
    /// Whether it may pass by itself.
    #[serde(default)]
    pub transient: bool,
}

/// A read that tells whether a write in doubt happened.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LookUpRule {
    /// The read; must be GET.
    pub request: Request,
    /// A condition over `response` and `input`: true when it happened.
    pub happened: Value,
    /// A condition that says for sure that it did not; without one, not happened means cannot tell.
    #[serde(default)]
    pub did_not: Option<Value>,
    /// Outputs where it happened, key to mapping over `response` and `input`.
    #[serde(default)]
    pub outputs: IndexMap<String, Value>,
}
