//! Takes one attempt to connect from its start to its end: browser, device code, pasted address, another account.
//!
//! Must never switch accounts without a word of the person, nor wait longer than the attempt lives.
//! Tests: `crates/cli/tests/first_minute.rs`.

use std::time::Duration;

use anyhow::Result;
use flowdeck::connections::{Attempt, AttemptStep, SecretText};
use flowdeck::model::connect::ConnectionView;
use flowdeck_server::wire::SurfaceName;

use crate::answer::options::YesNo;
use crate::answer::pasted;
use crate::api::Api;
use crate::browser;
use crate::screen::style::wrap;
use crate::terminal::{Terminal, Typed};

/// Between two looks at an attempt that waits for a browser.
const LOOK_EVERY: Duration = Duration::from_millis(200);
/// Most looks: an attempt lives ten minutes.
const LOOKS_MAX: usize = 10 * 60 * 5 + 50;

/// How an attempt ended.
#[derive(Debug)]
pub(crate) enum Ended {
    /// Connected.
    Done(Box<ConnectionView>),
    /// The person turned away; the menu comes again.
    Back,
    /// It failed; the reason was shown.
    Failed,
}

/// Follows an attempt with a person at the terminal.
pub(crate) async fn follow(
    api: &Api,
    terminal: &mut Terminal,
    mut attempt: Attempt,
    surface: SurfaceName,
    switch: Option<YesNo>,
) -> Result<Ended> {
    let mut shown = false;
    for _ in 0..LOOKS_MAX {
        let style = terminal.style();
        match attempt.step.clone() {
            AttemptStep::Done { connection } => return Ok(Ended::Done(connection)),
            AttemptStep::Failed(fault) => {
                terminal.say(&format!("  {} {}\n  {}\n", style.bad(style.sign("✗", "x")), fault.message, fault.remedy));
                return Ok(Ended::Failed);
            }
            AttemptStep::ConfirmAccount { was, now, .. } => {
                let accept = match switch {
                    Some(word) => word == YesNo::Yes,
                    None => {
                        let question = format!(
                            "  This connection was {}; you authorized {}.\n  {}witch to it, or {}eep the earlier one? ",
                            style.bold(&was),
                            style.bold(&now),
                            style.key("[s]"),
                            style.key("[k]")
                        );
                        let typed = terminal.ask(&question).await;
                        matches!(typed, Typed::Line(line) if line.trim().to_lowercase().starts_with('s'))
                    }
                };
                attempt = api.confirm(attempt.id, accept).await?;
            }
            AttemptStep::Browser { authorize_url, .. } => {
                if !shown {
                    shown = true;
                    open(terminal, &authorize_url, surface);
                }
                let typed = if surface == SurfaceName::Paste {
                    Some(terminal.ask("  Paste the address that your browser ends at: ").await)
                } else {
                    tokio::select! {
                        biased;
                        () = tokio::time::sleep(LOOK_EVERY) => None,
                        typed = terminal.read(false) => Some(typed),
                    }
                };
                match typed {
                    None => attempt = api.attempt(attempt.id).await?,
                    Some(Typed::Line(line)) if line.trim().is_empty() => return Ok(Ended::Back),
                    Some(Typed::Line(line)) if pasted::plausible(&line) => {
                        attempt = api.paste(attempt.id, SecretText::new(line.trim())).await?;
                    }
                    Some(Typed::Line(_)) => terminal.say(&wrap(pasted::EXPECTED, style.text_width(), 2)),
                    Some(Typed::End) => return Ok(Ended::Back),
                }
            }
            AttemptStep::Device { user_code, verification_uri, verification_uri_complete, interval_s, .. } => {
                if !shown {
                    shown = true;
                    let address = verification_uri_complete.unwrap_or(verification_uri);
                    terminal.say(&format!(
                        "  On any device open  {}\n  and enter the code  {}\n  {}\n",
                        style.key(&address),
                        style.bold(&user_code),
                        style.dim("Waiting for you; Enter goes back.")
                    ));
                }
                tokio::select! {
                    biased;
                    () = tokio::time::sleep(pause(interval_s)) => attempt = api.poll(attempt.id).await?,
                    typed = terminal.read(false) => {
                        let (Typed::Line(_) | Typed::End) = typed;
                        return Ok(Ended::Back);
                    }
                }
            }
            _ => return Ok(Ended::Back),
        }
    }
    Ok(Ended::Back)
}

/// Between two polls of a device code.
pub(crate) fn pause(interval_s: u64) -> Duration {
    Duration::from_secs(interval_s.clamp(1, 60))
}

fn open(terminal: &mut Terminal, url: &str, surface: SurfaceName) {
    let style = terminal.style();
    let head = match surface {
        SurfaceName::Browser if browser::open(url) => "Your browser opens. If it does not, open this address:",
        _ => "Open this address in a browser:",
    };
    terminal.say(&format!("  {head}\n  {}\n", style.key(url)));
    if surface == SurfaceName::Browser {
        let more = "Waiting for your consent. Enter goes back; if the browser cannot come back to this machine, paste \
                    the address it ends at.";
        let more: String = wrap(more, style.text_width(), 2).lines().map(|l| style.dim(l) + "\n").collect();
        terminal.say(&more);
    }
}
