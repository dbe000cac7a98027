//! What can go wrong on the way out, and whether the request may have reached the server.
//!
//! Must never carry a query string, a path, a credential or a body: only scheme, host and port.
//! Tests: each failure where it arises, in `tests/hostile.rs`, `tests/connections.rs` and `tests/tls.rs`.

use crate::address::Kind;

/// Whether the request may have reached the server. Decides if a write is in doubt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sent {
    /// Certainly no byte of the request left; a write may be repeated.
    No,
    /// The server may have seen it; a write is in doubt.
    Maybe,
}

/// Why a target was refused before a socket was opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Refusal {
    /// The address lies in a range that is not public, and nobody allowed it.
    Address(Kind),
    /// Plain http to a target that nobody allowed as private.
    PlainHttp,
    /// The URL carries a user name or password.
    UserInfo,
    /// Only http and https leave.
    Scheme,
    /// Port 0 is no port.
    Port,
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Address(kind) => {
                write!(
                    f,
                    "it is a {kind} address; allow it in the app's file, or with --allow-private HOST (plain http: --allow-http HOST:PORT)"
                )
            }
            Self::PlainHttp => f.write_str("plain http is only for targets allowed as private; use https"),
            Self::UserInfo => f.write_str("a user name or password in a URL is not accepted; use a connection"),
            Self::Scheme => f.write_str("only http and https are accepted"),
            Self::Port => f.write_str("port 0 is not a port"),
        }
    }
}

/// Why a request did not give a response. `host` is `scheme://host:port`, never more.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EgressError {
    /// The policy refuses this target. Nothing was sent.
    #[error("reach {host}: {why}")]
    Denied {
        /// The refused target.
        host: String,
        /// The rule that refused it.
        why: Refusal,
    },
    /// The connection's secret may not travel to this host. Nothing was sent.
    #[error("send to {host}: the connection is not made for this host")]
    CredentialNotAllowed {
        /// The host the credential does not cover.
        host: String,
    },
    /// The credential could not be added to the request. Nothing was sent.
    #[error("authorize the request with connection {connection}: {why}")]
    Credential {
        /// The connection's id.
        connection: String,
        /// What is missing, without secret parts.
        why: String,
    },
    /// The text is not a URL that can be requested.
    #[error("read the URL: {why}")]
    InvalidUrl {
        /// What is wrong with it.
        why: &'static str,
    },
    /// A header that is malformed or may not be set.
    #[error("send header {name}: {why}")]
    InvalidHeader {
        /// The header's name.
        name: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// The request is larger than the policy lets out.
    #[error("send to {host}: the request is larger than {limit_bytes} bytes")]
    RequestTooLarge {
        /// The target.
        host: String,
        /// The limit that was passed.
        limit_bytes: usize,
    },
    /// The host name did not resolve.
    #[error("find {host}: the name does not resolve")]
    Dns {
        /// The target.
        host: String,
    },
    /// No connection could be opened.
    #[error("connect to {host}: {why}")]
    Connect {
        /// The target.
        host: String,
        /// The system's reason.
        why: String,
    },
    /// The secure connection was refused by either side.
    #[error("secure the connection to {host}: {why}")]
    Tls {
        /// The target.
        host: String,
        /// The TLS library's reason.
        why: String,
    },
    /// The request's time was used up.
    #[error("get an answer from {host}: the time for it is used up")]
    Timeout {
        /// The target.
        host: String,
        /// Whether the request may have left.
        sent: bool,
    },
    /// The connection was closed before the answer was complete.
    #[error("read the answer of {host}: the connection was closed")]
    Closed {
        /// The target.
        host: String,
        /// Whether the request may have left.
        sent: bool,
    },
    /// What came back is not HTTP.
    #[error("read the answer of {host}: {why}")]
    BadResponse {
        /// The target.
        host: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// The answer's head or body passes its limit.
    #[error("read the answer of {host}: it is larger than {limit_bytes} bytes")]
    TooLarge {
        /// The target.
        host: String,
        /// The limit that was passed.
        limit_bytes: usize,
    },
    /// More redirects than the request allows.
    #[error("follow the redirects of {host}: more than {max}")]
    TooManyRedirects {
        /// The last host that redirected.
        host: String,
        /// The number allowed.
        max: u8,
    },
    /// A redirect that may not be followed.
    #[error("follow the redirect of {host}: {why}")]
    RedirectRefused {
        /// The host that redirected.
        host: String,
        /// The rule that refused it.
        why: &'static str,
    },
    /// A later hop failed: the first host has already answered, so the request did arrive.
    #[error("follow redirect {hops}: {cause}")]
    AfterRedirect {
        /// How many redirects were followed before the failure.
        hops: u8,
        /// What failed there.
        #[source]
        cause: Box<EgressError>,
    },
    /// The way out itself could not be set up.
    #[error("set up outgoing connections: {why}")]
    Setup {
        /// The reason.
        why: String,
    },
}

impl EgressError {
    /// Whether the request may have reached the server.
    #[must_use]
    pub fn was_sent(&self) -> Sent {
        match self {
            Self::Denied { .. }
            | Self::CredentialNotAllowed { .. }
            | Self::Credential { .. }
            | Self::InvalidUrl { .. }
            | Self::InvalidHeader { .. }
            | Self::RequestTooLarge { .. }
            | Self::Dns { .. }
            | Self::Connect { .. }
            | Self::Tls { .. }
            | Self::Setup { .. } => Sent::No,
            Self::Timeout { sent, .. } | Self::Closed { sent, .. } => {
                if *sent {
                    Sent::Maybe
                } else {
                    Sent::No
                }
            }
            Self::BadResponse { .. }
            | Self::TooLarge { .. }
            | Self::TooManyRedirects { .. }
            | Self::RedirectRefused { .. }
            | Self::AfterRedirect { .. } => Sent::Maybe,
        }
    }

    /// The stable code of the failure. A failure after a redirect keeps the code of its cause.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Denied { .. } => "egress.denied",
            Self::CredentialNotAllowed { .. } => "egress.credential_not_allowed",
            Self::Credential { .. } => "egress.credential",
            Self::InvalidUrl { .. } => "egress.invalid_url",
            Self::InvalidHeader { .. } => "egress.invalid_header",
            Self::RequestTooLarge { .. } => "egress.request_too_large",
            Self::Dns { .. } => "egress.dns",
            Self::Connect { .. } => "egress.connect",
            Self::Tls { .. } => "egress.tls",
            Self::Timeout { .. } => "egress.timeout",
            Self::Closed { .. } => "egress.closed",
            Self::BadResponse { .. } => "egress.bad_response",
            Self::TooLarge { .. } => "egress.too_large",
            Self::TooManyRedirects { .. } => "egress.too_many_redirects",
            Self::RedirectRefused { .. } => "egress.redirect_refused",
            Self::AfterRedirect { cause, .. } => cause.code(),
            Self::Setup { .. } => "egress.setup",
        }
    }

    /// The failure itself, without the redirects that led to it.
    #[must_use]
    pub fn root(&self) -> &Self {
        match self {
            Self::AfterRedirect { cause, .. } => cause.root(),
            other => other,
        }
    }
}
