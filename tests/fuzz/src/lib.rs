//! What must hold for any bytes: of native files, of exports, of expressions and of cron expressions.
//!
//! Must never take long: the fuzzer calls these thousands of times a second.
//! Tests: `tests/replay.rs`, and `cargo xtask soak fuzz`.

#![allow(clippy::panic, clippy::missing_panics_doc, reason = "a panic is how a target says that something is wrong")]

mod cards;

use std::collections::BTreeMap;
use std::sync::Arc;

use flowdeck_format::{Severity, Source, format_text, import, print, read, read_with};
use flowdeck_model::card::Ambient;
use flowdeck_model::mapping::{Expression, Mapping, Root, Scope};
use flowdeck_model::{CardName, Fields, Flow, Millis, Value};
use serde_json::json;

/// A target by its name.
pub type Target = fn(&[u8]);

/// All targets.
pub const TARGETS: [(&str, Target); 4] =
    [("cron", cron), ("export", export), ("expression", expression), ("native", native)];

/// The cards that the targets know.
#[must_use]
pub fn known() -> &'static dyn flowdeck_model::Catalogue {
    cards::cards()
}

/// A file of flows: whatever is read is printed, and read again as itself; formatting twice changes nothing more.
pub fn native(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let name = if text.trim_start().starts_with('{') { "a.json" } else { "a.yaml" };
    let source = Source::new(name, &text);
    let checked = read(&source, Some(cards::cards()));
    if !checked.has_errors() {
        checked.flows.iter().for_each(reads_back);
        if let Ok(once) = format_text(&source) {
            let twice = format_text(&Source::new(name, &once));
            assert_eq!(twice.as_deref().ok(), Some(once.as_str()), "formatting again changes the text");
        }
    }
}

fn reads_back(flow: &Flow) {
    let printed = print(flow);
    let back = read(&Source::new("back.yaml", &printed), Some(cards::cards()));
    assert!(back.flows.first() == Some(flow), "another flow comes back: {:?}\n{printed}", back.diagnostics);
}

/// An export: flows or an error; each flow prints and reads back, alone and through the files of an import.
pub fn export(data: &[u8]) {
    let (found, diagnostics) = import::read("a.flopack", data, cards::cards());
    assert!(found.is_some() || diagnostics.iter().any(|d| d.severity == Severity::Error), "neither flows nor an error");
    let Some(found) = found else { return };
    found.flows.iter().take(5).for_each(reads_back);
    let files: BTreeMap<String, String> = found.files().into_iter().map(|f| (f.name, f.text)).collect();
    let load =
        |path: &str| files.get(path).map(|t| Source::new(path, t)).ok_or_else(|| "there is no such file".to_owned());
    for (name, text) in files.iter().take(3) {
        let checked = read_with(&Source::new(name, text), None, &load);
        assert!(!checked.flows.is_empty(), "nothing is read from {name}: {:?}", checked.diagnostics);
    }
    let _ = found.report.text();
}

struct Names(Vec<(&'static str, Arc<Value>)>);

impl Scope for Names {
    fn root(&self, name: &str) -> Option<Root<'_>> {
        self.0.iter().find(|(known, _)| *known == name).map(|(_, value)| Root::Value(value))
    }
}

/// An expression, a mapping, a formula: read or refused; what is read comes back from its own text and has a value or
/// a fault.
pub fn expression(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let names = Names(vec![
        ("a", Arc::new(json!({"b": [1, 2.5, "x", null, {"c d": true}], "n": -3}))),
        ("input", Arc::new(json!({"text": "éa", "date": "2024-01-15T10:30:00Z", "list": []}))),
    ]);
    if let Ok(expression) = Expression::parse(&text) {
        let again = Expression::parse(expression.source());
        assert!(again.as_ref() == Ok(&expression), "another expression comes back from {:?}", expression.source());
        let _ = expression.evaluate(&names);
        let _ = expression.references();
    }
    if let Ok(mapping) = Mapping::parse(&Value::String(text.to_string())) {
        assert!(Mapping::parse(&mapping.source()).as_ref() == Ok(&mapping), "another mapping comes back");
        let _ = mapping.evaluate(&names);
    }
    let ambient = Ambient { now: Millis(1_705_314_600_000), seed: 1 };
    if let Ok(card) = CardName::new("math/expression") {
        let _ = cards::functions().evaluate(&card, Fields::one("_text_", text.as_ref()), &ambient);
    }
}

/// A cron expression in a file: a finding or none, and no more than that.
pub fn cron(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let file = json!({"flow": "a", "on": {"schedule": {"cron": text, "timezone": "UTC"}},
        "cards": [{"id": "w", "wait": "1s"}]});
    let checked = read(&Source::new("a.json", &file.to_string()), Some(cards::cards()));
    for found in &checked.diagnostics {
        assert!(!found.message.is_empty());
    }
    if !checked.has_errors() {
        checked.flows.iter().for_each(reads_back);
    }
}
