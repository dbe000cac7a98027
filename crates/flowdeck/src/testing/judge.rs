//! Holds a rehearsal against what a test expects, and says what the expectation would have to be.
//!
//! Must never pass over an expectation without a word.
//! Tests: `crates/cli/tests/tests_of_flows.rs`.

use std::collections::BTreeMap;

use flowdeck_engine::{Entry, EntryKind};
use flowdeck_model::{Fields, StepPath, TableName, Value};
use serde_json::{Map, json};

use super::compare::{Extra, compare, member};
use super::{Wrong, status};
use crate::rehearsal::{Rehearsal, RehearsedCall};

/// What came of a run.
pub(super) struct Found<'a> {
    pub(super) rehearsal: &'a Rehearsal,
}

impl Found<'_> {
    /// What is not as expected.
    pub(super) fn wrong(&self, expected: &Value) -> Vec<Wrong> {
        let mut out = Vec::new();
        for (key, value) in expected.as_object().into_iter().flatten() {
            match key.as_str() {
                "status" => self.status(value, &mut out),
                "output" if expected.get("output_kind").is_none() => self.output(value, &mut out),
                "outputs" => self.outputs(value, &mut out),
                "requests" => self.requests(value, &mut out),
                "error" => self.error(value, &mut out),
                "response" => compare(value, &self.response(), "response", Extra::Fine, &mut out),
                "tables" => self.tables(value, &mut out),
                "output" | "output_kind" => self.output_of_kind(expected, &mut out),
                "output_doubt" => {}
                other => {
                    out.push(Wrong::said(other, "only `cargo xtask corpus` compares this; here it is not looked at"))
                }
            }
        }
        out.dedup();
        let run = &self.rehearsal.run;
        // How it failed tells more than any difference that follows.
        if let (Some(fault), true) = (&run.fault, out.iter().any(|w| w.place == "status")) {
            let at = run.failed_at.as_ref().map(|path| format!("{path}: ")).unwrap_or_default();
            out.insert(0, Wrong::said("failed", format!("{at}{}", fault.message)));
        }
        out
    }

    fn status(&self, expected: &Value, out: &mut Vec<Wrong>) {
        compare(expected, &json!(status(self.rehearsal)), "status", Extra::Wrong, out);
    }

    fn output(&self, expected: &Value, out: &mut Vec<Wrong>) {
        compare(expected, &self.returned(), "output", Extra::Wrong, out);
    }

    /// The output by the kinds that exports have; what the last card gave is not an output of its own.
    fn output_of_kind(&self, expected: &Value, out: &mut Vec<Wrong>) {
        match expected["output_kind"].as_str() {
            Some("return" | "stop") => compare(&expected["output"], &self.returned(), "output", Extra::Wrong, out),
            Some("raw") if expected["response"].is_null() => {
                compare(&expected["output"], &self.response()["body"], "response.body", Extra::Wrong, out);
            }
            _ => {}
        }
    }

    fn returned(&self) -> Value {
        self.rehearsal.run.output.as_ref().map(Fields::to_value).unwrap_or_default()
    }

    fn response(&self) -> Value {
        self.rehearsal.run.raw.as_ref().map_or(Value::Null, |raw| {
            let headers: Map<String, Value> = raw.headers.iter().map(|(k, v)| (k.clone(), json!(v))).collect();
            json!({ "statusCode": raw.status, "headers": headers, "body": raw.body })
        })
    }

    fn error(&self, expected: &Value, out: &mut Vec<Wrong>) {
        let Some(fault) = &self.rehearsal.run.fault else {
            if !expected.is_null() {
                out.push(Wrong { expected: Some(expected.clone()), ..Wrong::said("error", "") });
            }
            return;
        };
        let message = expected.as_str().or_else(|| expected["message"].as_str()).unwrap_or_default();
        if expected.is_null() || !fault.message.contains(message) {
            let expected = (!message.is_empty()).then(|| message.into());
            out.push(Wrong {
                expected,
                actual: Some(fault.message.as_str().into()),
                ..Wrong::said("error.message", "")
            });
        }
        for (key, actual) in
            [("statusCode", json!(fault.status)), ("code", json!(fault.code.as_str())), ("body", fault.body.clone())]
        {
            if let Some(expected) = expected.get(key) {
                compare(expected, &actual, &format!("error.{key}"), Extra::Wrong, out);
            }
        }
    }

    /// What a card gave, by its step or its id: the last time.
    fn step(&self, name: &str) -> Option<Value> {
        let fits = |path: &StepPath| {
            path.to_string() == name || path.segments().last().is_some_and(|s| s.card.as_str() == name)
        };
        let gave = |entry: &&Entry| matches!(entry.what, EntryKind::StepFinished { .. }) && fits(&entry.path);
        match &self.rehearsal.entries.iter().rev().find(gave)?.what {
            EntryKind::StepFinished { outputs, .. } => Some(outputs.as_ref().map(Fields::to_value).unwrap_or_default()),
            _ => None,
        }
    }

    fn outputs(&self, expected: &Value, out: &mut Vec<Wrong>) {
        for (card, fields) in expected.as_object().into_iter().flatten() {
            let place = member("outputs", card);
            match self.step(card) {
                Some(actual) => compare(fields, &actual, &place, Extra::Fine, out),
                None => {
                    out.push(Wrong { expected: Some(fields.clone()), ..Wrong::said(&place, "it never gave anything") })
                }
            }
        }
    }

    /// Requests that change something, one for each: card, step, method, url, headers, body.
    fn made(&self) -> Vec<Value> {
        let writes = self.rehearsal.calls.iter().filter(|call| !call.reads && call.card.family() != "tables");
        writes.flat_map(|call| call.requests.iter().map(|request| made(call, request))).collect()
    }

    fn requests(&self, expected: &Value, out: &mut Vec<Wrong>) {
        let mut left = self.made();
        let mut unmet = Vec::new();
        for (at, wanted) in expected.as_array().into_iter().flatten().enumerate() {
            match left.iter().position(|made| request_wrong(wanted, made, at).is_empty()) {
                Some(found) => drop(left.remove(found)),
                None => unmet.push((at, wanted)),
            }
        }
        for (at, wanted) in unmet {
            let near = left.iter().position(|made| {
                ["card", "step"].iter().all(|key| wanted.get(*key).is_none_or(|w| made.get(*key) == Some(w)))
            });
            match near {
                Some(near) => out.extend(request_wrong(wanted, &left.remove(near), at)),
                None => {
                    let about = "this request was not made";
                    out.push(Wrong {
                        expected: Some(wanted.clone()),
                        ..Wrong::said(&format!("requests[{at}]"), about)
                    });
                }
            }
        }
        for made in left {
            out.push(Wrong { actual: Some(made), ..Wrong::said("requests", "a request that is not expected") });
        }
    }

    fn tables(&self, expected: &Value, out: &mut Vec<Wrong>) {
        for (name, rows) in expected.as_object().into_iter().flatten() {
            let place = member("tables", name);
            let table = name.parse::<TableName>().ok().and_then(|name| self.rehearsal.tables.get(&name));
            let Some(actual) = table else {
                out.push(Wrong::said(&place, "the flow has no such table"));
                continue;
            };
            let rows = rows.as_array().map(Vec::as_slice).unwrap_or_default();
            for at in 0..rows.len().max(actual.len()) {
                let place = format!("{place}[{at}]");
                match (rows.get(at), actual.get(at)) {
                    (Some(row), Some(actual)) => compare(row, actual, &place, Extra::Fine, out),
                    (row, actual) => {
                        let actual = actual.map(plain_row);
                        out.push(Wrong { expected: row.cloned(), actual, ..Wrong::said(&place, "") });
                    }
                }
            }
        }
    }

    /// The expectation as it would have to be: the parts that are there, or those that say most.
    pub(super) fn came(&self, expected: &Value) -> Value {
        let mut out = Map::new();
        let has = |key: &str| expected.get(key).is_some();
        let all = expected.is_null();
        out.insert("status".into(), json!(status(self.rehearsal)));
        let returned = self.returned();
        if has("output") || !returned.is_null() {
            out.insert("output".into(), returned);
        }
        if let Some(fault) = &self.rehearsal.run.fault {
            out.insert("error".into(), json!({ "message": fault.message }));
        }
        if !self.response().is_null() {
            out.insert("response".into(), self.response());
        }
        if let Some(cards) = expected.get("outputs").and_then(Value::as_object) {
            let cards = cards.iter().filter_map(|(card, fields)| {
                let came = self.step(card)?;
                let named = |key: &String| fields.get(key.as_str()).is_some();
                let fields = came.as_object()?.iter().filter(|(key, _)| named(key));
                Some((card.clone(), Value::Object(fields.map(|(k, v)| (k.clone(), v.clone())).collect())))
            });
            out.insert("outputs".into(), Value::Object(cards.collect()));
        }
        let made = self.made();
        if has("requests") || (all && !made.is_empty()) {
            out.insert("requests".into(), Value::Array(made));
        }
        let tables: BTreeMap<&TableName, Vec<Value>> =
            self.rehearsal.tables.iter().map(|(name, rows)| (name, rows.iter().map(plain_row).collect())).collect();
        if has("tables") || (all && !tables.is_empty()) {
            out.insert("tables".into(), json!(tables));
        }
        let kept = ["app_calls", "key_outputs", "named_only", "output_kind", "output_doubt"];
        out.extend(kept.iter().filter_map(|key| Some(((*key).to_owned(), expected.get(*key)?.clone()))));
        Value::Object(out)
    }
}

/// A row without what differs from run to run.
fn plain_row(row: &Value) -> Value {
    let mut row = row.clone();
    if let Some(row) = row.as_object_mut() {
        ["Row ID", "Created", "Updated", "version"].iter().for_each(|key| drop(row.shift_remove(*key)));
    }
    row
}

fn made(call: &RehearsedCall, request: &flowdeck_apps::RequestPreview) -> Value {
    let mut out = json!({ "step": call.path, "card": call.card, "method": request.method, "url": request.url });
    if !request.headers.is_empty() {
        out["headers"] = json!(request.headers);
    }
    if !request.body.is_null() {
        out["body"] = request.body.clone();
    }
    out
}

/// What of a request is not as wanted. A `url` that begins with `/` names path and query only; a `step` may be a card's id.
fn request_wrong(wanted: &Value, made: &Value, at: usize) -> Vec<Wrong> {
    let mut out = Vec::new();
    for (key, value) in wanted.as_object().into_iter().flatten() {
        let mut actual = made.get(key).cloned().unwrap_or_default();
        if key == "url" && value.as_str().is_some_and(|url| url.starts_with('/')) {
            let url = actual.as_str().unwrap_or_default();
            let rest = url.split_once("://").and_then(|(_, rest)| rest.find('/').map(|at| &rest[at..]));
            actual = rest.unwrap_or("/").into();
        }
        let extra = if key == "headers" { Extra::Fine } else { Extra::Wrong };
        compare(value, &actual, &format!("requests[{at}].{key}"), extra, &mut out);
    }
    out
}
