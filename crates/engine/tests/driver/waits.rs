//! Durable pauses: time, signals, approvals, deadlines, restarts.
//!
//! Must never let real time pass.
//! Tests: these.

use flowdeck_engine::ports::{CardOutcome, Delta, Space, Store};
use flowdeck_engine::wire::keys;
use flowdeck_engine::{EngineError, Status};
use flowdeck_model::Millis;
use flowdeck_sim::World;
use flowdeck_sim::clock::START;
use flowdeck_sim::world::flow;
use serde_json::{Value, json};

use crate::driver::cards::failed;
use crate::driver::common::*;

const DAY_MS: u64 = 24 * 3_600_000;

fn wait(until: Value) -> Value {
    card("w", json!({"wait": {"until": until}}))
}

fn signal(name: &str) -> Value {
    wait(json!({"signal": {"name": name}}))
}

fn approval() -> Value {
    wait(json!({"approval": {"message": "delete ${input.n} people?"}}))
}

#[tokio::test]
async fn time() {
    let world = World::default();
    let view = world
        .run(&flow(json!({"cards": [wait(json!({"duration": 90_000})), echo("e", json!({"x": 1}))]})), json!({}))
        .await
        .unwrap();
    assert_eq!((view.status, world.engine.next_due().await.unwrap()), (Status::Waiting, Some(START.plus(90_000))));
    assert_eq!(later(&world, 89_999, view.id).await.status, Status::Waiting);
    let view = later(&world, 1, view.id).await;
    assert_eq!(view.output.unwrap().to_value(), json!({"x": 1}));
    assert_eq!(world.engine.next_due().await.unwrap(), None);
    let at = |text: &str| flow(json!({"cards": [wait(json!({"time": text}))]}));
    assert_eq!(
        world.run(&at("2026-01-01T00:00:00Z"), json!({})).await.unwrap().status,
        Status::Finished,
        "the past is at once"
    );
    assert_eq!(world.run(&at("2026-03-01T00:00:00+01:00"), json!({})).await.unwrap().status, Status::Waiting);
    assert!(world.run(&at("tomorrow"), json!({})).await.unwrap().fault.unwrap().remedy.contains("ISO 8601"));
}

#[tokio::test]
async fn a_restart_and_a_clock_that_jumps_lose_no_wait() {
    for jump_ms in [7 * DAY_MS as i64, -3_600_000] {
        let mut world = World::default();
        let view = world.run(&flow(json!({"cards": [wait(json!({"duration": 60_000}))]})), json!({})).await.unwrap();
        world.restart();
        world.clock.jump(jump_ms);
        world.engine.recover().await.unwrap();
        let view = later(&world, 0, view.id).await;
        assert_eq!(view.status == Status::Finished, jump_ms > 0);
        assert_eq!(later(&world, 3_660_000, view.id).await.status, Status::Finished);
    }
}

#[tokio::test]
async fn a_signal_after_the_wait_and_one_before_it() {
    let world = World::default();
    let two =
        flow(json!({"cards": [signal("go"), card("v", json!({"wait": {"until": {"signal": {"name": "${'again'}"}}}})),
        echo("e", json!({"a": "${w.payload}", "b": "${v.payload.x}"}))]}));
    let run = world.run(&two, json!({})).await.unwrap().id;
    world.engine.signal(run, "again", json!({"x": 2})).await.unwrap();
    assert_eq!(waits_for(&go_on(&world, run).await), [r#"w {"signal":{"name":"go"}}"#]);
    world.engine.signal(run, "go", json!(1)).await.unwrap();
    assert_eq!(go_on(&world, run).await.output.unwrap().to_value(), json!({"a": 1, "b": 2}));
    let late = world.engine.signal(run, "go", json!(1)).await.unwrap_err();
    assert!(matches!(late, EngineError::NotNow { status: Status::Finished, .. }), "{late}");
    let big = "x".repeat(2 << 20);
    let run = world.run(&two, json!({})).await.unwrap().id;
    assert!(matches!(world.engine.signal(run, "go", json!(big)).await, Err(EngineError::Input(_))));
}

#[tokio::test]
async fn an_acknowledged_signal_survives_a_kill_even_where_the_ready_mark_is_gone() {
    for mark_is_gone in [false, true] {
        let mut world = World::default();
        let run = world.run(&flow(json!({"cards": [signal("go")]})), json!({})).await.unwrap().id;
        world.engine.signal(run, "go", json!(1)).await.unwrap();
        if mark_is_gone {
            // As the run's own commit leaves it that was under way meanwhile.
            let mut delta = Delta::new(world.store.epoch());
            delta.delete(Space::Ready, keys::run(run));
            world.store.commit(delta).await.unwrap();
        }
        world.restart();
        world.engine.recover().await.unwrap();
        assert_eq!(go_on(&world, run).await.status, Status::Finished);
        assert_eq!((world.store.count(Space::Inbox), world.store.count(Space::Ready)), (0, 0));
    }
}

#[tokio::test]
async fn a_person_decides() {
    for approved in [true, false] {
        let world = World::default();
        let view = world.run(&flow(json!({"cards": [approval()]})), json!({"n": 3})).await.unwrap();
        assert_eq!(waits_for(&view), [r#"w {"approval":{"message":"delete 3 people?"}}"#]);
        let decided = if approved {
            world.engine.approve(view.id, Some(path("w")), "eve", "ok").await
        } else {
            world.engine.reject(view.id, None, "eve", "ok").await
        };
        decided.unwrap();
        let output = go_on(&world, view.id).await.output.unwrap();
        assert_eq!(output.to_value(), json!({"approved": approved, "by": "eve", "comment": "ok"}));
    }
    let world = World::default();
    let lanes = json!({"a": {"cards": [approval()]}, "b": {"cards": [approval()]}});
    let view = world
        .run(&flow(json!({"cards": [card("p", json!({"parallel": {"lanes": lanes}}))]})), json!({}))
        .await
        .unwrap();
    let error = world.engine.approve(view.id, None, "eve", "").await.unwrap_err().to_string();
    assert!(error.contains("name one"), "{error}");
    let error = world.engine.approve(view.id, Some(path("p.c.w")), "eve", "").await.unwrap_err().to_string();
    assert!(error.contains("nothing waits"), "{error}");
    world.engine.approve(view.id, Some(path("p.b.w")), "eve", "").await.unwrap();
    assert_eq!(waits_for(&go_on(&world, view.id).await).len(), 1);
}

#[tokio::test]
async fn a_wait_that_nobody_ends_expires_and_can_be_resumed() {
    for (wait_ms, given_ms) in [(None, 30 * DAY_MS), (Some(5_000), 5_000)] {
        let world = World::default();
        let waits = flow(json!({"wait_ms": wait_ms, "cards": [signal("go"), echo("e", json!({"x": 1}))]}));
        let run = world.run(&waits, json!({})).await.unwrap().id;
        assert_eq!(later(&world, given_ms - 1, run).await.status, Status::Waiting);
        let view = later(&world, 1, run).await;
        assert_eq!((view.status, view.ended_at), (Status::Expired, Some(START.plus(given_ms))));
        assert!(matches!(world.engine.signal(run, "go", json!(1)).await, Err(EngineError::NotNow { .. })));
        assert!(matches!(world.engine.retry(run, None).await, Err(EngineError::NotNow { .. })));
        world.engine.resume(run).await.unwrap();
        let view = go_on(&world, run).await;
        assert_eq!((view.status, view.waits[0].deadline), (Status::Waiting, Some(START.plus(2 * given_ms))));
        world.engine.signal(run, "go", json!(1)).await.unwrap();
        assert_eq!(go_on(&world, run).await.status, Status::Finished);
    }
}

#[tokio::test]
async fn inside_a_try_a_deadline_is_an_error() {
    let world = World::default();
    let lane =
        json!({"cards": [card("w", json!({"wait": {"until": {"signal": {"name": "go"}}, "deadline_ms": 1_000}}))]});
    let tried =
        card("t", json!({"try": {"lane": lane, "error": "error", "catch": {"give": {"code": "${error.code}"}}}}));
    let run = world.run(&flow(json!({"cards": [tried]})), json!({})).await.unwrap().id;
    let view = later(&world, 1_000, run).await;
    assert_eq!(view.output.unwrap().to_value(), json!({"code": "expired", "failed": true}));
}

#[tokio::test]
async fn a_span_that_is_mapped_is_a_duration_or_milliseconds() {
    for (span, ms) in [
        (json!("10m"), Some(600_000)),
        (json!(" 1h 30m "), Some(5_400_000)),
        (json!("500ms"), Some(500)),
        (json!(90), Some(90)),
        (json!("90"), Some(90)),
        (json!("soon"), None),
        (json!("10 minutes"), None),
        (json!("99999999999d"), None),
        (json!(true), None),
    ] {
        let world = World::default();
        let mapped = flow(json!({"cards": [wait(json!({"duration": "${input.span}"}))]}));
        let run = world.run(&mapped, json!({ "span": span })).await.unwrap();
        let Some(ms) = ms else {
            let fault = run.fault.unwrap();
            assert_eq!((run.status, fault.code.as_str()), (Status::Failed, "bad-input"), "{span}");
            assert!(fault.message.contains("not a duration") && fault.remedy.contains("`10m`"), "{span}: {fault:?}");
            continue;
        };
        assert_eq!(later(&world, ms - 1, run.id).await.status, Status::Waiting, "{span}");
        assert_eq!(later(&world, 1, run.id).await.status, Status::Finished, "{span}");
    }
}

#[tokio::test]
async fn a_flow_may_take_only_so_long() {
    let world = World::default();
    let slow = flow(json!({"timeout_ms": 10_000, "cards": [approval()]}));
    let run = world.run(&slow, json!({})).await.unwrap().id;
    assert_eq!(later(&world, 9_999, run).await.status, Status::Waiting);
    let view = later(&world, 1, run).await;
    assert_eq!((view.status, view.fault.unwrap().code.as_str()), (Status::Failed, "timeout"));
}

/// Its own time is over with the flow's: nobody waits for the attempt's five minutes.
#[tokio::test]
async fn an_attempt_under_way_ends_with_the_time_of_its_flow() {
    let nested = json!({"if": {"when": true, "otherwise": {}, "then": {"cards": [acme("h", "hang", json!({}))]}}});
    for cards in [json!([acme("h", "hang", json!({}))]), json!([card("i", nested)])] {
        let world = std::sync::Arc::new(connected());
        let slow = flow(json!({"slots": {"acme": {"app": "acme"}}, "timeout_ms": 10_000, "cards": cards}));
        let run = world.engine.start(start(&slow)).await.unwrap();
        let driver = world.clone();
        let driven = tokio::spawn(async move { driver.engine.drive_until_stopped(run).await.unwrap() });
        for ms in [0, 9_999, 1] {
            assert!(!driven.is_finished());
            world.clock.advance(ms);
            for _ in 0..50 {
                tokio::task::yield_now().await;
            }
        }
        assert!(driven.is_finished(), "the flow's time is over");
        let view = driven.await.unwrap();
        assert_eq!((view.status, view.fault.unwrap().code.as_str()), (Status::Failed, "timeout"));
    }
}

#[tokio::test]
async fn the_time_of_a_flow_begins_with_its_first_card_and_anew_with_a_retry() {
    let world = connected();
    let cards = json!([wait(json!({"duration": 3_000})), acme("r", "read", json!({}))]);
    let quick = flow(json!({"slots": {"acme": {"app": "acme"}}, "timeout_ms": 10_000, "cards": cards}));
    let run = world.engine.start(start(&quick)).await.unwrap();
    // It waits for somebody to drive it: no time of its own.
    world.clock.advance(3_600_000);
    assert_eq!(go_on(&world, run).await.status, Status::Waiting);
    world.cards.next("acme/read", failed("no", false));
    assert_eq!(later(&world, 3_000, run).await.status, Status::Failed);
    world.clock.advance(3_600_000);
    world.engine.retry(run, Some("w".parse().unwrap())).await.unwrap();
    assert_eq!(go_on(&world, run).await.status, Status::Waiting);
    assert_eq!(later(&world, 3_000, run).await.status, Status::Finished);
}

/// The other lane is what wakes the run while the clocks stand still.
#[tokio::test]
async fn a_tick_while_a_lane_waits_for_a_connection_counts_against_no_clock() {
    let world = World::default();
    let lanes =
        json!({"a": {"cards": [acme("w", "write", json!({}))]}, "b": {"cards": [wait(json!({"duration": 60_000}))]}});
    let within = with(card("p", json!({"parallel": {"lanes": lanes}})), json!({"timeout_ms": 5_000}));
    for parts in [json!({"timeout_ms": 10_000}), json!({})] {
        let mut all = json!({"slots": {"acme": {"app": "acme"}}});
        let lanes = json!({"parallel": {"lanes": lanes}});
        let cards = if parts["timeout_ms"].is_null() { within.clone() } else { card("p", lanes) };
        all.as_object_mut().unwrap().extend(parts.as_object().unwrap().clone());
        all["cards"] = json!([cards]);
        let run = world.run(&flow(all), json!({})).await.unwrap().id;
        let view = later(&world, 60_000, run).await;
        assert_eq!(view.status, Status::Waiting, "{:?}", view.fault);
    }
}

#[tokio::test]
async fn a_doubt_and_a_limit_that_nobody_decides_about_expire_their_run() {
    for name in ["doubt", "limit"] {
        let world = connected();
        if name == "doubt" {
            let fault = flowdeck_model::Fault::new(flowdeck_model::FaultCode::Unreachable, "no line");
            world.cards.next("acme/write", CardOutcome::Unknown(fault));
        }
        let cards = json!([acme("w", "write", json!({})), acme("v", "write", json!({}))]);
        let asks = flow(json!({"slots": {"acme": {"app": "acme"}}, "limits": {"acme/write": 1}, "cards": cards}));
        let run = world.run(&asks, json!({})).await.unwrap().id;
        let asked = view(&world.engine, run).await.status;
        assert_eq!(later(&world, 30 * DAY_MS - 1, run).await.status, asked, "{name}");
        // Where it does not expire it is due for ever: it is given some turns, and no more.
        world.clock.advance(1);
        let engine = world.engine.clone();
        let driven = tokio::spawn(async move { engine.run_due().await });
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
        driven.abort();
        assert_eq!(view(&world.engine, run).await.status, Status::Expired, "{name}");
    }
}

#[tokio::test]
async fn a_cancelled_wait_leaves_nothing_behind() {
    let world = World::default();
    let run = world.run(&flow(json!({"cards": [signal("go")]})), json!({})).await.unwrap().id;
    world.engine.cancel(run).await.unwrap();
    let view = go_on(&world, run).await;
    assert_eq!((view.status, view.waits.len()), (Status::Cancelled, 0));
    assert!(matches!(world.engine.cancel(run).await, Err(EngineError::NotNow { .. })));
    for space in [Space::States, Space::Ready, Space::Timers, Space::Waits, Space::Inbox, Space::Chunks] {
        assert_eq!(world.store.count(space), 0, "{space:?}");
    }
}

#[tokio::test]
async fn many_waiting_runs_hold_no_slot_and_no_memory() {
    let world = World::new(flowdeck_engine::Limits { active_runs_max: 2, ..Default::default() });
    let waits = flow(json!({"cards": [signal("go")]}));
    let mut runs = Vec::new();
    for _ in 0..300 {
        runs.push(world.run(&waits, json!({})).await.unwrap().id);
    }
    assert_eq!(world.engine.active(), 0);
    assert_eq!(world.engine.next_due().await.unwrap(), Some(Millis(START.0 + 30 * DAY_MS as i64)));
    for run in &runs {
        world.engine.signal(*run, "go", json!(null)).await.unwrap();
    }
    world.engine.run_until_idle().await.unwrap();
    world.engine.idle().await;
    let filter = flowdeck_engine::RunFilter { status: vec![Status::Finished], ..Default::default() };
    let page = world.engine.runs(&filter, None, 1_000).await.unwrap();
    assert_eq!(page.runs.len(), 300);
    assert!(page.runs.windows(2).all(|w| w[0].id > w[1].id), "newest first");
}
