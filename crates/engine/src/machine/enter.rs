//! Begins a card: one arm for each kind.
//!
//! Must never compute a function or perform an action itself: those are effects.
//! Tests: `tests/driver/cards.rs`.

use std::sync::Arc;

use flowdeck_model::{CardKind, Fault, FaultCode, Fields, RunId, Value};

use super::coerce;
use super::context::Context;
use super::event::Effect;
use super::state::{Container, End, FrameId, Local, Role, Step};
use crate::wire::entry::EntryKind;
use crate::wire::record::RawAnswer;

impl Context<'_> {
    /// Begins the current card of a frame, or ends the frame where there is none.
    pub(super) fn enter(&mut self, id: FrameId) -> Result<(), Fault> {
        let Some(node) = self.node(id) else { return self.through(id) };
        if node.card.disabled {
            self.pass(id, Fields::new());
            return Ok(());
        }
        if let Some(frame) = self.state.frames.get_mut(&id) {
            frame.container = None;
            frame.due = None;
        }
        if !matches!(node.card.kind, CardKind::Call(_)) {
            let due = super::context::card_due(&node.card, self.now);
            if let Some(frame) = self.state.frames.get_mut(&id) {
                frame.due = due;
            }
        }
        match &node.card.kind {
            CardKind::Call(_) => self.begin_call(id)?,
            CardKind::If { when, .. } => {
                let lane = usize::from(!self.truth(id, when)?);
                self.nest(id, node.lanes[lane], Role::Lane)?;
            }
            CardKind::ElseIf { branches, .. } => {
                let mut lane = branches.len();
                for (i, branch) in branches.iter().enumerate() {
                    if self.truth(id, &branch.when)? {
                        lane = i;
                        break;
                    }
                }
                self.nest(id, node.lanes[lane], Role::Block)?;
            }
            CardKind::AssignIf { when, then, otherwise } => {
                let chosen = if self.truth(id, when)? { then } else { otherwise };
                let value = self.value(id, chosen)?;
                self.done(id, one("value", value));
            }
            CardKind::Lookup { key, options, otherwise } => {
                let key = self.text(id, key)?;
                let value = self.value(id, options.get(&key).unwrap_or(otherwise))?;
                self.done(id, one("value", value));
            }
            CardKind::ContinueIf { when, message } => {
                if self.truth(id, when)? {
                    self.done(id, Fields::new());
                } else {
                    let message = message.as_ref().map(|m| self.value(id, m)).transpose()?;
                    let message = message.filter(|m| !m.is_null());
                    self.finish(id, End::Stop(message));
                }
            }
            CardKind::ForEach(_)
            | CardKind::Map { .. }
            | CardKind::Filter { .. }
            | CardKind::Reduce { .. }
            | CardKind::Times { .. }
            | CardKind::While { .. } => self.begin_loop(id, node)?,
            CardKind::Try { .. } => {
                self.nest_with(id, node.lanes[0], Role::Try, Container::Try { attempt: 1 })?;
            }
            CardKind::Parallel { lanes } => self.begin_parallel(id, &node.lanes, lanes.len())?,
            CardKind::CallFlow { flow, with } => {
                let input = self.helper_input(id, flow, with)?;
                let block = self.helper_block(flow)?;
                let child = self.nest(id, block, Role::Helper(flow.clone()))?;
                if let Some(frame) = self.frame_mut(child) {
                    frame.input = Some(input);
                }
            }
            CardKind::CallFlowAsync { flow, with } => {
                let input = self.helper_input(id, flow, with)?;
                self.helper_block(flow)?;
                let path = self.path(id);
                let run = self.child_run(id, &path.to_string());
                self.out.effects.push(Effect::StartChild { run, flow: flow.clone(), input });
                self.note(id, EntryKind::ChildStarted { run });
                self.done(id, Fields::one("run", run.to_string()));
            }
            CardKind::Return { with } => {
                let outputs = self.fields(id, with)?;
                self.finish(id, End::Return(outputs));
            }
            CardKind::ReturnRaw { status, headers, body, go_on } => {
                let raw = self.raw_answer(id, status, headers, body)?;
                if *go_on {
                    // One caller, one answer: the first.
                    self.state.answered.get_or_insert(raw);
                    self.done(id, Fields::new());
                } else {
                    self.finish(id, End::Raw(raw));
                }
            }
            CardKind::ReturnError { message, status, with, when } => {
                if let Some(when) = when
                    && !self.truth(id, when)?
                {
                    self.done(id, Fields::new());
                    return Ok(());
                }
                let mut fault = Fault::new(FaultCode::Raised, self.text(id, message)?);
                if let Some(status) = status {
                    fault.status = self.value(id, status)?.as_f64().and_then(whole_status);
                }
                let body = self.fields(id, with)?;
                if !body.is_empty() {
                    fault.body = body.to_value();
                }
                return Err(fault);
            }
            CardKind::Wait(wait) => self.begin_wait(id, wait)?,
        }
        Ok(())
    }

    /// The cards of a frame are through.
    fn through(&mut self, id: FrameId) -> Result<(), Fault> {
        let Some(frame) = self.frame(id) else { return Ok(()) };
        let (role, block) = (frame.role.clone(), frame.block);
        let gives = match role {
            Role::Root | Role::Helper(_) => self.last_outputs(id),
            Role::Iteration(_) => self.round_gives(id)?,
            _ => match self.program.blocks.get(block as usize) {
                Some(b) if !b.give.is_empty() => self.fields(id, &b.give)?,
                _ => Fields::new(),
            },
        };
        self.finish(id, End::Through(gives));
        Ok(())
    }

    pub(super) fn nest(&mut self, id: FrameId, block: u32, role: Role) -> Result<FrameId, Fault> {
        self.nest_with(id, block, role, Container::Single)
    }

    fn nest_with(&mut self, id: FrameId, block: u32, role: Role, container: Container) -> Result<FrameId, Fault> {
        let child = self.push(id, block, role)?;
        if let Some(frame) = self.frame_mut(id) {
            frame.step = Step::Nested;
            frame.container = Some(container);
        }
        Ok(child)
    }

    fn begin_parallel(&mut self, id: FrameId, lanes: &[u32], count: usize) -> Result<(), Fault> {
        if count == 0 {
            self.done(id, Fields::new());
            return Ok(());
        }
        if let Some(frame) = self.frame_mut(id) {
            frame.step = Step::Nested;
            frame.container = Some(Container::Parallel { results: vec![None; count] });
        }
        for (i, block) in lanes.iter().enumerate() {
            self.push(id, *block, Role::Parallel(u32::try_from(i).unwrap_or(u32::MAX)))?;
        }
        Ok(())
    }

    fn helper_block(&self, flow: &flowdeck_model::FlowName) -> Result<u32, Fault> {
        self.program.helpers.get(flow).copied().ok_or_else(|| {
            Fault::new(FaultCode::UnknownCard, format!("there is no helper flow `{flow}`"))
                .remedy("add it under `helpers:` of the flow file")
        })
    }

    fn helper_input(
        &self,
        id: FrameId,
        flow: &flowdeck_model::FlowName,
        with: &flowdeck_model::flow::Mappings,
    ) -> Result<Fields, Fault> {
        let given = self.fields(id, with)?;
        match self.program.flow.helpers.get(flow) {
            Some(helper) => coerce::inputs(&helper.inputs, None, given),
            None => Ok(given),
        }
    }

    /// The same id in every attempt: from the parent's id and the step's path.
    fn child_run(&self, id: FrameId, path: &str) -> RunId {
        use sha2::Digest;
        let retries = self.state.retries(id);
        let text = format!("{}\0{path}\0{retries}", self.state.run);
        let digest: [u8; 32] = sha2::Sha256::digest(text.as_bytes()).into();
        let random = digest.iter().take(10).fold(0u128, |n, b| (n << 8) | u128::from(*b));
        RunId::new(self.state.run.made_at(), random)
    }

    fn raw_answer(
        &self,
        id: FrameId,
        status: &flowdeck_model::Mapping,
        headers: &flowdeck_model::Mapping,
        body: &flowdeck_model::Mapping,
    ) -> Result<RawAnswer, Fault> {
        let status = self.value(id, status)?;
        let number = match status.as_ref() {
            Value::String(text) => text.trim().parse::<f64>().ok(),
            Value::Null => Some(200.0),
            other => other.as_f64(),
        };
        let status = number
            .and_then(whole_status)
            .ok_or_else(|| Fault::bad_input(format!("the HTTP status {status} is not a number from 200 to 599")))?;
        let headers = match self.value(id, headers)?.as_ref() {
            Value::Object(map) => {
                map.iter().map(|(k, v)| (k.clone(), v.as_str().map_or_else(|| v.to_string(), str::to_owned))).collect()
            }
            _ => Vec::new(),
        };
        let body = Arc::unwrap_or_clone(self.value(id, body)?);
        Ok(RawAnswer { status, headers, body })
    }
}

/// One output.
pub(super) fn one(key: &str, value: Arc<Value>) -> Fields {
    [(key.to_owned(), value)].into_iter().collect()
}

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
fn whole_status(number: f64) -> Option<u16> {
    ((200.0..600.0).contains(&number)).then_some(number as u16)
}

impl From<Arc<Value>> for Local {
    fn from(value: Arc<Value>) -> Self {
        Self::Value(value)
    }
}
