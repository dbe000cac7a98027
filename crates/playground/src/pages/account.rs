//! `/account/tokens`: API tokens and applications with a secret, each shown once; and consents, to be taken back.
//!
//! Must never act on a form that this server did not serve: every post brings a ticket.
//! Tests: `tests/walk/`.

use std::fmt::Write as _;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};

use super::{escaped, message_page, page};
use crate::accounts::Account;
use crate::app::{App, Ticket};
use crate::grants::{RevokeKind, registrable_redirect};
use crate::limits;
use crate::oauth::Form;

pub(super) async fn show(State(app): State<App>) -> Response {
    render(&app, "")
}

/// The form's `act`: `make_token` (`name`, `account`), `remove_token` (`id`), `make_client` (`name`, `redirect_uri`),
/// `withdraw` (`account`).
pub(super) async fn act(State(app): State<App>, body: Bytes) -> Response {
    let form = Form::read(&body);
    let ticket = form.get("ticket").and_then(|ticket| app.take_ticket(ticket));
    if !matches!(ticket, Some(Ticket::AccountPage)) {
        let page = message_page("This page was used already", "Or it is too old. Open it again.");
        return (StatusCode::BAD_REQUEST, page).into_response();
    }
    let name: String = form.get("name").unwrap_or("Unnamed").chars().take(limits::TEXT_CHARS_MAX).collect();
    let now_ms = app.now_ms();
    let shown_once = match form.get("act") {
        Some("make_token") => {
            let account = form.get("account").and_then(Account::find).unwrap_or(Account::Sam);
            let made = app.keeper.change(|state| state.grants.make_api_token(name, account, now_ms)).await;
            made.map(|made| match made {
                Ok(token) => once("The new API token", &[token.expose()]),
                Err(refusal) => format!("<p role=\"alert\">{}</p>\n", refusal.description()),
            })
        }
        Some("remove_token") => {
            let id = form.get("id").and_then(|id| id.parse().ok()).unwrap_or(0);
            app.keeper.change(|state| state.grants.remove_api_token(id)).await.map(|()| String::new())
        }
        Some("withdraw") => {
            let account = form.get("account").and_then(Account::find).unwrap_or(Account::Sam);
            let gone = app.keeper.change(|state| state.grants.revoke_account(account, RevokeKind::All)).await;
            gone.map(|_| {
                format!("<p role=\"status\">{} allows nobody any more: flows ask again.</p>\n", account.name())
            })
        }
        Some("make_client") => {
            let uris: Vec<String> = form.get("redirect_uri").map(str::to_owned).into_iter().collect();
            if !uris.iter().all(|uri| registrable_redirect(uri)) {
                return render(&app, "<p role=\"alert\">The redirect address must be loopback http or https.</p>\n");
            }
            let made = app.keeper.change(|state| state.grants.register(name, uris, true)).await;
            made.map(|made| match made {
                Ok((client, secret)) => {
                    let secret = secret.as_ref().map_or("", |secret| secret.expose());
                    once("The new application's id and secret", &[&client.id, secret])
                }
                Err(refusal) => format!("<p role=\"alert\">{}</p>\n", refusal.description()),
            })
        }
        _ => Ok(String::new()),
    };
    match shown_once {
        Ok(html) => render(&app, &html),
        Err(error) => {
            tracing::error!(%error, "a change is not on disk");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

fn once(title: &str, values: &[&str]) -> String {
    let values: String =
        values.iter().map(|value| format!("<code class=\"secret\">{}</code>\n", escaped(value))).collect();
    format!(
        "<div class=\"notice\" role=\"status\"><h2>{title}</h2>\n{values}<p class=\"soft\">Copy it now: it is not shown again.</p></div>\n"
    )
}

fn render(app: &App, notice: &str) -> Response {
    let form = |class: &str, act: &str, fields: &str, button: &str| {
        let ticket = app.make_ticket(Ticket::AccountPage);
        format!(
            "<form class=\"{class}\" method=\"post\" action=\"/account/tokens\">\
             <input type=\"hidden\" name=\"ticket\" value=\"{}\">\
             <input type=\"hidden\" name=\"act\" value=\"{act}\">{fields}{button}</form>\n",
            ticket.expose()
        )
    };
    let tokens = app.keeper.read(|state| state.grants.api_tokens().into_iter().cloned().collect::<Vec<_>>());
    let mut token_rows = String::new();
    for token in tokens {
        let name = escaped(&token.name);
        let id = format!("<input type=\"hidden\" name=\"id\" value=\"{}\">", token.id);
        let remove = form("", "remove_token", &id, &format!("<button aria-label=\"Remove {name}\">Remove</button>"));
        let made = crate::directory::timestamp(token.made_ms);
        let day = made.split('T').next().unwrap_or_default();
        writeln!(
            token_rows,
            "<tr><td>{name}</td><td>{}</td><td><time datetime=\"{made}\">{day}</time></td><td>{remove}</td></tr>",
            token.account.name()
        )
        .ok(); // Writing to a String cannot fail.
    }
    let mut consent_rows = String::new();
    for account in Account::ALL {
        let consents = app.keeper.read(|state| state.grants.consents(account));
        let (name, id) = (account.name(), account.id());
        if consents > 0 {
            let field = format!("<input type=\"hidden\" name=\"account\" value=\"{id}\">");
            let button = format!("<button aria-label=\"Withdraw what {name} allowed\">Withdraw</button>");
            let withdraw = form("", "withdraw", &field, &button);
            writeln!(consent_rows, "<tr><td>{name}</td><td>{consents}</td><td>{withdraw}</td></tr>").ok(); // As above.
        }
    }
    let client_rows = app.keeper.read(|state| {
        state
            .grants
            .clients()
            .map(|c| format!("<tr><td>{}</td><td><code>{}</code></td></tr>\n", escaped(&c.name), escaped(&c.id)))
            .collect::<String>()
    });
    let token_fields = "<label>Name<input type=\"text\" name=\"name\" required maxlength=\"80\" autocomplete=\"off\">\
        <span class=\"hint\">What it is for, so that you know it again.</span></label>\
        <label>Acts as<select name=\"account\"><option value=\"robin\">Robin Admin - may look and change</option>\
        <option value=\"sam\">Sam Staff - may look only</option></select></label>";
    let client_fields = "<label>Name<input type=\"text\" name=\"name\" required maxlength=\"80\" autocomplete=\"off\"></label>\
        <label>Redirect address<input type=\"url\" name=\"redirect_uri\" autocomplete=\"off\" \
        placeholder=\"http://127.0.0.1:8917/oauth/callback/playground\">\
        <span class=\"hint\">Only if people connect with it in a browser.</span></label>";
    let tokens = list(&token_rows, &["Name", "Acts as", "Made", "Action"], "API tokens", "No token yet.");
    let clients = list(&client_rows, &["Name", "Client ID"], "Applications", "No application yet.");
    let consents = list(&consent_rows, &["Account", "Consents", "Action"], "Consents", "Nobody allowed anything yet.");
    let body = format!(
        "<main>\n<p><a href=\"/\">Staff Directory playground</a></p>\n<h1>API tokens and applications</h1>\n{notice}\
         <h2>What was allowed</h2>\n{consents}\
         <h2>API tokens</h2>\n{tokens}<h2>Make an API token</h2>\n{}<h2>Applications</h2>\n{clients}\
         <h2>Register an application with a secret</h2>\n{}</main>\n",
        form("panel", "make_token", token_fields, "<button class=\"main\">Make a token</button>"),
        form("panel", "make_client", client_fields, "<button class=\"main\">Register</button>"),
    );
    page("API tokens", "wide", &body, "")
}

fn list(rows: &str, columns: &[&str], label: &str, none: &str) -> String {
    if rows.is_empty() {
        return format!("<p class=\"empty\">{none}</p>\n");
    }
    let head: String = columns.iter().map(|column| format!("<th scope=\"col\">{column}</th>")).collect();
    format!(
        "<div class=\"table\" role=\"region\" aria-label=\"{label}\" tabindex=\"0\"><table>\
         <thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>\n"
    )
}
