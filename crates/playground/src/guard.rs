//! What is checked on every request: that it is meant for this server, and not sent by a foreign web page.
//!
//! Must never be passed by because a route is harmless: a rebinding page reads harmless routes too.
//! Tests: `tests/walk/`.

use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};

use crate::app::App;

/// Marks an answer that must not be sent: the connection is closed instead.
#[derive(Clone)]
pub(crate) struct CloseInstead;

pub(crate) fn close_connection() -> Response {
    let mut response = StatusCode::INTERNAL_SERVER_ERROR.into_response();
    response.extensions_mut().insert(CloseInstead);
    response
}

pub(crate) async fn count(State(app): State<App>, path: Option<MatchedPath>, request: Request, next: Next) -> Response {
    if let Some(path) = path {
        let route = format!("{} {}", request.method(), path.as_str());
        *app.steering.lock().counts.requests.entry(route).or_default() += 1;
    }
    next.run(request).await
}

/// Refuses a foreign `Host` (DNS rebinding) and a foreign `Origin` (forms of other sites).
pub(crate) async fn check_origin(State(app): State<App>, request: Request, next: Next) -> Response {
    let own = app.base_url.trim_start_matches("http://");
    let port = own.rsplit(':').next().unwrap_or_default();
    let own_hosts = [own.to_owned(), format!("localhost:{port}")];
    let host = text(request.headers(), header::HOST).unwrap_or_default();
    let origin = text(request.headers(), header::ORIGIN).and_then(|origin| origin.strip_prefix("http://").or(Some("")));
    let is_own = |name: &str| own_hosts.iter().any(|own| own == name);
    if !is_own(host) || origin.is_some_and(|origin| !is_own(origin)) {
        return (StatusCode::FORBIDDEN, "This playground answers only at its own address.\n").into_response();
    }
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    // With `no-referrer` a browser says `Origin: null` of our own forms, and they would be refused above.
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("same-origin"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

fn text(headers: &HeaderMap, name: header::HeaderName) -> Option<&str> {
    headers.get(name).map(|value| value.to_str().unwrap_or("?"))
}
