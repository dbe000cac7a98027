//! Writes dates by format tokens.
//!
//! Must never write in another zone than the one given.
//! Tests: below.

use std::fmt::Write;

use jiff::ZonedDateTime;

use super::tokens::{Part, parts};

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
const DAYS: [&str; 7] = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];

/// Names of the months, to read them back.
pub(super) fn months() -> &'static [&'static str] {
    &MONTHS
}

/// Names of the weekdays, to read them back.
pub(super) fn days() -> &'static [&'static str] {
    &DAYS
}

/// `1st`, `2nd`, `3rd`, `4th`, `11th`.
pub(super) fn ordinal(n: i64) -> String {
    let ending = match (n % 10, n % 100) {
        (_, 11..=13) => "th",
        (1, _) => "st",
        (2, _) => "nd",
        (3, _) => "rd",
        _ => "th",
    };
    format!("{n}{ending}")
}

/// The date by a format.
pub(crate) fn format(at: &ZonedDateTime, format: &str) -> String {
    let mut out = String::new();
    for part in parts(format) {
        match part {
            Part::Text(text) => out.push_str(text),
            // Writing to a text cannot fail.
            Part::Token(token) => drop(write_token(&mut out, at, token)),
        }
    }
    out
}

fn write_token(out: &mut String, at: &ZonedDateTime, token: &str) -> std::fmt::Result {
    let month = usize::try_from(at.month() - 1).unwrap_or(0);
    let weekday = i64::from(at.weekday().to_monday_one_offset());
    let day_name = DAYS[usize::try_from(weekday - 1).unwrap_or(0)];
    let hour12 = (at.hour() + 11) % 12 + 1;
    let quarter = i64::from((at.month() - 1) / 3 + 1);
    let fraction = format!("{:09}", at.subsec_nanosecond());
    match token {
        "YYYY" | "yyyy" => write!(out, "{:04}", at.year()),
        "YY" | "yy" => write!(out, "{:02}", at.year().rem_euclid(100)),
        "Y" | "y" => write!(out, "{}", at.year()),
        "Q" => write!(out, "{quarter}"),
        "Qo" => write!(out, "{}", ordinal(quarter)),
        "MMMM" => write!(out, "{}", MONTHS[month]),
        "MMM" => write!(out, "{}", &MONTHS[month][..3]),
        "MM" => write!(out, "{:02}", at.month()),
        "Mo" => write!(out, "{}", ordinal(i64::from(at.month()))),
        "M" => write!(out, "{}", at.month()),
        "DDDD" => write!(out, "{:03}", at.day_of_year()),
        "DDD" => write!(out, "{}", at.day_of_year()),
        "Do" => write!(out, "{}", ordinal(i64::from(at.day()))),
        "DD" => write!(out, "{:02}", at.day()),
        "D" => write!(out, "{}", at.day()),
        "dddd" => write!(out, "{day_name}"),
        "ddd" => write!(out, "{}", &day_name[..3]),
        "dd" => write!(out, "{}", &day_name[..2]),
        "do" => write!(out, "{}", ordinal(weekday % 7)),
        "d" | "e" => write!(out, "{}", weekday % 7),
        "E" => write!(out, "{weekday}"),
        "WW" | "ww" => write!(out, "{:02}", at.iso_week_date().week()),
        "W" | "w" => write!(out, "{}", at.iso_week_date().week()),
        "HH" => write!(out, "{:02}", at.hour()),
        "H" => write!(out, "{}", at.hour()),
        "hh" => write!(out, "{hour12:02}"),
        "h" => write!(out, "{hour12}"),
        "kk" => write!(out, "{:02}", (at.hour() + 23) % 24 + 1),
        "k" => write!(out, "{}", (at.hour() + 23) % 24 + 1),
        "mm" => write!(out, "{:02}", at.minute()),
        "m" => write!(out, "{}", at.minute()),
        "ss" => write!(out, "{:02}", at.second()),
        "s" => write!(out, "{}", at.second()),
        "A" => write!(out, "{}", if at.hour() < 12 { "AM" } else { "PM" }),
        "a" => write!(out, "{}", if at.hour() < 12 { "am" } else { "pm" }),
        "Z" | "ZZ" => offset(out, at, if token == "Z" { ":" } else { "" }),
        "z" | "zz" => write!(out, "{}", at.time_zone().to_offset_info(at.timestamp()).abbreviation()),
        "X" => write!(out, "{}", at.timestamp().as_second()),
        "x" => write!(out, "{}", at.timestamp().as_millisecond()),
        s if s.starts_with('S') => write!(out, "{}", &fraction[..s.len().min(9)]),
        other => write!(out, "{other}"),
    }
}

fn offset(out: &mut String, at: &ZonedDateTime, between: &str) -> std::fmt::Result {
    let minutes = at.offset().seconds() / 60;
    let sign = if minutes < 0 { '-' } else { '+' };
    write!(out, "{sign}{:02}{between}{:02}", minutes.abs() / 60, minutes.abs() % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_every_token() {
        let at: jiff::Timestamp = "2024-01-21T20:05:09.0427Z".parse().unwrap();
        let at = at.to_zoned_datetime(super::super::zone::named("America/Los_Angeles").unwrap());
        for (pattern, expected) in [
            ("YYYY-MM-DDTHH:mm:ss.SSSZ", "2024-01-21T12:05:09.042-08:00"),
            ("yyyy-MM-DDTHH:mm:ss.SSS", "2024-01-21T12:05:09.042"),
            ("dddd, MMMM D, Y h:mm a z", "Sunday, January 21, 2024 12:05 pm PST"),
            ("D-MMM-YY HH:mm:ss.S z", "21-Jan-24 12:05:09.0 PST"),
            ("[Q]Q Do dd d E DDD DDDD W", "Q1 21st Su 0 7 21 021 3"),
            ("hh A k kk m s ZZ X x", "12 PM 12 12 5 9 -0800 1705867509 1705867509042"),
            ("L, LT", "01/21/2024, 12:05 PM"),
        ] {
            assert_eq!(format(&at, pattern), expected, "{pattern}");
        }
        assert_eq!(
            [1, 2, 3, 4, 11, 12, 13, 21, 112].map(ordinal),
            ["1st", "2nd", "3rd", "4th", "11th", "12th", "13th", "21st", "112th"]
        );
    }
}
