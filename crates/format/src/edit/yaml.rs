//! An addition as text in a YAML file, written as its neighbours are.
//!
//! Must never indent with tabs, nor break a line that it does not own.
//! Tests: `tests/edit.rs`.

use serde_json::Value;

use super::change::{Addition, Change};
use super::lines::{Piece, column, line_break, line_end, line_start, over};
use crate::emit;
use crate::tree::{Entry, Kind, Node, Style};

/// The piece of text that makes a change.
pub(super) fn piece(text: &str, change: &Change<'_>, behind_blanks: bool) -> Option<Piece> {
    let place = Place { text, node: change.node, behind_blanks };
    match (&change.what, change.node.style) {
        (Addition::Item(index, value), Style::Inline) => place.inline_item(*index, value),
        (Addition::Item(index, value), _) => place.block_item(*index, value),
        (Addition::Entry { key, value, order }, Style::Inline) => place.inline_entry(key, value, order),
        (Addition::Entry { key, value, order }, _) => place.block_entry(key, value, order),
    }
}

struct Place<'a> {
    text: &'a str,
    node: &'a Node,
    behind_blanks: bool,
}

impl Place<'_> {
    /// Whole lines at a position where a line begins; the text's last line may lack its end.
    fn lines(&self, at: usize, lines: &str) -> Piece {
        let lines = lines.replace('\n', line_break(self.text));
        let nl = line_break(self.text);
        let open_end = at == self.text.len() && !self.text.is_empty() && !self.text.ends_with('\n');
        let text = if open_end { format!("{nl}{}", lines.strip_suffix(nl).unwrap_or(&lines)) } else { lines };
        Piece { range: at..at, text }
    }

    fn block_item(&self, index: usize, value: &Value) -> Option<Piece> {
        let items = self.node.items()?;
        let first = items.first()?;
        let indent = self.dash_column(first)?;
        let mut item = Node::from_value(value);
        let neighbour = items.get(index.saturating_sub(1)).unwrap_or(first);
        if neighbour.style == Style::Inline {
            item.style = Style::Inline;
        }
        let lines = emit::item(item, indent);
        let is_airy = items.len() > 1 && items.windows(2).all(|pair| self.blank_between(&pair[0], &pair[1]));
        let Some(before) = index.checked_sub(1) else {
            let at = self.first_line()?;
            return Some(self.lines(at, &if is_airy { lines + "\n" } else { lines }));
        };
        let at = over(self.text, end_of(self.text, items.get(before)?), indent, self.behind_blanks);
        Some(self.lines(at, &if is_airy { format!("\n{lines}") } else { lines }))
    }

    /// The column of the dashes.
    fn dash_column(&self, first: &Node) -> Option<usize> {
        let before = self.text[..first.span.start].trim_end_matches([' ', '\n', '\r']);
        let at = if self.text[self.node.span.start..].starts_with('-') {
            self.node.span.start
        } else {
            before.ends_with('-').then(|| before.len() - 1)?
        };
        let column = column(self.text, at);
        self.text[at - column..at].bytes().all(|b| b == b' ').then_some(column)
    }

    /// Below the line of the list's key.
    fn first_line(&self) -> Option<usize> {
        // Comments above the first item are its own.
        let mut at = self.text[..self.node.span.start].trim_end().len();
        loop {
            let start = line_start(self.text, at);
            let line = self.text[start..line_end(self.text, at)].trim();
            if start == 0 || !(line.is_empty() || line.starts_with('#')) {
                return Some(line_end(self.text, at));
            }
            at = start - 1;
        }
    }

    fn blank_between(&self, a: &Node, b: &Node) -> bool {
        let between = self.text.get(end_of(self.text, a)..b.span.start).unwrap_or_default();
        let lines: Vec<&str> = between.split('\n').collect();
        lines.len() > 2 && lines[1..lines.len() - 1].iter().any(|line| line.trim().is_empty())
    }

    fn inline_item(&self, index: usize, value: &Value) -> Option<Piece> {
        let (items, written) = (self.node.items()?, emit::inline_item(value));
        Some(match index.checked_sub(1) {
            Some(before) => {
                let at = items.get(before)?.span.end;
                Piece { range: at..at, text: format!(", {written}") }
            }
            None => {
                let at = items.first()?.span.start;
                Piece { range: at..at, text: format!("{written}, ") }
            }
        })
    }

    fn inline_entry(&self, key: &str, value: &Value, order: &[&str]) -> Option<Piece> {
        let entries = self.node.entries()?;
        let written = emit::inline_entry(key, value);
        if let Some(entry) = entries.iter().find(|e| e.key == key) {
            let range = entry.key_span.start..entry.value.span.end.max(entry.key_span.end);
            return Some(Piece { range, text: written });
        }
        Some(match (before(entries, key, order), entries.first()) {
            (Some(entry), _) => {
                let at = end_of_entry(self.text, entry);
                Piece { range: at..at, text: format!(", {written}") }
            }
            (None, Some(first)) => {
                let at = first.key_span.start;
                Piece { range: at..at, text: format!("{written}, ") }
            }
            (None, None) => Piece { range: self.node.span.clone(), text: format!("{{ {written} }}") },
        })
    }

    fn block_entry(&self, key: &str, value: &Value, order: &[&str]) -> Option<Piece> {
        let entries = self.node.entries()?;
        let first = entries.first()?;
        let indent = column(self.text, first.key_span.start);
        let lines = emit::entry(key, value, indent);
        if let Some(entry) = entries.iter().find(|e| e.key == key) {
            return self.filled(entry, &lines);
        }
        Some(match before(entries, key, order) {
            Some(entry) => {
                let at = over(self.text, end_of_entry(self.text, entry), indent, self.behind_blanks);
                self.lines(at, &lines)
            }
            None => {
                let (at, pad) = (first.key_span.start, " ".repeat(indent));
                let lines = lines.trim_start_matches(' ').replace('\n', line_break(self.text));
                Piece { range: at..at, text: format!("{lines}{pad}") }
            }
        })
    }

    /// A key whose value was empty: its line stays, its brackets go.
    fn filled(&self, entry: &Entry, lines: &str) -> Option<Piece> {
        let (_, below) = lines.split_once('\n')?;
        let colon = entry.key_span.end + self.text[entry.key_span.end..].find(':')? + 1;
        let stop = line_end(self.text, colon);
        let value = &entry.value;
        let is_written = !matches!(value.kind, Kind::Null) || value.span.end > value.span.start;
        let gone = if is_written && value.span.start >= colon && value.span.end <= stop {
            colon..value.span.end
        } else {
            colon..colon
        };
        let rest = &self.text[gone.end..stop];
        let nl = line_break(self.text);
        let below = below.replace('\n', nl);
        let text = if rest.ends_with('\n') {
            format!("{rest}{below}")
        } else {
            format!("{rest}{nl}{}", below.strip_suffix(nl).unwrap_or(&below))
        };
        Some(Piece { range: gone.start..stop, text })
    }
}

/// The entry behind which a key goes; none where it goes before all.
fn before<'a>(entries: &'a [Entry], key: &str, order: &[&str]) -> Option<&'a Entry> {
    let rank = |key: &str| order.iter().position(|k| *k == key);
    let Some(own) = rank(key) else { return entries.last() };
    entries.iter().filter(|e| rank(&e.key).is_some_and(|r| r < own)).max_by_key(|e| rank(&e.key))
}

/// Where the last word of a node ends.
fn end_of(text: &str, node: &Node) -> usize {
    if node.style == Style::Inline {
        return node.span.end;
    }
    match &node.kind {
        Kind::Map(entries) => entries.last().map_or(node.span.end, |e| end_of_entry(text, e)),
        Kind::List(items) => items.last().map_or(node.span.end, |n| end_of(text, n)),
        _ => node.span.end,
    }
}

fn end_of_entry(text: &str, entry: &Entry) -> usize {
    // The place of a value that is not written is somewhere behind.
    let is_unwritten = matches!(entry.value.kind, Kind::Null) && entry.value.span.is_empty();
    if is_unwritten { entry.key_span.end } else { end_of(text, &entry.value) }
}
