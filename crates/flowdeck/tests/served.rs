//! Flows that start by themselves: each planned time once, missed and overlapping ones as the flow says.
//!
//! Must never wait for real time: a clock that tests move tells it.
//! Tests: this is the test.
#![allow(clippy::unwrap_used, reason = "a test says what went wrong by panicking")]

use crate::support;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use flowdeck::engine::ports::{Clock, Delta, Scan, Space, Store, StoreError};
use flowdeck::model::FlowName;
use flowdeck::store::MemoryStore;
use flowdeck::{Runtime, RuntimeError, Status};
use flowdeck_sim::clock::FakeClock;
use support::flow;

const MINUTE_MS: u64 = 60_000;
const TICKS: &str = "flow: ticks\non: { schedule: { cron: \"*/10 * * * *\"KEYS } }\ncards:\n  - return: { at: \"${event.scheduled_at}\" }\n";
/// Ends only when somebody sends the signal.
const WAITS: &str = "flow: ticks\non: { schedule: { cron: \"*/10 * * * *\"KEYS } }\ncards:\n  - wait: { signal: go }\n  - return: { at: \"${event.scheduled_at}\" }\n";

struct Place {
    clock: Arc<FakeClock>,
    store: Arc<dyn Store>,
    runtime: Runtime,
}

async fn open(clock: &Arc<FakeClock>, store: &Arc<dyn Store>) -> Runtime {
    Runtime::builder().store(store.clone()).clock(clock.clone()).key_bytes([7; 32]).open().await.unwrap()
}

impl Place {
    /// With the flow published and on. The clock stands at half past nine.
    async fn new(text: &str, keys: &str) -> Self {
        let (clock, store) = (Arc::new(FakeClock::default()), Arc::new(MemoryStore::default()) as Arc<dyn Store>);
        let runtime = open(&clock, &store).await;
        let place = Self { clock, store, runtime };
        place.runtime.publish(&flow(&place.runtime, &text.replace("KEYS", keys))).await.unwrap();
        place.runtime.switch(&name(), true).await.unwrap().unwrap();
        place
    }
    fn pass(&self, minutes: u64) {
        self.clock.advance(minutes * MINUTE_MS);
    }
    /// Starts and drives what is due; the planned times of the runs that have ended so far, oldest first.
    async fn tick(&self) -> Vec<String> {
        self.runtime.start_scheduled().await.unwrap();
        self.runtime.run_until_idle().await.unwrap();
        self.ended().await
    }
    async fn ended(&self) -> Vec<String> {
        let page = self.runtime.runs(&Default::default(), None, 100).await.unwrap();
        let mut found = Vec::new();
        for run in page.runs.iter().filter(|run| run.status == Status::Finished) {
            let view = self.runtime.run_view(run.id).await.unwrap();
            found.push(view.output.unwrap().get("at").as_str().unwrap()[11..16].to_owned());
        }
        found.sort();
        found
    }
}

fn name() -> FlowName {
    "ticks".parse().unwrap()
}

#[tokio::test]
async fn a_schedule_starts_each_time_once_whoever_looks_and_after_a_restart() {
    let mut place = Place::new(TICKS, "").await;
    assert!(place.tick().await.is_empty(), "nothing is due yet");
    place.pass(10);
    assert_eq!(place.tick().await, ["09:40"]);
    assert_eq!(place.tick().await, ["09:40"]);
    // The clock is set back: the time comes again, and the run does not.
    place.clock.jump(-5 * 60_000);
    assert_eq!(place.tick().await, ["09:40"]);
    place.pass(5);
    assert_eq!(place.tick().await, ["09:40"]);
    place.runtime.stop().await.unwrap();
    place.runtime = open(&place.clock, &place.store).await;
    place.pass(10);
    assert_eq!(place.tick().await, ["09:40", "09:50"]);
}

#[tokio::test]
async fn missed_times_are_made_up_for_as_the_flow_says() {
    for (keys, expected) in [
        ("", &["10:20"][..]),
        (", missed: skip", &[]),
        (", missed: all", &["09:40", "09:50", "10:00", "10:10", "10:20"]),
        (", missed: all, within: 20m", &["10:10", "10:20"]),
    ] {
        let place = Place::new(TICKS, keys).await;
        place.pass(55);
        assert_eq!(place.tick().await, expected, "{keys}");
    }
}

#[tokio::test]
async fn a_time_that_meets_a_run_that_has_not_ended() {
    for (keys, waiting, after) in [
        ("", 2, &["09:40", "09:50"][..]),
        (", overlap: skip", 1, &["09:40"]),
        (", overlap: queue", 1, &["09:40", "09:50"]),
    ] {
        let place = Place::new(WAITS, keys).await;
        for _ in 0..2 {
            place.pass(10);
            assert!(place.tick().await.is_empty());
        }
        let page = place.runtime.runs(&Default::default(), None, 100).await.unwrap();
        assert_eq!(page.runs.len(), waiting, "{keys}");
        for _ in 0..3 {
            for run in place.runtime.runs(&Default::default(), None, 100).await.unwrap().runs {
                if !run.status.is_ended() {
                    place.runtime.signal(run.id, "go", serde_json::Value::Null).await.unwrap();
                }
            }
            place.tick().await;
        }
        assert_eq!(place.ended().await, after, "{keys}");
    }
}

#[tokio::test]
async fn a_flow_that_is_off_starts_nothing_and_makes_up_for_nothing_when_it_is_on_again() {
    let place = Place::new(TICKS, ", missed: all").await;
    let off = place.runtime.switch(&name(), false).await.unwrap().unwrap();
    assert_eq!((off.on, off.next), (false, None));
    place.pass(25);
    assert!(place.tick().await.is_empty());
    place.runtime.switch(&name(), true).await.unwrap();
    assert!(place.tick().await.is_empty());
    place.pass(10);
    assert_eq!(place.tick().await, ["10:00"]);
    assert!(place.runtime.switch(&"other".parse().unwrap(), true).await.unwrap().is_none());
}

#[tokio::test]
async fn a_new_version_takes_over_and_one_that_cannot_start_by_itself_does_not() {
    let place = Place::new(TICKS, "").await;
    let before = place.runtime.served().await.unwrap().remove(0);
    let needs = "flow: ticks\ninputs: { who: { type: text, required: true } }\non: { schedule: { cron: \"* * * * *\" } }\ncards:\n  - return: { who: \"${input.who}\" }\n";
    let refused = place.runtime.publish(&flow(&place.runtime, needs)).await.unwrap_err();
    assert!(matches!(&refused, RuntimeError::Setting(what) if what.contains("input `who` is required")), "{refused}");
    assert_eq!(place.runtime.served().await.unwrap()[0].hash, before.hash);
    let hourly = TICKS.replace("KEYS", "").replace("*/10", "0");
    let after = place.runtime.publish(&flow(&place.runtime, &hourly)).await.unwrap();
    assert!(after.on && after.hash != before.hash);
    place.pass(30);
    assert_eq!(place.tick().await, ["10:00"]);
}

#[tokio::test]
async fn a_host_that_owns_the_schedule_sees_when_to_come_and_what_is_due() {
    let place = Place::new(TICKS, "").await;
    let next = place.runtime.next_due().await.unwrap().unwrap();
    assert_eq!(next, place.clock.now().plus(10 * MINUTE_MS));
    assert_eq!(place.runtime.run_due(place.clock.now()).await.unwrap(), 0);
    place.pass(10);
    place.runtime.run_due(place.clock.now()).await.unwrap();
    place.runtime.run_until_idle().await.unwrap();
    assert_eq!(place.ended().await, ["09:40"]);
}

#[tokio::test]
async fn the_background_starts_what_is_due_and_hears_of_changes() {
    let place = Place::new(TICKS, "").await;
    place.runtime.switch(&name(), false).await.unwrap();
    place.runtime.start().unwrap();
    place.runtime.start_triggers().unwrap();
    let mut notices = place.runtime.notices();
    place.runtime.switch(&name(), true).await.unwrap();
    let ended = async {
        while place.ended().await.is_empty() {
            place.pass(1);
            drop(tokio::time::timeout(Duration::from_millis(50), notices.recv()).await);
        }
    };
    tokio::time::timeout(Duration::from_secs(60), ended).await.unwrap();
    place.runtime.stop().await.unwrap();
    assert!(matches!(place.runtime.start_triggers(), Err(RuntimeError::Stopping)));
}

/// Counts what reaches the store.
#[derive(Debug, Default)]
struct Counted {
    inner: MemoryStore,
    commits: AtomicUsize,
    reads: AtomicUsize,
}

#[async_trait::async_trait]
impl Store for Counted {
    fn epoch(&self) -> u64 {
        self.inner.epoch()
    }

    async fn commit(&self, delta: Delta) -> Result<(), StoreError> {
        self.commits.fetch_add(1, Ordering::SeqCst);
        self.inner.commit(delta).await
    }

    async fn get(&self, space: Space, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        self.reads.fetch_add(usize::from(space == Space::Flows), Ordering::SeqCst);
        self.inner.get(space, key).await
    }

    async fn scan(&self, scan: Scan) -> Result<Vec<(Vec<u8>, Vec<u8>)>, StoreError> {
        self.reads.fetch_add(usize::from(scan.space == Space::Flows), Ordering::SeqCst);
        self.inner.scan(scan).await
    }
}

#[tokio::test]
async fn a_look_that_finds_nothing_reads_and_writes_nothing() {
    let (clock, counted) = (Arc::new(FakeClock::default()), Arc::new(Counted::default()));
    let runtime = open(&clock, &(counted.clone() as Arc<dyn Store>)).await;
    let seen = || (counted.commits.load(Ordering::SeqCst), counted.reads.load(Ordering::SeqCst));
    runtime.publish(&flow(&runtime, &WAITS.replace("KEYS", ", overlap: queue"))).await.unwrap();
    runtime.switch(&name(), true).await.unwrap();
    runtime.start_scheduled().await.unwrap();
    let before = seen();
    for _ in 0..5 {
        clock.advance(MINUTE_MS);
        assert!(runtime.start_scheduled().await.unwrap().is_empty());
        runtime.next_scheduled().await.unwrap();
    }
    assert_eq!(seen(), before, "nothing is due");
    // One run waits, the next time is queued behind it: it is looked at again, and nothing is written.
    clock.advance(15 * MINUTE_MS);
    runtime.start_scheduled().await.unwrap();
    let (before, _) = seen();
    assert!(runtime.start_scheduled().await.unwrap().is_empty());
    assert_eq!(seen().0, before, "what is queued stays queued");
    // Publishing is heard of at once.
    let quick = TICKS.replace("KEYS", "").replace("*/10", "*");
    runtime.publish(&flow(&runtime, &quick)).await.unwrap();
    clock.advance(MINUTE_MS);
    assert!(!runtime.start_scheduled().await.unwrap().is_empty());
}
