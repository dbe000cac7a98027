//! Connections that tests grant, take away and exchange.
//!
//! Must never hold a real secret.
//! Tests: `crates/engine/tests/connect.rs`.

use std::any::Any;
use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use flowdeck_engine::ports::{Authorized, Authorizer, Decision, Hold, Loss, Op, Space, StoreError, WaitKey};
use flowdeck_model::connect::{Need, PromptReason};
use flowdeck_model::{ConnectionId, Fault, FaultCode, Millis, PromptId};
use parking_lot::Mutex;
use tokio::sync::Notify;

use crate::clock::START;

#[derive(Debug, Default)]
struct Registry {
    version: u64,
    grants: BTreeMap<String, Grant>,
    changed: Vec<WaitKey>,
    versions: BTreeMap<String, u64>,
    later: u32,
    on_missing: Option<String>,
    /// Before this many more decisions the connection of the app is lost.
    lose_in: Option<(u32, String)>,
    renew: Option<String>,
    always_renew: bool,
    slow: u32,
    left: Vec<PromptId>,
}

#[derive(Debug, Clone)]
struct Grant {
    generation: u64,
    subject: String,
    good: bool,
}

/// A registry with at most one connection for each app.
#[derive(Debug, Default)]
pub struct FakeAuthorizer {
    registry: Mutex<Registry>,
    notify: Notify,
}

fn key(app: &str) -> WaitKey {
    WaitKey(format!("app:{app}"))
}

fn id(app: &str) -> u128 {
    app.bytes().fold(7, |n, b| n * 31 + u128::from(b))
}

impl FakeAuthorizer {
    /// Grants (or renews) the connection of an app, for this account.
    pub fn grant(&self, app: &str, subject: &str) {
        let mut registry = self.registry.lock();
        registry.grant(app, subject);
        drop(registry);
        self.notify.notify_one();
    }

    /// The grant is gone.
    pub fn lose(&self, app: &str) {
        let mut registry = self.registry.lock();
        registry.version += 1;
        if let Some(grant) = registry.grants.get_mut(app) {
            grant.good = false;
        }
    }

    /// Every answer takes so many turns of other tasks.
    pub fn slow(&self, turns: u32) {
        self.registry.lock().slow = turns;
    }

    async fn take_time(&self) {
        let turns = self.registry.lock().slow;
        for _ in 0..turns {
            tokio::task::yield_now().await;
        }
    }

    /// After this many more answers the grant of `app` is gone.
    pub fn lose_after(&self, answers: u32, app: &str) {
        self.registry.lock().lose_in = Some((answers, app.to_owned()));
    }

    /// The next refusal finds a newer generation, as another run's refresh makes it.
    pub fn renew_at_refusal(&self, app: &str) {
        self.registry.lock().renew = Some(app.to_owned());
    }

    /// Every refusal finds a newer generation.
    pub fn always_renew(&self, app: &str) {
        let mut registry = self.registry.lock();
        registry.renew = Some(app.to_owned());
        registry.always_renew = true;
    }

    /// Nobody is told of the changes so far: only their versions show them.
    pub fn forget_changes(&self) {
        self.registry.lock().changed.clear();
    }

    /// Prompts that runs left without an answer, in order.
    #[must_use]
    pub fn prompts_left(&self) -> Vec<PromptId> {
        self.registry.lock().left.clone()
    }

    /// The next `times` questions are answered with trouble that passes.
    pub fn trouble(&self, times: u32) {
        self.registry.lock().later = times;
    }

    /// The next time a connection of `app` is missing, it is granted right after that was said: the race between
    /// "missing" and the commit of the wait.
    pub fn grant_right_after_missing(&self, app: &str) {
        self.registry.lock().on_missing = Some(app.to_owned());
    }
}

impl Registry {
    fn grant(&mut self, app: &str, subject: &str) {
        self.version += 1;
        let version = self.version;
        let generation = self.grants.get(app).map_or(0, |g| g.generation) + 1;
        self.grants.insert(app.to_owned(), Grant { generation, subject: subject.to_owned(), good: true });
        self.versions.insert(app.to_owned(), version);
        self.changed.push(key(app));
    }

    fn decide(&mut self, need: &Need) -> Decision {
        if self.later > 0 {
            self.later -= 1;
            let fault = Fault::new(FaultCode::Unreachable, "the provider does not answer");
            return Decision::Later { retry_ms: 1_000, fault };
        }
        let app = need.app.as_str();
        if let Some((answers, lost)) = &mut self.lose_in
            && lost == app
        {
            if *answers == 0 {
                if let Some(grant) = self.grants.get_mut(app) {
                    grant.good = false;
                }
                self.version += 1;
                self.lose_in = None;
            } else {
                *answers -= 1;
            }
        }
        if let Some(grant) = self.grants.get(app).filter(|g| g.good) {
            return Decision::Ready(grant.authorized(app), Vec::new());
        }
        let reason = if self.grants.contains_key(app) { PromptReason::Lost } else { PromptReason::Missing };
        let prompt = PromptId::new(START, id(app));
        let hold = Hold {
            on: key(app),
            seen: self.version,
            reason,
            prompt,
            deadline: START.plus(30 * 24 * 3_600_000),
            ops: vec![Op::Put { space: Space::Prompts, key: prompt.to_bytes().to_vec(), value: app.into() }],
        };
        if self.on_missing.as_deref() == Some(app) {
            self.on_missing = None;
            self.grant(app, "alice");
            // Nobody is told: only the version shows it.
            self.changed.clear();
        }
        Decision::Wait(hold)
    }
}

impl Grant {
    fn authorized(&self, app: &str) -> Authorized {
        Authorized {
            connection: ConnectionId::new(Millis(0), id(app)),
            generation: self.generation,
            subject: Some(self.subject.clone()),
            account: Some(self.subject.clone()),
            fields: Arc::default(),
            handle: Arc::new(()) as Arc<dyn Any + Send + Sync>,
        }
    }
}

#[async_trait]
impl Authorizer for FakeAuthorizer {
    async fn authorize(&self, need: &Need) -> Result<Decision, StoreError> {
        self.take_time().await;
        Ok(self.registry.lock().decide(need))
    }

    async fn refused(&self, need: &Need, used: &Authorized, _loss: Loss) -> Result<Decision, StoreError> {
        self.take_time().await;
        let mut registry = self.registry.lock();
        let app = need.app.as_str().to_owned();
        let renew = if registry.always_renew { registry.renew.clone() } else { registry.renew.take() };
        if let Some(grant) = renew.and_then(|app| registry.grants.get_mut(&app)) {
            grant.generation += 1;
        }
        if let Some(grant) = registry.grants.get_mut(&app)
            && grant.generation <= used.generation
        {
            grant.good = false;
            registry.version += 1;
        }
        Ok(registry.decide(need))
    }

    fn worked(&self, _used: &Authorized) {}

    async fn changed(&self, on: &WaitKey, seen: u64) -> Result<bool, StoreError> {
        let app = on.0.trim_start_matches("app:");
        Ok(self.registry.lock().versions.get(app).is_some_and(|v| *v > seen))
    }

    async fn next_changes(&self) -> Vec<WaitKey> {
        loop {
            let changed = std::mem::take(&mut self.registry.lock().changed);
            if !changed.is_empty() {
                return changed;
            }
            self.notify.notified().await;
        }
    }

    async fn left(&self, prompt: PromptId) -> Result<(), StoreError> {
        self.registry.lock().left.push(prompt);
        Ok(())
    }

    async fn account(&self, connection: ConnectionId) -> Result<Option<(u64, Option<String>)>, StoreError> {
        let registry = self.registry.lock();
        let found = registry.grants.iter().find(|(app, _)| ConnectionId::new(Millis(0), id(app)) == connection);
        Ok(found.map(|(_, g)| (g.generation, Some(g.subject.clone()))))
    }
}
