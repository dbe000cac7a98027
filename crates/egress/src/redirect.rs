//! Decides whether and how a 3xx answer is followed.
//!
//! Pure: sees one hop, knows no policy; the next hop is checked like any first one. Must never weaken a hop.
//! Tests: at the end of this file and `tests/credentials.rs`.

use http::{HeaderValue, Method, StatusCode};
use url::Url;

use crate::{EgressError, target};

/// The next hop.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Next {
    pub(crate) method: Method,
    pub(crate) url: Url,
    pub(crate) keeps_body: bool,
    pub(crate) same_origin: bool,
}

/// Where `status` and `location` lead from a request. `None` if this is an answer to hand back.
pub(crate) fn next(
    from: &Url,
    method: &Method,
    status: StatusCode,
    location: Option<&HeaderValue>,
) -> Result<Option<Next>, EgressError> {
    let refused = |why| EgressError::RedirectRefused { host: target::origin_text(from), why };
    let (Some(location), 301 | 302 | 303 | 307 | 308) = (location, status.as_u16()) else { return Ok(None) };
    let location = std::str::from_utf8(location.as_bytes()).map_err(|_| refused("its Location is not text"))?;
    if location.contains(|c: char| c.is_control() || c.is_whitespace() || c == '\\') {
        return Err(refused("its Location is malformed"));
    }
    let url = from.join(location).map_err(|_| refused("its Location is malformed"))?;
    let url = target::checked(url)?;
    if from.scheme() == "https" && url.scheme() != "https" {
        return Err(refused("it leads from https to http"));
    }
    let same_origin = target::same_origin(from, &url);
    // RFC 9110 15.4: 303 always reads; 301 and 302 turn POST into GET, as every client does.
    let reads = match status.as_u16() {
        303 => *method != Method::HEAD,
        301 | 302 => *method == Method::POST,
        _ => false,
    };
    if reads {
        return Ok(Some(Next { method: Method::GET, url, keeps_body: false, same_origin }));
    }
    if !same_origin && !method.is_safe() {
        return Err(refused("it would send a changing request on to another host"));
    }
    Ok(Some(Next { method: method.clone(), url, keeps_body: same_origin, same_origin }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(method: &str, status: u16, location: &str, expected: Result<Option<(&str, &str, bool)>, &str>) {
        check_from("https://a.test/dir/x?q=1", method, status, location.as_bytes(), expected);
    }

    #[track_caller]
    fn check_from(
        from: &str,
        method: &str,
        status: u16,
        location: &[u8],
        expected: Result<Option<(&str, &str, bool)>, &str>,
    ) {
        let from = Url::parse(from).unwrap();
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        let location = HeaderValue::from_bytes(location).unwrap();
        let next = next(&from, &method, StatusCode::from_u16(status).unwrap(), Some(&location));
        let seen = match &next {
            Ok(next) => Ok(next.as_ref().map(|n| (n.method.as_str(), n.url.as_str(), n.keeps_body))),
            Err(EgressError::RedirectRefused { why, .. }) => Err(*why),
            Err(other) => Err(other.code()),
        };
        assert_eq!(seen, expected, "{method} {status} {location:?}");
    }

    #[test]
    fn methods_and_bodies_follow_the_status() {
        let here = "https://a.test/y";
        for (method, status, expected, keeps) in [
            ("GET", 301, "GET", true),
            ("POST", 301, "GET", false),
            ("PUT", 301, "PUT", true),
            ("HEAD", 302, "HEAD", true),
            ("POST", 302, "GET", false),
            ("DELETE", 302, "DELETE", true),
            ("GET", 303, "GET", false),
            ("POST", 303, "GET", false),
            ("PUT", 303, "GET", false),
            ("HEAD", 303, "HEAD", true),
            ("POST", 307, "POST", true),
            ("PATCH", 307, "PATCH", true),
            ("POST", 308, "POST", true),
            ("GET", 308, "GET", true),
        ] {
            check(method, status, "/y", Ok(Some((expected, here, keeps))));
        }
    }

    #[test]
    fn a_changing_request_is_not_sent_on_to_another_origin() {
        for location in ["https://b.test/", "https://a.test:8443/", "//b.test/"] {
            for (method, status) in [("POST", 307), ("POST", 308), ("PUT", 301), ("DELETE", 302), ("PATCH", 307)] {
                check(method, status, location, Err("it would send a changing request on to another host"));
            }
        }
        let upgraded = b"https://a.test:8443/";
        let refused = Err("it would send a changing request on to another host");
        check_from("http://a.test:8443/", "POST", 307, upgraded, refused);
        check("POST", 303, "https://b.test/", Ok(Some(("GET", "https://b.test/", false))));
        check("GET", 307, "https://b.test/", Ok(Some(("GET", "https://b.test/", false))));
    }

    #[test]
    fn a_location_is_read_strictly() {
        for (location, why) in [
            ("http://a.test/", "it leads from https to http"),
            ("http://b.test:443/", "it leads from https to http"),
            ("https://u@a.test/", "egress.denied"),
            ("https://a.test:p@b.test/", "egress.denied"),
            ("file:///etc/passwd", "egress.denied"),
            ("javascript:1", "egress.denied"),
            ("https://a.test:0/", "egress.denied"),
            ("https://a.test\\@b.test/", "its Location is malformed"),
            ("/a b", "its Location is malformed"),
            ("/a\u{81}b", "its Location is malformed"),
            ("https://a.test:99999/", "its Location is malformed"),
        ] {
            check("GET", 302, location, Err(why));
        }
        check_from("https://a.test/", "GET", 302, b"/\xff", Err("its Location is not text"));
        check("GET", 302, "?z", Ok(Some(("GET", "https://a.test/dir/x?z", true))));
        check("GET", 302, "../up#f", Ok(Some(("GET", "https://a.test/up", true))));
    }

    #[test]
    fn other_answers_are_handed_back() {
        for status in [200, 201, 300, 304, 305, 306, 404] {
            check("GET", status, "/y", Ok(None));
        }
    }
}
