//! Object cards.
//!
//! Must never copy an object that can be taken over.
//! Tests: examples beside each card.

mod build;
mod read;

use crate::function::Card;

/// The cards of this family.
pub(crate) fn cards() -> Vec<Card> {
    [read::cards(), build::cards()].into_iter().flatten().collect()
}
