//! What ends what: how Return, Continue If, faults and expiry travel outwards.
//!
//! Must never abandon a step that somebody is at work for: an end waits until it is over.
//! Tests: `tests/driver/ends.rs`, which also keeps the table in `docs/runs.md` true.

use flowdeck_model::flow::OnLoopError;
use flowdeck_model::{CardKind, Fault, FaultCode, Fields, StepPath, Value};
use serde_json::json;

use super::context::Context;
use super::event::Effect;
use super::state::{Container, Drain, End, FrameId, Local, Outcome, Phase, Role, Step};

impl Context<'_> {
    /// A frame wants to end; finds which frame that ends, and ends it as soon as nothing is under way below it.
    pub(super) fn finish(&mut self, from: FrameId, end: End) {
        if self.state.is_draining(from) {
            // An outer end came first; this frame only stops.
            self.set_step(from, Step::Broken);
            return;
        }
        let top = self.ended_by(from, &end);
        if !matches!(end, End::Expire) {
            self.set_step(from, Step::Broken);
        }
        if top == from && self.frame(from).is_some_and(|f| f.container.is_none()) {
            return self.complete(Drain { top, from, end });
        }
        self.state.drains.push(Drain { top, from, end });
        self.settle_drains();
    }

    /// The frame that an end ends.
    fn ended_by(&self, from: FrameId, end: &End) -> FrameId {
        let mut id = from;
        while let Some(frame) = self.frame(id) {
            let stops = match (&frame.role, end) {
                (Role::Root, _) => true,
                (_, End::Expire) => false,
                (_, End::Through(_)) => true,
                (Role::Helper(_), End::Return(_) | End::Raw(_) | End::Stop(_)) => true,
                (Role::Block | Role::Try | Role::Catch, End::Return(_) | End::Stop(_)) => true,
                (Role::Iteration(_) | Role::Parallel(_), End::Stop(_)) => true,
                (Role::Try, End::Error { .. }) => true,
                (Role::Iteration(_), End::Error { .. }) => frame.parent.is_some_and(|p| self.goes_on(p)),
                _ => false,
            };
            match frame.parent {
                Some(parent) if !stops => id = parent,
                _ => return id,
            }
        }
        from
    }

    fn goes_on(&self, parent: FrameId) -> bool {
        matches!(self.node(parent).map(|n| &n.card.kind), Some(CardKind::ForEach(f)) if f.on_error == OnLoopError::GoOn)
    }

    /// Carries out every end whose frames are at rest.
    pub(super) fn settle_drains(&mut self) {
        // Innermost (latest) first; each pass removes one, so this ends.
        while let Some(at) = self.state.drains.iter().rposition(|d| !self.is_busy_below(d.top)) {
            let drain = self.state.drains.remove(at);
            self.complete(drain);
            if self.state.phase != Phase::Running {
                return;
            }
        }
    }

    fn is_busy_below(&self, top: FrameId) -> bool {
        self.state.frames.iter().any(|(id, f)| f.is_busy() && (*id == top || self.state.is_below(*id, top)))
    }

    fn complete(&mut self, drain: Drain) {
        let Drain { top, from, end } = drain;
        let Some(frame) = self.frame(top) else { return };
        let (role, parent) = (frame.role.clone(), frame.parent);
        match (&role, end) {
            (Role::Root, End::Expire) => self.state.phase = Phase::Expired,
            (Role::Root, End::Error { fault, path }) => {
                self.state.phase = Phase::Failed { fault, frame: from, path };
            }
            (Role::Root, end) => {
                let outcome = self.outcome(top, end);
                self.end_run(Phase::Finished(outcome));
            }
            (role, end) => {
                let end = match end {
                    End::Error { fault, path } => End::Error { fault, path: self.called_at(top, from).unwrap_or(path) },
                    end => end,
                };
                let through = self.last_outputs(top);
                // Nested cards are there only while the frame keeps something for them.
                if self.frame(top).is_some_and(|f| f.container.is_some()) {
                    self.drop_below(top);
                }
                self.drop_frame(top);
                if let Some(parent) = parent {
                    self.nested_ended(parent, role, end, through);
                }
            }
        }
    }

    fn outcome(&self, root: FrameId, end: End) -> Outcome {
        match end {
            End::Return(output) => Outcome { output, ..Outcome::default() },
            End::Raw(raw) => Outcome { raw: Some(raw), ..Outcome::default() },
            End::Stop(message) => Outcome { output: stop_output(message), stopped: true, raw: None },
            _ => Outcome { output: self.last_outputs(root), ..Outcome::default() },
        }
    }

    fn nested_ended(&mut self, parent: FrameId, role: &Role, end: End, last: Fields) {
        match role {
            Role::Iteration(index) => return self.round_ended(parent, *index, end),
            Role::Parallel(lane) => return self.lane_ended(parent, *lane, end),
            _ => {}
        }
        let outputs = match (role, end) {
            (Role::Try, End::Error { fault, path }) => return self.try_failed(parent, fault, &path),
            (Role::Helper(_), End::Through(_)) => last,
            (Role::Helper(_), End::Raw(raw)) => {
                let headers: serde_json::Map<_, _> =
                    raw.headers.into_iter().map(|(k, v)| (k, Value::String(v))).collect();
                Fields::from_value(json!({"status": raw.status, "headers": headers, "body": raw.body}))
            }
            (_, End::Through(outputs) | End::Return(outputs)) => outputs,
            (_, End::Stop(message)) => stop_output(message),
            (_, End::Error { fault, .. }) => return self.fail(parent, fault),
            (_, End::Raw(_) | End::Expire) => Fields::new(),
        };
        let outputs = match role {
            Role::Try => with_failed(outputs, false),
            Role::Catch => with_failed(outputs, true),
            _ => outputs,
        };
        self.done(parent, outputs);
    }

    fn lane_ended(&mut self, parent: FrameId, lane: u32, end: End) {
        let gave = match end {
            End::Through(gave) => gave,
            End::Stop(message) => stop_output(message),
            _ => Fields::new(),
        };
        let Some(Container::Parallel { results }) = self.frame_mut(parent).and_then(|f| f.container.as_mut()) else {
            return;
        };
        if let Some(slot) = results.get_mut(lane as usize) {
            *slot = Some(gave);
        }
        if results.iter().any(Option::is_none) {
            return;
        }
        let results = std::mem::take(results);
        let Some(CardKind::Parallel { lanes }) = self.node(parent).map(|n| &n.card.kind) else { return };
        let outputs = lanes
            .keys()
            .zip(results)
            .map(|(name, gave)| (name.as_str().to_owned(), gave.map_or(Value::Null, |g| g.to_value())));
        let outputs = outputs.collect();
        self.done(parent, outputs);
    }

    fn try_failed(&mut self, id: FrameId, fault: Fault, path: &StepPath) {
        let Some(node) = self.node(id) else { return };
        let CardKind::Try { retry, error, .. } = &node.card.kind else { return };
        let attempt = match self.frame(id).and_then(|f| f.container.as_ref()) {
            Some(Container::Try { attempt }) => *attempt,
            _ => 1,
        };
        if let Some(retry) = retry.as_ref().filter(|r| attempt <= r.times) {
            let until = self.now.plus(super::attempts::pause_ms(retry, attempt));
            if let Some(frame) = self.frame_mut(id) {
                frame.container = Some(Container::Try { attempt: attempt + 1 });
                frame.step = Step::Pausing { attempt: attempt + 1, until, doubt: None };
            }
            return;
        }
        let Some(catch) = node.lanes.get(1) else { return };
        let mut value = error_value(&fault);
        self.say_where(&mut value, id, path);
        match self.push(id, *catch, Role::Catch) {
            Ok(child) => {
                if let Some(frame) = self.frame_mut(child) {
                    frame.locals.push((error.clone(), Local::Value(std::sync::Arc::new(value))));
                }
            }
            Err(fault) => self.fail(id, fault),
        }
    }

    /// The card that called the helper in which a frame below `top` failed; nothing where it failed in the flow of `top`
    /// itself. A helper's error is the error of the card that called it.
    fn called_at(&self, top: FrameId, from: FrameId) -> Option<StepPath> {
        let mut call = None;
        let mut at = from;
        while at != top {
            let frame = self.frame(at)?;
            if matches!(frame.role, Role::Helper(_)) {
                call = frame.parent;
            }
            at = frame.parent?;
        }
        call.map(|frame| self.path(frame))
    }

    /// Adds to an error which card failed, in which flow and run, as the flow that catches the error sees it.
    pub(super) fn say_where(&self, error: &mut Value, frame: FrameId, path: &StepPath) {
        let Some(map) = error.as_object_mut() else { return };
        let helper = self.frame(frame).and_then(|f| self.program.blocks.get(f.block as usize)?.helper.as_ref());
        let flow = helper.unwrap_or(&self.program.main_flow().name);
        let card = path.segments().last().map_or("", |segment| segment.card.as_str());
        map.insert("method".into(), card.into());
        map.insert("flo".into(), flow.as_str().into());
        map.insert("execution".into(), self.state.run.to_string().into());
    }

    /// Removes a frame; a write whose outcome is unknown is listed.
    pub(super) fn drop_frame(&mut self, id: FrameId) {
        let path = self.frame(id).and_then(|f| f.doubt()).is_some().then(|| self.path(id));
        self.state.unknown.extend(path);
        if let Some(mut frame) = self.state.frames.remove(&id) {
            let held = frame.hold.is_some();
            if let Some(chunks) = frame.looping().map(|l| l.chunks).filter(|n| *n > 0) {
                self.out.effects.push(Effect::Forget { frame: id, chunks });
            }
            if held {
                self.count_holds();
            }
        }
    }

    pub(super) fn drop_below(&mut self, top: FrameId) {
        let ids: Vec<_> = self.state.frames.keys().copied().filter(|id| self.state.is_below(*id, top)).collect();
        // Children have higher numbers than their parents; paths need the parents.
        for id in ids.into_iter().rev() {
            self.drop_frame(id);
        }
    }
}

/// What Continue If leaves behind: `{message}`, or nothing.
pub(super) fn stop_output(message: Option<std::sync::Arc<Value>>) -> Fields {
    message.map(|m| [("message".to_owned(), m)].into_iter().collect()).unwrap_or_default()
}

fn with_failed(mut outputs: Fields, failed: bool) -> Fields {
    outputs.set("failed", failed);
    outputs
}

/// A fault as catch lanes see it. Okta's flows read `code`, `statusCode`, `body` and `errorSummary`, and by their names
/// the further fields that a Return Error gives.
pub(super) fn error_value(fault: &Fault) -> Value {
    let mut value = json!({
        "message": fault.message,
        "code": fault.code.as_str(),
        "remedy": fault.remedy,
        "status": fault.status,
        "statusCode": fault.status,
        "body": fault.body,
    });
    if let (Some(summary), Some(map)) = (fault.body.get("errorSummary"), value.as_object_mut()) {
        map.insert("errorSummary".into(), summary.clone());
    }
    if let (FaultCode::Raised, Some(own), Some(map)) = (fault.code, fault.body.as_object(), value.as_object_mut()) {
        map.extend(own.iter().map(|(key, value)| (key.clone(), value.clone())));
    }
    value
}
