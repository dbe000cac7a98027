//! An org and a person's machine together, and what such a person does: connect, run, answer, look.
//!
//! Must never do by other means what a person would do with a command.
//! Tests: `tests/tests/e2e`.

use serde_json::Value;
use url::Url;

use crate::deck::{Deck, WAITS};
use crate::emulate::{API_TOKEN, CLIENT_ID};
use crate::org::Org;
use crate::people::Person;
use crate::running::{Outcome, Running};

/// Org and machine; the app registration of the org knows the machine's redirect URI.
#[derive(Debug)]
pub struct World {
    /// The org.
    pub org: Org,
    /// The machine.
    pub deck: Deck,
}

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

/// The scopes that an authorization URL asks for.
///
/// # Panics
/// Where it is no URL.
#[must_use]
#[track_caller]
pub fn scopes_of(authorize_url: &str) -> Vec<String> {
    let url = Url::parse(authorize_url).expect("a URL");
    let scope = url.query_pairs().find(|(key, _)| key == "scope").map(|(_, v)| v.into_owned()).unwrap_or_default();
    scope.split(' ').map(str::to_owned).collect()
}

impl World {
    /// A new org with these people, and a new machine; `None` where the npm packages may be missing.
    #[must_use]
    pub fn new(people: Vec<Person>) -> Option<Self> {
        let mut deck = Deck::new();
        let org = Org::start(people, &[deck.redirect_uri("okta")])?;
        deck.allow_http(org.proxy.host());
        deck.write("api-token", API_TOKEN);
        Some(Self { org, deck })
    }

    /// The form of the app's OAuth method, filled in.
    #[must_use]
    pub fn form(&self) -> Vec<String> {
        let set = |pair: String| ["--set".to_owned(), pair];
        let mut words = Vec::new();
        words.extend(set(format!("domain={}", self.org.proxy.url())));
        words.extend(set(format!("client_id={CLIENT_ID}")));
        words.extend(["--secret".to_owned(), "client_secret=client-secret".to_owned()]);
        words
    }

    /// Connects ahead of any flow, under a nickname, as an account, with these further words.
    ///
    /// # Panics
    /// When it does not work.
    #[track_caller]
    pub fn connect(&self, nickname: &str, account: &str, more: &[&str]) -> Value {
        let form = self.form();
        let words: Vec<&str> =
            ["connect", "okta", "--as", nickname].into_iter().chain(form.iter().map(String::as_str)).collect();
        let outcome = self.consent(&[&words[..], more].concat(), account);
        assert_eq!(outcome.code, Some(0), "{outcome}");
        self.connection(nickname)
    }

    /// Connects with the API token.
    ///
    /// # Panics
    /// When it does not work.
    #[track_caller]
    pub fn connect_by_token(&self, nickname: &str) -> Value {
        let domain = format!("domain={}", self.org.proxy.url());
        let words = ["connect", "okta", "--as", nickname, "--method", "api_token", "--set", &domain];
        self.command(&[&words[..], &["--secret", "api_token=api-token"]].concat()).exits(0);
        self.connection(nickname)
    }

    /// A command that asks for consent: the person consents to all of it, and it runs to its end.
    ///
    /// # Panics
    /// When it asks for none.
    #[track_caller]
    pub fn consent(&self, words: &[&str], account: &str) -> Outcome {
        let mut command = self.command(words).spawn();
        self.org.consent(&authorize_url(&mut command), account);
        command.end()
    }

    /// Answers a prompt with a new authorization, the form filled in, as this account.
    ///
    /// # Panics
    /// When nobody is asked for consent.
    #[track_caller]
    pub fn answer(&self, prompt: &str, account: &str, more: &[&str]) -> Outcome {
        let form = self.form();
        let words: Vec<&str> =
            ["prompts", "answer", prompt].into_iter().chain(form.iter().map(String::as_str)).collect();
        self.consent(&[&words[..], more].concat(), account)
    }

    /// A command for programs: JSON, and nobody there to ask.
    #[must_use]
    pub fn command(&self, words: &[&str]) -> crate::deck::Call<'_> {
        self.deck.flowdeck(&[words, &["--json", "--no-input"]].concat())
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

/// Where a running command sends the browser.
///
/// # Panics
/// When it sends it nowhere.
#[track_caller]
pub fn authorize_url(command: &mut Running) -> String {
    text(&command.line("an authorize_url", |line| line["authorize_url"].is_string())["authorize_url"])
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
