//! A flow's `limits`: the question before one use too many, and both answers.
//!
//! Must never let a use beyond the limit pass unasked.
//! Tests: these.

use flowdeck_engine::{Status, WaitReason};
use serde_json::{Value, json};

use crate::driver::common::*;

fn question(view: &flowdeck_engine::RunView) -> String {
    match &view.waits[0].reason {
        WaitReason::Approval { message } => message.clone(),
        other => panic!("{other:?}"),
    }
}

fn limited(limit: u64, cards: Value) -> std::sync::Arc<flowdeck_model::Flow> {
    flowdeck_sim::world::flow(
        json!({"slots": {"acme": {"app": "acme"}}, "limits": {"acme/write": limit}, "cards": cards}),
    )
}

fn write_each(concurrency: u32, list: &str) -> Value {
    let write = acme("w", "write", json!({"i": "${item}"}));
    for_each("each", json!(list), concurrency, json!([write]), json!({}))
}

#[tokio::test]
async fn a_limit_asks_a_person_once_for_all_that_is_left() {
    let flow = limited(50, json!([write_each(1, "${input.list}")]));
    let list: Vec<u32> = (0..412).collect();
    for approved in [true, false] {
        let world = connected();
        let view = world.run(&flow, json!({ "list": list })).await.unwrap();
        assert_eq!((view.status, world.cards.calls("acme/write")), (Status::Waiting, 50));
        assert!(waits_for(&view)[0].starts_with("each[50].w"), "{view:?}");
        let asked = question(&view);
        for said in ["acme/write", "each[50].w", "used 50 times", "up to 412 times", "362 more", "approve / cancel"] {
            assert!(asked.contains(said), "{asked}");
        }
        // Nothing is done while it waits, and not after the program was started again either.
        world.engine.recover().await.unwrap();
        world.engine.run_until_idle().await.unwrap();
        assert_eq!(world.cards.calls("acme/write"), 50);
        if approved {
            world.engine.approve(view.id, None, "eve", "fine").await.unwrap();
            assert_eq!(go_on(&world, view.id).await.status, Status::Finished);
            assert_eq!(world.cards.happened("acme/write").len(), 412);
        } else {
            world.engine.reject(view.id, None, "eve", "no").await.unwrap();
            assert_eq!(go_on(&world, view.id).await.status, Status::Cancelled);
            assert_eq!(world.cards.happened("acme/write").len(), 50);
        }
    }
}

#[tokio::test]
async fn rounds_side_by_side_ask_the_same_question() {
    let world = connected();
    let flow = limited(3, json!([write_each(4, "${input.list}")]));
    let view = world.run(&flow, json!({ "list": (0..9).collect::<Vec<u32>>() })).await.unwrap();
    assert_eq!((view.status, world.cards.happened("acme/write").len()), (Status::Waiting, 3));
    assert!(question(&view).contains("up to 9 times"), "{}", question(&view));
    world.engine.approve(view.id, Some(view.waits[0].path.clone()), "eve", "").await.unwrap();
    assert_eq!(go_on(&world, view.id).await.status, Status::Finished);
    assert_eq!(world.cards.happened("acme/write").len(), 9);
}

#[tokio::test]
async fn where_the_number_is_not_known_as_many_again_are_allowed() {
    let world = connected();
    let once = |id: &str| acme(id, "write", json!({"i": 1}));
    let flow = limited(2, json!([once("a"), once("b"), once("c"), once("d"), once("e")]));
    let mut view = world.run(&flow, json!({})).await.unwrap();
    for (at, done) in [("c", 2), ("e", 4)] {
        assert!(waits_for(&view)[0].starts_with(at), "{view:?}");
        assert!(question(&view).contains("allows 2 more"), "{}", question(&view));
        assert_eq!(world.cards.happened("acme/write").len(), done);
        world.engine.approve(view.id, None, "eve", "").await.unwrap();
        view = go_on(&world, view.id).await;
    }
    assert_eq!((view.status, world.cards.happened("acme/write").len()), (Status::Finished, 5));
}

#[tokio::test]
async fn the_pages_of_one_use_are_one_use() {
    let world = connected();
    let pages = json!({"for_each": {"each": {"items": {"pages": {"card": "acme/pages", "slot": "acme"}}, "as": "item", "concurrency": 1},
        "lane": {}}});
    let parts = json!({"slots": {"acme": {"app": "acme"}}, "limits": {"acme/pages": 1}, "cards": [card("e", pages)]});
    let view = world.run(&flowdeck_sim::world::flow(parts), json!({})).await.unwrap();
    assert_eq!((view.status, world.cards.calls("acme/pages")), (Status::Finished, 3), "{:?}", view.waits);
}
