//! `flowdeck flows`: what is served: list, show, publish, switch, start.
//!
//! Must never show a client token that was not asked for.
//! Tests: `crates/cli/tests/flows.rs`.

use std::path::PathBuf;

use anyhow::{Result, bail};
use clap::{Args, Subcommand};
use flowdeck::model::{Fields, FlowName};
use flowdeck_server::wire::{FlowFile, PublishFlow, ServedFlow, StartFlow};
use serde_json::json;

use super::run::inputs;
use crate::api::Api;
use crate::end::{End, WrongFile, usage};
use crate::files;
use crate::options::Globals;
use crate::out::{Pages, style};
use crate::screen::flows as screen;
use crate::session::{self, Session};
use crate::terminal::Terminal;
use crate::watch::{Report, Watch};

/// Flows read at once.
const PAGE: usize = 500;

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  flowdeck flows list
  flowdeck flows publish report.flow.yaml --on
  flowdeck flows show report
  flowdeck flows show hook --token                  what its callers send as x-api-client-token
  flowdeck flows off report
  flowdeck flows start report --input days=30

`flowdeck serve` lets endpoints and schedules start what is on. A flow that is published here arrives switched off;
one that a watched folder brings arrives switched on.")]
pub(crate) struct Flows {
    #[command(subcommand)]
    command: FlowsCommand,
    /// One JSON object a line, instead of screens.
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum FlowsCommand {
    /// Lists published flows.
    List,
    /// Shows one: what starts it, whether it is on, its inputs.
    Show {
        /// The flow.
        name: FlowName,
        /// Print the client token of its endpoint, and nothing else.
        #[arg(long)]
        token: bool,
        /// Make a new client token first; the one before is worth nothing any more.
        #[arg(long)]
        renew_token: bool,
    },
    /// Publishes the flows of a file: what starts from now on.
    Publish {
        /// A flow file; `-` for standard input.
        file: PathBuf,
        /// Only this flow of the file.
        #[arg(long, value_name = "NAME")]
        flow: Option<FlowName>,
        /// Switch it on at once.
        #[arg(long)]
        on: bool,
    },
    /// Switches a flow on: its trigger starts runs.
    On {
        /// The flow.
        name: FlowName,
    },
    /// Switches a flow off; runs under way go on.
    Off {
        /// The flow.
        name: FlowName,
    },
    /// Starts the published version by hand, and follows the run.
    Start {
        /// The flow.
        name: FlowName,
        #[command(flatten)]
        inputs: inputs::Inputs,
        /// A JSON file with the fields of the event that starts it.
        #[arg(long, value_name = "FILE")]
        event: Option<PathBuf>,
        /// A second start with the same key is the first one's run.
        #[arg(long, value_name = "TEXT")]
        key: Option<String>,
    },
}

pub(crate) async fn run(command: &Flows, globals: &Globals) -> Result<End> {
    let as_json = command.json;
    let mut terminal = Terminal::new(globals.no_input || as_json);
    match &command.command {
        FlowsCommand::List => session::reading(globals, async |api, out| list(api, out, as_json).await).await,
        FlowsCommand::Show { name, token: false, renew_token: false } => {
            let show = async |api: &Api, out: &mut Pages| {
                shown(out, &api.flow(name).await?, as_json);
                Ok(())
            };
            session::reading(globals, show).await
        }
        other => session::with(globals, async |api| go(api, &mut terminal, other, as_json).await).await,
    }
}

async fn list(api: &Api, out: &mut Pages, as_json: bool) -> Result<()> {
    let mut found: Vec<ServedFlow> = Vec::new();
    let mut cursor = None;
    loop {
        let page = api.flows(cursor.as_ref(), PAGE).await?;
        found.extend(page.flows);
        cursor = page.next;
        if cursor.is_none() {
            break;
        }
    }
    if as_json {
        found.iter().for_each(|flow| out.json(flow));
    } else {
        out.text(&screen::list(&found, style()));
    }
    Ok(())
}

fn shown(out: &mut Pages, flow: &ServedFlow, as_json: bool) {
    if as_json {
        out.json(flow);
    } else {
        out.text(&screen::show(flow, style()));
    }
}

async fn go(api: &Api, terminal: &mut Terminal, command: &FlowsCommand, as_json: bool) -> Result<End> {
    let mut pages = Pages::default();
    match command {
        FlowsCommand::List => {}
        FlowsCommand::Show { name, renew_token, .. } => {
            let told = api.client_token(name, *renew_token).await?;
            match as_json {
                true => pages.json(&json!({ "token": told.token.expose() })),
                false => pages.text(&format!("{}\n", told.token.expose())),
            }
        }
        FlowsCommand::Publish { file, flow, on } => {
            for flow in publish(api, terminal, file, flow.as_ref(), *on).await? {
                if as_json {
                    pages.json(&flow);
                } else {
                    pages.text(&screen::published(&flow, style()));
                }
            }
        }
        FlowsCommand::On { name } => shown(&mut pages, &api.switch_flow(name, true).await?, as_json),
        FlowsCommand::Off { name } => shown(&mut pages, &api.switch_flow(name, false).await?, as_json),
        FlowsCommand::Start { name, inputs, event, key } => {
            let flow = api.flow(name).await?;
            let input = inputs::given(inputs, &flow.name, &flow.inputs, terminal).await?;
            let event = event.as_deref().map(files::event).transpose()?.map(|(_, told)| Fields::from_value(told));
            let key = key.clone().unwrap_or_else(Session::fresh_key);
            let start = StartFlow { input, event, idempotency_key: Some(key) };
            let run = api.start_flow(name, &start).await?;
            let report = match as_json {
                true => Report::Json,
                false => api.session().timeline(&run, terminal.style()),
            };
            return Watch::new(api, terminal, report, run.id, 0).follow_to_end().await;
        }
    }
    pages.print();
    Ok(End::Fine)
}

/// Publishes what a file without errors holds.
async fn publish(
    api: &Api,
    terminal: &mut Terminal,
    file: &std::path::Path,
    only: Option<&FlowName>,
    on: bool,
) -> Result<Vec<ServedFlow>> {
    let source = files::source(file)?;
    let (checked, linked) = files::read(&source, api.session().cards());
    for diagnostic in &checked.diagnostics {
        terminal.say(&format!("{}\n", diagnostic.render(&source, terminal.style().colour)));
    }
    if checked.has_errors() {
        let diagnostics = checked.diagnostics.iter().map(|d| d.to_json()).collect();
        bail!(WrongFile { text: format!("{} is not published", source.name), diagnostics });
    }
    let names: Vec<FlowName> = checked.flows.iter().map(|flow| flow.name.clone()).collect();
    let chosen: Vec<&FlowName> = names.iter().filter(|name| only.is_none_or(|only| only == *name)).collect();
    if chosen.is_empty() {
        let names: Vec<&str> = names.iter().map(FlowName::as_str).collect();
        bail!(usage(format!("{} has no such flow; it has {}", source.name, names.join(", "))));
    }
    let mut published = Vec::new();
    for name in chosen {
        let (text, files) = (source.text.to_string(), linked.clone());
        let file = FlowFile { name: source.name.clone(), text, flow: Some(name.clone()), files };
        published.push(api.publish(&PublishFlow { file, on: on.then_some(true) }).await?);
    }
    Ok(published)
}
