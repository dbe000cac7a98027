//! Answers of a test file in the place of apps and people.
//!
//! Must never answer what the file does not say.
//! Tests: `crates/cli/tests/dry.rs`, below.

use std::collections::HashMap;

use async_trait::async_trait;
use flowdeck_engine::WaitReason;
use flowdeck_engine::ports::{CardCall, CardOutcome};
use flowdeck_format::test_file::{Test, snippet};
use flowdeck_model::{CardDecl, Fault, FaultCode, StepPath, Value};
use indexmap::IndexMap;
use parking_lot::Mutex;
use serde::Serialize;
use serde_json::{Map, json};

use super::names;
use crate::rehearsal::{Asked, Decided, StandIn};

/// Most missing answers that are told.
const MISSING_MAX: usize = 50;

/// An answer that a test does not have.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Missing {
    /// The step that asked, or waits.
    pub step: String,
    /// Its card; empty for a wait.
    pub card: String,
    /// What to put into the test file so that it is answered.
    pub snippet: String,
}

/// A stand-in out of a test file.
pub struct Script {
    answers: IndexMap<String, Vec<Value>>,
    decisions: IndexMap<String, Value>,
    used: Mutex<HashMap<String, usize>>,
    missing: Mutex<Vec<Missing>>,
}

impl std::fmt::Debug for Script {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Script").field("answers", &self.answers.len()).finish_non_exhaustive()
    }
}

impl Script {
    /// The answers of a test.
    #[must_use]
    pub fn new(test: &Test) -> Self {
        Self {
            answers: test.answers.clone(),
            decisions: test.decisions.clone(),
            used: Mutex::default(),
            missing: Mutex::default(),
        }
    }

    /// What was asked and not answered.
    #[must_use]
    pub fn missing(&self) -> Vec<Missing> {
        self.missing.lock().clone()
    }

    fn miss(&self, step: &StepPath, card: &str, snippet: String) {
        let mut missing = self.missing.lock();
        let is_known =
            missing.iter().any(|m| if card.is_empty() { m.step == step.to_string() } else { m.card == card });
        if !is_known && missing.len() < MISSING_MAX {
            missing.push(Missing { step: step.to_string(), card: card.to_owned(), snippet });
        }
    }

    fn answer_to(&self, call: &CardCall, card: &CardDecl) -> Option<CardOutcome> {
        let own = [call.path.to_string(), last(&call.path), call.card.to_string()];
        let in_exports = card.export_names.iter().cloned();
        let keys = own.into_iter().chain(in_exports);
        let (key, list) = keys.filter_map(|key| Some((self.answers.get(&key)?, key))).map(|(l, k)| (k, l)).next()?;
        let nth = {
            let mut used = self.used.lock();
            let nth = used.entry(key).or_default();
            let now = (*nth).min(list.len().saturating_sub(1));
            *nth += 1;
            now
        };
        let mut outcome = outcome(list.get(nth)?, Some(card));
        if let (CardOutcome::Done { next_page, .. }, false) = (&mut outcome, call.all_pages)
            && list[nth].get("records").is_some()
            && nth + 1 < list.len()
        {
            *next_page = Some(json!(nth + 1));
        }
        Some(outcome)
    }
}

fn last(path: &StepPath) -> String {
    path.segments().last().map(|s| s.card.to_string()).unwrap_or_default()
}

/// What an answer of a test file comes to.
#[must_use]
pub fn outcome(answer: &Value, card: Option<&CardDecl>) -> CardOutcome {
    let declared = card.map_or(&[][..], |d| d.outputs.as_slice());
    if let Value::Object(error) = &answer["error"] {
        let status = error.get("statusCode").and_then(Value::as_u64).and_then(|n| u16::try_from(n).ok());
        let message = error.get("message").and_then(Value::as_str).unwrap_or("the app failed");
        let fault = Fault::new(FaultCode::AppError, message)
            .status(status.unwrap_or(500))
            .body(error.get("body").cloned().unwrap_or_default());
        return CardOutcome::Failed { fault, retry_after_ms: None, transient: false };
    }
    let mut outputs = names::outputs(declared, &answer["outputs"]);
    if let Value::Array(records) = &answer["records"] {
        let key = card.and_then(|d| d.pages.clone()).unwrap_or_else(|| "records".into());
        outputs.set(key, Value::Array(records.clone()));
    }
    CardOutcome::Done { outputs, next_page: None }
}

#[async_trait]
impl StandIn for Script {
    async fn answer(&self, asked: &Asked<'_>) -> Option<CardOutcome> {
        let outcome = self.answer_to(asked.call, asked.card);
        if outcome.is_none() {
            let card = asked.call.card.as_str();
            let outputs = crate::rehearsal::made_up(&asked.card.outputs).to_value();
            self.miss(&asked.call.path, card, snippet(&json!({ "answers": { card: { "outputs": outputs } } })));
        }
        outcome
    }

    fn decide(&self, path: &StepPath, reason: &WaitReason) -> Option<Decided> {
        let said = self.decisions.get(&path.to_string()).or_else(|| self.decisions.get(&last(path)));
        let decided = match said {
            Some(Value::String(word)) if word == "approve" => Some(Decided::Approve),
            Some(Value::String(word)) if word == "reject" => Some(Decided::Reject),
            Some(Value::Object(map)) => map.get("signal").cloned().map(Decided::Signal),
            _ => None,
        };
        let example = match (&decided, reason) {
            (None, WaitReason::Approval { .. }) => json!("approve"),
            (None, WaitReason::Signal { .. }) => json!({ "signal": {} }),
            _ => return decided,
        };
        let decisions: Map<String, Value> = [(last(path), example)].into_iter().collect();
        self.miss(path, "", snippet(&json!({ "decisions": decisions })));
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn scripted_errors_carry_their_status() {
        let CardOutcome::Failed { fault, .. } =
            outcome(&json!({"error": {"statusCode": 404, "message": "gone"}}), None)
        else {
            panic!("not a failure")
        };
        assert_eq!((fault.status, fault.message.as_str()), (Some(404), "gone"));
    }

    #[test]
    fn outputs_go_under_declared_keys() {
        let mut decl = CardDecl::function("a/b".parse().unwrap(), "A", "B.");
        let mut user = flowdeck_model::FieldDecl::new("user_id", flowdeck_model::FieldType::Text);
        user.export_key = Some("User.ID".into());
        decl.outputs.push(user);
        let CardOutcome::Done { outputs, .. } = outcome(&json!({"outputs": {"User": {"ID": "1"}}}), Some(&decl)) else {
            panic!("not done")
        };
        assert_eq!(outputs.get("user_id"), &json!("1"));
    }
}
