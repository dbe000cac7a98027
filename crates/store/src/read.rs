//! Reads values back whole from sled and the blob files.
//!
//! Must never answer with a part of a value, and never panic on what it reads. Tests: `tests/contract.rs`.

use std::fs;
use std::io::ErrorKind;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;

use flowdeck_engine::ports::store::{KeyValue, Scan, StoreError};

use crate::limits::scan_bounds;
use crate::record::{self, Head};
use crate::{blobs, fault};

/// A read meets a value that is being replaced; a writer cannot win this often.
const TRIES_MAX: usize = 10_000;

#[derive(Debug, Clone)]
pub(crate) struct Reader {
    pub db: sled::Db,
    pub folder: PathBuf,
}

impl Reader {
    pub(crate) fn record(&self, key: &[u8]) -> Result<Option<sled::IVec>, StoreError> {
        self.guarded(|| self.db.get(key))
    }

    /// sled panics on some damage; here that becomes an error.
    pub(crate) fn guarded<T>(&self, read: impl FnOnce() -> sled::Result<T>) -> Result<T, StoreError> {
        match catch_unwind(AssertUnwindSafe(read)) {
            Ok(Ok(found)) => Ok(found),
            // A read past the end of a cut file is damage, everything else is the system's answer.
            Ok(Err(sled::Error::Io(cause))) if cause.kind() != ErrorKind::UnexpectedEof => {
                Err(fault::io(&self.folder, "read or write sled's files", cause))
            }
            Ok(Err(cause)) => Err(fault::damaged(&self.folder, format!("sled cannot read a record: {cause}"))),
            Err(_) => Err(fault::damaged(&self.folder, "sled panicked while it read a record")),
        }
    }

    pub(crate) fn value(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        match self.record(key)? {
            Some(found) => self.resolve(key, found),
            None => Ok(None),
        }
    }

    pub(crate) fn scan(&self, scan: &Scan) -> Result<Vec<KeyValue>, StoreError> {
        let Some(bounds) = scan_bounds(scan) else { return Ok(Vec::new()) };
        let mut range = self.guarded(|| Ok(self.db.range(bounds)))?;
        let mut pairs = Vec::new();
        while pairs.len() < scan.limit {
            let next = self.guarded(|| if scan.reverse { range.next_back() } else { range.next() }.transpose())?;
            let Some((key, found)) = next else { break };
            let value = if scan.keys_only { Some(Vec::new()) } else { self.resolve(&key, found)? };
            pairs.extend(value.map(|value| (key[1..].to_vec(), value)));
        }
        Ok(pairs)
    }

    /// The value behind a record; the newest one if the record was replaced meanwhile.
    pub(crate) fn resolve(&self, key: &[u8], mut found: sled::IVec) -> Result<Option<Vec<u8>>, StoreError> {
        for _ in 0..TRIES_MAX {
            let head = record::head(key, &found).ok_or_else(|| self.broken("a record's checksum is wrong"))?;
            if let Some(value) = self.whole(&head)? {
                return Ok(Some(value));
            }
            match self.record(key)? {
                Some(newer) if newer != found => found = newer,
                Some(_) => return Err(self.broken("a part of a large value is missing or changed")),
                None => return Ok(None),
            }
        }
        Err(fault::says(&self.folder, "read a value", "it is replaced faster than it can be read"))
    }

    fn whole(&self, head: &Head<'_>) -> Result<Option<Vec<u8>>, StoreError> {
        match head {
            Head::Inline(value) => Ok(Some(value.to_vec())),
            Head::Split { id, len } => {
                let mut value = Vec::new();
                for index in 0..record::chunk_count(*len) {
                    let key = record::chunk_key(*id, index);
                    let Some(chunk) = self.record(&key)? else { return Ok(None) };
                    let Some((record::KIND_CHUNK, part)) = record::unseal(&key, &chunk) else { return Ok(None) };
                    value.extend_from_slice(part);
                }
                Ok((value.len() == *len as usize).then_some(value))
            }
            Head::Blob { hash, .. } => {
                let value = fs::read(blobs::path(&self.folder, hash)).ok();
                Ok(value.filter(|value| record::hash(value) == *hash))
            }
        }
    }

    fn broken(&self, what: &str) -> StoreError {
        fault::damaged(&self.folder, what)
    }
}
