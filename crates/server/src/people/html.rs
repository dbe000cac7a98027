//! The pages: set-up, signing in, one's account. No script, nothing loaded, every field with its label.
//!
//! Must never show what came with a request, but for a token that was just found right and the name that somebody typed.
//! Tests: below, `tests/people.rs`, `tests/people_ways.rs`.

use axum::response::{Html, IntoResponse, Response};
use base64::Engine as _;
use flowdeck::connections::SecretText;
use flowdeck::people::{PersonName, Role};
use http::{HeaderValue, StatusCode, header};
use sha2::{Digest as _, Sha256};

use crate::wire::Problem;

const STYLE: &str = "body{font:1rem/1.5 system-ui,sans-serif;margin:0;padding:2rem 1rem}\
main{max-width:28rem;margin:0 auto}\
label{display:block;margin:1rem 0 .25rem;font-weight:600}\
input,select{box-sizing:border-box;width:100%;font:inherit;padding:.5rem;border:1px solid #777;border-radius:.25rem}\
button{font:inherit;margin-top:1.25rem;padding:.5rem 1.25rem}\
:focus-visible{outline:3px solid #1a73e8;outline-offset:2px}\
[role=alert],[role=status]{border-left:.3rem solid;padding:.25rem .75rem}\
span[role=alert]{display:block}\
[aria-invalid=true]{border:2px solid #c5221f}\
.hint{margin:.25rem 0 0}\
main{overflow-wrap:anywhere}\
pre{white-space:pre-wrap}\
ol,ul{padding-left:1.5rem}\
summary{margin-top:.5rem}";

/// A sentence at the top of a page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Notice {
    status: StatusCode,
    text: String,
    role: &'static str,
}

impl Notice {
    pub(super) fn refused(problem: &Problem) -> Self {
        let status = StatusCode::from_u16(problem.status).unwrap_or(StatusCode::BAD_REQUEST);
        Self { status, text: sentence(&problem.title), role: "alert" }
    }

    pub(super) fn done(text: &str) -> Self {
        Self::told(StatusCode::OK, text, "status")
    }

    pub(super) fn told(status: StatusCode, text: &str, role: &'static str) -> Self {
        Self { status, text: text.to_owned(), role }
    }
}

/// With a capital letter and a full stop.
pub(super) fn sentence(text: &str) -> String {
    let mut letters = text.trim_end_matches('.').chars();
    let first = letters.next().map(char::to_uppercase).into_iter().flatten();
    first.chain(letters).chain(['.']).collect()
}

pub(super) fn set_up(token: &SecretText, name: &str, notice: Option<&Notice>) -> Response {
    let body = format!(
        "<p>You become the first administrator of this flowdeck.</p>\n<form method=\"post\" action=\"/setup\">\n\
         <input type=\"hidden\" name=\"token\" value=\"{}\">\n{}{}\
         <button type=\"submit\">Set up</button>\n</form>",
        escaped(token.expose()),
        field("name", "Name", "text", "username", "1 to 64 small letters, digits or . _ - + @", name),
        field("password", "Password", "password", "new-password", PASSWORD_HINT, ""),
    );
    page("Set up flowdeck", notice, &body)
}

const PASSWORD_HINT: &str = "At least 12 characters; a sentence is easy to remember.";

pub(super) fn no_set_up() -> Response {
    let problem = Problem::new(StatusCode::FORBIDDEN, "people.setup", "This link is not valid");
    let body = "<p>It was used, is older than an hour, or the server was started again since.</p>\n\
                <p>If there is an administrator already, <a href=\"/login\">sign in</a>. Otherwise start \
                <code>flowdeck serve</code> again: it shows a new link.</p>";
    page("Set up flowdeck", Some(&Notice::refused(&problem)), body)
}

pub(super) fn sign_in(to: &str, name: &str, notice: Option<&Notice>) -> Response {
    let body = format!(
        "<form method=\"post\" action=\"/login\">\n<input type=\"hidden\" name=\"to\" value=\"{}\">\n{}{}\
         <button type=\"submit\">Sign in</button>\n</form>",
        escaped(super::to::own_page(to)),
        field("name", "Name", "text", "username", "", name),
        field("password", "Password", "password", "current-password", "", ""),
    );
    page("Sign in to flowdeck", notice, &body)
}

pub(super) fn account(name: &PersonName, role: Role, notice: Option<&Notice>) -> Response {
    let body = format!(
        "<p>You are signed in as <strong>{}</strong>, {role}.</p>\n\
         <p><a href=\"/connect\">What waits for a connection</a></p>\n\
         <form method=\"post\" action=\"/logout\">\n<button type=\"submit\">Sign out</button>\n</form>\n\
         <h2>Change the password</h2>\n<p>Your other sessions end.</p>\n\
         <form method=\"post\" action=\"/account/password\">\n{}{}\
         <button type=\"submit\">Change the password</button>\n</form>",
        escaped(name.as_str()),
        field("present", "Present password", "password", "current-password", "", ""),
        field("new", "New password", "password", "new-password", PASSWORD_HINT, ""),
    );
    page("Your account", notice, &body)
}

fn field(name: &str, label: &str, kind: &str, fills: &str, hint: &str, value: &str) -> String {
    let (described, hint) = match hint {
        "" => (String::new(), String::new()),
        hint => (
            format!(" aria-describedby=\"{name}-hint\""),
            format!("<p class=\"hint\" id=\"{name}-hint\">{}</p>\n", escaped(hint)),
        ),
    };
    let value = if value.is_empty() { String::new() } else { format!(" value=\"{}\"", escaped(value)) };
    format!(
        "<label for=\"{name}\">{label}</label>\n\
         <input id=\"{name}\" name=\"{name}\" type=\"{kind}\" autocomplete=\"{fills}\"{value} required{described}>\n{hint}"
    )
}

/// What a browser shows of a problem: what happened, what to do, and where to go on.
pub(super) fn problem(problem: &Problem) -> Response {
    let title = match problem.status {
        403 => "You may not do this",
        404 => "Nothing here",
        421 => "Another address",
        500.. => "This did not work here",
        _ => "This did not work",
    };
    let remedy = match problem.remedy.as_str() {
        "" => String::new(),
        remedy => format!("<p>{}</p>\n", coded(remedy)),
    };
    // At another name no page of ours can be reached.
    let on = if problem.status == 421 { "" } else { "<p><a href=\"/\">Go to the first page</a></p>" };
    page(title, Some(&Notice::refused(problem)), &format!("{remedy}{on}"))
}

/// An answer of a consent that no attempt of this person waits for.
pub(super) fn nothing_waits() -> Response {
    let text = "It belongs to no attempt to connect that is under way: its time is over, or it was begun elsewhere. \
                Nothing was changed.";
    let body = "<p>Begin again with <a href=\"/connect\">what waits for a connection</a>.</p>";
    page("Nothing waits for this answer", Some(&Notice::told(StatusCode::BAD_REQUEST, text, "alert")), body)
}

pub(super) fn page(title: &str, notice: Option<&Notice>, body: &str) -> Response {
    let told = notice.map_or_else(String::new, |n| format!("<p role=\"{}\">{}</p>\n", n.role, coded(&n.text)));
    let title = escaped(title);
    let text = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n<title>{title}</title>\n<style>{STYLE}</style>\n</head>\n\
         <body>\n<main>\n<h1>{title}</h1>\n{told}{body}\n</main>\n</body>\n</html>\n"
    );
    let mut response = (notice.map_or(StatusCode::OK, |n| n.status), Html(text)).into_response();
    let style = base64::engine::general_purpose::STANDARD.encode(Sha256::digest(STYLE));
    let policy = format!(
        "default-src 'none'; style-src 'sha256-{style}'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    );
    if let Ok(policy) = HeaderValue::try_from(policy) {
        response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, policy);
    }
    // With `no-referrer` a browser says `Origin: null` of our own forms, and they would be refused.
    response.headers_mut().insert(header::REFERRER_POLICY, HeaderValue::from_static("same-origin"));
    response
}

/// A sentence of ours: what stands between backticks is something to type.
pub(super) fn coded(text: &str) -> String {
    let parts: Vec<&str> = text.split('`').collect();
    if parts.len().is_multiple_of(2) {
        return escaped(text);
    }
    let shown = |(number, part): (usize, &&str)| match number % 2 {
        0 => escaped(part),
        _ => format!("<code>{}</code>", escaped(part)),
    };
    parts.iter().enumerate().map(shown).collect()
}

pub(crate) fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_to_be_typed_stands_out() {
        assert_eq!(coded("start with `--x <y>`; then"), "start with <code>--x &lt;y&gt;</code>; then");
        assert_eq!(coded("a ` b"), "a ` b");
        assert_eq!(sentence("it broke."), "It broke.");
    }

    #[test]
    fn what_is_shown_is_inert() {
        assert_eq!(escaped("<a href='x'>&\"</a>"), "&lt;a href=&#39;x&#39;&gt;&amp;&quot;&lt;/a&gt;");
    }
}
