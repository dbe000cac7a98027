//! A refused API call as an HTTP answer: the only place where the API chooses a status.
//!
//! Must never show an inner cause: the message is for the caller.
//! Tests: `tests/walk/`.

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use crate::directory::DirectoryRefusal;
use crate::keeper::SaveError;

#[derive(Debug)]
pub(crate) struct Refusal {
    pub(crate) status: StatusCode,
    pub(crate) code: &'static str,
    pub(crate) message: String,
    pub(crate) challenge: Option<String>,
    pub(crate) retry_after_s: Option<u32>,
}

impl Refusal {
    pub(crate) fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Refusal {
        Refusal { status, code, message: message.into(), challenge: None, retry_after_s: None }
    }

    pub(crate) fn invalid_token() -> Refusal {
        let message = "the token is unknown, expired or revoked; refresh it or connect again";
        let challenge = r#"Bearer realm="flowdeck playground", error="invalid_token", error_description="the token is unknown, expired or revoked""#;
        Refusal {
            challenge: Some(challenge.to_owned()),
            ..Refusal::new(StatusCode::UNAUTHORIZED, "invalid_token", message)
        }
    }

    pub(crate) fn rate_limited(retry_after_s: u32) -> Refusal {
        let message = format!("too many requests; try again in {retry_after_s} s");
        let refusal = Refusal::new(StatusCode::TOO_MANY_REQUESTS, "rate_limited", message);
        Refusal { retry_after_s: Some(retry_after_s), ..refusal }
    }

    pub(crate) fn server_error() -> Refusal {
        Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, "server_error", "the playground failed; try again")
    }
}

impl From<DirectoryRefusal> for Refusal {
    fn from(refusal: DirectoryRefusal) -> Refusal {
        let (status, code) = match &refusal {
            DirectoryRefusal::NotFound { .. } => (StatusCode::NOT_FOUND, "not_found"),
            DirectoryRefusal::Invalid { .. } => (StatusCode::BAD_REQUEST, "invalid_request"),
            DirectoryRefusal::EmailTaken(_) => (StatusCode::CONFLICT, "email_taken"),
            DirectoryRefusal::NameTaken(_) => (StatusCode::CONFLICT, "name_taken"),
            DirectoryRefusal::Full { .. } => (StatusCode::CONFLICT, "full"),
            DirectoryRefusal::CursorExpired => (StatusCode::GONE, "cursor_expired"),
            DirectoryRefusal::KeyReused => (StatusCode::UNPROCESSABLE_ENTITY, "idempotency_key_reused"),
        };
        Refusal::new(status, code, refusal.to_string())
    }
}

impl From<SaveError> for Refusal {
    fn from(error: SaveError) -> Refusal {
        tracing::error!(%error, "a change is not on disk");
        Refusal::server_error()
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let mut response = (self.status, Json(json!({ "error": self.code, "message": self.message }))).into_response();
        let headers = response.headers_mut();
        if let Some(challenge) = self.challenge.and_then(|text| HeaderValue::from_str(&text).ok()) {
            headers.insert(header::WWW_AUTHENTICATE, challenge);
        }
        if let Some(seconds) = self.retry_after_s {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}
