//! An output of an app file and where it comes from.
//!
//! Must never hold more than a place, a mapping or a shape.
//! Tests: `tests/harness.rs`.

use flowdeck_model::FieldDecl;
use serde::Deserialize;
use serde_json::Value;

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
    /// The rest of a text after the last mark.
    #[serde(default)]
    pub after_last: Option<AfterLast>,
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

/// The rest of a text.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AfterLast {
    /// A mapping that gives the text.
    pub of: Value,
    /// The mark; without it in the text, the whole text.
    pub mark: String,
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
