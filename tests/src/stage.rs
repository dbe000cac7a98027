//! The five services and one person's machine, and what such a person does there: connect, consent, answer.
//!
//! Must never do by other means what a person would do with a command and a browser.
//! Tests: `tests/tests/scenarios`.

use std::ops::Deref;
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde_json::Value;

use crate::browser::{Browser, Person as Visitor};
use crate::deck::Deck;
use crate::emulate::CLIENT_ID;
use crate::proxy::{Proxy, Service};
use crate::running::{Outcome, Running};
use crate::suite::Suite;
use crate::world::authorize_url;

/// The stage: the services are this test's alone while it stands.
#[derive(Debug)]
pub struct Stage<'a> {
    /// The services.
    pub suite: MutexGuard<'a, Suite>,
    /// The machine.
    pub deck: Deck,
    browser: Browser,
}

/// What is done on the machine alone.
impl Deref for Stage<'_> {
    type Target = Deck;

    fn deref(&self) -> &Deck {
        &self.deck
    }
}

/// Names of an app's addresses, and paths.
type Addresses = &'static [(&'static str, &'static str)];

/// Apps and the addresses that stand in for theirs, below the address of their service's proxy.
const ADDRESSES: &[(&str, Service, Addresses)] = &[
    (
        "slack",
        Service::Slack,
        &[("authorize", "/oauth/v2/authorize"), ("token", "/api/oauth.v2.access"), ("api", "/api")],
    ),
    ("gmail", Service::Google, GOOGLE),
    ("googlecalendar", Service::Google, GOOGLE),
    ("googledrive", Service::Google, GOOGLE),
    (
        "github",
        Service::Github,
        &[("authorize", "/login/oauth/authorize"), ("token", "/login/oauth/access_token"), ("api", "")],
    ),
    ("office365admin", Service::Microsoft, MICROSOFT),
    ("office365mail", Service::Microsoft, MICROSOFT),
];
const GOOGLE: Addresses = &[
    ("authorize", "/o/oauth2/v2/auth"),
    ("token", "/oauth2/token"),
    ("revoke", "/oauth2/revoke"),
    ("userinfo", "/oauth2/v2/userinfo"),
    ("api", ""),
];
const MICROSOFT: Addresses = &[("authorize", "/oauth2/v2.0/authorize"), ("token", "/oauth2/v2.0/token"), ("api", "")];

impl<'a> Stage<'a> {
    /// Waits until the services are free, and makes a new machine.
    ///
    /// # Panics
    /// Where the machine cannot be made.
    #[must_use]
    pub fn enter(suite: &'a Mutex<Suite>) -> Self {
        // A test that failed leaves the services as good as they were.
        let suite = suite.lock().unwrap_or_else(PoisonError::into_inner);
        suite.calm();
        let mut deck = Deck::redirected_at(suite.redirect.clone());
        for service in Service::ALL {
            deck.allow_http(suite.proxy(service).host());
        }
        for (app, service, addresses) in ADDRESSES {
            for (name, path) in *addresses {
                deck.app_address(&format!("{app}.{name}"), &format!("{}{path}", suite.proxy(*service).url()));
            }
        }
        Self { suite, deck, browser: Browser::default() }
    }

    /// What stands before a service.
    #[must_use]
    pub fn proxy(&self, service: Service) -> &Proxy {
        self.suite.proxy(service)
    }

    /// The form of an app's OAuth method, filled in.
    #[must_use]
    pub fn form(&self, app: &str) -> Vec<String> {
        let mut words = Vec::new();
        if app == "okta" {
            words.extend(["--set".to_owned(), format!("domain={}", self.proxy(Service::Okta).url())]);
        }
        words.extend(["--set".to_owned(), format!("client_id={CLIENT_ID}")]);
        words.extend(["--secret".to_owned(), "client_secret=client-secret".to_owned()]);
        words.extend(["--method".to_owned(), "oauth".to_owned()]);
        words
    }

    /// Connects an app ahead of any flow, under a nickname, as an account, with these further words.
    ///
    /// # Panics
    /// When it does not work.
    #[track_caller]
    pub fn connect(&self, app: &str, nickname: &str, account: &str, more: &[&str]) -> Value {
        let form = self.form(app);
        let words = ["connect", app, "--as", nickname].into_iter().chain(form.iter().map(String::as_str));
        let outcome = self.consent(&words.chain(more.iter().copied()).collect::<Vec<_>>(), account);
        assert_eq!(outcome.code, Some(0), "{outcome}");
        self.connection(nickname)
    }

    /// Answers a prompt with a new authorization of the app, the form filled in, as this account.
    ///
    /// # Panics
    /// When nobody is asked for consent.
    #[track_caller]
    pub fn answer(&self, prompt: &str, app: &str, account: &str) -> Outcome {
        let form = self.form(app);
        let words: Vec<&str> =
            ["prompts", "answer", prompt].into_iter().chain(form.iter().map(String::as_str)).collect();
        self.consent(&words, account)
    }

    /// A command that asks for consent: the person consents to all of it, and it runs to its end.
    ///
    /// # Panics
    /// When it asks for none.
    #[track_caller]
    pub fn consent(&self, words: &[&str], account: &str) -> Outcome {
        let mut command = self.command(words).spawn();
        self.visit(&mut command, account, None);
        command.end()
    }

    /// A command that asks for consent: the person leaves only these scopes ticked.
    ///
    /// # Panics
    /// When it asks for none.
    #[track_caller]
    pub fn consent_to(&self, words: &[&str], account: &str, scopes: &[&str]) -> Outcome {
        let mut command = self.command(words).spawn();
        self.visit(&mut command, account, Some(scopes));
        command.end()
    }

    #[track_caller]
    fn visit(&self, command: &mut Running, account: &str, scopes: Option<&[&str]>) {
        let url = authorize_url(command);
        self.browser.consent(&url, Visitor { account, scopes }).expect("consent");
    }
}
