//! Functions and actions: attempts, answers, repetition, doubt.
//!
//! Must never repeat a write whose outcome is not known unless its card says that it may.
//! Tests: `tests/driver/doubt.rs`.

use std::sync::Arc;

use flowdeck_model::flow::Retry;
use flowdeck_model::{EffectClass, Fault, FaultCode, Fields, InDoubt, Value};

use super::coerce;
use super::context::Context;
use super::event::{Effect, LookedUp};
use super::program::{Fill, Node};
use super::scope;
use super::state::{Container, FrameId, Held, Step};
use crate::driver::api::Settlement;
use crate::wire::entry::{EntryKind, Intent, WaitReason};

/// Repetitions of a write that may be repeated while its outcome is not known, where the card has no `retry`.
const DOUBT_ATTEMPTS_MAX: u32 = 4;
/// How often authorization may put a step off before it fails.
const PUT_OFF_MAX: u32 = 20;

/// What a limited rate gets where the card has no `retry`.
fn rate_limited() -> Retry {
    Retry { times: 8, pause_ms: 1_000, factor: 2.0, pause_ms_max: 60_000 }
}

/// The pause before repetition number `attempt` (from 1).
pub(super) fn pause_ms(retry: &Retry, attempt: u32) -> u64 {
    let factor = if retry.factor.is_finite() { retry.factor.max(1.0) } else { 1.0 };
    let power = factor.powi(i32::try_from(attempt.saturating_sub(1)).unwrap_or(i32::MAX));
    #[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    let pause = (retry.pause_ms as f64 * power).min(9e15) as u64;
    pause.min(retry.pause_ms_max.max(retry.pause_ms))
}

impl Context<'_> {
    /// Begins the call of the current card (or the next page of its loop).
    pub(super) fn begin_call(&mut self, id: FrameId) -> Result<(), Fault> {
        let Some(node) = self.node(id) else { return Ok(()) };
        let Some(call) = node.call() else { return Ok(()) };
        if node.is_event {
            return self.begin_event(id, node);
        }
        if node.decl.is_none() {
            let (what, remedy) = match call.unbound {
                true => {
                    ("no app or function offers", "add an app file that offers it, or put another card in its place")
                }
                false => ("there is no card", "check its name, or add the app file that has it"),
            };
            return Err(Fault::new(FaultCode::UnknownCard, format!("{what} `{}`", call.card)).remedy(remedy));
        }
        if self.stops_at_limit(id, node) {
            return Ok(());
        }
        self.set_step(id, Step::Attempting { attempt: 1, doubt: None });
        self.ask(id)
    }

    /// Step 0: waits for the event's connection like any other step.
    fn begin_event(&mut self, id: FrameId, node: &Node) -> Result<(), Fault> {
        let block = self.frame(id).map_or(0, |f| f.block);
        if self.program.need(block, node).is_none() {
            let event = self.state.event.clone().unwrap_or_default();
            self.done(id, event);
            return Ok(());
        }
        self.set_step(id, Step::Attempting { attempt: 1, doubt: None });
        self.out.effects.push(Effect::Attempt { frame: id, inputs: Fields::new() });
        Ok(())
    }

    /// Works the inputs out and asks for what the step's sub-state wants.
    pub(super) fn ask(&mut self, id: FrameId) -> Result<(), Fault> {
        let Some(node) = self.node(id) else { return Ok(()) };
        let inputs = if node.is_event { Fields::new() } else { self.inputs(id, node)? };
        let looks = matches!(self.frame(id).map(|f| &f.step), Some(Step::Looking { .. }));
        self.out.effects.push(if looks {
            Effect::LookUp { frame: id, inputs }
        } else {
            Effect::Attempt { frame: id, inputs }
        });
        Ok(())
    }

    /// Converted inputs of the current call.
    pub(super) fn inputs(&self, id: FrameId, node: &Node) -> Result<Fields, Fault> {
        let (Some(call), Some(decl)) = (node.call(), &node.decl) else { return Ok(Fields::new()) };
        let scope = self.scope(id, None);
        let mut given = Fields::with_capacity(node.fills.len());
        for fill in &node.fills {
            match fill {
                Fill::Constant(key, value) => given.share(key.clone(), Arc::clone(value)),
                Fill::Mapped(at) => {
                    let Some((key, mapping)) = call.with.get_index(*at) else { continue };
                    given.share(key.clone(), scope::field(&scope, key, mapping)?);
                }
            }
        }
        coerce::inputs(&decl.inputs, decl.more_inputs.as_ref(), given)
    }

    fn ask_or_fail(&mut self, id: FrameId) {
        if let Err(fault) = self.ask(id) {
            self.fail(id, fault);
        }
    }

    pub(super) fn sending(&mut self, id: FrameId, intent: Intent) {
        self.note(id, EntryKind::StepStarted { card: intent.card.clone(), attempt: intent.attempt });
        self.note(id, EntryKind::Intent(intent.clone()));
        let doubt = self.earlier(id);
        self.set_step(id, Step::Sent { intent, doubt });
    }

    pub(super) fn answered(&mut self, id: FrameId, outputs: Fields, next_page: Option<Value>) {
        if matches!(self.frame(id).and_then(|f| f.container.as_ref()), Some(Container::Loop(_))) {
            if self.state.is_draining(id) {
                // Parked: where the run goes on later, the page is asked for again.
                return self.set_step(id, Step::Pausing { attempt: 1, until: self.now, doubt: None });
            }
            if let Some(call) = self.node(id).and_then(|n| n.call()) {
                self.note(id, EntryKind::PageCame { card: call.card.clone(), outputs: Some(outputs.clone()) });
            }
            if let Err(fault) = self.page_arrived(id, &outputs, next_page) {
                self.fail(id, fault);
            }
            return;
        }
        let is_event = self.node(id).is_some_and(|n| n.is_event);
        let outputs = if is_event { self.state.event.clone().unwrap_or_default() } else { outputs };
        self.done(id, outputs);
    }

    /// The intent of an earlier attempt whose outcome is still not known: a definite answer to a repetition says
    /// nothing about it.
    fn earlier(&self, id: FrameId) -> Option<Intent> {
        match self.frame(id).map(|f| &f.step) {
            Some(Step::Attempting { doubt, .. } | Step::Sent { doubt, .. }) => doubt.clone(),
            _ => None,
        }
    }

    fn attempt(&self, id: FrameId) -> u32 {
        match self.frame(id).map(|f| &f.step) {
            Some(Step::Attempting { attempt, .. }) => *attempt,
            Some(Step::Sent { intent, .. } | Step::Looking { intent, .. }) => intent.attempt,
            _ => 1,
        }
    }

    pub(super) fn attempt_failed(&mut self, id: FrameId, fault: Fault, transient: bool, after: Option<u64>) {
        let attempt = self.attempt(id);
        let doubt = self.earlier(id);
        let own = self.node(id).and_then(|n| n.card.retry.clone());
        // A limited rate is a definite refusal that passes, so it is waited for without being asked to.
        let retry = own.or_else(|| (fault.code == FaultCode::RateLimited).then(rate_limited));
        let again = retry.filter(|r| transient && attempt <= r.times && !self.state.is_draining(id));
        let until = again.map(|r| self.now.plus(pause_ms(&r, attempt).max(after.unwrap_or(0))));
        // Where the run or a card around would be over before: better the app's fault now than a time-out later.
        let until = until.filter(|until| self.state.dues(id).all(|due| *until <= due));
        let Some(until) = until else {
            if doubt.is_some() {
                let path = self.path(id);
                self.state.unknown.push(path);
            }
            return self.fail(id, fault);
        };
        let card = self.node(id).map(|n| n.word().to_owned()).unwrap_or_default();
        self.note(id, EntryKind::StepFailed { card, fault, again_at: Some(until) });
        self.set_step(id, Step::Pausing { attempt: attempt + 1, until, doubt });
    }

    /// No definite answer. A read is simply repeated; a write is in doubt.
    pub(super) fn unknown(&mut self, id: FrameId, fault: Fault) {
        let step = self.frame(id).map(|f| f.step.clone());
        match step {
            Some(Step::Sent { intent, .. }) => self.doubtful(id, intent, fault),
            Some(Step::Attempting { doubt: Some(intent), .. }) => self.doubtful(id, intent, fault),
            _ => self.attempt_failed(id, fault, true, None),
        }
    }

    fn rule(&self, id: FrameId) -> InDoubt {
        let Some(node) = self.node(id) else { return InDoubt::Ask };
        match (node.card.in_doubt, &node.decl) {
            (Some(rule), _) => rule,
            (None, Some(decl)) if decl.effect == EffectClass::Idempotent => InDoubt::Retry,
            (None, Some(decl)) => decl.in_doubt,
            (None, None) => InDoubt::Ask,
        }
    }

    pub(super) fn doubtful(&mut self, id: FrameId, intent: Intent, fault: Fault) {
        let node = self.node(id);
        let most = node.and_then(|n| n.card.retry.as_ref()).map_or(DOUBT_ATTEMPTS_MAX, |r| r.times + 1);
        match self.rule(id) {
            InDoubt::Retry if intent.attempt < most => {
                let retry = node.and_then(|n| n.card.retry.as_ref());
                let pause = retry.map_or(500 << intent.attempt.min(6), |r| pause_ms(r, intent.attempt));
                let until = self.now.plus(pause);
                self.note(id, EntryKind::InDoubt { fault, ask: false });
                let attempt = intent.attempt + 1;
                self.set_step(id, Step::Pausing { attempt, until, doubt: Some(intent) });
            }
            InDoubt::Check => {
                self.note(id, EntryKind::InDoubt { fault: fault.clone(), ask: false });
                self.set_step(id, Step::Looking { intent, fault });
                self.ask_or_fail(id);
            }
            _ => self.ask_person(id, intent, fault),
        }
    }

    fn ask_person(&mut self, id: FrameId, intent: Intent, fault: Fault) {
        let deadline = self.now.plus(self.wait_ms(id));
        self.note(id, EntryKind::InDoubt { fault: fault.clone(), ask: true });
        self.set_step(id, Step::InDoubt { intent, fault, deadline });
    }

    pub(super) fn looked_up(&mut self, id: FrameId, answer: Option<LookedUp>) {
        let Some(Step::Looking { intent, fault }) = self.frame(id).map(|f| f.step.clone()) else { return };
        let settled = |how: &str| EntryKind::Settled { how: how.into(), by: "look_up".into() };
        match answer {
            Some(LookedUp::Happened(outputs)) => {
                self.note(id, settled("happened"));
                self.answered(id, outputs, None);
            }
            Some(LookedUp::DidNot) => {
                self.note(id, settled("did_not"));
                self.set_step(id, Step::Attempting { attempt: intent.attempt + 1, doubt: None });
                self.ask_or_fail(id);
            }
            None => self.ask_person(id, intent, fault),
        }
    }

    pub(super) fn other_account(&mut self, id: FrameId) {
        let step = self.frame(id).map(|f| f.step.clone());
        let (Some(Step::Looking { intent, .. }) | Some(Step::Attempting { doubt: Some(intent), .. })) = step else {
            return self.ask_or_fail(id);
        };
        let message = format!(
            "`{}` was sent with another account than the one connected now, so it is neither repeated nor looked up",
            intent.card
        );
        let fault = Fault::new(FaultCode::InDoubt, message).remedy("look into the app and say whether it happened");
        self.ask_person(id, intent, fault);
    }

    pub(super) fn settled(&mut self, id: FrameId, settlement: Settlement) {
        let Some(Step::InDoubt { intent, fault, .. }) = self.frame(id).map(|f| f.step.clone()) else { return };
        let path = self.path(id);
        let entry = |how: &str| EntryKind::Settled { how: how.into(), by: "person".into() };
        match settlement {
            Settlement::Happened(outputs) => {
                self.note(id, entry("happened"));
                self.answered(id, outputs, None);
            }
            Settlement::DidNot => {
                self.note(id, entry("did_not"));
                self.set_step(id, Step::Attempting { attempt: intent.attempt + 1, doubt: None });
                self.ask_or_fail(id);
            }
            Settlement::GiveUp => {
                self.note(id, entry("give_up"));
                self.state.unknown.push(path);
                self.fail(id, Fault { code: FaultCode::InDoubt, ..fault });
            }
        }
    }

    pub(super) fn held(&mut self, id: FrameId, held: Held) {
        if let Some(Step::Sent { intent, doubt }) = self.frame(id).map(|f| f.step.clone()) {
            // Refused for good, so this attempt did not happen: after reconnecting it is sent as if for the first time.
            self.set_step(id, Step::Attempting { attempt: intent.attempt, doubt });
        }
        let reason = WaitReason::Connection { prompt: held.prompt, reason: held.reason };
        self.note(id, EntryKind::Waiting(reason));
        if let Some(frame) = self.frame_mut(id) {
            frame.hold = Some(held);
        }
        self.count_holds();
    }

    pub(super) fn renewed(&mut self, id: FrameId) {
        let (attempt, doubt) = (self.attempt(id), self.earlier(id));
        let put_off = self.frame(id).map_or(0, |f| f.put_off) + 1;
        if put_off > PUT_OFF_MAX {
            let fault = Fault::new(FaultCode::NotConnected, "the app keeps refusing every new credential")
                .remedy("check the connection's account and its app registration");
            return self.fail(id, fault);
        }
        if let Some(frame) = self.frame_mut(id) {
            frame.put_off = put_off;
            frame.step = Step::Attempting { attempt, doubt };
        }
        self.ask_or_fail(id);
    }

    /// Authorization is in trouble that may pass: a pause that counts as no attempt.
    pub(super) fn later(&mut self, id: FrameId, fault: Fault, retry_ms: u64) {
        let attempt = self.attempt(id);
        let Some(frame) = self.frame(id) else { return };
        let put_off = frame.put_off + 1;
        let doubt = match &frame.step {
            Step::Looking { intent, .. } => Some(intent.clone()),
            Step::Attempting { doubt, .. } | Step::Sent { doubt, .. } => doubt.clone(),
            _ => None,
        };
        if put_off > PUT_OFF_MAX {
            return match doubt {
                Some(intent) => self.ask_person(id, intent, fault),
                None => self.fail(id, fault),
            };
        }
        let until = self.now.plus(retry_ms.max(100));
        let card = self.node(id).map(|n| n.word().to_owned()).unwrap_or_default();
        self.note(id, EntryKind::StepFailed { card, fault, again_at: Some(until) });
        if let Some(frame) = self.frame_mut(id) {
            frame.put_off = put_off;
            frame.step = Step::Pausing { attempt, until, doubt };
        }
    }

    /// The pause is over.
    pub(super) fn pause_over(&mut self, id: FrameId) {
        let Some(frame) = self.frame(id) else { return };
        let Step::Pausing { attempt, doubt, .. } = frame.step.clone() else { return };
        if matches!(frame.container, Some(Container::Try { .. })) {
            let lane = self.node(id).and_then(|n| n.lanes.first().copied()).unwrap_or_default();
            self.set_step(id, Step::Nested);
            if let Err(fault) = self.push(id, lane, super::state::Role::Try) {
                self.fail(id, fault);
            }
            return;
        }
        match doubt {
            Some(intent) if self.rule(id) == InDoubt::Check => {
                let fault = Fault::new(FaultCode::InDoubt, "it is not known whether it happened");
                self.set_step(id, Step::Looking { intent, fault });
            }
            doubt => self.set_step(id, Step::Attempting { attempt, doubt }),
        }
        self.ask_or_fail(id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_up_to_the_longest() {
        let retry = |pause_ms, factor, pause_ms_max| Retry { times: 9, pause_ms, factor, pause_ms_max };
        for (retry, attempt, expected) in [
            (retry(100, 2.0, 1_000), 1, 100),
            (retry(100, 2.0, 1_000), 4, 800),
            (retry(100, 2.0, 1_000), 5, 1_000),
            (retry(100, 2.0, 1_000), u32::MAX, 1_000),
            (retry(100, 0.5, 1_000), 3, 100),
            (retry(100, f64::NAN, 1_000), 3, 100),
            (retry(100, f64::INFINITY, 1_000), 3, 100),
            (retry(u64::MAX, 10.0, u64::MAX), 9, 9_000_000_000_000_000),
        ] {
            assert_eq!(pause_ms(&retry, attempt), expected, "{retry:?} before repetition {attempt}");
        }
    }
}
