//! Dates to texts and numbers, and back.
//!
//! Must never guess a format where one is given and fits.
//! Tests: the examples here.

use flowdeck_model::FieldType::{Date, Number, Text};
use flowdeck_model::{Fault, Fields};
use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::{read, scan, tokens, write, zone};
use crate::call::Call;
use crate::function::{Card, card};
use crate::value;

pub(super) fn cards() -> Vec<Card> {
    let single = |name, title, summary, eval, kind| {
        card(name, title, summary, eval).date("start", "", "The date.").required().gives(
            "output",
            "",
            kind,
            "The result.",
        )
    };
    let text_in = |card: Card| {
        card.text("start", "", "The text.").required().text(
            "format",
            "",
            "Its format in tokens. Empty: ISO 8601 and other usual forms.",
        )
    };
    vec![
        card("date/format", "Date to Text", "Writes a date as text.", format)
            .date("start", "", "The date.").required()
            .text("format", "", "The format in tokens. Empty: ISO 8601.").or("")
            .text("zone", "", "The time zone, as in `Europe/Berlin`; UTC where empty.").or("")
            .gives("output", "", Text, "The text.")
            .help(tokens::HELP)
            .example(r#"{"start":"2024-01-15T10:30:00Z","format":"dddd, MMMM D, Y h:mm a z","zone":"US/Pacific"}"#, r#"{"output":"Monday, January 15, 2024 2:30 am PST"}"#)
            .example(r#"{"start":"2024-01-15T10:30:00Z","format":"YYYY-MM-DD"}"#, r#"{"output":"2024-01-15"}"#)
            .example(r#"{"start":"2024-01-15T10:30:00Z","zone":"+01:00"}"#, r#"{"output":"2024-01-15T11:30:00+01:00"}"#)
            .fails(r#"{"start":"2024-01-15","format":"L","zone":"Moon/Base"}"#, "not a time zone")
            .decided("Which zone is `America/Pacific`, which does not exist?", "America/Los_Angeles. Any other unknown zone is an error.")
            .decided("What do `yyyy` and `yy` mean?", "The same as `YYYY` and `YY`."),
        text_in(card("date/parse", "Text to Date", "Reads a date from text.", parse))
            .text("zone", "", "The time zone of a text that names none; UTC where empty.").or("")
            .gives("output", "", Date, "The date.")
            .help(tokens::HELP)
            .note("Without a format: ISO 8601, RFC 2822, `MM/DD/YYYY`, `MM/DD/YY`, `January 15, 2024` and the `full` form of Now, each with or without a time. A text that does not fit the format is tried in these forms too.")
            .example(r#"{"start":"01/31/2024","format":"MM/DD/YYYY"}"#, r#"{"output":"2024-01-31T00:00:00.000Z"}"#)
            .example(r#"{"start":"1656375171000","format":"x"}"#, r#"{"output":"2022-06-28T00:12:51.000Z"}"#)
            .example(r#"{"start":"2022-06-27T17:12:51-07:00"}"#, r#"{"output":"2022-06-28T00:12:51.000Z"}"#)
            .example(r#"{"start":"Monday, January 15, 2024 10:30 AM"}"#, r#"{"output":"2024-01-15T10:30:00.000Z"}"#)
            .fails(r#"{"start":"soon","format":"MM/DD/YYYY"}"#, "is not a date")
            .example(r#"{"start":"1/2/24","format":"DD/MM/YYYY"}"#, r#"{"output":"2024-02-01T00:00:00.000Z"}"#)
            .fails(r#"{"start":"1/2/2024","format":"DD.MM.YYYY"}"#, "is not a date")
            .fails(r#"{"start":"9999-12-31","format":"YYYY-MM-DD"}"#, "is beyond the calendar")
            .decided("Which moments do the date cards know?", "Those from year -9999 to 9999-12-30T22:00:00Z; later ones, as 9999-12-31, are an error that says so.")
            .decided("Must a text have as many digits as its token?", "No, as in Moment: `DD` reads `1` too, `YYYY` reads `24` as 2024. `24:00` is the end of its day.")
            .decided("Which texts are dates without a format?", "ISO 8601, RFC 2822, `MM/DD/YYYY`, `MM/DD/YY`, English long forms and the `full` form of Now; else an error.")
            .decided("What if a text does not fit the format?", "The forms without a format are tried (but no `MM/DD` where the format begins with the day), then it is an error."),
        text_in(card("date/fromISO", "Convert", "Writes a date in all usual forms.", convert))
            .text("zone", "", "The time zone of `human` and `custom`; UTC where empty.")
            .gives("date", "", Date, "The date.")
            .gives("iso", "", Text, "ISO 8601 in UTC without fraction.")
            .gives("epoch", "", Text, "Seconds since 1970.")
            .gives("unix", "", Text, "Milliseconds since 1970.")
            .gives("human", "", Text, "As in `Wed, September 7th at 12:01 AM`.")
            .gives("custom", "", Text, "By the format, in the zone; ISO 8601 where no format is given.")
            .help("`format` is the form of `custom`, not of the text that is read. Digits alone are milliseconds since 1970, or seconds where there are at most 10.")
            .note(tokens::HELP)
            .example(
                r#"{"start":"2022-06-27T17:12:51-07:00","format":"M/D/Y","zone":"US/Pacific"}"#,
                r#"{"date":"2022-06-28T00:12:51.000Z","iso":"2022-06-28T00:12:51Z","epoch":"1656375171","unix":"1656375171000","human":"Mon, June 27th at 5:12 PM","custom":"6/27/2022"}"#,
            )
            .decided("Are `epoch` and `unix` of Convert seconds or milliseconds?", "`epoch` is seconds, `unix` milliseconds, both as text.")
            .decided("What are `human` and `custom` of Convert without zone and format?", "In UTC; `custom` is ISO 8601."),
        single("date/epoch", "EPOCH", "Gives a date as seconds since 1970.", epoch, Number)
            .example(r#"{"start":"2024-01-15T10:15:00.900Z"}"#, r#"{"output":1705313700}"#)
            .decided("What is the unit of EPOCH?", "Whole seconds."),
        single("date/unix", "UNIX", "Gives a date as milliseconds since 1970.", unix, Number)
            .example(r#"{"start":"2024-01-15T12:00:00Z"}"#, r#"{"output":1705320000000}"#)
            .decided("What is the unit of UNIX?", "Milliseconds."),
        single("date/iso", "ISO", "Gives a date as ISO 8601 text.", iso, Text)
            .example(r#"{"start":"2024-01-15T12:00:00+01:00"}"#, r#"{"output":"2024-01-15T11:00:00.000Z"}"#)
            .decided("Has the text of a date a fraction?", "Milliseconds, always: `2024-01-15T11:00:00.000Z`; only `iso` of Convert has none."),
        card("date/fromEpoch", "From EPOCH", "Makes a date of a number of seconds or milliseconds since 1970.", from_epoch)
            .number("number", "", "The number.").required()
            .text("unit", "", "Its unit.").required().or("seconds").choices(&["seconds", "milliseconds"])
            .gives("output", "", Date, "The date.")
            .example(r#"{"number":1656375171,"unit":"seconds"}"#, r#"{"output":"2022-06-28T00:12:51.000Z"}"#)
            .fails(r#"{"number":1e20,"unit":"seconds"}"#, "beyond the calendar"),
    ]
}

fn zoned(call: &Call<'_>, at: Timestamp) -> Result<jiff::ZonedDateTime, Fault> {
    Ok(at.to_zoned_datetime(zone::named(&call.text("zone"))?))
}

fn by_format(call: &Call<'_>, at: Timestamp) -> Result<String, Fault> {
    let format = call.text("format");
    if format.len() > tokens::FORMAT_BYTES_MAX {
        return Err(Fault::bad_input(format!("the format is longer than {} bytes", tokens::FORMAT_BYTES_MAX)));
    }
    let format = if format.trim().is_empty() { "YYYY-MM-DDTHH:mm:ssZ" } else { &format };
    Ok(write::format(&zoned(call, at)?, format))
}

fn format(call: &mut Call<'_>) -> Result<Fields, Fault> {
    Ok(Fields::one("output", by_format(call, call.date("start")?)?))
}

fn parse(call: &mut Call<'_>) -> Result<Fields, Fault> {
    let (text, format) = (call.some_text("start")?, call.text("format"));
    let zone = zone::named(&call.text("zone"))?;
    let now = Timestamp::from_millisecond(call.now().0).unwrap_or(Timestamp::UNIX_EPOCH);
    let usable = !format.trim().is_empty() && format.len() <= tokens::FORMAT_BYTES_MAX;
    let found = usable.then(|| scan::by_format(&text, &format, &zone, now)).flatten();
    let plainly = if usable && tokens::day_is_first(&format) { read::text_with_day_first } else { read::text_in };
    let found = found.or_else(|| plainly(&text, &zone)).ok_or_else(|| {
        if read::is_beyond(&text) {
            return super::beyond(&text);
        }
        let by = if usable { format!(" by the format `{}`", value::short(&format)) } else { String::new() };
        Fault::bad_input(format!("`{}` is not a date{by}", value::short(&text))).remedy("check the text and the format")
    })?;
    Ok(Fields::one("output", super::output(found)))
}

/// Digits alone are milliseconds, or seconds where there are at most 10.
fn digits(text: &str) -> Option<Timestamp> {
    let text = text.trim();
    let plain = !text.is_empty() && text.len() <= 16 && text.bytes().all(|b| b.is_ascii_digit());
    // Eight digits and fewer are calendar dates such as 20240115.
    let number: f64 = text.parse().ok().filter(|_| plain && text.len() > 8)?;
    read::millis(if text.len() <= 10 { number * 1e3 } else { number })
}

fn convert(call: &mut Call<'_>) -> Result<Fields, Fault> {
    let text = call.some_text("start")?;
    let at =
        digits(&text).or_else(|| read::text_in(&text, &TimeZone::UTC)).ok_or_else(|| call.wrong("start", "a date"))?;
    let local = zoned(call, at)?;
    let custom = by_format(call, at)?;
    let mut out = Fields::new();
    out.set("date", super::output(at));
    out.set("iso", write::format(&at.to_zoned_datetime(TimeZone::UTC), "YYYY-MM-DDTHH:mm:ss[Z]"));
    out.set("epoch", at.as_millisecond().div_euclid(1000).to_string());
    out.set("unix", at.as_millisecond().to_string());
    out.set("human", write::format(&local, "ddd, MMMM Do [at] h:mm A"));
    out.set("custom", custom);
    Ok(out)
}

fn epoch(call: &mut Call<'_>) -> Result<Fields, Fault> {
    Ok(Fields::one("output", call.date("start")?.as_millisecond().div_euclid(1000)))
}

fn unix(call: &mut Call<'_>) -> Result<Fields, Fault> {
    Ok(Fields::one("output", call.date("start")?.as_millisecond()))
}

fn iso(call: &mut Call<'_>) -> Result<Fields, Fault> {
    Ok(Fields::one("output", super::output(call.date("start")?)))
}

fn from_epoch(call: &mut Call<'_>) -> Result<Fields, Fault> {
    let number = call.some_number("number")?;
    let ms = if call.text("unit") == "milliseconds" { number } else { number * 1e3 };
    let at = read::millis(ms).ok_or_else(|| Fault::bad_input("the date is beyond the calendar"))?;
    Ok(Fields::one("output", super::output(at)))
}
