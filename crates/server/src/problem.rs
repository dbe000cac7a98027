//! Errors of the runtime as HTTP problems (RFC 9457).
//!
//! Must never put a cause chain, a path of ours or a secret into an answer.
//! Tests: below and `tests/api.rs`.

use axum::Json;
use axum::response::{IntoResponse, Response};
use flowdeck::RuntimeError;
use flowdeck::connections::ConnectError;
use flowdeck::people::PeopleError;
use http::{HeaderValue, StatusCode, header};

use crate::wire::Problem;

impl Problem {
    /// A problem with a status, a stable code and a sentence.
    #[must_use]
    pub fn new(status: StatusCode, code: &str, title: impl Into<String>) -> Self {
        Self { status: status.as_u16(), code: code.to_owned(), title: title.into(), ..Self::default() }
    }

    /// Says what to do next.
    #[must_use]
    pub fn remedy(mut self, remedy: impl Into<String>) -> Self {
        self.remedy = remedy.into();
        self
    }

    pub(crate) fn not_found(what: &str) -> Self {
        Self::new(StatusCode::NOT_FOUND, "http.not_found", format!("there is no {what}"))
    }

    pub(crate) fn bad(code: &str, title: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code, title)
    }

    pub(crate) fn no_method() -> Self {
        Self::new(StatusCode::METHOD_NOT_ALLOWED, "http.method", "this address does not take that method")
    }

    pub(crate) fn stopping() -> Self {
        RuntimeError::Stopping.into()
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let again = self.retry_after_s;
        let mut response = (status, Json(&self)).into_response();
        if let Some(again) = again {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(again));
        }
        let kind = HeaderValue::from_static("application/problem+json");
        response.headers_mut().insert(header::CONTENT_TYPE, kind);
        // Where a person looks at it, a page is made of it.
        response.extensions_mut().insert(self);
        response
    }
}

impl From<RuntimeError> for Problem {
    fn from(error: RuntimeError) -> Self {
        let code = error.code();
        let mut problem = Self::new(status(code), code, error.to_string());
        problem.diagnostics = error.diagnostics().iter().map(flowdeck::Diagnostic::to_json).collect();
        if let RuntimeError::Connect(ConnectError::Fields(errors)) = &error {
            problem.fields = errors.iter().map(|e| (e.key.clone(), e.message.clone())).collect();
        }
        let fault = match &error {
            RuntimeError::Table(fault) => Some(fault),
            RuntimeError::Engine(flowdeck::engine::EngineError::Input(fault)) => Some(fault),
            _ => None,
        };
        if let Some(fault) = fault {
            problem.remedy = fault.remedy.clone();
        }
        if let RuntimeError::People(PeopleError::Throttled { after_ms }) = &error {
            problem.retry_after_s = Some(after_ms.div_ceil(1_000));
        }
        if problem.status >= 500 {
            tracing::warn!(code, %error, "a request could not be answered");
        }
        problem
    }
}

impl From<ConnectError> for Problem {
    fn from(error: ConnectError) -> Self {
        RuntimeError::from(error).into()
    }
}

fn status(code: &str) -> StatusCode {
    match code {
        "people.sign_in" => StatusCode::UNAUTHORIZED,
        "people.setup" => StatusCode::FORBIDDEN,
        "people.throttled" => StatusCode::TOO_MANY_REQUESTS,
        "people.busy" => StatusCode::SERVICE_UNAVAILABLE,
        "people.name_taken" | "people.last_administrator" | "people.too_many" => StatusCode::CONFLICT,
        "people.unknown"
        | "people.unknown_token"
        | "run.unknown"
        | "connect.unknown_app"
        | "connect.unknown_connection"
        | "connect.unknown_prompt"
        | "connect.unknown_attempt"
        | "connect.unknown_state" => StatusCode::NOT_FOUND,
        "run.not_now"
        | "connect.prompt_awaited"
        | "connect.prompt_over"
        | "connect.attempt_over"
        | "connect.nickname_taken"
        | "connect.not_now"
        | "connect.wrong_app" => StatusCode::CONFLICT,
        "store.full" => StatusCode::INSUFFICIENT_STORAGE,
        "runtime.stopping" | "runtime.deadline" | "store.poisoned" | "run.busy" => StatusCode::SERVICE_UNAVAILABLE,
        "app.start" => StatusCode::BAD_GATEWAY,
        _ if code.starts_with("store.") || code.starts_with("key.") || code == "internal" => {
            StatusCode::INTERNAL_SERVER_ERROR
        }
        _ if code == "connect.sealed" || code == "connect.store" => StatusCode::INTERNAL_SERVER_ERROR,
        _ => StatusCode::UNPROCESSABLE_ENTITY,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_caller_did_wrong_is_4xx_and_what_we_cannot_do_is_5xx() {
        for (code, expected) in [
            ("run.unknown", 404),
            ("people.sign_in", 401),
            ("people.throttled", 429),
            ("people.name", 422),
            ("people.unknown", 404),
            ("people.last_administrator", 409),
            ("run.not_now", 409),
            ("run.input", 422),
            ("flow.errors", 422),
            ("connect.fields", 422),
            ("connect.unknown_prompt", 404),
            ("connect.prompt_over", 409),
            ("connect.prompt_awaited", 409),
            ("connect.sealed", 500),
            ("store.full", 507),
            ("store.io", 500),
            ("runtime.stopping", 503),
            ("run.busy", 503),
            ("internal", 500),
        ] {
            assert_eq!(status(code).as_u16(), expected, "{code}");
        }
    }
}
