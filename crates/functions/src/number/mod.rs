//! Number cards.
//!
//! Must never answer a number that is not finite.
//! Tests: examples beside each card.

mod basic;
mod formula;
mod more;

use crate::function::Card;

/// The cards of this family.
pub(crate) fn cards() -> Vec<Card> {
    [basic::cards(), more::cards(), formula::cards()].into_iter().flatten().collect()
}
