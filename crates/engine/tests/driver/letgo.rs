//! Work whose caller let it go half-way, and a disk that is full for a while: nothing is lost, nothing is repeated.
//!
//! Must never let real time pass.
//! Tests: these.

use std::time::Duration;

use flowdeck_engine::ports::Space;
use flowdeck_engine::{Limits, Status};
use flowdeck_sim::World;
use flowdeck_sim::world::flow;
use serde_json::json;

use crate::driver::common::*;

/// Polls a future a few times, then lets it go.
async fn let_go<T>(turns: usize, work: impl Future<Output = T>) -> Option<T> {
    let mut work = Box::pin(work);
    for _ in 0..turns {
        tokio::select! {
            biased;
            done = &mut work => return Some(done),
            () = tokio::task::yield_now() => {}
        }
    }
    None
}

#[tokio::test]
async fn runs_of_a_drive_that_was_let_go_are_found_by_the_next() {
    for turns in 1..60 {
        let world = World::new(Limits { active_runs_max: 2, ..Limits::default() });
        world.authorizer.grant("acme", "alice");
        let read = acme_flow(json!([acme("r", "read", json!({})), acme("w", "write", json!({}))]));
        for _ in 0..20 {
            world.engine.start(start(&read)).await.unwrap();
        }
        world.store.take_turns();
        let_go(turns, world.engine.run_until_idle()).await;
        // Tasks that were let go end in their own time.
        for _ in 0..50 {
            tokio::task::yield_now().await;
        }
        world.engine.run_until_idle().await.unwrap();
        let runs = world.engine.runs(&Default::default(), None, 50).await.unwrap().runs;
        let left: Vec<_> = runs.iter().filter(|r| !matches!(r.status, Status::Finished | Status::InDoubt)).collect();
        assert!(left.is_empty(), "after {turns} turns: {left:?}");
        let happened = world.cards.happened("acme/write").len();
        assert!(happened <= 20, "{happened} writes of 20 runs");
    }
}

#[tokio::test]
async fn a_run_whose_caller_let_go_is_found_by_the_next_drive() {
    for turns in 1..30 {
        let world = connected();
        let flow = acme_flow(json!([acme("a", "write", json!({})), acme("h", "read", json!({}))]));
        world.store.take_turns();
        let_go(turns, world.engine.start_and_wait(start(&flow))).await;
        for _ in 0..50 {
            tokio::task::yield_now().await;
        }
        world.engine.run_until_idle().await.unwrap();
        let runs = world.engine.runs(&Default::default(), None, 10).await.unwrap().runs;
        assert!(runs.iter().all(|r| r.status != Status::Running), "after {turns} turns: {runs:?}");
        assert_eq!((world.store.count(Space::Ready), world.engine.active()), (0, 0), "after {turns} turns");
    }
}

#[tokio::test]
async fn what_was_connected_while_a_drive_was_let_go_goes_on() {
    for turns in 1..20 {
        let world = World::default();
        let flow = acme_flow(json!([acme("r", "read", json!({}))]));
        let waiting = world.run(&flow, json!({})).await.unwrap();
        assert_eq!(waiting.status, Status::Waiting);
        world.authorizer.grant("acme", "alice");
        world.store.take_turns();
        let_go(turns, world.engine.run_until_idle()).await;
        for _ in 0..50 {
            tokio::task::yield_now().await;
        }
        assert_eq!(go_on(&world, waiting.id).await.status, Status::Finished, "after {turns} turns");
    }
}

#[tokio::test]
async fn an_outcome_waits_for_disk_space_and_is_not_in_doubt() {
    let world = std::sync::Arc::new(connected());
    let flow = acme_flow(json!([acme("w", "write", json!({})), give_back(json!({"done": true}))]));
    let run = world.engine.start(start(&flow)).await.unwrap();
    // The intent is written; what comes after finds no space, three times.
    world.store.full_after(1, 3);
    let driver = world.clone();
    let driven = tokio::spawn(async move { driver.engine.drive_until_stopped(run).await });
    for _ in 0..40 {
        for _ in 0..20 {
            tokio::task::yield_now().await;
        }
        world.clock.advance(1_000);
    }
    let view = tokio::time::timeout(Duration::from_secs(10), driven).await.unwrap().unwrap().unwrap();
    assert_eq!(view.status, Status::Finished);
    assert_eq!(world.cards.happened("acme/write").len(), 1);
}

#[tokio::test]
async fn a_disk_that_stays_full_refuses_new_runs_at_once_and_ends_a_drive_later() {
    let world = connected();
    let flow = flow(json!({"cards": [echo("a", json!({}))]}));
    world.store.full_after(0, u64::MAX);
    assert!(world.run(&flow, json!({})).await.unwrap_err().to_string().contains("is full"), "no pause for a new run");
    world.store.full_after(0, 0);
    assert_eq!(world.run(&flow, json!({})).await.unwrap().status, Status::Finished);
}
