//! Which run goes on next: ready marks, due times, changed connections.
//!
//! Must never hold memory for each waiting run: it reads indexes in batches.
//! Tests: `tests/driver/waits.rs`, `tests/driver/connect.rs`.

use std::collections::{BTreeSet, HashMap};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use flowdeck_model::{Millis, RunId};
use futures_util::FutureExt;
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::api::EngineError;
use super::commit::{is_damage, is_too_large};
use super::inner::{Inner, Wake};
use crate::ports::{Delta, Scan, Space, WaitKey};
use crate::wire::keys;

/// Keys read at once.
const BATCH: usize = 256;
/// Longest sleep between two looks at the timers, in milliseconds (wall clocks jump).
const NAP_MS: u64 = 60_000;
/// Longest time a stop may take, in milliseconds: more than a run gives its effects under way.
const STOP_MS: u64 = 10_000;

impl Inner {
    /// Makes ready what an earlier process left, or what this one had no room to name.
    pub(super) async fn recover(&self) -> Result<(), EngineError> {
        self.mark_unread().await?;
        self.look_into_store();
        self.sweep_waits().await
    }

    /// A message is durable before its run is told; where the process ended in between, the run's own commit may have
    /// taken the ready mark away.
    async fn mark_unread(&self) -> Result<(), EngineError> {
        let mut scan = Scan::prefix(Space::Inbox, Vec::new(), BATCH);
        scan.keys_only = true;
        loop {
            let batch = self.parts.store.scan(scan.clone()).await?;
            let runs: BTreeSet<RunId> = batch.iter().filter_map(|(key, _)| keys::run_of(key)).collect();
            if !runs.is_empty() {
                let mut delta = Delta::new(self.parts.store.epoch());
                for run in &runs {
                    delta.put(Space::Ready, keys::run(*run), Vec::new());
                }
                self.parts.store.commit(delta).await?;
            }
            if batch.len() < BATCH {
                return Ok(());
            }
            // Past everything of the last run.
            scan.after = runs.last().map(|run| [&keys::run(*run)[..], &[0xff; 17]].concat());
        }
    }

    /// Asks about everything that anybody waits for.
    async fn sweep_waits(&self) -> Result<(), EngineError> {
        // One question for each thing waited for, not for each run that waits.
        let mut after = None;
        loop {
            let mut scan = Scan::prefix(Space::Waits, keys::CONNECTION_WAITS, 1);
            scan.after = after.take();
            scan.keys_only = true;
            let Some((key, _)) = self.parts.store.scan(scan).await?.pop() else { return Ok(()) };
            let Some((on, seen, _)) = keys::wait_of(&key) else {
                after = Some(key);
                continue;
            };
            if self.parts.authorizer.changed(&on, seen).await? {
                self.push_wake(Wake { on: on.clone(), after: None });
            }
            let mut end = keys::waits_on(&on);
            end.extend([0xff; 25]);
            after = Some(end);
        }
    }

    /// The next runs to drive, at most a batch.
    pub(super) async fn next_runs(&self) -> Result<Vec<RunId>, EngineError> {
        let mut runs = Vec::new();
        while runs.len() < BATCH {
            let Some(run) = self.pop_ready() else { break };
            runs.push(run);
        }
        if runs.is_empty() && self.take_overflow() {
            runs = self.ready_in_store().await?;
        }
        if runs.is_empty()
            && let Some(wake) = self.pop_wake()
        {
            runs = self.woken(wake).await?;
        }
        if runs.is_empty() && self.take_sweep() {
            self.recover().await?;
        }
        runs.retain(|run| !self.is_aside(*run));
        if runs.is_empty() && self.is_idle() {
            self.looks_idle();
        }
        Ok(runs)
    }

    async fn ready_in_store(&self) -> Result<Vec<RunId>, EngineError> {
        let mut runs = Vec::new();
        let mut scan = Scan::prefix(Space::Ready, Vec::new(), BATCH);
        scan.keys_only = true;
        loop {
            let batch = self.parts.store.scan(scan.clone()).await?;
            let is_last = batch.len() < BATCH;
            scan.after = batch.last().map(|(key, _)| key.clone());
            let free = |run: &RunId| !self.is_active(*run) && !self.is_aside(*run);
            runs.extend(batch.iter().filter_map(|(key, _)| keys::run_of(key)).filter(free));
            if !runs.is_empty() || is_last {
                if !is_last {
                    self.look_into_store();
                }
                return Ok(runs);
            }
        }
    }

    /// A batch of those who wait for what changed. Waits of a newer version saw the change already.
    async fn woken(&self, wake: Wake) -> Result<Vec<RunId>, EngineError> {
        let mut scan = Scan::prefix(Space::Waits, keys::waits_on(&wake.on), BATCH);
        scan.after = wake.after;
        scan.keys_only = true;
        let batch = self.parts.store.scan(scan).await?;
        let is_last = batch.len() < BATCH;
        let after = batch.last().map(|(key, _)| key.clone());
        let mut runs = Vec::new();
        let mut known: HashMap<u64, bool> = HashMap::new();
        for (key, _) in &batch {
            let Some((on, seen, run)) = keys::wait_of(key) else { continue };
            let changed = match known.get(&seen) {
                Some(changed) => *changed,
                None => {
                    let changed = self.parts.authorizer.changed(&on, seen).await?;
                    known.insert(seen, changed);
                    changed
                }
            };
            if !changed {
                return Ok(runs);
            }
            if self.is_active(run) { self.nudge(run) } else { runs.push(run) }
        }
        if !is_last {
            self.push_wake(Wake { on: wake.on, after });
        }
        Ok(runs)
    }

    /// Begins a sweep for each thing that changed, where anybody waits for it.
    pub(super) fn changed(&self, keys: Vec<WaitKey>) {
        for on in keys {
            self.push_wake(Wake { on, after: None });
        }
    }

    pub(super) async fn next_due(&self) -> Result<Option<Millis>, EngineError> {
        let mut scan = Scan::prefix(Space::Timers, Vec::new(), 1);
        scan.keys_only = true;
        let first = self.parts.store.scan(scan).await?.pop();
        Ok(first.and_then(|(key, _)| keys::timer_of(&key)).map(|(due, _)| due))
    }

    /// Names the runs whose time has come, at most a batch; active ones watch their own time.
    pub(super) async fn due_runs(&self, after: Option<Vec<u8>>) -> Result<(Vec<RunId>, Option<Vec<u8>>), EngineError> {
        let now = self.parts.clock.now();
        let mut scan = Scan::prefix(Space::Timers, Vec::new(), BATCH);
        scan.keys_only = true;
        scan.after = after;
        let batch = self.parts.store.scan(scan).await?;
        let mut runs = Vec::new();
        let mut last = None;
        for (key, _) in &batch {
            let Some((due, run)) = keys::timer_of(key) else { continue };
            if due > now {
                return Ok((runs, None));
            }
            if !self.is_aside(run) {
                runs.push(run);
            }
            last = Some(key.clone());
        }
        Ok((runs, last.filter(|_| batch.len() == BATCH)))
    }

    /// Drives runs side by side; the first error of the store ends it, other errors end their run only.
    pub(super) async fn drive_all(self: &Arc<Self>, runs: Vec<RunId>) -> Result<(), EngineError> {
        let mut tasks = JoinSet::new();
        for run in runs {
            tasks.spawn(self.clone().drive_apart(run));
        }
        while let Some(joined) = tasks.join_next().await {
            if let Err(error) = self.joined(joined).await {
                // The others are let go; who looks again finds them free.
                tasks.shutdown().await;
                return Err(error);
            }
        }
        Ok(())
    }

    /// Drives a run so that a defect it meets harms no other run.
    async fn drive_apart(self: Arc<Self>, run: RunId) -> (RunId, Result<(), EngineError>) {
        match AssertUnwindSafe(self.drive(run)).catch_unwind().await {
            Ok(result) => (run, result.map(drop)),
            Err(_) => (run, Err(EngineError::Broke(run))),
        }
    }

    /// A store error ends everything, but for damage to what one run needs: a run that cannot be read is set aside and
    /// reported, or ended where somebody asked.
    async fn judge(self: &Arc<Self>, run: RunId, result: Result<(), EngineError>) -> Result<(), EngineError> {
        match result {
            Ok(()) | Err(EngineError::Stopping) => Ok(()),
            Err(error) if is_too_large(&error) || is_damage(&error) => self.leave_aside(run, error).await,
            Err(error @ (EngineError::Store(_) | EngineError::Internal(_))) => Err(error),
            Err(error) => self.leave_aside(run, error).await,
        }
    }

    pub(super) async fn run_until_idle(self: &Arc<Self>) -> Result<(), EngineError> {
        loop {
            if let Some(keys) = self.parts.authorizer.next_changes().now_or_never() {
                self.changed(keys);
            }
            let runs = self.next_runs().await?;
            if !runs.is_empty() {
                self.drive_all(runs).await?;
            } else if self.is_idle() {
                return Ok(());
            }
        }
    }

    pub(super) async fn run_due(self: &Arc<Self>) -> Result<usize, EngineError> {
        let mut count = 0;
        let mut after = None;
        loop {
            let (runs, next) = self.due_runs(after).await?;
            count += runs.len();
            self.drive_all(runs).await?;
            match next {
                Some(key) => after = Some(key),
                None => return Ok(count),
            }
        }
    }

    pub(super) async fn run_forever(self: &Arc<Self>, mut shutdown: watch::Receiver<bool>) -> Result<(), EngineError> {
        let mut tasks: JoinSet<(RunId, Result<(), EngineError>)> = JoinSet::new();
        let most = self.parts.limits.active_runs_max.max(1);
        while !*shutdown.borrow() {
            let mut due = None;
            if tasks.len() < most {
                let _taking = self.on_way();
                let (mut runs, _) = self.due_runs(None).await?;
                runs.extend(self.next_runs().await?);
                runs.retain(|run| !self.is_active(*run));
                let idle = runs.is_empty();
                for run in runs {
                    let way = self.on_way();
                    let drive = self.clone().drive_apart(run);
                    tasks.spawn(async move {
                        let _way = way;
                        drive.await
                    });
                }
                if !idle || !self.is_idle() {
                    tokio::task::yield_now().await;
                    while let Some(joined) = tasks.try_join_next() {
                        self.joined(joined).await?;
                    }
                    continue;
                }
                due = self.next_due().await?;
            }
            let nap = due.map_or(NAP_MS, |due| due.since(self.parts.clock.now()).clamp(1, NAP_MS));
            tokio::select! {
                changed = shutdown.changed() => if changed.is_err() { break },
                keys = self.parts.authorizer.next_changes() => self.changed(keys),
                () = self.wake.notified(), if tasks.len() < most => {}
                Some(joined) = tasks.join_next(), if !tasks.is_empty() => self.joined(joined).await?,
                () = self.parts.clock.sleep(nap) => {}
            }
        }
        self.stop();
        let clock = self.parts.clock.clone();
        let last = clock.sleep(STOP_MS);
        tokio::pin!(last);
        loop {
            tokio::select! {
                biased;
                joined = tasks.join_next() => match joined {
                    Some(joined) => self.joined(joined).await?,
                    None => return Ok(()),
                },
                // Dropped runs are as after a kill: what is committed goes on at the next start.
                () = &mut last => return Ok(()),
            }
        }
    }

    /// Takes no new runs, and lets those at work come to rest.
    pub(super) fn stop(&self) {
        self.stopping.store(true, Ordering::Release);
        // Who waits for a place learns at once that there will be none.
        self.admission.close();
        self.nudge_all();
    }

    /// How many runs wait for something, counted up to `most`.
    pub(super) async fn waiting(&self, on: &WaitKey, most: usize) -> Result<usize, EngineError> {
        let mut runs = BTreeSet::new();
        let mut scan = Scan::prefix(Space::Waits, keys::waits_on(on), BATCH);
        scan.keys_only = true;
        loop {
            let batch = self.parts.store.scan(scan.clone()).await?;
            runs.extend(batch.iter().filter_map(|(key, _)| keys::wait_of(key)).map(|(_, _, run)| run));
            if batch.len() < BATCH || runs.len() >= most {
                return Ok(runs.len().min(most));
            }
            scan.after = batch.last().map(|(key, _)| key.clone());
        }
    }

    async fn joined(
        self: &Arc<Self>,
        joined: Result<(RunId, Result<(), EngineError>), tokio::task::JoinError>,
    ) -> Result<(), EngineError> {
        match joined {
            Ok((run, result)) => self.judge(run, result).await,
            Err(error) => Err(EngineError::Internal(format!("a drive ended badly: {error}"))),
        }
    }
}
