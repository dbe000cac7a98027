//! Makes small exports for tests, card by card, in the form that `flopack-format.md` describes.
//!
//! Must never copy a real export.
//! Tests: this file is for tests.

use serde_json::{Map, Value, json};

/// A card under way.
pub(crate) struct Card(pub(crate) Value);

/// A field: id, group, key, type, literal.
pub(crate) fn field(id: &str, group: Option<&str>, key: &str, kind: Value, data: Value) -> Value {
    json!({"id": id, "group": group, "key": key, "value": {"type": kind, "collection": false, "data": data}, "metadata": {}})
}

fn fields(list: Vec<Value>) -> Value {
    let entries = list.into_iter().enumerate().map(|(i, mut f)| {
        f["metadata"]["index"] = i.into();
        (f["id"].as_str().unwrap().to_owned(), f)
    });
    json!({ "data": Value::Object(entries.collect()) })
}

/// A card of the kernel: `family/method`, or of a connector with `@connector/method`.
pub(crate) fn card(uuid: &str, name: &str, title: &str, inputs: Vec<Value>, outputs: Vec<Value>) -> Card {
    let address = match name.strip_prefix('@') {
        Some(name) => {
            format!("root:channels:http:{}:1.0.0:{}", name.split('/').next().unwrap(), name.split('/').nth(1).unwrap())
        }
        None => format!("root:kernel:{}:0.0.1:{}", name.split('/').next().unwrap(), name.split('/').nth(1).unwrap()),
    };
    Card(json!({
        "uuid": uuid, "address": address, "branches": {}, "joins": {}, "pins": {},
        "node": {"key": name, "model": {"displayed": true, "policy": {"error": {"type": "finish"}}, "config": null,
            "metadata": {"name": title}, "inputs": fields(inputs), "outputs": fields(outputs)}}
    }))
}

impl Card {
    /// Pins an output to an input of another card.
    pub(crate) fn pin(mut self, output: &str, target: &str, input: &str, convert: Option<&str>) -> Self {
        let transform = convert.map(|c| json!({output: {"convert": c, "forceWrapArray": false, "dest": output}}));
        let rows = &mut self.0["pins"][output][target];
        if rows.is_null() {
            *rows = json!([]);
        }
        rows.as_array_mut().unwrap().push(json!({"input": input, "transform": transform}));
        self
    }

    /// Sets a member by JSON pointer.
    pub(crate) fn with(mut self, pointer: &str, value: Value) -> Self {
        let (parent, key) = pointer.rsplit_once('/').unwrap();
        self.0.pointer_mut(parent).unwrap()[key] = value;
        self
    }
}

/// The `data` of a flow: its cards, and edges as `from>to`.
pub(crate) fn flow_data(cards: Vec<Card>, edges: &str) -> Value {
    let orderings: Map<String, Value> = edges
        .split_whitespace()
        .enumerate()
        .map(|(i, edge)| (format!("e{i}"), json!(edge.split('>').collect::<Vec<_>>())))
        .collect();
    json!({"methods": cards.into_iter().map(|c| c.0).collect::<Vec<_>>(), "orderings": orderings, "cron": {}})
}

/// A whole export of flows: id, name, data.
pub(crate) fn export(flows: Vec<(&str, &str, Value)>) -> Value {
    let flos: Map<String, Value> = flows
        .into_iter()
        .map(|(id, name, data)| (id.to_owned(), json!({"id": id, "name": name, "description": "", "data": data})))
        .collect();
    json!({"type": "flopack", "version": "1.5.0", "data": {"flos": flos, "configs": {"c1": {"id": "c1", "name": "Prod"}},
        "tables": {"t1": {"id": "t1", "name": "People", "data": {"structure": [
            {"name": "email", "type": "str", "default": null}, {"name": "seen", "type": "dte", "default": null}]}}},
        "groups": {}}})
}
