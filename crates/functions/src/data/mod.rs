//! Cards for data formats: JSON, URL, CSV, XML, files.
//!
//! Must never read a format without limits.
//! Tests: examples beside each card.

pub(crate) mod json;
mod url;

use crate::function::Card;

/// The cards of these families.
pub(crate) fn cards() -> Vec<Card> {
    [json::cards(), url::cards()].into_iter().flatten().collect()
}
