//! Values that derive from secrets: sealed while the run lives, redacted where they are shown, gone at its end.
//!
//! Must never pass because a value was not there in the first place: each test sees it arrive where it belongs.
//! Tests: these.

use flowdeck_engine::Status;
use flowdeck_engine::ports::Space;
use flowdeck_model::RunId;
use flowdeck_sim::World;
use flowdeck_sim::world::flow;
use serde_json::{Value, json};

use crate::driver::common::*;

const SECRET: &str = "vineyard";
const REDACTED: &str = "redacted: it derives from a secret";

/// Where the secret can be read in the store.
fn readable(world: &World) -> Vec<String> {
    world.store.spaces_with(SECRET.as_bytes()).into_iter().map(|space| format!("{space:?}")).collect()
}

fn secret_flow(cards: Value, more: Value) -> std::sync::Arc<flowdeck_model::Flow> {
    let mut parts = json!({
        "slots": {"acme": {"app": "acme"}},
        "inputs": [{"key": "s", "type": "text", "secret": true}, {"key": "n", "type": "text"}],
        "cards": cards,
    });
    parts.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    flow(parts)
}

async fn outputs(world: &World, run: RunId) -> Vec<(String, Value)> {
    let entries = world.engine.entries(run, 0, 1_000).await.unwrap();
    let done = entries.into_iter().filter_map(|e| match e.what {
        flowdeck_engine::EntryKind::StepFinished { outputs, .. } => Some((e.path.to_string(), outputs?.to_value())),
        _ => None,
    });
    done.collect()
}

/// Each list of cards, by name, waits at its end with the secret in its state; nothing in the store can be read.
#[tokio::test]
async fn however_a_secret_travels_nothing_of_it_can_be_read_in_the_store() {
    let s = "${input.s}";
    let lane = |cards: Value, give: Value| json!({"cards": cards, "give": give});
    let long = "${input.s + input.s + '".to_owned() + &"x".repeat(2_000) + "'}";
    let helper = json!({"name": "h", "inputs": [{"key": "k", "type": "text"}],
        "cards": [echo("e", json!({"v": "${input.k}"})), give_back(json!({"r": "${e.v}"}))]});
    let raising =
        json!({"return_error": {"message": "no ${input.s}", "status": null, "with": {"why": s}, "when": null}});
    let ways = [
        ("a card", json!([echo("a", json!({"v": s}))])),
        ("a template", json!([echo("a", json!({"v": "Bearer ${input.s}!"}))])),
        ("an expression", json!([echo("a", json!({"v": "${input.s + 'x'}"}))])),
        ("a large value", json!([echo("a", json!({"v": long}))])),
        ("all inputs at once", json!([echo("a", json!({"v": "${input}"}))])),
        ("inside a list and an object", json!([echo("a", json!({"v": [{"w": s}]}))])),
        ("one card after the other", json!([echo("a", json!({"v": s})), echo("b", json!({"v": "${a.v}"}))])),
        (
            "assign if",
            json!([
                card("a", json!({"assign_if": {"when": true, "then": s, "otherwise": null}})),
                echo("b", json!({"v": "${a.value}"}))
            ]),
        ),
        ("lookup", json!([card("a", json!({"lookup": {"key": "k", "options": {"k": s}, "otherwise": null}}))])),
        (
            "if",
            json!([
                card("a", json!({"if": {"when": true, "then": lane(json!([]), json!({"g": s})), "otherwise": {}}})),
                echo("b", json!({"v": "${a.g}"}))
            ]),
        ),
        (
            "else if",
            json!([
                card(
                    "a",
                    json!({"else_if": {"branches": [{"when": true, "lane": {"cards": [give_back(json!({"g": s}))]}}], "otherwise": {}}})
                ),
                echo("b", json!({"v": "${a.g}"}))
            ]),
        ),
        (
            "for each",
            json!([
                for_each("a", json!([s]), 1, json!([echo("e", json!({"v": "${item}"}))]), json!({"g": "${e.v}"})),
                echo("b", json!({"v": "${a.g}"}))
            ]),
        ),
        (
            "map",
            json!([
                card(
                    "a",
                    json!({"map": {"each": {"items": {"list": [1]}, "as": "i", "concurrency": 1}, "cards": [], "value": s}})
                ),
                echo("b", json!({"v": "${a.list}"}))
            ]),
        ),
        (
            "filter",
            json!([
                card(
                    "a",
                    json!({"filter": {"each": {"items": {"list": [s]}, "as": "i", "concurrency": 1}, "cards": [], "keep": true}})
                ),
                echo("b", json!({"v": "${a.list}"}))
            ]),
        ),
        (
            "reduce",
            json!([
                card(
                    "a",
                    json!({"reduce": {"each": {"items": {"list": [1]}, "as": "i", "concurrency": 1}, "start": s, "cards": [echo("e", json!({"v": "${so_far}"}))], "value": "${so_far}"}})
                ),
                echo("b", json!({"v": "${a.value}"}))
            ]),
        ),
        (
            "while",
            json!([
                card(
                    "a",
                    json!({"while": {"start": {"n": 0, "k": s}, "as": "so", "when": "${so.n < 2}", "times_max": 9,
            "lane": {"cards": [echo("e", json!({"v": "${so.k}"}))], "give": {"n": "${so.n + 1}", "k": "${so.k}"}}}})
                ),
                echo("b", json!({"v": "${a.k}"}))
            ]),
        ),
        (
            "parallel",
            json!([
                card("a", json!({"parallel": {"lanes": {"l": lane(json!([]), json!({"g": s}))}}})),
                echo("b", json!({"v": "${a.l.g}"}))
            ]),
        ),
        (
            "a helper",
            json!([
                card("a", json!({"call_flow": {"flow": "h", "with": {"k": s}}})),
                echo("b", json!({"v": "${a.r}"}))
            ]),
        ),
        ("a run of its own", json!([card("a", json!({"call_flow_async": {"flow": "h", "with": {"k": s}}}))])),
        (
            "an error",
            json!([
                card(
                    "a",
                    json!({"try": {"lane": {"cards": [call("f", "t/fail", json!({"message": s}))]}, "error": "e", "catch": lane(json!([echo("c", json!({"v": "${e.message}"}))]), json!({"g": "${e.message}"}))}})
                ),
                echo("b", json!({"v": "${a.g}"}))
            ]),
        ),
        (
            "a raised error",
            json!([
                card(
                    "a",
                    json!({"try": {"lane": {"cards": [card("f", raising)]}, "error": "e", "catch": lane(json!([]), json!({"g": "${e.body}"}))}})
                ),
                echo("b", json!({"v": "${a.g}"}))
            ]),
        ),
        (
            "a card with a secret input",
            json!([echo("p", json!({})), call("a", "t/sign", json!({"key": s})), echo("b", json!({"v": "${a.key}"}))]),
        ),
        ("a question", json!([card("q", json!({"wait": {"until": {"approval": {"message": "send ${input.s}?"}}}}))])),
    ];
    for (name, cards) in ways {
        let world = connected();
        let mut cards = cards;
        cards.as_array_mut().unwrap().push(card("nap", json!({"wait": {"until": {"signal": {"name": "go"}}}})));
        let flow = secret_flow(cards, json!({"helpers": {"h": helper}}));
        let run = world.run(&flow, json!({"s": SECRET, "n": "plain"})).await.unwrap();
        assert_eq!(readable(&world), [""; 0], "{name}, and what it started has not been driven yet");
        world.engine.run_until_idle().await.unwrap();
        assert_eq!(run.status, Status::Waiting, "{name}: {:?}", run.fault);
        assert_eq!(readable(&world), [""; 0], "{name}, while it lives");
        assert_eq!(view(&world.engine, run.id).await.input.get("n"), &json!("plain"), "{name}: the rest is shown");
        if name != "a question" {
            world.engine.signal(run.id, "go", json!(SECRET)).await.unwrap();
            assert_eq!(readable(&world), [""; 0], "{name}: messages are sealed");
        }
    }
}

#[tokio::test]
async fn a_sealed_run_goes_on_after_a_restart_and_its_caller_gets_the_answer() {
    let mut world = connected();
    let nap = card("nap", json!({"wait": {"until": {"signal": {"name": "go"}}}}));
    let loud = for_each("l", json!(["${input.s}", "b"]), 1, json!([]), json!({"g": "${item}"}));
    let back = give_back(json!({"token": "Bearer ${a.v}", "n": "${input.n}", "all": "${l.g}"}));
    let flow =
        secret_flow(json!([echo("a", json!({"v": "${input.s}", "w": "${input.n}"})), loud, nap, back]), json!({}));
    let run = world.run(&flow, json!({"s": SECRET, "n": "plain"})).await.unwrap().id;
    world.restart();
    world.engine.recover().await.unwrap();
    world.engine.signal(run, "go", json!(null)).await.unwrap();
    let ended = world.engine.drive_until_stopped(run).await.unwrap();
    let output = ended.output.unwrap();
    assert_eq!(output.to_value(), json!({"token": "Bearer vineyard", "n": "plain", "all": [SECRET, "b"]}));
    let shown = view(&world.engine, run).await;
    let redacted = json!({"token": REDACTED, "n": "plain", "all": REDACTED});
    assert_eq!(shown.output.unwrap().to_value(), redacted);
    assert_eq!(shown.input.to_value(), json!({"s": REDACTED, "n": "plain"}));
    assert_eq!(outputs(&world, run).await[0], ("a".to_owned(), json!({"v": REDACTED, "w": REDACTED})));
    assert_eq!((readable(&world), world.store.count(Space::States)), (vec![], 0), "dropped when it ended");
}

#[tokio::test]
async fn what_an_app_answers_is_shown_but_for_what_its_card_calls_secret() {
    let world = connected();
    let cards = json!([
        acme("open", "read", json!({"q": "${input.s}"})),
        acme("issued", "issue", json!({"token": "given", "id": 7})),
        echo("later", json!({"t": "${issued.token}"})),
        echo("free", json!({"id": "${issued.id}"})),
        give_back(json!({"id": "${free.id}"})),
    ]);
    let run = world.run(&secret_flow(cards, json!({})), json!({"s": "asked", "n": ""})).await.unwrap();
    assert_eq!(run.status, Status::Finished, "{:?}", run.fault);
    let shown = outputs(&world, run.id).await;
    let expected = [
        ("open", json!({"q": "asked"})),
        ("issued", json!({"token": REDACTED, "id": 7})),
        ("later", json!({"t": REDACTED})),
        ("free", json!({"id": 7})),
    ];
    assert_eq!(shown, expected.map(|(path, value)| (path.to_owned(), value)));
}

#[tokio::test]
async fn a_fault_that_may_repeat_a_secret_is_redacted_and_the_run_can_be_retried() {
    let world = connected();
    let flow = secret_flow(json!([call("f", "t/fail", json!({"message": "no ${input.s}"}))]), json!({}));
    let run = world.run(&flow, json!({"s": SECRET, "n": ""})).await.unwrap();
    assert_eq!(run.status, Status::Failed);
    let fault = view(&world.engine, run.id).await.fault.unwrap();
    assert_eq!((fault.code.as_str(), fault.message.as_str()), ("app-error", REDACTED));
    assert_eq!(readable(&world), [""; 0]);
    world.engine.retry(run.id, None).await.unwrap();
    assert_eq!(go_on(&world, run.id).await.status, Status::Failed, "its sealed state could be opened");
    let plain = flow_of_plain();
    let run = world.run(&plain, json!({})).await.unwrap();
    assert!(view(&world.engine, run.id).await.fault.unwrap().message.contains("plainly"), "others are told in full");
}

fn flow_of_plain() -> std::sync::Arc<flowdeck_model::Flow> {
    flow(json!({"cards": [call("f", "t/fail", json!({"message": "plainly"}))]}))
}

#[tokio::test]
async fn a_flow_that_keeps_no_data_is_sealed_while_it_lives() {
    let mut world = connected();
    let ask = card("ask", json!({"wait": {"until": {"approval": {"message": "send ${input.n}?"}}}}));
    let flow = flow(json!({"keep_data": false, "inputs": [{"key": "n", "type": "text"}],
        "cards": [echo("a", json!({"v": "${input.n}"})), ask, give_back(json!({"v": "${a.v}"}))]}));
    let run = world.run(&flow, json!({"n": SECRET})).await.unwrap().id;
    assert_eq!(readable(&world), [""; 0]);
    world.restart();
    world.engine.recover().await.unwrap();
    let shown = view(&world.engine, run).await;
    assert_eq!(waits_for(&shown), [r#"ask {"approval":{"message":"send vineyard?"}}"#], "who decides must read it");
    assert_eq!(world.engine.runs(&Default::default(), None, 10).await.unwrap().runs[0].id, run);
    world.engine.approve(run, None, "eve", "").await.unwrap();
    let ended = world.engine.drive_until_stopped(run).await.unwrap();
    assert_eq!(ended.output.unwrap().get("v"), &json!(SECRET));
    assert_eq!(readable(&world), [""; 0]);
}

const KEPT_MS: u64 = 7 * 24 * 3_600_000;

#[tokio::test]
async fn what_a_failed_run_with_secrets_held_is_kept_for_a_retry_and_then_dropped_whoever_looks() {
    let mut world = connected();
    let long = "${input.s + '".to_owned() + &"x".repeat(2_000) + "'}";
    let loud = for_each("l", json!(["${input.s}", "b"]), 1, json!([]), json!({"g": "${item}"}));
    let cards = json!([
        echo("a", json!({"v": long})),
        loud,
        call("f", "t/fail", json!({"message": "no"})),
        echo("z", json!({}))
    ]);
    let flow = secret_flow(cards, json!({}));
    let run = world.run(&flow, json!({"s": SECRET, "n": ""})).await.unwrap().id;
    assert_eq!(
        world.engine.next_due().await.unwrap(),
        Some(view(&world.engine, run).await.ended_at.unwrap().plus(KEPT_MS))
    );
    // A retry counts from its own end.
    world.clock.advance(KEPT_MS - 1);
    assert_eq!(world.engine.run_due().await.unwrap(), 0);
    world.engine.retry(run, None).await.unwrap();
    assert_eq!(go_on(&world, run).await.status, Status::Failed);
    world.clock.advance(KEPT_MS - 1);
    world.restart();
    world.engine.recover().await.unwrap();
    assert_eq!(world.engine.run_due().await.unwrap(), 0);
    assert!(world.store.count(Space::States) == 1 && world.store.count(Space::Chunks) > 0);
    world.clock.advance(1);
    assert_eq!(world.engine.run_due().await.unwrap(), 1);
    let left = [Space::States, Space::Chunks, Space::Timers, Space::Ready].map(|space| world.store.count(space));
    assert_eq!(left, [0; 4]);
    let error = world.engine.retry(run, None).await.unwrap_err().to_string();
    assert!(error.contains("not kept any longer"), "{error}");
    assert_eq!(view(&world.engine, run).await.status, Status::Failed, "its record stays");
    assert_eq!(world.engine.next_due().await.unwrap(), None);
}

#[tokio::test]
async fn what_an_expired_run_with_secrets_held_goes_too_and_other_runs_keep_theirs() {
    let world = connected();
    let nap = json!({"wait": {"until": {"signal": {"name": "go"}}}});
    let secret = secret_flow(json!([echo("a", json!({"v": "${input.s}"})), card("nap", nap)]), json!({}));
    let plain = flow(json!({"cards": [call("f", "t/fail", json!({"message": "plainly"}))]}));
    let run = world.run(&secret, json!({"s": SECRET, "n": ""})).await.unwrap().id;
    let other = world.run(&plain, json!({})).await.unwrap().id;
    assert_eq!(later(&world, 30 * 24 * 3_600_000, run).await.status, Status::Expired);
    world.engine.resume(run).await.unwrap();
    assert_eq!(go_on(&world, run).await.status, Status::Waiting, "it can be resumed meanwhile");
    assert_eq!(later(&world, 30 * 24 * 3_600_000, run).await.status, Status::Expired);
    assert_eq!(later(&world, KEPT_MS, run).await.status, Status::Expired);
    assert_eq!(world.store.count(Space::States), 1, "only the plain run's is left");
    for refused in [world.engine.resume(run).await, world.engine.cancel(run).await] {
        assert!(matches!(refused, Err(flowdeck_engine::EngineError::NotNow { .. })), "{refused:?}");
    }
    world.engine.retry(other, None).await.unwrap();
    assert_eq!(go_on(&world, other).await.status, Status::Failed);
}

#[tokio::test]
async fn a_page_in_history_has_no_secret() {
    let world = connected();
    let outputs = flowdeck_model::Fields::from_value(json!({"list": [1], "token": SECRET}));
    world.cards.next("acme/issue", flowdeck_engine::ports::CardOutcome::Done { outputs, next_page: None });
    let pages = json!({"for_each": {"each": {"items": {"pages": {"card": "acme/issue", "slot": "acme"}}, "as": "item",
        "concurrency": 1}, "lane": {}}});
    let view = world.run(&secret_flow(json!([card("e", pages)]), json!({})), json!({})).await.unwrap();
    let entries = world.engine.entries(view.id, 0, 1_000).await.unwrap();
    let page = entries.into_iter().find_map(|e| match e.what {
        flowdeck_engine::EntryKind::PageCame { outputs, .. } => outputs,
        _ => None,
    });
    assert_eq!(page.unwrap().to_value(), json!({"list": [1], "token": REDACTED}));
    assert_eq!(readable(&world), Vec::<String>::new());
}

#[tokio::test]
async fn a_secret_output_is_not_told_by_the_output_beside_it() {
    let world = connected();
    let outputs = flowdeck_model::Fields::from_value(
        json!({"token": SECRET, "body": {"all": [SECRET, "other"], "head": format!("Bearer {SECRET}")}, "n": "vine"}),
    );
    world.cards.next("acme/issue", flowdeck_engine::ports::CardOutcome::Done { outputs, next_page: None });
    let view = world.run(&secret_flow(json!([acme("i", "issue", json!({}))]), json!({})), json!({})).await.unwrap();
    let told = self::outputs(&world, view.id).await;
    let body = json!({"all": [REDACTED, "other"], "head": REDACTED});
    assert_eq!(told, [("i".to_owned(), json!({"token": REDACTED, "body": body, "n": "vine"}))]);
}
