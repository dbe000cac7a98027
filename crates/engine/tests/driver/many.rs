//! Many runs accepted at once: all of them with the caller's records, or nothing.
//!
//! Must never depend on which of them is driven first.
//! Tests: these.

use flowdeck_engine::ports::{Delta, Space, Store as _, StoreError};
use flowdeck_engine::{EngineError, Start, Status};
use flowdeck_model::Fields;
use flowdeck_sim::World;
use flowdeck_sim::world::flow;
use serde_json::json;

use super::common::{acme_flow, echo, give_back, view};

fn starts(count: usize) -> Vec<Start> {
    let flow =
        flow(json!({"inputs": [{"key": "n", "type": "number"}], "cards": [give_back(json!({"n": "${input.n}"}))]}));
    (0..count).map(|n| Start::new(flow.clone(), Fields::one("n", json!(n)))).collect()
}

fn mark(world: &World) -> Delta {
    let mut delta = Delta::new(world.store.epoch());
    delta.expect_absent(Space::Cursors, b"mark".to_vec()).put(Space::Cursors, b"mark".to_vec(), b"1".to_vec());
    delta
}

#[tokio::test]
async fn many_runs_are_one_commit_and_go_on_after_a_kill() {
    let mut world = World::default();
    let before = world.store.commits();
    let runs = world.engine.start_all(&starts(50), mark(&world)).await.unwrap();
    assert_eq!((runs.len(), world.store.commits() - before), (50, 1));
    world.restart();
    world.engine.recover().await.unwrap();
    world.engine.run_until_idle().await.unwrap();
    for (n, run) in runs.iter().enumerate() {
        let view = view(&world.engine, *run).await;
        assert_eq!((view.status, view.output.unwrap().get("n")), (Status::Finished, &json!(n)));
    }
    assert_eq!(world.store.get(Space::Cursors, b"mark").await.unwrap(), Some(b"1".to_vec()));
}

#[tokio::test]
async fn where_the_callers_records_do_not_fit_nothing_starts() {
    let world = World::default();
    world.engine.start_all(&starts(1), mark(&world)).await.unwrap();
    let runs = world.store.count(Space::Runs);
    let again = world.engine.start_all(&starts(3), mark(&world)).await;
    assert!(matches!(again, Err(EngineError::Store(StoreError::Conflict))), "{again:?}");
    let missing = Start::new(flow(json!({"inputs": [{"key": "n", "required": true}]})), Fields::new());
    let fresh = Delta::new(world.store.epoch());
    let wrong = world.engine.start_all(&[starts(1).remove(0), missing], fresh).await;
    assert!(matches!(wrong, Err(EngineError::Input(_))), "{wrong:?}");
    assert_eq!(world.store.count(Space::Runs), runs);
    // Nothing is left claimed: they can be started after all.
    assert_eq!(world.engine.start_all(&starts(3), Delta::new(world.store.epoch())).await.unwrap().len(), 3);
}

#[tokio::test]
async fn the_need_of_an_event_is_that_of_its_card_alone() {
    let world = World::default();
    let plain = acme_flow(json!([echo("a", json!({}))]));
    assert_eq!(world.engine.event_need(&plain).unwrap(), None);
    let on = json!({"event": {"id": "event", "card": "acme/rang", "slot": "acme"}});
    let told = flow(json!({"on": on, "slots": {"acme": {"app": "acme"}}, "cards": []}));
    let need = world.engine.event_need(&told).unwrap().unwrap();
    assert_eq!((need.app.as_str(), need.slot.as_str(), need.scopes.len()), ("acme", "acme", 0));
}
