//! `flowdeck run --dry`: reads are made, each write is shown as the request it would be, nothing is kept.
//!
//! Must never start a run, nor ask anybody who is not there.
//! Tests: `crates/cli/tests/dry.rs`.

use std::collections::HashSet;

use anyhow::{Result, bail};
use flowdeck::engine::{Status, WaitReason};
use flowdeck::model::connect::PromptView;
use flowdeck::model::{Flow, PromptId};
use flowdeck_server::client::CallError;
use flowdeck_server::wire::{RehearsalEnd, RehearsalEvent, Rehearse};
use futures_util::StreamExt as _;
use serde_json::{Value, json};

use super::{Run, show_preflight};
use crate::answer::{self, AnswerOptions, Ask, Outcome, Progress};
use crate::api::Api;
use crate::end::End;
use crate::out;
use crate::screen::dry;
use crate::screen::prompt::elsewhere;
use crate::terminal::Terminal;

/// Most times that it begins again: after each answer, and after each holder that ended.
const ROUNDS_MAX: usize = 20;

pub(super) async fn dry(api: &Api, terminal: &mut Terminal, run: &Run, flow: &Flow, asked: &Rehearse) -> Result<End> {
    let before = api.preflight(&asked.file).await?;
    show_preflight(terminal, run, flow, &before);
    let mut later = HashSet::new();
    if terminal.interactive() && before.lines.iter().any(|line| line.reason.is_some()) {
        ask_for_missing(api, terminal, asked, &mut later).await?;
    }
    if !run.json {
        let head = terminal.style().dim("Dry run: reads are made, nothing is changed");
        terminal.say(&format!("{head}\n"));
    }
    for round in 0..ROUNDS_MAX {
        if round > 0 {
            again(terminal, run);
        }
        let Some(end) = play(api, terminal, run, asked).await? else { continue };
        let lacks = end.run.waits.iter().any(|wait| matches!(wait.reason, WaitReason::Connection { .. }));
        if lacks && terminal.interactive() && ask_for_missing(api, terminal, asked, &mut later).await? {
            continue;
        }
        return finish(api, terminal, run, asked, &end).await;
    }
    bail!("the dry run was begun {ROUNDS_MAX} times and never came to its end; look at `flowdeck connections list`")
}

fn again(terminal: &mut Terminal, run: &Run) {
    if run.json {
        out::json(&json!({ "type": "again" }));
    } else {
        terminal.say("\nOnce more from the start: nothing of a dry run is kept.\n");
    }
}

/// Asks for what is missing. True where anything was answered.
async fn ask_for_missing(
    api: &Api,
    terminal: &mut Terminal,
    asked: &Rehearse,
    later: &mut HashSet<PromptId>,
) -> Result<bool> {
    let mut answered = false;
    for prompt in missing(api, asked).await? {
        if later.contains(&prompt.id) {
            continue;
        }
        let ask = Ask::of_prompt(&prompt, api.session().auth(&prompt.app).as_deref());
        let options = AnswerOptions::default();
        let outcome = answer::interactive(api, terminal, &ask, &options, &mut Progress::default()).await?;
        match outcome {
            Outcome::Connected(_) | Outcome::Used => answered = true,
            Outcome::Later => {
                later.insert(prompt.id);
            }
        }
        terminal.say("\n");
    }
    Ok(answered)
}

/// The prompts of what is missing, stored so that they can be answered.
async fn missing(api: &Api, asked: &Rehearse) -> Result<Vec<PromptView>> {
    let mut seen = HashSet::new();
    let lines = api.raise(&asked.file).await?.lines;
    let prompts = lines.into_iter().filter(|line| line.reason.is_some()).filter_map(|line| line.prompt);
    Ok(prompts.filter(|prompt| seen.insert(prompt.id)).collect())
}

/// From the start to its end. `None`: whoever ran it ended meanwhile.
async fn play(api: &Api, terminal: &mut Terminal, run: &Run, asked: &Rehearse) -> Result<Option<RehearsalEnd>> {
    let mut events = api.session().rehearse(asked).await?;
    while let Some(event) = events.next().await {
        match event {
            Ok(RehearsalEvent::Call { call }) if run.json => out::json(&line("call", &*call)),
            Ok(RehearsalEvent::Call { call }) => {
                let cards = api.session().cards();
                if call.reads {
                    terminal.say(&dry::read(&call, cards, terminal.style()));
                } else {
                    out::text(&dry::write(&call, cards, out::style()));
                }
            }
            Ok(RehearsalEvent::Ended { end }) => return Ok(Some(*end)),
            Ok(RehearsalEvent::Failed { problem }) => return Err(CallError::Problem(*problem).into()),
            Err(CallError::Gone(_)) => {
                api.session().rejoin().await?;
                return Ok(None);
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok(None)
}

/// The summary, and what a person has to do where it could not go on.
async fn finish(api: &Api, terminal: &mut Terminal, run: &Run, asked: &Rehearse, end: &RehearsalEnd) -> Result<End> {
    let waits = !end.run.status.is_ended();
    let prompts = if waits { missing(api, asked).await? } else { Vec::new() };
    if run.json {
        for prompt in &prompts {
            out::json(
                &json!({ "type": "prompt", "prompt": prompt, "command": api.session().again().answer(prompt.id) }),
            );
        }
        out::json(&last_line(end));
    } else {
        out::text(&dry::end(end, end.run.started_at, out::style()));
        let mut text = String::new();
        for wait in &end.run.waits {
            text.push_str(&format!("\nIt cannot go on at {} without a connection.\n", wait.path));
        }
        text.extend(prompts.iter().map(|prompt| elsewhere(prompt, api.session().again(), terminal.style())));
        terminal.say(&text);
    }
    Ok(match end.run.status {
        Status::Finished => End::Fine,
        _ if waits => End::Waiting,
        _ => End::Failed,
    })
}

fn line(kind: &str, value: &impl serde::Serialize) -> Value {
    let mut line = json!({ "type": kind });
    if let (Some(line), Ok(Value::Object(more))) = (line.as_object_mut(), serde_json::to_value(value)) {
        line.extend(more);
    }
    line
}

/// The line that ends the JSON of a dry run.
fn last_line(end: &RehearsalEnd) -> Value {
    let run = &end.run;
    let mut line = json!({
        "type": "dry_run", "status": run.status, "stopped": run.stopped,
        "output": run.output.as_ref().map_or(Value::Null, |output| output.to_value()),
        "writes": end.writes, "reads": end.reads, "limits": end.limits, "passed": end.passed,
    });
    if let Some(fault) = &run.fault {
        line["fault"] = json!(fault);
        line["failed_at"] = json!(run.failed_at);
    }
    if !run.waits.is_empty() {
        line["waits"] = json!(run.waits);
    }
    let failed = end.others.iter().filter_map(|run| Some(json!({ "helper": run.entry, "fault": run.fault.as_ref()? })));
    let failed: Vec<Value> = failed.collect();
    if !failed.is_empty() {
        line["helpers_failed"] = json!(failed);
    }
    line
}
