//! Reads dates by format tokens.
//!
//! Must never make up a day or hour that the text does not say, but the ones documented: what is left out is the first
//! of its kind, a missing date is the step's.
//! Tests: below.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use super::tokens::{Part, parts};
use super::write::{days, months};

#[derive(Default)]
struct Found {
    year: Option<i64>,
    month: Option<i64>,
    day: Option<i64>,
    day_of_year: Option<i64>,
    hour: Option<i64>,
    minute: Option<i64>,
    second: Option<i64>,
    nanosecond: Option<i64>,
    afternoon: Option<bool>,
    offset: Option<TimeZone>,
    instant: Option<Timestamp>,
}

/// Reads `text` by `format`. Without an offset of its own it is in `zone`; `now` gives the date where only a time is read.
pub(crate) fn by_format(text: &str, format: &str, zone: &TimeZone, now: Timestamp) -> Option<Timestamp> {
    let mut found = Found::default();
    let mut rest = text.trim();
    for part in parts(format.trim()) {
        rest = match part {
            Part::Text(wanted) if wanted.trim().is_empty() => rest.trim_start(),
            Part::Text(wanted) => rest.strip_prefix(wanted)?,
            Part::Token(token) => take(&mut found, token, rest)?,
        };
    }
    if !rest.trim().is_empty() {
        return None;
    }
    finish(found, zone, now)
}

/// Up to `most` digits, at least `least`.
fn digits(rest: &str, least: usize, most: usize) -> Option<(i64, &str)> {
    let count = rest.bytes().take(most).take_while(u8::is_ascii_digit).count();
    if count < least {
        return None;
    }
    Some((rest[..count].parse().ok()?, &rest[count..]))
}

/// One of these names, whole or by its first letters.
fn name<'r>(rest: &'r str, names: &[&str], letters: Option<usize>) -> Option<(i64, &'r str)> {
    names.iter().enumerate().find_map(|(i, name)| {
        let name = letters.map_or(*name, |n| &name[..n]);
        let begin = rest.get(..name.len())?;
        begin.eq_ignore_ascii_case(name).then(|| (i64::try_from(i).unwrap_or(0), &rest[name.len()..]))
    })
}

/// The year that two digits stand for: 69 to 99 are of the last century.
fn near(year: i64) -> i64 {
    if year > 68 { 1900 + year } else { 2000 + year }
}

fn take<'r>(found: &mut Found, token: &str, rest: &'r str) -> Option<&'r str> {
    let put = |slot: &mut Option<i64>, got: Option<(i64, &'r str)>| {
        let (number, rest) = got?;
        *slot = Some(number);
        Some(rest)
    };
    match token {
        // Two digits are a year of this time here too, but `Y` takes them as they are.
        "YYYY" | "yyyy" => {
            let (year, after) = digits(rest, 1, 4)?;
            found.year = Some(if rest.len() - after.len() == 2 { near(year) } else { year });
            Some(after)
        }
        "Y" | "y" => put(&mut found.year, digits(rest, 1, 4)),
        "YY" | "yy" => {
            let (year, rest) = digits(rest, 2, 2)?;
            found.year = Some(near(year));
            Some(rest)
        }
        // As in Moment: two digits where there are two, whether the token is written once or twice.
        "MM" | "M" => put(&mut found.month, digits(rest, 1, 2)),
        "MMMM" | "MMM" => {
            let (month, rest) = name(rest, months(), None).or_else(|| name(rest, months(), Some(3)))?;
            found.month = Some(month + 1);
            Some(rest)
        }
        "DD" | "D" => put(&mut found.day, digits(rest, 1, 2)),
        "Do" => put(&mut found.day, digits(rest, 1, 2))
            .and_then(|rest| ["st", "nd", "rd", "th"].iter().find_map(|ending| rest.strip_prefix(ending))),
        "DDDD" => put(&mut found.day_of_year, digits(rest, 3, 3)),
        "DDD" => put(&mut found.day_of_year, digits(rest, 1, 3)),
        "dddd" | "ddd" | "dd" => {
            let got = name(rest, days(), None)
                .or_else(|| name(rest, days(), Some(3)))
                .or_else(|| name(rest, days(), Some(2)));
            Some(got?.1)
        }
        "HH" | "H" | "hh" | "h" => put(&mut found.hour, digits(rest, 1, 2)),
        "kk" | "k" => {
            let (hour, rest) = digits(rest, 1, 2)?;
            found.hour = Some(if hour == 24 { 0 } else { hour });
            Some(rest)
        }
        "mm" | "m" => put(&mut found.minute, digits(rest, 1, 2)),
        "ss" | "s" => put(&mut found.second, digits(rest, 1, 2)),
        "A" | "a" => {
            let (i, rest) = name(rest, &["AM", "PM"], None)?;
            found.afternoon = Some(i == 1);
            Some(rest)
        }
        "Z" | "ZZ" => {
            let count = rest.bytes().take_while(|b| b.is_ascii_digit() || b"+-:Z".contains(b)).count();
            found.offset = Some(super::zone::named(&rest[..count]).ok().filter(|_| count > 0)?);
            Some(&rest[count..])
        }
        "z" | "zz" => {
            let count = rest.bytes().take_while(|b| b.is_ascii_alphanumeric() || b"/_+-".contains(b)).count();
            found.offset = Some(super::zone::named(&rest[..count]).ok().filter(|_| count > 0)?);
            Some(&rest[count..])
        }
        "X" | "x" => {
            let count = rest.bytes().take_while(|b| b.is_ascii_digit() || b"-.".contains(b)).count();
            let number: f64 = rest[..count].parse().ok()?;
            found.instant = Some(super::read::millis(if token == "X" { number * 1e3 } else { number })?);
            Some(&rest[count..])
        }
        s if s.starts_with('S') => {
            let count = rest.bytes().take(9).take_while(u8::is_ascii_digit).count();
            if count == 0 {
                return None;
            }
            found.nanosecond = format!("{:0<9}", &rest[..count]).parse().ok();
            Some(&rest[count..])
        }
        // Week and quarter say nothing that the other parts do not.
        _ => Some(digits(rest, 1, 2)?.1),
    }
}

fn finish(found: Found, zone: &TimeZone, now: Timestamp) -> Option<Timestamp> {
    if found.instant.is_some() {
        return found.instant;
    }
    let zone = found.offset.as_ref().unwrap_or(zone);
    let today = now.to_zoned_datetime(zone.clone());
    let dated = found.year.is_some() || found.month.is_some() || found.day.is_some() || found.day_of_year.is_some();
    let year = found.year.unwrap_or_else(|| i64::from(today.year()));
    let month = found.month.unwrap_or_else(|| {
        if found.year.is_some() || found.day_of_year.is_some() { 1 } else { i64::from(today.month()) }
    });
    let day = found.day.unwrap_or_else(|| if dated { 1 } else { i64::from(today.day()) });
    let hour = match (found.hour.unwrap_or(0), found.afternoon) {
        (12, Some(false)) => 0,
        (hour, Some(true)) if hour < 12 => hour + 12,
        (hour, _) => hour,
    };
    // 24:00 is the end of its day (ISO 8601), which is the first moment of the next.
    let last = hour == 24 && [found.minute, found.second, found.nanosecond].iter().all(|part| part.unwrap_or(0) == 0);
    let hour = if last { 0 } else { hour };
    let small = |n: i64| i8::try_from(n).ok();
    let mut at = DateTime::new(
        i16::try_from(year).ok()?,
        small(month)?,
        small(day)?,
        small(hour)?,
        small(found.minute.unwrap_or(0))?,
        small(found.second.unwrap_or(0))?,
        i32::try_from(found.nanosecond.unwrap_or(0)).ok()?,
    )
    .ok()?;
    if let Some(day) = found.day_of_year {
        if day < 1 || day > i64::from(at.date().days_in_year()) {
            return None;
        }
        at = at.checked_add(jiff::Span::new().try_days(day - 1).ok()?).ok()?;
    }
    if last {
        at = at.checked_add(jiff::Span::new().days(1)).ok()?;
    }
    zone.to_timestamp(at).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_by_format() {
        let now: Timestamp = "2024-01-15T10:30:00Z".parse().unwrap();
        for (text, format, expected) in [
            ("06/28/2022", "MM/DD/YYYY", Some("2022-06-28T00:00:00Z")),
            ("6/8/22", "M/D/YY", Some("2022-06-08T00:00:00Z")),
            ("06/28/2022", "MM/DD/Y", Some("2022-06-28T00:00:00Z")),
            ("1656375171", "X", Some("2022-06-28T00:12:51Z")),
            ("1656375171000", "x", Some("2022-06-28T00:12:51Z")),
            ("2206280012", "YYMMDDHHmm", Some("2022-06-28T00:12:00Z")),
            (
                "Tue, June 28th 2022 1:05:09.25 pm -07:00",
                "ddd, MMMM Do YYYY h:mm:ss.SS a Z",
                Some("2022-06-28T20:05:09.25Z"),
            ),
            ("12:00 AM", "h:mm A", Some("2024-01-15T00:00:00Z")),
            ("2024 060", "YYYY DDDD", Some("2024-02-29T00:00:00Z")),
            ("28-jun-22 EST", "D-MMM-YY z", Some("2022-06-28T05:00:00Z")),
            ("1/2/24", "DD/MM/YYYY", Some("2024-02-01T00:00:00Z")),
            ("1/2/24", "MM/DD/YYYY", Some("2024-01-02T00:00:00Z")),
            ("1/2/24", "MM/DD/Y", Some("0024-01-02T00:00:00Z")),
            ("2024-1-5 7:3:9", "YYYY-MM-DD HH:mm:ss", Some("2024-01-05T07:03:09Z")),
            ("01/02/68", "DD/MM/YY", Some("2068-02-01T00:00:00Z")),
            ("01/02/69", "DD/MM/YY", Some("1969-02-01T00:00:00Z")),
            ("0000-01-01", "YYYY-MM-DD", Some("0000-01-01T00:00:00Z")),
            ("9999-12-30", "YYYY-MM-DD", Some("9999-12-30T00:00:00Z")),
            ("2024-02-29", "YYYY-MM-DD", Some("2024-02-29T00:00:00Z")),
            ("2023-02-29", "YYYY-MM-DD", None),
            ("1900-02-29", "YYYY-MM-DD", None),
            ("2024 366", "YYYY DDDD", Some("2024-12-31T00:00:00Z")),
            ("2023 366", "YYYY DDDD", None),
            ("2024 000", "YYYY DDDD", None),
            ("2024-02-28 24:00", "YYYY-MM-DD HH:mm", Some("2024-02-29T00:00:00Z")),
            ("2024-02-28 24:01", "YYYY-MM-DD HH:mm", None),
            ("2024-02-28 25:00", "YYYY-MM-DD HH:mm", None),
            ("2024-02-28 24:10", "YYYY-MM-DD kk:mm", Some("2024-02-28T00:10:00Z")),
            ("13/40/2022", "MM/DD/YYYY", None),
            ("06/28/2022x", "MM/DD/YYYY", None),
            ("é", "MMMM", None),
            ("", "Z", None),
        ] {
            let found = by_format(text, format, &TimeZone::UTC, now).map(|t| t.to_string());
            assert_eq!(found.as_deref(), expected, "{text} by {format}");
        }
    }
}
