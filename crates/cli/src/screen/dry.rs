//! A dry run as a person reads it: each write as the request it would be, and at the end how many of what.
//!
//! Must never show more of one body than fits a screen without saying so.
//! Tests: below, `crates/cli/tests/dry.rs`.

use flowdeck::engine::WaitReason;
use flowdeck::model::{CardName, Catalogue, Millis, StepPath, Value};
use flowdeck::{Cards, Decided, Passed, RehearsedCall, RequestPreview};
use flowdeck_server::wire::RehearsalEnd;

use super::result;
use super::style::{Style, count, shorten, width, wrap};

/// Most lines of one body.
const BODY_LINES_MAX: usize = 40;

/// One line for a read that was made.
pub(crate) fn read(call: &RehearsedCall, cards: &Cards, style: Style) -> String {
    let sign = style.good(style.sign("✓", "+"));
    let failed = if call.outputs.is_none() && !is_table(&call.card) { ", no answer" } else { "" };
    let text = format!("{}{failed}", title(&call.card, cards));
    let room = style.text_width().saturating_sub(width(&place(call)) + 6).max(10);
    format!("  {sign} {}  {}\n", place(call), style.dim(&shorten(&text, room)))
}

/// A write: where it belongs, and its requests.
pub(crate) fn write(call: &RehearsedCall, cards: &Cards, style: Style) -> String {
    let sign = style.waiting(style.sign("→", ">"));
    let account = call.account.as_ref().map(|account| format!(", as {account}")).unwrap_or_default();
    let mut out = format!("  {sign} {}  {}{account}\n", style.bold(&place(call)), title(&call.card, cards));
    for request in &call.requests {
        out.push_str(&self::request(request, style));
    }
    if call.requests.is_empty() {
        let values = serde_json::to_value(&call.inputs).unwrap_or_default();
        out.push_str(&body(&values, style));
    }
    out
}

/// `suspend, item 18 of each_user`: the card and the turns of the loops around it.
fn place(call: &RehearsedCall) -> String {
    let mut out = card_of(&call.path);
    for segment in call.path.segments().iter().rev() {
        if let Some(index) = segment.index {
            out.push_str(&format!(", item {} of {}", index + 1, segment.card));
        }
    }
    match &call.helper {
        Some(helper) => format!("{out} in {helper}"),
        None => out,
    }
}

fn card_of(path: &StepPath) -> String {
    path.segments().last().map(|s| s.card.to_string()).unwrap_or_default()
}

fn title(card: &CardName, cards: &Cards) -> String {
    cards.card(card).map_or_else(|| card.to_string(), |decl| decl.title.clone())
}

fn is_table(card: &CardName) -> bool {
    card.family() == "tables"
}

/// The request as it would be sent.
fn request(request: &RequestPreview, style: Style) -> String {
    let mut out = format!("      {} {}\n", style.key(&request.method), request.url);
    let kind = Some(("content-type", request.content_type.as_str())).filter(|(_, kind)| !kind.is_empty());
    let headers = request.headers.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    for (name, value) in headers.chain(kind) {
        out.push_str(&style.dim(&format!("      {name}: {value}")));
        out.push('\n');
    }
    out.push_str(&body(&request.body, style));
    out
}

fn body(body: &Value, style: Style) -> String {
    let text = match body {
        Value::Null => return String::new(),
        Value::String(text) => text.clone(),
        other => serde_json::to_string_pretty(other).unwrap_or_default(),
    };
    let lines: Vec<&str> = text.lines().collect();
    let mut out: String = lines.iter().take(BODY_LINES_MAX).map(|line| format!("      {line}\n")).collect();
    if lines.len() > BODY_LINES_MAX {
        let left = format!("      … and {} more; --json has all", count((lines.len() - BODY_LINES_MAX) as u64, "line"));
        out.push_str(&format!("{}\n", style.dim(&left)));
    }
    out
}

/// The end: how many writes of each card, what would hold a real run up, what came out.
pub(crate) fn end(end: &RehearsalEnd, started: Millis, style: Style) -> String {
    let total: u64 = end.writes.values().sum();
    let verb = if end.run.status.is_ended() { "A real run would make" } else { "So far it would make" };
    let mut out = match total {
        0 => format!("\n{}\n", style.bold(&format!("{verb} no writes"))),
        n => format!("\n{}\n", style.bold(&format!("{verb} {}", count(n, "write")))),
    };
    let room = end.writes.keys().map(|card| width(card.as_str())).max().unwrap_or(0);
    for (card, n) in &end.writes {
        out.push_str(&format!("  {card}{}  {n}\n", " ".repeat(room - width(card.as_str()))));
    }
    let columns = style.text_width();
    let mut note = |text: String| out.push_str(&wrap(&text, columns, 2));
    for (card, most) in &end.limits {
        let n = end.writes.get(card).copied().unwrap_or_default();
        note(format!("Its limit for {card} is {most}: it would ask before number {} of {n}.", most + 1));
    }
    for passed in &end.passed {
        note(held_up(passed, started));
    }
    for run in &end.others {
        if let Some(fault) = &run.fault {
            let helper = run.entry.as_ref().unwrap_or(&run.flow);
            note(format!("The helper {helper}, which runs on its own, would fail: {}", fault.message));
        }
    }
    if let Some(fault) = &end.run.fault {
        let at = end.run.failed_at.as_ref().map(|path| format!(" at {path}")).unwrap_or_default();
        out.push_str(&format!("\n{}{at}\n{}", style.bad("Failed"), wrap(&fault.message, columns, 2)));
        return out;
    }
    if let Some(output) = end.run.output.as_ref().filter(|output| !output.is_empty()) {
        out.push_str(&format!("\n{}\n", style.bold("Its result, with placeholders for what writes would answer")));
        out.push_str(&result::fields(output, style));
    } else if end.run.stopped {
        out.push_str("\nContinue If ends it.\n");
    }
    out
}

fn held_up(passed: &Passed, started: Millis) -> String {
    let path = &passed.path;
    match (&passed.reason, &passed.decided) {
        (WaitReason::Time { until }, _) => {
            format!("It would wait at {path}, for {}.", super::style::duration(until.since(started)))
        }
        (WaitReason::Retry { .. }, _) => format!("{path} was tried again after a pause."),
        (WaitReason::Approval { message }, Some(Decided::Approve)) => {
            format!("It would ask at {path}: {message} Here that was taken as approved.")
        }
        (WaitReason::Signal { name }, _) => {
            format!("It would wait at {path} for the signal `{name}`. Here it came, with nothing in it.")
        }
        (WaitReason::Approval { message }, _) | (WaitReason::InDoubt { message, .. }, _) => {
            format!("It would ask at {path}: {message}")
        }
        (WaitReason::Connection { .. }, _) => format!("It would wait at {path} for a connection."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use flowdeck::model::Fields;
    use serde_json::json;

    fn call(body: Value) -> RehearsedCall {
        RehearsedCall {
            path: "each_user[17].suspend".parse().unwrap(),
            helper: None,
            card: "okta/suspendUser".parse().unwrap(),
            reads: false,
            account: Some("ada@acme.example".into()),
            inputs: Fields::one("id", "00u1"),
            requests: vec![RequestPreview {
                method: "POST".into(),
                url: "https://acme.okta.com/api/v1/users/00u1/lifecycle/suspend".into(),
                headers: [("accept".to_owned(), "application/json".to_owned())].into(),
                content_type: "application/json".into(),
                body,
            }],
            outputs: Some(Fields::new()),
        }
    }

    #[test]
    fn a_write_is_shown_as_its_request() {
        let cards = Cards::with_files(&indexmap::IndexMap::new(), &[]).unwrap();
        assert_eq!(
            write(&call(json!({"why": "idle"})), &cards, Style::PLAIN),
            "  → suspend, item 18 of each_user  Suspend user, as ada@acme.example\n      \
             POST https://acme.okta.com/api/v1/users/00u1/lifecycle/suspend\n      accept: application/json\n      \
             content-type: application/json\n      {\n        \"why\": \"idle\"\n      }\n"
        );
        let long: Vec<i32> = (0..100).collect();
        assert!(write(&call(json!(long)), &cards, Style::PLAIN).ends_with("… and 62 lines more; --json has all\n"));
    }
}
