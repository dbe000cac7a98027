//! Reads date values: texts that people and apps write, and milliseconds.
//!
//! Must never guess a zone: text without one is UTC unless the caller names a zone.
//! Tests: `date.rs` of the crate `flowdeck-model`, and the examples of the cards.

use flowdeck_model::Value;
pub(crate) use flowdeck_model::date::{is_beyond, text_in, text_with_day_first};
use jiff::Timestamp;
use jiff::tz::TimeZone;

/// A date value: ISO or other known text, or a number of milliseconds since 1970.
pub(crate) fn value(value: &Value) -> Option<Timestamp> {
    match value {
        Value::String(text) => text_in(text, &TimeZone::UTC),
        Value::Number(n) => millis(n.as_f64()?),
        _ => None,
    }
}

/// Milliseconds since 1970; fractions are cut off.
pub(crate) fn millis(ms: f64) -> Option<Timestamp> {
    if !ms.is_finite() || ms.abs() > 8.64e15 {
        return None;
    }
    #[allow(clippy::cast_possible_truncation)]
    Timestamp::from_millisecond(ms as i64).ok()
}
