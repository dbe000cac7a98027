//! `flowdeck add`: puts a card into a flow file, filled in and checked, its connection asked for in place.
//!
//! Must never change another byte of the file, nor write what `check` refuses.
//! Tests: `crates/cli/tests/builder.rs`.

mod fields;
mod history;
mod plan;
mod recent;
mod slot;

use std::ops::ControlFlow;
use std::path::PathBuf;

use anyhow::{Context as _, Result, bail};
use clap::Args;
use flowdeck::model::{CardId, FlowName, SlotName, Value};
use flowdeck::{Cards, Diagnostic, Severity};
use indexmap::IndexMap;
use serde_json::json;

pub(crate) use fields::{Form, Given, ask as ask_fields};
pub(crate) use slot::{Linked, Wanted, connects, link};

use crate::api::Api;
use crate::build::entry::{self, Entry};
use crate::build::picker::{Line, Picked};
use crate::build::{rank, save};
use crate::end::{End, WrongFile, of_error, usage};
use crate::interrupts::{Interrupts, or_interrupted};
use crate::options::Globals;
use crate::session::{self, Session};
use crate::terminal::Terminal;
use crate::{files, out};
use plan::Plan;

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  flowdeck add flows/welcome.flow.yaml                       choose a card, a place, fill it in
  flowdeck add flows/welcome.flow.yaml playground/listPeople --after now
  flowdeck add f.flow.yaml string/compose --set text='Hello ${person.name}' --in each.cards
  flowdeck add f.flow.yaml if --set if='${size(staff.people) > 0}' --no-input
  flowdeck add f.flow.yaml okta/suspendUser --set id='${user.ID}' --use prod-admin --json

Only the card is put in, and the slot it may need; comments, order and blank lines of the rest stay.
Exit codes: 0 added, 2 wrong command line, 65 the file or the card is wrong and nothing was written,
75 added, and its slot waits for a connection (the message holds the command), 130 after Ctrl-C.")]
pub(crate) struct Add {
    /// The flow file.
    file: PathBuf,
    /// The card, as `flowdeck cards list` names it, or a control word as `if`; asked where not given.
    card: Option<String>,
    /// The flow or helper, where the file holds several.
    #[arg(long, value_name = "NAME")]
    flow: Option<FlowName>,
    /// Put it after this card.
    #[arg(long, value_name = "CARD", conflicts_with_all = ["into", "first"])]
    after: Option<CardId>,
    /// Put it into a lane: each_user.cards, check.then, safe.catch, kind.1 for a first branch.
    #[arg(long = "in", value_name = "CARD.LANE")]
    into: Option<String>,
    /// Put it at the beginning, of the flow or of the lane of --in, instead of the end.
    #[arg(long)]
    first: bool,
    /// Its id; made from its name unless given.
    #[arg(long, value_name = "ID")]
    id: Option<CardId>,
    /// Its title in lists and histories.
    #[arg(long, value_name = "TEXT")]
    title: Option<String>,
    #[command(flatten)]
    with: With,
}

/// What `add` and `new` take alike.
#[derive(Debug, Args)]
pub(crate) struct With {
    /// A field: --set status=active, --set id='${user.ID}'. Lists and objects are JSON.
    #[arg(long, value_name = "FIELD=VALUE")]
    pub(crate) set: Vec<String>,
    /// The slot for the card's connection; one that is not there yet is added.
    #[arg(long, value_name = "SLOT")]
    pub(crate) slot: Option<SlotName>,
    /// The connection for the slot, by nickname or id.
    #[arg(long = "use", value_name = "CONNECTION", conflicts_with = "later")]
    pub(crate) connection: Option<String>,
    /// Leave the slot without a connection; the first run asks.
    #[arg(long)]
    pub(crate) later: bool,
    /// One JSON object a line; nothing is asked.
    #[arg(long)]
    pub(crate) json: bool,
}

pub(crate) async fn run(add: &Add, globals: &Globals) -> Result<End> {
    let ended = Box::pin(added(add, globals, &Interrupts::listen())).await;
    tell_error("added", add.with.json, &ended);
    ended
}

/// The last line for a program, where nothing was made.
pub(crate) fn tell_error(kind: &str, as_json: bool, ended: &Result<End>) {
    if let (true, Err(error)) = (as_json, ended) {
        let (_, text) = of_error(error);
        let mut told = json!({ "message": text.trim_end().trim_start_matches("error: ") });
        if let Some(WrongFile { diagnostics, .. }) = error.downcast_ref::<WrongFile>() {
            told["diagnostics"] = json!(diagnostics);
        }
        out::json(&json!({ "type": kind, "card": null, "error": told }));
    }
}

async fn added(add: &Add, globals: &Globals, interrupts: &Interrupts) -> Result<End> {
    let mut terminal = Terminal::new(globals.no_input || add.with.json);
    let cards = Session::cards_of(globals)?;
    let source = files::source(&add.file)?;
    let data = session::existing_data_folder(globals)?;
    let recent = recent::read(data.as_deref());
    let chosen = or_interrupted(interrupts, async {
        let mut plan = Plan::read(source, &cards, add.flow.as_ref(), &mut terminal).await?;
        let Some(entry) = choose_card(add, &cards, &recent, &mut terminal).await? else { return Ok(None) };
        let Some(()) = plan.choose_place(add, &entry, &mut terminal).await? else { return Ok(None) };
        plan.name(add, &entry)?;
        Ok(Some((plan, entry)))
    });
    let (mut plan, entry) = match chosen.await? {
        ControlFlow::Continue(Some(chosen)) => chosen,
        ControlFlow::Continue(None) => return away(&mut terminal),
        ControlFlow::Break(end) => return Ok(end),
    };
    let wants_connection = entry.app().is_some_and(|app| slot::connects(&cards, app));
    let wants_history = terminal.interactive() && data.as_ref().is_some_and(|data| data.join("store").is_dir());
    let ended = if wants_connection || wants_history {
        session::with(globals, async |api| {
            let ended = tokio::select! {
                biased;
                ended = finish(add, &mut plan, &entry, &cards, Some(api), &mut terminal) => ended,
                () = api.session().interrupted() => Ok(End::Interrupted),
            };
            if !plan.linked.is_kept {
                plan.linked.call_off(api).await;
            }
            ended
        })
        .await?
    } else {
        match or_interrupted(interrupts, finish(add, &mut plan, &entry, &cards, None, &mut terminal)).await? {
            ControlFlow::Continue(end) | ControlFlow::Break(end) => end,
        }
    };
    if plan.linked.is_kept {
        recent::keep(session::existing_data_folder(globals)?.as_deref(), recent, &entry.name);
    }
    Ok(ended)
}

fn away(terminal: &mut Terminal) -> Result<End> {
    terminal.say("Nothing was changed.\n");
    Ok(End::Fine)
}

async fn choose_card(add: &Add, cards: &Cards, recent: &[String], terminal: &mut Terminal) -> Result<Option<Entry>> {
    let all = entry::cards(cards);
    if let Some(name) = &add.card {
        return Ok(Some(named(all, name, cards)?));
    }
    if !terminal.interactive() {
        bail!(usage("say which card: `flowdeck add FLOW CARD`; `flowdeck cards list` names them"));
    }
    let all = rank::recent_first(all, recent, |entry| &entry.name);
    let lines: Vec<Line> = all.iter().map(palette_line).collect();
    let picked = terminal.choose("Card", &lines).await;
    Ok(match picked {
        Picked::Line(at) => all.into_iter().nth(at),
        Picked::Text(_) | Picked::Away => None,
    })
}

/// A card in a palette: its name and title find it, and the words of its line.
pub(crate) fn palette_line(entry: &Entry) -> Line {
    let about = format!("{}, {}: {}", entry.title, entry.family, entry.about);
    let mut line = Line::new(&entry.name, about);
    line.keys.name = format!("{} {} {}", entry.name, entry.title, entry.family);
    line.keys.about.clone_from(&entry.about);
    line
}

/// The card of a name, or what it was probably meant to be.
fn named(all: Vec<Entry>, name: &str, cards: &Cards) -> Result<Entry> {
    if let Some(at) = all.iter().position(|entry| entry.name == name) {
        return all.into_iter().nth(at).context("the card is gone");
    }
    if entry::events(cards).iter().any(|event| event.name == name) {
        bail!(usage(format!("`{name}` starts flows: `flowdeck new --event {name}`, or write it under `on:`")));
    }
    let lines: Vec<Line> = all.iter().map(palette_line).collect();
    let near = rank::rank(name, lines.iter().map(|line| &line.keys));
    let near: Vec<&str> = near.iter().take(3).map(|at| all[*at].name.as_str()).collect();
    let hint = if near.is_empty() {
        "`flowdeck cards list` names them".into()
    } else {
        format!("near it: {}", near.join(", "))
    };
    bail!(usage(format!("there is no card `{}`; {hint}", name.chars().take(60).collect::<String>())))
}

async fn finish(
    add: &Add,
    plan: &mut Plan<'_>,
    entry: &Entry,
    cards: &Cards,
    api: Option<&Api>,
    terminal: &mut Terminal,
) -> Result<End> {
    // What options say wrong is told before anything is asked.
    let given = plan.given(entry, &add.with)?;
    if !terminal.interactive() {
        given.has_all(&entry.name, &|values| entry.fields(plan.flow(), values))?;
    }
    let Some(()) = plan.choose_slot(add, entry, api, terminal).await? else { return away(terminal) };
    let known = match (api, terminal.interactive()) {
        (Some(api), true) => history::known(api, plan.flow(), plan.outer(), cards).await?,
        _ => Default::default(),
    };
    let Some(values) = plan.fill(entry, given, &known, terminal).await? else { return away(terminal) };
    plan.write(add, entry, &values, terminal)?;
    Ok(plan.linked.end(plan.slot(), &add.with, terminal))
}

/// What is wrong with a card that is not in the file yet; nothing was written.
pub(crate) fn refuse(source: &flowdeck::Source, found: &[Diagnostic], terminal: &mut Terminal) -> anyhow::Error {
    for diagnostic in found {
        terminal.say(&diagnostic.render(source, terminal.style().colour));
    }
    let diagnostics = found.iter().map(Diagnostic::to_json).collect();
    WrongFile { text: format!("{} would have errors; nothing was written", source.name), diagnostics }.into()
}

/// The errors among diagnostics.
pub(crate) fn errors(found: &[Diagnostic]) -> Vec<Diagnostic> {
    found.iter().filter(|d| d.severity == Severity::Error).cloned().collect()
}

/// Values by field.
pub(crate) type Values = IndexMap<String, Value>;

/// Writes the new text over the old one.
pub(crate) fn write(path: &std::path::Path, old: &str, new: &str) -> Result<()> {
    save::replace(path, old, new)
}
