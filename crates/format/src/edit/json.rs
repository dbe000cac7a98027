//! An addition as text in a JSON file, indented as its neighbours are.
//!
//! Must never put a comma where there is no neighbour.
//! Tests: `tests/edit.rs`.

use serde_json::Value;

use super::change::{Addition, Change};
use super::lines::{Piece, line_break, line_start};
use crate::tree::Node;

/// The piece of text that makes a change.
pub(super) fn piece(text: &str, change: &Change<'_>) -> Option<Piece> {
    let node = change.node;
    match &change.what {
        Addition::Item(index, value) => {
            let spans: Vec<_> = node.items()?.iter().map(|n| n.span.clone()).collect();
            Some(among(text, node, &spans, *index, &|indent| pretty(value, indent)))
        }
        Addition::Entry { key, value, order } => {
            let entries = node.entries()?;
            let name = Value::String(key.clone()).to_string();
            if let Some(entry) = entries.iter().find(|e| e.key == *key) {
                let indent = indent_of(text, entry.key_span.start);
                let written = written(text, &indent, &|indent| pretty(value, indent));
                return Some(Piece { range: entry.value.span.clone(), text: written });
            }
            let rank = |key: &str| order.iter().position(|k| *k == key);
            let index = match rank(key) {
                Some(own) => entries.iter().rposition(|e| rank(&e.key).is_some_and(|r| r < own)).map_or(0, |i| i + 1),
                None => entries.len(),
            };
            let spans: Vec<_> = entries.iter().map(|e| e.key_span.start..e.value.span.end).collect();
            Some(among(text, node, &spans, index, &|indent| format!("{name}: {}", pretty(value, indent))))
        }
    }
}

/// Between the neighbours of a list or object.
fn among(
    text: &str,
    node: &Node,
    spans: &[std::ops::Range<usize>],
    index: usize,
    value: &dyn Fn(&str) -> String,
) -> Piece {
    let nl = line_break(text);
    let Some(first) = spans.first() else {
        let outer = indent_of(text, node.span.start);
        let inner = format!("{outer}  ");
        let (open, close) = if text[node.span.clone()].starts_with('[') { ("[", "]") } else { ("{", "}") };
        let body = written(text, &inner, value);
        return Piece { range: node.span.clone(), text: format!("{open}{nl}{inner}{body}{nl}{outer}{close}") };
    };
    let is_open = text[node.span.start..first.start].contains('\n');
    let indent = indent_of(text, first.start);
    let gap = if is_open { format!("{nl}{indent}") } else { " ".into() };
    let body = if is_open { written(text, &indent, value) } else { value("").replace('\n', " ") };
    match index.checked_sub(1).and_then(|before| spans.get(before)) {
        Some(before) => Piece { range: before.end..before.end, text: format!(",{gap}{body}") },
        None => Piece { range: first.start..first.start, text: format!("{body},{gap}") },
    }
}

fn written(text: &str, indent: &str, value: &dyn Fn(&str) -> String) -> String {
    value(indent).replace('\n', line_break(text))
}

/// The spaces at the beginning of a position's line.
fn indent_of(text: &str, at: usize) -> String {
    text[line_start(text, at)..at].chars().take_while(|c| matches!(c, ' ' | '\t')).collect()
}

fn pretty(value: &Value, indent: &str) -> String {
    format!("{value:#}").replace('\n', &format!("\n{indent}"))
}
