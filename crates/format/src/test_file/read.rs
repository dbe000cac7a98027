//! Trees to tests: keys and types are checked, cases get what they share.
//!
//! Must never guess what a wrong value was meant to be.
//! Tests: `tests/test_files.rs`.

use std::collections::BTreeMap;

use flowdeck_model::Value;
use serde_json::Map;

use super::{ENDS, EXPECTED, Test};
use crate::findings::Findings;
use crate::nearest::suggestion;
use crate::tree::{Entry, Node};

/// Keys of a test; `export`, `app_answers` are other words for `file`, `answers`.
pub(super) const TEST: &[&str] = &[
    "id",
    "why",
    "file",
    "export",
    "flow",
    "clock",
    "input",
    "event",
    "inputs",
    "connections",
    "tables",
    "answers",
    "app_answers",
    "decisions",
    "expected",
    "unknowns_touched",
];
/// Ways to start by the names of an export.
pub(super) const INPUTS: &[&str] = &["args", "inputs", "events", "outputs", "http", "context"];
/// Keys of an answer.
pub(super) const ANSWER: &[&str] = &["outputs", "records", "error"];
/// Keys of an error that an app answers.
pub(super) const ANSWERED_ERROR: &[&str] = &["statusCode", "message", "body"];
/// Keys of an error that a run ends with.
pub(super) const ERROR: &[&str] = &["statusCode", "message", "body", "code"];
/// Keys of an expected request.
pub(super) const REQUEST: &[&str] = &["card", "step", "method", "url", "headers", "body"];
/// Most tests of one file.
const TESTS_MAX: usize = 10_000;

pub(super) fn tests(text: &str, documents: &[Node], findings: &mut Findings) -> Vec<Test> {
    let mut reader = Reader { text, findings };
    let mut tests = Vec::new();
    for root in documents {
        let mut shared = Test::default();
        reader.test(root, &mut shared, true);
        match root.get("cases") {
            None => tests.push(shared),
            Some(cases) => {
                for (at, case) in reader.list(cases, "`cases`").iter().enumerate() {
                    let id = format!("case {}", at + 1);
                    let mut test = Test { id, expected: Value::Null, ..shared.clone() };
                    reader.test(case, &mut test, false);
                    tests.push(test);
                }
                if let (true, Some(first)) = (cases.items().is_some_and(<[Node]>::is_empty), root.entry("cases")) {
                    reader.findings.error("no-cases", &first.key_span, "there is no case in `cases`");
                }
            }
        }
    }
    if tests.len() > TESTS_MAX {
        reader.findings.error("too-many-tests", &(0..0), format!("the file holds more than {TESTS_MAX} tests"));
    }
    let mut seen: Vec<&str> = Vec::new();
    for test in &tests {
        if tests.len() > 1 && seen.contains(&test.id.as_str()) {
            let message = format!("two tests are called `{}`", test.id);
            let at = offset_of(text, test.line);
            reader.findings.error_with("duplicate-id", &(at..at), message, "give each an `id` of its own".to_owned());
        }
        seen.push(&test.id);
    }
    tests
}

fn offset_of(text: &str, line: usize) -> usize {
    text.match_indices('\n').nth(line.saturating_sub(2)).filter(|_| line > 1).map_or(0, |(at, _)| at + 1)
}

struct Reader<'a> {
    text: &'a str,
    findings: &'a mut Findings,
}

impl Reader<'_> {
    fn test(&mut self, node: &Node, test: &mut Test, may_have_cases: bool) {
        let entries = self.map(node, "a test");
        test.line = self.text.get(..node.span.start).map_or(1, |before| before.matches('\n').count() + 1);
        for entry in entries {
            let value = &entry.value;
            match entry.key.as_str() {
                "id" => test.id = self.text_of(value, "`id`"),
                "why" => test.why = self.text_of(value, "`why`"),
                "file" | "export" => test.file = Some(self.text_of(value, "`file`")),
                "flow" => test.flow = Some(self.text_of(value, "`flow`")),
                "clock" => test.clock = self.clock(value),
                "input" => test.input.extend(self.object(value, "`input`")),
                "event" => test.event.get_or_insert_default().extend(self.object(value, "`event`")),
                "inputs" => {
                    self.known(value, INPUTS, "`inputs`");
                    test.inputs = value.to_value();
                }
                "connections" => self.connections(value, &mut test.connections),
                "tables" => {
                    for table in self.map(value, "`tables`") {
                        self.list(&table.value, "the rows of a table");
                    }
                    test.tables.extend(self.object(value, "`tables`"));
                }
                "answers" | "app_answers" => {
                    for answers in self.map(value, "`answers`") {
                        let list = self.answers(&answers.value);
                        test.answers.insert(answers.key.clone(), list);
                    }
                }
                "decisions" => {
                    for decision in self.map(value, "`decisions`") {
                        self.decision(&decision.value);
                        test.decisions.insert(decision.key.clone(), decision.value.to_value());
                    }
                }
                "expected" => {
                    self.expected(value);
                    test.expected = value.to_value();
                }
                "unknowns_touched" => {
                    let names = self.list(value, "`unknowns_touched`");
                    test.unknowns_touched = names.iter().filter_map(|n| n.text().map(ToOwned::to_owned)).collect();
                }
                "cases" if may_have_cases => {}
                _ => self.unknown(entry, TEST),
            }
        }
    }

    fn answers(&mut self, node: &Node) -> Vec<Value> {
        let items = node.items().unwrap_or_else(|| std::slice::from_ref(node));
        for item in items {
            self.known(item, ANSWER, "an answer");
            if let Some(error) = item.get("error") {
                self.known(error, ANSWERED_ERROR, "an error");
            }
            if let Some(records) = item.get("records") {
                self.list(records, "`records`");
            }
            if item.entries().is_some_and(|e| e.len() != 1) {
                let message = "an answer is one of `outputs`, `records` and `error`";
                self.findings.error("bad-answer", &item.span, message);
            }
        }
        if items.is_empty() {
            self.findings.error("bad-answer", &node.span, "there is no answer in the list");
        }
        items.iter().map(Node::to_value).collect()
    }

    fn decision(&mut self, node: &Node) {
        let is_word = matches!(node.text(), Some("approve" | "reject"));
        if !is_word && node.entries().is_none_or(|e| e.len() != 1 || e[0].key != "signal") {
            let message = "a decision is `approve`, `reject` or `{ signal: … }`";
            self.findings.error("bad-decision", &node.span, message);
        }
    }

    fn expected(&mut self, node: &Node) {
        for entry in self.known(node, EXPECTED, "`expected`") {
            let value = &entry.value;
            match entry.key.as_str() {
                "status" if value.text().is_none_or(|t| !ENDS.contains(&t)) => {
                    let message = format!("`status` is one of {}", ENDS.join(", "));
                    self.findings.error("bad-status", &value.span, message);
                }
                "outputs" => {
                    for card in self.map(value, "`outputs`") {
                        self.map(&card.value, "the outputs of a card");
                    }
                }
                "requests" => {
                    for request in self.list(value, "`requests`") {
                        self.known(request, REQUEST, "a request");
                    }
                }
                "error" if value.entries().is_some() => drop(self.known(value, ERROR, "an error")),
                "tables" => {
                    for table in self.map(value, "`tables`") {
                        self.list(&table.value, "the rows of a table");
                    }
                }
                "app_calls" => drop(self.list(value, "`app_calls`")),
                "key_outputs" => drop(self.map(value, "`key_outputs`")),
                "named_only" if !value.to_value().is_boolean() => {
                    self.findings.error("bad-type", &value.span, "`named_only` is true or false");
                }
                _ => {}
            }
        }
    }

    fn connections(&mut self, node: &Node, all: &mut BTreeMap<String, BTreeMap<String, String>>) {
        for app in self.map(node, "`connections`") {
            let fields = all.entry(app.key.clone()).or_default();
            for field in self.map(&app.value, "the fields of a connection") {
                fields.insert(field.key.clone(), self.text_of(&field.value, "a field of a connection"));
            }
        }
    }

    fn clock(&mut self, node: &Node) -> Option<String> {
        let text = self.text_of(node, "`clock`");
        if let Err(cause) = text.parse::<jiff::Timestamp>() {
            let remedy = "write a time with its offset: 2024-01-15T10:30:00Z".to_owned();
            self.findings.error_with("bad-clock", &node.span, format!("`clock` is no time: {cause}"), remedy);
            return None;
        }
        Some(text)
    }

    /// The entries of a map, each with a known key.
    fn known<'n>(&mut self, node: &'n Node, keys: &[&str], what: &str) -> &'n [Entry] {
        let entries = self.map(node, what);
        for entry in entries {
            if !keys.contains(&entry.key.as_str()) {
                self.unknown(entry, keys);
            }
        }
        entries
    }

    fn unknown(&mut self, entry: &Entry, keys: &[&str]) {
        let shown: String = entry.key.chars().take(60).collect();
        let remedy = self.findings.hint(|| suggestion(&entry.key, keys.iter().copied()));
        self.findings.error_with("unknown-key", &entry.key_span, format!("`{shown}` is not known here"), remedy);
    }

    fn map<'n>(&mut self, node: &'n Node, what: &str) -> &'n [Entry] {
        node.entries().unwrap_or_else(|| {
            self.wrong(node, what, "a map");
            &[]
        })
    }

    fn list<'n>(&mut self, node: &'n Node, what: &str) -> &'n [Node] {
        node.items().unwrap_or_else(|| {
            self.wrong(node, what, "a list");
            &[]
        })
    }

    fn object(&mut self, node: &Node, what: &str) -> Map<String, Value> {
        self.map(node, what).iter().map(|e| (e.key.clone(), e.value.to_value())).collect()
    }

    fn text_of(&mut self, node: &Node, what: &str) -> String {
        node.text().map(ToOwned::to_owned).unwrap_or_else(|| {
            self.wrong(node, what, "a text");
            String::new()
        })
    }

    fn wrong(&mut self, node: &Node, what: &str, wanted: &str) {
        let message = format!("{what} must be {wanted}, not {}", node.word());
        self.findings.error("wrong-type", &node.span, message);
    }
}
