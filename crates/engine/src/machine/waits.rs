//! Durable pauses and what ends them: time, signals, decisions, connections, recovery.
//!
//! Must never let a wait end without a deadline, nor count a wait for a connection against any clock.
//! Tests: `tests/driver/waits.rs`.

use flowdeck_model::duration::{DURATION_RULE, parse_duration};
use flowdeck_model::flow::{Wait, WaitUntil};
use flowdeck_model::{Fault, FaultCode, Fields, Millis, StepPath, Value};

use super::context::Context;
use super::state::{Container, End, FrameId, Phase, Role, Step, Waiting};
use crate::wire::entry::{EntryKind, WaitReason};

/// Most signals kept for a run that does not wait for them.
pub(super) const SIGNALS_MAX: usize = 1_000;

impl Context<'_> {
    pub(super) fn begin_wait(&mut self, id: FrameId, wait: &Wait) -> Result<(), Fault> {
        let deadline = self.now.plus(wait.deadline_ms.unwrap_or_else(|| self.wait_ms(id)));
        let (step, reason) = match &wait.until {
            WaitUntil::Duration(span) => {
                let until = self.now.plus(span_ms(&*self.value(id, span)?)?);
                (Waiting::Time { until }, WaitReason::Time { until })
            }
            WaitUntil::Time(time) => {
                let until = moment(&*self.value(id, time)?)?;
                (Waiting::Time { until }, WaitReason::Time { until })
            }
            WaitUntil::Signal { name } => {
                let name = self.text(id, name)?;
                if let Some(at) = self.state.signals.iter().position(|(n, _)| *n == name) {
                    let (_, payload) = self.state.signals.remove(at);
                    self.done(id, Fields::one("payload", payload));
                    return Ok(());
                }
                (Waiting::Signal { name: name.clone(), deadline }, WaitReason::Signal { name })
            }
            WaitUntil::Approval { message } => {
                let message = self.text(id, message)?;
                (Waiting::Approval { message: message.clone(), deadline }, WaitReason::Approval { message })
            }
        };
        if matches!(step, Waiting::Time { until } if until <= self.now) {
            self.done(id, Fields::new());
            return Ok(());
        }
        self.note(id, EntryKind::Waiting(reason));
        self.set_step(id, Step::Waiting(step));
        Ok(())
    }

    pub(super) fn signal(&mut self, name: String, payload: Value) {
        self.log(StepPath::root(), EntryKind::Asked { what: format!("signal {name}") });
        let waiting = self.state.frames.iter().find(|(id, f)| {
            matches!(&f.step, Step::Waiting(Waiting::Signal { name: n, .. }) if *n == name)
                && !self.state.is_draining(**id)
        });
        match waiting.map(|(id, _)| *id) {
            Some(id) => self.done(id, Fields::one("payload", payload)),
            None if self.state.signals.len() < SIGNALS_MAX => self.state.signals.push((name, payload)),
            None => {
                let what = format!("signal {name} dropped: {SIGNALS_MAX} signals are kept already");
                self.log(StepPath::root(), EntryKind::Asked { what });
            }
        }
    }

    pub(super) fn decided(&mut self, id: FrameId, approved: bool, by: &str, comment: &str) {
        let Some(Step::Waiting(waiting)) = self.frame(id).map(|f| f.step.clone()) else { return };
        if let Waiting::Limit { card, more, .. } = waiting {
            return self.limit_decided(id, &card, more, approved, by);
        }
        let mut outputs = Fields::one("approved", approved);
        outputs.set("by", by);
        outputs.set("comment", comment);
        self.done(id, outputs);
    }

    pub(super) fn resume_frame(&mut self, id: FrameId) {
        self.note(id, EntryKind::Resumed);
        if self.frame(id).is_some_and(|f| matches!(f.container, Some(Container::Loop(_)))) {
            if let Err(fault) = self.pump(id) {
                self.fail(id, fault);
            }
        } else {
            self.ready.push_back(id);
        }
    }

    /// Remembers since when anything waits for a connection; moves deadlines when nothing does any more.
    pub(super) fn count_holds(&mut self) {
        let any = self.state.frames.values().any(|f| f.hold.is_some());
        match (any, self.state.held_since) {
            (true, None) => self.state.held_since = Some(self.now),
            (false, Some(since)) => {
                let stopped = self.now.since(since);
                self.state.held_since = None;
                let dues = self.state.frames.values_mut().filter_map(|f| f.due.as_mut());
                dues.chain(self.state.due.as_mut()).for_each(|due| *due = due.plus(stopped));
            }
            _ => {}
        }
    }

    /// A connection changed: who waits on it asks again, in the very sub-state it was in.
    pub(super) fn freed(&mut self, on: &str) {
        let holds = |f: &super::state::Frame| f.hold.as_ref().is_some_and(|h| h.on == on);
        let ids: Vec<_> = self.state.frames.iter().filter(|(_, f)| holds(f)).map(|(id, _)| *id).collect();
        self.unhold(&ids);
    }

    fn unhold(&mut self, ids: &[FrameId]) {
        for id in ids {
            if let Some(frame) = self.frame_mut(*id) {
                frame.hold = None;
            }
        }
        self.count_holds();
        for id in ids {
            self.note(*id, EntryKind::Resumed);
            if self.state.is_draining(*id) {
                let doubt = self.frame(*id).and_then(|f| f.doubt().cloned());
                let attempt = doubt.as_ref().map_or(1, |i| i.attempt);
                self.set_step(*id, Step::Pausing { attempt, until: self.now, doubt });
            } else if let Err(fault) = self.ask(*id) {
                self.fail(*id, fault);
            }
        }
    }

    pub(super) fn tick(&mut self) {
        let now = self.now;
        let clock_runs = self.state.held_since.is_none();
        if clock_runs && self.state.due.is_some_and(|due| due <= now) {
            self.state.due = None;
            let root = self.state.frames.keys().next().copied().unwrap_or_default();
            return self.time_out(root, "the flow took longer than it may");
        }
        let ids: Vec<_> = self.state.frames.keys().copied().collect();
        for id in ids {
            if self.state.is_draining(id) {
                continue;
            }
            let Some(frame) = self.frame(id) else { continue };
            if clock_runs && frame.due.is_some_and(|due| due <= now) {
                self.time_out(id, "the card took longer than it may");
                continue;
            }
            if frame.hold.as_ref().is_some_and(|h| h.deadline <= now) {
                self.finish(id, End::Expire);
                continue;
            }
            match &frame.step {
                Step::Pausing { until, .. } if *until <= now => self.pause_over(id),
                Step::InDoubt { deadline, .. } if *deadline <= now => self.finish(id, End::Expire),
                Step::Waiting(w) if w.due() <= now => match w {
                    Waiting::Time { .. } => self.done(id, Fields::new()),
                    Waiting::Limit { .. } => self.finish(id, End::Expire),
                    Waiting::Signal { .. } | Waiting::Approval { .. } => self.wait_over(id),
                },
                _ => {}
            }
        }
    }

    fn time_out(&mut self, id: FrameId, message: &str) {
        if let Some(frame) = self.frame_mut(id) {
            frame.due = None;
        }
        self.fail(id, Fault::new(FaultCode::Timeout, message).remedy("allow it more time, or find what is slow"));
    }

    /// A wait for a signal or decision came to its deadline: inside a try it is a fault, else the run expires.
    fn wait_over(&mut self, id: FrameId) {
        let mut at = Some(id);
        while let Some(frame) = at.and_then(|id| self.frame(id)) {
            if frame.role == Role::Try {
                return self.fail(id, Fault::new(FaultCode::Expired, "nobody answered before the deadline"));
            }
            at = frame.parent;
        }
        self.finish(id, End::Expire);
    }

    /// New deadlines; whoever waits for a connection asks again.
    pub(super) fn resume(&mut self) {
        self.state.phase = Phase::Running;
        self.log(StepPath::root(), EntryKind::Asked { what: "resume".into() });
        let now = self.now;
        let ids: Vec<_> = self.state.frames.keys().copied().collect();
        let mut held = Vec::new();
        for id in ids {
            let fresh = now.plus(self.wait_ms(id));
            let Some(frame) = self.frame_mut(id) else { continue };
            if frame.hold.is_some() {
                held.push(id);
            }
            if let Step::InDoubt { deadline, .. }
            | Step::Waiting(
                Waiting::Signal { deadline, .. } | Waiting::Approval { deadline, .. } | Waiting::Limit { deadline, .. },
            ) = &mut frame.step
                && *deadline <= now
            {
                *deadline = fresh;
            }
        }
        self.unhold(&held);
        self.wake_all();
    }

    /// From the failed step, or from an earlier card of a list that is still open.
    pub(super) fn retry(&mut self, from: Option<(FrameId, u32)>) {
        let Phase::Failed { frame: failed, .. } = self.state.phase else { return };
        self.state.phase = Phase::Running;
        self.state.due = self.program.main_flow().timeout_ms.map(|ms| self.now.plus(ms));
        self.log(StepPath::root(), EntryKind::Asked { what: "retry".into() });
        let (id, at) = from.unwrap_or((failed, u32::MAX));
        self.drop_below(id);
        let mut forget = 0;
        if let Some(frame) = self.frame_mut(id) {
            forget = frame.looping().map_or(0, |l| l.chunks);
            if at < frame.at {
                frame.at = at;
                frame.outputs.truncate(at as usize);
            }
            frame.step = Step::Ready;
            frame.container = None;
            frame.hold = None;
            frame.due = None;
            frame.retries += 1;
        }
        if forget > 0 {
            self.out.effects.push(super::event::Effect::Forget { frame: id, chunks: forget });
        }
        let broken = self.state.frames.iter().filter(|(_, f)| f.step == Step::Broken).map(|(id, _)| *id);
        for id in broken.collect::<Vec<_>>() {
            // It failed while the run was about to fail already.
            self.drop_below(id);
            if let Some(frame) = self.frame_mut(id) {
                frame.step = Step::Ready;
                frame.container = None;
                frame.retries += 1;
            }
        }
        self.count_holds();
        self.wake_all();
    }

    /// Nothing is under way any more: functions and reads begin again, sent writes are in doubt.
    pub(super) fn recovered(&mut self) {
        let ids: Vec<_> = self.state.frames.keys().copied().collect();
        for id in ids {
            let Some(frame) = self.frame_mut(id) else { continue };
            if frame.hold.is_some() {
                continue;
            }
            match frame.step.clone() {
                Step::Attempting { attempt, doubt } if self.state.is_draining(id) => {
                    self.set_step(id, Step::Pausing { attempt, until: self.now, doubt });
                }
                Step::Attempting { .. } | Step::Looking { .. } => {
                    if let Err(fault) = self.ask(id) {
                        self.fail(id, fault);
                    }
                }
                Step::Sent { intent, .. } => {
                    let fault = Fault::new(FaultCode::InDoubt, "the program stopped before the answer came")
                        .remedy("look into the app and say whether it happened");
                    self.doubtful(id, intent, fault);
                }
                _ => {}
            }
        }
        self.wake_all();
    }
}

/// As `for` of a wait reads it: a text such as `10m`, or milliseconds.
fn span_ms(value: &Value) -> Result<u64, Fault> {
    let number = match value {
        Value::String(text) => text.trim().parse::<f64>().ok(),
        other => other.as_f64(),
    };
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    number
        .filter(|n| n.is_finite())
        .map(|n| n.clamp(0.0, 9e15) as u64)
        .or_else(|| parse_duration(value.as_str()?))
        .ok_or_else(|| {
            Fault::bad_input(format!("{value} is not a duration"))
                .remedy(format!("give {DURATION_RULE}; a number alone is milliseconds"))
        })
}

fn moment(value: &Value) -> Result<Millis, Fault> {
    let wrong = || {
        Fault::bad_input(format!("{value} is not a point in time"))
            .remedy("write it as ISO 8601 with a zone, like 2026-01-31T09:30:00Z")
    };
    match value {
        Value::String(text) => {
            let text = text.trim();
            let utc = |local: jiff::civil::DateTime| jiff::tz::TimeZone::UTC.to_timestamp(local);
            // A day, or a time without a zone, is in UTC, as the date cards have it.
            let time = text.parse::<jiff::Timestamp>().or_else(|_| text.parse().and_then(utc));
            time.map(|t| Millis(t.as_millisecond())).map_err(|_| wrong())
        }
        #[allow(clippy::cast_possible_truncation)]
        Value::Number(n) => n.as_f64().map(|n| Millis(n as i64)).ok_or_else(wrong),
        _ => Err(wrong()),
    }
}
