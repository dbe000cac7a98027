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
use super::report::waiting_line;
use crate::again::{Again, quoted};
use crate::answer::{self, AnswerOptions, Ask, Outcome, Progress};
use crate::out;
use crate::screen::prompt::elsewhere;
use crate::screen::style::wrap;
use crate::terminal::Typed;

/// Times that one question is asked.
const TRIES_MAX: usize = 50;

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
            WaitReason::InDoubt { card, message } => {
                let about = format!("It is not known whether {card} at {} happened: {message}.", wait.path);
                doubt(watch, view, &wait.path, &about).await?
            }
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
                Some(AttemptStep::Done { connection, .. }) => {
                    let text = answer::connected(&connection, style);
                    watch.terminal.say(&format!("{text}\n"));
                }
                _ => watch.terminal.say(&format!("\n  {}\n\n", style.good("Answered elsewhere; the run goes on."))),
            }
            Ok(true)
        }
    }
}

/// A question that is called off when the run goes on without its answer (`None`). What is no answer is asked again.
async fn question<T: Copy>(watch: &mut Watch<'_>, text: &str, answers: &[(char, T)], later: T) -> Result<Option<T>> {
    let (api, run, seq) = (watch.api, watch.run, watch.seq);
    let mark = watch.terminal.style().bold(">");
    let again = format!("  Type one of the letters in brackets, then Enter.\n{mark} ");
    let terminal = &mut *watch.terminal;
    let asked = async {
        for turn in 0..TRIES_MAX {
            let Typed::Line(line) = terminal.ask(if turn == 0 { text } else { again.as_str() }).await else { break };
            let typed = line.trim().to_lowercase();
            let found = answers.iter().find(|(letter, _)| typed.starts_with(*letter));
            if let Some((_, answer)) = found {
                return *answer;
            }
        }
        later
    };
    tokio::select! {
        biased;
        answer = asked => Ok(Some(answer)),
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
    let answers = [('a', Some(true)), ('y', Some(true)), ('r', Some(false)), ('n', Some(false)), ('l', None)];
    let approve = match question(watch, &text, &answers, None).await? {
        Some(Some(approve)) => approve,
        Some(None) => return Ok(false),
        None => return Ok(true),
    };
    let by = std::env::var("USER").unwrap_or_default();
    let decide = Decide { path: Some(path.clone()), by, comment: String::new() };
    watch.api.decide(view.id, approve, &decide).await?;
    Ok(true)
}

async fn doubt(watch: &mut Watch<'_>, view: &RunView, path: &StepPath, about: &str) -> Result<bool> {
    let style = watch.terminal.style();
    let about = format!("{about} Look in the app, then say.");
    let keys = format!(
        "  {}t happened  {}t did not, send it again  {}ive up  {}ater",
        style.key("[h] i"),
        style.key("[d] i"),
        style.key("[g]"),
        style.key("[l]")
    );
    let text = format!("\n{}{keys}\n{} ", wrap(&about, style.text_width(), 2), style.bold(">"));
    let answers = [('h', 'h'), ('d', 'd'), ('g', 'g'), ('l', 'l')];
    let Some(answer) = question(watch, &text, &answers, 'l').await? else { return Ok(true) };
    let how = match answer {
        'h' => SettleHow::Happened { outputs: Fields::new() },
        'd' => SettleHow::DidNot,
        'g' => SettleHow::GiveUp,
        _ => return Ok(false),
    };
    watch.api.settle(view.id, &Settle { path: path.clone(), how }).await?;
    Ok(true)
}

/// Says what the run waits for and the exact command that moves it.
pub(super) async fn leave(watch: &mut Watch<'_>, view: &RunView) -> Result<()> {
    let style = watch.terminal.style();
    let again = watch.api.session().again();
    let mut text = format!("\n{} waits; nothing is lost.\n", view.id);
    let mut told = std::collections::HashSet::new();
    for wait in &view.waits {
        match &wait.reason {
            WaitReason::Connection { prompt, .. } => {
                if !told.insert(*prompt) {
                    continue;
                }
                let prompt = watch.api.prompt(*prompt).await?;
                watch.report.prompt(&prompt, again);
                text.push_str(&elsewhere(&prompt, again, style));
            }
            other => {
                let (about, commands) = commands(again, view, &wait.path, other);
                text.push_str(&wrap(&about, style.text_width(), 0));
                text.extend(commands.iter().map(|command| format!("  {}\n", style.key(command))));
            }
        }
    }
    if watch.report.is_json() {
        out::json(&waiting_line(view, again));
    } else {
        watch.terminal.say(&text);
    }
    Ok(())
}

/// What a wait is about and the commands that end it, one for each answer.
pub(crate) fn commands(again: &Again, run: &RunView, path: &StepPath, reason: &WaitReason) -> (String, Vec<String>) {
    let id = run.id;
    let step = quoted(&path.to_string());
    let (about, words) = match reason {
        WaitReason::Connection { prompt, .. } => {
            (format!("{path} waits for a connection."), vec![format!("prompts answer {prompt}")])
        }
        WaitReason::Approval { message } => (
            format!("{path} waits for approval: {message}"),
            ["approve", "reject"].map(|word| format!("runs {word} {id} --step {step}")).to_vec(),
        ),
        WaitReason::Signal { name } => {
            (format!("{path} waits for the signal `{name}`."), vec![format!("runs signal {id} {}", quoted(name))])
        }
        WaitReason::Time { until } | WaitReason::Retry { until } => {
            (format!("{path} waits until {}.", until.to_iso()), vec![format!("runs tail {id}")])
        }
        WaitReason::InDoubt { card, message } => (
            format!("It is not known whether {card} at {path} happened: {message}. Look in the app, then say."),
            ["happened", "did-not", "give-up"].map(|word| format!("runs settle {id} {step} {word}")).to_vec(),
        ),
    };
    (about, words.iter().map(|words| again.command(words)).collect())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn each_answer_is_a_command_that_can_be_typed_as_it_is() {
        let run: RunView = serde_json::from_value(json!({
            "id": "run_01ka0000000000000000000000", "flow": "f", "hash": "0".repeat(64), "status": "in_doubt",
            "started_at": 0, "input": {}, "token": "hush",
            "counts": { "steps": 0, "attempts": 0, "faults": 0, "entries": 0 },
        }))
        .unwrap();
        let path: StepPath = "each[3].made".parse().unwrap();
        let reason = WaitReason::InDoubt { card: "okta/createGroup".parse().unwrap(), message: "closed".into() };
        let (about, told) = commands(&Again::default(), &run, &path, &reason);
        assert!(
            about.starts_with("It is not known whether okta/createGroup at each[3].made happened: closed."),
            "{about}"
        );
        let said = |word: &str| format!("flowdeck runs settle {} 'each[3].made' {word}", run.id);
        assert_eq!(told, [said("happened"), said("did-not"), said("give-up")]);
        let signal = WaitReason::Signal { name: "it's paid".into() };
        let (_, told) = commands(&Again::default(), &run, &path, &signal);
        assert_eq!(told, [format!(r"flowdeck runs signal {} 'it'\''s paid'", run.id)]);
    }
}
