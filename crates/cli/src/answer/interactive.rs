//! A person answers a connect prompt at the terminal: menu, form, consent.
//!
//! Must never ask where nobody can answer, nor go round for ever.
//! Tests: `crates/cli/tests/first_minute.rs`.

use anyhow::Result;
use flowdeck::model::AttemptId;
use flowdeck::model::connect::{ConnectionView, PromptMethod};
use flowdeck_server::wire::{Connect, SurfaceName};

use super::attempt::{self, Ended};
use super::form::{self, Filled};
use super::menu::{self, Choice};
use crate::answer::{AnswerOptions, Ask};
use crate::api::Api;
use crate::end::{problem_of, problem_text};
use crate::screen::connections::state_word;
use crate::screen::prompt;
use crate::terminal::{Terminal, Typed};

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
        match menu::parse(&choices, &typed) {
            Some(choice) => return Some(choice),
            None => terminal.say("  Type one of the letters in brackets, then Enter.\n"),
        }
    }
    None
}

/// Lets the person choose one of the connections that are there.
async fn pick(api: &Api, terminal: &mut Terminal, ask: &Ask) -> Result<bool> {
    let Some(prompt) = ask.prompt else { return Ok(false) };
    let style = terminal.style();
    let mut list = String::new();
    for (i, c) in ask.others.iter().enumerate() {
        let account = c.account.as_ref().map(|a| format!(" as {a}")).unwrap_or_default();
        let state = style.dim(&format!("({})", state_word(c.state)));
        list.push_str(&format!("  {} {}{account} {state}\n", style.key(&(i + 1).to_string()), c.nickname));
    }
    let question = format!("{list}  Which one, by number or nickname? ");
    let Typed::Line(typed) = terminal.ask(&question).await else { return Ok(false) };
    let typed = typed.trim();
    let by_number = typed.parse::<usize>().ok().and_then(|n| ask.others.get(n.wrapping_sub(1)));
    let Some(chosen) = by_number.or_else(|| ask.others.iter().find(|c| c.nickname.as_str() == typed)) else {
        if !typed.is_empty() {
            terminal.say("  There is none of that number or name.\n");
        }
        return Ok(false);
    };
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
    surface: SurfaceName,
    options: &AnswerOptions,
    progress: &mut Progress,
) -> Result<Option<Box<ConnectionView>>> {
    let style = terminal.style();
    let mut filled = Filled { nickname: options.nickname.clone(), fields: options.form(method)? };
    for _ in 0..ROUNDS_MAX {
        if form::fill(terminal, ask, method, &mut filled).await.is_none() {
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
                terminal.say(&style.bad(&problem_text(problem)));
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
