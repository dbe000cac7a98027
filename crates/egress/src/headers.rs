//! Which headers may leave, and which survive a change of host.
//!
//! Must never let a caller or a credential set what belongs to the transport (RFC 9110 7.6.1).
//! Tests: at the end of this file and `tests/credentials.rs`.

use http::{HeaderMap, HeaderName, HeaderValue, header};

use crate::{EgressError, Limits};

const TRANSPORT: [&str; 13] = [
    "connection",
    "proxy-connection",
    "keep-alive",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "http2-settings",
    "content-length",
    "expect",
    "proxy-authorization",
    "proxy-authenticate",
    "accept-encoding",
];

/// Headers that are about the request and not about who sends it. Everything else stays with its host: any
/// unknown header may be a secret.
const SURVIVES_HOST_CHANGE: [&str; 9] = [
    "accept",
    "accept-language",
    "content-type",
    "content-language",
    "user-agent",
    "range",
    "if-modified-since",
    "if-none-match",
    "cache-control",
];

const USER_AGENT: &str = concat!("flowdeck/", env!("CARGO_PKG_VERSION"));

/// The caller's headers as they may leave: hop-by-hop ones and those named by `Connection` are dropped.
pub(crate) fn outgoing(headers: &HeaderMap) -> Result<HeaderMap, EgressError> {
    if headers.contains_key(header::HOST) {
        return Err(host_is_fixed());
    }
    let mut kept = headers.clone();
    for value in headers.get_all(header::CONNECTION) {
        for name in value.to_str().unwrap_or_default().split(',') {
            kept.remove(name.trim());
        }
    }
    for name in TRANSPORT {
        kept.remove(name);
    }
    kept.entry(header::USER_AGENT).or_insert(HeaderValue::from_static(USER_AGENT));
    Ok(kept)
}

/// Reads the name of a header that a credential wants to set.
pub(crate) fn settable_name(name: &str) -> Result<HeaderName, EgressError> {
    let name: HeaderName = name.parse().map_err(|_| EgressError::InvalidHeader {
        name: name.chars().filter(|c| !c.is_control()).take(64).collect(),
        why: "this is not a header name",
    })?;
    if name == header::HOST {
        return Err(host_is_fixed());
    }
    if TRANSPORT.contains(&name.as_str()) {
        return Err(EgressError::InvalidHeader { name: name.to_string(), why: "it belongs to the transport" });
    }
    Ok(name)
}

fn host_is_fixed() -> EgressError {
    EgressError::InvalidHeader { name: "host".into(), why: "the host is the one in the URL" }
}

/// Drops what may not travel to another origin.
pub(crate) fn strip_for_other_origin(headers: &mut HeaderMap) {
    let gone: Vec<HeaderName> =
        headers.keys().filter(|name| !SURVIVES_HOST_CHANGE.contains(&name.as_str())).cloned().collect();
    for name in gone {
        headers.remove(name);
    }
}

/// Drops what describes a body that is no longer sent.
pub(crate) fn strip_body_headers(headers: &mut HeaderMap) {
    let gone: Vec<HeaderName> = headers.keys().filter(|name| name.as_str().starts_with("content-")).cloned().collect();
    for name in gone {
        headers.remove(name);
    }
}

/// Whether number and size keep to the limits.
pub(crate) fn fit(headers: &HeaderMap, limits: &Limits) -> bool {
    // Name, value, colon, space and line end.
    let bytes: usize = headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 4).sum();
    headers.len() <= limits.headers_max && bytes <= limits.header_bytes_max
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs.iter().map(|(n, v)| (HeaderName::from_static(n), HeaderValue::from_static(v))).collect()
    }

    #[test]
    fn transport_headers_and_those_named_by_connection_are_dropped() {
        let mut given = map(&[("connection", "x-one, X-Two"), ("x-one", "1"), ("x-two", "2"), ("x-three", "3")]);
        for name in TRANSPORT.iter().skip(1) {
            given.insert(HeaderName::from_static(name), HeaderValue::from_static("1"));
        }
        let kept = outgoing(&given).unwrap();
        let mut names: Vec<&str> = kept.keys().map(HeaderName::as_str).collect();
        names.sort_unstable();
        assert_eq!(names, ["user-agent", "x-three"]);
    }

    #[test]
    fn the_host_header_is_refused() {
        assert_eq!(outgoing(&map(&[("host", "b.test")])).unwrap_err().code(), "egress.invalid_header");
        assert_eq!(settable_name("Host").unwrap_err().code(), "egress.invalid_header");
    }

    #[test]
    fn a_credential_cannot_set_transport_headers_or_broken_names() {
        for name in TRANSPORT.iter().chain(&["a b", "a\r\nb", "", "a:b"]) {
            assert!(settable_name(name).is_err(), "{name:?} was accepted");
        }
        assert!(settable_name("X-Api-Key").is_ok());
        let shown = settable_name(&format!("a\r\n\u{1b}{}", "b".repeat(200))).unwrap_err().to_string();
        assert!(!shown.contains(char::is_control) && shown.len() < 120, "{shown:?}");
    }

    #[test]
    fn too_many_or_too_large_headers_do_not_fit() {
        let limits = Limits { headers_max: 2, header_bytes_max: 20, ..Limits::default() };
        assert!(fit(&map(&[("a", "1"), ("b", "2")]), &limits));
        assert!(!fit(&map(&[("a", "1"), ("b", "2"), ("c", "3")]), &limits));
        assert!(!fit(&map(&[("a", "12345678901234567")]), &limits));
    }
}
