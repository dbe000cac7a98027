//! Finds the comments of a YAML text and gives each to the entry or item it belongs to.
//!
//! Must never lose one: what fits nowhere goes to the end.
//! Tests: `tests/fmt.rs`.

use std::collections::VecDeque;
use std::ops::Range;

use crate::tree::{Kind, Node, Style, Trivia};

/// A comment, or a run of blank lines.
#[derive(Debug)]
struct Comment {
    at: usize,
    column: usize,
    /// With its `#`; empty for blank lines.
    text: String,
    own_line: bool,
}

/// Attaches the comments in `range` of the text to the tree.
pub(crate) fn attach(text: &str, range: Range<usize>, root: &mut Node) {
    let mut opaque = Vec::new();
    opaque_texts(text, root, &mut opaque);
    let mut queue = scan(text, range.clone(), &opaque);
    let mut attacher = Attacher { text, queue: std::mem::take(&mut queue) };
    attacher.node(root, range.end, false);
    let rest: Vec<_> = attacher.queue.into_iter().map(|c| c.text).collect();
    root.after.extend(rest);
    while root.after.last().is_some_and(String::is_empty) {
        root.after.pop();
    }
}

/// Ranges of quoted and block texts and keys, where `#` is no comment. Block texts keep their header line open.
fn opaque_texts(text: &str, node: &Node, out: &mut Vec<Range<usize>>) {
    match &node.kind {
        Kind::Text(_) => {
            let written = &text[node.span.clone()];
            let skip = match node.style {
                Style::Block if written.starts_with(['|', '>']) => written.find('\n').unwrap_or(written.len()),
                Style::Free => return,
                _ => 0,
            };
            out.push(node.span.start + skip..node.span.end);
        }
        Kind::List(items) => items.iter().for_each(|n| opaque_texts(text, n, out)),
        Kind::Map(entries) => entries.iter().for_each(|e| {
            out.push(e.key_span.clone());
            opaque_texts(text, &e.value, out);
        }),
        _ => {}
    }
}

fn scan(text: &str, range: Range<usize>, opaque: &[Range<usize>]) -> VecDeque<Comment> {
    let mut found = VecDeque::new();
    let mut opaque = opaque.iter().peekable();
    let mut at = range.start;
    let mut after_blank = false;
    for line in text[range].split_inclusive('\n') {
        let start = at;
        at += line.len();
        let mut inside = false;
        let body = line.trim_end();
        let mut from = start;
        while let Some(next) = opaque.peek() {
            if next.end <= from {
                opaque.next();
            } else if next.start <= from {
                inside = inside || next.start < start;
                from = next.end;
                if from >= at {
                    break;
                }
                opaque.next();
            } else {
                match comment_in(text, from..next.start.min(start + body.len())) {
                    Some(_) => break,
                    None if next.start >= at => break,
                    None => from = next.start,
                }
            }
        }
        if body.is_empty() && !inside {
            if start > 0 && !after_blank {
                found.push_back(Comment { at: start, column: usize::MAX, text: String::new(), own_line: true });
            }
            after_blank = true;
            continue;
        }
        after_blank = false;
        let end = start + body.len();
        if from < end
            && let Some(hash) = comment_in(text, from..end)
        {
            let own_line = text[start..hash].trim().is_empty();
            found.push_back(Comment { at: hash, column: hash - start, text: text[hash..end].to_string(), own_line });
        }
    }
    found
}

/// The place of a `#` that starts a comment: at the start of a line or after a space.
fn comment_in(text: &str, range: Range<usize>) -> Option<usize> {
    let bytes = text.as_bytes();
    let mut at = range.start;
    while at < range.end {
        if bytes[at] == b'#' && (at == 0 || matches!(bytes[at - 1], b' ' | b'\t' | b'\n')) {
            return Some(at);
        }
        at += 1;
    }
    None
}

struct Attacher<'a> {
    text: &'a str,
    queue: VecDeque<Comment>,
}

impl Attacher<'_> {
    fn before(&mut self, position: usize) -> Vec<String> {
        let mut lines = Vec::new();
        while self.queue.front().is_some_and(|c| c.at < position) {
            lines.extend(self.queue.pop_front().map(|c| c.text));
        }
        lines
    }

    /// A comment on the line of `position`, at or after it and before `limit`.
    fn beside(&mut self, position: usize, limit: usize, trivia: &mut Trivia) {
        let Some(comment) = self.queue.front() else { return };
        let position = position.min(comment.at);
        let fits = !comment.own_line && comment.at < limit && !self.text[position..comment.at].contains('\n');
        if fits && trivia.beside.is_none() {
            trivia.beside = self.queue.pop_front().map(|c| c.text);
        }
    }

    /// Gives comments to the parts of a node; none at or after `limit` belongs to it.
    fn node(&mut self, node: &mut Node, limit: usize, in_brackets: bool) {
        let inline = node.style == Style::Inline;
        let limit = if inline { limit.min(node.span.end) } else { limit };
        let column = node.span.start - self.text[..node.span.start].rfind('\n').map_or(0, |i| i + 1);
        match &mut node.kind {
            Kind::Map(entries) => {
                let starts: Vec<_> = entries.iter().skip(1).map(|e| e.key_span.start).chain([limit]).collect();
                for (entry, next) in entries.iter_mut().zip(starts) {
                    entry.trivia.before.extend(self.before(entry.key_span.start));
                    self.child(entry.key_span.end, &mut entry.value, &mut entry.trivia, next, inline || in_brackets);
                }
            }
            Kind::List(items) => {
                let starts: Vec<_> = items.iter().skip(1).map(|n| n.span.start).chain([limit]).collect();
                for (item, next) in items.iter_mut().zip(starts) {
                    let mut trivia = std::mem::take(&mut item.trivia);
                    trivia.before.extend(self.before(item.span.start));
                    let start = item.span.start;
                    self.child(start, item, &mut trivia, next, inline || in_brackets);
                    item.trivia = trivia;
                }
            }
            _ => return,
        }
        // What follows the last child and stands as deep as the children belongs to the end of this list or map.
        let mut lines = Vec::new();
        while self
            .queue
            .iter()
            .find(|c| !c.text.is_empty())
            .is_some_and(|c| c.at < limit && (inline || c.column >= column))
        {
            lines.extend(self.queue.pop_front().map(|c| c.text));
        }
        node.after = lines;
    }

    fn child(&mut self, head: usize, value: &mut Node, trivia: &mut Trivia, limit: usize, in_brackets: bool) {
        let nested = matches!(&value.kind, Kind::Map(e) if !e.is_empty())
            || matches!(&value.kind, Kind::List(i) if !i.is_empty());
        let below = nested && self.text[head.min(value.span.start)..value.span.start].contains('\n');
        let block_text = value.style == Style::Block && !nested;
        if below || block_text {
            self.beside(head, limit.min(if below { value.span.start } else { value.span.end }), trivia);
        }
        self.node(value, limit, in_brackets);
        if !block_text && (value.style == Style::Inline || !nested) {
            self.beside(value.span.end, limit, trivia);
        }
    }
}
