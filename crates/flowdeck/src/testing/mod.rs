//! Tests of flows: plays a flow offline with scripted answers, holds what came against what is expected.
//!
//! Must never reach an app, nor pass over an expectation without a word.
//! Tests: `crates/cli/tests/tests_of_flows.rs`.

pub mod begin;
mod compare;
mod judge;
pub mod names;
mod record;
pub mod script;

use std::collections::BTreeMap;
use std::sync::Arc;

use flowdeck_engine::Status;
use flowdeck_format::test_file::{self, Test};
use flowdeck_model::{Flow, TableName, Value};
use serde::Serialize;
use serde_json::Map;

use crate::error::RuntimeError;
use crate::rehearsal::{Offline, Rehearsal, RehearsalOptions};
pub use record::{Recorded, recorded};
pub use script::Missing;

/// The time of a test that names none.
pub const CLOCK: &str = "2024-01-15T10:30:00.000Z";

/// One thing that is not as expected.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Wrong {
    /// Where: `output.names[1]`, `requests[0].body.id`.
    pub place: String,
    /// What should have come; nothing where something came that should not have.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expected: Option<Value>,
    /// What came; nothing where nothing came.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub actual: Option<Value>,
    /// More about it.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub about: String,
}

impl Wrong {
    fn said(place: &str, about: impl Into<String>) -> Self {
        Self { place: place.to_owned(), expected: None, actual: None, about: about.into() }
    }
}

/// What came of a test.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Tested {
    /// What is not as expected.
    pub wrong: Vec<Wrong>,
    /// Answers that the test does not have.
    pub missing: Vec<Missing>,
    /// The expectation as it would have to be.
    pub came: Value,
    /// How the run ended: `finished`, `stopped`, `failed`, `waiting`.
    pub status: &'static str,
}

impl Tested {
    /// Whether all is as expected.
    #[must_use]
    pub fn holds(&self) -> bool {
        self.wrong.is_empty() && self.missing.is_empty()
    }
}

/// Plays a flow as a test says, and judges what came.
///
/// # Errors
/// [`RuntimeError::Engine`] where the test's inputs do not fit the flow; [`RuntimeError::Setting`] for a table or time
/// that cannot be.
pub async fn test(offline: &Offline, test: &Test, flow: &Arc<Flow>) -> Result<Tested, RuntimeError> {
    let flow = kept(flow);
    let script = Arc::new(script::Script::new(test));
    let clock = test.clock.as_deref().unwrap_or(CLOCK);
    let now = test_file::time(clock).ok_or_else(|| RuntimeError::Setting(format!("the clock `{clock}` is no time")))?;
    let starts = begin::starts(&flow, test, clock, offline.cards());
    let start = starts.into_iter().next_back();
    let start = start.ok_or_else(|| RuntimeError::Setting("the test starts nothing".into()))?;
    let options = RehearsalOptions {
        stand_in: script.clone(),
        offline: true,
        clock: Some(now),
        limits: true,
        connections: test.connections.clone(),
        rows: rows(&test.tables)?,
        tables: flow
            .tables
            .iter()
            .chain(flow.helpers.values().flat_map(|h| &h.tables))
            .map(|d| d.name.clone())
            .collect(),
    };
    let rehearsal = Box::pin(offline.rehearse(start, options)).await?;
    let missing = script.missing();
    let found = judge::Found { rehearsal: &rehearsal };
    let mut wrong = found.wrong(&test.expected);
    if test.expected.is_null() {
        wrong.push(Wrong::said("expected", "the test expects nothing; `flowdeck test --update` writes what came out"));
    }
    Ok(Tested { wrong, missing, came: found.came(&test.expected), status: status(&rehearsal) })
}

/// History keeps all values, so that they can be compared.
fn kept(flow: &Arc<Flow>) -> Arc<Flow> {
    let mut flow = Flow::clone(flow);
    flow.keep_data = true;
    flow.helpers.values_mut().for_each(|helper| helper.keep_data = true);
    Arc::new(flow)
}

fn status(rehearsal: &Rehearsal) -> &'static str {
    match rehearsal.run.status {
        Status::Finished if rehearsal.run.stopped => "stopped",
        Status::Finished => "finished",
        Status::Running | Status::Waiting | Status::InDoubt => "waiting",
        Status::Failed | Status::Cancelled | Status::Expired => "failed",
    }
}

fn rows(tables: &Map<String, Value>) -> Result<BTreeMap<TableName, Vec<Map<String, Value>>>, RuntimeError> {
    let mut all = BTreeMap::new();
    for (name, rows) in tables {
        let table: TableName =
            name.parse().map_err(|_| RuntimeError::Setting(format!("`{name}` is no name of a table")))?;
        let rows = rows.as_array().into_iter().flatten().filter_map(Value::as_object);
        let own = |row: &Map<String, Value>| {
            let generated = |key: &str| matches!(key, "Row ID" | "Created" | "Updated" | "version");
            row.iter().filter(|(key, _)| !generated(key)).map(|(k, v)| (k.clone(), v.clone())).collect()
        };
        all.insert(table, rows.map(own).collect());
    }
    Ok(all)
}
