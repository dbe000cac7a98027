//! What 100,000 waiting runs leave in a store: how long it takes to open, and how much memory it needs then.
//!
//! Must never assert a time: the figures are printed, `cargo xtask bench waiting` keeps them. What is asserted is
//! that a large store is not read whole at every open.
#![allow(clippy::unwrap_used, reason = "a test says what went wrong by panicking")]

use crate::support;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use flowdeck_engine::ports::store::{Delta, Scan, Space, Store};
use flowdeck_store::{Options, SledStore};
use support::options;

/// Removes one record behind the store's back: only a walk over all of them can notice.
async fn opens_without_a_walk(verify_records_max: u64) -> bool {
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    let root = tempfile::tempdir().unwrap();
    let folder = root.path().join(format!("store-{}", NUMBER.fetch_add(1, Ordering::Relaxed)));
    let store = Arc::new(SledStore::open(&folder, options()).unwrap());
    let mut delta = Delta::new(store.epoch());
    for n in 0..200_u64 {
        delta.put(Space::Runs, n.to_be_bytes(), b"waiting");
    }
    store.commit(delta).await.unwrap();
    drop(store);
    let db = sled::open(folder.join("sled")).unwrap();
    let key = db.iter().keys().map(|key| key.unwrap()).find(|key| key.len() == 9).unwrap();
    db.remove(key).unwrap();
    drop(db);
    let store = SledStore::open(&folder, Options { verify_records_max, ..options() }).unwrap();
    // Who walks misses it, and builds sled anew.
    store.scan(Scan::prefix(Space::Runs, b"", 999)).await.unwrap().len() < 200
}

#[tokio::test]
async fn only_a_small_store_is_read_whole_at_each_open() {
    assert!(!opens_without_a_walk(200).await);
    assert!(opens_without_a_walk(199).await);
}
