//! `/api/hooks` and `/api/events`.
//!
//! Must never show a hook's secret after its creation.
//! Tests: `tests/walk/`.

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use serde_json::{Value, json};

use super::caller::Act;
use super::paging::Query;
use super::refusal::Refusal;
use crate::app::App;
use crate::directory::{DirectoryRefusal, EventType, Hook, NewHook};
use crate::scopes::Scope;

type Answer = Result<Response, Refusal>;

pub(super) async fn list(State(app): State<App>, headers: HeaderMap) -> Answer {
    app.caller(&headers, Scope::HooksManage, Act::Look)?;
    let hooks: Vec<Value> = app.keeper.read(|state| state.directory.hooks().iter().map(Hook::shown).collect());
    Ok(Json(json!({ "hooks": hooks })).into_response())
}

pub(super) async fn add(State(app): State<App>, headers: HeaderMap, body: Bytes) -> Answer {
    app.caller(&headers, Scope::HooksManage, Act::Change)?;
    let new: NewHook = serde_json::from_slice(&body).map_err(|_error| {
        let message = "the body must be {\"url\": \"http://127.0.0.1:...\", \"events\": [\"person.joined\"]}";
        Refusal::new(StatusCode::BAD_REQUEST, "invalid_request", message)
    })?;
    let shown = app.change_directory(|directory, now_ms| directory.add_hook(new, now_ms)).await??;
    Ok((StatusCode::CREATED, Json(shown)).into_response())
}

pub(super) async fn remove(State(app): State<App>, headers: HeaderMap, Path(id): Path<String>) -> Answer {
    app.caller(&headers, Scope::HooksManage, Act::Change)?;
    app.change_directory(|directory, _| directory.remove_hook(&id)).await??;
    Ok(StatusCode::NO_CONTENT.into_response())
}

pub(super) async fn events(State(app): State<App>, headers: HeaderMap, RawQuery(query): RawQuery) -> Answer {
    app.caller(&headers, Scope::PeopleRead, Act::Look)?;
    let query = Query::read(query.as_deref());
    let limit = query.limit(50)?;
    let event_type = match query.get("type") {
        None => None,
        Some(name) => {
            Some(EventType::parse(name).ok_or_else(|| DirectoryRefusal::invalid("type", "is not an event type"))?)
        }
    };
    let found = app.keeper.read(|state| state.directory.events_after(query.get("after"), event_type, limit));
    let (events, next, more) = found?;
    Ok(Json(json!({ "events": events, "next": next, "more": more })).into_response())
}
