//! Cases: random histories, each answer compared with a sorted map, reopened in between.
//!
//! Must never be without its seed: proptest prints the shortest history that fails.

use std::collections::BTreeMap;

use flowdeck_engine::ports::store::{Delta, Op, Precondition, Scan, Space, StoreError};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, TestRunner};

use crate::contract::fixture::{Engine, bytes};

const SPACES: [Space; 3] = [Space::Meta, Space::Rows, Space::Settings];
const SIZES: [usize; 9] = [0, 1, 200, 4_000, 4_085, 4_200, 9_000, 65_536, 65_537];

/// Space, key, and the seed and size of a value; none deletes.
type SomeOp = (u8, u8, Option<(u64, u8)>);

#[derive(Debug, Clone)]
enum Step {
    Commit { ops: Vec<SomeOp>, expect: Vec<(u8, u8, bool)> },
    Scan { space: u8, prefix: Vec<u8>, after: Option<Vec<u8>>, limit: usize, reverse: bool, keys_only: bool },
    Get { space: u8, key: u8 },
    Reopen,
}

fn key(key: u8) -> Vec<u8> {
    // Prefixes of each other, zero and high bytes.
    [&b"k\x00\xff"[..usize::from(key % 4).min(3)], &[key / 4 * 63]].concat()
}

fn step() -> impl Strategy<Value = Step> {
    let value = proptest::option::weighted(0.75, (0..50_u64, 0..SIZES.len() as u8));
    let ops = proptest::collection::vec((0..3_u8, 0..16_u8, value), 0..6);
    let expect = proptest::collection::vec((0..3_u8, 0..16_u8, proptest::bool::weighted(0.85)), 0..2);
    let some_key = (0..16_u8).prop_map(key);
    prop_oneof![
        12 => (ops, expect).prop_map(|(ops, expect)| Step::Commit { ops, expect }),
        4 => (0..3_u8, prop_oneof![Just(vec![]), some_key.clone()], proptest::option::of(some_key), 0..12_usize,
              any::<bool>(), any::<bool>())
            .prop_map(|(space, prefix, after, limit, reverse, keys_only)| {
                Step::Scan { space, prefix, after, limit, reverse, keys_only }
            }),
        3 => (0..3_u8, 0..16_u8).prop_map(|(space, key)| Step::Get { space, key }),
        1 => Just(Step::Reopen),
    ]
}

type Model = BTreeMap<(Space, Vec<u8>), Vec<u8>>;

fn scanned(model: &Model, scan: &Scan) -> Vec<(Vec<u8>, Vec<u8>)> {
    let mut found: Vec<_> = model
        .iter()
        .filter(|((space, key), _)| *space == scan.space && key.starts_with(&scan.prefix))
        .filter(|((_, key), _)| match (&scan.after, scan.reverse) {
            (None, _) => true,
            (Some(after), false) => key > after,
            (Some(after), true) => key < after,
        })
        .map(|((_, key), value)| (key.clone(), if scan.keys_only { Vec::new() } else { value.clone() }))
        .collect();
    if scan.reverse {
        found.reverse();
    }
    found.truncate(scan.limit);
    found
}

async fn replay(engine: &dyn Engine, history: &[Step]) {
    let mut store = engine.open().await;
    let mut model = Model::new();
    let space = |space: u8| SPACES[usize::from(space)];
    for (at, step) in history.iter().enumerate() {
        match step {
            Step::Reopen => {
                let before = store.epoch();
                drop(store);
                store = engine.open().await;
                assert!(store.epoch() > before, "step {at}");
            }
            Step::Get { space: s, key: k } => {
                let found = store.get(space(*s), &key(*k)).await.unwrap();
                assert!(found.as_ref() == model.get(&(space(*s), key(*k))), "step {at}: {step:?}");
            }
            Step::Scan { space: s, prefix, after, limit, reverse, keys_only } => {
                let (space, prefix, after) = (space(*s), prefix.clone(), after.clone());
                let scan = Scan { space, prefix, after, limit: *limit, reverse: *reverse, keys_only: *keys_only };
                assert!(store.scan(scan.clone()).await.unwrap() == scanned(&model, &scan), "step {at}: {step:?}");
            }
            Step::Commit { ops, expect } => {
                let mut delta = Delta::new(store.epoch());
                let mut holds = true;
                for (s, k, as_it_is) in expect {
                    let found = model.get(&(space(*s), key(*k)));
                    holds &= *as_it_is;
                    delta.preconditions.push(match (found, as_it_is) {
                        (Some(value), true) => {
                            Precondition::Equals { space: space(*s), key: key(*k), value: value.clone() }
                        }
                        (None, false) => Precondition::Equals { space: space(*s), key: key(*k), value: vec![] },
                        _ => Precondition::Absent { space: space(*s), key: key(*k) },
                    });
                }
                for (s, k, value) in ops {
                    match value {
                        Some((seed, size)) => {
                            delta.put(space(*s), key(*k), bytes(*seed, SIZES[usize::from(*size)]));
                        }
                        None => drop(delta.delete(space(*s), key(*k)).epoch),
                    }
                }
                let ops = delta.ops.clone();
                match store.commit(delta).await {
                    Ok(()) => assert!(holds, "step {at}: {step:?} should conflict"),
                    Err(StoreError::Conflict) => assert!(!holds, "step {at}: {step:?} should not conflict"),
                    Err(other) => panic!("step {at}: {other}"),
                }
                for op in ops.into_iter().filter(|_| holds) {
                    match op {
                        Op::Put { space, key, value } => drop(model.insert((space, key), value)),
                        Op::Delete { space, key } => drop(model.remove(&(space, key))),
                    }
                }
            }
        }
    }
    drop(store);
    let store = engine.open().await;
    for space in SPACES {
        let all = Scan::prefix(space, b"", usize::MAX);
        assert!(store.scan(all.clone()).await.unwrap() == scanned(&model, &all), "at the end, {space:?}");
    }
}

pub(crate) async fn random_histories_match_a_model(engine: &dyn Engine) {
    // One long history on one store: the runner's own seed is fixed, so a failure comes back.
    let mut runner = TestRunner::deterministic();
    let history = proptest::collection::vec(step(), 300).new_tree(&mut runner).unwrap().current();
    replay(engine, &history).await;
}

/// Eight tasks with keys of their own, in the same commits' groups.
pub(crate) async fn racing_histories_match_a_model(engine: &dyn Engine) {
    let store = engine.open().await;
    let mut tasks = tokio::task::JoinSet::new();
    for task in 0..8_u8 {
        let store = std::sync::Arc::clone(&store);
        tasks.spawn(async move {
            let mut expected: Option<Vec<u8>> = None;
            for n in 0..40_u64 {
                let mut delta = Delta::new(store.epoch());
                match &expected {
                    Some(value) => delta.expect_equals(Space::Rows, [task], value.clone()),
                    None => delta.expect_absent(Space::Rows, [task]),
                };
                if n % 7 == 6 {
                    delta.delete(Space::Rows, [task]);
                    expected = None;
                } else {
                    let value = bytes(n, SIZES[(n as usize + usize::from(task)) % SIZES.len()]);
                    delta.put(Space::Rows, [task], value.clone());
                    expected = Some(value);
                }
                store.commit(delta).await.unwrap();
                assert!(store.get(Space::Rows, &[task]).await.unwrap() == expected, "task {task}, commit {n}");
            }
            (task, expected)
        });
    }
    let ended = tasks.join_all().await;
    drop(store);
    let store = engine.open().await;
    for (task, expected) in ended {
        assert!(store.get(Space::Rows, &[task]).await.unwrap() == expected, "task {task}");
    }
}

/// Shrinking needs a fresh store a history, so it runs on one that costs nothing to make.
#[test]
fn short_random_histories_match_a_model_on_memory() {
    let config = Config { cases: 128, failure_persistence: None, ..Config::default() };
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let histories = proptest::collection::vec(step(), 0..40);
    TestRunner::new(config)
        .run(&histories, |history| {
            runtime.block_on(replay(&crate::contract::fixture::Memory::default(), &history));
            Ok(())
        })
        .unwrap();
}

/// The same on the durable store, with the same shrinking.
#[test]
fn short_random_histories_match_a_model_on_sled() {
    let config = Config { cases: 16, failure_persistence: None, ..Config::default() };
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let histories = proptest::collection::vec(step(), 0..60);
    TestRunner::new(config)
        .run(&histories, |history| {
            runtime.block_on(replay(&crate::contract::fixture::Sled::default(), &history));
            Ok(())
        })
        .unwrap();
}
