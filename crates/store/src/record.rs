//! How a value lies in sled: in its record, in chunks, or in a file named by its hash.
//!
//! Must never make a record above 4 KiB, key included: sled leaks unsynced side files above. Tests: `tests/guards.rs`.

use sha2::{Digest, Sha256};

/// Largest record in sled, key included.
pub(crate) const RECORD_BYTES_MAX: usize = 4096;
/// Values above this go to files.
pub(crate) const SPLIT_BYTES_MAX: usize = 64 << 10;
const CHUNK_BYTES: usize = RECORD_BYTES_MAX - 11 - 5;
const CHUNK_SPACE: u8 = 0xF0;
const REFERENCE_SPACE: u8 = 0xF1;
/// Key of the store's own record.
pub(crate) const OWN_KEY: &[u8] = &[0];

/// Kinds beside inline (0), split (1) and blob (2): a chunk, the store's own record, a reference to a file.
pub(crate) const KIND_CHUNK: u8 = 3;
pub(crate) const KIND_OWN: u8 = 4;
pub(crate) const KIND_REFERENCE: u8 = 5;

/// What a record says about the value of its key.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Head<'a> {
    Inline(&'a [u8]),
    Split { id: u64, len: u32 },
    Blob { hash: [u8; 32], len: u32 },
}

/// Kind, sum over key and body, body.
pub(crate) fn seal(key: &[u8], kind: u8, body: &[u8]) -> Vec<u8> {
    let sum = crc32c::crc32c_append(crc32c::crc32c(key), body);
    let mut record = Vec::with_capacity(5 + body.len());
    record.push(kind);
    record.extend_from_slice(&sum.to_le_bytes());
    record.extend_from_slice(body);
    record
}

pub(crate) fn unseal<'a>(key: &[u8], record: &'a [u8]) -> Option<(u8, &'a [u8])> {
    let (kind, sum, body) = (*record.first()?, record.get(1..5)?, record.get(5..)?);
    (crc32c::crc32c_append(crc32c::crc32c(key), body).to_le_bytes() == *sum).then_some((kind, body))
}

pub(crate) fn head<'a>(key: &[u8], record: &'a [u8]) -> Option<Head<'a>> {
    match unseal(key, record)? {
        (0, body) => Some(Head::Inline(body)),
        (1, body) => Some(Head::Split {
            id: u64::from_le_bytes(body.get(..8)?.try_into().ok()?),
            len: u32::from_le_bytes(body.get(8..)?.try_into().ok()?),
        }),
        (2, body) => Some(Head::Blob {
            hash: body.get(..32)?.try_into().ok()?,
            len: u32::from_le_bytes(body.get(32..)?.try_into().ok()?),
        }),
        _ => None,
    }
}

pub(crate) fn is_inline(key: &[u8], value: &[u8]) -> bool {
    key.len() + 5 + value.len() <= RECORD_BYTES_MAX
}

pub(crate) fn split_head(key: &[u8], id: u64, len: usize) -> Vec<u8> {
    seal(key, 1, &[&id.to_le_bytes()[..], &(len as u32).to_le_bytes()].concat())
}

pub(crate) fn blob_head(key: &[u8], hash: &[u8; 32], len: usize) -> Vec<u8> {
    seal(key, 2, &[&hash[..], &(len as u32).to_le_bytes()].concat())
}

pub(crate) fn chunk_key(id: u64, index: usize) -> Vec<u8> {
    [&[CHUNK_SPACE][..], &id.to_be_bytes(), &(index as u16).to_be_bytes()].concat()
}

/// Key of the record that says: this key's value is the file of this hash. Its prefix finds all keys of a file.
pub(crate) fn reference_key(hash: &[u8; 32], key: &[u8]) -> Vec<u8> {
    [&[REFERENCE_SPACE][..], hash, key].concat()
}

pub(crate) fn reference(reference_key: &[u8]) -> Vec<u8> {
    seal(reference_key, KIND_REFERENCE, &[])
}

pub(crate) fn chunks(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    value.chunks(CHUNK_BYTES)
}

pub(crate) fn chunk_count(len: u32) -> usize {
    (len as usize).div_ceil(CHUNK_BYTES)
}

pub(crate) fn hash(value: &[u8]) -> [u8; 32] {
    Sha256::digest(value).into()
}
