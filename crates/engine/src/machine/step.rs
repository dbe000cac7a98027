//! The one function that changes a run.
//!
//! Pure and total: an event that means nothing is refused by name and changes nothing.
//! Tests: `tests/driver/pairs.rs`.

use flowdeck_model::Fields;

use super::context::Context;
use super::event::{Event, EventKind, IllegalEvent, StepEvent, Transition, is_legal, situation};
use super::program::Program;
use super::state::{Frame, Phase, Role, RunState};
use crate::wire::entry::EntryKind;

/// Takes an event. `wait_ms` is how long waits for people last unless the flow says otherwise.
///
/// # Errors
/// [`IllegalEvent`] where the pair of situation and event means nothing; the state is then unchanged.
pub fn step(program: &Program, state: &mut RunState, event: Event, wait_ms: u64) -> Result<Transition, IllegalEvent> {
    let name = event.what.name();
    let situation = situation(state, event.what.frame());
    if !is_legal(situation, name) {
        return Err(IllegalEvent { situation, event: name });
    }
    let mut cx = Context::new(program, state, event.at, wait_ms);
    match event.what {
        EventKind::Begin => cx.begin(),
        EventKind::Advance => cx.wake_all(),
        EventKind::Recovered => cx.recovered(),
        EventKind::Tick => cx.tick(),
        EventKind::Signal { name, payload } => cx.signal(name, payload),
        EventKind::Freed { on } => cx.freed(&on),
        EventKind::Cancel => cx.cancel(),
        EventKind::Resume => cx.resume(),
        EventKind::Retry { from } => cx.retry(from),
        EventKind::Step { frame, what } => match what {
            StepEvent::Sending(intent) => cx.sending(frame, intent),
            StepEvent::Done { outputs, next_page } => cx.answered(frame, outputs, next_page),
            StepEvent::Failed { fault, transient, retry_after_ms } => {
                cx.attempt_failed(frame, fault, transient, retry_after_ms);
            }
            StepEvent::Unknown(fault) => cx.unknown(frame, fault),
            StepEvent::Held(held) => cx.held(frame, held),
            StepEvent::Later { fault, retry_ms } => cx.later(frame, fault, retry_ms),
            StepEvent::Renewed => cx.renewed(frame),
            StepEvent::LookedUp(answer) => cx.looked_up(frame, answer),
            StepEvent::OtherAccount => cx.other_account(frame),
            StepEvent::Decided { approved, by, comment } => cx.decided(frame, approved, &by, &comment),
            StepEvent::Settled(settlement) => cx.settled(frame, settlement),
        },
    }
    cx.run_ready();
    cx.settle_drains();
    cx.run_ready();
    Ok(cx.out)
}

impl Context<'_> {
    fn begin(&mut self) {
        self.state.phase = Phase::Running;
        self.state.due = self.program.main_flow().timeout_ms.map(|ms| self.now.plus(ms));
        let id = self.state.next_frame;
        self.state.next_frame += 1;
        self.state.frames.insert(id, Box::new(Frame::new(None, 0, self.program.root, Role::Root)));
        self.ready.push_back(id);
    }

    fn cancel(&mut self) {
        self.log(flowdeck_model::StepPath::root(), EntryKind::Asked { what: "cancel".into() });
        self.end_run(Phase::Cancelled);
    }

    /// Ends the run for good: what is in doubt is listed, frames go.
    pub(super) fn end_run(&mut self, phase: Phase) {
        let ids: Vec<_> = self.state.frames.keys().copied().collect();
        for id in ids.into_iter().rev() {
            self.drop_frame(id);
        }
        self.state.phase = phase;
        self.state.drains.clear();
        self.state.signals.clear();
        self.state.held_since = None;
        self.ready.clear();
    }

    /// Outputs of the card that ran last in a frame: the result of a flow without Return.
    pub(super) fn last_outputs(&self, id: u32) -> Fields {
        let frame = self.frame(id);
        let last = frame.and_then(|f| f.outputs.get(f.last? as usize)?.clone());
        last.unwrap_or_default()
    }
}
