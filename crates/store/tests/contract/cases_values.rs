//! Cases: values of every size come back whole, whatever the store does with them inside.

use std::sync::Arc;

use flowdeck_engine::ports::store::{Delta, KEY_BYTES_MAX, Scan, Space, StoreError, VALUE_BYTES_MAX};

use crate::contract::fixture::{Engine, bytes, check, delete, keys, put};

const S: Space = Space::States;

/// Sizes whose values take each of the three ways: in the record, split, in a file of its own.
const SMALL: usize = 100;
const SPLIT: usize = 30_000;
const LARGE: usize = 200_000;

async fn kept(engine: &dyn Engine, sizes: impl IntoIterator<Item = usize>) {
    let store = engine.open().await;
    for size in sizes {
        let value = bytes(size as u64, size);
        put(&*store, S, &size.to_be_bytes(), &value).await;
        check(&*store, S, &size.to_be_bytes(), Some(&value)).await;
    }
}

/// Puts values of these sizes on one key, one after the other, and reads the last.
async fn replaced(engine: &dyn Engine, sizes: &[usize]) {
    let store = engine.open().await;
    for (n, size) in sizes.iter().enumerate() {
        let value = bytes(n as u64 + 7, *size);
        put(&*store, S, b"a", &value).await;
        check(&*store, S, b"a", Some(&value)).await;
    }
    assert_eq!(keys(&*store, Scan::prefix(S, b"", 9)).await, [b"a".to_vec()]);
}

async fn deleted(engine: &dyn Engine, size: usize) {
    let store = engine.open().await;
    put(&*store, S, b"a", &bytes(1, size)).await;
    delete(&*store, S, b"a").await;
    check(&*store, S, b"a", None).await;
    assert!(keys(&*store, Scan::prefix(S, b"", 9)).await.is_empty());
}

pub(crate) async fn an_empty_value_is_kept(engine: &dyn Engine) {
    kept(engine, [0]).await;
}

pub(crate) async fn every_size_around_the_inline_limit_is_kept(engine: &dyn Engine) {
    kept(engine, 4_070..4_100).await;
}

pub(crate) async fn every_size_around_the_split_limit_is_kept(engine: &dyn Engine) {
    kept(engine, 65_531..65_541).await;
}

pub(crate) async fn a_value_of_one_mebibyte_is_kept(engine: &dyn Engine) {
    kept(engine, [1 << 20]).await;
}

pub(crate) async fn the_largest_value_is_kept(engine: &dyn Engine) {
    let store = engine.open().await;
    let value = vec![7; VALUE_BYTES_MAX];
    put(&*store, S, b"a", &value).await;
    check(&*store, S, b"a", Some(&value)).await;
}

pub(crate) async fn a_value_of_all_byte_values_is_kept(engine: &dyn Engine) {
    let store = engine.open().await;
    let value: Vec<u8> = (0..=255).collect();
    put(&*store, S, b"a", &value).await;
    check(&*store, S, b"a", Some(&value)).await;
}

pub(crate) async fn a_small_value_replaces_a_split_one(engine: &dyn Engine) {
    replaced(engine, &[SPLIT, SMALL]).await;
}

pub(crate) async fn a_split_value_replaces_a_small_one(engine: &dyn Engine) {
    replaced(engine, &[SMALL, SPLIT]).await;
}

pub(crate) async fn a_split_value_replaces_a_longer_split_one(engine: &dyn Engine) {
    replaced(engine, &[2 * SPLIT, SPLIT]).await;
}

pub(crate) async fn a_large_value_replaces_a_large_one(engine: &dyn Engine) {
    replaced(engine, &[LARGE, LARGE]).await;
}

pub(crate) async fn a_small_value_replaces_a_large_one(engine: &dyn Engine) {
    replaced(engine, &[LARGE, SMALL]).await;
}

pub(crate) async fn a_split_value_is_deleted_whole(engine: &dyn Engine) {
    deleted(engine, SPLIT).await;
}

pub(crate) async fn a_large_value_is_deleted_whole(engine: &dyn Engine) {
    deleted(engine, LARGE).await;
}

pub(crate) async fn two_keys_share_one_large_value_and_one_is_deleted(engine: &dyn Engine) {
    let store = engine.open().await;
    let value = bytes(3, LARGE);
    put(&*store, S, b"a", &value).await;
    put(&*store, S, b"b", &value).await;
    delete(&*store, S, b"a").await;
    check(&*store, S, b"b", Some(&value)).await;
}

pub(crate) async fn a_large_value_put_twice_in_one_commit(engine: &dyn Engine) {
    let store = engine.open().await;
    let value = bytes(3, LARGE);
    let mut delta = Delta::new(store.epoch());
    delta.put(S, b"a", value.clone()).put(S, b"b", value.clone());
    store.commit(delta).await.unwrap();
    check(&*store, S, b"a", Some(&value)).await;
    check(&*store, S, b"b", Some(&value)).await;
}

pub(crate) async fn a_split_value_put_and_deleted_in_one_commit(engine: &dyn Engine) {
    let store = engine.open().await;
    let mut delta = Delta::new(store.epoch());
    delta.put(S, b"a", bytes(1, SPLIT)).delete(S, b"a").put(S, b"b", b"1");
    store.commit(delta).await.unwrap();
    check(&*store, S, b"a", None).await;
    check(&*store, S, b"b", Some(b"1")).await;
}

pub(crate) async fn three_split_values_of_one_key_in_one_commit(engine: &dyn Engine) {
    let store = engine.open().await;
    let mut delta = Delta::new(store.epoch());
    for seed in 1..=3 {
        delta.put(S, b"a", bytes(seed, SPLIT));
    }
    store.commit(delta).await.unwrap();
    check(&*store, S, b"a", Some(&bytes(3, SPLIT))).await;
}

pub(crate) async fn the_longest_key_takes_a_split_value(engine: &dyn Engine) {
    let store = engine.open().await;
    let key = vec![0xff; KEY_BYTES_MAX];
    for size in [3_000, 3_570, 3_580, 3_590, SPLIT, LARGE] {
        put(&*store, S, &key, &bytes(5, size)).await;
        check(&*store, S, &key, Some(&bytes(5, size))).await;
    }
}

/// Expects each of two values of one size in turn; only the true one may pass.
async fn compared(engine: &dyn Engine, size: usize) {
    let store = engine.open().await;
    put(&*store, S, b"a", &bytes(1, size)).await;
    let mut other = bytes(1, size);
    *other.last_mut().unwrap() ^= 1;
    let mut delta = Delta::new(store.epoch());
    delta.expect_equals(S, b"a", other);
    assert_eq!(store.commit(delta).await, Err(StoreError::Conflict));
    let mut delta = Delta::new(store.epoch());
    delta.expect_equals(S, b"a", bytes(1, size)).put(S, b"a", b"done");
    store.commit(delta).await.unwrap();
    check(&*store, S, b"a", Some(b"done")).await;
}

pub(crate) async fn equals_compares_split_values(engine: &dyn Engine) {
    compared(engine, SPLIT).await;
}

pub(crate) async fn equals_compares_large_values(engine: &dyn Engine) {
    compared(engine, LARGE).await;
}

pub(crate) async fn equals_tells_apart_large_values_of_one_length(engine: &dyn Engine) {
    let store = engine.open().await;
    put(&*store, S, b"a", &bytes(1, LARGE)).await;
    let mut delta = Delta::new(store.epoch());
    delta.expect_equals(S, b"a", bytes(2, LARGE));
    assert_eq!(store.commit(delta).await, Err(StoreError::Conflict));
}

pub(crate) async fn absent_fails_for_a_split_value(engine: &dyn Engine) {
    let store = engine.open().await;
    for (key, size) in [(b"a", SPLIT), (b"b", LARGE)] {
        put(&*store, S, key, &bytes(1, size)).await;
        let mut delta = Delta::new(store.epoch());
        delta.expect_absent(S, key);
        assert_eq!(store.commit(delta).await, Err(StoreError::Conflict));
    }
}

pub(crate) async fn split_values_survive_many_overwrites(engine: &dyn Engine) {
    let store = engine.open().await;
    for n in 0..60_u64 {
        put(&*store, S, &[(n % 3) as u8], &bytes(n, 4_000 + 700 * n as usize)).await;
    }
    for n in 57..60_u64 {
        check(&*store, S, &[(n % 3) as u8], Some(&bytes(n, 4_000 + 700 * n as usize))).await;
    }
}

pub(crate) async fn readers_never_see_a_mixture_of_split_values(engine: &dyn Engine) {
    let store = engine.open().await;
    put(&*store, S, b"a", &[0; SPLIT]).await;
    let writer = Arc::clone(&store);
    let writing = tokio::spawn(async move {
        for n in 1..80_u8 {
            put(&*writer, S, b"a", &vec![n; SPLIT + usize::from(n)]).await;
        }
    });
    while !writing.is_finished() {
        let got = store.get(S, b"a").await.unwrap().unwrap();
        let scanned = store.scan(Scan::prefix(S, b"", 9)).await.unwrap();
        for value in [&got, &scanned[0].1] {
            assert!(value.iter().all(|byte| *byte == value[0]));
            assert_eq!(value.len(), SPLIT + usize::from(value[0]));
        }
        tokio::task::yield_now().await;
    }
    writing.await.unwrap();
}
