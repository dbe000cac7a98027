//! Opens an address in the person's browser.
//!
//! Must never wait for it, nor pass it through a shell.
//! Tests: `crates/cli/tests/first_minute.rs` (`BROWSER` names a script there).

use std::process::{Command, Stdio};

/// Starts `$BROWSER`, else what the system uses; answers whether something was started.
pub(crate) fn open(url: &str) -> bool {
    let named = std::env::var("BROWSER").ok().filter(|b| !b.trim().is_empty());
    let candidates = match &named {
        Some(command) => vec![command.as_str()],
        None if cfg!(target_os = "macos") => vec!["open"],
        None => vec!["xdg-open"],
    };
    candidates.into_iter().any(|command| start(command, url))
}

fn start(command: &str, url: &str) -> bool {
    let mut words = command.split_whitespace();
    let Some(program) = words.next() else { return false };
    let child = Command::new(program)
        .args(words)
        .arg(url)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    let Ok(mut child) = child else { return false };
    // Somebody has to take its end, whenever it comes.
    std::thread::Builder::new().name("browser".into()).spawn(move || child.wait()).is_ok()
}
