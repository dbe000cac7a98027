//! Builds a tree from JSON (RFC 8259), strictly: no comments, no trailing commas, no YAML.
//!
//! Must never nest deeper than the limit.
//! Tests: below, `tests/hostile.rs`.

use std::collections::HashMap;
use std::ops::Range;

use super::{EmptyKeys, Entry, Kind, Node, Style, Trivia, duplicate_key};
use crate::findings::Findings;
use crate::limits::{DEPTH_MAX, KEY_BYTES_MAX, KEYS_MAX, NODES_MAX, TEXT_BYTES_MAX};

/// The tree of a JSON text.
pub(crate) fn parse(text: &str, empty: EmptyKeys, findings: &mut Findings) -> Option<Node> {
    let mut reader = Reader { text, at: if text.starts_with('\u{feff}') { 3 } else { 0 }, nodes: 0, empty, findings };
    let root = reader.value(0)?;
    reader.skip_space();
    if reader.at < text.len() {
        return reader.wrong("the JSON value ends here, but more text follows").map(|()| root);
    }
    Some(root)
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
    nodes: usize,
    empty: EmptyKeys,
    findings: &'a mut Findings,
}

impl Reader<'_> {
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn skip_space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn wrong<T>(&mut self, message: &str) -> Option<T> {
        let at = self.at.min(self.text.len());
        self.findings.error("bad-json", &(at..at), format!("this is not well-formed JSON: {message}"));
        None
    }

    fn value(&mut self, depth: usize) -> Option<Node> {
        self.skip_space();
        let start = self.at;
        self.nodes += 1;
        if self.nodes > NODES_MAX {
            self.findings.error(
                "too-many-values",
                &(start..start),
                format!("the file holds more than {NODES_MAX} values"),
            );
            return None;
        }
        let (kind, style) = match self.peek() {
            Some(b'{' | b'[') if depth >= DEPTH_MAX => {
                let message = format!("lists and maps are nested deeper than {DEPTH_MAX}");
                let remedy = "move inner cards into a helper flow".to_string();
                self.findings.error_with("too-deep", &(start..start), message, remedy);
                return None;
            }
            Some(b'{') => (self.object(depth)?, Style::Free),
            Some(b'[') => (self.list(depth)?, Style::Free),
            Some(b'"') => (Kind::Text(self.string(TEXT_BYTES_MAX)?), Style::Inline),
            Some(b'-' | b'0'..=b'9') => (self.number()?, Style::Free),
            _ => (self.word()?, Style::Free),
        };
        Some(Node { style, ..Node::new(kind, start..self.at) })
    }

    fn word(&mut self) -> Option<Kind> {
        for (word, kind) in [("true", Kind::Bool(true)), ("false", Kind::Bool(false)), ("null", Kind::Null)] {
            if self.text[self.at..].starts_with(word) {
                self.at += word.len();
                return Some(kind);
            }
        }
        match self.peek() {
            None => self.wrong("it ends too early"),
            Some(b'#' | b'/') => self.wrong("JSON has no comments; name the file `.yaml` to use them"),
            Some(b'\'') => self.wrong("texts need double quotes"),
            Some(_) => self.wrong("expected a value: text in double quotes, number, true, false, null, list or object"),
        }
    }

    fn number(&mut self) -> Option<Kind> {
        let rest = &self.text[self.at..];
        let end = rest.find(|c: char| !matches!(c, '0'..='9' | '-' | '+' | '.' | 'e' | 'E')).unwrap_or(rest.len());
        match serde_json::from_str(&rest[..end]) {
            Ok(number) => {
                self.at += end;
                Some(Kind::Number(number))
            }
            Err(_) => self.wrong("this number is not one of JSON's, or too large"),
        }
    }

    fn string(&mut self, bytes_max: usize) -> Option<String> {
        let bytes = self.text.as_bytes();
        let mut end = self.at + 1;
        loop {
            match bytes.get(end) {
                None | Some(b'\n') => return self.wrong("a text is not closed with `\"`"),
                Some(b'"') => break,
                Some(b'\\') => end += 2,
                Some(_) => end += 1,
            }
        }
        if end - self.at > bytes_max {
            let span = self.at..self.at;
            self.findings.error("text-too-long", &span, format!("a text is longer than {bytes_max} bytes"));
            return None;
        }
        match serde_json::from_str(&self.text[self.at..=end]) {
            Ok(text) => {
                self.at = end + 1;
                Some(text)
            }
            Err(_) => self.wrong("a text with a control character or an escape that JSON does not have"),
        }
    }

    fn list(&mut self, depth: usize) -> Option<Kind> {
        self.at += 1;
        let mut items = Vec::new();
        self.skip_space();
        if self.peek() == Some(b']') {
            self.at += 1;
            return Some(Kind::List(items));
        }
        loop {
            items.push(self.value(depth + 1)?);
            self.skip_space();
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b']') => break,
                _ => return self.wrong("expected `,` or `]`"),
            }
        }
        self.at += 1;
        Some(Kind::List(items))
    }

    fn object(&mut self, depth: usize) -> Option<Kind> {
        self.at += 1;
        let mut entries: Vec<Entry> = Vec::new();
        let mut seen: HashMap<String, Range<usize>> = HashMap::new();
        self.skip_space();
        if self.peek() == Some(b'}') {
            self.at += 1;
            return Some(Kind::Map(entries));
        }
        loop {
            self.skip_space();
            let start = self.at;
            if self.peek() != Some(b'"') {
                return self.wrong("expected a key in double quotes");
            }
            let key = self.string(KEY_BYTES_MAX)?;
            let key_span = start..self.at;
            if key.is_empty() && self.empty == EmptyKeys::Refused {
                self.findings.error("bad-key", &key_span, format!("a key must have 1 to {KEY_BYTES_MAX} bytes"));
                return None;
            }
            if entries.len() >= KEYS_MAX {
                self.findings.error("too-many-keys", &key_span, format!("a map has more than {KEYS_MAX} keys"));
                return None;
            }
            if let Some(first) = seen.insert(key.clone(), key_span.clone()) {
                duplicate_key(self.text, &first, &key_span, &key, self.findings);
            }
            self.skip_space();
            if self.peek() != Some(b':') {
                return self.wrong("expected `:` after a key");
            }
            self.at += 1;
            let value = self.value(depth + 1)?;
            entries.push(Entry { key, key_span, value, trivia: Trivia::default() });
            self.skip_space();
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b'}') => break,
                _ => return self.wrong("expected `,` or `}`"),
            }
        }
        self.at += 1;
        Some(Kind::Map(entries))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn read(text: &str) -> Option<Value> {
        let mut findings = Findings::default();
        let node = parse(text, EmptyKeys::Refused, &mut findings);
        node.filter(|_| !findings.has_errors()).map(|n| n.to_value())
    }

    #[test]
    fn json_is_read_as_json_and_nothing_else() {
        let text = "{\"a\": [1, -2.5e3, true, null, \"\\ud83d\\ude00 \\/\"],\n\t\"b\": {}}";
        assert_eq!(read(text), Some(json!({"a": [1, -2500.0, true, null, "😀 /"], "b": {}})));
        for bad in
            ["", "{", "{a: 1}", "[1,]", "{'a': 1}", "# x\n{}", "{} {}", "[01]", "\"\\x\"", "{\"a\":1,\"a\":2}", "\"\\"]
        {
            assert_eq!(read(bad), None, "{bad}");
        }
    }
}
