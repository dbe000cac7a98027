//! `/api/groups`.
//!
//! Must never hold rules: `directory/groups.rs` does.
//! Tests: `tests/walk/`.

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};

use super::caller::Act;
use super::paging::{Query, page};
use super::people::{listed, object};
use super::refusal::Refusal;
use crate::app::App;
use crate::scopes::Scope;

type Answer = Result<Response, Refusal>;

pub(super) async fn list(State(app): State<App>, headers: HeaderMap, RawQuery(query): RawQuery) -> Answer {
    app.caller(&headers, Scope::GroupsRead, Act::Look)?;
    let query = Query::read(query.as_deref());
    let groups = app.keeper.read(|state| state.directory.groups(query.get("q")));
    let groups = groups.into_iter().map(|group| (group.id.clone(), group.shown())).collect();
    page(&app, "/api/groups", "groups", &query, groups)
}

pub(super) async fn add(State(app): State<App>, headers: HeaderMap, body: Bytes) -> Answer {
    app.caller(&headers, Scope::GroupsWrite, Act::Change)?;
    let fields = object(&body)?;
    let group = app.change_directory(|directory, _| directory.add_group(&fields)).await??;
    Ok((StatusCode::CREATED, Json(group.shown())).into_response())
}

pub(super) async fn members(
    State(app): State<App>,
    headers: HeaderMap,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
) -> Answer {
    app.caller(&headers, Scope::GroupsRead, Act::Look)?;
    let people = app.keeper.read(|state| state.directory.members(&id))?;
    page(&app, &format!("/api/groups/{id}/people"), "people", &Query::read(query.as_deref()), listed(people))
}

pub(super) async fn join(State(app): State<App>, headers: HeaderMap, Path(ids): Path<(String, String)>) -> Answer {
    set_member(&app, &headers, ids, true).await
}

pub(super) async fn leave(State(app): State<App>, headers: HeaderMap, Path(ids): Path<(String, String)>) -> Answer {
    set_member(&app, &headers, ids, false).await
}

async fn set_member(app: &App, headers: &HeaderMap, (group, person): (String, String), is_member: bool) -> Answer {
    app.caller(headers, Scope::GroupsWrite, Act::Change)?;
    app.change_directory(|directory, now_ms| directory.set_member(&group, &person, is_member, now_ms)).await??;
    Ok(StatusCode::NO_CONTENT.into_response())
}
