//! The keys of one map: taken one by one; what nobody took is unknown.
//!
//! Must never pass over a key silently.
//! Tests: `tests/diagnostics.rs`.

use super::Reader;
use crate::nearest::suggestion;
use crate::tree::{Entry, Node};

/// The keys of a map node.
pub(crate) struct Keys<'a> {
    pub(crate) node: &'a Node,
    taken: Vec<&'static str>,
}

impl<'a> Keys<'a> {
    pub(super) fn new(node: &'a Node) -> Self {
        Self { node, taken: Vec::new() }
    }

    pub(super) fn entries(&self) -> &'a [Entry] {
        self.node.entries().unwrap_or(&[])
    }

    /// The value of a key, which then counts as known.
    pub(super) fn take(&mut self, key: &'static str) -> Option<&'a Node> {
        self.taken.push(key);
        self.node.get(key)
    }

    /// The value of a key that must be there.
    pub(super) fn need(&mut self, key: &'static str, what: &str, reader: &mut Reader<'_, '_>) -> Option<&'a Node> {
        let value = self.take(key);
        if value.is_none() && self.node.entries().is_some() {
            let message = format!("{what} needs `{key}`");
            let span = self.node.entries().and_then(|e| e.first()).map_or(&self.node.span, |e| &e.key_span);
            reader.findings.error_with("missing-key", span, message, format!("add `{key}: …`"));
        }
        value
    }

    /// Reports keys that nobody took; `known` are all that may be there.
    pub(super) fn finish(self, known: &[&str], reader: &mut Reader<'_, '_>) {
        for entry in self.entries() {
            if !self.taken.iter().any(|k| *k == entry.key) {
                let shown: String = entry.key.chars().take(60).collect();
                let remedy = reader.findings.hint(|| suggestion(&entry.key, known.iter().copied()));
                reader.findings.error_with(
                    "unknown-key",
                    &entry.key_span,
                    format!("`{shown}` is not known here"),
                    remedy,
                );
            }
        }
    }
}
