//! A stop: nothing begins any more, what is under way gets its time and no more, and whoever waits is let go.
//!
//! Must never let real time pass.
//! Tests: these.

use std::sync::Arc;

use flowdeck_engine::{EngineError, Status};
use flowdeck_model::RunId;
use flowdeck_sim::World;
use serde_json::json;

use crate::driver::common::*;

async fn turns() {
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
}

/// An engine that runs for ever, with a run whose write never ends.
struct Busy {
    world: Arc<World>,
    run: RunId,
    shutdown: tokio::sync::watch::Sender<bool>,
    forever: tokio::task::JoinHandle<Result<(), EngineError>>,
}

impl Busy {
    async fn new() -> Self {
        let world = Arc::new(connected());
        world.cards.hang("acme/write");
        let flow = acme_flow(json!([acme("w", "write", json!({})), acme("v", "read", json!({}))]));
        let run = world.engine.start(start(&flow)).await.unwrap();
        let (shutdown, is_over) = tokio::sync::watch::channel(false);
        let engine = world.engine.clone();
        let forever = tokio::spawn(async move { engine.run_forever(is_over).await });
        turns().await;
        Self { world, run, shutdown, forever }
    }

    async fn pass(&self, ms: u64) {
        self.world.clock.advance(ms);
        turns().await;
    }
}

#[tokio::test]
async fn what_is_under_way_gets_eight_seconds() {
    let busy = Busy::new().await;
    busy.shutdown.send(true).unwrap();
    turns().await;
    busy.pass(7_999).await;
    assert!(!busy.forever.is_finished(), "the write may still be answered");
    busy.pass(1).await;
    assert!(busy.forever.is_finished());
    assert_eq!(busy.world.engine.active(), 0);
    let Busy { mut world, run, .. } = busy;
    let world = Arc::get_mut(&mut world).unwrap();
    world.restart();
    world.engine.recover().await.unwrap();
    let after = go_on(world, run).await;
    assert_eq!(after.status, Status::InDoubt, "nobody knows whether it happened: {after:?}");
    assert!(waits_for(&after)[0].contains("in_doubt"), "{after:?}");
}

#[tokio::test]
async fn a_run_that_comes_to_no_rest_holds_up_a_stop_for_ten_seconds() {
    let busy = Busy::new().await;
    // What the run is saved with never becomes durable.
    busy.world.store.let_through(busy.world.store.commits());
    busy.shutdown.send(true).unwrap();
    turns().await;
    busy.pass(9_999).await;
    assert!(!busy.forever.is_finished());
    busy.pass(1).await;
    assert!(busy.forever.is_finished(), "it waits for ever");
}

#[tokio::test]
async fn who_waits_for_a_place_learns_of_the_stop_at_once() {
    let limits = flowdeck_engine::Limits { active_runs_max: 1, ..Default::default() };
    let world = Arc::new(World::new(limits));
    world.authorizer.grant("acme", "alice");
    let flow = acme_flow(json!([acme("h", "hang", json!({}))]));
    let mut callers = Vec::new();
    for _ in 0..3 {
        let (world, flow) = (world.clone(), flow.clone());
        callers.push(tokio::spawn(async move { world.engine.start_and_wait(start(&flow)).await }));
    }
    turns().await;
    world.engine.stop();
    turns().await;
    let waiting = callers.split_off(1);
    for caller in waiting {
        assert!(caller.is_finished(), "it waits for a place that nobody gives any more");
        assert!(matches!(caller.await.unwrap(), Err(EngineError::Stopping)));
    }
    callers.pop().unwrap().abort();
    assert!(matches!(world.engine.start_and_wait(start(&flow)).await, Err(EngineError::Stopping)));
    assert!(matches!(
        world.engine.start_all(&[start(&flow)], flowdeck_engine::ports::Delta::new(1)).await,
        Err(EngineError::Stopping)
    ));
}

#[tokio::test]
async fn an_authorization_that_comes_after_the_stop_begins_nothing() {
    let mut world = connected();
    world.authorizer.slow(50);
    let run = world.engine.start(start(&acme_flow(json!([acme("w", "write", json!({}))])))).await.unwrap();
    let engine = world.engine.clone();
    let driven = tokio::spawn(async move { engine.drive_until_stopped(run).await });
    for _ in 0..10 {
        tokio::task::yield_now().await;
    }
    world.engine.stop();
    driven.await.unwrap().unwrap();
    assert_eq!(world.cards.calls("acme/write"), 0);
    world.restart();
    world.engine.recover().await.unwrap();
    assert_eq!(go_on(&world, run).await.status, Status::Finished);
    assert_eq!(world.cards.happened("acme/write").len(), 1);
}

#[tokio::test]
async fn a_full_disk_does_not_hold_up_a_stop() {
    let world = Arc::new(connected());
    let run = world.engine.start(start(&acme_flow(json!([acme("w", "write", json!({}))])))).await.unwrap();
    world.store.full_after(1, u64::MAX);
    let driver = world.clone();
    let driven = tokio::spawn(async move { driver.engine.drive_until_stopped(run).await });
    turns().await;
    assert!(!driven.is_finished(), "it waits for space");
    world.engine.stop();
    world.clock.advance(1_000);
    turns().await;
    assert!(driven.is_finished(), "it tries for another nine seconds");
}
