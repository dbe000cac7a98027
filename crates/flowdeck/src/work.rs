//! The background: drives runs as they become ready, drains, stops.
//!
//! Must never stop without leaving every run resumable.
//! Tests: `tests/runtime.rs`.

use std::sync::atomic::Ordering;
use std::time::Duration;

use flowdeck_engine::EngineError;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::error::RuntimeError;
use crate::runtime::Runtime;

/// How long [`Runtime::stop`] waits for steps under way, in milliseconds; the engine itself gives them 8 s.
const STOP_MS: u64 = 15_000;

/// How often a wait for rest looks whether the background still lives.
const LOOK_MS: Duration = Duration::from_secs(1);

/// The task that drives.
pub(crate) struct Work {
    stop: watch::Sender<bool>,
    task: JoinHandle<Result<(), EngineError>>,
}

impl Drop for Work {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Runtime {
    /// Drives runs in the background as they become ready or due, until [`Runtime::stop`]. Once is enough.
    ///
    /// # Errors
    /// [`RuntimeError::Stopping`] after [`Runtime::stop`] or [`Runtime::drain`].
    pub fn start(&self) -> Result<(), RuntimeError> {
        if self.inner.closed.load(Ordering::Acquire) {
            return Err(RuntimeError::Stopping);
        }
        let mut work = self.inner.work.lock();
        if work.is_none() {
            let (stop, shutdown) = watch::channel(false);
            let engine = self.engine().clone();
            *work = Some(Work { stop, task: tokio::spawn(async move { engine.run_forever(shutdown).await }) });
        }
        Ok(())
    }

    /// Whether the background ended by itself: only a broken store does that. `stop` tells why.
    #[must_use]
    pub fn is_broken(&self) -> bool {
        self.inner.work.lock().as_ref().is_some_and(|work| work.task.is_finished() && !*work.stop.borrow())
    }

    /// Takes no new runs and lets every run go on to its next stop (its end or a wait), for at most `within`;
    /// then stops as [`Runtime::stop`] does.
    ///
    /// # Errors
    /// [`RuntimeError::Deadline`] where runs were still at work: they go on at the next start.
    pub async fn drain(&self, within: Duration) -> Result<(), RuntimeError> {
        self.inner.closed.store(true, Ordering::Release);
        let drained = tokio::time::timeout(within, self.come_to_rest()).await;
        self.stop().await?;
        let after_ms = u64::try_from(within.as_millis()).unwrap_or(u64::MAX);
        drained.map_err(|_| RuntimeError::Deadline { what: "runs were still at work", after_ms })?
    }

    /// Returns when no run is at work and none is ready: each has ended, or waits. Drives them itself where the
    /// background does not. Takes new runs meanwhile.
    ///
    /// # Errors
    /// [`RuntimeError::Store`]; [`RuntimeError::Stopping`] where the background broke.
    pub async fn come_to_rest(&self) -> Result<(), RuntimeError> {
        if self.inner.work.lock().is_none() {
            return self.run_until_idle().await;
        }
        loop {
            let rest = tokio::time::timeout(LOOK_MS, self.engine().idle()).await;
            if self.is_broken() {
                return Err(RuntimeError::Stopping);
            }
            if rest.is_ok() {
                return Ok(());
            }
        }
    }

    /// Takes no new runs, lets steps under way end (8 s at most), commits, and returns. Runs that were at work go on
    /// when the data is opened again. May be called more than once.
    ///
    /// # Errors
    /// What ended the background earlier, if anything did; [`RuntimeError::Deadline`].
    pub async fn stop(&self) -> Result<(), RuntimeError> {
        self.inner.closed.store(true, Ordering::Release);
        let answering = self.inner.answering.lock().take();
        if let Some(task) = answering {
            task.abort();
        }
        self.engine().stop();
        // A second call answers when the first has stopped, not before.
        let _alone = self.inner.stopping.lock().await;
        let Some(mut work) = self.inner.work.lock().take() else { return Ok(()) };
        work.stop.send_replace(true);
        match tokio::time::timeout(Duration::from_millis(STOP_MS), &mut work.task).await {
            Ok(Ok(ended)) => Ok(ended?),
            Ok(Err(error)) => Err(EngineError::Internal(format!("the background ended badly: {error}")).into()),
            Err(_) => {
                work.task.abort();
                Err(RuntimeError::Deadline { what: "steps were still under way", after_ms: STOP_MS })
            }
        }
    }
}
