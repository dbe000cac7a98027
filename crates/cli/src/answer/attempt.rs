//! Takes one attempt to connect from its start to its end: browser, device code, pasted address, another account.
//!
//! Must never switch accounts without a word of the person, nor wait longer than the attempt lives.
//! Tests: `crates/cli/tests/first_minute.rs`.

use std::time::Duration;

use anyhow::Result;
use flowdeck::connections::{Attempt, AttemptStep, SecretText};
use flowdeck::model::Nickname;
use flowdeck::model::connect::ConnectionView;
use flowdeck_server::wire::SurfaceName;

use crate::answer::options::YesNo;
use crate::answer::pasted;
use crate::api::Api;
use crate::browser;
use crate::end::{problem_of, problem_on};
use crate::screen::style::wrap;
use crate::terminal::{Terminal, Typed};

/// Between two looks at an attempt that waits for a browser.
const LOOK_EVERY: Duration = Duration::from_millis(200);
/// Most looks: an attempt lives ten minutes.
const LOOKS_MAX: usize = 10 * 60 * 5 + 50;

/// Times that one question is asked.
const TRIES_MAX: usize = 8;

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

/// What to say where somebody else answered the prompt first.
pub(super) fn late(other: &Nickname, saved: &ConnectionView) -> String {
    format!(
        "The prompt was answered meanwhile with \u{201c}{other}\u{201d}, and what waited goes on with that. Your \
         account is saved as \u{201c}{}\u{201d}; nothing uses it yet.",
        saved.nickname
    )
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
            AttemptStep::Done { connection, meanwhile } => {
                if let Some(other) = meanwhile {
                    terminal.say(&wrap(&late(&other, &connection), style.text_width(), 2));
                }
                return Ok(Ended::Done(connection));
            }
            AttemptStep::Failed(fault) => {
                let sign = style.bad(style.sign("✗", "x"));
                let message = wrap(&fault.message, style.text_width(), 4);
                let remedy = wrap(&fault.remedy, style.text_width(), 2);
                terminal.say(&format!("  {sign} {}{remedy}", message.trim_start()));
                return Ok(Ended::Failed);
            }
            AttemptStep::ConfirmAccount { was, now, .. } => {
                let accept = match switch {
                    Some(word) => word == YesNo::Yes,
                    None => {
                        let about =
                            format!("This connection was {}; you authorized {}.", style.bold(&was), style.bold(&now));
                        terminal.say(&wrap(&about, style.text_width(), 2));
                        switches(terminal).await
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
                        typed = terminal.read() => Some(typed),
                    }
                };
                match typed {
                    None => attempt = api.attempt(attempt.id).await?,
                    Some(Typed::Line(line)) if line.trim().is_empty() => return Ok(Ended::Back),
                    Some(Typed::Line(line)) if pasted::plausible(&line) => {
                        match api.paste(attempt.id, SecretText::new(line.trim())).await {
                            Ok(next) => attempt = next,
                            // An old address, say: the attempt waits on for the right one.
                            Err(error) => match problem_of(&error) {
                                Some(problem) => {
                                    terminal.say(&style.bad(&problem_on(problem, style)));
                                    attempt = api.attempt(attempt.id).await?;
                                }
                                None => return Err(error),
                            },
                        }
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
                    typed = terminal.read() => {
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

/// Whether to speak for the account that was authorized; what is neither answer is asked again.
async fn switches(terminal: &mut Terminal) -> bool {
    let style = terminal.style();
    let question = format!("  {}witch to it, or {}eep the earlier one? ", style.key("[s]"), style.key("[k]"));
    for _ in 0..TRIES_MAX {
        let Typed::Line(line) = terminal.ask(&question).await else { return false };
        match line.trim().to_lowercase().chars().next() {
            Some('s') => return true,
            Some('k') => return false,
            _ => terminal.say("  Type s or k, then Enter.\n"),
        }
    }
    false
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
