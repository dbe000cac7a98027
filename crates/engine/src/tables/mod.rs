//! Our own tables: turns one table operation into the reads, preconditions and changes that carry it out.
//!
//! Must never commit: the driver commits a plan together with the step, so that it happens exactly once.
//! Tests: `tests.rs` in this folder, tables and a property against a plain list.

mod coerce;
mod definition;
mod error;
mod filter;
mod plan;
mod row;
mod scan;
mod sheet;
mod sweep;
#[cfg(test)]
mod tests;

pub use definition::{describe, list_tables};
pub use error::TableError;
pub use plan::{TablePlan, plan};
pub use sweep::sweep;

/// Most columns of one table.
pub const COLUMNS_MAX: usize = 200;
/// Largest row, in bytes of JSON (1 MiB).
pub const ROW_BYTES_MAX: usize = 1 << 20;
/// Most rows that one operation looks through, or removes.
pub const ROWS_SCANNED_MAX: usize = 90_000;
/// Most rows of one CSV import: one commit takes them all, with room for the step's own records.
pub const IMPORT_ROWS_MAX: usize = 90_000;
/// Largest CSV text and largest answer of a search or export, in bytes (32 MiB).
pub const ANSWER_BYTES_MAX: usize = 32 << 20;
/// Most tables in one store.
pub const TABLES_MAX: usize = 10_000;
/// Most tests in one filter.
pub const TESTS_MAX: usize = 1_000;
/// Deepest nesting of a filter.
pub const FILTER_DEPTH_MAX: usize = 50;
