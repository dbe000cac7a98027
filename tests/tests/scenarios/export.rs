//! Writes small exports in the form of Okta Workflows, card by card.
//!
//! Must never copy a real export.
//! Tests: every scenario that runs one.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::rc::Rc;

use serde_json::{Value, json};

/// A field by group and key; `""` is no group.
pub(crate) type Key<'a> = (&'a str, &'a str);

/// What fills an input.
#[derive(Debug, Clone)]
pub(crate) enum From {
    /// A value written in the card.
    Fixed(Value),
    /// An output of an earlier card.
    Card(String, String, String),
    /// The same, converted on its way: `parse`, `stringify`, `toString`.
    Converted(String, String, String, &'static str),
    /// For loops over helpers: the item (`""`) or a member of it.
    Item(&'static str),
}

/// A fixed value.
pub(crate) fn fixed(value: impl Into<Value>) -> From {
    From::Fixed(value.into())
}

/// A card that was added.
#[derive(Debug, Clone)]
pub(crate) struct Added(String);

impl Added {
    /// One of its outputs.
    pub(crate) fn out(&self, (group, key): Key<'_>) -> From {
        From::Card(self.0.clone(), group.to_owned(), key.to_owned())
    }

    /// One of its outputs, converted.
    pub(crate) fn out_as(&self, (group, key): Key<'_>, convert: &'static str) -> From {
        From::Converted(self.0.clone(), group.to_owned(), key.to_owned(), convert)
    }
}

/// A flow under way.
#[derive(Debug)]
pub(crate) struct Flow {
    cards: BTreeMap<String, Value>,
    edges: Vec<(String, String)>,
    tail: String,
    /// The lane of an If/Else has an edge from each card to its join.
    join: Option<String>,
    ids: Rc<Cell<usize>>,
}

impl Flow {
    fn begin(ids: Rc<Cell<usize>>, address: &str, title: &str, outputs: &[Key<'_>]) -> (Self, Added) {
        let mut flow = Self { cards: BTreeMap::new(), edges: Vec::new(), tail: String::new(), join: None, ids };
        let event = flow.insert(address, title, &[]);
        for key in outputs {
            flow.output(&event.0, *key);
        }
        flow.tail.clone_from(&event.0);
        (flow, event)
    }

    /// A flow that others call, or a person runs with inputs.
    pub(crate) fn helper(inputs: &[&str]) -> (Self, Added) {
        let keys: Vec<Key<'_>> = inputs.iter().map(|key| ("", *key)).collect();
        Self::begin(Rc::default(), "control/callable", "Helper Flow", &keys)
    }

    /// A flow that an event of an app starts: the visible cards, and the card that stands for the event.
    pub(crate) fn on_event(outputs: &[&str]) -> (Self, Added) {
        let keys: Vec<Key<'_>> = outputs.iter().map(|key| ("Output", *key)).collect();
        Self::begin(Rc::default(), "control/callable", "Event", &keys)
    }

    /// A block inside a card of this flow, which sees what it captures by these names.
    pub(crate) fn block(&self, captured: &[&str], error: bool) -> (Self, Added) {
        let mut keys: Vec<Key<'_>> = captured.iter().map(|key| ("context", *key)).collect();
        if error {
            keys.push(("context", "error"));
        }
        Self::begin(self.ids.clone(), "control/callable", "Helper Flow", &keys)
    }

    fn id(&self, word: &str) -> String {
        self.ids.set(self.ids.get() + 1);
        format!("{word}{}", self.ids.get())
    }

    fn insert(&mut self, address: &str, title: &str, inputs: &[(Key<'_>, From)]) -> Added {
        let id = self.id("card");
        let place = match address.split_once('/') {
            Some((family, method)) if family.starts_with('@') => {
                format!("root:channels:http:{}:1.0.0:{method}", &family[1..])
            }
            Some((family, method)) => format!("root:kernel:{family}:0.0.1:{method}"),
            None => panic!("{address} is family/method"),
        };
        let card = json!({
            "uuid": id, "address": place, "branches": {}, "joins": {}, "pins": {},
            "node": { "key": address, "model": {
                "displayed": true, "policy": { "error": { "type": "finish" } }, "config": null,
                "metadata": { "name": title }, "inputs": { "data": {} }, "outputs": { "data": {} },
            } },
        });
        self.cards.insert(id.clone(), card);
        for (key, from) in inputs {
            self.input(&id, *key, from);
        }
        Added(id)
    }

    fn field(&mut self, card: &str, side: &str, (group, key): Key<'_>, data: Value) -> String {
        let id = self.id("f");
        let kind = match &data {
            Value::Bool(_) => "boolean",
            Value::Number(_) => "number",
            Value::Object(_) | Value::Array(_) | Value::Null => "object",
            Value::String(_) => "string",
        };
        let fields = &mut self.cards.get_mut(card).expect("a card")["node"]["model"][side]["data"];
        let index = fields.as_object().map_or(0, serde_json::Map::len);
        let group = if group.is_empty() { Value::Null } else { json!(group) };
        fields[&id] = json!({
            "id": id, "group": group, "key": key, "metadata": { "index": index },
            "value": { "type": kind, "collection": data.is_array(), "data": data },
        });
        id
    }

    fn output(&mut self, card: &str, (group, key): Key<'_>) -> String {
        let group_is = if group.is_empty() { Value::Null } else { json!(group) };
        let fields = self.cards[card]["node"]["model"]["outputs"]["data"].as_object().expect("outputs");
        let there = fields.values().find(|f| f["group"] == group_is && f["key"] == key);
        match there.and_then(|f| f["id"].as_str()).map(str::to_owned) {
            Some(id) => id,
            None => self.field(card, "outputs", (group, key), Value::Null),
        }
    }

    fn input(&mut self, card: &str, key: Key<'_>, from: &From) -> String {
        let (source, convert) = match from {
            From::Fixed(value) => return self.field(card, "inputs", key, value.clone()),
            From::Item(path) => {
                let id = self.field(card, "inputs", key, json!(""));
                let proxy = json!({ "dynamic": true, "path": path, "dest": { "key": key.1, "group": null } });
                self.cards.get_mut(card).expect("a card")["node"]["model"]["inputs"]["data"][&id]["value"]["proxy"] =
                    proxy;
                return id;
            }
            From::Card(card, group, key) => ((card, group, key), None),
            From::Converted(card, group, key, convert) => ((card, group, key), Some(convert)),
        };
        let id = self.field(card, "inputs", key, json!(""));
        let (from, group, key) = source;
        let output = self.output(from, (group, key));
        let transform = convert.map(|c| json!({ &output: { "convert": c, "forceWrapArray": false, "dest": output } }));
        let pins = &mut self.cards.get_mut(from).expect("a card")["pins"][&output][card];
        if pins.is_null() {
            *pins = json!([]);
        }
        pins.as_array_mut().expect("pins").push(json!({ "input": id, "transform": transform }));
        id
    }

    fn follow(&mut self, card: &str) {
        self.edges.push((self.tail.clone(), card.to_owned()));
        if let Some(join) = &self.join {
            self.edges.push((card.to_owned(), join.clone()));
        }
        self.tail = card.to_owned();
    }

    /// A card after the last one: `family/method`, or `@connector/method`.
    pub(crate) fn card(&mut self, address: &str, title: &str, inputs: &[(Key<'_>, From)]) -> Added {
        let added = self.insert(address, title, inputs);
        self.follow(&added.0);
        added
    }

    /// Compose: `{{{a}}}` is the part called `a`.
    pub(crate) fn compose(&mut self, text: &str, parts: &[(&str, From)]) -> From {
        let mut inputs = vec![(("", "_text_"), fixed(text))];
        inputs.extend(parts.iter().map(|(key, from)| (("", *key), from.clone())));
        self.card("string/compose", "Compose", &inputs).out(("", "output"))
    }

    /// Return.
    pub(crate) fn returns(&mut self, values: &[(&str, From)]) {
        let inputs: Vec<_> = values.iter().map(|(key, from)| (("", *key), from.clone())).collect();
        self.card("control/return", "Return", &inputs);
    }

    /// Retries of a card where the app limits the rate.
    pub(crate) fn retry(&mut self, card: &Added, times: u32, delay_ms: u32) {
        let policy = json!({ "type": "finish", "retry": times, "delay": delay_ms, "retryCondition": "ratelimits" });
        self.cards.get_mut(&card.0).expect("a card")["node"]["model"]["policy"]["error"] = policy;
    }

    /// If/Else with its two lanes, and what the join passes on: key, value of each lane.
    pub(crate) fn if_else(
        &mut self,
        (left, operator, right): (From, &str, From),
        then: impl FnOnce(&mut Self) -> From,
        otherwise: impl FnOnce(&mut Self) -> From,
    ) -> From {
        let condition =
            [(("", "left-operand"), left), (("", "operator"), fixed(operator)), (("", "right-operand"), right)];
        let branch = self.insert("control/if", "If/Else", &condition);
        self.follow(&branch.0);
        let join = self.insert("control/join", "Join", &[]);
        let outer = self.join.replace(join.0.clone());
        let mut lane = |heads: bool, cards: &mut dyn FnMut(&mut Self) -> From| {
            let head = self.insert("control/noop", "", &[]).0;
            self.cards.get_mut(&head).expect("a card")["node"]["model"]["displayed"] = json!(false);
            self.cards.get_mut(&branch.0).expect("a card")["branches"][&head] = json!(heads);
            self.edges.push((head.clone(), join.0.clone()));
            self.tail = head;
            cards(self)
        };
        let (mut then, mut otherwise) = (Some(then), Some(otherwise));
        let yes = lane(true, &mut |flow| then.take().expect("once")(flow));
        let no = lane(false, &mut |flow| otherwise.take().expect("once")(flow));
        self.join = outer;
        let input = match (&yes, &no) {
            (From::Fixed(value), _) | (_, From::Fixed(value)) => {
                self.field(&join.0, "inputs", ("", "value"), value.clone())
            }
            _ => self.field(&join.0, "inputs", ("", "value"), json!("")),
        };
        for feed in [yes, no] {
            if let From::Card(card, group, key) = feed {
                let output = self.output(&card, (&group, &key));
                let row = json!([{ "input": input, "transform": null }]);
                self.cards.get_mut(&card).expect("a card")["pins"][&output][&join.0] = row;
            }
        }
        let output = self.output(&join.0, ("", "value"));
        self.cards.get_mut(&join.0).expect("a card")["joins"] =
            json!({ input: [{ "output": output, "transform": null }] });
        // From the If there is no edge to its join; the flow goes on at the join.
        self.tail.clone_from(&join.0);
        join.out(("", "value"))
    }

    /// If Error: the block that is tried, the block that catches, what both capture, and the keys that both return.
    pub(crate) fn if_error(&mut self, captured: &[(&str, From)], tried: Self, caught: Self) -> Added {
        let callable =
            |block: &Self| block.cards.values().find(|c| c["address"] == CALLABLE).map(|c| c["uuid"].clone());
        let inner = [callable(&tried), callable(&caught)];
        let card = self.insert("control/tryCatch", "If Error", &[]);
        for (key, from) in captured {
            let id = self.input(&card.0, ("context", key), from);
            let inputs = &mut self.cards.get_mut(&card.0).expect("a card")["node"]["model"]["inputs"]["data"];
            inputs[&id]["metadata"] = json!({ "forceHide": true, "wormholeMethodId": inner[0] });
        }
        let id = self.field(&card.0, "inputs", ("", "flo"), json!({}));
        let model = &mut self.cards.get_mut(&card.0).expect("a card")["node"]["model"];
        model["inputs"]["data"][&id]["value"] = json!({ "type": "flo", "collection": false, "data": tried.data() });
        model["policy"] = json!({ "error": { "type": "handler", "merge": "join", "flo": caught.data() } });
        self.follow(&card.0);
        card
    }

    /// The flow's data as exports hold it.
    pub(crate) fn data(&self) -> Value {
        let edge = |(i, (from, to)): (usize, &(String, String))| (format!("e{i}"), json!([from, to]));
        let orderings: serde_json::Map<String, Value> = self.edges.iter().enumerate().map(edge).collect();
        json!({ "methods": self.cards.values().collect::<Vec<_>>(), "orderings": orderings, "cron": {} })
    }

    /// The two cards around a flow that an event starts: the event, and the hidden loop.
    pub(crate) fn started_by(self, event: &str) -> Value {
        let mut outer =
            Self { cards: BTreeMap::new(), edges: Vec::new(), tail: String::new(), join: None, ids: self.ids.clone() };
        let source = outer.insert(&format!("@{event}"), "Event", &[]);
        outer.cards.get_mut(&source.0).expect("a card")["node"]["model"]["webhook"] = json!(true);
        outer.cards.get_mut(&source.0).expect("a card")["node"]["model"]["webhookList"] = json!(true);
        outer.tail.clone_from(&source.0);
        let each = outer.card(
            "list/asyncEach",
            "For Each",
            &[(("", "list"), source.out(("", "collection"))), (("", "concurrency"), fixed(1))],
        );
        let id = outer.field(&each.0, "inputs", ("", "flo"), json!({}));
        let model = &mut outer.cards.get_mut(&each.0).expect("a card")["node"]["model"];
        model["inputs"]["data"][&id]["value"] = json!({ "type": "flo", "collection": false, "data": self.data() });
        outer.data()
    }
}

const CALLABLE: &str = "root:kernel:control:0.0.1:callable";

/// An export of flows: id, name, data.
pub(crate) fn export(flows: &[(&str, &str, Value)]) -> String {
    let flow = |(id, name, data): &(&str, &str, Value)| {
        ((*id).to_owned(), json!({ "id": id, "name": name, "description": "", "data": data }))
    };
    let flos: serde_json::Map<String, Value> = flows.iter().map(flow).collect();
    json!({
        "type": "flopack", "version": "1.5.0",
        "flags": { "auto-transform": true, "looseBooleans": true, "looseStrings": true, "looseNulls": true },
        "data": { "flos": flos, "configs": {}, "tables": {}, "groups": {} },
    })
    .to_string()
}
