//! Connecting in the browser without a console: open prompts, the form, the way to the app, what came of it.
//!
//! Must never go on with an attempt that somebody else began, nor take an answer whose attempt is not the caller's.
//! Tests: `tests/connect_pages.rs`.

use std::collections::BTreeMap;

use axum::Router;
use axum::extract::{Form, OriginalUri, State};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::get;
use flowdeck::connections::{Attempt, BindTarget, SecretText, Surface};
use flowdeck::model::connect::{PromptState, PromptView};
use flowdeck::model::{AttemptId, PromptId};
use flowdeck::people::PersonName;
use flowdeck::{Runtime, RuntimeError};

use super::caller::unknown;
use super::{Caller, Guard, connect_html as pages, html};
use crate::api::{Body, Path, connect};
use crate::wire::{Connect, Problem, SurfaceName};

/// Where forms name a field of the app's own.
pub(super) const OWN_FIELD: &str = "f.";

pub(super) fn router() -> Router<Guard> {
    Router::new()
        .route("/connect", get(list))
        .route("/connect/{id}", get(show).post(act))
        .route("/oauth/callback/{app}", get(came_back))
}

async fn list(State(guard): State<Guard>) -> Result<Response, Problem> {
    Ok(pages::list(&guard.api.runtime()?.prompts(Some(PromptState::Open), None).await?))
}

/// A prompt or an attempt, as its id says.
enum What {
    Prompt(PromptId),
    Attempt(AttemptId),
}

fn what(guard: &Guard, id: &str, name: &PersonName) -> Result<What, Problem> {
    if let Ok(prompt) = id.parse() {
        return Ok(What::Prompt(prompt));
    }
    let attempt = id.parse().ok().filter(|attempt| guard.api.shared.begun.is_of(*attempt, name));
    attempt.map(What::Attempt).ok_or_else(|| Problem::not_found("prompt and no attempt of yours with this id"))
}

async fn show(State(guard): State<Guard>, caller: Caller, Path(id): Path<String>) -> Result<Response, Problem> {
    let (name, runtime) = (caller.name().ok_or_else(unknown)?, guard.api.runtime()?);
    Ok(match what(&guard, &id, name)? {
        What::Prompt(prompt) => pages::prompt(&runtime.connections().prompt(prompt).await?, None),
        What::Attempt(attempt) => pages::attempt(&runtime.connections().attempt(attempt).await?, None),
    })
}

async fn act(
    State(guard): State<Guard>,
    caller: Caller,
    Path(id): Path<String>,
    Form(sent): Form<Vec<(String, SecretText)>>,
) -> Result<Response, Problem> {
    let (name, runtime) = (caller.name().ok_or_else(unknown)?, guard.api.runtime()?);
    let field = |key: &str| sent.iter().find(|(k, _)| k == key).map_or("", |(_, v)| v.expose());
    match what(&guard, &id, name)? {
        What::Prompt(prompt) => {
            let view = runtime.connections().prompt(prompt).await?;
            if let Ok(connection) = field("use").parse() {
                runtime.connections().use_connection(BindTarget::Prompt(prompt), connection).await?;
                runtime.prompts_changed();
                return Ok(Redirect::to("/connect").into_response());
            }
            match begun(&guard, &runtime, &view, &sent).await {
                Ok(attempt) => {
                    guard.api.shared.begun.add(&attempt, name);
                    Ok(Redirect::to(&format!("/connect/{}", attempt.id)).into_response())
                }
                Err(problem) if problem.status < 500 => Ok(pages::prompt(&view, Some(&problem))),
                Err(problem) => Err(problem),
            }
        }
        What::Attempt(attempt) => {
            let done = match field("do") {
                "poll" => runtime.connections().poll_device(attempt).await,
                "paste" => runtime.connections().paste(attempt, field("text")).await,
                "switch" => runtime.connections().confirm(attempt, true).await,
                "keep" => runtime.connections().confirm(attempt, false).await,
                _ => return Err(Problem::bad("http.body", "the form says nothing that can be done")),
            };
            runtime.prompts_changed();
            after(&runtime, attempt, done.map_err(RuntimeError::from)).await
        }
    }
}

/// What there is to see after a step; a refusal stands above where the attempt is now.
async fn after(runtime: &Runtime, id: AttemptId, done: Result<Attempt, RuntimeError>) -> Result<Response, Problem> {
    match done {
        Ok(attempt) => Ok(Redirect::to(&format!("/connect/{}", attempt.id)).into_response()),
        Err(error) => {
            let problem = Problem::from(error);
            let attempt = runtime.connections().attempt(id).await?;
            Ok(pages::attempt(&attempt, Some(&html::Notice::refused(&problem))))
        }
    }
}

async fn begun(
    guard: &Guard,
    runtime: &Runtime,
    view: &PromptView,
    sent: &[(String, SecretText)],
) -> Result<Attempt, Problem> {
    let field = |key: &str| sent.iter().find(|(k, _)| k == key).map_or("", |(_, v)| v.expose());
    let method = view.methods.iter().find(|method| method.key == field("method"));
    let method = method.ok_or_else(|| Problem::bad("connect.unknown_method", "the app has no such way to connect"))?;
    let own = |(key, value): &(String, SecretText)| Some((key.strip_prefix(OWN_FIELD)?.to_owned(), value.clone()));
    // What is left out of a repair stays as it was.
    let fields: BTreeMap<_, _> = sent.iter().filter_map(own).filter(|(_, value)| !value.is_empty()).collect();
    let nickname = match (view.connection, field("nickname")) {
        (Some(_), _) | (None, "") => None,
        (None, name) => Some(name.parse().map_err(|_| Problem::bad("connect.fields", "the nickname cannot be used"))?),
    };
    let surface = match (method.browser, method.device) {
        (true, _) => SurfaceName::Browser,
        (false, true) => SurfaceName::Device,
        (false, false) => SurfaceName::Direct,
    };
    let asked = Connect {
        app: view.app.clone(),
        method: Some(method.key.clone()),
        nickname,
        fields,
        scopes: None,
        prompt: Some(view.id),
        connection: view.connection,
        surface,
    };
    if guard.site.is_public() && surface == SurfaceName::Browser {
        // The browser comes back to this very server.
        return Ok(runtime.connect(asked.begin(Surface::Browser { redirect_uri: None })).await?);
    }
    Ok(connect::begin(State(guard.api.clone()), None, Body(asked)).await?.0)
}

/// The browser comes back from the app, where this server's own address is the redirect URI.
async fn came_back(
    State(guard): State<Guard>,
    caller: Caller,
    OriginalUri(uri): OriginalUri,
) -> Result<Response, Problem> {
    let (name, runtime) = (caller.name().ok_or_else(unknown)?, guard.api.runtime()?);
    let query = uri.query().unwrap_or_default();
    let state = url::form_urlencoded::parse(query.as_bytes()).find(|(key, _)| key == "state");
    let attempt = state.and_then(|(_, state)| guard.api.shared.begun.expecting(&state, uri.path(), name));
    let Some(attempt) = attempt else { return Ok(crate::pages::Page::Unknown.into_response()) };
    let came = runtime.connections().callback(query).await;
    runtime.prompts_changed();
    after(&runtime, attempt, came.map_err(RuntimeError::from)).await
}
