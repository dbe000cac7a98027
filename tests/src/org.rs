//! A whole Okta org for one test: the emulator, the proxy before it, and what stands at the server.
//!
//! Must never be shared between tests: each has its own people and its own count.
//! Tests: `tests/tests/e2e/harness.rs`.

use std::collections::BTreeSet;

use http::Method;
use tempfile::TempDir;

use crate::browser::{Browser, Page, Person as Visitor};
use crate::emulate::{API_TOKEN, Okta};
use crate::http::Http;
use crate::people::Person;
use crate::port::Port;
use crate::proxy::Proxy;

/// Path of a suspension, as the proxy counts it.
pub const SUSPEND: &str = "/api/v1/users/*/lifecycle/suspend";

/// The org.
#[derive(Debug)]
pub struct Org {
    /// What flowdeck talks to.
    pub proxy: Proxy,
    people: Vec<Person>,
    emulate: Okta,
    http: Http,
    browser: Browser,
    _folder: TempDir,
}

impl Org {
    /// Starts an org with these people, for a client that is redirected to these URIs; `None` where the npm packages
    /// may be missing.
    ///
    /// # Panics
    /// When it does not come up.
    #[must_use]
    pub fn start(people: Vec<Person>, redirects: &[String]) -> Option<Self> {
        let folder = TempDir::new().expect("make a folder");
        let port = Port::take();
        let emulate = Okta::start(folder.path(), &people, &Proxy::public(&port), redirects)?;
        let proxy = Proxy::start(port, emulate.port(), &people);
        Some(Self { proxy, people, emulate, http: Http::default(), browser: Browser::default(), _folder: folder })
    }

    /// The person consents in the browser as this account, to everything that is asked.
    ///
    /// # Panics
    /// When the browser cannot pass a page.
    pub fn consent(&self, authorize: &str, account: &str) -> Page {
        self.browser.consent(authorize, Visitor { account, scopes: None }).expect("consent")
    }

    /// The person consents to these scopes only.
    ///
    /// # Panics
    /// When the browser cannot pass a page.
    pub fn consent_to(&self, authorize: &str, account: &str, scopes: &[&str]) -> Page {
        self.browser.consent(authorize, Visitor { account, scopes: Some(scopes) }).expect("consent")
    }

    /// The person presses Cancel.
    ///
    /// # Panics
    /// When the browser cannot go back.
    pub fn deny(&self, authorize: &str) -> Page {
        self.browser.deny(authorize, self.proxy.url()).expect("deny")
    }

    /// Logins of everybody with this status, asked at the org itself.
    ///
    /// # Panics
    /// When the org does not answer.
    #[must_use]
    pub fn with_status(&self, status: &str) -> BTreeSet<String> {
        let has = |person: &&Person| self.own(&format!("/api/v1/users/{}", person.id))["status"] == status;
        self.people.iter().filter(has).map(|p| p.login.clone()).collect()
    }

    /// Deactivates somebody at the org itself.
    ///
    /// # Panics
    /// When the org does not do it.
    pub fn deactivate(&self, login: &str) {
        let url = format!("http://localhost:{}/api/v1/users/{login}/lifecycle/deactivate", self.emulate.port());
        let answer = self.http.call(Method::POST, &url, &format!("SSWS {API_TOKEN}"), "{}").expect("ask the org");
        assert!(answer.status.is_success(), "{login}: {}", answer.text());
    }

    /// Logins of everybody who should be suspended.
    #[must_use]
    pub fn idle(&self) -> BTreeSet<String> {
        self.people.iter().filter(|p| p.idle).map(|p| p.login.clone()).collect()
    }

    /// Names of all groups at the org.
    ///
    /// # Panics
    /// When the org does not answer.
    #[must_use]
    pub fn groups(&self) -> Vec<String> {
        let groups = self.own("/api/v1/groups?per_page=100");
        let names = groups.as_array().into_iter().flatten();
        names.filter_map(|g| g["profile"]["name"].as_str().map(str::to_owned)).collect()
    }

    /// How often each person was suspended: logins with their count, by what the org carried out.
    #[must_use]
    pub fn suspensions(&self) -> Vec<(String, usize)> {
        let acted = self.proxy.acted("POST", SUSPEND);
        let of = |person: &Person| acted.iter().filter(|s| s.path.split('/').nth(4) == Some(&person.id)).count();
        self.people.iter().map(|p| (p.login.clone(), of(p))).filter(|(_, n)| *n > 0).collect()
    }

    fn own(&self, path: &str) -> serde_json::Value {
        let url = format!("http://localhost:{}{path}", self.emulate.port());
        let answer = self.http.call(Method::GET, &url, &format!("SSWS {API_TOKEN}"), "").expect("ask the org");
        assert!(answer.status.is_success(), "{path}: {}", answer.text());
        answer.json()
    }
}
