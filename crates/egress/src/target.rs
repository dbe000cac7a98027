//! Which URLs can be requested at all, and the normal form in which they are compared.
//!
//! Must never accept a text that two parsers could read as two hosts. Knows no addresses and no policy.
//! Tests: at the end of this file and `tests/ssrf.rs`.

use url::{Host, Url};

use crate::{EgressError, Refusal};

const URL_BYTES_MAX: usize = 16 * 1024;
const NAME_BYTES_MAX: usize = 253;
const LABEL_BYTES_MAX: usize = 63;

/// Reads a URL that came as text from outside, strictly: what browsers repair is refused here.
///
/// # Errors
/// [`EgressError::InvalidUrl`] for a malformed text, [`EgressError::Denied`] for a scheme, user name or port that may
/// not be used. Whether the target may be reached is decided by [`crate::Egress::send`].
pub fn parse_url(text: &str) -> Result<Url, EgressError> {
    let invalid = |why| EgressError::InvalidUrl { why };
    if text.chars().any(|c| c.is_control() || c.is_whitespace()) {
        return Err(invalid("it contains a space, a tab, a line break or a control character"));
    }
    if text.contains('\\') {
        return Err(invalid("it contains a backslash"));
    }
    let url = Url::parse(text).map_err(|_| invalid("it is malformed"))?;
    let url = checked(url)?;
    // The parser also accepts `http:host`, `http:/host` and `http:////host`.
    match text.split_once("://") {
        Some((_, rest)) if !rest.starts_with('/') => Ok(url),
        _ => Err(invalid("after the scheme must follow two slashes and a host")),
    }
}

/// Checks what holds for every hop and brings the host into its normal form: no trailing dot, no fragment.
pub(crate) fn checked(mut url: Url) -> Result<Url, EgressError> {
    let invalid = |why| EgressError::InvalidUrl { why };
    let denied = |why| EgressError::Denied { host: origin_text(&url), why };
    if !matches!(url.scheme(), "http" | "https") {
        return Err(denied(Refusal::Scheme));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(denied(Refusal::UserInfo));
    }
    if url.port() == Some(0) {
        return Err(denied(Refusal::Port));
    }
    if url.as_str().len() > URL_BYTES_MAX {
        return Err(invalid("it is longer than 16384 bytes"));
    }
    url.set_fragment(None);
    if let Some(Host::Domain(name)) = url.host() {
        let bare = name.strip_suffix('.').unwrap_or(name).to_owned();
        if bare.len() > NAME_BYTES_MAX || bare.split('.').any(|label| label.is_empty() || label.len() > LABEL_BYTES_MAX)
        {
            return Err(invalid("its host name is malformed"));
        }
        url.set_host(Some(&bare)).map_err(|_| invalid("its host name is malformed"))?;
    }
    Ok(url)
}

/// `scheme://host:port`: all that errors may say of a URL.
pub(crate) fn origin_text(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    match url.port_or_known_default() {
        Some(port) => format!("{}://{host}:{port}", url.scheme()),
        None => format!("{}://{host}", url.scheme()),
    }
}

/// Whether both URLs have the same scheme, host and port.
pub(crate) fn same_origin(a: &Url, b: &Url) -> bool {
    a.scheme() == b.scheme() && a.host() == b.host() && a.port_or_known_default() == b.port_or_known_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_that_parsers_disagree_about_is_refused() {
        let long_name = format!("https://{}/", "a.".repeat(127) + "bc");
        let long_label = format!("https://{}.test/", "a".repeat(64));
        let long_url = format!("https://a.test/{}", "x".repeat(URL_BYTES_MAX));
        for text in [
            "",
            "https://",
            "https:a.test",
            "https:/a.test",
            "https:///a.test",
            "https://a..test/",
            "https://a.test..",
            "https://.a.test",
            "https://a.test:65536/",
            "https://a.test:-1/",
            "https://a.test\\@b.test/",
            "https://a.test/\tb",
            "https://a.te\nst/",
            " https://a.test/",
            "https://a.test/ ",
            "https://a.test/\0",
            "//a.test/",
            "a.test",
            "https://[fe80::1%25eth0]/",
            "https://[::1",
            "https://%zz/",
            "https://a b/",
            "https://a.test%00.b.test/",
            &long_name,
            &long_label,
            &long_url,
        ] {
            assert!(matches!(parse_url(text), Err(EgressError::InvalidUrl { .. })), "{text:?}: {:?}", parse_url(text));
        }
    }

    #[test]
    fn other_schemes_user_names_and_port_zero_are_denied() {
        let table = [
            ("file:///etc/passwd", Refusal::Scheme),
            ("gopher://a.test/", Refusal::Scheme),
            ("ftp://a.test/", Refusal::Scheme),
            ("data:text/plain,x", Refusal::Scheme),
            ("unix:/run/x.sock", Refusal::Scheme),
            ("ws://a.test/", Refusal::Scheme),
            ("https://user@a.test/", Refusal::UserInfo),
            ("https://a.test:pw@b.test/", Refusal::UserInfo),
            ("https://:pw@b.test/", Refusal::UserInfo),
            ("https://a.test:0/", Refusal::Port),
        ];
        for (text, expected) in table {
            match parse_url(text) {
                Err(EgressError::Denied { why, .. }) => assert_eq!(why, expected, "{text}"),
                other => panic!("{text}: {other:?}"),
            }
        }
    }

    #[test]
    fn the_normal_form_has_no_trailing_dot_and_no_fragment() {
        assert_eq!(parse_url("HTTPS://A.Test.:443/x?q#f").unwrap().as_str(), "https://a.test/x?q");
        assert_eq!(origin_text(&parse_url("https://a.test/secret?token=1").unwrap()), "https://a.test:443");
    }
}
