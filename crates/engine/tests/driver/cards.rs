//! Every card that is no loop: what it outputs, and how it fails.
//!
//! Must never assert more than the card promises.
//! Tests: these.

use flowdeck_engine::Status;
use serde_json::json;

use crate::driver::common::*;

#[tokio::test]
async fn functions_and_mappings() {
    check(vec![
        ("an empty flow outputs nothing", json!([]), json!({})),
        ("the last card's outputs are the flow's", json!([echo("a", json!({"x": "${input.n}"}))]), json!({"x": 5})),
        (
            "inputs are converted to their types",
            json!([call("a", "t/add", json!({"a": "2", "b": "${input.n}"}))]),
            json!({"sum": 7.0}),
        ),
        (
            "a reference keeps its type, text around it makes text",
            json!([echo("a", json!({"l": "${input.list}", "t": "<${input.n}>", "e": "${input.n > 4}"}))]),
            json!({"l": [3, 1, 2], "t": "<5>", "e": true}),
        ),
        (
            "a card that is switched off is passed over, its outputs are null",
            json!([with(call("a", "t/fail", json!({})), json!({"disabled": true})), echo("b", json!({"x": "${a.y}"}))]),
            json!({"x": null}),
        ),
        (
            "facts of the run",
            json!([echo("a", json!({"f": "${run.flow}", "s": "${run.started}"}))]),
            json!({"f": "f", "s": "2026-01-31T09:30:00.000Z"}),
        ),
    ])
    .await;
    check_fails(vec![
        ("missing input", json!([call("a", "t/add", json!({"a": 1}))]), "a", "bad-input", "`b`"),
        ("wrong type", json!([call("a", "t/add", json!({"a": "x", "b": 1}))]), "a", "bad-type", "`a`"),
        ("unknown card", json!([call("a", "t/none", json!({}))]), "a", "unknown-card", "t/none"),
        ("a fault", json!([call("a", "t/fail", json!({"message": "no luck"}))]), "a", "app-error", "no luck"),
        ("a card that breaks", json!([call("a", "t/panic", json!({}))]), "a", "card-panicked", "t/panic"),
    ])
    .await;
}

#[tokio::test]
async fn choices() {
    let branches = json!([
        {"when": "${input.n > 9}", "lane": {"cards": [], "give": {"size": "big"}}},
        {"when": "${input.n > 4}", "lane": {"cards": [echo("got", json!({"v": "mid"}))], "give": {"size": "${got.v}"}}},
        {"when": true, "lane": {"cards": [call("never", "t/fail", json!({}))]}}]);
    check(vec![
        (
            "if",
            json!([
                card(
                    "c",
                    json!({"if": {"when": "${input.n == 5}",
                    "then": {"cards": [echo("got", json!({"v": 1}))], "give": {"got": "${got.v}"}},
                    "otherwise": {"cards": [call("no", "t/fail", json!({}))]}}})
                ),
                echo("out", json!({"got": "${c.got}"}))
            ]),
            json!({"got": 1}),
        ),
        (
            "else",
            json!([card("c", json!({"if": {"when": false, "then": {}, "otherwise": {"give": {"x": 2}}}}))]),
            json!({"x": 2}),
        ),
        (
            "an empty lane gives nothing",
            json!([card("c", json!({"if": {"when": true, "then": {}, "otherwise": {}}}))]),
            json!({}),
        ),
        (
            "else if: the first true branch",
            json!([card("c", json!({"else_if": {"branches": branches, "otherwise": {}}}))]),
            json!({"size": "mid"}),
        ),
        (
            "else if: none is true",
            json!([card(
                "c",
                json!({"else_if": {
                "branches": [{"when": false, "lane": {}}], "otherwise": {"give": {"x": "none"}}}})
            )]),
            json!({"x": "none"}),
        ),
        (
            "assign if",
            json!([card(
                "c",
                json!({"assign_if": {"when": "${input.n < 5}", "then": 1, "otherwise": "${input.text}"}})
            )]),
            json!({"value": "hi"}),
        ),
        (
            "lookup: the value of the key's exact text",
            json!([card(
                "c",
                json!({"lookup": {"key": "${input.n}", "options": {"5": "five", "6": "six"}, "otherwise": "?"}})
            )]),
            json!({"value": "five"}),
        ),
        (
            "lookup without a match",
            json!([card("c", json!({"lookup": {"key": "HI", "options": {"hi": 1}, "otherwise": "?"}}))]),
            json!({"value": "?"}),
        ),
        (
            "continue if true",
            json!([card("c", json!({"continue_if": {"when": true, "message": "m"}})), echo("a", json!({"x": 1}))]),
            json!({"x": 1}),
        ),
        (
            "continue if false ends with its message",
            json!([
                card("c", json!({"continue_if": {"when": false, "message": "n is ${input.n}"}})),
                call("no", "t/fail", json!({}))
            ]),
            json!({"message": "n is 5"}),
        ),
    ])
    .await;
}

#[tokio::test]
async fn errors_and_repetition() {
    let fail = call("bad", "t/fail", json!({"message": "boom"}));
    check(vec![
        (
            "try without an error",
            json!([card("t", json!({"try": {"lane": {"give": {"x": 1}}, "error": "error", "catch": {}}}))]),
            json!({"x": 1, "failed": false}),
        ),
        (
            "the catch lane knows the error",
            json!([card("t", json!({"try": {"lane": {"cards": [fail]}, "error": "oops", "catch":
                {"cards": [echo("e", json!({"m": "${oops.message}", "c": "${oops.code}"}))], "give": {"m": "${e.m}", "c": "${e.c}"}}}}))]),
            json!({"m": "boom", "c": "app-error", "failed": true}),
        ),
        (
            "a mapping that cannot be worked out is an error like any other",
            json!([card("t", json!({"try": {"lane": {"cards": [call("a", "t/add", json!({"a": "${input.text}", "b": 1}))]},
                "error": "error", "catch": {"give": {"code": "${error.code}"}}}}))]),
            json!({"code": "bad-type", "failed": true}),
        ),
        (
            "return error carries its status and fields",
            json!([card("t", json!({"try": {"lane": {"cards": [card("r", json!({"return_error":
                {"message": "no ${input.n}", "status": 409, "with": {"hint": "h"}}}))]},
                "error": "error", "catch": {"give": {"m": "${error.message}", "s": "${error.statusCode}", "h": "${error.body.hint}"}}}}))]),
            json!({"m": "no 5", "s": 409, "h": "h", "failed": true}),
        ),
        (
            "return error only if",
            json!([card("r", json!({"return_error": {"message": "x", "when": false, "with": {}}})), echo("a", json!({"x": 1}))]),
            json!({"x": 1}),
        ),
    ])
    .await;
    check_fails(vec![
        (
            "an error in a catch lane goes outwards",
            json!([card(
                "t",
                json!({"try": {"lane": {"cards": [fail]}, "error": "error",
            "catch": {"cards": [call("worse", "t/fail", json!({"message": "worse"}))]}}})
            )]),
            "t.worse",
            "app-error",
            "worse",
        ),
        (
            "return error",
            json!([card("r", json!({"return_error": {"message": "no", "with": {}}}))]),
            "r",
            "raised",
            "no",
        ),
    ])
    .await;
    let world = connected();
    let lane = json!({"cards": [acme("r", "read", json!({"x": 1}))], "give": {"x": "${r.x}"}});
    let retry = json!({"times": 2, "pause_ms": 1_000, "factor": 2.0, "pause_ms_max": 60_000});
    let flow =
        acme_flow(json!([card("t", json!({"try": {"lane": lane, "retry": retry, "error": "error", "catch": {}}}))]));
    for _ in 0..2 {
        world.cards.next("acme/read", failed("busy", false));
    }
    let run = world.run(&flow, json!({})).await.unwrap();
    assert_eq!(run.status, Status::Waiting, "a pause before the lane is repeated");
    assert_eq!(later(&world, 999, run.id).await.status, Status::Waiting);
    assert_eq!(later(&world, 1, run.id).await.status, Status::Waiting, "the second pause is twice as long");
    let view = later(&world, 2_000, run.id).await;
    assert_eq!(view.output.unwrap().to_value(), json!({"x": 1, "failed": false}));
    assert_eq!(world.cards.calls("acme/read"), 3);
}

pub(crate) fn failed(message: &str, transient: bool) -> flowdeck_engine::ports::CardOutcome {
    let fault = flowdeck_model::Fault::new(flowdeck_model::FaultCode::AppError, message);
    flowdeck_engine::ports::CardOutcome::Failed { fault, retry_after_ms: None, transient }
}

#[tokio::test]
async fn lanes_side_by_side_and_helpers() {
    let lanes = json!({
        "left": {"cards": [acme("r", "read", json!({"x": 1}))], "give": {"x": "${r.x}"}},
        "right": {"cards": [echo("e", json!({"y": 2}))], "give": {"y": "${e.y}"}}});
    check(vec![
        (
            "parallel",
            json!([
                card("p", json!({"parallel": {"lanes": lanes}})),
                echo("o", json!({"x": "${p.left.x}", "y": "${p.right.y}"}))
            ]),
            json!({"x": 1, "y": 2}),
        ),
        ("parallel without lanes", json!([card("p", json!({"parallel": {"lanes": {}}}))]), json!({})),
        (
            "a lane that stops gives its message, the others go on",
            json!([card(
                "p",
                json!({"parallel": {"lanes": {
                "a": {"cards": [card("c", json!({"continue_if": {"when": false, "message": "stop"}}))]},
                "b": {"give": {"y": 1}}}}})
            )]),
            json!({"a": {"message": "stop"}, "b": {"y": 1}}),
        ),
        ("return", json!([give_back(json!({"x": "${input.n}"})), call("no", "t/fail", json!({}))]), json!({"x": 5})),
    ])
    .await;
    let double = json!({"name": "double", "inputs": [{"key": "n", "type": "number", "required": true}],
        "cards": [call("a", "t/add", json!({"a": "${input.n}", "b": "${input.n}"})), give_back(json!({"twice": "${a.sum}"}))]});
    let world = connected();
    let flow = flowdeck_sim::world::flow(json!({"helpers": {"double": double}, "cards": [
        card("h", json!({"call_flow": {"flow": "double", "with": {"n": "21"}}})),
        card("child", json!({"call_flow_async": {"flow": "double", "with": {"n": 1}}})),
        echo("o", json!({"twice": "${h.twice}", "child": "${child.run}"}))]}));
    let view = world.run(&flow, json!({})).await.unwrap();
    let output = view.output.unwrap();
    assert_eq!(output.get("twice"), &json!(42.0));
    let child = output.get("child").as_str().unwrap().parse().unwrap();
    let child = go_on(&world, child).await;
    assert_eq!((child.status, child.parent), (Status::Finished, Some(view.id)));
    assert_eq!(child.output.unwrap().to_value(), json!({"twice": 2.0}));
    let view = run(json!([card("h", json!({"call_flow": {"flow": "none", "with": {}}}))]), json!({})).await;
    assert!(view.fault.unwrap().message.contains("`none`"));
}

#[tokio::test]
async fn a_raw_answer() {
    let raw = json!({"return_raw": {"status": "201", "headers": {"x": 1}, "body": {"n": "${input.n}"}}});
    let view = run(json!([card("r", raw)]), json!({"n": 5})).await;
    let raw = view.raw.unwrap();
    assert_eq!((raw.status, raw.headers, raw.body), (201, vec![("x".into(), "1".into())], json!({"n": 5})));
    let bad = json!([card("r", json!({"return_raw": {"status": 99, "headers": null, "body": null}}))]);
    check_fails(vec![("a status that is none", bad, "r", "bad-input", "HTTP status")]).await;
}

#[tokio::test]
async fn an_answer_that_goes_on_is_the_runs_only_one() {
    let answer = |id: &str, status: u16, go_on: bool| {
        card(id, json!({"return_raw": {"status": status, "headers": {}, "body": {"n": "${input.n}"}, "go_on": go_on}}))
    };
    let wait = card("nap", json!({"wait": {"until": {"signal": {"name": "go"}}}}));
    let helper =
        json!({"name": "tells", "inputs": [{"key": "n", "type": "number"}], "cards": [answer("a", 202, true)]});
    let world = connected();
    let flow = flowdeck_sim::world::flow(json!({"helpers": {"tells": helper}, "cards": [
        card("h", json!({"call_flow": {"flow": "tells", "with": {"n": 7}}})), wait, answer("late", 500, true),
        echo("o", json!({"done": true})), answer("end", 404, false)]}));
    let view = world.run(&flow, json!({})).await.unwrap();
    let raw = view.raw.clone().expect("it is there while the run waits");
    assert_eq!((view.status, raw.status, &raw.body), (Status::Waiting, 202, &json!({"n": 7})));
    world.engine.signal(view.id, "go", json!(null)).await.unwrap();
    let view = go_on(&world, view.id).await;
    assert_eq!((view.status, view.raw.unwrap()), (Status::Finished, raw), "the first answer stays");
    let failing = json!([answer("a", 202, true), call("no", "t/fail", json!({}))]);
    let view = run(failing, json!({})).await;
    assert_eq!((view.status, view.raw.map(|raw| raw.status)), (Status::Failed, Some(202)));
}

#[tokio::test]
async fn a_helper_that_calls_itself_without_end_is_stopped() {
    let again = json!({"name": "again", "cards": [card("h", json!({"call_flow": {"flow": "again", "with": {}}}))]});
    let world = connected();
    let flow = flowdeck_sim::world::flow(json!({"helpers": {"again": again},
        "cards": [card("h", json!({"call_flow": {"flow": "again", "with": {}}}))]}));
    let fault = world.run(&flow, json!({})).await.unwrap().fault.unwrap();
    assert_eq!(fault.code.as_str(), "limit-reached", "{fault}");
}

#[tokio::test]
async fn a_card_that_takes_too_long_fails() {
    let hang = with(acme("h", "hang", json!({})), json!({"timeout_ms": 5_000}));
    let nap = card("nap", json!({"wait": {"until": {"duration": 60_000}}}));
    let slow = with(
        card("t", json!({"if": {"when": true, "then": {"cards": [nap]}, "otherwise": {}}})),
        json!({"timeout_ms": 5_000}),
    );
    for (name, cards, at) in [("an attempt", json!([hang]), "h"), ("a control card", json!([slow]), "t")] {
        let world = std::sync::Arc::new(connected());
        let run = world.engine.start(start(&acme_flow(cards))).await.unwrap();
        let driver = world.clone();
        let driven = tokio::spawn(async move { driver.engine.drive_until_stopped(run).await.unwrap() });
        tokio::task::yield_now().await;
        for _ in 0..50 {
            tokio::task::yield_now().await;
        }
        world.clock.advance(5_000);
        driven.await.unwrap();
        world.engine.run_due().await.unwrap();
        let view = view(&world.engine, run).await;
        assert_eq!(view.status, Status::Failed, "{name}");
        assert_eq!(
            (view.failed_at.unwrap().to_string().as_str(), view.fault.unwrap().code.as_str()),
            (at, "timeout"),
            "{name}"
        );
    }
}
