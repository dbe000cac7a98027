//! The runtime that a command talks to: held by this process, or by another one of the same data folder.
//!
//! Must never open the store of a folder that another process holds, nor repeat a call that would act twice.
//! Tests: `crates/cli/tests/first_minute.rs`.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use flowdeck::engine::RunView;
use flowdeck::engine::ports::Clock;
use flowdeck::model::app::{AppAuth, AppDirectory as _};
use flowdeck::model::{AppName, Catalogue, Millis, RunId};
use flowdeck::{AppStarter as _, Cards, Runtime, RuntimeError, SystemClock};
use flowdeck_server::Listening;
use flowdeck_server::client::CallError;
use flowdeck_server::session::{Role, Session as Joined, SessionOptions, socket_path};
use flowdeck_server::wire::{About, RehearsalEvent, Rehearse, RunEvent};
use futures_util::stream::BoxStream;
use http::Method;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::sync::RwLock;

use crate::again::Again;
use crate::api::Api;
use crate::end::{End, code_of, usage};
use crate::files;
use crate::interrupts::Interrupts;
use crate::options::Globals;
use crate::out::{self, Pages};
use crate::playground::{APP as PLAYGROUND, PlaygroundStarter};
use crate::screen::steps::Timeline;
use crate::screen::style::Style;
use crate::watch::Report;

/// How long work that was interrupted may take for its last words.
const LAST_WORDS: Duration = Duration::from_secs(3);
/// Times a call is made again because its holder ended.
const TAKEOVERS_MAX: usize = 5;
/// An address where nobody answers.
const NOWHERE: &str = "http://127.0.0.1:1";
/// How long a command ends quietly before it says what it waits for.
const QUIET_END: Duration = Duration::from_secs(2);

/// A command's way to the runtime of its data folder.
pub(crate) struct Session {
    joined: RwLock<Joined>,
    cards: Cards,
    clock: Arc<dyn Clock>,
    playground: Arc<PlaygroundStarter>,
    interrupts: Interrupts,
    redirect_port: u16,
    again: Again,
    data: PathBuf,
    /// Nobody worked in the data folder yet, and this command only looks: there is nothing to be seen.
    is_empty: bool,
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session").field("data", &self.data).finish_non_exhaustive()
    }
}

/// Opens a session, does the work, closes it; Ctrl-C ends all of it and leaves runs resumable.
pub(crate) async fn with(globals: &Globals, work: impl AsyncFnOnce(&Api) -> Result<End>) -> Result<End> {
    with_part(globals, Part::Works, work).await
}

/// As [`with`], for commands that only read: where nobody holds the folder they drive nothing and make nothing, and they
/// work in one that cannot be written, too. What they say is written when the folder is free again.
pub(crate) async fn reading(globals: &Globals, work: impl AsyncFnOnce(&Api, &mut Pages) -> Result<()>) -> Result<End> {
    let mut pages = Pages::default();
    let ended = with_part(globals, Part::Looks, async |api| {
        if api.session().is_empty {
            out::error(&format!("There is nothing in {} yet.\n", api.session().data().display()));
        }
        work(api, &mut pages).await.map(|()| End::Fine)
    });
    let ended = ended.await?;
    pages.print();
    Ok(ended)
}

async fn with_part(globals: &Globals, part: Part, work: impl AsyncFnOnce(&Api) -> Result<End>) -> Result<End> {
    let interrupts = Interrupts::listen();
    let api = tokio::select! {
        session = Box::pin(Session::open(globals, part, interrupts.clone())) => Api::new(session?),
        () = interrupts.heard(1) => return Ok(End::Interrupted),
    };
    // The work hears Ctrl-C too, and may have something to say before it ends.
    let ended = tokio::select! {
        biased;
        ended = Box::pin(work(&api)) => ended,
        () = cut_short(&interrupts) => Ok(End::Interrupted),
    };
    // Where the store takes nothing, waiting for other runs gets nowhere.
    let refused =
        ended.as_ref().err().is_some_and(|error| code_of(error).is_some_and(|code| code.starts_with("store.")));
    let hurry = refused || matches!(ended, Ok(End::Interrupted));
    let closed = Box::pin(api.into_session().close(hurry)).await;
    if let Err(error) = closed
        && !refused
    {
        out::error(&format!("warning: the runtime did not end as it should: {error}\n"));
    }
    ended
}

/// Ctrl-C, and the time in which the work may end by itself; a second one cuts that short.
async fn cut_short(interrupts: &Interrupts) {
    interrupts.heard(1).await;
    tokio::select! {
        () = tokio::time::sleep(LAST_WORDS) => {}
        () = interrupts.heard(2) => {}
    }
}

/// What a command wants of the data folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    /// To work in it: where no process holds it, this one drives its runs.
    Works,
    /// To look, and to start nothing.
    Looks,
    /// To hold it as long as the process lives.
    Serves,
}

/// The redirect URI to register with an app, in the form in which it is compared.
pub(crate) fn redirect_uri(port: u16, app: &AppName) -> String {
    format!("http://127.0.0.1:{port}/oauth/callback/{app}")
}

impl Session {
    /// Joins the data folder, as its holder, as a guest, or only to look.
    pub(crate) async fn open(globals: &Globals, part: Part, interrupts: Interrupts) -> Result<Self> {
        let data = match part {
            Part::Works | Part::Serves => data_folder(globals)?,
            Part::Looks => looked_at(globals)?,
        };
        if part != Part::Looks {
            writable(&data, may_write)?;
        }
        let is_empty = part == Part::Looks && !flowdeck::DataFolder::new(&data).store().exists();
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::default());
        let playground = Arc::new(PlaygroundStarter::new(data.join("playground"), Arc::clone(&clock)));
        let playground_url = match part {
            // Nothing is asked of it, and a port would be kept in the folder.
            Part::Looks => NOWHERE.to_owned(),
            // A playground that cannot start is told of by whatever needs it; everything else goes on.
            Part::Works | Part::Serves => playground.url().await.unwrap_or_else(|error| {
                tracing::warn!(%error, "the playground has no address");
                NOWHERE.to_owned()
            }),
        };
        let of_playground = ("playground_url".to_owned(), playground_url);
        let variables = std::iter::once(of_playground).chain(globals.app_address.iter().cloned()).collect();
        // The same words as at a prompt, wherever they are shown.
        let cards = files::cards_with(Some(&data), &variables)?;
        let mut builder = Runtime::builder().app_starter(playground.clone()).redirect_port(globals.redirect_port);
        if let Some(base) = &globals.redirect_base {
            builder = builder.redirect_base(base);
        }
        for (name, address) in &variables {
            builder = builder.app_variable(name, address);
        }
        for host in &globals.allow_http {
            builder = builder.allow_http(host);
        }
        for target in &globals.allow_private {
            builder = builder.allow_private(target);
        }
        if let Some(proxy) = globals.proxy.as_deref().filter(|proxy| !proxy.is_empty()) {
            builder = builder.proxy(proxy);
        }
        if !is_empty {
            builder = builder.key_file(key_file(globals)?);
        }
        let socket = socket_path(&data, runtime_folder().as_deref());
        let mut options = SessionOptions::new(data.clone(), socket, env!("CARGO_PKG_VERSION"), builder);
        options.looks = part == Part::Looks;
        if is_empty {
            options.builder = options.builder.memory();
        }
        let joined = Joined::join(options).await?;
        if part == Part::Serves && joined.role() != Role::Holder {
            let about: About = joined.client().call(Method::GET, "/v1/about", &()).await?;
            let (folder, pid) = (about.data, about.pid.to_string());
            return Err(RuntimeError::Held { folder, pid }.into());
        }
        let joined = RwLock::new(joined);
        let again = Again::of(globals, &data);
        let redirect_port = globals.redirect_port;
        Ok(Self { joined, cards, clock, playground, interrupts, redirect_port, again, data, is_empty })
    }

    /// The catalogue, with the user's apps where there is a data folder already.
    pub(crate) fn cards_of(globals: &Globals) -> Result<Cards> {
        let data = existing_data_folder(globals)?;
        files::cards(data.as_deref())
    }

    /// As [`Self::cards_of`], for work that reaches no app: the playground has an address all the same.
    pub(crate) fn offline_cards(globals: &Globals) -> Result<Cards> {
        let data = existing_data_folder(globals)?;
        let own = data.map(|folder| flowdeck::DataFolder::new(folder).app_files()).transpose()?.unwrap_or_default();
        let given = globals.app_address.iter().cloned();
        let playground = ("playground_url".to_owned(), "https://playground.example".to_owned());
        Ok(Cards::with_files(&given.chain([playground]).collect(), &own)?)
    }

    /// A key that makes a repeated start the same run.
    pub(crate) fn fresh_key() -> String {
        format!("cli-{:032x}", rand::random::<u128>())
    }

    pub(crate) fn cards(&self) -> &Cards {
        &self.cards
    }

    pub(crate) fn data(&self) -> &Path {
        &self.data
    }

    /// The commands that are shown to be typed next.
    pub(crate) fn again(&self) -> &Again {
        &self.again
    }

    /// Whether this command only looks, and nobody drives runs.
    pub(crate) async fn is_idle(&self) -> bool {
        self.joined.read().await.role() == Role::Looker
    }

    /// The runtime, in the process that holds the folder.
    pub(crate) async fn runtime(&self) -> Option<Runtime> {
        self.joined.read().await.runtime()
    }

    /// Serves on TCP.
    pub(crate) async fn listen(&self, address: SocketAddr, public_url: Option<&str>) -> Result<Listening> {
        Ok(self.joined.read().await.listen(address, public_url).await?)
    }

    pub(crate) fn now(&self) -> Millis {
        self.clock.now()
    }

    /// How an app authorizes.
    pub(crate) fn auth(&self, app: &AppName) -> Option<Arc<AppAuth>> {
        self.cards.apps().auth(app)
    }

    pub(crate) fn app_names(&self) -> Vec<String> {
        Catalogue::apps(&self.cards).iter().map(ToString::to_string).collect()
    }

    /// The redirect URI to register with an app.
    pub(crate) fn redirect_uri(&self, app: &AppName) -> String {
        redirect_uri(self.redirect_port, app)
    }

    /// Lines for a run whose flow file is not at hand.
    pub(crate) fn timeline(&self, run: &RunView, style: Style) -> Report {
        Report::Text(Box::new(Timeline::of_run(run, self.cards.clone(), style)))
    }

    /// Calls the API; where the holder ended meanwhile, takes its place or joins who did.
    pub(crate) async fn call<B, A>(&self, method: Method, path: &str, body: &B) -> Result<A>
    where
        B: Serialize + Sync,
        A: DeserializeOwned,
    {
        // A second word could fall on the next wait, doubt or failure of the run.
        let acts_twice = ["/signal", "/paste", "/tables/op", "/approve", "/reject", "/settle", "/retry"]
            .iter()
            .any(|end| path.ends_with(end));
        for _ in 0..TAKEOVERS_MAX {
            let client = self.joined.read().await.client();
            match client.call(method.clone(), path, body).await {
                Err(CallError::Gone(why)) => {
                    self.rejoin().await?;
                    if acts_twice {
                        return Err(anyhow!(
                            "{why}; it is not known whether this was taken. Look first, then repeat it"
                        ));
                    }
                }
                other => return Ok(other?),
            }
        }
        Err(anyhow!("every process that held {} ended at once; try again", self.data.display()))
    }

    /// Events of a run.
    pub(crate) async fn run_events(
        &self,
        run: RunId,
        after: u64,
        follow: bool,
    ) -> Result<BoxStream<'static, Result<RunEvent, CallError>>> {
        for _ in 0..TAKEOVERS_MAX {
            let client = self.joined.read().await.client();
            match client.run_events(run, after, follow).await {
                Err(CallError::Gone(_)) => self.rejoin().await?,
                other => return Ok(other?),
            }
        }
        Err(anyhow!("every process that held {} ended at once; try again", self.data.display()))
    }

    /// A dry run as it goes.
    pub(crate) async fn rehearse(
        &self,
        asked: &Rehearse,
    ) -> Result<BoxStream<'static, Result<RehearsalEvent, CallError>>> {
        for _ in 0..TAKEOVERS_MAX {
            let client = self.joined.read().await.client();
            match client.rehearse(asked).await {
                Err(CallError::Gone(_)) => self.rejoin().await?,
                other => return Ok(other?),
            }
        }
        Err(anyhow!("every process that held {} ended at once; try again", self.data.display()))
    }

    /// Work that Ctrl-C ends at once: nothing is there then.
    pub(crate) async fn or_interrupted<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            biased;
            done = work => Some(done),
            () = self.interrupted() => None,
        }
    }

    /// The playground's address, once it answers there.
    pub(crate) async fn start_playground(&self) -> Result<String> {
        let app = AppName::new(PLAYGROUND)?;
        self.playground.ensure(&app).await.map_err(|why| anyhow!("start the playground: {why}"))?;
        self.playground.url().await
    }

    /// Returns once Ctrl-C was pressed, also before this was called.
    pub(crate) async fn interrupted(&self) {
        self.interrupts.heard(1).await;
    }

    /// Takes the place of a holder that ended.
    pub(crate) async fn rejoin(&self) -> Result<()> {
        tracing::info!("the holder of the data folder ended; taking its place");
        self.joined.write().await.rejoin().await.context("take the place of the process that held the data folder")
    }

    /// Gives the folder back: after guests' runs came to a stop, or at once.
    ///
    /// # Errors
    /// What the runtime could not do any more; every run is resumable all the same.
    pub(crate) async fn close(self, hurry: bool) -> Result<()> {
        let joined = self.joined.into_inner();
        let guests = joined.guests();
        let ended = if hurry {
            joined.end_now().await
        } else {
            let mut end = std::pin::pin!(joined.end());
            tokio::select! {
                ended = &mut end => ended,
                () = tokio::time::sleep(QUIET_END) => {
                    let before = self.interrupts.count();
                    out::error(match guests {
                        0 => "Other runs of this folder still go on; this command drives them. Ctrl-C leaves them.\n",
                        _ => "Other commands still use this folder; this one drives their runs. Ctrl-C hands over.\n",
                    });
                    tokio::select! {
                        ended = &mut end => ended,
                        () = self.interrupts.heard(before + 1) => Ok(()),
                    }
                }
            }
        };
        self.playground.stop().await;
        Ok(ended?)
    }
}

/// The data folder: named, or the nearest one above, or a new one here.
pub(crate) fn data_folder(globals: &Globals) -> Result<PathBuf> {
    let folder = place(globals)?;
    std::fs::create_dir_all(&folder).with_context(|| format!("make the data folder {}", folder.display()))?;
    folder.canonicalize().with_context(|| format!("find the data folder {}", folder.display()))
}

/// Where the data folder is, or would be.
fn place(globals: &Globals) -> Result<PathBuf> {
    let folder = match existing_data_folder(globals)? {
        Some(folder) => folder,
        None => globals.data.clone().unwrap_or(here()?.join(".flowdeck")),
    };
    if folder.exists() && !folder.is_dir() {
        return Err(usage(format!("{} is no folder; --data wants one", folder.display())));
    }
    Ok(folder)
}

/// The data folder as [`data_folder`] finds it, for somebody who only looks: none is made.
fn looked_at(globals: &Globals) -> Result<PathBuf> {
    let folder = place(globals)?;
    if !folder.exists() {
        return std::path::absolute(&folder).with_context(|| format!("find the data folder {}", folder.display()));
    }
    folder.canonicalize().with_context(|| format!("find the data folder {}", folder.display()))
}

/// Refuses a folder that cannot be written, before several parts stumble over it.
pub(crate) fn writable(data: &Path, may_write: impl Fn(&Path) -> bool) -> Result<()> {
    let folders = [data.to_owned(), data.join("store"), data.join("playground")];
    match folders.iter().find(|folder| folder.exists() && !may_write(folder)) {
        None => Ok(()),
        Some(folder) => Err(anyhow!(
            "the data folder {} cannot be written, so it can only be looked at: `flowdeck runs list`, `flowdeck \
             doctor`. Make it writable with `chmod -R u+rwX '{}'`, or name another one with --data",
            folder.display(),
            data.display()
        )),
    }
}

pub(crate) fn may_write(folder: &Path) -> bool {
    rustix::fs::access(folder, rustix::fs::Access::WRITE_OK | rustix::fs::Access::EXEC_OK).is_ok()
}

/// The data folder, where there is one already.
pub(crate) fn existing_data_folder(globals: &Globals) -> Result<Option<PathBuf>> {
    if let Some(named) = &globals.data {
        return Ok(named.is_dir().then(|| named.clone()));
    }
    let found = here()?.ancestors().map(|above| above.join(".flowdeck")).find(|folder| folder.is_dir());
    Ok(found)
}

fn here() -> Result<PathBuf> {
    std::env::current_dir().context("find the working folder")
}

/// The key file: named, or in the configuration folder.
pub(crate) fn key_file(globals: &Globals) -> Result<PathBuf> {
    if let Some(named) = &globals.key_file {
        return Ok(named.clone());
    }
    let set = |name| std::env::var_os(name).filter(|v| !v.is_empty()).map(PathBuf::from);
    let folder = set("XDG_CONFIG_HOME").or_else(|| set("HOME").map(|home| home.join(".config")));
    folder.map(|folder| folder.join("flowdeck").join("key")).ok_or_else(|| {
        usage("secrets are sealed with a key, and there is no place for it: set FLOWDECK_KEY_FILE, XDG_CONFIG_HOME or HOME")
    })
}

/// Where sockets go. One that is named and not there (another person's, in a shell that kept the name) is none.
pub(crate) fn runtime_folder() -> Option<PathBuf> {
    std::env::var_os("XDG_RUNTIME_DIR").filter(|v| !v.is_empty()).map(PathBuf::from).filter(|folder| folder.is_dir())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_that_cannot_be_written_is_named_with_its_remedy() {
        let data = tempfile::tempdir().unwrap();
        std::fs::create_dir(data.path().join("store")).unwrap();
        assert!(writable(data.path(), |_| true).is_ok());
        let said = writable(data.path(), |folder| !folder.ends_with("store")).unwrap_err().to_string();
        assert!(
            said.contains("store cannot be written") && said.contains("chmod -R") && said.contains("--data"),
            "{said}"
        );
        assert!(writable(&data.path().join("new"), |_| false).is_ok(), "what is not there yet is made");
    }
}
