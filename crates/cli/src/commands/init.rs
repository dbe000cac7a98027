//! `flowdeck init`: the first steps, one question at a time.
//!
//! Must never overwrite a file, nor promise what does not exist yet.
//! Tests: `crates/cli/tests/init.rs`, `crates/cli/tests/interrupt.rs`.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use clap::Args;
use flowdeck::model::AppName;

use super::{connect, import};
use crate::answer::AnswerOptions;
use crate::end::{End, usage};
use crate::interrupts::{Interrupts, or_interrupted};
use crate::options::Globals;
use crate::session;
use crate::terminal::{Terminal, Typed};

/// The sample that goes with the playground; the repository's own.
const WELCOME: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../flows/welcome.flow.yaml"));
/// A first flow for Okta: it only looks.
const OKTA: &str = "\
# A first flow: lists your active users. It only looks.
flow: okta-first-look
description: Lists the active users of your Okta org.
slots:
  okta: okta
cards:
  - id: active
    card: okta/listUsersWithFilter
    slot: okta
    with: { status: ACTIVE }
  - id: logins
    map: ${active.Users}
    as: user
    value: \"${user.Login}\"
  - return: { count: \"${size(active.Users)}\", logins: \"${logins.list}\" }
";

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  flowdeck init                asks what to start with
  flowdeck init okta           authenticate once, then every flow may use the account
  flowdeck init playground     a small staff directory on this machine, no account needed
  flowdeck init import workflow.flopack    flows exported from Okta Workflows")]
pub(crate) struct Init {
    /// okta, playground or import; asked where not given.
    with: Option<String>,
    /// With `import`: the export; asked where not given.
    export: Option<PathBuf>,
}

pub(crate) async fn run(init: &Init, globals: &Globals) -> Result<End> {
    let mut terminal = Terminal::new(globals.no_input);
    let start = match &init.with {
        Some(word) => Start::of(word).ok_or_else(|| {
            usage(format!(
                "`{word}` is no way to start; `flowdeck init okta`, `flowdeck init playground` or `flowdeck init \
                 import EXPORT`"
            ))
        })?,
        None => match or_interrupted(&Interrupts::listen(), ask(&mut terminal)).await? {
            ControlFlow::Continue(start) => start,
            ControlFlow::Break(end) => {
                terminal.say("\nNothing was changed. `flowdeck init` asks again.\n");
                return Ok(end);
            }
        },
    };
    if let (Some(extra), false) = (&init.export, start == Start::Import) {
        return Err(usage(format!("`{}` is too much; only `flowdeck init import` takes a file", extra.display())));
    }
    match start {
        Start::Import => exported(&mut terminal, init.export.clone(), globals).await,
        Start::Playground => playground(&mut terminal),
        Start::Okta => okta(&mut terminal, globals).await,
        Start::Nothing => {
            terminal.say("Nothing was changed. `flowdeck init` asks again.\n");
            Ok(End::Fine)
        }
    }
}

/// What to start with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Start {
    Playground,
    Okta,
    Import,
    Nothing,
}

impl Start {
    fn of(word: &str) -> Option<Self> {
        match word.trim().to_lowercase().as_str() {
            "1" | "p" | "playground" => Some(Self::Playground),
            "2" | "o" | "okta" => Some(Self::Okta),
            "3" | "i" | "import" => Some(Self::Import),
            "4" | "n" | "q" | "nothing" => Some(Self::Nothing),
            _ => None,
        }
    }
}

/// Most times that the question is asked.
const TRIES_MAX: usize = 8;

async fn ask(terminal: &mut Terminal) -> Result<Start> {
    if !terminal.interactive() {
        bail!(usage(
            "say what to start with: `flowdeck init playground`, `flowdeck init okta` or `flowdeck init import EXPORT`"
        ));
    }
    let style = terminal.style();
    let question = format!(
        "{}\n  {}  Playground: a small staff directory on this machine; no account needed\n  {}  Okta: authenticate \
         once, then every flow may use the account\n  {}  Import: flows that were exported from Okta Workflows\n  {}  \
         Nothing now\n{} ",
        style.bold("What would you like to start with?"),
        style.key("[1]"),
        style.key("[2]"),
        style.key("[3]"),
        style.key("[4]"),
        style.bold(">")
    );
    let again = format!("  Type 1, 2, 3 or 4, then Enter.\n{} ", style.bold(">"));
    for turn in 0..TRIES_MAX {
        let Typed::Line(line) = terminal.ask(if turn == 0 { &question } else { &again }).await else {
            terminal.say("\n");
            break;
        };
        if let Some(start) = Start::of(&line) {
            return Ok(start);
        }
    }
    Ok(Start::Nothing)
}

fn playground(terminal: &mut Terminal) -> Result<End> {
    let path = Path::new("flows/welcome.flow.yaml");
    let is_new = write_new(path, WELCOME)?;
    let style = terminal.style();
    let made = if is_new { "Wrote" } else { "There is already" };
    let run = style.key("flowdeck run flows/welcome.flow.yaml");
    terminal
        .say(&format!("{made} {}. Now:\n  {run}\nIt will ask for the connection when it needs it.\n", path.display()));
    Ok(End::Fine)
}

async fn okta(terminal: &mut Terminal, globals: &Globals) -> Result<End> {
    if !terminal.interactive() {
        bail!(usage(
            "connecting Okta asks for a form; without a terminal use `flowdeck connect okta --as NICK --set domain=… \
             --set client_id=… --secret client_secret=FILE --browser`"
        ));
    }
    terminal.say("Authenticate once: every flow of this folder may then use the account, until you disconnect it.\n");
    let app = AppName::new("okta")?;
    let options = AnswerOptions::default();
    let ended = session::with(globals, async |api| connect::go(api, terminal, &app, &options, false).await).await?;
    if ended != End::Fine {
        return Ok(ended);
    }
    let path = Path::new("flows/okta-first-look.flow.yaml");
    write_new(path, OKTA)?;
    let run = terminal.style().key("flowdeck run flows/okta-first-look.flow.yaml");
    terminal.say(&format!("A first flow that only looks is in {}. Now:\n  {run}\n", path.display()));
    Ok(End::Fine)
}

/// Imports into `flows/NAME`, where NAME is the export's.
async fn exported(terminal: &mut Terminal, export: Option<PathBuf>, globals: &Globals) -> Result<End> {
    let Some(export) = (match export {
        Some(export) => Some(export),
        None => match or_interrupted(&Interrupts::listen(), ask_export(terminal)).await? {
            ControlFlow::Continue(export) => export,
            ControlFlow::Break(end) => {
                terminal.say("\nNothing was changed. `flowdeck init import` asks again.\n");
                return Ok(end);
            }
        },
    }) else {
        terminal.say("Nothing was changed. `flowdeck init import` asks again.\n");
        return Ok(End::Fine);
    };
    let name = import::folder_name(&export);
    let folder = Path::new("flows").join(&name);
    let ended = import::into(&export, &folder, globals)?;
    let style = terminal.style();
    let check = style.key(&format!("flowdeck check flows/{name}/*.yaml"));
    let run = style.key(&format!("flowdeck run flows/{name}/FLOW.flow.yaml"));
    terminal.say(&format!(
        "\nThe flows are in {}. Nothing was started. Now:\n  {check}\n  {run}\nA flow asks for its connections when it \
         needs them.\n",
        folder.display()
    ));
    Ok(ended)
}

/// The export's path; `None` where nobody says one.
async fn ask_export(terminal: &mut Terminal) -> Result<Option<PathBuf>> {
    if !terminal.interactive() {
        bail!(usage("say which export: `flowdeck init import workflow.flopack`"));
    }
    let question = format!("Okta Workflows exports a flow or a folder as a .flow, .folder or .flopack file.\n{} ", {
        terminal.style().bold("Path of the export:")
    });
    for _ in 0..TRIES_MAX {
        let Typed::Line(line) = terminal.ask(&question).await else {
            terminal.say("\n");
            return Ok(None);
        };
        let path = PathBuf::from(line.trim().trim_matches(['\'', '"']));
        match line.trim() {
            "" => return Ok(None),
            _ if path.is_file() => return Ok(Some(path)),
            _ => terminal.say(&format!("  There is no file {}. Enter alone leaves.\n", path.display())),
        }
    }
    Ok(None)
}

/// Writes a file that is not there yet; false where it is.
fn write_new(path: &Path, text: &str) -> Result<bool> {
    use std::io::Write as _;
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).with_context(|| format!("make {}", folder.display()))?;
    }
    match std::fs::File::options().write(true).create_new(true).open(path) {
        Ok(mut file) => {
            file.write_all(text.as_bytes()).with_context(|| format!("write {}", path.display()))?;
            Ok(true)
        }
        Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists => Ok(false),
        Err(e) => Err(e).with_context(|| format!("write {}", path.display())),
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_first_flows_have_no_errors() {
        let cards = crate::files::cards(None).unwrap();
        let checked = flowdeck::read(&flowdeck::Source::new("okta.yaml", super::OKTA), Some(&cards));
        assert!(checked.diagnostics.is_empty(), "{:?}", checked.diagnostics);
        assert!(super::WELCOME.contains("flow: welcome"));
    }
}
