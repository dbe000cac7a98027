//! The connection of a card that is being added: the same prompt as at run time, in place.
//!
//! Must never choose an account by itself.
//! Tests: `crates/cli/tests/builder.rs`.

use anyhow::{Result, bail};
use flowdeck::Cards;
use flowdeck::format::edit::NewSlot;
use flowdeck::model::app::AppDirectory as _;
use flowdeck::model::connect::{ConnectionView, PromptReason, PromptView};
use flowdeck::model::{AppName, CardDecl, Flow, FlowName};
use flowdeck_server::wire::{Bind, FlowFile};
use serde_json::json;

use super::With;
use crate::answer::{self, AnswerOptions, Ask, Outcome, Progress};
use crate::api::Api;
use crate::build::need::flow_of_slot;
use crate::end::{End, usage};
use crate::out;
use crate::screen::style::wrap;
use crate::terminal::Terminal;

/// What became of the connection.
#[derive(Debug, Default)]
pub(crate) struct Linked {
    /// The connection that the slot has.
    pub(crate) connection: Option<ConnectionView>,
    /// The prompt that stays open.
    pub(crate) prompt: Option<PromptView>,
    /// The command that answers it.
    command: String,
    /// Whether the prompt was not there before.
    is_new: bool,
    /// Whether the file has the slot, so that its prompt stays.
    pub(crate) is_kept: bool,
    /// Whether one of several was chosen, so that the slot should say which.
    pub(crate) chosen: bool,
}

/// Whether an app has ways to authorize at all.
pub(crate) fn connects(cards: &Cards, app: &AppName) -> bool {
    cards.apps().auth(app).is_some_and(|auth| !auth.methods.is_empty())
}

/// A slot of a flow that a card wants a connection for.
pub(crate) struct Wanted<'a> {
    pub(crate) flow: &'a FlowName,
    /// The flow as it is, where it is there.
    pub(crate) old: Option<&'a Flow>,
    pub(crate) decl: &'a CardDecl,
    pub(crate) slot: &'a NewSlot,
    pub(crate) with: &'a With,
}

/// Finds the connection of a slot, or asks for it. What is asked is in `linked` before the answer is.
pub(crate) async fn link(api: &Api, terminal: &mut Terminal, wanted: &Wanted<'_>, linked: &mut Linked) -> Result<()> {
    let Wanted { flow, old, decl, slot, with } = *wanted;
    let text = flow_of_slot(flow, old, decl, slot, api.session().cards());
    let file = FlowFile { name: "slot.json".into(), text, flow: Some(flow.clone()), files: Default::default() };
    if let Some(wanted) = &with.connection {
        let connection = named(api, &slot.app, wanted).await?;
        api.bind(&Bind { flow: flow.clone(), slot: slot.name.clone(), connection: connection.id }).await?;
    }
    let several = api.connections(Some(&slot.app)).await?.len() > 1;
    let before = line(api.preflight(&file).await?);
    let reason = before.as_ref().and_then(|line| line.reason);
    if reason.is_none() {
        linked.connection = before.and_then(|line| line.connection);
        linked.chosen = several && with.connection.is_some();
        if let (Some(c), true) = (&linked.connection, terminal.interactive()) {
            let account = c.account.as_ref().map(|a| format!(" as {a}")).unwrap_or_default();
            terminal.say(&format!("  Slot {} uses \u{201c}{}\u{201d}{account}.\n", slot.name, c.nickname));
        }
        return Ok(());
    }
    let open = api.prompts(Some("open"), Some(&slot.app)).await?;
    let Some(prompt) = line(api.raise(&file).await?).and_then(|line| line.prompt) else { return Ok(()) };
    linked.is_new = open.iter().all(|known| known.id != prompt.id);
    linked.prompt = Some(prompt.clone());
    linked.command = api.session().again().answer(prompt.id);
    if !terminal.interactive() || with.later {
        return Ok(());
    }
    let ask = Ask::of_prompt(&prompt, api.session().auth(&slot.app).as_deref());
    let outcome = answer::interactive(api, terminal, &ask, &AnswerOptions::default(), &mut Progress::default()).await?;
    terminal.say("\n");
    if !matches!(outcome, Outcome::Later) {
        linked.prompt = None;
        linked.connection = line(api.preflight(&file).await?).and_then(|line| line.connection);
        linked.chosen = reason == Some(PromptReason::Choose) || several;
    }
    Ok(())
}

fn line(preflight: flowdeck_server::wire::Preflight) -> Option<flowdeck::connections::PreflightLine> {
    preflight.lines.into_iter().next()
}

async fn named(api: &Api, app: &AppName, wanted: &str) -> Result<ConnectionView> {
    let all = api.connections(Some(app)).await?;
    if let Some(found) = all.iter().find(|c| c.nickname.as_str() == wanted || c.id.to_string() == wanted) {
        return Ok(found.clone());
    }
    let names: Vec<&str> = all.iter().map(|c| c.nickname.as_str()).collect();
    let known = if names.is_empty() {
        format!("connect it: flowdeck connect {app}")
    } else {
        format!("there are {}", names.join(", "))
    };
    bail!(usage(format!("there is no connection `{}` of {app}; {known}", wanted.chars().take(60).collect::<String>())))
}

impl Linked {
    /// Takes back what only this command asked.
    pub(crate) async fn call_off(&self, api: &Api) {
        if let (Some(prompt), true) = (&self.prompt, self.is_new) {
            api.close_prompt(prompt.id).await.ok(); // It ends by itself otherwise.
        }
    }

    /// Says what waits, and how the command ends.
    pub(crate) fn end(&self, slot: &str, with: &With, terminal: &mut Terminal) -> End {
        let Some(prompt) = &self.prompt else { return End::Fine };
        let command = &self.command;
        let asked = terminal.interactive() || with.later;
        if with.json {
            out::json(&json!({ "type": "prompt", "prompt": prompt, "command": command }));
        } else {
            let style = terminal.style();
            let about =
                format!("Its slot {slot} has no connection to {} yet. A run asks for it; or now:", prompt.app_title);
            terminal.say(&format!("{}  {}\n", wrap(&about, style.text_width(), 0), style.key(command)));
        }
        if asked { End::Fine } else { End::Waiting }
    }
}
