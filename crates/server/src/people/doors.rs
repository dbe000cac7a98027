//! The doors by which people come in and go: set-up, signing in and out, one's own password; as JSON and as pages.
//!
//! Must never tell who has not signed in whether a name exists, nor show on a page what came with a request.
//! Tests: `tests/people.rs`.

use std::net::{IpAddr, SocketAddr};

use axum::extract::{DefaultBodyLimit, Extension, Form, Query, State};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use flowdeck::RuntimeError;
use flowdeck::connections::SecretText;
use flowdeck::people::{PersonName, Role};
use http::request::Parts;
use http::{HeaderMap, StatusCode, header};
use serde::Deserialize;

use super::caller::unknown;
use super::to::own_page;
use super::{Caller, Guard, cookie, html};
use crate::api::Body;
use crate::wire::{ChangePassword, Me, Problem, SetUp, SignIn};

/// Largest body of these routes, in bytes.
const BODY_BYTES_MAX: usize = 16 << 10;

/// Who is at the other end of the connection.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Peer(pub(crate) SocketAddr);

pub(super) fn router(guard: Guard) -> Router {
    Router::new()
        .route("/", get(first_page))
        .route("/v1/setup", post(set_up))
        .route("/v1/login", post(sign_in))
        .route("/v1/logout", post(sign_out))
        .route("/v1/me/password", post(change_password))
        .route("/setup", get(set_up_page).post(set_up_form))
        .route("/login", get(sign_in_page).post(sign_in_form))
        .route("/logout", post(sign_out_form))
        .route("/account", get(account_page))
        .route("/account/password", post(password_form))
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .with_state(guard)
}

/// Where a request came from, for the throttle.
struct From(Option<IpAddr>);

impl axum::extract::FromRequestParts<Guard> for From {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, guard: &Guard) -> Result<Self, Self::Rejection> {
        let peer = parts.extensions.get::<Peer>().map(|peer| peer.0.ip());
        Ok(Self(guard.site.caller(peer, &parts.headers)))
    }
}

fn with_session(guard: &Guard, session: Option<&SecretText>, answer: impl IntoResponse) -> Response {
    let mut response = answer.into_response();
    response.headers_mut().insert(header::SET_COOKIE, cookie::set(&guard.site, session));
    response
}

/// Where people begin who typed the server's address alone.
async fn first_page(caller: Option<Extension<Caller>>) -> Redirect {
    Redirect::to(match caller.map(|Extension(caller)| caller.role()) {
        Some(role) if role >= Role::Builder => "/connect",
        Some(_) => "/account",
        None => "/login",
    })
}

async fn set_up(State(guard): State<Guard>, Body(asked): Body<SetUp>) -> Result<Response, Problem> {
    let people = guard.api.runtime()?.people();
    let (user, session) = people.set_up(&asked.token, &asked.name, &asked.password).await?;
    let me = Caller::Session(user.name, user.role).me();
    Ok(with_session(&guard, Some(&session), (StatusCode::CREATED, Json(me))))
}

async fn sign_in(State(guard): State<Guard>, From(from): From, Body(asked): Body<SignIn>) -> Result<Response, Problem> {
    let people = guard.api.runtime()?.people();
    let (user, session) = people.sign_in(asked.name.expose(), &asked.password, from).await?;
    let me: Me = Caller::Session(user.name, user.role).me();
    Ok(with_session(&guard, Some(&session), Json(me)))
}

async fn sign_out(State(guard): State<Guard>, headers: HeaderMap) -> Result<Response, Problem> {
    if let Some(session) = cookie::session(&headers, &guard.site) {
        guard.api.runtime()?.people().sign_out(&session).await?;
    }
    Ok(with_session(&guard, None, StatusCode::NO_CONTENT))
}

async fn change_password(
    State(guard): State<Guard>,
    caller: Caller,
    From(from): From,
    Body(asked): Body<ChangePassword>,
) -> Result<Response, Problem> {
    let name = caller.name().ok_or_else(unknown)?;
    let session = changed(&guard, name, &asked.present, &asked.new, from).await?;
    Ok(with_session(&guard, Some(&session), StatusCode::NO_CONTENT))
}

async fn changed(
    guard: &Guard,
    name: &PersonName,
    present: &SecretText,
    new: &SecretText,
    from: Option<IpAddr>,
) -> Result<SecretText, Problem> {
    Ok(guard.api.runtime()?.people().change_password(name, present, new, from).await?)
}

#[derive(Deserialize)]
struct WithToken {
    token: Option<SecretText>,
}

async fn set_up_page(State(guard): State<Guard>, Query(with): Query<WithToken>) -> Result<Response, Problem> {
    let people = guard.api.runtime()?.people();
    let token = with.token.unwrap_or_default();
    Ok(match people.can_set_up(&token).await? {
        true => html::set_up(&token, "", None),
        false => html::no_set_up(),
    })
}

async fn set_up_form(State(guard): State<Guard>, Form(asked): Form<SetUp>) -> Result<Response, Problem> {
    let people = guard.api.runtime()?.people();
    match people.set_up(&asked.token, &asked.name, &asked.password).await {
        Ok((_, session)) => Ok(with_session(&guard, Some(&session), Redirect::to("/account"))),
        Err(RuntimeError::People(flowdeck::people::PeopleError::Setup)) => Ok(html::no_set_up()),
        Err(error) => Ok(html::set_up(&asked.token, &asked.name, Some(&said(error)?))),
    }
}

#[derive(Deserialize)]
struct To {
    #[serde(default)]
    to: String,
    /// A form was sent after the session had ended.
    #[serde(default)]
    lost: String,
}

async fn sign_in_page(Query(To { to, lost }): Query<To>) -> Response {
    let told = html::Notice::done("Your session has ended. What you sent was not taken: sign in and send it again.");
    html::sign_in(&to, "", Some(&told).filter(|_| !lost.is_empty()))
}

#[derive(Deserialize)]
struct SignInForm {
    #[serde(default)]
    to: String,
    name: SecretText,
    password: SecretText,
}

async fn sign_in_form(
    State(guard): State<Guard>,
    From(from): From,
    Form(asked): Form<SignInForm>,
) -> Result<Response, Problem> {
    let people = guard.api.runtime()?.people();
    match people.sign_in(asked.name.expose(), &asked.password, from).await {
        Ok((_, session)) => Ok(with_session(&guard, Some(&session), Redirect::to(own_page(&asked.to)))),
        Err(error) => Ok(html::sign_in(&asked.to, asked.name.expose(), Some(&said(error)?))),
    }
}

async fn sign_out_form(State(guard): State<Guard>, headers: HeaderMap) -> Result<Response, Problem> {
    sign_out(State(guard.clone()), headers).await?;
    Ok(with_session(&guard, None, Redirect::to("/login")))
}

async fn account_page(caller: Caller) -> Result<Response, Problem> {
    let name = caller.name().ok_or_else(unknown)?;
    Ok(html::account(name, caller.role(), None))
}

async fn password_form(
    State(guard): State<Guard>,
    From(from): From,
    Extension(caller): Extension<Caller>,
    Form(asked): Form<ChangePassword>,
) -> Result<Response, Problem> {
    let name = caller.name().ok_or_else(unknown)?;
    let people = guard.api.runtime()?.people();
    match people.change_password(name, &asked.present, &asked.new, from).await {
        Ok(session) => {
            let page = html::account(name, caller.role(), Some(&html::Notice::done("The password is changed.")));
            Ok(with_session(&guard, Some(&session), page))
        }
        Err(error) => Ok(html::account(name, caller.role(), Some(&said(error)?))),
    }
}

/// What a page says of a refusal; what is our own trouble is a problem.
fn said(error: RuntimeError) -> Result<html::Notice, Problem> {
    let problem = Problem::from(error);
    if problem.status >= 500 { Err(problem) } else { Ok(html::Notice::refused(&problem)) }
}
