//! Dry runs as they travel.
//!
//! Must never hold a secret: what comes here was cleaned where it was made.
//! Tests: `crates/cli/tests/dry.rs`.

use std::collections::BTreeMap;

use flowdeck::engine::RunView;
use flowdeck::model::{CardName, Fields};
use flowdeck::{Passed, Rehearsal, RehearsedCall};
use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use super::{FlowFile, Problem};

/// `POST /v1/rehearsals`: runs a flow dry; nothing of it is kept. The answer is a stream of [`RehearsalEvent`]
/// (server-sent events).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Rehearse {
    /// The flow.
    pub file: FlowFile,
    /// Values of its inputs; texts are converted to the declared types.
    #[serde(default)]
    pub input: Fields,
    /// The event that starts it, where an event card does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event: Option<Fields>,
}

/// One event of a dry run. The stream ends after [`RehearsalEvent::Ended`] or [`RehearsalEvent::Failed`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "type")]
pub enum RehearsalEvent {
    /// A card of an app: a read that was made, or a write that would be made.
    Call {
        /// The call.
        call: Box<RehearsedCall>,
    },
    /// It came to its end.
    Ended {
        /// What came of it.
        end: Box<RehearsalEnd>,
    },
    /// It could not be run.
    Failed {
        /// Why.
        problem: Box<Problem>,
    },
}

/// What came of a dry run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RehearsalEnd {
    /// The run, which is gone. One that waits for a connection could not go on.
    pub run: RunView,
    /// Helpers that it started on their own.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub others: Vec<RunView>,
    /// Waits that a real run would have, and what was taken as said.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub passed: Vec<Passed>,
    /// How many cards would write, by card.
    pub writes: IndexMap<CardName, u64>,
    /// How many cards read, by card.
    pub reads: IndexMap<CardName, u64>,
    /// Limits of the flow at which a real run would ask first.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub limits: BTreeMap<CardName, u64>,
}

impl RehearsalEnd {
    /// Of a rehearsal of a flow with these limits.
    #[must_use]
    pub fn of<'a>(rehearsal: &Rehearsal, limits: impl IntoIterator<Item = (&'a CardName, &'a u64)>) -> Self {
        let count = |reads: bool| {
            let mut counts: IndexMap<CardName, u64> = IndexMap::new();
            for call in rehearsal.calls.iter().filter(|call| call.reads == reads) {
                *counts.entry(call.card.clone()).or_default() += 1;
            }
            counts
        };
        let writes = count(false);
        let passed = |(card, most): &(&CardName, &u64)| writes.get(*card).is_some_and(|n| n > most);
        let limits = limits.into_iter().filter(passed).map(|(card, most)| (card.clone(), *most)).collect();
        Self {
            run: rehearsal.run.clone(),
            others: rehearsal.others.clone(),
            passed: rehearsal.passed.clone(),
            reads: count(true),
            writes,
            limits,
        }
    }
}
