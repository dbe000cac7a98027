//! A run that misbehaves harms neither itself for ever nor any other run.
//!
//! Must never need more time than a test has where a guard is missing.
//! Tests: these.

use std::sync::Arc;

use async_trait::async_trait;
use flowdeck_engine::ports::{Authorized, Authorizer, Decision, Loss, Space, Store as _, StoreError, WaitKey};
use flowdeck_engine::wire::keys;
use flowdeck_engine::{Engine, Limits, Parts, Status};
use flowdeck_model::connect::Need;
use flowdeck_model::{ConnectionId, PromptId};
use flowdeck_sim::FakeAuthorizer;
use flowdeck_sim::world::flow;
use serde_json::json;

use crate::driver::common::*;

/// Turns that others get before a loop counts as endless.
const TURNS_MAX: usize = 20_000;

#[tokio::test]
async fn a_loop_of_functions_alone_meets_the_timeout_of_its_flow() {
    let world = connected();
    let lane = json!({"cards": [echo("e", json!({"v": 1}))]});
    let endless = card("m", json!({"times": {"count": 1e12, "as": "i", "concurrency": 1, "lane": lane}}));
    let flow = flow(json!({"timeout_ms": 1_000, "cards": [endless]}));
    let clock = world.clock.clone();
    let driven = tokio::spawn(async move { world.run(&flow, json!({})).await.unwrap() });
    tokio::task::yield_now().await;
    clock.advance(5_000);
    for _ in 0..TURNS_MAX {
        if driven.is_finished() {
            let view = driven.await.unwrap();
            assert_eq!((view.status, view.fault.unwrap().code.as_str()), (Status::Failed, "timeout"));
            return;
        }
        tokio::task::yield_now().await;
    }
    driven.abort();
    panic!("the loop goes on past its flow's timeout");
}

/// Breaks where a card is called `broken`.
struct Broken(Arc<FakeAuthorizer>);

#[async_trait]
impl Authorizer for Broken {
    async fn authorize(&self, need: &Need) -> Result<Decision, StoreError> {
        assert!(need.slot.as_str() != "broken", "a defect");
        self.0.authorize(need).await
    }

    async fn refused(&self, need: &Need, used: &Authorized, loss: Loss) -> Result<Decision, StoreError> {
        self.0.refused(need, used, loss).await
    }

    fn worked(&self, used: &Authorized) {
        self.0.worked(used);
    }

    async fn changed(&self, on: &WaitKey, seen: u64) -> Result<bool, StoreError> {
        self.0.changed(on, seen).await
    }

    async fn next_changes(&self) -> Vec<WaitKey> {
        self.0.next_changes().await
    }

    async fn left(&self, prompt: PromptId) -> Result<(), StoreError> {
        self.0.left(prompt).await
    }

    async fn account(&self, connection: ConnectionId) -> Result<Option<(u64, Option<String>)>, StoreError> {
        self.0.account(connection).await
    }
}

#[tokio::test]
async fn a_run_that_meets_a_defect_is_set_aside_and_the_others_go_on() {
    let world = connected();
    let engine = Engine::new(Parts {
        store: world.store.clone(),
        clock: world.clock.clone(),
        cards: world.cards.clone(),
        authorizer: Arc::new(Broken(world.authorizer.clone())),
        vault: Arc::new(flowdeck_sim::FakeVault),
        seed: 5,
        limits: Limits::default(),
    });
    let read = |slot: &str| {
        let card = json!({"id": "r", "kind": {"call": {"card": "acme/read", "slot": slot, "with": {}}}});
        flow(json!({"slots": {slot: {"app": "acme"}}, "cards": [card]}))
    };
    let bad = engine.start(start(&read("broken"))).await.unwrap();
    let good = engine.start(start(&read("fine"))).await.unwrap();
    engine.run_until_idle().await.unwrap();
    assert_eq!(view(&engine, good).await.status, Status::Finished);
    assert_eq!(view(&engine, bad).await.status, Status::Running, "it is found again at the next start");
    assert_eq!(world.store.count(Space::Ready), 1);
}

#[tokio::test]
async fn a_signal_that_finds_the_queue_full_and_no_ready_mark_is_taken_all_the_same() {
    let world = connected();
    let wait = card("nap", json!({"wait": {"until": {"signal": {"name": "go"}}}}));
    let waiting = world.run(&flow(json!({"name": "w", "cards": [wait]})), json!({})).await.unwrap().id;
    let other = flow(json!({"cards": []}));
    for _ in 0..4_096 {
        world.engine.start(start(&other)).await.unwrap();
    }
    world.engine.signal(waiting, "go", json!(1)).await.unwrap();
    // As where a commit of the run's own, under way meanwhile, takes the mark away.
    let mut delta = flowdeck_engine::ports::Delta::new(world.store.epoch());
    delta.delete(Space::Ready, keys::run(waiting));
    world.store.commit(delta).await.unwrap();
    assert_eq!(go_on(&world, waiting).await.status, Status::Finished);
}

#[tokio::test]
async fn a_run_that_no_commit_can_hold_fails_and_the_others_go_on() {
    let world = connected();
    // Twice as large with each round: less than a mapping may give, but stored with six bytes a character, more than the
    // largest value after the last.
    let doubled = json!({"while": {"start": {"n": 0, "l": ["\u{1}".repeat(1 << 20)]}, "as": "so", "when": "${so.n < 5}", "times_max": 9,
        "lane": {"give": {"n": "${so.n + 1}", "l": ["${so.l}", "${so.l}"]}}}});
    let cards = json!([acme("sent", "write", json!({})), card("m", doubled), give_back(json!({"l": "${m.l}"}))]);
    let large = flow(json!({"name": "large", "slots": {"acme": {"app": "acme"}}, "cards": cards}));
    let other = flow(json!({"cards": []}));
    let bad = world.engine.start(start(&large)).await.unwrap();
    let good = world.engine.start(start(&other)).await.unwrap();
    world.engine.run_until_idle().await.unwrap();
    assert_eq!(view(&world.engine, good).await.status, Status::Finished);
    let failed = view(&world.engine, bad).await;
    let fault = failed.fault.unwrap();
    assert_eq!((failed.status, fault.code.as_str()), (Status::Failed, "limit-reached"));
    assert!(fault.message.contains("more than can be stored"), "{fault}");
    assert_eq!((world.store.count(Space::Ready), world.store.count(Space::States)), (0, 0));
    let direct = world.run(&large, json!({})).await.unwrap();
    assert_eq!(direct.status, Status::Failed, "also where a caller waits");
}
