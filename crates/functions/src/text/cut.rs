//! Cuts texts and measures them.
//!
//! Must never cut inside a character.
//! Tests: the examples here.

use flowdeck_model::FieldType::{Number, Text};
use flowdeck_model::{Fault, Fields, Value};

use crate::call::Call;
use crate::function::{Card, card};
use crate::{limits, value};

pub(super) fn cards() -> Vec<Card> {
    let trimmed = |name, title, summary, eval| {
        card(name, title, summary, eval).text("string", "text", "The text.").required().gives(
            "output",
            "",
            Text,
            "The text without them.",
        )
    };
    vec![
        card("string/split", "Split", "Cuts a text into a list at each separator.", split)
            .text("string", "text", "The text to cut.")
            .required()
            .text("delimiter", "separator", "Where to cut; it is left out. Empty: between all characters.")
            .or(",")
            .gives("output", "", Text.list(), "The pieces, in order, not trimmed.")
            .example(r#"{"string":"a, b,,c"}"#, r#"{"output":["a"," b","","c"]}"#)
            .example(r#"{"string":"ann@acme.com","delimiter":"@"}"#, r#"{"output":["ann","acme.com"]}"#)
            .example(r#"{"string":"aé","delimiter":""}"#, r#"{"output":["a","é"]}"#)
            .example(r#"{"string":""}"#, r#"{"output":[""]}"#)
            .decided("What does an empty separator do?", "It cuts between all characters.")
            .decided("What is an empty text split into?", "A list with one empty text, as in JavaScript."),
        card("string/substr", "Text Segment", "Takes a part out of a text.", substr)
            .text("string", "text", "The text.")
            .required()
            .number("start", "start at", "Position of the first character, from 0. Negative: counted from the end.")
            .number(
                "end",
                "end before",
                "Position after the last character; the end of the text where not set. Negative: counted from the end.",
            )
            .gives("output", "", Text, "The part.")
            .example(r#"{"string":"workflows","start":0,"end":4}"#, r#"{"output":"work"}"#)
            .example(r#"{"string":"workflows","start":4}"#, r#"{"output":"flows"}"#)
            .example(r#"{"string":"workflows","start":-3}"#, r#"{"output":"ows"}"#)
            .example(r#"{"string":"workflows","start":4,"end":2}"#, r#"{"output":""}"#)
            .example(r#"{"string":"abc","start":1,"end":99}"#, r#"{"output":"bc"}"#)
            .decided("What do negative positions of Text Segment mean?", "They count from the end of the text.")
            .decided("What if `end before` is not after `start at`?", "The part is empty.")
            .decided("What is a character?", "A Unicode code point: an emoji counts 1 (2 in JavaScript)."),
        card("string/length", "Length", "Counts the characters of a text.", length)
            .text("string", "text", "The text.")
            .required()
            .gives("length", "", Number, "How many characters (Unicode code points) it has.")
            .example(r#"{"string":"naïve"}"#, r#"{"length":5}"#)
            .example(r#"{"string":""}"#, r#"{"length":0}"#),
        card("string/at", "At", "Takes one character of a text.", at)
            .text("string", "text", "The text.")
            .required()
            .number("index", "position", "Its position, from 0. Negative: counted from the end.")
            .or(0)
            .gives("output", "", Text, "The character; empty where the text is shorter.")
            .example(r#"{"string":"flöw","index":2}"#, r#"{"output":"ö"}"#)
            .example(r#"{"string":"flow","index":-1}"#, r#"{"output":"w"}"#)
            .example(r#"{"string":"flow","index":9}"#, r#"{"output":""}"#),
        trimmed("string/trim", "Trim", "Takes white space away from both ends of a text.", trim)
            .example(r#"{"string":"  Ann \n"}"#, r#"{"output":"Ann"}"#),
        trimmed("string/trimLeft", "Trim Left", "Takes white space away from the start of a text.", trim_left)
            .example(r#"{"string":"  Ann "}"#, r#"{"output":"Ann "}"#),
        trimmed("string/trimRight", "Trim Right", "Takes white space away from the end of a text.", trim_right)
            .example(r#"{"string":"  Ann "}"#, r#"{"output":"  Ann"}"#),
        card("string/lines", "Lines", "Cuts a text into its lines.", lines)
            .text("string", "text", "The text.")
            .required()
            .gives("output", "", Text.list(), "The lines without their ends.")
            .example(r#"{"string":"a\r\nb\n"}"#, r#"{"output":["a","b"]}"#),
        card("string/truncate", "Truncate", "Shortens a text to a length.", truncate)
            .text("string", "text", "The text.")
            .required()
            .number("length", "", "Most characters, the ending included.")
            .required()
            .text("ending", "", "What a shortened text ends with.")
            .or("…")
            .gives("output", "", Text, "The text, or its beginning and the ending.")
            .example(r#"{"string":"Hello world","length":6}"#, r#"{"output":"Hello…"}"#)
            .example(r#"{"string":"Hello","length":6}"#, r#"{"output":"Hello"}"#)
            .fails(r#"{"string":"Hello"}"#, "`length` is missing"),
    ]
}

fn split(call: &mut Call<'_>) -> Result<Fields, Fault> {
    let (text, delimiter) = (call.text("string"), call.text("delimiter"));
    // Counted first: a million pieces need much more memory than the text.
    let pieces: Vec<Value> = if delimiter.is_empty() {
        limits::items(text.chars().count())?;
        text.chars().map(|c| Value::String(c.into())).collect()
    } else {
        limits::items(text.matches(delimiter.as_ref()).count() + 1)?;
        text.split(delimiter.as_ref()).map(Value::from).collect()
    };
    Ok(Fields::one("output", pieces))
}

/// The byte where the character at this position begins; the end of the text where it is beyond.
fn byte_at(text: &str, position: usize) -> usize {
    if text.is_ascii() {
        return position.min(text.len());
    }
    text.char_indices().nth(position).map_or(text.len(), |(at, _)| at)
}

fn substr(call: &mut Call<'_>) -> Result<Fields, Fault> {
    let text = call.text("string");
    let count = text.chars().count();
    let place = |position: i64| {
        let size = i64::try_from(count).unwrap_or(i64::MAX);
        let at = if position < 0 { size + position } else { position };
        usize::try_from(at.clamp(0, size)).unwrap_or(0)
    };
    let start = place(call.whole("start")?.unwrap_or(0));
    let end = call.whole("end")?.map_or(count, place);
    let part = if start < end { &text[byte_at(&text, start)..byte_at(&text, end)] } else { "" };
    Ok(Fields::one("output", part))
}

fn length(call: &mut Call<'_>) -> Result<Fields, Fault> {
    Ok(Fields::one("length", value::of_count(call.text("string").chars().count())))
}

fn at(call: &mut Call<'_>) -> Result<Fields, Fault> {
    let text = call.text("string");
    let position = call.whole("index")?.unwrap_or(0);
    let back = |n: i64| usize::try_from(n.unsigned_abs()).unwrap_or(usize::MAX);
    let one = match usize::try_from(position) {
        Ok(position) => text.chars().nth(position),
        Err(_) => text.chars().rev().nth(back(position) - 1),
    };
    Ok(Fields::one("output", one.map(String::from).unwrap_or_default()))
}

/// What JavaScript's `trim` takes away: a byte order mark too, but no NEL (ECMA-262, section 12.2).
fn is_space(c: char) -> bool {
    c == '\u{feff}' || c != '\u{85}' && c.is_whitespace()
}

fn trim(call: &mut Call<'_>) -> Result<Fields, Fault> {
    Ok(Fields::one("output", call.text("string").trim_matches(is_space)))
}

fn trim_left(call: &mut Call<'_>) -> Result<Fields, Fault> {
    Ok(Fields::one("output", call.text("string").trim_start_matches(is_space)))
}

fn trim_right(call: &mut Call<'_>) -> Result<Fields, Fault> {
    Ok(Fields::one("output", call.text("string").trim_end_matches(is_space)))
}

fn lines(call: &mut Call<'_>) -> Result<Fields, Fault> {
    let text = call.text("string");
    limits::items(text.lines().count())?;
    let lines: Vec<Value> = text.lines().map(Value::from).collect();
    Ok(Fields::one("output", lines))
}

fn truncate(call: &mut Call<'_>) -> Result<Fields, Fault> {
    let (text, ending) = (call.text("string"), call.text("ending"));
    let max =
        usize::try_from(call.whole("length")?.ok_or_else(|| call.missing("length"))?.max(0)).unwrap_or(usize::MAX);
    if text.chars().count() <= max {
        return Ok(Fields::one("output", text.as_ref()));
    }
    let kept = max.saturating_sub(ending.chars().count());
    let mut out: String = text.chars().take(kept).collect();
    out.extend(ending.chars().take(max - kept));
    Ok(Fields::one("output", out))
}
