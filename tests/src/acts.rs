//! What a person does on a machine without a browser: run, list, look.
//!
//! Must never do by other means what a person would do with a command.
//! Tests: `tests/tests/e2e`.

use serde_json::Value;

use crate::deck::{Call, Deck, WAITS};
use crate::running::Outcome;

/// What a run stopped for.
#[derive(Debug, Clone)]
pub struct Stop {
    /// The run.
    pub run: String,
    /// Its last line.
    pub last: Value,
    /// The prompts that it names.
    pub prompts: Vec<Value>,
    /// How the command ended.
    pub outcome: Outcome,
}

impl Stop {
    /// The one prompt that it stopped for.
    ///
    /// # Panics
    /// Where there is none, or more than one.
    #[must_use]
    #[track_caller]
    pub fn prompt(&self) -> &Value {
        let [prompt] = &self.prompts[..] else { panic!("one prompt, not {}\n{}", self.prompts.len(), self.outcome) };
        prompt
    }

    /// Its id.
    ///
    /// # Panics
    /// As [`Stop::prompt`].
    #[must_use]
    #[track_caller]
    pub fn prompt_id(&self) -> String {
        text(&self.prompt()["id"])
    }
}

/// A JSON text.
///
/// # Panics
/// Where it is none.
#[must_use]
#[track_caller]
pub fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("a text, not {value}")).to_owned()
}

impl Deck {
    /// A command for programs: JSON, and nobody there to ask.
    #[must_use]
    pub fn command(&self, words: &[&str]) -> Call<'_> {
        self.flowdeck(&[words, &["--json", "--no-input"]].concat())
    }

    /// Runs a flow until it stops for somebody.
    ///
    /// # Panics
    /// When it ends otherwise.
    #[track_caller]
    pub fn stops(&self, words: &[&str]) -> Stop {
        stop(self.command(words).exits(WAITS))
    }

    /// Runs a flow to its good end: its output.
    ///
    /// # Panics
    /// When it ends otherwise.
    #[track_caller]
    pub fn finishes(&self, words: &[&str]) -> Value {
        let last = self.command(words).json();
        assert_eq!((&last["type"], &last["status"]), (&"run".into(), &"finished".into()), "{last}");
        last["output"].clone()
    }

    /// Prompts that are open.
    ///
    /// # Panics
    /// When they cannot be listed.
    #[must_use]
    #[track_caller]
    pub fn open_prompts(&self) -> Vec<Value> {
        list(&self.command(&["prompts", "list"]).exits(0), "prompts")
            .into_iter()
            .filter(|prompt| prompt["state"] == "open")
            .collect()
    }

    /// The connection of this nickname.
    ///
    /// # Panics
    /// Where there is none.
    #[must_use]
    #[track_caller]
    pub fn connection(&self, nickname: &str) -> Value {
        let outcome = self.command(&["connections", "list"]).exits(0);
        let found = list(&outcome, "connections").into_iter().find(|c| c["nickname"] == nickname);
        found.unwrap_or_else(|| panic!("no connection `{nickname}`\n{outcome}"))
    }

    /// A run as it stands.
    ///
    /// # Panics
    /// Where there is none.
    #[must_use]
    #[track_caller]
    pub fn run(&self, run: &str) -> Value {
        let shown = self.command(&["runs", "show", run]).json();
        if shown["run"].is_object() { shown["run"].clone() } else { shown }
    }

    /// What a run's history says of a step: `step_finished`, `waiting` and so on, in order.
    ///
    /// # Panics
    /// Where there is no such run.
    #[must_use]
    #[track_caller]
    pub fn history(&self, run: &str, path: &str) -> Vec<String> {
        let shown = self.command(&["runs", "show", run]).json();
        let word = |what: &Value| match what {
            Value::String(word) => word.clone(),
            Value::Object(map) => map.keys().next().cloned().unwrap_or_default(),
            other => panic!("no entry: {other}"),
        };
        let entries = shown["entries"].as_array().expect("entries");
        entries.iter().filter(|e| e["p"] == path).map(|e| word(&e["w"])).collect()
    }

    /// Outputs of a step, each time that it finished.
    ///
    /// # Panics
    /// Where there is no such run.
    #[must_use]
    #[track_caller]
    pub fn outputs(&self, run: &str, path: &str) -> Vec<Value> {
        let shown = self.command(&["runs", "show", run]).json();
        let entries = shown["entries"].as_array().expect("entries");
        let of_step = entries.iter().filter(|e| e["p"] == path);
        of_step.filter_map(|e| e["w"]["step_finished"]["outputs"].as_object().cloned().map(Value::Object)).collect()
    }

    /// The run is finished.
    ///
    /// # Panics
    /// Where it is not.
    #[track_caller]
    pub fn assert_finished(&self, run: &str) {
        let view = self.run(run);
        assert_eq!(view["status"], "finished", "{view}");
    }
}

/// A stop, out of what the command said.
///
/// # Panics
/// Where its last line is no run.
#[must_use]
#[track_caller]
pub fn stop(outcome: Outcome) -> Stop {
    let last = outcome.of_type("run").pop().unwrap_or_else(|| panic!("no run in the last line\n{outcome}"));
    let prompts = outcome.of_type("prompt").iter().map(|line| line["prompt"].clone()).collect();
    Stop { run: text(&last["run"]), last, prompts, outcome }
}

/// A list, printed whole or a line an item.
fn list(outcome: &Outcome, key: &str) -> Vec<Value> {
    match serde_json::from_str::<Value>(&outcome.lines.join("\n")) {
        Ok(Value::Array(items)) => items,
        Ok(Value::Object(map)) if map.contains_key(key) => map[key].as_array().cloned().unwrap_or_default(),
        _ => outcome.json(),
    }
}
