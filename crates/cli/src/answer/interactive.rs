//! A person answers a connect prompt at the terminal: menu, form, consent.
//!
//! Must never ask where nobody can answer, nor go round for ever.
//! Tests: `crates/cli/tests/first_minute.rs`.

use anyhow::Result;
use flowdeck::model::AttemptId;
use flowdeck::model::connect::{ConnectionView, PromptMethod};
use flowdeck_server::wire::{Connect, SurfaceName};

use super::attempt::{self, Ended};
use super::form::{self, Filled, Remembered};
use super::menu::{self, Choice};
use crate::answer::{AnswerOptions, Ask};
use crate::api::Api;
use crate::end::{problem_of, problem_on};
use crate::screen::preflight::capital;
use crate::screen::prompt;
use crate::screen::style::wrap;
use crate::terminal::{Terminal, Typed};

/// Where nobody can listen for the browser; the address can be pasted all the same.
const NO_WAY_BACK: [&str; 2] = ["oauth.port_taken", "oauth.no_port"];
/// Most rounds at one menu.
const ROUNDS_MAX: usize = 50;

/// How it ended.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// Connected.
    Connected(Box<ConnectionView>),
    /// A connection that was there is used.
    Used,
    /// Not now.
    Later,
}

/// What is under way, for whoever has to break off because the answer came from elsewhere.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    pub(crate) attempt: Option<AttemptId>,
    /// What was typed in an earlier round.
    pub(super) remembered: Remembered,
}

/// Asks until the prompt is answered or left for later.
pub(crate) async fn interactive(
    api: &Api,
    terminal: &mut Terminal,
    ask: &Ask,
    options: &AnswerOptions,
    progress: &mut Progress,
) -> Result<Outcome> {
    let style = terminal.style();
    let mut method = match &options.method {
        Some(_) => index(ask, given_method(ask, options)?),
        None => 0,
    };
    let mut said = options.surface();
    let mut show = true;
    for _ in 0..ROUNDS_MAX {
        let Some(current) = ask.methods.get(method) else {
            terminal.say(&format!("  {} needs no connection.\n", ask.title));
            return Ok(Outcome::Later);
        };
        if show {
            terminal.say(&format!("\n{}", prompt::prompt(ask, Some(current), style)));
        }
        show = false;
        let choice = match said.take() {
            Some(surface) => of_surface(surface),
            None => match choose(terminal, ask, method).await {
                Some(choice) => choice,
                None => return Ok(Outcome::Later),
            },
        };
        let surface = match choice {
            Choice::Later => return Ok(Outcome::Later),
            Choice::Help => {
                terminal.say(&format!("\n{}\n", prompt::help(current, style)));
                continue;
            }
            Choice::Other => {
                method = (method + 1) % ask.methods.len();
                show = true;
                continue;
            }
            Choice::Use => match pick(api, terminal, ask).await? {
                true => return Ok(Outcome::Used),
                false => continue,
            },
            Choice::These(number) => match take(api, terminal, ask, ask.others.get(number)).await? {
                true => return Ok(Outcome::Used),
                false => continue,
            },
            Choice::Open => SurfaceName::Browser,
            Choice::Device => SurfaceName::Device,
            Choice::Paste => SurfaceName::Paste,
            Choice::Form => SurfaceName::Direct,
        };
        if let Some(connection) = connect(api, terminal, ask, current, surface, options, progress).await? {
            return Ok(Outcome::Connected(connection));
        }
    }
    Ok(Outcome::Later)
}

fn of_surface(surface: SurfaceName) -> Choice {
    match surface {
        SurfaceName::Browser => Choice::Open,
        SurfaceName::Device => Choice::Device,
        SurfaceName::Paste => Choice::Paste,
        SurfaceName::Direct => Choice::Form,
    }
}

/// The method that the options name, or the first.
pub(crate) fn given_method<'a>(ask: &'a Ask, options: &AnswerOptions) -> Result<&'a PromptMethod> {
    let known: Vec<&str> = ask.methods.iter().map(|m| m.key.as_str()).collect();
    ask.method(options.method.as_deref()).ok_or_else(|| match known.as_slice() {
        [] => crate::end::usage(format!("{} needs no connection", ask.title)),
        known => crate::end::usage(format!("{} offers --method {}", ask.title, known.join(", --method "))),
    })
}

fn index(ask: &Ask, method: &PromptMethod) -> usize {
    ask.methods.iter().position(|m| m.key == method.key).unwrap_or(0)
}

async fn choose(terminal: &mut Terminal, ask: &Ask, method: usize) -> Option<Choice> {
    let style = terminal.style();
    let choices = menu::choices(ask, method);
    for _ in 0..ROUNDS_MAX {
        let question = format!("{}{} ", menu::line(&choices, style), style.bold(">"));
        let Typed::Line(typed) = terminal.ask(&question).await else { return None };
        let number = typed.trim().parse::<usize>().ok().filter(|n| ask.choose && (1..=ask.others.len()).contains(n));
        match number.map(|n| Choice::These(n - 1)).or_else(|| menu::parse(&choices, &typed)) {
            Some(choice) => return Some(choice),
            None => terminal.say("  Type one of the letters in brackets, then Enter.\n"),
        }
    }
    None
}

/// Lets the person choose one of the connections that are there.
async fn pick(api: &Api, terminal: &mut Terminal, ask: &Ask) -> Result<bool> {
    // A prompt that is only about the choice shows them already.
    let list = if ask.choose { String::new() } else { prompt::others(ask, terminal.style()) };
    let question = format!("{list}  Which one, by number or nickname? ");
    let Typed::Line(typed) = terminal.ask(&question).await else { return Ok(false) };
    let typed = typed.trim();
    let by_number = typed.parse::<usize>().ok().and_then(|n| ask.others.get(n.wrapping_sub(1)));
    let chosen = by_number.or_else(|| ask.others.iter().find(|c| c.nickname.as_str() == typed));
    if chosen.is_none() && !typed.is_empty() {
        terminal.say("  There is none of that number or name.\n");
    }
    take(api, terminal, ask, chosen).await
}

/// Answers with this connection; false where there is none, or the choice was refused.
async fn take(api: &Api, terminal: &mut Terminal, ask: &Ask, chosen: Option<&ConnectionView>) -> Result<bool> {
    let (Some(prompt), Some(chosen)) = (ask.prompt, chosen) else { return Ok(false) };
    let style = terminal.style();
    api.use_connection(prompt, chosen.id).await?;
    terminal.say(&format!("  {} Using \u{201c}{}\u{201d}\n", style.good(style.sign("✓", "+")), chosen.nickname));
    Ok(true)
}

/// Form, attempt, consent. `None` brings the menu again.
async fn connect(
    api: &Api,
    terminal: &mut Terminal,
    ask: &Ask,
    method: &PromptMethod,
    mut surface: SurfaceName,
    options: &AnswerOptions,
    progress: &mut Progress,
) -> Result<Option<Box<ConnectionView>>> {
    let style = terminal.style();
    let mut filled = Filled { nickname: options.nickname.clone(), fields: options.form(method).await? };
    for _ in 0..ROUNDS_MAX {
        if form::fill(terminal, ask, method, &mut filled, &mut progress.remembered).await.is_none() {
            terminal.say("\n");
            return Ok(None);
        }
        let body = Connect {
            app: ask.app.clone(),
            method: Some(method.key.clone()),
            nickname: filled.nickname.clone(),
            fields: filled.fields.clone(),
            scopes: options.scopes.clone(),
            prompt: ask.prompt,
            connection: ask.connection,
            surface,
        };
        let attempt = match api.connect(&body).await {
            Ok(attempt) => attempt,
            Err(error) => {
                let Some(problem) = problem_of(&error) else { return Err(error) };
                if surface == SurfaceName::Browser && NO_WAY_BACK.contains(&problem.code.as_str()) {
                    let text = format!("{}. So paste the address back:", capital(&problem.title));
                    terminal.say(&wrap(&text, style.text_width(), 2));
                    surface = SurfaceName::Paste;
                    continue;
                }
                terminal.say(&style.bad(&problem_on(problem, style)));
                if problem.code == "connect.nickname_taken" {
                    filled.nickname = None;
                } else if problem.fields.is_empty() {
                    return Ok(None);
                }
                for key in problem.fields.keys() {
                    filled.fields.remove(key);
                    if key == "nickname" {
                        filled.nickname = None;
                    }
                }
                continue;
            }
        };
        progress.attempt = Some(attempt.id);
        return match attempt::follow(api, terminal, attempt, surface, options.switch_account).await? {
            Ended::Done(connection) => {
                terminal.say(&connected(&connection, style));
                Ok(Some(connection))
            }
            Ended::Back | Ended::Failed => Ok(None),
        };
    }
    Ok(None)
}

/// `✓ Connected playground "playground" as Robin Admin`.
pub(crate) fn connected(c: &ConnectionView, style: crate::screen::style::Style) -> String {
    let account = c.account.as_ref().map(|a| format!(" as {}", style.bold(a))).unwrap_or_default();
    let sign = style.good(style.sign("✓", "+"));
    format!("  {sign} Connected {} \u{201c}{}\u{201d}{account}\n", c.app, c.nickname)
}
