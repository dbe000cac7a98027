//! Loops: rounds, order, concurrency, pages, errors, limits.
//!
//! Must never depend on the order in which concurrent rounds end.
//! Tests: these.

use flowdeck_engine::ports::Space;
use flowdeck_engine::{EntryKind, Status};
use flowdeck_model::Fields;
use serde_json::json;

use crate::driver::cards::failed;
use crate::driver::common::*;

#[tokio::test]
async fn rounds_and_what_they_give() {
    let each = |items: serde_json::Value| json!({"items": {"list": items}, "as": "item", "concurrency": 1});
    check(vec![
        (
            "for each gives lists in order of items",
            json!([for_each("e", json!("${input.list}"), 2, json!([acme("r", "read", json!({"v": "${item}"}))]), json!({"v": "${r.v}", "n": "${n}"}))]),
            json!({"v": [3, 1, 2], "n": [0, 1, 2], "count": 3, "errors": []}),
        ),
        ("for each over nothing", json!([for_each("e", json!(null), 1, json!([]), json!({"v": 1}))]), json!({"v": [], "count": 0, "errors": []})),
        (
            "a round that stops leaves null",
            json!([for_each("e", json!("${input.list}"), 1, json!([card("c", json!({"continue_if": {"when": "${item > 1}"}}))]), json!({"v": "${item}"}))]),
            json!({"v": [3, null, 2], "count": 3, "errors": []}),
        ),
        (
            "map",
            json!([card("m", json!({"map": {"each": each(json!("${input.list}")), "cards": [call("a", "t/add", json!({"a": "${item}", "b": 1}))], "value": "${a.sum}"}}))]),
            json!({"list": [4.0, 2.0, 3.0]}),
        ),
        ("filter", json!([card("m", json!({"filter": {"each": each(json!("${input.list}")), "cards": [], "keep": "${item >= 2}"}}))]), json!({"list": [3, 2]})),
        (
            "reduce",
            json!([card("m", json!({"reduce": {"each": each(json!("${input.list}")), "start": 10, "cards": [], "value": "${so_far + item}"}}))]),
            json!({"value": 16}),
        ),
        ("reduce over nothing", json!([card("m", json!({"reduce": {"each": each(json!([])), "start": 10, "cards": [], "value": 0}}))]), json!({"value": 10})),
        (
            "times",
            json!([card("m", json!({"times": {"count": "3", "as": "i", "concurrency": 2, "lane": {"give": {"i": "${i}"}}}}))]),
            json!({"i": [0, 1, 2], "count": 3, "errors": []}),
        ),
        (
            "while carries what its lane gives",
            json!([card("m", json!({"while": {"start": {"n": 1}, "as": "so", "when": "${so.n < 20}", "times_max": 10,
                "lane": {"cards": [call("a", "t/add", json!({"a": "${so.n}", "b": "${so.n}"}))], "give": {"n": "${a.sum}"}}}}))]),
            json!({"n": 32.0, "count": 5}),
        ),
        (
            "a list of loops inside loops",
            json!([for_each("o", json!([[1, 2], [3]]), 1, json!([card("m", json!({"map": {"each": each(json!("${item}")), "cards": [], "value": "${item}"}}))]), json!({"l": "${m.list}"}))]),
            json!({"l": [[1, 2], [3]], "count": 2, "errors": []}),
        ),
    ])
    .await;
    check_fails(vec![
        (
            "items that are no list",
            json!([for_each("e", json!("text"), 1, json!([]), json!({}))]),
            "e",
            "bad-input",
            "list",
        ),
        (
            "while without an end",
            json!([card("m", json!({"while": {"start": {}, "as": "so", "when": true, "times_max": 10, "lane": {}}}))]),
            "m",
            "limit-reached",
            "10 rounds",
        ),
        (
            "times of no number",
            json!([card("m", json!({"times": {"count": "x", "as": "i", "concurrency": 1, "lane": {}}}))]),
            "m",
            "bad-input",
            "number",
        ),
    ])
    .await;
}

#[tokio::test]
async fn an_error_stops_the_loop_or_is_listed() {
    let cards = |on_error: &str| {
        let mut each = for_each(
            "e",
            json!([1, 2, 3]),
            1,
            json!([acme("r", "read", json!({"v": "${item}"}))]),
            json!({"v": "${r.v}"}),
        );
        each["kind"]["for_each"]["on_error"] = json!(on_error);
        acme_flow(json!([each]))
    };
    let world = connected();
    world.cards.next("acme/read", failed("first", false));
    let view = world.run(&cards("go_on"), json!({})).await.unwrap();
    let output = view.output.unwrap();
    assert_eq!((output.get("v"), output.get("count")), (&json!([null, 2, 3]), &json!(3)));
    assert_eq!((&output.get("errors")[0]["index"], &output.get("errors")[0]["message"]), (&json!(0), &json!("first")));
    world.cards.next("acme/read", failed("first", false));
    let view = world.run(&cards("stop"), json!({})).await.unwrap();
    assert_eq!(view.failed_at.unwrap().to_string(), "e[0].r");
    assert_eq!(world.cards.calls("acme/read"), 4, "no round begins after the error");
}

#[tokio::test]
async fn as_many_rounds_at_once_as_allowed_and_no_more() {
    for most in [1, 4] {
        let world = connected();
        let items: Vec<u32> = (0..20).collect();
        let each = for_each(
            "e",
            json!(items),
            most,
            json!([acme("r", "read", json!({"v": "${item}"}))]),
            json!({"v": "${r.v}"}),
        );
        let view = world.run(&acme_flow(json!([each])), json!({})).await.unwrap();
        assert_eq!(view.output.unwrap().get("v"), &json!(items));
        assert_eq!(world.cards.peak(), most as usize);
    }
}

#[tokio::test]
async fn pages_are_worked_through_as_they_arrive() {
    let world = connected();
    let pages = json!({"for_each": {"each": {"items": {"pages": {"card": "acme/pages", "slot": "acme"}}, "as": "item", "concurrency": 3},
        "lane": {"cards": [acme("w", "write", json!({"id": "${item.id}"}))], "give": {"id": "${w.id}"}}}});
    let view = world.run(&acme_flow(json!([card("e", pages)])), json!({})).await.unwrap();
    assert_eq!(view.output.unwrap().get("id"), &json!([0, 1, 2, 3, 4, 5]));
    let order: Vec<_> = world.cards.performed.lock().iter().map(|p| p.card.clone()).collect();
    let (page, write) = ("acme/pages", "acme/write");
    assert_eq!(
        order,
        [page, write, write, page, write, write, page, write, write],
        "a page's items before the next page"
    );
    let keys: std::collections::BTreeSet<_> = world.cards.happened(write).into_iter().map(|p| p.key).collect();
    assert_eq!(keys.len(), 6, "a key of its own for each round");
    let entries = world.engine.entries(view.id, 0, 1_000).await.unwrap();
    let pages: Vec<_> = entries
        .into_iter()
        .filter_map(|entry| match entry.what {
            EntryKind::PageCame { card, outputs } => {
                Some((entry.path.to_string(), card.to_string(), outputs.map(|o| o.get("items")[0]["id"].clone())))
            }
            _ => None,
        })
        .collect();
    let page = |first: u32| ("e".to_owned(), page.to_owned(), Some(json!(first)));
    assert_eq!(pages, [page(0), page(2), page(4)], "history holds each page");
}

#[tokio::test]
async fn the_same_next_page_twice_is_an_error_and_no_endless_loop() {
    let world = connected();
    for _ in 0..2 {
        let outputs = Fields::one("items", json!([1]));
        world
            .cards
            .next("acme/pages", flowdeck_engine::ports::CardOutcome::Done { outputs, next_page: Some(json!(7)) });
    }
    let pages = json!({"for_each": {"each": {"items": {"pages": {"card": "acme/pages", "slot": "acme"}}, "as": "item", "concurrency": 1}, "lane": {}}});
    let view = world.run(&acme_flow(json!([card("e", pages)])), json!({})).await.unwrap();
    assert_eq!(view.fault.unwrap().code.as_str(), "bad-answer");
}

#[tokio::test]
async fn finished_rounds_fold_out_of_the_live_state() {
    let world = connected();
    let sizes = |world: &flowdeck_sim::World| world.store.bytes(Space::States);
    let nap = card("nap", json!({"wait": {"until": {"signal": {"name": "go"}}}}));
    let mut seen = Vec::new();
    for rounds in [100u32, 2_000] {
        let items: Vec<u32> = (0..rounds).collect();
        let cards = json!([
            card(
                "c",
                json!({"if": {"when": format!("${{n == {}}}", rounds - 1), "then": {"cards": [nap]}, "otherwise": {}}})
            ),
            echo("e", json!({"v": "${item}"}))
        ]);
        let each = for_each("e", json!(items), 1, cards, json!({"v": "${e.v}"}));
        let view = world.run(&acme_flow(json!([each])), json!({})).await.unwrap();
        assert_eq!(view.status, Status::Waiting, "{:?}", view.fault);
        seen.push(sizes(&world));
        world.engine.signal(view.id, "go", json!(null)).await.unwrap();
        let view = go_on(&world, view.id).await;
        assert_eq!(view.output.unwrap().get("v"), &json!(items));
        assert_eq!(sizes(&world), 0);
        assert_eq!(world.store.count(Space::Chunks), 0, "nothing of an ended run's state stays");
    }
    assert!(seen[1] < seen[0] * 2, "twenty times the rounds, the same live state: {seen:?}");
}
