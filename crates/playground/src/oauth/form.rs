//! Form bodies and queries, and refusals in OAuth's own shape.
//!
//! Must never let a parameter come twice where OAuth forbids it (RFC 6749 section 3.1).
//! Tests: `tests/walk/`.

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;
use url::form_urlencoded;

use crate::grants::TokenRefusal;
use crate::keeper::SaveError;

/// Decoded pairs in their order.
pub(crate) struct Form(Vec<(String, String)>);

impl Form {
    pub(crate) fn read(bytes: &[u8]) -> Form {
        Form(form_urlencoded::parse(bytes).into_owned().collect())
    }

    /// An empty value is none.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(own, value)| own == name && !value.is_empty()).map(|(_, value)| value.as_str())
    }

    pub(crate) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(own, value)| own == name && !value.is_empty()).map(|(_, value)| value.as_str())
    }

    pub(super) fn repeats_any(&self) -> bool {
        let mut names: Vec<&str> = self.0.iter().map(|(name, _)| name.as_str()).collect();
        names.sort_unstable();
        names.windows(2).any(|pair| pair[0] == pair[1])
    }

    pub(super) fn need(&self, name: &'static str, missing: &'static str) -> Result<&str, TokenRefusal> {
        self.get(name).ok_or(TokenRefusal::InvalidRequest(missing))
    }
}

/// A refusal of the token endpoint and its neighbours.
pub(super) enum OauthRefusal {
    Token(TokenRefusal),
    Unsaved,
}

impl From<TokenRefusal> for OauthRefusal {
    fn from(refusal: TokenRefusal) -> OauthRefusal {
        OauthRefusal::Token(refusal)
    }
}

impl From<SaveError> for OauthRefusal {
    fn from(error: SaveError) -> OauthRefusal {
        tracing::error!(%error, "a change is not on disk");
        OauthRefusal::Unsaved
    }
}

impl IntoResponse for OauthRefusal {
    fn into_response(self) -> Response {
        let (status, code, description) = match &self {
            OauthRefusal::Unsaved => {
                (StatusCode::INTERNAL_SERVER_ERROR, "server_error", "the playground failed; try again")
            }
            OauthRefusal::Token(refusal) => {
                let status = match refusal {
                    TokenRefusal::InvalidClient => StatusCode::UNAUTHORIZED,
                    TokenRefusal::Full => StatusCode::SERVICE_UNAVAILABLE,
                    _ => StatusCode::BAD_REQUEST,
                };
                (status, refusal.code(), refusal.description())
            }
        };
        let mut response = (status, Json(json!({ "error": code, "error_description": description }))).into_response();
        if status == StatusCode::UNAUTHORIZED {
            let challenge = HeaderValue::from_static(r#"Basic realm="flowdeck playground""#);
            response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
        }
        response
    }
}
