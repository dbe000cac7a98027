//! Cases: the limits of the port are met exactly, and nothing changes above them.

use flowdeck_engine::ports::store::{Delta, KEY_BYTES_MAX, OPS_MAX, Scan, Space, Store, StoreError, VALUE_BYTES_MAX};

use crate::contract::fixture::{Engine, check, keys, put};

const S: Space = Space::Rows;

async fn refused(store: &dyn Store, delta: Delta) {
    match store.commit(delta).await {
        Err(StoreError::TooLarge { size, limit, .. }) => assert_eq!(size, limit + 1),
        other => panic!("{other:?}"),
    }
    assert!(keys(store, Scan::prefix(S, b"", 9)).await.is_empty());
}

pub(crate) async fn the_longest_key_is_accepted(engine: &dyn Engine) {
    let store = engine.open().await;
    let key = vec![b'k'; KEY_BYTES_MAX];
    put(&*store, S, &key, b"1").await;
    check(&*store, S, &key, Some(b"1")).await;
    assert_eq!(keys(&*store, Scan::prefix(S, b"k", 9)).await, [key]);
}

pub(crate) async fn a_longer_key_is_refused(engine: &dyn Engine) {
    let store = engine.open().await;
    let mut delta = Delta::new(store.epoch());
    delta.put(S, vec![b'k'; KEY_BYTES_MAX + 1], b"1");
    refused(&*store, delta).await;
}

pub(crate) async fn a_longer_key_in_a_delete_is_refused(engine: &dyn Engine) {
    let store = engine.open().await;
    let mut delta = Delta::new(store.epoch());
    delta.delete(S, vec![b'k'; KEY_BYTES_MAX + 1]);
    refused(&*store, delta).await;
}

pub(crate) async fn a_longer_key_in_a_precondition_is_refused(engine: &dyn Engine) {
    let store = engine.open().await;
    let mut delta = Delta::new(store.epoch());
    delta.expect_absent(S, vec![b'k'; KEY_BYTES_MAX + 1]);
    refused(&*store, delta).await;
}

pub(crate) async fn a_longer_key_reads_as_none(engine: &dyn Engine) {
    let store = engine.open().await;
    put(&*store, S, b"k", b"1").await;
    check(&*store, S, &[b'k'; KEY_BYTES_MAX + 1], None).await;
    assert!(keys(&*store, Scan::prefix(S, vec![b'k'; 2 * KEY_BYTES_MAX], 9)).await.is_empty());
}

pub(crate) async fn a_larger_value_is_refused(engine: &dyn Engine) {
    let store = engine.open().await;
    let mut delta = Delta::new(store.epoch());
    delta.put(S, b"a", b"small").put(S, b"b", vec![0; VALUE_BYTES_MAX + 1]);
    refused(&*store, delta).await;
}

pub(crate) async fn the_most_operations_are_accepted(engine: &dyn Engine) {
    let store = engine.open().await;
    let mut delta = Delta::new(store.epoch());
    for n in 0..OPS_MAX as u32 {
        delta.put(S, n.to_be_bytes(), b"");
    }
    store.commit(delta).await.unwrap();
    assert_eq!(keys(&*store, Scan::prefix(S, b"", usize::MAX)).await.len(), OPS_MAX);
}

pub(crate) async fn more_operations_are_refused(engine: &dyn Engine) {
    let store = engine.open().await;
    let mut delta = Delta::new(store.epoch());
    for _ in 0..=OPS_MAX {
        delta.put(S, b"a", b"");
    }
    refused(&*store, delta).await;
}

pub(crate) async fn a_refused_commit_changes_nothing(engine: &dyn Engine) {
    let store = engine.open().await;
    put(&*store, S, b"a", b"1").await;
    let mut delta = Delta::new(store.epoch());
    delta.put(S, b"a", b"2").put(S, vec![0; KEY_BYTES_MAX + 1], b"");
    assert!(matches!(store.commit(delta).await, Err(StoreError::TooLarge { .. })));
    check(&*store, S, b"a", Some(b"1")).await;
}
