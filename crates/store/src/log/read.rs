//! Reads the log at open: the newest segment, checked frame by frame against chain and witness.
//!
//! Must never cut anything that may have been acknowledged; what it cannot explain is an error.
//! Tests: below, `tests/damage.rs`, `tests/power.rs`.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::frame::{Chain, FRAME_HEAD_BYTES, SEGMENT_HEAD_BYTES, SegmentHead, decode_frame, holds_later_frame};
use super::witness;

/// The log as it was found.
#[derive(Debug)]
pub(crate) struct Found {
    /// The first sequence of the newest segment: all before it is durable in sled.
    pub first_sequence: u64,
    /// The last whole frame, or `first_sequence - 1`.
    pub last_sequence: u64,
    /// The chain after the last whole frame.
    pub chain: Chain,
    /// Where the next frame goes.
    pub end: u64,
    /// Bytes behind the last whole frame, never acknowledged.
    pub torn_bytes: u64,
    /// Segments that a checkpoint made superfluous.
    pub obsolete: Vec<PathBuf>,
    bytes: Vec<u8>,
}

impl Found {
    /// The payloads with their sequences, in order.
    pub(crate) fn frames(&self) -> impl Iterator<Item = (u64, &[u8])> {
        let mut at = SEGMENT_HEAD_BYTES;
        (self.first_sequence..=self.last_sequence).map(move |sequence| {
            let len = super::frame::FrameHead::decode(&self.bytes[at..]).map_or(0, |head| head.len as usize);
            let start = at + FRAME_HEAD_BYTES;
            at = start + len;
            (sequence, &self.bytes[start..at])
        })
    }
}

/// Why a log cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LogFault {
    #[error("the commit log cannot be read: {0}")]
    Io(#[from] io::Error),
    #[error("{0}")]
    Damaged(String),
}

pub(crate) fn segment_path(folder: &Path, first_sequence: u64) -> PathBuf {
    folder.join(format!("{first_sequence:020}.log"))
}

/// Reads the newest segment of `folder`. `applied` is the sequence that sled reflects.
pub(crate) fn read(folder: &Path, applied: u64) -> Result<Found, LogFault> {
    let mut names: Vec<u64> = Vec::new();
    for entry in fs::read_dir(folder)? {
        let name = entry?.file_name();
        let number: Option<u64> =
            name.to_str().and_then(|name| name.strip_suffix(".log")).and_then(|stem| stem.parse().ok());
        names.extend(number);
    }
    names.sort_unstable();
    let Some(newest) = names.pop() else {
        return Err(LogFault::Damaged("the commit log has no segment".to_owned()));
    };
    let witness = match fs::read(folder.join(witness::NAME)) {
        Ok(bytes) => witness::decode(&bytes),
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => None,
        Err(cause) => return Err(cause.into()),
    };
    let bytes = fs::read(segment_path(folder, newest))?;
    let mut found = walk(bytes, newest, applied, witness).map_err(LogFault::Damaged)?;
    found.obsolete = names.into_iter().map(|name| segment_path(folder, name)).collect();
    Ok(found)
}

fn walk(bytes: Vec<u8>, newest: u64, applied: u64, witness: Option<(u64, Chain)>) -> Result<Found, String> {
    let head = SegmentHead::decode(&bytes).filter(|head| head.first_sequence == newest && newest > 0);
    let head = head.ok_or_else(|| format!("the head of commit log segment {newest} is not readable"))?;
    let (mut at, mut next, mut chain) = (SEGMENT_HEAD_BYTES, newest, head.chain);
    let mut witnessed =
        witness.is_none_or(|(sequence, seen)| sequence < newest || (sequence, seen) == (newest - 1, chain));
    while let Some(frame) = decode_frame(&bytes[at..], next, &chain) {
        at += FRAME_HEAD_BYTES + frame.payload.len();
        chain = frame.head.chain;
        witnessed |= witness == Some((next, chain));
        next = next.checked_add(1).ok_or("the commit log has no sequence left")?;
    }
    let last = next - 1;
    if applied > last {
        return Err(format!("the commit log ends at {last}, but {applied} was applied: its end is missing"));
    }
    if !witnessed {
        return Err(format!("the commit log ends at {last}, but later commits were acknowledged"));
    }
    if applied + 1 < newest {
        return Err(format!("the store reflects commit {applied}, but the commit log starts at {newest}"));
    }
    // One group is in flight at a time, so only the last frame can be torn.
    if holds_later_frame(&bytes[at..], next) {
        return Err(format!("commit {next} in the log is damaged, later ones are not"));
    }
    let torn_bytes = (bytes.len() - at) as u64;
    Ok(Found {
        first_sequence: newest,
        last_sequence: last,
        chain,
        end: at as u64,
        torn_bytes,
        obsolete: Vec::new(),
        bytes,
    })
}

#[cfg(test)]
mod tests {
    use super::super::frame::FrameHead;
    use super::*;

    /// A segment from 10 with three frames; also the chain after each and where each starts.
    fn segment() -> (Vec<u8>, Vec<Chain>, Vec<usize>) {
        let mut bytes = SegmentHead { first_sequence: 10, chain: [1; 16] }.encode().to_vec();
        let (mut chains, mut starts) = (vec![[1; 16]], Vec::new());
        for sequence in 10..13 {
            let payload = vec![sequence as u8; 20];
            let head = FrameHead::of(&payload, sequence, chains.last().unwrap());
            starts.push(bytes.len());
            bytes.extend(head.encode());
            bytes.extend(payload);
            chains.push(head.chain);
        }
        (bytes, chains, starts)
    }

    #[test]
    fn a_whole_segment_is_read_to_its_end() {
        let (bytes, chains, _) = segment();
        let found = walk(bytes, 10, 9, Some((12, chains[3]))).unwrap();
        assert_eq!((found.last_sequence, found.torn_bytes), (12, 0));
        let frames: Vec<_> = found.frames().map(|(sequence, payload)| (sequence, payload[0])).collect();
        assert_eq!(frames, [(10, 10), (11, 11), (12, 12)]);
    }

    #[test]
    fn every_cut_of_the_unacknowledged_last_frame_is_a_torn_tail() {
        let (bytes, chains, starts) = segment();
        for len in starts[2]..bytes.len() {
            let found = walk(bytes[..len].to_vec(), 10, 11, Some((11, chains[2]))).unwrap();
            assert_eq!((found.last_sequence, found.torn_bytes), (11, (len - starts[2]) as u64));
        }
    }

    #[test]
    fn a_cut_of_an_acknowledged_frame_is_damage() {
        let (bytes, chains, _) = segment();
        let cut = bytes[..bytes.len() - 1].to_vec();
        walk(cut.clone(), 10, 11, Some((12, chains[3]))).unwrap_err();
        walk(cut, 10, 12, None).unwrap_err();
    }

    #[test]
    fn every_flipped_bit_before_the_last_frame_is_damage() {
        let (bytes, chains, starts) = segment();
        for at in 0..starts[2] {
            let mut flipped = bytes.clone();
            flipped[at] ^= 4;
            assert!(walk(flipped, 10, 9, Some((10, chains[1]))).is_err(), "byte {at}");
        }
    }

    #[test]
    fn a_missing_and_a_swapped_frame_are_damage() {
        let (bytes, _, starts) = segment();
        let mut hole = bytes[..starts[1]].to_vec();
        hole.extend_from_slice(&bytes[starts[2]..]);
        walk(hole, 10, 9, None).unwrap_err();
        let mut swapped = bytes[..starts[0]].to_vec();
        swapped.extend_from_slice(&bytes[starts[1]..starts[2]]);
        swapped.extend_from_slice(&bytes[starts[0]..starts[1]]);
        walk(swapped, 10, 9, None).unwrap_err();
    }

    #[test]
    fn a_store_behind_the_start_of_the_log_is_damage() {
        let (bytes, ..) = segment();
        walk(bytes, 10, 8, None).unwrap_err();
    }
}
