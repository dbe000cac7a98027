//! A card on its way into a file: its flow, place, id and slot, and the text that it makes.
//!
//! Must never write before the whole is checked.
//! Tests: `crates/cli/tests/builder.rs`.

use std::collections::HashSet;
use std::path::Path;

use anyhow::{Context as _, Result, bail};
use flowdeck::format::edit::{EditError, Edited, NewSlot, Place, Spot, free_id, insert_card};
use flowdeck::format::{Upstream, read_upstream};
use flowdeck::model::mapping::{Mapping, PathPart, Reference};
use flowdeck::model::{CardId, CardKind, CardRole, FieldDecl, FieldType, Flow, FlowName, SlotName, Trigger};
use flowdeck::{Cards, Checked, Diagnostic, Source};
use serde_json::{Value, json};

use super::fields::{Form, Given};
use super::{Add, Linked, Values, Wanted, With, ask_fields, errors, refuse, slot, write};
use crate::api::Api;
use crate::build::complete::{self, Suggestion};
use crate::build::entry::{Entry, Is};
use crate::build::known::Known;
use crate::build::need::{SlotChoice, free_name, slot_for};
use crate::build::picker::{Line, Picked};
use crate::build::places;
use crate::end::{WrongFile, usage};
use crate::terminal::Terminal;
use crate::{files, out};

/// The card as far as it is decided.
pub(super) struct Plan<'c> {
    cards: &'c Cards,
    source: Source,
    checked: Checked,
    /// The flow of the file, and the helper in it that is meant.
    at: (usize, Option<FlowName>),
    place: Place,
    id: Option<CardId>,
    title: Option<String>,
    slot: Option<SlotName>,
    new_slot: Option<NewSlot>,
    upstream: Vec<Upstream>,
    pub(super) linked: Linked,
}

impl<'c> Plan<'c> {
    /// Reads the file and finds the flow.
    pub(super) async fn read(
        source: Source,
        cards: &'c Cards,
        name: Option<&FlowName>,
        terminal: &mut Terminal,
    ) -> Result<Self> {
        if source.name == "standard input" {
            bail!(usage("name a file: standard input cannot be changed"));
        }
        let (checked, _) = files::read(&source, cards);
        if checked.flows.is_empty() {
            return Err(refuse(&source, &errors(&checked.diagnostics), terminal));
        }
        let all: Vec<(usize, Option<FlowName>)> = checked
            .flows
            .iter()
            .enumerate()
            .flat_map(|(at, flow)| {
                std::iter::once((at, None)).chain(flow.helpers.keys().map(move |name| (at, Some(name.clone()))))
            })
            .collect();
        let name_of = |(at, helper): &(usize, Option<FlowName>)| match helper {
            Some(helper) => helper.clone(),
            None => checked.flows[*at].name.clone(),
        };
        let names: Vec<String> = all.iter().map(|one| name_of(one).to_string()).collect();
        let chosen = match (name, checked.flows.len()) {
            (Some(name), _) => all.iter().position(|one| name_of(one) == *name),
            (None, 1) if !terminal.interactive() || all.len() == 1 => Some(0),
            (None, _) if terminal.interactive() => {
                let lines: Vec<Line> = names.iter().map(|name| Line::new(name, "")).collect();
                match terminal.choose("Flow", &lines).await {
                    Picked::Line(at) => Some(at),
                    Picked::Text(_) | Picked::Away => None,
                }
            }
            (None, _) => None,
        };
        let Some(at) = chosen.and_then(|at| all.into_iter().nth(at)) else {
            bail!(usage(format!("choose a flow of {} with --flow: {}", source.name, names.join(", "))));
        };
        Ok(Self {
            cards,
            source,
            checked,
            at,
            place: Place::default(),
            id: None,
            title: None,
            slot: None,
            new_slot: None,
            upstream: Vec::new(),
            linked: Linked::default(),
        })
    }

    /// The flow of the file.
    pub(super) fn outer(&self) -> &Flow {
        &self.checked.flows[self.at.0]
    }

    /// The slot of the card, once it is chosen; else empty.
    pub(super) fn slot(&self) -> &str {
        self.slot.as_ref().map_or("", SlotName::as_str)
    }

    /// The flow or helper that gets the card.
    pub(super) fn flow(&self) -> &Flow {
        self.at.1.as_ref().and_then(|name| self.outer().helpers.get(name)).unwrap_or(self.outer())
    }

    /// Where it goes, as options say or a person chooses.
    pub(super) async fn choose_place(
        &mut self,
        add: &Add,
        entry: &Entry,
        terminal: &mut Terminal,
    ) -> Result<Option<()>> {
        let flow = self.flow();
        let spot = match &add.after {
            Some(card) => Spot::After(card.clone()),
            None if add.first => Spot::First,
            None => Spot::End,
        };
        let lane = add.into.as_ref().map(|text| places::lane_of(flow, text).map_err(usage)).transpose()?;
        let is_said = add.after.is_some() || add.first || lane.is_some();
        let mut place = Place { flow: Some(flow.name.clone()), lane, spot };
        let rows = places::rows(flow);
        if !is_said && terminal.interactive() && rows.len() > 1 {
            let lines: Vec<Line> = rows
                .iter()
                .map(|row| {
                    let mut line = Line::new(format!("{}{}", "  ".repeat(row.depth), row.label), &row.about);
                    line.keys.name.clone_from(&row.label);
                    line
                })
                .collect();
            match terminal.choose(&format!("Put {} where", entry.name), &lines).await {
                Picked::Line(at) => place = rows.into_iter().nth(at).context("the place is gone")?.place,
                Picked::Text(_) | Picked::Away => return Ok(None),
            }
        }
        self.place = place;
        Ok(Some(()))
    }

    /// Gives the card its id, and looks what it can refer to.
    pub(super) fn name(&mut self, add: &Add, entry: &Entry) -> Result<()> {
        let taken = names_in(self.flow());
        let operation = match &entry.is {
            Is::Call(decl) => decl.name.as_str(),
            Is::Control(control) => control.id_base(),
        };
        let id = match &add.id {
            Some(id) if taken.contains(id.as_str()) => {
                bail!(usage(format!("the flow has something called `{id}` already")))
            }
            Some(id) => id.clone(),
            None => free_id(operation, &|id| taken.contains(id)).context("no id is free")?,
        };
        self.title.clone_from(&add.title);
        // What is upstream depends on the place alone: any card will do to find it.
        let any = json!({ "card": "date/now" }).as_object().cloned().unwrap_or_default();
        let edited = insert_card(&self.source, &self.place, &id, &any, None).map_err(|e| self.wrong(e))?;
        let source = Source::new(&self.source.name, &edited.text);
        let load = |path: &str| {
            let (name, text) = files::text(Path::new(path)).map_err(|e| format!("{:#}", e.root_cause()))?;
            Ok(Source::new(&name, &text))
        };
        let (_, upstream) = read_upstream(&source, self.cards, &load, Some(&self.flow().name), &id);
        self.upstream = upstream;
        self.id = Some(id);
        Ok(())
    }

    fn wrong(&self, error: EditError) -> anyhow::Error {
        match error {
            EditError::File(found) => {
                found.iter().for_each(|d| out::error(&format!("{}\n", d.render(&self.source, false))));
                let diagnostics = found.iter().map(Diagnostic::to_json).collect();
                WrongFile { text: format!("{} has errors; nothing was written", self.source.name), diagnostics }.into()
            }
            EditError::Flow(_) | EditError::Card(_) | EditError::Lane { .. } => usage(error.to_string()),
            _ => WrongFile::new(error.to_string()).into(),
        }
    }

    /// The slot of the card, and its connection.
    pub(super) async fn choose_slot(
        &mut self,
        add: &Add,
        entry: &Entry,
        api: Option<&Api>,
        terminal: &mut Terminal,
    ) -> Result<Option<()>> {
        let (Some(app), Is::Call(decl)) = (entry.app(), &entry.is) else {
            if add.with.slot.is_some() || add.with.connection.is_some() {
                bail!(usage(format!("`{}` needs no connection, so it has no slot", entry.name)));
            }
            return Ok(Some(()));
        };
        let flow = self.flow().clone();
        let mut choice = slot_for(&flow.slots, app, add.with.slot.as_ref()).map_err(usage)?;
        if let SlotChoice::Several(names) = &choice {
            let all: Vec<&str> = names.iter().map(SlotName::as_str).collect();
            if !terminal.interactive() {
                bail!(usage(format!("the flow has several slots of {app}; say which with --slot: {}", all.join(", "))));
            }
            let mut lines: Vec<Line> = all.iter().map(|name| Line::new(*name, "a slot of the flow")).collect();
            lines.push(Line::new("another", "a new slot, for another account"));
            choice = match terminal.choose("Slot", &lines).await {
                Picked::Line(at) => match names.get(at) {
                    Some(name) => SlotChoice::There(name.clone()),
                    None => SlotChoice::New(NewSlot {
                        name: free_name(&flow.slots, app).context("no name is free for a slot")?,
                        app: app.clone(),
                        nickname: None,
                    }),
                },
                Picked::Text(_) | Picked::Away => return Ok(None),
            };
        }
        let (slot, is_new) = match choice {
            SlotChoice::New(slot) => (slot, true),
            SlotChoice::There(name) => {
                let nickname = flow.slots.get(&name).and_then(|slot| slot.nickname.clone());
                (NewSlot { name, app: app.clone(), nickname }, false)
            }
            SlotChoice::Several(_) => return Ok(None),
        };
        if let Some(api) = api.filter(|_| slot::connects(self.cards, app)) {
            let wanted = Wanted { flow: &flow.name, old: Some(&flow), decl, slot: &slot, with: &add.with };
            super::link(api, terminal, &wanted, &mut self.linked).await?;
        }
        self.slot = Some(slot.name.clone());
        if is_new {
            let nickname = self.linked.connection.as_ref().filter(|_| self.linked.chosen).map(|c| c.nickname.clone());
            self.new_slot = Some(NewSlot { nickname, ..slot });
        }
        Ok(Some(()))
    }

    /// The fields that options give.
    pub(super) fn given(&self, entry: &Entry, with: &With) -> Result<Given> {
        let fields = |values: &Values| entry.fields(self.flow(), values);
        Given::of_options(&entry.name, with, &fields, entry.more().as_ref())
    }

    /// Fills the fields, asking where somebody is there; nothing where they turned away.
    pub(super) async fn fill(
        &self,
        entry: &Entry,
        given: Given,
        known: &Known,
        terminal: &mut Terminal,
    ) -> Result<Option<Values>> {
        let form = Form {
            fields: &|values| entry.fields(self.flow(), values),
            asks_all: matches!(&entry.is, Is::Call(decl) if decl.role == CardRole::Function),
            more: entry.more(),
            suggest: &|field, values| self.suggestions(entry, known, field, values),
            check: &|values| self.look(entry, values, true),
        };
        ask_fields(&form, given, terminal).await
    }

    fn suggestions(&self, entry: &Entry, known: &Known, field: &FieldDecl, values: &Values) -> Vec<Suggestion> {
        let Some((name, item, list)) = self.item_of(entry, values) else {
            return complete::suggestions(&self.upstream, known, &field.kind);
        };
        let mut upstream = self.upstream.clone();
        upstream.push(Upstream { name: name.clone(), kind: item, open: true });
        complete::suggestions(&upstream, &known.clone().with_item(&name, &list), &field.kind)
    }

    /// The item of the card's own list, which its own fields can refer to.
    fn item_of(&self, entry: &Entry, values: &Values) -> Option<(String, FieldType, Reference)> {
        let Is::Control(control) = &entry.is else { return None };
        let list = values.get(control.word).filter(|_| matches!(control.word, "map" | "filter" | "reduce"))?;
        let Ok(Mapping::Reference(list)) = Mapping::parse(list) else { return None };
        let name = values.get("as").and_then(Value::as_str).unwrap_or("item").to_owned();
        let root = self.upstream.iter().find(|u| u.name == list.root)?;
        let kind = list.path.iter().try_fold(&root.kind, |kind, part| match (kind, part) {
            (FieldType::Object(fields), PathPart::Key(key)) => fields.iter().find(|f| f.key == *key).map(|f| &f.kind),
            (FieldType::List(item), PathPart::Index(_)) => Some(item.as_ref()),
            _ => None,
        });
        let item = match kind {
            Some(FieldType::List(item)) => item.as_ref().clone(),
            _ => FieldType::Any,
        };
        Some((name, item, list))
    }

    fn edited(&self, entry: &Entry, values: &Values) -> Result<Edited> {
        let id = self.id.as_ref().context("the card has no id")?;
        let mut body = entry.body(self.slot.as_ref(), values);
        if let Some(title) = &self.title {
            body.insert("title".into(), title.as_str().into());
        }
        insert_card(&self.source, &self.place, id, &body, self.new_slot.as_ref()).map_err(|e| self.wrong(e))
    }

    /// The file with the card, and what the check says of it that it did not say before. With `so_far`, fields that
    /// are missing are no matter.
    fn look(&self, entry: &Entry, values: &Values, so_far: bool) -> Result<(Source, Vec<Diagnostic>)> {
        let mut values = values.clone();
        if let (Is::Control(control), true) = (&entry.is, so_far) {
            for field in control.fields().iter().filter(|f| f.required) {
                values.entry(field.key.clone()).or_insert_with(|| stand_in(&field.kind));
            }
        }
        let source = Source::new(&self.source.name, &self.edited(entry, &values)?.text);
        let (checked, _) = files::read(&source, self.cards);
        let mut old: Vec<(&str, &str)> =
            self.checked.diagnostics.iter().map(|d| (d.code, d.message.as_str())).collect();
        let mut found = checked.diagnostics;
        found.retain(|d| {
            let was = old.iter().position(|o| *o == (d.code, d.message.as_str()));
            was.map(|at| old.swap_remove(at)).is_none() && !(so_far && d.code == "missing-field")
        });
        Ok((source, found))
    }

    /// Checks the whole and replaces the file.
    pub(super) fn write(&mut self, add: &Add, entry: &Entry, values: &Values, terminal: &mut Terminal) -> Result<()> {
        let edited = self.edited(entry, values)?;
        let (source, found) = self.look(entry, values, false)?;
        if !errors(&found).is_empty() {
            return Err(refuse(&source, &found, terminal));
        }
        write(&add.file, &self.source.text, &edited.text)?;
        self.linked.is_kept = true;
        let line = edited.text[..edited.card.start].matches('\n').count() + 1;
        let id = self.id.as_ref().context("the card has no id")?;
        if add.with.json {
            out::json(&json!({
                "type": "added", "file": self.source.name, "flow": self.flow().name, "card": id, "name": entry.name,
                "line": line, "slot": self.slot, "connection": self.linked.connection,
                "diagnostics": found.iter().map(Diagnostic::to_json).collect::<Vec<_>>(),
            }));
            return Ok(());
        }
        let style = terminal.style();
        for warning in &found {
            terminal.say(&warning.render(&source, style.colour));
        }
        let sign = style.good(style.sign("✓", "+"));
        let shown: String =
            shown_lines(&edited).map(|(n, line)| format!("  {} {line}\n", style.dim(&format!("{n:>4}")))).collect();
        terminal.say(&format!("{sign} Added {} to {}\n{shown}", style.bold(id.as_str()), self.source.name));
        Ok(())
    }
}

/// The lines of the new card with their numbers.
fn shown_lines(edited: &Edited) -> impl Iterator<Item = (usize, &str)> {
    let first = edited.text[..edited.card.start].matches('\n').count();
    let last = edited.text[..edited.card.end].matches('\n').count();
    edited.text.lines().enumerate().skip(first).take(last - first + 1).map(|(n, line)| (n + 1, line))
}

fn stand_in(kind: &FieldType) -> Value {
    match kind {
        FieldType::Number => json!(1),
        FieldType::Boolean => json!(true),
        FieldType::Object(_) => json!({}),
        FieldType::List(_) => json!([]),
        FieldType::Any | FieldType::Text | FieldType::Date | FieldType::File => json!("x"),
    }
}

/// All that a flow calls something.
fn names_in(flow: &Flow) -> HashSet<String> {
    let mut names = HashSet::new();
    if let Trigger::Event(event) = &flow.on {
        names.insert(event.id.to_string());
    }
    let mut open = vec![flow.cards.as_slice()];
    while let Some(list) = open.pop() {
        for card in list {
            names.insert(card.id.to_string());
            let each = match &card.kind {
                CardKind::ForEach(each) => Some(&each.each),
                CardKind::Map { each, .. } | CardKind::Filter { each, .. } | CardKind::Reduce { each, .. } => {
                    Some(each)
                }
                CardKind::Times { name, .. } | CardKind::While { name, .. } | CardKind::Try { error: name, .. } => {
                    names.insert(name.to_string());
                    None
                }
                _ => None,
            };
            names.extend(each.iter().flat_map(|e| std::iter::once(&e.name).chain(&e.index)).map(ToString::to_string));
            open.extend(card.kind.lanes());
        }
    }
    names
}
