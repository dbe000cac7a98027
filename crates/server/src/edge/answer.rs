//! What callers of an endpoint are told, as HTTP.
//!
//! Must never tell a stranger more of a failure than the flow itself says, nor let a flow set what belongs to the
//! connection or to our own pages. Tests: below and `tests/edge.rs`.

use axum::Json;
use axum::body::Body;
use axum::response::{IntoResponse, Response};
use flowdeck::engine::RawAnswer;
use flowdeck::model::{Fault, FaultCode, RunId, Value};
use flowdeck::{Answered, RunView, Status};
use http::{HeaderName, HeaderValue, StatusCode, header};
use serde_json::json;

use crate::wire::Problem;

/// When a caller who was refused for the moment may come again, in seconds.
const AGAIN_S: &str = "5";
/// Headers that a flow does not set: of the connection, and cookies of our own origin.
const NOT_OF_FLOWS: [&str; 11] = [
    "connection",
    "content-length",
    "content-security-policy",
    "keep-alive",
    "proxy-authenticate",
    "proxy-connection",
    "set-cookie",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// The answer of a run.
pub(super) fn of(told: Answered) -> Response {
    let (run, mut response) = match told {
        Answered::Early(run, raw) => (run, raw_answer(&raw)),
        Answered::Later(run) => (run, later(run)),
        Answered::Ended(view) => (view.id, ended(&view)),
    };
    if let Ok(id) = HeaderValue::from_str(&run.to_string()) {
        response.headers_mut().insert(HeaderName::from_static("flowdeck-run"), id);
    }
    response
}

/// A refusal; where it is only for the moment, it says when to come again.
pub(super) fn refused(mut problem: Problem) -> Response {
    // Whoever calls from outside can do nothing about a full disk but come again.
    if problem.status >= 500 {
        problem.status = StatusCode::SERVICE_UNAVAILABLE.as_u16();
        problem.title = "the call cannot be taken now; nothing was started".into();
        problem.remedy = format!("Try again in {AGAIN_S} seconds.");
    }
    let again = problem.status == StatusCode::SERVICE_UNAVAILABLE.as_u16();
    let mut response = problem.into_response();
    if again {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static(AGAIN_S));
    }
    response
}

fn later(run: RunId) -> Response {
    let link = format!("/v1/runs/{run}");
    let mut response =
        (StatusCode::ACCEPTED, Json(json!({ "run": run, "status": "accepted", "link": link }))).into_response();
    if let Ok(link) = HeaderValue::from_str(&link) {
        response.headers_mut().insert(header::LOCATION, link);
    }
    response
}

fn ended(view: &RunView) -> Response {
    if let Some(raw) = &view.raw {
        return raw_answer(raw);
    }
    match (view.status, &view.output, &view.fault) {
        (Status::Finished, Some(output), _) => (StatusCode::OK, Json(output.to_value())).into_response(),
        (Status::Finished, None, _) => {
            let title = "the flow keeps no data: only the first call with this Idempotency-Key got its answer";
            Problem::new(StatusCode::CONFLICT, "endpoint.answer_gone", title).into_response()
        }
        (_, _, Some(fault)) if fault.code == FaultCode::Raised => raised(fault),
        _ => Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "endpoint.failed", "the flow failed").into_response(),
    }
}

/// An error that the flow returns on purpose: its status, its words, its fields.
fn raised(fault: &Fault) -> Response {
    let status = fault.status.and_then(|status| StatusCode::from_u16(status).ok());
    let status = status.filter(|s| s.is_client_error() || s.is_server_error());
    let status = status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut body = json!({ "status": status.as_u16(), "code": "endpoint.raised", "title": fault.message });
    if !fault.body.is_null() {
        body["body"] = fault.body.clone();
    }
    let mut response = (status, Json(body)).into_response();
    let kind = HeaderValue::from_static("application/problem+json");
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response
}

fn raw_answer(raw: &RawAnswer) -> Response {
    let status = StatusCode::from_u16(raw.status).ok().filter(|status| !status.is_informational());
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status.unwrap_or(StatusCode::OK);
    let (kind, body) = match &raw.body {
        Value::Null => (None, String::new()),
        Value::String(text) => (Some("text/plain; charset=utf-8"), text.clone()),
        other => (Some("application/json"), other.to_string()),
    };
    if let Some(kind) = kind {
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    }
    for (name, value) in &raw.headers {
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name.as_str()), HeaderValue::from_str(value))
            && !NOT_OF_FLOWS.contains(&name.as_str())
        {
            response.headers_mut().insert(name, value);
        }
    }
    let has_body = !matches!(response.status(), StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
    if has_body {
        *response.body_mut() = Body::from(body);
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raw(status: u16, headers: &[(&str, &str)], body: Value) -> Response {
        let headers = headers.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect();
        raw_answer(&RawAnswer { status, headers, body })
    }

    #[test]
    fn a_flow_sets_its_own_headers_and_none_of_the_connection() {
        let given = raw(
            201,
            &[("X-Id", "7"), ("Set-Cookie", "a=b"), ("Transfer-Encoding", "x"), ("bad name", "y")],
            json!({"a": 1}),
        );
        assert_eq!(given.status(), 201);
        assert_eq!(given.headers()["x-id"], "7");
        assert_eq!(given.headers()["content-type"], "application/json");
        assert!(!given.headers().contains_key("set-cookie") && !given.headers().contains_key("transfer-encoding"));
        assert_eq!(raw(42, &[], Value::Null).status(), 200);
        assert_eq!(raw(101, &[], Value::Null).status(), 200);
        assert_eq!(raw(200, &[("Content-Type", "text/html")], json!("hi")).headers()["content-type"], "text/html");
    }

    #[test]
    fn what_fails_says_only_what_the_flow_says() {
        let mut fault = Fault::new(FaultCode::Raised, "no such user");
        fault.status = Some(404);
        assert_eq!(raised(&fault).status(), 404);
        fault.status = Some(200);
        assert_eq!(raised(&fault).status(), 500);
        let problem = Problem::new(StatusCode::INSUFFICIENT_STORAGE, "store.full", "/secret/path is full");
        let response = refused(problem);
        assert_eq!(response.status(), 503);
        assert_eq!(response.headers()["retry-after"], "5");
    }
}
