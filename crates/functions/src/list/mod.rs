//! List cards.
//!
//! Must never copy a list that can be taken over.
//! Tests: examples beside each card.

mod search;
mod sets;
mod shape;
mod take;

use crate::function::Card;

/// The cards of this family.
pub(crate) fn cards() -> Vec<Card> {
    [take::cards(), shape::cards(), search::cards(), sets::cards()].into_iter().flatten().collect()
}
