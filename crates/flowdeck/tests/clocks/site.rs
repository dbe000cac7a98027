//! A runtime with one scheduled flow, on a disk that outlives it and a clock that only tests move.
//!
//! Must never wait for real time.
//! Tests: `../clocks.rs` uses it.

use std::collections::BTreeMap;
use std::sync::Arc;

use flowdeck::engine::ports::{Clock as _, Store};
use flowdeck::model::{Millis, RunId, Value};
use flowdeck::{Runtime, RuntimeError};
use flowdeck_sim::clock::FakeClock;
use flowdeck_sim::{FakeStore, StoreFault};

use crate::support::flow;

/// Restarts that a look of one crash may take.
const TRIES_MAX: usize = 3;

pub(crate) struct Site {
    pub(crate) clock: Arc<FakeClock>,
    store: Arc<FakeStore>,
    pub(crate) runtime: Runtime,
    /// The run of each planned time.
    pub(crate) runs: BTreeMap<String, RunId>,
    /// Looks that a crash ended.
    pub(crate) crashes: usize,
}

async fn open(clock: &Arc<FakeClock>, store: &Arc<FakeStore>) -> Runtime {
    let (seed, store) = (store.epoch(), Arc::clone(store) as Arc<dyn Store>);
    Runtime::builder().store(store).clock(clock.clone()).key_bytes([7; 32]).seed(seed).open().await.unwrap()
}

impl Site {
    /// With the flow published and on, at this time.
    pub(crate) async fn new(text: &str, at: Millis) -> Self {
        let (clock, store) = (Arc::new(FakeClock::default()), Arc::new(FakeStore::default()));
        clock.jump(at.0 - clock.now().0);
        let runtime = open(&clock, &store).await;
        let published = runtime.publish(&flow(&runtime, text)).await.unwrap();
        runtime.switch(&published.flow.name, true).await.unwrap().unwrap();
        Self { clock, store, runtime, runs: BTreeMap::new(), crashes: 0 }
    }

    /// The process is killed and starts again.
    pub(crate) async fn restart(&mut self) {
        self.store.kill();
        self.store = Arc::new(self.store.reopen());
        self.runtime = open(&self.clock, &self.store).await;
    }

    /// The process dies at a coming operation of its store.
    pub(crate) fn crash_soon(&self, operations: u64, fault: StoreFault) {
        self.store.fail_at(self.store.operations() + operations, fault);
    }

    /// Starts and drives what is due, again after each crash; the planned times of those runs, as they were started.
    pub(crate) async fn look(&mut self, case: &str) -> Vec<String> {
        for _ in 0..TRIES_MAX {
            match self.runtime.start_scheduled().await {
                Ok(started) => {
                    self.store.spare();
                    self.runtime.run_until_idle().await.unwrap();
                    return self.times(&started, case).await;
                }
                Err(RuntimeError::Store(_)) => {
                    self.crashes += 1;
                    self.restart().await;
                }
                Err(error) => panic!("{case}: {error}"),
            }
        }
        panic!("{case}: a look fails without a crash");
    }

    /// The planned times of runs. A time has one run, whoever asks and how often; none starts before its time.
    async fn times(&mut self, runs: &[RunId], case: &str) -> Vec<String> {
        let mut times = Vec::new();
        for run in runs {
            let view = self.runtime.run_view(*run).await.unwrap();
            let time = view.event.unwrap().get("scheduled_at").as_str().unwrap().to_owned();
            assert!(time <= view.started_at.to_iso(), "{case}: {time} started at {}", view.started_at.to_iso());
            let known = *self.runs.entry(time.clone()).or_insert(*run);
            assert_eq!(known, *run, "{case}: {time} started twice");
            times.push(time);
        }
        times
    }

    /// Lets the run of a planned time end.
    pub(crate) async fn end(&self, time: &str) {
        self.runtime.signal(self.runs[time], "go", Value::Null).await.unwrap();
        self.runtime.run_until_idle().await.unwrap();
    }

    /// All runs that there are, however they came about.
    pub(crate) async fn all(&self) -> Vec<RunId> {
        let (mut runs, mut cursor) = (Vec::new(), None);
        loop {
            let page = self.runtime.runs(&Default::default(), cursor, 500).await.unwrap();
            runs.extend(page.runs.iter().map(|run| run.id));
            cursor = page.next;
            if cursor.is_none() {
                return runs;
            }
        }
    }

    /// Learns of runs that were started before a crash.
    pub(crate) async fn find(&mut self, case: &str) {
        self.times(&self.all().await, case).await;
    }
}
