//! Holds a run against what a scenario expects: its end, tables, calls of apps, outputs of cards.
//!
//! Must never pass over an expectation without a word.
//! Tests: the scenario files; the comparison of values in `lenient`.

use std::collections::BTreeMap;

use flowdeck::testing::names;
use flowdeck_engine::Status;
use flowdeck_engine::machine::secrets::REDACTED;
use flowdeck_model::{CardKind, Catalogue, EffectClass, FieldDecl, Fields, Flow, TableName, Value};
use serde_json::Map;

use crate::host::{Called, StandIn};
use crate::lenient::{Opaque, differs, is_empty, is_unset, said, short};
use crate::results::left_behind;
use crate::scenario::{Outcome, called_card};
use crate::source::{Sample, card_of, plain};
use crate::world::{Ran, World};

/// Everything that is compared.
pub(crate) struct Found<'a> {
    pub(crate) outcome: &'a mut Outcome,
    pub(crate) opaque: &'a mut Opaque,
    pub(crate) sample: &'a Sample,
    pub(crate) flow: &'a Flow,
    pub(crate) cards: &'a flowdeck::Cards,
}

impl Found<'_> {
    pub(crate) fn wrong(&mut self, what: impl Into<String>) {
        self.outcome.wrong.push(what.into());
    }

    pub(crate) fn flow_of(&self, name: &str) -> Option<&Flow> {
        if self.flow.name.as_str() == name {
            return Some(self.flow);
        }
        self.flow.helpers.values().find(|h| h.name.as_str() == name)
    }

    /// How the run ended, and with what.
    pub(crate) fn end(&mut self, expected: &Value, ran: &Ran) {
        let view = &ran.view;
        let status = match view.status {
            Status::Finished if view.stopped => "stopped",
            Status::Finished => "finished",
            Status::Failed => "failed",
            other => other.word(),
        };
        let wanted = expected["status"].as_str().unwrap_or("finished");
        if status != wanted {
            let why = view.fault.as_ref().map(|f| format!(" ({f})")).unwrap_or_default();
            let at = view.failed_at.as_ref().map(|p| format!(" at {p}")).unwrap_or_default();
            self.wrong(format!("status: expected {wanted}, got {status}{at}{why}"));
            return;
        }
        let output = view.output.as_ref().map(Fields::to_value).unwrap_or_default();
        match expected["output_kind"].as_str() {
            Some("return") => {
                if let Some(what) = differs(&expected["output"], &output, "output", self.opaque) {
                    self.wrong(what);
                }
            }
            Some("stop") if !is_empty(&expected["output"]) => {
                if let Some(what) = differs(&expected["output"], &output, "message", self.opaque) {
                    self.wrong(what);
                }
            }
            Some("raw") if !expected["response"].is_object() => {
                let body = view.raw.as_ref().map(|raw| raw.body.clone()).unwrap_or_default();
                if let Some(what) = differs(&expected["output"], &body, "raw body", self.opaque) {
                    self.wrong(what);
                }
            }
            Some("implicit") if expected["output_doubt"].is_null() => self.implicit(&expected["output"], ran),
            _ => {}
        }
        self.answer(expected, ran);
        if let (Value::Object(error), Some(fault)) = (&expected["error"], &view.fault) {
            let message = error.get("message").and_then(Value::as_str).unwrap_or_default();
            if !fault.message.contains(message) {
                self.wrong(format!("error: expected `{message}`, got `{}`", fault.message));
            }
            if let (Some(status), Some(got)) = (error.get("statusCode").and_then(Value::as_u64), fault.status)
                && status != u64::from(got)
            {
                self.wrong(format!("error: expected the status {status}, got {got}"));
            }
        }
    }

    /// Rows of all tables.
    pub(crate) async fn tables(&mut self, expected: &Value, seeded: &Map<String, Value>, world: &World) {
        let none = Map::new();
        let wanted = expected["tables"].as_object().unwrap_or(&none);
        let here: BTreeMap<String, Vec<Value>> = wanted
            .iter()
            .filter_map(|(name, rows)| {
                Some((self.sample.tables.get(name)?.clone(), rows.as_array().cloned().unwrap_or_default()))
            })
            .collect();
        let all: Vec<TableName> = self
            .flow
            .tables
            .iter()
            .chain(self.flow.helpers.values().flat_map(|h| &h.tables))
            .map(|d| d.name.clone())
            .collect();
        for (name, _) in wanted {
            let known = self.sample.tables.get(name).is_some_and(|t| all.iter().any(|a| a.as_str() == t));
            if !known && !seeded.contains_key(name) {
                self.wrong(format!("there is no table `{name}`"));
            }
        }
        let mut seen = std::collections::BTreeSet::new();
        for table in all {
            let counts = !self.opaque.named_only || here.contains_key(table.as_str());
            if !counts || !seen.insert(table.clone()) {
                continue;
            }
            let actual = world.rows(&table).await;
            let empty = Vec::new();
            let rows = here.get(table.as_str()).unwrap_or(&empty);
            if rows.len() != actual.len() {
                self.wrong(format!(
                    "table {table}: expected {} rows, got {}: {}",
                    rows.len(),
                    actual.len(),
                    short(&Value::Array(actual))
                ));
                continue;
            }
            for (at, (row, mut got)) in rows.iter().zip(actual).enumerate() {
                if let Some(got) = got.as_object_mut() {
                    ["Created", "Updated", "version"].iter().for_each(|key| drop(got.shift_remove(*key)));
                }
                if let Some(what) = differs(row, &got, &format!("table {table}[{at}]"), self.opaque) {
                    self.wrong(what);
                }
            }
        }
    }

    /// Calls of apps: those in order in order, the others as a set.
    pub(crate) fn calls(&mut self, expected: &Value, called: &[Called], host: &StandIn) {
        let mut left: Vec<usize> = (0..called.len()).collect();
        let mut from = 0;
        let order = !self.outcome.marks.iter().any(|d| d.starts_with("order:"));
        for (nth, wanted) in expected["app_calls"].as_array().into_iter().flatten().enumerate() {
            let sort = Sort::of(wanted);
            let free = wanted["async"] == true;
            let mut near: Option<String> = None;
            let found = left.iter().position(|at| {
                if (!free && order && *at < from) || !sort.is(&called[*at]) {
                    return false;
                }
                let mut trial = self.opaque.clone();
                match inputs_differ(&wanted["inputs"], &called[*at], self.cards, &mut trial) {
                    None => {
                        *self.opaque = trial;
                        true
                    }
                    Some(what) => {
                        near.get_or_insert(what);
                        false
                    }
                }
            });
            match found {
                Some(place) => {
                    let at = left.remove(place);
                    self.outcome.compared.push(called[at].place.name.clone());
                    if !free {
                        from = at;
                    }
                }
                None => {
                    let why = near.unwrap_or_else(|| "it was not made".into());
                    self.wrong(format!("call {nth} of {} ({}): {why}", sort.name, sort.uuid));
                    // The one that comes nearest is not a call too many as well.
                    if let Some(place) = left.iter().position(|at| sort.is(&called[*at])) {
                        left.remove(place);
                    }
                }
            }
        }
        for at in left {
            let call = &called[at];
            if self.opaque.named_only && reads(call, self.cards) {
                continue;
            }
            let where_ = host.locate(call.run, &call.path, None).map(|(f, c)| format!("{f}, {c}")).unwrap_or_default();
            self.wrong(format!(
                "a call of {} too many ({where_}): {}",
                call.place.name,
                short(&call.inputs.to_value())
            ));
        }
        for call in called.iter().filter(|c| !c.scripted) {
            let name = if call.place.name.is_empty() { call.card.as_str() } else { &call.place.name };
            self.outcome.wrong.push(format!("no answer is scripted for {name}"));
        }
    }

    /// Outputs of cards by their ids in the export: what they gave the last time.
    pub(crate) fn outputs(&mut self, expected: &Value, ran: &Ran) {
        for (uuid, groups) in expected["key_outputs"].as_object().into_iter().flatten() {
            let Some((flow, id)) = self.sample.cards.get(uuid).cloned() else {
                // What was worked out by machine names cards, too, that are no steps here.
                if self.opaque.named_only {
                    self.wrong(format!("there is no card `{uuid}`"));
                }
                continue;
            };
            let last = ran.steps.iter().rev().find(|s| s.flow == flow && s.card == id).map(|s| &s.outputs);
            let kind = self.flow_of(&flow).and_then(|f| card_of(f, &id)).map(|c| c.kind.clone());
            let Some(kind) = kind else { continue };
            let places = self.sample.places_of(&flow, &id);
            let place = places.iter().find(|p| p.uuid == *uuid).or(places.first());
            let name = place.map(|p| p.name.clone()).unwrap_or_default();
            if matches!(kind, CardKind::ReturnRaw { .. } | CardKind::ReturnError { .. }) {
                continue;
            }
            let left = match kind {
                CardKind::Return { .. } | CardKind::ContinueIf { .. } if last.is_none() => {
                    left_behind(self, ran, &flow, &id)
                }
                _ => None,
            };
            let last = last.or(left.as_ref());
            let Some(fields) = last else {
                if !all_empty(groups) {
                    self.wrong(format!(
                        "{name} ({id} of {flow}, {uuid}): it never gave anything; expected {}",
                        short(groups)
                    ));
                }
                continue;
            };
            let decl = called_card(&kind).and_then(|card| self.cards.card(card));
            let decls = decl.as_ref().map_or(&[][..], |d| d.outputs.as_slice());
            self.outcome.compared.push(name.clone());
            for (group, values) in groups.as_object().into_iter().flatten() {
                for (key, wanted) in values.as_object().into_iter().flatten() {
                    let actual = value_of(fields, &kind, decls, group, key);
                    // History never shows what derives from a secret; what follows from it is compared.
                    if actual == REDACTED {
                        continue;
                    }
                    let place = format!("{name} ({id} of {flow}, {uuid}): {}", names::full(group, key));
                    if let Some(what) = differs(wanted, &actual, &place, self.opaque) {
                        self.wrong(what);
                    }
                }
            }
        }
    }
}

fn all_empty(groups: &Value) -> bool {
    groups.as_object().into_iter().flatten().all(|(_, values)| is_empty(values))
}

/// The value of an output by its group and key in the export.
pub(crate) fn value_of(fields: &Fields, kind: &CardKind, decls: &[FieldDecl], group: &str, key: &str) -> Value {
    if let Some(card) = called_card(kind)
        && card.family() == "tables"
    {
        return table_value(fields, card.operation(), group, key);
    }
    let own = match (kind, key) {
        (CardKind::AssignIf { .. }, "output")
        | (CardKind::Lookup { .. }, "result")
        | (CardKind::Reduce { .. }, "item") => Some("value"),
        (CardKind::Map { .. }, "new list") => Some("list"),
        (CardKind::ForEach(_), "Records Streamed") => Some("count"),
        _ => None,
    };
    let keys = own.map(|k| vec![k.to_owned()]).unwrap_or_default();
    let keys =
        keys.into_iter().chain(names::candidates(decls, group, key)).chain([key.to_owned(), names::full(group, key)]);
    for key in keys {
        if fields.has(&key) {
            return fields.get(&key).clone();
        }
    }
    Value::Null
}

fn table_value(fields: &Fields, operation: &str, group: &str, key: &str) -> Value {
    match (operation, group, key) {
        ("search", "Result", "Rows") => fields.get("rows").clone(),
        ("search", "Row" | "Fields", key) => fields.get("rows")[0][key].clone(),
        ("read", "Row" | "Fields", key) => fields.get("row")[key].clone(),
        ("export_csv", ..) => fields.get("file").clone(),
        ("clear" | "delete" | "import_csv", ..) => fields.get("count").clone(),
        (_, _, key) if fields.has(key) => fields.get(key).clone(),
        (_, _, key) => fields.get("row")[key].clone(),
    }
}

/// Which calls an expected one may be: those of a card by its id in the export, or of all cards of a name.
struct Sort {
    uuid: String,
    name: String,
}

impl Sort {
    fn of(wanted: &Value) -> Self {
        let part = |key: &str| wanted[key].as_str().unwrap_or_default().to_owned();
        let name =
            if wanted["call"].is_string() { part("call") } else { format!("{}/{}", part("connector"), part("method")) };
        Self { uuid: part("card"), name }
    }

    /// By the name in the export, with or without its random ends, or by ours.
    fn is(&self, call: &Called) -> bool {
        if self.uuid.is_empty() {
            return [call.place.name.as_str(), &plain(&call.place.name), call.card.as_str()]
                .contains(&self.name.as_str());
        }
        call.place.uuid == self.uuid
    }
}

/// Whether a call changes nothing, by the card or, where it may be any request, by the method.
fn reads(call: &Called, cards: &flowdeck::Cards) -> bool {
    let observes = cards.card(&call.card).is_some_and(|decl| decl.effect == EffectClass::Observe);
    observes || ["requestType", "Method"].iter().any(|key| call.inputs.get(key) == "GET")
}

/// What of a call's inputs is not as expected.
fn inputs_differ(expected: &Value, call: &Called, cards: &flowdeck::Cards, opaque: &mut Opaque) -> Option<String> {
    let decl = cards.card(&call.card);
    let decls = decl.as_ref().map_or(&[][..], |d| d.inputs.as_slice());
    let mut used = Vec::new();
    for (group, values) in expected.as_object().into_iter().flatten() {
        for (key, wanted) in values.as_object().into_iter().flatten() {
            let keys = names::candidates(decls, group, key);
            let actual = keys.iter().find(|k| call.inputs.has(k)).map_or(&Value::Null, |k| call.inputs.get(k));
            used.extend(keys);
            if is_unset(wanted) && is_unset(actual) {
                continue;
            }
            if group == "parameters"
                && let (Some(a), Some(b)) = (wanted.as_str(), actual.as_str())
                && a.eq_ignore_ascii_case(b)
            {
                continue;
            }
            let place = names::full(group, key);
            if let Some(what) = differs(wanted, actual, &place, opaque) {
                return Some(what);
            }
        }
    }
    if opaque.named_only {
        return None;
    }
    let default = |key: &str| decls.iter().find(|d| d.key == key).and_then(|d| d.default.clone());
    let extra = call.inputs.iter().find(|(key, value)| {
        !used.iter().any(|u| u == key) && !is_unset(value) && default(key).as_ref() != Some(value.as_ref())
    });
    extra.map(|(key, value)| said(&Value::Null, value, key))
}
