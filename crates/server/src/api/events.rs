//! The events of one run as a stream: history, then what happens, without a gap between.
//!
//! Must never show an entry twice or leave one out: it subscribes first, then reads history, and every committed
//! entry is read from the store.
//! Tests: `tests/api.rs`.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::response::sse::{Event, KeepAlive, Sse};
use flowdeck::model::RunId;
use flowdeck::{Notice, NoticeKind, Runtime};
use futures_util::Stream;
use http::HeaderMap;
use serde::Deserialize;
use tokio::sync::{broadcast, watch};

use super::{Api, FromGuest, Path, Query, Shared};
use crate::wire::{Problem, RunEvent};

/// Entries read from the store at once.
const BATCH: usize = 64;
/// Silence is broken by a comment this often, so that both sides know that the other lives.
pub(crate) const ALIVE_EVERY: Duration = Duration::from_secs(15);
/// How often the run is looked at without a notice.
const LOOK_EVERY: Duration = Duration::from_secs(5);

#[derive(Debug, Deserialize)]
pub(crate) struct From {
    after: Option<u64>,
    #[serde(default)]
    follow: bool,
}

/// A guest waits for its run; the holder stays meanwhile.
pub(super) struct Watching(Arc<Shared>);

impl Watching {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        shared.streams.send_modify(|n| *n += 1);
        Self(shared)
    }
}

impl Drop for Watching {
    fn drop(&mut self) {
        self.0.streams.send_modify(|n| *n = n.saturating_sub(1));
    }
}

struct Run {
    runtime: Runtime,
    run: RunId,
    after: u64,
    follow: bool,
    notices: broadcast::Receiver<Notice>,
    closed: watch::Receiver<bool>,
    waiting: VecDeque<RunEvent>,
    over: bool,
    more: bool,
    _watching: Option<Watching>,
}

pub(crate) async fn stream(
    State(api): State<Api>,
    Path(run): Path<RunId>,
    Query(from): Query<From>,
    guest: Option<axum::Extension<FromGuest>>,
    headers: HeaderMap,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, Problem> {
    let runtime = api.runtime()?;
    let last = headers.get("last-event-id").and_then(|v| v.to_str().ok()?.parse().ok());
    let after = last.or(from.after).unwrap_or(0);
    // Before history is read: what is committed from here on is noticed.
    let notices = runtime.notices();
    let view = runtime.run_view(run).await?;
    if !view.status.is_ended()
        && let Some(error) = runtime.broken()
    {
        return Err(error.into());
    }
    let watching = (guest.is_some() && !from.follow).then(|| Watching::new(api.shared.clone()));
    let state = Run {
        notices,
        closed: api.closed(),
        runtime,
        run,
        after,
        follow: from.follow,
        waiting: VecDeque::new(),
        over: false,
        more: false,
        _watching: watching,
    };
    let events = futures_util::stream::unfold((state, true), |(mut state, first)| async move {
        let event = state.next(first).await?;
        let id = match &event {
            RunEvent::Entry { entry } => Some(entry.seq.to_string()),
            _ => None,
        };
        let sent = Event::default().json_data(&event).unwrap_or_default();
        Some((Ok(id.into_iter().fold(sent, Event::id)), (state, false)))
    });
    Ok(Sse::new(events).keep_alive(KeepAlive::new().interval(ALIVE_EVERY)))
}

impl Run {
    async fn next(&mut self, first: bool) -> Option<RunEvent> {
        let mut look = first;
        loop {
            if let Some(event) = self.waiting.pop_front() {
                return Some(event);
            }
            if self.over {
                return None;
            }
            if look || std::mem::take(&mut self.more) {
                self.read().await?;
                look = false;
                continue;
            }
            look = tokio::select! {
                biased;
                _ = self.closed.wait_for(|closed| *closed) => return None,
                notice = self.notices.recv() => match notice {
                    Ok(notice) if notice.run != self.run => false,
                    Ok(notice) if notice.is_lasting() => true,
                    Ok(notice) => {
                        self.waiting.extend(provisional(notice));
                        false
                    }
                    Err(broadcast::error::RecvError::Lagged(_)) => true,
                    Err(broadcast::error::RecvError::Closed) => return None,
                },
                () = tokio::time::sleep(LOOK_EVERY) => true,
            };
        }
    }

    /// Committed entries, then whether the run has stopped.
    async fn read(&mut self) -> Option<()> {
        // The record first: entries of its commit are then sure to be read.
        let view = self.run_view().await?;
        if !view.status.is_ended() && self.runtime.is_broken() {
            // Who asks for a new stream is told why.
            tracing::warn!("a stream of events ends early: nothing drives runs any more");
            return None;
        }
        let is_stopped = if self.follow {
            view.status.is_ended() || view.set_aside.is_some()
        } else {
            self.runtime.is_stopped(&view).await.inspect_err(log).ok()?
        };
        let entries = self.runtime.entries(self.run, self.after, BATCH).await.inspect_err(log).ok()?;
        let is_last = entries.len() < BATCH;
        if let Some(last) = entries.last() {
            self.after = last.seq;
        }
        self.waiting.extend(entries.into_iter().map(|entry| RunEvent::Entry { entry }));
        if !is_last {
            // The rest when these are sent: entries hold outputs, and outputs may be large.
            self.more = true;
            return Some(());
        }
        if is_stopped {
            // The run may have gone on and stopped again between the record and the question.
            if self.run_view().await? != view {
                self.more = true;
                return Some(());
            }
            self.waiting.push_back(RunEvent::Stopped { run: Box::new(view) });
            self.over = true;
        }
        Some(())
    }

    async fn run_view(&self) -> Option<flowdeck::RunView> {
        self.runtime.run_view(self.run).await.inspect_err(log).ok()
    }
}

fn log(error: &flowdeck::RuntimeError) {
    tracing::warn!(%error, "a stream of events ends early");
}

fn provisional(notice: Notice) -> Option<RunEvent> {
    let (path, what, card) = match notice.what {
        NoticeKind::StepStarted { path, card } => (path, "step_started", Some(card.to_string())),
        NoticeKind::StepFinished { path } => (path, "step_finished", None),
        NoticeKind::StepFailed { path, .. } => (path, "step_failed", None),
        _ => return None,
    };
    Some(RunEvent::Provisional { at: notice.at, path, what: what.to_owned(), card })
}
