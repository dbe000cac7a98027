//! What is told of a run while it goes: lines for a person, or one JSON object a line for a program.
//!
//! Must never mix the two, nor put progress where results belong.
//! Tests: `crates/cli/src/screen/golden.rs`, `crates/cli/tests/first_minute.rs`.

use flowdeck::engine::{Entry, EntryKind, RawAnswer, RunView, Status};
use flowdeck::model::connect::PromptView;
use flowdeck::model::{Fields, RunId, StepPath, Value};
use serde_json::json;

use crate::again::Again;
use crate::out;
use crate::screen::steps::Timeline;
use crate::screen::style::{count, duration};
use crate::screen::{result, runs};
use crate::terminal::Terminal;

/// Who reads it.
#[derive(Debug)]
pub(crate) enum Report {
    /// A person.
    Text(Box<Timeline>),
    /// A program.
    Json,
}

impl Report {
    pub(crate) fn is_json(&self) -> bool {
        matches!(self, Self::Json)
    }

    pub(crate) fn entry(&mut self, terminal: &mut Terminal, entry: &Entry) {
        match self {
            Self::Text(timeline) => {
                let lines = timeline.entry(entry);
                terminal.lines(lines);
            }
            Self::Json => {
                if let Some(line) = step(entry) {
                    out::json(&line);
                }
            }
        }
    }

    pub(crate) fn under_way(&mut self, terminal: &mut Terminal, path: &StepPath) {
        if let Self::Text(timeline) = self {
            let lines = timeline.under_way(path);
            terminal.lines(lines);
        }
    }

    pub(crate) fn prompt(&self, view: &PromptView, again: &Again) {
        if self.is_json() {
            out::json(&json!({ "type": "prompt", "prompt": view, "command": again.answer(view.id) }));
        }
    }

    /// The last words about a run that nothing drives any more.
    pub(crate) fn set_aside(&self, terminal: &mut Terminal, run: &RunView) {
        if self.is_json() {
            out::json(&last_line(run));
            return;
        }
        let style = terminal.style();
        terminal.say(&format!("\n{}\n", runs::set_aside(run, style)));
    }

    /// The last words about a run that ended.
    pub(crate) fn ended(&self, terminal: &mut Terminal, run: &RunView, again: &Again) {
        if self.is_json() {
            out::json(&last_line(run));
            return;
        }
        let style = terminal.style();
        let took = run.ended_at.map(|end| duration(end.since(run.started_at))).unwrap_or_default();
        match run.status {
            Status::Finished => {
                let steps = count(run.counts.steps, "step");
                let how = if run.stopped { "Stopped by its own condition" } else { "Finished" };
                let about = style.dim(&format!("{steps}, {took}, {}", run.id));
                terminal.say(&format!("\n{}  {about}\n", style.good(how)));
                show_output(run);
            }
            Status::Failed => {
                terminal.say(&format!("\n{}  {}\n", style.bad("Failed"), style.dim(&format!("{took}, {}", run.id))));
                terminal.say(&runs::fault(run, style));
                let retry = again.command(&format!("runs retry {}", run.id));
                terminal.say(&format!("  {}\n", style.dim(&retry)));
            }
            _ => terminal.say(&format!("\n{} is {}.\n", run.id, run.status.word())),
        }
    }
}

/// The result goes to standard output: for people in columns, into a pipe as JSON.
fn show_output(run: &RunView) {
    let raw = run.raw.as_ref().map(|raw| Fields::from_value(answer(raw)));
    let Some(output) = raw.as_ref().or(run.output.as_ref()).filter(|o| !o.is_empty()) else { return };
    if out::is_terminal() {
        out::text(&result::fields(output, out::style()));
    } else {
        out::pretty(output);
    }
}

/// What the caller of the flow's own URL gets.
fn answer(raw: &RawAnswer) -> Value {
    let headers: serde_json::Map<_, _> = raw.headers.iter().map(|(key, value)| (key.clone(), json!(value))).collect();
    json!({ "status": raw.status, "headers": headers, "body": raw.body })
}

/// The line that ends the JSON of a run that waits, with the commands that end each wait.
pub(crate) fn waiting_line(run: &RunView, again: &Again) -> Value {
    let mut line = last_line(run);
    if let Some(waits) = line.get_mut("waits").and_then(Value::as_array_mut) {
        for (told, wait) in waits.iter_mut().zip(&run.waits) {
            told["commands"] = json!(super::commands(again, run, &wait.path, &wait.reason).1);
        }
    }
    line
}

/// The line that ends the JSON of a run.
pub(crate) fn last_line(run: &RunView) -> Value {
    let mut line = json!({
        "type": "run", "run": run.id, "status": run.status,
        "output": run.output.as_ref().map_or(Value::Null, |o| o.to_value()),
    });
    if let Some(map) = line.as_object_mut() {
        if let Some(raw) = &run.raw {
            map.insert("answer".into(), answer(raw));
        }
        if let Some(fault) = &run.fault {
            map.insert("fault".into(), json!(fault));
            map.insert("failed_at".into(), json!(run.failed_at));
        }
        if let Some(fault) = &run.set_aside {
            map.insert("set_aside".into(), json!(fault));
        }
        if !run.waits.is_empty() {
            map.insert("waits".into(), json!(run.waits));
        }
    }
    line
}

/// The line that ends the JSON of a command which was interrupted; the run itself goes on from where it is.
pub(crate) fn interrupted_line(run: RunId, view: Option<&RunView>, again: &Again) -> Value {
    let mut line = view.map_or_else(|| json!({ "type": "run", "run": run, "output": null }), last_line);
    if view.is_none_or(|view| !view.status.is_ended()) {
        line["status"] = json!("interrupted");
        line["command"] = json!(again.resume(run));
    }
    line
}

fn step(entry: &Entry) -> Option<Value> {
    let line = |what: &str, card: &str, more: Value| {
        let mut line = json!({
            "type": "step", "seq": entry.seq, "at": entry.at.to_iso(), "path": entry.path, "card": card, "what": what,
        });
        if let (Some(line), Value::Object(more)) = (line.as_object_mut(), more) {
            line.extend(more);
        }
        Some(line)
    };
    match &entry.what {
        EntryKind::StepStarted { card, attempt } => line("started", card.as_str(), json!({ "attempt": attempt })),
        EntryKind::StepFinished { card, .. } => line("finished", card, Value::Null),
        EntryKind::StepFailed { card, fault, again_at } => {
            line("failed", card, json!({ "fault": fault, "again_at": again_at.map(|t| t.to_iso()) }))
        }
        EntryKind::Waiting(reason) => line("waiting", "", json!({ "reason": reason })),
        EntryKind::Resumed => line("resumed", "", Value::Null),
        EntryKind::InDoubt { fault, ask } => line("in_doubt", "", json!({ "fault": fault, "ask": ask })),
        EntryKind::Settled { how, by } => line("settled", "", json!({ "how": how, "by": by })),
        EntryKind::ChildStarted { run } => line("child_started", "", json!({ "run": run })),
        EntryKind::RunStarted { .. }
        | EntryKind::PageCame { .. }
        | EntryKind::Intent(_)
        | EntryKind::Asked { .. }
        | EntryKind::RunEnded { .. } => None,
    }
}
