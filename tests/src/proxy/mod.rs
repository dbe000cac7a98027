//! The proxy before a service: what the real one does and the emulator does not, trouble on demand, and a count of
//! everything.
//!
//! Must never answer for the org on its own, except where a test told it to.
//! Tests: `tests/tests/e2e/harness.rs`.

mod grants;
mod okta;
mod rules;
mod seen;
mod serve;
mod service;

pub use rules::{Fault, Rule};
pub use seen::Seen;
pub use service::Service;

use std::collections::BTreeMap;
use std::sync::{Arc, Condvar, Mutex};
use std::time::Instant;

use tokio::runtime::{Builder, Runtime};

use crate::people::Person;
use crate::port::Port;
use crate::wait::{DEADLINE_S, deadline};

/// A running proxy.
#[derive(Debug)]
pub struct Proxy {
    port: Port,
    shared: Arc<Shared>,
    // Dropped with the proxy: every request that still stands is gone then.
    _runtime: Runtime,
}

#[derive(Debug)]
struct Shared {
    service: Service,
    /// Port of the emulator.
    upstream: u16,
    /// The proxy's own URL, the issuer.
    public: String,
    people: Vec<Person>,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    seen: Vec<Seen>,
    rules: Vec<rules::Active>,
    /// Tokens that were handed out and not revoked, newest last.
    tokens: Vec<okta::Token>,
    /// Who consented, by the code that came of it.
    codes: BTreeMap<String, String>,
    /// The port that a browser goes back to, by its attempt's `state`.
    ports: BTreeMap<String, u16>,
    api_token_works: bool,
    scopes_enforced: bool,
}

impl Proxy {
    /// Where a proxy at this port is found.
    #[must_use]
    pub fn public(port: &Port) -> String {
        format!("http://localhost:{}", port.number())
    }

    /// Listens on the port, before the Okta org at `upstream`.
    ///
    /// # Panics
    /// When the port cannot be listened on.
    #[must_use]
    pub fn start(port: Port, upstream: u16, people: &[Person]) -> Self {
        Self::before(Service::Okta, port, upstream, people)
    }

    /// Listens on the port, before a service at `upstream`; `people` are those of an Okta org.
    ///
    /// # Panics
    /// When the port cannot be listened on.
    #[must_use]
    pub fn before(service: Service, port: Port, upstream: u16, people: &[Person]) -> Self {
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("start a runtime");
        let shared = Arc::new(Shared {
            service,
            upstream,
            public: Self::public(&port),
            people: people.to_vec(),
            state: Mutex::new(State { api_token_works: true, scopes_enforced: true, ..State::default() }),
            changed: Condvar::new(),
        });
        runtime.block_on(serve::listen(port.number(), shared.clone())).expect("listen");
        Self { port, shared, _runtime: runtime }
    }

    /// Its URL: the org's domain and issuer.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.shared.public
    }

    /// `localhost:PORT`, as it is allowed over plain http.
    #[must_use]
    pub fn host(&self) -> String {
        format!("localhost:{}", self.port.number())
    }

    /// Adds a rule; the first one that matches a request is used.
    pub fn rule(&self, rule: Rule) {
        self.shared.lock().rules.push(rules::Active::new(rule));
    }

    /// Takes all rules away.
    pub fn calm(&self) {
        self.shared.lock().rules.clear();
    }

    /// Forgets the requests so far.
    pub fn forget(&self) {
        self.shared.lock().seen.clear();
    }

    /// Every request so far.
    #[must_use]
    pub fn seen(&self) -> Vec<Seen> {
        self.shared.lock().seen.clone()
    }

    /// Requests of this method whose path fits; `*` stands for one segment.
    #[must_use]
    pub fn count(&self, method: &str, path: &str) -> usize {
        self.shared.lock().seen.iter().filter(|seen| seen.is(method, path)).count()
    }

    /// Requests among these that the org acted on.
    #[must_use]
    pub fn acted(&self, method: &str, path: &str) -> Vec<Seen> {
        self.shared.lock().seen.iter().filter(|seen| seen.is(method, path) && seen.acted).cloned().collect()
    }

    /// Blocks until so many such requests have come.
    ///
    /// # Panics
    /// When they do not come.
    pub fn wait_for(&self, method: &str, path: &str, n: usize) {
        self.wait(&format!("{n} requests {method} {path}"), |seen| {
            seen.iter().filter(|seen| seen.is(method, path)).count() >= n
        });
    }

    /// Blocks until such a request was answered.
    ///
    /// # Panics
    /// When it is not.
    pub fn wait_answered(&self, method: &str, path: &str) {
        self.wait(&format!("an answer to {method} {path}"), |seen| {
            seen.iter().any(|seen| seen.is(method, path) && seen.status.is_some())
        });
    }

    fn wait(&self, what: &str, holds: impl Fn(&[Seen]) -> bool) {
        let end = deadline();
        let mut state = self.shared.lock();
        while !holds(&state.seen) {
            let left = end.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "waited {DEADLINE_S} s in vain for {what}; seen: {:#?}", state.seen);
            state = self.shared.changed.wait_timeout(state, left).expect("the state").0;
        }
    }

    /// Every token that was handed out and not revoked, to look for where it must not be.
    #[must_use]
    pub fn tokens(&self) -> Vec<String> {
        self.shared.lock().tokens.iter().map(|token| token.text.clone()).collect()
    }

    /// Whether the API token is taken; it is, unless a test says otherwise.
    pub fn take_api_token(&self, on: bool) {
        self.shared.lock().api_token_works = on;
    }

    /// Whether requests whose token lacks a scope are refused; they are, unless a test says otherwise.
    pub fn enforce_scopes(&self, on: bool) {
        self.shared.lock().scopes_enforced = on;
    }

    /// Revokes the tokens of an account at the org: its access tokens, and with `refresh` its refresh tokens too.
    ///
    /// # Panics
    /// When the org does not take it.
    pub fn revoke(&self, login: &str, refresh: bool) {
        self._runtime.block_on(serve::revoke(&self.shared, Some(login), refresh)).expect("revoke");
    }
}

impl Shared {
    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().expect("the proxy's state")
    }
}
