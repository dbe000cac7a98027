//! Which accounts a run will use, before its first card.
//!
//! Must never claim an account that was not verified.
//! Tests: `crates/cli/src/screen/golden.rs`.

use flowdeck::connections::PreflightLine;
use flowdeck::model::connect::{ConnectionState, PromptReason};

use super::style::{Style, beside, width, wrap};

/// The head of a run: its name, what it is for, and one paragraph a slot.
pub(crate) fn preflight(flow: &str, description: &str, lines: &[PreflightLine], style: Style) -> String {
    let columns = style.text_width();
    let mut out = style.bold(flow);
    out.push('\n');
    out.push_str(&wrap(description, columns, 0));
    if lines.is_empty() {
        return out;
    }
    out.push_str(&format!("\n{}\n", style.dim("Accounts it uses")));
    let names = lines.iter().map(|l| width(l.need.slot.as_str())).max().unwrap_or(0);
    let column = if style.is_narrow() { 4 } else { names + 6 };
    for line in lines {
        let (sign, words) = account(line, style);
        let slot = line.need.slot.as_str();
        let taken = if style.is_narrow() { column } else { 4 + width(slot) };
        out.push_str(&beside(&format!("  {sign} {}", style.bold(slot)), taken, column, &words, columns));
        let scopes = scopes(line);
        if !scopes.is_empty() {
            let text = wrap(&format!("scopes: {}", scopes.join(", ")), columns, column);
            out.push_str(&text.lines().map(|l| style.dim(l) + "\n").collect::<String>());
        }
    }
    out
}

fn plain_sign(line: &PreflightLine, style: Style) -> &'static str {
    let works = line.reason.is_none() && line.connection.as_ref().is_none_or(|c| c.state != ConnectionState::Disabled);
    if works { style.sign("●", "*") } else { style.sign("○", "o") }
}

fn account(line: &PreflightLine, style: Style) -> (String, String) {
    let app = line.prompt.as_ref().map_or_else(|| line.need.app.to_string(), |p| p.app_title.clone());
    let who = line.connection.as_ref().map(|c| {
        let account = c.account.as_ref().map(|a| format!(" as {a}")).unwrap_or_default();
        format!("{} \u{201c}{}\u{201d}{account}", capital(&app), c.nickname)
    });
    let at = format!("\u{201c}{}\u{201d}", line.need.card_title);
    let sign = plain_sign(line, style);
    match line.reason {
        // It needs nothing that an answer gives, and yet no card will get it.
        None if line.connection.as_ref().is_some_and(|c| c.state == ConnectionState::Disabled) => {
            let why = line.connection.as_ref().map(|c| c.state_reason.as_str()).filter(|why| !why.is_empty());
            let why = why.map(|why| format!(": {why}")).unwrap_or_default();
            (style.bad(sign), format!("{} is switched off{why}; it will fail at {at}", who.unwrap_or(app)))
        }
        None => (style.good(sign), who.unwrap_or(app)),
        Some(reason) => {
            let words = match reason {
                PromptReason::Missing => format!("{app}: not connected yet; it will ask at {at}"),
                PromptReason::Choose if others(line) < 2 => {
                    format!("{app}: the account it used was removed; it will ask at {at}")
                }
                PromptReason::Choose => format!("{app}: has several accounts; it will ask which at {at}"),
                PromptReason::Lost => {
                    format!("{}: has to be authorized again; it will ask at {at}", who.unwrap_or(app))
                }
                PromptReason::Scope => {
                    format!("{}: lacks {}; it will ask at {at}", who.unwrap_or(app), line.missing_scopes.join(", "))
                }
                PromptReason::Setup => {
                    format!(
                        "{}: its client id or secret is no longer accepted; it will ask at {at}",
                        who.unwrap_or(app)
                    )
                }
            };
            (style.waiting(sign), words)
        }
    }
}

/// How many connections could be chosen.
fn others(line: &PreflightLine) -> usize {
    line.prompt.as_ref().map_or(0, |prompt| prompt.others.len())
}

pub(crate) fn capital(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map(|c| c.to_uppercase().chain(chars).collect()).unwrap_or_default()
}

fn scopes(line: &PreflightLine) -> Vec<String> {
    if line.need.scopes.is_empty() {
        return line.prompt.as_ref().map(|p| p.scopes.clone()).unwrap_or_default();
    }
    line.need.scopes.clone()
}
