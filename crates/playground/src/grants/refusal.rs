//! Why a token request is refused, in the words of RFC 6749 section 5.2 and RFC 8628 section 3.5.
//!
//! Must never hold a secret: descriptions are fixed texts.
//! Tests: `tests/walk/`.

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TokenRefusal {
    InvalidRequest(&'static str),
    InvalidClient,
    InvalidGrant(&'static str),
    InvalidScope,
    UnauthorizedClient(&'static str),
    UnsupportedGrantType,
    AuthorizationPending,
    SlowDown,
    AccessDenied,
    ExpiredToken,
    Full,
}

impl TokenRefusal {
    pub(crate) fn code(self) -> &'static str {
        match self {
            TokenRefusal::InvalidRequest(_) => "invalid_request",
            TokenRefusal::InvalidClient => "invalid_client",
            TokenRefusal::InvalidGrant(_) => "invalid_grant",
            TokenRefusal::InvalidScope => "invalid_scope",
            TokenRefusal::UnauthorizedClient(_) => "unauthorized_client",
            TokenRefusal::UnsupportedGrantType => "unsupported_grant_type",
            TokenRefusal::AuthorizationPending => "authorization_pending",
            TokenRefusal::SlowDown => "slow_down",
            TokenRefusal::AccessDenied => "access_denied",
            TokenRefusal::ExpiredToken => "expired_token",
            TokenRefusal::Full => "temporarily_unavailable",
        }
    }

    pub(crate) fn description(self) -> &'static str {
        match self {
            TokenRefusal::InvalidRequest(text)
            | TokenRefusal::InvalidGrant(text)
            | TokenRefusal::UnauthorizedClient(text) => text,
            TokenRefusal::InvalidClient => "the client is unknown or its secret is wrong",
            TokenRefusal::InvalidScope => "a scope is unknown or more than was granted",
            TokenRefusal::UnsupportedGrantType => "this grant type is not offered",
            TokenRefusal::AuthorizationPending => "the person has not decided yet",
            TokenRefusal::SlowDown => "polled too often: wait five seconds longer between polls",
            TokenRefusal::AccessDenied => "the person pressed Deny",
            TokenRefusal::ExpiredToken => "the device code has expired: start again",
            TokenRefusal::Full => "the playground holds as many of these as it can",
        }
    }
}
