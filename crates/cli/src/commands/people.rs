//! `flowdeck people`: who may sign in to `flowdeck serve`, and as what.
//!
//! Must never show a password, nor take one from the command line, where others can read it.
//! Tests: `crates/cli/tests/people.rs`.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use clap::{Args, Subcommand};
use flowdeck::connections::SecretText;
use flowdeck::people::{PersonName, Role, User};

use crate::api::Api;
use crate::end::{End, NobodyThere, usage};
use crate::options::Globals;
use crate::out::{self, Pages, style};
use crate::screen::table::table;
use crate::session;
use crate::terminal::{Terminal, Typed};

/// Largest password file, in bytes.
const FILE_BYTES_MAX: u64 = 1_024;

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  flowdeck people add ada --role administrator
  flowdeck people add ci-operator --password-file pw.txt
  flowdeck people list
  flowdeck people role ada builder
  flowdeck people disable ada
  flowdeck people reset ada                 a new password; her sessions and tokens end

The password is asked for, or read from a file (- for standard input).")]
pub(crate) struct People {
    #[command(subcommand)]
    command: PeopleCommand,
    /// One JSON object a line, instead of screens.
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum PeopleCommand {
    /// Lists users.
    List,
    /// Adds a user.
    Add {
        /// The name to sign in with.
        name: PersonName,
        /// viewer, builder or administrator.
        #[arg(long, default_value = "viewer")]
        role: Role,
        #[command(flatten)]
        password: PasswordFrom,
    },
    /// Gives a user another role.
    Role {
        /// The user.
        name: PersonName,
        /// viewer, builder or administrator.
        role: Role,
    },
    /// Shuts a user out; sessions end at once, tokens do not work.
    Disable {
        /// The user.
        name: PersonName,
    },
    /// Lets a user in again.
    Enable {
        /// The user.
        name: PersonName,
    },
    /// Sets a new password; sessions and tokens end.
    Reset {
        /// The user.
        name: PersonName,
        #[command(flatten)]
        password: PasswordFrom,
    },
    /// Removes a user, sessions and tokens too.
    Remove {
        /// The user.
        name: PersonName,
    },
}

#[derive(Debug, Args)]
struct PasswordFrom {
    /// File with the password in its first line; - is standard input.
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
}

pub(crate) async fn run(command: &People, globals: &Globals) -> Result<End> {
    let as_json = command.json;
    match &command.command {
        PeopleCommand::List => session::reading(globals, async |api, out| list(api, out, as_json).await).await,
        PeopleCommand::Add { name, role, password } => {
            let password = password.get(globals, name).await?;
            session::with(globals, async |api| Ok(shown(&api.add_user(name, *role, password).await?, as_json))).await
        }
        PeopleCommand::Reset { name, password } => {
            let password = password.get(globals, name).await?;
            session::with(globals, async |api| Ok(shown(&api.reset_password(name, password).await?, as_json))).await
        }
        other => session::with(globals, async |api| go(api, other, as_json).await).await,
    }
}

async fn go(api: &Api, command: &PeopleCommand, as_json: bool) -> Result<End> {
    match command {
        PeopleCommand::Role { name, role } => Ok(shown(&api.set_role(name, *role).await?, as_json)),
        PeopleCommand::Disable { name } => Ok(shown(&api.shut_out(name, true).await?, as_json)),
        PeopleCommand::Enable { name } => Ok(shown(&api.shut_out(name, false).await?, as_json)),
        PeopleCommand::Remove { name } => {
            api.remove_user(name).await?;
            if !as_json {
                out::text(&format!("Removed {name}.\n"));
            }
            Ok(End::Fine)
        }
        PeopleCommand::List | PeopleCommand::Add { .. } | PeopleCommand::Reset { .. } => Ok(End::Fine),
    }
}

async fn list(api: &Api, out: &mut Pages, as_json: bool) -> Result<()> {
    let users = api.users().await?;
    if as_json {
        users.iter().for_each(|user| out.json(user));
        return Ok(());
    }
    if users.is_empty() {
        out.text("Nobody yet. `flowdeck people add NAME --role administrator` adds the first one.\n");
        return Ok(());
    }
    let rows: Vec<Vec<String>> = users.iter().map(row).collect();
    out.text(&table(&["name", "role", "state", "signed in last"], &rows, style()));
    Ok(())
}

fn row(user: &User) -> Vec<String> {
    let state = if user.disabled { "disabled" } else { "active" };
    let last = user.signed_in.map_or_else(|| "never".into(), flowdeck::model::Millis::to_iso);
    vec![user.name.to_string(), user.role.to_string(), state.into(), last]
}

fn shown(user: &User, as_json: bool) -> End {
    if as_json {
        out::json(user);
    } else {
        let state = if user.disabled { ", disabled" } else { "" };
        out::text(&format!("{}: {}{state}\n", user.name, user.role));
    }
    End::Fine
}

impl PasswordFrom {
    /// From the file; else a person types it twice.
    async fn get(&self, globals: &Globals, name: &PersonName) -> Result<SecretText> {
        if let Some(file) = &self.password_file {
            return read(file);
        }
        let mut terminal = Terminal::new(globals.no_input);
        if !terminal.interactive() {
            bail!(NobodyThere("give the password in a file: --password-file FILE, or - for standard input".into()));
        }
        let Typed::Line(first) = terminal.ask_secret(&format!("Password of {name} (not shown): ")).await else {
            bail!(usage("no password was given"));
        };
        let first = SecretText::new(first);
        let Typed::Line(second) = terminal.ask_secret("The same again: ").await else {
            bail!(usage("no password was given"));
        };
        if first != SecretText::new(second) {
            bail!(usage("the two passwords are not the same; nothing was changed"));
        }
        Ok(first)
    }
}

/// The first line of a file.
pub(super) fn read(file: &Path) -> Result<SecretText> {
    use std::io::Read as _;
    let mut text = zeroize::Zeroizing::new(String::new());
    let reader: Box<dyn std::io::Read> = match file.as_os_str() == "-" {
        true => Box::new(std::io::stdin().lock()),
        false => Box::new(std::fs::File::open(file).with_context(|| format!("open {}", file.display()))?),
    };
    reader.take(FILE_BYTES_MAX).read_to_string(&mut text).with_context(|| format!("read {}", file.display()))?;
    Ok(SecretText::new(text.lines().next().unwrap_or_default()))
}
