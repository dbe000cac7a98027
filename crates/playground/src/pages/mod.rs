//! The pages a person sees: consent, device code, account tokens, and the directory itself.
//!
//! Must never load anything from elsewhere, run a script, or print text that was not escaped.
//! Tests: below, and `tests/walk/`.

mod account;
mod consent;
mod front;

use axum::Router;
use axum::http::header;
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;

use crate::app::App;

pub(crate) use consent::{Consent, consent_page, device_page};

const STYLE: &str = include_str!("style.css");

pub(crate) fn routes() -> Router<App> {
    Router::new()
        .route("/", get(front::front))
        .route("/account/tokens", get(account::show).post(account::act))
        .route("/style.css", get(style))
}

async fn style() -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "text/css; charset=utf-8")], STYLE)
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;").replace('\'', "&#39;")
}

/// A whole page. `form_target`: where a form's answer may lead besides here; browsers hold redirects against `form-action`.
fn page(title: &str, body_class: &str, body: &str, form_target: &str) -> Response {
    let html = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n<title>{} - Staff Directory playground</title>\n\
         <link rel=\"stylesheet\" href=\"/style.css\">\n</head>\n<body class=\"{body_class}\">\n{body}</body>\n</html>\n",
        escaped(title)
    );
    let policy = format!(
        "default-src 'none'; style-src 'self'; form-action 'self' {form_target}; frame-ancestors 'none'; base-uri 'none'"
    );
    ([(header::CONTENT_SECURITY_POLICY, policy)], Html(html)).into_response()
}

/// A page that only says something.
pub(crate) fn message_page(title: &str, text: &str) -> Response {
    let body = format!("<main class=\"card\">\n<h1>{}</h1>\n<p>{}</p>\n</main>\n", escaped(title), escaped(text));
    page(title, "narrow", &body, "")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_a_stranger_wrote_becomes_markup() {
        assert_eq!(escaped("<a href='x' title=\"y\">&"), "&lt;a href=&#39;x&#39; title=&quot;y&quot;&gt;&amp;");
    }
}
