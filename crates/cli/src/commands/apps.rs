//! `flowdeck apps`: which apps there are, and what one offers.
//!
//! Must never show anything of a connection.
//! Tests: `crates/cli/tests/check.rs`.

use anyhow::{Result, bail};
use clap::{Args, Subcommand};
use flowdeck::model::CardRole;

use crate::{End, files};

#[derive(Debug, Args)]
pub(crate) struct Apps {
    #[command(subcommand)]
    command: AppsCommand,
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

pub(crate) fn run(apps: &Apps) -> Result<End> {
    let cards = files::cards()?;
    match &apps.command {
        AppsCommand::List => {
            for app in cards.apps().apps() {
                println!("{:12} {:3} cards  {}", app.file.app.as_str(), app.cards.len(), app.file.summary);
            }
        }
        AppsCommand::Show { app: name } => {
            let Some(app) = cards.apps().app(name) else {
                let known: Vec<_> = cards.apps().apps().map(|a| a.file.app.as_str()).collect();
                bail!("there is no app `{name}`; there are {}", known.join(", "));
            };
            println!("{}: {}", app.file.title, app.file.summary);
            if let Some(auth) = &app.auth {
                println!("\nWays to authorize:");
                for method in &auth.methods {
                    let fields: Vec<_> = method.fields.iter().map(|f| f.title.as_str()).collect();
                    println!(
                        "  {} ({})",
                        method.title,
                        if fields.is_empty() { "no form".into() } else { fields.join(", ") }
                    );
                }
                println!("\nScopes:");
                auth.scopes.iter().for_each(|(scope, words)| println!("  {scope:24} {words}"));
                println!("\nNeed help?\n{}", auth.help.trim_end());
            }
            for (role, title) in [(CardRole::Event, "Events"), (CardRole::Action, "Actions")] {
                println!("\n{title}:");
                for card in app.cards.iter().filter(|c| c.role == role) {
                    println!("  {:36} {}", card.name.as_str(), card.summary);
                }
            }
        }
    }
    Ok(End::Fine)
}
