//! The process dies at any operation of its store, or lives while that operation fails, once or twice: no run is lost,
//! nothing happens twice, and nothing was told that is not on the disk.
//!
//! Must never let a case pass that did not reach its end.
//! Tests: these. `FLOWDECK_SOAK_CRASH_POINTS` sets how many cases run; every single crash comes before double ones.

mod client;
mod flows;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use flowdeck_engine::ports::{Space, StoreError};
use flowdeck_engine::{EngineError, EntryKind, Limits, Status};
use flowdeck_model::table::TableOp;
use flowdeck_model::{Fields, Flow, Value};
use flowdeck_sim::{StoreFault, World};
use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};
use serde_json::json;

use client::Client;

/// Cases of the gate's slice.
const SLICE: usize = 400;
const FAULTS: [StoreFault; 4] =
    [StoreFault::DieBefore, StoreFault::DieAfter, StoreFault::FailBefore, StoreFault::FailAfter];
const SEED: u64 = 20_260_131;

/// A crash or failure: at which operation of its process, and what becomes of that one.
type Crash = (u64, StoreFault);

/// What a run leaves behind that must be the same with and without crashes.
#[derive(Debug, PartialEq)]
struct Outcome {
    statuses: Vec<(String, Status)>,
    output: Option<Value>,
    writes: BTreeMap<String, usize>,
    rows: Value,
}

#[test]
fn a_crash_or_a_failure_at_any_operation_loses_nothing_and_repeats_nothing() {
    let size = std::env::var("FLOWDECK_SOAK_CRASH_POINTS").ok().map_or(SLICE, |text| text.parse().unwrap());
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        let mut random = rand::rngs::StdRng::seed_from_u64(SEED);
        let flows = flows::all();
        assert_eq!(flows.len(), 12);
        let mut singles = Vec::new();
        let mut known = Vec::new();
        for (at, (name, build)) in flows.iter().enumerate() {
            // Commits that answer later make fewer operations: each way has its own points.
            for turns in [false, true] {
                let (outcome, operations) = calm(name, *build, turns).await;
                let children = if *name == "children" { 4 } else { 0 };
                assert_eq!(outcome.statuses.len(), 1 + children, "{name}: {outcome:?}");
                for n in 1..=operations {
                    singles.extend(FAULTS.map(|fault| (known.len(), vec![(n, fault)])));
                }
                known.push((at, turns, outcome, operations));
            }
        }
        let points = singles.len();
        singles.shuffle(&mut random);
        // A slice has double crashes too; at full size every single one comes first.
        let take = if size > points { points } else { size.div_ceil(2) };
        let mut cases: Vec<_> = singles.into_iter().take(take).collect();
        while cases.len() < size {
            let way = random.random_range(0..known.len());
            let mut crash = || (random.random_range(1..=known[way].3), FAULTS[random.random_range(0..FAULTS.len())]);
            let crashes = vec![crash(), crash()];
            cases.push((way, crashes));
        }
        let mut crashed = 0;
        for (way, crashes) in &cases {
            let (at, turns, expected, _) = &known[*way];
            let (name, build) = flows[*at];
            let case = format!("{name}, turns {turns}, crashes {crashes:?}");
            let here = check(&case, build, *turns, crashes, expected).await;
            assert!(here > 0, "{case}: nothing happened");
            crashed += here;
        }
        println!("crash-points: {} cases, {crashed} crashes, {points} single points, seed {SEED}", cases.len());
    });
}

/// Commits come often, so that crashes find every state that can be on disk.
fn world(turns: bool) -> World {
    let world = World::new(Limits { commit_after_steps: 2, ..Limits::default() });
    if turns {
        // Commits answer later, so that runs compute on meanwhile.
        world.store.take_turns();
    }
    world
}

/// Without a crash: what comes of it, and how many operations it takes.
async fn calm(name: &str, build: fn(&World) -> Arc<Flow>, turns: bool) -> (Outcome, u64) {
    let mut world = world(turns);
    let flow = build(&world);
    let (crashed, operations) = to_end(name, &mut world, &flow, &[]).await;
    assert_eq!(crashed, 0);
    (outcome(name, &world).await, operations)
}

async fn check(
    case: &str,
    build: fn(&World) -> Arc<Flow>,
    turns: bool,
    crashes: &[Crash],
    expected: &Outcome,
) -> usize {
    let mut world = world(turns);
    let flow = build(&world);
    let (crashed, _) = to_end(case, &mut world, &flow, crashes).await;
    let found = outcome(case, &world).await;
    assert_eq!(&found, expected, "{case}");
    crashed
}

/// Helps the flow to its end, through crashes and failures. Answers how many there were, and how many operations it took.
async fn to_end(case: &str, world: &mut World, flow: &Arc<Flow>, crashes: &[Crash]) -> (usize, u64) {
    let mut client = Client::new(world, flow);
    let mut crashed = 0;
    for next in crashes.iter().map(Some).chain(std::iter::repeat(None)) {
        if let Some((n, fault)) = next {
            world.store.fail_at(*n, *fault);
        }
        let Err(error) = client.attempt(case, world).await else {
            world.store.spare();
            break;
        };
        crashed += 1;
        let lives = next.is_some_and(|(_, fault)| fault.lives());
        if !world.store.is_dead() {
            // A refused read: the same process goes on as if nothing had been.
            assert!(matches!(error, EngineError::Store(StoreError::Io { .. })), "{case}: without a crash: {error:?}");
            continue;
        }
        if lives {
            client.finds_poison(case, world, &error).await;
        }
        world.restart();
        client.restarted(case, world).await;
    }
    // What only looks comes after it.
    let operations = world.store.operations();
    client.finds_all(case, world).await;
    (crashed, operations)
}

async fn outcome(case: &str, world: &World) -> Outcome {
    let runs = client::runs(world).await.unwrap();
    for space in [Space::States, Space::Ready, Space::Timers, Space::Waits, Space::Inbox, Space::Chunks] {
        assert_eq!(world.store.count(space), 0, "{case}: {space:?} must be empty at the end");
    }
    for run in &runs {
        let entries = world.engine.entries(run.id, 0, 1_000).await.unwrap();
        assert!(entries.iter().map(|e| e.seq).eq(1..=run.counts.entries), "{case}: a gap or a repeated number");
        assert!(matches!(entries.last().unwrap().what, EntryKind::RunEnded { .. }), "{case}");
        let ends: BTreeSet<_> =
            entries.iter().filter(|e| matches!(e.what, EntryKind::StepFinished { .. })).map(|e| &e.path).collect();
        let finished = entries.iter().filter(|e| matches!(e.what, EntryKind::StepFinished { .. })).count();
        assert_eq!(ends.len(), finished, "{case}: a step finished twice");
    }
    let mut writes = BTreeMap::new();
    for done in world.cards.performed.lock().iter().filter(|p| p.happened) {
        if matches!(done.card.as_str(), "acme/write" | "free/write") {
            *writes.entry(format!("{} {}", done.card, done.path)).or_insert(0) += 1;
        } else if done.card == "acme/put" {
            // May be repeated, but must have happened.
            writes.insert(format!("{} {}", done.card, done.path), 1);
        }
    }
    let all = json!({"search": {"table": "log", "filter": "all", "sort": "n", "descending": false, "offset": 0, "limit": 100}});
    let op: TableOp = serde_json::from_value(all).unwrap();
    let rows = match world.engine.table_op(&op).await {
        Ok(found) => found.get("rows").as_array().unwrap().iter().map(|r| r["n"].clone()).collect(),
        Err(_) => Value::Null,
    };
    let mut statuses: Vec<_> = runs.iter().map(|r| (r.flow.to_string(), r.status)).collect();
    statuses.sort_by(|a, b| a.0.cmp(&b.0));
    let main = runs.iter().find(|r| r.parent.is_none()).unwrap();
    let main = world.engine.run(main.id).await.unwrap().unwrap();
    Outcome { statuses, output: main.output.as_ref().map(Fields::to_value), writes, rows }
}
