//! `flowdeck apps`: which apps there are, and what one offers.
//!
//! Must never show anything of a connection.
//! Tests: `crates/cli/tests/check.rs`.

use std::sync::Arc;

use anyhow::{Result, bail};
use clap::{Args, Subcommand};
use flowdeck::model::app::{AuthKind, OAuthGrant};
use flowdeck::model::{CardDecl, CardRole, Catalogue};
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
    /// One JSON object a line, instead of screens.
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
        AppsCommand::List if apps.json => heads(&cards).iter().for_each(|head| out::json(&head.json())),
        AppsCommand::List => {
            let rows = heads(&cards);
            let rows: Vec<_> =
                rows.into_iter().map(|head| vec![head.app, head.cards.to_string(), head.summary]).collect();
            out::text(&table(&["app", "cards", "about"], &rows, style));
        }
        AppsCommand::Show { app: name } if name == TABLES => {
            let (head, own) = (tables(&cards), of_family(&cards, TABLES));
            if apps.json {
                out::json(&json!({ "app": head.json(), "auth": null, "cards": own }));
            } else {
                let mut text = format!("{}  {}\n", style.bold(&head.title), head.summary);
                text.push_str(&wrap(TABLES_MORE, style.text_width(), 2));
                out::text(&(text + &actions("Actions", own.iter().map(AsRef::as_ref), style)));
            }
        }
        AppsCommand::Show { app: name } => {
            let Some(app) = cards.apps().app(name) else {
                bail!(usage(format!("there is no app `{name}`; `flowdeck apps list` names them")));
            };
            if apps.json {
                out::json(
                    &json!({ "app": Head::of(app).json(), "auth": app.auth.as_deref(), "cards": of_family(&cards, name) }),
                );
            } else {
                out::text(&show(app, &session::redirect_uri(globals.redirect_port, &app.file.app), style));
            }
        }
    }
    Ok(End::Fine)
}

/// The app that has no file: its cards work on rows of this runtime.
const TABLES: &str = "tables";
const TABLES_MORE: &str =
    "It needs no connection: the rows are kept with the runs, and `flowdeck tables` shows and changes them.";

/// What a list says of an app.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Head {
    app: String,
    title: String,
    summary: String,
    cards: usize,
}

impl Head {
    fn of(app: &App) -> Self {
        let (file, cards) = (&app.file, app.cards.len());
        Self { app: file.app.to_string(), title: file.title.clone(), summary: file.summary.clone(), cards }
    }

    fn json(&self) -> serde_json::Value {
        json!({ "app": self.app, "title": self.title, "summary": self.summary, "cards": self.cards })
    }
}

fn tables(cards: &Cards) -> Head {
    let (title, summary) = ("Tables".to_owned(), "Rows that flows keep in the data folder.".to_owned());
    Head { app: TABLES.to_owned(), title, summary, cards: of_family(cards, TABLES).len() }
}

/// All apps by name.
fn heads(cards: &Cards) -> Vec<Head> {
    let mut heads: Vec<Head> = cards.apps().apps().map(|app| Head::of(app)).chain([tables(cards)]).collect();
    heads.sort();
    heads
}

fn of_family(cards: &Cards, family: &str) -> Vec<Arc<CardDecl>> {
    cards.cards().into_iter().filter(|card| card.name.family() == family).collect()
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
        out.push_str(&actions(title, app.cards.iter().map(AsRef::as_ref).filter(|c| c.role == role), style));
        let ways = app.arrival_words();
        if role == CardRole::Event && !ways.is_empty() {
            out.push_str(&wrap(&format!("They are {}.", ways.join(", or ")), style.text_width(), 2));
            if app.webhook().is_some() {
                out.push_str(&format!("  flowdeck hooks add {} makes the address.\n", app.file.app));
            }
        }
    }
    out
}

/// A block of cards; nothing where there are none.
fn actions<'a>(title: &str, cards: impl Iterator<Item = &'a CardDecl> + Clone, style: Style) -> String {
    let text = rows(cards.map(|c| (c.name.as_str(), c.summary.as_str())), style);
    if text.is_empty() { text } else { format!("\n{}\n{text}", style.dim(title)) }
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
