//! Hashes, signatures, encryption, tokens.
//!
//! Must never show a key: not in outputs, not in faults.
//! Tests: examples beside each card.

mod crypto;
mod digest;
mod jwt;
mod keys;
mod sign;

use crate::function::Card;

/// The cards of these families.
pub(crate) fn cards() -> Vec<Card> {
    [digest::cards(), crypto::cards(), jwt::cards()].into_iter().flatten().collect()
}
