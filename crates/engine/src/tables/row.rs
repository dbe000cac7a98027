//! Rows: their ids, their records, and how they look to a flow.
//!
//! Must never lose a user's column: one that is named like a system column is shown as `Created (column)`.
//! Tests: `tests.rs` in this folder.

use flowdeck_model::{Fault, Millis};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::ROW_BYTES_MAX;
use super::coerce::coerce;
use super::definition::{Definition, encode, fault, limit};

/// Columns that every row has beside the user's.
pub(super) const SYSTEM: [&str; 3] = ["Row ID", "Created", "Updated"];
const OWN: &str = " (column)";

/// 48 bits of milliseconds, then 80 bits; later rows have greater ids.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct RowId(pub(super) u128);

impl RowId {
    /// An id above `last`, even where the clock stood still or went back. The top random bit stays clear, so that a
    /// whole import fits above it.
    pub(super) fn after(last: Option<RowId>, now: Millis, random: u128) -> Self {
        let ms = u128::from(now.0.max(0).unsigned_abs()) & ((1 << 48) - 1);
        let fresh = (ms << 80) | (random & ((1 << 79) - 1));
        match last {
            Some(last) if last.0 >= fresh => Self(last.0.saturating_add(1 + (random & 0xffff_ffff))),
            _ => Self(fresh),
        }
    }

    pub(super) fn plus(self, count: usize) -> Self {
        Self(self.0.saturating_add(count as u128))
    }

    pub(super) fn parse(text: &str) -> Option<Self> {
        let digits = text.strip_prefix("row_").filter(|d| d.len() == 32 && !d.starts_with('+'))?;
        u128::from_str_radix(digits, 16).ok().map(Self)
    }

    /// The id at the end of a row's key.
    pub(super) fn of_key(key: &[u8]) -> Option<Self> {
        key.last_chunk::<16>().map(|bytes| Self(u128::from_be_bytes(*bytes)))
    }
}

impl std::fmt::Display for RowId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "row_{:032x}", self.0)
    }
}

/// A row as it is stored.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Record {
    #[serde(rename = "v")]
    pub(super) version: u64,
    #[serde(rename = "c")]
    pub(super) created: Millis,
    #[serde(rename = "u")]
    pub(super) updated: Millis,
    #[serde(rename = "f")]
    pub(super) values: Map<String, Value>,
}

/// A row with its id and the very bytes that were read.
#[derive(Debug, Clone)]
pub(super) struct Row {
    pub(super) id: RowId,
    pub(super) record: Record,
    pub(super) bytes: Vec<u8>,
}

impl Record {
    pub(super) fn new(now: Millis) -> Self {
        Self { version: 1, created: now, updated: now, values: Map::new() }
    }

    /// Sets values of columns, each fitted to its type.
    pub(super) fn set(&mut self, definition: &Definition, values: &Map<String, Value>) -> Result<(), Fault> {
        for (name, value) in values {
            let column = definition.column(own_name(name))?;
            let fitted = coerce(column, value)?;
            self.values.insert(column.name.clone(), fitted);
        }
        Ok(())
    }

    pub(super) fn to_bytes(&self, definition: &Definition) -> Result<Vec<u8>, Fault> {
        let bytes = encode(self)?;
        if bytes.len() > ROW_BYTES_MAX {
            return Err(limit(format!("a row of table `{}` is larger than 1 MiB", definition.decl.name))
                .remedy("keep large content elsewhere and store a reference to it"));
        }
        Ok(bytes)
    }
}

/// The column behind a name that may carry the mark of a user's own column.
pub(super) fn own_name(name: &str) -> &str {
    name.strip_suffix(OWN).filter(|n| SYSTEM.contains(n)).unwrap_or(name)
}

impl Row {
    pub(super) fn read(key: &[u8], bytes: Vec<u8>) -> Result<Self, Fault> {
        let id = RowId::of_key(key).ok_or_else(|| fault("a row has no id"))?;
        let record = serde_json::from_slice(&bytes).map_err(|e| fault(format!("row {id} cannot be read: {e}")))?;
        Ok(Self { id, record, bytes })
    }

    /// The value under a name as a filter or sort sees it.
    pub(super) fn value(&self, name: &str) -> Value {
        match name {
            "Row ID" => Value::String(self.id.to_string()),
            "Created" => Value::String(self.record.created.to_iso()),
            "Updated" => Value::String(self.record.updated.to_iso()),
            name => self.record.values.get(own_name(name)).cloned().unwrap_or(Value::Null),
        }
    }

    /// The value of one of the user's own columns.
    pub(super) fn value_of(&self, column: &str) -> Value {
        self.record.values.get(column).cloned().unwrap_or(Value::Null)
    }

    /// `{"Row ID", "Created", "Updated", column…}` with every column in order, null where it has no value.
    pub(super) fn shown(&self, definition: &Definition) -> Value {
        let mut out = Map::new();
        for name in SYSTEM {
            out.insert(name.to_owned(), self.value(name));
        }
        for column in &definition.decl.columns {
            let name = &column.name;
            let shown = if SYSTEM.contains(&name.as_str()) { format!("{name}{OWN}") } else { name.clone() };
            out.insert(shown, self.record.values.get(name).cloned().unwrap_or(Value::Null));
        }
        Value::Object(out)
    }
}
