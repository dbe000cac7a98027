//! Accepts runs: checks the input, makes the id, builds the first state.
//!
//! Must never accept a second run for the same idempotency key.
//! Tests: `tests/driver`.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use flowdeck_model::{Fields, FlowHash, FlowName, Millis, RunId, StepPath};
use tokio::task::JoinSet;

use super::api::{EngineError, Start};
use super::given;
use super::inner::{Claim, Inner, Slot};
use super::live::{Live, Stored};
use super::seal;
use crate::machine::coerce;
use crate::machine::program::Program;
use crate::machine::state::RunState;
use crate::ports::{Op, Precondition, Space};
use crate::wire::entry::EntryKind;
use crate::wire::keys;
use crate::wire::record::{Counts, RunView, Status};

/// Who the run is.
pub(super) struct Identity {
    pub(super) id: RunId,
    pub(super) hash: FlowHash,
    pub(super) entry: Option<FlowName>,
    pub(super) parent: Option<RunId>,
}

impl Inner {
    /// A run in memory, not committed yet.
    pub(super) async fn accept(self: &Arc<Self>, start: &Start) -> Result<(Claim, Live), EngineError> {
        if self.stopping.load(Ordering::Acquire) {
            return Err(EngineError::Stopping);
        }
        let hash = self.hash(&start.flow)?;
        let program = self.program(hash, None, Some(&start.flow)).await?;
        let input = coerce::inputs(&start.flow.inputs, None, start.input.clone()).map_err(EngineError::Input)?;
        self.define_tables(hash, &start.flow).await?;
        let now = self.parts.clock.now();
        let id = start.id.unwrap_or_else(|| RunId::new(now, self.random()));
        let claim = self.claim(id).map_err(|_| EngineError::Internal(format!("run {id} exists already")))?;
        let identity = Identity { id, hash, entry: None, parent: None };
        let mut live = Live::new(self.clone(), claim.slot.clone(), program, identity, now, input, start.event.clone());
        if let Some(key) = &start.idempotency_key {
            let key = keys::start_key(&start.flow.name, key);
            live.preconditions.push(Precondition::Absent { space: Space::Dedupe, key: key.clone() });
            live.ops.push(Op::Put { space: Space::Dedupe, key, value: id.to_bytes().to_vec() });
        }
        if !self.stored_flows.lock().contains(&hash) {
            live.flow_unsaved = Some(start.flow.clone());
        }
        Ok((claim, live))
    }

    /// The run of an earlier start with the same key.
    pub(super) async fn accepted_before(&self, start: &Start) -> Result<Option<RunId>, EngineError> {
        let Some(key) = &start.idempotency_key else { return Ok(None) };
        let key = keys::start_key(&start.flow.name, key);
        let found = self.parts.store.get(Space::Dedupe, &key).await?;
        Ok(found.as_deref().and_then(keys::run_of))
    }
}

impl Live {
    /// A run that has just been accepted.
    pub(super) fn new(
        inner: Arc<Inner>,
        slot: Arc<Slot>,
        program: Arc<Program>,
        who: Identity,
        now: Millis,
        input: Fields,
        event: Option<Fields>,
    ) -> Self {
        let seed = inner.random();
        let flow = program.main_flow().name.clone();
        #[allow(clippy::cast_possible_truncation)]
        let state = RunState::new(who.id, seed as u64, now, &flow, input.clone(), event.clone());
        let view = RunView {
            id: who.id,
            flow: flow.clone(),
            hash: who.hash,
            status: Status::Running,
            waits: Vec::new(),
            started_at: now,
            ended_at: None,
            input,
            event,
            output: None,
            raw: None,
            stopped: false,
            fault: None,
            failed_at: None,
            unknown: Vec::new(),
            set_aside: None,
            token: format!("{:032x}", inner.random()),
            given_apart: false,
            parent: who.parent,
            entry: who.entry.clone(),
            counts: Counts::default(),
        };
        let mut live = Self::with(inner, slot, program, view, state, Stored::default());
        live.log(now, StepPath::root(), EntryKind::RunStarted { flow, hash: who.hash });
        live.dirty = true;
        live
    }

    /// A run with this record and state.
    pub(super) fn with(
        inner: Arc<Inner>,
        slot: Arc<Slot>,
        program: Arc<Program>,
        view: RunView,
        state: RunState,
        stored: Stored,
    ) -> Self {
        Self {
            inner,
            slot,
            program,
            view,
            state,
            stored,
            queue: VecDeque::new(),
            entries: Vec::new(),
            ops: Vec::new(),
            preconditions: Vec::new(),
            children: Vec::new(),
            inbox_done: std::collections::HashSet::new(),
            outgoing: Vec::new(),
            flying: JoinSet::new(),
            fresh_holds: Vec::new(),
            dirty: false,
            steps: 0,
            bytes: 0,
            dirty_since: None,
            outcome_since: None,
            flow_unsaved: None,
            behind: None,
        }
    }

    /// Adds a child run to the next commit: its record, its first state, its ready mark.
    pub(super) fn add_child(&mut self, id: RunId, helper: &FlowName, input: Fields) -> Result<(), EngineError> {
        let at = self.inner.parts.clock.now();
        let hash = self.view.hash;
        let seed = self.inner.random();
        #[allow(clippy::cast_possible_truncation)]
        let mut state = RunState::new(id, seed as u64, at, helper, input.clone(), None);
        let started = crate::wire::entry::Entry {
            seq: 1,
            at,
            path: StepPath::root(),
            what: EntryKind::RunStarted { flow: helper.clone(), hash },
        };
        let seals = self.program.seals();
        let keeps = self.program.helpers.get(helper).is_some_and(|block| self.program.keeps_data(*block));
        let sealed = |inner: &Inner, what: &str, plain: Vec<u8>| {
            if seals { inner.seal(id, what, &plain) } else { plain }
        };
        let mut view = self.view.clone();
        view.id = id;
        view.flow = helper.clone();
        view.status = Status::Running;
        view.waits.clear();
        view.started_at = at;
        view.ended_at = None;
        view.input = input;
        view.event = None;
        view.unknown.clear();
        view.token = format!("{:032x}", self.inner.random());
        view.parent = Some(self.view.id);
        view.entry = Some(helper.clone());
        view.counts = Counts { entries: 1, ..Counts::default() };
        let run = keys::run(id);
        let mut values = crate::wire::state::StoredValues::default();
        let encoded = crate::wire::state::encode(&mut state, &mut values)?;
        let put = |space, key: Vec<u8>, value: Vec<u8>| Op::Put { space, key, value };
        let sealed_unless_kept =
            |inner: &Inner, what: &str, plain: Vec<u8>| if keeps { plain } else { sealed(inner, what, plain) };
        if keeps {
            self.program.secrets.inputs(Some(helper)).redact(&mut view.input);
        }
        if given::is_large(&view) {
            let bytes = sealed_unless_kept(&self.inner, seal::GIVEN, given::encode(&view)?);
            self.ops.push(put(Space::Chunks, keys::given(id), bytes));
            view = given::without(&view);
        }
        let record = sealed_unless_kept(&self.inner, seal::RECORD, view.encode()?);
        self.ops.push(put(Space::Runs, run.clone(), record));
        self.ops.push(put(Space::Entries, keys::entries(id, 1), crate::wire::entry::encode_block(&[started])?));
        for (number, bytes) in encoded.new {
            let bytes = sealed(&self.inner, &seal::value(number), bytes);
            self.ops.push(put(Space::Chunks, keys::value(id, number), bytes));
        }
        self.ops.push(put(Space::States, run.clone(), sealed(&self.inner, seal::STATE, encoded.state)));
        self.ops.push(put(Space::Ready, run, Vec::new()));
        self.children.push(id);
        Ok(())
    }
}
