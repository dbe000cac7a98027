//! A runtime in hosts that are not kind: one thread, dropped at work, let go half-way, a handler that never answers.
//!
//! Must never leave loopback.
//! Tests: this is the test.
#![allow(clippy::unwrap_used)]

use crate::support;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use flowdeck::connections::BeginConnect;
use flowdeck::engine::ports::{Delta, Scan, Space, Store, StoreError};
use flowdeck::model::Fields;
use flowdeck::model::connect::PromptView;
use flowdeck::{
    Limits, PromptAnswer, PromptHandler, Runtime, RuntimeBuilder, RuntimeError, RuntimeEvent, Start, Status,
};
use support::*;
use tokio::sync::{Notify, Semaphore};

/// Longest wait for anything here; nothing is measured by it.
const LONG: Duration = Duration::from_secs(60);

fn folder(url: &str, root: &Path) -> RuntimeBuilder {
    builder(url).data(root.join(".flowdeck"))
}

/// A runtime that is connected to a desk which answers no more than that.
async fn connected_once(desk: &(String, Arc<Notify>, Arc<Semaphore>), builder: RuntimeBuilder) -> Runtime {
    let runtime = builder.open().await.unwrap();
    desk.2.add_permits(1);
    connect(&runtime).await;
    heard(desk).await;
    runtime
}

/// Returns when the desk has heard one request more.
async fn heard(desk: &(String, Arc<Notify>, Arc<Semaphore>)) {
    tokio::time::timeout(LONG, desk.1.notified()).await.unwrap();
}

/// Opens as soon as the last holder has let go.
async fn reopened(builder: RuntimeBuilder) -> Runtime {
    let opening = async {
        loop {
            match builder.clone().open().await {
                Ok(runtime) => return runtime,
                Err(RuntimeError::Held { .. }) => tokio::task::yield_now().await,
                Err(error) => panic!("{error}"),
            }
        }
    };
    tokio::time::timeout(LONG, opening).await.unwrap()
}

/// Asks about every prompt and never answers.
#[derive(Default)]
struct Mute {
    asked: AtomicUsize,
    told: Notify,
}

#[async_trait]
impl PromptHandler for Mute {
    async fn prompt(&self, _: PromptView) -> PromptAnswer {
        self.asked.fetch_add(1, Ordering::SeqCst);
        self.told.notify_one();
        std::future::pending().await
    }
}

#[tokio::test(flavor = "current_thread")]
async fn one_thread_is_enough_and_a_stopped_runtime_gives_its_folder_up_at_once() {
    let url = desk().await;
    let root = tempfile::tempdir().unwrap();
    for round in 0..5 {
        let mute = Arc::new(Mute::default());
        let runtime = folder(&url, root.path()).prompt_handler(mute.clone()).open().await.unwrap();
        runtime.start().unwrap();
        let run = runtime.start_run(start(&runtime, ASKS)).await.unwrap();
        if round == 0 {
            assert_eq!(runtime.wait_for(run, false, LONG).await.unwrap().status, Status::Waiting);
            tokio::time::timeout(LONG, mute.told.notified()).await.unwrap();
            connect(&runtime).await;
        }
        assert_eq!(runtime.wait_for(run, true, LONG).await.unwrap().status, Status::Finished);
        runtime.stop().await.unwrap();
    }
}

/// Says yes to the attempt's form, then never comes back from the attempt.
struct Stuck(Notify);

#[async_trait]
impl PromptHandler for Stuck {
    async fn prompt(&self, prompt: PromptView) -> PromptAnswer {
        PromptAnswer::Connect(Box::new(BeginConnect::new(prompt.app, flowdeck::connections::Surface::Direct)))
    }

    async fn refused(&self, _: &PromptView, _: &RuntimeError) {
        self.0.notify_one();
        std::future::pending().await
    }
}

#[tokio::test(flavor = "current_thread")]
async fn a_handler_that_never_returns_holds_neither_a_stop_nor_the_folder() {
    let url = desk().await;
    let root = tempfile::tempdir().unwrap();
    let stuck = Arc::new(Stuck(Notify::new()));
    let runtime = folder(&url, root.path()).prompt_handler(stuck.clone()).open().await.unwrap();
    runtime.run(start(&runtime, ASKS)).await.unwrap();
    tokio::time::timeout(LONG, stuck.0.notified()).await.unwrap();
    runtime.stop().await.unwrap();
    drop(runtime);
    folder(&url, root.path()).open().await.unwrap();
}

/// Stops the runtime that asks it.
struct Stopper(parking_lot::Mutex<Option<Runtime>>, Notify);

#[async_trait]
impl PromptHandler for Stopper {
    async fn prompt(&self, _: PromptView) -> PromptAnswer {
        let runtime = self.0.lock().take();
        self.1.notify_one();
        if let Some(runtime) = runtime {
            runtime.stop().await.unwrap();
        }
        PromptAnswer::Later
    }
}

#[tokio::test(flavor = "current_thread")]
async fn a_handler_may_stop_the_runtime_that_asks_it() {
    let url = desk().await;
    let stopper = Arc::new(Stopper(parking_lot::Mutex::default(), Notify::new()));
    let runtime = builder(&url).prompt_handler(stopper.clone()).open().await.unwrap();
    *stopper.0.lock() = Some(runtime.clone());
    runtime.start().unwrap();
    runtime.start_run(start(&runtime, ASKS)).await.unwrap();
    tokio::time::timeout(LONG, stopper.1.notified()).await.unwrap();
    tokio::time::timeout(LONG, runtime.stop()).await.unwrap().unwrap();
    assert!(matches!(runtime.start_run(start(&runtime, ASKS)).await, Err(RuntimeError::Stopping)));
    assert_eq!(runtime.engine().active(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_runtime_dropped_at_work_lets_go_and_its_run_goes_on_at_the_next_open() {
    for background in [true, false] {
        let root = tempfile::tempdir().unwrap();
        let desk_once = slow_desk().await;
        let runtime = connected_once(&desk_once, folder(&desk_once.0, root.path())).await;
        let start = start(&runtime, ASKS);
        let run = runtime.start_run(start).await.unwrap();
        let driving = if background {
            runtime.start().unwrap();
            None
        } else {
            let runtime = runtime.clone();
            Some(tokio::spawn(async move { runtime.drive(run).await.map(drop) }))
        };
        heard(&desk_once).await;
        if let Some(driving) = driving {
            driving.abort();
        }
        drop(runtime);
        let again = reopened(folder(&desk().await, root.path())).await;
        again.run_until_idle().await.unwrap();
        assert_eq!(again.run_view(run).await.unwrap().status, Status::Finished, "background: {background}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_waits_for_runs_that_the_host_drives_itself() {
    let desk = slow_desk().await;
    let runtime = connected_once(&desk, builder(&desk.0).clock(Arc::new(support::Hasty::default()))).await;
    let host = runtime.clone();
    let asked = start(&runtime, ASKS);
    let driven = tokio::spawn(async move { host.run(asked).await });
    heard(&desk).await;
    assert_eq!(runtime.engine().active(), 1);
    runtime.stop().await.unwrap();
    assert_eq!(runtime.engine().active(), 0, "nothing is at work once a stop has answered");
    assert_eq!(tokio::time::timeout(LONG, driven).await.unwrap().unwrap().unwrap().status, Status::Running);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_drain_waits_for_runs_that_the_host_drives_itself() {
    let desk = slow_desk().await;
    let runtime = connected_once(&desk, builder(&desk.0)).await;
    let host = runtime.clone();
    let asked = start(&runtime, ASKS);
    let driven = tokio::spawn(async move { host.run(asked).await });
    heard(&desk).await;
    let host = runtime.clone();
    let drained = tokio::spawn(async move { host.drain(LONG).await });
    while !matches!(runtime.start_run(start(&runtime, ASKS)).await, Err(RuntimeError::Stopping)) {
        tokio::task::yield_now().await;
    }
    for _ in 0..1_000 {
        tokio::task::yield_now().await;
    }
    assert!(!drained.is_finished(), "a run is at work");
    // For the runs too that were accepted before the drain began.
    desk.2.add_permits(10_000);
    drained.await.unwrap().unwrap();
    assert_eq!(driven.await.unwrap().unwrap().status, Status::Finished);
}

#[test]
fn what_needs_an_executor_says_so_where_there_is_none() {
    let executor = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let runtime = executor.block_on(async { builder("http://127.0.0.1:1").open().await.unwrap() });
    let error = runtime.start().unwrap_err();
    assert_eq!(error.code(), "runtime.setting");
    assert!(error.to_string().contains("tokio"), "{error}");
    // The executor may end first.
    drop(executor);
    drop(runtime);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hosts_clock_may_go_back_and_a_waiting_run_does_not_keep_it_busy() {
    let nap =
        "flow: naps\ncards:\n  - id: first\n    wait: 1d\n  - id: second\n    wait: 1d\n  - return: { woke: true }\n";
    let runtime = builder("http://127.0.0.1:1").open().await.unwrap();
    let run = runtime.run(start(&runtime, nap)).await.unwrap().id;
    runtime.run_until_idle().await.unwrap();
    let first = runtime.next_due().await.unwrap().unwrap();
    assert_eq!(runtime.run_due(first).await.unwrap(), 1);
    let second = runtime.next_due().await.unwrap().unwrap();
    assert_eq!(second.since(first), 86_400_000, "a wait counts from the host's time");
    for back in [flowdeck::model::Millis(0), runtime.now(), first] {
        assert_eq!(runtime.run_due(back).await.unwrap(), 0);
    }
    runtime.run_until_idle().await.unwrap();
    assert_eq!(runtime.run_view(run).await.unwrap().status, Status::Waiting);
    assert_eq!(runtime.run_due(second).await.unwrap(), 1);
    assert_eq!(runtime.run_view(run).await.unwrap().status, Status::Finished);
    assert_eq!(runtime.next_due().await.unwrap(), None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_that_nobody_reads_take_no_room_and_are_counted() {
    let limits = Limits { notices_max: 16, ..Limits::default() };
    let runtime = builder("http://127.0.0.1:1").limits(limits).open().await.unwrap();
    let mut events = runtime.events();
    let flow = flow(&runtime, "flow: quick\ncards: []\n");
    for _ in 0..100 {
        runtime.run(Start::new(flow.clone(), Fields::new())).await.unwrap();
    }
    let mut missed = 0;
    let mut ended = 0;
    while ended < 4 {
        match tokio::time::timeout(LONG, events.next()).await.unwrap().unwrap() {
            RuntimeEvent::Missed { count } => missed += count,
            RuntimeEvent::RunEnded { .. } => ended += 1,
            _ => {}
        }
    }
    assert!(missed >= 300, "{missed}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_that_its_caller_let_go_is_found_by_the_next_drive() {
    let desk = slow_desk().await;
    let runtime = connected_once(&desk, builder(&desk.0)).await;
    let run = runtime.start_run(start(&runtime, ASKS)).await.unwrap();
    tokio::select! {
        biased;
        driven = runtime.run_until_idle() => panic!("it had no answer: {driven:?}"),
        () = heard(&desk) => {}
    }
    desk.2.add_permits(10);
    let going_on = async {
        while runtime.run_view(run).await.unwrap().status != Status::Finished {
            runtime.run_until_idle().await.unwrap();
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), going_on).await.expect("nothing drives the run any more");
}

/// A store in memory whose disk may be full, and whose reads may take a turn.
#[derive(Debug, Default)]
struct Moody {
    store: flowdeck::store::MemoryStore,
    full: AtomicBool,
    slow: AtomicBool,
}

impl Moody {
    async fn turn(&self) {
        if self.slow.load(Ordering::SeqCst) {
            tokio::task::yield_now().await;
        }
    }
}

#[async_trait]
impl Store for Moody {
    fn epoch(&self) -> u64 {
        self.store.epoch()
    }

    async fn commit(&self, delta: Delta) -> Result<(), StoreError> {
        if self.full.load(Ordering::SeqCst) {
            return Err(StoreError::Full { folder: "moody".into() });
        }
        self.store.commit(delta).await
    }

    async fn get(&self, space: Space, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        self.turn().await;
        self.store.get(space, key).await
    }

    async fn scan(&self, scan: Scan) -> Result<Vec<(Vec<u8>, Vec<u8>)>, StoreError> {
        self.turn().await;
        self.store.scan(scan).await
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_store_refuses_and_a_background_that_it_broke_is_started_again() {
    let store = Arc::new(Moody::default());
    let url = desk().await;
    let runtime = builder(&url).store(store.clone()).clock(Arc::new(support::Hasty::default())).open().await.unwrap();
    connect(&runtime).await;
    let run = runtime.start_run(start(&runtime, ASKS)).await.unwrap();
    store.full.store(true, Ordering::SeqCst);
    let refused = runtime.start_run(start(&runtime, ASKS)).await.unwrap_err();
    assert_eq!(refused.code(), "store.full");
    runtime.start().unwrap();
    let broken = async {
        while !runtime.is_broken() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(LONG, broken).await.unwrap();
    assert_eq!(runtime.broken().unwrap().code(), "store.full");
    assert_eq!(runtime.come_to_rest().await.unwrap_err().code(), "store.full", "it is told what ended it");
    assert_eq!(runtime.run_view(run).await.unwrap().status, Status::Running, "reads go on");
    store.full.store(false, Ordering::SeqCst);
    runtime.start().unwrap();
    assert_eq!(runtime.wait_for(run, true, LONG).await.unwrap().status, Status::Finished);
    runtime.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_subscriber_that_lets_go_of_its_wait_again_and_again_hears_every_prompt() {
    let store = Arc::new(Moody::default());
    store.slow.store(true, Ordering::SeqCst);
    let url = desk().await;
    let runtime = builder(&url).store(store).open().await.unwrap();
    let mut events = runtime.events();
    runtime.run(start(&runtime, ASKS)).await.unwrap();
    let mut heard = None;
    for turns in 0..2_000_u32 {
        let mut next = Box::pin(events.next());
        for _ in 0..=turns % 7 {
            tokio::select! {
                biased;
                event = &mut next => {
                    if let Some(RuntimeEvent::PromptOpened { prompt }) = event {
                        heard = Some(prompt.app.clone());
                    }
                    break;
                }
                () = tokio::task::yield_now() => {}
            }
        }
    }
    assert_eq!(heard.unwrap().as_str(), "desk");
}
