//! `flowdeck tokens`: what programs show to `flowdeck serve` instead of a password.
//!
//! Must never show a token but once, when it is made.
//! Tests: `crates/cli/tests/people.rs`.

use anyhow::Result;
use clap::{Args, Subcommand};
use flowdeck::people::{Area, PersonName, Role, TOKEN_DAYS_MAX, TokenView};
use flowdeck_server::wire::MakeToken;
use serde_json::json;

use crate::api::Api;
use crate::end::End;
use crate::options::Globals;
use crate::out::{self, Pages, style};
use crate::screen::table::table;
use crate::session;

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  flowdeck tokens add deploy --role builder --scope flows --days 30
  flowdeck tokens list
  flowdeck tokens revoke 3f2a9c0d11e4b7a6

A program sends it as: Authorization: Bearer fd_…")]
pub(crate) struct Tokens {
    #[command(subcommand)]
    command: TokensCommand,
    /// One JSON object a line, instead of screens.
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum TokensCommand {
    /// Lists tokens.
    List,
    /// Makes one; it is shown this once.
    Add {
        /// What it is for.
        name: String,
        /// Whose it is; it never may do more than they. Not needed where there is one user.
        #[arg(long)]
        owner: Option<PersonName>,
        /// viewer, builder or administrator.
        #[arg(long, default_value = "viewer")]
        role: Role,
        /// Limits it to flows, runs, connections, tables or people; may be given several times.
        #[arg(long)]
        scope: Vec<Area>,
        /// How many days it works.
        #[arg(long, default_value_t = 90, value_parser = clap::value_parser!(u32).range(1..=i64::from(TOKEN_DAYS_MAX)))]
        days: u32,
    },
    /// Ends one at once.
    Revoke {
        /// Its id, as the list shows it.
        id: String,
    },
}

pub(crate) async fn run(command: &Tokens, globals: &Globals) -> Result<End> {
    let as_json = command.json;
    match &command.command {
        TokensCommand::List => session::reading(globals, async |api, out| list(api, out, as_json).await).await,
        other => session::with(globals, async |api| go(api, other, as_json).await).await,
    }
}

async fn list(api: &Api, out: &mut Pages, as_json: bool) -> Result<()> {
    let tokens = api.tokens().await?;
    if as_json {
        tokens.iter().for_each(|token| out.json(token));
        return Ok(());
    }
    if tokens.is_empty() {
        out.text("No tokens. `flowdeck tokens add NAME` makes one.\n");
        return Ok(());
    }
    let rows: Vec<Vec<String>> = tokens.iter().map(row).collect();
    out.text(&table(&["id", "owner", "role", "scopes", "until", "used", "name"], &rows, style()));
    Ok(())
}

fn row(token: &TokenView) -> Vec<String> {
    let day = |at: flowdeck::model::Millis| at.to_iso().chars().take(10).collect::<String>();
    vec![
        token.id.clone(),
        token.owner.to_string(),
        token.role.to_string(),
        scopes(token),
        day(token.expires),
        token.used.map_or_else(|| "never".into(), day),
        token.name.clone(),
    ]
}

fn scopes(token: &TokenView) -> String {
    match &token.scopes[..] {
        [] => "all".into(),
        some => some.iter().map(|area| area.as_str()).collect::<Vec<_>>().join(","),
    }
}

async fn go(api: &Api, command: &TokensCommand, as_json: bool) -> Result<End> {
    match command {
        TokensCommand::List => {}
        TokensCommand::Add { name, owner, role, scope, days } => {
            let asked = MakeToken {
                name: name.clone(),
                owner: owner.as_ref().map(ToString::to_string),
                role: Some(*role),
                scopes: scope.clone(),
                days: Some(*days),
            };
            let made = api.make_token(&asked).await?;
            let secret = made.secret.expose();
            if as_json {
                out::json(&json!({ "token": made.token, "secret": secret }));
            } else {
                let of = &made.token;
                let until: String = of.expires.to_iso().chars().take(10).collect();
                out::text(&format!(
                    "{secret}\n\nThis is shown once: keep it where secrets are kept.\n{}: {} of {}, {}, until {until}\n",
                    of.id,
                    of.role,
                    of.owner,
                    scopes(of)
                ));
            }
        }
        TokensCommand::Revoke { id } => {
            api.revoke_token(id).await?;
            if !as_json {
                out::text(&format!("Revoked {id}.\n"));
            }
        }
    }
    Ok(End::Fine)
}
