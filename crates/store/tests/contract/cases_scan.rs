//! Cases: what a scan visits, in which order, and where it stops.

use std::sync::Arc;

use flowdeck_engine::ports::store::{Delta, Scan, Space, Store};

use crate::contract::fixture::{Engine, bytes, delete, keys, put};

const S: Space = Space::Timers;

async fn filled(engine: &dyn Engine, all: &[&[u8]]) -> Arc<dyn Store> {
    let store = engine.open().await;
    let mut delta = Delta::new(store.epoch());
    for key in all {
        delta.put(S, *key, key.repeat(2));
    }
    store.commit(delta).await.unwrap();
    store
}

/// Fills a space with `all` (in any order), scans it and compares the keys.
async fn scanned(engine: &dyn Engine, all: &[&[u8]], scan: Scan, expected: &[&[u8]]) {
    let store = filled(engine, all).await;
    let found = store.scan(scan).await.unwrap();
    let found_keys: Vec<&[u8]> = found.iter().map(|(key, _)| key.as_slice()).collect();
    assert_eq!(found_keys, expected);
    assert!(found.iter().all(|(key, value)| *value == key.repeat(2)));
}

fn all() -> Scan {
    Scan::prefix(S, b"", 100)
}

fn prefix(prefix: &[u8]) -> Scan {
    Scan::prefix(S, prefix, 100)
}

fn after(scan: Scan, key: &[u8]) -> Scan {
    Scan { after: Some(key.to_vec()), ..scan }
}

fn reverse(scan: Scan) -> Scan {
    Scan { reverse: true, ..scan }
}

const LETTERS: [&[u8]; 6] = [b"a", b"ab", b"b", b"ba", b"bb", b"c"];

pub(crate) async fn a_scan_of_an_empty_space_is_empty(engine: &dyn Engine) {
    scanned(engine, &[], all(), &[]).await;
}

pub(crate) async fn a_scan_is_in_byte_order(engine: &dyn Engine) {
    scanned(engine, &[b"c", b"a", b"b"], all(), &[b"a", b"b", b"c"]).await;
}

pub(crate) async fn a_scan_is_in_byte_order_with_high_bytes(engine: &dyn Engine) {
    let order: [&[u8]; 5] = [b"\0", b"a", b"\x7f", b"\x80", b"\xff"];
    scanned(engine, &[b"\xff", b"\x80", b"a", b"\0", b"\x7f"], all(), &order).await;
}

pub(crate) async fn a_shorter_key_comes_before_its_extensions(engine: &dyn Engine) {
    scanned(engine, &[b"a\0", b"ab", b"a"], all(), &[b"a", b"a\0", b"ab"]).await;
}

pub(crate) async fn a_scan_stays_in_its_space(engine: &dyn Engine) {
    let store = filled(engine, &[b"a"]).await;
    for space in [Space::Ready, Space::Waits] {
        put(&*store, space, b"a", b"other").await;
    }
    assert_eq!(store.scan(all()).await.unwrap(), [(b"a".to_vec(), b"aa".to_vec())]);
}

pub(crate) async fn a_prefix_selects(engine: &dyn Engine) {
    scanned(engine, &LETTERS, prefix(b"b"), &[b"b", b"ba", b"bb"]).await;
}

pub(crate) async fn a_prefix_of_high_bytes_selects(engine: &dyn Engine) {
    let keys: [&[u8]; 4] = [b"\xfe", b"\xff", b"\xff\0", b"\xff\xff"];
    scanned(engine, &keys, prefix(b"\xff"), &[b"\xff", b"\xff\0", b"\xff\xff"]).await;
}

pub(crate) async fn a_prefix_that_is_a_key_includes_it(engine: &dyn Engine) {
    scanned(engine, &LETTERS, prefix(b"ab"), &[b"ab"]).await;
}

pub(crate) async fn a_prefix_beyond_all_keys_is_empty(engine: &dyn Engine) {
    scanned(engine, &LETTERS, prefix(b"d"), &[]).await;
}

pub(crate) async fn the_limit_holds(engine: &dyn Engine) {
    scanned(engine, &LETTERS, Scan { limit: 2, ..all() }, &[b"a", b"ab"]).await;
}

pub(crate) async fn a_limit_of_zero_is_empty(engine: &dyn Engine) {
    scanned(engine, &LETTERS, Scan { limit: 0, ..all() }, &[]).await;
}

pub(crate) async fn after_is_exclusive(engine: &dyn Engine) {
    scanned(engine, &LETTERS, after(all(), b"b"), &[b"ba", b"bb", b"c"]).await;
}

pub(crate) async fn after_an_absent_key_goes_on_behind_it(engine: &dyn Engine) {
    scanned(engine, &LETTERS, after(all(), b"az"), &[b"b", b"ba", b"bb", b"c"]).await;
}

pub(crate) async fn after_before_the_prefix_starts_at_the_prefix(engine: &dyn Engine) {
    scanned(engine, &LETTERS, after(prefix(b"b"), b"a"), &[b"b", b"ba", b"bb"]).await;
}

pub(crate) async fn after_behind_the_prefix_is_empty(engine: &dyn Engine) {
    scanned(engine, &LETTERS, after(prefix(b"a"), b"b"), &[]).await;
}

/// Visits everything in pages of `limit` and asserts that the pages joined are one whole scan.
async fn paged(engine: &dyn Engine, scan: Scan, limit: usize) {
    let names: Vec<Vec<u8>> = (0..57_u8).map(|n| vec![n % 5, n]).collect();
    let names: Vec<&[u8]> = names.iter().map(Vec::as_slice).collect();
    let store = filled(engine, &names).await;
    let whole = keys(&*store, scan.clone()).await;
    let mut joined: Vec<Vec<u8>> = Vec::new();
    loop {
        let page = keys(&*store, Scan { limit, after: joined.last().cloned(), ..scan.clone() }).await;
        let full = page.len() == limit;
        joined.extend(page);
        if !full {
            break;
        }
    }
    assert_eq!(joined, whole);
    assert_eq!(whole.len(), 57);
}

pub(crate) async fn pages_cover_everything_once(engine: &dyn Engine) {
    paged(engine, all(), 10).await;
}

pub(crate) async fn reverse_is_the_exact_reverse(engine: &dyn Engine) {
    scanned(engine, &LETTERS, reverse(all()), &[b"c", b"bb", b"ba", b"b", b"ab", b"a"]).await;
}

pub(crate) async fn reverse_with_a_limit_takes_the_last(engine: &dyn Engine) {
    scanned(engine, &LETTERS, Scan { limit: 2, ..reverse(prefix(b"b")) }, &[b"bb", b"ba"]).await;
}

pub(crate) async fn reverse_pages_cover_everything_once(engine: &dyn Engine) {
    paged(engine, reverse(all()), 7).await;
}

pub(crate) async fn reverse_after_behind_the_prefix_starts_at_its_end(engine: &dyn Engine) {
    scanned(engine, &LETTERS, after(reverse(prefix(b"b")), b"c"), &[b"bb", b"ba", b"b"]).await;
}

pub(crate) async fn reverse_after_before_the_prefix_is_empty(engine: &dyn Engine) {
    scanned(engine, &LETTERS, after(reverse(prefix(b"b")), b"a"), &[]).await;
}

pub(crate) async fn reverse_of_the_last_space_works(engine: &dyn Engine) {
    let store = engine.open().await;
    for key in [b"\xff\xfe", b"\xff\xff"] {
        put(&*store, Space::Settings, key, b"x").await;
    }
    let scan = Scan { reverse: true, ..Scan::prefix(Space::Settings, b"\xff", 9) };
    assert_eq!(keys(&*store, scan).await, [b"\xff\xff".to_vec(), b"\xff\xfe".to_vec()]);
}

pub(crate) async fn keys_only_leaves_values_empty(engine: &dyn Engine) {
    let store = filled(engine, &LETTERS).await;
    let found = store.scan(Scan { keys_only: true, ..all() }).await.unwrap();
    assert_eq!(found.len(), LETTERS.len());
    assert!(found.iter().all(|(_, value)| value.is_empty()));
}

pub(crate) async fn keys_only_with_split_and_large_values(engine: &dyn Engine) {
    let store = engine.open().await;
    for (key, size) in [(b"a", 10), (b"b", 30_000), (b"c", 100_000)] {
        put(&*store, S, key, &bytes(1, size)).await;
    }
    let found = store.scan(Scan { keys_only: true, ..all() }).await.unwrap();
    assert_eq!(found, [b"a", b"b", b"c"].map(|key| (key.to_vec(), Vec::new())));
}

pub(crate) async fn a_scan_returns_split_and_large_values_whole(engine: &dyn Engine) {
    let store = engine.open().await;
    let sizes = [(b"a", 10), (b"b", 30_000), (b"c", 100_000), (b"d", 0), (b"e", 5_000)];
    for (key, size) in sizes {
        put(&*store, S, key, &bytes(size as u64, size)).await;
    }
    let found = store.scan(all()).await.unwrap();
    assert!(found == sizes.map(|(key, size)| (key.to_vec(), bytes(size as u64, size))));
}

pub(crate) async fn a_scan_shows_no_trace_of_split_values(engine: &dyn Engine) {
    let store = engine.open().await;
    for n in 0..10_u8 {
        put(&*store, S, &[n], &bytes(1, 20_000)).await;
        put(&*store, S, &[n], &bytes(2, 8_000)).await;
        delete(&*store, S, &[n]).await;
    }
    for space in Space::ALL {
        assert!(keys(&*store, Scan::prefix(space, b"", 99)).await.is_empty());
    }
}

pub(crate) async fn a_scan_sees_deletions(engine: &dyn Engine) {
    let store = filled(engine, &LETTERS).await;
    delete(&*store, S, b"b").await;
    delete(&*store, S, b"c").await;
    assert_eq!(keys(&*store, all()).await, [&b"a"[..], b"ab", b"ba", b"bb"]);
}

pub(crate) async fn a_scan_of_the_first_and_last_space_shows_only_keys_put_there(engine: &dyn Engine) {
    let store = engine.open().await;
    for space in [Space::Meta, Space::Settings] {
        assert!(keys(&*store, Scan::prefix(space, b"", 9)).await.is_empty());
        put(&*store, space, b"mine", b"1").await;
        assert_eq!(keys(&*store, Scan::prefix(space, b"", 9)).await, [b"mine".to_vec()]);
    }
}
