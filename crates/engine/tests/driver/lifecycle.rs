//! Runs as a whole: commits, admission, versions, keys, cancel, retry, stop, and what is kept.
//!
//! Must never let real time pass.
//! Tests: these.

use std::sync::Arc;

use flowdeck_engine::ports::{CardOutcome, Space, Store};
use flowdeck_engine::{EngineError, EntryKind, Limits, NoticeKind, Start, Status};
use flowdeck_model::{Fields, FlowName};
use flowdeck_sim::World;
use flowdeck_sim::world::flow;
use serde_json::{Value, json};

use crate::driver::cards::failed;
use crate::driver::common::*;

fn ten() -> Value {
    let cards: Vec<_> = (0..10).map(|i| echo(&format!("c{i}"), json!({"i": i, "n": "${input.n}"}))).collect();
    json!(cards)
}

#[tokio::test]
async fn ten_functions_with_a_waiting_caller_are_one_commit_of_two_keys() {
    let world = World::default();
    let flow = flow(json!({"cards": ten()}));
    world.run(&flow, json!({"n": 1})).await.unwrap();
    assert_eq!((world.store.commits(), world.store.last_commit_ops()), (1, 3), "the first run keeps the version too");
    world.run(&flow, json!({"n": 2})).await.unwrap();
    assert_eq!((world.store.commits(), world.store.last_commit_ops()), (2, 2));
    let mut keyed = Start::new(flow.clone(), Fields::new());
    keyed.idempotency_key = Some("k".into());
    world.engine.start_and_wait(keyed).await.unwrap();
    assert_eq!((world.store.commits(), world.store.last_commit_ops()), (3, 3));
}

#[tokio::test]
async fn one_action_costs_one_commit_more_and_a_read_none() {
    for (card, commits) in [("read", 1), ("write", 2)] {
        let world = connected();
        let cards = json!([
            echo("a", json!({"x": 1})),
            acme("b", card, json!({"x": "${a.x}"})),
            echo("c", json!({"x": "${b.x}"}))
        ]);
        world.run(&acme_flow(cards), json!({})).await.unwrap();
        assert_eq!(world.store.commits(), commits, "{card}");
    }
}

#[tokio::test]
async fn nothing_is_sent_before_its_intent_is_durable() {
    let world = connected();
    let flow = acme_flow(json!([acme("w", "write", json!({}))]));
    world.store.fail_at_commit(1);
    world.run(&flow, json!({})).await.unwrap_err();
    assert_eq!(world.cards.calls("acme/write"), 0);
}

#[tokio::test]
async fn long_runs_commit_by_steps_and_bytes() {
    for (limits, least) in [
        (Limits { commit_after_steps: 10, ..Default::default() }, 9),
        (Limits { commit_after_bytes: 1_000, ..Default::default() }, 9),
        (Limits::default(), 1),
    ] {
        let world = World::new(limits);
        let text = "x".repeat(100);
        let each = for_each("e", json!(vec![0; 100]), 1, json!([echo("a", json!({"t": text}))]), json!({}));
        world.run(&flow(json!({"cards": [each]})), json!({})).await.unwrap();
        assert!(world.store.commits() >= least && world.store.commits() < 120, "{}", world.store.commits());
    }
}

#[tokio::test]
async fn an_outcome_is_durable_soon_even_while_the_run_goes_on() {
    let world = Arc::new(connected());
    let lanes =
        json!({"a": {"cards": [acme("w", "write", json!({}))]}, "b": {"cards": [acme("h", "hang", json!({}))]}});
    let run =
        world.engine.start(start(&acme_flow(json!([card("p", json!({"parallel": {"lanes": lanes}}))])))).await.unwrap();
    let driver = world.clone();
    let driven = tokio::spawn(async move { driver.engine.drive_until_stopped(run).await });
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    assert!(finished(&world, run).await.is_empty());
    world.clock.advance(50);
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    assert_eq!(finished(&world, run).await, ["p.a.w"]);
    driven.abort();
}

#[tokio::test]
async fn a_card_that_breaks_fails_its_step_only() {
    let world = connected();
    let caught = card(
        "t",
        json!({"try": {"lane": {"cards": [call("a", "t/panic", json!({}))]}, "error": "error", "catch": {"give": {"code": "${error.code}"}}}}),
    );
    let view = world.run(&flow(json!({"cards": [caught]})), json!({})).await.unwrap();
    assert_eq!(view.output.unwrap().to_value(), json!({"code": "card-panicked", "failed": true}));
    world.cards.break_at("acme/read");
    let view = world.run(&acme_flow(json!([acme("r", "read", json!({}))])), json!({})).await.unwrap();
    assert_eq!(view.fault.unwrap().code.as_str(), "card-panicked");
    assert_eq!(world.run(&flow(json!({"cards": ten()})), json!({})).await.unwrap().status, Status::Finished);
}

#[tokio::test]
async fn a_start_repeated_with_its_key_is_one_run() {
    let mut world = connected();
    let flow = acme_flow(json!([acme("w", "write", json!({}))]));
    let keyed = || Start { idempotency_key: Some("k".into()), ..start(&flow) };
    let first = world.engine.start(keyed()).await.unwrap();
    assert_eq!(world.engine.start(keyed()).await.unwrap(), first);
    assert_eq!(world.engine.start_and_wait(keyed()).await.unwrap().id, first);
    world.restart();
    world.engine.recover().await.unwrap();
    assert_eq!(world.engine.start_and_wait(keyed()).await.unwrap().id, first);
    assert_eq!(world.cards.calls("acme/write"), 1);
    let other = Start { idempotency_key: Some("other".into()), ..start(&flow) };
    assert_ne!(world.engine.start(other).await.unwrap(), first);
}

#[tokio::test]
async fn two_starts_with_one_key_at_the_same_time_are_one_run() {
    let world = connected();
    // Both look for the key before either has written it.
    world.store.take_turns();
    let flow = acme_flow(json!([acme("w", "write", json!({}))]));
    let keyed = |key: &str| Start { idempotency_key: Some(key.into()), ..start(&flow) };
    let (one, other) = tokio::join!(world.engine.start(keyed("a")), world.engine.start(keyed("a")));
    assert_eq!(one.unwrap(), other.unwrap());
    let (one, other) = tokio::join!(world.engine.start_and_wait(keyed("b")), world.engine.start_and_wait(keyed("b")));
    assert_eq!(one.unwrap().id, other.unwrap().id);
    world.engine.run_until_idle().await.unwrap();
    assert_eq!(world.cards.happened("acme/write").len(), 2, "one for each key");
}

#[tokio::test]
async fn what_was_computed_is_durable_a_second_later() {
    let world = Arc::new(connected());
    let flow = acme_flow(json!([echo("e", json!({})), acme("h", "hang", json!({}))]));
    let run = world.engine.start(start(&flow)).await.unwrap();
    let driver = world.clone();
    let driven = tokio::spawn(async move { driver.engine.drive_until_stopped(run).await });
    for (ms, durable) in [(0, 0), (999, 0), (1, 1)] {
        for _ in 0..50 {
            tokio::task::yield_now().await;
        }
        world.clock.advance(ms);
        for _ in 0..50 {
            tokio::task::yield_now().await;
        }
        assert_eq!(finished(&world, run).await.len(), durable, "{ms} ms later");
    }
    driven.abort();
}

#[tokio::test]
async fn a_run_goes_on_with_the_version_it_began_with() {
    let mut world = World::default();
    let version = |x: i32| {
        flow(
            json!({"slots": {"acme": {"app": "acme"}}, "cards": [acme("w", "read", json!({})), echo("e", json!({"x": x}))]}),
        )
    };
    let old = world.engine.publish(&version(1)).await.unwrap();
    let view = world.run(&version(1), json!({})).await.unwrap();
    assert_eq!((view.hash, view.status), (old, Status::Waiting));
    assert_ne!(world.engine.publish(&version(2)).await.unwrap(), old);
    world.restart();
    world.authorizer.grant("acme", "alice");
    assert_eq!(go_on(&world, view.id).await.output.unwrap().to_value(), json!({"x": 1}));
}

#[tokio::test]
async fn a_run_calls_the_helper_that_was_there_when_it_began() {
    let mut world = World::default();
    let version = |x: i32| {
        let inner = json!({"name": "inner", "cards": [give_back(json!({"x": x}))]});
        let helper = json!({"name": "h", "cards": [card("i", json!({"call_flow": {"flow": "inner", "with": {}}})), give_back(json!({"x": "${i.x}"}))]});
        let wait = card("w", json!({"wait": {"until": {"signal": {"name": "go"}}}}));
        let called = card("c", json!({"call_flow": {"flow": "h", "with": {}}}));
        let cards = json!([wait, called, give_back(json!({"x": "${c.x}"}))]);
        flow(json!({"cards": cards, "helpers": {"h": helper, "inner": inner}}))
    };
    world.engine.publish(&version(1)).await.unwrap();
    let old = world.run(&version(1), json!({})).await.unwrap();
    assert_ne!(world.engine.publish(&version(2)).await.unwrap(), old.hash, "a helper is part of its flow's version");
    world.restart();
    let new = world.run(&version(2), json!({})).await.unwrap();
    for (run, x) in [(old.id, 1), (new.id, 2)] {
        world.engine.signal(run, "go", json!(null)).await.unwrap();
        assert_eq!(go_on(&world, run).await.output.unwrap().to_value(), json!({"x": x}));
    }
}

#[tokio::test]
async fn no_more_runs_at_once_than_allowed() {
    for most in [2, 5] {
        let world = World::new(Limits { active_runs_max: most, ..Default::default() });
        world.authorizer.grant("acme", "alice");
        let flow = acme_flow(json!([acme("r", "read", json!({}))]));
        for _ in 0..20 {
            world.engine.start(start(&flow)).await.unwrap();
        }
        world.engine.run_until_idle().await.unwrap();
        assert_eq!((world.cards.calls("acme/read"), world.cards.peak()), (20, most));
    }
}

#[tokio::test]
async fn cancel_reaches_a_run_at_work() {
    let world = Arc::new(connected());
    let run = world.engine.start(start(&acme_flow(json!([acme("h", "hang", json!({}))])))).await.unwrap();
    let driver = world.clone();
    let driven = tokio::spawn(async move { driver.engine.drive_until_stopped(run).await.unwrap() });
    tokio::task::yield_now().await;
    world.engine.cancel(run).await.unwrap();
    assert_eq!(driven.await.unwrap().status, Status::Cancelled);
}

#[tokio::test]
async fn a_failed_run_is_retried_from_its_step_or_from_an_earlier_card() {
    let cards = json!([
        acme("a", "read", json!({"x": 1})),
        acme("b", "write", json!({"x": "${a.x}"})),
        echo("c", json!({"x": "${b.x}"}))
    ]);
    for (from, reads) in [(None, 1), (Some("a"), 2)] {
        let world = connected();
        world.cards.next("acme/write", failed("no", false));
        let view = world.run(&acme_flow(cards.clone()), json!({})).await.unwrap();
        assert_eq!(view.status, Status::Failed);
        for later_or_none in ["c", "nope"] {
            let card = flowdeck_model::CardId::new(later_or_none).unwrap();
            let refused = world.engine.retry(view.id, Some(card)).await;
            assert!(matches!(refused, Err(EngineError::NotNow { .. })), "{later_or_none}: {refused:?}");
        }
        world.engine.retry(view.id, from.map(|f| flowdeck_model::CardId::new(f).unwrap())).await.unwrap();
        let view = go_on(&world, view.id).await;
        assert_eq!((view.status, view.fault), (Status::Finished, None));
        assert_eq!((world.cards.calls("acme/read"), world.cards.calls("acme/write")), (reads, 2));
        let calls = world.cards.performed.lock().clone();
        let keys: Vec<_> = calls.iter().filter(|p| p.card == "acme/write").map(|p| &p.key).collect();
        assert_ne!(keys[0], keys[1], "a person's retry is a new request");
    }
}

#[tokio::test]
async fn a_failed_round_is_retried_alone() {
    let world = connected();
    world.cards.next("acme/write", CardOutcome::Done { outputs: Fields::one("i", 0), next_page: None });
    world.cards.next("acme/write", failed("no", false));
    let each = for_each(
        "e",
        json!([0, 1, 2]),
        1,
        json!([acme("w", "write", json!({"i": "${item}"}))]),
        json!({"i": "${w.i}"}),
    );
    let view = world.run(&acme_flow(json!([each])), json!({})).await.unwrap();
    world.engine.retry(view.id, None).await.unwrap();
    let view = go_on(&world, view.id).await;
    assert_eq!(view.output.unwrap().get("i"), &json!([0, 1, 2]));
    assert_eq!(world.cards.happened("acme/write").len(), 3);
}

#[tokio::test]
async fn a_stop_lets_effects_end_and_leaves_the_rest_for_the_next_start() {
    let mut world = connected();
    let flow = acme_flow(json!([acme("a", "write", json!({"x": 1})), acme("b", "write", json!({"x": 2}))]));
    let run = world.engine.start(start(&flow)).await.unwrap();
    let (shutdown, is_over) = tokio::sync::watch::channel(false);
    let engine = world.engine.clone();
    let forever = tokio::spawn(async move { engine.run_forever(is_over).await });
    for _ in 0..6 {
        tokio::task::yield_now().await;
    }
    shutdown.send(true).unwrap();
    forever.await.unwrap().unwrap();
    assert!(matches!(world.engine.start(start(&flow)).await, Err(EngineError::Stopping)));
    assert_eq!(world.engine.active(), 0);
    world.restart();
    world.engine.recover().await.unwrap();
    let view = go_on(&world, run).await;
    assert_eq!(view.status, Status::Finished, "nothing is in doubt after an orderly stop: {view:?}");
    assert_eq!(world.cards.happened("acme/write").len(), 2);
}

#[tokio::test]
async fn run_forever_drives_what_becomes_ready_and_says_when_nothing_is() {
    let world = connected();
    let (shutdown, is_over) = tokio::sync::watch::channel(false);
    let engine = world.engine.clone();
    let forever = tokio::spawn(async move { engine.run_forever(is_over).await });
    let flow = flow(json!({"cards": [card("w", json!({"wait": {"until": {"signal": {"name": "go"}}}}))]}));
    let run = world.engine.start(start(&flow)).await.unwrap();
    world.engine.idle().await;
    assert_eq!(view(&world.engine, run).await.status, Status::Waiting);
    world.engine.signal(run, "go", json!(1)).await.unwrap();
    world.engine.idle().await;
    assert_eq!(view(&world.engine, run).await.status, Status::Finished);
    let nap = flowdeck_sim::world::flow(json!({"cards": [card("w", json!({"wait": {"until": {"duration": 1000}}}))]}));
    let run = world.run(&nap, json!({})).await.unwrap().id;
    for _ in 0..20 {
        tokio::task::yield_now().await;
    }
    world.clock.advance(1_000);
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    assert_eq!(view(&world.engine, run).await.status, Status::Finished);
    shutdown.send(true).unwrap();
    forever.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_run_that_cannot_be_read_is_set_aside_and_others_go_on() {
    let mut world = World::default();
    let nap = flow(json!({"cards": [card("w", json!({"wait": {"until": {"duration": 1000}}}))]}));
    let (bad, good) = (world.run(&nap, json!({})).await.unwrap().id, world.run(&nap, json!({})).await.unwrap().id);
    let mut delta = flowdeck_engine::ports::Delta::new(world.store.epoch());
    delta.put(Space::States, flowdeck_engine::wire::keys::run(bad), vec![99]);
    world.store.commit(delta).await.unwrap();
    world.restart();
    world.clock.advance(1_000);
    assert_eq!(world.engine.run_due().await.unwrap(), 2);
    assert_eq!(view(&world.engine, good).await.status, Status::Finished);
    assert_eq!(world.engine.run_due().await.unwrap(), 0, "it is not tried again and again");
}

#[tokio::test]
async fn what_a_flow_must_not_keep_is_nowhere_once_it_ended() {
    let secret = "vineyard";
    let helper = json!({"name": "h", "inputs": [{"key": "s", "type": "text"}], "cards": [echo("a", json!({"s": "${input.s}"}))]});
    let child = card("k", json!({"call_flow_async": {"flow": "h", "with": {"s": "${input.s}"}}}));
    let doubtful = card(
        "t",
        json!({"try": {"lane": {"cards": [call("f", "t/fail", json!({"message": "${input.s}"}))]}, "error": "e", "catch": {}}}),
    );
    let ask = card("ask", json!({"wait": {"until": {"approval": {"message": "send ${input.s}?"}}}}));
    let last = [
        ("finished", echo("z", json!({"s": "${input.s}"}))),
        ("failed", call("z", "t/fail", json!({"message": "${input.s}"}))),
    ];
    for keep_data in [true, false] {
        for (name, last) in &last {
            let world = World::default();
            let cards = json!([echo("a", json!({"s": "${input.s}"})), child, doubtful, ask, last]);
            let flow = flow(
                json!({"keep_data": keep_data, "inputs": [{"key": "s", "type": "text"}], "helpers": {"h": helper}, "cards": cards}),
            );
            let view = world.run(&flow, json!({"s": secret})).await.unwrap();
            assert_eq!(
                waits_for(&view),
                [r#"ask {"approval":{"message":"send vineyard?"}}"#],
                "who decides must read it"
            );
            world.engine.approve(view.id, None, "eve", "").await.unwrap();
            let ended = world.engine.drive_until_stopped(view.id).await.unwrap();
            if *name == "finished" {
                assert_eq!(ended.output.unwrap().get("s"), &json!(secret), "who waits gets the answer");
            }
            world.engine.run_until_idle().await.unwrap();
            let left = world.store.spaces_with(secret.as_bytes());
            assert_eq!(left.is_empty(), !keep_data, "{name}: {left:?}");
            let retried = world.engine.retry(view.id, None).await;
            assert_eq!(retried.is_ok(), keep_data && *name == "failed", "{name}");
        }
    }
}

#[tokio::test]
async fn notices_are_provisional_until_committed_and_numbered_without_gaps() {
    let world = connected();
    let mut notices = world.engine.subscribe();
    let view = world.run(&acme_flow(json!([acme("w", "write", json!({}))])), json!({})).await.unwrap();
    let mut committed = Vec::new();
    let mut provisional = 0;
    while let Ok(notice) = notices.try_recv() {
        assert_eq!(notice.run, view.id);
        match notice.seq {
            Some(seq) => committed.push(seq),
            None => provisional += 1,
        }
        if matches!(notice.what, NoticeKind::RunEnded { .. }) && notice.seq.is_some() {
            assert_eq!(notice.seq, Some(view.counts.entries));
        }
    }
    assert_eq!(provisional, committed.len());
    assert!(committed.windows(2).all(|w| w[0] < w[1]));
    let entries = world.engine.entries(view.id, 0, 100).await.unwrap();
    assert!(entries.iter().map(|e| e.seq).eq(1..=view.counts.entries));
    assert!(matches!(entries.last().unwrap().what, EntryKind::RunEnded { .. }));
    let rest = world.engine.entries(view.id, 2, 2).await.unwrap();
    assert_eq!(rest.iter().map(|e| e.seq).collect::<Vec<_>>(), [3, 4]);
}

#[tokio::test]
async fn wrong_starts_are_refused_before_anything_is_stored() {
    let world = World::default();
    let flow = flow(json!({"inputs": [{"key": "n", "type": "number", "required": true}], "cards": []}));
    assert!(matches!(world.run(&flow, json!({})).await, Err(EngineError::Input(_))));
    assert!(matches!(world.run(&flow, json!({"n": "x"})).await, Err(EngineError::Input(_))));
    assert_eq!(world.store.commits(), 0);
    let filter = flowdeck_engine::RunFilter { flow: Some(FlowName::new("other").unwrap()), ..Default::default() };
    assert!(world.engine.runs(&filter, None, 10).await.unwrap().runs.is_empty());
}

#[tokio::test]
async fn callers_beyond_the_queue_are_refused_and_a_stop_frees_those_in_it() {
    let world = Arc::new(World::new(Limits { active_runs_max: 1, waiting_starts_max: 1, ..Default::default() }));
    world.authorizer.grant("acme", "alice");
    let flow = acme_flow(json!([acme("h", "hang", json!({}))]));
    let mut callers = Vec::new();
    for _ in 0..2 {
        let (world, flow) = (world.clone(), flow.clone());
        callers.push(tokio::spawn(async move { world.engine.start_and_wait(start(&flow)).await }));
        tokio::task::yield_now().await;
    }
    assert!(matches!(world.engine.start_and_wait(start(&flow)).await, Err(EngineError::Busy { waiting: 1 })));
    world.engine.stop();
    assert!(matches!(callers.pop().unwrap().await.unwrap(), Err(EngineError::Stopping)));
    callers.pop().unwrap().abort();
}

#[tokio::test]
async fn a_child_outlives_its_parents_cancellation() {
    let world = World::default();
    let helper = json!({"name": "h", "cards": [call("w", "free/write", json!({}))]});
    let kind = json!({"call_flow_async": {"flow": "h", "with": {}}});
    let wait = card("s", json!({"wait": {"until": {"signal": {"name": "go"}}}}));
    let flow = flow(json!({"helpers": {"h": helper}, "cards": [card("k", kind), wait]}));
    let parent = world.run(&flow, json!({})).await.unwrap().id;
    world.engine.cancel(parent).await.unwrap();
    world.engine.run_until_idle().await.unwrap();
    let runs = world.engine.runs(&Default::default(), None, 10).await.unwrap().runs;
    let mut statuses: Vec<_> = runs.iter().map(|r| (r.parent.is_some(), r.status)).collect();
    statuses.sort_by_key(|s| s.0);
    assert_eq!(statuses, [(false, Status::Cancelled), (true, Status::Finished)]);
}

#[tokio::test]
async fn a_stop_ends_a_long_run_of_functions_and_the_next_start_goes_on() {
    let mut world = World::default();
    let times = json!({"times": {"count": 20_000, "as": "i", "concurrency": 1, "lane": {"cards": [echo("e", json!({"i": "${i}"}))]}}});
    let flow = flow(json!({"cards": [card("t", times)]}));
    let run = world.engine.start(start(&flow)).await.unwrap();
    let (shutdown, is_over) = tokio::sync::watch::channel(false);
    let engine = world.engine.clone();
    let forever = tokio::spawn(async move { engine.run_forever(is_over).await });
    while view(&world.engine, run).await.counts.steps < 1_000 {
        tokio::task::yield_now().await;
    }
    shutdown.send(true).unwrap();
    forever.await.unwrap().unwrap();
    let stopped = view(&world.engine, run).await;
    assert!(stopped.status == Status::Running && stopped.counts.steps < 20_000, "{:?}", stopped.counts);
    world.restart();
    world.engine.recover().await.unwrap();
    assert_eq!(go_on(&world, run).await.output.unwrap().get("count"), &json!(20_000));
}
