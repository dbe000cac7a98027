//! Asks for the fields of a connect form, each with its help beside it.
//!
//! Must never show a secret, nor take one that is empty for one that is kept.
//! Tests: `crates/cli/tests/first_minute.rs`, `tests/tests/e2e`.

use std::collections::BTreeMap;

use flowdeck::connections::SecretText;
use flowdeck::model::Nickname;
use flowdeck::model::app::{AuthField, FieldShape};
use flowdeck::model::connect::PromptMethod;

use crate::answer::Ask;
use crate::screen::prompt;
use crate::screen::style::wrap;
use crate::terminal::{Terminal, Typed};

/// Most questions about one field before it is given up.
const TRIES_MAX: usize = 8;

/// A form as far as it is filled.
#[derive(Debug, Clone, Default)]
pub(crate) struct Filled {
    pub(crate) nickname: Option<Nickname>,
    pub(crate) fields: BTreeMap<String, SecretText>,
}

/// What was typed in an earlier round and is no secret, so that nobody types it again.
#[derive(Debug, Default)]
pub(crate) struct Remembered {
    nickname: Option<Nickname>,
    fields: BTreeMap<String, String>,
}

/// Asks for what is not filled yet; `None` where the person turned away (Ctrl-D).
pub(crate) async fn fill(
    terminal: &mut Terminal,
    ask: &Ask,
    method: &PromptMethod,
    filled: &mut Filled,
    remembered: &mut Remembered,
) -> Option<()> {
    if filled.nickname.is_none() && ask.connection.is_none() {
        let suggested = remembered.nickname.clone().unwrap_or_else(|| ask.nickname.clone());
        let named = nickname(terminal, &suggested, method).await?;
        remembered.nickname = Some(named.clone());
        filled.nickname = Some(named);
    }
    for field in &method.fields {
        if filled.fields.contains_key(&field.key) {
            continue;
        }
        let before = remembered.fields.get(&field.key).or(method.known.get(&field.key)).or(field.default.as_ref());
        if let Some(value) = one(terminal, ask, method, field, before).await? {
            if !field.secret {
                remembered.fields.insert(field.key.clone(), value.expose().to_owned());
            }
            filled.fields.insert(field.key.clone(), value);
        }
    }
    Some(())
}

async fn nickname(terminal: &mut Terminal, suggested: &Nickname, method: &PromptMethod) -> Option<Nickname> {
    let style = terminal.style();
    for _ in 0..TRIES_MAX {
        let about = style.dim("(your name for this connection)");
        let question = format!("  {} {about} [{}]: ", style.bold("Nickname"), suggested);
        let Typed::Line(typed) = terminal.ask(&question).await else { return None };
        match typed.trim() {
            "" => return Some(suggested.clone()),
            "?" => terminal.say(&prompt::help(method, style)),
            name => match Nickname::new(name) {
                Ok(name) => return Some(name),
                Err(e) => terminal.say(&format!("  {}\n", style.bad(&e.to_string()))),
            },
        }
    }
    None
}

/// One field: `Some(None)` keeps what is stored or leaves an optional field empty.
async fn one(
    terminal: &mut Terminal,
    ask: &Ask,
    method: &PromptMethod,
    field: &AuthField,
    known: Option<&String>,
) -> Option<Option<SecretText>> {
    let style = terminal.style();
    let kept = ask.connection.is_some() && field.secret;
    for _ in 0..TRIES_MAX {
        let question = question(terminal, field, known, kept);
        let typed = if field.secret { terminal.ask_secret(&question).await } else { terminal.ask(&question).await };
        let Typed::Line(typed) = typed else { return None };
        let value = SecretText::new(typed);
        match value.expose().trim() {
            "" if known.is_some() || kept || field.optional => return Some(known.map(|k| SecretText::new(k.clone()))),
            "" => terminal
                .say(&format!("  {}\n", style.bad(&format!("{} is needed; ? tells where to find it", field.title)))),
            "?" => terminal.say(&prompt::help(method, style)),
            other => {
                if let Some(wrong) = wrong_choice(field, other) {
                    terminal.say(&format!("  {}\n", style.bad(&wrong)));
                    continue;
                }
                return Some(Some(SecretText::new(other)));
            }
        }
    }
    None
}

fn question(terminal: &mut Terminal, field: &AuthField, known: Option<&String>, kept: bool) -> String {
    let style = terminal.style();
    let help = wrap(&field.help, style.text_width(), 2);
    let help: String = help.lines().map(|l| style.dim(l) + "\n").collect();
    let choices = match &field.shape {
        FieldShape::Choice(choices) => format!(" ({})", choices.join(", ")),
        FieldShape::Text | FieldShape::Domain { .. } | FieldShape::Url => String::new(),
    };
    let hint = match (known, kept, field.secret) {
        (Some(known), _, false) => format!(" [{known}]"),
        (_, true, _) => " [Enter keeps the stored one]".into(),
        (_, _, true) => " (not shown while you type)".into(),
        _ if field.optional => " (may stay empty)".into(),
        _ if !field.example.is_empty() => format!(" (as {})", field.example),
        _ => String::new(),
    };
    format!("{help}  {}{choices}{}: ", style.bold(&field.title), style.dim(&hint))
}

fn wrong_choice(field: &AuthField, value: &str) -> Option<String> {
    match &field.shape {
        FieldShape::Choice(choices) if !choices.iter().any(|c| c == value) => {
            Some(format!("{} is one of {}", field.title, choices.join(", ")))
        }
        FieldShape::Choice(_) | FieldShape::Text | FieldShape::Domain { .. } | FieldShape::Url => None,
    }
}
