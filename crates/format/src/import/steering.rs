//! Cards that call helpers or hold flows inside: loops, calls, if error, else-if, streaming.
//!
//! Must never call a helper that is not in the export.
//! Tests: `tests/import.rs`.

use std::sync::Arc;

use flowdeck_model::flow::{Branch, Call, Each, ForEach, Items, Mappings, OnLoopError};
use flowdeck_model::mapping::Mapping;
use flowdeck_model::{Card, CardId, CardKind, FlowName, Lane, Value};
use indexmap::IndexMap;

use super::build::{Builder, Given, Scope};
use super::raw::{RawCard, RawField};
use super::source::{Source, made};
use crate::limits::CONCURRENCY_MAX;

/// The names inside a loop.
pub(super) struct Inside {
    pub(super) item: CardId,
    pub(super) index: CardId,
}

/// One round of a loop over a helper.
pub(super) struct Round {
    /// The card that calls it.
    pub(super) call: Option<Card>,
    /// Its whole result.
    pub(super) whole: Source,
    /// The only value of its result; the whole where there are more.
    pub(super) single: Source,
    /// How many values its result has.
    pub(super) values: usize,
}

impl Round {
    /// Whether the helper says true, as an expression: its only value is true, or `true` as text in any letters.
    pub(super) fn says_true(&self) -> String {
        format!("lower(string({})) == 'true'", self.single.expression())
    }
}

impl<'v> Builder<'_, 'v, '_> {
    pub(super) fn steering(&mut self, scope: &mut Scope<'v>, at: usize, id: &CardId) -> CardKind {
        let level = Arc::clone(&scope.level);
        let raw = &level.cards[at];
        match (raw.family, raw.method) {
            ("control", "spawn") => {
                self.gives(scope, at, id, &[]);
                match self.called(scope, at, id, None) {
                    Some((flow, with)) => CardKind::CallFlow { flow, with },
                    None => lost_call(),
                }
            }
            ("control", "run") => match self.called(scope, at, id, None) {
                Some((flow, with)) => CardKind::CallFlowAsync { flow, with },
                None => lost_call(),
            },
            ("control", "times") => self.times(scope, at, id),
            ("control", "tryCatch") => self.if_error(scope, at, id),
            ("control", "branch") => self.else_if(scope, at, id),
            ("list" | "object", "each") | ("list", "asyncEach") => self.for_each(scope, at, id),
            ("object", "process") => self.new_object(scope, at, id),
            ("list", "find") => self.find(scope, at, id),
            ("list", "sort") => self.sort(scope, at, id),
            _ => self.made_list(scope, at, id),
        }
    }

    /// The helper that a card calls, by its `flo` field.
    fn helper(&mut self, scope: &Scope<'v>, at: usize, id: &CardId) -> Option<&'v str> {
        let level = Arc::clone(&scope.level);
        let flow = level.cards[at].input("", "flo").and_then(|f| f.data.as_str()).unwrap_or("");
        if self.import.heads.contains_key(flow) {
            return Some(flow);
        }
        self.lost(id.as_str(), "the helper flow that it calls is not in the export; the card fails when it runs");
        None
    }

    /// The helper and what it gets.
    fn called(
        &mut self,
        scope: &Scope<'v>,
        at: usize,
        id: &CardId,
        inside: Option<&Inside>,
    ) -> Option<(FlowName, Mappings)> {
        let flow = self.helper(scope, at, id)?;
        let with = self.arguments(scope, at, inside);
        Some(self.with_context(flow, id, with, inside.map(|i| &i.index)))
    }

    /// Adds what the helper reads of its context.
    pub(super) fn with_context(
        &mut self,
        flow: &str,
        id: &CardId,
        mut with: Mappings,
        index: Option<&CardId>,
    ) -> (FlowName, Mappings) {
        let Some(head) = self.import.heads.get(flow) else { return (self.flow.clone(), with) };
        let mut context = IndexMap::new();
        if let Some(index) = index.filter(|_| head.contexts.contains("index")) {
            context.insert("index".to_owned(), Source::place(index.as_str(), []).mapping());
        }
        if head.contexts.contains("parent") {
            let text = |text: &str| Mapping::Literal(Value::String(text.to_owned()));
            let parent = IndexMap::from_iter([
                ("id".to_owned(), text(self.flow_id)),
                ("method".to_owned(), text(self.uuid_of(id))),
                ("name".to_owned(), text(self.import.heads.get(self.flow_id).map_or("", |own| &own.title))),
                ("execution_id".to_owned(), Source::place("run", ["id"]).mapping()),
            ]);
            context.insert("parent".to_owned(), Mapping::Object(parent));
        }
        if head.contexts.contains("error") && index.is_none() && with.contains_key(ERROR_KEY) {
            context.extend(with.shift_remove(ERROR_KEY).map(|error| ("error".to_owned(), error)));
        }
        with.shift_remove(ERROR_KEY);
        let more: Vec<String> = with.keys().filter(|key| !head.inputs.contains(key)).cloned().collect();
        for key in more {
            with.shift_remove(&key);
            let what = format!(
                "the argument `{}`: the flow it calls has no such input",
                key.chars().take(60).collect::<String>()
            );
            self.import.report.lost(self.flow.as_str(), id.as_str(), what);
        }
        if !context.is_empty() {
            with.insert(super::flows::CONTEXT.to_owned(), Mapping::Object(context));
        }
        (head.name.clone(), with)
    }

    fn arguments(&self, scope: &Scope<'v>, at: usize, inside: Option<&Inside>) -> Mappings {
        let level = Arc::clone(&scope.level);
        let raw = &level.cards[at];
        // What the card itself takes; a helper's own input may have the name that another card's has.
        let base: &[&str] = match (raw.family, raw.method) {
            ("control", "times") => &["flo", "count", "concurrency"],
            ("control", _) => &["flo"],
            ("object", _) => &["flo", "object", "concurrency"],
            _ => &["flo", "list", "concurrency"],
        };
        let mut with = Mappings::new();
        for field in raw.inputs.iter().filter(|f| f.group.is_empty() && !f.for_error) {
            let moves = is_dynamic(field);
            if (base.contains(&field.key) && !moves && !field.custom) || (field.key == "memo" && raw.method == "reduce")
            {
                continue;
            }
            let value = match inside.filter(|_| moves) {
                Some(inside) => argument(field, &inside.item).mapping(),
                None => self.given(scope, at, field).mapping(),
            };
            with.insert(field.key.to_owned(), value);
        }
        with
    }

    pub(super) fn each(&mut self, scope: &Scope<'v>, at: usize, items: Mapping, inside: &Inside) -> Each {
        let concurrency = match self.input(scope, at, "", "concurrency") {
            Some(Given::Literal(value)) => value.as_u64().unwrap_or(1).clamp(1, CONCURRENCY_MAX),
            _ => 1,
        };
        let flow = self.input(scope, at, "", "flo");
        let reads_index = match flow {
            Some(Given::Literal(Value::String(flow))) => {
                self.import.heads.get(flow.as_str()).is_some_and(|h| h.contexts.contains("index"))
            }
            Some(Given::Literal(Value::Object(_))) => true,
            _ => false,
        };
        Each {
            items: Items::List(items),
            name: inside.item.clone(),
            index: reads_index.then(|| inside.index.clone()),
            concurrency: u32::try_from(concurrency).unwrap_or(1),
        }
    }

    pub(super) fn inside(&mut self) -> Inside {
        Inside { item: self.ids.id("each item"), index: self.ids.id("position") }
    }

    /// What a loop goes over: a list, or the keys and values of an object.
    pub(super) fn items(&self, scope: &Scope<'v>, at: usize) -> Source {
        let given = |key| self.input(scope, at, "", key).map_or_else(Source::null, Given::source);
        match scope.level.cards[at].family {
            "object" => given("object").through("pairs"),
            _ => given("list"),
        }
    }

    fn for_each(&mut self, scope: &mut Scope<'v>, at: usize, id: &CardId) -> CardKind {
        let level = Arc::clone(&scope.level);
        let raw = &level.cards[at];
        let inside = self.inside();
        let items = self.items(scope, at).mapping();
        let each = self.each(scope, at, items, &inside);
        let on_error = if raw.method == "each" { OnLoopError::Stop } else { OnLoopError::GoOn };
        let embedded = raw.input("", "flo").filter(|f| f.data.is_object());
        let cards = match embedded {
            Some(body) => {
                let outer = raw.inputs.iter().filter(|f| f.group.is_empty());
                let mut values: Vec<((&'v str, &'v str), Source)> = outer
                    .map(|f| {
                        (
                            (f.group, f.key),
                            if is_dynamic(f) { argument(f, &inside.item) } else { self.given(scope, at, f).source() },
                        )
                    })
                    .collect();
                values.extend(self.captured(scope, at));
                values.push((("context", "index"), Source::place(inside.index.as_str(), [])));
                self.embedded(body.data, &values, id)
            }
            None => self.call_card(scope, at, id, &inside).into_iter().collect(),
        };
        CardKind::ForEach(ForEach { each, on_error, lane: Lane { cards, give: Mappings::new() } })
    }

    /// The one card of a loop over a helper.
    fn call_card(&mut self, scope: &Scope<'v>, at: usize, id: &CardId, inside: &Inside) -> Option<Card> {
        let (flow, with) = self.called(scope, at, id, Some(inside))?;
        let title = flow.to_string();
        Some(self.plain(&title, CardKind::CallFlow { flow, with }))
    }

    /// A card that the export does not have.
    pub(super) fn plain(&mut self, title: &str, kind: CardKind) -> Card {
        Card::new(self.ids.id(title), kind)
    }

    fn times(&mut self, scope: &mut Scope<'v>, at: usize, id: &CardId) -> CardKind {
        let inside = self.inside();
        let count = self.mapping(scope, at, "count");
        let concurrency = self.each(scope, at, Mapping::default(), &inside).concurrency;
        let with = self.called(scope, at, id, None);
        let round = Inside { item: inside.index.clone(), index: inside.index.clone() };
        let cards = with.and_then(|_| self.call_card(scope, at, id, &round)).into_iter().collect();
        CardKind::Times { count, name: inside.index, concurrency, lane: Lane { cards, give: Mappings::new() } }
    }

    /// The call of the helper for one item, and what it results in.
    pub(super) fn round(&mut self, scope: &Scope<'v>, at: usize, id: &CardId, inside: &Inside) -> Option<Round> {
        let flow = self.helper(scope, at, id)?;
        let head = &self.import.heads[flow];
        self.import.results_read.insert(head.name.clone());
        let keys = head.returns.clone().unwrap_or_else(|| head.last_outputs.clone());
        let call = self.call_card(scope, at, id, inside);
        let result = call.as_ref().map(|c| c.id.to_string()).unwrap_or_default();
        let whole = Source::place(&result, []);
        let single = match keys.as_slice() {
            [key] => Source::place(&result, [key.as_str()]),
            _ => whole.clone(),
        };
        Some(Round { call, whole, single, values: keys.len() })
    }

    /// Map, filter, reduce, and map to list over an object.
    fn made_list(&mut self, scope: &mut Scope<'v>, at: usize, id: &CardId) -> CardKind {
        let level = Arc::clone(&scope.level);
        let raw = &level.cards[at];
        let inside = self.inside();
        let items = self.items(scope, at).mapping();
        let each = self.each(scope, at, items, &inside);
        let Some(round) = self.round(scope, at, id, &inside) else { return lost_call() };
        let said = made(&round.says_true());
        let Round { mut call, whole, single, values } = round;
        match raw.method {
            "filter" => {
                self.gives(scope, at, id, &[]);
                if values != 1 {
                    let what = format!("what its helper says: that must be one value, and the helper gives {values}");
                    self.lost(id.as_str(), format!("{what}; no item is kept"));
                }
                CardKind::Filter { each, cards: call.into_iter().collect(), keep: said.mapping() }
            }
            "reduce" => {
                self.gives(scope, at, id, &[("item", "value")]);
                let seed =
                    raw.inputs.iter().find(|f| f.key == "memo" && f.group.is_empty() && !f.custom && !is_dynamic(f));
                let start = seed.map(|f| self.given(scope, at, f).mapping()).unwrap_or_default();
                if let Some(Card { kind: CardKind::CallFlow { with, .. }, .. }) = &mut call {
                    with.insert("memo".to_owned(), Source::place("so_far", []).mapping());
                }
                CardKind::Reduce { each, start, cards: call.into_iter().collect(), value: single.mapping() }
            }
            _ => {
                self.gives(scope, at, id, &[("new list", "list")]);
                let output = raw.outputs.iter().find(|f| f.key == "new list");
                let bare = flowdeck_model::FieldType::object().list();
                let value = if output.is_none_or(|o| o.kind == bare) { whole } else { single };
                CardKind::Map { each, cards: call.into_iter().collect(), value: value.mapping() }
            }
        }
    }

    /// Values that a card passes into the flows inside it.
    fn captured(&self, scope: &Scope<'v>, at: usize) -> Vec<((&'v str, &'v str), Source)> {
        let level = Arc::clone(&scope.level);
        let context = level.cards[at].inputs.iter().filter(|f| f.group == "context");
        context.map(|f| ((f.group, f.key), self.given(scope, at, f).source())).collect()
    }

    fn if_error(&mut self, scope: &mut Scope<'v>, at: usize, id: &CardId) -> CardKind {
        let level = Arc::clone(&scope.level);
        let raw = &level.cards[at];
        let mut values = self.captured(scope, at);
        let body = raw.input("", "flo").map_or(&Value::Null, |f| f.data);
        let cards = self.embedded(body, &values, id);
        let error = self.ids.id("problem");
        values.push((("context", "error"), Source::place(error.as_str(), [])));
        let handler = raw.policy.get("flo").unwrap_or(&Value::Null);
        let catch = self.embedded(handler, &values, id);
        self.gives(scope, at, id, &[]);
        let lane = |cards| Lane { cards, give: Mappings::new() };
        CardKind::Try { lane: lane(cards), retry: None, error, catch: lane(catch) }
    }

    fn else_if(&mut self, scope: &mut Scope<'v>, at: usize, id: &CardId) -> CardKind {
        let level = Arc::clone(&scope.level);
        let raw = &level.cards[at];
        let values = self.captured(scope, at);
        let mut branches = Vec::new();
        let mut otherwise = Lane::default();
        for field in raw.inputs.iter().filter(|f| f.key == "flo" && !f.group.is_empty() && f.group != "context") {
            let when = (field.group != "else").then(|| self.condition(scope, at, field.group, id));
            let cards = self.embedded(field.data, &values, id);
            let lane = Lane { cards, give: Mappings::new() };
            match when {
                Some(when) => branches.push(Branch { when, lane }),
                None => otherwise = lane,
            }
        }
        self.gives(scope, at, id, &[]);
        CardKind::ElseIf { branches, otherwise }
    }

    /// The field with the helper that takes the records of an action.
    pub(super) fn streamed_to<'r>(&self, raw: &'r RawCard<'v>) -> Option<&'r RawField<'v>> {
        let flows = |f: &&RawField<'v>| f.data.as_str().is_some_and(|id| self.import.heads.contains_key(id));
        let streaming = |f: &&RawField<'v>| f.group == "Streaming" || f.key.starts_with("processing_flow");
        raw.inputs.iter().filter(streaming).find(flows)
    }

    /// An action that hands its records to a helper: a loop over its pages. Gives the call back where it is not one.
    pub(super) fn stream(
        &mut self,
        scope: &mut Scope<'v>,
        at: usize,
        id: &CardId,
        call: Call,
    ) -> Result<CardKind, Call> {
        let level = Arc::clone(&scope.level);
        let raw = &level.cards[at];
        let Some(field) = self.streamed_to(raw) else { return Err(call) };
        let Some(flow) = field.data.as_str() else { return Err(call) };
        let item = self.ids.id("record");
        let record = Source::place(item.as_str(), []).mapping();
        let mut state = IndexMap::new();
        let mut call = call;
        for field in raw.inputs.iter().filter(|f| f.group == "Streaming" && f.id != field.id) {
            let given = self.given(scope, at, field);
            if !field.custom && field.key == "Record Limit" {
                if let Given::Literal(Value::Number(n)) = &given
                    && n.as_f64() != Some(0.0)
                {
                    call.with.insert("Record Limit".into(), given.mapping());
                }
                continue;
            }
            state.insert(field.key.to_owned(), given.mapping());
        }
        let state =
            if state.is_empty() { Mapping::Literal(Value::Object(serde_json::Map::new())) } else { object(state) };
        let both = |record, state| {
            Mapping::Object(IndexMap::from_iter([("Record".to_owned(), record), ("State".to_owned(), state)]))
        };
        let head = &self.import.heads[flow];
        let with = match head.inputs.as_slice() {
            [only] if only != "State" => Mappings::from_iter([(only.clone(), both(record, state))]),
            _ if head.wraps_record => {
                Mappings::from_iter([("Record".to_owned(), both(record, state.clone())), ("State".to_owned(), state)])
            }
            _ => Mappings::from_iter([("Record".to_owned(), record), ("State".to_owned(), state)]),
        };
        let name = head.name.clone();
        let (_, with) = self.with_context(flow, id, with, None);
        let card = self.plain(name.as_str(), CardKind::CallFlow { flow: name.clone(), with });
        for output in &raw.outputs {
            scope.sources.insert((at, output.id), Source::place(id.as_str(), ["count"]));
        }
        let each = Each { items: Items::Pages(call), name: item, index: None, concurrency: 1 };
        let lane = Lane { cards: vec![card], give: Mappings::new() };
        self.changed(id, "streams its records to a helper: a loop over its pages");
        Ok(CardKind::ForEach(ForEach { each, on_error: OnLoopError::Stop, lane }))
    }
}

/// Under this key the error travels to [`Builder::with_context`].
pub(super) const ERROR_KEY: &str = "\u{0}error";

/// An object, as a constant where nothing in it moves.
fn object(members: IndexMap<String, Mapping>) -> Mapping {
    let source = Mapping::Object(members).source();
    Mapping::parse(&source).unwrap_or_default()
}

/// Whether an argument is the item of a loop, or a field of it.
fn is_dynamic(field: &RawField<'_>) -> bool {
    field.proxy.get("dynamic").and_then(Value::as_bool).unwrap_or(false)
}

fn argument(field: &RawField<'_>, item: &CardId) -> Source {
    match field.proxy.get("path").and_then(Value::as_str) {
        None | Some("") => Source::place(item.as_str(), []),
        Some(key) => Source::place(item.as_str(), [key]),
    }
}

/// What stands for a call whose helper is not there.
pub(super) fn lost_call() -> CardKind {
    let message = Mapping::Literal("the helper flow that is called here is not in the export".into());
    CardKind::ReturnError { message, status: None, with: Mappings::new(), when: None }
}
