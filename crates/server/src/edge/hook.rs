//! Deliveries of apps: `/hooks/APP/ID`.
//!
//! Must never parse what is not verified, nor answer 2xx before every run that it starts is durable.
//! Tests: `tests/hooks.rs`.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, Request, State};
use axum::response::{IntoResponse, Response};
use flowdeck::{Delivered, DeliveryRefusal};
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use serde_json::json;

use super::endpoint::whole;
use super::{Edge, answer};
use crate::wire::Problem;

type PathOf = Result<Path<(String, String)>, PathRejection>;

pub(super) async fn call(State(edge): State<Edge>, at: PathOf, request: Request) -> Response {
    let (app, id) = at.map(|Path(at)| at).unwrap_or_default();
    let mut response = match Box::pin(answered(&edge, &app, &id, request)).await {
        Ok(response) => response,
        Err(problem) => {
            if problem.status != StatusCode::NOT_FOUND.as_u16() {
                tracing::warn!(app, code = problem.code, "a delivery was not taken: {}", problem.title);
            }
            answer::refused(problem)
        }
    };
    response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static("sandbox"));
    response
}

async fn answered(edge: &Edge, app: &str, id: &str, request: Request) -> Result<Response, Problem> {
    let (parts, body) = request.into_parts();
    let runtime = edge.api.runtime()?;
    let hook = runtime.hook(app, id).await?.ok_or_else(|| {
        Problem::new(StatusCode::NOT_FOUND, "hook.unknown", "no hook has this address")
            .remedy("`flowdeck hooks list` shows the addresses that apps may send to.")
    })?;
    let headers = headers(&parts.headers)?;
    if parts.method == Method::GET {
        let challenge = hook.challenge(&headers).ok_or_else(|| Problem::bad("hook.challenge", "nothing is asked"))?;
        return Ok(Json(challenge).into_response());
    }
    if parts.method != Method::POST {
        let mut response = Problem::no_method().into_response();
        response.headers_mut().insert(header::ALLOW, HeaderValue::from_static("GET, POST"));
        return Ok(response);
    }
    hook.admits(&headers, runtime.now()).map_err(refusal)?;
    let place = edge.calls.clone().try_acquire_owned().map_err(|_| {
        Problem::new(StatusCode::SERVICE_UNAVAILABLE, "run.busy", "too many calls are under way; try again later")
    })?;
    let body = whole(&parts.headers, body).await?;
    // What is taken is taken whole, also when its sender does not wait for the answer.
    let taking = tokio::spawn(async move {
        let told = runtime.deliver(&hook, headers, &body).await;
        drop(place);
        told
    });
    let told = taking.await.map_err(|broke| {
        tracing::error!(%broke, "taking a delivery broke");
        Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "the delivery could not be taken")
    })?;
    Ok(match told.map_err(refusal)? {
        Delivered::Answer(answer) => Json(answer).into_response(),
        Delivered::Taken { runs, again } => Json(json!({ "started": runs.len(), "again": again })).into_response(),
    })
}

/// By name; of one that comes several times, one text with commas.
fn headers(from: &HeaderMap) -> Result<BTreeMap<String, String>, Problem> {
    let mut found: BTreeMap<String, String> = BTreeMap::new();
    for (name, value) in from {
        let text = value.to_str().map_err(|_| {
            Problem::bad("endpoint.header", format!("the header {name} holds other than plain characters"))
        })?;
        let entry = found.entry(name.as_str().to_owned()).or_default();
        if !entry.is_empty() {
            entry.push_str(", ");
        }
        entry.push_str(text);
    }
    Ok(found)
}

fn refusal(refusal: DeliveryRefusal) -> Problem {
    match refusal {
        DeliveryRefusal::NoSecret => Problem::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "hook.no_secret",
            "the hook has no secret yet, so nothing can be verified",
        ),
        DeliveryRefusal::Unverified(why) => Problem::new(StatusCode::UNAUTHORIZED, "hook.unverified", why.to_string())
            .remedy(
                "The secret in the app and the one of the hook must be the same; `flowdeck hooks secret ID` sets it.",
            ),
        DeliveryRefusal::NotJson => Problem::bad("hook.json", "the delivery is not JSON"),
        DeliveryRefusal::TooMuch(fault) => Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "hook.too_much", fault.message)
            .remedy("Let the app send fewer events at once."),
        DeliveryRefusal::Runtime(error) => error.into(),
    }
}
