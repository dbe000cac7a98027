//! Builds trees from YAML events, with a stack of its own.
//!
//! Must never follow an anchor, a tag or a merge key, nor recurse.
//! Tests: `tests/hostile.rs`, `tests/diagnostics.rs`.

use std::collections::HashMap;
use std::ops::Range;

use saphyr_parser::{Event, Parser, ScalarStyle, Span};

use super::{EmptyKeys, Entry, Kind, Node, Plain, Style, Trivia, duplicate_key, plain};
use crate::findings::Findings;
use crate::limits::{DEPTH_MAX, KEY_BYTES_MAX, KEYS_MAX, NODES_MAX, TEXT_BYTES_MAX};

/// One YAML document of a file.
#[derive(Debug)]
pub(crate) struct Document {
    /// From its start to the next document's.
    pub(crate) range: Range<usize>,
    pub(crate) root: Node,
}

/// A list or map under construction.
enum Open {
    List(usize, Style, Vec<Node>),
    Map(usize, Style, Vec<Entry>, HashMap<String, usize>, Option<(String, Range<usize>)>),
}

/// The documents of a text; those read before an error are kept, so that messages can name paths.
pub(crate) fn parse(text: &str, empty: EmptyKeys, findings: &mut Findings) -> Vec<Document> {
    let body = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut builder = Builder {
        text,
        bytes: ByteIndex::new(body, text.len() - body.len()),
        findings,
        open: Vec::new(),
        documents: Vec::new(),
        document_start: 0,
        nodes: 0,
        empty,
    };
    for event in Parser::new_from_str(body) {
        match event {
            Ok((event, span)) => {
                if builder.take(event, &span).is_none() {
                    break;
                }
            }
            Err(error) => {
                let at = builder.bytes.byte(error.marker().index()).min(text.len());
                if error.info().contains("recursion limit") {
                    builder.too_deep(&(at..at));
                    break;
                }
                let message = format!("this is not well-formed YAML: {}", error.info());
                let remedy = "look at indentation, quotes and brackets here and in the line above";
                builder.findings.error_with("bad-yaml", &(at..at), message, remedy.to_string());
                break;
            }
        }
    }
    builder.close_all();
    let mut documents = builder.documents;
    documents.retain(|d| !matches!(d.root.kind, Kind::Null));
    documents
}

struct Builder<'a> {
    text: &'a str,
    bytes: ByteIndex<'a>,
    findings: &'a mut Findings,
    open: Vec<Open>,
    documents: Vec<Document>,
    document_start: usize,
    nodes: usize,
    empty: EmptyKeys,
}

impl Builder<'_> {
    /// Takes an event; `None` where reading must end.
    fn take(&mut self, event: Event<'_>, span: &Span) -> Option<()> {
        let range = self.bytes.byte(span.start.index())..self.bytes.byte(span.end.index());
        match event {
            Event::Nothing | Event::StreamStart | Event::StreamEnd => {}
            Event::DocumentStart(explicit) => {
                self.document_start = if explicit { range.start } else { self.document_start };
            }
            Event::DocumentEnd => self.document_start = range.end,
            Event::Alias(_) => {
                let remedy = "write the value out where it is needed, or make a helper flow".to_string();
                self.findings.error_with("no-aliases", &range, "aliases (`*name`) are not part of flow files", remedy);
                return None;
            }
            Event::Scalar(value, style, anchor, tag) => {
                self.count(&range)?;
                self.plain_only(anchor, tag.is_some(), &range)?;
                let end = quoted_end(self.text, &range);
                self.scalar(&value, style, range.start..end)?;
            }
            Event::SequenceStart(anchor, tag) => {
                self.enter(anchor, tag.is_some(), &range)?;
                let style = self.style_at(&range, '[');
                self.open.push(Open::List(range.start, style, Vec::new()));
            }
            Event::MappingStart(anchor, tag) => {
                self.enter(anchor, tag.is_some(), &range)?;
                let style = self.style_at(&range, '{');
                self.open.push(Open::Map(range.start, style, Vec::new(), HashMap::new(), None));
            }
            // The parser's range of a closing bracket takes in what follows it on the line.
            Event::SequenceEnd | Event::MappingEnd => {
                let bracket = self.text[range.start..].starts_with([']', '}']);
                self.leave(if bracket { range.start + 1 } else { range.end });
            }
        }
        Some(())
    }

    fn style_at(&self, range: &Range<usize>, bracket: char) -> Style {
        if self.text[range.start..].starts_with(bracket) { Style::Inline } else { Style::Block }
    }

    fn count(&mut self, range: &Range<usize>) -> Option<()> {
        self.nodes += 1;
        if self.nodes > NODES_MAX {
            self.findings.error("too-many-values", range, format!("the file holds more than {NODES_MAX} values"));
            return None;
        }
        Some(())
    }

    fn plain_only(&mut self, anchor: usize, tagged: bool, range: &Range<usize>) -> Option<()> {
        if anchor != 0 {
            let remedy = "remove the `&name`; write values out or make a helper flow".to_string();
            self.findings.error_with("no-anchors", range, "anchors (`&name`) are not part of flow files", remedy);
            return None;
        }
        if tagged {
            let remedy = "remove the `!tag`; use quotes to make something a text".to_string();
            self.findings.error_with("no-tags", range, "tags (`!name`) are not part of flow files", remedy);
            return None;
        }
        Some(())
    }

    fn too_deep(&mut self, range: &Range<usize>) {
        let remedy = "move inner cards into a helper flow".to_string();
        let message = format!("lists and maps are nested deeper than {DEPTH_MAX}");
        self.findings.error_with("too-deep", range, message, remedy);
    }

    fn enter(&mut self, anchor: usize, tagged: bool, range: &Range<usize>) -> Option<()> {
        self.count(range)?;
        self.plain_only(anchor, tagged, range)?;
        if self.open.len() >= DEPTH_MAX {
            self.too_deep(range);
            return None;
        }
        if let Some(Open::Map(.., key @ None)) = self.open.last_mut() {
            let _: &mut Option<_> = key;
            self.findings.error("bad-key", range, "a key must be a text, not a list or map");
            return None;
        }
        Some(())
    }

    fn scalar(&mut self, value: &str, style: ScalarStyle, range: Range<usize>) -> Option<()> {
        if value.len() > TEXT_BYTES_MAX {
            self.findings.error("text-too-long", &range, "a text is longer than 1 MiB");
            return None;
        }
        if let Some(Open::Map(_, _, entries, seen, key @ None)) = self.open.last_mut() {
            if value == "<<" && style == ScalarStyle::Plain {
                let remedy = "write the keys out".to_string();
                self.findings.error_with("no-merge", &range, "merge keys (`<<`) are not part of flow files", remedy);
                return None;
            }
            let may_be_empty = self.empty == EmptyKeys::Taken && style != ScalarStyle::Plain;
            if (value.is_empty() && !may_be_empty) || value.len() > KEY_BYTES_MAX {
                let message = format!("a key must have 1 to {KEY_BYTES_MAX} bytes");
                self.findings.error("bad-key", &range, message);
                return None;
            }
            if entries.len() >= KEYS_MAX {
                self.findings.error("too-many-keys", &range, format!("a map has more than {KEYS_MAX} keys"));
                return None;
            }
            if let Some(first) = seen.insert(value.to_string(), entries.len()) {
                let first = entries.get(first).map_or(0..0, |e| e.key_span.clone());
                duplicate_key(self.text, &first, &range, value, self.findings);
            }
            *key = Some((value.to_string(), range));
            return Some(());
        }
        let (kind, style) = match style {
            ScalarStyle::Plain => (self.plain(value, &range), Style::Free),
            ScalarStyle::Literal | ScalarStyle::Folded => (Kind::Text(value.to_string()), Style::Block),
            ScalarStyle::SingleQuoted | ScalarStyle::DoubleQuoted => (Kind::Text(value.to_string()), Style::Inline),
        };
        // Its range of an unquoted text or block takes in the empty lines below.
        let written = &self.text[range.clone()];
        let end = if style == Style::Inline { range.end } else { range.start + written.trim_end().len() };
        self.add(Node { style, ..Node::new(kind, range.start..end) });
        Some(())
    }

    fn plain(&mut self, value: &str, range: &Range<usize>) -> Kind {
        match plain(value) {
            Plain::Null => Kind::Null,
            Plain::Bool(b) => Kind::Bool(b),
            Plain::Number(n) => Kind::Number(n),
            Plain::Text => Kind::Text(value.to_string()),
            Plain::Doubtful(why) => {
                let shown: String = value.chars().take(40).collect();
                let remedy = format!("write \"{shown}\" in quotes if a text is meant");
                self.findings.error_with("doubtful-number", range, format!("`{shown}`: {why}"), remedy);
                Kind::Text(value.to_string())
            }
        }
    }

    fn leave(&mut self, end: usize) {
        let node = match self.open.pop() {
            None => return,
            Some(Open::List(start, style, items)) => {
                let end = if style == Style::Inline { end } else { items.last().map_or(end, |n| n.span.end) };
                Node { style, ..Node::new(Kind::List(items), start..end.max(start)) }
            }
            Some(Open::Map(start, style, entries, ..)) => {
                let last = entries.last().map_or(end, |e| e.value.span.end.max(e.key_span.end));
                let end = if style == Style::Inline { end } else { last };
                Node { style, ..Node::new(Kind::Map(entries), start..end.max(start)) }
            }
        };
        self.add(node);
    }

    fn add(&mut self, node: Node) {
        match self.open.last_mut() {
            None => {
                let range = self.document_start..node.span.end;
                self.documents.push(Document { range, root: node });
            }
            Some(Open::List(_, _, items)) => items.push(node),
            Some(Open::Map(_, _, entries, _, key)) => {
                if let Some((key, key_span)) = key.take() {
                    entries.push(Entry { key, key_span, value: node, trivia: Trivia::default() });
                }
            }
        }
    }

    fn close_all(&mut self) {
        let end = self.text.len();
        while !self.open.is_empty() {
            self.leave(end);
        }
        let starts: Vec<_> = self.documents.iter().skip(1).map(|d| d.range.start).collect();
        for (document, next) in self.documents.iter_mut().zip(starts.into_iter().chain([end])) {
            document.range.end = next;
        }
    }
}

/// Turns the parser's character positions into byte positions, without a walk from the start each time.
struct ByteIndex<'a> {
    text: &'a str,
    shift: usize,
    /// Byte position of every 64th character; empty where all are ASCII.
    marks: Vec<usize>,
}

const MARK_EVERY: usize = 64;

impl<'a> ByteIndex<'a> {
    fn new(text: &'a str, shift: usize) -> Self {
        let marks = if text.is_ascii() {
            Vec::new()
        } else {
            text.char_indices().step_by(MARK_EVERY).map(|(i, _)| i).collect()
        };
        Self { text, shift, marks }
    }

    fn byte(&self, index: usize) -> usize {
        let byte = if self.marks.is_empty() {
            index.min(self.text.len())
        } else {
            self.marks.get(index / MARK_EVERY).map_or(self.text.len(), |mark| {
                let rest = &self.text[*mark..];
                rest.char_indices().nth(index % MARK_EVERY).map_or(self.text.len(), |(i, _)| mark + i)
            })
        };
        byte + self.shift
    }
}
/// Where a text in quotes ends; the parser's range of one takes in what follows it on the line, a comment too.
fn quoted_end(text: &str, range: &Range<usize>) -> usize {
    let bytes = text.as_bytes();
    let Some(quote) = bytes.get(range.start).copied().filter(|b| matches!(b, b'"' | b'\'')) else { return range.end };
    let mut at = range.start + 1;
    while at < range.end {
        match (bytes[at], quote) {
            (b'\\', b'"') => at += 2,
            (b'\'', b'\'') if bytes.get(at + 1) == Some(&b'\'') => at += 2,
            (b, _) if b == quote => return at + 1,
            _ => at += 1,
        }
    }
    range.end
}
