//! Whether a request was made by a page of ours, or by no browser at all.
//!
//! Must never trust that a browser sends a cookie only for our own pages.
//! Tests: below, `tests/people.rs`.

use http::{HeaderMap, header};

use super::site::Site;

/// What scripts of our own send along; another site's page cannot without our leave, which nobody gets.
pub(crate) const HEADER: &str = "flowdeck-request";
const FETCH_SITE: &str = "sec-fetch-site";

/// What the headers say about the page that made the request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Made {
    /// By a page of ours.
    Own,
    /// By another page.
    Foreign,
    /// Nothing is said: no browser of today, or a plain navigation.
    Unsaid,
}

pub(super) fn made(headers: &HeaderMap, site: &Site) -> Made {
    let said = |name: &str| {
        let mut all = headers.get_all(name).iter();
        let first = all.next().map(|value| value.to_str().unwrap_or("?"));
        // Twice is once too often.
        all.next().map_or(first, |_| Some("?"))
    };
    let origin = said(header::ORIGIN.as_str()).map(|origin| site.is_origin(origin));
    let fetched = said(FETCH_SITE).map(|fetch| fetch == "same-origin");
    match (origin, fetched) {
        (Some(false), _) | (_, Some(false)) => Made::Foreign,
        (None, None) => Made::Unsaid,
        _ => Made::Own,
    }
}

/// For reading: whether a page of another site wants it, which may be somebody's click on a link.
pub(super) fn is_fetched_by_another_site(headers: &HeaderMap) -> bool {
    headers.get(FETCH_SITE).is_some_and(|fetch| fetch == "cross-site" || fetch == "same-site")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_headers_must_be_ours_where_they_are_there() {
        let site = Site::new("127.0.0.1:8918".parse().unwrap(), None).unwrap();
        let made = |pairs: &[(&'static str, &'static str)]| {
            let mut headers = HeaderMap::new();
            for (name, value) in pairs {
                headers.append(*name, value.parse().unwrap());
            }
            super::made(&headers, &site)
        };
        let (ours, foreign) = (("origin", "http://localhost:8918"), ("origin", "http://localhost:3000"));
        assert_eq!(made(&[]), Made::Unsaid);
        assert_eq!(made(&[ours]), Made::Own);
        assert_eq!(made(&[("sec-fetch-site", "same-origin")]), Made::Own);
        assert_eq!(made(&[ours, ("sec-fetch-site", "same-origin")]), Made::Own);
        for pairs in [
            &[foreign][..],
            &[("origin", "null")],
            &[("origin", "")],
            &[ours, foreign],
            &[ours, ("sec-fetch-site", "cross-site")],
            &[ours, ("sec-fetch-site", "same-site")],
            &[("sec-fetch-site", "none")],
            &[foreign, ("sec-fetch-site", "same-origin")],
        ] {
            assert_eq!(made(pairs), Made::Foreign, "{pairs:?}");
        }
    }
}
