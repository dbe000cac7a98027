//! Whose API a proxy stands before: its paths, and what its refusals look like.
//!
//! Must never know a test's accounts.
//! Tests: `tests/tests/scenarios`.

use http::{Method, StatusCode};
use serde_json::{Value, json};

use super::rules::error_body;
use super::serve::Reply;

/// A service that the emulator has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Service {
    /// An Okta org.
    Okta,
    /// A Slack workspace.
    Slack,
    /// Google: Gmail, Calendar, Drive.
    Google,
    /// GitHub.
    Github,
    /// Microsoft Graph.
    Microsoft,
}

impl Service {
    /// All of them, in the order in which they are started.
    pub const ALL: [Self; 5] = [Self::Okta, Self::Slack, Self::Google, Self::Github, Self::Microsoft];

    /// What the emulator calls it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Okta => "okta",
            Self::Slack => "slack",
            Self::Google => "google",
            Self::Github => "github",
            Self::Microsoft => "microsoft",
        }
    }

    /// Where the consent page sends its form, and the field that says who consents.
    pub(super) fn consent(self) -> (&'static str, &'static str) {
        match self {
            Self::Okta => ("/oauth2/v1/authorize/callback", "user_ref"),
            Self::Slack => ("/oauth/v2/authorize/callback", "user_id"),
            Self::Google => ("/o/oauth2/v2/auth/callback", "email"),
            Self::Github => ("/login/oauth/callback", "login"),
            Self::Microsoft => ("/oauth2/v2.0/authorize/callback", "email"),
        }
    }

    /// Where tokens come from.
    pub(super) fn token(self) -> &'static str {
        match self {
            Self::Okta => "/oauth2/v1/token",
            Self::Slack => "/api/oauth.v2.access",
            Self::Google => "/oauth2/token",
            Self::Github => "/login/oauth/access_token",
            Self::Microsoft => "/oauth2/v2.0/token",
        }
    }

    /// Whether a redirect to any port of this machine is taken where the address without a port is registered (RFC 8252
    /// section 7.3): so do the three that sign native programs in; the emulator compares ports.
    pub(super) fn takes_any_port(self) -> bool {
        matches!(self, Self::Google | Self::Github | Self::Microsoft)
    }

    /// Whether a token is needed, and the body holds no secret of the sign-in.
    pub(super) fn is_api(self, path: &str) -> bool {
        match self {
            Self::Okta => path.starts_with("/api/"),
            Self::Slack => path.starts_with("/api/") && path != self.token(),
            Self::Google => ["/gmail/", "/calendar/", "/drive/", "/upload/", "/oauth2/v2/userinfo"]
                .iter()
                .any(|p| path.starts_with(p)),
            Self::Github => !path.starts_with("/login/"),
            Self::Microsoft => path.starts_with("/v1.0/"),
        }
    }

    /// The answer to a token that is not known, or was revoked.
    pub(super) fn unknown_token(self) -> Reply {
        let (status, body) = match self {
            Self::Okta => {
                return Reply::json(StatusCode::UNAUTHORIZED, &error_body("E0000011", "Invalid token provided"));
            }
            // Slack answers everything with 200.
            Self::Slack => (200, json!({ "ok": false, "error": "token_revoked" })),
            Self::Google => (401, google_error(401, "Invalid Credentials", "UNAUTHENTICATED", "authError")),
            Self::Github => (401, json!({ "message": "Bad credentials" })),
            Self::Microsoft => {
                (401, json!({ "error": { "code": "InvalidAuthenticationToken", "message": "Access token is empty." } }))
            }
        };
        Reply::json(StatusCode::from_u16(status).expect("a status"), &body.to_string())
    }

    /// One of these scopes is needed for a call, where the service looks at scopes and the emulator does not.
    pub(super) fn scopes(self, method: &Method, path: &str) -> &'static [&'static str] {
        match self {
            Self::Google if path.ends_with("/messages/send") => &["https://www.googleapis.com/auth/gmail.send"],
            Self::Google if path.starts_with("/gmail/") => &["https://www.googleapis.com/auth/gmail.readonly"],
            Self::Google if path.starts_with("/calendar/") => &["https://www.googleapis.com/auth/calendar"],
            Self::Google if path.contains("/drive/") => {
                &["https://www.googleapis.com/auth/drive", "https://www.googleapis.com/auth/drive.file"]
            }
            Self::Microsoft if path.starts_with("/v1.0/users/") && *method == Method::GET => {
                &["User.Read.All", "User.ReadWrite.All"]
            }
            _ => &[],
        }
    }

    /// The answer to a token that lacks a scope.
    pub(super) fn lacks_scope(self) -> Reply {
        let body = match self {
            Self::Google => {
                let text = "Request had insufficient authentication scopes.";
                google_error(403, text, "PERMISSION_DENIED", "insufficientPermissions")
            }
            _ => {
                let text = "Insufficient privileges to complete the operation.";
                json!({ "error": { "code": "Authorization_RequestDenied", "message": text } })
            }
        };
        Reply::json(StatusCode::FORBIDDEN, &body.to_string())
    }
}

fn google_error(code: u16, message: &str, status: &str, reason: &str) -> Value {
    let errors = json!([{ "message": message, "domain": "global", "reason": reason }]);
    json!({ "error": { "code": code, "message": message, "status": status, "errors": errors } })
}
