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
use flowdeck::model::connect::ConnectionState;
use serde_json::json;

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
}

fn finding(what: &'static str, health: Health, text: impl Into<String>) -> Finding {
    Finding { what, health, text: text.into() }
}

pub(crate) async fn run(doctor: &Doctor, globals: &Globals) -> Result<End> {
    let mut findings = vec![
        finding("version", Health::Good, format!("flowdeck {}", env!("CARGO_PKG_VERSION"))),
        key(globals),
        port(globals.redirect_port),
        browser(),
    ];
    match session::existing_data_folder(globals)? {
        None => findings.push(finding(
            "data folder",
            Health::Notice,
            "there is none here yet; the first run makes `.flowdeck` in the working folder",
        )),
        // Opening it would make the key, or the store.
        Some(folder) if untouched(globals, &folder) => findings.push(finding(
            "data folder",
            Health::Notice,
            format!("{}; nothing is looked up in it, since it has no store or no key yet", folder.display()),
        )),
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

/// Whether a first use is still to come.
fn untouched(globals: &Globals, folder: &Path) -> bool {
    let no_key = session::key_file(globals).is_ok_and(|path| matches!(MasterKey::load(&path), Ok(None)));
    no_key || !folder.join("store").exists()
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
    }
}

fn key(globals: &Globals) -> Finding {
    let path = match session::key_file(globals) {
        Ok(path) => path,
        Err(error) => return finding("key file", Health::Broken, error.to_string()),
    };
    if path.is_dir() {
        return finding("key file", Health::Broken, format!("{} is no file; name one with --key-file", path.display()));
    }
    match MasterKey::load(&path) {
        Err(error) => finding("key file", Health::Broken, error.to_string()),
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
                let text = format!(
                    "{}/{} {}; `flowdeck connect {} --as '{}'` authorizes it again",
                    c.app,
                    c.nickname,
                    state_word(c.state),
                    c.app,
                    c.nickname
                );
                findings.push(finding("connection", Health::Notice, text));
            }
        }
    }
    match api.prompts(Some("open"), None).await {
        Err(error) => findings.push(finding("prompts", Health::Broken, format!("{error:#}"))),
        Ok(open) => open.iter().for_each(|p| {
            findings.push(finding(
                "prompt",
                Health::Notice,
                format!("{} `flowdeck prompts answer {}`", p.message, p.id),
            ));
        }),
    }
    match api.runs(None, Some(Status::InDoubt), None, 20).await {
        Err(error) => findings.push(finding("runs", Health::Broken, format!("{error:#}"))),
        Ok(list) => list.runs.iter().for_each(|run| {
            let text = format!("{} wants a decision; `flowdeck runs show {}`", run.id, run.id);
            findings.push(finding("run in doubt", Health::Notice, text));
        }),
    }
    findings
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
