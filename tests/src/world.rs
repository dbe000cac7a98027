//! An org and a person's machine together, and what such a person does: connect, run, answer, look.
//!
//! Must never do by other means what a person would do with a command.
//! Tests: `tests/tests/e2e`.

use std::ops::Deref;

use serde_json::Value;
use url::Url;

pub use crate::acts::{Stop, stop, text};
use crate::deck::Deck;
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

/// What is done on the machine alone.
impl Deref for World {
    type Target = Deck;

    fn deref(&self) -> &Deck {
        &self.deck
    }
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
}

/// Where a running command sends the browser.
///
/// # Panics
/// When it sends it nowhere.
#[track_caller]
pub fn authorize_url(command: &mut Running) -> String {
    text(&command.line("an authorize_url", |line| line["authorize_url"].is_string())["authorize_url"])
}
