//! The device flow's two faces: where the device starts, and the page where a person types its code.
//!
//! Must never show what a device asked for before its code was typed.
//! Tests: `tests/walk/`.

use axum::Json;
use axum::body::Bytes;
use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use serde_json::{Value, json};

use super::authorize::chosen;
use super::form::{Form, OauthRefusal};
use super::token::asked_scopes;
use crate::accounts::Account;
use crate::app::{App, Ticket};
use crate::grants::DeviceAnswer;
use crate::pages::{Consent, consent_page, device_page, message_page};
use crate::scopes::default_scopes;

pub(super) async fn start(
    State(app): State<App>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Json<Value>, OauthRefusal> {
    let form = Form::read(&body);
    let client = app.client_of(&headers, &form)?;
    let scopes = asked_scopes(&form)?.unwrap_or_else(default_scopes);
    let (lives, now_ms) = (app.options.lifetimes, app.now_ms());
    let started = app.keeper.change(|state| {
        state.grants.prune(now_ms);
        state.grants.start_device(&client.id, scopes, &lives, now_ms)
    });
    let started = started.await?;
    let page = format!("{}/oauth/device", app.base_url);
    Ok(Json(json!({
        "device_code": started.device_code.expose(),
        "user_code": started.user_code,
        "verification_uri": page,
        "verification_uri_complete": format!("{page}?user_code={}", started.user_code),
        "expires_in": lives.device_s,
        "interval": lives.device_interval_s,
    })))
}

pub(super) async fn ask(State(app): State<App>, RawQuery(query): RawQuery) -> Response {
    let form = Form::read(query.unwrap_or_default().as_bytes());
    let Some(typed) = form.get("user_code") else { return device_page(None) };
    let now_ms = app.now_ms();
    let found = app.keeper.read(|state| {
        let device = state.grants.waiting_device(typed, now_ms)?.clone();
        let name = state.grants.client(&device.client_id)?.name.clone();
        Some((device, name))
    });
    let Some((device, name)) = found else { return device_page(Some(typed)) };
    let ticket = app.make_ticket(Ticket::Device { user_code: device.user_code });
    consent_page(&Consent {
        action: "/oauth/device",
        client: &name,
        scopes: &device.scopes,
        chosen: Account::Robin,
        ticket: ticket.expose(),
        back_to: None,
    })
}

pub(super) async fn decide(State(app): State<App>, body: Bytes) -> Response {
    let form = Form::read(&body);
    let stale = || {
        let page = message_page("This page was used already", "Or it is too old. Start again on your device.");
        (StatusCode::BAD_REQUEST, page).into_response()
    };
    let ticket = form.get("ticket").and_then(|ticket| app.take_ticket(ticket));
    let Some(Ticket::Device { user_code }) = ticket else { return stale() };
    let now_ms = app.now_ms();
    let answered = app.keeper.change(|state| {
        let asked = state.grants.waiting_device(&user_code, now_ms).map(|device| device.scopes.clone())?;
        let choice = chosen(&form, &asked);
        let is_allowed = choice.is_some();
        let answer = choice.map_or(DeviceAnswer::Denied, |(account, scopes)| DeviceAnswer::Allowed { account, scopes });
        state.grants.answer_device(&user_code, answer, now_ms).then_some(is_allowed)
    });
    match answered.await {
        Ok(Some(true)) => {
            message_page("Connected", "You can close this page and go back to your device.").into_response()
        }
        Ok(Some(false)) => message_page("Denied", "Nothing was connected. You can close this page.").into_response(),
        Ok(None) => stale(),
        Err(error) => {
            tracing::error!(%error, "an answer is not on disk");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}
