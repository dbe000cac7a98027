//! Revocation (RFC 7009), introspection (RFC 7662) and who a token speaks for.
//!
//! Must never tell one client about another's tokens.
//! Tests: `tests/walk/`.

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use serde_json::{Value, json};

use super::form::{Form, OauthRefusal};
use crate::accounts::Subject;
use crate::api::Refusal;
use crate::app::App;
use crate::scopes::print_scopes;

pub(super) async fn revoke(
    State(app): State<App>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<StatusCode, OauthRefusal> {
    let form = Form::read(&body);
    let client = app.client_of(&headers, &form)?;
    let token = form.need("token", "token is missing")?;
    app.keeper.change(|state| state.grants.revoke(token, &client.id)).await??;
    Ok(StatusCode::OK)
}

pub(super) async fn introspect(
    State(app): State<App>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Json<Value>, OauthRefusal> {
    let form = Form::read(&body);
    let client = app.client_of(&headers, &form)?;
    let token = form.need("token", "token is missing")?;
    let now_ms = app.now_ms();
    let seen = app.keeper.read(|state| {
        let seen = state.grants.see_access(token, now_ms).or_else(|| state.grants.see_refresh(token, now_ms));
        seen.filter(|seen| seen.client_id == client.id)
    });
    let Some(seen) = seen else { return Ok(Json(json!({ "active": false }))) };
    Ok(Json(json!({
        "active": true,
        "scope": print_scopes(&seen.scopes),
        "client_id": seen.client_id,
        "username": seen.subject.name(),
        "sub": seen.subject.sub(),
        "token_type": if seen.is_refresh { "refresh_token" } else { "Bearer" },
        "exp": seen.expires_ms / 1000,
        "iat": seen.issued_ms / 1000,
        "iss": app.base_url,
    })))
}

pub(super) async fn userinfo(State(app): State<App>, headers: HeaderMap) -> Response {
    let Some((subject, _)) = app.speaks_for(&headers) else { return Refusal::invalid_token().into_response() };
    let email = match &subject {
        Subject::Account(account) => Some(account.email()),
        Subject::Client(_) => None,
    };
    let (sub, name, role) = (subject.sub(), subject.name(), subject.role().name());
    Json(json!({ "sub": sub, "name": name, "email": email, "role": role })).into_response()
}
