//! What all parts of the importer share while a flow is built: values of inputs, places of outputs, ids, notes.
//!
//! Must never recurse without a limit.
//! Tests: `tests/import.rs`.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use flowdeck_model::flow::Slot;
use flowdeck_model::mapping::{Expression, Mapping};
use flowdeck_model::table::TableDecl;
use flowdeck_model::{Card, CardDecl, CardId, CardKind, Catalogue, FlowName, SlotName, Value};
use indexmap::IndexMap;

use super::cards::unbound_name;
use super::names::Names;
use super::raw::{Feed, Level, RawCard, RawField, text};
use super::report::{CardPlace, Report, SlotPlace};
use super::source::{Source, literal_expression};

/// Deepest nesting of flows inside cards.
pub(super) const EMBEDDED_DEPTH_MAX: usize = 8;
/// Longest chain of hidden cards that a value may pass.
const EXPAND_DEPTH_MAX: usize = 8;

/// What is known of a flow before any is built.
#[derive(Debug)]
pub(super) struct Head {
    pub(super) name: FlowName,
    pub(super) title: String,
    /// Values of the context that it reads: `index`, `error`, `parent`.
    pub(super) contexts: BTreeSet<String>,
    /// Keys of its inputs.
    pub(super) inputs: Vec<String>,
    /// Keys of what it returns; `None` where it has no Return.
    pub(super) returns: Option<Vec<String>>,
    /// Output keys of its last card.
    pub(super) last_outputs: Vec<String>,
    /// Whether it picks `Record` or `State` out of its input `Record`.
    pub(super) wraps_record: bool,
}

/// The whole import.
pub(super) struct Import<'v, 'c> {
    pub(super) catalogue: &'c dyn Catalogue,
    pub(super) decls: HashMap<String, Option<Arc<CardDecl>>>,
    pub(super) heads: HashMap<&'v str, Head>,
    pub(super) tables: HashMap<&'v str, TableDecl>,
    /// What new rows hold in columns that are not filled in, by table.
    pub(super) defaults: HashMap<&'v str, Vec<(String, Value)>>,
    /// Names of connections by id.
    pub(super) configs: HashMap<&'v str, &'v str>,
    pub(super) slots: IndexMap<(String, String), (SlotName, Slot)>,
    pub(super) slot_names: Names,
    /// Flows whose result somebody reads.
    pub(super) results_read: BTreeSet<FlowName>,
    pub(super) cards_left: usize,
    /// Fields that the cards of that name do not have: flow, card, what.
    pub(super) unknown: Vec<(String, String, String)>,
    pub(super) report: Report,
    /// The export.
    pub(super) bytes: &'v [u8],
    /// All of it, where a card stores the definition of a flow.
    pub(super) whole: Option<Value>,
}

impl Import<'_, '_> {
    /// The card that serves a card of the export. Versions and hashes at the end of a connector's name do not matter.
    pub(super) fn decl(&mut self, family: &str, method: &str) -> Option<Arc<CardDecl>> {
        let name = format!("{family}/{method}");
        if let Some(known) = self.decls.get(&name) {
            return known.clone();
        }
        let found = self.catalogue.by_export(family, method);
        self.decls.insert(name, found.clone());
        found
    }

    /// A flow of the export as it stands there.
    pub(super) fn definition(&mut self, id: &str) -> Option<&Value> {
        let bytes = self.bytes;
        let whole = self.whole.get_or_insert_with(|| serde_json::from_slice(bytes).unwrap_or_default());
        whole.get("data")?.get("flos")?.get(id)
    }
}

/// One level of cards with what is known of its values so far.
pub(super) struct Scope<'v> {
    pub(super) level: Arc<Level<'v>>,
    pub(super) sources: HashMap<(usize, &'v str), Source>,
}

/// A flow under way.
pub(super) struct Builder<'i, 'v, 'c> {
    pub(super) import: &'i mut Import<'v, 'c>,
    pub(super) flow_id: &'v str,
    pub(super) flow: FlowName,
    pub(super) ids: Names,
    pub(super) slots: BTreeSet<SlotName>,
    pub(super) tables: IndexMap<String, TableDecl>,
    pub(super) depth: usize,
}

/// What an input holds.
pub(super) enum Given<'v> {
    /// A value of another card.
    Fed(Source),
    /// The text or number in the card.
    Literal(&'v Value),
}

impl Given<'_> {
    pub(super) fn source(self) -> Source {
        match self {
            Self::Fed(source) => source,
            Self::Literal(value) => Source::Made(Mapping::Literal(value.clone())),
        }
    }

    pub(super) fn expression(self) -> String {
        match self {
            Self::Fed(source) => source.expression(),
            Self::Literal(value) => literal_expression(value),
        }
    }

    pub(super) fn mapping(self) -> Mapping {
        self.source().mapping()
    }

    /// Whether nothing was put in.
    pub(super) fn is_empty(&self) -> bool {
        match self {
            Self::Fed(_) => false,
            Self::Literal(value) => match value {
                Value::Null => true,
                Value::String(text) => text.is_empty(),
                Value::Array(list) => list.is_empty(),
                Value::Object(map) => map.is_empty(),
                Value::Bool(_) | Value::Number(_) => false,
            },
        }
    }
}

impl<'v> Builder<'_, 'v, '_> {
    pub(super) fn changed(&mut self, card: &CardId, what: impl Into<String>) {
        self.import.report.changed(self.flow.as_str(), card.as_str(), what);
    }

    pub(super) fn lost(&mut self, card: &str, what: impl Into<String>) {
        self.import.report.lost(self.flow.as_str(), card, what);
    }

    /// What an input holds.
    pub(super) fn given(&self, scope: &Scope<'v>, card: usize, field: &RawField<'v>) -> Given<'v> {
        match scope.level.feeds.get(&(card, field.id)).and_then(|feeds| feeds.first()) {
            Some(feed) => Given::Fed(fed(scope, *feed, 0)),
            None => Given::Literal(field.data),
        }
    }

    /// What the input of this group and key holds, where the card has it.
    pub(super) fn input(&self, scope: &Scope<'v>, card: usize, group: &str, key: &str) -> Option<Given<'v>> {
        let level = Arc::clone(&scope.level);
        level.cards[card].input(group, key).map(|field| self.given(scope, card, field))
    }

    /// As [`Self::input`], null where there is none.
    pub(super) fn mapping(&self, scope: &Scope<'v>, card: usize, key: &str) -> Mapping {
        self.input(scope, card, "", key).map(Given::mapping).unwrap_or_default()
    }

    /// An expression; where it cannot be read (too long) the report says so.
    pub(super) fn expression(&mut self, card: &CardId, source: &str) -> Mapping {
        match Expression::parse(source) {
            Ok(expression) => Mapping::Expression(expression),
            Err(error) => {
                self.lost(card.as_str(), format!("a condition or conversion: {}", error.message));
                Mapping::default()
            }
        }
    }

    /// A condition of the fields of a group.
    pub(super) fn condition(&mut self, scope: &Scope<'v>, card: usize, group: &str, id: &CardId) -> Mapping {
        let part = |key: &str| self.input(scope, card, group, key);
        let left = part("left-operand").map_or_else(|| "null".into(), Given::expression);
        let right = part("right-operand").map_or_else(|| "null".into(), Given::expression);
        let operator = match part("operator") {
            Some(Given::Literal(Value::String(word))) if !word.trim().is_empty() => word.trim().to_owned(),
            _ => "==".to_owned(),
        };
        let source = match operator.as_str() {
            "is empty" => format!("isEmpty({left})"),
            "is not empty" => format!("!isEmpty({left})"),
            _ => format!("compare({left}, {}, {right})", super::source::quoted(&operator)),
        };
        self.expression(id, &source)
    }

    /// A card of the flow.
    pub(super) fn card(&mut self, raw: &RawCard<'v>, id: CardId, kind: CardKind) -> Card {
        let own = match &kind {
            CardKind::Call(call) => self.import.catalogue.card(&call.card).map(|decl| decl.title.clone()),
            _ => None,
        };
        let short: String = raw.title.chars().filter(|c| !c.is_control()).take(200).collect();
        let said = own.as_deref() == Some(raw.title) || super::names::says(&short, id.as_str());
        let title = if said { String::new() } else { short.trim().to_owned() };
        Card { title, ..Card::new(id, kind) }
    }

    /// An id for a card of the export, noted in the report.
    pub(super) fn id(&mut self, raw: &RawCard<'v>) -> CardId {
        let id = self.ids.id(if raw.title.is_empty() { raw.method } else { raw.title });
        self.became(raw.uuid, raw.name(), &id);
        id
    }

    /// Notes in the report what a card of the export became.
    pub(super) fn became(&mut self, uuid: &str, name: String, id: &CardId) {
        self.import.report.cards.push(CardPlace {
            export_flow: self.flow_id.to_owned(),
            export_card: uuid.to_owned(),
            export_name: name,
            flow: self.flow.to_string(),
            card: id.to_string(),
        });
    }

    /// The id in the export of a card of this flow.
    pub(super) fn uuid_of(&self, id: &CardId) -> &str {
        let own = |place: &&CardPlace| place.flow == self.flow.as_str() && place.card == id.as_str();
        self.import.report.cards.iter().rev().find(own).map_or("", |place| &place.export_card)
    }

    /// The slot of a connector and connection.
    pub(super) fn slot(&mut self, raw: &RawCard<'v>, decl: Option<&CardDecl>) -> Option<SlotName> {
        if raw.kernel || decl.is_some_and(|d| d.app.is_none()) {
            return None;
        }
        let app = match decl.and_then(|d| d.app.clone()) {
            Some(app) => app,
            // As its card's name says it: a file that is read back finds the slot by that.
            None => unbound_name(raw).family().parse().ok()?,
        };
        let config = raw.config.unwrap_or("");
        let key = (app.to_string(), config.to_owned());
        if let Some((name, _)) = self.import.slots.get(&key) {
            self.slots.insert(name.clone());
            return Some(name.clone());
        }
        let name = self.import.slot_names.slot(app.as_str());
        let nickname = self.import.configs.get(config).copied().unwrap_or("").trim();
        let slot = Slot { app, nickname: nickname.parse().ok(), scopes: Vec::new() };
        self.import.report.slots.push(SlotPlace {
            slot: name.to_string(),
            app: slot.app.to_string(),
            connector: raw.family.to_owned(),
            nickname: nickname.to_owned(),
        });
        self.import.slots.insert(key, (name.clone(), slot));
        self.slots.insert(name.clone());
        Some(name)
    }
}

/// The value behind a pin: hidden cards that take objects apart become paths.
pub(super) fn fed(scope: &Scope<'_>, feed: Feed<'_>, depth: usize) -> Source {
    let card = &scope.level.cards[feed.card];
    let source = if card.is_hidden_expand() && depth < EXPAND_DEPTH_MAX {
        expanded(scope, feed.card, feed.output, depth)
    } else {
        scope.sources.get(&(feed.card, feed.output)).cloned().unwrap_or_else(Source::null)
    };
    source.transformed(feed.transform)
}

/// The card that a pin's value comes from, hidden cards aside.
pub(super) fn root(scope: &Scope<'_>, feed: Feed<'_>) -> usize {
    let mut at = feed.card;
    for _ in 0..EXPAND_DEPTH_MAX {
        let card = &scope.level.cards[at];
        let input = card.input("", "object").filter(|_| card.is_hidden_expand());
        match input.and_then(|f| scope.level.feeds.get(&(at, f.id))).and_then(|feeds| feeds.first()) {
            Some(inner) => at = inner.card,
            None => break,
        }
    }
    at
}

fn expanded(scope: &Scope<'_>, at: usize, output: &str, depth: usize) -> Source {
    let card = &scope.level.cards[at];
    let inner = card.input("", "object").and_then(|f| scope.level.feeds.get(&(at, f.id))).and_then(|f| f.first());
    let (Some(inner), Some(value)) = (inner, card.output(output)) else { return Source::null() };
    let path = value.metadata.get("path").and_then(Value::as_array).or_else(|| {
        card.outputs.iter().find(|f| f.group == value.group && f.key == "key").and_then(|f| f.data.as_array())
    });
    let start = fed(scope, *inner, depth + 1);
    path.into_iter().flatten().take(64).fold(start, |source, key| match key {
        Value::String(key) => source.below(key),
        other => source.below(&other.to_string()),
    })
}

/// The text of a card's note.
pub(super) fn comment(raw: &RawCard<'_>) -> String {
    let parsed: Option<Value> = serde_json::from_str(raw.comments).ok();
    let note = match &parsed {
        Some(body @ Value::Object(_)) => match (text(body, "title").trim(), text(body, "markdown").trim()) {
            ("", markdown) => markdown.to_owned(),
            (title, "") => title.to_owned(),
            (title, markdown) => format!("{title}\n{markdown}"),
        },
        _ => raw.comments.trim().to_owned(),
    };
    note.chars().filter(|c| !c.is_control() || *c == '\n').take(20_000).collect::<String>().trim().to_owned()
}
