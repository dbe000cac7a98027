//! Commits of a run: state, record, history, timers and waits, all together.
//!
//! Must never leave an index (ready mark, timer, wait) that disagrees with the state in the same commit.
//! Tests: `tests/crash.rs`.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::Ordering;

use flowdeck_model::{Millis, PromptId, RunId};

use super::api::{EngineError, Parts};
use super::given;
use super::inner::{Inner, flow_bytes};
use super::live::Live;
use super::seal;
use crate::machine::event::Effect;
use crate::machine::state::{Container, Phase, RunState};
use crate::ports::{Delta, Op, Precondition, Space, StoreError, WaitKey};
use crate::wire::entry::{Entry, encode_block};
use crate::wire::{keys, state as stored_state};

/// How often a commit is tried again that found no disk space, and the pause before each, in milliseconds.
const FULL_TRIES: u32 = 10;
const FULL_PAUSE_MS: u64 = 1_000;
/// Largest commit that is kept for being tried again, in bytes.
const AGAIN_BYTES_MAX: usize = 1 << 20;

/// What is so in the store after a commit.
pub(super) struct After {
    timer: Option<Millis>,
    waits: BTreeMap<Vec<u8>, PromptId>,
    ready: bool,
    state: bool,
    /// Loops whose new results are in it.
    loops: Vec<u32>,
    given_apart: Option<bool>,
}

impl Live {
    /// Commits everything so far. `stops`: nothing goes on by itself afterwards.
    pub(super) async fn commit(&mut self, stops: bool) -> Result<(), EngineError> {
        self.commit_with(stops, Vec::new(), Vec::new()).await
    }

    /// As [`Live::commit`], with table changes; `Conflict` leaves the run in memory as it was before the call.
    pub(super) async fn commit_with(
        &mut self,
        stops: bool,
        preconditions: Vec<Precondition>,
        ops: Vec<Op>,
    ) -> Result<(), EngineError> {
        self.settle().await?;
        self.start_children()?;
        let Some((delta, after)) = self.delta(stops, preconditions, ops)? else { return Ok(()) };
        put(&self.inner, self.view.id, self.tries(), delta).await?;
        let entries = self.forget_new(&after);
        self.committed(after, &entries).await;
        Ok(())
    }

    /// Everything since the last commit as one delta; `None` where there is nothing.
    pub(super) fn delta(
        &mut self,
        stops: bool,
        preconditions: Vec<Precondition>,
        ops: Vec<Op>,
    ) -> Result<Option<(Delta, After)>, EngineError> {
        let is_new = self.dirty || !self.entries.is_empty() || !self.ops.is_empty() || !ops.is_empty();
        if !(is_new || stops && self.stored.ready) {
            return Ok(None);
        }
        super::views::refresh(&mut self.view, &self.state, &self.program);
        let mut delta = Delta::new(self.inner.parts.store.epoch());
        delta.preconditions = self.preconditions.clone();
        delta.preconditions.extend(preconditions);
        self.flow_ops(&mut delta)?;
        delta.ops.extend(self.ops.iter().cloned());
        delta.ops.extend(ops);
        for key in &self.inbox_done {
            delta.delete(Space::Inbox, key.clone());
        }
        let run = self.view.id;
        let keeps = self.program.keeps_data(self.program.root);
        let given_apart = self.stored.given_apart.unwrap_or_else(|| given::is_large(&self.view));
        let record = self.record(keeps, given_apart, &mut delta)?;
        delta.put(Space::Runs, keys::run(run), record);
        if let Some(first) = self.entries.first() {
            delta.put(Space::Entries, keys::entries(run, first.seq), encode_block(&self.entries)?);
        }
        self.queue.retain(|effect| {
            let Effect::Forget { frame, chunks } = effect else { return true };
            for n in 0..*chunks {
                delta.delete(Space::Chunks, keys::collected(run, *frame, n));
            }
            false
        });
        let is_gone = self.is_gone(keeps);
        let timer = self.timer().filter(|_| !is_gone);
        let waits = wait_keys(run, &self.state);
        let ready = !stops && !self.is_over();
        self.index_ops(&mut delta, timer, &waits, ready);
        let loops = if is_gone { self.drop_state(&mut delta) } else { self.put_state(&mut delta)? };
        let given_apart = Some(given_apart && (keeps || !self.is_over()));
        Ok(Some((delta, After { timer, waits, ready, state: !is_gone, loops, given_apart })))
    }

    /// How often a commit of this run is tried again on a full disk.
    pub(super) fn tries(&self) -> u32 {
        if self.stored.state { FULL_TRIES } else { 0 }
    }

    /// Whether nothing can go on from the state any more.
    fn is_gone(&self, keeps: bool) -> bool {
        match self.state.phase {
            Phase::Finished(_) | Phase::Cancelled => true,
            // Kept for a retry, but not where the flow keeps no data beyond its end.
            Phase::Failed { .. } => !keeps || self.is_forgotten(),
            Phase::Expired => self.is_forgotten(),
            Phase::New | Phase::Running => false,
        }
    }

    /// When time alone makes something of the run happen.
    pub(super) fn timer(&self) -> Option<Millis> {
        self.state.next_due().or_else(|| self.forgotten_at())
    }

    /// When the sealed state of a run that failed or expired goes, whether or not somebody retried it.
    fn forgotten_at(&self) -> Option<Millis> {
        let kept_ms = self.inner.parts.limits.sealed_kept_ms;
        let waits_for_retry = matches!(self.state.phase, Phase::Failed { .. } | Phase::Expired);
        self.view.ended_at.filter(|_| waits_for_retry && self.program.seals()).map(|ended| ended.plus(kept_ms))
    }

    pub(super) fn is_forgotten(&self) -> bool {
        self.forgotten_at().is_some_and(|at| at <= self.inner.parts.clock.now())
    }

    /// What is shown of the run, as it is stored: secrets taken out; sealed, or without values where none are kept.
    fn record(&self, keeps: bool, given_apart: bool, delta: &mut Delta) -> Result<Vec<u8>, EngineError> {
        let given = keys::given(self.view.id);
        if !keeps && self.is_over() {
            if given_apart {
                delta.delete(Space::Chunks, given);
            }
            return Ok(super::views::without_data(&self.view).encode()?);
        }
        let shown =
            if keeps { super::views::without_secrets(&self.view, &self.program) } else { Cow::Borrowed(&self.view) };
        let sealed = |what: &str, plain: Vec<u8>| if keeps { plain } else { self.sealed(what, plain) };
        if !given_apart {
            return Ok(sealed(seal::RECORD, shown.encode()?));
        }
        if self.stored.given_apart.is_none() {
            delta.put(Space::Chunks, given, sealed(seal::GIVEN, given::encode(&shown)?));
        }
        Ok(sealed(seal::RECORD, given::without(&shown).encode()?))
    }

    fn flow_ops(&self, delta: &mut Delta) -> Result<(), EngineError> {
        if let Some(flow) = &self.flow_unsaved {
            delta.put(Space::Flows, keys::flow_version(self.view.hash), flow_bytes(flow)?);
        }
        Ok(())
    }

    fn index_ops(&self, delta: &mut Delta, timer: Option<Millis>, waits: &BTreeMap<Vec<u8>, PromptId>, ready: bool) {
        let run = self.view.id;
        if ready && !self.stored.ready {
            delta.put(Space::Ready, keys::run(run), Vec::new());
        } else if !ready && self.stored.ready {
            delta.delete(Space::Ready, keys::run(run));
        }
        if timer != self.stored.timer {
            if let Some(old) = self.stored.timer {
                delta.delete(Space::Timers, keys::timer(old, run));
            }
            if let Some(due) = timer {
                delta.put(Space::Timers, keys::timer(due, run), Vec::new());
            }
        }
        for old in self.stored.waits.keys().filter(|key| !waits.contains_key(*key)) {
            delta.delete(Space::Waits, old.clone());
        }
        for new in waits.keys().filter(|key| !self.stored.waits.contains_key(*key)) {
            delta.put(Space::Waits, new.clone(), Vec::new());
        }
    }

    fn drop_state(&mut self, delta: &mut Delta) -> Vec<u32> {
        let run = self.view.id;
        if self.stored.state {
            delta.delete(Space::States, keys::run(run));
            for number in self.stored.values.numbers() {
                delta.delete(Space::Chunks, keys::value(run, number));
            }
            for (id, frame) in &mut self.state.frames {
                let chunks = frame.looping().map_or(0, |l| l.chunks);
                for number in 0..chunks {
                    delta.delete(Space::Chunks, keys::collected(run, *id, number));
                }
            }
        }
        Vec::new()
    }

    /// Answers the loops whose new results are in the delta.
    fn put_state(&mut self, delta: &mut Delta) -> Result<Vec<u32>, EngineError> {
        let run = self.view.id;
        let mut loops = Vec::new();
        let mut chunks = Vec::new();
        for (id, frame) in &mut self.state.frames {
            if let Some(Container::Loop(l)) = &mut frame.container
                && l.stored < l.results.len()
            {
                chunks.push((*id, l.chunks, stored_state::encode_collected(&l.results[l.stored..])?));
                l.chunks += 1;
                loops.push(*id);
            }
        }
        for (id, number, chunk) in chunks {
            let chunk = self.sealed(&seal::collected(id, number), chunk);
            delta.put(Space::Chunks, keys::collected(run, id, number), chunk);
        }
        let encoded = stored_state::encode(&mut self.state, &mut self.stored.values)?;
        for (number, bytes) in encoded.new {
            delta.put(Space::Chunks, keys::value(run, number), self.sealed(&seal::value(number), bytes));
        }
        for number in encoded.gone {
            delta.delete(Space::Chunks, keys::value(run, number));
        }
        delta.put(Space::States, keys::run(run), self.sealed(seal::STATE, encoded.state));
        Ok(loops)
    }

    /// What is in a commit is not new any more. Answers its history.
    pub(super) fn forget_new(&mut self, after: &After) -> Vec<Entry> {
        for id in &after.loops {
            if let Some(l) = self.state.frames.get_mut(id).and_then(|f| f.looping()) {
                l.stored = l.results.len();
            }
        }
        self.preconditions.clear();
        self.ops.clear();
        self.inbox_done.clear();
        self.dirty = false;
        self.dirty_since = None;
        self.outcome_since = None;
        self.steps = 0;
        self.bytes = 0;
        std::mem::take(&mut self.entries)
    }

    /// A commit is durable: what waits for it may go on, and who watches is told.
    pub(super) async fn committed(&mut self, after: After, entries: &[Entry]) {
        let now: BTreeSet<PromptId> = after.waits.values().copied().collect();
        let left: BTreeSet<PromptId> = self.stored.waits.values().copied().filter(|p| !now.contains(p)).collect();
        self.inner.leave(left).await;
        if after.timer.is_some() && after.timer != self.stored.timer {
            self.inner.wake.notify_one();
        }
        self.stored.given_apart = after.given_apart;
        self.stored.timer = after.timer;
        self.stored.waits = after.waits;
        self.stored.ready = after.ready;
        self.stored.state = after.state;
        if self.flow_unsaved.take().is_some() {
            self.inner.stored_flows.lock().insert(self.view.hash);
        }
        if self.inner.notices.receiver_count() > 0 {
            for entry in entries {
                self.notify(entry, false);
            }
        }
        for child in self.children.drain(..) {
            self.inner.enqueue(child);
        }
    }
}

/// A full disk changes nothing: a run that is accepted waits a little for space, so that what it did is not forgotten.
pub(super) async fn put(inner: &Inner, run: RunId, mut tries: u32, mut delta: Delta) -> Result<(), EngineError> {
    let Parts { store, clock, .. } = &inner.parts;
    loop {
        let again = (tries > 0 && size(&delta) <= AGAIN_BYTES_MAX).then(|| delta.clone());
        match (store.commit(delta).await, again) {
            (Err(StoreError::Full { .. }), Some(again)) if !inner.stopping.load(Ordering::Acquire) => {
                tracing::warn!(%run, "no disk space for what a run did; trying again");
                clock.sleep(FULL_PAUSE_MS).await;
                (delta, tries) = (again, tries - 1);
            }
            (done, _) => return Ok(done?),
        }
    }
}

/// Bytes that a commit writes.
fn size(delta: &Delta) -> usize {
    let op = |op: &Op| match op {
        Op::Put { key, value, .. } => key.len() + value.len(),
        Op::Delete { key, .. } => key.len(),
    };
    delta.ops.iter().map(op).sum()
}

/// Keys of everything the state waits for by index, with the prompts that ask for it.
pub(super) fn wait_keys(run: RunId, state: &RunState) -> BTreeMap<Vec<u8>, PromptId> {
    if state.phase != Phase::Running {
        return BTreeMap::new();
    }
    let holds = state.frames.values().filter_map(|f| f.hold.as_ref());
    holds.map(|h| (keys::wait(&WaitKey(h.on.clone()), h.seen, run), h.prompt)).collect()
}

/// Whether a commit was refused because something changed in between.
pub(super) fn is_conflict(error: &EngineError) -> bool {
    matches!(error, EngineError::Store(StoreError::Conflict))
}

/// Whether the run holds more than one commit can: this run's own end, and nobody else's.
pub(super) fn is_too_large(error: &EngineError) -> bool {
    matches!(error, EngineError::Store(StoreError::TooLarge { .. }))
}

/// What is stored cannot be read.
pub(super) fn is_damage(error: &EngineError) -> bool {
    matches!(error, EngineError::Store(StoreError::Damaged { .. }))
}
