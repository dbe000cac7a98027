//! The witness: which group was acknowledged last, kept in a file of its own.
//!
//! A torn last frame of the log and a damaged one look alike; the witness tells them apart. It is written after
//! the log's sync and never synced by itself, so it may be behind the log and must never be ahead of it.
//! Tests: below, `tests/damage.rs`.

use super::frame::{Chain, u32_at, u64_at};

pub(super) const NAME: &str = "witness";
const SLOT_BYTES: usize = 28;
/// Slots lie on different sectors, so that one torn write leaves the other.
const SLOT_STRIDE: u64 = 512;
/// Length of the file.
pub(super) const FILE_BYTES: usize = SLOT_STRIDE as usize + SLOT_BYTES;

/// Where the witness of `sequence` goes, and its bytes. Neighbours never share a slot.
pub(super) fn encode(sequence: u64, chain: &Chain) -> (u64, [u8; SLOT_BYTES]) {
    let mut slot = [0; SLOT_BYTES];
    slot[..8].copy_from_slice(&sequence.to_le_bytes());
    slot[8..24].copy_from_slice(chain);
    let sum = crc32c::crc32c(&slot[..24]);
    slot[24..].copy_from_slice(&sum.to_le_bytes());
    (sequence % 2 * SLOT_STRIDE, slot)
}

/// The later of the slots that can be read.
pub(super) fn decode(bytes: &[u8]) -> Option<(u64, Chain)> {
    let slot = |start: usize| {
        let slot = bytes.get(start..start + SLOT_BYTES)?;
        let sound = crc32c::crc32c(&slot[..24]) == u32_at(slot, 24)?;
        Some((u64_at(slot, 0)?, slot[8..24].try_into().ok()?)).filter(|_| sound)
    };
    slot(0).max(slot(SLOT_STRIDE as usize))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_later_sound_slot_counts() {
        let mut file = vec![0; 600];
        for sequence in 1..=4 {
            let (at, slot) = encode(sequence, &[sequence as u8; 16]);
            file[at as usize..at as usize + SLOT_BYTES].copy_from_slice(&slot);
        }
        assert_eq!(decode(&file), Some((4, [4; 16])));
        file[3] ^= 1;
        assert_eq!(decode(&file), Some((3, [3; 16])));
        assert_eq!(decode(&file[..20]), None);
        assert_eq!(decode(&[]), None);
    }
}
