//! An action of an app file: typed inputs, a request template, outputs.
//!
//! Must never describe more than one writing request.
//! Tests: `tests/harness.rs`.

use flowdeck_model::{EffectClass, FieldDecl, InDoubt};
use indexmap::IndexMap;
use serde::Deserialize;
use serde_json::Value;

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
    /// The request.
    pub request: Request,
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

/// A request template. Mappings that come out null leave their query parameter, header or body key out.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Request {
    /// HTTP method; may be a mapping for raw requests.
    pub method: String,
    /// Path below the base URL, or a whole URL. Values put into it are percent-encoded as path segments.
    pub path: String,
    /// Query parameters: a mapping, of which a list gives one parameter an item; or an object that is a [`Filter`].
    #[serde(default)]
    pub query: IndexMap<String, Value>,
    /// An object whose members become further query parameters; or a text, as `a=1&b=2`.
    #[serde(default)]
    pub more_query: Option<Value>,
    /// Headers.
    #[serde(default)]
    pub headers: IndexMap<String, Value>,
    /// An object whose members become further headers.
    #[serde(default)]
    pub more_headers: Option<Value>,
    /// Body as JSON (mappings inside), unless `form` or `text`. Members that come out null are left out, and objects
    /// of the template that have no member left; what users give is sent as it is.
    #[serde(default)]
    pub json: Option<Value>,
    /// Members from an object for a place of the JSON body.
    #[serde(default)]
    pub more_json: Option<MoreJson>,
    /// Body as a form.
    #[serde(default)]
    pub form: IndexMap<String, Value>,
    /// Body as the user gave it: text as it is, anything else as JSON.
    #[serde(default)]
    pub body: Option<Value>,
    /// Body as text.
    #[serde(default)]
    pub text: Option<Value>,
}

/// Members from an object for a place of the JSON body. Members that the template sets by itself stay.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MoreJson {
    /// JSON pointer to an object of the body (RFC 6901).
    pub at: String,
    /// A mapping that gives an object.
    pub members: Value,
}

/// A query parameter in the filter language of SCIM (RFC 7644 3.4.2.2), with values that cannot leave their quotes.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Filter {
    /// A whole filter as the user wrote it; where it is not empty, `all` is not used.
    #[serde(default)]
    pub text: Option<Value>,
    /// Attribute to operator (`eq`, `gt`, …) to mapping. Those that come out null are left out, the others joined by `and`.
    pub all: IndexMap<String, IndexMap<FilterOperator, Value>>,
}

/// An operator of [`Filter`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum FilterOperator {
    Eq,
    Ne,
    Sw,
    Gt,
    Ge,
    Lt,
    Le,
}

impl FilterOperator {
    /// The word on the wire.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Eq => "eq",
            Self::Ne => "ne",
            Self::Sw => "sw",
            Self::Gt => "gt",
            Self::Ge => "ge",
            Self::Lt => "lt",
            Self::Le => "le",
        }
    }
}

/// An output and where it comes from.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Output {
    /// Its declaration.
    pub field: FieldDecl,
    /// A mapping over `response`, `input` and `connection`.
    #[serde(default)]
    pub value: Option<Value>,
    /// Or a list made item by item.
    #[serde(default)]
    pub list: Option<ListOutput>,
}

/// A list output made item by item.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ListOutput {
    /// A mapping that gives the list.
    pub each: Value,
    /// A mapping over `item`.
    pub item: Value,
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
    },
    /// Offsets in this parameter until a page has fewer items than the size.
    Offset {
        /// The query parameter.
        parameter: String,
        /// Items in a full page.
        size: u32,
    },
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
