//! A connect prompt as a person reads it: what is needed, by which card, why, and what to fill in.
//!
//! Must never show a value of a secret field.
//! Tests: `crates/cli/src/screen/golden.rs`.

use flowdeck::model::connect::{PromptMethod, PromptView};

use crate::again::Again;
use crate::answer::Ask;

use super::connections::state_word;
use super::markdown::markdown;
use super::style::{Style, beside, count, width, wrap};

/// The question, for one way to connect.
pub(crate) fn prompt(ask: &Ask, method: Option<&PromptMethod>, style: Style) -> String {
    let columns = style.text_width();
    let chooses = ask.choose && !ask.others.is_empty();
    let title = if chooses { "Choose a connection to" } else { "Connect" };
    let title = style.bold(&format!("{title} {}", ask.title));
    let mut out = format!("{} {title}\n", style.waiting(style.sign("◆", "#")));
    out.push_str(&wrap(&ask.message, columns, 2));
    if ask.waiting > 1 {
        out.push_str(&wrap(&format!("{} wait for it.", count(ask.waiting, "run")), columns, 2));
    }
    if chooses {
        out.push_str(&others(ask, style));
        return out;
    }
    let words = |scope: &String| ask.scope_words.get(scope).cloned().unwrap_or_default();
    let scopes: Vec<(String, String)> = ask.scopes.iter().map(|s| (s.clone(), words(s))).collect();
    // A token has no scopes of its own: what its account may do decides.
    let by_consent = method.is_none_or(|m| m.browser || m.device);
    out.push_str(&block(if by_consent { "It asks for" } else { "The account must be allowed" }, &scopes, style));
    if let Some(method) = method {
        let fields: Vec<(String, String)> = method
            .fields
            .iter()
            .map(|f| (f.title.clone(), if f.help.is_empty() { optional(f.optional) } else { f.help.clone() }))
            .collect();
        out.push_str(&block("You fill in", &fields, style));
        if let Some(uri) = &method.redirect_uri {
            out.push_str(&block("Sign-in redirect URI to register", &[(uri.clone(), String::new())], style));
        }
    }
    out
}

/// The connections that are there, with the numbers that choose them.
pub(crate) fn others(ask: &Ask, style: Style) -> String {
    let mut out = String::new();
    for (i, c) in ask.others.iter().enumerate() {
        let account = c.account.as_ref().map(|a| format!(" as {a}")).unwrap_or_default();
        let state = style.dim(&format!("({})", state_word(c.state)));
        out.push_str(&format!("    {} {}{account} {state}\n", style.key(&format!("[{}]", i + 1)), c.nickname));
    }
    out
}

fn optional(is_optional: bool) -> String {
    if is_optional { "May stay empty.".into() } else { String::new() }
}

/// Names with a sentence each, in two columns; the sentence goes below where it is narrow.
fn block(title: &str, rows: &[(String, String)], style: Style) -> String {
    if rows.is_empty() {
        return String::new();
    }
    let names = rows.iter().map(|(name, _)| width(name)).max().unwrap_or(0).min(28);
    let (column, columns) = (if style.is_narrow() { 6 } else { names + 6 }, style.text_width());
    let mut out = format!("  {}\n", style.dim(title));
    for (name, words) in rows {
        let taken = if style.is_narrow() { column } else { 4 + width(name) };
        out.push_str(&beside(&format!("    {}", style.key(name)), taken, column, words, columns));
    }
    out
}

/// "Need help?" of a method.
pub(crate) fn help(method: &PromptMethod, style: Style) -> String {
    let text = if method.help.trim().is_empty() {
        "This app comes with no help text. Its own documentation says where its credentials are found.".to_owned()
    } else {
        method.help.clone()
    };
    format!("  {}\n{}", style.bold("Need help?"), markdown(&text, style, 2))
}

/// How to answer a prompt that nobody is there to answer.
pub(crate) fn elsewhere(view: &PromptView, again: &Again, style: Style) -> String {
    let columns = style.text_width();
    let mut out = wrap(&view.message, columns, 0);
    out.push_str(&format!("  {}\n", style.key(&again.answer(view.id))));
    out
}
