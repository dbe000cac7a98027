//! `POST /oauth/token`: every grant type.
//!
//! Must never answer before what it hands out is on disk.
//! Tests: `tests/walk/`, `tests/walk/main.rs`.

use std::time::Duration;

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::{IntoResponse as _, Response};
use serde_json::json;

use super::form::{Form, OauthRefusal};
use crate::api::Refusal;
use crate::app::App;
use crate::faults::TokenFaultKind;
use crate::grants::{Issued, TokenRefusal};
use crate::guard::close_connection;
use crate::limits;
use crate::scopes::{Scopes, default_scopes, parse_scopes, print_scopes};

const DEVICE_GRANT: &str = "urn:ietf:params:oauth:grant-type:device_code";

pub(super) async fn token(State(app): State<App>, headers: HeaderMap, body: Bytes) -> Response {
    let fault = app.steering.lock().next_token_fault();
    match fault.as_ref().map(|fault| fault.kind) {
        Some(TokenFaultKind::ServerError) => return Refusal::server_error().into_response(),
        Some(TokenFaultKind::Close) => return close_connection(),
        Some(TokenFaultKind::Delay) => {
            let delay_ms = fault.as_ref().map_or(0, |fault| fault.delay_ms).min(limits::FAULT_DELAY_MAX_MS);
            tokio::time::sleep(Duration::from_millis(delay_ms)).await;
        }
        Some(TokenFaultKind::CloseAfterActing) | None => {}
    }
    let response = match issue(&app, &headers, &Form::read(&body)).await {
        Ok(issued) => answer(&issued),
        Err(refusal) => refusal.into_response(),
    };
    if fault.is_some_and(|fault| fault.kind == TokenFaultKind::CloseAfterActing) {
        close_connection()
    } else {
        response
    }
}

fn answer(issued: &Issued) -> Response {
    let mut body = json!({
        "access_token": issued.access.expose(),
        "token_type": "Bearer",
        "expires_in": issued.expires_in_s,
        "scope": print_scopes(&issued.scopes),
    });
    if let Some(refresh) = &issued.refresh {
        body["refresh_token"] = json!(refresh.expose());
    }
    Json(body).into_response()
}

pub(super) fn asked_scopes(form: &Form) -> Result<Option<Scopes>, TokenRefusal> {
    form.get("scope").map(parse_scopes).transpose().map_err(|_name| TokenRefusal::InvalidScope)
}

async fn issue(app: &App, headers: &HeaderMap, form: &Form) -> Result<Issued, OauthRefusal> {
    let client = app.client_of(headers, form)?;
    let (lives, now_ms) = (&app.options.lifetimes, app.now_ms());
    let grant_type = form.need("grant_type", "grant_type is missing")?;
    let issued = match grant_type {
        "authorization_code" => {
            let code = form.need("code", "code is missing")?;
            let redirect_uri = form.need("redirect_uri", "redirect_uri is missing")?;
            let verifier = form.need("code_verifier", "code_verifier is missing")?;
            app.keeper
                .change(|state| state.grants.redeem_code(code, &client.id, redirect_uri, verifier, lives, now_ms))
                .await??
        }
        "refresh_token" => {
            let token = form.need("refresh_token", "refresh_token is missing")?;
            let narrower = asked_scopes(form)?;
            app.keeper
                .change(|state| {
                    state.grants.prune(now_ms);
                    state.grants.refresh(token, &client.id, narrower, lives, now_ms)
                })
                .await??
        }
        "client_credentials" => {
            if client.is_public() {
                return Err(TokenRefusal::UnauthorizedClient("only a client with a secret may do this").into());
            }
            let scopes = asked_scopes(form)?.unwrap_or_else(default_scopes);
            app.keeper
                .change(|state| {
                    state.grants.prune(now_ms);
                    state.grants.issue_to_client(&client.id, scopes, lives, now_ms)
                })
                .await?
        }
        DEVICE_GRANT => {
            let code = form.need("device_code", "device_code is missing")?;
            app.keeper.change(|state| state.grants.redeem_device(code, &client.id, lives, now_ms)).await??
        }
        _ => return Err(TokenRefusal::UnsupportedGrantType.into()),
    };
    let short = if grant_type == DEVICE_GRANT { "device_code" } else { grant_type };
    *app.steering.lock().counts.tokens_issued.entry(short.to_owned()).or_default() += 1;
    Ok(issued)
}
