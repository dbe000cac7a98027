//! Parts and borders of dates.
//!
//! Must never mix zones: all parts are of one zone.
//! Tests: the examples here.

use flowdeck_model::FieldType::{Boolean, Date, Number, Text};
use flowdeck_model::{Fault, Fields};
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp};

use super::{write, zone};
use crate::call::Call;
use crate::function::{Card, card};

const UNITS: &[&str] = &["minute", "hour", "day", "week", "month", "year"];

pub(super) fn cards() -> Vec<Card> {
    let border = |name, title, summary, eval| {
        card(name, title, summary, eval)
            .date("start", "date", "The date.")
            .required()
            .text("unit", "", "The span of time it lies in. Weeks begin on Monday.")
            .required()
            .or("day")
            .choices(UNITS)
            .text("zone", "", "The time zone, as in `Europe/Berlin`; UTC where empty.")
            .or("")
            .gives("output", "", Date, "The border.")
    };
    vec![
        border("date/startOf", "Start Of", "Gives the first moment of a date's day, month or other span.", start_of)
            .example(r#"{"start":"2024-01-17T10:30:00Z","unit":"week"}"#, r#"{"output":"2024-01-15T00:00:00.000Z"}"#)
            .example(r#"{"start":"2024-01-17T01:30:00Z","unit":"day","zone":"US/Pacific"}"#, r#"{"output":"2024-01-16T08:00:00.000Z"}"#)
            .example(r#"{"start":"2024-11-03T06:30:00Z","unit":"hour","zone":"US/Eastern"}"#, r#"{"output":"2024-11-03T06:00:00.000Z"}"#),
        border("date/endOf", "End Of", "Gives the last millisecond of a date's day, month or other span.", end_of)
            .example(r#"{"start":"2024-02-17T10:30:00Z","unit":"month"}"#, r#"{"output":"2024-02-29T23:59:59.999Z"}"#),
        card("date/parts", "Parts", "Takes a date apart.", take_apart)
            .date("start", "date", "The date.").required()
            .text("zone", "", "The time zone, as in `Europe/Berlin`; UTC where empty.").or("")
            .gives("year", "", Number, "As in 2024.")
            .gives("month", "", Number, "1 to 12.")
            .gives("month name", "", Text, "As in `January`.")
            .gives("day", "", Number, "Day of the month.")
            .gives("weekday", "", Text, "As in `Monday`.")
            .gives("week", "", Number, "ISO week, 1 to 53.")
            .gives("hour", "", Number, "0 to 23.")
            .gives("minute", "", Number, "0 to 59.")
            .gives("second", "", Number, "0 to 59.")
            .gives("millisecond", "", Number, "0 to 999.")
            .example(
                r#"{"start":"2024-01-15T10:30:05.042Z","zone":"Asia/Calcutta"}"#,
                r#"{"year":2024,"month":1,"month name":"January","day":15,"weekday":"Monday","week":3,"hour":16,"minute":0,"second":5,"millisecond":42}"#,
            ),
        card("date/isBefore", "Is Before", "Tells whether a date lies before another.", is_before)
            .date("start", "date", "The date.").required()
            .date("end", "other date", "The other date.").required()
            .gives("result", "", Boolean, "Whether the first is before the second.")
            .example(r#"{"start":"2024-01-15T10:30:00+01:00","end":"2024-01-15T10:00:00Z"}"#, r#"{"result":true}"#),
    ]
}

/// The first moment of the span, and the first moment after it.
fn borders(call: &Call<'_>) -> Result<(Timestamp, Timestamp), Fault> {
    let at = call.date("start")?;
    let mut zone = zone::named(&call.text("zone"))?;
    let unit = call.text("unit");
    if matches!(unit.as_ref(), "minute" | "hour") {
        // An hour that comes twice when the clocks go back is two hours: the one it lies in counts.
        zone = TimeZone::fixed(zone.to_offset(at));
    }
    let local = zone.to_datetime(at);
    let day = local.date();
    let beyond = |_| Fault::bad_input("the date is beyond the calendar");
    let (begin, span): (DateTime, Span) = match unit.as_ref() {
        "minute" => (day.at(local.hour(), local.minute(), 0, 0), Span::new().minutes(1)),
        "hour" => (day.at(local.hour(), 0, 0, 0), Span::new().hours(1)),
        "day" => (day.at(0, 0, 0, 0), Span::new().days(1)),
        "week" => {
            let back = Span::new().days(i64::from(day.weekday().to_monday_zero_offset()));
            (day.checked_sub(back).map_err(beyond)?.at(0, 0, 0, 0), Span::new().weeks(1))
        }
        "month" => (day.first_of_month().at(0, 0, 0, 0), Span::new().months(1)),
        "year" => (day.first_of_year().at(0, 0, 0, 0), Span::new().years(1)),
        _ => return Err(call.wrong("unit", "a span of time")),
    };
    let end = begin.checked_add(span).map_err(beyond)?;
    Ok((zone.to_timestamp(begin).map_err(beyond)?, zone.to_timestamp(end).map_err(beyond)?))
}

fn start_of(call: &mut Call<'_>) -> Result<Fields, Fault> {
    Ok(Fields::one("output", super::output(borders(call)?.0)))
}

fn end_of(call: &mut Call<'_>) -> Result<Fields, Fault> {
    let next = borders(call)?.1.as_millisecond() - 1;
    let at = Timestamp::from_millisecond(next).map_err(|_| Fault::bad_input("the date is beyond the calendar"))?;
    Ok(Fields::one("output", super::output(at)))
}

fn take_apart(call: &mut Call<'_>) -> Result<Fields, Fault> {
    let at = call.date("start")?.to_zoned_datetime(zone::named(&call.text("zone"))?);
    let mut out = Fields::new();
    out.set("year", at.year());
    out.set("month", at.month());
    out.set("month name", write::format(&at, "MMMM"));
    out.set("day", at.day());
    out.set("weekday", write::format(&at, "dddd"));
    out.set("week", at.iso_week_date().week());
    out.set("hour", at.hour());
    out.set("minute", at.minute());
    out.set("second", at.second());
    out.set("millisecond", at.millisecond());
    Ok(out)
}

fn is_before(call: &mut Call<'_>) -> Result<Fields, Fault> {
    Ok(Fields::one("result", call.date("start")? < call.date("end")?))
}
