//! `flowdeck prompts`: what waits for a connection, and answers to it.
//!
//! Must never answer with an account that nobody named.
//! Tests: `crates/cli/tests/first_minute.rs`, `crates/cli/tests/arguments.rs`.

use anyhow::{Result, bail};
use clap::{Args, Subcommand, ValueEnum};
use flowdeck::model::connect::{PromptState, PromptView};
use flowdeck::model::{AppName, PromptId};
use serde_json::json;

use crate::again::quoted;
use crate::answer::{self, AnswerOptions, Ask, Outcome, Progress};
use crate::api::Api;
use crate::end::{End, usage};
use crate::options::Globals;
use crate::out::{self, Pages, style};
use crate::screen::connections;
use crate::session;
use crate::terminal::Terminal;
use crate::watch;

#[derive(Debug, Args)]
pub(crate) struct Prompts {
    #[command(subcommand)]
    command: PromptsCommand,
}

#[derive(Debug, Subcommand)]
enum PromptsCommand {
    /// Lists what waits for a connection.
    #[command(after_help = "Examples:
  flowdeck prompts list
  flowdeck prompts list --state answered --json")]
    List {
        /// Only these.
        #[arg(long, default_value = "open")]
        state: State,
        /// Only of this app.
        #[arg(long)]
        app: Option<AppName>,
        /// One JSON object a line.
        #[arg(long)]
        json: bool,
    },
    /// Answers a prompt; what waited goes on.
    #[command(after_help = "Examples:
  flowdeck prompts answer prm_01…                     asks what it needs
  flowdeck prompts answer prm_01… --use prod-admin    with a connection that is there
  flowdeck prompts answer prm_01… --as ops --set domain=acme.okta.com \\
      --set client_id=0oa… --secret client_secret=secret.txt --browser
  flowdeck prompts answer prm_01… --json --no-input   prints the address to open, waits for the consent")]
    Answer(Answer),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum State {
    Open,
    Answered,
    Closed,
    All,
}

#[derive(Debug, Args)]
struct Answer {
    /// The prompt.
    prompt: PromptId,
    #[command(flatten)]
    options: AnswerOptions,
    /// Answer with a connection that is there: its id or nickname.
    #[arg(long = "use", value_name = "CONNECTION")]
    use_connection: Option<String>,
    /// One JSON object a line.
    #[arg(long)]
    json: bool,
}

pub(crate) async fn run(prompts: &Prompts, globals: &Globals) -> Result<End> {
    match &prompts.command {
        PromptsCommand::List { state, app, json } => {
            session::reading(globals, async |api, out| list(api, out, *state, app.as_ref(), *json).await).await
        }
        PromptsCommand::Answer(answer) => {
            let mut terminal = Terminal::new(globals.no_input || answer.json);
            session::with(globals, async |api| answer_one(api, &mut terminal, answer).await).await
        }
    }
}

async fn list(api: &Api, out: &mut Pages, state: State, app: Option<&AppName>, as_json: bool) -> Result<()> {
    let state = match state {
        State::Open => Some("open"),
        State::Answered => Some("answered"),
        State::Closed => Some("closed"),
        State::All => None,
    };
    let found = api.prompts(state, app).await?;
    if as_json {
        found.iter().for_each(|prompt| out.json(prompt));
    } else {
        out.text(&connections::prompts(&found, style()));
        if found.iter().any(|p| p.state == PromptState::Open) {
            out.text(&format!("\nAnswer one: {}\n", api.session().again().command("prompts answer PROMPT")));
        }
    }
    Ok(())
}

async fn answer_one(api: &Api, terminal: &mut Terminal, answer: &Answer) -> Result<End> {
    let view = api.prompt(answer.prompt).await?;
    if view.state != PromptState::Open {
        let word =
            if view.state == PromptState::Answered { "answered already" } else { "closed: nothing waits for it" };
        bail!("the prompt {} is {word}; `flowdeck prompts list` shows what is open", view.id);
    }
    let waiting = watch::waiting_for(api, &view.app).await?;
    let mut connected = view.connection;
    if let Some(name) = &answer.use_connection {
        use_one(api, terminal, &view, name, answer.json).await?;
    } else {
        let ask = Ask::of_prompt(&view, api.session().auth(&view.app).as_deref());
        let mut words = format!("prompts answer {}", view.id);
        if let Some(nickname) = &answer.options.nickname {
            words.push_str(&format!(" --as {}", quoted(nickname.as_str())));
        }
        let answered = async {
            if terminal.interactive() {
                return answer::interactive(api, terminal, &ask, &answer.options, &mut Progress::default()).await;
            }
            let connection = answer::direct(api, terminal, &ask, &answer.options, answer.json, &words).await?;
            if answer.json {
                out::json(&json!({ "type": "connection", "connection": connection }));
            } else {
                terminal.say(&answer::connected(&connection, terminal.style()));
            }
            Ok(Outcome::Connected(connection))
        };
        let again = api.session().again().command(&words);
        match api.session().or_interrupted(answered).await {
            Some(outcome) => match outcome? {
                Outcome::Connected(connection) => connected = Some(connection.id),
                Outcome::Used => {}
                Outcome::Later => {
                    terminal.say(&format!("It waits on. Later:\n  {again}\n"));
                    return Ok(End::Waiting);
                }
            },
            None => {
                terminal.say(&format!("\nIt waits on. Later:\n  {again}\n"));
                return Ok(End::Interrupted);
            }
        }
    }
    let waiting = watch::concerned(api, waiting, &view.app, view.id, connected).await?;
    watch::drive(api, terminal, waiting, answer.json).await
}

async fn use_one(api: &Api, terminal: &mut Terminal, view: &PromptView, name: &str, as_json: bool) -> Result<()> {
    let there = api.connections(Some(&view.app)).await?;
    let Some(found) = there.iter().find(|c| c.id.to_string() == name || c.nickname.as_str() == name) else {
        let names: Vec<&str> = there.iter().map(|c| c.nickname.as_str()).collect();
        let has = if names.is_empty() { "it has none yet".to_owned() } else { format!("it has {}", names.join(", ")) };
        bail!(usage(format!("{} has no connection `{name}`; {has}", view.app_title)));
    };
    api.use_connection(view.id, found.id).await?;
    if as_json {
        out::json(&json!({ "type": "connection", "connection": found }));
    } else {
        terminal.say(&format!("Using \u{201c}{}\u{201d}.\n", found.nickname));
    }
    Ok(())
}
