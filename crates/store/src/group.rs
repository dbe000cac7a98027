//! The records that one group of commits changes, and their encoding in the log.
//!
//! Must never make a record above 4 KiB, and never be half-filled: all reads of a commit come before its changes.
//! Tests: below, `tests/contract.rs`, `tests/guards.rs`.

use std::collections::HashMap;

use flowdeck_engine::ports::store::{Delta, Op, Precondition, StoreError};

use crate::account::{self, ACCOUNT_BYTES, Account};
use crate::fault;
use crate::limits::stored_key;
use crate::log::FRAME_HEAD_BYTES;
use crate::read::Reader;
use crate::record::{self, Head};

/// What else belongs to a record and goes when it goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Tail {
    None,
    Split { id: u64, len: u32 },
    Blob([u8; 32]),
}

impl Tail {
    fn of(key: &[u8], record: &[u8]) -> Option<Self> {
        Some(match record::head(key, record)? {
            Head::Inline(_) => Self::None,
            Head::Split { id, len } => Self::Split { id, len },
            Head::Blob { hash, .. } => Self::Blob(hash),
        })
    }
}

/// One record: what sled has of it, and the last word on it.
#[derive(Debug)]
struct Change {
    /// What the stored record adds to the account.
    old: Option<u64>,
    /// `None`: as stored. `Some(None)`: removed.
    new: Option<Option<Vec<u8>>>,
    tail: Tail,
}

impl Change {
    fn absent() -> Self {
        Self { old: None, new: None, tail: Tail::None }
    }
}

#[derive(Debug, Default)]
pub(crate) struct Group {
    changes: HashMap<Vec<u8>, Change>,
    /// Bytes of keys and records, roughly.
    pub bytes: usize,
}

impl Group {
    /// Whether every precondition holds after the commits that are in the group already.
    pub(crate) fn check(&self, reader: &Reader, delta: &Delta) -> Result<(), StoreError> {
        for precondition in &delta.preconditions {
            let (space, key, expected) = match precondition {
                Precondition::Absent { space, key } => (space, key, None),
                Precondition::Equals { space, key, value } => (space, key, Some(value)),
            };
            if self.current(reader, &stored_key(*space, key))?.as_ref() != expected {
                return Err(StoreError::Conflict);
            }
        }
        Ok(())
    }

    /// Reads what the commit replaces. After an error the group is as it was, but for records that stay as stored.
    pub(crate) fn prepare(&mut self, reader: &Reader, delta: &Delta) -> Result<(), StoreError> {
        for op in &delta.ops {
            let (Op::Put { space, key, .. } | Op::Delete { space, key }) = op;
            let key = stored_key(*space, key);
            if self.changes.contains_key(&key) {
                continue;
            }
            let broken = || fault::damaged(&reader.folder, "a record's checksum is wrong");
            let mut change = Change::absent();
            if let Some(found) = reader.record(&key)? {
                change.old = Some(account::mark(&found));
                change.tail = Tail::of(&key, &found).ok_or_else(broken)?;
                for part in parts(change.tail, &key) {
                    let stored = reader.record(&part)?;
                    let old = stored.as_deref().map(account::mark);
                    self.changes.entry(part).or_insert(Change { old, ..Change::absent() });
                }
            }
            self.changes.insert(key, change);
        }
        Ok(())
    }

    /// Takes the changes of a prepared commit, whose large values are files already.
    pub(crate) fn add(&mut self, account: &mut Account, delta: &Delta) {
        for op in &delta.ops {
            let (Op::Put { space, key, .. } | Op::Delete { space, key }) = op;
            let key = stored_key(*space, key);
            if let Some(change) = self.changes.get(&key) {
                for part in parts(change.tail, &key) {
                    self.set(part, None, Tail::None);
                }
            }
            let Op::Put { value, .. } = op else {
                self.set(key, None, Tail::None);
                continue;
            };
            let (head, tail) = if record::is_inline(&key, value) {
                (record::seal(&key, 0, value), Tail::None)
            } else if value.len() > record::SPLIT_BYTES_MAX {
                let hash = record::hash(value);
                let reference = record::reference_key(&hash, &key);
                let sealed = record::reference(&reference);
                self.set(reference, Some(sealed), Tail::None);
                (record::blob_head(&key, &hash, value.len()), Tail::Blob(hash))
            } else {
                account.next_id += 1;
                for (index, chunk) in record::chunks(value).enumerate() {
                    let key = record::chunk_key(account.next_id, index);
                    let sealed = record::seal(&key, record::KIND_CHUNK, chunk);
                    self.set(key, Some(sealed), Tail::None);
                }
                let tail = Tail::Split { id: account.next_id, len: value.len() as u32 };
                (record::split_head(&key, account.next_id, value.len()), tail)
            };
            self.set(key, Some(head), tail);
        }
    }

    fn set(&mut self, key: Vec<u8>, record: Option<Vec<u8>>, tail: Tail) {
        debug_assert!(record.as_ref().is_none_or(|record| key.len() + record.len() <= record::RECORD_BYTES_MAX));
        self.bytes += key.len() + record.as_ref().map_or(0, Vec::len);
        let change = self.changes.entry(key).or_insert_with(Change::absent);
        change.new = Some(record);
        change.tail = tail;
    }

    /// A record as the commits in the group leave it.
    fn record(&self, reader: &Reader, key: &[u8]) -> Result<Option<sled::IVec>, StoreError> {
        match self.changes.get(key).and_then(|change| change.new.as_ref()) {
            Some(newer) => Ok(newer.as_deref().map(sled::IVec::from)),
            None => reader.record(key),
        }
    }

    fn current(&self, reader: &Reader, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        let Some(found) = self.record(reader, key)? else { return Ok(None) };
        let Some(Head::Split { id, len }) = record::head(key, &found) else { return reader.resolve(key, found) };
        let mut value = Vec::new();
        for index in 0..record::chunk_count(len) {
            let key = record::chunk_key(id, index);
            let chunk = self.record(reader, &key)?;
            let part = chunk.as_ref().and_then(|chunk| record::unseal(&key, chunk));
            value.extend_from_slice(part.ok_or_else(|| fault::damaged(&reader.folder, "a chunk is missing"))?.1);
        }
        Ok(Some(value))
    }

    /// Fills `frame` behind its head, and answers the batch for sled with the account after it.
    pub(crate) fn encode(self, mut account: Account, frame: &mut Vec<u8>) -> (Account, sled::Batch) {
        frame.clear();
        frame.resize(FRAME_HEAD_BYTES + ACCOUNT_BYTES, 0);
        let mut batch = sled::Batch::default();
        for (key, change) in self.changes {
            let Some(record) = change.new else { continue };
            if let Some(old) = change.old {
                account.remove(old);
            } else if record.is_none() {
                continue;
            }
            push(frame, &key, record.as_deref());
            match record {
                Some(record) => {
                    account.add(account::mark(&record));
                    batch.insert(key, record);
                }
                None => batch.remove(key),
            }
        }
        frame[FRAME_HEAD_BYTES..][..ACCOUNT_BYTES].copy_from_slice(&account.encode());
        (account, batch)
    }
}

/// Stands where a record's length does; a record is never that long.
const REMOVED: u16 = u16::MAX;

/// Appends one record, or its removal, to a payload.
pub(crate) fn push(payload: &mut Vec<u8>, key: &[u8], record: Option<&[u8]>) {
    payload.extend_from_slice(&(key.len() as u16).to_le_bytes());
    payload.extend_from_slice(&record.map_or(REMOVED, |record| record.len() as u16).to_le_bytes());
    payload.extend_from_slice(key);
    payload.extend_from_slice(record.unwrap_or_default());
}

fn parts(tail: Tail, key: &[u8]) -> Vec<Vec<u8>> {
    match tail {
        Tail::None => Vec::new(),
        Tail::Split { id, len } => (0..record::chunk_count(len)).map(|index| record::chunk_key(id, index)).collect(),
        Tail::Blob(hash) => vec![record::reference_key(&hash, key)],
    }
}

/// The account and the records of a logged group; `None` if the bytes are not one.
pub(crate) fn decode(payload: &[u8]) -> Option<(Account, sled::Batch)> {
    let account = Account::decode(payload)?;
    let (mut rest, mut batch) = (payload.get(ACCOUNT_BYTES..)?, sled::Batch::default());
    while !rest.is_empty() {
        let key_len = usize::from(u16::from_le_bytes(rest.get(..2)?.try_into().ok()?));
        let value_len = u16::from_le_bytes(rest.get(2..4)?.try_into().ok()?);
        let key = rest.get(4..4 + key_len)?;
        rest = rest.get(4 + key_len..)?;
        if value_len == REMOVED {
            batch.remove(key);
        } else {
            batch.insert(key, rest.get(..usize::from(value_len))?);
            rest = rest.get(usize::from(value_len)..)?;
        }
    }
    Some((account, batch))
}

#[cfg(test)]
mod tests {
    use flowdeck_engine::ports::store::Space;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_logged_group_reads_back_as_the_batch_that_was_applied() {
        let (mut group, mut delta) = (Group::default(), Delta::new(1));
        delta.put(Space::Rows, b"a", b"1").put(Space::Rows, b"b", vec![2; 9000]).delete(Space::Rows, b"a");
        let mut before = Account::default();
        group.add(&mut before, &delta);
        let mut frame = Vec::new();
        let (after, batch) = group.encode(before, &mut frame);
        let (logged, replayed) = decode(&frame[FRAME_HEAD_BYTES..]).unwrap();
        assert_eq!((logged, format!("{replayed:?}").len()), (after, format!("{batch:?}").len()));
        assert_eq!(after.records, 4, "a head and three chunks");
    }

    proptest! {
        #[test]
        fn no_payload_makes_the_reader_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            decode(&bytes);
        }
    }
}
