//! `flowdeck serve`: holds the data folder, lets triggers start flows, drives every run, until it is told to end.
//!
//! Must never listen where other machines reach it while nobody can sign in, nor end without leaving every run resumable.
//! Tests: `crates/cli/tests/serve.rs`.

mod folders;
mod told;

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Result, bail};
use clap::Args;
use flowdeck::{FlowFolder, Runtime, RuntimeEvent};
use flowdeck_server::wire::ServedFlow;
use flowdeck_server::{Listening, NotListening, Site};
use tokio::time::MissedTickBehavior;

use self::told::Told;
use crate::end::{End, usage};
use crate::interrupts::Interrupts;
use crate::late::Late;
use crate::options::Globals;
use crate::session::{Part, Session};

/// How often watched folders are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How long the end may take. Runs that are not at rest by then go on at the next start.
const END_WITHIN: Duration = Duration::from_secs(9);
/// Flows that are shown at the start; `flows list` shows all.
const SHOWN_MAX: usize = 20;

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  flowdeck serve                                  endpoints and schedules of what is published and on
  flowdeck serve --watch flows                    and publish what lies in a folder, whenever it changes
  flowdeck serve --listen 127.0.0.1:9000 --json   one JSON object a line

Every other flowdeck command in this folder works while it serves: `flowdeck prompts answer`, `flowdeck runs list`.
Ctrl-C or SIGTERM ends it within 10 seconds; runs go on at the next start.")]
pub(crate) struct Serve {
    /// Folder with flow files (*.flow.yaml, *.flow.json): published when they change, switched on when they are new,
    /// switched off when they go. May be given several times.
    #[arg(long, value_name = "DIR")]
    watch: Vec<PathBuf>,
    /// Where to listen. Beyond this machine only when there is a user, and behind a proxy with TLS.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8918", value_parser = address)]
    listen: SocketAddr,
    /// The address under which a proxy with TLS offers it: https://flows.example.com.
    #[arg(long, value_name = "URL")]
    public_url: Option<String>,
    /// One JSON object a line instead of words.
    #[arg(long)]
    json: bool,
}

impl Serve {
    /// Who only asked it to end gets an orderly end, however slow the disk is.
    pub(crate) fn late(&self) -> Late {
        let last_words = if self.json { || Told::new(true).ended() } else { || Told::new(false).ended() };
        Late { end: End::Fine, last_words }
    }
}

/// An address; `localhost` and a port alone are this machine.
fn address(text: &str) -> Result<SocketAddr, String> {
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) => (host, port),
        None => ("", text),
    };
    let host = if host.is_empty() || host == "localhost" { "127.0.0.1" } else { host };
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let wrong = |_| "write ADDRESS:PORT, as 127.0.0.1:8918".to_owned();
    let host: IpAddr = host.parse().map_err(|_| wrong(()))?;
    Ok(SocketAddr::new(host, port.parse().map_err(|_| wrong(()))?))
}

pub(crate) async fn run(serve: &Serve, globals: &Globals) -> Result<End> {
    // Before anything is touched.
    let site = Site::new(serve.listen, serve.public_url.as_deref())
        .map_err(|error| flowdeck_server::session::SessionError::from(NotListening::from(error)))?;
    let redirect_base = serve.public_url.as_ref().map(|_| site.url());
    let globals = &Globals { redirect_base, ..globals.clone() };
    if let Some(missing) = serve.watch.iter().find(|folder| !folder.is_dir()) {
        bail!(usage(format!("{} is no folder; --watch wants one", missing.display())));
    }
    let interrupts = Interrupts::listen();
    let session = tokio::select! {
        session = Box::pin(Session::open(globals, Part::Serves, interrupts.clone())) => session?,
        () = interrupts.heard(1) => return Ok(End::Fine),
    };
    let served = Box::pin(served(serve, &session, &interrupts)).await;
    let closed = Box::pin(session.close(true)).await;
    served?;
    closed?;
    Told::new(serve.json).ended();
    Ok(End::Fine)
}

async fn served(serve: &Serve, session: &Session, interrupts: &Interrupts) -> Result<()> {
    let Some(runtime) = session.runtime().await else { bail!("the data folder was given up") };
    let listening = session.listen(serve.listen, serve.public_url.as_deref()).await?;
    let ended = Box::pin(at_work(serve, session, &runtime, &listening, interrupts)).await;
    if ended.is_ok() {
        Told::new(serve.json).ending();
    }
    let rest = async { tokio::join!(runtime.stop(), listening.end()).0 };
    match tokio::time::timeout(END_WITHIN, rest).await {
        Ok(stopped) => ended.and(stopped.map_err(Into::into)),
        Err(_) => {
            tracing::warn!("some steps were still under way; they go on at the next start");
            ended
        }
    }
}

/// Until somebody ends it, or the store refuses.
async fn at_work(
    serve: &Serve,
    session: &Session,
    runtime: &Runtime,
    listening: &Listening,
    interrupts: &Interrupts,
) -> Result<()> {
    let mut told = Told::new(serve.json).at(listening, session.again());
    // Before anything can start.
    let mut notices = runtime.notices();
    let mut events = runtime.events();
    let mut folder = FlowFolder::new(serve.watch.clone());
    let news = folder.look(runtime).await?;
    folders::tell(&told, &news, true);
    let mut flows: Vec<ServedFlow> =
        runtime.served_after(None, SHOWN_MAX + 1).await?.into_iter().map(ServedFlow::from).collect();
    let is_more = flows.len() > SHOWN_MAX;
    flows.truncate(SHOWN_MAX);
    let token = runtime.people().set_up_token().await?;
    let link = token.map(|token| format!("{}/setup?token={}", listening.url(), token.expose()));
    told.began(session.data(), &serve.watch, &flows, is_more, link.as_deref());
    runtime.start_triggers()?;
    let mut ticks = tokio::time::interval(LOOK_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks.tick().await;
    loop {
        tokio::select! {
            biased;
            () = interrupts.heard(1) => return Ok(()),
            notice = notices.recv() => told.notice(runtime, notice).await?,
            event = events.next() => {
                if let Some(RuntimeEvent::PromptOpened { prompt }) = event {
                    told.prompt(&prompt);
                }
            }
            _ = ticks.tick() => {
                told.tick();
                go_on(runtime, &told)?;
                if !serve.watch.is_empty() {
                    let news = folder.look(runtime).await?;
                    folders::tell(&told, &news, false);
                }
            }
        }
    }
}

/// Where the background ended: a full disk may get space again, anything else ends the process.
fn go_on(runtime: &Runtime, told: &Told) -> Result<()> {
    let Some(error) = runtime.broken() else { return Ok(()) };
    if error.code() != "store.full" {
        return Err(error.into());
    }
    told.full(&error.to_string());
    Ok(runtime.start()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_may_be_short() {
        for (text, expected) in [
            ("127.0.0.1:9000", "127.0.0.1:9000"),
            ("localhost:9000", "127.0.0.1:9000"),
            ("9000", "127.0.0.1:9000"),
            (":9000", "127.0.0.1:9000"),
            ("[::1]:9000", "[::1]:9000"),
            ("0.0.0.0:80", "0.0.0.0:80"),
        ] {
            assert_eq!(address(text).unwrap().to_string(), expected);
        }
        assert!(address("somewhere:80").is_err() && address("127.0.0.1").is_err());
    }
}
