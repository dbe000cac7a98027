//! The background of served flows: starts what is due, asks apps for events, sleeps until the next time.
//!
//! Must never keep a runtime alive that nobody holds any more. Tests: `tests/served.rs`.

use std::sync::Arc;

use flowdeck_engine::ports::Clock;
use flowdeck_model::FlowName;
use parking_lot::{Mutex, MutexGuard};
use tokio::sync::Notify;
use tokio::task::JoinHandle;

use super::agenda::Agenda;
use super::arrivals::{Listeners, Polls, Seen, poll_forever};
use super::door::Doors;
use crate::error::RuntimeError;
use crate::runtime::Runtime;

/// The clock may be set meanwhile: it is looked at this often, in milliseconds.
const LOOK_MS: u64 = 30_000;
/// How soon something that is due already is tried again, in milliseconds.
const AGAIN_MS: u64 = 1_000;

/// The task, what wakes it, and what is known of served flows without reading.
#[derive(Debug, Default)]
pub(crate) struct Triggers {
    changed: Arc<Notify>,
    task: Mutex<Option<JoinHandle<()>>>,
    asking: Mutex<Option<JoinHandle<()>>>,
    agenda: Mutex<Agenda>,
    pub(super) doors: Doors,
    pub(super) listeners: Listeners,
    pub(super) polls: Polls,
    pub(super) seen: Seen,
}

impl Triggers {
    /// Nothing is started any more.
    pub(crate) fn stop(&self) {
        for task in [&self.task, &self.asking] {
            if let Some(task) = task.lock().take() {
                task.abort();
            }
        }
    }
}

impl Drop for Triggers {
    fn drop(&mut self) {
        self.stop();
    }
}

impl Runtime {
    /// Lets the triggers of served flows start runs in the background, until [`Runtime::stop`] or [`Runtime::drain`].
    /// [`Runtime::start`] drives those runs. Once is enough.
    ///
    /// # Errors
    /// [`RuntimeError::Stopping`]; [`RuntimeError::Setting`] outside a tokio runtime.
    pub fn start_triggers(&self) -> Result<(), RuntimeError> {
        self.open()?;
        let executor = tokio::runtime::Handle::try_current().map_err(|_| {
            RuntimeError::Setting("`start_triggers` needs a tokio runtime; call it from async code".into())
        })?;
        let triggers = &self.inner.triggers;
        let mut task = triggers.task.lock();
        if task.as_ref().is_none_or(JoinHandle::is_finished) {
            let (inner, changed) = (Arc::downgrade(&self.inner), triggers.changed.clone());
            let clock = self.inner.wired.clock.clone();
            *task = Some(executor.spawn(async move {
                while let Some(inner) = inner.upgrade() {
                    let runtime = Self { inner };
                    let Some(pause_ms) = runtime.look().await else { return };
                    drop(runtime);
                    tokio::select! {
                        () = clock.sleep(pause_ms) => {}
                        () = changed.notified() => {}
                    }
                }
            }));
        }
        let mut asking = triggers.asking.lock();
        if asking.as_ref().is_none_or(JoinHandle::is_finished) {
            let changes = self.inner.wired.changes.subscribe();
            *asking = Some(executor.spawn(poll_forever(Arc::downgrade(&self.inner), changes)));
        }
        Ok(())
    }

    /// Starts what is due and answers how long nothing else is; `None` when the runtime stops.
    async fn look(&self) -> Option<u64> {
        match self.look_once().await {
            Ok((_, next)) => Some(next.map_or(LOOK_MS, |next| next.since(self.now()).clamp(AGAIN_MS, LOOK_MS))),
            Err(RuntimeError::Stopping) => None,
            Err(error) => {
                tracing::error!(%error, "what is scheduled could not be started; it is tried again");
                Some(LOOK_MS)
            }
        }
    }

    /// A flow was published or switched: what is known of it is read anew, and the background wakes.
    pub(super) fn served_changed(&self, name: &FlowName) {
        let triggers = &self.inner.triggers;
        triggers.doors.change(name);
        triggers.listeners.change(name);
        triggers.polls.change(name);
        triggers.agenda.lock().change(name);
        triggers.changed.notify_one();
    }

    pub(super) fn agenda(&self) -> MutexGuard<'_, Agenda> {
        self.inner.triggers.agenda.lock()
    }
}
