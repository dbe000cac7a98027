//! Cases: what a commit does, what it refuses, and that it is one.

use std::collections::BTreeMap;
use std::sync::Arc;

use flowdeck_engine::ports::store::{Delta, Op, Scan, Space, StoreError};

use crate::contract::fixture::{Engine, bytes, check, delete, keys, put};

const S: Space = Space::Runs;

pub(crate) async fn an_absent_key_reads_as_none(engine: &dyn Engine) {
    check(&*engine.open().await, S, b"a", None).await;
}

pub(crate) async fn a_put_is_read_back(engine: &dyn Engine) {
    let store = engine.open().await;
    put(&*store, S, b"a", b"1").await;
    check(&*store, S, b"a", Some(b"1")).await;
}

pub(crate) async fn a_put_replaces_the_value(engine: &dyn Engine) {
    let store = engine.open().await;
    put(&*store, S, b"a", b"1").await;
    put(&*store, S, b"a", b"22").await;
    check(&*store, S, b"a", Some(b"22")).await;
}

pub(crate) async fn a_delete_removes_the_key(engine: &dyn Engine) {
    let store = engine.open().await;
    put(&*store, S, b"a", b"1").await;
    delete(&*store, S, b"a").await;
    check(&*store, S, b"a", None).await;
}

pub(crate) async fn deleting_an_absent_key_is_fine(engine: &dyn Engine) {
    let store = engine.open().await;
    delete(&*store, S, b"a").await;
    check(&*store, S, b"a", None).await;
}

pub(crate) async fn a_commit_of_nothing_is_fine(engine: &dyn Engine) {
    let store = engine.open().await;
    store.commit(Delta::new(store.epoch())).await.unwrap();
}

pub(crate) async fn many_ops_happen_together(engine: &dyn Engine) {
    let store = engine.open().await;
    put(&*store, S, b"gone", b"x").await;
    let mut delta = Delta::new(store.epoch());
    delta.put(S, b"a", b"1").put(Space::Timers, b"b", b"2").delete(S, b"gone").put(Space::Audit, b"c", b"3");
    store.commit(delta).await.unwrap();
    check(&*store, S, b"a", Some(b"1")).await;
    check(&*store, Space::Timers, b"b", Some(b"2")).await;
    check(&*store, Space::Audit, b"c", Some(b"3")).await;
    check(&*store, S, b"gone", None).await;
}

pub(crate) async fn the_last_op_on_a_key_wins_put_then_delete(engine: &dyn Engine) {
    let store = engine.open().await;
    let mut delta = Delta::new(store.epoch());
    delta.put(S, b"a", b"1").delete(S, b"a");
    store.commit(delta).await.unwrap();
    check(&*store, S, b"a", None).await;
}

pub(crate) async fn the_last_op_on_a_key_wins_delete_then_put(engine: &dyn Engine) {
    let store = engine.open().await;
    put(&*store, S, b"a", b"old").await;
    let mut delta = Delta::new(store.epoch());
    delta.delete(S, b"a").put(S, b"a", b"new");
    store.commit(delta).await.unwrap();
    check(&*store, S, b"a", Some(b"new")).await;
}

pub(crate) async fn the_last_of_three_puts_wins(engine: &dyn Engine) {
    let store = engine.open().await;
    let mut delta = Delta::new(store.epoch());
    delta.put(S, b"a", b"1").put(S, b"a", b"2").put(S, b"a", b"3");
    store.commit(delta).await.unwrap();
    check(&*store, S, b"a", Some(b"3")).await;
}

pub(crate) async fn the_same_key_in_two_spaces_is_two_keys(engine: &dyn Engine) {
    let store = engine.open().await;
    put(&*store, Space::Runs, b"a", b"run").await;
    put(&*store, Space::States, b"a", b"state").await;
    check(&*store, Space::Runs, b"a", Some(b"run")).await;
    check(&*store, Space::States, b"a", Some(b"state")).await;
}

pub(crate) async fn deleting_in_one_space_leaves_the_other(engine: &dyn Engine) {
    let store = engine.open().await;
    put(&*store, Space::Runs, b"a", b"run").await;
    put(&*store, Space::States, b"a", b"state").await;
    delete(&*store, Space::Runs, b"a").await;
    check(&*store, Space::Runs, b"a", None).await;
    check(&*store, Space::States, b"a", Some(b"state")).await;
}

pub(crate) async fn the_empty_key_is_a_key(engine: &dyn Engine) {
    let store = engine.open().await;
    put(&*store, S, b"", b"here").await;
    check(&*store, S, b"", Some(b"here")).await;
    assert_eq!(keys(&*store, Scan::prefix(S, b"", 9)).await, [b"".to_vec()]);
}

pub(crate) async fn the_empty_key_of_one_space_is_not_that_of_the_next(engine: &dyn Engine) {
    let store = engine.open().await;
    put(&*store, Space::Runs, b"", b"3").await;
    check(&*store, Space::States, b"", None).await;
    check(&*store, Space::Flows, b"", None).await;
}

pub(crate) async fn a_key_of_zero_bytes_and_of_high_bytes_are_kept_apart(engine: &dyn Engine) {
    let store = engine.open().await;
    let all: [&[u8]; 6] = [b"\0", b"\0\0", b"\0\xff", b"\xff", b"\xff\0", b"\xff\xff"];
    for key in all {
        put(&*store, S, key, key).await;
    }
    for key in all {
        check(&*store, S, key, Some(key)).await;
    }
}

pub(crate) async fn every_space_takes_a_key(engine: &dyn Engine) {
    let store = engine.open().await;
    let mut delta = Delta::new(store.epoch());
    for space in Space::ALL {
        delta.put(space, b"k", [space as u8]);
    }
    store.commit(delta).await.unwrap();
    for space in Space::ALL {
        check(&*store, space, b"k", Some(&[space as u8])).await;
    }
}

/// Commits one put of `done` under a precondition and says whether it happened; `done` must agree.
async fn attempt(engine: &dyn Engine, before: Option<&[u8]>, require: impl FnOnce(&mut Delta)) -> bool {
    let store = engine.open().await;
    if let Some(value) = before {
        put(&*store, S, b"a", value).await;
    }
    let mut delta = Delta::new(store.epoch());
    require(&mut delta);
    delta.put(S, b"done", b"yes");
    let happened = match store.commit(delta).await {
        Ok(()) => true,
        Err(StoreError::Conflict) => false,
        Err(other) => panic!("{other}"),
    };
    check(&*store, S, b"done", happened.then_some(b"yes")).await;
    check(&*store, S, b"a", before).await;
    happened
}

pub(crate) async fn absent_holds_for_an_absent_key(engine: &dyn Engine) {
    assert!(attempt(engine, None, |d| _ = d.expect_absent(S, b"a")).await);
}

pub(crate) async fn absent_fails_for_a_present_key(engine: &dyn Engine) {
    assert!(!attempt(engine, Some(b"1"), |d| _ = d.expect_absent(S, b"a")).await);
}

pub(crate) async fn absent_fails_for_a_present_empty_value(engine: &dyn Engine) {
    assert!(!attempt(engine, Some(b""), |d| _ = d.expect_absent(S, b"a")).await);
}

pub(crate) async fn absent_holds_after_a_delete(engine: &dyn Engine) {
    let store = engine.open().await;
    put(&*store, S, b"a", b"1").await;
    delete(&*store, S, b"a").await;
    let mut delta = Delta::new(store.epoch());
    delta.expect_absent(S, b"a").put(S, b"a", b"2");
    store.commit(delta).await.unwrap();
    check(&*store, S, b"a", Some(b"2")).await;
}

pub(crate) async fn equals_holds_for_the_same_value(engine: &dyn Engine) {
    assert!(attempt(engine, Some(b"1"), |d| _ = d.expect_equals(S, b"a", b"1")).await);
}

pub(crate) async fn equals_fails_for_another_value(engine: &dyn Engine) {
    assert!(!attempt(engine, Some(b"1"), |d| _ = d.expect_equals(S, b"a", b"2")).await);
}

pub(crate) async fn equals_fails_for_a_longer_value_with_the_same_start(engine: &dyn Engine) {
    assert!(!attempt(engine, Some(b"12"), |d| _ = d.expect_equals(S, b"a", b"1")).await);
}

pub(crate) async fn equals_fails_for_an_absent_key(engine: &dyn Engine) {
    assert!(!attempt(engine, None, |d| _ = d.expect_equals(S, b"a", b"1")).await);
}

pub(crate) async fn equals_of_an_empty_value_needs_the_key(engine: &dyn Engine) {
    assert!(!attempt(engine, None, |d| _ = d.expect_equals(S, b"a", b"")).await);
    let store = engine.open().await;
    put(&*store, S, b"e", b"").await;
    let mut delta = Delta::new(store.epoch());
    delta.expect_equals(S, b"e", b"").put(S, b"e", b"2");
    store.commit(delta).await.unwrap();
}

pub(crate) async fn one_failed_precondition_of_many_stops_all(engine: &dyn Engine) {
    let require = |d: &mut Delta| {
        for n in 0..50_u8 {
            d.expect_absent(Space::Dedupe, [n]);
        }
        d.expect_equals(S, b"a", b"other");
    };
    assert!(!attempt(engine, Some(b"1"), require).await);
}

pub(crate) async fn a_conflict_changes_nothing(engine: &dyn Engine) {
    let store = engine.open().await;
    put(&*store, S, b"a", b"1").await;
    put(&*store, S, b"b", &bytes(1, 20_000)).await;
    let before = store.scan(Scan::prefix(S, b"", 99)).await.unwrap();
    let mut delta = Delta::new(store.epoch());
    delta.expect_absent(S, b"a").put(S, b"a", b"2").put(S, b"b", bytes(2, 90_000)).put(S, b"c", b"3");
    delta.delete(S, b"b");
    assert_eq!(store.commit(delta).await, Err(StoreError::Conflict));
    assert!(store.scan(Scan::prefix(S, b"", 99)).await.unwrap() == before);
}

pub(crate) async fn a_precondition_sees_the_state_before_its_own_ops(engine: &dyn Engine) {
    let store = engine.open().await;
    let mut delta = Delta::new(store.epoch());
    delta.put(S, b"a", b"1").expect_absent(S, b"a");
    store.commit(delta).await.unwrap();
    let mut delta = Delta::new(store.epoch());
    delta.put(S, b"a", b"2").expect_equals(S, b"a", b"2");
    assert_eq!(store.commit(delta).await, Err(StoreError::Conflict));
}

pub(crate) async fn preconditions_without_ops_are_checked(engine: &dyn Engine) {
    let store = engine.open().await;
    let mut delta = Delta::new(store.epoch());
    delta.expect_equals(S, b"a", b"1");
    assert_eq!(store.commit(delta.clone()).await, Err(StoreError::Conflict));
    put(&*store, S, b"a", b"1").await;
    store.commit(delta).await.unwrap();
}

pub(crate) async fn the_store_works_after_a_conflict(engine: &dyn Engine) {
    assert!(!attempt(engine, Some(b"1"), |d| _ = d.expect_absent(S, b"a")).await);
    let store = engine.open().await;
    put(&*store, S, b"z", b"26").await;
    check(&*store, S, b"z", Some(b"26")).await;
}

pub(crate) async fn of_many_writers_that_expect_absence_one_wins(engine: &dyn Engine) {
    let store = engine.open().await;
    let tasks: Vec<_> = (0..32_u8)
        .map(|n| {
            let store = Arc::clone(&store);
            tokio::spawn(async move {
                let mut delta = Delta::new(store.epoch());
                delta.expect_absent(S, b"lock").put(S, b"lock", [n]);
                (n, store.commit(delta).await)
            })
        })
        .collect();
    let mut winners = Vec::new();
    for task in tasks {
        match task.await.unwrap() {
            (n, Ok(())) => winners.push(n),
            (_, Err(StoreError::Conflict)) => {}
            (_, Err(other)) => panic!("{other}"),
        }
    }
    assert_eq!(winners.len(), 1);
    check(&*store, S, b"lock", Some(&winners)).await;
}

pub(crate) async fn counters_by_compare_and_set_lose_no_step(engine: &dyn Engine) {
    let store = engine.open().await;
    put(&*store, S, b"n", &0_u32.to_be_bytes()).await;
    let tasks: Vec<_> = (0..8)
        .map(|_| {
            let store = Arc::clone(&store);
            tokio::spawn(async move {
                let mut done = 0;
                while done < 10 {
                    let old = store.get(S, b"n").await.unwrap().unwrap();
                    let next = u32::from_be_bytes(old.as_slice().try_into().unwrap()) + 1;
                    let mut delta = Delta::new(store.epoch());
                    delta.expect_equals(S, b"n", old).put(S, b"n", next.to_be_bytes());
                    match store.commit(delta).await {
                        Ok(()) => done += 1,
                        Err(StoreError::Conflict) => {}
                        Err(other) => panic!("{other}"),
                    }
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    check(&*store, S, b"n", Some(&80_u32.to_be_bytes())).await;
}

pub(crate) async fn concurrent_commits_to_different_keys_all_arrive(engine: &dyn Engine) {
    let store = engine.open().await;
    let tasks: Vec<_> = (0..16_u8)
        .map(|n| {
            let store = Arc::clone(&store);
            tokio::spawn(async move {
                for m in 0..20_u8 {
                    put(&*store, S, &[n, m], &[m, n]).await;
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    let all = store.scan(Scan::prefix(S, b"", 1000)).await.unwrap();
    assert_eq!(all.len(), 320);
    assert!(all.iter().all(|(key, value)| value[..] == [key[1], key[0]]));
}

pub(crate) async fn a_read_after_ok_sees_the_commit_from_any_task(engine: &dyn Engine) {
    let store = engine.open().await;
    for n in 0..50_u8 {
        put(&*store, S, b"a", &[n]).await;
        let other = Arc::clone(&store);
        let seen = tokio::spawn(async move { other.get(S, b"a").await.unwrap() }).await.unwrap();
        assert_eq!(seen, Some(vec![n]));
    }
}

pub(crate) async fn a_commit_is_seen_whole_within_one_key(engine: &dyn Engine) {
    let store = engine.open().await;
    put(&*store, S, b"a", &[0; 300]).await;
    let writer = Arc::clone(&store);
    let writing = tokio::spawn(async move {
        for n in 1..100_u8 {
            put(&*writer, S, b"a", &[n; 300]).await;
        }
    });
    while !writing.is_finished() {
        let value = store.get(S, b"a").await.unwrap().unwrap();
        assert!(value.len() == 300 && value.iter().all(|byte| *byte == value[0]));
        tokio::task::yield_now().await;
    }
    writing.await.unwrap();
}

pub(crate) async fn a_thousand_commits_in_a_row(engine: &dyn Engine) {
    let store = engine.open().await;
    for n in 0..1000_u32 {
        put(&*store, S, &n.to_be_bytes(), &n.to_le_bytes()).await;
    }
    let all = store.scan(Scan::prefix(S, b"", 2000)).await.unwrap();
    assert_eq!(all.len(), 1000);
    assert_eq!(all[999], (999_u32.to_be_bytes().to_vec(), 999_u32.to_le_bytes().to_vec()));
}

/// Commits a put under `epoch` and asserts that it is fenced and changed nothing.
async fn fenced(engine: &dyn Engine, epoch: impl FnOnce(u64) -> u64) {
    let store = engine.open().await;
    let current = store.epoch();
    let seen = epoch(current);
    let mut delta = Delta::new(seen);
    delta.put(S, b"a", b"1");
    assert_eq!(store.commit(delta).await, Err(StoreError::Fenced { seen, current }));
    check(&*store, S, b"a", None).await;
}

pub(crate) async fn an_old_epoch_is_fenced(engine: &dyn Engine) {
    fenced(engine, |current| current - 1).await;
}

pub(crate) async fn a_future_epoch_is_fenced(engine: &dyn Engine) {
    fenced(engine, |current| current + 1).await;
}

pub(crate) async fn a_fenced_commit_changes_nothing(engine: &dyn Engine) {
    let store = engine.open().await;
    put(&*store, S, b"a", b"1").await;
    let mut delta = Delta::new(store.epoch() - 1);
    delta.put(S, b"a", b"2").delete(S, b"a").put(S, b"big", bytes(1, 100_000));
    assert!(matches!(store.commit(delta).await, Err(StoreError::Fenced { .. })));
    check(&*store, S, b"a", Some(b"1")).await;
    check(&*store, S, b"big", None).await;
}

pub(crate) async fn an_empty_commit_of_another_epoch_is_fenced(engine: &dyn Engine) {
    let store = engine.open().await;
    let outcome = store.commit(Delta::new(store.epoch() - 1)).await;
    assert!(matches!(outcome, Err(StoreError::Fenced { .. })));
}

pub(crate) async fn fencing_comes_before_conflict(engine: &dyn Engine) {
    let store = engine.open().await;
    let mut delta = Delta::new(store.epoch() - 1);
    delta.expect_equals(S, b"a", b"not there");
    assert!(matches!(store.commit(delta).await, Err(StoreError::Fenced { .. })));
}

pub(crate) async fn the_epoch_is_at_least_one(engine: &dyn Engine) {
    assert!(engine.open().await.epoch() >= 1);
}

pub(crate) async fn random_commits_match_a_model(engine: &dyn Engine) {
    let store = engine.open().await;
    let mut model: BTreeMap<Vec<u8>, Vec<u8>> = BTreeMap::new();
    let mut dice = bytes(42, 60 * 4 * 3).into_iter();
    let mut roll = || dice.next().unwrap();
    let sizes = [0, 1, 300, 4_000, 4_200, 9_000, 65_536, 70_000];
    for round in 0..60_u64 {
        let mut delta = Delta::new(store.epoch());
        for _ in 0..4 {
            let key = vec![b'k', roll() % 12];
            let (kind, size) = (roll(), sizes[usize::from(roll()) % sizes.len()]);
            if kind % 4 == 0 {
                delta.delete(S, key);
            } else {
                delta.put(S, key, bytes(round + u64::from(kind), size));
            }
        }
        for op in delta.ops.clone() {
            match op {
                Op::Put { key, value, .. } => drop(model.insert(key, value)),
                Op::Delete { key, .. } => drop(model.remove(&key)),
            }
        }
        store.commit(delta).await.unwrap();
        if round % 10 == 9 {
            let all = store.scan(Scan::prefix(S, b"", 99)).await.unwrap();
            assert!(all == model.clone().into_iter().collect::<Vec<_>>(), "round {round}");
        }
    }
}
