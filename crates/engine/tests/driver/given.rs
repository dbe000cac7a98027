//! What started a run is stored once where it is large, whatever the run does afterwards.
//!
//! Must never tell a run with a large input from one with a small input by anything else than its keys.
//! Tests: these.

use flowdeck_engine::Status;
use flowdeck_engine::ports::Space;
use flowdeck_sim::World;
use flowdeck_sim::world::flow;
use serde_json::{Value, json};

use super::common::{card, echo, go_on, view};

/// Something that no other text holds.
const WORD: &str = "vineyard";

fn text(bytes: usize) -> String {
    WORD.repeat(bytes / WORD.len())
}

/// Waits for a signal, then gives the length of its input back.
fn waits(more: Value) -> std::sync::Arc<flowdeck_model::Flow> {
    let nap = card("nap", json!({"wait": {"until": {"signal": {"name": "go"}}}}));
    let mut parts =
        json!({"inputs": [{"key": "s", "type": "text"}], "cards": [nap, echo("z", json!({"n": "${size(input.s)}"}))]});
    parts.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    flow(parts)
}

#[tokio::test]
async fn a_large_input_is_beside_the_record_and_read_with_it() {
    for (bytes, keys) in [(1_000, 0), (100_000, 1)] {
        let mut world = World::default();
        let text = text(bytes);
        let run = world.run(&waits(json!({})), json!({"s": text})).await.unwrap().id;
        assert!(world.store.bytes(Space::Runs) < 2_500, "the record holds {}", world.store.bytes(Space::Runs));
        world.restart();
        assert_eq!(view(&world.engine, run).await.input.get("s"), &json!(text));
        world.engine.signal(run, "go", json!(null)).await.unwrap();
        let ended = go_on(&world, run).await;
        assert_eq!((ended.status, ended.output.unwrap().get("n")), (Status::Finished, &json!(text.len())));
        assert_eq!(view(&world.engine, run).await.input.get("s"), &json!(text));
        assert_eq!(world.store.count(Space::Chunks), keys, "the state is gone, what started the run is not");
        assert!(world.store.bytes(Space::Runs) < 2_500);
    }
}

#[tokio::test]
async fn it_is_nowhere_once_a_run_ended_that_keeps_no_data() {
    for cancelled in [false, true] {
        let world = World::default();
        let run = world.run(&waits(json!({"keep_data": false})), json!({"s": text(100_000)})).await.unwrap().id;
        assert!(world.store.spaces_with(WORD.as_bytes()).is_empty(), "sealed while it lives");
        if cancelled {
            world.engine.cancel(run).await.unwrap();
        } else {
            world.engine.signal(run, "go", json!(null)).await.unwrap();
        }
        assert!(go_on(&world, run).await.status.is_ended());
        assert_eq!(world.store.count(Space::Chunks), 0);
        assert!(view(&world.engine, run).await.input.is_empty());
    }
}

#[tokio::test]
async fn a_large_secret_is_not_in_it() {
    let world = World::default();
    let parts = json!({"inputs": [{"key": "s", "type": "text", "secret": true}, {"key": "t", "type": "text"}]});
    let other = "orchard".repeat(10_000);
    let run = world.run(&waits(parts), json!({"s": text(100_000), "t": other})).await.unwrap().id;
    assert!(world.store.spaces_with(WORD.as_bytes()).is_empty());
    let shown = view(&world.engine, run).await.input;
    assert_eq!(shown.get("t"), &json!(other));
    assert!(shown.get("s").as_str().unwrap().starts_with("redacted"), "{:?}", shown.get("s"));
}

#[tokio::test]
async fn a_helper_run_of_its_own_has_it_too() {
    let world = World::default();
    let text = text(100_000);
    let helper = json!({"name": "h", "inputs": [{"key": "s", "type": "text"}], "cards": [echo("a", json!({"n": "${size(input.s)}"}))]});
    let child = card("k", json!({"call_flow_async": {"flow": "h", "with": {"s": "${input.s}"}}}));
    let parts = json!({"inputs": [{"key": "s", "type": "text"}], "helpers": {"h": helper}, "cards": [child]});
    let parent = world.run(&flow(parts), json!({"s": text})).await.unwrap();
    world.engine.run_until_idle().await.unwrap();
    let child: flowdeck_model::RunId = parent.output.unwrap().get("run").as_str().unwrap().parse().unwrap();
    let child = view(&world.engine, child).await;
    assert_eq!((child.status, child.input.get("s")), (Status::Finished, &json!(text)));
    assert_eq!(child.output.unwrap().get("n"), &json!(text.len()));
    assert!(world.store.bytes(Space::Runs) < 5_000, "{}", world.store.bytes(Space::Runs));
}
