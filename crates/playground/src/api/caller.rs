//! Who calls the API, and whether they may: token, then scope, then role.
//!
//! Must never tell an unknown caller whether something exists.
//! Tests: `tests/walk/`.

use axum::http::{HeaderMap, StatusCode, header};

use super::Refusal;
use crate::accounts::{Role, Subject};
use crate::app::App;
use crate::scopes::{Scope, Scopes};

/// What a call does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Act {
    Look,
    Change,
}

/// Splits an `Authorization` header; the scheme's case does not matter (RFC 9110 section 11.1).
pub(super) fn credential(headers: &HeaderMap) -> Option<(String, &str)> {
    let (scheme, token) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    Some((scheme.to_ascii_lowercase(), token.trim()))
}

impl App {
    /// Whom the access token or API token of a request speaks for, and what it may do.
    pub(crate) fn speaks_for(&self, headers: &HeaderMap) -> Option<(Subject, Scopes)> {
        let (scheme, token) = credential(headers)?;
        let now_ms = self.now_ms();
        self.keeper.read(|state| match scheme.as_str() {
            "bearer" => state.grants.see_access(token, now_ms).map(|seen| (seen.subject, seen.scopes)),
            "playtoken" => state.grants.see_api_token(token),
            _ => None,
        })
    }

    pub(super) fn caller(&self, headers: &HeaderMap, scope: Scope, act: Act) -> Result<Subject, Refusal> {
        if credential(headers).is_none() {
            let message = "no token was sent; connect an account, or make an API token at /account/tokens";
            let challenge = Some(r#"Bearer realm="flowdeck playground""#.to_owned());
            return Err(Refusal { challenge, ..Refusal::new(StatusCode::UNAUTHORIZED, "unauthorized", message) });
        }
        let (subject, scopes) = self.speaks_for(headers).ok_or_else(Refusal::invalid_token)?;
        if !scopes.contains(&scope) {
            let name = scope.name();
            let message = format!("this token may not do that: it lacks the scope {name}; connect again and allow it");
            let challenge =
                format!(r#"Bearer realm="flowdeck playground", error="insufficient_scope", scope="{name}""#);
            let refusal = Refusal::new(StatusCode::FORBIDDEN, "insufficient_scope", message);
            return Err(Refusal { challenge: Some(challenge), ..refusal });
        }
        if act == Act::Change && subject.role() == Role::Staff {
            let message = format!(
                "{} may look at the directory but not change it (role staff); use an account with the role admin",
                subject.name()
            );
            return Err(Refusal::new(StatusCode::FORBIDDEN, "forbidden", message));
        }
        Ok(subject)
    }
}
