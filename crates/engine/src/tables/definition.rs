//! Table definitions in the store: columns, the generation that holds the rows, and generations to sweep.
//!
//! Must never drop or retype a column: rows hold values of it.
//! Tests: `tests.rs` in this folder.

use flowdeck_model::table::{Column, TableDecl};
use flowdeck_model::{Fault, FaultCode, TableName};
use serde::{Deserialize, Serialize};

use super::error::TableError;
use super::{COLUMNS_MAX, TABLES_MAX};
use crate::ports::store::{Scan, Space, Store};

/// What a definition's key begins with; keys of upserts begin with [`CLAIM`].
const DEFINITION: u8 = b'd';
const CLAIM: u8 = b'k';

/// The record of one table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Definition {
    /// 32 hexadecimal digits; rows hang on it and not on the name.
    pub(super) id: String,
    pub(super) decl: TableDecl,
    /// Rows of other generations do not exist for readers.
    pub(super) generation: u64,
    /// Generations whose rows are still to be removed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) old: Vec<u64>,
}

/// A definition with the very bytes that were read, for preconditions.
#[derive(Debug, Clone)]
pub(super) struct Table {
    pub(super) definition: Definition,
    pub(super) key: Vec<u8>,
    pub(super) bytes: Vec<u8>,
}

pub(super) fn fault(message: impl Into<String>) -> Fault {
    Fault::new(FaultCode::TableError, message)
}

pub(super) fn limit(message: impl Into<String>) -> Fault {
    Fault::new(FaultCode::LimitReached, message)
}

pub(super) fn encode<T: Serialize>(record: &T) -> Result<Vec<u8>, Fault> {
    serde_json::to_vec(record).map_err(|e| fault(format!("the table record cannot be written: {e}")))
}

pub(super) fn key_of(name: &TableName) -> Vec<u8> {
    [&[DEFINITION], name.as_str().as_bytes()].concat()
}

impl Definition {
    fn number(&self) -> u128 {
        u128::from_str_radix(&self.id, 16).unwrap_or_default()
    }

    /// What the row keys of one generation begin with.
    pub(super) fn rows_prefix(&self, generation: u64) -> Vec<u8> {
        [self.number().to_be_bytes().as_slice(), &generation.to_be_bytes()].concat()
    }

    /// What the upsert keys of one generation begin with, in [`Space::Tables`].
    pub(super) fn claims_prefix(&self, generation: u64) -> Vec<u8> {
        [&[CLAIM], self.rows_prefix(generation).as_slice()].concat()
    }

    /// A column by name.
    pub(super) fn column(&self, name: &str) -> Result<&Column, Fault> {
        self.decl.columns.iter().find(|c| c.name == name).ok_or_else(|| {
            let known: Vec<_> = self.decl.columns.iter().take(20).map(|c| c.name.as_str()).collect();
            fault(format!("table `{}` has no column `{name}`", self.decl.name))
                .remedy(format!("its columns are: {}", known.join(", ")))
        })
    }
}

/// Reads a table, if there is one.
pub(super) async fn find(store: &dyn Store, name: &TableName) -> Result<Option<Table>, TableError> {
    let key = key_of(name);
    let Some(bytes) = store.get(Space::Tables, &key).await? else { return Ok(None) };
    let definition = serde_json::from_slice(&bytes)
        .map_err(|e| fault(format!("the definition of table `{name}` cannot be read: {e}")))?;
    Ok(Some(Table { definition, key, bytes }))
}

/// Reads a table that must exist.
pub(super) async fn need(store: &dyn Store, name: &TableName) -> Result<Table, TableError> {
    let unknown =
        || fault(format!("there is no table `{name}`")).remedy("define it first, or correct the name on the card");
    Ok(find(store, name).await?.ok_or_else(unknown)?)
}

/// The definition after `decl` was added to what is there; `None` where nothing changes.
pub(super) fn merged(
    there: Option<&Definition>,
    decl: &TableDecl,
    fresh_id: u128,
) -> Result<Option<Definition>, Fault> {
    let mut next = there.cloned().unwrap_or_else(|| Definition {
        id: format!("{fresh_id:032x}"),
        decl: TableDecl { name: decl.name.clone(), columns: Vec::new() },
        generation: 1,
        old: Vec::new(),
    });
    for (position, column) in decl.columns.iter().enumerate() {
        if column.name.trim().is_empty() || column.name.len() > 200 || column.name.chars().any(char::is_control) {
            return Err(fault(format!(
                "table `{}`: column {} needs a name of 1 to 200 bytes",
                decl.name,
                position + 1
            )));
        }
        if decl.columns.iter().take(position).any(|c| c.name == column.name) {
            return Err(fault(format!("table `{}` names the column `{}` twice", decl.name, column.name)));
        }
        match next.decl.columns.iter().find(|c| c.name == column.name) {
            Some(known) if known.kind != column.kind => {
                return Err(fault(format!("column `{}` of table `{}` has another type", column.name, decl.name))
                    .remedy("types of columns do not change; add a column with a new name"));
            }
            Some(_) => {}
            None => next.decl.columns.push(column.clone()),
        }
    }
    if next.decl.columns.len() > COLUMNS_MAX {
        return Err(limit(format!("table `{}` would have more than {COLUMNS_MAX} columns", decl.name)));
    }
    Ok(if there == Some(&next) { None } else { Some(next) })
}

/// How many tables there are, counted up to the most that may be.
pub(super) async fn count(store: &dyn Store) -> Result<usize, TableError> {
    let mut scan = Scan::prefix(Space::Tables, [DEFINITION], TABLES_MAX);
    scan.keys_only = true;
    Ok(store.scan(scan).await?.len())
}

/// Every definition, in order of name, with its key and bytes.
pub(super) async fn all(store: &dyn Store) -> Result<Vec<Table>, TableError> {
    let scan = Scan::prefix(Space::Tables, [DEFINITION], TABLES_MAX);
    let records = store.scan(scan).await?;
    records
        .into_iter()
        .map(|(key, bytes)| {
            let definition = serde_json::from_slice(&bytes)
                .map_err(|e| fault(format!("the definition of a table cannot be read: {e}")))?;
            Ok(Table { definition, key, bytes })
        })
        .collect()
}

/// Every table, in order of name.
///
/// # Errors
/// `table-error` when what is stored is damaged; the store's error when it cannot answer.
pub async fn list_tables(store: &dyn Store) -> Result<Vec<TableDecl>, TableError> {
    Ok(all(store).await?.into_iter().map(|t| t.definition.decl).collect())
}

/// One table's name and columns, if it exists.
///
/// # Errors
/// `table-error` when what is stored is damaged; the store's error when it cannot answer.
pub async fn describe(store: &dyn Store, name: &TableName) -> Result<Option<TableDecl>, TableError> {
    Ok(find(store, name).await?.map(|t| t.definition.decl))
}
