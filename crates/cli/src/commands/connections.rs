//! `flowdeck connections`: which accounts there are, whether they work, and the end of one.
//!
//! Must never show a secret, nor remove a connection without saying whom it concerns.
//! Tests: `crates/cli/tests/first_minute.rs`.

use anyhow::{Result, bail};
use clap::{Args, Subcommand};
use flowdeck::connections::Revocation;
use flowdeck::model::connect::ConnectionView;
use flowdeck::model::{AppName, Nickname};
use flowdeck_server::wire::{Bind, Switch};

use crate::again::quoted;
use crate::api::Api;
use crate::confirm;
use crate::end::{End, usage};
use crate::options::Globals;
use crate::out::{self, Pages, style};
use crate::screen::connections;
use crate::screen::preflight::capital;
use crate::screen::style::{count, wrap};
use crate::session;
use crate::terminal::Terminal;

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  flowdeck connections list
  flowdeck connections show okta/prod-admin
  flowdeck connections test prod-admin
  flowdeck connections rename prod-admin ops
  flowdeck connections use ops suspend-inactive-users/okta      this flow's slot uses it from now on
  flowdeck connections disconnect ops --yes

CONNECTION is an id (con_…), a nickname, or APP/NICKNAME.")]
pub(crate) struct Connections {
    #[command(subcommand)]
    command: ConnectionsCommand,
    /// One JSON object a line, instead of screens.
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum ConnectionsCommand {
    /// Lists connections.
    List {
        /// Only of this app.
        #[arg(long)]
        app: Option<AppName>,
    },
    /// Shows one: account, scopes, when it last worked.
    Show {
        /// Id, nickname or APP/NICKNAME.
        connection: String,
    },
    /// Asks the app whether the credential works.
    Test {
        /// Id, nickname or APP/NICKNAME.
        connection: String,
    },
    /// Gives it another nickname; flows that use it keep it.
    Rename {
        /// Id, nickname or APP/NICKNAME.
        connection: String,
        /// The new nickname.
        nickname: Nickname,
    },
    /// Switches one off for a while, or on again.
    Switch {
        /// Id, nickname or APP/NICKNAME.
        connection: String,
        /// on or off.
        to: OnOff,
        /// Why, for whoever wonders.
        #[arg(long, default_value = "")]
        reason: String,
    },
    /// Lets a slot of a flow use it, whatever it used before.
    Use {
        /// Id, nickname or APP/NICKNAME.
        connection: String,
        /// The flow and its slot: FLOW/SLOT.
        #[arg(value_name = "FLOW/SLOT")]
        place: String,
    },
    /// Removes one and revokes it at the app where the app offers that.
    Disconnect {
        /// Id, nickname or APP/NICKNAME.
        connection: String,
        /// Do not ask.
        #[arg(long)]
        yes: bool,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum OnOff {
    On,
    Off,
}

pub(crate) async fn run(command: &Connections, globals: &Globals) -> Result<End> {
    let mut terminal = Terminal::new(globals.no_input || command.json);
    match &command.command {
        ConnectionsCommand::List { app } => {
            session::reading(globals, async |api, out| list(api, out, app.as_ref(), command.json).await).await
        }
        ConnectionsCommand::Show { connection } => {
            session::reading(globals, async |api, out| {
                show(api, out, &find(api, connection).await?, command.json);
                Ok(())
            })
            .await
        }
        other => session::with(globals, async |api| go(api, &mut terminal, other, command.json).await).await,
    }
}

async fn list(api: &Api, out: &mut Pages, app: Option<&AppName>, as_json: bool) -> Result<()> {
    let found = api.connections(app).await?;
    match as_json {
        true => found.iter().for_each(|connection| out.json(connection)),
        false => out.text(&connections::list(&found, app, style())),
    }
    Ok(())
}

fn show(api: &Api, out: &mut Pages, connection: &ConnectionView, as_json: bool) {
    match as_json {
        true => out.json(connection),
        false => out.text(&connections::show(connection, api.session().now(), style())),
    }
}

async fn go(api: &Api, terminal: &mut Terminal, command: &ConnectionsCommand, as_json: bool) -> Result<End> {
    let show = |connection: &ConnectionView| {
        let mut pages = Pages::default();
        show(api, &mut pages, connection, as_json);
        pages.print();
    };
    match command {
        ConnectionsCommand::List { .. } | ConnectionsCommand::Show { .. } => {}
        ConnectionsCommand::Test { connection } => {
            let connection = find(api, connection).await?;
            let tested = api.test(connection.id).await?;
            if as_json {
                out::json(&tested);
            } else {
                let end = if tested.message.ends_with('.') { "" } else { "." };
                out::text(&wrap(&format!("{}{end}", capital(&tested.message)), style().text_width(), 0));
            }
            if tested.works == Some(false) {
                if !as_json {
                    let words = format!("connect {} --as {}", connection.app, quoted(connection.nickname.as_str()));
                    out::text(&format!("Authorize it again:\n  {}\n", api.session().again().command(&words)));
                }
                return Ok(End::Failed);
            }
        }
        ConnectionsCommand::Rename { connection, nickname } => {
            let connection = find(api, connection).await?;
            show(&api.rename(connection.id, nickname.clone()).await?);
        }
        ConnectionsCommand::Switch { connection, to, reason } => {
            let connection = find(api, connection).await?;
            let switch = Switch { on: *to == OnOff::On, reason: reason.clone() };
            show(&api.switch(connection.id, &switch).await?);
        }
        ConnectionsCommand::Use { connection, place } => {
            let connection = find(api, connection).await?;
            return used(api, &connection, place, as_json).await;
        }
        ConnectionsCommand::Disconnect { connection, yes } => {
            let connection = find(api, connection).await?;
            return disconnect(api, terminal, &connection, *yes, as_json).await;
        }
    }
    Ok(End::Fine)
}

async fn used(api: &Api, connection: &ConnectionView, place: &str, as_json: bool) -> Result<End> {
    let named = place.rsplit_once('/').and_then(|(flow, slot)| Some((flow.parse().ok()?, slot.parse().ok()?)));
    let Some((flow, slot)) = named else {
        bail!(usage(format!("`{place}` names no slot: write FLOW/SLOT, as welcome/directory")));
    };
    let bind = Bind { flow, slot, connection: connection.id };
    let bound = api.bind(&bind).await?;
    if as_json {
        out::json(&bound);
        return Ok(End::Fine);
    }
    let Bind { flow, slot, .. } = bind;
    out::text(&format!(
        "{flow} uses \u{201c}{}\u{201d} of {} at its slot {slot} from now on.\n",
        connection.nickname, connection.app
    ));
    if bound.before.is_none() {
        let text = format!("No run of {flow} has used an account of {} at a slot {slot} so far.", connection.app);
        out::text(&wrap(&text, style().text_width(), 0));
    }
    Ok(End::Fine)
}

async fn disconnect(api: &Api, terminal: &mut Terminal, c: &ConnectionView, yes: bool, as_json: bool) -> Result<End> {
    if !yes {
        if !terminal.interactive() {
            bail!(usage(format!("say --yes to remove the connection \u{201c}{}\u{201d} of {}", c.nickname, c.app)));
        }
        let question = format!("Remove the connection \u{201c}{}\u{201d} of {}? [y/N] ", c.nickname, c.app);
        if let Some(end) = confirm::refused(api, terminal, &question).await {
            return Ok(end);
        }
    }
    let gone = api.disconnect(c.id).await?;
    if as_json {
        out::json(&gone);
        return Ok(End::Fine);
    }
    let app = match &gone.revocation {
        Revocation::Done => "the app took the grant back".to_owned(),
        Revocation::NotOffered => "the app offers no way to revoke: remove the grant in its own settings".to_owned(),
        Revocation::Failed { why } => format!("the app did not confirm ({why}): remove the grant in its own settings"),
    };
    out::text(&format!("Removed \u{201c}{}\u{201d}; {app}.\n", c.nickname));
    for (flow, slot) in &gone.slots {
        out::text(&format!("  {flow} asks for another account of {slot} at its next run\n"));
    }
    if !gone.prompts.is_empty() {
        out::text(&format!("  {} still open\n", count(gone.prompts.len() as u64, "prompt")));
    }
    Ok(End::Fine)
}

/// The connection with this id or nickname.
pub(crate) async fn find(api: &Api, name: &str) -> Result<ConnectionView> {
    let all = api.connections(None).await?;
    let matches = |c: &&ConnectionView| {
        c.id.to_string() == name || c.nickname.as_str() == name || format!("{}/{}", c.app, c.nickname) == name
    };
    let found: Vec<&ConnectionView> = all.iter().filter(matches).collect();
    match found.as_slice() {
        [one] => Ok((*one).clone()),
        [] => bail!("there is no connection `{name}`; `flowdeck connections list` shows them"),
        several => {
            let names: Vec<String> = several.iter().map(|c| format!("{}/{}", c.app, c.nickname)).collect();
            bail!(usage(format!("`{name}` could be {}; say which", names.join(" or "))));
        }
    }
}
