//! Looks for texts in texts.
//!
//! Must never answer a byte position.
//! Tests: the examples here.

use flowdeck_model::FieldType::{Any, Boolean, Number, Text};
use flowdeck_model::{Fault, Fields, Value};

use super::pattern::{self, DIALECT};
use crate::call::Call;
use crate::function::{Card, card};
use crate::{limits, value};

pub(super) fn cards() -> Vec<Card> {
    let look =
        |name, title, summary, eval| card(name, title, summary, eval).text("string", "look in", "The text.").required();
    let test = |name, title, summary, eval| {
        look(name, title, summary, eval)
            .text("substr", "look for", "The text to look for. Empty: always found.")
            .required()
            .boolean("sensitive", "case sensitive", "Whether capitals matter.")
            .or(true)
            .gives("result", "", Boolean, "Whether it is there.")
    };
    vec![
        look("string/find", "Find", "Finds the first place of a text in another.", find)
            .text("substr", "look for", "The text to look for.").required()
            .gives("output", "position", Number, "Position of its first character, from 0; -1 where it is not there.")
            .example(r#"{"string":"ann@acme.com","substr":"@"}"#, r#"{"output":3}"#)
            .example(r#"{"string":"éa","substr":"a"}"#, r#"{"output":1}"#)
            .example(r#"{"string":"abc","substr":"x"}"#, r#"{"output":-1}"#),
        look("string/lastIndexOf", "Find Last", "Finds the last place of a text in another.", find_last)
            .text("substr", "look for", "The text to look for.").required()
            .number("index", "right-most position", "The last position where it may begin; anywhere where not set.")
            .gives("output", "position", Number, "Position of its first character, from 0; -1 where it is not there.")
            .example(r#"{"string":"Ann van Lee","substr":" "}"#, r#"{"output":7}"#)
            .example(r#"{"string":"a-b-c","substr":"-","index":2}"#, r#"{"output":1}"#)
            .example(r#"{"string":"éaé","substr":"é","index":1}"#, r#"{"output":0}"#)
            .example(r#"{"string":"abc","substr":"x"}"#, r#"{"output":-1}"#),
        look("string/match", "Find Pattern", "Finds the first place in a text that fits a pattern.", find_pattern)
            .text("target", "look for", "The pattern.").required()
            .gives("output", "position", Number, "Position of the first fitting character, from 0; -1 where nothing fits.")
            .help(DIALECT)
            .example(r#"{"string":"Room 42","target":"[0-9]"}"#, r#"{"output":5}"#)
            .example(r#"{"string":"Room","target":"[0-9]"}"#, r#"{"output":-1}"#)
            .fails(r#"{"string":"Room","target":"[0-9"}"#, "is not a pattern")
            .decided("Which patterns does Find Pattern know?", "JavaScript's, without look-around and back references; case matters unless the pattern begins with `(?i)`."),
        look("string/matchAll", "Extract Patterns", "Takes all parts of a text that fit a pattern.", match_all)
            .text("target", "look for", "The pattern. With a group, the group's part is taken.").required()
            .gives("output", "", Text.list(), "The parts in order.")
            .gives("first", "", Text, "The first part, or null.")
            .help(DIALECT)
            .example(r#"{"string":"a=1, b=22","target":"\\d+"}"#, r#"{"output":["1","22"],"first":"1"}"#)
            .example(r#"{"string":"id: X7;","target":"id: (\\w+)"}"#, r#"{"output":["X7"],"first":"X7"}"#)
            .example(r#"{"string":"none","target":"\\d+"}"#, r#"{"output":[],"first":null}"#),
        card("string/email", "Find Email", "Finds the first e-mail address in a text.", email)
            .text("string", "text", "The text.").required()
            .gives("email", "", Any, "The address, or null where there is none.")
            .example(r#"{"string":"Write to Ann.Lee+x@mail.acme.com."}"#, r#"{"email":"Ann.Lee+x@mail.acme.com"}"#)
            .example(r#"{"string":"no address @ all"}"#, r#"{"email":null}"#)
            .decided("What does Find Email give without an address?", "Null."),
        test("string/contains", "Contains", "Tells whether a text is part of another.", contains)
            .example(r#"{"string":"Okta Workflows","substr":"work","sensitive":false}"#, r#"{"result":true}"#)
            .example(r#"{"string":"Okta Workflows","substr":"work"}"#, r#"{"result":false}"#),
        test("string/startsWith", "Starts With", "Tells whether a text begins with another.", starts_with)
            .example(r#"{"string":"00u1","substr":"00u"}"#, r#"{"result":true}"#),
        test("string/endsWith", "Ends With", "Tells whether a text ends with another.", ends_with)
            .example(r#"{"string":"ann@acme.com","substr":"@acme.com"}"#, r#"{"result":true}"#),
        look("string/count", "Count", "Counts how often a text is in another.", count)
            .text("substr", "look for", "The text to look for. Empty: 0.").required()
            .gives("output", "", Number, "How often, without overlaps.")
            .example(r#"{"string":"banana","substr":"an"}"#, r#"{"output":2}"#),
    ]
}

fn position(text: &str, at: Option<usize>) -> Fields {
    Fields::one("output", at.map_or(Value::from(-1), |at| value::of_count(text[..at].chars().count())))
}

fn find(call: &mut Call<'_>) -> Result<Fields, Fault> {
    let text = call.text("string");
    Ok(position(&text, text.find(call.text("substr").as_ref())))
}

fn find_last(call: &mut Call<'_>) -> Result<Fields, Fault> {
    let (text, wanted) = (call.text("string"), call.text("substr"));
    let upto = match call.whole("index")? {
        None => text.len(),
        Some(index) => {
            let index = usize::try_from(index.max(0)).unwrap_or(usize::MAX);
            text.char_indices().nth(index).map_or(text.len(), |(at, _)| at)
        }
    };
    // It may begin at `upto` at the latest, so it may end that much later. If that is inside a character, it does not
    // begin there, and an earlier one ends before that character.
    let end = upto.saturating_add(wanted.len()).min(text.len());
    let end = (0..=end).rev().find(|&at| text.is_char_boundary(at)).unwrap_or(0);
    Ok(position(&text, text[..end].rfind(wanted.as_ref())))
}

fn find_pattern(call: &mut Call<'_>) -> Result<Fields, Fault> {
    let text = call.text("string");
    let regex = pattern::compile(&call.text("target"), true)?;
    Ok(position(&text, regex.find(&text).map(|m| m.start())))
}

fn match_all(call: &mut Call<'_>) -> Result<Fields, Fault> {
    let text = call.text("string");
    let regex = pattern::compile(&call.text("target"), true)?;
    let group = usize::from(regex.captures_len() > 1);
    let mut found = Vec::new();
    for captures in regex.captures_iter(&text) {
        found.push(captures.get(group).map_or(Value::Null, |m| Value::from(m.as_str())));
        limits::items(found.len())?;
    }
    let mut out = Fields::one("first", found.first().cloned().unwrap_or_default());
    out.set("output", found);
    Ok(out)
}

/// Characters of the part before the `@`.
fn is_local(c: char) -> bool {
    c.is_alphanumeric() || "!#$%&'*+/=?^_`{|}~.-".contains(c)
}

fn email(call: &mut Call<'_>) -> Result<Fields, Fault> {
    let text = call.text("string");
    let address = text.match_indices('@').find_map(|(at, _)| {
        let local =
            text[..at].rfind(|c| !is_local(c)).map_or(0, |i| i + text[i..].chars().next().map_or(1, char::len_utf8));
        let local = &text[local..at];
        let local = local.trim_start_matches('.');
        let domain = &text[at + 1..];
        let domain =
            &domain[..domain.find(|c: char| !(c.is_alphanumeric() || c == '.' || c == '-')).unwrap_or(domain.len())];
        let domain = domain.trim_end_matches(['.', '-']);
        let dotted = domain.split('.').count() > 1 && domain.split('.').all(|part| !part.is_empty());
        (!local.is_empty() && dotted).then(|| format!("{local}@{domain}"))
    });
    Ok(Fields::one("email", address.map_or(Value::Null, Value::from)))
}

fn test(call: &Call<'_>, holds: fn(&str, &str) -> bool) -> Result<Fields, Fault> {
    let (text, wanted) = (call.text("string"), call.text("substr"));
    let result = if call.flag("sensitive")?.unwrap_or(true) {
        holds(&text, &wanted)
    } else {
        holds(&text.to_lowercase(), &wanted.to_lowercase())
    };
    Ok(Fields::one("result", result))
}

fn contains(call: &mut Call<'_>) -> Result<Fields, Fault> {
    test(call, |text, wanted| text.contains(wanted))
}

fn starts_with(call: &mut Call<'_>) -> Result<Fields, Fault> {
    test(call, |text, wanted| text.starts_with(wanted))
}

fn ends_with(call: &mut Call<'_>) -> Result<Fields, Fault> {
    test(call, |text, wanted| text.ends_with(wanted))
}

fn count(call: &mut Call<'_>) -> Result<Fields, Fault> {
    let wanted = call.text("substr");
    let count = if wanted.is_empty() { 0 } else { call.text("string").matches(wanted.as_ref()).count() };
    Ok(Fields::one("output", value::of_count(count)))
}
