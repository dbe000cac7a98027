//! A run that this process cannot drive is told, can be ended, and is found again when what was wrong is mended.
//!
//! Must never let one such run hold up another.
//! Tests: these.

use flowdeck_engine::ports::{Delta, Op, Scan, Space, Store as _};
use flowdeck_engine::wire::keys;
use flowdeck_engine::{NoticeKind, Status};
use flowdeck_model::{FlowHash, RunId};
use flowdeck_sim::World;
use flowdeck_sim::world::flow;
use serde_json::json;

use crate::driver::common::*;

/// Takes the flow version out of the store, as where a folder was copied in part; gives it back.
async fn take_version(world: &World, hash: FlowHash) -> Vec<u8> {
    let key = keys::flow_version(hash);
    let version = world.store.get(Space::Flows, &key).await.unwrap().unwrap();
    let mut delta = Delta::new(world.store.epoch());
    delta.delete(Space::Flows, key);
    world.store.commit(delta).await.unwrap();
    version
}

/// A run that waits for its connection, and whose flow version is then missing; with the version.
async fn orphan(world: &mut World) -> (RunId, FlowHash, Vec<u8>) {
    let cards = json!([echo("before", json!({"v": 1})), acme("w", "write", json!({"v": "${before.v}"}))]);
    let lost = flow(json!({"name": "lost", "slots": {"acme": {"app": "acme"}}, "cards": cards}));
    let run = world.run(&lost, json!({})).await.unwrap();
    assert_eq!(run.status, Status::Waiting);
    let version = take_version(world, run.hash).await;
    world.restart();
    world.engine.recover().await.unwrap();
    (run.id, run.hash, version)
}

#[tokio::test]
async fn a_run_whose_flow_version_is_missing_is_set_aside_told_and_found_again() {
    let mut world = World::default();
    let (run, hash, version) = orphan(&mut world).await;
    let mut notices = world.engine.subscribe();
    let other = world.engine.start(start(&flow(json!({"cards": []})))).await.unwrap();
    world.authorizer.grant("acme", "alice");
    world.engine.run_until_idle().await.unwrap();
    assert_eq!(view(&world.engine, other).await.status, Status::Finished, "the others go on");
    let set_aside = view(&world.engine, run).await;
    let fault = set_aside.set_aside.expect("it is told");
    assert_eq!((set_aside.status, fault.code.as_str()), (Status::Waiting, "set-aside"));
    assert!(fault.message.contains("is not in the store"), "{fault}");
    assert!(fault.remedy.contains(&format!("flowdeck runs cancel {run}")), "{}", fault.remedy);
    let listed = world.engine.runs(&Default::default(), None, 10).await.unwrap().runs;
    assert!(listed.iter().any(|r| r.id == run && r.set_aside.is_some()), "also in the list");
    let mut told = false;
    while let Ok(notice) = notices.try_recv() {
        told |= notice.run == run && notice.is_lasting() && matches!(notice.what, NoticeKind::SetAside { .. });
    }
    assert!(told, "who watches it learns so");
    assert!(world.engine.drive_until_stopped(run).await.unwrap_err().to_string().contains("is not in the store"));

    let delta = Delta {
        ops: vec![Op::Put { space: Space::Flows, key: keys::flow_version(hash), value: version }],
        ..Delta::new(world.store.epoch())
    };
    world.store.commit(delta).await.unwrap();
    world.restart();
    world.engine.recover().await.unwrap();
    let went_on = go_on(&world, run).await;
    assert_eq!((went_on.status, went_on.set_aside), (Status::Finished, None));
    assert_eq!(world.cards.calls("acme/write"), 1);
}

#[tokio::test]
async fn a_run_whose_stored_values_cannot_be_read_is_set_aside_and_no_other() {
    for space in [Space::States, Space::Chunks, Space::Inbox, Space::Runs] {
        let mut world = World::default();
        let cards =
            json!([echo("before", json!({"v": "x".repeat(100_000)})), acme("w", "write", json!({"v": "${before.v}"}))]);
        let waits = flow(json!({"name": "waits", "slots": {"acme": {"app": "acme"}}, "cards": cards}));
        let run = world.run(&waits, json!({})).await.unwrap().id;
        world.engine.signal(run, "hello", json!(1)).await.ok();
        world.restart();
        world.engine.recover().await.unwrap();
        world.store.damage(space, keys::run(run));
        let other = world.engine.start(start(&flow(json!({"cards": []})))).await.unwrap();
        world.authorizer.grant("acme", "alice");
        world.engine.run_until_idle().await.unwrap_or_else(|error| panic!("{space:?}: {error}"));
        assert_eq!(view(&world.engine, other).await.status, Status::Finished, "{space:?}: the others go on");
        let error = world.engine.drive_until_stopped(run).await.unwrap_err().to_string();
        assert!(error.contains("damaged a value"), "{space:?}: {error}");

        world.restart();
        world.engine.recover().await.unwrap();
        let went_on = go_on(&world, run).await;
        assert_eq!((went_on.status, went_on.set_aside), (Status::Finished, None), "{space:?}");
        assert_eq!(world.cards.calls("acme/write"), 1);
    }
}

#[tokio::test]
async fn a_run_that_is_set_aside_can_be_ended_without_its_program() {
    let mut world = World::default();
    let (run, ..) = orphan(&mut world).await;
    world.authorizer.grant("acme", "alice");
    world.engine.run_until_idle().await.unwrap();
    world.engine.cancel(run).await.unwrap();
    is_ended(&world, run).await;
}

#[tokio::test]
async fn one_is_ended_that_nobody_tried_before_it_was_cancelled() {
    let mut world = World::default();
    let (run, ..) = orphan(&mut world).await;
    // As a command does that was just started: it does not know yet that the run cannot go on.
    world.engine.cancel(run).await.unwrap();
    world.engine.run_until_idle().await.unwrap();
    is_ended(&world, run).await;
}

async fn is_ended(world: &World, run: RunId) {
    let ended = view(&world.engine, run).await;
    assert_eq!((ended.status, ended.set_aside, ended.waits.len()), (Status::Cancelled, None, 0));
    let entries = world.engine.entries(run, 0, 100).await.unwrap();
    assert!(entries.iter().map(|e| e.seq).eq(1..=ended.counts.entries), "history has no gap");
    for space in [Space::States, Space::Ready, Space::Timers, Space::Waits, Space::Inbox, Space::Chunks] {
        let left = world.store.scan(Scan::prefix(space, Vec::new(), 10)).await.unwrap();
        assert!(left.is_empty(), "{space:?}");
    }
    assert_eq!(world.authorizer.prompts_left().len(), 1, "its prompt is told that it left");
    assert!(world.engine.cancel(run).await.is_err(), "once is enough");
}

#[tokio::test]
async fn a_write_in_doubt_is_listed_where_its_run_is_ended_without_its_program() {
    let mut world = connected();
    world.cards.hang("acme/write");
    let lost = acme_flow(json!([echo("before", json!({})), acme("w", "write", json!({}))]));
    let run = world.engine.start(start(&lost)).await.unwrap();
    let engine = world.engine.clone();
    let driven = tokio::spawn(async move { engine.run_until_idle().await });
    while world.cards.peak() == 0 {
        tokio::task::yield_now().await;
    }
    driven.abort();
    let hash = view(&world.engine, run).await.hash;
    take_version(&world, hash).await;
    world.restart();
    world.engine.recover().await.unwrap();
    world.engine.run_until_idle().await.unwrap();
    world.engine.cancel(run).await.unwrap();
    assert_eq!(view(&world.engine, run).await.unknown, [path("w")]);
}

#[tokio::test]
async fn a_request_that_breaks_while_it_is_made_fails_its_step_only() {
    let world = connected();
    let breaks = call("w", "free/write", json!({"breaks": true}));
    let caught = card(
        "t",
        json!({"try": {"lane": {"cards": [breaks]}, "error": "e", "catch": {"give": {"code": "${e.code}"}}}}),
    );
    let view =
        world.run(&acme_flow(json!([caught, give_back(json!({"code": "${t.code}"}))])), json!({})).await.unwrap();
    assert_eq!((view.status, view.output.unwrap().to_value()), (Status::Finished, json!({"code": "card-panicked"})));
    assert_eq!(world.cards.calls("free/write"), 0, "nothing was sent");
}
