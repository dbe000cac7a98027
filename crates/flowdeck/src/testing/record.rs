//! A run's history as a test: its start, the answers that apps gave, how it ended.
//!
//! Must never keep a secret: history shows none that is declared, and what looks like one is taken out besides.
//! Tests: `crates/cli/tests/dry.rs`, below.

use flowdeck_engine::{Entry, EntryKind, RunView, Status};
use flowdeck_format::test_file::Test;
use flowdeck_model::{CardName, Catalogue, EffectClass, Fault, Fields, Value};
use serde_json::{Map, json};

use crate::catalogue::Cards;
use flowdeck_apps::is_secret_name;

/// Takes the place of what looks like a secret.
const REDACTED: &str = "[redacted]";
/// Shorter runs of letters are words.
const TOKEN_BYTES_MIN: usize = 20;

/// A recording.
#[derive(Debug, Clone, PartialEq)]
pub struct Recorded {
    /// The test.
    pub test: Test,
    /// What it could not keep, in sentences.
    pub notes: Vec<String>,
}

/// The recording of a run that has ended.
#[must_use]
pub fn recorded(run: &RunView, entries: &[Entry], cards: &Cards) -> Recorded {
    let mut test = Test {
        id: run.id.to_string(),
        why: format!("Recorded from {}.", run.id),
        clock: Some(run.started_at.to_iso()),
        ..Test::default()
    };
    let mut notes = Vec::new();
    test.input = object(&run.input);
    test.event = run.event.as_ref().map(object);
    let mut without = 0;
    for entry in entries {
        let (card, answer) = match &entry.what {
            EntryKind::StepFinished { card, outputs } => {
                without += usize::from(outputs.is_none());
                (card, json!({ "outputs": outputs.as_ref().map(object).unwrap_or_default() }))
            }
            EntryKind::StepFailed { card, fault, .. } => (card, json!({ "error": error(fault) })),
            EntryKind::Waiting(reason) => {
                use flowdeck_engine::WaitReason as W;
                let said = match reason {
                    W::Approval { .. } => json!("approve"),
                    W::Signal { .. } => json!({ "signal": {} }),
                    _ => continue,
                };
                test.decisions.insert(entry.path.to_string(), said);
                continue;
            }
            _ => continue,
        };
        let Some(name) = CardName::new(card).ok().filter(|name| !cards.functions().has(name)) else { continue };
        if cards.card(&name).is_some_and(|decl| decl.effect != EffectClass::Table) {
            // The last one counts: what came before it was tried again.
            test.answers.insert(entry.path.to_string(), vec![answer]);
        }
    }
    if without > 0 {
        notes.push("the flow keeps no data, so the answers are empty: fill them in".to_owned());
    }
    if !test.decisions.is_empty() {
        notes.push("history does not tell what was said to approvals and signals: look at `decisions`".to_owned());
    }
    let status = match run.status {
        Status::Finished if run.stopped => "stopped",
        Status::Finished => "finished",
        _ => "failed",
    };
    test.expected = json!({ "status": status });
    Recorded { test, notes }
}

fn object(fields: &Fields) -> Map<String, Value> {
    match clean("", &fields.to_value()) {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}

fn error(fault: &Fault) -> Value {
    let mut out = json!({ "message": text(&fault.message) });
    if let Some(status) = fault.status {
        out["statusCode"] = json!(status);
    }
    if !fault.body.is_null() {
        out["body"] = clean("", &fault.body);
    }
    out
}

/// The value without anything that is called like a secret or looks like one.
fn clean(key: &str, value: &Value) -> Value {
    match value {
        Value::String(_) if is_secret_name(key) => REDACTED.into(),
        Value::String(text) => self::text(text).into(),
        Value::Array(items) if is_secret_name(key) => items.iter().map(|_| Value::from(REDACTED)).collect(),
        Value::Array(items) => items.iter().map(|item| clean(key, item)).collect(),
        Value::Object(map) => Value::Object(map.iter().map(|(k, v)| (k.clone(), clean(k, v))).collect()),
        other => other.clone(),
    }
}

/// The text without bearer tokens and signed tokens (RFC 7519).
fn text(text: &str) -> String {
    let is_long = |word: &str| word.len() >= TOKEN_BYTES_MIN;
    let signed = |word: &str| word.starts_with("eyJ") && word.matches('.').count() >= 2 && is_long(word);
    let mut before = "";
    let words = text.split_inclusive([' ', '\n', '"', '\'', ',', '=', '&']).map(|piece| {
        let word = piece.trim_end_matches([' ', '\n', '"', '\'', ',', '=', '&']);
        let follows = ["bearer", "basic", "ssws"].iter().any(|kind| before.eq_ignore_ascii_case(kind));
        let hide = signed(word) || (follows && word.len() >= 8);
        before = word;
        if hide { format!("{REDACTED}{}", &piece[word.len()..]) } else { piece.to_owned() }
    });
    words.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_looks_like_a_secret_is_taken_out() {
        let jwt = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl";
        let found = json!({
            "headers": {"Set-Cookie": "a=b", "X-Api-Key": "k", "Date": "today"}, "access_token": "abc", "n": 1,
            "text": format!("Authorization: Bearer 00abcdefgh, and {jwt}"), "tokens": [{"secret": ["x"]}],
            "name": "a bearer bond",
        });
        let cleaned = clean("", &found);
        assert_eq!(
            cleaned,
            json!({
                "headers": {"Set-Cookie": "[redacted]", "X-Api-Key": "[redacted]", "Date": "today"},
                "access_token": "[redacted]", "n": 1,
                "text": "Authorization: Bearer [redacted], and [redacted]", "tokens": [{"secret": ["[redacted]"]}],
                "name": "a bearer bond",
            })
        );
    }
}
