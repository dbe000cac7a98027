//! What every implementation checks before it looks at its data: sizes, and the bounds of a scan.
//!
//! Pure; must never depend on what is stored. Tests: below, and the limit cases of `tests/contract.rs`.

use std::ops::Bound;

use flowdeck_engine::ports::store::{
    Delta, KEY_BYTES_MAX, OPS_MAX, Op, Precondition, Scan, Space, StoreError, VALUE_BYTES_MAX,
};

/// Most bytes of keys and values in one commit (256 MiB).
pub const DELTA_BYTES_MAX: usize = 256 << 20;

/// Refuses a commit that is above a limit.
pub(crate) fn check_delta(delta: &Delta) -> Result<(), StoreError> {
    at_most("number of operations", delta.ops.len(), OPS_MAX)?;
    at_most("number of preconditions", delta.preconditions.len(), OPS_MAX)?;
    let mut total = 0_usize;
    for op in &delta.ops {
        total = total.saturating_add(match op {
            Op::Put { key, value, .. } => check_pair(key, value)?,
            Op::Delete { key, .. } => check_pair(key, &[])?,
        });
    }
    for precondition in &delta.preconditions {
        total = total.saturating_add(match precondition {
            Precondition::Absent { key, .. } => check_pair(key, &[])?,
            Precondition::Equals { key, value, .. } => check_pair(key, value)?,
        });
    }
    at_most("size of the commit", total, DELTA_BYTES_MAX)
}

fn check_pair(key: &[u8], value: &[u8]) -> Result<usize, StoreError> {
    at_most("length of a key", key.len(), KEY_BYTES_MAX)?;
    at_most("size of a value", value.len(), VALUE_BYTES_MAX)?;
    Ok(key.len() + value.len())
}

fn at_most(what: &'static str, size: usize, limit: usize) -> Result<(), StoreError> {
    if size > limit { Err(StoreError::TooLarge { what, size, limit }) } else { Ok(()) }
}

/// The key as it is stored: its space, then its bytes.
pub(crate) fn stored_key(space: Space, key: &[u8]) -> Vec<u8> {
    let mut stored = Vec::with_capacity(1 + key.len());
    stored.push(space as u8);
    stored.extend_from_slice(key);
    stored
}

/// Where a scan begins and ends among stored keys; `None` if nothing can lie between.
#[allow(clippy::type_complexity)]
pub(crate) fn scan_bounds(scan: &Scan) -> Option<(Bound<Vec<u8>>, Bound<Vec<u8>>)> {
    if scan.limit == 0 {
        return None;
    }
    let first = stored_key(scan.space, &scan.prefix);
    let end = successor(&first);
    let mut low = Bound::Included(first.clone());
    let mut high = end.clone().map_or(Bound::Unbounded, Bound::Excluded);
    if let Some(after) = &scan.after {
        let after = stored_key(scan.space, after);
        let past_end = end.as_ref().is_some_and(|end| after >= *end);
        let before_first = after < first;
        match (scan.reverse, before_first, past_end) {
            (false, true, _) | (true, _, true) => {}
            (false, _, true) | (true, true, _) => return None,
            (false, ..) => low = Bound::Excluded(after),
            (true, ..) if after == first => return None,
            (true, ..) => high = Bound::Excluded(after),
        }
    }
    Some((low, high))
}

/// The smallest key above every key that begins with `prefix`.
fn successor(prefix: &[u8]) -> Option<Vec<u8>> {
    let mut end = prefix.to_vec();
    while let Some(last) = end.pop() {
        if last < u8::MAX {
            end.push(last + 1);
            return Some(end);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_successor_skips_bytes_that_cannot_grow() {
        assert_eq!(successor(b"\x06ab"), Some(b"\x06ac".to_vec()));
        assert_eq!(successor(b"\x06a\xff\xff"), Some(b"\x06b".to_vec()));
        assert_eq!(successor(b"\xff"), None);
    }

    #[test]
    fn a_scan_after_its_own_last_key_is_empty_in_both_directions() {
        let mut scan = Scan::prefix(Space::Runs, b"m".to_vec(), 1);
        scan.after = Some(b"n".to_vec());
        assert_eq!(scan_bounds(&scan), None);
        scan.reverse = true;
        scan.after = Some(b"m".to_vec());
        assert_eq!(scan_bounds(&scan), None);
    }

    #[test]
    fn the_sum_of_a_commit_is_limited() {
        let mut delta = Delta::new(1);
        for n in 0..5_u8 {
            delta.put(Space::Rows, vec![n], vec![0; VALUE_BYTES_MAX]);
        }
        assert!(matches!(check_delta(&delta), Err(StoreError::TooLarge { what: "size of the commit", .. })));
    }
}
