//! Bytes of the commit log: the head of a segment and the frame of one group of commits.
//!
//! Pure, and never panics on any bytes. Tests: below.

use sha2::{Digest, Sha256};

const SEGMENT_MAGIC: [u8; 8] = *b"FDECKLG1";
const FRAME_MAGIC: [u8; 4] = *b"FdGr";

/// Length of a segment's head.
pub(crate) const SEGMENT_HEAD_BYTES: usize = 36;
/// Length of a frame's head.
pub(crate) const FRAME_HEAD_BYTES: usize = 40;
/// Longest payload of one frame; a commit at its limits stays below it.
pub(crate) const PAYLOAD_BYTES_MAX: usize = 512 << 20;

/// Hash over all frames so far: a frame that is missing, repeated or from elsewhere breaks it.
pub(crate) type Chain = [u8; 16];

/// What a segment says about itself: everything up to `first_sequence - 1` is durable in sled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SegmentHead {
    pub first_sequence: u64,
    pub chain: Chain,
}

impl SegmentHead {
    pub(crate) fn encode(self) -> [u8; SEGMENT_HEAD_BYTES] {
        let mut head = [0; SEGMENT_HEAD_BYTES];
        head[..8].copy_from_slice(&SEGMENT_MAGIC);
        head[8..16].copy_from_slice(&self.first_sequence.to_le_bytes());
        head[16..32].copy_from_slice(&self.chain);
        let sum = crc32c::crc32c(&head[..32]);
        head[32..].copy_from_slice(&sum.to_le_bytes());
        head
    }

    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        let head = bytes.get(..SEGMENT_HEAD_BYTES)?;
        if head[..8] != SEGMENT_MAGIC || crc32c::crc32c(&head[..32]) != u32_at(head, 32)? {
            return None;
        }
        Some(Self { first_sequence: u64_at(head, 8)?, chain: head[16..32].try_into().ok()? })
    }
}

/// What stands before the payload of a group. It has a sum of its own, so that its length can be believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FrameHead {
    pub len: u32,
    pub sequence: u64,
    pub payload_sum: u32,
    pub chain: Chain,
}

impl FrameHead {
    /// The head of the frame after the one whose chain is `before`.
    pub(crate) fn of(payload: &[u8], sequence: u64, before: &Chain) -> Self {
        let len = u32::try_from(payload.len()).expect("a commit's size is limited far below 4 GiB");
        let payload_sum = crc32c::crc32c(payload);
        Self { len, sequence, payload_sum, chain: chain(before, sequence, len, payload_sum) }
    }

    pub(crate) fn encode(self) -> [u8; FRAME_HEAD_BYTES] {
        let mut head = [0; FRAME_HEAD_BYTES];
        head[..4].copy_from_slice(&FRAME_MAGIC);
        head[4..8].copy_from_slice(&self.len.to_le_bytes());
        head[8..16].copy_from_slice(&self.sequence.to_le_bytes());
        head[16..20].copy_from_slice(&self.payload_sum.to_le_bytes());
        head[20..36].copy_from_slice(&self.chain);
        let sum = crc32c::crc32c(&head[..36]);
        head[36..].copy_from_slice(&sum.to_le_bytes());
        head
    }

    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        let head = bytes.get(..FRAME_HEAD_BYTES)?;
        if head[..4] != FRAME_MAGIC || crc32c::crc32c(&head[..36]) != u32_at(head, 36)? {
            return None;
        }
        Some(Self {
            len: u32_at(head, 4)?,
            sequence: u64_at(head, 8)?,
            payload_sum: u32_at(head, 16)?,
            chain: head[20..36].try_into().ok()?,
        })
    }
}

/// A frame read back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Frame<'a> {
    pub head: FrameHead,
    pub payload: &'a [u8],
}

/// The frame at the start of `bytes` if it is whole and follows `before` as `sequence`.
pub(crate) fn decode_frame<'a>(bytes: &'a [u8], sequence: u64, before: &Chain) -> Option<Frame<'a>> {
    let head = FrameHead::decode(bytes)?;
    if head.sequence != sequence || head.len as usize > PAYLOAD_BYTES_MAX {
        return None;
    }
    let payload = bytes.get(FRAME_HEAD_BYTES..FRAME_HEAD_BYTES + head.len as usize)?;
    (crc32c::crc32c(payload) == head.payload_sum && chain(before, sequence, head.len, head.payload_sum) == head.chain)
        .then_some(Frame { head, payload })
}

/// Whether any frame above `sequence` begins in `bytes`: then what stands before it was acknowledged.
pub(crate) fn holds_later_frame(bytes: &[u8], sequence: u64) -> bool {
    let starts = bytes.windows(FRAME_MAGIC.len()).enumerate().filter(|(_, window)| *window == FRAME_MAGIC);
    starts.filter_map(|(start, _)| FrameHead::decode(&bytes[start..])).any(|head| head.sequence > sequence)
}

fn chain(before: &Chain, sequence: u64, len: u32, payload_sum: u32) -> Chain {
    let mut hash = Sha256::new();
    hash.update(before);
    hash.update(sequence.to_le_bytes());
    hash.update(len.to_le_bytes());
    hash.update(payload_sum.to_le_bytes());
    let mut short = Chain::default();
    short.copy_from_slice(&hash.finalize()[..16]);
    short
}

pub(super) fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

pub(super) fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_le_bytes(bytes.get(at..at + 8)?.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn frame(payload: &[u8], sequence: u64, before: &Chain) -> Vec<u8> {
        let mut bytes = FrameHead::of(payload, sequence, before).encode().to_vec();
        bytes.extend_from_slice(payload);
        bytes
    }

    #[test]
    fn a_frame_of_another_place_is_refused() {
        let before = [7; 16];
        let bytes = frame(b"one", 5, &before);
        assert!(decode_frame(&bytes, 5, &before).is_some());
        assert!(decode_frame(&bytes, 6, &before).is_none(), "another sequence");
        assert!(decode_frame(&bytes, 5, &[8; 16]).is_none(), "another history");
    }

    #[test]
    fn a_later_frame_is_found_behind_rubbish() {
        let mut bytes = b"rubbish".to_vec();
        bytes.extend(frame(b"two", 6, &[0; 16]));
        assert!(holds_later_frame(&bytes, 5));
        assert!(!holds_later_frame(&bytes, 6));
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_readers_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200), sequence: u64) {
            SegmentHead::decode(&bytes);
            decode_frame(&bytes, sequence, &[0; 16]);
            holds_later_frame(&bytes, sequence);
        }

        #[test]
        fn one_changed_bit_is_noticed(payload in proptest::collection::vec(any::<u8>(), 0..80), at: prop::sample::Index, bit in 0..8_u8) {
            let mut bytes = frame(&payload, 9, &[1; 16]);
            let at = at.index(bytes.len());
            bytes[at] ^= 1 << bit;
            prop_assert!(decode_frame(&bytes, 9, &[1; 16]).is_none());
        }
    }
}
