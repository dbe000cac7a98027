//! A flow file as a tree of values that know their place.
//!
//! Must never build a tree deeper or larger than the limits, nor resolve anything (no anchors, tags, merges).
//! Tests: `tests/hostile.rs`, and beside each module.

mod json;
mod scalar;
mod yaml;

use std::ops::Range;

use serde_json::{Map, Number, Value};

use crate::Source;
use crate::findings::Findings;
use crate::limits::FILE_BYTES_MAX;

pub(crate) use scalar::{Plain, plain};
pub(crate) use yaml::Document;

/// A value and its place.
#[derive(Debug, Clone)]
pub(crate) struct Node {
    pub(crate) kind: Kind,
    /// Byte range in the text.
    pub(crate) span: Range<usize>,
    pub(crate) style: Style,
    /// Comments of a list item (those of a map's value are with the entry).
    pub(crate) trivia: Trivia,
    /// Comments after the last child.
    pub(crate) after: Vec<String>,
}

/// What a node is.
#[derive(Debug, Clone)]
pub(crate) enum Kind {
    Null,
    Bool(bool),
    Number(Number),
    Text(String),
    List(Vec<Node>),
    Map(Vec<Entry>),
}

/// How a node was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Style {
    /// The printer decides.
    #[default]
    Free,
    /// Over several lines, by indentation; for texts a block scalar.
    Block,
    /// In brackets; for texts in quotes.
    Inline,
}

/// A key with its value.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub(crate) key: String,
    pub(crate) key_span: Range<usize>,
    pub(crate) value: Node,
    pub(crate) trivia: Trivia,
}

/// Comments that belong to an entry or item.
#[derive(Debug, Clone, Default)]
pub(crate) struct Trivia {
    /// Lines above; an empty one stands for a blank line.
    pub(crate) before: Vec<String>,
    /// At the end of its first line.
    pub(crate) beside: Option<String>,
}

impl Trivia {
    pub(crate) fn has_comments(&self) -> bool {
        self.beside.is_some() || self.before.iter().any(|line| !line.is_empty())
    }
}

impl Node {
    pub(crate) fn new(kind: Kind, span: Range<usize>) -> Self {
        Self { kind, span, style: Style::Free, trivia: Trivia::default(), after: Vec::new() }
    }

    /// A tree without places, for printing.
    pub(crate) fn from_value(value: &Value) -> Self {
        let kind = match value {
            Value::Null => Kind::Null,
            Value::Bool(b) => Kind::Bool(*b),
            Value::Number(n) => Kind::Number(n.clone()),
            Value::String(s) => Kind::Text(s.clone()),
            Value::Array(items) => Kind::List(items.iter().map(Self::from_value).collect()),
            Value::Object(map) => Kind::Map(
                map.iter()
                    .map(|(key, value)| Entry {
                        key: key.clone(),
                        key_span: 0..0,
                        value: Self::from_value(value),
                        trivia: Trivia::default(),
                    })
                    .collect(),
            ),
        };
        Self::new(kind, 0..0)
    }

    pub(crate) fn to_value(&self) -> Value {
        match &self.kind {
            Kind::Null => Value::Null,
            Kind::Bool(b) => Value::Bool(*b),
            Kind::Number(n) => Value::Number(n.clone()),
            Kind::Text(s) => Value::String(s.clone()),
            Kind::List(items) => Value::Array(items.iter().map(Self::to_value).collect()),
            Kind::Map(entries) => {
                Value::Object(entries.iter().map(|e| (e.key.clone(), e.value.to_value())).collect::<Map<_, _>>())
            }
        }
    }

    pub(crate) fn text(&self) -> Option<&str> {
        match &self.kind {
            Kind::Text(text) => Some(text),
            _ => None,
        }
    }

    pub(crate) fn entries(&self) -> Option<&[Entry]> {
        match &self.kind {
            Kind::Map(entries) => Some(entries),
            _ => None,
        }
    }

    pub(crate) fn items(&self) -> Option<&[Node]> {
        match &self.kind {
            Kind::List(items) => Some(items),
            _ => None,
        }
    }

    pub(crate) fn entries_mut(&mut self) -> Option<&mut Vec<Entry>> {
        match &mut self.kind {
            Kind::Map(entries) => Some(entries),
            _ => None,
        }
    }

    pub(crate) fn items_mut(&mut self) -> Option<&mut Vec<Self>> {
        match &mut self.kind {
            Kind::List(items) => Some(items),
            _ => None,
        }
    }

    /// The entry of a key, to be changed.
    pub(crate) fn entry_mut(&mut self, key: &str) -> Option<&mut Entry> {
        self.entries_mut()?.iter_mut().find(|e| e.key == key)
    }

    /// The entry of a key.
    pub(crate) fn entry(&self, key: &str) -> Option<&Entry> {
        self.entries()?.iter().find(|e| e.key == key)
    }

    /// The value of a key.
    pub(crate) fn get(&self, key: &str) -> Option<&Node> {
        self.entry(key).map(|e| &e.value)
    }

    /// What it is, in words.
    pub(crate) fn word(&self) -> &'static str {
        match self.kind {
            Kind::Null => "nothing",
            Kind::Bool(_) => "true/false",
            Kind::Number(_) => "a number",
            Kind::Text(_) => "a text",
            Kind::List(_) => "a list",
            Kind::Map(_) => "a map",
        }
    }

    pub(crate) fn covers(&self, offset: usize) -> bool {
        self.span.start <= offset && offset <= self.span.end
    }

    /// The path of the innermost entry or item at an offset, as in `cards[2].with.id`.
    pub(crate) fn path_to(&self, offset: usize) -> String {
        let mut path = String::new();
        let mut node = self;
        loop {
            match &node.kind {
                Kind::Map(entries) => {
                    let inside =
                        |e: &&Entry| e.key_span.start <= offset && offset < e.value.span.end.max(e.key_span.end);
                    let Some(entry) = entries.iter().find(inside) else { return path };
                    if !path.is_empty() {
                        path.push('.');
                    }
                    path.extend(entry.key.chars().take(60));
                    node = &entry.value;
                }
                Kind::List(items) => {
                    let inside = |n: &&Node| n.span.start <= offset && offset < n.span.end;
                    let Some(at) = items.iter().position(|n| inside(&n)) else { return path };
                    path.push_str(&format!("[{at}]"));
                    node = &items[at];
                }
                _ => return path,
            }
        }
    }
}

/// Reads a file into one tree a document.
pub(crate) fn parse(source: &Source, findings: &mut Findings) -> Vec<Node> {
    parse_documents(source, findings).into_iter().map(|d| d.root).collect()
}

/// Whether a key may be empty, as the groups of an export are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum EmptyKeys {
    Refused,
    Taken,
}

/// Reads a file into its documents, each with its range.
pub(crate) fn parse_documents(source: &Source, findings: &mut Findings) -> Vec<Document> {
    parse_with(source, EmptyKeys::Refused, findings)
}

/// As [`parse_documents`], with a word about empty keys.
pub(crate) fn parse_with(source: &Source, empty: EmptyKeys, findings: &mut Findings) -> Vec<Document> {
    if source.text.len() > FILE_BYTES_MAX {
        let message = format!("the file has {} bytes; at most 16 MiB are read", source.text.len());
        findings.error_with("file-too-large", &(0..0), message, "split it into several flows".to_string());
        return Vec::new();
    }
    if is_json(source) {
        json::parse(&source.text, empty, findings)
            .map(|root| Document { range: 0..source.text.len(), root })
            .into_iter()
            .collect()
    } else {
        yaml::parse(&source.text, empty, findings)
    }
}

pub(crate) fn is_json(source: &Source) -> bool {
    source.name.len() >= 5 && source.name.as_bytes()[source.name.len() - 5..].eq_ignore_ascii_case(b".json")
}

/// Reports a key that is already there.
pub(crate) fn duplicate_key(
    text: &str,
    first: &Range<usize>,
    again: &Range<usize>,
    key: &str,
    findings: &mut Findings,
) {
    // Lines are counted from the start of the text, which is not done for a hundred thousand keys.
    let line = |at: usize| if findings.is_full() { 0 } else { text[..at].matches('\n').count() + 1 };
    let message = format!("`{key}` is given twice, in line {} and in line {}", line(first.start), line(again.start));
    findings.error_with("duplicate-key", again, message, "remove one of them or give it another name".to_string());
}
