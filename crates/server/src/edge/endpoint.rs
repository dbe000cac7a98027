//! Calls of flows' endpoints: `/in/FLOW`.
//!
//! Must never read a body before its sender was let in, nor answer 2xx without a durable run.
//! Tests: `tests/edge.rs`, `crates/cli/tests/serve.rs`.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, Request, State};
use axum::response::{IntoResponse, Response};
use flowdeck::connections::SecretText;
use flowdeck::model::FlowName;
use flowdeck::{CallRefusal, Door, EndpointRequest, Runtime, TOKEN_HEADER, TOKEN_QUERY};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};

use super::{Edge, answer};
use crate::wire::Problem;

/// Largest body, in bytes (1 MiB).
pub(crate) const CALL_BYTES_MAX: usize = 1 << 20;
/// Time for a body to arrive.
const BODY_WITHIN: Duration = Duration::from_secs(30);
/// How long a caller waits for the flow's answer.
const ANSWER_WITHIN: Duration = Duration::from_secs(60);
/// Longest idempotency key.
const KEY_CHARS_MAX: usize = 200;
const KEY_HEADER: &str = "idempotency-key";

type PathOf = Result<Path<String>, PathRejection>;

pub(super) async fn call(State(edge): State<Edge>, flow: PathOf, request: Request) -> Response {
    // What is no text is no name of a flow.
    let flow = flow.map(|Path(flow)| flow).unwrap_or_default();
    let mut response = match Box::pin(answered(&edge, &flow, request)).await {
        Ok(response) => response,
        Err(problem) => answer::refused(problem),
    };
    // A flow's answer may hold what a stranger sent: no page of it acts as one of ours.
    response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static("sandbox"));
    response
}

async fn answered(edge: &Edge, flow: &str, request: Request) -> Result<Response, Problem> {
    let (parts, body) = request.into_parts();
    let runtime = edge.api.runtime()?;
    let door = door(&runtime, flow).await?;
    if !door.admits(token(&parts).as_ref()) {
        return Err(Problem::new(StatusCode::UNAUTHORIZED, "endpoint.token", "the client token is missing or wrong")
            .remedy(format!("Send it in the header {TOKEN_HEADER}, or in the query as {TOKEN_QUERY}.")));
    }
    if let Some(response) = wrong_method(&door, &parts) {
        return Ok(response);
    }
    let _place = edge.calls.try_acquire().map_err(|_| {
        Problem::new(StatusCode::SERVICE_UNAVAILABLE, "run.busy", "too many calls are under way; try again later")
    })?;
    let key = key(&parts.headers)?;
    let request = EndpointRequest {
        method: parts.method.as_str().to_owned(),
        path: parts.uri.path().to_owned(),
        headers: headers(&parts.headers)?,
        query: query(&parts),
        body: whole(&parts.headers, body).await?,
    };
    let told = runtime.call(&door, &request, key.as_deref(), ANSWER_WITHIN).await.map_err(refusal)?;
    Ok(answer::of(told))
}

async fn door(runtime: &Runtime, flow: &str) -> Result<Arc<Door>, Problem> {
    let unknown = || {
        Problem::new(StatusCode::NOT_FOUND, "endpoint.unknown", "no flow that is switched on has this address")
            .remedy("`flowdeck flows list` shows the flows, their addresses, and which are on.")
    };
    let name = FlowName::new(flow).map_err(|_| unknown())?;
    runtime.door(&name).await?.ok_or_else(unknown)
}

/// The client token as it was sent; the header counts where both are there.
fn token(parts: &Parts) -> Option<SecretText> {
    if let Some(sent) = parts.headers.get(TOKEN_HEADER) {
        return sent.to_str().ok().map(SecretText::from);
    }
    let mut pairs = url::form_urlencoded::parse(parts.uri.query()?.as_bytes());
    pairs.find(|(key, _)| key == TOKEN_QUERY).map(|(_, value)| SecretText::new(value))
}

fn wrong_method(door: &Door, parts: &Parts) -> Option<Response> {
    let methods = &door.endpoint()?.methods;
    if methods.iter().any(|method| method == parts.method.as_str()) {
        return None;
    }
    let mut response = Problem::no_method().into_response();
    if let Ok(allowed) = HeaderValue::from_str(&methods.join(", ")) {
        response.headers_mut().insert(header::ALLOW, allowed);
    }
    Some(response)
}

fn key(headers: &HeaderMap) -> Result<Option<String>, Problem> {
    let Some(sent) = headers.get(KEY_HEADER) else { return Ok(None) };
    let text = sent.to_str().unwrap_or_default().trim();
    if text.is_empty() || text.len() > KEY_CHARS_MAX {
        let title = format!("the Idempotency-Key must be 1 to {KEY_CHARS_MAX} plain characters");
        return Err(Problem::bad("endpoint.key", title));
    }
    Ok(Some(text.to_owned()))
}

fn headers(from: &HeaderMap) -> Result<Vec<(String, String)>, Problem> {
    let text = |(name, value): (&http::HeaderName, &HeaderValue)| {
        let value = value.to_str().map_err(|_| {
            Problem::bad("endpoint.header", format!("the header {name} holds other than plain characters"))
        })?;
        Ok((name.as_str().to_owned(), value.to_owned()))
    };
    from.iter().map(text).collect()
}

fn query(parts: &Parts) -> Vec<(String, String)> {
    let pairs = url::form_urlencoded::parse(parts.uri.query().unwrap_or_default().as_bytes());
    pairs.map(|(key, value)| (key.into_owned(), value.into_owned())).collect()
}

/// The body, up to the limit, and not from somebody who sends it for ever.
pub(super) async fn whole(headers: &HeaderMap, body: Body) -> Result<Vec<u8>, Problem> {
    let too_large = || {
        let title = format!("the body is larger than {CALL_BYTES_MAX} bytes");
        Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "http.too_large", title)
    };
    let says = headers.get(header::CONTENT_LENGTH).and_then(|n| n.to_str().ok()?.parse::<u64>().ok());
    if says.is_some_and(|says| says > CALL_BYTES_MAX as u64) {
        return Err(too_large());
    }
    match tokio::time::timeout(BODY_WITHIN, Limited::new(body, CALL_BYTES_MAX).collect()).await {
        Ok(Ok(whole)) => Ok(whole.to_bytes().to_vec()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(too_large()),
        Ok(Err(_)) => Err(Problem::bad("http.body", "the body ended before it was whole")),
        Err(_) => Err(Problem::new(StatusCode::REQUEST_TIMEOUT, "http.deadline", "the body did not come in time")),
    }
}

fn refusal(refusal: CallRefusal) -> Problem {
    match refusal {
        CallRefusal::Kind => Problem::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "endpoint.media_type",
            "the flow cannot read a body of this kind",
        )
        .remedy("Send JSON with Content-Type application/json, or a form."),
        CallRefusal::NotJson => Problem::bad("endpoint.json", "the body is not JSON"),
        CallRefusal::Field(fault) => Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "endpoint.field", fault.message),
        CallRefusal::KeyReused => Problem::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "endpoint.key_reused",
            "this Idempotency-Key was used for another request",
        )
        .remedy("Send a new key with each new request, the same one when a request is repeated."),
        CallRefusal::Runtime(error) => error.into(),
    }
}
