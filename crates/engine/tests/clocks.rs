//! Clocks that jump, stand still and go back, with restarts in between: no timer is lost, none fires twice or early.
//!
//! Must never look at the real time; the seed of each world is printed where it fails.
//! Tests: this is one; `FLOWDECK_SOAK_CLOCKS` sets how many worlds.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::sync::Arc;

use flowdeck_engine::ports::Clock;
use flowdeck_engine::{EntryKind, Start, Status};
use flowdeck_model::{Fields, Flow, Millis, RunId};
use flowdeck_sim::World;
use flowdeck_sim::world::flow;
use rand::{Rng, SeedableRng};
use serde_json::{Value, json};

const HOUR_MS: i64 = 3_600_000;
const YEAR_MS: i64 = 365 * 24 * HOUR_MS;

fn after(id: &str) -> Value {
    json!({"id": id, "kind": {"call": {"card": "t/echo", "with": {"x": 1}}}})
}

fn waiting(until: Value, deadline_ms: Option<u64>) -> Arc<Flow> {
    let wait = json!({"id": "w", "kind": {"wait": {"until": until, "deadline_ms": deadline_ms}}});
    flow(json!({"cards": [wait, after("e")]}))
}

/// What a run waits for, and how it must end.
struct Waits {
    due: Millis,
    ends: Status,
}

async fn begin(world: &World, random: &mut impl Rng) -> (RunId, Waits) {
    let now = world.clock.now();
    let ms: u64 = random.random_range(1_000..10 * 24 * 3_600_000);
    let due = now.plus(ms);
    let (flow, ends) = match random.random_range(0..3) {
        0 => (waiting(json!({"duration": ms}), None), Status::Finished),
        1 => (waiting(json!({"time": due.to_iso()}), None), Status::Finished),
        _ => (waiting(json!({"signal": {"name": "never"}}), Some(ms)), Status::Expired),
    };
    let view = world.engine.start_and_wait(Start::new(flow, Fields::new())).await.unwrap();
    // A time in a text has no parts of a millisecond to lose; the wait must agree with what was asked for.
    assert_eq!(view.status, Status::Waiting);
    (view.id, Waits { due, ends })
}

async fn disturb(world: &mut World, random: &mut impl Rng) {
    match random.random_range(0..8) {
        0 => world.clock.jump(HOUR_MS),
        1 => world.clock.jump(-HOUR_MS),
        2 => world.clock.jump(10 * YEAR_MS),
        // Not before there were computers: run ids hold no such time.
        3 if world.clock.now().0 > 20 * YEAR_MS => world.clock.jump(-10 * YEAR_MS),
        4 => world.clock.jump(random.random_range(-1_000..=1_000)),
        5 => {
            world.restart();
            world.engine.recover().await.unwrap();
        }
        6 => {}
        _ => world.clock.advance(random.random_range(0..36 * 3_600_000)),
    }
}

/// Every run that is over ended as it should, not before its time, and did what follows exactly once.
async fn check(world: &World, runs: &BTreeMap<RunId, Waits>, over: &mut BTreeMap<RunId, Status>, seed: u64) {
    for (run, waits) in runs {
        let view = world.engine.run(*run).await.unwrap().unwrap();
        if !view.status.is_ended() {
            assert!(waits.due > world.clock.now(), "seed {seed}: {run} is due and still {:?}", view.status);
            assert!(!over.contains_key(run), "seed {seed}: {run} began again");
            continue;
        }
        assert_eq!(view.status, waits.ends, "seed {seed}: {run}");
        if over.insert(*run, view.status).is_none() {
            assert!(world.clock.now() >= waits.due, "seed {seed}: {run} ended before its time");
        }
        let entries = world.engine.entries(*run, 0, 1_000).await.unwrap();
        let ends = entries.iter().filter(|e| matches!(e.what, EntryKind::RunEnded { .. })).count();
        let steps = entries
            .iter()
            .filter(|e| matches!(e.what, EntryKind::StepFinished { .. }) && e.path.to_string() == "e")
            .count();
        assert_eq!((ends, steps), (1, usize::from(waits.ends == Status::Finished)), "seed {seed}: {run}");
    }
}

/// 2026-07-01T00:00:00Z, before which 23:59:59 comes twice: the clock is set back for a second that was inserted.
const AFTER_LEAP: Millis = Millis(1_782_864_000_000);

#[tokio::test]
async fn a_second_that_comes_twice_ends_each_wait_once_and_not_early() {
    let mut world = World::default();
    world.clock.jump(AFTER_LEAP.0 - 3_000 - world.clock.now().0);
    let mut runs = BTreeMap::new();
    for before_ms in [2_000, 1_000, 500, 1, 0, -1, -1_000] {
        let due = Millis(AFTER_LEAP.0 - before_ms);
        let ms = due.since(world.clock.now());
        for until in [json!({"duration": ms}), json!({"time": due.to_iso()})] {
            let view = world.engine.start_and_wait(Start::new(waiting(until, None), Fields::new())).await.unwrap();
            assert_eq!(view.status, Status::Waiting);
            runs.insert(view.id, Waits { due, ends: Status::Finished });
        }
    }
    let mut over = BTreeMap::new();
    for step in 0..24 {
        world.clock.advance(250);
        if world.clock.now() == AFTER_LEAP && step < 16 {
            world.clock.jump(-1_000);
            world.restart();
            world.engine.recover().await.unwrap();
        }
        world.engine.run_due().await.unwrap();
        world.engine.run_until_idle().await.unwrap();
        // What ended before the clock was set back stays ended.
        let running: BTreeMap<_, _> = runs.iter().filter(|(run, _)| !over.contains_key(*run)).collect();
        let running = running.into_iter().map(|(run, w)| (*run, Waits { due: w.due, ends: w.ends })).collect();
        check(&world, &running, &mut over, 0).await;
    }
    assert_eq!(over.len(), runs.len());
    assert_eq!(world.engine.next_due().await.unwrap(), None);
}

#[tokio::test]
async fn no_timer_is_lost_early_or_twice() {
    let worlds: u64 = std::env::var("FLOWDECK_SOAK_CLOCKS").ok().map_or(60, |n| n.parse().unwrap());
    let mut ended = 0;
    for seed in 0..worlds {
        let mut random = rand::rngs::StdRng::seed_from_u64(seed);
        let mut world = World::default();
        let (mut runs, mut over) = (BTreeMap::new(), BTreeMap::new());
        for _ in 0..12 {
            runs.extend([begin(&world, &mut random).await]);
            for _ in 0..random.random_range(1..4) {
                disturb(&mut world, &mut random).await;
            }
            world.engine.run_due().await.unwrap();
            world.engine.run_until_idle().await.unwrap();
            check(&world, &runs, &mut over, seed).await;
        }
        // The clock comes to its senses: everything is due, nothing is left.
        let last = runs.values().map(|w| w.due).max().unwrap();
        world.clock.jump(last.since(world.clock.now()).try_into().unwrap());
        world.engine.run_due().await.unwrap();
        check(&world, &runs, &mut over, seed).await;
        assert_eq!(world.engine.next_due().await.unwrap(), None, "seed {seed}: a timer is left");
        ended += over.len();
    }
    println!("{worlds} worlds, {ended} waits ended, each once and in time");
}
