//! A store over another: tables shine through, everything that is written stays here.
//!
//! Must never write to the store below.
//! Tests: below.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use flowdeck_engine::ports::store::KeyValue;
use flowdeck_engine::ports::{Delta, Op, Precondition, Scan, Space, Store, StoreError};
use flowdeck_store::MemoryStore;
use tokio::sync::RwLock;

/// Keys of the store below read at once.
const BATCH: usize = 256;

type Changes = BTreeMap<(Space, Vec<u8>), Option<Vec<u8>>>;

/// Tables of the store below with changes of its own; of other spaces only its own.
#[derive(Debug)]
pub(super) struct OverlayStore {
    below: Arc<dyn Store>,
    own: MemoryStore,
    tables: RwLock<Changes>,
}

impl OverlayStore {
    pub(super) fn new(below: Arc<dyn Store>) -> Self {
        Self { below, own: MemoryStore::new(), tables: RwLock::default() }
    }

    async fn look(&self, tables: &Changes, space: Space, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        match tables.get(&(space, key.to_vec())) {
            Some(changed) => Ok(changed.clone()),
            None => self.below.get(space, key).await,
        }
    }
}

fn shines_through(space: Space) -> bool {
    matches!(space, Space::Tables | Space::Rows)
}

#[async_trait]
impl Store for OverlayStore {
    fn epoch(&self) -> u64 {
        self.own.epoch()
    }

    async fn commit(&self, delta: Delta) -> Result<(), StoreError> {
        let mut tables = self.tables.write().await;
        let mut own = Delta::new(delta.epoch);
        for precondition in delta.preconditions {
            let (Precondition::Absent { space, key } | Precondition::Equals { space, key, .. }) = &precondition;
            if !shines_through(*space) {
                own.preconditions.push(precondition);
                continue;
            }
            let found = self.look(&tables, *space, key).await?;
            let holds = match &precondition {
                Precondition::Absent { .. } => found.is_none(),
                Precondition::Equals { value, .. } => found.as_ref() == Some(value),
            };
            if !holds {
                return Err(StoreError::Conflict);
            }
        }
        let mut changes = Vec::new();
        for op in delta.ops {
            match op {
                Op::Put { space, key, value } if shines_through(space) => changes.push(((space, key), Some(value))),
                Op::Delete { space, key } if shines_through(space) => changes.push(((space, key), None)),
                other => own.ops.push(other),
            }
        }
        self.own.commit(own).await?;
        tables.extend(changes);
        Ok(())
    }

    async fn get(&self, space: Space, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        if !shines_through(space) {
            return self.own.get(space, key).await;
        }
        self.look(&*self.tables.read().await, space, key).await
    }

    async fn scan(&self, scan: Scan) -> Result<Vec<KeyValue>, StoreError> {
        if !shines_through(scan.space) {
            return self.own.scan(scan).await;
        }
        let tables = self.tables.read().await;
        let past = |key: &[u8], after: &Option<Vec<u8>>| match after {
            None => true,
            Some(after) if scan.reverse => key < after.as_slice(),
            Some(after) => key > after.as_slice(),
        };
        let fits = |key: &[u8]| key.starts_with(&scan.prefix) && past(key, &scan.after);
        let mine = tables.iter().filter(|((space, key), value)| *space == scan.space && value.is_some() && fits(key));
        let value_of =
            |value: &Option<Vec<u8>>| if scan.keys_only { Vec::new() } else { value.clone().unwrap_or_default() };
        let mut all: BTreeMap<Vec<u8>, Vec<u8>> = mine.map(|((_, k), v)| (k.clone(), value_of(v))).collect();
        let mut below = Scan { limit: BATCH, ..scan.clone() };
        let mut found = 0;
        // Enough of the store below that the first `limit` of both together are among them.
        while found < scan.limit {
            let batch = self.below.scan(below.clone()).await?;
            let is_last = batch.len() < BATCH;
            below.after = batch.last().map(|(key, _)| key.clone());
            for (key, value) in batch {
                if !tables.contains_key(&(scan.space, key.clone())) {
                    found += 1;
                    all.insert(key, value);
                }
            }
            if is_last {
                break;
            }
        }
        let all = all.into_iter();
        Ok(if scan.reverse { all.rev().take(scan.limit).collect() } else { all.take(scan.limit).collect() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(found: Vec<KeyValue>) -> Vec<u8> {
        found.into_iter().map(|(key, _)| key[0]).collect()
    }

    #[tokio::test]
    async fn changes_are_seen_above_and_not_below() {
        let below = Arc::new(MemoryStore::new());
        let mut delta = Delta::new(below.epoch());
        for key in [b"a", b"c", b"e"] {
            delta.put(Space::Rows, key, b"old");
        }
        delta.put(Space::Runs, b"r", b"run");
        below.commit(delta).await.unwrap();
        let store = OverlayStore::new(below.clone());
        let mut delta = Delta::new(store.epoch());
        delta.expect_equals(Space::Rows, b"a", b"old").expect_absent(Space::Rows, b"b");
        delta.delete(Space::Rows, b"a").put(Space::Rows, b"b", b"new").put(Space::Rows, b"e", b"new");
        store.commit(delta.clone()).await.unwrap();
        assert_eq!(store.commit(delta).await, Err(StoreError::Conflict), "the changed rows are what counts");

        let forward = Scan::prefix(Space::Rows, Vec::new(), 10);
        assert_eq!(keys(store.scan(forward.clone()).await.unwrap()), b"bce");
        assert_eq!(keys(store.scan(Scan { limit: 2, reverse: true, ..forward.clone() }).await.unwrap()), b"ec");
        assert_eq!(keys(store.scan(Scan { after: Some(b"b".to_vec()), ..forward.clone() }).await.unwrap()), b"ce");
        assert_eq!(store.get(Space::Rows, b"a").await.unwrap(), None);
        assert_eq!(store.get(Space::Rows, b"e").await.unwrap(), Some(b"new".to_vec()));
        assert_eq!(store.get(Space::Runs, b"r").await.unwrap(), None, "runs below are another's");
        assert_eq!(keys(below.scan(forward).await.unwrap()), b"ace");
        assert_eq!(below.get(Space::Rows, b"e").await.unwrap(), Some(b"old".to_vec()));
    }
}
