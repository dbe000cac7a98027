//! Object cards.
//!
//! Must never copy an object that can be taken over.
//! Tests: examples beside each card; properties in `tests/laws.rs`.

mod build;
mod read;

use crate::function::Card;

/// The cards of this family.
pub(crate) fn cards() -> Vec<Card> {
    [read::cards(), build::cards()].into_iter().flatten().collect()
}
