//! What happens where a run can only be moved by somebody: a prompt, an approval, a signal, a write in doubt.
//!
//! Must never decide for the person, nor hold them up where nobody is there.
//! Tests: `crates/cli/tests/first_minute.rs`, `tests/tests/e2e`.

use anyhow::Result;
use flowdeck::connections::AttemptStep;
use flowdeck::engine::{RunView, WaitReason};
use flowdeck::model::connect::PromptState;
use flowdeck::model::{Fields, PromptId, StepPath};
use flowdeck_server::wire::{Decide, Settle, SettleHow};

use super::Watch;
use super::report::last_line;
use crate::answer::{self, AnswerOptions, Ask, Outcome, Progress};
use crate::out;
use crate::screen::prompt::elsewhere;
use crate::screen::style::wrap;
use crate::terminal::Typed;

/// Helps over the first wait that somebody here can answer. False: the run has to be left.
pub(super) async fn help_over(watch: &mut Watch<'_>, view: &RunView) -> Result<bool> {
    if !watch.terminal.interactive() {
        return Ok(false);
    }
    for wait in &view.waits {
        let went_on = match &wait.reason {
            WaitReason::Connection { prompt, .. } if !watch.later.contains(prompt) => {
                connection(watch, *prompt).await?
            }
            WaitReason::Approval { message } => approval(watch, view, &wait.path, message).await?,
            WaitReason::InDoubt { message, .. } => doubt(watch, view, &wait.path, message).await?,
            WaitReason::Connection { .. }
            | WaitReason::Signal { .. }
            | WaitReason::Time { .. }
            | WaitReason::Retry { .. } => false,
        };
        if went_on {
            return Ok(true);
        }
    }
    Ok(false)
}

async fn connection(watch: &mut Watch<'_>, prompt: PromptId) -> Result<bool> {
    let (api, run, seq) = (watch.api, watch.run, watch.seq);
    let view = api.prompt(prompt).await?;
    if view.state != PromptState::Open {
        return Ok(true);
    }
    let ask = Ask::of_prompt(&view, api.session().auth(&view.app).as_deref());
    let mut progress = Progress::default();
    let options = AnswerOptions::default();
    let outcome = tokio::select! {
        biased;
        outcome = answer::interactive(api, watch.terminal, &ask, &options, &mut progress) => Some(outcome?),
        went_on = Watch::went_on(api, run, seq) => {
            went_on?;
            None
        }
    };
    let style = watch.terminal.style();
    match outcome {
        Some(Outcome::Connected(_) | Outcome::Used) => {
            watch.terminal.say("\n");
            Ok(true)
        }
        Some(Outcome::Later) => {
            watch.later.insert(prompt);
            Ok(false)
        }
        None => {
            let own = match progress.attempt {
                Some(attempt) => api.attempt(attempt).await.ok().map(|a| a.step),
                None => None,
            };
            match own {
                Some(AttemptStep::Done { connection }) => {
                    let text = answer::connected(&connection, style);
                    watch.terminal.say(&format!("{text}\n"));
                }
                _ => watch.terminal.say(&format!("\n  {}\n\n", style.good("Answered elsewhere; the run goes on."))),
            }
            Ok(true)
        }
    }
}

/// A question that is called off when the run goes on without its answer.
async fn question(watch: &mut Watch<'_>, text: &str) -> Result<Option<String>> {
    let (api, run, seq) = (watch.api, watch.run, watch.seq);
    tokio::select! {
        biased;
        typed = watch.terminal.ask(text) => Ok(match typed {
            Typed::Line(line) => Some(line.trim().to_lowercase()),
            Typed::End => Some("l".into()),
        }),
        went_on = Watch::went_on(api, run, seq) => {
            went_on?;
            watch.terminal.say("\n  Answered elsewhere; the run goes on.\n\n");
            Ok(None)
        }
    }
}

async fn approval(watch: &mut Watch<'_>, view: &RunView, path: &StepPath, message: &str) -> Result<bool> {
    let style = watch.terminal.style();
    let keys = format!("  {}pprove  {}eject  {}ater", style.key("[a]"), style.key("[r]"), style.key("[l]"));
    let text = format!("\n{}{keys}\n{} ", wrap(message, style.text_width(), 2), style.bold(">"));
    let Some(typed) = question(watch, &text).await? else { return Ok(true) };
    let approve = match typed.chars().next() {
        Some('a' | 'y') => true,
        Some('r' | 'n') => false,
        _ => return Ok(false),
    };
    let by = std::env::var("USER").unwrap_or_default();
    let decide = Decide { path: Some(path.clone()), by, comment: String::new() };
    watch.api.decide(view.id, approve, &decide).await?;
    Ok(true)
}

async fn doubt(watch: &mut Watch<'_>, view: &RunView, path: &StepPath, message: &str) -> Result<bool> {
    let style = watch.terminal.style();
    let about = format!("It is not known whether {path} happened: {message}. Look in the app, then say.");
    let keys = format!(
        "  {}t happened  {}t did not, send it again  {}ive up  {}ater",
        style.key("[h] i"),
        style.key("[d] i"),
        style.key("[g]"),
        style.key("[l]")
    );
    let text = format!("\n{}{keys}\n{} ", wrap(&about, style.text_width(), 2), style.bold(">"));
    let Some(typed) = question(watch, &text).await? else { return Ok(true) };
    let how = match typed.chars().next() {
        Some('h') => SettleHow::Happened { outputs: Fields::new() },
        Some('d') => SettleHow::DidNot,
        Some('g') => SettleHow::GiveUp,
        _ => return Ok(false),
    };
    watch.api.settle(view.id, &Settle { path: path.clone(), how }).await?;
    Ok(true)
}

/// Says what the run waits for and the exact command that moves it.
pub(super) async fn leave(watch: &mut Watch<'_>, view: &RunView) -> Result<()> {
    let style = watch.terminal.style();
    let mut text = format!("\n{} waits; nothing is lost.\n", view.id);
    let mut told = std::collections::HashSet::new();
    for wait in &view.waits {
        match &wait.reason {
            WaitReason::Connection { prompt, .. } => {
                if !told.insert(*prompt) {
                    continue;
                }
                let prompt = watch.api.prompt(*prompt).await?;
                watch.report.prompt(&prompt);
                text.push_str(&elsewhere(&prompt, style));
            }
            other => {
                let (about, command) = command(view, &wait.path, other);
                text.push_str(&wrap(&about, style.text_width(), 0));
                text.push_str(&format!("  {}\n", style.key(&command)));
            }
        }
    }
    if watch.report.is_json() {
        out::json(&last_line(view));
    } else {
        watch.terminal.say(&text);
    }
    Ok(())
}

/// What a wait is about and the command that ends it.
pub(crate) fn command(run: &RunView, path: &StepPath, reason: &WaitReason) -> (String, String) {
    let id = run.id;
    match reason {
        WaitReason::Connection { prompt, .. } => {
            (format!("{path} waits for a connection."), format!("flowdeck prompts answer {prompt}"))
        }
        WaitReason::Approval { message } => {
            (format!("{path} waits for approval: {message}"), format!("flowdeck runs approve {id} --step '{path}'"))
        }
        WaitReason::Signal { name } => {
            (format!("{path} waits for the signal `{name}`."), format!("flowdeck runs signal {id} '{name}'"))
        }
        WaitReason::Time { until } | WaitReason::Retry { until } => {
            (format!("{path} waits until {}.", until.to_iso()), format!("flowdeck runs tail {id}"))
        }
        WaitReason::InDoubt { message, .. } => (
            format!("It is not known whether {path} happened: {message}."),
            format!("flowdeck runs settle {id} '{path}' happened|did-not|give-up"),
        ),
    }
}
