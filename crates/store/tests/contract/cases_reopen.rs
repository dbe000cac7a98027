//! Cases: what an open finds of the opens before it.

use flowdeck_engine::ports::store::{Delta, Space, StoreError};

use crate::contract::fixture::{Engine, bytes, check, delete, put};

const S: Space = Space::Grants;

pub(crate) async fn content_survives_a_reopen(engine: &dyn Engine) {
    put(&*engine.open().await, S, b"a", b"1").await;
    check(&*engine.open().await, S, b"a", Some(b"1")).await;
}

pub(crate) async fn deletions_survive_a_reopen(engine: &dyn Engine) {
    let store = engine.open().await;
    put(&*store, S, b"a", b"1").await;
    delete(&*store, S, b"a").await;
    drop(store);
    check(&*engine.open().await, S, b"a", None).await;
}

pub(crate) async fn split_and_large_values_survive_a_reopen(engine: &dyn Engine) {
    let store = engine.open().await;
    put(&*store, S, b"a", &bytes(1, 40_000)).await;
    put(&*store, S, b"b", &bytes(2, 400_000)).await;
    drop(store);
    let store = engine.open().await;
    check(&*store, S, b"a", Some(&bytes(1, 40_000))).await;
    check(&*store, S, b"b", Some(&bytes(2, 400_000))).await;
}

pub(crate) async fn the_epoch_rises_with_each_open(engine: &dyn Engine) {
    let mut last = 0;
    for _ in 0..4 {
        let epoch = engine.open().await.epoch();
        assert!(epoch > last);
        last = epoch;
    }
}

pub(crate) async fn a_commit_of_the_epoch_before_a_reopen_is_fenced(engine: &dyn Engine) {
    let seen = engine.open().await.epoch();
    let store = engine.open().await;
    let mut delta = Delta::new(seen);
    delta.put(S, b"a", b"1");
    let current = store.epoch();
    assert_eq!(store.commit(delta).await, Err(StoreError::Fenced { seen, current }));
    check(&*store, S, b"a", None).await;
}

pub(crate) async fn ten_reopens_with_commits_between(engine: &dyn Engine) {
    for n in 0..10_u8 {
        let store = engine.open().await;
        put(&*store, S, &[n], &[n; 100]).await;
        for m in 0..=n {
            check(&*store, S, &[m], Some(&[m; 100])).await;
        }
    }
}

pub(crate) async fn preconditions_hold_across_a_reopen(engine: &dyn Engine) {
    put(&*engine.open().await, S, b"a", &bytes(1, 9_000)).await;
    let store = engine.open().await;
    let mut delta = Delta::new(store.epoch());
    delta.expect_absent(S, b"a");
    assert_eq!(store.commit(delta).await, Err(StoreError::Conflict));
    let mut delta = Delta::new(store.epoch());
    delta.expect_equals(S, b"a", bytes(1, 9_000)).put(S, b"a", b"2");
    store.commit(delta).await.unwrap();
}
