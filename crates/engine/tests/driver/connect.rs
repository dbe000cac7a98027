//! Connections that are missing, lost, exchanged: the run stops at the card and goes on at that very card.
//!
//! Must never count a wait for a connection as an error, an attempt, or time.
//! Tests: these.

use flowdeck_engine::ports::{CardOutcome, Loss, Space, WaitKey};
use flowdeck_engine::{EntryKind, Status, WaitReason};
use flowdeck_model::Fields;
use flowdeck_sim::World;
use flowdeck_sim::world::flow;
use serde_json::{Value, json};

use crate::driver::cards::failed;
use crate::driver::common::*;

fn refused() -> CardOutcome {
    CardOutcome::Refused(Loss::Unauthorized { detail: "401".into() })
}

async fn run_in(world: &World, cards: Value) -> flowdeck_engine::RunView {
    world.run(&acme_flow(cards), json!({})).await.unwrap()
}

#[tokio::test]
async fn a_missing_connection_is_waited_for_and_earlier_cards_run_once() {
    for restart in [false, true] {
        let mut world = World::default();
        let cards = json!([
            call("first", "free/write", json!({"x": 1})),
            acme("second", "write", json!({"x": "${first.x}"})),
            echo("third", json!({"x": "${second.x}"}))
        ]);
        let view = run_in(&world, cards).await;
        assert_eq!((view.status, view.waits[0].path.to_string()), (Status::Waiting, "second".to_owned()));
        assert!(matches!(view.waits[0].reason, WaitReason::Connection { .. }));
        assert_eq!((world.store.count(Space::Prompts), world.store.count(Space::Waits)), (1, 1));
        if restart {
            world.restart();
            world.engine.recover().await.unwrap();
            assert_eq!(go_on(&world, view.id).await.status, Status::Waiting);
        }
        world.authorizer.grant("acme", "alice");
        let view = go_on(&world, view.id).await;
        assert_eq!(view.output.unwrap().to_value(), json!({"x": 1}));
        assert_eq!((world.cards.calls("free/write"), world.cards.calls("acme/write")), (1, 1));
        assert_eq!(world.store.count(Space::Waits), 0);
        assert_eq!(view.counts.faults, 0, "waiting is no error");
    }
}

#[tokio::test]
async fn an_authorization_while_nobody_was_there_is_seen_at_the_next_start() {
    let mut world = World::default();
    let view = run_in(&world, json!([acme("a", "write", json!({}))])).await;
    world.authorizer.grant("acme", "alice");
    world.authorizer.forget_changes();
    world.restart();
    assert_eq!(go_on(&world, view.id).await.status, Status::Waiting, "nobody was told");
    world.engine.recover().await.unwrap();
    assert_eq!(go_on(&world, view.id).await.status, Status::Finished);
}

#[tokio::test]
async fn an_authorization_between_missing_and_the_commit_of_the_wait_is_not_missed() {
    let world = World::default();
    world.authorizer.grant_right_after_missing("acme");
    let view = run_in(&world, json!([acme("a", "write", json!({}))])).await;
    assert_eq!(view.status, Status::Finished);
    // Also while something else of the run is under way.
    let world = World::default();
    world.authorizer.grant_right_after_missing("acme");
    let lanes =
        json!({"a": {"cards": [acme("r", "read", json!({}))]}, "b": {"cards": [call("w", "free/write", json!({}))]}});
    let view = run_in(&world, json!([card("p", json!({"parallel": {"lanes": lanes}}))])).await;
    assert_eq!(view.status, Status::Finished, "{view:?}");
}

#[tokio::test]
async fn a_grant_lost_in_the_middle_of_a_loop_repeats_nothing() {
    let world = connected();
    for _ in 0..3 {
        world.cards.next("acme/write", CardOutcome::Done { outputs: Fields::one("ok", true), next_page: None });
    }
    world.cards.next("acme/write", refused());
    let each =
        for_each("e", json!([0, 1, 2, 3, 4, 5]), 1, json!([acme("w", "write", json!({"i": "${item}"}))]), json!({}));
    let view = run_in(&world, json!([each])).await;
    assert_eq!((view.status, waits_for(&view).len()), (Status::Waiting, 1));
    assert_eq!(view.waits[0].path.to_string(), "e[3].w");
    world.authorizer.grant("acme", "alice");
    let view = go_on(&world, view.id).await;
    assert_eq!(view.status, Status::Finished, "{view:?}");
    let handled: Vec<_> = world.cards.happened("acme/write").iter().map(|p| p.inputs["i"].clone()).collect();
    assert_eq!(json!(handled), json!([0, 1, 2, 3, 4, 5]));
    let refused = world.cards.performed.lock().iter().filter(|p| p.path == "e[3].w").cloned().collect::<Vec<_>>();
    assert_eq!(refused[0].key, refused[1].key, "the same key before and after");
    let entries = world.engine.entries(view.id, 0, 1_000).await.unwrap();
    let attempts: Vec<_> = entries
        .iter()
        .filter(|e| e.path.to_string() == "e[3].w")
        .filter_map(|e| match &e.what {
            EntryKind::StepStarted { attempt, .. } => Some(*attempt),
            _ => None,
        })
        .collect();
    assert_eq!(attempts, [1, 1], "a refusal is no attempt");
}

#[tokio::test]
async fn a_newer_grant_is_used_without_a_prompt() {
    let world = connected();
    world.cards.next("acme/write", refused());
    world.authorizer.renew_at_refusal("acme");
    let view = run_in(&world, json!([acme("w", "write", json!({}))])).await;
    assert_eq!(view.status, Status::Finished);
    assert_eq!(world.store.count(Space::Prompts), 0);
    assert_eq!(world.cards.happened("acme/write")[0].generation, 2);
}

#[tokio::test]
async fn an_app_that_refuses_every_new_credential_does_not_keep_us_for_ever() {
    let world = connected();
    for _ in 0..100 {
        world.cards.next("acme/write", refused());
    }
    world.authorizer.always_renew("acme");
    let view = run_in(&world, json!([acme("w", "write", json!({}))])).await;
    assert_eq!(view.fault.unwrap().code.as_str(), "not-connected");
    assert!(world.cards.calls("acme/write") < 30);
}

#[tokio::test]
async fn page_7_stays_page_7() {
    let world = connected();
    let page = |n: u64| CardOutcome::Done {
        outputs: Fields::one("items", json!([n])),
        next_page: (n < 9).then(|| json!(n + 1)),
    };
    (0..7).for_each(|n| world.cards.next("acme/pages", page(n)));
    world.cards.next("acme/pages", refused());
    (7..10).for_each(|n| world.cards.next("acme/pages", page(n)));
    let pages = json!({"for_each": {"each": {"items": {"pages": {"card": "acme/pages", "slot": "acme"}}, "as": "item", "concurrency": 1},
        "lane": {"cards": [echo("i", json!({"v": "${item}"}))], "give": {"v": "${i.v}"}}}});
    let view = run_in(&world, json!([card("e", pages)])).await;
    assert_eq!((view.status, view.waits[0].path.to_string()), (Status::Waiting, "e".to_owned()));
    world.authorizer.grant("acme", "alice");
    let view = go_on(&world, view.id).await;
    assert_eq!(view.output.unwrap().get("v"), &json!([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]));
    let asked: Vec<_> = world.cards.performed.lock().iter().map(|p| p.page.clone()).collect();
    assert_eq!((asked.len(), asked[7].clone(), asked[8].clone()), (11, Some(json!(7)), Some(json!(7))));
}

#[tokio::test]
async fn a_thousand_runs_wait_with_one_prompt_and_all_go_on() {
    let world = World::default();
    let flow = acme_flow(json!([acme("w", "write", json!({}))]));
    for _ in 0..1_000 {
        assert_eq!(world.run(&flow, json!({})).await.unwrap().status, Status::Waiting);
    }
    let on = WaitKey("app:acme".into());
    assert_eq!((world.store.count(Space::Prompts), world.store.count(Space::Waits)), (1, 1_000));
    assert_eq!(world.engine.waiting(&on, 5_000).await.unwrap(), 1_000);
    assert_eq!(world.engine.waiting(&on, 10).await.unwrap(), 10);
    let commits = world.store.commits();
    world.authorizer.grant("acme", "alice");
    assert_eq!(world.store.commits(), commits, "readiness is derived: no waiter is rewritten");
    world.engine.run_until_idle().await.unwrap();
    assert_eq!(world.cards.happened("acme/write").len(), 1_000);
    assert_eq!((world.store.count(Space::Waits), world.store.count(Space::States)), (0, 0));
}

#[tokio::test]
async fn the_event_card_waits_as_step_0() {
    let mut world = World::default();
    let flow = flow(json!({"slots": {"acme": {"app": "acme"}},
        "on": {"event": {"id": "event", "card": "acme/event", "slot": "acme"}},
        "cards": [echo("e", json!({"who": "${event.name}"}))]}));
    let mut with_event = start(&flow);
    with_event.event = Some(Fields::one("name", "ann"));
    let view = world.engine.start_and_wait(with_event).await.unwrap();
    assert_eq!((view.status, view.waits[0].path.to_string()), (Status::Waiting, "event".to_owned()));
    world.restart();
    world.engine.recover().await.unwrap();
    world.authorizer.grant("acme", "alice");
    assert_eq!(go_on(&world, view.id).await.output.unwrap().to_value(), json!({"who": "ann"}));
}

#[tokio::test]
async fn waiting_for_a_connection_stops_the_clocks() {
    let world = World::default();
    let flow = flow(json!({"slots": {"acme": {"app": "acme"}}, "timeout_ms": 10_000,
        "cards": [with(card("i", json!({"if": {"when": true, "otherwise": {}, "then": {"cards": [
            acme("w", "write", json!({})), card("nap", json!({"wait": {"until": {"duration": 3_000}}}))]}}})), json!({"timeout_ms": 5_000}))]}));
    let run = world.run(&flow, json!({})).await.unwrap().id;
    assert_eq!(later(&world, 3_600_000, run).await.status, Status::Waiting);
    world.authorizer.grant("acme", "alice");
    assert_eq!(go_on(&world, run).await.status, Status::Waiting, "at the nap now");
    assert_eq!(later(&world, 3_000, run).await.status, Status::Finished);
}

#[tokio::test]
async fn a_prompt_that_nobody_answers_expires_the_run_and_resuming_asks_again() {
    let world = World::default();
    let view = run_in(&world, json!([acme("w", "write", json!({}))])).await;
    let view = later(&world, 30 * 24 * 3_600_000, view.id).await;
    assert_eq!((view.status, world.store.count(Space::Waits)), (Status::Expired, 0));
    world.authorizer.grant("acme", "alice");
    assert_eq!(go_on(&world, view.id).await.status, Status::Expired);
    world.engine.resume(view.id).await.unwrap();
    assert_eq!(go_on(&world, view.id).await.status, Status::Finished);
}

#[tokio::test]
async fn trouble_with_authorization_is_a_pause_and_counts_as_no_attempt() {
    let world = connected();
    world.authorizer.trouble(3);
    let view = run_in(&world, json!([acme("w", "write", json!({}))])).await;
    assert!(matches!(view.waits[0].reason, WaitReason::Retry { .. }), "{view:?}");
    for _ in 0..3 {
        later(&world, 1_000, view.id).await;
    }
    let done = crate::driver::common::view(&world.engine, view.id).await;
    assert_eq!((done.status, done.counts.attempts), (Status::Finished, 1));
    world.authorizer.trouble(1_000);
    let mut view = run_in(&world, json!([acme("w", "write", json!({}))])).await;
    for _ in 0..30 {
        view = later(&world, 1_000, view.id).await;
    }
    assert_eq!(view.fault.unwrap().code.as_str(), "unreachable", "it does not go on for ever");
}

#[tokio::test]
async fn a_flow_may_rather_fail_than_wait() {
    let world = World::default();
    let flow = flow(
        json!({"slots": {"acme": {"app": "acme"}}, "when_not_connected": "fail", "cards": [acme("w", "write", json!({}))]}),
    );
    let view = world.run(&flow, json!({})).await.unwrap();
    assert_eq!((view.status, view.fault.unwrap().code.as_str()), (Status::Failed, "not-connected"));
    assert_eq!(world.store.count(Space::Prompts), 0);
}

#[tokio::test]
async fn retries_count_the_same_with_a_wait_in_between() {
    let world = connected();
    let retry = json!({"retry": {"times": 2, "pause_ms": 1_000, "factor": 1.0, "pause_ms_max": 1_000}});
    world.cards.next("acme/read", failed("busy", true));
    world.cards.next("acme/read", refused());
    world.cards.next("acme/read", failed("busy", true));
    let view = run_in(&world, json!([with(acme("r", "read", json!({"x": 1})), retry)])).await;
    let view = later(&world, 1_000, view.id).await;
    assert!(matches!(view.waits[0].reason, WaitReason::Connection { .. }));
    world.authorizer.grant("acme", "alice");
    let view = go_on(&world, view.id).await;
    assert!(matches!(view.waits[0].reason, WaitReason::Retry { .. }), "the second of two repetitions");
    assert_eq!(later(&world, 1_000, view.id).await.status, Status::Finished);
}

#[tokio::test]
async fn a_slow_authorization_keeps_nothing_else_of_the_run_waiting() {
    for slow in [0, 200] {
        let world = connected();
        world.authorizer.slow(slow);
        let lanes = json!({
            "slow": {"cards": [acme("w", "write", json!({}))]},
            "quick": {"cards": [call("a", "free/write", json!({})), call("b", "free/write", json!({}))]}});
        let view = run_in(&world, json!([card("p", json!({"parallel": {"lanes": lanes}}))])).await;
        assert_eq!(view.status, Status::Finished);
        let order: Vec<_> = world.cards.performed.lock().iter().map(|p| p.path.clone()).collect();
        let last = if slow == 0 { "p.quick.b" } else { "p.slow.w" };
        assert_eq!(order.last().map(String::as_str), Some(last), "{slow}: {order:?}");
    }
}

#[tokio::test]
async fn slow_refusals_and_look_ups_end_like_quick_ones() {
    let world = World::default();
    world.authorizer.slow(5);
    let view = run_in(&world, json!([acme("w", "check", json!({}))])).await;
    assert_eq!(view.status, Status::Waiting);
    world.cards.next("acme/check", refused());
    world.authorizer.grant("acme", "alice");
    assert_eq!(go_on(&world, view.id).await.status, Status::Waiting, "refused: lost");
    let fault = flowdeck_model::Fault::new(flowdeck_model::FaultCode::Unreachable, "no line");
    world.cards.next("acme/check", CardOutcome::Unknown(fault));
    world.cards.next_look_up(flowdeck_engine::ports::LookUp::Happened(Fields::one("x", 1)));
    world.authorizer.grant("acme", "alice");
    let view = go_on(&world, view.id).await;
    assert_eq!((view.status, world.cards.calls("acme/check")), (Status::Finished, 2));
}

#[tokio::test]
async fn a_run_that_ends_while_it_waits_tells_that_it_left_its_prompt() {
    let day = 24 * 3_600_000;
    for name in ["cancelled", "expired", "timed out elsewhere", "freed"] {
        let world = World::default();
        let lane = |cards: Value| json!({"cards": cards});
        let lanes = json!({"a": lane(json!([acme("a", "write", json!({}))])), "b": lane(json!([
            card("nap", json!({"wait": {"until": {"duration": 1_000}}})), call("f", "t/fail", json!({}))]))});
        let parallel = json!([card("p", json!({"parallel": {"lanes": lanes}}))]);
        let cards = if name == "timed out elsewhere" { parallel } else { json!([acme("a", "write", json!({}))]) };
        let run = run_in(&world, cards).await;
        let WaitReason::Connection { prompt, .. } =
            run.waits.iter().find(|w| w.path.to_string().ends_with('a')).unwrap().reason
        else {
            panic!()
        };
        assert_eq!(world.authorizer.prompts_left(), [], "{name}: it waits");
        match name {
            "cancelled" => world.engine.cancel(run.id).await.unwrap(),
            "expired" => world.clock.advance(31 * day),
            "freed" => world.authorizer.grant("acme", "alice"),
            _ => world.clock.advance(2_000),
        }
        world.engine.run_due().await.unwrap();
        let ended = go_on(&world, run.id).await;
        assert!(ended.status.is_ended(), "{name}: {:?}", ended.status);
        assert_eq!(world.authorizer.prompts_left(), [prompt], "{name}: once, and after its commit");
    }
}

#[tokio::test]
async fn who_may_not_do_something_learns_how_the_flow_gets_another_account() {
    let world = connected();
    let fault = flowdeck_model::Fault::new(flowdeck_model::FaultCode::Forbidden, "403").remedy("It needs an admin.");
    world.cards.next("acme/write", CardOutcome::Failed { fault, retry_after_ms: None, transient: false });
    let view = run_in(&world, json!([acme("a", "write", json!({}))])).await;
    let command = format!("`flowdeck connections use CONNECTION {}/acme`", view.flow);
    let remedy = view.fault.unwrap().remedy;
    assert_eq!(remedy, format!("It needs an admin. To let it use another account of acme: {command}"));
}
