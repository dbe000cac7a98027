//! What the cards of a flow gave in its newest run, by the names that mappings use.
//!
//! Must never hold a value of a secret field.
//! Tests: below.

use std::collections::BTreeMap;

use flowdeck::engine::{Entry, EntryKind, RunView};
use flowdeck::model::flow::{Card, Items};
use flowdeck::model::mapping::{Mapping, PathPart, Reference};
use flowdeck::model::{CardId, CardKind, Catalogue, FieldDecl, FieldType, Flow, Trigger, Value};

use super::places::trails;

/// What stands where a secret would.
pub(crate) const HIDDEN: &str = "•••";
/// Deepest value that is looked through for secrets.
const DEPTH_MAX: usize = 32;

/// Values by the name at the start of a reference.
#[derive(Debug, Clone, Default)]
pub(crate) struct Known(BTreeMap<String, Value>);

impl Known {
    /// From a run and its history. `flow` may be a helper of the flow that ran, `outer`.
    pub(crate) fn of_run(flow: &Flow, outer: &Flow, run: &RunView, entries: &[Entry], cards: &dyn Catalogue) -> Self {
        let mut known = Self::default();
        let is_own = run.flow == flow.name;
        if is_own {
            known.set("input", run.input.to_value(), &flow.inputs);
            known.event(flow, run, cards);
        }
        let (callers, trails) = (trails(&outer.cards), trails(&flow.cards));
        for entry in entries {
            let EntryKind::StepFinished { outputs: Some(outputs), .. } = &entry.what else { continue };
            let path: Vec<&CardId> = entry.path.segments().iter().map(|s| &s.card).collect();
            let is_of_outer = callers.iter().any(|trail| path.iter().copied().eq(trail.iter()));
            if is_of_outer != is_own {
                continue;
            }
            let fits = |trail: &&Vec<CardId>| {
                let rest = path.len().checked_sub(trail.len());
                rest.is_some_and(|rest| (rest == 0 || !is_own) && path[rest..].iter().copied().eq(trail.iter()))
            };
            if let Some(id) = trails.iter().find(fits).and_then(|trail| trail.last()) {
                let declared = outputs_of(super::places::find(&flow.cards, id), cards);
                known.set(id.as_str(), outputs.to_value(), &declared);
            }
        }
        known.items(&flow.cards);
        known
    }

    fn event(&mut self, flow: &Flow, run: &RunView, cards: &dyn Catalogue) {
        let Some(event) = &run.event else { return };
        let (name, declared) = match &flow.on {
            Trigger::Event(on) => {
                (on.id.as_str(), cards.card(&on.card).map(|decl| decl.outputs.clone()).unwrap_or_default())
            }
            Trigger::Endpoint(endpoint) => {
                let part = |key: &str, fields: &[FieldDecl]| FieldDecl::new(key, FieldType::Object(fields.to_vec()));
                let parts = [("body", &endpoint.body), ("query", &endpoint.query), ("headers", &endpoint.headers)];
                ("event", parts.map(|(key, fields)| part(key, fields)).into())
            }
            Trigger::Manual | Trigger::Schedule(_) | Trigger::Delegated => ("event", Vec::new()),
        };
        self.set(name, event.to_value(), &declared);
    }

    /// The first item of each loop under the item's name.
    fn items(&mut self, cards: &[Card]) {
        for card in cards {
            let each = match &card.kind {
                CardKind::ForEach(each) => Some(&each.each),
                CardKind::Map { each, .. } | CardKind::Filter { each, .. } | CardKind::Reduce { each, .. } => {
                    Some(each)
                }
                _ => None,
            };
            if let Some(each) = each
                && let Items::List(Mapping::Reference(list)) = &each.items
                && let Some(first) = self.find(list).and_then(|list| list.get(0)).cloned()
            {
                self.0.insert(each.name.to_string(), first);
            }
            card.kind.lanes().into_iter().for_each(|lane| self.items(lane));
        }
    }

    fn set(&mut self, name: &str, mut value: Value, declared: &[FieldDecl]) {
        hide(&mut value, declared, DEPTH_MAX);
        self.0.insert(name.into(), value);
    }

    /// The value at the end of a reference.
    pub(crate) fn find(&self, reference: &Reference) -> Option<&Value> {
        let root = self.0.get(&reference.root)?;
        reference.path.iter().try_fold(root, |value, part: &PathPart| part.of(value))
    }

    /// A name that only what is being built knows: the item of its own list.
    pub(crate) fn with_item(mut self, name: &str, list: &Reference) -> Self {
        if let Some(first) = self.find(list).and_then(|list| list.get(0)).cloned() {
            self.0.insert(name.into(), first);
        }
        self
    }
}

fn outputs_of(card: Option<&Card>, cards: &dyn Catalogue) -> Vec<FieldDecl> {
    match card.map(|card| &card.kind) {
        Some(CardKind::Call(call)) => cards.card(&call.card).map(|decl| decl.outputs.clone()).unwrap_or_default(),
        _ => Vec::new(),
    }
}

/// Puts a sign where a declared secret stands.
fn hide(value: &mut Value, declared: &[FieldDecl], depth: usize) {
    let (Some(object), Some(depth)) = (value.as_object_mut(), depth.checked_sub(1)) else { return };
    for field in declared {
        let Some(value) = object.get_mut(&field.key) else { continue };
        if field.secret && !value.is_null() {
            *value = HIDDEN.into();
            continue;
        }
        match &field.kind {
            FieldType::Object(fields) => hide(value, fields, depth),
            FieldType::List(item) => {
                if let (FieldType::Object(fields), Some(items)) = (item.as_ref(), value.as_array_mut()) {
                    items.iter_mut().for_each(|item| hide(item, fields, depth));
                }
            }
            _ => {}
        }
    }
}

#[cfg(test)]
impl Known {
    pub(crate) fn of(values: Value) -> Self {
        let object = values.as_object().cloned().unwrap_or_default();
        Self(object.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use flowdeck::{Source, read};
    use serde_json::json;

    use super::*;

    const FLOW: &str = "\
flow: a
inputs: { who: text, code: { type: text, secret: true } }
cards:
  - id: found
    card: playground/listPeople
  - id: each
    for_each: ${found.people}
    as: person
    cards:
      - id: inner
        card: date/now
  - id: line
    call_flow: h
helpers:
  h:
    cards:
      - id: inner
        card: date/now
";

    fn entry(path: &str, outputs: Value) -> Value {
        json!({ "s": 1, "t": 5, "p": path, "w": { "step_finished": { "card": "x", "outputs": outputs } } })
    }

    fn known(of_helper: bool) -> Known {
        let outer = read(&Source::new("a.yaml", FLOW), None).flows.remove(0);
        let flow = if of_helper { &outer.helpers[0] } else { &outer };
        let entries = json!([
            entry("found", json!({ "people": [{ "name": "Ada" }, { "name": "Bo" }] })),
            entry("line.inner", json!({ "date": "helper" })),
            entry("each[0].inner", json!({ "date": "one" })),
            entry("each[1].inner", json!({ "date": "two" })),
        ]);
        let run = json!({
            "id": "run_00000000000000000000000001", "flow": "a", "hash": flowdeck::model::FlowHash::of(b""),
            "status": "finished", "started_at": 5, "token": "t", "input": { "who": "me", "code": "hush" },
            "counts": { "steps": 4, "attempts": 0, "faults": 0, "entries": 4 },
        });
        let run: RunView = serde_json::from_value(run).unwrap();
        let entries: Vec<Entry> = serde_json::from_value(entries).unwrap();
        Known::of_run(flow, &outer, &run, &entries, &crate::files::cards(None).unwrap())
    }

    #[test]
    fn the_last_value_of_each_card_of_the_flow_is_known() {
        let known = known(false);
        for (root, key, wanted) in [
            ("input", "who", Some(json!("me"))),
            ("input", "code", Some(json!(HIDDEN))),
            ("inner", "date", Some(json!("two"))),
            ("person", "name", Some(json!("Ada"))),
            ("line", "date", None),
        ] {
            let reference = Reference { root: root.into(), path: vec![PathPart::Key(key.into())] };
            assert_eq!(known.find(&reference).cloned(), wanted, "{root}.{key}");
        }
    }

    #[test]
    fn a_helper_has_the_steps_below_its_calls() {
        let reference = Reference { root: "inner".into(), path: vec![PathPart::Key("date".into())] };
        // The flow's own loop has a card of the same id, and it ran later.
        assert_eq!(known(true).find(&reference), Some(&json!("helper")));
    }
}
