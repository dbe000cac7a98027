//! What one step of the machine works on: program, state, and the transition it builds.
//!
//! Must never outlive the step.
//! Tests: through `step`.

use std::collections::VecDeque;
use std::sync::Arc;

use flowdeck_model::flow::Mappings;
use flowdeck_model::{Card, CardId, Fault, FaultCode, Fields, Mapping, Millis, StepPath, Value};

use super::event::{Effect, Transition};
use super::program::{BlockId, Node, Program};
use super::scope::{self, FrameScope};
use super::state::{End, Frame, FrameId, Role, RunState, Step};
use crate::wire::entry::EntryKind;

/// Cards begun in one step of the machine; the rest waits for [`Effect::Continue`], so that a commit can come.
const CARDS_MAX: u32 = 64;
/// Most live frames of a run.
const FRAMES_MAX: usize = 20_000;
/// Deepest nesting of frames.
const DEPTH_MAX: u16 = 190;

pub(super) struct Context<'a> {
    pub(super) program: &'a Program,
    pub(super) state: &'a mut RunState,
    pub(super) now: Millis,
    pub(super) wait_ms: u64,
    pub(super) ready: VecDeque<FrameId>,
    pub(super) budget: u32,
    pub(super) out: Transition,
}

impl<'a> Context<'a> {
    pub(super) fn new(program: &'a Program, state: &'a mut RunState, now: Millis, wait_ms: u64) -> Self {
        Self { program, state, now, wait_ms, ready: VecDeque::new(), budget: CARDS_MAX, out: Transition::default() }
    }

    pub(super) fn frame(&self, id: FrameId) -> Option<&Frame> {
        self.state.frames.get(&id).map(Box::as_ref)
    }

    pub(super) fn frame_mut(&mut self, id: FrameId) -> Option<&mut Frame> {
        self.state.frames.get_mut(&id).map(Box::as_mut)
    }

    /// The current card of a frame.
    pub(super) fn node(&self, id: FrameId) -> Option<&'a Node> {
        let frame = self.state.frames.get(&id)?;
        self.program.node(frame.block, frame.at)
    }

    pub(super) fn path(&self, id: FrameId) -> StepPath {
        self.state.path(self.program, id)
    }

    pub(super) fn log(&mut self, path: StepPath, what: EntryKind) {
        self.out.entries.push((path, what));
    }

    /// Adds to the history of a frame's current step, without secrets, and without values where its flow keeps none.
    pub(super) fn note(&mut self, id: FrameId, mut what: EntryKind) {
        match self.frame(id).filter(|f| self.program.keeps_data(f.block)).map(|f| (f.block, f.at)) {
            Some((block, at)) => self.program.secrets.hide(self.program, block, at, &mut what),
            None => what.redact(),
        }
        let path = self.path(id);
        self.log(path, what);
    }

    pub(super) fn set_step(&mut self, id: FrameId, step: Step) {
        if let Some(frame) = self.state.frames.get_mut(&id) {
            frame.step = step;
        }
    }

    pub(super) fn value(&self, id: FrameId, mapping: &Mapping) -> Result<Arc<Value>, Fault> {
        scope::value(&self.scope(id, None), mapping)
    }

    pub(super) fn truth(&self, id: FrameId, mapping: &Mapping) -> Result<bool, Fault> {
        Ok(Mapping::is_true(self.value(id, mapping)?.as_ref()))
    }

    pub(super) fn text(&self, id: FrameId, mapping: &Mapping) -> Result<String, Fault> {
        let value = self.value(id, mapping)?;
        Ok(match value.as_ref() {
            Value::Null => String::new(),
            Value::String(text) => text.clone(),
            other => other.to_string(),
        })
    }

    pub(super) fn fields(&self, id: FrameId, mappings: &Mappings) -> Result<Fields, Fault> {
        scope::fields(&self.scope(id, None), mappings)
    }

    pub(super) fn scope<'b>(&'b self, frame: FrameId, extra: Option<(&'b CardId, &'b Fields)>) -> FrameScope<'b> {
        FrameScope { program: self.program, state: self.state, frame, extra }
    }

    /// How long a wait for a person may take in the flow of this frame.
    pub(super) fn wait_ms(&self, id: FrameId) -> u64 {
        let flow = self.frame(id).map(|f| self.program.flow_of(f.block));
        flow.and_then(|f| f.wait_ms).or(self.program.main_flow().wait_ms).unwrap_or(self.wait_ms)
    }

    /// Begins a nested list.
    pub(super) fn push(&mut self, parent: FrameId, block: BlockId, role: Role) -> Result<FrameId, Fault> {
        let depth = self.frame(parent).map_or(0, |f| f.depth) + 1;
        if depth > DEPTH_MAX {
            return Err(Fault::new(FaultCode::LimitReached, format!("cards call each other deeper than {DEPTH_MAX}"))
                .remedy("look for a helper flow that calls itself without an end"));
        }
        if self.state.frames.len() >= FRAMES_MAX {
            return Err(Fault::new(FaultCode::LimitReached, format!("more than {FRAMES_MAX} lanes at once"))
                .remedy("lower the concurrency of nested loops"));
        }
        let id = self.state.next_frame;
        self.state.next_frame += 1;
        self.state.frames.insert(id, Box::new(Frame::new(Some(parent), depth, block, role)));
        self.ready.push_back(id);
        Ok(id)
    }

    /// The step ended well: keep its outputs, go to the next card.
    pub(super) fn done(&mut self, id: FrameId, outputs: Fields) {
        let Some(node) = self.node(id) else { return };
        self.note(id, EntryKind::StepFinished { card: node.word().to_owned(), outputs: Some(outputs.clone()) });
        self.pass(id, outputs);
    }

    /// Goes to the next card.
    pub(super) fn pass(&mut self, id: FrameId, outputs: Fields) {
        let Some(frame) = self.state.frames.get_mut(&id) else { return };
        let at = frame.at as usize;
        if frame.outputs.len() <= at {
            frame.outputs.resize(at + 1, None);
        }
        frame.outputs[at] = Some(outputs);
        frame.last = Some(frame.at);
        frame.at += 1;
        frame.step = Step::Ready;
        frame.hold = None;
        frame.container = None;
        frame.due = None;
        frame.put_off = 0;
        self.ready.push_back(id);
    }

    /// The step failed for good.
    pub(super) fn fail(&mut self, id: FrameId, fault: Fault) {
        let path = self.path(id);
        if let Some(node) = self.node(id) {
            let card = node.word().to_owned();
            self.note(id, EntryKind::StepFailed { card, fault: fault.clone(), again_at: None });
        }
        self.finish(id, End::Error { fault, path });
    }

    /// Begins what is ready, until nothing is or the budget is spent.
    pub(super) fn run_ready(&mut self) {
        while let Some(id) = self.ready.pop_front() {
            if self.state.phase != super::state::Phase::Running {
                return;
            }
            let is_ready = self.frame(id).is_some_and(|f| f.step == Step::Ready);
            if !is_ready || self.state.is_draining(id) {
                continue;
            }
            if self.budget == 0 {
                self.out.effects.push(Effect::Continue);
                return;
            }
            self.budget -= 1;
            if let Err(fault) = self.enter(id) {
                self.fail(id, fault);
            }
        }
    }

    /// Every frame that is about to begin a card.
    pub(super) fn wake_all(&mut self) {
        let ready = self.state.frames.iter().filter(|(_, f)| f.step == Step::Ready).map(|(id, _)| *id);
        self.ready = ready.collect();
    }
}

/// The longest a card's attempt may take, where the card says so.
pub(super) fn card_due(card: &Card, now: Millis) -> Option<Millis> {
    card.timeout_ms.map(|ms| now.plus(ms))
}
