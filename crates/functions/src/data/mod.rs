//! Cards for data formats: JSON, URL, CSV, XML, files.
//!
//! Must never read a format without limits.
//! Tests: examples beside each card.

mod csv;
mod file;
pub(crate) mod json;
mod url;
mod xml;

use crate::function::Card;

/// The cards of these families.
pub(crate) fn cards() -> Vec<Card> {
    [json::cards(), xml::cards(), csv::cards(), url::cards(), file::cards()].into_iter().flatten().collect()
}
