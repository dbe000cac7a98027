//! All cards as the engine calls them: functions are computed here, actions go to their app.
//!
//! Must never hand a card of one kind to the host of the other.
//! Tests: `tests/runtime.rs`.

use std::sync::Arc;

use async_trait::async_trait;
use flowdeck_apps::AppHost;
use flowdeck_engine::ports::{CardCall, CardHost, CardOutcome, LookUp};
use flowdeck_model::card::Ambient;
use flowdeck_model::{AppName, CardDecl, CardName, Catalogue, Fault, Fields};

use crate::catalogue::Cards;

/// The card port of a runtime.
pub(crate) struct Host {
    pub(crate) cards: Cards,
    pub(crate) apps: AppHost,
}

impl Catalogue for Host {
    fn card(&self, name: &CardName) -> Option<Arc<CardDecl>> {
        self.cards.card(name)
    }

    fn cards(&self) -> Vec<Arc<CardDecl>> {
        self.cards.cards()
    }

    fn has_app(&self, name: &AppName) -> bool {
        self.cards.has_app(name)
    }

    fn apps(&self) -> Vec<AppName> {
        Catalogue::apps(&self.cards)
    }
}

#[async_trait]
impl CardHost for Host {
    fn evaluate(&self, card: &CardName, inputs: Fields, ambient: &Ambient) -> Result<Fields, Fault> {
        self.cards.functions().evaluate(card, inputs, ambient)
    }

    fn is_function(&self, card: &CardName) -> bool {
        self.cards.functions().has(card)
    }

    fn request_hash(&self, call: &CardCall) -> Result<String, Fault> {
        self.apps.request_hash(call)
    }

    async fn perform(&self, call: CardCall) -> CardOutcome {
        self.apps.perform(call).await
    }

    async fn look_up(&self, call: CardCall) -> LookUp {
        self.apps.look_up(call).await
    }
}
