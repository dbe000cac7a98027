//! A run's history as a test: its start, the answers that apps gave, how it ended.
//!
//! Must never keep a secret: history shows none that is declared, and what looks like one is taken out besides.
//! Tests: `tests/recording.rs`, below.

use std::collections::HashSet;

use flowdeck_engine::{Entry, EntryKind, RunView, Start, Status, WaitReason};
use flowdeck_format::test_file::Test;
use flowdeck_model::{CardName, Catalogue, EffectClass, Fault, Fields, Value};
use indexmap::IndexMap;
use serde_json::{Map, json};

use crate::catalogue::Cards;
use crate::rehearsal::hide::Hidden;
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

/// The recording of a run that has ended, of its histories: its own, then those of the helpers that it started on their
/// own. `secret` are values that no history shows, wherever an app may have told them: the run's secret inputs.
#[must_use]
pub fn recorded(run: &RunView, histories: &[Vec<Entry>], cards: &Cards, secret: &Start) -> Recorded {
    let keep = Keep { cards, hidden: Hidden::of(secret) };
    let mut test = Test {
        id: run.id.to_string(),
        why: format!("Recorded from {}.", run.id),
        clock: Some(run.started_at.to_iso()),
        input: keep.object(&run.input),
        event: run.event.as_ref().map(|event| keep.object(event)),
        ..Test::default()
    };
    let mut notes = Vec::new();
    let mut without = 0;
    for history in histories {
        let mut heard = Heard::new(&keep);
        for entry in history {
            let is_empty = matches!(
                &entry.what,
                EntryKind::StepFinished { outputs: None, .. } | EntryKind::PageCame { outputs: None, .. }
            );
            without += usize::from(heard.entry(entry) && is_empty);
        }
        for (step, answers) in heard.answers {
            // Several runs of one helper: what each was told, one after the other.
            test.answers.entry(step).or_default().extend(answers);
        }
        test.decisions.extend(heard.decisions);
    }
    if without > 0 {
        notes.push("the flow keeps no data, so the answers are empty: fill them in".to_owned());
    }
    let status = match run.status {
        Status::Finished if run.stopped => "stopped",
        Status::Finished => "finished",
        _ => "failed",
    };
    test.expected = json!({ "status": status });
    Recorded { test, notes }
}

/// Goes through a history and keeps what apps and people said.
struct Heard<'a> {
    keep: &'a Keep<'a>,
    answers: IndexMap<String, Vec<Value>>,
    decisions: IndexMap<String, Value>,
    /// Loops over pages.
    paged: HashSet<String>,
    /// Those that came to an end: a page that comes there later was asked for once more.
    over: HashSet<String>,
}

impl<'a> Heard<'a> {
    fn new(keep: &'a Keep<'a>) -> Self {
        let (answers, decisions) = (IndexMap::new(), IndexMap::new());
        Self { keep, answers, decisions, paged: HashSet::new(), over: HashSet::new() }
    }

    /// True where the entry should have held an answer or a decision.
    fn entry(&mut self, entry: &Entry) -> bool {
        let path = entry.path.to_string();
        match &entry.what {
            EntryKind::StepFinished { card, outputs } if card == "wait" => {
                let outputs = outputs.as_ref().map(|o| self.keep.object(o)).unwrap_or_default();
                let said = match (outputs.get("approved"), outputs.get("payload")) {
                    (Some(approved), _) => json!(if *approved == json!(true) { "approve" } else { "reject" }),
                    (None, Some(payload)) => json!({ "signal": payload }),
                    (None, None) => return self.decisions.contains_key(&path),
                };
                self.decisions.insert(path, said);
                true
            }
            // A word to the question of a limit, and what a history without values can tell.
            EntryKind::Waiting(WaitReason::Approval { .. }) => {
                self.decisions.insert(path, json!("approve"));
                false
            }
            EntryKind::Waiting(WaitReason::Signal { .. }) => {
                self.decisions.insert(path, json!({ "signal": null }));
                false
            }
            EntryKind::Asked { what } if what.starts_with("cancel by") && self.decisions.contains_key(&path) => {
                self.decisions.insert(path, json!("reject"));
                false
            }
            EntryKind::PageCame { card, outputs } => {
                let list = self.keep.cards.card(card).and_then(|decl| decl.pages.clone());
                let outputs = outputs.as_ref().map(|o| self.keep.object(o)).unwrap_or_default();
                let page = match &list {
                    Some(key) => outputs.get(key),
                    None => outputs.values().find(|value| value.is_array()),
                };
                self.more(path, json!({ "records": page.cloned().unwrap_or_else(|| json!([])) }));
                true
            }
            EntryKind::StepFinished { .. } if self.paged.contains(&path) => {
                self.over.insert(path);
                false
            }
            EntryKind::StepFinished { card, outputs } if self.is_app(card) => {
                // The last one counts: what came before it was tried again.
                let answer = json!({ "outputs": outputs.as_ref().map(|o| self.keep.object(o)).unwrap_or_default() });
                self.answers.insert(path, vec![answer]);
                true
            }
            EntryKind::StepFailed { card, fault, again_at: None } if self.is_app(card) => {
                let answer = json!({ "error": self.keep.error(fault) });
                if self.paged.contains(&path) {
                    self.more(path.clone(), answer);
                    self.over.insert(path);
                } else {
                    self.answers.insert(path, vec![answer]);
                }
                false
            }
            _ => false,
        }
    }

    /// One more page of a loop.
    fn more(&mut self, path: String, page: Value) {
        self.paged.insert(path.clone());
        if self.over.remove(&path) {
            self.answers.shift_remove(&path);
        }
        self.answers.entry(path).or_default().push(page);
    }

    /// Whether a test has to answer in the place of a card.
    fn is_app(&self, card: &str) -> bool {
        let name = CardName::new(card).ok().filter(|name| !self.keep.cards.functions().has(name));
        let decl = name.and_then(|name| self.keep.cards.card(&name));
        decl.is_some_and(|decl| decl.effect != EffectClass::Table)
    }
}

/// What may be kept of values.
struct Keep<'a> {
    cards: &'a Cards,
    hidden: Hidden,
}

impl Keep<'_> {
    fn value(&self, value: &Value) -> Value {
        clean("", &self.hidden.value(value))
    }

    fn object(&self, fields: &Fields) -> Map<String, Value> {
        match self.value(&fields.to_value()) {
            Value::Object(map) => map,
            _ => Map::new(),
        }
    }

    fn error(&self, fault: &Fault) -> Value {
        let mut out = json!({ "message": self.value(&fault.message.as_str().into()) });
        if let Some(status) = fault.status {
            out["statusCode"] = json!(status);
        }
        if !fault.body.is_null() {
            out["body"] = self.value(&fault.body);
        }
        out
    }
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
