//! Declared fields (inputs, outputs) and their type words, slots' siblings: tables and retries.
//!
//! Must never accept a type that cannot be printed again.
//! Tests: `tests/round_trip.rs`.

use flowdeck_model::duration::duration_text;
use flowdeck_model::flow::Retry;
use flowdeck_model::table::{Column, ColumnType, TableDecl};
use flowdeck_model::{FieldDecl, FieldType};

use super::Reader;
use crate::nearest::suggestion;
use crate::order;
use crate::tree::{Entry, Kind, Node};

/// Words of simple types.
pub(crate) const TYPE_WORDS: &[&str] = &["any", "text", "number", "boolean", "date", "object", "file", "list"];
/// Words of column types.
pub(crate) const COLUMN_WORDS: &[(&str, ColumnType)] = &[
    ("text", ColumnType::Text),
    ("number", ColumnType::Number),
    ("boolean", ColumnType::Boolean),
    ("date", ColumnType::Date),
    ("object", ColumnType::Object),
    ("list", ColumnType::List),
];
/// Defaults of a retry, left out by the printer.
pub(crate) const RETRY_FACTOR: f64 = 2.0;
/// Longest pause of a retry.
pub(crate) const RETRY_PAUSE_MAX_MS: u64 = 300_000;
/// First pause of a retry.
pub(crate) const RETRY_PAUSE_MS: u64 = 1000;

impl<'a> Reader<'a, '_> {
    /// `key: type` or `key: {type, …}` lines.
    pub(super) fn fields(&mut self, node: &'a Node, what: &str) -> Vec<FieldDecl> {
        if matches!(node.kind, Kind::Null) {
            return Vec::new();
        }
        let keys = self.keys(node, what);
        keys.entries().iter().filter_map(|e| self.field(e)).collect()
    }

    fn field(&mut self, entry: &'a Entry) -> Option<FieldDecl> {
        let mut field = FieldDecl { key: entry.key.clone(), ..FieldDecl::default() };
        if let Some(word) = entry.value.text() {
            field.kind = self.type_word(word, &entry.value)?;
            return Some(field);
        }
        let mut keys = self.keys(&entry.value, &format!("the field `{}`", entry.key));
        if let Some(node) = keys.take("type") {
            let word = self.text(node, "a type")?;
            field.kind = self.type_word(&word, node)?;
        }
        if let Some(node) = keys.take("title") {
            field.title = self.text(node, "a title")?;
        }
        if let Some(node) = keys.take("required") {
            field.required = self.boolean(node, "`required`")?;
        }
        field.default = keys.take("default").map(Node::to_value);
        if let Some(node) = keys.take("choices") {
            let Some(items) = node.items() else {
                self.expected(node, "`choices` to be a list of texts", "write `[one, two]`");
                return None;
            };
            field.choices = items.iter().filter_map(|n| self.text(n, "a choice")).collect();
        }
        if let Some(node) = keys.take("help") {
            field.help = self.text(node, "a help text")?;
        }
        if let Some(node) = keys.take("secret") {
            field.secret = self.boolean(node, "`secret`")?;
        }
        if let Some(node) = keys.take("fields") {
            let inner = self.fields(node, "`fields`");
            if let Some(place) = innermost_object(&mut field.kind) {
                *place = inner;
            } else {
                let remedy = "write `type: object` or `type: list of object`".to_string();
                self.findings.error_with("wrong-form", &node.span, "only objects have `fields`", remedy);
            }
        }
        keys.finish(order::FIELD, self);
        Some(field)
    }

    fn type_word(&mut self, word: &str, node: &Node) -> Option<FieldType> {
        let mut lists = 0;
        let mut rest = word.trim();
        while let Some(inner) = rest.strip_prefix("list of ") {
            lists += 1;
            rest = inner.trim();
            if lists > 8 {
                self.findings.error("unknown-type", &node.span, "lists may be nested at most 8 deep");
                return None;
            }
        }
        let mut kind = match rest {
            "any" => FieldType::Any,
            "text" => FieldType::Text,
            "number" => FieldType::Number,
            "boolean" => FieldType::Boolean,
            "date" => FieldType::Date,
            "object" => FieldType::object(),
            "file" => FieldType::File,
            "list" => FieldType::Any.list(),
            _ => {
                let shown: String = rest.chars().take(40).collect();
                let remedy = self.findings.hint(|| suggestion(rest, TYPE_WORDS.iter().copied()));
                self.findings.error_with("unknown-type", &node.span, format!("`{shown}` is not a type"), remedy);
                return None;
            }
        };
        for _ in 0..lists {
            kind = kind.list();
        }
        Some(kind)
    }

    /// `tables: {Name: {Column: type}}`.
    pub(super) fn tables(&mut self, node: &'a Node) -> Vec<TableDecl> {
        let keys = self.keys(node, "`tables`");
        keys.entries()
            .iter()
            .filter_map(|table| {
                let name = self.parse_name(&table.key, &table.key_span, "a table's name")?;
                let columns = self.keys(&table.value, &format!("the columns of `{}`", table.key));
                let columns = columns
                    .entries()
                    .iter()
                    .filter_map(|c| {
                        Some(Column {
                            name: c.key.clone(),
                            kind: self.word(&c.value, "a column's type", COLUMN_WORDS)?,
                        })
                    })
                    .collect();
                Some(TableDecl { name, columns })
            })
            .collect()
    }

    /// `retry: {times, pause, factor, max}`.
    pub(super) fn retry(&mut self, node: &'a Node) -> Option<Retry> {
        let mut keys = self.keys(node, "`retry`");
        let times = keys.need("times", "`retry`", self).and_then(|n| self.whole(n, "`times`", 1, 1000));
        let pause_ms = keys.take("pause").map_or(Some(RETRY_PAUSE_MS), |n| self.duration(n, "`pause`"));
        let factor = match keys.take("factor") {
            None => Some(RETRY_FACTOR),
            Some(node) => match &node.kind {
                Kind::Number(n) => n.as_f64().filter(|f| (1.0..=100.0).contains(f)).or_else(|| {
                    let message = "expected `factor` to be a number from 1 to 100";
                    self.findings.error_with("wrong-number", &node.span, message, "write `factor: 2`".to_string());
                    None
                }),
                _ => {
                    self.expected(node, "`factor` to be a number from 1 to 100", "write `factor: 2`");
                    None
                }
            },
        };
        let pause_ms_max = keys.take("max").map_or(Some(RETRY_PAUSE_MAX_MS), |n| self.duration(n, "`max`"));
        keys.finish(order::RETRY, self);
        if let (Some(pause_ms), Some(max_ms)) = (pause_ms, pause_ms_max)
            && pause_ms > max_ms
        {
            let (pause, max) = (duration_text(pause_ms), duration_text(max_ms));
            let unless = if node.entry("max").is_some() { "" } else { ", which is 5m where it is not given" };
            let message = format!("`pause` is {pause}, longer than `max`{unless}");
            let remedy = format!("write `max: {pause}` (no pause is longer than `max`), or a `pause` of at most {max}");
            let span = node.entry("pause").map_or(&node.span, |entry| &entry.value.span);
            self.findings.error_with("wrong-duration", span, message, remedy);
            return None;
        }
        let times = u32::try_from(times?).ok()?;
        Some(Retry { times, pause_ms: pause_ms?, factor: factor?, pause_ms_max: pause_ms_max? })
    }
}

fn innermost_object(mut kind: &mut FieldType) -> Option<&mut Vec<FieldDecl>> {
    loop {
        match kind {
            FieldType::Object(fields) => return Some(fields),
            FieldType::List(item) => kind = item,
            _ => return None,
        }
    }
}
