//! Date and time cards.
//!
//! Must never read a clock: `date/now` takes the step's time.
//! Tests: examples beside each card.

mod convert;
mod differ;
mod now;
mod parts;
pub(crate) mod read;
mod scan;
pub(crate) mod tokens;
mod write;
pub(crate) mod zone;

use flowdeck_model::{Millis, Value};
use jiff::Timestamp;

use crate::function::Card;

/// The cards of this family.
pub(crate) fn cards() -> Vec<Card> {
    [now::cards(), differ::cards(), convert::cards(), parts::cards()].into_iter().flatten().collect()
}

/// A point in time as a value: ISO 8601 in UTC with milliseconds.
pub(crate) fn output(at: Timestamp) -> Value {
    Value::String(Millis(at.as_millisecond()).to_iso())
}
