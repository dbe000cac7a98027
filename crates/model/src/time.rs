//! Points in time and durations, in milliseconds.
//!
//! Must never read a clock: the engine's `Clock` port does.
//! Tests: below.

use serde::{Deserialize, Serialize};

/// Milliseconds since 1970-01-01T00:00:00Z.
///
/// ```
/// use flowdeck_model::Millis;
///
/// assert_eq!(Millis(0).plus(90_000).to_iso(), "1970-01-01T00:01:30.000Z");
/// assert_eq!(Millis(5_000).since(Millis(2_000)), 3_000);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Millis(pub i64);

impl Millis {
    /// `ms` later; saturates at the ends of time.
    #[must_use]
    pub fn plus(self, ms: u64) -> Self {
        Self(self.0.saturating_add(i64::try_from(ms).unwrap_or(i64::MAX)))
    }

    /// Milliseconds from `earlier` to here; 0 when `earlier` is not earlier.
    #[must_use]
    pub fn since(self, earlier: Self) -> u64 {
        u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0)
    }

    /// ISO 8601 in UTC with milliseconds, `2026-01-31T09:30:00.000Z`.
    #[must_use]
    pub fn to_iso(self) -> String {
        match jiff::Timestamp::from_millisecond(self.0) {
            Ok(t) => format!("{t:.3}"),
            Err(_) => format!("{}ms", self.0),
        }
    }
}

/// The pause in milliseconds that `Retry-After` asks for: seconds, or a date (RFC 9110 10.2.3). A date counts from the
/// answer's own `Date`, else from `now`: the other side's clock may go wrong. Callers bound it. `None` where it is neither.
///
/// ```
/// use flowdeck_model::{Millis, time::retry_after_ms};
///
/// assert_eq!(retry_after_ms("120", None, Millis(0)), Some(120_000));
/// ```
#[must_use]
pub fn retry_after_ms(retry_after: &str, date: Option<&str>, now: Millis) -> Option<u64> {
    let text = retry_after.trim();
    if let Ok(seconds) = text.parse::<u64>() {
        return Some(seconds.saturating_mul(1_000));
    }
    let sent = date.and_then(http_date).unwrap_or(now);
    http_date(text).map(|at| at.since(sent))
}

/// Reads the date of an HTTP header (RFC 9110 5.6.7), `Mon, 21 Sep 2026 14:13:30 GMT`.
#[must_use]
pub fn http_date(text: &str) -> Option<Millis> {
    let at = jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(text.trim()).ok()?;
    Some(Millis(at.as_millisecond()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retry_after_is_seconds_or_a_date_that_counts_from_the_answers_own() {
        // 1 790 000 000 s is Mon, 21 Sep 2026 14:13:20 GMT.
        let now = Millis(1_790_000_000_000);
        let ahead = Some("Mon, 21 Sep 2026 15:13:20 GMT");
        for (text, date, expected) in [
            (" 3 ", None, Some(3_000)),
            ("0", ahead, Some(0)),
            ("Mon, 21 Sep 2026 14:13:30 GMT", None, Some(10_000)),
            ("Mon, 21 Sep 2026 14:13:00 GMT", None, Some(0)),
            ("Mon, 21 Sep 2026 15:13:25 GMT", ahead, Some(5_000)),
            ("Mon, 21 Sep 2026 14:13:30 GMT", Some("today"), Some(10_000)),
            ("18446744073709551615", None, Some(u64::MAX)),
            ("99999999999999999999999", None, None),
            ("-5", None, None),
            ("soon", None, None),
            ("", None, None),
        ] {
            assert_eq!(retry_after_ms(text, date, now), expected, "{text} {date:?}");
        }
    }

    #[test]
    fn prints_iso_with_milliseconds() {
        assert_eq!(Millis(0).to_iso(), "1970-01-01T00:00:00.000Z");
        assert_eq!(Millis(1_769_851_800_042).to_iso(), "2026-01-31T09:30:00.042Z");
    }

    #[test]
    fn differences_never_go_below_zero() {
        assert_eq!(Millis(5).since(Millis(9)), 0);
        assert_eq!(Millis(9).since(Millis(5)), 4);
    }
}
