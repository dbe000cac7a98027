//! The consent page and the page where a device's code is typed.
//!
//! Must never tick for a person what was not asked for, nor need a script.
//! Tests: `tests/walk/`.

use std::fmt::Write as _;

use axum::response::Response;
use url::Url;

use super::{escaped, page};
use crate::accounts::Account;
use crate::scopes::Scopes;

pub(crate) struct Consent<'a> {
    pub(crate) action: &'a str,
    pub(crate) client: &'a str,
    pub(crate) scopes: &'a Scopes,
    pub(crate) chosen: Account,
    pub(crate) ticket: &'a str,
    /// Where the browser goes afterwards; `None` for a device.
    pub(crate) back_to: Option<Url>,
}

const MARK: &str = "<div class=\"mark\"><span aria-hidden=\"true\">S</span>Staff Directory playground</div>\n";

pub(crate) fn consent_page(consent: &Consent<'_>) -> Response {
    let client = escaped(consent.client);
    let (accounts, scopes) = (accounts(consent.chosen), scopes(consent.scopes));
    let origin = consent.back_to.as_ref().map(|url| url.origin().ascii_serialization());
    let afterwards = match &origin {
        Some(origin) => format!("You will be sent back to <b>{}</b>.", escaped(origin)),
        None => "Your device goes on by itself. Allow only if you started this yourself.".to_owned(),
    };
    let body = format!(
        "<main class=\"card\">\n{MARK}<h1>{client} would like to use your staff directory</h1>\n\
         <form method=\"post\" action=\"{action}\">\n<input type=\"hidden\" name=\"ticket\" value=\"{ticket}\">\n\
         <fieldset><legend>Sign in as</legend>\n{accounts}</fieldset>\n\
         <fieldset class=\"scopes\"><legend>What {client} may do</legend>\n{scopes}</fieldset>\n\
         <div class=\"buttons\"><button class=\"main\" name=\"decision\" value=\"allow\">Allow</button>\
         <button name=\"decision\" value=\"deny\">Deny</button></div>\n</form>\n\
         <p class=\"soft\">{afterwards} Nobody in this directory is real.</p>\n</main>\n",
        action = consent.action,
        ticket = escaped(consent.ticket),
    );
    page("Allow access", "narrow", &body, origin.as_deref().unwrap_or_default())
}

fn accounts(chosen: Account) -> String {
    let mut html = String::new();
    for account in Account::ALL {
        let checked = if account == chosen { " checked" } else { "" };
        writeln!(
            html,
            "<label class=\"choice\"><input type=\"radio\" name=\"account\" value=\"{}\"{checked}>\
             <span><b>{}</b><small>{}</small><small>{}</small></span></label>",
            account.id(),
            account.name(),
            account.email(),
            account.role().words()
        )
        .ok(); // Writing to a String cannot fail.
    }
    html
}

fn scopes(scopes: &Scopes) -> String {
    let mut html = String::new();
    for scope in scopes {
        let (title, text) = scope.words();
        // What cannot be unticked is no box at all: the server adds it by itself.
        let item = if scope.is_needed() {
            format!(
                "<div class=\"choice fixed\"><span class=\"tick\" aria-hidden=\"true\">&#10003;</span>\
                 <span><b>{title} <span class=\"always\">(always included)</span></b><small>{text}</small></span></div>\n"
            )
        } else {
            format!(
                "<label class=\"choice\"><input type=\"checkbox\" name=\"scope\" value=\"{}\" checked>\
                 <span><b>{title}</b><small>{text}</small></span></label>\n",
                scope.name()
            )
        };
        html += &item;
    }
    html
}

/// `unknown`: a code that was typed and that nobody waits for.
pub(crate) fn device_page(unknown: Option<&str>) -> Response {
    let problem = match unknown {
        Some(_) => {
            "<p role=\"alert\" id=\"problem\">No device waits for that code. Check it, or start again on the device.</p>\n"
        }
        None => "",
    };
    let invalid = if unknown.is_some() { " aria-invalid=\"true\" aria-describedby=\"problem\"" } else { "" };
    let typed = escaped(&unknown.unwrap_or_default().chars().take(20).collect::<String>());
    let body = format!(
        "<main class=\"card\">\n{MARK}<h1>Connect a device</h1>\n{problem}\
         <form method=\"get\" action=\"/oauth/device\">\n<label for=\"user_code\">The code your device shows</label>\n\
         <input class=\"code\" type=\"text\" id=\"user_code\" name=\"user_code\" value=\"{typed}\" required autofocus{invalid} \
         autocomplete=\"off\" spellcheck=\"false\" placeholder=\"ABCD-EFGH\">\n\
         <div class=\"buttons\"><button class=\"main\">Continue</button></div>\n</form>\n</main>\n"
    );
    page("Connect a device", "narrow", &body, "")
}
