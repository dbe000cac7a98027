//! `flowdeck apps`: which apps there are, and what one offers.
//!
//! Must never show anything of a connection.
//! Tests: `crates/cli/tests/check.rs`.

use anyhow::{Result, bail};
use clap::{Args, Subcommand};
use flowdeck::model::app::{AuthKind, OAuthGrant};
use flowdeck::model::{CardRole, Catalogue};
use flowdeck::{App, Cards};
use serde_json::json;

use crate::end::{End, usage};
use crate::options::Globals;
use crate::out;
use crate::screen::markdown::markdown;
use crate::screen::style::{Style, beside, width, wrap};
use crate::screen::table::table;
use crate::session::{self, Session};

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  flowdeck apps list
  flowdeck apps show okta
  flowdeck cards list okta            its cards alone")]
pub(crate) struct Apps {
    #[command(subcommand)]
    command: AppsCommand,
    /// JSON instead of screens.
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum AppsCommand {
    /// Lists apps.
    List,
    /// Shows an app: its cards, ways to authorize, scopes, help.
    Show {
        /// The app's name, as `okta`.
        app: String,
    },
}

pub(crate) fn run(apps: &Apps, globals: &Globals) -> Result<End> {
    let cards = Session::cards_of(globals)?;
    let style = out::style();
    match &apps.command {
        AppsCommand::List if apps.json => cards.apps().apps().for_each(|app| out::json(&head(app))),
        AppsCommand::List => {
            let rows: Vec<Vec<String>> = cards
                .apps()
                .apps()
                .map(|a| vec![a.file.app.to_string(), a.cards.len().to_string(), a.file.summary.clone()])
                .collect();
            out::text(&table(&["app", "cards", "about"], &rows, style));
        }
        AppsCommand::Show { app: name } => {
            let Some(app) = cards.apps().app(name) else {
                bail!(usage(format!("there is no app `{name}`; `flowdeck apps list` names them")));
            };
            if apps.json {
                out::pretty(&json!({ "app": head(app), "auth": app.auth.as_deref(), "cards": declared(&cards, name) }));
            } else {
                out::text(&show(app, &session::redirect_uri(globals.redirect_port, &app.file.app), style));
            }
        }
    }
    Ok(End::Fine)
}

fn head(app: &App) -> serde_json::Value {
    json!({
        "app": app.file.app, "title": app.file.title, "summary": app.file.summary, "cards": app.cards.len(),
    })
}

fn declared(cards: &Cards, family: &str) -> Vec<serde_json::Value> {
    let all = cards.cards();
    all.iter().filter(|c| c.name.family() == family).map(|c| json!(c.as_ref())).collect()
}

fn show(app: &App, redirect: &str, style: Style) -> String {
    let mut out = format!("{}  {}\n", style.bold(&app.file.title), app.file.summary);
    if let Some(auth) = &app.auth {
        out.push_str(&format!("\n{}\n", style.dim("Ways to authorize")));
        for method in &auth.methods {
            let fields: Vec<_> = method.fields.iter().map(|f| f.title.as_str()).collect();
            let form = if fields.is_empty() { "no form".into() } else { fields.join(", ") };
            let how = match &method.kind {
                AuthKind::OAuth2(o) if o.grants.contains(&OAuthGrant::Device) => "; browser or device code",
                AuthKind::OAuth2(o) if o.grants.contains(&OAuthGrant::AuthorizationCode) => "; browser",
                _ => "",
            };
            out.push_str(&format!("  {}  {} ({form}{how})\n", style.key(&method.key), method.title));
        }
        if !auth.scopes.is_empty() {
            out.push_str(&format!("\n{}\n", style.dim("Scopes")));
            out.push_str(&rows(auth.scopes.iter().map(|(k, v)| (k.as_str(), v.as_str())), style));
        }
        if !auth.help.is_empty() {
            out.push_str(&format!("\n{}\n{}", style.dim("Need help?"), markdown(&auth.help, style, 2)));
        }
        for method in auth.methods.iter().filter(|method| !method.help.is_empty()) {
            let help =
                method.help.replace("{redirect_uri}", redirect).replace("{scopes}", &auth.default_scopes.join(" "));
            out.push_str(&format!("\n{} {}\n{}", style.dim("Need help?"), method.title, markdown(&help, style, 2)));
        }
    }
    if !app.file.addresses.is_empty() {
        out.push_str(&format!("\n{}\n", style.dim("Addresses")));
        let name = app.file.app.as_str();
        let list: Vec<_> = app.file.addresses.iter().map(|(key, url)| (format!("{name}.{key}"), url)).collect();
        out.push_str(&rows(list.iter().map(|(key, url)| (key.as_str(), url.as_str())), style));
    }
    if !app.file.unconfirmed.is_empty() {
        out.push_str(&format!("\n{}\n", style.dim("Not confirmed")));
        for words in &app.file.unconfirmed {
            out.push_str(&format!("  {}\n", wrap(words, style.text_width(), 2).trim()));
        }
    }
    for (role, title) in [(CardRole::Event, "Events"), (CardRole::Action, "Actions")] {
        let cards: Vec<_> = app.cards.iter().filter(|c| c.role == role).collect();
        if !cards.is_empty() {
            out.push_str(&format!("\n{}\n", style.dim(title)));
            out.push_str(&rows(cards.iter().map(|c| (c.name.as_str(), c.summary.as_str())), style));
        }
    }
    out
}

fn rows<'a>(rows: impl Iterator<Item = (&'a str, &'a str)> + Clone, style: Style) -> String {
    let column = rows.clone().map(|(name, _)| width(name)).max().unwrap_or(0) + 4;
    let columns = style.text_width();
    rows.map(|(name, words)| match style.is_narrow() {
        true => format!("  {}\n{}", style.key(name), wrap(words, columns, 6)),
        false => beside(&format!("  {}", style.key(name)), 2 + width(name), column, words, columns),
    })
    .collect()
}
