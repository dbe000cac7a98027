//! Connections and prompts as lists, and one connection in full.
//!
//! Must never show a secret: what comes here has none.
//! Tests: `crates/cli/src/screen/golden.rs`.

use flowdeck::model::connect::{ConnectionState, ConnectionView, PromptState, PromptView};
use flowdeck::model::{AppName, Millis};

use super::style::{Style, beside, count, duration, width, wrap};
use super::table::table;

/// Most flows named for one prompt.
const FLOWS_SHOWN_MAX: usize = 5;

/// The word for a state.
pub(crate) fn state_word(state: ConnectionState) -> &'static str {
    match state {
        ConnectionState::Unbound => "not authorized yet",
        ConnectionState::Active => "works",
        ConnectionState::Degraded => "in trouble",
        ConnectionState::NeedsReauth => "authorize again",
        ConnectionState::Disabled => "switched off",
    }
}

/// A list of connections, all or of one app.
pub(crate) fn list(connections: &[ConnectionView], app: Option<&AppName>, style: Style) -> String {
    if connections.is_empty() {
        let none = match app {
            None => "No connections yet. `flowdeck connect APP` makes one; `flowdeck apps list` names the apps.".into(),
            Some(app) => format!("No connections of {app} yet. `flowdeck connect {app}` makes one."),
        };
        return wrap(&none, style.text_width(), 0);
    }
    let rows: Vec<Vec<String>> = connections
        .iter()
        .map(|c| {
            vec![
                c.app.to_string(),
                c.nickname.to_string(),
                state_word(c.state).into(),
                c.account.clone().unwrap_or_default(),
            ]
        })
        .collect();
    table(&["app", "nickname", "state", "account"], &rows, style)
}

/// One connection.
pub(crate) fn show(c: &ConnectionView, now: Millis, style: Style) -> String {
    let state = match c.state {
        ConnectionState::Active => style.good(state_word(c.state)),
        ConnectionState::Degraded | ConnectionState::Unbound => style.waiting(state_word(c.state)),
        ConnectionState::NeedsReauth | ConnectionState::Disabled => style.bad(state_word(c.state)),
    };
    let head = format!("{} \u{201c}{}\u{201d}  {state}", style.bold(c.app.as_str()), c.nickname);
    let fits = width(&head) <= style.text_width();
    let mut out = if fits { head + "\n" } else { wrap(&head, style.text_width(), 0) };
    out.push_str(&wrap(&c.state_reason, style.text_width(), 2));
    let mut rows: Vec<(&str, String)> = vec![("id", c.id.to_string()), ("method", c.method.clone())];
    if let Some(account) = &c.account {
        rows.push(("account", account.clone()));
    }
    rows.extend(c.fields.iter().map(|(k, v)| (k.as_str(), v.clone())));
    if let Some(granted) = &c.granted {
        rows.push(("granted", granted.join(", ")));
        let lacking: Vec<String> = c.requested.iter().filter(|s| !granted.contains(s)).cloned().collect();
        if !lacking.is_empty() {
            rows.push(("not granted", lacking.join(", ")));
        }
    }
    if let Some(at) = c.proved_at {
        rows.push(("last worked", format!("{} ago", duration(now.since(at)))));
    }
    rows.push(("authorized", count(c.generation, "time")));
    if c.waiting > 0 {
        rows.push(("waiting runs", c.waiting.to_string()));
    }
    let column = rows.iter().map(|(k, _)| width(k)).max().unwrap_or(0) + 4;
    for (key, value) in rows {
        out.push_str(&beside(&format!("  {}", style.dim(key)), 2 + width(key), column, &value, style.text_width()));
    }
    out
}

/// A list of prompts.
pub(crate) fn prompts(prompts: &[PromptView], style: Style) -> String {
    if prompts.is_empty() {
        return "Nothing waits for a connection.\n".into();
    }
    let mut out = String::new();
    for prompt in prompts {
        let state = match prompt.state {
            PromptState::Open => style.waiting("open"),
            PromptState::Answered => style.good("answered"),
            PromptState::Closed => style.dim("closed"),
        };
        out.push_str(&format!("{}  {state}  {} waiting\n", style.key(&prompt.id.to_string()), prompt.waiting));
        out.push_str(&wrap(&prompt.message, style.text_width(), 2));
        out.push_str(&wrap(&wanted_by(prompt), style.text_width(), 2));
    }
    out
}

/// Flows whose slots wait there.
fn wanted_by(prompt: &PromptView) -> String {
    let mut flows: Vec<&str> = prompt.slots.iter().map(|(flow, _)| flow.as_str()).collect();
    flows.dedup();
    if flows.is_empty() {
        return String::new();
    }
    let left = flows.len().saturating_sub(FLOWS_SHOWN_MAX);
    flows.truncate(FLOWS_SHOWN_MAX);
    let more = if left > 0 { format!(" and {left} more") } else { String::new() };
    format!("Wanted by {}{more}.", flows.join(", "))
}
