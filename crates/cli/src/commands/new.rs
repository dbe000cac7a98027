//! `flowdeck new`: a flow file with a name and what starts it, ready for cards.
//!
//! Must never overwrite a file unless told, nor write one that `check` or `fmt` would complain of.
//! Tests: `crates/cli/tests/builder.rs`.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use clap::Args;
use flowdeck::format::edit::NewSlot;
use flowdeck::model::{FieldDecl, FlowName};
use flowdeck::{Cards, Diagnostic, Source};
use serde_json::{Value, json};

use super::add::{
    Form, Given, Linked, Values, Wanted, With, ask_fields, errors, link, palette_line, refuse, tell_error,
};
use crate::api::Api;
use crate::build::control::STARTS;
use crate::build::entry::{self, Entry, Is};
use crate::build::need::{SlotChoice, slot_for};
use crate::build::picker::{Line, Picked};
use crate::build::save;
use crate::end::{End, usage};
use crate::interrupts::{Interrupts, or_interrupted};
use crate::options::Globals;
use crate::out;
use crate::session::{self, Session};
use crate::terminal::{Terminal, Typed};

/// Most times that a name is asked.
const TRIES_MAX: usize = 8;

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  flowdeck new                                         asks for the name and what starts it
  flowdeck new flows/report.flow.yaml --event manual
  flowdeck new --name nightly --event schedule --set cron='0 3 * * *' --set timezone=Europe/Berlin
  flowdeck new --name hook --event endpoint --set access=public --no-input
  flowdeck new --name welcome --event okta/userCreated --use prod-admin

Then `flowdeck add FILE` puts cards into it.
Exit codes: 0 made, 1 the file is there already, 2 wrong command line, 65 something is wrong and nothing was written,
75 made, and its slot waits for a connection, 130 after Ctrl-C.")]
pub(crate) struct New {
    /// The file; from the name unless given, in `flows/` where there is such a folder.
    file: Option<PathBuf>,
    /// The flow's name; from the file unless given.
    #[arg(long, value_name = "NAME")]
    name: Option<FlowName>,
    /// What it is for.
    #[arg(long, value_name = "TEXT")]
    description: Option<String>,
    /// What starts it: manual, schedule, endpoint, delegated, or an event card as okta/userCreated.
    #[arg(long, value_name = "EVENT")]
    event: Option<String>,
    /// Overwrite a file that is there.
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    with: With,
}

pub(crate) async fn run(new: &New, globals: &Globals) -> Result<End> {
    let ended = Box::pin(made(new, globals, &Interrupts::listen())).await;
    tell_error("made", new.with.json, &ended);
    ended
}

async fn made(new: &New, globals: &Globals, interrupts: &Interrupts) -> Result<End> {
    let mut terminal = Terminal::new(globals.no_input || new.with.json);
    let cards = Session::cards_of(globals)?;
    let chosen = or_interrupted(interrupts, async {
        let Some(name) = name(new, &mut terminal).await? else { return Ok(None) };
        let path = new.file.clone().unwrap_or_else(|| {
            let file = format!("{name}.flow.yaml");
            if Path::new("flows").is_dir() { Path::new("flows").join(file) } else { file.into() }
        });
        if path.exists() && !new.force {
            bail!("{} is there already; --force overwrites it", path.display());
        }
        let start = start(new, &cards, &mut terminal).await?;
        Ok(start.map(|start| Draft { new, name, path, start, cards: &cards }))
    });
    let draft = match chosen.await? {
        ControlFlow::Continue(Some(draft)) => draft,
        ControlFlow::Continue(None) => return away(&mut terminal),
        ControlFlow::Break(end) => return Ok(end),
    };
    if draft.start.app().is_some_and(|app| super::add::connects(&cards, app)) {
        return session::with(globals, async |api| {
            let mut linked = Linked::default();
            let ended = tokio::select! {
                biased;
                ended = draft.finish(Some(api), &mut linked, &mut terminal) => ended,
                () = api.session().interrupted() => Ok(End::Interrupted),
            };
            if !linked.is_kept {
                linked.call_off(api).await;
            }
            ended
        })
        .await;
    }
    match or_interrupted(interrupts, draft.finish(None, &mut Linked::default(), &mut terminal)).await? {
        ControlFlow::Continue(end) | ControlFlow::Break(end) => Ok(end),
    }
}

fn away(terminal: &mut Terminal) -> Result<End> {
    terminal.say("Nothing was written.\n");
    Ok(End::Fine)
}

/// The name: given, asked, or that of the file.
async fn name(new: &New, terminal: &mut Terminal) -> Result<Option<FlowName>> {
    if let Some(name) = &new.name {
        return Ok(Some(name.clone()));
    }
    let of_file = new.file.as_deref().and_then(name_of_file);
    if !terminal.interactive() {
        return of_file.map(Some).ok_or_else(|| usage("say how it is called: --name NAME, or name a file"));
    }
    let style = terminal.style();
    for _ in 0..TRIES_MAX {
        let hint = of_file.as_ref().map(|name| format!(" [{name}]")).unwrap_or_default();
        let question = format!("{}{}: ", style.bold("Name of the flow"), style.dim(&hint));
        let Typed::Line(typed) = terminal.ask(&question).await else { return Ok(None) };
        if let ("", Some(name)) = (typed.trim(), &of_file) {
            return Ok(Some(name.clone()));
        }
        match FlowName::new(typed.trim()) {
            Ok(name) => return Ok(Some(name)),
            Err(error) => terminal.say(&format!("  {}\n", style.bad(&error.to_string()))),
        }
    }
    Ok(None)
}

fn name_of_file(path: &Path) -> Option<FlowName> {
    let name = path.file_name()?.to_str()?;
    let stem = name.split_once('.').map_or(name, |(stem, _)| stem);
    FlowName::new(stem).ok()
}

/// What starts the flow.
async fn start(new: &New, cards: &Cards, terminal: &mut Terminal) -> Result<Option<Entry>> {
    let mut all: Vec<Entry> = STARTS
        .iter()
        .map(|start| Entry {
            name: start.word.into(),
            title: start.title.into(),
            family: "start".into(),
            about: start.about.into(),
            is: Is::Control(start),
        })
        .collect();
    all.extend(entry::events(cards));
    let lines: Vec<Line> = all.iter().map(palette_line).collect();
    let wanted = match (&new.event, terminal.interactive()) {
        (Some(word), _) => Some(word.as_str()),
        (None, false) => Some("manual"),
        (None, true) => None,
    };
    let Some(word) = wanted else {
        return Ok(match terminal.choose("What starts it", &lines).await {
            Picked::Line(at) => all.into_iter().nth(at),
            Picked::Text(_) | Picked::Away => None,
        });
    };
    if let Some(at) = all.iter().position(|entry| entry.name == word) {
        return Ok(all.into_iter().nth(at));
    }
    let near = crate::build::rank::rank(word, lines.iter().map(|line| &line.keys));
    let near: Vec<&str> = near.iter().take(3).map(|at| all[*at].name.as_str()).collect();
    let near = if near.is_empty() { "manual, schedule, endpoint, delegated".into() } else { near.join(", ") };
    bail!(usage(format!(
        "nothing called `{}` starts flows; near it: {near}",
        word.chars().take(60).collect::<String>()
    )))
}

/// A flow on its way into a file.
struct Draft<'a> {
    new: &'a New,
    name: FlowName,
    path: PathBuf,
    start: Entry,
    cards: &'a Cards,
}

impl Draft<'_> {
    async fn finish(&self, api: Option<&Api>, linked: &mut Linked, terminal: &mut Terminal) -> Result<End> {
        let with = &self.new.with;
        let fields = |_: &Values| match &self.start.is {
            Is::Call(decl) => decl.inputs.clone(),
            Is::Control(start) => start.fields(),
        };
        // What options say wrong is told before anything is asked.
        let given = Given::of_options(&self.start.name, with, &fields, self.start.more().as_ref())?;
        if !terminal.interactive() {
            given.has_all(&self.start.name, &fields)?;
        }
        let slot = self.slot(api, linked, terminal).await?;
        let form = Form {
            fields: &fields,
            asks_all: false,
            more: self.start.more(),
            suggest: &|_: &FieldDecl, _| Vec::new(),
            check: &|values| Ok(self.look(slot.as_ref(), values)),
        };
        let Some(values) = ask_fields(&form, given, terminal).await? else { return away(terminal) };
        let (source, found) = self.look(slot.as_ref(), &values);
        if !errors(&found).is_empty() {
            return Err(refuse(&source, &found, terminal));
        }
        if !save::create(&self.path, &source.text, self.new.force)? {
            bail!("{} is there already; --force overwrites it", self.path.display());
        }
        self.tell(slot.as_ref(), &source, linked, terminal);
        linked.is_kept = true;
        Ok(linked.end(slot.as_ref().map_or("", |slot| slot.name.as_str()), with, terminal))
    }

    /// The slot of an event card, and its connection.
    async fn slot(&self, api: Option<&Api>, linked: &mut Linked, terminal: &mut Terminal) -> Result<Option<NewSlot>> {
        let with = &self.new.with;
        let (Some(app), Is::Call(decl)) = (self.start.app(), &self.start.is) else {
            if with.slot.is_some() || with.connection.is_some() {
                bail!(usage(format!("`{}` needs no connection, so it has no slot", self.start.name)));
            }
            return Ok(None);
        };
        let SlotChoice::New(slot) = slot_for(&Default::default(), app, with.slot.as_ref()).map_err(usage)? else {
            return Ok(None);
        };
        if let Some(api) = api {
            link(api, terminal, &Wanted { flow: &self.name, old: None, decl, slot: &slot, with }, linked).await?;
        }
        let nickname = linked.connection.as_ref().filter(|_| linked.chosen).map(|c| c.nickname.clone());
        Ok(Some(NewSlot { nickname, ..slot }))
    }

    fn tell(&self, slot: Option<&NewSlot>, source: &Source, linked: &Linked, terminal: &mut Terminal) {
        let file = self.path.display().to_string();
        if self.new.with.json {
            out::json(&json!({
                "type": "made", "file": file, "flow": self.name, "event": self.start.name,
                "slot": slot.map(|slot| &slot.name), "connection": linked.connection,
            }));
            return;
        }
        let style = terminal.style();
        let sign = style.good(style.sign("✓", "+"));
        let lines: String = source.text.lines().map(|line| format!("  {}\n", style.dim(line))).collect();
        let next = style.key(&format!("flowdeck add {file}"));
        terminal.say(&format!("{sign} Wrote {}\n{lines}Now put cards into it:\n  {next}\n", style.bold(&file)));
    }

    /// The file as it would be, and what the check says of it.
    fn look(&self, slot: Option<&NewSlot>, values: &Values) -> (Source, Vec<Diagnostic>) {
        let name = self.path.display().to_string();
        let value = self.value(slot, values);
        // Through the reader and the printer: what is written is what they agree on.
        let read = flowdeck::read(&Source::new("new.json", &value.to_string()), None);
        let is_json = name.ends_with(".json");
        let text = match read.flows.first() {
            Some(flow) if is_json => flowdeck::print_json(flow),
            Some(flow) => flowdeck::print(flow),
            None => format!("{value:#}\n"),
        };
        let source = Source::new(&name, &text);
        let mut found = flowdeck::read(&source, Some(self.cards)).diagnostics;
        found.retain(|d| d.code != "missing-field");
        (source, found)
    }

    fn value(&self, slot: Option<&NewSlot>, values: &Values) -> Value {
        let mut flow = serde_json::Map::new();
        flow.insert("flow".into(), self.name.as_str().into());
        if let Some(text) = &self.new.description {
            flow.insert("description".into(), text.as_str().into());
        }
        if let Some(slot) = slot {
            let mut declared = json!({ "app": slot.app.as_str() });
            if let Some(nickname) = &slot.nickname {
                declared["nickname"] = nickname.as_str().into();
            }
            flow.insert("slots".into(), json!({ slot.name.as_str(): declared }));
        }
        let mut fields: serde_json::Map<String, Value> = values.clone().into_iter().collect();
        let on = match (&self.start.is, self.start.name.as_str()) {
            (Is::Call(_), _) => Some(Value::Object(self.start.body(slot.map(|slot| &slot.name), values))),
            (_, "schedule") => {
                fields.entry("cron").or_insert_with(|| "0 9 * * *".into());
                Some(json!({ "schedule": fields }))
            }
            (_, "endpoint") => {
                if let Some(method) = fields.remove("methods") {
                    fields.insert("methods".into(), if method.is_array() { method } else { json!([method]) });
                }
                Some(json!({ "endpoint": fields }))
            }
            (_, "delegated") => Some("delegated".into()),
            _ => None,
        };
        flow.extend(on.map(|on| ("on".to_owned(), on)));
        flow.insert("cards".into(), json!([]));
        Value::Object(flow)
    }
}
