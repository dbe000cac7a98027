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

use flowdeck_model::{Fault, Millis, Value};
use jiff::Timestamp;

use crate::function::Card;

/// The cards of this family.
pub(crate) fn cards() -> Vec<Card> {
    [now::cards(), differ::cards(), convert::cards(), parts::cards()].into_iter().flatten().collect()
}

/// A date that is one, but beyond what can be computed with.
pub(crate) fn beyond(text: &str) -> Fault {
    Fault::bad_input(format!(
        "`{}` is beyond the calendar, which ends with 9999-12-30T22:00:00Z",
        crate::value::short(text)
    ))
    .remedy("for a date that never comes use 9999-12-30")
}

/// A point in time as a value: ISO 8601 in UTC with milliseconds.
pub(crate) fn output(at: Timestamp) -> Value {
    Value::String(Millis(at.as_millisecond()).to_iso())
}
