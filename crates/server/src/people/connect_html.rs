//! The pages of connecting: what is asked for, the form, the way to the app, the end.
//!
//! Must never show a secret, nor anything as HTML that is not ours.
//! Tests: `tests/connect_pages.rs`.

use axum::response::Response;
use flowdeck::connections::{Attempt, AttemptStep};
use flowdeck::model::app::{AuthField, FieldShape};
use flowdeck::model::connect::{PromptMethod, PromptView};

use super::connect::OWN_FIELD;
use super::html::{Notice, escaped, page};
use crate::wire::Problem;

const BACK: &str = "<p><a href=\"/connect\">All that waits for a connection</a></p>";

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
    page("What waits for a connection", None, &body)
}

pub(super) fn prompt(view: &PromptView, problem: Option<&Problem>) -> Response {
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
        body.push_str(&one_method(view, number, method, problem));
    }
    if !view.scopes.is_empty() {
        body.push_str(&format!("<p>It will ask for: {}</p>\n", escaped(&view.scopes.join(", "))));
    }
    body.push_str(BACK);
    page(&format!("Connect {}", view.app_title), problem.map(Notice::refused).as_ref(), &body)
}

fn one_method(view: &PromptView, number: usize, method: &PromptMethod, problem: Option<&Problem>) -> String {
    let mut form = format!(
        "<h2>{}</h2>\n<form method=\"post\">\n<input type=\"hidden\" name=\"method\" value=\"{}\">\n",
        escaped(&method.title),
        escaped(&method.key)
    );
    if !method.help.is_empty() {
        form.push_str(&format!(
            "<details><summary>Need help?</summary><pre>{}</pre></details>\n",
            escaped(&method.help)
        ));
    }
    if let Some(uri) = &method.redirect_uri {
        form.push_str(&format!("<p>Register this redirect URI at the app: <code>{}</code></p>\n", escaped(uri)));
    }
    if view.connection.is_none() {
        form.push_str(&format!(
            "<label for=\"m{number}-nickname\">Nickname, your name for this connection</label>\n\
             <input id=\"m{number}-nickname\" name=\"nickname\" value=\"{}\" autocomplete=\"off\" required>\n",
            escaped(view.nickname.as_str())
        ));
    }
    for field in &method.fields {
        let wrong = problem.and_then(|problem| problem.fields.get(&field.key)).map(String::as_str);
        form.push_str(&one_field(view, number, method, field, wrong));
    }
    let next = if method.browser { "Go on" } else { "Connect" };
    form.push_str(&format!("<button type=\"submit\">{next}</button>\n</form>\n"));
    form
}

fn one_field(
    view: &PromptView,
    number: usize,
    method: &PromptMethod,
    field: &AuthField,
    wrong: Option<&str>,
) -> String {
    let id = format!("m{number}-{}", escaped(&field.key));
    let name = format!("{OWN_FIELD}{}", escaped(&field.key));
    let kept = field.secret && view.connection.is_some();
    let known = method.known.get(&field.key).or(field.default.as_ref()).filter(|_| !field.secret);
    let required = if field.optional || kept || known.is_some() { "" } else { " required" };
    let mut hints = vec![field.help.clone()];
    hints.extend((!field.example.is_empty()).then(|| format!("As {}.", field.example)));
    hints.extend(kept.then(|| "Empty keeps the stored one.".to_owned()));
    hints.retain(|hint| !hint.is_empty());
    let invalid = if wrong.is_some() { " aria-invalid=\"true\"" } else { "" };
    let told = wrong.map_or_else(String::new, |wrong| format!("<span role=\"alert\">{}</span> ", escaped(wrong)));
    let hint = format!("<p class=\"hint\" id=\"{id}-hint\">{told}{}</p>\n", escaped(&hints.join(" ")));
    let about = format!("id=\"{id}\" name=\"{name}\" aria-describedby=\"{id}-hint\"{invalid}{required}");
    let input = match &field.shape {
        FieldShape::Choice(choices) => {
            let options = choices.iter().map(|choice| {
                let selected = if known == Some(choice) { " selected" } else { "" };
                format!("<option{selected}>{}</option>", escaped(choice))
            });
            format!("<select {about}>{}</select>", options.collect::<String>())
        }
        FieldShape::Text | FieldShape::Domain { .. } | FieldShape::Url => {
            let kind = if field.secret { "password" } else { "text" };
            let value = known.map_or_else(String::new, |known| format!(" value=\"{}\"", escaped(known)));
            format!("<input {about} type=\"{kind}\" autocomplete=\"off\"{value}>")
        }
    };
    format!("<label for=\"{id}\">{}</label>\n{input}\n{hint}", escaped(&field.title))
}

pub(super) fn attempt(attempt: &Attempt, notice: Option<&Notice>) -> Response {
    let button = |action: &str, label: &str| {
        format!(
            "<form method=\"post\">\n<input type=\"hidden\" name=\"do\" value=\"{action}\">\n\
             <button type=\"submit\">{label}</button>\n</form>\n"
        )
    };
    let (title, body) = match &attempt.step {
        AttemptStep::Browser { authorize_url, .. } => {
            let host = url::Url::parse(authorize_url).ok().and_then(|url| url.host_str().map(str::to_owned));
            let host = escaped(&host.unwrap_or_default());
            let body = format!(
                "<p>You are connecting an account of yours to this workspace: its flows will act with that account. \
                 {host} asks whether you agree.</p>\n\
                 <p><a href=\"{}\" rel=\"noreferrer\">Go on to {host}</a></p>\n\
                 <p><a href=\"\">See whether it is connected</a></p>\n\
                 <h2>If your browser ends at an address that it cannot open</h2>\n<form method=\"post\">\n\
                 <input type=\"hidden\" name=\"do\" value=\"paste\">\n\
                 <label for=\"text\">The whole address</label>\n\
                 <input id=\"text\" name=\"text\" autocomplete=\"off\" required>\n\
                 <button type=\"submit\">Connect</button>\n</form>\n",
                escaped(authorize_url)
            );
            ("Agree at the app", body)
        }
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
        AttemptStep::Done { connection, .. } => {
            let account = connection.account.as_deref().unwrap_or("its account");
            let body = format!(
                "<p role=\"status\">{}, {}, is connected to this workspace as {}. What waited for it goes on by \
                 itself.</p>\n",
                escaped(connection.app.as_str()),
                escaped(account),
                escaped(connection.nickname.as_str())
            );
            ("Connected", body)
        }
        AttemptStep::Failed(fault) => {
            let body =
                format!("<p role=\"alert\">{}</p>\n<p>{}</p>\n", escaped(&fault.message), escaped(&fault.remedy));
            ("Not connected", body)
        }
        _ => ("Connecting", String::new()),
    };
    page(title, notice, &format!("{body}{BACK}"))
}
