//! A run computes on while a commit of it is on its way; nothing leaves, stops or commits before that is durable.
//!
//! Must never let real time pass.
//! Tests: these.

use flowdeck_engine::{Limits, NoticeKind, Start, Status};
use flowdeck_model::Fields;
use flowdeck_sim::World;
use serde_json::{Value, json};

use crate::driver::common::*;

/// So many functions, then a write.
fn cards(functions: usize) -> Value {
    let chain = (0..functions).map(|n| echo(&format!("e{n}"), json!({"v": n})));
    chain.chain([acme("w", "write", json!({"id": 1}))]).collect()
}

/// Computed steps while only the first commit may take effect; then the run goes to its end.
async fn computed_ahead(functions: usize) -> usize {
    let world = World::new(Limits { commit_after_steps: 4, ..Limits::default() });
    world.authorizer.grant("acme", "alice");
    let flow = acme_flow(cards(functions));
    world.engine.publish(&flow).await.unwrap();
    let mut notices = world.engine.subscribe();
    world.store.let_through(world.store.commits() + 1);
    let engine = world.engine.clone();
    let run = tokio::spawn(async move { engine.start_and_wait(Start::new(flow, Fields::new())).await });
    for _ in 0..500 {
        tokio::task::yield_now().await;
    }
    let mut computed = 0;
    while let Ok(notice) = notices.try_recv() {
        computed += usize::from(notice.seq.is_none() && matches!(notice.what, NoticeKind::StepFinished { .. }));
    }
    assert_eq!(world.cards.happened("acme/write").len(), 0, "what it depends on is not durable");
    assert!(!run.is_finished());
    world.store.let_through(u64::MAX);
    let view = run.await.unwrap().unwrap();
    assert_eq!((view.status, view.counts.steps), (Status::Finished, functions as u64 + 1));
    assert_eq!(world.cards.happened("acme/write").len(), 1);
    assert_eq!(world.store.commits_at_once(), 1, "never two of one run");
    let seqs: Vec<_> = world.engine.entries(view.id, 0, 100).await.unwrap().iter().map(|e| e.seq).collect();
    assert_eq!(seqs, (1..=view.counts.entries).collect::<Vec<_>>());
    computed
}

#[tokio::test]
async fn a_run_computes_on_while_its_commit_is_on_its_way_but_not_without_end() {
    assert_eq!(computed_ahead(30).await, 12, "four in the store, four on their way, four that wait");
}

#[tokio::test]
async fn a_write_waits_for_the_commit_on_its_way() {
    assert_eq!(computed_ahead(8).await, 8);
}

#[tokio::test]
async fn an_end_waits_for_the_commit_on_its_way() {
    let world = World::new(Limits { commit_after_steps: 4, ..Limits::default() });
    let chain: Vec<_> = (0..8).map(|n| echo(&format!("e{n}"), json!({"v": n}))).collect();
    let flow = acme_flow(json!(chain));
    world.engine.publish(&flow).await.unwrap();
    world.store.let_through(world.store.commits() + 1);
    let (engine, same) = (world.engine.clone(), flow.clone());
    let run = tokio::spawn(async move { engine.start_and_wait(Start::new(same, Fields::new())).await });
    for _ in 0..500 {
        tokio::task::yield_now().await;
    }
    assert!(!run.is_finished(), "an answer leaves after its commit");
    world.store.kill();
    world.store.let_through(u64::MAX);
    assert!(run.await.unwrap().is_err());
    let mut world = world;
    world.restart();
    world.engine.recover().await.unwrap();
    world.engine.run_until_idle().await.unwrap();
    let runs = world.engine.runs(&Default::default(), None, 10).await.unwrap().runs;
    assert_eq!(runs.iter().map(|r| r.status).collect::<Vec<_>>(), [Status::Finished]);
    assert_eq!(view(&world.engine, runs[0].id).await.output.unwrap().get("v"), &json!(7));
}
