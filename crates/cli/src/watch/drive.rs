//! Drives runs that an answer made ready to their next stop.
//!
//! Must never follow more runs on the screen than a person can read; the rest are counted.
//! Tests: `tests/tests/e2e`.

use std::collections::HashSet;
use std::time::Duration;

use anyhow::Result;
use flowdeck::engine::{RunSummary, RunView, Status, WaitReason};
use flowdeck::model::connect::PromptView;
use flowdeck::model::{AppName, ConnectionId, PromptId, RunId};
use serde_json::json;

use super::{Report, Watch};
use crate::api::{Api, RUNS_PAGE};
use crate::end::End;
use crate::out;
use crate::screen::style::count;
use crate::terminal::Terminal;

/// Up to this many runs are shown card by card.
const SHOWN_MAX: usize = 3;
/// Most runs that one answer is followed to.
const RUNS_MAX: usize = 10_000;
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// A run that does not move for this many looks is left alone.
const STILL_MAX: usize = 600;

/// Runs that wait for a connection of this app.
pub(crate) async fn waiting_for(api: &Api, app: &AppName) -> Result<Vec<RunSummary>> {
    let prompts: HashSet<_> = api.prompts(Some("open"), Some(app)).await?.into_iter().map(|p| p.id).collect();
    let mut found = Vec::new();
    let mut cursor = None;
    if prompts.is_empty() {
        return Ok(found);
    }
    for _ in 0..RUNS_MAX / RUNS_PAGE {
        let page = api.runs(None, Some(Status::Waiting), cursor, RUNS_PAGE).await?;
        found.extend(page.runs.into_iter().filter(|run| {
            run.waits
                .iter()
                .any(|w| matches!(&w.reason, WaitReason::Connection { prompt, .. } if prompts.contains(prompt)))
        }));
        cursor = page.next;
        if cursor.is_none() {
            break;
        }
    }
    Ok(found)
}

/// Of the runs that waited for an app: those that an answer concerns. Runs that wait at other prompts are not the
/// answer's business.
pub(crate) async fn concerned(
    api: &Api,
    waited: Vec<RunSummary>,
    app: &AppName,
    answered: PromptId,
    connection: Option<ConnectionId>,
) -> Result<Vec<RunSummary>> {
    if waited.is_empty() {
        return Ok(waited);
    }
    let is_its = |p: &PromptView| p.id == answered || (p.connection.is_some() && p.connection == connection);
    let open = api.prompts(Some("open"), Some(app)).await?;
    let others: HashSet<PromptId> = open.iter().filter(|p| !is_its(p)).map(|p| p.id).collect();
    Ok(waited.into_iter().filter(|run| is_concerned(run, &others)).collect())
}

/// Whether it waits for a connection at any prompt but these.
fn is_concerned(run: &RunSummary, others: &HashSet<PromptId>) -> bool {
    run.waits.iter().any(|w| matches!(&w.reason, WaitReason::Connection { prompt, .. } if !others.contains(prompt)))
}

/// Follows runs to their next stop. The end tells of the worst: failed, then waiting.
pub(crate) async fn drive(api: &Api, terminal: &mut Terminal, runs: Vec<RunSummary>, as_json: bool) -> Result<End> {
    if runs.is_empty() {
        return Ok(End::Fine);
    }
    if runs.len() > SHOWN_MAX {
        return many(api, terminal, runs, as_json).await;
    }
    let mut worst = End::Fine;
    for run in runs {
        let report =
            if as_json { Report::Json } else { api.session().timeline(&api.run(run.id).await?, terminal.style()) };
        if !as_json {
            let style = terminal.style();
            terminal.say(&format!("{}  {}\n", style.bold(run.flow.as_str()), style.dim(&run.id.to_string())));
        }
        let end = Watch::new(api, terminal, report, run.id, run.counts.entries).follow_to_end().await?;
        worst = worse(worst, end);
        if end == End::Interrupted {
            break;
        }
    }
    Ok(worst)
}

fn worse(a: End, b: End) -> End {
    let rank = |end| match end {
        End::Fine => 0,
        End::Waiting => 1,
        End::Failed => 2,
        End::Usage | End::WrongFile => 3,
        End::Interrupted => 4,
    };
    if rank(b) > rank(a) { b } else { a }
}

async fn many(api: &Api, terminal: &mut Terminal, runs: Vec<RunSummary>, as_json: bool) -> Result<End> {
    let total = runs.len();
    let mut left: Vec<RunId> = runs.iter().map(|r| r.id).collect();
    let mut ended: std::collections::BTreeMap<&'static str, usize> = std::collections::BTreeMap::new();
    let mut worst = End::Fine;
    let mut still = 0;
    while !left.is_empty() && still < STILL_MAX {
        let mut next = Vec::new();
        for id in &left {
            let run = api.run(*id).await?;
            if !run.status.is_ended() && run.set_aside.is_none() && !is_stuck(api, &run).await? {
                next.push(*id);
                continue;
            }
            *ended.entry(run.status.word()).or_insert(0) += 1;
            worst = worse(
                worst,
                match run.status {
                    _ if run.set_aside.is_some() => End::Failed,
                    Status::Finished => End::Fine,
                    Status::Running | Status::Waiting | Status::InDoubt => End::Waiting,
                    Status::Failed | Status::Cancelled | Status::Expired => End::Failed,
                },
            );
            if as_json {
                out::json(&super::report::last_line(&run));
            }
        }
        still = if next.len() == left.len() { still + 1 } else { 0 };
        left = next;
        if !as_json {
            let text = format!("  {} of {} came to a stop", total - left.len(), count(total as u64, "run"));
            terminal.lines(vec![crate::screen::steps::Line::Moving(text)]);
        }
        tokio::select! {
            () = tokio::time::sleep(LOOK_EVERY) => {}
            () = api.session().interrupted() => {
                terminal.say("\nStopped here; nothing is lost. `flowdeck runs list` shows the runs.\n");
                return Ok(End::Interrupted);
            }
        }
    }
    let words: Vec<String> = ended.iter().map(|(word, n)| format!("{n} {word}")).collect();
    if as_json {
        out::json(&json!({ "type": "runs", "total": total, "ended": ended }));
    } else {
        terminal.say(&format!("  {}: {}\n", count(total as u64, "run"), words.join(", ")));
    }
    Ok(worst)
}

async fn is_stuck(api: &Api, run: &RunView) -> Result<bool> {
    if run.status == Status::Running || run.waits.is_empty() {
        return Ok(false);
    }
    for wait in &run.waits {
        if let WaitReason::Connection { prompt, .. } = &wait.reason
            && super::moves_on(&api.prompt(*prompt).await?, api.session().now())
        {
            return Ok(false);
        }
    }
    Ok(true)
}
