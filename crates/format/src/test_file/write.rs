//! Tests to text: new files, snippets for messages, and new expectations in files that are there.
//!
//! Must never change anything of a file but the expectations, nor lose a comment outside of them.
//! Tests: `tests/test_files.rs`.

use flowdeck_model::Value;
use serde_json::{Map, json};

use super::Test;
use crate::diagnostic::Diagnostic;
use crate::findings::Findings;
use crate::tree::{self, EmptyKeys, Entry, Node, Trivia};
use crate::{Source, comments, emit};

/// A test file with one test, as a person would write it.
#[must_use]
pub fn print(test: &Test) -> String {
    emit::yaml(&Node::from_value(&value(test)))
}

/// A value as YAML, to be shown or pasted.
#[must_use]
pub fn snippet(value: &Value) -> String {
    emit::yaml(&Node::from_value(value))
}

fn value(test: &Test) -> Value {
    let mut out = Map::new();
    let mut set = |key: &str, value: Value| {
        let is_empty = match &value {
            Value::Null => true,
            Value::String(text) => text.is_empty(),
            Value::Object(map) => map.is_empty(),
            Value::Array(list) => list.is_empty(),
            Value::Bool(_) | Value::Number(_) => false,
        };
        if !is_empty {
            out.insert(key.to_owned(), value);
        }
    };
    set("id", test.id.as_str().into());
    set("why", test.why.as_str().into());
    set("file", json!(test.file));
    set("flow", json!(test.flow));
    set("clock", json!(test.clock));
    set("inputs", test.inputs.clone());
    set("input", Value::Object(test.input.clone()));
    set("event", json!(test.event));
    set("connections", json!(test.connections));
    set("tables", Value::Object(test.tables.clone()));
    set("decisions", Value::Object(test.decisions.clone().into_iter().collect()));
    let answers = test.answers.iter().map(|(key, list)| match list.as_slice() {
        [one] => (key.clone(), one.clone()),
        list => (key.clone(), Value::Array(list.to_vec())),
    });
    set("answers", Value::Object(answers.collect()));
    set("expected", test.expected.clone());
    set("unknowns_touched", json!(test.unknowns_touched));
    Value::Object(out)
}

/// The file with new expectations: `new[n]` for its n-th test, `None` where it keeps its own.
///
/// # Errors
/// The diagnostics of a file that is not well formed, or cannot be written without changing more.
pub fn update(source: &Source, new: &[Option<Value>]) -> Result<String, Vec<Diagnostic>> {
    let mut findings = Findings::default();
    let mut documents = tree::parse_with(source, EmptyKeys::Taken, &mut findings);
    if findings.has_errors() {
        let roots: Vec<_> = documents.into_iter().map(|d| d.root).collect();
        return Err(findings.into_diagnostics(&source.text, &roots));
    }
    let is_json = tree::is_json(source);
    let mut new = new.iter();
    let mut out = String::new();
    for (at, document) in documents.iter_mut().enumerate() {
        if !is_json {
            comments::attach(&source.text, document.range.clone(), &mut document.root);
        }
        if document.root.get("cases").is_some() {
            let cases = document.root.entry_mut("cases").and_then(|e| e.value.items_mut());
            cases.into_iter().flatten().for_each(|case| expect(case, new.next()));
        } else {
            expect(&mut document.root, new.next());
        }
        if at > 0 {
            out.push_str("---\n");
        }
        out.push_str(&if is_json { format!("{:#}\n", document.root.to_value()) } else { emit::yaml(&document.root) });
    }
    let mut again = Findings::default();
    let read = tree::parse_with(&Source::new(&source.name, &out), EmptyKeys::Taken, &mut again);
    let same = read.len() == documents.len()
        && read.iter().zip(&documents).all(|(a, b)| a.root.to_value() == b.root.to_value());
    if !again.has_errors() && same {
        return Ok(out);
    }
    let message = "new expectations cannot be written into this file without changing more of it";
    findings.error_with("cannot-format", &(0..0), message, "write unusual texts in double quotes".to_owned());
    Err(findings.into_diagnostics(&source.text, &[]))
}

fn expect(test: &mut Node, new: Option<&Option<Value>>) {
    let Some(Some(value)) = new else { return };
    let value = Node::from_value(value);
    if let Some(entry) = test.entry_mut("expected") {
        renew(&mut entry.value, value);
    } else if let Some(entries) = test.entries_mut() {
        entries.push(Entry { key: "expected".into(), key_span: 0..0, value, trivia: Trivia::default() });
    }
}

/// Most keys of a map that is renewed key by key; a larger one is written anew.
const KEYS_MAX: usize = 1000;

/// Takes over what is new; what stays the same keeps its form and the comments at it.
fn renew(old: &mut Node, mut new: Node) {
    if old.to_value() == new.to_value() {
        return;
    }
    if let (Some(kept), Some(fresh)) = (old.entries_mut(), new.entries_mut())
        && fresh.len() <= KEYS_MAX
    {
        kept.retain(|own| fresh.iter().any(|entry| entry.key == own.key));
        for entry in std::mem::take(fresh) {
            match kept.iter_mut().find(|own| own.key == entry.key) {
                Some(own) => renew(&mut own.value, entry.value),
                None => kept.push(entry),
            }
        }
        return;
    }
    *old = new;
}
