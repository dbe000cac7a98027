//! A request template of an app file.
//!
//! Must never describe more than one request.
//! Tests: `tests/harness.rs`.

use indexmap::IndexMap;
use serde::Deserialize;
use serde_json::Value;

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
    /// A name that may stand in a query or an address by itself: letters, digits, `.`, `_` and `-`.
    Name(Value),
    /// Objects as one; members that come out null are left out.
    Merged(Vec<Value>),
    /// The day so many days before now, as `31-01-2026 00:00:00`.
    DaysBeforeNow(Value),
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
    /// Term to mapping, as `name = {}`; `{!}` takes what the user wrote in the query language as it is. Those that come out null or empty are left out.
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

/// A query parameter made of a list.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Joined {
    /// A mapping that gives the list.
    pub joined: Value,
    /// What stands between the items.
    pub by: String,
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
