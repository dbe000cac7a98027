//! A run in memory while somebody drives it.
//!
//! Must never let anything leave that is not committed, except notices marked provisional.
//! Tests: `tests/driver`.

use std::collections::{BTreeMap, HashSet, VecDeque};
use std::sync::Arc;

use flowdeck_model::connect::Need;
use flowdeck_model::{Fields, Millis, PromptId, StepPath, Value};
use tokio::task::JoinSet;

use super::api::{EngineError, Notice, NoticeKind};
use super::inner::{Inner, Slot};
use crate::machine::event::{Effect, Event, EventKind, StepEvent, Transition};
use crate::machine::program::Program;
use crate::machine::state::{FrameId, Phase, RunState};
use crate::ports::{Authorized, CardCall, CardOutcome, LookUp, Op, Precondition, WaitKey};
use crate::wire::entry::{Entry, EntryKind, WaitReason};
use crate::wire::record::RunView;
use crate::wire::state::StoredValues;

/// An answer of a spawned effect.
pub(super) enum Answer {
    Performed(CardOutcome),
    LookedUp(LookUp, Fields),
    Asked(Box<super::asks::Asked>),
}

/// A spawned effect's return.
pub(super) struct Returned {
    pub(super) frame: FrameId,
    pub(super) writes: bool,
    pub(super) used: Option<(Need, Authorized)>,
    pub(super) answer: Answer,
}

/// What is in the store about the run.
#[derive(Debug, Default)]
pub(super) struct Stored {
    pub(super) ready: bool,
    pub(super) state: bool,
    pub(super) timer: Option<Millis>,
    /// Keys of its waits, each with the prompt that it waits at.
    pub(super) waits: BTreeMap<Vec<u8>, PromptId>,
    pub(super) values: StoredValues,
    /// Whether what started the run is apart from its record; `None` before the first commit.
    pub(super) given_apart: Option<bool>,
}

/// A call that goes out after the next commit.
pub(super) struct Outgoing {
    pub(super) frame: FrameId,
    pub(super) call: CardCall,
    pub(super) need: Option<Need>,
    pub(super) writes: bool,
}

pub(super) struct Live {
    pub(super) inner: Arc<Inner>,
    pub(super) slot: Arc<Slot>,
    pub(super) program: Arc<Program>,
    pub(super) view: RunView,
    pub(super) state: RunState,
    pub(super) stored: Stored,
    pub(super) queue: VecDeque<Effect>,
    pub(super) entries: Vec<Entry>,
    pub(super) ops: Vec<Op>,
    pub(super) preconditions: Vec<Precondition>,
    pub(super) children: Vec<flowdeck_model::RunId>,
    pub(super) inbox_done: HashSet<Vec<u8>>,
    pub(super) outgoing: Vec<Outgoing>,
    pub(super) flying: JoinSet<Returned>,
    /// Registry versions of fresh waits: asked about right after their commit.
    pub(super) fresh_holds: Vec<(WaitKey, u64)>,
    pub(super) dirty: bool,
    pub(super) steps: u32,
    pub(super) bytes: usize,
    pub(super) dirty_since: Option<u64>,
    pub(super) outcome_since: Option<u64>,
    pub(super) flow_unsaved: Option<Arc<flowdeck_model::Flow>>,
    /// A commit on its way.
    pub(super) behind: Option<super::behind::Behind>,
}

impl Live {
    /// Feeds one event. An event that means nothing any more (a late answer) changes nothing.
    pub(super) fn feed(&mut self, what: EventKind) -> bool {
        let at = self.inner.parts.clock.now();
        let name = what.name();
        match crate::machine::step(&self.program, &mut self.state, Event { at, what }, self.inner.parts.limits.wait_ms)
        {
            Ok(transition) => {
                self.take(transition, at);
                true
            }
            Err(illegal) => {
                tracing::debug!(run = %self.view.id, event = ?name, "{illegal}");
                false
            }
        }
    }

    pub(super) fn feed_step(&mut self, frame: FrameId, what: StepEvent) -> bool {
        self.feed(EventKind::Step { frame, what })
    }

    fn take(&mut self, transition: Transition, at: Millis) {
        self.dirty = true;
        if self.dirty_since.is_none() {
            self.dirty_since = Some(self.inner.parts.clock.monotonic_ms());
        }
        self.queue.extend(transition.effects);
        for (path, what) in transition.entries {
            self.log(at, path, what);
        }
        let ended = match &self.state.phase {
            Phase::Finished(_) | Phase::Failed { .. } | Phase::Cancelled | Phase::Expired => true,
            Phase::New | Phase::Running => false,
        };
        let status = super::views::status(&self.state);
        if ended && self.view.status != status {
            self.queue.retain(|e| matches!(e, Effect::Forget { .. } | Effect::StartChild { .. }));
            self.outgoing.clear();
            super::views::close(&mut self.view, &self.state, &self.program, at);
            let mut ended = EntryKind::RunEnded { status, fault: self.view.fault.clone() };
            if !self.program.keeps_data(self.program.root) {
                ended.redact();
            }
            self.log(at, StepPath::root(), ended);
        } else if !ended {
            self.view.status = status;
            self.view.ended_at = None;
        }
    }

    /// Adds to history.
    pub(super) fn log(&mut self, at: Millis, path: StepPath, what: EntryKind) {
        let counts = &mut self.view.counts;
        counts.entries += 1;
        match &what {
            EntryKind::StepFinished { outputs, .. } | EntryKind::PageCame { outputs, .. } => {
                counts.steps += u64::from(matches!(what, EntryKind::StepFinished { .. }));
                self.steps += 1;
                let enough = self.inner.parts.limits.commit_after_bytes;
                self.bytes += outputs.as_ref().map_or(0, |o| rough_size(o, enough));
            }
            EntryKind::StepStarted { .. } => counts.attempts += 1,
            EntryKind::StepFailed { .. } => counts.faults += 1,
            _ => {}
        }
        let entry = Entry { seq: counts.entries, at, path, what };
        if self.inner.notices.receiver_count() > 0 {
            self.notify(&entry, true);
        }
        self.entries.push(entry);
    }

    /// Tells subscribers; nobody listening is fine.
    pub(super) fn notify(&self, entry: &Entry, provisional: bool) {
        let path = entry.path.clone();
        let what = match &entry.what {
            EntryKind::RunStarted { hash, .. } => NoticeKind::RunStarted { hash: *hash },
            EntryKind::StepStarted { card, .. } => NoticeKind::StepStarted { path, card: card.clone() },
            EntryKind::StepFinished { .. } => NoticeKind::StepFinished { path },
            EntryKind::StepFailed { fault, .. } => NoticeKind::StepFailed { path, fault: fault.clone() },
            EntryKind::Waiting(reason) => {
                let prompt = match reason {
                    WaitReason::Connection { prompt, .. } => Some(*prompt),
                    _ => None,
                };
                NoticeKind::Waiting { path, reason: reason.clone(), prompt }
            }
            EntryKind::Resumed => NoticeKind::Resumed { path },
            EntryKind::InDoubt { .. } => NoticeKind::InDoubt { path },
            EntryKind::RunEnded { status, .. } => NoticeKind::RunEnded { status: *status },
            EntryKind::PageCame { .. }
            | EntryKind::Intent(_)
            | EntryKind::Settled { .. }
            | EntryKind::ChildStarted { .. }
            | EntryKind::Asked { .. } => return,
        };
        let seq = (!provisional).then_some(entry.seq);
        self.inner.notices.send(Notice { run: self.view.id, at: entry.at, seq, what }).ok();
    }

    /// Whether the run has ended, so that nothing goes on by itself.
    pub(super) fn is_over(&self) -> bool {
        !matches!(self.state.phase, Phase::New | Phase::Running)
    }

    /// Whether a commit is due by the rules of time and size.
    pub(super) fn is_commit_due(&self) -> bool {
        let limits = &self.inner.parts.limits;
        if self.steps >= limits.commit_after_steps || self.bytes >= limits.commit_after_bytes {
            return true;
        }
        let now = self.inner.parts.clock.monotonic_ms();
        let over = |since: Option<u64>, ms: u64| since.is_some_and(|s| now.saturating_sub(s) >= ms);
        over(self.dirty_since, limits.commit_after_ms) || over(self.outcome_since, limits.outcome_within_ms)
    }

    /// Milliseconds until a commit is due by time alone.
    pub(super) fn commit_due_in(&self) -> Option<u64> {
        let limits = &self.inner.parts.limits;
        let now = self.inner.parts.clock.monotonic_ms();
        let rest = |since: Option<u64>, ms: u64| since.map(|s| (s + ms).saturating_sub(now));
        let a = rest(self.dirty_since, limits.commit_after_ms);
        let b = rest(self.outcome_since, limits.outcome_within_ms);
        a.into_iter().chain(b).min()
    }

    pub(super) fn internal(&self, what: impl Into<String>) -> EngineError {
        EngineError::Internal(what.into())
    }
}

/// Bytes of values, roughly; stops counting where a commit is due anyway.
pub(super) fn rough_size(fields: &flowdeck_model::Fields, enough: usize) -> usize {
    let mut size = 0;
    for (key, value) in fields.iter() {
        size += key.len();
        add_size(value, enough, &mut size);
    }
    size
}

fn add_size(value: &Value, enough: usize, size: &mut usize) {
    *size += 8;
    if *size >= enough {
        return;
    }
    match value {
        Value::String(text) => *size += text.len(),
        Value::Array(list) => list
            .iter()
            .take_while(|v| {
                add_size(v, enough, size);
                *size < enough
            })
            .for_each(drop),
        Value::Object(map) => map
            .iter()
            .take_while(|(k, v)| {
                *size += k.len();
                add_size(v, enough, size);
                *size < enough
            })
            .for_each(drop),
        _ => {}
    }
}
