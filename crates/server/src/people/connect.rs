//! Connecting in the browser without a console: open prompts, the form, the way to the app, what came of it.
//!
//! Must never go on with an attempt that somebody else began, nor take an answer whose attempt is not the caller's.
//! Tests: `tests/connect_pages.rs`, `tests/connect_ends.rs`.

use axum::Router;
use axum::extract::{Form, OriginalUri, State};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::get;
use flowdeck::connections::{Attempt, AttemptStep, BindTarget, ConnectError, SecretText};
use flowdeck::model::connect::PromptState;
use flowdeck::model::{AttemptId, PromptId};
use flowdeck::people::PersonName;
use flowdeck::{Runtime, RuntimeError};
use http::HeaderMap;

use super::begin::begin;
use super::begun::Beginning;
use super::caller::unknown;
use super::connect_form::Refused;
use super::{Caller, Guard, attempt_html, connect_html as pages, html};
use crate::api::Path;
use crate::wire::Problem;

/// Where forms name a field of the app's own.
pub(super) const OWN_FIELD: &str = "f.";
/// Where they name the connection.
pub(super) const NICKNAME: &str = "nickname";

pub(super) fn router() -> Router<Guard> {
    Router::new()
        .route("/connect", get(list))
        .route("/connect/{id}", get(show).post(act))
        .route("/oauth/callback/{app}", get(came_back))
}

/// A form as it was sent.
type Sent = Vec<(String, SecretText)>;

async fn list(State(guard): State<Guard>) -> Result<Response, Problem> {
    Ok(pages::list(&guard.api.runtime()?.prompts(Some(PromptState::Open), None).await?))
}

/// A prompt or an attempt, as its id says.
enum What {
    Prompt(PromptId),
    Attempt(AttemptId, Beginning),
}

fn what(guard: &Guard, id: &str, name: &PersonName) -> Result<What, Problem> {
    if let Ok(prompt) = id.parse() {
        return Ok(What::Prompt(prompt));
    }
    let attempt = id.parse().ok().and_then(|id| Some(What::Attempt(id, guard.api.shared.begun.of(id, name)?)));
    attempt.ok_or_else(|| {
        Problem::not_found("prompt and no attempt of yours with this id")
            .remedy("It may be over, or somebody else began it. Begin again with what waits for a connection.")
    })
}

async fn show(State(guard): State<Guard>, caller: Caller, Path(id): Path<String>) -> Result<Response, Problem> {
    let (name, runtime) = (caller.name().ok_or_else(unknown)?, guard.api.runtime()?);
    match what(&guard, &id, name)? {
        What::Prompt(prompt) => prompt_page(&runtime, prompt, None, false).await,
        What::Attempt(attempt, began) => {
            let attempt = runtime.connections().attempt(attempt).await?;
            Ok(attempt_html::attempt(&attempt, &began.app, began.prompt, None))
        }
    }
}

/// A prompt as it is now, with what was refused, where somebody tried to answer it.
async fn prompt_page(
    runtime: &Runtime,
    id: PromptId,
    refused: Option<&Refused<'_>>,
    tried: bool,
) -> Result<Response, Problem> {
    let view = runtime.connections().prompt(id).await?;
    if view.state == PromptState::Open {
        return Ok(pages::prompt(&view, refused));
    }
    let answer = runtime.connections().prompt_answer(id).await?;
    Ok(pages::over(&view, answer.as_ref(), tried))
}

async fn act(
    State(guard): State<Guard>,
    caller: Caller,
    Path(id): Path<String>,
    headers: HeaderMap,
    Form(sent): Form<Sent>,
) -> Result<Response, Problem> {
    let (name, runtime) = (caller.name().ok_or_else(unknown)?, guard.api.runtime()?);
    match what(&guard, &id, name)? {
        What::Prompt(prompt) => match answer(&guard, &runtime, prompt, name, &headers, &sent).await {
            Err(problem) if problem.status < 500 => {
                prompt_page(&runtime, prompt, Some(&Refused::new(&problem, &sent)), true).await
            }
            answered => answered,
        },
        What::Attempt(attempt, began) => {
            let done = match field(&sent, "do") {
                "poll" => runtime.connections().poll_device(attempt).await,
                "paste" => runtime.connections().paste(attempt, field(&sent, "text")).await,
                "switch" => runtime.connections().confirm(attempt, true).await,
                "keep" => runtime.connections().confirm(attempt, false).await,
                _ => return Err(Problem::bad("http.body", "the form says nothing that can be done")),
            };
            runtime.prompts_changed();
            after(&runtime, attempt, &began, done).await
        }
    }
}

pub(super) fn field<'a>(sent: &'a [(String, SecretText)], key: &str) -> &'a str {
    sent.iter().find(|(k, _)| k == key).map_or("", |(_, v)| v.expose())
}

/// Answers a prompt with a connection that is there, or begins to make one.
async fn answer(
    guard: &Guard,
    runtime: &Runtime,
    prompt: PromptId,
    name: &PersonName,
    headers: &HeaderMap,
    sent: &[(String, SecretText)],
) -> Result<Response, Problem> {
    if let Ok(connection) = field(sent, "use").parse() {
        runtime.connections().use_connection(BindTarget::Prompt(prompt), connection).await?;
        runtime.prompts_changed();
        return Ok(Redirect::to(&format!("/connect/{prompt}")).into_response());
    }
    let view = runtime.connections().prompt(prompt).await?;
    if view.state != PromptState::Open {
        return Err(ConnectError::PromptOver(prompt).into());
    }
    let (attempt, began) = begin(guard, runtime, &view, name, headers, sent).await?;
    if let AttemptStep::Failed(fault) = &attempt.step {
        // Nobody went anywhere yet: what was typed is still at hand.
        let remedy = if fault.code == "refused" { "Check what you entered." } else { fault.remedy.as_str() };
        let title = format!("{} {remedy}", html::sentence(&fault.message));
        return Err(Problem { status: 422, title, ..Problem::default() });
    }
    guard.api.shared.begun.add(&attempt, began);
    Ok(to(attempt.id))
}

fn to(attempt: AttemptId) -> Response {
    Redirect::to(&format!("/connect/{attempt}")).into_response()
}

/// What there is to see after a step; a refusal stands above where the attempt is now.
async fn after(
    runtime: &Runtime,
    id: AttemptId,
    began: &Beginning,
    done: Result<Attempt, ConnectError>,
) -> Result<Response, Problem> {
    let Err(error) = done else { return Ok(to(id)) };
    let attempt = runtime.connections().attempt(id).await?;
    if matches!(attempt.step, AttemptStep::Done { .. }) {
        // It was connected before: that is the news.
        return Ok(to(id));
    }
    let notice = html::Notice::refused(&Problem::from(RuntimeError::from(error)));
    Ok(attempt_html::attempt(&attempt, &began.app, began.prompt, Some(&notice)))
}

/// The browser comes back from the app, where this server's own address is the redirect URI.
async fn came_back(
    State(guard): State<Guard>,
    caller: Caller,
    OriginalUri(uri): OriginalUri,
) -> Result<Response, Problem> {
    let (name, runtime) = (caller.name().ok_or_else(unknown)?, guard.api.runtime()?);
    let query = uri.query().unwrap_or_default();
    let begun = &guard.api.shared.begun;
    let attempt = state_of(query).and_then(|state| begun.expecting(&state, uri.path(), name));
    let Some(attempt) = attempt else { return Ok(html::nothing_waits()) };
    let came = runtime.connections().callback(query).await;
    runtime.prompts_changed();
    if let Err(error) = &came {
        // Come back to, opened again, or too late: its page says what became of it.
        tracing::debug!(%error, "a browser's answer was refused");
    }
    Ok(to(attempt))
}

pub(super) fn state_of(query: &str) -> Option<String> {
    let state = url::form_urlencoded::parse(query.as_bytes()).find(|(key, _)| key == "state");
    state.map(|(_, state)| state.into_owned())
}
