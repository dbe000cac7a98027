//! Starts an app's own server when something is about to touch the app.
//!
//! Must never start anything for an app that nobody touches.
//! Tests: `tests/prompts.rs`.

use std::sync::Arc;

use async_trait::async_trait;
use flowdeck_connections::Registry;
use flowdeck_engine::ports::{Authorized, Authorizer, Decision, Loss, StoreError, WaitKey};
use flowdeck_model::connect::Need;
use flowdeck_model::{AppName, ConnectionId, Fault, FaultCode, PromptId};
use tokio::sync::watch;

/// How long a run waits before it asks for an app again whose server did not start, in milliseconds.
const AGAIN_MS: u64 = 5_000;

/// Starts what an app needs on this machine (the playground's server). Called before a run, a preflight or an
/// attempt touches the app; must return at once where it is there already.
#[async_trait]
pub trait AppStarter: Send + Sync {
    /// Makes sure that the app can be reached.
    ///
    /// # Errors
    /// A sentence for the person who must act.
    async fn ensure(&self, app: &AppName) -> Result<(), String>;
}

/// The registry as the engine sees it: starts apps before they are used, tells watchers of changes.
pub(crate) struct Watched {
    pub(crate) registry: Registry,
    pub(crate) starter: Option<Arc<dyn AppStarter>>,
    pub(crate) changes: watch::Sender<u64>,
}

impl Watched {
    async fn started(&self, app: &AppName) -> Option<Decision> {
        let why = self.starter.as_ref()?.ensure(app).await.err()?;
        let fault = Fault::new(FaultCode::Unreachable, format!("{app} could not be started: {why}"));
        Some(Decision::Later { retry_ms: AGAIN_MS, fault })
    }
}

#[async_trait]
impl Authorizer for Watched {
    async fn authorize(&self, need: &Need) -> Result<Decision, StoreError> {
        match self.started(&need.app).await {
            Some(later) => Ok(later),
            None => self.registry.authorize(need).await,
        }
    }

    async fn refused(&self, need: &Need, used: &Authorized, loss: Loss) -> Result<Decision, StoreError> {
        self.registry.refused(need, used, loss).await
    }

    fn worked(&self, used: &Authorized) {
        self.registry.worked(used);
    }

    async fn changed(&self, on: &WaitKey, seen: u64) -> Result<bool, StoreError> {
        self.registry.changed(on, seen).await
    }

    async fn next_changes(&self) -> Vec<WaitKey> {
        let keys = self.registry.next_changes().await;
        self.changes.send_modify(|n| *n += 1);
        keys
    }

    async fn left(&self, prompt: PromptId) -> Result<(), StoreError> {
        self.registry.left(prompt).await
    }

    async fn account(&self, connection: ConnectionId) -> Result<Option<(u64, Option<String>)>, StoreError> {
        self.registry.account(connection).await
    }
}
