//! Puts texts together.
//!
//! Must never read a placeholder in a value that was put in.
//! Tests: the examples here.

use flowdeck_model::FieldType::{Any, Text};
use flowdeck_model::{Fault, Fields};

use crate::call::Call;
use crate::function::{Card, card};
use crate::{limits, value};

/// Longest name between the braces, in bytes.
const NAME_BYTES_MAX: usize = 4 * 1024;

pub(super) fn cards() -> Vec<Card> {
    vec![
        card("string/compose", "Compose", "Writes a text with values put into it.", compose)
            .text("_text_", "text", "The text. `{{{name}}}` stands for the value of the input `name`.")
            .required()
            .more(Any)
            .gives("output", "", Text, "The text with all values in place.")
            .help(
                "Values are put in as they are, without escaping. Null is empty; lists and objects are JSON. A name that is no input stays as written.",
            )
            .example(r#"{"_text_":"Hello {{{name}}}, {\"n\":{{{n}}}}","name":"Ann","n":3}"#, r#"{"output":"Hello Ann, {\"n\":3}"}"#)
            .example(r#"{"_text_":"[{{{gone}}}] [{{{x}}}]","gone":null}"#, r#"{"output":"[] [{{{x}}}]"}"#)
            .decided("What does Compose write for null?", "Nothing.")
            .decided("How does a number look in a text?", "As in JavaScript: `3`, not `3.0`; no groups, `.` before decimals.")
            .decided("How does an object or a list look in a text?", "As JSON on one line; an empty list is `[]`.")
            .decided("What does a placeholder write whose name is no input?", "Itself, so that it can be seen."),
        card("string/concat", "Concatenate", "Joins texts, one after the other.", concat)
            .text("string1", "text 1", "The first text.")
            .required()
            .text("string2", "text 2", "The second text.")
            .required()
            .more(Text)
            .gives("output", "", Text, "All texts in order.")
            .example(r#"{"string1":"Bearer ","string2":"abc"}"#, r#"{"output":"Bearer abc"}"#)
            .example(r#"{"string1":"a","string2":"-","third":7}"#, r#"{"output":"a-7"}"#)
            .example(r#"{"string1":null,"string2":"b"}"#, r#"{"output":"b"}"#),
    ]
}

fn compose(call: &mut Call<'_>) -> Result<Fields, Fault> {
    let template = call.text("_text_");
    let named: Vec<_> = call.more().map(|(key, value)| (key, value.as_ref())).collect();
    Ok(Fields::one("output", fill(&template, |name| named.iter().find(|(key, _)| *key == name).map(|(_, v)| *v))?))
}

/// Replaces `{{{name}}}` by the text of the value that `find` knows; other text stays.
pub(crate) fn fill<'v>(
    template: &str,
    find: impl Fn(&str) -> Option<&'v flowdeck_model::Value>,
) -> Result<String, Fault> {
    let mut out = String::with_capacity(template.len());
    let mut at = 0;
    // Where the next `}}}` is; looked for once for all `{{{` before it, so that no template takes long.
    let mut close = 0;
    while let Some(open) = template[at..].find("{{{").map(|open| at + open) {
        out.push_str(&template[at..open]);
        let inner = open + 3;
        if close < inner {
            let Some(next) = template[inner..].find("}}}") else {
                at = open;
                break;
            };
            close = inner + next;
        }
        let name = (close - inner <= NAME_BYTES_MAX).then(|| template[inner..close].trim());
        match name.and_then(&find) {
            Some(found) => {
                out.push_str(&value::text(found));
                at = close + 3;
            }
            // One brace at a time, so that `{{{{name}}}}` finds its name.
            None => {
                out.push('{');
                at = open + 1;
            }
        }
        limits::text(out.len())?;
    }
    out.push_str(&template[at..]);
    limits::text(out.len())?;
    Ok(out)
}

fn concat(call: &mut Call<'_>) -> Result<Fields, Fault> {
    let mut out = String::new();
    for (_, part) in call.and_more(&["string1", "string2"]) {
        out.push_str(&value::text(part));
        limits::text(out.len())?;
    }
    Ok(Fields::one("output", out))
}
