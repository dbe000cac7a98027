//! Connections, prompts and attempts.
//!
//! Must never keep a secret longer than the call that brought it, nor answer with one.
//! Tests: `tests/api.rs`, `tests/callback.rs`.

use axum::Extension;
use axum::Json;
use axum::extract::State;
use flowdeck::Runtime;
use flowdeck::connections::{Attempt, AttemptStep, BindTarget, Disconnected, Surface, Tested};
use flowdeck::model::app::{AppDirectory, AuthKind, RedirectPolicy};
use flowdeck::model::connect::{ConnectionView, PromptState, PromptView};
use flowdeck::model::{AppName, AttemptId, ConnectionId, Millis, PromptId};
use serde::Deserialize;

use super::{Api, Body, Path, Query};
use crate::callback::Prepared;
use crate::people::{Beginning, Caller};
use crate::wire::{
    AuditList, Bind, Bound, Confirm, Connect, ConnectionList, Paste, Problem, PromptList, Rename, SurfaceName, Switch,
    UseConnection,
};

const AUDIT_PAGE: usize = 100;
const AUDIT_PAGE_MAX: usize = 1_000;

#[derive(Debug, Deserialize)]
pub(crate) struct WhichPrompts {
    state: Option<PromptState>,
    app: Option<AppName>,
}

pub(crate) async fn prompts(
    State(api): State<Api>,
    Query(which): Query<WhichPrompts>,
) -> Result<Json<PromptList>, Problem> {
    Ok(Json(PromptList { prompts: api.runtime()?.prompts(which.state, which.app).await? }))
}

pub(crate) async fn prompt(State(api): State<Api>, Path(id): Path<PromptId>) -> Result<Json<PromptView>, Problem> {
    Ok(Json(api.runtime()?.connections().prompt(id).await?))
}

pub(crate) async fn use_connection(
    State(api): State<Api>,
    Path(id): Path<PromptId>,
    Body(asked): Body<UseConnection>,
) -> Result<Json<PromptView>, Problem> {
    let runtime = api.runtime()?;
    runtime.connections().use_connection(BindTarget::Prompt(id), asked.connection).await?;
    runtime.prompts_changed();
    Ok(Json(runtime.connections().prompt(id).await?))
}

pub(crate) async fn close(State(api): State<Api>, Path(id): Path<PromptId>) -> Result<Json<PromptView>, Problem> {
    let runtime = api.runtime()?;
    let closed = runtime.connections().close_prompt(id).await?;
    runtime.prompts_changed();
    Ok(Json(closed))
}

pub(crate) async fn bind(State(api): State<Api>, Body(bind): Body<Bind>) -> Result<Json<Bound>, Problem> {
    let runtime = api.runtime()?;
    let target = BindTarget::Slot { flow: bind.flow, slot: bind.slot };
    let before = runtime.connections().use_connection(target, bind.connection).await?;
    runtime.prompts_changed();
    Ok(Json(Bound { before }))
}

pub(crate) async fn begin(
    State(api): State<Api>,
    caller: Option<Extension<Caller>>,
    Body(asked): Body<Connect>,
) -> Result<Json<Attempt>, Problem> {
    let runtime = api.runtime()?;
    let callbacks = api.shared.callbacks.as_ref().filter(|_| asked.surface == SurfaceName::Browser);
    let prepared = match (callbacks, redirect_policy(&runtime, &asked).await?) {
        (Some(callbacks), Some(policy)) => callbacks.prepare(&asked.app, policy).await?,
        _ => Prepared::default(),
    };
    let surface = match asked.surface {
        SurfaceName::Browser => Surface::Browser { redirect_uri: prepared.redirect_uri.clone() },
        SurfaceName::Device => Surface::Device,
        SurfaceName::Paste => Surface::Paste { redirect_uri: None },
        SurfaceName::Direct => Surface::Direct,
    };
    let (app, prompt) = (asked.app.clone(), asked.prompt);
    let attempt = runtime.connect(asked.begin(surface)).await;
    if let Some(callbacks) = callbacks {
        callbacks.begun(prepared, attempt.as_ref().ok()).await;
    }
    let attempt = attempt?;
    // The same person can go on with it in the pages.
    if let Some(name) = caller.as_ref().and_then(|caller| caller.name()) {
        let app = runtime.cards().apps().auth(&app).map_or_else(|| app.to_string(), |auth| auth.title.clone());
        api.shared.begun.add(&attempt, Beginning { by: name.clone(), app, prompt, host: None });
    }
    Ok(Json(attempt))
}

/// How the app wants its redirect URI, where the method that will be used asks for consent in a browser.
pub(crate) async fn redirect_policy(runtime: &Runtime, asked: &Connect) -> Result<Option<RedirectPolicy>, Problem> {
    let mut method = asked.method.clone();
    let mut connection = asked.connection;
    if let (None, None, Some(prompt)) = (&method, connection, asked.prompt) {
        connection = runtime.connections().prompt(prompt).await?.connection;
    }
    if let (None, Some(connection)) = (&method, connection) {
        method = Some(runtime.connections().connection(connection).await?.method);
    }
    let Some(auth) = runtime.cards().apps().auth(&asked.app) else { return Ok(None) };
    let found = auth.methods.iter().find(|m| method.as_ref().is_none_or(|key| m.key == *key));
    Ok(found.and_then(|m| match &m.kind {
        AuthKind::OAuth2(oauth) if oauth.authorize_url.is_some() => Some(oauth.redirect),
        _ => None,
    }))
}

pub(crate) async fn attempt(State(api): State<Api>, Path(id): Path<AttemptId>) -> Result<Json<Attempt>, Problem> {
    let attempt = api.runtime()?.connections().attempt(id).await?;
    // Whoever took over from the process that began it listens from the first look on.
    if let (Some(callbacks), AttemptStep::Browser { .. }) = (&api.shared.callbacks, &attempt.step) {
        callbacks.expect(&attempt).await;
    }
    Ok(Json(attempt))
}

pub(crate) async fn poll(State(api): State<Api>, Path(id): Path<AttemptId>) -> Result<Json<Attempt>, Problem> {
    let runtime = api.runtime()?;
    let attempt = runtime.connections().poll_device(id).await?;
    runtime.prompts_changed();
    Ok(Json(attempt))
}

pub(crate) async fn paste(
    State(api): State<Api>,
    Path(id): Path<AttemptId>,
    Body(paste): Body<Paste>,
) -> Result<Json<Attempt>, Problem> {
    let runtime = api.runtime()?;
    let attempt = runtime.connections().paste(id, paste.text.expose()).await?;
    runtime.prompts_changed();
    Ok(Json(attempt))
}

pub(crate) async fn confirm(
    State(api): State<Api>,
    Path(id): Path<AttemptId>,
    Body(confirm): Body<Confirm>,
) -> Result<Json<Attempt>, Problem> {
    let runtime = api.runtime()?;
    let attempt = runtime.connections().confirm(id, confirm.accept).await?;
    runtime.prompts_changed();
    Ok(Json(attempt))
}

#[derive(Debug, Deserialize)]
pub(crate) struct OfApp {
    app: Option<AppName>,
}

pub(crate) async fn connections(
    State(api): State<Api>,
    Query(of): Query<OfApp>,
) -> Result<Json<ConnectionList>, Problem> {
    let connections = api.runtime()?.connections().connections(of.app.as_ref()).await?;
    Ok(Json(ConnectionList { connections }))
}

pub(crate) async fn connection(
    State(api): State<Api>,
    Path(id): Path<ConnectionId>,
) -> Result<Json<ConnectionView>, Problem> {
    Ok(Json(api.runtime()?.connections().connection(id).await?))
}

pub(crate) async fn disconnect(
    State(api): State<Api>,
    Path(id): Path<ConnectionId>,
) -> Result<Json<Disconnected>, Problem> {
    let runtime = api.runtime()?;
    let of = runtime.connections().connection(id).await?;
    if let Err(error) = runtime.ensure_app(&of.app).await {
        tracing::warn!(%error, "the grant cannot be taken back at the app");
    }
    let gone = runtime.connections().disconnect(id).await?;
    runtime.prompts_changed();
    Ok(Json(gone))
}

pub(crate) async fn test(State(api): State<Api>, Path(id): Path<ConnectionId>) -> Result<Json<Tested>, Problem> {
    let runtime = api.runtime()?;
    let of = runtime.connections().connection(id).await?;
    runtime.ensure_app(&of.app).await?;
    Ok(Json(runtime.connections().test(id).await?))
}

pub(crate) async fn rename(
    State(api): State<Api>,
    Path(id): Path<ConnectionId>,
    Body(asked): Body<Rename>,
) -> Result<Json<ConnectionView>, Problem> {
    Ok(Json(api.runtime()?.connections().rename(id, asked.nickname).await?))
}

pub(crate) async fn switch(
    State(api): State<Api>,
    Path(id): Path<ConnectionId>,
    Body(asked): Body<Switch>,
) -> Result<Json<ConnectionView>, Problem> {
    Ok(Json(api.runtime()?.connections().switch(id, asked.on, &asked.reason).await?))
}

#[derive(Debug, Deserialize)]
pub(crate) struct Before {
    before: Option<Millis>,
    limit: Option<usize>,
}

pub(crate) async fn audit(State(api): State<Api>, Query(which): Query<Before>) -> Result<Json<AuditList>, Problem> {
    let limit = which.limit.unwrap_or(AUDIT_PAGE).clamp(1, AUDIT_PAGE_MAX);
    Ok(Json(AuditList { records: api.runtime()?.connections().audit(limit, which.before).await? }))
}
