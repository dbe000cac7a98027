//! All fakes together, and an engine on them that can be killed and opened again.
//!
//! Must never keep anything of a killed engine but the disk and the outside world.
//! Tests: `crates/engine/tests`.

use std::sync::Arc;

use flowdeck_engine::ports::{Store as _, Vault};
use flowdeck_engine::{Engine, EngineError, Limits, Parts, RunView, Start};
use flowdeck_model::{Fields, Flow, RunId, Value};

use crate::{FakeAuthorizer, FakeCards, FakeClock, FakeStore};

/// The outside world, one disk, and the engine of the current process.
#[derive(Debug)]
pub struct World {
    /// Time.
    pub clock: Arc<FakeClock>,
    /// Apps and functions.
    pub cards: Arc<FakeCards>,
    /// Connections.
    pub authorizer: Arc<FakeAuthorizer>,
    /// The store of the current process.
    pub store: Arc<FakeStore>,
    /// The engine of the current process.
    pub engine: Engine,
    limits: Limits,
}

impl Default for World {
    fn default() -> Self {
        Self::new(Limits::default())
    }
}

impl World {
    /// A new world with an empty disk.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        let (clock, cards) = (Arc::new(FakeClock::default()), Arc::new(FakeCards::default()));
        let (authorizer, store) = (Arc::new(FakeAuthorizer::default()), Arc::new(FakeStore::default()));
        let engine = Engine::new(Parts {
            store: store.clone(),
            clock: clock.clone(),
            cards: cards.clone(),
            authorizer: authorizer.clone(),
            vault: Arc::new(FakeVault),
            seed: 1,
            limits: limits.clone(),
        });
        Self { clock, cards, authorizer, store, engine, limits }
    }

    /// Ends the process at once and starts another on the same disk.
    pub fn restart(&mut self) {
        self.store.kill();
        self.store = Arc::new(self.store.reopen());
        self.engine = Engine::new(Parts {
            store: self.store.clone(),
            clock: self.clock.clone(),
            cards: self.cards.clone(),
            authorizer: self.authorizer.clone(),
            vault: Arc::new(FakeVault),
            seed: self.store.epoch() + 99,
            limits: self.limits.clone(),
        });
    }

    /// Runs a flow and waits for its first stop.
    ///
    /// # Errors
    /// The engine's.
    pub async fn run(&self, flow: &Arc<Flow>, input: Value) -> Result<RunView, EngineError> {
        self.engine.start_and_wait(Start::new(flow.clone(), Fields::from_value(input))).await
    }
}

/// Seals without a key: enough to see that what is stored cannot be read, and opens only under its own name.
#[derive(Debug, Clone, Copy)]
pub struct FakeVault;

impl Vault for FakeVault {
    fn seal(&self, run: RunId, what: &str, plain: &[u8]) -> Vec<u8> {
        let label = format!("{run} {what}\0");
        label.into_bytes().into_iter().chain(plain.iter().map(|byte| byte ^ 0x5a)).collect()
    }

    fn open(&self, run: RunId, what: &str, sealed: &[u8]) -> Result<Vec<u8>, String> {
        let label = format!("{run} {what}\0");
        let plain = sealed.strip_prefix(label.as_bytes()).ok_or("it was sealed as something else")?;
        Ok(plain.iter().map(|byte| byte ^ 0x5a).collect())
    }
}

/// A flow from the JSON of the model; what is not given is as in an empty flow called `f`.
///
/// # Panics
/// Where it is no flow: tests give only literals.
#[must_use]
pub fn flow(parts: Value) -> Arc<Flow> {
    let mut all = serde_json::json!({"name": "f", "cards": []});
    if let (Some(all), Value::Object(parts)) = (all.as_object_mut(), parts) {
        all.extend(parts);
    }
    Arc::new(serde_json::from_value(all).expect("a flow in the model's form"))
}
