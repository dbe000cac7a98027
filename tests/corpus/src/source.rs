//! One export as read: its flows, and how cards, fields and tables of the export are found in them.
//!
//! Must never interpret the export itself: that is the importer's. What is read here is types and ids only.
//! Tests: the corpus itself.

use std::collections::{BTreeSet, HashMap};

use flowdeck_format::Severity;
use flowdeck_format::import::{self, Export};
use flowdeck_model::export::{connector_base, method_base};
use flowdeck_model::{Card, CardKind, Catalogue, Flow, StepPath, Value};
use indexmap::IndexMap;
use serde_json::Map;

/// A field as the export declares it.
#[derive(Debug, Clone)]
pub(crate) struct Declared {
    pub(crate) group: String,
    pub(crate) key: String,
    /// Its type: a word, or the shape of an object.
    pub(crate) kind: Value,
    pub(crate) list: bool,
    /// A text that is read as JSON where it is used; `true` where a list is made of it.
    pub(crate) json: Option<bool>,
}

/// A card of the export.
#[derive(Debug, Clone, Default)]
pub(crate) struct Place {
    pub(crate) uuid: String,
    pub(crate) name: String,
}

/// An export and its maps.
pub(crate) struct Sample {
    pub(crate) export: Export,
    /// Cards of the export by flow and card id here.
    pub(crate) places: HashMap<(String, String), Vec<Place>>,
    /// Flow and card id here by flow id and uuid there.
    pub(crate) cards: HashMap<String, (String, String)>,
    /// Declared outputs by uuid.
    pub(crate) outputs: HashMap<String, Vec<Declared>>,
    /// Outputs of the card that starts each flow, by the flow's id in the export.
    pub(crate) starts: HashMap<String, Vec<Declared>>,
    /// Tables here by their name and id there.
    pub(crate) tables: HashMap<String, String>,
    /// What rows that are made in Okta hold in text columns that nobody fills in, by table here.
    pub(crate) defaults: HashMap<String, Map<String, Value>>,
    /// Names of all cards by the flow here.
    pub(crate) names: HashMap<String, BTreeSet<String>>,
    /// Name of the event of an app that starts it, by the flow here.
    pub(crate) events: HashMap<String, String>,
}

impl Sample {
    /// Reads an export. The error says why it cannot be used at all.
    pub(crate) fn read(name: &str, bytes: &[u8], catalogue: &dyn Catalogue) -> Result<Self, String> {
        let (export, diagnostics) = import::read(name, bytes, catalogue);
        let Some(export) = export else {
            let first = diagnostics.first().map_or("nothing was read", |d| d.message.as_str());
            return Err(first.to_owned());
        };
        if let Some(error) = diagnostics.iter().find(|d| d.severity == Severity::Error) {
            return Err(format!("{}: {}", error.path, error.message));
        }
        let tree: Value = serde_json::from_slice(bytes).map_err(|e| e.to_string())?;
        let mut sample = Self {
            places: HashMap::new(),
            cards: HashMap::new(),
            outputs: HashMap::new(),
            starts: HashMap::new(),
            tables: HashMap::new(),
            defaults: HashMap::new(),
            names: HashMap::new(),
            events: HashMap::new(),
            export,
        };
        sample.index(&tree["data"]);
        Ok(sample)
    }

    fn index(&mut self, data: &Value) {
        for place in &self.export.report.cards {
            let there = Place { uuid: place.export_card.clone(), name: place.export_name.clone() };
            self.places.entry((place.flow.clone(), place.card.clone())).or_default().push(there);
            self.cards.entry(place.export_card.clone()).or_insert((place.flow.clone(), place.card.clone()));
        }
        // Two tables may have one title there: the first keeps it, here and there.
        for table in &self.export.report.tables {
            let there = &data["tables"][&table.export_id];
            let title = there["name"].as_str().unwrap_or_default();
            let columns = there["data"]["structure"].as_array().into_iter().flatten();
            let texts = columns.filter(|c| c["type"] == "str" && c["default"].is_string());
            let texts = texts.filter_map(|c| Some((c["name"].as_str()?.to_owned(), c["default"].clone())));
            self.defaults.insert(table.table.clone(), texts.collect());
            for name in [table.table.as_str(), table.export_id.as_str(), title] {
                self.tables.entry(name.to_owned()).or_insert_with(|| table.table.clone());
            }
        }
        let mut cards = Vec::new();
        for (id, flow) in data["flos"].as_object().into_iter().flatten() {
            let start = flow["data"]["methods"].as_array().into_iter().flatten().find(|m| starts(m));
            if let Some(start) = start {
                self.starts.insert(id.clone(), declared(start));
            }
            let from = cards.len();
            methods(flow, 0, &mut cards);
            let here = self.export.report.flows.iter().find(|f| f.export_id == *id).map(|f| f.flow.clone());
            let here = here.unwrap_or_default();
            let event = cards[from..].iter().find(|card| card["node"]["model"]["webhook"] == true);
            if let Some(event) = event.and_then(|card| named(card["address"].as_str()?)) {
                self.events.insert(here.clone(), event);
            }
            let own = cards[from..].iter().filter_map(|card| named(card["address"].as_str()?));
            self.names.entry(here).or_default().extend(own);
        }
        for method in cards {
            let uuid = method["uuid"].as_str().unwrap_or_default();
            self.outputs.insert(uuid.to_owned(), declared(method));
        }
    }

    /// The cards of the export that this step is.
    pub(crate) fn places_of(&self, flow: &str, card: &str) -> &[Place] {
        self.places.get(&(flow.to_owned(), card.to_owned())).map_or(&[], Vec::as_slice)
    }
}

/// A card's name without the random ends that Connector Builder gives it.
pub(crate) fn plain(name: &str) -> String {
    let (family, method) = name.split_once('/').unwrap_or((name, ""));
    format!("{}/{}", connector_base(family), method_base(method))
}

/// `family/method` of an address: `root:kernel:string:0.0.1:compose`, `root:channels:http:okta:1.0.3:readUser`.
fn named(address: &str) -> Option<String> {
    let parts: Vec<&str> = address.split(':').collect();
    match parts.as_slice() {
        [_, "kernel", family, _, method] | [_, _, _, family, _, method] => Some(format!("{family}/{method}")),
        _ => None,
    }
}

fn starts(method: &Value) -> bool {
    let address = method["address"].as_str().unwrap_or_default();
    let starts = [":control:0.0.1:callable", ":accept", ":delegated", ":scheduled"];
    starts.iter().any(|end| address.ends_with(end)) || method["node"]["model"]["mirrored"] == true
}

fn methods<'v>(value: &'v Value, depth: usize, found: &mut Vec<&'v Value>) {
    if depth > 60 {
        return;
    }
    match value {
        Value::Object(map) => {
            if map.contains_key("uuid") && map.contains_key("address") && map.contains_key("node") {
                found.push(value);
            }
            map.values().for_each(|v| methods(v, depth + 1, found));
        }
        Value::Array(list) => list.iter().for_each(|v| methods(v, depth + 1, found)),
        _ => {}
    }
}

/// What the transforms of an output's pins say of the text in it (flopack-format.md 4.3).
fn read_as_json(pins: &Value) -> Option<bool> {
    let rows = pins.as_object().into_iter().flat_map(|targets| targets.values()).filter_map(Value::as_array).flatten();
    let rules = rows.filter_map(|row| row["transform"].as_object()).flat_map(|rules| rules.values());
    rules.filter(|rule| rule["convert"] == "parse").map(|rule| rule["forceWrapArray"] == true).next()
}

fn declared(method: &Value) -> Vec<Declared> {
    let fields = method["node"]["model"]["outputs"]["data"].as_object();
    fields
        .into_iter()
        .flatten()
        .map(|(id, field)| Declared {
            json: read_as_json(&method["pins"][id]),
            group: field["group"].as_str().unwrap_or_default().to_owned(),
            key: field["key"].as_str().unwrap_or_default().to_owned(),
            kind: field["value"]["type"].clone(),
            list: field["value"]["collection"] == true,
        })
        .collect()
}

/// The flow and card of a step. `root` is the flow that the run runs; helpers are `helpers`.
pub(crate) fn step_of<'f>(
    root: &'f Flow,
    helpers: &'f IndexMap<flowdeck_model::FlowName, Flow>,
    path: &StepPath,
) -> Option<(&'f Flow, &'f Card)> {
    let mut flow = root;
    let mut found = None;
    for segment in path.segments() {
        let card = card_of(flow, segment.card.as_str())?;
        found = Some((flow, card));
        if let CardKind::CallFlow { flow: next, .. } = &card.kind {
            flow = helpers.get(next)?;
        }
    }
    found
}

/// A card of a flow, in lanes too.
pub(crate) fn card_of<'f>(flow: &'f Flow, id: &str) -> Option<&'f Card> {
    let mut lists = vec![flow.cards.as_slice()];
    while let Some(cards) = lists.pop() {
        for card in cards {
            if card.id.as_str() == id {
                return Some(card);
            }
            lists.extend(card.kind.lanes());
        }
    }
    None
}
