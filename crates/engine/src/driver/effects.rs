//! Carries effects out: functions at once, actions after authorization and (for writes) a commit.
//!
//! Must never send a write whose intent is not committed.
//! Tests: `tests/driver/doubt.rs`, `tests/driver/connect.rs`.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use flowdeck_model::connect::Need;
use flowdeck_model::{Ambient, CardName, EffectClass, Fault, FaultCode, Fields};

use super::api::EngineError;
use super::asks::{Purpose, is_other, or_another_account};
use super::live::{Answer, Live, Outgoing, Returned};
use crate::machine::event::{Effect, LookedUp, StepEvent};
use crate::machine::program::Node;
use crate::machine::state::{Container, FrameId, Step};
use crate::ports::{Authorized, CardCall, CardHost, CardOutcome, Clock, LookUp};
use crate::wire::entry::Intent;

impl Live {
    pub(super) async fn carry_out(&mut self, effect: Effect) -> Result<(), EngineError> {
        match effect {
            Effect::Continue => {
                // The machine's share of work is done: others get their turn.
                tokio::task::yield_now().await;
                self.feed(crate::machine::event::EventKind::Advance);
            }
            Effect::Attempt { frame, inputs } => self.attempt(frame, inputs).await?,
            Effect::LookUp { frame, inputs } => self.look_up(frame, inputs).await?,
            Effect::StartChild { run, flow, input } => self.add_child(run, &flow, input)?,
            // Kept for the next commit.
            Effect::Forget { .. } => self.queue.push_back(effect),
        }
        Ok(())
    }

    fn ambient(&self, frame: FrameId) -> Ambient {
        let at = self.state.frames.get(&frame).map_or(0, |f| f.at);
        let mut seed = self.state.seed ^ (u64::from(frame) << 32) ^ u64::from(at);
        // SplitMix64, so that neighbouring steps get unrelated seeds.
        seed = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
        seed = (seed ^ (seed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        seed = (seed ^ (seed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        Ambient { now: self.inner.parts.clock.now(), seed: seed ^ (seed >> 31) }
    }

    async fn attempt(&mut self, frame: FrameId, inputs: Fields) -> Result<(), EngineError> {
        let program = self.program.clone();
        let Some(f) = self.state.frames.get(&frame) else { return Ok(()) };
        let Some(node) = program.node(f.block, f.at) else { return Ok(()) };
        let Some(call) = node.call() else { return Ok(()) };
        if !matches!(f.step, Step::Attempting { .. }) {
            return Ok(());
        }
        let block = f.block;
        if !node.is_event && self.inner.parts.cards.is_function(&call.card) {
            let ambient = self.ambient(frame);
            let cards = self.inner.parts.cards.clone();
            let result = catch_unwind(AssertUnwindSafe(|| cards.evaluate(&call.card, inputs, &ambient)));
            let event = match result.unwrap_or_else(|_| Err(panicked(call.card.as_str()))) {
                Ok(outputs) => StepEvent::Done { outputs, next_page: None },
                Err(fault) => StepEvent::Failed { fault, transient: false, retry_after_ms: None },
            };
            self.feed_step(frame, event);
            return Ok(());
        }
        match self.need(frame, block, node) {
            Some(need) => self.authorize(frame, need, Purpose::Send(inputs)).await,
            None => self.send(frame, inputs, None),
        }
    }

    /// Goes on with an action that has its credential, or needs none.
    pub(super) fn send(
        &mut self,
        frame: FrameId,
        inputs: Fields,
        found: Option<(Need, Authorized)>,
    ) -> Result<(), EngineError> {
        let program = self.program.clone();
        let Some(f) = self.state.frames.get(&frame) else { return Ok(()) };
        let Some(node) = program.node(f.block, f.at) else { return Ok(()) };
        let Some(call) = node.call() else { return Ok(()) };
        let Step::Attempting { attempt, doubt } = f.step.clone() else { return Ok(()) };
        let (need, authorized) = found.unzip();
        if node.is_event {
            self.feed_step(frame, StepEvent::Done { outputs: Fields::new(), next_page: None });
            return Ok(());
        }
        let wants = node.decl.as_ref().and_then(|d| d.app.as_ref());
        if let (None, Some(app)) = (&need, wants) {
            let fault = Fault::new(FaultCode::NotConnected, format!("the card names no slot for `{app}`"))
                .remedy("declare a slot of this app in the flow and name it at the card");
            self.feed_step(frame, StepEvent::Failed { fault, transient: false, retry_after_ms: None });
            return Ok(());
        }
        let subject = authorized.as_ref().and_then(|a| a.subject.as_deref());
        if doubt.as_ref().is_some_and(|d| is_other(d, authorized.as_ref(), subject)) {
            self.feed_step(frame, StepEvent::OtherAccount);
            return Ok(());
        }
        let call = self.call(frame, node, call.card.clone(), inputs, attempt, authorized);
        self.prepare(frame, node, call, need)
    }

    /// Sends reads on their way, and writes as soon as their intent is committed.
    fn prepare(&mut self, frame: FrameId, node: &Node, call: CardCall, need: Option<Need>) -> Result<(), EngineError> {
        let writes = matches!(node.effect(), EffectClass::Write | EffectClass::Idempotent);
        if writes {
            let cards = self.inner.parts.cards.clone();
            let hashed = catch_unwind(AssertUnwindSafe(|| cards.request_hash(&call)));
            let hash = match hashed.unwrap_or_else(|_| Err(panicked(call.card.as_str()))) {
                Ok(hash) => hash,
                Err(fault) => {
                    self.feed_step(frame, StepEvent::Failed { fault, transient: false, retry_after_ms: None });
                    return Ok(());
                }
            };
            let intent = Intent {
                card: call.card.clone(),
                attempt: call.attempt,
                idempotency_key: call.idempotency_key.clone(),
                deadline: call.deadline,
                request_hash: hash,
                connection: call.authorized.as_ref().map(|a| a.connection),
                generation: call.authorized.as_ref().map_or(0, |a| a.generation),
                subject: call.authorized.as_ref().and_then(|a| a.subject.clone()),
            };
            self.feed_step(frame, StepEvent::Sending(intent));
        } else {
            self.view.counts.attempts += 1;
        }
        let outgoing = Outgoing { frame, call, need, writes };
        if writes || !self.ops.is_empty() {
            self.outgoing.push(outgoing);
        } else {
            self.launch(outgoing);
        }
        Ok(())
    }

    /// Lets calls go whose intents are committed.
    pub(super) fn launch_all(&mut self) {
        for outgoing in std::mem::take(&mut self.outgoing) {
            self.launch(outgoing);
        }
    }

    fn launch(&mut self, out: Outgoing) {
        let cards = self.inner.parts.cards.clone();
        let clock = self.inner.parts.clock.clone();
        self.flying.spawn(async move {
            let Outgoing { frame, call, need, writes } = out;
            let used = need.zip(call.authorized.clone());
            let answer = Answer::Performed(perform(cards, clock, call, writes).await);
            Returned { frame, writes, used, answer }
        });
    }

    async fn look_up(&mut self, frame: FrameId, inputs: Fields) -> Result<(), EngineError> {
        let program = self.program.clone();
        let Some(f) = self.state.frames.get(&frame) else { return Ok(()) };
        let Some(node) = program.node(f.block, f.at) else { return Ok(()) };
        match self.need(frame, f.block, node) {
            Some(need) => self.authorize(frame, need, Purpose::LookUp(inputs)).await,
            None => self.look(frame, inputs, None),
        }
    }

    /// Goes on with a look-up that has its credential, or needs none.
    pub(super) fn look(
        &mut self,
        frame: FrameId,
        inputs: Fields,
        found: Option<(Need, Authorized)>,
    ) -> Result<(), EngineError> {
        let program = self.program.clone();
        let Some(f) = self.state.frames.get(&frame) else { return Ok(()) };
        let Some(node) = program.node(f.block, f.at) else { return Ok(()) };
        let Some(card) = node.call().map(|c| c.card.clone()) else { return Ok(()) };
        let Step::Looking { intent, .. } = f.step.clone() else { return Ok(()) };
        let (need, authorized) = found.unzip();
        let subject = authorized.as_ref().and_then(|a| a.subject.as_deref());
        if is_other(&intent, authorized.as_ref(), subject) {
            self.feed_step(frame, StepEvent::OtherAccount);
            return Ok(());
        }
        let mut call = self.call(frame, node, card, inputs.clone(), intent.attempt, authorized);
        call.idempotency_key = intent.idempotency_key;
        let cards = self.inner.parts.cards.clone();
        let clock = self.inner.parts.clock.clone();
        self.flying.spawn(async move {
            let ms = call.deadline.since(clock.now());
            let used = need.zip(call.authorized.clone());
            let asked = tokio::spawn(async move { cards.look_up(call).await });
            let _guard = AbortOnDrop(asked.abort_handle());
            let found = tokio::select! {
                found = asked => found.unwrap_or(LookUp::CannotTell),
                () = clock.sleep(ms) => LookUp::CannotTell,
            };
            Returned { frame, writes: false, used, answer: Answer::LookedUp(found, inputs) }
        });
        Ok(())
    }

    fn need(&self, frame: FrameId, block: u32, node: &Node) -> Option<Need> {
        let mut need = self.program.need(block, node)?;
        need.step = Some((self.view.id, self.state.path(&self.program, frame)));
        Some(need)
    }

    fn call(
        &self,
        frame: FrameId,
        node: &Node,
        card: CardName,
        inputs: Fields,
        attempt: u32,
        authorized: Option<Authorized>,
    ) -> CardCall {
        let ambient = self.ambient(frame);
        let timeout = node.card.timeout_ms.filter(|_| node.lanes.is_empty());
        let timeout = timeout.or(node.decl.as_ref().and_then(|d| d.timeout_ms));
        let mut deadline = ambient.now.plus(timeout.unwrap_or(self.inner.parts.limits.attempt_ms));
        // Nothing may take longer than the flow or a control card around it.
        for due in self.state.dues(frame) {
            deadline = deadline.min(due);
        }
        let path = self.state.path(&self.program, frame);
        let (page, all_pages) = match self.state.frames.get(&frame).and_then(|f| f.container.as_ref()) {
            Some(Container::Loop(l)) => (l.cursor.clone(), false),
            _ => (None, true),
        };
        CardCall {
            run: self.view.id,
            idempotency_key: format!("{}/{path}/{}", self.view.id, self.state.retries(frame)),
            path,
            card,
            inputs,
            attempt,
            ambient,
            deadline,
            page,
            all_pages,
            authorized,
        }
    }

    /// Feeds the answer of a spawned effect.
    pub(super) async fn returned(&mut self, returned: Returned) -> Result<(), EngineError> {
        let Returned { frame, writes, used, answer } = returned;
        if writes && self.outcome_since.is_none() {
            self.outcome_since = Some(self.inner.parts.clock.monotonic_ms());
        }
        let worked = || {
            if let Some((_, authorized)) = &used {
                self.inner.parts.authorizer.worked(authorized);
            }
        };
        let event = match answer {
            Answer::Asked(asked) => return self.asked(frame, *asked).await,
            Answer::LookedUp(LookUp::Happened(outputs), _) => StepEvent::LookedUp(Some(LookedUp::Happened(outputs))),
            Answer::LookedUp(LookUp::DidNot, _) => StepEvent::LookedUp(Some(LookedUp::DidNot)),
            Answer::LookedUp(LookUp::CannotTell, _) => StepEvent::LookedUp(None),
            Answer::LookedUp(LookUp::Refused(loss), inputs) => {
                return self.refused(frame, used, loss, Purpose::LookUp(inputs)).await;
            }
            Answer::Performed(CardOutcome::Done { outputs, next_page }) => {
                worked();
                StepEvent::Done { outputs, next_page }
            }
            Answer::Performed(CardOutcome::Failed { fault, retry_after_ms, transient }) => {
                let fault = match &used {
                    Some((need, _)) => or_another_account(fault, need),
                    None => fault,
                };
                StepEvent::Failed { fault, transient, retry_after_ms }
            }
            Answer::Performed(CardOutcome::Unknown(fault)) => StepEvent::Unknown(fault),
            Answer::Performed(CardOutcome::Table(op)) => return self.table(frame, &op).await,
            Answer::Performed(CardOutcome::Refused(loss)) => {
                return self.refused(frame, used, loss, Purpose::Again).await;
            }
        };
        self.feed_step(frame, event);
        Ok(())
    }
}

async fn perform(cards: Arc<dyn CardHost>, clock: Arc<dyn Clock>, call: CardCall, writes: bool) -> CardOutcome {
    let card = call.card.clone();
    let ms = call.deadline.since(clock.now());
    let performed = tokio::spawn(async move { cards.perform(call).await });
    let guard = AbortOnDrop(performed.abort_handle());
    let outcome = tokio::select! {
        outcome = performed => match outcome {
            Ok(outcome) => outcome,
            Err(_) if writes => CardOutcome::Unknown(panicked(card.as_str())),
            Err(_) => CardOutcome::Failed { fault: panicked(card.as_str()), retry_after_ms: None, transient: false },
        },
        () = clock.sleep(ms) => {
            let fault = Fault::new(FaultCode::Timeout, format!("`{card}` gave no answer in time"))
                .remedy("allow the card more time (`timeout`), or look into the app");
            if writes {
                CardOutcome::Unknown(fault)
            } else {
                CardOutcome::Failed { fault, retry_after_ms: None, transient: true }
            }
        }
    };
    drop(guard);
    outcome
}

struct AbortOnDrop(tokio::task::AbortHandle);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

pub(super) fn panicked(card: &str) -> Fault {
    Fault::new(FaultCode::CardPanicked, format!("the card `{card}` broke; this is a defect of the card"))
        .remedy("report it with the card's name and its inputs")
}
