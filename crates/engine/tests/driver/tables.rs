//! Operations on our own tables inside runs: their rows and the step are one commit.
//!
//! Must never leave a row without its step, nor a step without its row.
//! Tests: these; planning has its own in `src/tables/tests.rs`.

use flowdeck_engine::ports::{CardOutcome, Space};
use flowdeck_engine::{EngineError, Status};
use flowdeck_model::table::TableOp;
use flowdeck_sim::World;
use flowdeck_sim::world::flow;
use serde_json::{Value, json};

use crate::driver::common::*;

fn op(value: Value) -> TableOp {
    serde_json::from_value(value).unwrap()
}

fn table_card(id: &str, op: Value) -> Value {
    call(id, "t/table", json!({"op": op}))
}

fn people() -> Value {
    json!([{"name": "people", "columns": [{"name": "Name"}, {"name": "Count", "type": "number"}]}])
}

#[tokio::test]
async fn declared_tables_are_there_when_a_run_starts() {
    let world = World::default();
    let create = json!({"create": {"table": "people", "values": {"Name": "${input.who}", "Count": 1}}});
    let search = json!({"search": {"table": "people", "filter": "all", "sort": null, "descending": false, "offset": 0, "limit": 10}});
    let helper = json!({"name": "h", "tables": [{"name": "other", "columns": [{"name": "X"}]}], "cards": []});
    let flow = flow(
        json!({"tables": people(), "helpers": {"h": helper}, "cards": [table_card("c", create), table_card("s", search)]}),
    );
    let view = world.run(&flow, json!({"who": "ann"})).await.unwrap();
    assert_eq!(view.status, Status::Finished, "{:?}", view.fault);
    let output = view.output.unwrap();
    assert_eq!((output.get("count"), &output.get("rows")[0]["Name"]), (&json!(1), &json!("ann")));
    let other = op(
        json!({"search": {"table": "other", "filter": "all", "sort": null, "descending": false, "offset": 0, "limit": 10}}),
    );
    assert_eq!(world.engine.table_op(&other).await.unwrap().get("count"), &json!(0), "a helper's tables too");
    world.run(&flow, json!({"who": "bob"})).await.unwrap();
    assert_eq!(world.store.count(Space::Rows), 2);
}

#[tokio::test]
async fn tables_can_be_used_from_outside_runs() {
    let world = World::default();
    let define = op(json!({"define": people()[0]}));
    assert_eq!(world.engine.table_op(&define).await.unwrap().get("created"), &json!(true));
    assert_eq!(world.engine.table_op(&define).await.unwrap().get("created"), &json!(false));
    let row =
        world.engine.table_op(&op(json!({"create": {"table": "people", "values": {"Name": "ann"}}}))).await.unwrap();
    let update = op(
        json!({"update": {"table": "people", "row": row.get("Row ID"), "values": {"Name": "eve"}, "expected_version": 99}}),
    );
    assert!(matches!(world.engine.table_op(&update).await, Err(EngineError::Table(_))));
    let missing = op(json!({"clear": {"table": "none"}}));
    let error = world.engine.table_op(&missing).await.unwrap_err().to_string();
    assert!(error.contains("none"), "{error}");
}

#[tokio::test]
async fn a_table_fault_is_an_error_of_the_step() {
    let world = World::default();
    let read = json!({"update": {"table": "people", "row": "x", "values": {}, "expected_version": null}});
    let view =
        world.run(&flow(json!({"tables": people(), "cards": [table_card("u", read)]})), json!({})).await.unwrap();
    assert_eq!((view.status, view.failed_at.unwrap().to_string()), (Status::Failed, "u".to_owned()));
}

#[tokio::test]
async fn runs_that_change_the_same_row_lose_no_change() {
    let world = std::sync::Arc::new(World::default());
    world.engine.table_op(&op(json!({"define": people()[0]}))).await.unwrap();
    let row = world.engine.table_op(&op(json!({"create": {"table": "people", "values": {"Count": 0}}}))).await.unwrap();
    let id = row.get("Row ID").clone();
    let add = json!({"increment": {"table": "people", "row": id, "column": "Count", "by": 1.0}});
    let each = card(
        "t",
        json!({"times": {"count": 5, "as": "i", "concurrency": 5, "lane": {"cards": [table_card("a", add)]}}}),
    );
    let flow = flow(json!({"cards": [each]}));
    let mut runs = Vec::new();
    for _ in 0..8 {
        let (world, flow) = (world.clone(), flow.clone());
        runs.push(tokio::spawn(async move { world.run(&flow, json!({})).await.unwrap().status }));
    }
    for run in runs {
        assert_eq!(run.await.unwrap(), Status::Finished);
    }
    let read = op(json!({"read": {"table": "people", "row": id}}));
    assert_eq!(world.engine.table_op(&read).await.unwrap().get("row")["Count"], json!(40));
}

#[tokio::test]
async fn rows_and_step_are_one_commit_whatever_else_the_run_does() {
    let world = connected();
    let create = json!({"create": {"table": "people", "values": {"Name": "x"}}});
    let helper = json!({"name": "h", "cards": []});
    let lanes = json!({
        "a": {"cards": [table_card("c", create), card("k", json!({"call_flow_async": {"flow": "h", "with": {}}}))]},
        "b": {"cards": [acme("w", "write", json!({}))]}});
    let flow = flow(json!({"slots": {"acme": {"app": "acme"}}, "tables": people(), "helpers": {"h": helper},
        "cards": [card("p", json!({"parallel": {"lanes": lanes}}))]}));
    world.cards.next("acme/write", CardOutcome::Done { outputs: Default::default(), next_page: None });
    let view = world.run(&flow, json!({})).await.unwrap();
    assert_eq!((view.status, world.store.count(Space::Rows)), (Status::Finished, 1));
    world.engine.run_until_idle().await.unwrap();
    let ended = world.engine.runs(&Default::default(), None, 10).await.unwrap();
    assert!(ended.runs.len() == 2 && ended.runs.iter().all(|r| r.status == Status::Finished), "the child ran too");
}
