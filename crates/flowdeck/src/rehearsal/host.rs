//! The cards of a rehearsal: functions as always, reads where they may be made, writes never.
//!
//! Must never perform a card that is not a read.
//! Tests: `tests/rehearsal.rs`.

use std::collections::HashMap;
use std::sync::Arc;

use async_trait::async_trait;
use flowdeck_apps::{RequestPreview, Shown, placeholders};
use flowdeck_engine::ports::{CardCall, CardHost, CardOutcome, LookUp};
use flowdeck_model::card::Ambient;
use flowdeck_model::table::TableOp;
use flowdeck_model::{AppName, CardDecl, CardName, Catalogue, EffectClass, Fault, FaultCode, Fields, FlowName, RunId};
use parking_lot::Mutex;

use super::hide::Hidden;
use super::{Asked, RehearsalOptions, RehearsedCall};
use crate::host::Host;

/// Most calls that are kept.
const CALLS_MAX: usize = 100_000;

pub(super) struct RehearsalHost {
    real: Arc<Host>,
    options: RehearsalOptions,
    hidden: Arc<Hidden>,
    calls: Mutex<Vec<RehearsedCall>>,
    /// Helpers that run on their own, by their runs.
    helpers: Mutex<HashMap<RunId, FlowName>>,
}

impl RehearsalHost {
    pub(super) fn new(real: Arc<Host>, options: RehearsalOptions, hidden: Arc<Hidden>) -> Self {
        Self { real, options, hidden, calls: Mutex::default(), helpers: Mutex::default() }
    }

    /// A helper is about to run on its own.
    pub(super) fn runs_alone(&self, run: RunId, helper: FlowName) {
        self.helpers.lock().insert(run, helper);
    }

    pub(super) fn calls(&self) -> Vec<RehearsedCall> {
        self.calls.lock().clone()
    }

    /// Keeps what was called, without secrets, and tells who listens.
    async fn note(
        &self,
        call: CardCall,
        decl: &CardDecl,
        reads: bool,
        requests: &[RequestPreview],
        outputs: Option<Fields>,
    ) {
        let noted = RehearsedCall {
            inputs: self.hidden.fields(&decl.inputs, &call.inputs),
            helper: self.helpers.lock().get(&call.run).cloned(),
            account: call.authorized.and_then(|authorized| authorized.account),
            path: call.path,
            card: call.card,
            reads,
            requests: requests.iter().map(|request| self.hidden.request(request)).collect(),
            outputs,
        };
        self.options.stand_in.heard(&noted).await;
        let mut calls = self.calls.lock();
        if calls.len() < CALLS_MAX {
            calls.push(noted);
        }
    }

    async fn outcome(&self, call: &CardCall, decl: &CardDecl, reads: bool) -> CardOutcome {
        let asked = Asked { call, card: decl, reads };
        match self.options.stand_in.answer(&asked).await {
            Some(outcome) => outcome,
            None if self.options.offline => {
                let message = format!("`{}` at {} has no answer here", call.card, call.path);
                let fault = Fault::new(FaultCode::NotFound, message).remedy("record one, or write it into the test");
                CardOutcome::Failed { fault, retry_after_ms: None, transient: false }
            }
            None if reads => self.real.perform(call.clone()).await,
            None => CardOutcome::Done { outputs: placeholders(&decl.outputs), next_page: None },
        }
    }
}

impl Catalogue for RehearsalHost {
    fn card(&self, name: &CardName) -> Option<Arc<CardDecl>> {
        self.real.card(name)
    }

    fn cards(&self) -> Vec<Arc<CardDecl>> {
        self.real.cards()
    }

    fn has_app(&self, name: &AppName) -> bool {
        self.real.has_app(name)
    }

    fn apps(&self) -> Vec<AppName> {
        self.real.apps()
    }
}

#[async_trait]
impl CardHost for RehearsalHost {
    fn evaluate(&self, card: &CardName, inputs: Fields, ambient: &Ambient) -> Result<Fields, Fault> {
        let outputs = self.real.evaluate(card, inputs.clone(), ambient)?;
        self.hidden.learn_made(&inputs, &outputs);
        if let Some(decl) = self.card(card) {
            self.hidden.learn_declared(&decl.outputs, &outputs);
        }
        Ok(outputs)
    }

    fn is_function(&self, card: &CardName) -> bool {
        self.real.is_function(card)
    }

    fn request_hash(&self, call: &CardCall) -> Result<String, Fault> {
        // Placeholders may not make a request that could be sent; here none is.
        Ok(self.real.request_hash(call).unwrap_or_default())
    }

    async fn perform(&self, call: CardCall) -> CardOutcome {
        let Some(decl) = self.card(&call.card) else { return self.real.perform(call).await };
        self.hidden.learn_declared(&decl.inputs, &call.inputs);
        if decl.effect == EffectClass::Table {
            let outcome = self.real.perform(call.clone()).await;
            if let CardOutcome::Table(op) = &outcome {
                let reads = matches!(op, TableOp::Search { .. } | TableOp::Read { .. } | TableOp::Define(_));
                self.note(call, &decl, reads, &[], None).await;
            }
            return outcome;
        }
        let (reads, requests) = match self.real.apps.show(&call, !self.options.offline).await {
            Ok(Shown { reads, requests }) => (reads, requests),
            // Offline only the answer counts.
            Err(_) if self.options.offline => (decl.effect == EffectClass::Observe, Vec::new()),
            Err(outcome) => return outcome,
        };
        let outcome = self.outcome(&call, &decl, reads).await;
        let outputs = match &outcome {
            CardOutcome::Done { outputs, .. } => {
                self.hidden.learn_declared(&decl.outputs, outputs);
                Some(self.hidden.fields(&decl.outputs, outputs))
            }
            _ => None,
        };
        self.note(call, &decl, reads, &requests, outputs).await;
        outcome
    }

    async fn look_up(&self, _: CardCall) -> LookUp {
        LookUp::CannotTell
    }
}
