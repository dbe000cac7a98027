//! The page of one card, as Markdown.
//!
//! Must never differ between the terminal and `docs/`.
//! Tests: `tests/reference.rs`.

use std::fmt::Write;

use flowdeck_model::{EffectClass, FieldDecl, FieldType};

use crate::{Function, Outcome};

/// The heading of a card's page.
pub(super) fn heading(function: &Function) -> String {
    format!("{} `{}`", function.decl().title, function.decl().name)
}

/// The page of a card. `level` is the level of its heading.
#[must_use]
pub fn page(function: &Function, level: usize) -> String {
    let decl = function.decl();
    let mut out = format!("{} {}\n\n{}\n", "#".repeat(level), heading(function), decl.summary);
    if !decl.help.is_empty() {
        let _ = write!(out, "\n{}\n", decl.help);
    }
    if decl.effect == EffectClass::Observe {
        out.push_str("\nIt looks at the time or at chance; a step that is computed again gives the same.\n");
    }
    fields(&mut out, "Inputs", &decl.inputs, decl.more_inputs.as_ref());
    fields(&mut out, "Outputs", &decl.outputs, decl.more_outputs.as_ref());
    if !function.examples().is_empty() {
        out.push_str("\n**Examples**\n\n");
        for example in function.examples() {
            let end = match example.outcome {
                Outcome::Gives(outputs) => format!("`{}`", compact(outputs)),
                Outcome::Fails(message) => format!("fails: …{message}…"),
            };
            let _ = writeln!(out, "- `{}` → {end}", compact(example.inputs));
        }
    }
    if !function.decisions().is_empty() {
        out.push_str("\n**Where Okta's documents are open**\n\n");
        for decision in function.decisions() {
            let _ = writeln!(out, "- {} {}", decision.question, decision.answer);
        }
    }
    out
}

/// JSON on one line.
fn compact(json: &str) -> String {
    serde_json::from_str::<serde_json::Value>(json).map_or_else(|_| json.to_owned(), |value| value.to_string())
}

fn fields(out: &mut String, title: &str, fields: &[FieldDecl], more: Option<&FieldType>) {
    if fields.is_empty() && more.is_none() {
        return;
    }
    let _ = write!(out, "\n**{title}**\n\n");
    for field in fields {
        let mut words = vec![field.kind.word()];
        if field.required {
            words.push("needed".into());
        }
        if let Some(default) = field.default.as_ref().filter(|d| !field.required || !crate::value::is_empty(d)) {
            words.push(format!("`{default}` unless given"));
        }
        if !field.choices.is_empty() {
            let choices: Vec<String> = field.choices.iter().map(|c| format!("`{c}`")).collect();
            words.push(format!("one of {}", choices.join(" ")));
        }
        if field.secret {
            words.push("kept secret".into());
        }
        if !field.title.is_empty() && field.title != field.key {
            words.push(format!("in Okta “{}”", field.title));
        }
        if let Some(key) = &field.export_key {
            words.push(format!("in exports `{key}`"));
        }
        let _ = writeln!(out, "- `{}` ({}): {}", field.key, words.join("; "), field.help);
    }
    if let Some(kind) = more {
        let _ = writeln!(out, "- any other name ({}).", kind.word());
    }
}
