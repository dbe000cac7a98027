//! The program around an engine: it starts a flow, repeats what was not acknowledged, does what people and time do, and
//! remembers what it was told.
//!
//! Must never believe anything that was not acknowledged.
//! Tests: `../crash.rs` uses it.

use std::collections::BTreeMap;
use std::sync::Arc;

use flowdeck_engine::ports::{Space, StoreError};
use flowdeck_engine::{EngineError, Notice, RunSummary, Settlement, Start, WaitReason};
use flowdeck_model::{Fields, Flow, RunId, StepPath};
use flowdeck_sim::World;
use serde_json::json;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::TryRecvError;

/// Rounds of helping that no flow here needs.
const ROUNDS_MAX: usize = 100;
/// Turns in which something could still leave that must not.
const TURNS: usize = 50;

pub(crate) struct Client {
    flow: Arc<Flow>,
    notices: Receiver<Notice>,
    /// Whether this process has recovered.
    opened: bool,
    /// Whether this process answered the start.
    started: bool,
    run: Option<RunId>,
    /// The last entry of each run that it was told of as durable.
    entries: BTreeMap<RunId, u64>,
    /// Waits for people that it answered, and was told so.
    answered: Vec<(RunId, StepPath)>,
}

impl Client {
    pub(crate) fn new(world: &World, flow: &Arc<Flow>) -> Self {
        Self {
            flow: flow.clone(),
            notices: world.engine.subscribe(),
            opened: false,
            started: false,
            run: None,
            entries: BTreeMap::new(),
            answered: Vec::new(),
        }
    }

    /// Goes on where it was: recovers once in a process, repeats the start where this process did not answer it, and
    /// helps until every run has ended.
    pub(crate) async fn attempt(&mut self, case: &str, world: &World) -> Result<(), EngineError> {
        if !self.opened {
            world.engine.recover().await?;
            self.opened = true;
        }
        if !self.started {
            let mut start = Start::new(self.flow.clone(), Fields::from_value(json!({"list": [1, 2, 3, 4]})));
            start.idempotency_key = Some("once".into());
            let view = world.engine.start_and_wait(start).await?;
            assert_eq!(*self.run.get_or_insert(view.id), view.id, "a start that is repeated is the same run");
            self.started = true;
            self.told(view.id, view.counts.entries);
        }
        for _ in 0..ROUNDS_MAX {
            world.engine.run_until_idle().await?;
            let open: Vec<_> = runs(world).await?.into_iter().filter(|r| !r.status.is_ended()).collect();
            if open.is_empty() {
                return Ok(());
            }
            for run in open {
                self.help(world, &run).await?;
            }
        }
        panic!("{case}: a run is stuck: {:#?}", runs(world).await?);
    }

    /// Does what people and time do.
    async fn help(&mut self, world: &World, run: &RunSummary) -> Result<(), EngineError> {
        for wait in &run.waits {
            let (engine, path) = (&world.engine, wait.path.clone());
            let (done, is_message) = match &wait.reason {
                WaitReason::Connection { .. } => {
                    world.authorizer.grant("acme", "alice");
                    (Ok(()), false)
                }
                WaitReason::Approval { .. } => (engine.approve(run.id, Some(path), "eve", "").await, true),
                WaitReason::Signal { name } => (engine.signal(run.id, name, json!(1)).await, true),
                WaitReason::Time { .. } | WaitReason::Retry { .. } => {
                    world.clock.advance(60_000);
                    (engine.run_due().await.map(drop), false)
                }
                WaitReason::InDoubt { .. } => {
                    let step = format!("{}/{path}/", run.id);
                    let done =
                        world.cards.performed.lock().iter().find(|p| p.happened && p.key.starts_with(&step)).cloned();
                    let truth = done.map_or(Settlement::DidNot, |p| Settlement::Happened(Fields::from_value(p.inputs)));
                    // What did not happen is sent again, and may be in doubt again.
                    (engine.settle(run.id, path, truth).await, false)
                }
            };
            match done {
                Ok(()) if is_message => self.answered.push((run.id, wait.path.clone())),
                // Another wait of the same run was helped already, and it went on.
                Ok(()) | Err(EngineError::NotNow { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn told(&mut self, run: RunId, seq: u64) {
        let last = self.entries.entry(run).or_default();
        *last = seq.max(*last);
    }

    /// Takes in what was told so far; only numbered notices are promises.
    fn hear(&mut self) {
        loop {
            match self.notices.try_recv() {
                Ok(Notice { run, seq: Some(seq), .. }) => self.told(run, seq),
                Ok(_) | Err(TryRecvError::Lagged(_)) => {}
                Err(_) => return,
            }
        }
    }

    /// The store is poisoned and the process lives: every call says so at once, and no write leaves any more.
    pub(crate) async fn finds_poison(&self, case: &str, world: &World, error: &EngineError) {
        let poisoned = |error: &EngineError| matches!(error, EngineError::Store(StoreError::Poisoned { .. }));
        assert!(poisoned(error), "{case}: {error:?}");
        let sent = writes(world);
        let (engine, run) = (&world.engine, self.run.unwrap_or_else(|| RunId::new(flowdeck_model::Millis(1), 1)));
        let calls = [
            ("start", engine.start(Start::new(self.flow.clone(), Fields::new())).await.map(drop)),
            ("start and wait", engine.start_and_wait(Start::new(self.flow.clone(), Fields::new())).await.map(drop)),
            ("run", engine.run(run).await.map(drop)),
            ("runs", runs(world).await.map(drop)),
            ("signal", engine.signal(run, "go", json!(1)).await),
            ("cancel", engine.cancel(run).await),
            ("due", engine.run_due().await.map(drop)),
        ];
        for (what, answer) in calls {
            assert!(answer.as_ref().is_err_and(poisoned), "{case}: {what} answers {answer:?}");
        }
        for _ in 0..TURNS {
            tokio::task::yield_now().await;
        }
        assert_eq!(writes(world), sent, "{case}: a write left after the store had failed");
        assert_eq!(engine.active(), 0, "{case}: a run is still at work");
    }

    /// Another process opened the same disk: all that the one before told is there.
    pub(crate) async fn restarted(&mut self, case: &str, world: &World) {
        self.hear();
        (self.opened, self.started, self.notices) = (false, false, world.engine.subscribe());
        self.finds_all(case, world).await;
    }

    /// All that was ever told is there.
    pub(crate) async fn finds_all(&mut self, case: &str, world: &World) {
        self.hear();
        for (run, told) in &self.entries {
            let view = world.engine.run(*run).await.unwrap();
            let there = view.map_or(0, |view| view.counts.entries);
            assert!(there >= *told, "{case}: entry {told} of {run} was told, {there} are there");
        }
        for (run, path) in &self.answered {
            let view = world.engine.run(*run).await.unwrap().expect("it was told of");
            let is_person = |wait: &WaitReason| matches!(wait, WaitReason::Approval { .. } | WaitReason::Signal { .. });
            let waits = view.waits.iter().any(|wait| wait.path == *path && is_person(&wait.reason));
            assert!(!waits || world.store.count(Space::Inbox) > 0, "{case}: what was answered at {path} is forgotten");
        }
    }
}

/// Calls that change something outside. A new run may read before its first commit, so reads do not count.
fn writes(world: &World) -> usize {
    let is_write = |card: &str| matches!(card, "acme/write" | "free/write" | "acme/put");
    world.cards.performed.lock().iter().filter(|p| is_write(&p.card)).count()
}

pub(crate) async fn runs(world: &World) -> Result<Vec<RunSummary>, EngineError> {
    Ok(world.engine.runs(&Default::default(), None, 100).await?.runs)
}
