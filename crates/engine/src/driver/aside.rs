//! Runs that this process cannot drive: a defect of ours, or stored bytes that cannot be read.
//!
//! Must never lose such a run: its marks stay, so that a repaired program (or store) finds it again. Must never let who
//! watches it wait for nothing.
//! Tests: `tests/driver/aside.rs`.

use std::collections::BTreeSet;
use std::sync::Arc;

use flowdeck_model::{Fault, FaultCode, PromptId, RunId, StepPath};

use super::api::{EngineError, Notice, NoticeKind};
use super::commit::{is_damage, wait_keys};
use super::inbox::Message;
use super::inner::Inner;
use super::seal::MESSAGE;
use crate::machine::state::RunState;
use crate::ports::{Delta, Scan, Space};
use crate::wire::entry::{Entry, EntryKind, encode_block};
use crate::wire::record::Status;
use crate::wire::{self, keys};

/// Keys deleted at once.
const BATCH: usize = 1_000;

impl Inner {
    /// Tells the registry which prompts a run left; who asks for them may have nobody to answer to any more.
    pub(super) async fn leave(&self, prompts: BTreeSet<PromptId>) {
        for prompt in prompts {
            // The run has left, durably, whatever becomes of the prompt: at the next start it is closed all the same.
            if let Err(error) = self.parts.authorizer.left(prompt).await {
                tracing::warn!(%prompt, %error, "a prompt that a run left was not closed");
            }
        }
    }

    /// Sets a run aside; one that somebody wants ended, before it was known that nobody can drive it, ends instead.
    pub(super) async fn leave_aside(self: &Arc<Self>, run: RunId, error: EngineError) -> Result<(), EngineError> {
        let _alone = self.ending.lock().await;
        let is_cancelled = match self.is_cancelled(run).await {
            // What cannot be read asks for nothing.
            Err(unread) if is_damage(&unread) => false,
            read => read?,
        };
        if !is_cancelled {
            return self.put_aside(run, error);
        }
        match self.end_aside(run).await {
            // Somebody tries it at this moment; the message is still there at the next start.
            Err(EngineError::Internal(_)) => self.put_aside(run, error),
            ended => ended,
        }
    }

    /// Whether a message of those that wait ends the run.
    async fn is_cancelled(&self, run: RunId) -> Result<bool, EngineError> {
        let mut scan = Scan::prefix(Space::Inbox, keys::run(run), BATCH);
        scan.keys_only = false;
        let messages = self.parts.store.scan(scan).await?;
        // One that cannot be read tells nothing; it may be why the run cannot go on.
        let read = |bytes| wire::decode("message", &self.open(run, MESSAGE, bytes).ok()?).ok();
        Ok(messages.into_iter().any(|(_, bytes)| read(bytes) == Some(Message::Cancel)))
    }

    /// Sets a run aside and tells who watches it.
    fn put_aside(&self, run: RunId, error: EngineError) -> Result<(), EngineError> {
        tracing::error!(%run, %error, "the run cannot go on and is set aside until the next start");
        let fault = why(run, &error);
        if !self.set_aside(run, fault.clone()) {
            return Err(error);
        }
        let at = self.parts.clock.now();
        self.notices.send(Notice { run, at, seq: None, what: NoticeKind::SetAside { fault } }).ok();
        Ok(())
    }

    /// Ends a run that is set aside, without its program: its record says so, everything else of it goes.
    pub(super) async fn end_aside(self: &Arc<Self>, run: RunId) -> Result<(), EngineError> {
        let Ok(claim) = self.claim(run) else {
            return Err(EngineError::Internal(format!("run {run} is set aside and at work")));
        };
        let mut view = self.stored_record(run).await?.ok_or(EngineError::NoRun(run))?;
        let state = self.state(run).await?.map(|(state, ..)| state);
        let at = self.parts.clock.now();
        let forgotten_at = view.ended_at.map(|ended| ended.plus(self.parts.limits.sealed_kept_ms));
        let mut delta = Delta::new(self.parts.store.epoch());
        let mut left = BTreeSet::new();
        if let Some(state) = &state {
            for due in state.next_due().into_iter().chain(forgotten_at) {
                delta.delete(Space::Timers, keys::timer(due, run));
            }
            for (key, prompt) in wait_keys(run, state) {
                delta.delete(Space::Waits, key);
                left.insert(prompt);
            }
            view.unknown.extend(unknown(state));
        }
        for (space, keys_of) in [(Space::Inbox, keys::run(run)), (Space::Chunks, keys::run(run))] {
            let mut scan = Scan::prefix(space, keys_of, BATCH);
            scan.keys_only = true;
            loop {
                let batch = self.parts.store.scan(scan.clone()).await?;
                scan.after = batch.last().map(|(key, _)| key.clone());
                let is_last = batch.len() < BATCH;
                for (key, _) in batch {
                    delta.delete(space, key);
                }
                if is_last {
                    break;
                }
            }
        }
        delta.delete(Space::States, keys::run(run)).delete(Space::Ready, keys::run(run));
        view.status = Status::Cancelled;
        view.ended_at = Some(at);
        view.waits.clear();
        let what = [
            EntryKind::Asked { what: "cancel".into() },
            EntryKind::RunEnded { status: Status::Cancelled, fault: None },
        ];
        let first = view.counts.entries + 1;
        let entries: Vec<Entry> =
            what.into_iter().zip(first..).map(|(what, seq)| Entry { seq, at, path: StepPath::root(), what }).collect();
        view.counts.entries += entries.len() as u64;
        delta.put(Space::Entries, keys::entries(run, first), encode_block(&entries)?);
        // Whether its flow keeps data cannot always be known here, so none is kept.
        delta.put(Space::Runs, keys::run(run), super::views::without_data(&view).encode()?);
        self.parts.store.commit(delta).await?;
        self.leave(left).await;
        self.forget_aside(run);
        let what = NoticeKind::RunEnded { status: Status::Cancelled };
        self.notices.send(Notice { run, at, seq: Some(view.counts.entries), what }).ok();
        drop(claim);
        Ok(())
    }
}

/// Steps whose write may have happened. Their paths are in their idempotency keys; the program may be missing.
fn unknown(state: &RunState) -> Vec<StepPath> {
    let intents = state.frames.values().filter_map(|f| f.doubt());
    let path = |key: &str| key.split_once('/')?.1.rsplit_once('/')?.0.parse().ok();
    intents.map(|intent| path(&intent.idempotency_key).unwrap_or_else(StepPath::root)).collect()
}

/// What a person is told.
fn why(run: RunId, error: &EngineError) -> Fault {
    let (what, remedy) = match error {
        EngineError::Wire(error) => (
            format!("run {run} cannot go on: {error}"),
            "restore the data folder from a copy, or use the program version that wrote it",
        ),
        EngineError::Flow(error) => {
            (format!("run {run} cannot go on: {error}"), "use the program version that accepted the run")
        }
        EngineError::Store(error) => {
            (format!("run {run} cannot go on: {error}"), "look at the store with `flowdeck doctor`")
        }
        error => (error.to_string(), "report it with the log"),
    };
    let remedy = format!("{remedy}; it is tried again at the next start. To end it: `flowdeck runs cancel {run}`");
    Fault::new(FaultCode::SetAside, format!("{what}. It is set aside; other runs go on")).remedy(remedy)
}
