//! What a failed token call means: one total function.
//!
//! Pure. Only a definite word of the provider kills a grant; everything unclear may pass.
//! Tests: below.

/// What a failure means for a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FailureClass {
    /// The grant is gone for good.
    DeadGrant,
    /// Our registration at the provider is at fault; the grants are not.
    AppBroken,
    /// A scope that is asked for is not available.
    Scope,
    /// It may pass by itself.
    Transient,
    /// A person must do something at the provider.
    PersonNeeded,
    /// Something tries to lead the secret elsewhere.
    SecurityStop,
}

/// Classifies an answer of the token endpoint that is not a token.
pub(crate) fn classify(status: u16, error: Option<&str>) -> FailureClass {
    use FailureClass as C;
    match (status, error) {
        (300..=399, _) => C::SecurityStop,
        (408 | 425 | 429 | 500.., _) => C::Transient,
        (
            _,
            Some(
                "invalid_grant"
                | "bad_refresh_token"
                | "invalid_refresh_token"
                | "refresh_token_reused"
                | "expired_token"
                | "access_denied",
            ),
        ) => C::DeadGrant,
        (
            _,
            Some("invalid_client" | "unauthorized_client" | "unsupported_grant_type" | "incorrect_client_credentials"),
        ) => C::AppBroken,
        (_, Some("invalid_scope" | "insufficient_scope")) => C::Scope,
        (_, Some("interaction_required" | "consent_required" | "login_required" | "mfa_required")) => C::PersonNeeded,
        (_, _) => C::Transient,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use FailureClass as C;

    #[test]
    fn every_kind_of_answer_has_its_class() {
        for (status, error, class) in [
            (400, Some("invalid_grant"), C::DeadGrant),
            (401, Some("invalid_grant"), C::DeadGrant),
            (200, Some("bad_refresh_token"), C::DeadGrant),
            (500, Some("invalid_grant"), C::Transient),
            (400, Some("refresh_token_reused"), C::DeadGrant),
            (401, Some("invalid_client"), C::AppBroken),
            (400, Some("unauthorized_client"), C::AppBroken),
            (400, Some("invalid_scope"), C::Scope),
            (400, Some("interaction_required"), C::PersonNeeded),
            (400, Some("temporarily_unavailable"), C::Transient),
            (400, None, C::Transient),
            (401, None, C::Transient),
            (403, None, C::Transient),
            (200, None, C::Transient),
            (408, None, C::Transient),
            (429, Some("slow_down"), C::Transient),
            (503, None, C::Transient),
            (302, None, C::SecurityStop),
            (307, Some("invalid_grant"), C::SecurityStop),
        ] {
            assert_eq!(classify(status, error), class, "{status} {error:?}");
        }
    }
}
