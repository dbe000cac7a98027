//! `flowdeck connect`: authorizes an account of an app ahead of any run.
//!
//! Must never choose an account by itself.
//! Tests: `crates/cli/tests/first_minute.rs`, `crates/cli/tests/arguments.rs`.

use anyhow::{Result, bail};
use clap::Args;
use flowdeck::model::{AppName, Nickname};
use serde_json::json;

use crate::again::quoted;
use crate::answer::{self, AnswerOptions, Ask, Outcome, Progress};
use crate::api::Api;
use crate::end::{End, usage};
use crate::options::Globals;
use crate::out;
use crate::session;
use crate::terminal::Terminal;
use crate::watch;

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  flowdeck connect playground
  flowdeck connect okta --as prod-admin
  flowdeck connect okta --as prod-admin --set domain=acme.okta.com \\
      --set client_id=0oa… --secret client_secret=secret.txt --browser
  flowdeck connect okta --method api_token --set domain=acme.okta.com --secret api_token=- < token.txt

A nickname that exists is authorized again: the same connection, repaired.
Runs that waited for it go on.")]
pub(crate) struct Connect {
    /// The app, as `flowdeck apps list` names it.
    app: AppName,
    #[command(flatten)]
    options: AnswerOptions,
    /// One JSON object a line.
    #[arg(long)]
    json: bool,
}

pub(crate) async fn run(connect: &Connect, globals: &Globals) -> Result<End> {
    let mut terminal = Terminal::new(globals.no_input || connect.json);
    session::with(globals, async |api| go(api, &mut terminal, &connect.app, &connect.options, connect.json).await).await
}

/// Connects, then drives what waited for it.
pub(crate) async fn go(
    api: &Api,
    terminal: &mut Terminal,
    app: &AppName,
    options: &AnswerOptions,
    as_json: bool,
) -> Result<End> {
    let ask = ask(api, app, options).await?;
    let waiting = watch::waiting_for(api, app).await?;
    let mut words = format!("connect {app}");
    if let Some(nickname) = &options.nickname {
        words.push_str(&format!(" --as {}", quoted(nickname.as_str())));
    }
    let asked = async {
        if terminal.interactive() {
            return answer::interactive(api, terminal, &ask, options, &mut Progress::default()).await;
        }
        let connection = answer::direct(api, terminal, &ask, options, as_json, &words).await?;
        if !as_json {
            terminal.say(&answer::connected(&connection, terminal.style()));
        }
        Ok(Outcome::Connected(connection))
    };
    let again = api.session().again().command(&words);
    let connection = match api.session().or_interrupted(asked).await {
        Some(outcome) => match outcome? {
            Outcome::Connected(connection) => connection,
            Outcome::Used | Outcome::Later => {
                terminal.say(&format!("Nothing was connected. Later:\n  {again}\n"));
                return Ok(End::Waiting);
            }
        },
        None => {
            terminal.say(&format!("\nNothing was connected. Later:\n  {again}\n"));
            return Ok(End::Interrupted);
        }
    };
    if as_json {
        out::json(&json!({ "type": "connection", "connection": connection }));
    }
    // Those that wait for another nickname too: whoever connects is told that they go on waiting.
    watch::drive(api, terminal, waiting, as_json).await
}

async fn ask(api: &Api, app: &AppName, options: &AnswerOptions) -> Result<Ask> {
    let session = api.session();
    let Some(auth) = session.auth(app).filter(|auth| !auth.methods.is_empty()) else {
        if session.app_names().iter().any(|name| name == app.as_str()) {
            bail!(usage(format!("`{app}` needs no connection")));
        }
        bail!(usage(format!("there is no app `{app}`; `flowdeck apps list` names them")));
    };
    let there = api.connections(Some(app)).await?;
    let existing = options.nickname.as_ref().and_then(|n| there.iter().find(|c| c.nickname == *n));
    let nickname = match (&options.nickname, there.len()) {
        (Some(nickname), _) => nickname.clone(),
        (None, 0) => Nickname::new(app.as_str())?,
        (None, n) => Nickname::new(&format!("{app}-{}", n + 1))?,
    };
    let mut ask = Ask::of_app(&auth, nickname, existing, &session.redirect_uri(app));
    if existing.is_none() && !there.is_empty() && options.nickname.is_none() {
        let names: Vec<&str> = there.iter().map(|c| c.nickname.as_str()).collect();
        ask.message.push_str(&format!(" You have {} already.", names.join(", ")));
    }
    Ok(ask)
}
