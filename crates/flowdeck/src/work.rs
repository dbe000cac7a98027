//! The background: drives runs as they become ready, drains, stops.
//!
//! Must never stop without leaving every run resumable.
//! Tests: `tests/runtime.rs`.

use std::sync::atomic::Ordering;
use std::sync::{Arc, OnceLock};
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
    task: JoinHandle<Result<(), RuntimeError>>,
    /// Code and text of the error that ended it.
    broke: Arc<OnceLock<(&'static str, String)>>,
}

impl Drop for Work {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Runtime {
    /// Drives runs in the background as they become ready or due, until [`Runtime::stop`]. Once is enough; again after
    /// the background broke ([`Runtime::is_broken`]) and its cause is gone, as disk space that was freed.
    ///
    /// # Errors
    /// [`RuntimeError::Stopping`] after [`Runtime::stop`] or [`Runtime::drain`]; [`RuntimeError::Setting`] outside a
    /// tokio runtime.
    pub fn start(&self) -> Result<(), RuntimeError> {
        if self.inner.closed.load(Ordering::Acquire) {
            return Err(RuntimeError::Stopping);
        }
        let executor = tokio::runtime::Handle::try_current().map_err(|_| {
            RuntimeError::Setting("`start` needs a tokio runtime; call it from async code, or after `enter`".into())
        })?;
        let mut work = self.inner.work.lock();
        if work.as_ref().is_none_or(|work| work.task.is_finished()) {
            let (stop, shutdown) = watch::channel(false);
            let engine = self.engine().clone();
            let broke = Arc::new(OnceLock::new());
            let why = broke.clone();
            let task = executor.spawn(async move {
                let ended = engine.run_forever(shutdown).await.map_err(RuntimeError::from);
                ended.inspect_err(|error| {
                    why.set((error.code(), error.to_string())).ok(); // Only this task sets it.
                })
            });
            *work = Some(Work { stop, task, broke });
        }
        Ok(())
    }

    /// For looking only: nothing begins in this runtime.
    pub(crate) fn refuse_work(&self) {
        self.inner.closed.store(true, Ordering::Release);
        self.engine().stop();
    }

    /// Whether the background ended by itself: only a store that refuses its work does that.
    #[must_use]
    pub fn is_broken(&self) -> bool {
        self.broken().is_some()
    }

    /// Why the background ended by itself, where it did: [`RuntimeError::Broken`] with the code of the cause.
    #[must_use]
    pub fn broken(&self) -> Option<RuntimeError> {
        let work = self.inner.work.lock();
        let ended = work.as_ref().filter(|work| work.task.is_finished() && !*work.stop.borrow())?;
        Some(match ended.broke.get() {
            Some((code, what)) => RuntimeError::Broken { code, what: what.clone() },
            None => RuntimeError::Stopping,
        })
    }

    /// Takes no new runs and lets every run go on to its next stop (its end or a wait), for at most `within`;
    /// then stops as [`Runtime::stop`] does.
    ///
    /// # Errors
    /// [`RuntimeError::Deadline`] where runs were still at work: they go on at the next start.
    pub async fn drain(&self, within: Duration) -> Result<(), RuntimeError> {
        self.inner.closed.store(true, Ordering::Release);
        self.inner.triggers.stop();
        let drained = tokio::time::timeout(within, self.come_to_rest()).await;
        self.stop().await?;
        let after_ms = u64::try_from(within.as_millis()).unwrap_or(u64::MAX);
        drained.map_err(|_| RuntimeError::Deadline { what: "runs were still at work", after_ms })?
    }

    /// Returns when no run is at work and none is ready: each has ended, or waits. Drives them itself where the
    /// background does not. Takes new runs meanwhile.
    ///
    /// # Errors
    /// [`RuntimeError::Store`]; [`Runtime::broken`] where the background ended by itself.
    pub async fn come_to_rest(&self) -> Result<(), RuntimeError> {
        if self.inner.work.lock().is_none() {
            // Runs that the host drives elsewhere come to rest there, and may make others ready.
            loop {
                self.run_until_idle().await?;
                if self.engine().active() == 0 {
                    return Ok(());
                }
                self.engine().at_rest().await;
            }
        }
        loop {
            if let Some(error) = self.broken() {
                return Err(error);
            }
            if tokio::time::timeout(LOOK_MS, self.engine().idle()).await.is_ok() {
                return self.broken().map_or(Ok(()), Err);
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
        self.inner.triggers.stop();
        self.engine().stop();
        // A second call answers when the first has stopped, not before.
        let _alone = self.inner.stopping.lock().await;
        let stopped = self.stop_work().await;
        // A handler may be what calls this: it is asked for nothing any more, last of all.
        let answering = self.inner.answering.lock().take();
        if let Some(answering) = answering {
            answering.end().await;
        }
        stopped
    }

    /// Runs come to rest, those of the background and those that the host drives.
    async fn stop_work(&self) -> Result<(), RuntimeError> {
        let within = Duration::from_millis(STOP_MS);
        let late = || RuntimeError::Deadline { what: "steps were still under way", after_ms: STOP_MS };
        let mut ended = Ok(());
        let work = self.inner.work.lock().take();
        if let Some(mut work) = work {
            work.stop.send_replace(true);
            match tokio::time::timeout(within, &mut work.task).await {
                // How the background ended is told at the end: what it let go comes to rest first.
                Ok(Ok(how)) => ended = how,
                Ok(Err(error)) => {
                    return Err(EngineError::Internal(format!("the background ended badly: {error}")).into());
                }
                Err(_) => return Err(late()),
            }
        }
        // A renewal goes on when its run has stopped: a refresh token that was sent works once.
        let rest = async {
            self.engine().at_rest().await;
            self.connections().at_rest().await;
        };
        tokio::time::timeout(within, rest).await.map_err(|_| late())?;
        ended
    }
}
