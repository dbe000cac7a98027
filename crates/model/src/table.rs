//! Operations on the runtime's own tables, as data that the driver carries out inside a commit.
//!
//! Must never touch a store.
//! Tests: `crates/engine/src/tables`.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::names::TableName;

/// Type of a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ColumnType {
    /// Text.
    #[default]
    Text,
    /// A number.
    Number,
    /// True or false.
    Boolean,
    /// A date as ISO 8601 text.
    Date,
    /// Any JSON object.
    Object,
    /// A list.
    List,
}

/// A column of a table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Column {
    /// Its name, unique in the table.
    pub name: String,
    /// Its type.
    #[serde(default, rename = "type")]
    pub kind: ColumnType,
}

/// A table's definition.
///
/// ```
/// use flowdeck_model::TableName;
/// use flowdeck_model::table::{Column, ColumnType, TableDecl};
///
/// let columns = vec![Column { name: "User".into(), kind: ColumnType::Text }];
/// let log = TableDecl { name: TableName::new("Audit Log")?, columns };
/// # assert_eq!(log.columns.len(), 1);
/// # Ok::<(), flowdeck_model::names::NameError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableDecl {
    /// Its name.
    pub name: TableName,
    /// Its columns in order.
    pub columns: Vec<Column>,
}

/// How a row is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Compare {
    /// Equal.
    Equals,
    /// Not equal.
    NotEquals,
    /// Less.
    Less,
    /// Less or equal.
    LessOrEqual,
    /// Greater.
    Greater,
    /// Greater or equal.
    GreaterOrEqual,
    /// Text contains, list has.
    Contains,
    /// Text starts with.
    StartsWith,
    /// One of a list.
    In,
    /// Null or empty.
    Empty,
    /// Neither null nor empty.
    NotEmpty,
}

/// Which rows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Where {
    /// Every row.
    All,
    /// One column against a value.
    Test {
        /// Column name, or `Row ID`.
        column: String,
        /// The comparison.
        compare: Compare,
        /// The value.
        value: Value,
    },
    /// All of them.
    And(Vec<Where>),
    /// Any of them.
    Or(Vec<Where>),
    /// Not.
    Not(Box<Where>),
}

/// One operation. `table` must exist, except for [`TableOp::Define`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TableOp {
    /// Makes a table or adds columns to it; never drops any.
    Define(TableDecl),
    /// Finds rows. Answer: `{rows: [row…], count}`; a row is `{"Row ID", "Created", "Updated", column…}`.
    Search {
        /// The table.
        table: TableName,
        /// Which rows.
        filter: Where,
        /// Column to sort by; insertion order without one.
        sort: Option<String>,
        /// Descending.
        descending: bool,
        /// Rows to pass over.
        offset: u64,
        /// Most rows.
        limit: u64,
    },
    /// Reads one row. Answer: the row, or null fields where it is absent.
    Read {
        /// The table.
        table: TableName,
        /// Its id.
        row: String,
    },
    /// Adds a row. Answer: the row.
    Create {
        /// The table.
        table: TableName,
        /// Column values.
        values: Map<String, Value>,
    },
    /// Changes a row. Answer: the row; a missing row is a fault.
    Update {
        /// The table.
        table: TableName,
        /// Its id.
        row: String,
        /// Column values to set; others stay.
        values: Map<String, Value>,
        /// Refuse unless the row is at this version.
        expected_version: Option<u64>,
    },
    /// Changes the row whose key columns have these values, or adds it. Answer: the row and `created`.
    Upsert {
        /// The table.
        table: TableName,
        /// Key columns and their values.
        key: Map<String, Value>,
        /// Column values to set.
        values: Map<String, Value>,
    },
    /// Adds a number to a column. Answer: the row.
    Increment {
        /// The table.
        table: TableName,
        /// Its id.
        row: String,
        /// The column.
        column: String,
        /// What to add; may be negative.
        by: f64,
    },
    /// Removes rows. Answer: `{count}`.
    Delete {
        /// The table.
        table: TableName,
        /// Which rows.
        filter: Where,
    },
    /// Removes every row by switching to a new generation. Answer: `{count}`.
    Clear {
        /// The table.
        table: TableName,
    },
    /// Replaces or appends rows from CSV text with a header line. Answer: `{count}`.
    ImportCsv {
        /// The table.
        table: TableName,
        /// The CSV text.
        csv: String,
        /// Replace what is there instead of appending.
        replace: bool,
    },
    /// Rows as CSV text with a header line. Answer: `{csv, count, file}`.
    ExportCsv {
        /// The table.
        table: TableName,
        /// Which rows and columns, and how.
        #[serde(default)]
        how: CsvExport,
    },
}

impl TableOp {
    /// Finds the first `limit` rows, whatever they hold.
    #[must_use]
    pub fn rows(table: TableName, limit: u64) -> Self {
        Self::Search { table, filter: Where::All, sort: None, descending: false, offset: 0, limit }
    }
}

/// Which rows and columns of a table become CSV text, and how. By default all, with commas.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CsvExport {
    /// Which rows.
    pub filter: Where,
    /// Which columns, in this order; all where empty.
    pub columns: Vec<String>,
    /// What stands between cells.
    pub delimiter: char,
    /// Rows to pass over.
    pub offset: u64,
    /// Most rows; 0 for all.
    pub limit: u64,
    /// The name of the file.
    pub filename: String,
}

impl Default for CsvExport {
    fn default() -> Self {
        Self { filter: Where::All, columns: Vec::new(), delimiter: ',', offset: 0, limit: 0, filename: String::new() }
    }
}
