//! `flowdeck runs`: what ran, what waits, and a person's word to a run.
//!
//! Must never decide anything that was not said.
//! Tests: `crates/cli/tests/first_minute.rs`, `tests/tests/e2e`.

use std::collections::HashSet;

use anyhow::{Context, Result, bail};
use clap::{Args, Subcommand, ValueEnum};
use flowdeck::engine::{Entry, RunSummary, RunView, Status, WaitReason, WaitView};
use flowdeck::model::{CardId, Fields, FlowName, RunId, StepPath, Value};
use flowdeck_server::wire::{Decide, Retry, Settle, SettleHow, Signal};
use futures_util::StreamExt as _;
use serde_json::json;

use crate::again::Again;
use crate::api::{Api, RUNS_PAGE};
use crate::end::{End, usage};
use crate::options::Globals;
use crate::out::{self, Pages, style};
use crate::screen::runs;
use crate::screen::style::wrap;
use crate::session;
use crate::terminal::Terminal;
use crate::watch::{Report, Watch};

/// Most entries that `show` reads; the rest is told.
const ENTRIES_SHOWN_MAX: usize = 2_000;
/// How long `cancel` waits for steps under way.
const CANCEL_WAIT: std::time::Duration = std::time::Duration::from_secs(10);

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  flowdeck runs list --status waiting
  flowdeck runs show run_01…
  flowdeck runs resume run_01…                          after Ctrl-C, or after it expired
  flowdeck runs retry run_01… --from send               a failed run, from that card on
  flowdeck runs signal run_01… paid --payload '{\"sum\": 12}'
  flowdeck runs approve run_01… --comment 'seen'
  flowdeck runs settle run_01… each_user[3].suspend did-not

Commands that move a run follow it to its next stop.")]
pub(crate) struct Runs {
    #[command(subcommand)]
    command: RunsCommand,
    /// One JSON object a line, instead of screens.
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum RunsCommand {
    /// Lists runs, newest first.
    List {
        /// Only of this flow.
        #[arg(long)]
        flow: Option<FlowName>,
        /// Only in this state.
        #[arg(long)]
        status: Option<StatusWord>,
        /// How many.
        #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u16).range(1..=1000))]
        limit: u16,
    },
    /// Shows a run: what it waits for, its result, its history.
    Show {
        /// The run.
        run: RunId,
    },
    /// Follows a run to its end or next stop.
    Tail {
        /// The run.
        run: RunId,
    },
    /// Lets a run go on that was interrupted or has expired.
    Resume {
        /// The run.
        run: RunId,
    },
    /// Runs a failed run again, from where it failed or from a card.
    Retry {
        /// The run.
        run: RunId,
        /// An earlier card to begin at.
        #[arg(long, value_name = "CARD")]
        from: Option<CardId>,
    },
    /// Ends a run; says which writes may still have happened.
    Cancel {
        /// The run.
        run: RunId,
    },
    /// Sends a signal; it is kept where the run does not wait for it yet.
    Signal {
        /// The run.
        run: RunId,
        /// The signal's name.
        name: String,
        /// What it carries, as JSON.
        #[arg(long, value_name = "JSON", default_value = "null")]
        payload: String,
    },
    /// Approves what a run asks.
    Approve(Decision),
    /// Rejects what a run asks.
    Reject(Decision),
    /// Says what became of a write that got no answer.
    Settle {
        /// The run.
        run: RunId,
        /// The step, as `runs show` names it.
        step: StepPath,
        /// What happened.
        how: How,
        /// What the step gave, as a JSON object, where it happened.
        #[arg(long, value_name = "JSON")]
        outputs: Option<String>,
    },
}

#[derive(Debug, Args)]
struct Decision {
    /// The run.
    run: RunId,
    /// The step, where several wait.
    #[arg(long, value_name = "PATH")]
    step: Option<StepPath>,
    /// Who decides.
    #[arg(long, env = "USER", hide_env = true, default_value = "")]
    by: String,
    /// Why.
    #[arg(long, default_value = "")]
    comment: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum StatusWord {
    Running,
    Waiting,
    InDoubt,
    Finished,
    Failed,
    Cancelled,
    Expired,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum How {
    /// It happened; the run goes on behind it.
    Happened,
    /// It did not; it is sent again.
    DidNot,
    /// Nobody knows; the step fails.
    GiveUp,
}

pub(crate) async fn run(command: &Runs, globals: &Globals) -> Result<End> {
    let as_json = command.json;
    match &command.command {
        RunsCommand::List { flow, status, limit } => {
            session::reading(globals, async |api, out| list(api, out, flow.as_ref(), *status, *limit, as_json).await)
                .await
        }
        RunsCommand::Show { run } => {
            session::reading(globals, async |api, out| show(api, out, *run, as_json).await).await
        }
        other => {
            let mut terminal = Terminal::new(globals.no_input || as_json);
            session::with(globals, async |api| go(api, &mut terminal, other, as_json).await).await
        }
    }
}

async fn go(api: &Api, terminal: &mut Terminal, command: &RunsCommand, as_json: bool) -> Result<End> {
    let before = match command {
        RunsCommand::List { .. } | RunsCommand::Show { .. } => return Ok(End::Fine),
        RunsCommand::Cancel { run } => return cancel(api, *run, as_json).await,
        RunsCommand::Tail { run } => {
            let view = api.run(*run).await?;
            return follow(api, terminal, &view, false, as_json).await;
        }
        RunsCommand::Resume { run } => {
            let before = api.run(*run).await?;
            // One that was only interrupted is ready as soon as somebody holds its folder.
            if before.status != Status::Expired {
                return follow(api, terminal, &before, false, as_json).await;
            }
            api.resume(*run).await?;
            before
        }
        RunsCommand::Retry { run, from } => {
            let before = api.run(*run).await?;
            api.retry(*run, &Retry { from: from.clone() }).await?;
            before
        }
        RunsCommand::Signal { run, name, payload } => {
            let before = api.run(*run).await?;
            let payload: Value =
                serde_json::from_str(payload).map_err(|e| usage(format!("--payload is not JSON: {e}")))?;
            api.signal(*run, &Signal { name: name.clone(), payload }).await?;
            let is_awaited = |wait: &WaitView| matches!(&wait.reason, WaitReason::Signal { name: n } if n == name);
            if before.status == Status::Waiting && !before.waits.iter().any(is_awaited) {
                if !as_json {
                    terminal.say(&format!("The signal `{name}` is kept until the run waits for it.\n"));
                }
                return follow(api, terminal, &before, false, as_json).await;
            }
            before
        }
        RunsCommand::Approve(decision) => decide(api, decision, true).await?,
        RunsCommand::Reject(decision) => decide(api, decision, false).await?,
        RunsCommand::Settle { run, step, how, outputs } => {
            let before = api.run(*run).await?;
            api.settle(*run, &Settle { path: step.clone(), how: settled(*how, outputs.as_deref())? }).await?;
            before
        }
    };
    follow(api, terminal, &before, true, as_json).await
}

async fn decide(api: &Api, decision: &Decision, approve: bool) -> Result<RunView> {
    let before = api.run(decision.run).await?;
    let body = Decide { path: decision.step.clone(), by: decision.by.clone(), comment: decision.comment.clone() };
    api.decide(decision.run, approve, &body).await?;
    Ok(before)
}

fn settled(how: How, outputs: Option<&str>) -> Result<SettleHow> {
    match (how, outputs) {
        (How::Happened, None) => Ok(SettleHow::Happened { outputs: Fields::new() }),
        (How::Happened, Some(text)) => {
            let value: Value = serde_json::from_str(text).map_err(|e| usage(format!("--outputs is not JSON: {e}")))?;
            if !value.is_object() {
                bail!(usage("--outputs wants a JSON object with the step's outputs"));
            }
            Ok(SettleHow::Happened { outputs: Fields::from_value(value) })
        }
        (_, Some(_)) => bail!(usage("--outputs belongs to a write that happened")),
        (How::DidNot, None) => Ok(SettleHow::DidNot),
        (How::GiveUp, None) => Ok(SettleHow::GiveUp),
    }
}

/// Follows a run to its next stop. `told`: it has just been told something, and goes on from how it was before.
async fn follow(api: &Api, terminal: &mut Terminal, before: &RunView, told: bool, as_json: bool) -> Result<End> {
    let report = if as_json { Report::Json } else { api.session().timeline(before, terminal.style()) };
    if !as_json {
        let style = terminal.style();
        terminal.say(&format!("{}  {}\n", style.bold(before.flow.as_str()), style.dim(&before.id.to_string())));
    }
    let watch = if told {
        Watch::of_told(api, terminal, report, before)
    } else {
        Watch::new(api, terminal, report, before.id, before.counts.entries)
    };
    watch.follow_to_end().await
}

async fn list(
    api: &Api,
    out: &mut Pages,
    flow: Option<&FlowName>,
    status: Option<StatusWord>,
    limit: u16,
    as_json: bool,
) -> Result<()> {
    let status = status.map(|word| match word {
        StatusWord::Running => Status::Running,
        StatusWord::Waiting => Status::Waiting,
        StatusWord::InDoubt => Status::InDoubt,
        StatusWord::Finished => Status::Finished,
        StatusWord::Failed => Status::Failed,
        StatusWord::Cancelled => Status::Cancelled,
        StatusWord::Expired => Status::Expired,
    });
    let mut found: Vec<RunSummary> = Vec::new();
    let mut cursor = None;
    while found.len() < usize::from(limit) {
        let page = api.runs(flow, status, cursor, RUNS_PAGE.min(usize::from(limit) - found.len())).await?;
        found.extend(page.runs);
        cursor = page.next;
        if cursor.is_none() {
            break;
        }
    }
    if as_json {
        found.iter().for_each(|run| out.json(run));
    } else {
        out.text(&runs::list(&found, api.session().now(), style()));
        if found.iter().any(goes_on) && api.session().is_idle().await {
            let command = api.session().again().command("runs resume RUN");
            out.text(&format!("\nNo command works here now. `{command}` lets one go on.\n"));
        }
        if cursor.is_some() {
            out.text(&format!("There are more; --limit {} shows them.\n", usize::from(limit) * 5));
        }
    }
    Ok(())
}

/// Whether it goes on by itself where somebody drives runs.
fn goes_on(run: &RunSummary) -> bool {
    run.set_aside.is_none()
        && (run.status == Status::Running || run.waits.iter().any(|wait| wait.reason.until().is_some()))
}

async fn show(api: &Api, out: &mut Pages, run: RunId, as_json: bool) -> Result<()> {
    let view = api.run(run).await?;
    let mut entries: Vec<Entry> = Vec::new();
    while entries.len() < ENTRIES_SHOWN_MAX {
        let after = entries.last().map_or(0, |e| e.seq);
        let page = api.entries(run, after).await.with_context(|| format!("read the history of {run}"))?;
        if page.is_empty() {
            break;
        }
        entries.extend(page);
    }
    if as_json {
        out.json(&json!({ "run": view, "entries": entries }));
        return Ok(());
    }
    out.text(&runs::show(&view, &entries, style()));
    if view.counts.entries > entries.len() as u64 {
        out.text(&format!("  … and {} more entries\n", view.counts.entries - entries.len() as u64));
    }
    // Which card, which app, which connection: the prompt says it.
    let mut told = HashSet::new();
    for wait in &view.waits {
        if let WaitReason::Connection { prompt, .. } = &wait.reason
            && told.insert(*prompt)
            && let Ok(prompt) = api.prompt(*prompt).await
        {
            out.text(&format!("\n{}", wrap(&prompt.message, style().text_width(), 2)));
        }
    }
    let commands = next(&view, api.session().again());
    if !commands.is_empty() {
        out.text("\n");
    }
    for command in commands {
        out.text(&format!("  {}\n", style().key(&command)));
    }
    Ok(())
}

/// The commands that move a run on from where it stands.
fn next(run: &RunView, again: &Again) -> Vec<String> {
    match run.status {
        // Its waits are over; they begin anew when it is resumed.
        Status::Expired => vec![again.resume(run.id)],
        Status::Failed => vec![again.command(&format!("runs retry {}", run.id))],
        Status::Running | Status::Waiting | Status::InDoubt | Status::Finished | Status::Cancelled => {
            let mut commands: Vec<String> = Vec::new();
            for wait in &run.waits {
                let (_, more) = crate::watch::commands(again, run, &wait.path, &wait.reason);
                commands.extend(more.into_iter().filter(|command| !commands.contains(command)).collect::<Vec<_>>());
            }
            commands
        }
    }
}

async fn cancel(api: &Api, run: RunId, as_json: bool) -> Result<End> {
    let mut view = api.cancel(run).await?;
    // Steps under way are told to stop; what they say is worth a moment.
    let mut events = api.session().run_events(run, view.counts.entries, true).await?;
    let ended = tokio::time::timeout(CANCEL_WAIT, async {
        while !view.status.is_ended()
            && let Some(event) = events.next().await
        {
            event?;
            view = api.run(run).await?;
        }
        Ok::<(), anyhow::Error>(())
    });
    if let Ok(ended) = ended.await {
        ended?;
    }
    if as_json {
        out::json(&view);
        return Ok(End::Fine);
    }
    if view.status.is_ended() {
        out::text(&format!("{} is {}.\n", view.id, view.status.word()));
    } else {
        let command = api.session().again().command(&format!("runs tail {}", view.id));
        out::text(&format!("{} is told to stop and has a step under way; `{command}` sees its end.\n", view.id));
    }
    for path in &view.unknown {
        out::text(&format!("  {path} may have happened: look in the app\n"));
    }
    Ok(End::Fine)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_is_shown_with_the_command_that_moves_it() {
        let id = "run_01ka0000000000000000000000";
        let view = |status: &str| -> RunView {
            let wait = json!({ "path": "ok", "reason": { "approval": { "message": "Go?" } }, "deadline": 1 });
            serde_json::from_value(json!({
                "id": id, "flow": "f", "hash": "0".repeat(64), "status": status, "started_at": 0, "input": {},
                "token": "hush", "counts": { "steps": 0, "attempts": 0, "faults": 0, "entries": 0 },
                "waits": [wait, wait],
            }))
            .unwrap()
        };
        let commands = |status| next(&view(status), &Again::default());
        let decide = |word: &str| format!("flowdeck runs {word} {id} --step ok");
        assert_eq!(commands("waiting"), [decide("approve"), decide("reject")], "each once");
        assert_eq!(commands("expired"), [format!("flowdeck runs resume {id}")], "nothing can be approved any more");
        assert_eq!(commands("failed"), [format!("flowdeck runs retry {id}")]);
    }

    #[test]
    fn outputs_belong_to_what_happened() {
        assert!(
            matches!(settled(How::Happened, Some("{\"id\":1}")), Ok(SettleHow::Happened { outputs }) if outputs.len() == 1)
        );
        assert!(settled(How::DidNot, Some("{}")).is_err());
        assert!(settled(How::Happened, Some("no")).is_err());
        assert!(settled(How::Happened, Some("[1]")).is_err(), "a list names no outputs");
    }
}
