//! Walks the whole store and compares it with what the store knows about itself.
//!
//! Must never change anything. Tests: `tests/damage.rs`, `tests/guards.rs`.

use std::collections::HashSet;
use std::fs;

use flowdeck_engine::ports::store::StoreError;

use crate::account::{self, Account};
use crate::fault;
use crate::read::Reader;
use crate::record::{self, Head};

/// What a check found to be whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct CheckReport {
    /// Keys with a value, over all spaces.
    pub keys: u64,
    /// Chunks of split values.
    pub chunks: u64,
    /// Files that hold large values.
    pub blobs: u64,
}

/// Reads every record; with `blobs` also every file a record names.
pub(crate) fn walk(reader: &Reader, expected: Account, blobs: bool) -> Result<CheckReport, StoreError> {
    let broken = |what: &str| fault::damaged(&reader.folder, what);
    let (mut found, mut report) = (Account { records: 0, sum: 0, ..expected }, CheckReport::default());
    let mut named = HashSet::new();
    let mut records = reader.guarded(|| Ok(reader.db.iter()))?;
    while let Some((key, record)) = reader.guarded(|| records.next().transpose())? {
        if key == record::OWN_KEY {
            continue;
        }
        found.add(account::mark(&record));
        match sound(reader, &key, &record)? {
            record::KIND_CHUNK => report.chunks += 1,
            record::KIND_REFERENCE => {}
            _ => report.keys += 1,
        }
        if let Some(Head::Blob { hash, .. }) = record::head(&key, &record)
            && blobs
        {
            if reader.record(&record::reference_key(&hash, &key))?.is_none() {
                return Err(broken("the record that keeps a large value's file is missing"));
            }
            if named.insert(hash) {
                reader.resolve(&key, record)?;
            }
        }
    }
    report.blobs = named.len() as u64;
    if found != expected {
        return Err(differs(reader, found, expected));
    }
    Ok(report)
}

/// What sort a record is, if its checksum is right.
pub(crate) fn sound(reader: &Reader, key: &[u8], record: &[u8]) -> Result<u8, StoreError> {
    let found = record::unseal(key, record).map(|(kind, _)| kind);
    found.ok_or_else(|| fault::damaged(&reader.folder, "a record's checksum is wrong"))
}

/// Some record is missing, or one too many is there.
pub(crate) fn differs(reader: &Reader, found: Account, expected: Account) -> StoreError {
    let what = format!("{} records were found, {} belong here", found.records, expected.records);
    fault::damaged(&reader.folder, what)
}

/// Bytes of all files below a folder.
pub(crate) fn folder_bytes(folder: &std::path::Path) -> std::io::Result<u64> {
    let mut total = 0;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let kind = entry.metadata()?;
        total += if kind.is_dir() { folder_bytes(&entry.path())? } else { kind.len() };
    }
    Ok(total)
}
