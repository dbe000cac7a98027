//! Runs: start, list, show, wait, and what people do with them.
//!
//! Must never answer a start before its run is durable.
//! Tests: `tests/api.rs`.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use flowdeck::model::{FlowName, RunId};
use flowdeck::{RunFilter, RunView, Settlement, Start, Status};
use http::StatusCode;
use serde::Deserialize;

use super::flows::flow_of;
use super::{Api, Body, Path, Query};
use crate::wire::{Decide, EntryList, Problem, Retry, RunList, Settle, SettleHow, Signal, StartRun};

/// Longest wait that one request may ask for, in milliseconds.
const WAIT_MS_MAX: u64 = 60_000;
const PAGE: usize = 50;

pub(crate) async fn start(
    State(api): State<Api>,
    Body(asked): Body<StartRun>,
) -> Result<(StatusCode, Json<RunView>), Problem> {
    let runtime = api.runtime()?;
    let mut start = Start::new(flow_of(&runtime, &asked.file)?, asked.input);
    start.event = asked.event;
    start.idempotency_key = asked.idempotency_key;
    let run = runtime.start_run(start).await?;
    Ok((StatusCode::CREATED, Json(runtime.run_view(run).await?)))
}

#[derive(Debug, Deserialize)]
pub(crate) struct Which {
    flow: Option<FlowName>,
    status: Option<Status>,
    cursor: Option<RunId>,
    limit: Option<usize>,
}

pub(crate) async fn list(State(api): State<Api>, Query(which): Query<Which>) -> Result<Json<RunList>, Problem> {
    let filter = RunFilter { flow: which.flow, status: which.status.into_iter().collect() };
    let page = api.runtime()?.runs(&filter, which.cursor, which.limit.unwrap_or(PAGE)).await?;
    Ok(Json(RunList { runs: page.runs, next: page.next }))
}

pub(crate) async fn show(State(api): State<Api>, Path(run): Path<RunId>) -> Result<Json<RunView>, Problem> {
    Ok(Json(api.runtime()?.run_view(run).await?))
}

#[derive(Debug, Deserialize)]
pub(crate) struct After {
    #[serde(default)]
    after: u64,
    limit: Option<usize>,
}

pub(crate) async fn entries(
    State(api): State<Api>,
    Path(run): Path<RunId>,
    Query(which): Query<After>,
) -> Result<Json<EntryList>, Problem> {
    let runtime = api.runtime()?;
    runtime.run_view(run).await?;
    let entries = runtime.entries(run, which.after, which.limit.unwrap_or(PAGE)).await?;
    Ok(Json(EntryList { entries }))
}

#[derive(Debug, Deserialize)]
pub(crate) struct Wait {
    #[serde(default)]
    past_waits: bool,
    within_ms: Option<u64>,
}

pub(crate) async fn wait(
    State(api): State<Api>,
    Path(run): Path<RunId>,
    Query(wait): Query<Wait>,
) -> Result<Json<RunView>, Problem> {
    let within = Duration::from_millis(wait.within_ms.unwrap_or(WAIT_MS_MAX).min(WAIT_MS_MAX));
    Ok(Json(api.runtime()?.wait_for(run, wait.past_waits, within).await?))
}

pub(crate) async fn cancel(State(api): State<Api>, Path(run): Path<RunId>) -> Result<StatusCode, Problem> {
    api.runtime()?.cancel(run).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub(crate) async fn resume(State(api): State<Api>, Path(run): Path<RunId>) -> Result<StatusCode, Problem> {
    api.runtime()?.resume(run).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub(crate) async fn retry(
    State(api): State<Api>,
    Path(run): Path<RunId>,
    Body(retry): Body<Retry>,
) -> Result<StatusCode, Problem> {
    api.runtime()?.retry(run, retry.from).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub(crate) async fn signal(
    State(api): State<Api>,
    Path(run): Path<RunId>,
    Body(signal): Body<Signal>,
) -> Result<StatusCode, Problem> {
    api.runtime()?.signal(run, &signal.name, signal.payload).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub(crate) async fn approve(
    State(api): State<Api>,
    Path(run): Path<RunId>,
    Body(word): Body<Decide>,
) -> Result<StatusCode, Problem> {
    api.runtime()?.approve(run, word.path, &word.by, &word.comment).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub(crate) async fn reject(
    State(api): State<Api>,
    Path(run): Path<RunId>,
    Body(word): Body<Decide>,
) -> Result<StatusCode, Problem> {
    api.runtime()?.reject(run, word.path, &word.by, &word.comment).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub(crate) async fn settle(
    State(api): State<Api>,
    Path(run): Path<RunId>,
    Body(settle): Body<Settle>,
) -> Result<StatusCode, Problem> {
    let settlement = match settle.how {
        SettleHow::Happened { outputs } => Settlement::Happened(outputs),
        SettleHow::DidNot => Settlement::DidNot,
        SettleHow::GiveUp => Settlement::GiveUp,
    };
    api.runtime()?.settle(run, settle.path, settlement).await?;
    Ok(StatusCode::NO_CONTENT)
}
