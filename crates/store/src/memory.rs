//! The reference implementation: a sorted map behind a lock.
//!
//! Must never differ from the durable one in anything but durability.
//! Tests: `tests/contract.rs`.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use flowdeck_engine::ports::store::{Delta, KeyValue, Op, Precondition, Scan, Space, Store, StoreError};
use parking_lot::RwLock;

use crate::limits::{check_delta, scan_bounds, stored_key};

/// A store that lives as long as its handles; for tests, simulations and programs that keep nothing.
pub struct MemoryStore {
    shared: Arc<RwLock<Shared>>,
    epoch: u64,
}

struct Shared {
    epoch: u64,
    pairs: BTreeMap<Vec<u8>, Vec<u8>>,
}

impl MemoryStore {
    /// An empty store at epoch 1.
    #[must_use]
    pub fn new() -> Self {
        Self { shared: Arc::new(RwLock::new(Shared { epoch: 1, pairs: BTreeMap::new() })), epoch: 1 }
    }

    /// Opens the same content again, as a restarted process would: the epoch rises and every earlier handle
    /// is fenced.
    #[must_use]
    pub fn reopen(&self) -> Self {
        let mut shared = self.shared.write();
        shared.epoch += 1;
        Self { shared: Arc::clone(&self.shared), epoch: shared.epoch }
    }
}

impl Default for MemoryStore {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for MemoryStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let keys = self.shared.read().pairs.len();
        f.debug_struct("MemoryStore").field("epoch", &self.epoch).field("keys", &keys).finish()
    }
}

impl Shared {
    fn holds(&self, precondition: &Precondition) -> bool {
        match precondition {
            Precondition::Absent { space, key } => !self.pairs.contains_key(&stored_key(*space, key)),
            Precondition::Equals { space, key, value } => self.pairs.get(&stored_key(*space, key)) == Some(value),
        }
    }
}

#[async_trait]
impl Store for MemoryStore {
    fn epoch(&self) -> u64 {
        self.epoch
    }

    async fn commit(&self, delta: Delta) -> Result<(), StoreError> {
        check_delta(&delta)?;
        let mut shared = self.shared.write();
        if delta.epoch != shared.epoch {
            return Err(StoreError::Fenced { seen: delta.epoch, current: shared.epoch });
        }
        if !delta.preconditions.iter().all(|precondition| shared.holds(precondition)) {
            return Err(StoreError::Conflict);
        }
        for op in delta.ops {
            match op {
                Op::Put { space, key, value } => {
                    shared.pairs.insert(stored_key(space, &key), value);
                }
                Op::Delete { space, key } => {
                    shared.pairs.remove(&stored_key(space, &key));
                }
            }
        }
        Ok(())
    }

    async fn get(&self, space: Space, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self.shared.read().pairs.get(&stored_key(space, key)).cloned())
    }

    async fn scan(&self, scan: Scan) -> Result<Vec<KeyValue>, StoreError> {
        let Some(bounds) = scan_bounds(&scan) else { return Ok(Vec::new()) };
        let shared = self.shared.read();
        let range = shared.pairs.range(bounds);
        let take = |(key, value): (&Vec<u8>, &Vec<u8>)| {
            (key[1..].to_vec(), if scan.keys_only { Vec::new() } else { value.clone() })
        };
        Ok(if scan.reverse {
            range.rev().take(scan.limit).map(take).collect()
        } else {
            range.take(scan.limit).map(take).collect()
        })
    }
}
