//! The engine: what callers hold.
//!
//! Must never answer before the commit that holds the answer.
//! Tests: `tests/driver`.

use std::sync::Arc;

use flowdeck_model::connect::Need;
use flowdeck_model::table::TableOp;
use flowdeck_model::{CardId, Fault, Fields, Flow, FlowHash, Millis, RunId, StepPath, Value};
use tokio::sync::broadcast;

use super::api::{EngineError, Notice, Parts, RunFilter, RunPage, Settlement, Start};
use super::commit::{is_conflict, is_too_large};
use super::inbox::Message;
use super::inner::{Inner, flow_bytes};
use crate::machine::event::EventKind;
use crate::machine::program::Program;
use crate::ports::{Delta, Space, WaitKey};
use crate::wire::entry::{Entry, WaitReason};
use crate::wire::keys;
use crate::wire::record::{RunView, Status, WAITS_SHOWN_MAX, WaitView};

/// Largest payload of a signal, as JSON.
const SIGNAL_BYTES_MAX: usize = 1 << 20;

/// Runs flows. Cheap to clone.
#[derive(Clone)]
pub struct Engine {
    inner: Arc<Inner>,
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Engine").field("parts", &self.inner.parts).finish()
    }
}

impl Engine {
    /// An engine on these parts; call [`Engine::recover`] before anything else.
    #[must_use]
    pub fn new(parts: Parts) -> Self {
        Self { inner: Inner::new(parts) }
    }

    /// Makes ready what an earlier process left: runs at work, waits whose connection changed meanwhile.
    ///
    /// # Errors
    /// [`EngineError::Store`].
    pub async fn recover(&self) -> Result<(), EngineError> {
        self.inner.recover().await
    }

    /// Keeps a flow version and points its name at it.
    ///
    /// # Errors
    /// [`EngineError`] where it cannot be run or stored.
    pub async fn publish(&self, flow: &Flow) -> Result<FlowHash, EngineError> {
        let bytes = flow_bytes(flow)?;
        let hash = FlowHash::of(&bytes);
        self.inner.program(hash, None, Some(flow)).await?;
        let mut delta = Delta::new(self.inner.parts.store.epoch());
        delta.put(Space::Flows, keys::flow_version(hash), bytes);
        delta.put(Space::Flows, keys::flow_name(&flow.name), hash.as_bytes().to_vec());
        self.inner.parts.store.commit(delta).await?;
        self.inner.stored_flows.lock().insert(hash);
        Ok(hash)
    }

    /// A stored flow version.
    ///
    /// # Errors
    /// [`EngineError`] where it is not in the store or cannot be read.
    pub async fn version(&self, hash: FlowHash) -> Result<Flow, EngineError> {
        self.inner.version(hash).await
    }

    /// Accepts a run; it is durable when this returns. Somebody must drive it ([`Engine::run_forever`] does).
    ///
    /// # Errors
    /// [`EngineError::Input`] where an input is missing or of a wrong type; store errors.
    pub async fn start(&self, start: Start) -> Result<RunId, EngineError> {
        self.inner.whole(self.start_whole(start)).await
    }

    async fn start_whole(&self, start: Start) -> Result<RunId, EngineError> {
        if let Some(run) = self.inner.accepted_before(&start).await? {
            return Ok(run);
        }
        let (claim, mut live) = self.inner.accept(&start).await?;
        let id = live.view.id;
        match live.commit(false).await {
            Ok(()) => {
                drop(claim);
                self.inner.enqueue(id);
                Ok(id)
            }
            Err(error) if is_conflict(&error) => self.earlier(&start, error).await,
            Err(error) => Err(error),
        }
    }

    /// Accepts many runs in one commit, together with records of the caller's own: all of it is durable when this
    /// returns, or none of it is. Keys of the starts that were used before are not looked up: they are a conflict.
    ///
    /// # Errors
    /// As [`Engine::start`]; `Conflict` where a precondition does not hold, `TooLarge` where it is too much at once.
    pub async fn start_all(&self, starts: &[Start], with: Delta) -> Result<Vec<RunId>, EngineError> {
        self.inner.whole(self.inner.start_all(starts, with)).await
    }

    /// Accepts a run and drives it here until it stops; accepted and finished together in one commit where it can be.
    ///
    /// # Errors
    /// As [`Engine::start`].
    pub async fn start_and_wait(&self, start: Start) -> Result<RunView, EngineError> {
        self.inner.whole(Box::pin(self.start_and_wait_whole(start))).await
    }

    async fn start_and_wait_whole(&self, start: Start) -> Result<RunView, EngineError> {
        if let Some(run) = self.inner.accepted_before(&start).await? {
            return self.inner.drive(run).await;
        }
        let _permit = self.inner.admit().await?;
        let (claim, mut live) = self.inner.accept(&start).await?;
        live.feed(EventKind::Begin);
        match Box::pin(live.drive(false)).await {
            Ok(()) => Ok(live.view),
            Err(error) if is_conflict(&error) => {
                drop(claim);
                drop(_permit);
                let run = self.earlier(&start, error).await?;
                self.inner.drive(run).await
            }
            Err(error) if is_too_large(&error) => {
                let run = live.view.id;
                drop(live);
                self.inner.give_up(run, claim.slot.clone(), error).await
            }
            Err(error) => Err(error),
        }
    }

    /// Drives a run until it ends or waits (or waits for whoever drives it already).
    ///
    /// # Errors
    /// [`EngineError::NoRun`]; store errors.
    pub async fn drive_until_stopped(&self, run: RunId) -> Result<RunView, EngineError> {
        self.inner.drive(run).await
    }

    /// Drives every run that can go on, until none can.
    ///
    /// # Errors
    /// Store errors.
    pub async fn run_until_idle(&self) -> Result<(), EngineError> {
        self.inner.whole(self.inner.run_until_idle()).await
    }

    /// Drives the runs whose time has come. Answers how many.
    ///
    /// # Errors
    /// Store errors.
    pub async fn run_due(&self) -> Result<usize, EngineError> {
        self.inner.whole(self.inner.run_due()).await
    }

    /// When the next run is due.
    ///
    /// # Errors
    /// Store errors.
    pub async fn next_due(&self) -> Result<Option<Millis>, EngineError> {
        self.inner.next_due().await
    }

    /// Drives runs as they become ready, until `shutdown` is true; then lets steps under way end and returns.
    ///
    /// # Errors
    /// The first store error.
    pub async fn run_forever(&self, shutdown: tokio::sync::watch::Receiver<bool>) -> Result<(), EngineError> {
        self.inner.whole(self.inner.run_forever(shutdown)).await
    }

    /// Sends a signal to a run. Kept until the run waits for it.
    ///
    /// # Errors
    /// [`EngineError::NoRun`], [`EngineError::NotNow`] for a run that has ended.
    pub async fn signal(&self, run: RunId, name: &str, payload: Value) -> Result<(), EngineError> {
        let size = serde_json::to_vec(&payload).map_or(usize::MAX, |b| b.len());
        if size > SIGNAL_BYTES_MAX {
            let message = format!("the signal's payload has {size} bytes; at most {SIGNAL_BYTES_MAX} are taken");
            return Err(EngineError::Input(Fault::bad_input(message).remedy("send a reference instead of the data")));
        }
        self.open(run, "signals").await?;
        self.inner.send(run, &Message::Signal { name: name.to_owned(), payload }).await
    }

    /// Says yes to an approval (or limit) that the run waits for; the step may stay open where there is only one.
    ///
    /// # Errors
    /// [`EngineError::NoRun`], [`EngineError::NotNow`].
    pub async fn approve(
        &self,
        run: RunId,
        path: Option<StepPath>,
        by: &str,
        comment: &str,
    ) -> Result<(), EngineError> {
        self.decide(run, path, true, by, comment).await
    }

    /// Says no.
    ///
    /// # Errors
    /// As [`Engine::approve`].
    pub async fn reject(&self, run: RunId, path: Option<StepPath>, by: &str, comment: &str) -> Result<(), EngineError> {
        self.decide(run, path, false, by, comment).await
    }

    /// Ends a run. Steps whose outcome is unknown are listed in its record.
    ///
    /// # Errors
    /// As [`Engine::signal`].
    pub async fn cancel(&self, run: RunId) -> Result<(), EngineError> {
        let view = self.known(run).await?;
        let is_over = match view.status {
            Status::Expired => !self.inner.has_state(run).await?,
            status => status.is_ended(),
        };
        if is_over {
            return Err(not_now(&view, "it has ended already"));
        }
        let _alone = self.inner.ending.lock().await;
        if self.inner.is_aside(run) {
            return self.inner.end_aside(run).await;
        }
        self.inner.send(run, &Message::Cancel).await
    }

    /// Lets an expired run go on; its waits get new deadlines.
    ///
    /// # Errors
    /// [`EngineError::NoRun`], [`EngineError::NotNow`].
    pub async fn resume(&self, run: RunId) -> Result<(), EngineError> {
        let view = self.known(run).await?;
        if view.status != Status::Expired {
            return Err(not_now(&view, "only expired runs can be resumed"));
        }
        self.holds_state(&view).await?;
        self.inner.send(run, &Message::Resume).await
    }

    /// Lets a failed run go on: from the step that failed, or from an earlier card of one of the lists it was in.
    ///
    /// # Errors
    /// [`EngineError::NoRun`], [`EngineError::NotNow`].
    pub async fn retry(&self, run: RunId, from: Option<CardId>) -> Result<(), EngineError> {
        let view = self.known(run).await?;
        if view.status != Status::Failed {
            return Err(not_now(&view, "only failed runs can be retried"));
        }
        self.holds_state(&view).await?;
        if let Some(card) = &from
            && !self.inner.can_retry_from(&view, card).await?
        {
            let message = format!("`{card}` is no card at or before the failure; `flowdeck runs show` lists its cards");
            return Err(not_now(&view, &message));
        }
        self.inner.send(run, &Message::Retry { from }).await
    }

    /// Says whether a write in doubt happened.
    ///
    /// # Errors
    /// [`EngineError::NoRun`], [`EngineError::NotNow`].
    pub async fn settle(&self, run: RunId, path: StepPath, settlement: Settlement) -> Result<(), EngineError> {
        let view = self.known(run).await?;
        let in_doubt = |w: &&WaitView| w.path == path && matches!(w.reason, WaitReason::InDoubt { .. });
        if !self.inner.is_active(run)
            && view.waits.len() < WAITS_SHOWN_MAX
            && view.waits.iter().find(in_doubt).is_none()
        {
            return Err(not_now(&view, "the step is not in doubt"));
        }
        let message = match settlement {
            Settlement::Happened(outputs) => Message::Happened { path, outputs },
            Settlement::DidNot => Message::DidNot { path },
            Settlement::GiveUp => Message::GiveUp { path },
        };
        self.inner.send(run, &message).await
    }

    /// A run's record.
    ///
    /// # Errors
    /// Store errors.
    pub async fn run(&self, run: RunId) -> Result<Option<RunView>, EngineError> {
        self.inner.record(run).await
    }

    /// Runs, newest first.
    ///
    /// # Errors
    /// Store errors.
    pub async fn runs(&self, filter: &RunFilter, cursor: Option<RunId>, limit: usize) -> Result<RunPage, EngineError> {
        self.inner.runs(filter, cursor, limit).await
    }

    /// History of a run: at most `limit` entries after number `after`.
    ///
    /// # Errors
    /// Store errors.
    pub async fn entries(&self, run: RunId, after: u64, limit: usize) -> Result<Vec<Entry>, EngineError> {
        self.inner.entries(run, after, limit).await
    }

    /// What a flow may need of connections: one for each slot, with the scopes of all cards that use it.
    ///
    /// # Errors
    /// [`EngineError::Flow`].
    pub fn needs(&self, flow: &Flow) -> Result<Vec<Need>, EngineError> {
        Ok(Program::compile(flow, None, self.inner.parts.cards.as_ref())?.needs().to_vec())
    }

    /// What the flow's event card needs of a connection; `None` where no event of an app starts it, or that needs none.
    ///
    /// # Errors
    /// [`EngineError::Flow`].
    pub fn event_need(&self, flow: &Flow) -> Result<Option<Need>, EngineError> {
        let program = Program::compile(flow, None, self.inner.parts.cards.as_ref())?;
        Ok(program.node(program.root, 0).filter(|node| node.is_event).and_then(|node| program.need(program.root, node)))
    }

    /// Notices from now on. A slow subscriber loses the oldest and learns how many.
    #[must_use]
    pub fn subscribe(&self) -> broadcast::Receiver<Notice> {
        self.inner.notices.subscribe()
    }

    /// Carries a table operation out for a caller outside runs (commands, the API); durable when it returns.
    ///
    /// # Errors
    /// [`EngineError::Table`] with the fault; store errors.
    pub async fn table_op(&self, op: &TableOp) -> Result<Fields, EngineError> {
        self.inner.table_op(op).await
    }

    /// How many runs wait for a connection (or whatever else `on` names), counted up to `most`: an answer of `most`
    /// means "at least so many". Reads index keys only.
    ///
    /// # Errors
    /// Store errors.
    pub async fn waiting(&self, on: &WaitKey, most: usize) -> Result<usize, EngineError> {
        self.inner.waiting(on, most).await
    }

    /// How many runs are at work in this process right now.
    #[must_use]
    pub fn active(&self) -> usize {
        self.inner.active_count()
    }

    /// Returns when no run is at work and none is named as ready. Runs that only wait do not count. Somebody must
    /// drive runs meanwhile ([`Engine::run_forever`]).
    pub async fn idle(&self) {
        self.inner.until_idle().await;
    }

    /// Returns when nobody drives a run. Runs that are ready and not driven yet do not count.
    pub async fn at_rest(&self) {
        self.inner.until_rested().await;
    }

    /// Begins to stop: starts are refused, and runs at work come to rest where they can be resumed; effects under way
    /// get eight seconds. Whoever drives runs (callers of [`Engine::start_and_wait`], [`Engine::run_forever`]) returns
    /// soon afterwards. There is no way back: make a new engine on the same store.
    pub fn stop(&self) {
        self.inner.stop();
    }

    /// The store, for whoever keeps other records in it.
    #[must_use]
    pub fn store(&self) -> Arc<dyn crate::ports::Store> {
        self.inner.parts.store.clone()
    }

    async fn holds_state(&self, view: &RunView) -> Result<(), EngineError> {
        if self.inner.has_state(view.id).await? {
            return Ok(());
        }
        Err(not_now(view, "what it held is not kept any longer; start it anew"))
    }

    async fn known(&self, run: RunId) -> Result<RunView, EngineError> {
        self.inner.record(run).await?.ok_or(EngineError::NoRun(run))
    }

    async fn open(&self, run: RunId, what: &str) -> Result<RunView, EngineError> {
        let view = self.known(run).await?;
        if view.status.is_ended() {
            return Err(not_now(&view, &format!("it takes no {what} any more")));
        }
        Ok(view)
    }

    async fn decide(
        &self,
        run: RunId,
        path: Option<StepPath>,
        approved: bool,
        by: &str,
        comment: &str,
    ) -> Result<(), EngineError> {
        let view = self.open(run, "decisions").await?;
        let mut asks = view.waits.iter().filter(|w| matches!(w.reason, WaitReason::Approval { .. }));
        let fits = asks.by_ref().find(|w| path.as_ref().is_none_or(|p| w.path == *p));
        if fits.is_none() && !self.inner.is_active(run) && view.waits.len() < WAITS_SHOWN_MAX {
            return Err(not_now(&view, "nothing waits for a decision there"));
        }
        if path.is_none() && asks.next().is_some() {
            return Err(not_now(&view, "several steps wait for a decision; name one"));
        }
        let message = Message::Decide { path, approved, by: by.to_owned(), comment: comment.to_owned() };
        self.inner.send(run, &message).await
    }

    /// The run of the start that came first. Its commit may still be on its way: a store refuses the second before what
    /// the first one writes can be read. Whatever is committed behind it comes after it.
    async fn earlier(&self, start: &Start, error: EngineError) -> Result<RunId, EngineError> {
        if let Some(run) = self.inner.accepted_before(start).await? {
            return Ok(run);
        }
        let mut behind = Delta::new(self.inner.parts.store.epoch());
        behind.delete(Space::Dedupe, b"behind".to_vec());
        self.inner.parts.store.commit(behind).await?;
        self.inner.accepted_before(start).await?.ok_or(error)
    }
}

fn not_now(view: &RunView, message: &str) -> EngineError {
    EngineError::NotNow { run: view.id, status: view.status, message: message.to_owned() }
}
