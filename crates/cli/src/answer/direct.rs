//! Answers with what options say, where nobody is asked.
//!
//! Must never wait longer than the attempt lives, nor guess what was not said.
//! Tests: `crates/cli/tests/arguments.rs`, `crates/cli/tests/first_minute.rs`.

use std::time::Duration;

use anyhow::{Result, bail};
use flowdeck::connections::{Attempt, AttemptStep, SecretText};
use flowdeck::model::connect::{ConnectionView, PromptMethod};
use flowdeck_server::wire::{Connect, SurfaceName};
use serde_json::json;

use super::attempt::{late, pause};
use super::interactive::given_method;
use super::options::YesNo;
use crate::again::quoted;
use crate::answer::{AnswerOptions, Ask, pasted};
use crate::api::Api;
use crate::browser;
use crate::end::{NobodyThere, usage};
use crate::out;
use crate::terminal::Terminal;

const LOOK_EVERY: Duration = Duration::from_millis(200);
const LOOKS_MAX: usize = 10 * 60 * 5 + 50;
/// Longest address that is pasted back, in bytes.
const ADDRESS_BYTES_MAX: u64 = 64 << 10;

/// How the same command is typed again, with more behind it.
type AgainWith<'a> = &'a (dyn Fn(&str) -> String + Sync);

/// Connects without a question. `words` are the command to show where something is missing, without its options.
pub(crate) async fn direct(
    api: &Api,
    terminal: &mut Terminal,
    ask: &Ask,
    options: &AnswerOptions,
    as_json: bool,
    words: &str,
) -> Result<Box<ConnectionView>> {
    let said = options.said(words);
    let again = |more: &str| api.session().again().command(&format!("{said}{more}"));
    if ask.choose && options.is_empty() {
        bail!(NobodyThere(format!("{} One of\n{}", ask.message, uses(ask, &again))));
    }
    let method = given_method(ask, options)?;
    let fields = options.form(method).await?;
    let missing: Vec<String> = method
        .fields
        .iter()
        .filter(|f| !f.optional && f.default.is_none() && ask.connection.is_none())
        .filter(|f| !fields.contains_key(&f.key) && !method.known.contains_key(&f.key))
        .map(|f| if f.secret { format!("--secret {}=FILE", f.key) } else { format!("--set {}=…", f.key) })
        .collect();
    if !missing.is_empty() {
        let missing = missing.join(" ");
        let mut text = format!("{} wants {missing}\n  {}", method.title, again(&format!(" {missing}")));
        if !ask.others.is_empty() {
            text.push_str(&format!("\nor one that is there:\n{}", uses(ask, &again)));
        }
        bail!(usage(text));
    }
    let surface = surface(method, options, as_json, &again)?;
    let body = Connect {
        app: ask.app.clone(),
        method: Some(method.key.clone()),
        nickname: options.nickname.clone(),
        fields,
        scopes: options.scopes.clone(),
        prompt: ask.prompt,
        connection: ask.connection,
        surface,
    };
    let attempt = api.connect(&body).await?;
    follow(api, terminal, attempt, surface, options, as_json, &again).await
}

/// The commands that answer with a connection that is there.
fn uses(ask: &Ask, again: AgainWith<'_>) -> String {
    let one = |c: &ConnectionView| {
        let account = c.account.as_ref().map(|a| format!("   # {a}")).unwrap_or_default();
        format!("  {}{account}", again(&format!(" --use {}", quoted(c.nickname.as_str()))))
    };
    ask.others.iter().map(one).collect::<Vec<_>>().join("\n")
}

fn surface(method: &PromptMethod, options: &AnswerOptions, as_json: bool, again: AgainWith<'_>) -> Result<SurfaceName> {
    if !method.browser && !method.device {
        return Ok(SurfaceName::Direct);
    }
    match options.surface() {
        Some(surface) => Ok(surface),
        // A program that reads the address opens it itself.
        None if as_json && method.browser => Ok(SurfaceName::Browser),
        None => bail!(NobodyThere(format!(
            "{} wants somebody's consent, and nobody is here to be asked how. One of\n  {}\n  {}{}",
            method.title,
            again(" --browser"),
            again(" --paste"),
            if method.device { format!("\n  {}", again(" --device")) } else { String::new() }
        ))),
    }
}

async fn follow(
    api: &Api,
    terminal: &mut Terminal,
    mut attempt: Attempt,
    surface: SurfaceName,
    options: &AnswerOptions,
    as_json: bool,
    again: AgainWith<'_>,
) -> Result<Box<ConnectionView>> {
    let mut shown = false;
    for _ in 0..LOOKS_MAX {
        let first = !std::mem::replace(&mut shown, true);
        if first && as_json {
            tell(&attempt);
        }
        match attempt.step.clone() {
            AttemptStep::Done { connection, meanwhile } => {
                if let (Some(other), false) = (meanwhile, as_json) {
                    terminal.say(&format!("{}\n", late(&other, &connection)));
                }
                return Ok(connection);
            }
            AttemptStep::Failed(fault) => bail!("{}\n  {}", fault.message, fault.remedy),
            AttemptStep::ConfirmAccount { was, now, .. } => {
                let Some(word) = options.switch_account else {
                    let id = attempt.id;
                    api.confirm(id, false).await?;
                    bail!(NobodyThere(format!(
                        "The connection was {was}, but {now} was authorized; nothing was changed. To switch:\n  {}",
                        again(" --switch-account yes")
                    )));
                };
                attempt = api.confirm(attempt.id, word == YesNo::Yes).await?;
            }
            AttemptStep::Browser { authorize_url, .. } => {
                if first && !as_json {
                    terminal.say(&format!("Open this address in a browser:\n{authorize_url}\n"));
                    if surface == SurfaceName::Browser {
                        browser::open(&authorize_url);
                    }
                }
                if surface == SurfaceName::Paste {
                    attempt = api.paste(attempt.id, pasted(terminal, again).await?).await?;
                } else {
                    tokio::time::sleep(LOOK_EVERY).await;
                    attempt = api.attempt(attempt.id).await?;
                }
            }
            AttemptStep::Device { user_code, verification_uri, interval_s, .. } => {
                if first && !as_json {
                    terminal.say(&format!("Open {verification_uri} and enter the code {user_code}\n"));
                }
                tokio::time::sleep(pause(interval_s)).await;
                attempt = api.poll(attempt.id).await?;
            }
            _ => bail!("the attempt came to a step that this version does not know; use a newer flowdeck"),
        }
    }
    bail!(NobodyThere(format!("Nobody consented in time. Again:\n  {}", again(""))))
}

fn tell(attempt: &Attempt) {
    let mut line = json!({ "type": "attempt", "attempt": attempt.id });
    if let (Some(line), Ok(serde_json::Value::Object(step))) =
        (line.as_object_mut(), serde_json::to_value(&attempt.step))
    {
        line.extend(step);
    }
    out::json(&line);
}

/// The first line of standard input that may be an answer, read beside everything else. Other lines are named and
/// passed over: sent, they would end the attempt.
async fn pasted(terminal: &mut Terminal, again: AgainWith<'_>) -> Result<SecretText> {
    use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader};
    let mut input = BufReader::new(tokio::io::stdin().take(ADDRESS_BYTES_MAX));
    let until = tokio::time::Instant::now() + LOOK_EVERY * u32::try_from(LOOKS_MAX).unwrap_or(u32::MAX);
    loop {
        let mut line = String::new();
        let read = tokio::time::timeout_at(until, input.read_line(&mut line)).await;
        if !matches!(read, Ok(Ok(1..))) {
            bail!(NobodyThere(format!(
                "The address that the browser ended at was not given. It belongs to this very command, so keep its \
                 standard input open until you have it:\n  {}",
                again(" --paste")
            )));
        }
        if pasted::plausible(&line) {
            return Ok(SecretText::new(line.trim()));
        }
        if !line.trim().is_empty() {
            terminal.say(&format!("{}\n", pasted::EXPECTED));
        }
    }
}
