//! Rehearsals: runs a flow on a store that is thrown away, with other answers than those of the apps.
//!
//! Must never write outside of it: no request that changes anything, nothing durable.
//! Tests: `tests/rehearsal.rs`.

mod clock;
pub(crate) mod hide;
mod host;
mod offline;
mod overlay;
mod stage;

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use flowdeck_apps::{AppHost, RequestPreview};
use flowdeck_connections::{KeyVault, MasterKey, OsRandom};
use flowdeck_engine::ports::{CardCall, CardOutcome};
use flowdeck_engine::{Entry, RunView, Start, WaitReason};
use flowdeck_model::{CardDecl, CardName, Fields, FlowName, Millis, StepPath, TableName, Value};
use flowdeck_store::MemoryStore;
use serde::{Deserialize, Serialize};
use serde_json::Map;

use crate::catalogue::Cards;
use crate::clock::SystemClock;
use crate::error::RuntimeError;
use crate::host::Host;
use crate::runtime::Runtime;
pub(crate) use flowdeck_apps::placeholders as made_up;
use stage::Stage;

/// A card of an app that is about to be performed in a rehearsal.
#[derive(Debug)]
pub struct Asked<'a> {
    /// The call.
    pub call: &'a CardCall,
    /// The card.
    pub card: &'a CardDecl,
    /// Whether it only looks.
    pub reads: bool,
}

/// Answers in the place of apps and people.
#[async_trait]
pub trait StandIn: Send + Sync {
    /// The answer to a card. `None`: a read is really made (offline it fails), a write answers with placeholders.
    async fn answer(&self, asked: &Asked<'_>) -> Option<CardOutcome>;

    /// What a person or program says to a wait; `None` stops the rehearsal there.
    fn decide(&self, path: &StepPath, reason: &WaitReason) -> Option<Decided> {
        let _ = (path, reason);
        None
    }

    /// A card was performed, or would have been: told as it happens.
    async fn heard(&self, call: &RehearsedCall) {
        let _ = call;
    }
}

/// A word to a wait.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Decided {
    /// Yes.
    Approve,
    /// No.
    Reject,
    /// The signal that it waits for, with this.
    Signal(Value),
}

/// Nobody answers: reads are made, writes are shown. Approvals are given and signals come, so that all of a flow is seen.
#[derive(Debug, Clone, Copy, Default)]
pub struct DryRun;

#[async_trait]
impl StandIn for DryRun {
    async fn answer(&self, _: &Asked<'_>) -> Option<CardOutcome> {
        None
    }

    fn decide(&self, path: &StepPath, reason: &WaitReason) -> Option<Decided> {
        as_hoped(path, reason)
    }
}

/// The word to a wait that lets a run go on: yes to what is asked, the signal without anything in it.
#[must_use]
pub fn as_hoped(_: &StepPath, reason: &WaitReason) -> Option<Decided> {
    match reason {
        WaitReason::Approval { .. } => Some(Decided::Approve),
        WaitReason::Signal { .. } => Some(Decided::Signal(Value::Null)),
        _ => None,
    }
}

/// How to rehearse.
#[derive(Clone)]
pub struct RehearsalOptions {
    /// Who answers.
    pub stand_in: Arc<dyn StandIn>,
    /// No app is asked and no connection wanted: what the stand-in does not answer fails.
    pub offline: bool,
    /// The time it is, standing still but for waits; the runtime's own where not set.
    pub clock: Option<Millis>,
    /// Whether the flow's `limits` ask.
    pub limits: bool,
    /// Fields of connections by app (`domain`), for requests made offline.
    pub connections: BTreeMap<String, BTreeMap<String, String>>,
    /// Rows that the run finds besides those that are there, by table.
    pub rows: BTreeMap<TableName, Vec<Map<String, Value>>>,
    /// Tables whose rows are wanted after the run.
    pub tables: Vec<TableName>,
}

impl std::fmt::Debug for RehearsalOptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RehearsalOptions").field("offline", &self.offline).finish_non_exhaustive()
    }
}

impl RehearsalOptions {
    /// Reads are made, writes are shown.
    #[must_use]
    pub fn dry() -> Self {
        Self {
            stand_in: Arc::new(DryRun),
            offline: false,
            clock: None,
            limits: false,
            connections: BTreeMap::new(),
            rows: BTreeMap::new(),
            tables: Vec::new(),
        }
    }
}

/// A call of an app's card in a rehearsal; secrets are taken out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RehearsedCall {
    /// The step.
    pub path: StepPath,
    /// The helper that runs on its own (*call flow async*), where the step is in one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub helper: Option<FlowName>,
    /// The card.
    pub card: CardName,
    /// Whether it only looks.
    pub reads: bool,
    /// The account that it acts as.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// Its inputs.
    pub inputs: Fields,
    /// The requests that it would make; empty where they cannot be told.
    pub requests: Vec<RequestPreview>,
    /// What it answered: outputs, or nothing where it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outputs: Option<Fields>,
}

/// A wait that a rehearsal passed over.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Passed {
    /// The step.
    pub path: StepPath,
    /// What it waited for.
    pub reason: WaitReason,
    /// What was said to it; nothing where only time had to pass.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decided: Option<Decided>,
}

/// What a rehearsal came to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Rehearsal {
    /// The run, which is gone.
    pub run: RunView,
    /// The runs of helpers that it started on their own.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub others: Vec<RunView>,
    /// Calls of app cards in order.
    pub calls: Vec<RehearsedCall>,
    /// Waits that were passed over.
    pub passed: Vec<Passed>,
    /// Its history, then that of the others.
    pub entries: Vec<Entry>,
    /// Rows of the tables that were asked for, after the run.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tables: BTreeMap<TableName, Vec<Value>>,
}

impl Runtime {
    /// Runs a flow on a store that is thrown away. Tables are seen as they are; what the run changes in them is seen by
    /// the run alone. Waits for time are passed at once. Helpers that run on their own are run after it.
    ///
    /// # Errors
    /// As [`Runtime::start_run`].
    pub async fn rehearse(&self, start: Start, options: RehearsalOptions) -> Result<Rehearsal, RuntimeError> {
        let wired = &self.inner.wired;
        let authorizer =
            if options.offline { offline::everywhere(&wired.cards, &options) } else { offline::real(wired) };
        let stage = Stage {
            host: wired.host.clone(),
            below: self.engine().store(),
            authorizer,
            clock: wired.clock.clone(),
            vault: wired.vault.clone(),
        };
        stage.play(start, options).await
    }
}

/// Rehearses flows where there is no runtime: no data folder, no key, no way to the network.
#[derive(Clone)]
pub struct Offline {
    cards: Cards,
    host: Arc<Host>,
}

impl std::fmt::Debug for Offline {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Offline").finish_non_exhaustive()
    }
}

impl Offline {
    /// With these cards; none of them can send anything.
    #[must_use]
    pub fn new(cards: Cards) -> Self {
        let apps = AppHost::offline(cards.apps().clone());
        Self { host: Arc::new(Host { cards: cards.clone(), apps }), cards }
    }

    /// Its cards.
    #[must_use]
    pub fn cards(&self) -> &Cards {
        &self.cards
    }

    /// As [`Runtime::rehearse`], offline whatever the options say.
    ///
    /// # Errors
    /// As [`Runtime::start_run`].
    pub async fn rehearse(&self, start: Start, options: RehearsalOptions) -> Result<Rehearsal, RuntimeError> {
        let options = RehearsalOptions { offline: true, ..options };
        let stage = Stage {
            host: self.host.clone(),
            below: Arc::new(MemoryStore::new()),
            authorizer: offline::everywhere(&self.cards, &options),
            clock: Arc::new(SystemClock::default()),
            vault: Arc::new(KeyVault::new(MasterKey::from_bytes(rand::random()), Arc::new(OsRandom))),
        };
        stage.play(start, options).await
    }
}
