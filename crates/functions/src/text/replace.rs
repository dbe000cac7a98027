//! Replaces parts of texts.
//!
//! Must never read a plain text as a pattern.
//! Tests: the examples here.

use flowdeck_model::FieldType::Text;
use flowdeck_model::{Fault, Fields};

use super::pattern::{self, DIALECT};
use crate::call::Call;
use crate::function::{Card, card};
use crate::{limits, value};

pub(super) fn cards() -> Vec<Card> {
    vec![
        card("string/replace", "Replace", "Replaces a text inside another.", replace)
            .text("string", "look in", "The text.")
            .or("")
            .text("src", "look for", "The text to replace; it is no pattern. Empty: nothing is replaced.")
            .or("")
            .text("dest", "replace with", "What comes in its place.")
            .or("")
            .boolean("global", "all instances", "Whether all places are replaced, or only the first.")
            .or(true)
            .boolean("sensitive", "case sensitive", "Whether capitals matter.")
            .or(true)
            .gives("output", "result text", Text, "The new text.")
            .example(r#"{"string":"a.b.c","src":".","dest":"-"}"#, r#"{"output":"a-b-c"}"#)
            .example(r#"{"string":"a.b.c","src":".","dest":"-","global":false}"#, r#"{"output":"a-b.c"}"#)
            .example(
                r#"{"string":"SMTP:a smtp:b","src":"smtp:","dest":"$1","sensitive":false}"#,
                r#"{"output":"$1a $1b"}"#,
            )
            .example(r#"{"string":"abc","src":"","dest":"-"}"#, r#"{"output":"abc"}"#)
            .decided("What does Replace do if there is nothing to look for?", "It gives the text unchanged."),
        card(
            "string/replacePattern",
            "Replace Pattern",
            "Replaces the parts of a text that fit a pattern.",
            replace_pattern,
        )
        .text("text", "look in", "The text.")
        .required()
        .text("pattern", "look for", "The pattern.")
        .required()
        .text(
            "replacement",
            "replace with",
            "What comes in their place; `$1`, `$<name>`, `$&` stand for groups and the match.",
        )
        .or("")
        .boolean("global", "all instances", "Whether all places are replaced, or only the first.")
        .or(true)
        .boolean("case sensitive", "", "Whether capitals matter.")
        .or(true)
        .gives("output", "result text", Text, "The new text.")
        .help(DIALECT)
        .example(r#"{"text":"Lee, Ann","pattern":"(\\w+), (\\w+)","replacement":"$2 $1"}"#, r#"{"output":"Ann Lee"}"#),
        card(
            "string/replaceAny",
            "Replace Patterns",
            "Replaces the parts of a text that fit any of several patterns.",
            replace_any,
        )
        .text("text", "look in", "The text.")
        .required()
        .text(
            "replacement",
            "replace with",
            "What comes in their place; `$1`, `$<name>`, `$&` stand for groups and the match.",
        )
        .or("")
        .boolean("global", "all instances", "Whether all places are replaced, or only the first of each pattern.")
        .or(true)
        .boolean("case sensitive", "", "Whether capitals matter.")
        .or(true)
        .more(Text)
        .gives("output", "result text", Text, "The new text.")
        .help("Each input that you add is a pattern. They are applied one after the other; an empty one does nothing. ")
        .note(DIALECT)
        .example(r#"{"text":"àáb","replacement":"a","p1":"à","p2":"[áâ]"}"#, r#"{"output":"aab"}"#)
        .example(r#"{"text":"x1Y2","p1":"y","p2":"\\d","case sensitive":false}"#, r#"{"output":"x"}"#)
        .decided(
            "In which order do the patterns of Replace Patterns work?",
            "In the order of the inputs, each on the result of the one before.",
        ),
        card("string/stripHtml", "Strip HTML", "Takes the tags out of HTML and decodes its characters.", strip_html)
            .text("string", "text", "The HTML.")
            .required()
            .gives("output", "", Text, "The text without tags, comments, scripts and styles.")
            .example(r#"{"string":"<p>A &amp; <b>B</b></p>"}"#, r#"{"output":"A & B"}"#)
            .example(r#"{"string":"<style>p{}</style>1 < 2"}"#, r#"{"output":"1 < 2"}"#),
    ]
}

fn replace(call: &mut Call<'_>) -> Result<Fields, Fault> {
    let (text, src, dest) = (call.text("string"), call.text("src"), call.text("dest"));
    let (all, sensitive) = (call.flag("global")?.unwrap_or(true), call.flag("sensitive")?.unwrap_or(true));
    if src.is_empty() {
        return Ok(Fields::one("output", text.as_ref()));
    }
    if !sensitive {
        let regex = pattern::compile(&regex::escape(&src), false)?;
        return Ok(Fields::one("output", pattern::replace(&text, &regex, &dest.replace('$', "$$"), all)?));
    }
    let count = if all { text.matches(src.as_ref()).count() } else { 1 };
    limits::text(text.len() + count * dest.len().saturating_sub(src.len()))?;
    Ok(Fields::one("output", text.replacen(src.as_ref(), &dest, count)))
}

fn replace_pattern(call: &mut Call<'_>) -> Result<Fields, Fault> {
    let regex = pattern::compile(&call.text("pattern"), call.flag("case sensitive")?.unwrap_or(true))?;
    let all = call.flag("global")?.unwrap_or(true);
    Ok(Fields::one("output", pattern::replace(&call.text("text"), &regex, &call.text("replacement"), all)?))
}

fn replace_any(call: &mut Call<'_>) -> Result<Fields, Fault> {
    let all = call.flag("global")?.unwrap_or(true);
    let sensitive = call.flag("case sensitive")?.unwrap_or(true);
    let replacement = call.text("replacement");
    let mut text = call.text("text").into_owned();
    for (_, given) in call.more() {
        let source = value::text(given);
        if !source.is_empty() {
            text = pattern::replace(&text, &pattern::compile(&source, sensitive)?, &replacement, all)?;
        }
    }
    Ok(Fields::one("output", text))
}

fn strip_html(call: &mut Call<'_>) -> Result<Fields, Fault> {
    let html = call.text("string");
    let parts =
        pattern::compile(r"(?is)<!--.*?-->|<script\b.*?</script\s*>|<style\b.*?</style\s*>|</?[a-z!][^>]*>", true)?;
    let bare = parts.replace_all(&html, "");
    Ok(Fields::one("output", super::encode::html_decode(&bare)))
}
