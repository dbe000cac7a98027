//! Rehearsals: runs a flow on a store that is thrown away, with other answers than those of the apps.
//!
//! Must never write outside of it: no request that changes anything, nothing durable.
//! Tests: `tests/rehearsal.rs`.

mod clock;
mod hide;
mod host;
mod offline;
mod overlay;

use std::sync::Arc;

use async_trait::async_trait;
use flowdeck_apps::RequestPreview;
use flowdeck_engine::ports::{CardCall, CardOutcome};
use flowdeck_engine::{Engine, Entry, Parts, RunView, Start, WaitReason};
use flowdeck_model::{CardDecl, CardName, Fields, Millis, StepPath, Value};
use serde::{Deserialize, Serialize};

use crate::error::RuntimeError;
use crate::runtime::Runtime;
use clock::RehearsalClock;
use hide::Hidden;
use host::RehearsalHost;
use overlay::OverlayStore;

/// Most waits that one rehearsal passes over.
const WAITS_MAX: usize = 10_000;
/// Entries read at once.
const PAGE: usize = 1_000;
/// Most entries kept.
const ENTRIES_MAX: usize = 200_000;

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
}

/// A word to a wait.
#[derive(Debug, Clone, PartialEq)]
pub enum Decided {
    /// Yes.
    Approve,
    /// No.
    Reject,
    /// The signal that it waits for, with this.
    Signal(Value),
}

/// Nobody answers: reads are made, writes are shown.
#[derive(Debug, Clone, Copy, Default)]
pub struct DryRun;

#[async_trait]
impl StandIn for DryRun {
    async fn answer(&self, _: &Asked<'_>) -> Option<CardOutcome> {
        None
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
    pub connections: std::collections::BTreeMap<String, std::collections::BTreeMap<String, String>>,
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
            connections: std::collections::BTreeMap::new(),
        }
    }
}

/// A call of an app's card in a rehearsal; secrets are taken out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RehearsedCall {
    /// The step.
    pub path: StepPath,
    /// The card.
    pub card: CardName,
    /// Whether it only looks.
    pub reads: bool,
    /// Its inputs.
    pub inputs: Fields,
    /// The requests that it would make; empty where they cannot be told.
    pub requests: Vec<RequestPreview>,
    /// What it answered: outputs, or nothing where it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outputs: Option<Fields>,
}

/// What a rehearsal came to.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Rehearsal {
    /// The run, which is gone.
    pub run: RunView,
    /// Calls of app cards in order.
    pub calls: Vec<RehearsedCall>,
    /// Waits for time that were passed over: step and until when.
    pub passed: Vec<(StepPath, Millis)>,
    /// Its history.
    pub entries: Vec<Entry>,
}

impl Runtime {
    /// Runs a flow on a store that is thrown away. Tables are seen as they are; what the run changes in them is seen by
    /// the run alone. Waits for time are passed at once. Child runs are not driven.
    ///
    /// # Errors
    /// As [`Runtime::start_run`].
    pub async fn rehearse(&self, start: Start, options: RehearsalOptions) -> Result<Rehearsal, RuntimeError> {
        let wired = &self.inner.wired;
        let mut start = start;
        start.idempotency_key = None;
        if !options.limits {
            let flow = Arc::make_mut(&mut start.flow);
            flow.limits.clear();
            flow.helpers.values_mut().for_each(|helper| helper.limits.clear());
        }
        let hidden = Arc::new(Hidden::of(&start));
        let clock = Arc::new(RehearsalClock::new(wired.clock.clone(), options.clock));
        let host = Arc::new(RehearsalHost::new(wired.host.clone(), options.clone(), hidden.clone()));
        let authorizer = offline::authorizer(wired, &options);
        let store = Arc::new(OverlayStore::new(self.engine().store()));
        let engine = Engine::new(Parts {
            store,
            clock: clock.clone(),
            cards: host.clone(),
            authorizer,
            vault: wired.vault.clone(),
            seed: options.clock.map_or_else(rand::random, |_| 1),
            limits: flowdeck_engine::Limits::default(),
        });
        let id = engine.start(start).await?;
        let mut run = engine.drive_until_stopped(id).await?;
        let mut passed = Vec::new();
        for _ in 0..WAITS_MAX {
            if run.status.is_ended() || !go_on(&engine, &run, &clock, &options, &mut passed).await? {
                break;
            }
            run = engine.drive_until_stopped(id).await?;
        }
        let mut entries: Vec<Entry> = Vec::new();
        while entries.len() < ENTRIES_MAX {
            let more = engine.entries(id, entries.last().map_or(0, |e| e.seq), PAGE).await?;
            let is_last = more.len() < PAGE;
            entries.extend(more);
            if is_last {
                break;
            }
        }
        Ok(Rehearsal { run, calls: host.calls(), passed, entries })
    }
}

/// Moves a run over what it waits for. False: only the world could.
async fn go_on(
    engine: &Engine,
    run: &RunView,
    clock: &RehearsalClock,
    options: &RehearsalOptions,
    passed: &mut Vec<(StepPath, Millis)>,
) -> Result<bool, RuntimeError> {
    for wait in &run.waits {
        let path = Some(wait.path.clone());
        match (options.stand_in.decide(&wait.path, &wait.reason), &wait.reason) {
            (Some(Decided::Approve), _) => engine.approve(run.id, path, "rehearsal", "").await?,
            (Some(Decided::Reject), _) => engine.reject(run.id, path, "rehearsal", "").await?,
            (Some(Decided::Signal(payload)), WaitReason::Signal { name }) => {
                engine.signal(run.id, name, payload).await?;
            }
            _ => continue,
        }
        return Ok(true);
    }
    let times = run.waits.iter().filter_map(|wait| match &wait.reason {
        WaitReason::Time { until } | WaitReason::Retry { until } => Some((wait.path.clone(), *until)),
        _ => None,
    });
    let Some((path, until)) = times.min_by_key(|(_, until)| *until) else { return Ok(false) };
    clock.forward_to(until);
    passed.push((path, until));
    engine.run_due().await?;
    Ok(true)
}
