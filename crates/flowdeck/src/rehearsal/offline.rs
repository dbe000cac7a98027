//! Connections in a rehearsal: the real ones for reads; without the world one for every app.
//!
//! Must never leave a prompt, a binding or an audit record behind.
//! Tests: `tests/rehearsal.rs`.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use flowdeck_engine::ports::{Authorized, Authorizer, Decision, Loss, StoreError, WaitKey};
use flowdeck_model::app::AppDirectory as _;
use flowdeck_model::connect::Need;
use flowdeck_model::{ConnectionId, Millis, PromptId};

use super::RehearsalOptions;
use crate::catalogue::Cards;
use crate::runtime::Wired;
use crate::starter::Watched;

/// The connections that there are.
pub(super) fn real(wired: &Wired) -> Arc<dyn Authorizer> {
    let changes = tokio::sync::watch::Sender::new(0);
    Arc::new(Quiet(Watched { registry: wired.registry.clone(), starter: wired.starter.clone(), changes }))
}

/// A connection of every app.
pub(super) fn everywhere(cards: &Cards, options: &RehearsalOptions) -> Arc<dyn Authorizer> {
    Arc::new(Offline { cards: cards.clone(), given: options.connections.clone() })
}

/// The registry, told nothing of what the rehearsal does but a refused credential.
struct Quiet(Watched);

#[async_trait]
impl Authorizer for Quiet {
    async fn authorize(&self, need: &Need) -> Result<Decision, StoreError> {
        self.0.authorize(need).await
    }

    async fn refused(&self, need: &Need, used: &Authorized, loss: Loss) -> Result<Decision, StoreError> {
        self.0.refused(need, used, loss).await
    }

    fn worked(&self, _: &Authorized) {}

    async fn changed(&self, on: &WaitKey, seen: u64) -> Result<bool, StoreError> {
        self.0.changed(on, seen).await
    }

    async fn next_changes(&self) -> Vec<WaitKey> {
        // The runtime's own engine listens to them.
        std::future::pending().await
    }

    async fn left(&self, _: PromptId) -> Result<(), StoreError> {
        Ok(())
    }

    async fn account(&self, connection: ConnectionId) -> Result<Option<(u64, Option<String>)>, StoreError> {
        self.0.account(connection).await
    }
}

/// Every app is connected, to nothing.
struct Offline {
    cards: Cards,
    given: BTreeMap<String, BTreeMap<String, String>>,
}

#[async_trait]
impl Authorizer for Offline {
    async fn authorize(&self, need: &Need) -> Result<Decision, StoreError> {
        let mut fields = BTreeMap::new();
        if let Some(auth) = self.cards.apps().auth(&need.app) {
            let open = auth.methods.iter().flat_map(|m| &m.fields).filter(|f| !f.secret);
            fields.extend(open.map(|f| (f.key.clone(), format!("{}.example", need.app))));
        }
        fields.extend(self.given.get(need.app.as_str()).cloned().unwrap_or_default());
        let authorized = Authorized {
            connection: ConnectionId::new(Millis(0), 0),
            generation: 1,
            subject: None,
            account: None,
            fields: Arc::new(fields),
            handle: Arc::new(()),
        };
        Ok(Decision::Ready(authorized, Vec::new()))
    }

    async fn refused(&self, need: &Need, _: &Authorized, _: Loss) -> Result<Decision, StoreError> {
        self.authorize(need).await
    }

    fn worked(&self, _: &Authorized) {}

    async fn changed(&self, _: &WaitKey, _: u64) -> Result<bool, StoreError> {
        Ok(false)
    }

    async fn next_changes(&self) -> Vec<WaitKey> {
        std::future::pending().await
    }

    async fn left(&self, _: PromptId) -> Result<(), StoreError> {
        Ok(())
    }

    async fn account(&self, _: ConnectionId) -> Result<Option<(u64, Option<String>)>, StoreError> {
        Ok(None)
    }
}
