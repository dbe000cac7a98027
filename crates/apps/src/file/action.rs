//! An action of an app file: typed inputs, a request template, outputs.
//!
//! Must never describe more than one writing request.
//! Tests: `tests/harness.rs`.

use flowdeck_model::app::BodyRule;
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

/// One of several paths.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Way {
    /// A condition over `input`; the last way has none.
    #[serde(default)]
    pub when: Option<Value>,
    /// The path.
    pub path: String,
}

/// A value that is made for a request, `made.NAME` in it.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Made {
    /// A message as mail servers pass it on (RFC 5322), in base64url.
    Email(Box<Email>),
    /// The content of a file, or a text, in base64.
    Base64(Value),
    /// The values of an object whose names begin with a number, as `0-Name`, in the order of the numbers.
    Columns(Value),
    /// A path as segments, each encoded by itself.
    Segments(Value),
    /// The first item of a list with a member.
    Member {
        /// A mapping that gives the list.
        of: Value,
        /// The member.
        r#where: String,
        /// A mapping that it must be equal to.
        equals: Value,
    },
    /// A date as milliseconds since 1970, as text; null where it is null or empty.
    Millis(Value),
    /// The first that says something: not null, not empty, and no place-holder (`-- Enter Application ID --`).
    First(Vec<Value>),
}

/// The parts of an e-mail: mappings.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Email {
    /// The sender; the account's own where null or empty.
    #[serde(default)]
    pub from: Option<Value>,
    /// A list of addresses, or one.
    pub to: Value,
    /// As `to`.
    #[serde(default)]
    pub cc: Option<Value>,
    /// As `to`.
    #[serde(default)]
    pub bcc: Option<Value>,
    /// The subject.
    pub subject: Value,
    /// The text.
    pub body: Value,
    /// In plain base64 instead of base64url.
    #[serde(default)]
    pub plain_base64: bool,
    /// A condition: whether the text is HTML.
    #[serde(default)]
    pub html: Option<Value>,
    /// Files: a list of them, or one.
    #[serde(default)]
    pub attachments: Option<Value>,
}

/// A part of a `multipart/related` body.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Part {
    /// A part in JSON.
    #[serde(default)]
    pub json: Option<Value>,
    /// A part that is a file.
    #[serde(default)]
    pub file: Option<Value>,
}

/// A request template. Mappings that come out null leave their query parameter, header or body key out.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Request {
    /// HTTP method; may be a mapping for raw requests.
    pub method: String,
    /// Path below the base URL, or a whole URL. Values put into it are percent-encoded as path segments.
    #[serde(default)]
    pub path: String,
    /// Instead of `path`: the first whose condition holds.
    #[serde(default)]
    pub paths: Vec<Way>,
    /// Values made for this request.
    #[serde(default)]
    pub make: IndexMap<String, Made>,
    /// Query parameters: a mapping, of which a list gives one parameter an item; or an object: a [`Filter`] or [`Terms`].
    #[serde(default)]
    pub query: IndexMap<String, Value>,
    /// An object whose members become further query parameters; or a text, as `a=1&b=2`.
    #[serde(default)]
    pub more_query: Option<Value>,
    /// An `Authorization` that an earlier read brought; the connection's is not sent then.
    #[serde(default)]
    pub own_credential: Option<Value>,
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
    /// Body in parts, `multipart/related` (RFC 2387).
    #[serde(default)]
    pub parts: Vec<Part>,
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
    /// A filter as the user wrote it; where it is not empty, it must hold too.
    #[serde(default)]
    pub text: Option<Value>,
    /// An object whose members must be equal too.
    #[serde(default)]
    pub more: Option<Value>,
    /// Attribute to operator (`eq`, `gt`, …) to mapping. Those that come out null are left out, the others joined by `and`.
    pub all: IndexMap<String, IndexMap<FilterOperator, Value>>,
}

/// A query parameter in a query language: terms with values that cannot leave their quotes.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Terms {
    /// What stands before the terms, where there are any.
    #[serde(default)]
    pub before: Option<Value>,
    /// A query as the user wrote it; where it is not empty it is one of the terms.
    #[serde(default)]
    pub text: Option<Value>,
    /// Term to mapping, as `name = {}`. Those that come out null or empty are left out.
    pub terms: IndexMap<String, Value>,
    /// An object whose members are terms too, by `form`, as `{name} = {}`.
    #[serde(default)]
    pub more: Option<Value>,
    /// How a member of `more` becomes a term.
    #[serde(default)]
    pub form: String,
    /// How texts are quoted.
    #[serde(default)]
    pub quote: Quote,
    /// What stands between terms.
    #[serde(default = "and")]
    pub join: String,
}

fn and() -> String {
    " and ".into()
}

/// How a query language quotes texts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Quote {
    /// `'it\'s'`.
    #[default]
    Backslash,
    /// `'it''s'` (OData).
    Doubled,
    /// `"it's"`, as JSON.
    Json,
    /// As they are; `^`, which would begin a new term, is refused (ServiceNow).
    None,
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

/// An output and where it comes from. Files may write it in short: `docs/app-files.md`.
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
    /// Or a place in the body, or in the record.
    #[serde(default)]
    pub at: Option<String>,
    /// The place of the record that is `item` in `value`.
    #[serde(default)]
    pub record: Option<String>,
    /// Each record of the list at `at` becomes an object with these.
    #[serde(default)]
    pub each_of: Option<Vec<Output>>,
    /// The record at `at` becomes an object with these.
    #[serde(default)]
    pub part_of: Option<Vec<Output>>,
    /// The answer's body is a file with this name; a mapping.
    #[serde(default)]
    pub file: Option<Value>,
    /// Rows of a sheet whose first row has the names.
    #[serde(default)]
    pub rows: Option<RowsOutput>,
    /// The last number in the text at a place.
    #[serde(default)]
    pub number_in: Option<String>,
    /// Of the list at `at` only the items with this member.
    #[serde(default, rename = "where")]
    pub only: Option<OnlyWhere>,
}

/// Rows of a sheet as records.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RowsOutput {
    /// Where the list of lists is.
    pub at: String,
    /// The member for the row's number, where it is wanted.
    #[serde(default)]
    pub number: String,
    /// The member for the columns, as `0-Name`; without it the columns are the record itself, by name.
    #[serde(default)]
    pub columns: String,
}

/// Which items of a list.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OnlyWhere {
    /// A member of each item.
    pub member: String,
    /// A mapping that it must be equal to, as text.
    pub equals: Value,
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
