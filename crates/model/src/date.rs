//! Reads dates that people and apps write: one reader for cards, columns and conditions.
//!
//! Must never guess a zone: text without one is UTC unless the caller names a zone.
//! Tests: below.

use jiff::Timestamp;
use jiff::civil::{self, DateTime};
use jiff::tz::TimeZone;

/// Longest text that is tried.
const BYTES_MAX: usize = 100;

/// Forms besides ISO 8601 and RFC 2822, as jiff writes them. Full years are tried before two digits.
const FORMS: &[&str] = &[
    "%m/%d/%Y",
    "%m/%d/%y",
    "%B %d, %Y",
    "%b %d, %Y",
    "%A, %B %d, %Y",
    "%a, %b %d, %Y",
    "%d %B %Y",
    "%d %b %Y",
    "%Y/%m/%d",
];
/// How many of them begin with the number of the month.
const MONTH_FIRST: usize = 2;
/// Times that may follow.
const TIMES: &[&str] = &["", " %I:%M %p", " %I:%M:%S %p", " %H:%M", " %H:%M:%S", ", %I:%M:%S %p", ", %H:%M:%S"];

/// Reads a text; without an offset of its own it is in `zone`.
#[must_use]
pub fn text_in(text: &str, zone: &TimeZone) -> Option<Timestamp> {
    text_by(text, zone, FORMS)
}

/// Reads a text whose format begins with the day: `1/2/24` is no second of January then.
#[must_use]
pub fn text_with_day_first(text: &str, zone: &TimeZone) -> Option<Timestamp> {
    text_by(text, zone, FORMS.get(MONTH_FIRST..).unwrap_or_default())
}

/// Whether a text is a date, but one that this calendar cannot hold as a moment of any zone.
#[must_use]
pub fn is_beyond(text: &str) -> bool {
    let text = text.trim();
    let date = if text.len() <= BYTES_MAX { jiff::fmt::temporal::Pieces::parse(text).ok() } else { None };
    date.is_some() && text_in(text, &TimeZone::UTC).is_none()
}

fn text_by(text: &str, zone: &TimeZone, forms: &[&str]) -> Option<Timestamp> {
    let text = text.trim();
    if text.is_empty() || text.len() > BYTES_MAX {
        return None;
    }
    if let Ok(timestamp) = text.parse::<Timestamp>() {
        return Some(timestamp);
    }
    if let Ok(at) = text.parse::<DateTime>() {
        return zone.to_timestamp(at).ok();
    }
    if let Ok(zoned) = jiff::fmt::rfc2822::parse(text) {
        return Some(zoned.timestamp());
    }
    form(text, forms).and_then(|at| zone.to_timestamp(at).ok())
}

fn form(text: &str, forms: &[&str]) -> Option<DateTime> {
    forms.iter().find_map(|form| {
        TIMES.iter().find_map(|time| {
            let whole = format!("{form}{time}");
            if time.is_empty() {
                // `%Y` alone would take `24` for the year 24.
                let date = civil::Date::strptime(&whole, text).ok()?;
                (date.year() >= 1000).then(|| date.at(0, 0, 0, 0))
            } else {
                let at = DateTime::strptime(&whole, text).ok()?;
                (at.year() >= 1000).then_some(at)
            }
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_is_written() {
        for (text, expected) in [
            ("2022-06-27T17:12:51-07:00", Some("2022-06-28T00:12:51Z")),
            ("2022-06-28T00:12:51.250Z", Some("2022-06-28T00:12:51.25Z")),
            ("2022-06-28 00:12:51Z", Some("2022-06-28T00:12:51Z")),
            ("2022-06-28T00:12", Some("2022-06-28T00:12:00Z")),
            ("2022-06-28", Some("2022-06-28T00:00:00Z")),
            ("20220628", Some("2022-06-28T00:00:00Z")),
            ("2022-06-28T00:12:51+0200", Some("2022-06-27T22:12:51Z")),
            ("06/28/22", Some("2022-06-28T00:00:00Z")),
            ("6/8/2022", Some("2022-06-08T00:00:00Z")),
            ("6/8/2022 3:05 PM", Some("2022-06-08T15:05:00Z")),
            ("June 28, 2022", Some("2022-06-28T00:00:00Z")),
            ("Monday, January 15, 2024 10:30 AM", Some("2024-01-15T10:30:00Z")),
            ("28 Jun 2022 07:00", Some("2022-06-28T07:00:00Z")),
            ("Tue, 28 Jun 2022 07:00:00 GMT", Some("2022-06-28T07:00:00Z")),
            ("Mon, 15 Jan 2024 10:30:00 +0100", Some("2024-01-15T09:30:00Z")),
            ("", None),
            ("soon", None),
            ("13/13/2022", None),
            ("01/02/68", Some("2068-01-02T00:00:00Z")),
            ("01/02/69", Some("1969-01-02T00:00:00Z")),
            ("0000-01-01", Some("0000-01-01T00:00:00Z")),
            ("2024-02-29", Some("2024-02-29T00:00:00Z")),
            ("2023-02-29", None),
            ("2024-02-30", None),
            ("NaN", None),
            ("9999-12-30T22:00:00Z", Some("9999-12-30T22:00:00Z")),
            ("9999-12-31T23:59:59Z", None),
        ] {
            let found = text_in(text, &TimeZone::UTC).map(|t| t.to_string());
            assert_eq!(found.as_deref(), expected, "{text}");
        }
        assert!(["9999-12-31", "9999-12-31T23:59:59Z"].into_iter().all(is_beyond));
        assert!(!["2024-01-01", "soon", "", "2023-02-29"].into_iter().any(is_beyond));
    }

    #[test]
    fn a_wall_clock_that_was_skipped_is_later_and_one_that_came_twice_is_the_first() {
        let zone = TimeZone::get("America/New_York").unwrap();
        for (text, expected) in [
            ("2024-03-10 02:30", "2024-03-10T07:30:00Z"),
            ("2024-11-03 01:30", "2024-11-03T05:30:00Z"),
            ("2024-11-03T01:30:00-05:00", "2024-11-03T06:30:00Z"),
        ] {
            assert_eq!(text_in(text, &zone).map(|t| t.to_string()).as_deref(), Some(expected), "{text}");
        }
    }

    #[test]
    fn a_day_that_comes_first_is_never_read_as_a_month() {
        assert_eq!(text_with_day_first("1/2/2024", &TimeZone::UTC), None);
        for text in ["2024-01-02", "January 2, 2024", "2 Jan 2024", "Tue, 02 Jan 2024 00:00:00 GMT"] {
            assert_eq!(text_with_day_first(text, &TimeZone::UTC), text_in(text, &TimeZone::UTC), "{text}");
        }
    }
}
