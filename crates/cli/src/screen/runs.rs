//! Runs as a list, one run in full, and what a stopped run says.
//!
//! Must never show a run's token: who holds it can send signals.
//! Tests: `crates/cli/src/screen/golden.rs`.

use flowdeck::engine::{Entry, EntryKind, RunSummary, RunView, Status, WaitReason};
use flowdeck::model::Millis;

use super::result;
use super::style::{Style, count, duration, pad, shorten, wrap};
use super::table::table;

/// From this many columns on a list has room for whole sentences.
const ROOMY: usize = 100;

/// The status as JSON has it.
pub(crate) fn status_key(status: Status) -> String {
    serde_json::to_value(status).ok().and_then(|v| v.as_str().map(str::to_owned)).unwrap_or_default()
}

fn painted(status: Status, style: Style) -> String {
    let word = status.word();
    match status {
        Status::Finished => style.good(word),
        Status::Failed | Status::Expired => style.bad(word),
        Status::Waiting | Status::InDoubt => style.waiting(word),
        Status::Running | Status::Cancelled => style.bold(word),
    }
}

/// What a wait is for, in few words.
pub(crate) fn wait_words(reason: &WaitReason) -> String {
    match reason {
        WaitReason::Connection { prompt, .. } => format!("connection ({prompt})"),
        WaitReason::Approval { message } => format!("approval: {message}"),
        WaitReason::Signal { name } => format!("signal `{name}`"),
        WaitReason::Time { until } => format!("until {}", until.to_iso()),
        WaitReason::Retry { until } => format!("next attempt at {}", until.to_iso()),
        WaitReason::InDoubt { message, .. } => format!("decision: {message}"),
    }
}

/// The same where there is room for a word or two.
fn short_words(reason: &WaitReason) -> String {
    match reason {
        WaitReason::Connection { .. } => "connection".to_owned(),
        WaitReason::InDoubt { .. } => "your decision".to_owned(),
        WaitReason::Retry { .. } => "next attempt".to_owned(),
        WaitReason::Approval { .. } | WaitReason::Signal { .. } | WaitReason::Time { .. } => wait_words(reason),
    }
}

/// A list of runs, newest first.
pub(crate) fn list(runs: &[RunSummary], now: Millis, style: Style) -> String {
    if runs.is_empty() {
        return "No runs.\n".into();
    }
    let rows: Vec<Vec<String>> = runs
        .iter()
        .map(|run| {
            let about = match (run.status, run.set_aside.as_ref().or(run.fault.as_ref()), run.waits.first()) {
                (Status::Failed, Some(fault), _) => fault.message.clone(),
                (_, Some(fault), _) if run.set_aside.is_some() => fault.message.clone(),
                (_, _, Some(wait)) if style.width < ROOMY => short_words(&wait.reason),
                (_, _, Some(wait)) => format!("{}: {}", wait.path, wait_words(&wait.reason)),
                _ => count(run.counts.steps, "step"),
            };
            let age = format!("{} ago", duration(now.since(run.started_at)));
            vec![run.id.to_string(), run.flow.to_string(), run.status.word().into(), age, about]
        })
        .collect();
    if style.is_narrow() {
        let line = |row: &Vec<String>| {
            let about = shorten(&row[1..].join("  "), style.width.saturating_sub(3));
            format!("{}\n  {about}\n", style.key(&row[0]))
        };
        return rows.iter().map(line).collect();
    }
    table(&["run", "flow", "status", "started", "about"], &rows, style)
}

/// One run: head, waits, result, and its history.
pub(crate) fn show(run: &RunView, entries: &[Entry], style: Style) -> String {
    let mut out = format!("{}  {}  {}\n", style.bold(run.flow.as_str()), painted(run.status, style), run.id);
    let took = run.ended_at.map(|end| format!(", took {}", duration(end.since(run.started_at)))).unwrap_or_default();
    out.push_str(&format!("  started {}{took}, {}\n", run.started_at.to_iso(), count(run.counts.steps, "step")));
    for wait in &run.waits {
        let words = format!("{} waits for {}", wait.path, wait_words(&wait.reason));
        out.push_str(&wrap(&words, style.text_width(), 2));
        let until = wait.deadline.map(|d| format!("gives up {}", d.to_iso())).unwrap_or_default();
        out.push_str(&wrap(&until, style.text_width(), 4));
    }
    out.push_str(&fault(run, style));
    out.push_str(&set_aside(run, style));
    for path in &run.unknown {
        out.push_str(&format!("  {} {path}: it is not known whether this happened\n", style.waiting("?")));
    }
    if !run.input.is_empty() {
        out.push_str(&format!("\n{}\n{}", style.dim("Input"), result::fields(&run.input, style)));
    }
    if let Some(output) = run.output.as_ref().filter(|o| !o.is_empty()) {
        out.push_str(&format!("\n{}\n{}", style.dim("Result"), result::fields(output, style)));
    }
    if !entries.is_empty() {
        out.push_str(&format!("\n{}\n", style.dim("History")));
        entries.iter().for_each(|e| out.push_str(&entry_line(e, run.started_at, style)));
    }
    out
}

/// Why a run failed and what next; nothing for other runs.
pub(crate) fn fault(run: &RunView, style: Style) -> String {
    let Some(fault) = &run.fault else { return String::new() };
    let at = run.failed_at.as_ref().map(|p| format!(" at {p}")).unwrap_or_default();
    let mut out = wrap(&format!("Failed{at}: {}", fault.message), style.text_width(), 2);
    out.push_str(&wrap(&fault.remedy, style.text_width(), 2));
    out.push_str(&format!("  {}\n", style.dim(&format!("flowdeck explain {}", fault.code.as_str()))));
    out
}

/// Why a run is not driven and what next; nothing for other runs.
pub(crate) fn set_aside(run: &RunView, style: Style) -> String {
    let Some(fault) = &run.set_aside else { return String::new() };
    let mut out = wrap(&format!("Set aside: {}", fault.message), style.text_width(), 2);
    out.push_str(&wrap(&fault.remedy, style.text_width(), 2));
    out.push_str(&format!("  {}\n", style.dim(&format!("flowdeck explain {}", fault.code.as_str()))));
    out
}

/// One entry of history.
pub(crate) fn entry_line(entry: &Entry, began: Millis, style: Style) -> String {
    let what = match &entry.what {
        EntryKind::RunStarted { .. } => "accepted".to_owned(),
        EntryKind::StepStarted { card, attempt } if *attempt > 1 => format!("{card}, attempt {attempt}"),
        EntryKind::StepStarted { card, .. } => format!("{card} began"),
        EntryKind::StepFinished { card, .. } => format!("{card} done"),
        EntryKind::PageCame { card, .. } => format!("a page of {card} came"),
        EntryKind::StepFailed { card, fault, again_at } => {
            let again = if again_at.is_some() { "; again later" } else { "" };
            format!("{card} failed: {fault}{again}")
        }
        EntryKind::Intent(intent) => format!("{} is about to be sent, key {}", intent.card, intent.idempotency_key),
        EntryKind::Waiting(reason) => format!("waits for {}", wait_words(reason)),
        EntryKind::Resumed => "goes on".into(),
        EntryKind::InDoubt { fault, .. } => format!("in doubt: {}", fault.message),
        EntryKind::Settled { how, by } => format!("settled by {by}: {how}"),
        EntryKind::ChildStarted { run } => format!("started {run}"),
        EntryKind::Asked { what } => format!("asked: {what}"),
        EntryKind::RunEnded { status, .. } => status.word().into(),
    };
    let path = entry.path.to_string();
    let path = if path.is_empty() { "run".into() } else { path };
    let after = format!("+{}", duration(entry.at.since(began)));
    let head = format!("{:>5} {:>9}  {}", entry.seq, after, pad(&path, 24));
    let room = style.width.saturating_sub(super::style::width(&head) + 2).max(20);
    format!("{} {}\n", style.dim(&head), shorten(&what, room))
}
