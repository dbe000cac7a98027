//! Reads the log at open: the newest segment, checked frame by frame against chain and witness.
//!
//! Must never cut anything that may have been acknowledged; what it cannot explain is an error.
//! Tests: below, `tests/damage.rs`, `tests/power.rs`.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::frame::{Chain, holds_later_frame};
use super::kept::{Kept, Piece};
use super::segment::{Segment, segment_path};
use super::witness;

/// The log as it was found.
#[derive(Debug)]
pub(crate) struct Found {
    /// The newest segment: all before it was durable in sled when it was begun.
    pub newest: Segment,
    /// What stands behind it.
    pub kept: Kept,
    /// Files that nothing needs any more.
    pub obsolete: Vec<PathBuf>,
}

/// Why a log cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LogFault {
    #[error("the commit log cannot be read: {0}")]
    Io(#[from] io::Error),
    #[error("{0}")]
    Damaged(String),
}

/// The file of the base that reflects everything up to `sequence`.
pub(crate) fn base_path(folder: &Path, sequence: u64) -> PathBuf {
    folder.join(format!("{sequence:020}.base"))
}

/// Reads the newest segment of `folder`, and what else there is.
pub(crate) fn read(folder: &Path) -> Result<Found, LogFault> {
    let (mut segments, mut bases, mut obsolete) = (Vec::new(), Vec::new(), Vec::new());
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let path = entry.path();
        let number: Option<u64> = path.file_stem().and_then(|stem| stem.to_str()).and_then(|stem| stem.parse().ok());
        let piece = |sequence| entry.metadata().map(|found| Piece { sequence, bytes: found.len() });
        match (path.extension().and_then(|extension| extension.to_str()), number) {
            (Some("log"), Some(sequence)) => segments.push(piece(sequence)?),
            (Some("base"), Some(sequence)) => bases.push(piece(sequence)?),
            // A segment or a base that was never finished.
            (Some("new"), _) => obsolete.push(path),
            _ => {}
        }
    }
    segments.sort_unstable_by_key(|segment| segment.sequence);
    bases.sort_unstable_by_key(|base| base.sequence);
    let Some(Piece { sequence: newest, .. }) = segments.pop() else {
        return Err(LogFault::Damaged("the commit log has no segment".to_owned()));
    };
    let witness = match fs::read(folder.join(witness::NAME)) {
        Ok(bytes) => witness::decode(&bytes),
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => None,
        Err(cause) => return Err(cause.into()),
    };
    let bytes = fs::read(segment_path(folder, newest))?;
    let walked = walk(bytes, newest, witness).map_err(LogFault::Damaged)?;
    let mut kept = Kept { base: bases.pop(), segments };
    obsolete.extend(kept.take_superfluous(newest).into_iter().map(|first| segment_path(folder, first)));
    obsolete.extend(bases.iter().map(|older| base_path(folder, older.sequence)));
    Ok(Found { newest: walked, kept, obsolete })
}

fn walk(bytes: Vec<u8>, newest: u64, witness: Option<(u64, Chain)>) -> Result<Segment, String> {
    let mut witnessed = false;
    let segment = Segment::decode(bytes, newest, |sequence, chain| witnessed |= witness == Some((sequence, *chain)))?;
    let before = (newest - 1, segment.chain_before);
    witnessed |= witness.is_none_or(|(sequence, seen)| sequence < newest || (sequence, seen) == before);
    let last = segment.last_sequence;
    if !witnessed {
        return Err(format!("the commit log ends at {last}, but later commits were acknowledged"));
    }
    // One group is in flight at a time, so only the last frame can be torn.
    if holds_later_frame(segment.rest(), last + 1) {
        return Err(format!("commit {} in the log is damaged, later ones are not", last + 1));
    }
    Ok(segment)
}

/// How far sled got, compared with the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reach {
    /// The newest segment goes on from it.
    Fits,
    /// The newest segment starts too late for it: sled lost something that was durable.
    Behind,
    /// The log's own end is missing.
    Ahead,
}

impl Found {
    /// `applied` is the sequence that sled reflects.
    pub(crate) fn reach(&self, applied: u64) -> Reach {
        if applied > self.newest.last_sequence {
            Reach::Ahead
        } else if applied + 1 < self.newest.first_sequence {
            Reach::Behind
        } else {
            Reach::Fits
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::frame::{FrameHead, SegmentHead};
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
        let found = walk(bytes, 10, Some((12, chains[3]))).unwrap();
        assert_eq!((found.last_sequence, found.rest().len()), (12, 0));
        let frames: Vec<_> = found.frames().map(|(sequence, payload)| (sequence, payload[0])).collect();
        assert_eq!(frames, [(10, 10), (11, 11), (12, 12)]);
    }

    #[test]
    fn every_cut_of_the_unacknowledged_last_frame_is_a_torn_tail() {
        let (bytes, chains, starts) = segment();
        for len in starts[2]..bytes.len() {
            let found = walk(bytes[..len].to_vec(), 10, Some((11, chains[2]))).unwrap();
            assert_eq!((found.last_sequence, found.rest().len()), (11, len - starts[2]));
        }
    }

    #[test]
    fn a_cut_of_an_acknowledged_frame_is_damage() {
        let (bytes, chains, _) = segment();
        let cut = bytes[..bytes.len() - 1].to_vec();
        walk(cut.clone(), 10, Some((12, chains[3]))).unwrap_err();
        assert_eq!(found(walk(cut, 10, None).unwrap()).reach(12), Reach::Ahead);
    }

    #[test]
    fn every_flipped_bit_before_the_last_frame_is_damage() {
        let (bytes, chains, starts) = segment();
        for at in 0..starts[2] {
            let mut flipped = bytes.clone();
            flipped[at] ^= 4;
            assert!(walk(flipped, 10, Some((10, chains[1]))).is_err(), "byte {at}");
        }
    }

    #[test]
    fn a_missing_and_a_swapped_frame_are_damage() {
        let (bytes, _, starts) = segment();
        let mut hole = bytes[..starts[1]].to_vec();
        hole.extend_from_slice(&bytes[starts[2]..]);
        walk(hole, 10, None).unwrap_err();
        let mut swapped = bytes[..starts[0]].to_vec();
        swapped.extend_from_slice(&bytes[starts[1]..starts[2]]);
        swapped.extend_from_slice(&bytes[starts[0]..starts[1]]);
        walk(swapped, 10, None).unwrap_err();
    }

    fn found(newest: Segment) -> Found {
        Found { newest, kept: Kept::default(), obsolete: Vec::new() }
    }

    #[test]
    fn sled_fits_where_the_newest_segment_goes_on_from_it() {
        let found = found(walk(segment().0, 10, None).unwrap());
        let reaches: Vec<_> = (8..14).map(|applied| found.reach(applied)).collect();
        use Reach::{Ahead, Behind, Fits};
        assert_eq!(reaches, [Behind, Fits, Fits, Fits, Fits, Ahead]);
    }
}
