//! Published flows: list, show, publish, switch, start.
//!
//! Must never offer a client token but over the local socket. Tests: `tests/flows.rs`.

use axum::Json;
use axum::extract::State;
use flowdeck::RunView;
use flowdeck::model::{FlowName, Value};
use http::StatusCode;
use serde::Deserialize;

use super::flows::flow_of;
use super::{Api, Body, Path, Query};
use crate::wire::{AskToken, ClientToken, FlowList, Problem, PublishFlow, ServedFlow, StartFlow, SwitchFlow};

/// Flows in a page, unless asked otherwise, and at most.
const PAGE: usize = 50;
const PAGE_MAX: usize = 500;

fn unknown(name: &FlowName) -> Problem {
    Problem::new(StatusCode::NOT_FOUND, "flow.unknown", format!("no flow `{name}` is published"))
        .remedy("`flowdeck flows list` shows those that are; `flowdeck flows publish FILE` publishes one.")
}

#[derive(Debug, Deserialize)]
pub(crate) struct Which {
    cursor: Option<FlowName>,
    limit: Option<usize>,
}

pub(crate) async fn list(State(api): State<Api>, Query(which): Query<Which>) -> Result<Json<FlowList>, Problem> {
    let limit = which.limit.unwrap_or(PAGE).clamp(1, PAGE_MAX);
    let mut found = api.runtime()?.served_after(which.cursor.as_ref(), limit + 1).await?;
    let is_more = found.len() > limit;
    found.truncate(limit);
    let next = found.last().filter(|_| is_more).map(|last| last.flow.name.clone());
    Ok(Json(FlowList { flows: found.into_iter().map(ServedFlow::from).collect(), next }))
}

pub(crate) async fn show(State(api): State<Api>, Path(name): Path<FlowName>) -> Result<Json<ServedFlow>, Problem> {
    let served = api.runtime()?.served_flow(&name).await?.ok_or_else(|| unknown(&name))?;
    Ok(Json(served.into()))
}

/// A flow may be called as another address is.
pub(crate) async fn show_check(State(api): State<Api>) -> Result<Json<ServedFlow>, Problem> {
    let name = FlowName::new("check").map_err(|_| Problem::not_found("such flow"))?;
    show(State(api), Path(name)).await
}

pub(crate) async fn publish(
    State(api): State<Api>,
    Body(asked): Body<PublishFlow>,
) -> Result<Json<ServedFlow>, Problem> {
    let runtime = api.runtime()?;
    let flow = flow_of(&runtime, &asked.file)?;
    let mut served = runtime.publish(&flow).await?;
    if let Some(on) = asked.on {
        served = runtime.switch(&flow.name, on).await?.ok_or_else(|| unknown(&flow.name))?;
    }
    Ok(Json(served.into()))
}

pub(crate) async fn switch(
    State(api): State<Api>,
    Path(name): Path<FlowName>,
    Body(asked): Body<SwitchFlow>,
) -> Result<Json<ServedFlow>, Problem> {
    let served = api.runtime()?.switch(&name, asked.on).await?.ok_or_else(|| unknown(&name))?;
    Ok(Json(served.into()))
}

pub(crate) async fn start(
    State(api): State<Api>,
    Path(name): Path<FlowName>,
    Body(asked): Body<StartFlow>,
) -> Result<(StatusCode, Json<RunView>), Problem> {
    let runtime = api.runtime()?;
    let run = runtime.start_served(&name, asked.input, asked.event, asked.idempotency_key).await?;
    let run = run.ok_or_else(|| unknown(&name))?;
    Ok((StatusCode::CREATED, Json(runtime.run_view(run).await?)))
}

pub(crate) async fn token(
    State(api): State<Api>,
    Path(name): Path<FlowName>,
    Body(asked): Body<AskToken>,
) -> Result<Json<Value>, Problem> {
    let runtime = api.runtime()?;
    runtime.served_flow(&name).await?.ok_or_else(|| unknown(&name))?;
    let token = runtime.client_token(&name, asked.renew).await?.ok_or_else(|| {
        Problem::new(StatusCode::CONFLICT, "flow.no_token", format!("nothing asks callers of `{name}` for a token"))
    })?;
    Ok(Json(ClientToken { token }.to_json()))
}
