//! What a browser shows at the end of a consent.
//!
//! Must never show anything that came with the request, load anything, or run a script.
//! Tests: `tests/callback.rs`, `tests/connect_ends.rs`.

use axum::response::{Html, IntoResponse, Response};
use http::{HeaderName, HeaderValue, StatusCode, header};

use crate::people::escaped;

/// Headers of every answer that has none of its own. A page of ours brings its own policy.
pub(crate) const CAREFUL: [(HeaderName, &str); 6] = [
    (
        header::CONTENT_SECURITY_POLICY,
        "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    ),
    (header::CACHE_CONTROL, "no-store"),
    (header::REFERRER_POLICY, "no-referrer"),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
];

/// A page's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Page {
    /// The connection is there.
    Connected,
    /// It is another account than before.
    OtherAccount,
    /// The attempt ended without a connection.
    NotConnected,
    /// No attempt that is under way belongs to this answer.
    Unknown,
    /// Not an address of ours.
    Nowhere,
}

impl Page {
    fn words(self) -> (StatusCode, &'static str, &'static str) {
        match self {
            Self::Connected => (StatusCode::OK, "Connected", "You can close this window. The flow goes on by itself."),
            Self::OtherAccount => (
                StatusCode::OK,
                "Another account",
                "This is another account than before. Go back to flowdeck: it asks whether to switch to it.",
            ),
            Self::NotConnected => (
                StatusCode::BAD_REQUEST,
                "Not connected",
                "The authorization did not succeed, and nothing was changed. Go back to flowdeck: it says why and how \
                 to try again.",
            ),
            Self::Unknown => (
                StatusCode::BAD_REQUEST,
                "Nothing waits for this answer",
                "It belongs to no attempt to connect that is under way: it was used before, its time is over, or it \
                 was begun elsewhere. Nothing was changed. Go back to flowdeck and start again.",
            ),
            Self::Nowhere => (StatusCode::NOT_FOUND, "Nothing here", "Go back to flowdeck."),
        }
    }
}

/// Leads a browser on that comes from a consent to a page of ours at another address. It is no redirect: a provider's
/// page says where its form may lead, and browsers hold each redirect behind it against that.
pub(crate) fn lead(to: &str) -> Response {
    let to = escaped(to);
    let more = format!("<meta http-equiv=\"refresh\" content=\"0;url={to}\">\n");
    whole(StatusCode::OK, "Going on", &more, &format!("<a href=\"{to}\">Go on</a>"))
}

impl IntoResponse for Page {
    fn into_response(self) -> Response {
        let (status, title, text) = self.words();
        whole(status, title, "", text)
    }
}

/// A page; `more` and `text` are HTML.
fn whole(status: StatusCode, title: &str, more: &str, text: &str) -> Response {
    let page = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n{more}<title>{title} - flowdeck</title>\n</head>\n\
         <body>\n<main>\n<h1>{title}</h1>\n<p>{text}</p>\n</main>\n</body>\n</html>\n"
    );
    let mut response = (status, Html(page)).into_response();
    for (name, value) in CAREFUL {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}
