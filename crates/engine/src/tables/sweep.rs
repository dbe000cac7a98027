//! Removes rows of generations that a clear or an import left behind.
//!
//! Must never touch the current generation.
//! Tests: `tests.rs` in this folder.

use super::definition::{all, encode};
use super::error::TableError;
use crate::ports::store::{Delta, Scan, Space, Store};

/// Most keys removed by one delta.
const SWEEP_KEYS_MAX: usize = 1_000;

/// The next deltas to commit, at most one a table; none when nothing is left. A conflict is harmless: ask again.
///
/// # Errors
/// `table-error` when what is stored is damaged; the store's error when it cannot answer.
pub async fn sweep(store: &dyn Store) -> Result<Vec<Delta>, TableError> {
    let mut deltas = Vec::new();
    for table in all(store).await? {
        let Some(generation) = table.definition.old.first().copied() else { continue };
        let mut delta = Delta::new(store.epoch());
        delta.expect_equals(Space::Tables, table.key.clone(), table.bytes.clone());
        let prefixes = [
            (Space::Rows, table.definition.rows_prefix(generation)),
            (Space::Tables, table.definition.claims_prefix(generation)),
        ];
        for (space, prefix) in prefixes {
            let room = SWEEP_KEYS_MAX - delta.ops.len();
            if room == 0 {
                break;
            }
            let mut scan = Scan::prefix(space, prefix, room);
            scan.keys_only = true;
            for (key, _) in store.scan(scan).await? {
                delta.delete(space, key);
            }
        }
        if delta.ops.len() < SWEEP_KEYS_MAX {
            let mut next = table.definition.clone();
            next.old.remove(0);
            delta.put(Space::Tables, table.key, encode(&next)?);
        }
        deltas.push(delta);
    }
    Ok(deltas)
}
