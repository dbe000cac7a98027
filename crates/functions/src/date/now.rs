//! The step's time in its parts.
//!
//! Must never read a clock: the step's time is given.
//! Tests: the examples here.

use flowdeck_model::FieldType::{Date, Number, Text};
use flowdeck_model::{Fault, Fields};
use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::call::Call;
use crate::function::{Card, card};

pub(super) fn cards() -> Vec<Card> {
    vec![
        card("date/now", "Now", "The time of this step, in its parts.", now)
            .gives("date", "", Date, "The time, for other date cards.")
            .gives("iso", "", Text, "As ISO 8601 text with milliseconds.")
            .gives("full", "", Text, "As in `Monday, January 15, 2024 10:30 AM`.")
            .gives("minute", "", Number, "0 to 59.")
            .gives("hour", "", Number, "0 to 23.")
            .gives("time", "", Text, "As in `10:30 AM`.")
            .gives("day", "", Number, "Day of the month.")
            .gives("month", "", Text, "As in `January`.")
            .gives("year", "", Number, "As in 2024.")
            .gives("second", "", Number, "0 to 59.")
            .gives("millisecond", "", Number, "0 to 999.")
            .help("All parts are in UTC. A step that is computed again keeps its time.")
            .observes()
            .example(
                "{}",
                r#"{"date":"2024-01-15T10:30:00.000Z","iso":"2024-01-15T10:30:00.000Z","full":"Monday, January 15, 2024 10:30 AM",
                "minute":30,"hour":10,"time":"10:30 AM","day":15,"month":"January","year":2024,"second":0,"millisecond":0}"#,
            )
            .decided(
                "How do `full`, `time`, `month` and `iso` of Now look?",
                "`Monday, January 15, 2024 10:30 AM`, `10:30 AM`, `January`, and ISO 8601 with milliseconds in UTC.",
            ),
    ]
}

fn now(call: &mut Call<'_>) -> Result<Fields, Fault> {
    let at = Timestamp::from_millisecond(call.now().0)
        .map_err(|_| Fault::bad_input("the time of this step is beyond the calendar"))?;
    let utc = at.to_zoned_datetime(TimeZone::UTC);
    let iso = super::output(at);
    let mut out = Fields::new();
    out.set("date", iso.clone());
    out.set("iso", iso);
    out.set("full", utc.strftime("%A, %B %-d, %Y %-I:%M %p").to_string());
    out.set("minute", utc.minute());
    out.set("hour", utc.hour());
    out.set("time", utc.strftime("%-I:%M %p").to_string());
    out.set("day", utc.day());
    out.set("month", utc.strftime("%B").to_string());
    out.set("year", utc.year());
    out.set("second", utc.second());
    out.set("millisecond", utc.millisecond());
    Ok(out)
}
