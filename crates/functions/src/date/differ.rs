//! Calendar arithmetic: add, subtract, difference.
//!
//! Must never leave the calendar: what goes beyond it is a fault.
//! Tests: the examples here.

use flowdeck_model::FieldType::{Date, Number};
use flowdeck_model::{Fault, Fields};
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp};

use crate::call::Call;
use crate::function::{Card, card};
use crate::value;

const UNITS: &[&str] = &["milliseconds", "seconds", "minutes", "hours", "days", "weeks", "months", "years"];

/// Milliseconds of the units that have a fixed length; also divisors of `date/diff`.
fn fixed_ms(unit: &str) -> Option<f64> {
    Some(match unit {
        "milliseconds" => 1.0,
        "seconds" => 1e3,
        "minutes" => 6e4,
        "hours" => 3.6e6,
        "days" => 8.64e7,
        "weeks" => 6.048e8,
        _ => return None,
    })
}

pub(super) fn cards() -> Vec<Card> {
    let shift = |name, title, label, summary, eval, out: &'static str| {
        card(name, title, summary, eval)
            .date("start", "start date", "The date to begin with.")
            .required()
            .number("scale", label, "How many units.")
            .or(0)
            .text("unit", "units", "The unit to count in.")
            .required()
            .or("days")
            .choices(UNITS)
            .gives("output", "", Date, out)
            .help("Days and weeks are 24 and 168 hours (in UTC). Months and years keep the day and time; a day that the month does not have becomes its last day.")
    };
    vec![
        shift("date/add", "Add", "add", "Adds a span of time to a date.", add, "The later date.")
            .example(r#"{"start":"2024-01-31T09:00:00Z","scale":1,"unit":"months"}"#, r#"{"output":"2024-02-29T09:00:00.000Z"}"#)
            .example(r#"{"start":"2024-01-15T10:30:00Z","scale":90,"unit":"minutes"}"#, r#"{"output":"2024-01-15T12:00:00.000Z"}"#)
            .example(r#"{"start":"2024-01-15","scale":1.5,"unit":"days"}"#, r#"{"output":"2024-01-16T12:00:00.000Z"}"#)
            .example(r#"{"start":"2024-02-29","scale":1,"unit":"years"}"#, r#"{"output":"2025-02-28T00:00:00.000Z"}"#)
            .example(r#"{"start":"2024-03-10T06:30:00Z","scale":1,"unit":"days"}"#, r#"{"output":"2024-03-11T06:30:00.000Z"}"#)
            .fails(r#"{"start":"soon","scale":1,"unit":"days"}"#, "must be a date")
            .fails(r#"{"start":"9999-12-31","scale":1,"unit":"days"}"#, "`9999-12-31` is beyond the calendar")
            .fails(r#"{"start":"9999-12-01","scale":1,"unit":"months"}"#, "is beyond the calendar")
            .fails(r#"{"start":"2024-01-01","scale":1e300,"unit":"milliseconds"}"#, "is beyond the calendar")
            .decided("What does adding a month to January 31 give?", "The last day of February: the day is held at the end of the month.")
            .decided("Does summer time change what a day is?", "No: dates are in UTC, a day is 24 hours.")
            .decided("What does a date card do without a date?", "It is an error that names the field.")
            .decided("What is half a month?", "Fractions of months and years are cut off; fractions of the other units count."),
        shift("date/subtract", "Subtract", "subtract", "Takes a span of time away from a date.", subtract, "The earlier date.")
            .example(r#"{"start":"2024-03-31T09:00:00Z","scale":1,"unit":"months"}"#, r#"{"output":"2024-02-29T09:00:00.000Z"}"#)
            .example(r#"{"start":"2024-01-15T10:30:00Z","scale":30,"unit":"days"}"#, r#"{"output":"2023-12-16T10:30:00.000Z"}"#),
        card("date/diff", "Difference", "The time between two dates, in each unit.", diff)
            .date("start", "end date", "The later date; key and label differ, and both are Okta's.")
            .required()
            .date("end", "start date", "The earlier date.")
            .required()
            .gives("days", "", Number, "In days of 24 hours, with fractions.")
            .gives("months", "", Number, "In calendar months, with fractions.")
            .gives("years", "", Number, "In calendar years, with fractions.")
            .gives("hours", "", Number, "In hours, with fractions.")
            .gives("minutes", "", Number, "In minutes, with fractions.")
            .gives("seconds", "", Number, "In whole seconds.")
            .gives("milliseconds", "", Number, "In milliseconds.")
            .help("`start` minus `end`: positive where `start` is the later one. Each output is the whole span in its unit.")
            .example(
                r#"{"start":"2024-01-15T10:30:00Z","end":"2024-01-05T10:29:00Z"}"#,
                r#"{"days":10.000694444444445,"months":0.32260304659498207,"years":0.026883587216248506,"hours":240.01666666666668,"minutes":14401,"seconds":864060,"milliseconds":864060000}"#,
            )
            .fails(r#"{"start":"2024-01-15"}"#, "`start date` is missing")
            .decided("How are fractions of months and years made?", "Whole calendar months first, then the rest as a part of the month it lies in; years are months / 12."),
    ]
}

fn add(call: &mut Call<'_>) -> Result<Fields, Fault> {
    shift(call, 1.0)
}

fn subtract(call: &mut Call<'_>) -> Result<Fields, Fault> {
    shift(call, -1.0)
}

fn shift(call: &Call<'_>, sign: f64) -> Result<Fields, Fault> {
    let start = call.date("start")?;
    let scale = call.number("scale")?.unwrap_or(0.0) * sign;
    let unit = call.text("unit");
    let beyond = || Fault::bad_input("the result is beyond the calendar (year -9999 to 9999-12-30)");
    #[allow(clippy::cast_possible_truncation)]
    let at = if let Some(ms) = fixed_ms(&unit) {
        let ms = scale * ms + start.as_millisecond() as f64;
        super::read::millis(ms.round()).ok_or_else(beyond)?
    } else {
        let months = match unit.as_ref() {
            "months" => scale.trunc(),
            "years" => scale.trunc() * 12.0,
            _ => return Err(call.wrong("unit", "a unit of time")),
        };
        if months.abs() > 240_000.0 {
            return Err(beyond());
        }
        plus_months(start, months as i64).ok_or_else(beyond)?
    };
    Ok(Fields::one("output", super::output(at)))
}

fn plus_months(start: Timestamp, months: i64) -> Option<Timestamp> {
    let span = Span::new().try_months(months).ok()?;
    Some(start.to_zoned_datetime(TimeZone::UTC).checked_add(span).ok()?.timestamp())
}

fn diff(call: &mut Call<'_>) -> Result<Fields, Fault> {
    let (late, early) = (call.date("start")?, call.date("end")?);
    #[allow(clippy::cast_precision_loss)]
    let ms = (late.as_millisecond() - early.as_millisecond()) as f64;
    let months = months_between(early, late);
    let mut out = Fields::new();
    let mut set = |key: &str, number: f64| value::of_number(number).map(|v| out.set(key, v));
    set("days", ms / 8.64e7)?;
    set("months", months)?;
    set("years", months / 12.0)?;
    set("hours", ms / 3.6e6)?;
    set("minutes", ms / 6e4)?;
    set("seconds", (ms / 1e3).trunc())?;
    set("milliseconds", ms)?;
    Ok(out)
}

/// Calendar months from `early` to `late` with the rest as a part of the month it lies in; negative where reversed.
fn months_between(early: Timestamp, late: Timestamp) -> f64 {
    if late < early {
        return -months_between(late, early);
    }
    let (from, to) = (early.to_zoned_datetime(TimeZone::UTC), late.to_zoned_datetime(TimeZone::UTC));
    let years = i64::from(to.year()) - i64::from(from.year());
    let mut whole = years * 12 + i64::from(to.month()) - i64::from(from.month());
    let at = |months: i64| plus_months(early, months).unwrap_or(late);
    if at(whole) > late {
        whole -= 1;
    }
    let (begin, end) = (at(whole), at(whole + 1));
    #[allow(clippy::cast_precision_loss)]
    let part = |from: Timestamp, to: Timestamp| (to.as_millisecond() - from.as_millisecond()) as f64;
    let length = part(begin, end);
    let rest = if length > 0.0 { part(begin, late) / length } else { 0.0 };
    #[allow(clippy::cast_precision_loss)]
    let whole = whole as f64;
    whole + rest
}
