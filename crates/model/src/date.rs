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
/// Times that may follow.
const TIMES: &[&str] = &["", " %I:%M %p", " %I:%M:%S %p", " %H:%M", " %H:%M:%S", ", %I:%M:%S %p", ", %H:%M:%S"];

/// Reads a text; without an offset of its own it is in `zone`.
#[must_use]
pub fn text_in(text: &str, zone: &TimeZone) -> Option<Timestamp> {
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
    form(text).and_then(|at| zone.to_timestamp(at).ok())
}

fn form(text: &str) -> Option<DateTime> {
    FORMS.iter().find_map(|form| {
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
        ] {
            let found = text_in(text, &TimeZone::UTC).map(|t| t.to_string());
            assert_eq!(found.as_deref(), expected, "{text}");
        }
    }
}
