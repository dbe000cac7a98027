//! What the engine keeps in memory for all runs together has a size, and what finds no room there is found in the store.
//!
//! Must never need a clock, nor as many runs as a machine can hold.
//! Tests: these.

use std::sync::Arc;

use async_trait::async_trait;
use flowdeck_engine::ports::store::KeyValue;
use flowdeck_engine::ports::{Delta, Op, Scan, Space, Store, StoreError};
use flowdeck_engine::wire::keys;
use flowdeck_engine::{Engine, EngineError, Limits, Parts, Status};
use flowdeck_model::RunId;
use flowdeck_sim::world::{FakeVault, flow};
use flowdeck_sim::{FakeStore, World};
use serde_json::{Value, json};

use crate::driver::common::*;

async fn turns(count: usize) {
    for _ in 0..count {
        tokio::task::yield_now().await;
    }
}

fn signalled(name: &str) -> Arc<flowdeck_model::Flow> {
    flow(json!({"name": name, "cards": [card("w", json!({"wait": {"until": {"signal": {"name": "go"}}}}))]}))
}

/// A ready mark that was named to nobody.
async fn mark(world: &World, run: RunId) {
    let mut delta = Delta::new(world.store.epoch());
    delta.put(Space::Ready, keys::run(run), Vec::new());
    world.store.commit(delta).await.unwrap();
}

#[tokio::test]
async fn ready_runs_that_find_no_room_in_the_queue_are_found_in_the_store() {
    let world = World::default();
    let waiting = world.run(&signalled("w"), json!({})).await.unwrap().id;
    let empty = flow(json!({"cards": []}));
    // Named to nobody: it is met where the store is looked into, and only there.
    mark(&world, waiting).await;
    world.engine.run_until_idle().await.unwrap();
    assert_eq!(world.store.count(Space::Ready), 1);
    for _ in 0..4_097 {
        world.engine.start(start(&empty)).await.unwrap();
    }
    world.engine.run_until_idle().await.unwrap();
    assert_eq!(world.store.count(Space::Ready), 0);
}

#[tokio::test]
async fn where_changes_find_no_room_everything_waited_for_is_asked_about() {
    for (count, status) in [(1_024, Status::Waiting), (1_025, Status::Finished)] {
        let world = World::default();
        let flow = acme_flow(json!([acme("r", "read", json!({}))]));
        let run = world.run(&flow, json!({})).await.unwrap().id;
        // The run's own connection is there, but nobody was told: only who asks for it finds out.
        world.authorizer.grant("acme", "alice");
        world.authorizer.forget_changes();
        for n in 0..count {
            world.authorizer.grant(&format!("other{n}"), "alice");
        }
        assert_eq!(go_on(&world, run).await.status, status, "{count} changes");
    }
}

#[tokio::test]
async fn a_store_that_makes_too_many_runs_unreadable_is_itself_at_fault() {
    for (count, is_well) in [(10, true), (1_001, false)] {
        let mut world = World::default();
        let cards = json!([acme("r", "read", json!({}))]);
        let lost = acme_flow(cards);
        let mut hash = None;
        for _ in 0..count {
            hash = Some(world.run(&lost, json!({})).await.unwrap().hash);
        }
        let mut delta = Delta::new(world.store.epoch());
        delta.delete(Space::Flows, keys::flow_version(hash.unwrap()));
        world.store.commit(delta).await.unwrap();
        world.restart();
        world.authorizer.grant("acme", "alice");
        world.engine.recover().await.unwrap();
        assert_eq!(world.engine.run_until_idle().await.is_ok(), is_well, "{count} runs");
    }
}

#[tokio::test]
async fn no_more_runs_are_taken_out_of_the_queue_than_can_be_at_work() {
    let world = World::new(Limits { active_runs_max: 3, ..Default::default() });
    world.authorizer.grant("acme", "alice");
    let flow = acme_flow(json!([acme("h", "hang", json!({}))]));
    for _ in 0..3 {
        world.engine.start(start(&flow)).await.unwrap();
    }
    let (_shutdown, is_over) = tokio::sync::watch::channel(false);
    let engine = world.engine.clone();
    let forever = tokio::spawn(async move { engine.run_forever(is_over).await });
    turns(50).await;
    assert_eq!(world.engine.active(), 3);
    for _ in 0..20 {
        world.engine.start(start(&flow)).await.unwrap();
        turns(5).await;
    }
    // It looks again: where it has no place to give, it takes nothing out.
    world.clock.advance(60_000);
    turns(50).await;
    assert_eq!(world.engine.active(), 3, "the others wait in the queue");
    forever.abort();
}

#[tokio::test]
async fn a_caller_beyond_those_that_may_wait_is_refused_at_once() {
    let world = Arc::new(World::new(Limits { active_runs_max: 1, waiting_starts_max: 2, ..Default::default() }));
    world.authorizer.grant("acme", "alice");
    let flow = acme_flow(json!([acme("h", "hang", json!({}))]));
    let mut callers = Vec::new();
    for _ in 0..4 {
        let (world, flow) = (world.clone(), flow.clone());
        callers.push(tokio::spawn(async move { world.engine.start_and_wait(start(&flow)).await }));
        turns(5).await;
    }
    let answered: Vec<_> = callers.iter().map(tokio::task::JoinHandle::is_finished).collect();
    assert_eq!(answered, [false, false, false, true]);
    assert!(matches!(callers.pop().unwrap().await.unwrap(), Err(EngineError::Busy { waiting: 2 })));
    callers.iter().for_each(tokio::task::JoinHandle::abort);
}

#[tokio::test]
async fn a_run_waits_for_disk_space_for_ten_seconds() {
    let world = Arc::new(connected());
    let run = world.engine.start(start(&acme_flow(json!([acme("w", "write", json!({}))])))).await.unwrap();
    world.store.full_after(1, u64::MAX);
    let driver = world.clone();
    let driven = tokio::spawn(async move { driver.engine.drive_until_stopped(run).await });
    for second in 0..10 {
        turns(50).await;
        assert!(!driven.is_finished(), "after {second} s");
        world.clock.advance(1_000);
    }
    turns(50).await;
    assert!(driven.is_finished(), "it waits for ever");
    assert!(driven.await.unwrap().is_err());
}

#[tokio::test]
async fn a_run_that_two_drive_is_driven_once() {
    let world = Arc::new(connected());
    world.authorizer.slow(20);
    let run = world.engine.start(start(&acme_flow(json!([acme("w", "write", json!({}))])))).await.unwrap();
    let (one, other) = tokio::join!(world.engine.drive_until_stopped(run), world.engine.drive_until_stopped(run));
    assert_eq!((one.unwrap().status, other.unwrap().status), (Status::Finished, Status::Finished));
    assert_eq!(world.cards.happened("acme/write").len(), 1);
}

#[tokio::test]
async fn flows_that_were_made_ready_to_run_are_forgotten_in_the_end() {
    for (others, status) in [(10, Status::Finished), (512, Status::Waiting)] {
        let world = World::default();
        let first = signalled("first");
        let run = world.run(&first, json!({})).await.unwrap();
        for n in 0..others {
            world.engine.publish(&flow(json!({"name": format!("f{n}"), "cards": []}))).await.unwrap();
        }
        let mut delta = Delta::new(world.store.epoch());
        delta.delete(Space::Flows, keys::flow_version(run.hash));
        world.store.commit(delta).await.unwrap();
        world.engine.signal(run.id, "go", json!(null)).await.unwrap();
        assert_eq!(go_on(&world, run.id).await.status, status, "after {others} others it must be read again");
    }
}

/// It would be in memory twice for as long as the disk is full.
#[tokio::test]
async fn a_very_large_commit_that_finds_no_space_is_not_kept_for_another_try() {
    for (bytes, is_kept) in [(1 << 10, true), (2 << 20, false)] {
        let world = Arc::new(connected());
        let text = "x".repeat(bytes);
        let cards =
            json!([acme("w", "write", json!({})), echo("e", json!({"text": text})), acme("v", "write", json!({}))]);
        let run = world.engine.start(start(&acme_flow(cards))).await.unwrap();
        world.store.full_after(1, 1);
        let driver = world.clone();
        let driven = tokio::spawn(async move { driver.engine.drive_until_stopped(run).await });
        turns(200).await;
        assert_eq!(driven.is_finished(), !is_kept, "{bytes} bytes");
        driven.abort();
    }
}

/// A store whose rows somebody else changes just before each commit.
#[derive(Debug)]
struct Contended(FakeStore);

#[async_trait]
impl Store for Contended {
    fn epoch(&self) -> u64 {
        self.0.epoch()
    }

    async fn commit(&self, delta: Delta) -> Result<(), StoreError> {
        let rows = |op: &Op| matches!(op, Op::Put { space: Space::Rows, .. });
        if delta.ops.iter().any(rows) { Err(StoreError::Conflict) } else { self.0.commit(delta).await }
    }

    async fn get(&self, space: Space, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        self.0.get(space, key).await
    }

    async fn scan(&self, scan: Scan) -> Result<Vec<KeyValue>, StoreError> {
        tokio::task::yield_now().await;
        self.0.scan(scan).await
    }
}

#[tokio::test]
async fn rows_that_keep_changing_are_given_up_after_some_plans() {
    let world = World::default();
    let engine = Engine::new(Parts {
        store: Arc::new(Contended(FakeStore::default())),
        clock: world.clock.clone(),
        cards: world.cards.clone(),
        authorizer: world.authorizer.clone(),
        vault: Arc::new(FakeVault),
        seed: 1,
        limits: Limits::default(),
    });
    let op = |value: Value| serde_json::from_value(value).unwrap();
    let columns = json!([{"name": "n", "type": "number"}]);
    engine.table_op(&op(json!({"define": {"name": "T", "columns": columns}}))).await.unwrap();
    let create = op(json!({"create": {"table": "T", "values": {"n": 1}}}));
    let written = async move { engine.table_op(&create).await };
    tokio::pin!(written);
    for _ in 0..1_000 {
        let polled = std::future::poll_fn(|cx| std::task::Poll::Ready(written.as_mut().poll(cx))).await;
        if let std::task::Poll::Ready(done) = polled {
            let Err(EngineError::Table(fault)) = done else { panic!("{done:?}") };
            assert!(fault.message.contains("kept changing"), "{fault}");
            return;
        }
    }
    panic!("it plans again and again");
}
