//! `/api/people`.
//!
//! Must never hold rules: `directory/people.rs` does.
//! Tests: `tests/walk/`.

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use serde_json::{Map, Value, json};

use super::caller::Act;
use super::paging::{Query, page};
use super::refusal::Refusal;
use crate::app::App;
use crate::directory::{DirectoryRefusal, PeopleFilter, Person, Replayed, Status};
use crate::limits;
use crate::scopes::Scope;
use crate::secret::Digest;

type Answer = Result<Response, Refusal>;

pub(super) fn object(body: &[u8]) -> Result<Map<String, Value>, Refusal> {
    serde_json::from_slice(body).map_err(|error| {
        let message = format!("the body must be a JSON object (line {}, column {})", error.line(), error.column());
        Refusal::new(StatusCode::BAD_REQUEST, "invalid_request", message)
    })
}

pub(super) fn listed(people: Vec<Person>) -> Vec<(String, Value)> {
    people.into_iter().map(|person| (person.id.clone(), json!(person))).collect()
}

pub(super) async fn list(State(app): State<App>, headers: HeaderMap, RawQuery(query): RawQuery) -> Answer {
    app.caller(&headers, Scope::PeopleRead, Act::Look)?;
    let query = Query::read(query.as_deref());
    let status = match query.get("status") {
        None => None,
        Some("active") => Some(Status::Active),
        Some("suspended") => Some(Status::Suspended),
        Some(_) => return Err(DirectoryRefusal::invalid("status", "must be active or suspended").into()),
    };
    let text = |name| query.get(name).map(str::to_owned);
    let filter = PeopleFilter { department: text("department"), status, q: text("q") };
    let people = app.keeper.read(|state| state.directory.people(&filter));
    page(&app, "/api/people", "people", &query, listed(people))
}

pub(super) async fn one(State(app): State<App>, headers: HeaderMap, Path(id): Path<String>) -> Answer {
    app.caller(&headers, Scope::PeopleRead, Act::Look)?;
    let person = app.keeper.read(|state| state.directory.person(&id).cloned())?;
    Ok(Json(person).into_response())
}

pub(super) async fn add(State(app): State<App>, headers: HeaderMap, body: Bytes) -> Answer {
    let caller = app.caller(&headers, Scope::PeopleWrite, Act::Change)?;
    let key = headers.get("idempotency-key").map(|key| key.to_str().unwrap_or_default());
    if key.is_some_and(|key| key.is_empty() || key.len() > limits::IDEMPOTENCY_KEY_CHARS_MAX) {
        return Err(DirectoryRefusal::invalid("Idempotency-Key", "must be 1 to 255 printable ASCII characters").into());
    }
    let fields = object(&body)?;
    let digest = Digest::of(&String::from_utf8_lossy(&body));
    let added = app.change_directory(|directory, now_ms| {
        let Some(key) = key else { return directory.add_person(&fields, now_ms) };
        match directory.replayed(caller.sub(), key, &digest, now_ms)? {
            Replayed::Answered(person) => Ok(person),
            Replayed::New => {
                let person = directory.add_person(&fields, now_ms)?;
                directory.note_answer(caller.sub(), key, digest, person.clone(), now_ms);
                Ok(person)
            }
        }
    });
    Ok((StatusCode::CREATED, Json(added.await??)).into_response())
}

pub(super) async fn change(State(app): State<App>, headers: HeaderMap, Path(id): Path<String>, body: Bytes) -> Answer {
    app.caller(&headers, Scope::PeopleWrite, Act::Change)?;
    let fields = object(&body)?;
    let person = app.change_directory(|directory, now_ms| directory.change_person(&id, &fields, now_ms)).await??;
    Ok(Json(person).into_response())
}

pub(super) async fn remove(State(app): State<App>, headers: HeaderMap, Path(id): Path<String>) -> Answer {
    app.caller(&headers, Scope::PeopleWrite, Act::Change)?;
    app.change_directory(|directory, now_ms| directory.remove_person(&id, now_ms)).await??;
    Ok(StatusCode::NO_CONTENT.into_response())
}

pub(super) async fn suspend(State(app): State<App>, headers: HeaderMap, Path(id): Path<String>) -> Answer {
    set_status(&app, &headers, &id, Status::Suspended).await
}

pub(super) async fn unsuspend(State(app): State<App>, headers: HeaderMap, Path(id): Path<String>) -> Answer {
    set_status(&app, &headers, &id, Status::Active).await
}

async fn set_status(app: &App, headers: &HeaderMap, id: &str, status: Status) -> Answer {
    app.caller(headers, Scope::PeopleWrite, Act::Change)?;
    let person = app.change_directory(|directory, now_ms| directory.set_status(id, status, now_ms)).await??;
    Ok(Json(person).into_response())
}
