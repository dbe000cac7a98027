//! Dry runs: a flow is rehearsed, each call of an app is told as it happens, then the end.
//!
//! Must never leave a run behind, nor go on for somebody who went away.
//! Tests: `crates/cli/tests/dry.rs`.

use std::convert::Infallible;
use std::sync::Arc;

use async_trait::async_trait;
use axum::extract::State;
use axum::response::sse::{Event, KeepAlive, Sse};
use flowdeck::engine::WaitReason;
use flowdeck::engine::ports::CardOutcome;
use flowdeck::model::StepPath;
use flowdeck::{Asked, Decided, RehearsalOptions, RehearsedCall, StandIn, Start, as_hoped};
use futures_util::Stream;
use tokio::sync::{mpsc, watch};

use super::events::{ALIVE_EVERY, Watching};
use super::flows::flow_of;
use super::{Api, Body, FromGuest};
use crate::wire::{Problem, RehearsalEnd, RehearsalEvent, Rehearse};

/// Calls that may wait for a slow reader.
const CALLS_AHEAD: usize = 64;

/// Nobody answers; who asked hears of each call.
struct Told(mpsc::Sender<RehearsalEvent>);

#[async_trait]
impl StandIn for Told {
    async fn answer(&self, _: &Asked<'_>) -> Option<CardOutcome> {
        None
    }

    fn decide(&self, path: &StepPath, reason: &WaitReason) -> Option<Decided> {
        as_hoped(path, reason)
    }

    async fn heard(&self, call: &RehearsedCall) {
        // Without a reader the task is about to be ended.
        self.0.send(RehearsalEvent::Call { call: Box::new(call.clone()) }).await.ok();
    }
}

/// Ends the work when nobody reads any more.
struct Task(tokio::task::JoinHandle<()>);

impl Drop for Task {
    fn drop(&mut self) {
        self.0.abort();
    }
}

struct Telling {
    events: mpsc::Receiver<RehearsalEvent>,
    closed: watch::Receiver<bool>,
    _task: Task,
    _watching: Option<Watching>,
}

pub(crate) async fn stream(
    State(api): State<Api>,
    guest: Option<axum::Extension<FromGuest>>,
    Body(asked): Body<Rehearse>,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, Problem> {
    let runtime = api.runtime()?;
    let flow = flow_of(&runtime, &asked.file)?;
    let limits = flow.limits.clone();
    let mut start = Start::new(flow, asked.input);
    start.event = asked.event;
    let (told, events) = mpsc::channel(CALLS_AHEAD);
    let options = RehearsalOptions { stand_in: Arc::new(Told(told.clone())), ..RehearsalOptions::dry() };
    let task = tokio::spawn(async move {
        let last = match Box::pin(runtime.rehearse(start, options)).await {
            Ok(rehearsal) => RehearsalEvent::Ended { end: Box::new(RehearsalEnd::of(&rehearsal, &limits)) },
            Err(error) => RehearsalEvent::Failed { problem: Box::new(error.into()) },
        };
        told.send(last).await.ok();
    });
    let watching = guest.is_some().then(|| Watching::new(api.shared.clone()));
    let telling = Telling { events, closed: api.closed(), _task: Task(task), _watching: watching };
    let events = futures_util::stream::unfold(telling, |mut telling| async move {
        let event = tokio::select! {
            biased;
            event = telling.events.recv() => event?,
            _ = telling.closed.wait_for(|closed| *closed) => return None,
        };
        Some((Ok(Event::default().json_data(&event).unwrap_or_default()), telling))
    });
    Ok(Sse::new(events).keep_alive(KeepAlive::new().interval(ALIVE_EVERY)))
}
