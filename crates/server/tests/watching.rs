//! Who watches a run learns its end at once, also when it comes while the stream is being set up, and learns when nothing
//! drives the run any more.
//!
//! Must never leave loopback.
//! Tests: this is the test.
#![allow(clippy::unwrap_used)]

use crate::support;

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use flowdeck::engine::ports::store::KeyValue;
use flowdeck::engine::ports::{Delta, Scan, Space, Store, StoreError};
use flowdeck::engine::wire::keys;
use flowdeck::model::{Fields, RunId};
use flowdeck::store::MemoryStore;
use flowdeck::{Runtime, RuntimeEvent, Source, Start, Status};
use flowdeck_server::Api;
use flowdeck_server::client::Client;
use flowdeck_server::wire::RunEvent;
use futures_util::StreamExt as _;
use serde_json::{Value, json};
use support::*;
use tokio::sync::Notify;

/// A stream looks at its run without a notice after five seconds; what a notice brings comes at once.
const BEFORE_THE_NEXT_LOOK: Duration = Duration::from_secs(4);
/// What hangs fails.
const HANGS_AFTER: Duration = Duration::from_secs(60);

/// A store that stops in the middle of a chosen read of a run's record: after it was read, before it is answered.
#[derive(Debug)]
struct Gate {
    store: MemoryStore,
    /// Reads until the chosen one; negative where none is chosen.
    reads: AtomicI64,
    reached: Notify,
    go: Notify,
}

#[async_trait]
impl Store for Gate {
    fn epoch(&self) -> u64 {
        self.store.epoch()
    }

    async fn commit(&self, delta: Delta) -> Result<(), StoreError> {
        self.store.commit(delta).await
    }

    async fn get(&self, space: Space, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        let found = self.store.get(space, key).await;
        if space == Space::Runs && self.reads.fetch_sub(1, Ordering::SeqCst) == 0 {
            self.reached.notify_one();
            self.go.notified().await;
        }
        found
    }

    async fn scan(&self, scan: Scan) -> Result<Vec<KeyValue>, StoreError> {
        self.store.scan(scan).await
    }
}

fn gate() -> Arc<Gate> {
    let (reached, go) = (Notify::new(), Notify::new());
    Arc::new(Gate { store: MemoryStore::new(), reads: AtomicI64::new(-1), reached, go })
}

async fn open(store: Arc<Gate>) -> (Runtime, Client) {
    let runtime = Runtime::builder().store(store).key_bytes([7; 32]).open().await.unwrap();
    let client = Client::in_process(Api::new(runtime.clone(), "1", "here", false).router());
    (runtime, client)
}

/// A run of [`WAITS`] that has come to its wait.
async fn waiting(runtime: &Runtime) -> RunId {
    let flow = runtime.flow(&Source::new("w.flow.yaml", WAITS), None).unwrap();
    let run = runtime.start_run(Start::new(flow, Fields::new())).await.unwrap();
    assert_eq!(runtime.drive(run).await.unwrap().status, Status::Waiting);
    run
}

async fn stopped(client: &Client, run: RunId, follow: bool) -> flowdeck::RunView {
    let stream = client.run_events(run, 0, follow).await.unwrap();
    let all: Vec<RunEvent> = stream.map(|event| event.unwrap()).collect().await;
    match all.into_iter().next_back() {
        Some(RunEvent::Stopped { run }) => *run,
        other => panic!("no end: {other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_end_between_the_look_at_the_record_and_the_wait_for_news_is_not_missed() {
    let store = gate();
    let (runtime, client) = open(store.clone()).await;
    let run = waiting(&runtime).await;
    // The first read is the request's, to see that there is such a run; the second is the stream's.
    store.reads.store(1, Ordering::SeqCst);
    let watching = tokio::spawn(async move { stopped(&client, run, true).await });
    tokio::time::timeout(HANGS_AFTER, store.reached.notified()).await.unwrap();
    runtime.signal(run, "go", json!(null)).await.unwrap();
    assert_eq!(runtime.drive(run).await.unwrap().status, Status::Finished);
    store.go.notify_one();
    let seen = tokio::time::timeout(BEFORE_THE_NEXT_LOOK, watching).await;
    assert_eq!(seen.expect("the end was missed").unwrap().status, Status::Finished);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_watches_a_run_that_is_set_aside_is_told_what_happened_and_what_to_do() {
    let store = gate();
    let (runtime, _) = open(store.clone()).await;
    let run = waiting(&runtime).await;
    let hash = runtime.run_view(run).await.unwrap().hash;
    runtime.stop().await.unwrap();
    let mut delta = Delta::new(store.epoch());
    delta.delete(Space::Flows, keys::flow_version(hash));
    store.commit(delta).await.unwrap();
    // Another process, which does not remember the flow.
    let (runtime, client) = open(store.clone()).await;
    let mut events = runtime.events();
    let watchers = [true, false].map(|follow| {
        let client = client.clone();
        tokio::spawn(async move { stopped(&client, run, follow).await })
    });
    let waiter = {
        let runtime = runtime.clone();
        tokio::spawn(async move { runtime.wait_for(run, true, HANGS_AFTER * 2).await.unwrap() })
    };
    runtime.start().unwrap();
    runtime.signal(run, "go", json!(null)).await.unwrap();
    let told = async {
        while let Some(event) = events.next().await {
            if let RuntimeEvent::RunSetAside { run: aside, fault } = event {
                assert_eq!(aside, run);
                return fault;
            }
        }
        panic!("no event");
    };
    let fault = tokio::time::timeout(HANGS_AFTER, told).await.unwrap();
    assert!(fault.remedy.contains("flowdeck runs cancel"), "{fault:?}");
    let [following, until_stopped] = watchers;
    let view = tokio::time::timeout(HANGS_AFTER, following).await.expect("it ends").unwrap();
    assert_eq!(view.set_aside.as_ref(), Some(&fault));
    // This one may have ended at the wait already.
    tokio::time::timeout(HANGS_AFTER, until_stopped).await.expect("it ends").unwrap();
    let waited = tokio::time::timeout(HANGS_AFTER, waiter).await.expect("it ends").unwrap();
    assert_eq!(waited.set_aside, Some(fault));
    assert_eq!(stopped(&client, run, false).await.set_aside, waited.set_aside, "also who comes later");
    let _: Value = call(&client, http::Method::POST, &format!("/v1/runs/{run}/cancel"), ()).await;
    assert_eq!(runtime.run_view(run).await.unwrap().status, Status::Cancelled);
    runtime.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_list_of_runs_holds_none_of_their_values() {
    let (runtime, client) = open(gate()).await;
    let flow = runtime.flow(&Source::new("h.flow.yaml", HELLO), None).unwrap();
    let large = "x".repeat(1 << 20);
    let mut input = Fields::new();
    input.set("name", large.clone());
    let run = runtime.run(Start::new(flow, input)).await.unwrap().id;
    let list: Value = get_json(&client, "/v1/runs").await;
    assert!(list.to_string().len() < 2_000, "{} bytes", list.to_string().len());
    assert_eq!(list["runs"][0]["id"], json!(run.to_string()));
    assert_eq!(list["runs"][0]["status"], "finished");
    let shown: Value = get_json(&client, &format!("/v1/runs/{run}")).await;
    assert_eq!(shown["output"]["text"], json!(format!("Hello {large}")), "details belong to one run");
}
