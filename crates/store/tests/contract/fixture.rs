//! How the suite opens a store, and opens it again.
//!
//! Must never give one case the content of another.

use std::sync::Arc;

use async_trait::async_trait;
use flowdeck_engine::ports::store::{Delta, Scan, Space, Store};
use flowdeck_store::{MemoryStore, Options, SledStore};
use parking_lot::Mutex;

use crate::contract::control_engine::ControlStore;

/// One implementation and the place its content is in.
#[async_trait]
pub(crate) trait Engine: Send + Sync {
    /// Opens the store; the handle of an earlier open must have been dropped.
    async fn open(&self) -> Arc<dyn Store>;
}

#[derive(Default)]
pub(crate) struct Memory(Mutex<Option<MemoryStore>>);

#[async_trait]
impl Engine for Memory {
    async fn open(&self) -> Arc<dyn Store> {
        let mut kept = self.0.lock();
        let store = kept.as_ref().map_or_else(MemoryStore::new, MemoryStore::reopen);
        *kept = Some(store.reopen());
        Arc::new(kept.as_ref().unwrap().reopen())
    }
}

pub(crate) struct Control(tempfile::TempDir);

impl Default for Control {
    fn default() -> Self {
        Self(tempfile::tempdir().unwrap())
    }
}

#[async_trait]
impl Engine for Control {
    async fn open(&self) -> Arc<dyn Store> {
        Arc::new(ControlStore::open(&self.0.path().join("control.redb")))
    }
}

pub(crate) struct Sled(tempfile::TempDir);

impl Default for Sled {
    fn default() -> Self {
        Self(tempfile::tempdir().unwrap())
    }
}

#[async_trait]
impl Engine for Sled {
    async fn open(&self) -> Arc<dyn Store> {
        let options = Options { ballast_bytes: 0, free_bytes_min: 0, cache_bytes: 8 << 20, ..Options::default() };
        Arc::new(SledStore::open(self.0.path().join("store"), options).unwrap())
    }
}

/// Commits one put.
pub(crate) async fn put(store: &dyn Store, space: Space, key: &[u8], value: &[u8]) {
    let mut delta = Delta::new(store.epoch());
    delta.put(space, key, value);
    store.commit(delta).await.unwrap();
}

/// Commits one delete.
pub(crate) async fn delete(store: &dyn Store, space: Space, key: &[u8]) {
    let mut delta = Delta::new(store.epoch());
    delta.delete(space, key);
    store.commit(delta).await.unwrap();
}

/// Asserts the value of a key without printing megabytes.
pub(crate) async fn check(store: &dyn Store, space: Space, key: &[u8], expected: Option<&[u8]>) {
    let found = store.get(space, key).await.unwrap();
    let sizes = (found.as_ref().map(Vec::len), expected.map(<[u8]>::len));
    assert!(found.as_deref() == expected, "key {key:?} of {space:?}: sizes (found, expected) {sizes:?}");
}

/// The keys of a scan.
pub(crate) async fn keys(store: &dyn Store, scan: Scan) -> Vec<Vec<u8>> {
    store.scan(scan).await.unwrap().into_iter().map(|(key, _)| key).collect()
}

/// Bytes that differ by `seed` and position, so that a swapped or repeated part shows.
pub(crate) fn bytes(seed: u64, len: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    (0..len)
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state.to_le_bytes()[3]
        })
        .collect()
}
