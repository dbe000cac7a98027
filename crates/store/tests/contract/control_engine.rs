//! The control engine: the port on `redb`, so that the suite cannot lean on a quirk of our own store.
//!
//! Must never be shipped; it lives only in tests.

use std::path::Path;

use async_trait::async_trait;
use flowdeck_engine::ports::store::{
    Delta, KEY_BYTES_MAX, KeyValue, OPS_MAX, Op, Precondition, Scan, Space, Store, StoreError, VALUE_BYTES_MAX,
};
use redb::{Database, Durability, ReadableDatabase, ReadableTable, TableDefinition};

const PAIRS: TableDefinition<'_, (u8, &[u8]), &[u8]> = TableDefinition::new("pairs");
const COUNTERS: TableDefinition<'_, &str, u64> = TableDefinition::new("counters");

pub(crate) struct ControlStore {
    database: Database,
    epoch: u64,
}

impl std::fmt::Debug for ControlStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ControlStore").field("epoch", &self.epoch).finish_non_exhaustive()
    }
}

impl ControlStore {
    pub(crate) fn open(path: &Path) -> Self {
        let database = Database::create(path).unwrap();
        let write = database.begin_write().unwrap();
        let epoch = {
            let mut counters = write.open_table(COUNTERS).unwrap();
            let epoch = counters.get("epoch").unwrap().map_or(0, |old| old.value()) + 1;
            counters.insert("epoch", epoch).unwrap();
            write.open_table(PAIRS).unwrap();
            epoch
        };
        write.commit().unwrap();
        Self { database, epoch }
    }
}

fn sizes(delta: &Delta) -> Result<(), StoreError> {
    let limit = |what, size, limit| {
        if size > limit { Err(StoreError::TooLarge { what, size, limit }) } else { Ok(()) }
    };
    limit("operations", delta.ops.len(), OPS_MAX)?;
    for op in &delta.ops {
        match op {
            Op::Put { key, value, .. } => {
                limit("key", key.len(), KEY_BYTES_MAX)?;
                limit("value", value.len(), VALUE_BYTES_MAX)?;
            }
            Op::Delete { key, .. } => limit("key", key.len(), KEY_BYTES_MAX)?,
        }
    }
    for precondition in &delta.preconditions {
        let (Precondition::Absent { key, .. } | Precondition::Equals { key, .. }) = precondition;
        limit("key", key.len(), KEY_BYTES_MAX)?;
    }
    Ok(())
}

#[async_trait]
impl Store for ControlStore {
    fn epoch(&self) -> u64 {
        self.epoch
    }

    async fn commit(&self, delta: Delta) -> Result<(), StoreError> {
        sizes(&delta)?;
        if delta.epoch != self.epoch {
            return Err(StoreError::Fenced { seen: delta.epoch, current: self.epoch });
        }
        let mut write = self.database.begin_write().unwrap();
        // Durability is not what the control engine is for.
        write.set_durability(Durability::None).unwrap();
        {
            let mut pairs = write.open_table(PAIRS).unwrap();
            for precondition in &delta.preconditions {
                let holds = match precondition {
                    Precondition::Absent { space, key } => pairs.get((*space as u8, key.as_slice())).unwrap().is_none(),
                    Precondition::Equals { space, key, value } => pairs
                        .get((*space as u8, key.as_slice()))
                        .unwrap()
                        .is_some_and(|found| found.value() == value.as_slice()),
                };
                if !holds {
                    return Err(StoreError::Conflict);
                }
            }
            for op in &delta.ops {
                match op {
                    Op::Put { space, key, value } => {
                        pairs.insert((*space as u8, key.as_slice()), value.as_slice()).unwrap();
                    }
                    Op::Delete { space, key } => {
                        pairs.remove((*space as u8, key.as_slice())).unwrap();
                    }
                }
            }
        }
        write.commit().unwrap();
        Ok(())
    }

    async fn get(&self, space: Space, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        let pairs = self.database.begin_read().unwrap().open_table(PAIRS).unwrap();
        Ok(pairs.get((space as u8, key)).unwrap().map(|found| found.value().to_vec()))
    }

    /// Filters the whole space one pair at a time: slow, and obviously what the port says.
    async fn scan(&self, scan: Scan) -> Result<Vec<KeyValue>, StoreError> {
        let pairs = self.database.begin_read().unwrap().open_table(PAIRS).unwrap();
        let mut found = Vec::new();
        for pair in pairs.iter().unwrap() {
            let (key, value) = pair.unwrap();
            let (space, key) = key.value();
            if space != scan.space as u8 || !key.starts_with(&scan.prefix) {
                continue;
            }
            let passed = scan.after.as_deref().is_none_or(|after| if scan.reverse { key < after } else { key > after });
            if passed {
                found.push((key.to_vec(), if scan.keys_only { Vec::new() } else { value.value().to_vec() }));
            }
        }
        if scan.reverse {
            found.reverse();
        }
        found.truncate(scan.limit);
        Ok(found)
    }
}
