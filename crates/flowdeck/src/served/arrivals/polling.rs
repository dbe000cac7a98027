//! The background of polls: asks each app when its time has come, a few at once.
//!
//! Must never ask for one flow twice at once, nor keep a runtime alive that nobody holds any more.
//! Tests: `tests/polls.rs`, `crates/cli/tests/events.rs`.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Weak};

use flowdeck_engine::ports::Clock as _;
use flowdeck_model::{FlowName, Millis, RunId};
use parking_lot::Mutex;
use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;

use super::listeners::Listener;
use super::status::PollStatus;
use crate::error::RuntimeError;
use crate::runtime::{Inner, Runtime};

/// Most apps asked at once.
const AT_ONCE_MAX: usize = 8;
/// The clock may be set meanwhile: it is looked at this often, in milliseconds.
const LOOK_MS: u64 = 30_000;
/// Shortest pause between looks, in milliseconds.
const AGAIN_MS: u64 = 100;
/// A good answer that changes nothing is written down this often, in milliseconds.
const WRITTEN_EVERY_MS: u64 = 600_000;
/// Longer than any pause after an error, in milliseconds.
const LONGEST_PAUSE_MS: u64 = 2 * 24 * 3_600_000;
/// How often events that were taken long ago are forgotten, in milliseconds.
const FORGET_EVERY_MS: u64 = 60_000;

/// What is known of polls without reading.
#[derive(Debug, Default)]
pub(in crate::served) struct Polls {
    pub(in crate::served) changed: Arc<Notify>,
    known: Mutex<HashMap<FlowName, PollStatus>>,
    busy: Mutex<HashSet<FlowName>>,
    forgot: Mutex<Option<Millis>>,
}

impl Polls {
    /// A flow was published or switched: it is asked for at once, and its past is read anew.
    pub(in crate::served) fn change(&self, name: &FlowName) {
        self.known.lock().remove(name);
        self.changed.notify_one();
    }

    /// Connections changed: whoever waits for one looks again.
    fn connections_changed(&self) {
        for status in self.known.lock().values_mut().filter(|status| status.waits.is_some()) {
            status.next = Millis(0);
        }
    }
}

/// The right to ask for a flow.
struct Turn {
    runtime: Runtime,
    name: FlowName,
}

impl Turn {
    fn take(runtime: &Runtime, name: &FlowName) -> Option<Self> {
        let is_free = runtime.inner.triggers.polls.busy.lock().insert(name.clone());
        is_free.then(|| Self { runtime: runtime.clone(), name: name.clone() })
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.runtime.inner.triggers.polls.busy.lock().remove(&self.name);
    }
}

impl Runtime {
    /// Asks the apps whose time has come for events, and answers the runs that started. They are durable; the background
    /// or the host drives them. [`Runtime::start_triggers`] does this by itself.
    ///
    /// # Errors
    /// [`RuntimeError::Store`], [`RuntimeError::Stopping`]; apps that cannot be asked are asked later.
    pub async fn poll_apps(&self) -> Result<Vec<RunId>, RuntimeError> {
        let (mut flying, mut started) = (JoinSet::new(), Vec::new());
        // What waits for a place gets one; nothing is asked twice, because its next time lies ahead.
        loop {
            self.spawn_polls(&mut flying).await?;
            match flying.join_next().await {
                Some(Ok(runs)) => started.extend(runs?),
                Some(Err(error)) => tracing::error!(%error, "asking an app broke"),
                None => return Ok(started),
            }
        }
    }

    /// When an app is asked next; `None` where none is.
    ///
    /// # Errors
    /// [`RuntimeError::Store`].
    pub async fn next_poll(&self) -> Result<Option<Millis>, RuntimeError> {
        let mut next = None;
        for (listener, _) in self.polled().await? {
            let due = self.known_status(listener.name()).await?.next;
            next = Some(next.map_or(due, |before: Millis| before.min(due)));
        }
        Ok(next)
    }

    async fn polled(&self) -> Result<Vec<(Arc<Listener>, u64)>, RuntimeError> {
        let listeners = self.listeners().await?;
        Ok(listeners.into_iter().filter_map(|listener| listener.every_ms.map(|every| (listener, every))).collect())
    }

    /// How the last poll went; after a start only the pause that an error asked for counts.
    pub(super) async fn known_status(&self, name: &FlowName) -> Result<PollStatus, RuntimeError> {
        if let Some(known) = self.inner.triggers.polls.known.lock().get(name) {
            return Ok(known.clone());
        }
        let mut status = self.poll_status(name).await?.unwrap_or_default();
        if status.error.is_none() {
            status.next = Millis(0);
        }
        self.inner.triggers.polls.known.lock().insert(name.clone(), status.clone());
        Ok(status)
    }

    /// Lets polls begin that are due; answers when the next one is.
    async fn spawn_polls(
        &self,
        flying: &mut JoinSet<Result<Vec<RunId>, RuntimeError>>,
    ) -> Result<Option<Millis>, RuntimeError> {
        self.open()?;
        let now = self.now();
        let mut next = None;
        for (listener, every_ms) in self.polled().await? {
            let before = self.known_status(listener.name()).await?;
            // A pause that is longer than any that is ever made was made by a clock that was wrong.
            let is_due = before.next <= now || before.next.since(now) > LONGEST_PAUSE_MS;
            if !is_due {
                next = Some(next.map_or(before.next, |next: Millis| next.min(before.next)));
                continue;
            }
            if flying.len() >= AT_ONCE_MAX {
                break;
            }
            if let Some(turn) = Turn::take(self, listener.name()) {
                flying.spawn(async move { turn.runtime.poll_and_note(&listener, every_ms, before).await });
            }
        }
        Ok(next)
    }

    async fn poll_and_note(
        &self,
        listener: &Arc<Listener>,
        every_ms: u64,
        before: PollStatus,
    ) -> Result<Vec<RunId>, RuntimeError> {
        let seen = *self.inner.wired.changes.borrow();
        let (runs, mut status) = match self.poll_flow(listener, every_ms, &before).await {
            Ok(ended) => ended,
            Err(RuntimeError::Stopping) => return Err(RuntimeError::Stopping),
            Err(error) => {
                tracing::error!(flow = %listener.name(), %error, "asking an app for events failed here; it is tried again");
                let next = self.now().plus(every_ms.max(LOOK_MS));
                (Vec::new(), PollStatus { next, error: Some(error.to_string()), ..before.clone() })
            }
        };
        if status.waits.is_some() && *self.inner.wired.changes.borrow() != seen {
            // Somebody may have connected meanwhile.
            status.next = self.now();
        }
        let same = (&before.error, before.failures, before.waits) == (&status.error, status.failures, status.waits);
        let written = before.answered.map_or(0, |at| at.0.unsigned_abs() / WRITTEN_EVERY_MS);
        let is_old = status.answered.is_some_and(|at| at.0.unsigned_abs() / WRITTEN_EVERY_MS != written);
        if !same || is_old {
            self.put_poll_status(listener.name(), &status).await?;
        }
        self.inner.triggers.polls.known.lock().insert(listener.name().clone(), status);
        Ok(runs)
    }

    /// Forgets what was taken long ago, from time to time.
    async fn forget_sometimes(&self) {
        let now = self.now();
        {
            let mut forgot = self.inner.triggers.polls.forgot.lock();
            if forgot.is_some_and(|at| at <= now && now.since(at) < FORGET_EVERY_MS) {
                return;
            }
            *forgot = Some(now);
        }
        if let Err(error) = self.forget_seen().await {
            tracing::warn!(%error, "events that were taken long ago could not be forgotten; it is tried again");
        }
    }
}

/// Asks until the runtime is gone or stops.
pub(in crate::served) async fn poll_forever(held: Weak<Inner>, mut changes: watch::Receiver<u64>) {
    let mut flying = JoinSet::new();
    loop {
        let Some(inner) = held.upgrade() else { return };
        let runtime = Runtime { inner };
        let (clock, changed) = (runtime.inner.wired.clock.clone(), runtime.inner.triggers.polls.changed.clone());
        let now = runtime.now();
        let pause_ms = match runtime.spawn_polls(&mut flying).await {
            Ok(next) => next.map_or(LOOK_MS, |next| next.since(now).clamp(AGAIN_MS, LOOK_MS)),
            Err(RuntimeError::Stopping) => return,
            Err(error) => {
                tracing::error!(%error, "apps cannot be asked for events now; it is tried again");
                LOOK_MS
            }
        };
        runtime.forget_sometimes().await;
        drop(runtime);
        tokio::select! {
            () = clock.sleep(pause_ms) => {}
            () = changed.notified() => {}
            Some(_) = flying.join_next(), if !flying.is_empty() => {}
            heard = changes.changed() => match (heard, held.upgrade()) {
                (Ok(()), Some(inner)) => inner.triggers.polls.connections_changed(),
                _ => return,
            },
        }
    }
}
