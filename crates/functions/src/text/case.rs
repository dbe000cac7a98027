//! Changes the shape of texts: capitals, padding, repetition.
//!
//! Must never make a text beyond the limit.
//! Tests: the examples here.

use flowdeck_model::FieldType::Text;
use flowdeck_model::{Fault, Fields};

use crate::call::Call;
use crate::function::{Card, card};
use crate::limits;

pub(super) fn cards() -> Vec<Card> {
    let change = |name, title, summary, eval| {
        card(name, title, summary, eval).text("string", "text", "The text.").required().gives(
            "output",
            "",
            Text,
            "The new text.",
        )
    };
    let pad = |name, title, summary, eval| {
        change(name, title, summary, eval)
            .number("length", "", "The length to reach, in characters.")
            .required()
            .text("pad", "fill with", "What to fill with.")
            .or(" ")
    };
    vec![
        change("string/toLowerCase", "To Lower Case", "Writes a text in small letters.", lower)
            .example(r#"{"string":"Ann ÉCLAIR"}"#, r#"{"output":"ann éclair"}"#),
        change("string/toUpperCase", "To Upper Case", "Writes a text in capitals.", upper)
            .example(r#"{"string":"straße"}"#, r#"{"output":"STRASSE"}"#),
        change(
            "string/toTitleCase",
            "To Title Case",
            "Begins each word with a capital; the rest is in small letters.",
            title,
        )
        .example(r#"{"string":"ann-marie o'neil LEE"}"#, r#"{"output":"Ann-Marie O'neil Lee"}"#),
        change("string/capitalize", "Capitalize", "Begins a text with a capital; the rest stays.", capitalize)
            .example(r#"{"string":"éa B"}"#, r#"{"output":"Éa B"}"#),
        change("string/reverse", "Reverse", "Turns a text around.", reverse)
            .example(r#"{"string":"abc"}"#, r#"{"output":"cba"}"#),
        change("string/slug", "Slug", "Makes a name for addresses: small letters, digits and hyphens.", slug)
            .example(r#"{"string":"New Colleagues (2024)!"}"#, r#"{"output":"new-colleagues-2024"}"#),
        pad("string/padLeft", "Pad Left", "Fills a text at its start up to a length.", pad_left)
            .example(r#"{"string":"7","length":3,"pad":"0"}"#, r#"{"output":"007"}"#)
            .example(r#"{"string":"1234","length":3,"pad":"0"}"#, r#"{"output":"1234"}"#),
        pad("string/padRight", "Pad Right", "Fills a text at its end up to a length.", pad_right)
            .example(r#"{"string":"ab","length":5,"pad":"-+"}"#, r#"{"output":"ab-+-"}"#),
        change("string/repeat", "Repeat", "Writes a text several times.", repeat)
            .number("times", "", "How often; 0 or less gives an empty text.")
            .required()
            .example(r#"{"string":"ab","times":3}"#, r#"{"output":"ababab"}"#)
            .fails(r#"{"string":"ab","times":1e9}"#, "longer than 16 MiB"),
    ]
}

fn lower(call: &mut Call<'_>) -> Result<Fields, Fault> {
    Ok(Fields::one("output", call.text("string").to_lowercase()))
}

fn upper(call: &mut Call<'_>) -> Result<Fields, Fault> {
    Ok(Fields::one("output", call.text("string").to_uppercase()))
}

fn title(call: &mut Call<'_>) -> Result<Fields, Fault> {
    let mut inside = false;
    let mut out = String::new();
    for c in call.text("string").chars() {
        if inside {
            out.extend(c.to_lowercase());
        } else {
            out.extend(c.to_uppercase());
        }
        inside = c.is_alphanumeric() || c == '\'' || c == '’';
    }
    Ok(Fields::one("output", out))
}

fn capitalize(call: &mut Call<'_>) -> Result<Fields, Fault> {
    let text = call.text("string");
    let mut chars = text.chars();
    let mut out: String = chars.next().map(|c| c.to_uppercase().collect()).unwrap_or_default();
    out.push_str(chars.as_str());
    Ok(Fields::one("output", out))
}

fn reverse(call: &mut Call<'_>) -> Result<Fields, Fault> {
    Ok(Fields::one("output", call.text("string").chars().rev().collect::<String>()))
}

fn slug(call: &mut Call<'_>) -> Result<Fields, Fault> {
    let text = call.text("string").to_lowercase();
    let words: Vec<&str> = text.split(|c: char| !c.is_alphanumeric()).filter(|w| !w.is_empty()).collect();
    Ok(Fields::one("output", words.join("-")))
}

fn padding(call: &Call<'_>) -> Result<(String, String), Fault> {
    let text = call.text("string").into_owned();
    let fill = call.text("pad");
    let length = call.whole("length")?.unwrap_or(0).max(0);
    let missing = usize::try_from(length).unwrap_or(usize::MAX).saturating_sub(text.chars().count());
    if fill.is_empty() {
        return Ok((text, String::new()));
    }
    limits::text(text.len().saturating_add(missing.saturating_mul(4)))?;
    let fill = fill.chars().cycle().take(missing).collect();
    Ok((text, fill))
}

fn pad_left(call: &mut Call<'_>) -> Result<Fields, Fault> {
    padding(call).map(|(text, fill)| Fields::one("output", fill + &text))
}

fn pad_right(call: &mut Call<'_>) -> Result<Fields, Fault> {
    padding(call).map(|(text, fill)| Fields::one("output", text + &fill))
}

fn repeat(call: &mut Call<'_>) -> Result<Fields, Fault> {
    let text = call.text("string");
    let times = usize::try_from(call.whole("times")?.unwrap_or(0).max(0)).unwrap_or(usize::MAX);
    limits::text(text.len().saturating_mul(times))?;
    Ok(Fields::one("output", text.repeat(if text.is_empty() { 0 } else { times })))
}
