//! `flowdeck doctor`: looks whether everything is in place here, and says what to do where it is not.
//!
//! Must never change anything, start or drive a run, nor show a secret.
//! Tests: `crates/cli/tests/looking.rs`, `crates/cli/tests/arguments.rs`.

use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;

use anyhow::Result;
use clap::Args;
use flowdeck::MasterKey;
use flowdeck::engine::Status;
use flowdeck::model::connect::{ConnectionState, ConnectionView};
use serde_json::json;

use crate::again::{Again, quoted};
use crate::api::Api;
use crate::end::End;
use crate::interrupts::Interrupts;
use crate::options::Globals;
use crate::out;
use crate::screen::connections::state_word;
use crate::screen::style::{count, wrap};
use crate::session::{self, Part, Session};

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  flowdeck doctor
  flowdeck doctor --json

Exit codes: 0 nothing is broken, 1 something is.")]
pub(crate) struct Doctor {
    /// One JSON object a line.
    #[arg(long)]
    json: bool,
}

/// How something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
enum Health {
    Good,
    Notice,
    Broken,
}

#[derive(Debug, serde::Serialize)]
struct Finding {
    what: &'static str,
    health: Health,
    text: String,
    /// What a person types next.
    #[serde(skip_serializing_if = "Option::is_none")]
    command: Option<String>,
}

fn finding(what: &'static str, health: Health, text: impl Into<String>) -> Finding {
    Finding { what, health, text: text.into(), command: None }
}

/// What waits for a person, and the command that helps.
fn waits(what: &'static str, text: impl Into<String>, command: String) -> Finding {
    Finding { command: Some(command), ..finding(what, Health::Notice, text) }
}

pub(crate) async fn run(doctor: &Doctor, globals: &Globals) -> Result<End> {
    let mut findings = vec![
        finding("version", Health::Good, format!("flowdeck {}", env!("CARGO_PKG_VERSION"))),
        port(globals.redirect_port),
        browser(),
    ];
    let folder = session::existing_data_folder(globals)?;
    let is_used = folder.as_ref().is_some_and(|folder| folder.join("store").exists());
    findings.insert(1, key(globals, is_used));
    match folder {
        None => findings.push(finding(
            "data folder",
            Health::Notice,
            "there is none here yet; the first run makes `.flowdeck` in the working folder",
        )),
        // Opening it would make the key and the store.
        Some(folder) if !is_used => {
            findings.push(finding("data folder", Health::Notice, format!("{}; nothing is in it yet", folder.display())))
        }
        Some(folder) => match Session::open(globals, Part::Looks, Interrupts::listen()).await {
            Err(error) => {
                findings.push(finding("data folder", Health::Broken, format!("{}: {error:#}", folder.display())));
            }
            Ok(opened) => {
                let api = Api::new(opened);
                findings.extend(inside(&api).await);
                Box::pin(api.into_session().close(true)).await.ok(); // It only looked.
            }
        },
    }
    show(doctor, &findings);
    let broken = findings.iter().any(|f| f.health == Health::Broken);
    Ok(if broken { End::Failed } else { End::Fine })
}

fn show(doctor: &Doctor, findings: &[Finding]) {
    if doctor.json {
        findings.iter().for_each(|f| out::json(&json!(f)));
        return;
    }
    let style = out::style();
    for found in findings {
        let sign = match found.health {
            Health::Good => style.good(style.sign("✓", "+")),
            Health::Notice => style.waiting(style.sign("!", "!")),
            Health::Broken => style.bad(style.sign("✗", "x")),
        };
        let text = wrap(&format!("{}: {}", found.what, found.text), style.text_width(), 4);
        out::text(&format!("  {sign} {}", text.trim_start()));
        // On a line of its own, so that it can be copied whole.
        if let Some(command) = &found.command {
            out::text(&format!("      {}\n", style.key(command)));
        }
    }
}

/// The key file; `is_used`: there is a data folder already, which was made with one.
fn key(globals: &Globals, is_used: bool) -> Finding {
    let path = match session::key_file(globals) {
        Ok(path) => path,
        Err(error) => return finding("key file", Health::Broken, error.to_string()),
    };
    if path.is_dir() {
        return finding("key file", Health::Broken, format!("{} is no file; name one with --key-file", path.display()));
    }
    match MasterKey::load(&path) {
        Err(error) => finding("key file", Health::Broken, error.to_string()),
        Ok(None) if is_used => finding(
            "key file",
            Health::Broken,
            format!(
                "{} is missing, and the data folder was made with one; put your copy there, or name it with --key-file",
                path.display()
            ),
        ),
        Ok(None) => finding("key file", Health::Good, format!("{} is made at the first use", path.display())),
        Ok(Some(_)) => {
            finding("key file", Health::Good, format!("{}; keep a copy of it somewhere safe", path.display()))
        }
    }
}

fn port(port: u16) -> Finding {
    match TcpListener::bind((Ipv4Addr::LOCALHOST, port)) {
        Ok(_) => finding("redirect port", Health::Good, format!("{port} is free for browsers that come back")),
        Err(error) => finding(
            "redirect port",
            Health::Notice,
            format!(
                "{port} cannot be listened on ({error}). Close what uses it, choose another with --redirect-port and \
                 register that with the app, or connect with --paste"
            ),
        ),
    }
}

fn browser() -> Finding {
    if let Some(named) = std::env::var("BROWSER").ok().filter(|b| !b.is_empty()) {
        return finding("browser", Health::Good, format!("BROWSER is {named}"));
    }
    let opener = if cfg!(target_os = "macos") { "open" } else { "xdg-open" };
    let path = std::env::var_os("PATH").unwrap_or_default();
    match std::env::split_paths(&path).any(|folder| folder.join(opener).is_file()) {
        true => finding("browser", Health::Good, format!("{opener} opens it")),
        false => finding("browser", Health::Notice, "none is known; addresses are printed, BROWSER can name one"),
    }
}

/// What the runtime itself says.
async fn inside(api: &Api) -> Vec<Finding> {
    let again = api.session().again();
    let mut findings = Vec::new();
    match api.about().await {
        Ok(about) => {
            let who = match about.pid == std::process::id() {
                true => "no command works in it now".to_owned(),
                false => format!("held by another command (process {})", about.pid),
            };
            findings.push(finding("data folder", Health::Good, format!("{}, {who}", about.data)));
            if let Err(error) = session::writable(api.session().data(), session::may_write) {
                findings.push(finding("data folder", Health::Notice, error.to_string()));
            }
        }
        Err(error) => findings.push(finding("data folder", Health::Broken, format!("{error:#}"))),
    }
    findings.push(space(api.session().data()));
    match api.connections(None).await {
        Err(error) => findings.push(finding("connections", Health::Broken, format!("{error:#}"))),
        Ok(all) => {
            let text = count(all.len() as u64, "connection");
            findings.push(finding("connections", Health::Good, text));
            for c in all.iter().filter(|c| c.state != ConnectionState::Active) {
                findings.push(unwell(c, again));
            }
        }
    }
    match api.prompts(Some("open"), None).await {
        Err(error) => findings.push(finding("prompts", Health::Broken, format!("{error:#}"))),
        Ok(open) => open.iter().for_each(|p| {
            findings.push(waits("prompt", p.message.clone(), again.answer(p.id)));
        }),
    }
    match api.runs(None, Some(Status::InDoubt), None, 20).await {
        Err(error) => findings.push(finding("runs", Health::Broken, format!("{error:#}"))),
        Ok(list) => list.runs.iter().for_each(|run| {
            let command = again.command(&format!("runs show {}", run.id));
            findings.push(waits("run in doubt", format!("{} wants a decision", run.id), command));
        }),
    }
    findings
}

/// A connection that does not work as it is.
fn unwell(c: &ConnectionView, again: &Again) -> Finding {
    let name = format!("{}/{}", c.app, c.nickname);
    let words = match c.state {
        ConnectionState::Disabled => format!("connections switch {} on", quoted(&name)),
        _ => format!("connect {} --as {}", c.app, quoted(c.nickname.as_str())),
    };
    let why = if c.state_reason.is_empty() { String::new() } else { format!(" ({})", c.state_reason) };
    waits("connection", format!("{name}: {}{why}", state_word(c.state)), again.command(&words))
}

/// Below this many bytes free a store stops accepting soon.
const FREE_BYTES_MIN: u64 = 512 << 20;

fn space(folder: &Path) -> Finding {
    match rustix::fs::statvfs(folder) {
        Ok(stat) => {
            let free = stat.f_bavail.saturating_mul(stat.f_frsize);
            let text = format!("{} MiB free", free >> 20);
            finding("disk", if free < FREE_BYTES_MIN { Health::Notice } else { Health::Good }, text)
        }
        Err(error) => finding("disk", Health::Notice, format!("free space is not known: {error}")),
    }
}
