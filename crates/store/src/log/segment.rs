//! One segment of the log in memory, checked frame by frame.
//!
//! Must never take a frame that does not follow from the one before it. Tests: `log/read.rs`, `tests/rebuild.rs`.

use std::fs;
use std::path::{Path, PathBuf};

use super::frame::{Chain, FRAME_HEAD_BYTES, FrameHead, SEGMENT_HEAD_BYTES, SegmentHead, decode_frame};
use super::read::LogFault;

/// A segment up to its last whole frame.
#[derive(Debug)]
pub(crate) struct Segment {
    /// Sequence of its first frame, which it need not have yet.
    pub first_sequence: u64,
    /// Its last whole frame, or `first_sequence - 1`.
    pub last_sequence: u64,
    /// The chain before its first frame.
    pub chain_before: Chain,
    /// The chain after its last whole frame.
    pub chain: Chain,
    /// Where the next frame goes.
    pub end: usize,
    bytes: Vec<u8>,
}

pub(crate) fn segment_path(folder: &Path, first_sequence: u64) -> PathBuf {
    folder.join(format!("{first_sequence:020}.log"))
}

impl Segment {
    pub(crate) fn read(folder: &Path, first_sequence: u64) -> Result<Self, LogFault> {
        let bytes = fs::read(segment_path(folder, first_sequence))?;
        Self::decode(bytes, first_sequence, |_, _| ()).map_err(LogFault::Damaged)
    }

    /// Calls `seen` with each frame's sequence and the chain after it.
    pub(super) fn decode(
        bytes: Vec<u8>,
        first_sequence: u64,
        mut seen: impl FnMut(u64, &Chain),
    ) -> Result<Self, String> {
        let head =
            SegmentHead::decode(&bytes).filter(|head| head.first_sequence == first_sequence && first_sequence > 0);
        let head = head.ok_or_else(|| format!("the head of commit log segment {first_sequence} is not readable"))?;
        let (mut end, mut next, mut chain) = (SEGMENT_HEAD_BYTES, first_sequence, head.chain);
        while let Some(frame) = decode_frame(&bytes[end..], next, &chain) {
            end += FRAME_HEAD_BYTES + frame.payload.len();
            chain = frame.head.chain;
            seen(next, &chain);
            next = next.checked_add(1).ok_or("the commit log has no sequence left")?;
        }
        Ok(Self { first_sequence, last_sequence: next - 1, chain_before: head.chain, chain, end, bytes })
    }

    /// The payloads with their sequences, in order.
    pub(crate) fn frames(&self) -> impl Iterator<Item = (u64, &[u8])> {
        let mut at = SEGMENT_HEAD_BYTES;
        (self.first_sequence..=self.last_sequence).map(move |sequence| {
            let len = FrameHead::decode(&self.bytes[at..]).map_or(0, |head| head.len as usize);
            let start = at + FRAME_HEAD_BYTES;
            at = start + len;
            (sequence, &self.bytes[start..at])
        })
    }

    /// What stands behind the last whole frame.
    pub(crate) fn rest(&self) -> &[u8] {
        &self.bytes[self.end..]
    }
}
