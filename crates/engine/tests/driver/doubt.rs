//! Writes that got no definite answer: repeated, looked up or asked about, as their card says.
//!
//! Must never let a write be repeated by itself whose card does not say so.
//! Tests: these.

use flowdeck_engine::ports::{CardOutcome, LookUp, Loss};
use flowdeck_engine::{EngineError, RunView, Settlement, Status, WaitReason};
use flowdeck_model::{Fault, FaultCode, Fields};
use flowdeck_sim::World;
use flowdeck_sim::world::flow;
use serde_json::{Value, json};

use crate::driver::common::*;

fn unknown() -> CardOutcome {
    CardOutcome::Unknown(Fault::new(FaultCode::Unreachable, "the line broke"))
}

/// A world whose next call of `acme/<card>` gets no answer, and the run of a flow with that card.
async fn in_doubt(card: &str, more: Value) -> (World, RunView) {
    let world = connected();
    world.cards.next(&format!("acme/{card}"), unknown());
    let cards = json!([with(acme("w", card, json!({"x": 1})), more), echo("e", json!({"x": "${w.x}"}))]);
    let view = world.run(&acme_flow(cards), json!({})).await.unwrap();
    (world, view)
}

fn asks(view: &RunView) -> bool {
    view.status == Status::InDoubt && matches!(view.waits[0].reason, WaitReason::InDoubt { .. })
}

#[tokio::test]
async fn ask_is_the_rule_and_a_person_settles() {
    for (settlement, status, calls) in [
        (Settlement::Happened(Fields::one("x", 7)), Status::Finished, 1),
        (Settlement::DidNot, Status::Finished, 2),
        (Settlement::GiveUp, Status::Failed, 1),
    ] {
        let (world, view) = in_doubt("write", json!({})).await;
        assert!(asks(&view), "{view:?}");
        assert_eq!(later(&world, 3_600_000, view.id).await.status, Status::InDoubt, "time alone repeats nothing");
        let wrong = world.engine.settle(view.id, path("e"), Settlement::DidNot).await;
        assert!(matches!(wrong, Err(EngineError::NotNow { .. })));
        world.engine.settle(view.id, path("w"), settlement.clone()).await.unwrap();
        let view = go_on(&world, view.id).await;
        assert_eq!((view.status, world.cards.calls("acme/write")), (status, calls), "{settlement:?}");
        match settlement {
            Settlement::Happened(_) => assert_eq!(view.output.unwrap().to_value(), json!({"x": 7})),
            Settlement::DidNot => assert_eq!(view.output.unwrap().to_value(), json!({"x": 1})),
            Settlement::GiveUp => {
                assert_eq!((view.fault.unwrap().code, view.unknown), (FaultCode::InDoubt, vec![path("w")]));
            }
        }
    }
}

#[tokio::test]
async fn retry_repeats_with_the_same_key_and_ends_in_a_question() {
    for (card, more) in [("put", json!({})), ("write", json!({"in_doubt": "retry"}))] {
        let (world, view) = in_doubt(card, more.clone()).await;
        assert_eq!(view.status, Status::Waiting);
        let view = later(&world, 60_000, view.id).await;
        assert_eq!(view.status, Status::Finished);
        let calls = world.cards.performed.lock().clone();
        assert_eq!((calls.len(), &calls[0].key), (2, &calls[1].key));
        let (world, mut view) = in_doubt(card, more).await;
        for _ in 0..20 {
            world.cards.next(&format!("acme/{card}"), unknown());
        }
        for _ in 0..10 {
            view = later(&world, 120_000, view.id).await;
        }
        assert!(asks(&view), "{view:?}");
        assert_eq!(world.cards.performed.lock().len(), 4);
    }
}

#[tokio::test]
async fn check_looks_it_up() {
    for (answer, status, calls) in [
        (LookUp::Happened(Fields::one("x", 9)), Status::Finished, 1),
        (LookUp::DidNot, Status::Finished, 2),
        (LookUp::CannotTell, Status::InDoubt, 1),
    ] {
        let world = connected();
        world.cards.next("acme/check", unknown());
        world.cards.next_look_up(answer.clone());
        let view = world.run(&acme_flow(json!([acme("w", "check", json!({"x": 1}))])), json!({})).await.unwrap();
        assert_eq!((view.status, world.cards.calls("acme/check")), (status, calls), "{answer:?}");
    }
}

#[tokio::test]
async fn a_read_without_an_answer_is_no_doubt() {
    let (_, view) = in_doubt("read", json!({})).await;
    assert_eq!((view.status, view.fault.unwrap().code), (Status::Failed, FaultCode::Unreachable));
    let retry = json!({"retry": {"times": 1, "pause_ms": 10, "factor": 1.0, "pause_ms_max": 10}});
    let (world, view) = in_doubt("read", retry).await;
    assert_eq!(later(&world, 10, view.id).await.status, Status::Finished);
}

#[tokio::test]
async fn a_retry_of_the_card_does_not_repeat_a_write_in_doubt() {
    let retry = json!({"retry": {"times": 5, "pause_ms": 10, "factor": 1.0, "pause_ms_max": 10}});
    let (world, view) = in_doubt("write", retry).await;
    assert!(asks(&view));
    assert_eq!(later(&world, 1_000, view.id).await.status, Status::InDoubt);
    assert_eq!(world.cards.calls("acme/write"), 1);
}

#[tokio::test]
async fn a_kill_between_intent_and_outcome_is_in_doubt() {
    let mut world = connected();
    let flow = acme_flow(json!([acme("w", "write", json!({"x": 1}))]));
    let run = world.engine.start(start(&flow)).await.unwrap();
    // Everything up to the intent's commit, then the end: the outcome never becomes durable.
    let before = world.store.operations();
    world.store.fail_at_commit(world.store.commits() + 2);
    world.engine.drive_until_stopped(run).await.unwrap_err();
    assert!(world.store.operations() > before);
    assert_eq!(world.cards.happened("acme/write").len(), 1, "the app acted");
    world.restart();
    world.engine.recover().await.unwrap();
    let view = go_on(&world, run).await;
    assert!(asks(&view), "{view:?}");
    assert_eq!(world.cards.calls("acme/write"), 1, "never repeated by itself");
}

#[tokio::test]
async fn an_attempt_that_takes_too_long_is_in_doubt() {
    let world = std::sync::Arc::new(connected());
    world.cards.hang("acme/write");
    let flow = acme_flow(json!([with(acme("w", "write", json!({})), json!({"timeout_ms": 2_000}))]));
    let run = world.engine.start(start(&flow)).await.unwrap();
    let driver = world.clone();
    let driven = tokio::spawn(async move { driver.engine.drive_until_stopped(run).await.unwrap() });
    for _ in 0..50 {
        tokio::task::yield_now().await;
    }
    world.clock.advance(2_000);
    assert!(asks(&driven.await.unwrap()));
}

#[tokio::test]
async fn a_card_that_breaks_while_it_writes_is_in_doubt() {
    let world = connected();
    world.cards.break_at("acme/write");
    let view = world.run(&acme_flow(json!([acme("w", "write", json!({}))])), json!({})).await.unwrap();
    assert!(asks(&view), "{view:?}");
}

#[tokio::test]
async fn another_account_is_never_asked_about_the_old_ones_write() {
    for card in ["put", "check"] {
        let world = connected();
        let name = format!("acme/{card}");
        world.cards.next(&name, unknown());
        world.authorizer.lose_after(1, "acme");
        let mut view = world.run(&acme_flow(json!([acme("w", card, json!({}))])), json!({})).await.unwrap();
        if card == "put" {
            view = later(&world, 60_000, view.id).await;
        }
        assert!(matches!(view.waits[0].reason, WaitReason::Connection { .. }), "{card}: {view:?}");
        world.cards.next_look_up(LookUp::DidNot);
        world.authorizer.grant("acme", "bob");
        let view = go_on(&world, view.id).await;
        assert!(asks(&view), "{card}: {view:?}");
        assert_eq!(world.cards.calls(&name), 1, "{card}: neither repeated nor looked up");
    }
    // The same account again: looked up, then sent.
    let world = connected();
    world.cards.next("acme/check", unknown());
    world.authorizer.lose_after(1, "acme");
    let view = world.run(&acme_flow(json!([acme("w", "check", json!({}))])), json!({})).await.unwrap();
    world.cards.next_look_up(LookUp::DidNot);
    world.authorizer.grant("acme", "alice");
    assert_eq!(go_on(&world, view.id).await.status, Status::Finished);
}

#[tokio::test]
async fn a_refused_repetition_says_nothing_about_the_first_attempt() {
    let (world, view) = in_doubt("put", json!({})).await;
    world.cards.next("acme/put", CardOutcome::Refused(Loss::Unauthorized { detail: "401".into() }));
    let view = later(&world, 60_000, view.id).await;
    assert!(matches!(view.waits[0].reason, WaitReason::Connection { .. }), "{view:?}");
    world.authorizer.grant("acme", "bob");
    assert!(asks(&go_on(&world, view.id).await), "the first attempt may have happened, for another account");
    let (world, view) = in_doubt("put", json!({})).await;
    world.cards.next("acme/put", crate::driver::cards::failed("gone", false));
    let view = later(&world, 60_000, view.id).await;
    assert_eq!((view.status, view.unknown), (Status::Failed, vec![path("w")]));
}

#[tokio::test]
async fn a_cancelled_run_lists_what_is_not_known() {
    let (world, view) = in_doubt("write", json!({})).await;
    world.engine.cancel(view.id).await.unwrap();
    let view = go_on(&world, view.id).await;
    assert_eq!((view.status, view.unknown), (Status::Cancelled, vec![path("w")]));
}

#[tokio::test]
async fn a_request_that_cannot_be_made_is_a_plain_error() {
    let world = connected();
    let view =
        world.run(&acme_flow(json!([acme("w", "write", json!({"unsendable": true}))])), json!({})).await.unwrap();
    assert_eq!((view.status, view.fault.unwrap().code), (Status::Failed, FaultCode::BadInput));
    assert_eq!(world.cards.calls("acme/write"), 0);
}

#[tokio::test]
async fn a_limited_rate_is_waited_out_but_not_beyond_the_flows_time() {
    let limited = |after_ms: u64| CardOutcome::Failed {
        fault: Fault::new(FaultCode::RateLimited, "slow down"),
        retry_after_ms: Some(after_ms),
        transient: true,
    };
    let world = connected();
    world.cards.next("acme/write", limited(30_000));
    let view = world.run(&acme_flow(json!([acme("w", "write", json!({}))])), json!({})).await.unwrap();
    assert_eq!(later(&world, 29_999, view.id).await.status, Status::Waiting);
    assert_eq!(later(&world, 1, view.id).await.status, Status::Finished);
    world.cards.next("acme/write", limited(30_000));
    let short = flowdeck_sim::world::flow(
        json!({"slots": {"acme": {"app": "acme"}}, "timeout_ms": 10_000, "cards": [acme("w", "write", json!({}))]}),
    );
    let view = world.run(&short, json!({})).await.unwrap();
    assert_eq!(view.fault.unwrap().code, FaultCode::RateLimited, "the app's fault now, not a time-out later");
}

#[tokio::test]
async fn a_look_up_without_an_answer_ends_in_a_question() {
    let world = std::sync::Arc::new(connected());
    world.cards.next("acme/check", unknown());
    world.cards.hang("look up acme/check");
    let run = world.engine.start(start(&acme_flow(json!([acme("w", "check", json!({}))])))).await.unwrap();
    let driver = world.clone();
    let driven = tokio::spawn(async move { driver.engine.drive_until_stopped(run).await.unwrap() });
    for _ in 0..2 {
        for _ in 0..50 {
            tokio::task::yield_now().await;
        }
        world.clock.advance(300_000);
    }
    for _ in 0..50 {
        tokio::task::yield_now().await;
    }
    assert!(driven.is_finished(), "it waits for the app for ever");
    assert!(asks(&driven.await.unwrap()));
}

#[tokio::test]
async fn a_look_up_that_is_refused_waits_for_the_connection_and_looks_again() {
    use flowdeck_engine::ports::Loss;
    let refused = || LookUp::Refused(Loss::Unauthorized { detail: "no".into() });
    let world = connected();
    world.cards.next("acme/check", unknown());
    world.cards.next_look_up(refused());
    let view = world.run(&acme_flow(json!([acme("w", "check", json!({"x": 1}))])), json!({})).await.unwrap();
    assert_eq!(view.status, Status::Waiting, "nobody is asked what the app can tell");
    world.cards.next_look_up(LookUp::Happened(Fields::one("x", 9)));
    world.authorizer.grant("acme", "alice");
    let view = go_on(&world, view.id).await;
    assert_eq!((view.status, world.cards.calls("acme/check")), (Status::Finished, 1));

    // Where nobody may wait for a connection, a person says what happened; the run does not hang.
    let world = connected();
    world.cards.next("acme/check", unknown());
    world.cards.next_look_up(refused());
    let fails = flow(json!({"slots": {"acme": {"app": "acme"}}, "when_not_connected": "fail",
        "cards": [acme("w", "check", json!({"x": 1}))]}));
    let view = world.run(&fails, json!({})).await.unwrap();
    assert!(asks(&view), "{view:?}");
}
