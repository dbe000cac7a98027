//! Text cards.
//!
//! Must never count bytes where a person counts characters.
//! Tests: examples beside each card; properties in `tests/laws.rs`.

mod compose;

use crate::function::Card;

/// The cards of this family.
pub(crate) fn cards() -> Vec<Card> {
    [compose::cards()].into_iter().flatten().collect()
}
