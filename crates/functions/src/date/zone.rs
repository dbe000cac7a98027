//! Time zones by the names that people use.
//!
//! Must never read the machine's zone or its zone files: the database is embedded.
//! Tests: below.

use flowdeck_model::Fault;
use jiff::tz::{Offset, TimeZone, TimeZoneDatabase};

/// Names that are no zones of the database but are written all the same.
const ALIASES: &[(&str, &str)] = &[
    ("America/Pacific", "America/Los_Angeles"),
    ("America/Mountain", "America/Denver"),
    ("America/Central", "America/Chicago"),
    ("America/Eastern", "America/New_York"),
    ("PST", "America/Los_Angeles"),
    ("PDT", "America/Los_Angeles"),
    ("MDT", "America/Denver"),
    ("CST", "America/Chicago"),
    ("CDT", "America/Chicago"),
    ("EDT", "America/New_York"),
    ("BST", "Europe/London"),
    ("CEST", "Europe/Berlin"),
    ("Z", "UTC"),
];

/// The zone of this name or offset (`+02:00`); empty is UTC.
///
/// # Errors
/// `bad-input` where there is none.
pub(crate) fn named(name: &str) -> Result<TimeZone, Fault> {
    let name = name.trim();
    if name.is_empty() {
        return Ok(TimeZone::UTC);
    }
    let alias = ALIASES.iter().find(|(from, _)| from.eq_ignore_ascii_case(name)).map_or(name, |(_, to)| to);
    if let Some(zone) = offset(alias) {
        return Ok(zone);
    }
    TimeZoneDatabase::bundled().get(alias).map_err(|_| {
        Fault::bad_input(format!("`{}` is not a time zone", crate::value::short(name)))
            .remedy("use a name such as Europe/Berlin or US/Pacific, or an offset such as +02:00")
    })
}

/// `+02:00`, `-0730`, `+2`.
fn offset(text: &str) -> Option<TimeZone> {
    let sign = match text.as_bytes().first()? {
        b'+' => 1,
        b'-' => -1,
        _ => return None,
    };
    let digits: String = text[1..].chars().filter(|c| *c != ':').collect();
    if digits.is_empty() || digits.len() > 4 || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let (hours, minutes) = if digits.len() > 2 { digits.split_at(digits.len() - 2) } else { (digits.as_str(), "0") };
    let seconds = hours.parse::<i32>().ok()? * 3600 + minutes.parse::<i32>().ok()? * 60;
    Some(TimeZone::fixed(Offset::from_seconds(sign * seconds).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_names_aliases_and_offsets() {
        let winter = jiff::Timestamp::UNIX_EPOCH;
        for (name, hours) in
            [("", 0.0), ("UTC", 0.0), ("US/Pacific", -8.0), ("america/pacific", -8.0), ("+05:30", 5.5), ("-7", -7.0)]
        {
            let seconds = named(name).unwrap().to_offset(winter).seconds();
            assert_eq!(f64::from(seconds) / 3600.0, hours, "{name}");
        }
        for bad in ["Moon/Base", "+99:00", "+", "+é"] {
            assert!(named(bad).is_err(), "{bad}");
        }
    }
}
