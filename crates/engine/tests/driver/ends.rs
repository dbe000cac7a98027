//! What ends what: observed in runs, and kept true in `docs/runs.md`.
//!
//! Must never state a rule that no run showed.
//! Tests: these.

use flowdeck_engine::{RunView, Status};
use flowdeck_sim::World;
use flowdeck_sim::world::flow;
use serde_json::{Value, json};

use crate::driver::common::*;

/// Makes a list of cards that holds these somewhere.
type Build = fn(Value) -> Value;

/// A place for cards: its name in the table, and what one says where it alone is ended.
struct Place {
    name: &'static str,
    ended: &'static str,
    build: Build,
}

fn lane(cards: Value) -> Value {
    json!({"cards": cards})
}

const PLACES: &[Place] = &[
    Place { name: "the flow's own list", ended: "the flow", build: |cards| cards },
    Place {
        name: "lane of `if`",
        ended: "the lane",
        build: |cards| json!([card("c", json!({"if": {"when": true, "then": lane(cards), "otherwise": {}}}))]),
    },
    Place {
        name: "branch of `else_if`",
        ended: "the branch",
        build: |cards| {
            json!([card("c", json!({"else_if": {"branches": [{"when": true, "lane": lane(cards)}], "otherwise": {}}}))])
        },
    },
    Place {
        name: "cards of `try`",
        ended: "the try",
        build: |cards| {
            let catch = lane(json!([echo("caught", json!({}))]));
            json!([card("c", json!({"try": {"lane": lane(cards), "error": "error", "catch": catch}}))])
        },
    },
    Place {
        name: "catch lane of `try`",
        ended: "the try",
        build: |cards| {
            let bad = lane(json!([call("bad", "t/fail", json!({}))]));
            json!([card("c", json!({"try": {"lane": bad, "error": "error", "catch": lane(cards)}}))])
        },
    },
    Place {
        name: "round of `for_each`",
        ended: "the round",
        build: |cards| json!([for_each("c", json!([0, 1]), 1, cards, json!({}))]),
    },
    Place {
        name: "round of `for_each` with `on_error: go_on`",
        ended: "the round",
        build: |cards| {
            let mut each = for_each("c", json!([0, 1]), 1, cards, json!({}));
            each["kind"]["for_each"]["on_error"] = json!("go_on");
            json!([each])
        },
    },
    Place {
        name: "round of `map`, `filter`, `reduce`",
        ended: "the round",
        build: |cards| {
            let each = json!({"items": {"list": [0, 1]}, "as": "item", "concurrency": 1});
            json!([card("c", json!({"map": {"each": each, "cards": cards, "value": 1}}))])
        },
    },
    Place {
        name: "round of `times`, `while`",
        ended: "the round",
        build: |cards| {
            json!([card("c", json!({"times": {"count": 2, "as": "i", "concurrency": 1, "lane": lane(cards)}}))])
        },
    },
    Place {
        name: "lane of `parallel`",
        ended: "the lane",
        build: |cards| {
            json!([card(
                "c",
                json!({"parallel": {"lanes": {"a": lane(cards), "b": lane(json!([echo("other", json!({}))]))}}})
            )])
        },
    },
    Place {
        name: "helper flow (`call_flow`)",
        ended: "the helper",
        build: |_| json!([card("c", json!({"call_flow": {"flow": "h", "with": {}}}))]),
    },
];

/// Other forms of a place, by its name: each ends as the first one does.
const ALSO: &[(&str, Build)] = &[
    ("round of `for_each`", |cards| json!([for_each("c", json!([0, 1]), 2, cards, json!({}))])),
    ("round of `map`, `filter`, `reduce`", |cards| over_two("filter", 1, cards, json!({"keep": true}))),
    ("round of `map`, `filter`, `reduce`", |cards| over_two("filter", 2, cards, json!({"keep": true}))),
    ("round of `map`, `filter`, `reduce`", |cards| over_two("reduce", 1, cards, json!({"start": 0, "value": 1}))),
    // A round that stops carries on what it was given: only the most rounds end this one.
    ("round of `times`, `while`", |cards| {
        json!([card(
            "c",
            json!({"while": {"start": {"n": 0}, "as": "so", "when": true, "times_max": 2, "lane": lane(cards)}})
        )])
    }),
];

/// Cards for each of two items, under a control card of this kind.
fn over_two(kind: &str, concurrency: u32, cards: Value, more: Value) -> Value {
    let mut parts = more;
    parts["each"] = json!({"items": {"list": [0, 1]}, "as": "item", "concurrency": concurrency});
    parts["cards"] = cards;
    json!([card("c", json!({kind: parts}))])
}

/// The place of a helper that is a run of its own.
const APART: Place = Place {
    name: "helper flow on its own (`call_flow_async`)",
    ended: "the helper's run",
    build: |_| json!([card("c", json!({"call_flow_async": {"flow": "h", "with": {}}}))]),
};

fn ends() -> Vec<(&'static str, Value)> {
    vec![
        ("`return`", give_back(json!({"x": 1}))),
        ("`return_raw`", card("back", json!({"return_raw": {"status": 200, "headers": null, "body": 1}}))),
        ("`continue_if` that is false", card("stop", json!({"continue_if": {"when": false}}))),
        ("an error", call("bad_end", "t/fail", json!({}))),
    ]
}

/// What a run shows of its end.
fn verdict(place: &Place, view: &RunView, steps: &[String]) -> String {
    let ran = |name: &str| steps.iter().filter(|s| s.rsplit('.').next() == Some(name)).count();
    assert_eq!(ran("inner"), 0, "a card after the end ran: {steps:?}");
    let rounds_over = |fault: &flowdeck_model::Fault| fault.code == flowdeck_model::FaultCode::LimitReached;
    match view.status {
        Status::Failed if view.fault.as_ref().is_some_and(rounds_over) && ran("begin") == 2 => place.ended.into(),
        Status::Failed => "the run fails".into(),
        Status::Finished if ran("after") == 0 => "the flow".into(),
        Status::Finished if ran("caught") == 1 => "the try's cards; its catch lane runs".into(),
        Status::Finished => {
            assert!(place.ended != "the round" || ran("begin") == 2, "the next round must run: {steps:?}");
            place.ended.into()
        }
        other => format!("{other:?}"),
    }
}

async fn observe(place: &Place, end: &Value) -> String {
    let seen = observe_form(place, place.build, end).await;
    for (_, build) in ALSO.iter().filter(|(name, _)| *name == place.name) {
        assert_eq!(observe_form(place, *build, end).await, seen, "another form of {}", place.name);
    }
    seen
}

async fn observe_form(place: &Place, build: Build, end: &Value) -> String {
    let world = World::default();
    let inside = json!([echo("begin", json!({})), end, echo("inner", json!({}))]);
    let mut cards = build(inside.clone());
    let helper = json!({"name": "h", "cards": inside});
    cards.as_array_mut().unwrap().push(echo("after", json!({})));
    let view = world.run(&flow(json!({"cards": cards, "helpers": {"h": helper}})), json!({})).await.unwrap();
    let steps = finished(&world, view.id).await;
    verdict(place, &view, &steps)
}

/// The caller goes on in any case; what is told is the helper's own run.
async fn observe_apart(end: &Value) -> String {
    let world = World::default();
    let helper = json!({"name": "h", "cards": [echo("begin", json!({})), end, echo("inner", json!({}))]});
    let mut cards = (APART.build)(json!([]));
    cards.as_array_mut().unwrap().push(echo("after", json!({})));
    let caller = world.run(&flow(json!({"cards": cards, "helpers": {"h": helper}})), json!({})).await.unwrap();
    world.engine.run_until_idle().await.unwrap();
    assert_eq!(caller.status, Status::Finished, "{:?}", caller.fault);
    assert_eq!(finished(&world, caller.id).await, ["c", "after"]);
    let runs = world.engine.runs(&Default::default(), None, 10).await.unwrap().runs;
    let child = runs.iter().find(|run| run.parent == Some(caller.id)).unwrap();
    let steps = finished(&world, child.id).await;
    assert_eq!(steps.iter().filter(|step| *step == "inner" || *step == "begin").count(), 1, "{steps:?}");
    match child.status {
        Status::Finished => APART.ended.to_owned(),
        Status::Failed => "the helper's run fails".to_owned(),
        other => format!("{other:?}"),
    }
}

#[tokio::test]
async fn the_table_in_the_documentation_is_what_runs_do() {
    let mut lines = vec![String::new(), String::new()];
    lines[0] = "| inside | ".to_owned() + &ends().iter().map(|(name, _)| format!("{name} ends | ")).collect::<String>();
    lines[1] = "|---|".to_owned() + &"---|".repeat(ends().len());
    for place in PLACES {
        let mut line = format!("| {} | ", place.name);
        for (_, end) in ends() {
            line += &format!("{} | ", observe(place, &end).await);
        }
        lines.push(line);
    }
    let mut apart = format!("| {} | ", APART.name);
    for (_, end) in ends() {
        apart += &format!("{} | ", observe_apart(&end).await);
    }
    lines.push(apart);
    let table: String = lines.iter().map(|l| l.trim_end().to_owned() + "\n").collect();
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/runs.md");
    let document = std::fs::read_to_string(file).unwrap();
    let (_, rest) = document.split_once("<!-- what ends what -->\n").expect("the mark in docs/runs.md");
    let (written, _) = rest.split_once("<!-- end -->").expect("the end mark in docs/runs.md");
    assert_eq!(written, table, "docs/runs.md must hold this table:\n{table}");
}

#[tokio::test]
async fn an_end_waits_for_steps_under_way_and_begins_no_more() {
    for (name, end, status) in [
        ("return", give_back(json!({"x": 1})), Status::Finished),
        ("error", call("bad", "t/fail", json!({})), Status::Failed),
    ] {
        let world = World::default();
        let lanes = json!({
            "slow": lane(json!([call("w", "free/write", json!({})), call("v", "free/write", json!({}))])),
            "quick": lane(json!([end]))});
        let view = world
            .run(&flow(json!({"cards": [card("p", json!({"parallel": {"lanes": lanes}}))]})), json!({}))
            .await
            .unwrap();
        assert_eq!(view.status, status, "{name}");
        let done: Vec<_> = world.cards.performed.lock().iter().map(|p| p.path.clone()).collect();
        assert_eq!(done, ["p.slow.w"], "{name}");
        assert!(view.unknown.is_empty(), "{name}: its answer was waited for");
    }
}

#[tokio::test]
async fn the_first_end_wins_and_an_outer_one_covers_it() {
    let world = World::default();
    let lanes = json!({"a": lane(json!([call("w", "free/write", json!({})), call("bad", "t/fail", json!({}))])), "b": lane(json!([give_back(json!({"x": 1}))]))});
    let view = world
        .run(&flow(json!({"cards": [card("p", json!({"parallel": {"lanes": lanes}}))]})), json!({}))
        .await
        .unwrap();
    assert_eq!((view.status, view.output.unwrap().to_value()), (Status::Finished, json!({"x": 1})));
}

#[tokio::test]
async fn an_error_says_which_card_of_which_flow_and_run_failed() {
    let give = json!({"card": "${error.method}", "flow": "${error.flo}", "run": "${error.execution}", "hint": "${error.hint}"});
    let tried = |inner: Value| {
        card("t", json!({"try": {"lane": lane(json!([inner])), "error": "error", "catch": {"give": give.clone()}}}))
    };
    let bad = || call("bad", "t/fail", json!({}));
    let raised = card("r", json!({"return_error": {"message": "no", "with": {"hint": "h"}}}));
    let ask = || card("c", json!({"call_flow": {"flow": "h", "with": {}}}));
    let called = card("t", json!({"call_flow": {"flow": "h", "with": {}}}));
    let back = give_back(
        json!({"card": "${t.card}", "flow": "${t.flow}", "run": "${t.run}", "hint": "${t.hint}", "failed": "${t.failed}"}),
    );
    for (what, cards, helper, card, flow_name, hint) in [
        ("its own card", json!([tried(bad())]), json!([bad()]), "bad", "outer", json!(null)),
        ("a card that calls a helper", json!([tried(ask())]), json!([bad()]), "c", "outer", json!(null)),
        ("a helper that calls itself", json!([tried(ask())]), json!([ask()]), "c", "outer", json!(null)),
        ("a card of a helper", json!([called]), json!([tried(bad()), back]), "bad", "h", json!(null)),
        ("a field of its own", json!([tried(raised)]), json!([bad()]), "r", "outer", json!("h")),
    ] {
        let world = World::default();
        let built = flow(json!({"name": "outer", "cards": cards, "helpers": {"h": {"name": "h", "cards": helper}}}));
        let view = world.run(&built, json!({})).await.unwrap();
        let expected =
            json!({"card": card, "flow": flow_name, "run": view.id.to_string(), "hint": hint, "failed": true});
        assert_eq!(view.output.unwrap().to_value(), expected, "{what}");
    }
}
