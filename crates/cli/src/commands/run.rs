//! `flowdeck run`: runs a flow to its end, or to the next thing that only a person can do.
//!
//! Must never run a file that has errors, nor start one run twice.
//! Tests: `crates/cli/tests/first_minute.rs`, `crates/cli/tests/arguments.rs`.

mod dry;
pub(crate) mod inputs;
mod record;

use std::collections::{BTreeMap, HashSet};
use std::ops::ControlFlow;
use std::path::PathBuf;

use anyhow::{Result, bail};
use clap::Args;
use flowdeck::model::{Fields, Flow, PromptId, RunId};
use flowdeck::{Cards, Source};
use flowdeck_server::wire::{FlowFile, Preflight, Rehearse, StartRun};
use serde_json::json;

use crate::api::Api;
use crate::end::{End, LeftRun, WrongFile, code_of, of_error, usage};
use crate::interrupts::{Interrupts, or_interrupted};
use crate::options::Globals;
use crate::out;
use crate::screen::preflight;
use crate::screen::steps::Timeline;
use crate::session::{self, Session};
use crate::terminal::Terminal;
use crate::watch::{Report, Watch};
use crate::{event, exports, files};

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  flowdeck run flows/welcome.flow.yaml
  flowdeck run flows/welcome.flow.yaml --input days=30
  flowdeck run report.flow.yaml > report.json       the result of a pipe is JSON
  flowdeck run new-user.flow.yaml --event user-created.json
  cat flow.yaml | flowdeck run - --json             one JSON object a line
  flowdeck run flows/welcome.flow.yaml --dry        reads are made, writes are only shown
  flowdeck run flows/welcome.flow.yaml --record=flows      make a test of what happens

Exit codes: 0 finished, 1 failed, 2 wrong command line, 65 the file is wrong,
75 paused and waiting (the message holds the command that answers), 130 after Ctrl-C.")]
pub(crate) struct Run {
    /// A flow file or an Okta export; `-` for standard input.
    file: PathBuf,
    #[command(flatten)]
    inputs: inputs::Inputs,
    /// The event that starts the flow: a JSON file with its fields, or what the app sends (a delivery of an event hook,
    /// an entry of its log).
    #[arg(long, value_name = "FILE")]
    event: Option<PathBuf>,
    /// Which flow, where the file holds several.
    #[arg(long, value_name = "NAME")]
    flow: Option<String>,
    /// One JSON object a line, the run's result last.
    #[arg(long)]
    json: bool,
    /// A second start with the same key is the first one's run.
    #[arg(long, value_name = "TEXT")]
    key: Option<String>,
    /// Make reads, show each write as the request it would be, and keep nothing.
    #[arg(long, conflicts_with = "key")]
    dry: bool,
    /// Keep the answers of apps as a test file, in DIR or the data folder's `recordings`.
    #[arg(
        long,
        value_name = "DIR",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "",
        value_parser = clap::value_parser!(PathBuf),
        conflicts_with = "dry"
    )]
    record: Option<PathBuf>,
}

pub(crate) async fn run(run: &Run, globals: &Globals) -> Result<End> {
    let ended = Box::pin(started(run, globals)).await;
    if run.json
        && let Err(error) = &ended
    {
        out::json(&last_line(error, run.dry));
    }
    ended
}

/// The last line for a program, where the command could not go on: mostly there is no run to tell of.
fn last_line(error: &anyhow::Error, dry: bool) -> serde_json::Value {
    let (_, text) = of_error(error);
    let mut told = json!({ "code": code_of(error), "message": text.trim_end().trim_start_matches("error: ") });
    if let Some(WrongFile { diagnostics, .. }) = error.downcast_ref::<WrongFile>() {
        told["diagnostics"] = json!(diagnostics);
    }
    if dry {
        return json!({ "type": "dry_run", "status": "not_started", "output": null, "error": told });
    }
    if let Some(left) = error.downcast_ref::<LeftRun>() {
        let (run, command) = (left.run, &left.command);
        return json!({
            "type": "run", "run": run, "status": "interrupted", "output": null, "command": command, "error": told
        });
    }
    json!({ "type": "run", "run": null, "status": "not_started", "output": null, "error": told })
}

async fn started(run: &Run, globals: &Globals) -> Result<End> {
    let mut terminal = Terminal::new(globals.no_input || run.json);
    let begins = or_interrupted(&Interrupts::listen(), asked(run, globals, &mut terminal)).await?;
    let Asked { file, flow, input, event } = match begins {
        ControlFlow::Continue(begins) => begins,
        ControlFlow::Break(end) => {
            terminal.say("\nNothing was started.\n");
            if run.json {
                out::json(&last_line(&anyhow::anyhow!("interrupted before it began"), run.dry));
            }
            return Ok(end);
        }
    };
    if run.dry {
        let asked = Rehearse { file, input, event };
        return session::with(globals, async |api| dry::dry(api, &mut terminal, run, &flow, &asked).await).await;
    }
    session::with(globals, async |api| {
        let (end, id) = go(api, &mut terminal, run, file, &flow, input.clone(), event).await?;
        record::record(api, &mut terminal, run, globals, (&flow, &input), id).await?;
        Ok(end)
    })
    .await
}

/// What is to run, as it was said on the command line and asked of the person.
struct Asked {
    file: FlowFile,
    flow: Flow,
    input: Fields,
    event: Option<Fields>,
}

async fn asked(run: &Run, globals: &Globals, terminal: &mut Terminal) -> Result<Asked> {
    let path = run.file.clone();
    let source = files::apart(move || files::source(&path)).await?;
    let cards = Session::cards_of(globals)?;
    let exports::Native { source, flow: chosen, told } = exports::native(source, run.flow.as_deref(), &cards)?;
    for diagnostic in &told {
        terminal.say(&format!("{}\n", exports::line(&source.name, diagnostic)));
    }
    let (flow, files) = flow_of(&source, &cards, chosen.as_deref(), terminal)?;
    let input = inputs::given(&run.inputs, &flow.name, &flow.inputs, terminal).await?;
    let told = match run.event.clone() {
        Some(path) => Some(files::apart(move || files::event(&path)).await?),
        None => None,
    };
    let event = event::of(told, &flow, &cards)?;
    let (name, text) = (source.name, source.text.to_string());
    Ok(Asked { file: FlowFile { name, text, flow: Some(flow.name.clone()), files }, flow, input, event })
}

async fn go(
    api: &Api,
    terminal: &mut Terminal,
    run: &Run,
    file: FlowFile,
    flow: &Flow,
    input: Fields,
    event: Option<Fields>,
) -> Result<(End, RunId)> {
    let before = api.preflight(&file).await?;
    show_preflight(terminal, run, flow, &before);
    // One consent for what all cards of the flow need, instead of one a card.
    let raised = match before.lines.iter().any(|line| line.reason.is_some()) {
        true => raised(api, &file).await?,
        false => Vec::new(),
    };
    if !run.json {
        let head = terminal.style().dim("Cards");
        terminal.say(&format!("{head}\n"));
    }
    let key = run.key.clone().unwrap_or_else(Session::fresh_key);
    let started = match api.start(&StartRun { file, input, event, idempotency_key: Some(key) }).await {
        Ok(started) => started,
        Err(error) => {
            // Nothing will wait there.
            for prompt in raised {
                api.close_prompt(prompt).await.ok();
            }
            return Err(error);
        }
    };
    let report = if run.json {
        Report::Json
    } else {
        Report::Text(Box::new(Timeline::new(flow, api.session().cards().clone(), terminal.style())))
    };
    let end = Watch::new(api, terminal, report, started.id, 0).follow_to_end().await?;
    Ok((end, started.id))
}

/// Stores the prompts of what is missing; those that were not open before.
async fn raised(api: &Api, file: &FlowFile) -> Result<Vec<PromptId>> {
    let open: HashSet<PromptId> = api.prompts(Some("open"), None).await?.into_iter().map(|prompt| prompt.id).collect();
    let lines = api.raise(file).await?.lines;
    let prompts = lines.into_iter().filter_map(|line| line.prompt).map(|prompt| prompt.id);
    Ok(prompts.filter(|prompt| !open.contains(prompt)).collect())
}

fn show_preflight(terminal: &mut Terminal, run: &Run, flow: &Flow, before: &Preflight) {
    if run.json {
        out::json(&json!({ "type": "preflight", "flow": before.flow, "lines": before.lines }));
        return;
    }
    let style = terminal.style();
    let text = preflight::preflight(flow.name.as_str(), &flow.description, &before.lines, style);
    terminal.say(&format!("{text}\n"));
}

/// The flow of a file that has no errors, and the texts of its helpers in files of their own.
fn flow_of(
    source: &Source,
    cards: &Cards,
    name: Option<&str>,
    terminal: &mut Terminal,
) -> Result<(Flow, BTreeMap<String, String>)> {
    let (checked, linked) = files::read(source, cards);
    for diagnostic in &checked.diagnostics {
        terminal.say(&format!("{}\n", diagnostic.render(source, terminal.style().colour)));
    }
    if checked.has_errors() {
        let diagnostics = checked.diagnostics.iter().map(|d| d.to_json()).collect();
        bail!(WrongFile { text: format!("{} cannot be run as it is", source.name), diagnostics });
    }
    let names: Vec<&str> = checked.flows.iter().map(|f| f.name.as_str()).collect();
    let names = names.join(", ");
    let flow: Result<Flow> = match (name, checked.flows.as_slice()) {
        (None, [flow]) => Ok(flow.clone()),
        (None, []) => bail!(WrongFile::new(format!("{} holds no flow", source.name))),
        (None, _) => bail!(usage(format!("{} holds several flows; choose with --flow: {names}", source.name))),
        (Some(name), flows) => flows
            .iter()
            .find(|f| f.name.as_str() == name)
            .cloned()
            .ok_or_else(|| usage(format!("{} has no flow `{name}`; it has {names}", source.name))),
    };
    Ok((flow?, linked))
}
