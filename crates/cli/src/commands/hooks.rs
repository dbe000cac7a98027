//! `flowdeck hooks`: addresses that apps push their events to.
//!
//! Must never show a secret but once, when it is made, nor take one as an argument.
//! Tests: `crates/cli/tests/events.rs`.

use std::path::PathBuf;

use anyhow::{Result, bail};
use clap::{Args, Subcommand};
use flowdeck::connections::SecretText;
use flowdeck::model::{AppName, Nickname};
use flowdeck_server::wire::{AddHook, Hook, HookSecret, NewHook};
use serde_json::json;

use super::people;
use crate::api::Api;
use crate::end::{End, usage};
use crate::options::Globals;
use crate::out::{self, Pages, style};
use crate::screen::flows::hook_state;
use crate::screen::style::wrap;
use crate::session;
use crate::terminal::{Terminal, Typed};

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  flowdeck hooks add okta                       prints the address and the secret for Okta's event hook
  flowdeck hooks add slack                      prints the address; then bring Slack's signing secret:
  flowdeck hooks secret ID                      asks for it; or --secret-file FILE, - is standard input
  flowdeck hooks list

An app sends its events to the address below that of `flowdeck serve`: https://HOST/hooks/APP/ID. Each starts every
flow that is on and listens for it, once.")]
pub(crate) struct Hooks {
    #[command(subcommand)]
    command: HooksCommand,
    /// One JSON object a line, instead of screens.
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum HooksCommand {
    /// Lists hooks.
    List,
    /// Makes an address; its secret is shown this once, where the app does not make it.
    Add {
        /// The app.
        app: AppName,
        /// Only for flows that use this connection.
        #[arg(long, value_name = "NICKNAME")]
        connection: Option<Nickname>,
        /// File with the app's secret in its first line; - is standard input.
        #[arg(long, value_name = "FILE")]
        secret_file: Option<PathBuf>,
    },
    /// Gives a hook another secret; the one before is taken for another day.
    Secret {
        /// The hook.
        id: String,
        /// File with the app's secret in its first line; - is standard input.
        #[arg(long, value_name = "FILE")]
        secret_file: Option<PathBuf>,
        /// Make one, where the app does not make it.
        #[arg(long, conflicts_with = "secret_file")]
        renew: bool,
    },
    /// Removes one; what is sent to it is not taken any more.
    Remove {
        /// The hook.
        id: String,
    },
}

pub(crate) async fn run(command: &Hooks, globals: &Globals) -> Result<End> {
    let as_json = command.json;
    match &command.command {
        HooksCommand::List => session::reading(globals, async |api, out| list(api, out, as_json).await).await,
        HooksCommand::Add { app, connection, secret_file } => {
            let secret = secret_file.as_deref().map(people::read).transpose()?;
            let asked = AddHook { app: app.clone(), connection: connection.clone(), secret };
            session::with(globals, async |api| Ok(shown(&api.add_hook(&asked).await?, as_json))).await
        }
        HooksCommand::Secret { id, secret_file, renew } => {
            let secret = match (secret_file, renew) {
                (Some(file), _) => Some(people::read(file)?),
                (None, true) => None,
                (None, false) => Some(typed(globals).await?),
            };
            let asked = HookSecret { secret };
            session::with(globals, async |api| Ok(shown(&api.hook_secret(id, &asked).await?, as_json))).await
        }
        HooksCommand::Remove { id } => {
            session::with(globals, async |api| {
                api.remove_hook(id).await?;
                if !as_json {
                    out::text(&format!("Removed {id}.\n"));
                }
                Ok(End::Fine)
            })
            .await
        }
    }
}

async fn typed(globals: &Globals) -> Result<SecretText> {
    let mut terminal = Terminal::new(globals.no_input);
    if !terminal.interactive() {
        bail!(usage("give the secret in a file: --secret-file FILE, or - for standard input; --renew makes one"));
    }
    match terminal.ask_secret("The secret that the app shows (not shown here): ").await {
        Typed::Line(secret) => Ok(SecretText::new(secret.trim())),
        _ => bail!(usage("no secret was given")),
    }
}

async fn list(api: &Api, out: &mut Pages, as_json: bool) -> Result<()> {
    let hooks = api.hooks().await?;
    if as_json {
        hooks.iter().for_each(|hook| out.json(hook));
        return Ok(());
    }
    if hooks.is_empty() {
        out.text("No hooks. `flowdeck hooks add APP` makes an address that the app may send its events to.\n");
        return Ok(());
    }
    let block = |hook: &Hook| {
        let state = wrap(&hook_state(hook), style().text_width(), 2);
        format!("{}  POST {}\n{state}", style().bold(hook.app.as_str()), hook.path)
    };
    out.text(&hooks.iter().map(block).collect::<String>());
    Ok(())
}

fn shown(made: &NewHook, as_json: bool) -> End {
    let (hook, secret) = (&made.hook, made.secret.as_ref().map(SecretText::expose));
    if as_json {
        out::json(&json!({ "hook": hook, "secret": secret, "app_makes_secret": made.app_makes_secret }));
        return End::Fine;
    }
    let mut text =
        format!("{}  {}\n  address  POST {}, below that of `flowdeck serve`\n", hook.app, hook.id, hook.path);
    text.push_str(&format!("  proof    {}\n", hook.proof));
    if let Some(secret) = secret {
        text.push_str(&format!("  secret   {secret}\n\nThis is shown once: give it to the app now.\n"));
    } else if !hook.has_secret {
        text.push_str(&format!(
            "\nRegister the address in the app. It shows a secret then; bring it here, or nothing is taken:\n  flowdeck hooks \
             secret {}\n",
            hook.id
        ));
    } else {
        text.push_str("  secret   kept\n");
    }
    out::text(&text);
    End::Fine
}
