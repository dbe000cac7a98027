//! `/oauth/authorize`: checks the request, asks the person, and sends the browser back.
//!
//! Must never redirect to an address the client did not register, nor grant more than was asked.
//! Tests: `tests/walk/`.

use axum::body::Bytes;
use axum::extract::{RawQuery, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Redirect, Response};
use url::Url;

use super::Form;
use crate::accounts::Account;
use crate::app::{App, Ticket};
use crate::grants::Authorization;
use crate::pages::{Consent, consent_page, message_page};
use crate::scopes::{Scopes, default_scopes, parse_scopes};

pub(super) async fn ask(State(app): State<App>, RawQuery(query): RawQuery) -> Response {
    let form = Form::read(query.unwrap_or_default().as_bytes());
    let client = form.get("client_id").and_then(|id| app.keeper.read(|state| state.grants.client(id).cloned()));
    let Some(client) = client else {
        return refuse("This application is not known here", "Its client_id is missing or not registered.");
    };
    let Some(redirect_uri) = form.get("redirect_uri").filter(|uri| client.allows_redirect(uri)) else {
        let text = "Its redirect_uri is missing or is not one that it registered, so you are not sent there.";
        return refuse("This request cannot be trusted", text);
    };
    let state = form.get("state").map(str::to_owned);
    let back = |error, description| send_back(&app, redirect_uri, state.as_deref(), Err((error, description)));
    if form.repeats_any() {
        return back("invalid_request", "a parameter was sent twice");
    }
    if form.get("response_type") != Some("code") {
        return back("unsupported_response_type", "response_type must be code");
    }
    let challenge = form.get("code_challenge").unwrap_or_default();
    if form.get("code_challenge_method") != Some("S256") || !is_challenge(challenge) {
        return back("invalid_request", "PKCE is required: code_challenge with code_challenge_method=S256");
    }
    let Ok(scopes) = form.get("scope").map_or_else(|| Ok(default_scopes()), parse_scopes) else {
        return back("invalid_scope", "a scope is unknown");
    };
    let asked = Authorization {
        client_id: client.id.clone(),
        redirect_uri: redirect_uri.to_owned(),
        challenge: challenge.to_owned(),
        scopes: scopes.clone(),
    };
    let auto = app.steering.lock().auto_consent.clone();
    if let Some(auto) = auto {
        let granted = auto.scopes.map_or(scopes.clone(), |ticked| &ticked & &scopes);
        return allow(&app, asked, state.as_deref(), auto.account, granted).await;
    }
    if form.get("prompt") == Some("none") {
        return back("interaction_required", "the person must be asked");
    }
    let ticket = app.make_ticket(Ticket::Authorize { asked, state });
    consent_page(&Consent {
        action: "/oauth/authorize",
        client: &client.name,
        scopes: &scopes,
        chosen: form.get("login_hint").and_then(Account::find).unwrap_or(Account::Robin),
        ticket: ticket.expose(),
        back_to: Url::parse(redirect_uri).ok(),
    })
}

/// The base64url of a SHA-256.
fn is_challenge(text: &str) -> bool {
    text.len() == 43 && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
}

pub(super) async fn decide(State(app): State<App>, body: Bytes) -> Response {
    let form = Form::read(&body);
    let ticket = form.get("ticket").and_then(|ticket| app.take_ticket(ticket));
    let Some(Ticket::Authorize { asked, state }) = ticket else {
        return refuse("This page was used already", "Or it is too old. Go back to the application and start again.");
    };
    match chosen(&form, &asked.scopes) {
        Some((account, granted)) => allow(&app, asked, state.as_deref(), account, granted).await,
        None => {
            let denied = Err(("access_denied", "the person pressed Deny"));
            send_back(&app, &asked.redirect_uri, state.as_deref(), denied)
        }
    }
}

/// Who allowed what; `None`: nothing was allowed.
pub(super) fn chosen(form: &Form, asked: &Scopes) -> Option<(Account, Scopes)> {
    let account = form.get("account").and_then(Account::find)?;
    let ticked: Scopes = form.all("scope").filter_map(|name| parse_scopes(name).ok()).flatten().collect();
    let granted: Scopes = asked.iter().copied().filter(|scope| scope.is_needed() || ticked.contains(scope)).collect();
    (form.get("decision") == Some("allow") && !granted.is_empty()).then_some((account, granted))
}

async fn allow(app: &App, asked: Authorization, state: Option<&str>, account: Account, granted: Scopes) -> Response {
    let redirect_uri = asked.redirect_uri.clone();
    let now_ms = app.now_ms();
    let lives = &app.options.lifetimes;
    let made = app.keeper.change(|kept| {
        kept.grants.prune(now_ms);
        kept.grants.make_code(asked, account, granted, lives, now_ms)
    });
    match made.await {
        Ok(code) => send_back(app, &redirect_uri, state, Ok(code.expose())),
        Err(error) => {
            tracing::error!(%error, "a code is not on disk");
            send_back(app, &redirect_uri, state, Err(("server_error", "the playground failed; try again")))
        }
    }
}

fn send_back(app: &App, redirect_uri: &str, state: Option<&str>, outcome: Result<&str, (&str, &str)>) -> Response {
    let Ok(mut url) = Url::parse(redirect_uri) else { return StatusCode::BAD_REQUEST.into_response() };
    {
        let mut query = url.query_pairs_mut();
        match outcome {
            Ok(code) => query.append_pair("code", code),
            Err((error, description)) => {
                query.append_pair("error", error).append_pair("error_description", description)
            }
        };
        if let Some(state) = state {
            query.append_pair("state", state);
        }
        // RFC 9207: the client can tell which server answered.
        query.append_pair("iss", &app.base_url);
    }
    Redirect::to(url.as_str()).into_response()
}

fn refuse(title: &str, text: &str) -> Response {
    (StatusCode::BAD_REQUEST, message_page(title, text)).into_response()
}
