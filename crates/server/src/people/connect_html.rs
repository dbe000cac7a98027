//! The pages of what waits for a connection: the list, one prompt with its forms, one that was answered.
//!
//! Must never show a secret, nor anything as HTML that is not ours.
//! Tests: `tests/connect_pages.rs`.

use axum::response::Response;
use flowdeck::model::connect::{ConnectionView, PromptState, PromptView};
use http::StatusCode;

use super::connect_form::{Refused, one_method};
use super::html::{Notice, escaped, page};

/// The way on from every page of connecting.
pub(super) const BACK: &str = "<p><a href=\"/connect\">All that waits for a connection</a></p>";

pub(super) fn list(prompts: &[PromptView]) -> Response {
    let mut body = String::new();
    if prompts.is_empty() {
        body.push_str("<p>Nothing waits for a connection.</p>\n");
    } else {
        body.push_str("<ul>\n");
        for prompt in prompts {
            body.push_str(&format!(
                "<li><a href=\"/connect/{}\">Connect {}</a><br>{}</li>\n",
                prompt.id,
                escaped(&prompt.app_title),
                escaped(&prompt.message)
            ));
        }
        body.push_str("</ul>\n");
    }
    body.push_str("<p><a href=\"/account\">Your account</a></p>");
    page("What waits for a connection", None, &body)
}

pub(super) fn prompt(view: &PromptView, refused: Option<&Refused<'_>>) -> Response {
    let mut body = format!("<p>{}</p>\n", escaped(&view.message));
    if view.waiting > 0 {
        body.push_str(&format!("<p>Runs that wait: {}. They go on by themselves.</p>\n", view.waiting));
    }
    if !view.others.is_empty() {
        body.push_str("<h2>Use an account that is connected</h2>\n");
    }
    for other in &view.others {
        body.push_str(&format!(
            "<form method=\"post\">\n<input type=\"hidden\" name=\"use\" value=\"{}\">\n<p>{}, {}</p>\n\
             <button type=\"submit\">Use {}</button>\n</form>\n",
            other.id,
            escaped(other.nickname.as_str()),
            escaped(other.account.as_deref().unwrap_or("account not known")),
            escaped(other.nickname.as_str()),
        ));
    }
    for (number, method) in view.methods.iter().enumerate() {
        body.push_str(&one_method(view, number, method, refused));
    }
    if !view.scopes.is_empty() {
        body.push_str(&format!("<p>It will ask for: {}</p>\n", escaped(&view.scopes.join(", "))));
    }
    body.push_str(BACK);
    page(&format!("Connect {}", view.app_title), refused.map(|refused| &refused.notice), &body)
}

/// A prompt that asks for nothing any more; `late`: somebody just tried to answer it.
pub(super) fn over(view: &PromptView, answer: Option<&ConnectionView>, late: bool) -> Response {
    let (title, text) = match (view.state, answer) {
        (PromptState::Answered, Some(answer)) => {
            let account = answer.account.as_deref().map(|name| format!(", {}", escaped(name))).unwrap_or_default();
            let nickname = escaped(answer.nickname.as_str());
            let text = format!(
                "It was answered with <strong>{nickname}</strong>{account}. What waited for it goes on by itself."
            );
            ("is connected", text)
        }
        (PromptState::Answered, None) => {
            ("is connected", "It was answered. What waited for it goes on by itself.".to_owned())
        }
        _ => ("is not waited for", "Nothing waits for this connection any more: the request was closed.".to_owned()),
    };
    let notice = late.then(|| {
        Notice::told(StatusCode::CONFLICT, "This was settled meanwhile. What you entered was not used.", "alert")
    });
    page(&format!("{} {title}", view.app_title), notice.as_ref(), &format!("<p>{text}</p>\n{BACK}"))
}
