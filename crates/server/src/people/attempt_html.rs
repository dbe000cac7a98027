//! The pages of one attempt to connect: the way to the app, another account, the end.
//!
//! Must never show a secret, nor say that something goes on which does not.
//! Tests: `tests/connect_pages.rs`, `tests/connect_ends.rs`.

use axum::response::Response;
use flowdeck::connections::{Attempt, AttemptStep};
use flowdeck::model::connect::ConnectionView;
use flowdeck::model::{Nickname, PromptId};

use super::connect_html::BACK;
use super::html::{Notice, coded, escaped, page, sentence};

pub(super) fn attempt(attempt: &Attempt, app: &str, prompt: Option<PromptId>, notice: Option<&Notice>) -> Response {
    let (title, body) = match &attempt.step {
        AttemptStep::Browser { authorize_url, .. } => ("Agree at the app", consent(authorize_url, app)),
        AttemptStep::Device { user_code, verification_uri, verification_uri_complete, .. } => {
            let to = escaped(verification_uri_complete.as_ref().unwrap_or(verification_uri));
            let body = format!(
                "<p>You are connecting an account of yours to this workspace. Open \
                 <a href=\"{to}\" rel=\"noreferrer\">{}</a> and type the code <strong>{}</strong> there.</p>\n{}",
                escaped(verification_uri),
                escaped(user_code),
                button("poll", "I have done that")
            );
            ("Type a code at the app", body)
        }
        AttemptStep::ConfirmAccount { was, now, .. } => {
            let body = format!(
                "<p>This connection was of <strong>{}</strong>. You signed in as <strong>{}</strong>.</p>\n{}{}",
                escaped(was),
                escaped(now),
                button("switch", "Connect the other account to this workspace"),
                button("keep", "Keep the account it was"),
            );
            ("Another account", body)
        }
        AttemptStep::Done { connection, meanwhile } => ("Connected", connected(connection, app, meanwhile.as_ref())),
        AttemptStep::Failed(fault) => {
            let again = prompt.map(|id| format!("<p><a href=\"/connect/{id}\">Try again</a></p>\n"));
            let title = if fault.code == "declined" { "Declined" } else { "Not connected" };
            let body = format!(
                "<p role=\"alert\">{}</p>\n<p>{}</p>\n{}",
                coded(&sentence(&fault.message)),
                coded(&fault.remedy),
                again.unwrap_or_default()
            );
            (title, body)
        }
        _ => ("Connecting", String::new()),
    };
    page(title, notice, &format!("{body}{BACK}"))
}

fn button(action: &str, label: &str) -> String {
    format!(
        "<form method=\"post\">\n<input type=\"hidden\" name=\"do\" value=\"{action}\">\n\
         <button type=\"submit\">{label}</button>\n</form>\n"
    )
}

fn consent(authorize_url: &str, app: &str) -> String {
    let url = url::Url::parse(authorize_url).ok();
    let host = url.as_ref().and_then(|url| {
        let host = url.host_str()?;
        Some(url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}")))
    });
    let (app, host) = (escaped(app), escaped(&host.unwrap_or_default()));
    format!(
        "<p>You are connecting an account of yours to this workspace: its flows will act with that account. \
         {app} asks whether you agree.</p>\n\
         <p><a href=\"{}\" rel=\"noreferrer\">Go on to {app}</a> ({host})</p>\n\
         <p><a href=\"\">See whether it is connected</a></p>\n\
         <h2>If your browser ends at an address that it cannot open</h2>\n<form method=\"post\">\n\
         <input type=\"hidden\" name=\"do\" value=\"paste\">\n\
         <label for=\"text\">The whole address</label>\n\
         <input id=\"text\" name=\"text\" autocomplete=\"off\" required>\n\
         <button type=\"submit\">Connect</button>\n</form>\n",
        escaped(authorize_url)
    )
}

fn connected(made: &ConnectionView, app: &str, meanwhile: Option<&Nickname>) -> String {
    let account = made.account.as_deref().unwrap_or("An account");
    let nickname = escaped(made.nickname.as_str());
    let next = match meanwhile {
        None => "<p>What waited for it goes on by itself.</p>".to_owned(),
        Some(other) => format!(
            "<p>The request was answered meanwhile with <strong>{}</strong>, and what waited goes on with that. Your \
             account is saved as <strong>{nickname}</strong>; nothing uses it yet.</p>",
            escaped(other.as_str())
        ),
    };
    format!(
        "<p role=\"status\"><strong>{}</strong> of {} is connected to this workspace as <strong>{nickname}</strong>.\
         </p>\n{next}\n<p><a href=\"/account\">Your account</a></p>\n",
        escaped(account),
        escaped(app),
    )
}
