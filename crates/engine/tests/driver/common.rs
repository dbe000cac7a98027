//! Short words for flows in the model's form, and one helper that runs them.
//!
//! Must never hide what a test asserts.
//! Tests: used by all others here.

use std::sync::Arc;

use flowdeck_engine::{Engine, EntryKind, RunView, Start, Status};
use flowdeck_model::{Fields, Flow, RunId, StepPath, Value};
use flowdeck_sim::World;
use flowdeck_sim::world::flow;
use serde_json::json;

/// A call of a function or of an action that needs no connection.
pub(crate) fn call(id: &str, card: &str, with: Value) -> Value {
    json!({"id": id, "kind": {"call": {"card": card, "with": with}}})
}

/// A call of the app `acme`.
pub(crate) fn acme(id: &str, card: &str, with: Value) -> Value {
    json!({"id": id, "kind": {"call": {"card": format!("acme/{card}"), "slot": "acme", "with": with}}})
}

/// A card that gives back its inputs.
pub(crate) fn echo(id: &str, with: Value) -> Value {
    call(id, "t/echo", with)
}

/// A control card.
pub(crate) fn card(id: &str, kind: Value) -> Value {
    json!({"id": id, "kind": kind})
}

/// The same card with something more (`retry`, `timeout_ms`, `in_doubt`, `disabled`).
pub(crate) fn with(mut card: Value, more: Value) -> Value {
    if let (Some(card), Value::Object(more)) = (card.as_object_mut(), more) {
        card.extend(more);
    }
    card
}

/// Return.
pub(crate) fn give_back(with: Value) -> Value {
    card("back", json!({"return": {"with": with}}))
}

/// For each over a list, with what each round gives.
pub(crate) fn for_each(id: &str, items: Value, concurrency: u32, cards: Value, give: Value) -> Value {
    card(
        id,
        json!({"for_each": {
            "each": {"items": {"list": items}, "as": "item", "index": "n", "concurrency": concurrency},
            "lane": {"cards": cards, "give": give}}}),
    )
}

/// A flow with a slot for `acme`.
pub(crate) fn acme_flow(cards: Value) -> Arc<Flow> {
    flow(json!({"slots": {"acme": {"app": "acme"}}, "cards": cards}))
}

/// A world where `acme` is connected.
pub(crate) fn connected() -> World {
    let world = World::default();
    world.authorizer.grant("acme", "alice");
    world
}

/// Runs cards to their end and gives the run.
pub(crate) async fn run(cards: Value, input: Value) -> RunView {
    let world = connected();
    let flow = acme_flow(cards);
    world.run(&flow, input).await.unwrap()
}

/// Each flow, by name, finishes with exactly this output.
pub(crate) async fn check(table: Vec<(&str, Value, Value)>) {
    for (name, cards, expected) in table {
        let view = run(cards, json!({"n": 5, "list": [3, 1, 2], "text": "hi"})).await;
        assert_eq!(view.status, Status::Finished, "{name}: {:?}", view.fault);
        assert_eq!(view.output.unwrap().to_value(), expected, "{name}");
    }
}

/// Each flow, by name, fails at this step, and its fault has this code and these words.
pub(crate) async fn check_fails(table: Vec<(&str, Value, &str, &str, &str)>) {
    for (name, cards, path, code, words) in table {
        let view = run(cards, json!({"n": 5})).await;
        assert_eq!(view.status, Status::Failed, "{name}");
        let fault = view.fault.unwrap();
        assert_eq!(view.failed_at.unwrap().to_string(), path, "{name}: {fault}");
        assert_eq!(fault.code.as_str(), code, "{name}: {fault}");
        assert!(fault.message.contains(words), "{name}: {fault}");
    }
}

/// A start by hand.
pub(crate) fn start(flow: &Arc<Flow>) -> Start {
    Start::new(flow.clone(), Fields::new())
}

/// A step's path.
pub(crate) fn path(text: &str) -> StepPath {
    text.parse().unwrap()
}

/// The run's record.
pub(crate) async fn view(engine: &Engine, run: RunId) -> RunView {
    engine.run(run).await.unwrap().unwrap()
}

/// Drives what can go on, and gives the run.
pub(crate) async fn go_on(world: &World, run: RunId) -> RunView {
    world.engine.run_until_idle().await.unwrap();
    view(&world.engine, run).await
}

/// Lets time pass, drives what is due, and gives the run.
pub(crate) async fn later(world: &World, ms: u64, run: RunId) -> RunView {
    world.clock.advance(ms);
    world.engine.run_due().await.unwrap();
    go_on(world, run).await
}

/// Paths of the steps that finished, in order.
pub(crate) async fn finished(world: &World, run: RunId) -> Vec<String> {
    let entries = world.engine.entries(run, 0, 1_000).await.unwrap();
    let done = entries.into_iter().filter(|e| matches!(e.what, EntryKind::StepFinished { .. }));
    done.map(|e| e.path.to_string()).collect()
}

/// What the run waits for, as text.
pub(crate) fn waits_for(view: &RunView) -> Vec<String> {
    view.waits.iter().map(|w| format!("{} {}", w.path, serde_json::to_value(&w.reason).unwrap())).collect()
}
