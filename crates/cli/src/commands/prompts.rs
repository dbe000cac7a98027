//! `flowdeck prompts`: what waits for a connection, and answers to it.
//!
//! Must never answer with an account that nobody named.
//! Tests: `crates/cli/tests/first_minute.rs`, `crates/cli/tests/arguments.rs`.

use std::time::Duration;

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

/// How often a prompt is looked at while somebody is asked.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How long an answer that was given here may take to come back.
const OWN_ANSWER: Duration = Duration::from_secs(2);

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
  flowdeck prompts answer                             the only one that is open; asks what it needs
  flowdeck prompts answer prm_01…                     this one
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
    /// The prompt; where only one is open, that one.
    prompt: Option<PromptId>,
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
            session::with(globals, async |api| Box::pin(answer_one(api, &mut terminal, answer)).await).await
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
    let view = which(api, answer.prompt).await?;
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
        match api.session().or_interrupted(Box::pin(here_or_elsewhere(api, view.id, answered))).await {
            Some(None) => terminal.say("\nIt was answered elsewhere.\n"),
            Some(Some(outcome)) => match outcome? {
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

/// The prompt that was named, or the only one that is open.
async fn which(api: &Api, named: Option<PromptId>) -> Result<PromptView> {
    if let Some(id) = named {
        return api.prompt(id).await;
    }
    let mut open = api.prompts(Some("open"), None).await?;
    match (open.pop(), open.len()) {
        (Some(only), 0) => Ok(only),
        (None, _) => bail!(usage("nothing waits for a connection; `flowdeck connect APP` makes one ahead")),
        (Some(_), others) => {
            bail!(usage(format!("{} prompts are open; name one: `flowdeck prompts list` shows them", others + 1)))
        }
    }
}

/// What came of answering; `None` when somebody else answered meanwhile, and there is nothing to be asked any more.
async fn here_or_elsewhere<T>(api: &Api, prompt: PromptId, answered: impl Future<Output = T>) -> Option<T> {
    let mut answered = std::pin::pin!(answered);
    let over = async {
        while !matches!(api.prompt(prompt).await, Ok(view) if view.state != PromptState::Open) {
            tokio::time::sleep(LOOK_EVERY).await;
        }
    };
    tokio::select! {
        biased;
        outcome = &mut answered => Some(outcome),
        // It may be this one's own answer, on its way back.
        () = over => tokio::time::timeout(OWN_ANSWER, answered).await.ok(),
    }
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
