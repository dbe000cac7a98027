//! Drives one run until it ends or waits.
//!
//! Must never have two commits of a run under way, nor stop while something of it is.
//! Tests: `tests/driver`.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use flowdeck_model::{Fault, FaultCode, RunId, StepPath};

use super::api::EngineError;
use super::commit::is_too_large;
use super::inner::{Inner, Slot};
use super::live::Live;
use crate::machine::event::{Effect, EventKind};
use crate::wire::entry::{Entry, EntryKind};
use crate::wire::record::{RunView, Status};

/// How long a stopping engine waits for effects under way, in milliseconds.
const STOP_MS: u64 = 8_000;

impl Inner {
    /// Drives a run until it stops; waits where somebody else drives it.
    pub(super) async fn drive(self: &Arc<Self>, run: RunId) -> Result<RunView, EngineError> {
        // Begun before the claim, so that it is over after it: who looks again finds the run free.
        self.whole(self.drive_whole(run)).await
    }

    async fn drive_whole(self: &Arc<Self>, run: RunId) -> Result<RunView, EngineError> {
        loop {
            match self.claim(run) {
                Ok(claim) => {
                    let _permit = self.admission.acquire().await.map_err(|_| EngineError::Stopping)?;
                    let loaded = Box::pin(self.load(run, claim.slot.clone())).await?;
                    match loaded {
                        Some(mut live) => {
                            return match Box::pin(live.drive(true)).await {
                                Ok(()) => Ok(live.view),
                                Err(error) if is_too_large(&error) => {
                                    drop(live);
                                    self.give_up(run, claim.slot.clone(), error).await
                                }
                                Err(error) => Err(error),
                            };
                        }
                        None => {
                            self.clear_marks(run).await?;
                            return self.record(run).await?.ok_or(EngineError::NoRun(run));
                        }
                    }
                }
                Err(mut over) => {
                    // The sender lives in the slot; its end is an answer too.
                    over.wait_for(|o| *o).await.ok();
                    if !self.is_active(run) {
                        return self.record(run).await?.ok_or(EngineError::NoRun(run));
                    }
                }
            }
        }
    }

    /// Ends a run whose data no commit can hold: from where it was committed last, with its reason. What it had sent
    /// since then is listed as unknown.
    pub(super) async fn give_up(
        self: &Arc<Self>,
        run: RunId,
        slot: Arc<Slot>,
        error: EngineError,
    ) -> Result<RunView, EngineError> {
        if self.record(run).await?.is_none() {
            return Err(error);
        }
        let Some(mut live) = Box::pin(self.load(run, slot)).await? else { return Err(error) };
        live.feed(EventKind::Cancel);
        let fault = Fault::new(FaultCode::LimitReached, format!("the run holds more than can be stored: {error}"))
            .remedy("keep less in it: take fields out of large answers, or handle pages one by one");
        live.view.status = Status::Failed;
        live.view.fault = Some(fault.clone());
        live.view.failed_at = Some(StepPath::root());
        if let Some(Entry { what: EntryKind::RunEnded { status, fault: why }, .. }) = live.entries.last_mut() {
            (*status, *why) = (Status::Failed, Some(fault));
        }
        live.commit(true).await?;
        Ok(live.view)
    }

    /// A message to a run that has ended for good leaves a ready mark and an inbox entry behind.
    async fn clear_marks(&self, run: RunId) -> Result<(), EngineError> {
        use crate::ports::{Delta, Scan, Space};
        use crate::wire::keys;
        let mut delta = Delta::new(self.parts.store.epoch());
        delta.delete(Space::Ready, keys::run(run));
        for (key, _) in self.parts.store.scan(Scan::prefix(Space::Inbox, keys::run(run), 1_000)).await? {
            delta.delete(Space::Inbox, key);
        }
        Ok(self.parts.store.commit(delta).await?)
    }
}

impl Live {
    /// Until the run ends or only waits. `loaded`: it may have messages, or connections that changed.
    pub(super) async fn drive(&mut self, loaded: bool) -> Result<(), EngineError> {
        let done = self.drive_on(loaded).await;
        if done.is_err() {
            // Whoever loads the run next must find what is on its way.
            self.settle().await.ok();
        }
        done
    }

    async fn drive_on(&mut self, loaded: bool) -> Result<(), EngineError> {
        if loaded {
            self.read_inbox().await?;
            self.ask_holds().await?;
            self.tick_if_due();
            // Its time to be retried is over: the commit of its stop drops what it held.
            self.dirty |= self.is_forgotten();
        }
        loop {
            self.work().await?;
            if self.is_over() {
                return self.stop().await;
            }
            if self.flying.is_empty() {
                if self.rest().await? {
                    return Ok(());
                }
                continue;
            }
            if self.inner.stopping.load(Ordering::Acquire) {
                return self.stop_flying().await;
            }
            self.wait().await?;
        }
    }

    /// Carries effects out until none is left.
    async fn work(&mut self) -> Result<(), EngineError> {
        let mut kept = Vec::new();
        while let Some(effect) = self.queue.pop_front() {
            let acts = matches!(effect, Effect::Attempt { .. } | Effect::LookUp { .. });
            if matches!(effect, Effect::Forget { .. }) || acts && self.inner.stopping.load(Ordering::Acquire) {
                kept.push(effect);
                continue;
            }
            self.carry_out(effect).await?;
            if self.is_commit_due() {
                self.queue.extend(kept.drain(..));
                self.save_behind().await?;
                // A loop of functions alone never waits: this is where it meets its deadlines.
                self.tick_if_due();
                tokio::task::yield_now().await;
            }
            if self.slot.take_nudge() {
                self.read_inbox().await?;
            }
        }
        self.queue.extend(kept);
        if !self.outgoing.is_empty() {
            self.save().await?;
        }
        Ok(())
    }

    /// Commits, lets go what the commit allows, and asks about waits that are in it.
    pub(super) async fn save(&mut self) -> Result<(), EngineError> {
        self.commit(false).await?;
        self.launch_all();
        self.ask_fresh_holds().await
    }

    /// An authorization between "missing" and the commit of its wait must not be missed.
    async fn ask_fresh_holds(&mut self) -> Result<(), EngineError> {
        for (on, seen) in std::mem::take(&mut self.fresh_holds) {
            if !self.is_over() && self.inner.parts.authorizer.changed(&on, seen).await? {
                self.feed(EventKind::Freed { on: on.0 });
            }
        }
        Ok(())
    }

    /// Children go into the commit of the very state that knows them.
    pub(super) fn start_children(&mut self) -> Result<(), EngineError> {
        let (children, rest): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.queue).into_iter().partition(|e| matches!(e, Effect::StartChild { .. }));
        self.queue.extend(rest);
        for child in children {
            if let Effect::StartChild { run, flow, input } = child {
                self.add_child(run, &flow, input)?;
            }
        }
        Ok(())
    }

    /// Nothing is under way: commits, and asks whether something came meanwhile. True where the run stops.
    async fn rest(&mut self) -> Result<bool, EngineError> {
        let stopping = self.inner.stopping.load(Ordering::Acquire);
        let busy = self.state.frames.values().any(|f| f.is_busy());
        // Busy without anything under way: effects kept back by a stop. The ready mark brings the run back.
        self.commit(!(stopping && busy)).await?;
        self.ask_fresh_holds().await?;
        if self.slot.take_nudge() {
            self.read_inbox().await?;
            self.ask_holds().await?;
        }
        self.tick_if_due();
        Ok(stopping || self.queue.is_empty() && !self.dirty)
    }

    fn tick_if_due(&mut self) {
        let now = self.inner.parts.clock.now();
        if self.state.next_due().is_some_and(|due| due <= now) {
            self.feed(EventKind::Tick);
        }
    }

    /// Asks about every connection that frames wait for.
    async fn ask_holds(&mut self) -> Result<(), EngineError> {
        if self.is_over() {
            return Ok(());
        }
        // The oldest version that a wait saw: a change after it may be one that a younger wait saw already.
        let mut holds: std::collections::BTreeMap<String, u64> = std::collections::BTreeMap::new();
        for hold in self.state.frames.values().filter_map(|f| f.hold.as_ref()) {
            let seen = holds.entry(hold.on.clone()).or_insert(hold.seen);
            *seen = hold.seen.min(*seen);
        }
        for (on, seen) in holds {
            if self.inner.parts.authorizer.changed(&crate::ports::WaitKey(on.clone()), seen).await? {
                self.feed(EventKind::Freed { on });
            }
        }
        Ok(())
    }

    /// Waits for the next answer, message, due time or commit.
    async fn wait(&mut self) -> Result<(), EngineError> {
        self.settle().await?;
        let clock = self.inner.parts.clock.clone();
        let due = self.state.next_due().map(|due| due.since(clock.now()));
        let commit_in = self.commit_due_in();
        let sleep_ms = due.into_iter().chain(commit_in).min();
        let sleep = async {
            match sleep_ms {
                Some(ms) => clock.sleep(ms).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            joined = self.flying.join_next() => match joined {
                Some(Ok(returned)) => self.returned(returned).await?,
                Some(Err(error)) => return Err(self.internal(format!("an effect ended badly: {error}"))),
                None => {}
            },
            () = self.slot.notify.notified() => {
                if self.slot.take_nudge() {
                    self.read_inbox().await?;
                    self.ask_holds().await?;
                }
            }
            () = sleep => self.tick_if_due(),
        }
        if self.is_commit_due() {
            self.save().await?;
        }
        Ok(())
    }

    async fn stop(&mut self) -> Result<(), EngineError> {
        self.flying.abort_all();
        self.outgoing.clear();
        self.commit(true).await
    }

    /// The engine is stopping: effects under way get some time; the rest is in doubt after the next start.
    async fn stop_flying(&mut self) -> Result<(), EngineError> {
        let clock = self.inner.parts.clock.clone();
        let end = clock.monotonic_ms() + STOP_MS;
        while !self.flying.is_empty() {
            let rest = end.saturating_sub(clock.monotonic_ms());
            tokio::select! {
                biased;
                joined = self.flying.join_next() => if let Some(Ok(returned)) = joined {
                    self.returned(returned).await?;
                },
                () = clock.sleep(rest) => break,
            }
        }
        self.dirty = true;
        let over = self.is_over();
        self.commit(over).await
    }
}
