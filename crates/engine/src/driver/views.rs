//! A run's record out of its state.
//!
//! Must never show more waits than a record may hold.
//! Tests: `tests/driver`.

use std::borrow::Cow;

use flowdeck_model::{Fields, Millis};

use crate::machine::program::Program;
use crate::machine::secrets::{REDACTED, Taint, hide_fault, hide_wait};
use crate::machine::state::{Phase, RunState, Step, Waiting};
use crate::wire::entry::WaitReason;
use crate::wire::record::{RunView, Status, WAITS_SHOWN_MAX, WaitView};

/// Where a run is.
pub(super) fn status(state: &RunState) -> Status {
    match &state.phase {
        Phase::New | Phase::Running => Status::Running,
        Phase::Finished(_) => Status::Finished,
        Phase::Failed { .. } => Status::Failed,
        Phase::Cancelled => Status::Cancelled,
        Phase::Expired => Status::Expired,
    }
}

/// Writes the end into the record.
pub(super) fn close(view: &mut RunView, state: &RunState, program: &Program, at: Millis) {
    view.status = status(state);
    view.ended_at = Some(at);
    view.waits.clear();
    view.output = None;
    view.raw = state.answered.clone();
    view.fault = None;
    view.failed_at = None;
    match &state.phase {
        Phase::Finished(outcome) => {
            view.output = Some(outcome.output.clone());
            view.raw = view.raw.take().or_else(|| outcome.raw.clone());
            view.stopped = outcome.stopped;
        }
        Phase::Failed { fault, path, frame } => {
            let mut fault = fault.clone();
            let place = state.frames.get(frame).map(|f| (f.block, f.at));
            if place.is_some_and(|(block, at)| program.secrets.hides_fault(program, block, at, fault.code)) {
                hide_fault(&mut fault);
            }
            view.fault = Some(fault);
            view.failed_at = Some(path.clone());
        }
        _ => {}
    }
}

/// Brings waits and doubts up to date, for a run that stops without having ended, or failed.
pub(super) fn refresh(view: &mut RunView, state: &RunState, program: &Program) {
    view.unknown = state.unknown.clone();
    if state.phase == Phase::Running {
        view.raw = state.answered.clone();
    }
    let mut doubt = false;
    view.waits.clear();
    for (id, frame) in &state.frames {
        let (reason, deadline) = match (&frame.hold, &frame.step) {
            (Some(hold), _) => {
                (WaitReason::Connection { prompt: hold.prompt, reason: hold.reason }, Some(hold.deadline))
            }
            (None, Step::InDoubt { intent, fault, deadline }) => {
                doubt = true;
                let reason = WaitReason::InDoubt { card: intent.card.clone(), message: fault.message.clone() };
                (reason, Some(*deadline))
            }
            (None, Step::Pausing { until, .. }) => (WaitReason::Retry { until: *until }, None),
            (None, Step::Waiting(waiting)) => match waiting {
                Waiting::Time { until } => (WaitReason::Time { until: *until }, None),
                Waiting::Signal { name, deadline } => (WaitReason::Signal { name: name.clone() }, Some(*deadline)),
                Waiting::Approval { message, deadline } | Waiting::Limit { message, deadline, .. } => {
                    (WaitReason::Approval { message: message.clone() }, Some(*deadline))
                }
            },
            _ => continue,
        };
        let mut reason = reason;
        if program.secrets.takes(frame.block, frame.at) {
            hide_wait(&mut reason);
        }
        if view.waits.len() < WAITS_SHOWN_MAX {
            view.waits.push(WaitView { path: state.path(program, *id), reason, deadline });
        }
    }
    let under_way = state.frames.values().any(|f| f.is_busy());
    if state.phase == Phase::Running && !under_way {
        view.status = if doubt {
            Status::InDoubt
        } else if view.waits.is_empty() {
            Status::Running
        } else {
            Status::Waiting
        };
    }
}

/// What is shown of a run: what derives from secrets is taken out.
pub(super) fn without_secrets<'a>(view: &'a RunView, program: &Program) -> Cow<'a, RunView> {
    let secrets = &program.secrets;
    if !secrets.any() {
        return Cow::Borrowed(view);
    }
    let entry = program.entry.as_ref();
    let mut shown = view.clone();
    secrets.inputs(entry).redact(&mut shown.input);
    shown.event.iter_mut().for_each(|event| secrets.event().redact(event));
    shown.output.iter_mut().for_each(|output| secrets.results(entry).redact(output));
    if let Some(raw) = shown.raw.as_mut().filter(|_| secrets.results(entry) == Taint::All) {
        raw.headers.clear();
        raw.body = REDACTED.into();
    }
    Cow::Owned(shown)
}

/// What is kept of a run whose flow keeps no data, once it has ended. Who waits for the answer still gets it.
pub(super) fn without_data(view: &RunView) -> RunView {
    let mut kept = view.clone();
    kept.input = Fields::new();
    kept.event = None;
    kept.output = None;
    kept.raw = None;
    kept.fault.iter_mut().for_each(crate::wire::entry::redact_fault);
    kept
}
