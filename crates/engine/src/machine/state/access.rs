//! Questions to the state and the small changes that several families share.
//!
//! Must never decide what happens next: the families do.
//! Tests: beside the families.

use flowdeck_model::CardKind;
use flowdeck_model::path::Segment;

use super::*;

impl RunState {
    /// A run that has just been accepted.
    #[must_use]
    pub fn new(run: RunId, seed: u64, at: Millis, flow: &FlowName, input: Fields, event: Option<Fields>) -> Self {
        let facts = serde_json::json!({"id": run.to_string(), "flow": flow.as_str(), "started": at.to_iso()});
        Self {
            run,
            started_at: at,
            seed,
            phase: Phase::New,
            input,
            event,
            facts: Arc::new(facts),
            frames: BTreeMap::new(),
            next_frame: 0,
            drains: Vec::new(),
            signals: Vec::new(),
            uses: BTreeMap::new(),
            allowed: BTreeMap::new(),
            due: None,
            held_since: None,
            unknown: Vec::new(),
            answered: None,
        }
    }

    /// Path of a frame's current step.
    #[must_use]
    pub fn path(&self, program: &Program, frame: FrameId) -> StepPath {
        let Some(mut frame) = self.frames.get(&frame) else { return StepPath::root() };
        // From the inside outwards, in one piece: a path is made for every step.
        let mut segments = Vec::with_capacity(usize::from(frame.depth) + 1);
        let part = |card: &CardId, index| Segment { card: card.clone(), index };
        segments.extend(program.node(frame.block, frame.at).map(|node| part(&node.card.id, None)));
        while let Some(parent) = frame.parent.and_then(|id| self.frames.get(&id)) {
            if let Some(node) = program.node(parent.block, parent.at) {
                let mut index = None;
                match (&frame.role, &node.card.kind) {
                    (Role::Iteration(number), _) => index = Some(*number),
                    (Role::Parallel(lane), CardKind::Parallel { lanes }) => {
                        segments.extend(lanes.get_index(*lane as usize).map(|(name, _)| part(name, None)));
                    }
                    _ => {}
                }
                segments.push(part(&node.card.id, index));
            }
            frame = parent;
        }
        segments.reverse();
        StepPath::of(segments)
    }

    /// Whether `frame` is strictly below `top`.
    #[must_use]
    pub fn is_below(&self, frame: FrameId, top: FrameId) -> bool {
        let mut at = self.frames.get(&frame).and_then(|f| f.parent);
        while let Some(id) = at {
            if id == top {
                return true;
            }
            at = self.frames.get(&id).and_then(|f| f.parent);
        }
        false
    }

    /// Whether the frame is at or below one that is about to end.
    #[must_use]
    pub fn is_draining(&self, frame: FrameId) -> bool {
        self.drains.iter().any(|d| d.top == frame || self.is_below(frame, d.top))
    }

    /// When time alone makes something happen.
    #[must_use]
    pub fn next_due(&self) -> Option<Millis> {
        if self.phase != Phase::Running {
            return None;
        }
        let clock_runs = self.held_since.is_none();
        let open = self.frames.iter().filter(|(id, _)| self.drains.is_empty() || !self.is_draining(**id));
        let frames = open.flat_map(|(_, f)| {
            let step = match &f.step {
                Step::Pausing { until, .. } => Some(*until),
                Step::InDoubt { deadline, .. } => Some(*deadline),
                Step::Waiting(w) => Some(w.due()),
                _ => None,
            };
            [step, f.hold.as_ref().map(|h| h.deadline), f.due.filter(|_| clock_runs)]
        });
        frames.flatten().chain(self.due.filter(|_| clock_runs)).min()
    }

    /// When the run and the control cards around a frame's current step must be over.
    pub fn dues(&self, frame: FrameId) -> impl Iterator<Item = Millis> {
        let mut at = Some(frame);
        let around = std::iter::from_fn(move || {
            let frame = self.frames.get(&at?)?;
            at = frame.parent;
            Some(frame.due)
        });
        self.due.into_iter().chain(around.flatten())
    }

    /// How often a person retried a frame's current step or one around it; part of its idempotency key.
    #[must_use]
    pub fn retries(&self, frame: FrameId) -> u32 {
        let mut sum = 0;
        let mut at = Some(frame);
        while let Some(f) = at.and_then(|id| self.frames.get(&id)) {
            sum += f.retries;
            at = f.parent;
        }
        sum
    }

    /// Visits every shared value of the state.
    pub fn visit_values(&mut self, visit: &mut dyn FnMut(&mut Arc<Value>)) {
        self.input.values_mut().for_each(&mut *visit);
        self.event.iter_mut().flat_map(Fields::values_mut).for_each(&mut *visit);
        for frame in self.frames.values_mut() {
            frame.outputs.iter_mut().flatten().flat_map(Fields::values_mut).for_each(&mut *visit);
            frame.input.iter_mut().flat_map(Fields::values_mut).for_each(&mut *visit);
            for (_, local) in &mut frame.locals {
                match local {
                    Local::Value(value) | Local::Item(value, _) => visit(value),
                    Local::Fields(fields) => fields.values_mut().for_each(&mut *visit),
                }
            }
            match &mut frame.container {
                Some(Container::Loop(l)) => {
                    visit(&mut l.items);
                    l.carry.values_mut().for_each(&mut *visit);
                }
                Some(Container::Parallel { results }) => {
                    results.iter_mut().flatten().flat_map(Fields::values_mut).for_each(&mut *visit);
                }
                _ => {}
            }
        }
    }
}

impl Waiting {
    /// When time alone ends it.
    #[must_use]
    pub fn due(&self) -> Millis {
        match self {
            Self::Time { until } => *until,
            Self::Signal { deadline, .. } | Self::Approval { deadline, .. } | Self::Limit { deadline, .. } => *deadline,
        }
    }
}

impl Frame {
    /// A frame at its first card.
    #[must_use]
    pub fn new(parent: Option<FrameId>, depth: u16, block: BlockId, role: Role) -> Self {
        Self {
            parent,
            depth,
            block,
            role,
            at: 0,
            outputs: Vec::new(),
            last: None,
            locals: Vec::new(),
            input: None,
            step: Step::Ready,
            hold: None,
            container: None,
            due: None,
            retries: 0,
            put_off: 0,
        }
    }

    /// Whether somebody outside is at work for this step, so that an answer will come.
    #[must_use]
    pub fn is_busy(&self) -> bool {
        self.hold.is_none() && matches!(self.step, Step::Attempting { .. } | Step::Sent { .. } | Step::Looking { .. })
    }

    /// The intent of a write whose outcome is not known.
    #[must_use]
    pub fn doubt(&self) -> Option<&Intent> {
        match &self.step {
            Step::Sent { intent, .. } | Step::Looking { intent, .. } | Step::InDoubt { intent, .. } => Some(intent),
            Step::Attempting { doubt, .. } | Step::Pausing { doubt, .. } => doubt.as_ref(),
            _ => None,
        }
    }

    /// The loop at work in the current card.
    pub fn looping(&mut self) -> Option<&mut LoopState> {
        match &mut self.container {
            Some(Container::Loop(l)) => Some(l),
            _ => None,
        }
    }
}
