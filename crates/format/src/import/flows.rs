//! Whole flows: what starts them, what they are given, and their cards.
//!
//! Must never switch a flow on.
//! Tests: `tests/import.rs`.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use flowdeck_model::flow::{EVENT_ID, Endpoint, EventCard, Mappings, WhenNotConnected};
use flowdeck_model::schedule::Schedule;
use flowdeck_model::{Card, CardId, CardKind, FieldDecl, FieldType, Flow, Trigger, Value};
use indexmap::IndexMap;

use super::build::{Builder, Head, Scope};
use super::order::{Order, Place};
use super::raw::{Level, RawCard, text};
use super::source::Source;

/// The input under which a helper finds the index, error or parent of its call.
pub(super) const CONTEXT: &str = "context";
/// Parts of the context that callers pass on.
const PASSED: &[&str] = &["index", "error", "parent"];

/// A flow as it is written in the export.
pub(super) struct RawFlow<'v> {
    pub(super) id: &'v str,
    pub(super) title: &'v str,
    pub(super) description: &'v str,
    pub(super) data: &'v Value,
    pub(super) level: Arc<Level<'v>>,
    pub(super) order: Order,
}

/// A flow, and what it would return if somebody reads it.
pub(super) struct Built {
    pub(super) flow: Flow,
    pub(super) implicit: Option<Card>,
    pub(super) start: &'static str,
}

/// What is known of a flow before it is built.
pub(super) fn head(raw: &RawFlow<'_>, name: flowdeck_model::FlowName) -> Head {
    let event = &raw.level.cards[raw.order.event];
    let read = |id: &str| {
        raw.level.feeds.values().flatten().any(|feed| feed.card == raw.order.event && feed.output == id)
            || raw.level.cards.iter().any(|c| {
                let source =
                    |key: &str| c.inputs.iter().any(|f| f.metadata.get(key).and_then(Value::as_str) == Some(id));
                c.is_hidden_expand() && source("srcOutputId")
            })
    };
    let contexts: BTreeSet<String> = event
        .outputs
        .iter()
        .filter(|f| f.group == "context" && PASSED.contains(&f.key) && read(f.id))
        .map(|f| f.key.to_owned())
        .collect();
    let returns = raw.level.cards.iter().find(|c| c.is("control", "return"));
    let keys = |fields: &[super::raw::RawField<'_>]| fields.iter().map(|f| f.key.to_owned()).collect::<Vec<_>>();
    let last = raw.order.places.iter().rev().find_map(|place| match place {
        Place::Card(at) if raw.level.cards[*at].is("control", "comment") => None,
        Place::Card(at) => Some(*at),
        Place::If { card, join, .. } => Some(join.unwrap_or(*card)),
    });
    Head {
        name,
        title: raw.title.to_owned(),
        contexts,
        inputs: event.outputs.iter().filter(|f| f.group.is_empty()).map(|f| f.key.to_owned()).collect(),
        returns: returns.map(|card| keys(&card.inputs)),
        last_outputs: last.map(|at| keys(&raw.level.cards[at].outputs)).unwrap_or_default(),
        wraps_record: wraps_record(raw),
    }
}

/// Some helpers that records are streamed to find the record and the state one level further down.
fn wraps_record(raw: &RawFlow<'_>) -> bool {
    let event = &raw.level.cards[raw.order.event];
    let record = |feed: &super::raw::Feed<'_>| {
        feed.card == raw.order.event && event.output(feed.output).is_some_and(|o| o.full_key() == "Record")
    };
    raw.level.feeds.iter().filter(|(_, feeds)| feeds.iter().any(record)).any(|((at, _), _)| {
        let card = &raw.level.cards[*at];
        let picks = card.is("object", "pick") && !card.outputs.is_empty();
        picks && card.outputs.iter().all(|o| matches!(o.key, "Record" | "State"))
    })
}

impl<'v> Builder<'_, 'v, '_> {
    /// Builds the flow.
    pub(super) fn flow(&mut self, raw: &RawFlow<'v>) -> Built {
        let level = Arc::clone(&raw.level);
        let event = &level.cards[raw.order.event];
        let mut scope = Scope { level: Arc::clone(&level), sources: HashMap::new() };
        let mut inputs = Vec::new();
        let (on, start) = self.trigger(raw, event, &mut scope, &mut inputs);
        let wrapped = match &on {
            Trigger::Event(_) => self.event_body(raw, event, &mut scope),
            _ => None,
        };
        let cards = match wrapped {
            Some(cards) => cards,
            None => {
                if matches!(on, Trigger::Event(_)) {
                    self.batch_is_read(event, raw.order.event, &level);
                }
                self.places(&mut scope, &raw.order.places)
            }
        };
        self.unreached(&scope, &raw.order);
        let implicit = self.implicit(raw, &scope).filter(|_| !cards.last().is_some_and(Card::always_ends));
        if matches!(on, Trigger::Endpoint(_)) {
            // Who called the endpoint reads it.
            self.import.results_read.insert(self.flow.clone());
        }
        let slots = self.import.slots.values().filter(|(name, _)| self.slots.contains(name)).cloned();
        let mut flow = Flow {
            name: self.flow.clone(),
            description: description(raw),
            slots: slots.collect(),
            on,
            inputs,
            outputs: returned(&cards),
            limits: IndexMap::new(),
            timeout_ms: None,
            wait_ms: None,
            when_not_connected: WhenNotConnected::default(),
            keep_data: raw.data.get("log").and_then(Value::as_bool).unwrap_or(true),
            tables: self.tables.values().cloned().collect(),
            cards,
            helpers: IndexMap::new(),
        };
        if flow.cards.is_empty() {
            let note = self.plain("nothing", CardKind::Return { with: Mappings::new() });
            flow.cards.push(note);
        }
        Built { flow, implicit, start }
    }

    fn trigger(
        &mut self,
        raw: &RawFlow<'v>,
        event: &RawCard<'v>,
        scope: &mut Scope<'v>,
        inputs: &mut Vec<FieldDecl>,
    ) -> (Trigger, &'static str) {
        let at = raw.order.event;
        if event.is("http", "accept") {
            return (self.endpoint(raw, event, scope), "endpoint");
        }
        if event.is("http", "delegated") {
            for output in &event.outputs {
                let source = match (output.group, output.key) {
                    ("user context", _) | ("Caller", "ID") => Source::place(EVENT_ID, ["user_id"]),
                    ("Caller", key) => {
                        if raw.level.read.contains(&(at, output.id)) {
                            self.lost(EVENT_ID, format!("the caller's `{key}`: only the id of who calls is known"));
                        }
                        Source::null()
                    }
                    ("context", "execution_id") => Source::place("run", ["id"]),
                    (_, key) => {
                        inputs.push(field(key, &output.kind));
                        Source::place("input", [key])
                    }
                };
                scope.sources.insert((at, output.id), source);
            }
            unique(inputs);
            return (Trigger::Delegated, "delegated");
        }
        if event.kernel {
            self.helper_inputs(raw, event, scope, inputs);
            let cron = raw.data.get("cron").and_then(Value::as_object).filter(|cron| !cron.is_empty());
            return match cron {
                Some(cron) => {
                    self.whole_schedule(cron);
                    (Trigger::Schedule(schedule(&raw.data["cron"])), "schedule")
                }
                None if event.is("control", "callable") => (Trigger::Manual, "helper"),
                None => (Trigger::Manual, "manual"),
            };
        }
        (self.event_card(raw, event, scope), "event")
    }

    /// Says what of a schedule its cron expression cannot hold.
    fn whole_schedule(&mut self, cron: &serde_json::Map<String, Value>) {
        let set = |key: &str| {
            cron.get(key)
                .is_some_and(|value| !matches!(value, Value::Null) && value.as_f64() != Some(0.0) && *value != "")
        };
        for (key, what) in [
            ("startDate", "the first day of its schedule"),
            ("endDate", "the last day of its schedule"),
            ("recurrence", "the recurrence of its schedule"),
        ] {
            if set(key) {
                self.lost("", format!("{what}: it runs by its cron expression alone"));
            }
        }
    }

    fn helper_inputs(
        &mut self,
        raw: &RawFlow<'v>,
        event: &RawCard<'v>,
        scope: &mut Scope<'v>,
        inputs: &mut Vec<FieldDecl>,
    ) {
        let mut context = Vec::new();
        let scheduled = raw.data.get("cron").and_then(Value::as_object).is_some_and(|cron| !cron.is_empty());
        for output in &event.outputs {
            let source = match (output.group, output.key) {
                ("context", "execution_id") => Source::place("run", ["id"]),
                ("context", "execution_time") if scheduled => Source::place(EVENT_ID, ["scheduled_at"]),
                ("context", "execution_time") => Source::place("run", ["started"]),
                ("context", key) => {
                    let read = self.import.heads.get(raw.id).is_some_and(|head| head.contexts.contains(key));
                    if read {
                        context.push(FieldDecl::new(key, FieldType::Any));
                    }
                    Source::place("input", [CONTEXT, key])
                }
                (_, key) => {
                    inputs.push(field(key, &output.kind));
                    Source::place("input", [key])
                }
            };
            scope.sources.insert((raw.order.event, output.id), source);
        }
        unique(inputs);
        if !context.is_empty() && inputs.iter().all(|f| f.key != CONTEXT) {
            inputs.push(FieldDecl::new(CONTEXT, FieldType::Object(context)));
        }
    }

    fn endpoint(&mut self, raw: &RawFlow<'v>, event: &RawCard<'v>, scope: &mut Scope<'v>) -> Trigger {
        let mut body = Vec::new();
        let mut query = Vec::new();
        let mut headers = Vec::new();
        for output in &event.outputs {
            let source = match (output.group, output.key) {
                ("context", _) => Source::place("run", ["id"]),
                ("body" | "query" | "headers", key) => {
                    let declared = match output.group {
                        "body" => &mut body,
                        "query" => &mut query,
                        _ => &mut headers,
                    };
                    declared.push(field(key, &output.kind));
                    Source::place(EVENT_ID, [output.group, key])
                }
                ("", key) => Source::place(EVENT_ID, [key]),
                (group, key) => Source::place(EVENT_ID, [group, key]),
            };
            scope.sources.insert((raw.order.event, output.id), source);
        }
        [&mut body, &mut query, &mut headers].into_iter().for_each(unique);
        let access = match text(raw.data, "security_level") {
            "open" => "public",
            "high" => "oauth",
            _ => "token",
        };
        let methods = ["GET", "POST", "PUT", "PATCH", "DELETE"].map(String::from).to_vec();
        Trigger::Endpoint(Endpoint { methods, access: access.into(), body, query, headers })
    }

    fn event_card(&mut self, raw: &RawFlow<'v>, event: &RawCard<'v>, scope: &mut Scope<'v>) -> Trigger {
        let CardKind::Call(mut call) = ({
            let id = CardId::new(EVENT_ID).unwrap_or_else(|_| self.ids.id(EVENT_ID));
            self.connector(scope, raw.order.event, &id)
        }) else {
            return Trigger::Manual;
        };
        let raw_options: Vec<_> = ["type", "data"].iter().map(|key| (*key).to_owned()).collect();
        let decl = self.import.decl(event.family, event.method);
        call.with.retain(|key, _| !raw_options.contains(key) || decl.as_ref().is_some_and(|d| d.input(key).is_some()));
        let id = CardId::new(EVENT_ID).unwrap_or_else(|_| self.ids.id(EVENT_ID));
        self.became(event.uuid, event.name(), &id);
        Trigger::Event(EventCard { id, card: call.card, slot: call.slot, unbound: call.unbound, with: call.with })
    }

    /// The cards of a flow that hides them in a loop over its events: event, loop, and a flow inside the loop.
    fn event_body(&mut self, raw: &RawFlow<'v>, event: &RawCard<'v>, scope: &mut Scope<'v>) -> Option<Vec<Card>> {
        let level = Arc::clone(&raw.level);
        let does = |place: &&Place| !matches!(place, Place::Card(at) if level.cards[*at].is("control", "comment"));
        let mut places = raw.order.places.iter().filter(does);
        let (Some(Place::Card(at)), None) = (places.next(), places.next()) else { return None };
        let card = &level.cards[*at];
        let body = card.input("", "flo").filter(|f| card.is("list", "asyncEach") && f.data.is_object())?;
        let list = card.input("", "list")?;
        let fed = level.feeds.get(&(*at, list.id)).and_then(|feeds| feeds.first())?;
        if fed.card != raw.order.event || level.cards[fed.card].output(fed.output)?.key != "collection" {
            return None;
        }
        let decl = self.import.decl(event.family, event.method);
        let inner = Level::read(body.data, &mut self.import.cards_left);
        let inner_event = super::order::order(&inner).ok()?.event;
        let outputs = &inner.cards[inner_event].outputs;
        let id = CardId::new(EVENT_ID).unwrap_or_else(|_| self.ids.id(EVENT_ID));
        let mut values = Vec::new();
        for field in outputs.iter().filter(|f| f.group != "context") {
            let reads = inner.read.contains(&(inner_event, field.id));
            let source = self.bound_output(outputs, field, &id, decl.as_deref(), reads);
            values.push(((field.group, field.key), source));
        }
        drop(scope.sources.insert((*at, body.id), Source::null()));
        self.became(inner.cards[inner_event].uuid, event.name(), &id);
        Some(self.embedded(body.data, &values, &id))
    }

    /// What a helper without Return gives: the outputs of its last card.
    fn implicit(&mut self, raw: &RawFlow<'v>, scope: &Scope<'v>) -> Option<Card> {
        let level = &raw.level;
        if level.cards.iter().any(|c| c.is("control", "return")) {
            return None;
        }
        let last = raw.order.places.iter().rev().find_map(|place| match place {
            Place::Card(at) if level.cards[*at].is("control", "comment") => None,
            Place::Card(at) => Some(*at),
            Place::If { card, join, .. } => Some(join.unwrap_or(*card)),
        })?;
        let outputs = level.cards[last].outputs.iter();
        let with: Mappings = outputs
            .filter_map(|f| Some((f.key.to_owned(), scope.sources.get(&(last, f.id))?.clone().mapping())))
            .collect();
        (!with.is_empty()).then(|| self.plain("result", CardKind::Return { with }))
    }
}

/// What a flow returns, by the Returns of its own lists. Values of a Return may be anything when it runs.
pub(super) fn returned(cards: &[Card]) -> Vec<FieldDecl> {
    let mut fields = Vec::new();
    let mut lists = vec![cards];
    while let Some(list) = lists.pop() {
        for card in list {
            match &card.kind {
                CardKind::Return { with } => {
                    fields.extend(with.keys().map(|key| FieldDecl::new(key, FieldType::Any)));
                }
                // Who calls it may get other keys then.
                CardKind::ReturnRaw { go_on: false, .. } | CardKind::ContinueIf { message: Some(_), .. } => {
                    return Vec::new();
                }
                // A return in these ends them alone.
                CardKind::Try { .. } | CardKind::ElseIf { .. } => {}
                kind => lists.extend(kind.lanes()),
            }
        }
    }
    if !cards.last().is_some_and(Card::always_ends) {
        return Vec::new();
    }
    unique(&mut fields);
    fields
}

/// A declared input. What Okta calls an object or a list may be anything when it runs.
fn field(key: &str, kind: &FieldType) -> FieldDecl {
    let kind = match kind {
        FieldType::Object(_) | FieldType::List(_) => FieldType::Any,
        plain => plain.clone(),
    };
    FieldDecl::new(key, kind)
}

/// Each key once.
fn unique(fields: &mut Vec<FieldDecl>) {
    let mut seen = std::collections::HashSet::new();
    fields.retain(|field| seen.insert(field.key.clone()));
}

fn description(raw: &RawFlow<'_>) -> String {
    let mut text: String = raw
        .description
        .chars()
        .filter(|c| !c.is_control() || *c == '\n')
        .take(20_000)
        .collect::<String>()
        .trim()
        .into();
    let title: String = raw.title.chars().filter(|c| !c.is_control()).take(300).collect();
    if !title.trim().is_empty() && !text.starts_with(title.trim()) {
        text = if text.is_empty() { title.trim().to_owned() } else { format!("{}\n{text}", title.trim()) };
    }
    text
}

/// A cron object as an expression of five fields, or six where it names seconds.
fn schedule(cron: &Value) -> Schedule {
    let part = |key: &str| match text(cron, key).trim() {
        "" | "?" | "*/1" => "*".to_owned(),
        part => part.replace(char::is_whitespace, ""),
    };
    let fields = ["minutes", "hours", "dayOfTheMonth", "month", "dayOfTheWeek"].map(part).join(" ");
    let seconds = text(cron, "seconds").trim();
    let cron_text = match seconds {
        "" | "0" | "00" => fields,
        seconds => format!("{} {fields}", seconds.trim_start_matches('0')),
    };
    let zone = match text(cron, "timeZone").trim() {
        "" => "UTC",
        zone => zone,
    };
    Schedule::new(&cron_text, zone)
}
