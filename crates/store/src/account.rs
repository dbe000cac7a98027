//! What the store knows about itself: counters, and a sum over all records that tells whether one is missing.
//!
//! Pure; must never depend on the order of records. Tests: below, `tests/damage.rs`.

use crate::record;

/// Carried by every logged group and kept in sled with the sequence it reflects.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Account {
    pub epoch: u64,
    /// Last id given to a split value.
    pub next_id: u64,
    /// Records in sled, the store's own not counted.
    pub records: u64,
    /// Sum of one mixed number a record.
    pub sum: u64,
}

/// Encoded length.
pub(crate) const ACCOUNT_BYTES: usize = 32;

impl Account {
    pub(crate) fn encode(self) -> [u8; ACCOUNT_BYTES] {
        let mut bytes = [0; ACCOUNT_BYTES];
        for (slot, number) in bytes.chunks_exact_mut(8).zip([self.epoch, self.next_id, self.records, self.sum]) {
            slot.copy_from_slice(&number.to_le_bytes());
        }
        bytes
    }

    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        let number = |at: usize| Some(u64::from_le_bytes(bytes.get(at..at + 8)?.try_into().ok()?));
        Some(Self { epoch: number(0)?, next_id: number(8)?, records: number(16)?, sum: number(24)? })
    }

    pub(crate) fn add(&mut self, mark: u64) {
        self.records = self.records.wrapping_add(1);
        self.sum = self.sum.wrapping_add(mark);
    }

    pub(crate) fn remove(&mut self, mark: u64) {
        self.records = self.records.wrapping_sub(1);
        self.sum = self.sum.wrapping_sub(mark);
    }
}

/// What a record adds to the sum. Its own checksum covers key and body; mixing keeps sums of different sets apart.
pub(crate) fn mark(record: &[u8]) -> u64 {
    let mut number = 0x9E37_79B9_7F4A_7C15;
    for byte in record.iter().take(5) {
        number = (number ^ u64::from(*byte)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        number ^= number >> 29;
    }
    number
}

/// The store's own record.
pub(crate) fn own(sequence: u64, account: Account) -> Vec<u8> {
    record::seal(record::OWN_KEY, record::KIND_OWN, &[&sequence.to_le_bytes()[..], &account.encode()].concat())
}

pub(crate) fn decode_own(found: &[u8]) -> Option<(u64, Account)> {
    let (record::KIND_OWN, body) = record::unseal(record::OWN_KEY, found)? else { return None };
    Some((u64::from_le_bytes(body.get(..8)?.try_into().ok()?), Account::decode(body.get(8..)?)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sum_forgets_order_and_notices_exchange() {
        let marks: Vec<_> = (0..20_u8).map(|n| mark(&record::seal(&[n], 0, b"v"))).collect();
        let (mut there, mut back) = (Account::default(), Account::default());
        marks.iter().for_each(|mark| there.add(*mark));
        marks.iter().rev().for_each(|mark| back.add(*mark));
        assert_eq!(there, back);
        back.remove(marks[3]);
        assert_ne!(there, back);
        back.add(mark(&record::seal(&[3], 0, b"w")));
        assert_eq!(there.records, back.records);
        assert_ne!(there.sum, back.sum);
        assert_eq!(decode_own(&own(7, there)), Some((7, there)));
    }
}
