//! Trees to YAML text: two spaces a level, the fewest quotes, comments where they were.
//!
//! Must never write a scalar that would be read back as something else.
//! Tests: `tests/round_trip.rs`, `tests/fmt.rs`, and below.

use serde_json::Value;

use crate::tree::{Entry, Kind, Node, Plain, Style, Trivia, plain};

/// Longest line that a list or map in brackets may make.
const WIDTH: usize = 110;
/// The same where the printer is free to choose.
const WIDTH_FREE: usize = 88;

/// The YAML of a tree, ending in a line break.
pub(crate) fn yaml(root: &Node) -> String {
    let mut out = Emitter { out: String::new() };
    match &root.kind {
        Kind::Map(entries) if !entries.is_empty() => out.map(root, entries, 0, false),
        Kind::List(items) if !items.is_empty() => out.list(root, items, 0),
        _ => {
            out.out.push_str(&inline(root));
            out.out.push('\n');
        }
    }
    out.out
}

/// One item of a list, from its dash on, in lines of their own.
pub(crate) fn item(item: Node, indent: usize) -> String {
    let mut out = Emitter { out: String::new() };
    let list = Node::new(Kind::List(vec![item]), 0..0);
    out.list(&list, list.items().unwrap_or(&[]), indent);
    out.out
}

/// One entry of a map in lines of their own.
pub(crate) fn entry(key: &str, value: &Value, indent: usize) -> String {
    let mut out = Emitter { out: String::new() };
    let map = Node::from_value(&Value::Object(std::iter::once((key.to_string(), value.clone())).collect()));
    out.map(&map, map.entries().unwrap_or(&[]), indent, false);
    out.out
}

/// A value as it stands inside brackets.
pub(crate) fn inline_item(value: &Value) -> String {
    inline_in(&Node::from_value(value), true)
}

/// An entry as it stands inside brackets.
pub(crate) fn inline_entry(key: &str, value: &Value) -> String {
    let key = if is_safe(key, true) { key.to_string() } else { quoted(key) };
    format!("{key}: {}", inline_item(value))
}

struct Emitter {
    out: String,
}

impl Emitter {
    fn indent(&mut self, by: usize) {
        self.out.extend(std::iter::repeat_n(' ', by));
    }

    fn comments(&mut self, lines: &[String], indent: usize) {
        for line in lines {
            if line.is_empty() {
                if !self.out.is_empty() && !self.out.ends_with("\n\n") {
                    self.out.push('\n');
                }
                continue;
            }
            self.indent(indent);
            self.out.push_str(line);
            self.out.push('\n');
        }
    }

    fn end_line(&mut self, trivia: &Trivia) {
        if let Some(comment) = &trivia.beside {
            self.out.push(' ');
            self.out.push_str(comment);
        }
        self.out.push('\n');
    }

    /// Entries line by line; `begun` where the first line already has its indentation (after `- `).
    fn map(&mut self, node: &Node, entries: &[Entry], indent: usize, begun: bool) {
        for (i, entry) in entries.iter().enumerate() {
            if i > 0 || !begun {
                self.comments(&entry.trivia.before, indent);
                self.indent(indent);
            }
            self.out.push_str(&scalar_key(&entry.key));
            self.out.push(':');
            self.value(&entry.value, indent, &entry.trivia);
        }
        self.comments(&node.after, indent);
    }

    fn value(&mut self, value: &Node, indent: usize, trivia: &Trivia) {
        let column = self.out.len() - self.out.rfind('\n').map_or(0, |i| i + 1);
        match &value.kind {
            Kind::Text(text) if is_block(text, value.style) => {
                self.out.push(' ');
                self.block_text(text, indent, trivia);
            }
            _ if fits_inline(value, column + 1) => {
                let text = inline(value);
                if !text.is_empty() {
                    self.out.push(' ');
                    self.out.push_str(&text);
                }
                self.end_line(trivia);
                self.comments(&value.after, indent + 2);
            }
            Kind::Map(entries) => {
                self.end_line(trivia);
                self.map(value, entries, indent + 2, false);
            }
            Kind::List(items) => {
                self.end_line(trivia);
                self.list(value, items, indent + 2);
            }
            _ => self.end_line(trivia),
        }
    }

    fn list(&mut self, node: &Node, items: &[Node], indent: usize) {
        for item in items {
            self.comments(&item.trivia.before, indent);
            match &item.kind {
                Kind::Map(entries)
                    if !entries.is_empty() && (item.style != Style::Inline || !fits_inline(item, indent + 2)) =>
                {
                    // Comments above the first key stand above the item: its line begins with the dash.
                    self.comments(&entries[0].trivia.before, indent);
                    self.indent(indent);
                    self.out.push_str("- ");
                    self.map(item, entries, indent + 2, true);
                }
                _ => {
                    self.indent(indent);
                    self.out.push('-');
                    self.value(item, indent, &item.trivia);
                }
            }
        }
        self.comments(&node.after, indent);
    }

    fn block_text(&mut self, text: &str, indent: usize, trivia: &Trivia) {
        self.out.push_str(if text.ends_with('\n') { "|" } else { "|-" });
        self.end_line(trivia);
        for line in text.strip_suffix('\n').unwrap_or(text).split('\n') {
            if !line.is_empty() {
                self.indent(indent + 2);
                self.out.push_str(line);
            }
            self.out.push('\n');
        }
    }
}

/// Whether a text is written as a block scalar: several lines, nothing that YAML would trim or need escapes for.
fn is_block(text: &str, style: Style) -> bool {
    let lines = text.contains('\n') || style == Style::Block;
    let body = text.strip_suffix('\n').unwrap_or(text);
    lines
        && !body.is_empty()
        && !body.ends_with('\n')
        && !body.starts_with([' ', '\t', '\n', '#'])
        && text.chars().all(|c| c == '\n' || is_printable(c))
        && body.split('\n').all(|line| !line.ends_with([' ', '\t']) && !line.starts_with('\t'))
}

fn is_printable(c: char) -> bool {
    !c.is_control() && !matches!(c, '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}')
}

/// Whether a value is written on the line of its key.
fn fits_inline(node: &Node, column: usize) -> bool {
    let simple = |n: &Node| match &n.kind {
        Kind::List(items) => items.is_empty(),
        Kind::Map(entries) => entries.is_empty(),
        Kind::Text(text) => !is_block(text, n.style),
        _ => true,
    };
    match &node.kind {
        Kind::Null | Kind::Bool(_) | Kind::Number(_) | Kind::Text(_) => true,
        Kind::List(items) if items.is_empty() => true,
        Kind::Map(entries) if entries.is_empty() => true,
        _ if node.style == Style::Block || has_comments(node) => false,
        Kind::List(items) if node.style == Style::Free && !items.iter().all(simple) => false,
        Kind::Map(entries) if node.style == Style::Free && !entries.iter().all(|e| simple(&e.value)) => false,
        _ => {
            let width = if node.style == Style::Inline { WIDTH } else { WIDTH_FREE };
            column + inline(node).chars().count() <= width
        }
    }
}

fn has_comments(node: &Node) -> bool {
    node.after.iter().any(|line| !line.is_empty())
        || match &node.kind {
            Kind::List(items) => items.iter().any(|n| n.trivia.has_comments() || has_comments(n)),
            Kind::Map(entries) => entries.iter().any(|e| e.trivia.has_comments() || has_comments(&e.value)),
            _ => false,
        }
}

/// A value on one line.
fn inline(node: &Node) -> String {
    inline_in(node, false)
}

fn inline_in(node: &Node, bracketed: bool) -> String {
    match &node.kind {
        Kind::Null => "null".into(),
        Kind::Bool(b) => b.to_string(),
        Kind::Number(n) => n.to_string(),
        // Quotes that were there stay; the author had a reason.
        Kind::Text(text) if node.style == Style::Inline => quoted(text),
        Kind::Text(text) => scalar(text, bracketed),
        Kind::List(items) => format!("[{}]", items.iter().map(|n| inline_in(n, true)).collect::<Vec<_>>().join(", ")),
        Kind::Map(entries) if entries.is_empty() => "{}".into(),
        Kind::Map(entries) => {
            let entries = entries.iter().map(|e| {
                let key = if is_safe(&e.key, true) { e.key.clone() } else { quoted(&e.key) };
                format!("{key}: {}", inline_in(&e.value, true))
            });
            format!("{{ {} }}", entries.collect::<Vec<_>>().join(", "))
        }
    }
}

fn scalar_key(key: &str) -> String {
    // `on` and `no` are texts in YAML 1.2; as values they are quoted for older readers, as keys they look odd in quotes.
    if is_safe(key, false) { key.into() } else { quoted(key) }
}

fn scalar(text: &str, bracketed: bool) -> String {
    let old_boolean = matches!(text.to_ascii_lowercase().as_str(), "yes" | "no" | "on" | "off" | "y" | "n");
    let like_a_date = text.starts_with(|c: char| c.is_ascii_digit()) && text.contains(['-', ':', ' ', '*']);
    if is_safe(text, bracketed) && !old_boolean && !like_a_date { text.into() } else { quoted(text) }
}

/// Whether a text can stand without quotes and is read back as the same text.
fn is_safe(text: &str, bracketed: bool) -> bool {
    let first = text.chars().next();
    plain(text) == Plain::Text
        && !first.is_some_and(|c| "-?:,[]{}#&*!|>'\"%@`=<. \t".contains(c))
        && !text.ends_with([' ', '\t', ':'])
        && !text.contains(": ")
        && !text.contains(":\t")
        && !text.contains(" #")
        && !text.contains("\t#")
        && text.chars().all(is_printable)
        && !(bracketed && text.contains(['{', '}', '[', ']', ',', ':', '"', '\'']))
}

fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            '\r' => out.push_str("\\r"),
            '\0' => out.push_str("\\0"),
            c if is_printable(c) => out.push(c),
            c => out.push_str(&format!("\\u{:04x}", u32::from(c))),
        }
    }
    out.push('"');
    out
}
