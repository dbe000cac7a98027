//! Text cards.
//!
//! Must never count bytes where a person counts characters.
//! Tests: examples beside each card.

mod case;
pub(crate) mod compose;
mod cut;
mod dialect;
pub(crate) mod encode;
mod find;
pub(crate) mod pattern;
mod replace;

use crate::function::Card;

/// The cards of this family.
pub(crate) fn cards() -> Vec<Card> {
    [compose::cards(), cut::cards(), find::cards(), replace::cards(), case::cards(), encode::cards()]
        .into_iter()
        .flatten()
        .collect()
}
