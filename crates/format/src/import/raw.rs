//! An export as it is written: lenient views over its JSON, nothing interpreted.
//!
//! Must never fail on a missing or wrongly typed member: it counts as absent.
//! Tests: `tests/import.rs`, `tests/import_hostile.rs`.

use std::collections::{HashMap, HashSet};

use flowdeck_model::{FieldDecl, FieldType, Value};

/// Deepest object type that is kept; below it, an object is just an object.
const TYPE_DEPTH_MAX: usize = 8;
/// Most fields of an object type that are kept.
const TYPE_FIELDS_MAX: usize = 200;
/// Longest key that is kept, in bytes; groups come before it.
pub(super) const KEY_BYTES_MAX: usize = 120;

/// A text member.
pub(super) fn text<'v>(value: &'v Value, key: &str) -> &'v str {
    value.get(key).and_then(Value::as_str).unwrap_or("")
}

/// The members of an object member; none where it is not there.
pub(super) fn members<'v>(value: &'v Value, key: &str) -> impl Iterator<Item = (&'v str, &'v Value)> + use<'v> {
    value.get(key).and_then(Value::as_object).into_iter().flatten().map(|(k, v)| (k.as_str(), v))
}

/// One level of cards: a flow, or a flow embedded in a card.
#[derive(Debug)]
pub(super) struct Level<'v> {
    /// Its cards as listed, which means nothing for their order.
    pub(super) cards: Vec<RawCard<'v>>,
    /// Cards by uuid.
    pub(super) index: HashMap<&'v str, usize>,
    /// Edges between cards, each once, without those from a card to itself.
    pub(super) edges: Vec<(usize, usize)>,
    /// What feeds an input: card and its input id to card, its output id and the transform.
    pub(super) feeds: HashMap<(usize, &'v str), Vec<Feed<'v>>>,
    /// Outputs that a pin takes further: card and output id.
    pub(super) read: HashSet<(usize, &'v str)>,
    /// Pins whose card or input is not there.
    pub(super) dangling: usize,
    /// Cards without an id of their own.
    pub(super) nameless: usize,
}

/// One pin, seen from its target.
#[derive(Debug, Clone, Copy)]
pub(super) struct Feed<'v> {
    pub(super) card: usize,
    pub(super) output: &'v str,
    pub(super) transform: &'v Value,
}

/// A card ("method").
#[derive(Debug)]
pub(super) struct RawCard<'v> {
    pub(super) uuid: &'v str,
    /// `kernel`, or the connector's name.
    pub(super) kernel: bool,
    /// Connector or kernel channel.
    pub(super) family: &'v str,
    pub(super) method: &'v str,
    pub(super) title: &'v str,
    pub(super) displayed: bool,
    pub(super) branches: Vec<(&'v str, bool)>,
    pub(super) joins: &'v Value,
    pub(super) inputs: Vec<RawField<'v>>,
    pub(super) outputs: Vec<RawField<'v>>,
    pub(super) policy: &'v Value,
    pub(super) config: Option<&'v str>,
    pub(super) comments: &'v str,
}

/// An input or output.
#[derive(Debug)]
pub(super) struct RawField<'v> {
    pub(super) id: &'v str,
    pub(super) group: &'v str,
    pub(super) key: &'v str,
    pub(super) kind: FieldType,
    pub(super) data: &'v Value,
    pub(super) proxy: &'v Value,
    /// An argument of the error handler, not of the card.
    pub(super) for_error: bool,
    pub(super) custom: bool,
    pub(super) metadata: &'v Value,
}

impl<'v> RawCard<'v> {
    /// `family/method`.
    pub(super) fn name(&self) -> String {
        format!("{}/{}", self.family, self.method)
    }

    /// Whether it is this kernel card.
    pub(super) fn is(&self, family: &str, method: &str) -> bool {
        self.kernel && self.family == family && self.method == method
    }

    pub(super) fn input(&self, group: &str, key: &str) -> Option<&RawField<'v>> {
        self.inputs.iter().find(|f| f.group == group && f.key == key && !f.for_error)
    }

    pub(super) fn output(&self, id: &str) -> Option<&RawField<'v>> {
        self.outputs.iter().find(|f| f.id == id)
    }

    /// Whether it only passes values on inside the editor's picture.
    pub(super) fn is_hidden_expand(&self) -> bool {
        self.is("object", "expand") && !self.displayed
    }
}

impl RawField<'_> {
    /// `Group.Key`, or the key alone.
    pub(super) fn full_key(&self) -> String {
        if self.group.is_empty() { self.key.to_owned() } else { format!("{}.{}", self.group, self.key) }
    }
}

static NULL: Value = Value::Null;

fn member<'v>(value: &'v Value, path: &[&str]) -> &'v Value {
    path.iter().try_fold(value, |v, key| v.get(key)).unwrap_or(&NULL)
}

impl<'v> Level<'v> {
    /// The level of a flow's `data`, or of an embedded flow. `cards_left` is what is left of the export's limit.
    pub(super) fn read(data: &'v Value, cards_left: &mut usize) -> Self {
        let methods = data.get("methods").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
        let mut cards = Vec::new();
        let mut index = HashMap::new();
        let mut nameless = 0;
        for method in methods {
            if *cards_left == 0 {
                break;
            }
            *cards_left -= 1;
            let card = card(method);
            if card.uuid.is_empty() || index.contains_key(card.uuid) {
                nameless += 1;
                continue;
            }
            index.insert(card.uuid, cards.len());
            cards.push((card, method));
        }
        let mut level = Self {
            index,
            edges: Vec::new(),
            feeds: HashMap::new(),
            read: HashSet::new(),
            dangling: 0,
            nameless,
            cards: Vec::with_capacity(cards.len()),
        };
        let mut pins = Vec::new();
        for (card, method) in cards {
            pins.push(method.get("pins"));
            level.cards.push(card);
        }
        level.read_edges(data);
        for (at, pins) in pins.into_iter().enumerate() {
            level.read_pins(at, pins);
        }
        level
    }

    fn read_edges(&mut self, data: &'v Value) {
        let mut seen = HashSet::new();
        for (_, pair) in members(data, "orderings") {
            let end = |i: usize| pair.get(i).and_then(Value::as_str).and_then(|u| self.index.get(u)).copied();
            if let (Some(from), Some(to)) = (end(0), end(1))
                && from != to
                && seen.insert((from, to))
            {
                self.edges.push((from, to));
            }
        }
    }

    fn read_pins(&mut self, card: usize, pins: Option<&'v Value>) {
        for (output, targets) in pins.and_then(Value::as_object).into_iter().flatten() {
            for (target, rows) in targets.as_object().into_iter().flatten() {
                let target = self.index.get(target.as_str()).copied();
                for row in rows.as_array().into_iter().flatten() {
                    let input = text(row, "input");
                    let there = target.filter(|t| self.cards[*t].inputs.iter().any(|f| f.id == input));
                    match there {
                        Some(target) if self.cards[card].output(output).is_some() => {
                            let transform = row.get("transform").unwrap_or(&NULL);
                            let feed = Feed { card, output, transform };
                            self.feeds.entry((target, input)).or_default().push(feed);
                            self.read.insert((card, output));
                        }
                        _ => self.dangling += 1,
                    }
                }
            }
        }
    }
}

fn card(method: &Value) -> RawCard<'_> {
    let parts: Vec<&str> = text(method, "address").split(':').collect();
    let (kernel, family, name) = match parts.as_slice() {
        ["root", "kernel", channel, _, name] => (true, *channel, *name),
        ["root", "channels", _, connector, _, name] => (false, *connector, *name),
        _ => (false, "", text(method.get("node").unwrap_or(&NULL), "key")),
    };
    let model = member(method, &["node", "model"]);
    let mut branches: Vec<_> =
        members(method, "branches").map(|(uuid, truth)| (uuid, truth.as_bool().unwrap_or(false))).collect();
    branches.sort_by_key(|(_, truth)| !truth);
    RawCard {
        uuid: text(method, "uuid"),
        kernel,
        family,
        method: name,
        title: text(member(model, &["metadata"]), "name"),
        displayed: model.get("displayed").and_then(Value::as_bool).unwrap_or(true),
        branches,
        joins: method.get("joins").unwrap_or(&NULL),
        inputs: fields(member(model, &["inputs", "data"])),
        outputs: fields(member(model, &["outputs", "data"])),
        policy: member(model, &["policy", "error"]),
        config: model.get("config").and_then(Value::as_str),
        comments: match (text(method, "comments"), text(model, "comments")) {
            ("", inner) => inner,
            (outer, _) => outer,
        },
    }
}

/// Fields in the order in which they are shown.
fn fields(data: &Value) -> Vec<RawField<'_>> {
    let mut fields: Vec<_> = data.as_object().into_iter().flatten().map(|(id, field)| one_field(id, field)).collect();
    fields.sort_by(|a, b| position(a).total_cmp(&position(b)));
    fields
}

fn position(field: &RawField<'_>) -> f64 {
    field.metadata.get("index").and_then(Value::as_f64).unwrap_or(f64::MAX)
}

fn one_field<'v>(id: &'v str, field: &'v Value) -> RawField<'v> {
    let value = field.get("value").unwrap_or(&NULL);
    let list = value.get("collection").and_then(Value::as_bool).unwrap_or(false);
    let kind = field_type(value.get("type").unwrap_or(&NULL), 0);
    RawField {
        id,
        group: match text(field, "group") {
            "" => "",
            group => key(group),
        },
        key: key(text(field, "key")),
        kind: if list { kind.list() } else { kind },
        data: value.get("data").unwrap_or(&NULL),
        proxy: value.get("proxy").unwrap_or(&NULL),
        for_error: value.get("error").and_then(Value::as_bool).unwrap_or(false),
        custom: member(field, &["metadata", "custom"]).as_bool().unwrap_or(false),
        metadata: field.get("metadata").unwrap_or(&NULL),
    }
}

/// A key that a file can hold.
pub(super) fn key(key: &str) -> &str {
    if (1..=KEY_BYTES_MAX).contains(&key.len()) { key } else { "_" }
}

/// A type by its word, or by the shape of an object.
fn field_type(kind: &Value, depth: usize) -> FieldType {
    match kind {
        Value::String(word) => match word.as_str() {
            "string" => FieldType::Text,
            "number" => FieldType::Number,
            "boolean" => FieldType::Boolean,
            "Date" | "date" => FieldType::Date,
            "object" => FieldType::object(),
            "file" => FieldType::File,
            _ => FieldType::Any,
        },
        Value::Object(shape) if depth < TYPE_DEPTH_MAX && shape.len() <= TYPE_FIELDS_MAX => {
            let inner = shape.iter().filter(|(name, _)| key(name) == name.as_str()).map(|(key, inner)| {
                let kind = field_type(inner.get("type").unwrap_or(&NULL), depth + 1);
                let list = inner.get("collection").and_then(Value::as_bool).unwrap_or(false);
                FieldDecl::new(key, if list { kind.list() } else { kind })
            });
            FieldType::Object(inner.collect())
        }
        Value::Object(_) => FieldType::object(),
        _ => FieldType::Any,
    }
}
