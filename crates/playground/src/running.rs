//! Starts, finds and stops a playground.
//!
//! Must never listen on anything but 127.0.0.1, nor run twice on one data folder.
//! Tests: `tests/walk/`.

use std::fs::{self, File, TryLockError};
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use axum::Router;
use axum::extract::Request;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, mpsc, watch};
use tokio::task::{JoinHandle, JoinSet};
use tower::ServiceExt as _;
use url::Url;

use crate::app::{App, router};
use crate::delivery::deliver_all;
use crate::guard::CloseInstead;
use crate::keeper::Keeper;
use crate::oauth::instance_proof;
use crate::options::Options;
use crate::state::{self, ReadError, STATE_FILE, State};
use crate::steer::Controls;
use crate::{limits, loopback};

/// Starts playgrounds.
#[derive(Debug)]
pub struct Playground;

/// A playground that answers, started here or found running on the same data folder.
pub struct Running {
    /// `http://127.0.0.1:PORT`, also the issuer.
    pub base_url: String,
    /// The port it answers on.
    pub port: u16,
    /// Whether this call started it. If not, somebody else's process (or task) did, and `stop` leaves it alone.
    pub started: bool,
    own: Option<Own>,
}

struct Own {
    app: App,
    stop: watch::Sender<bool>,
    server: JoinHandle<()>,
    _lock: File,
}

/// Why there is no playground.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The data folder cannot be used.
    #[error("start the playground: the folder {} cannot be used: {cause}; choose another data folder", folder.display())]
    Folder {
        /// The folder.
        folder: PathBuf,
        /// What the system said.
        #[source]
        cause: io::Error,
    },
    /// The state file is damaged, of a newer format or unreadable.
    #[error("start the playground: its state file {} cannot be used: {problem}; \
             move it away to start with a fresh directory", file.display())]
    StateFile {
        /// The file.
        file: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// Another program listens on the port.
    #[error(
        "start the playground: port {port} is taken by another program; \
             stop that program, or choose another port for the playground"
    )]
    PortTaken {
        /// The port, remembered or asked for.
        port: u16,
    },
    /// No free port was found.
    #[error("start the playground: no free port was found; name one")]
    NoPort,
    /// Another process holds the data folder, but its playground does not answer.
    #[error("start the playground: another process holds {} but does not answer; stop it and try again", folder.display())]
    Busy {
        /// The folder.
        folder: PathBuf,
    },
}

impl StartError {
    /// A stable name for programs.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            StartError::Folder { .. } => "playground_folder",
            StartError::StateFile { .. } => "playground_state_file",
            StartError::PortTaken { .. } => "playground_port_taken",
            StartError::NoPort => "playground_no_port",
            StartError::Busy { .. } => "playground_busy",
        }
    }
}

impl Playground {
    /// The port that the playground of this data folder has or will have, kept in the folder from now on; nothing is
    /// started. Callers build the app's address from it before anybody needs the playground.
    ///
    /// # Errors
    /// [`StartError`] where the folder or its state file cannot be used, or no port is free.
    pub async fn reserve(options: &Options) -> Result<u16, StartError> {
        let file = options.data_dir.join(STATE_FILE);
        let lock = open_lock(&options.data_dir)?;
        let deadline = tokio::time::Instant::now() + limits::REUSE_TIMEOUT;
        loop {
            let is_ours = match lock.try_lock() {
                Ok(()) => true,
                Err(TryLockError::WouldBlock) => false,
                Err(TryLockError::Error(cause)) => {
                    return Err(StartError::Folder { folder: options.data_dir.clone(), cause });
                }
            };
            let state = State::read(&file).map_err(|error| damaged(&file, &error))?;
            if let Some(state) = state.as_ref().filter(|state| state.port != 0) {
                return Ok(state.port);
            }
            if is_ours {
                let (_listener, port) = bind(options.port).await?;
                let mut state = state.unwrap_or_else(|| State::new(options.seed, (options.clock)()));
                state.port = port;
                keep(&options.data_dir, &state)?;
                return Ok(port);
            }
            // Somebody starts it at this moment, and has not written its port yet.
            if tokio::time::Instant::now() >= deadline {
                return Err(StartError::Busy { folder: options.data_dir.clone() });
            }
            tokio::time::sleep(limits::REUSE_PAUSE).await;
        }
    }

    /// Starts the playground of a data folder, or finds it if it runs already (then `port` of the options is ignored).
    /// When this returns, it answers.
    pub async fn start(options: Options) -> Result<Running, StartError> {
        let folder = options.data_dir.clone();
        let folder_error = |cause| StartError::Folder { folder: folder.clone(), cause };
        let lock = open_lock(&folder)?;
        let deadline = tokio::time::Instant::now() + limits::REUSE_TIMEOUT;
        loop {
            match lock.try_lock() {
                Ok(()) => return start_own(options, lock).await,
                Err(TryLockError::Error(cause)) => return Err(folder_error(cause)),
                Err(TryLockError::WouldBlock) => {}
            }
            if let Some(running) = find_running(&folder).await {
                return Ok(running);
            }
            if tokio::time::Instant::now() >= deadline {
                return Err(StartError::Busy { folder });
            }
            tokio::time::sleep(limits::REUSE_PAUSE).await;
        }
    }
}

fn open_lock(folder: &Path) -> Result<File, StartError> {
    let folder_error = |cause| StartError::Folder { folder: folder.to_owned(), cause };
    fs::create_dir_all(folder).map_err(folder_error)?;
    File::create(folder.join("playground.lock")).map_err(folder_error)
}

fn damaged(file: &Path, error: &ReadError) -> StartError {
    StartError::StateFile { file: file.to_owned(), problem: error.to_string() }
}

fn keep(folder: &Path, state: &State) -> Result<(), StartError> {
    let kept = state.to_bytes().and_then(|bytes| state::write(folder, &bytes));
    kept.map_err(|cause| StartError::Folder { folder: folder.to_owned(), cause })
}

async fn find_running(folder: &Path) -> Option<Running> {
    let state = State::read(&folder.join(STATE_FILE)).ok()??;
    let base_url = format!("http://127.0.0.1:{}", state.port);
    let challenge = hex::encode(rand::random::<[u8; 16]>());
    let url = Url::parse(&format!("{base_url}/_playground?challenge={challenge}")).ok()?;
    let (_, body) = loopback::send("GET", &url, &[], bytes::Bytes::new()).await.ok()?;
    let is_ours = body == instance_proof(&state.instance, &challenge).as_bytes();
    is_ours.then_some(Running { base_url, port: state.port, started: false, own: None })
}

async fn start_own(options: Options, lock: File) -> Result<Running, StartError> {
    let file = options.data_dir.join(STATE_FILE);
    let now_ms = (options.clock)();
    let mut state =
        State::read(&file).map_err(|error| damaged(&file, &error))?.unwrap_or_else(|| State::new(options.seed, now_ms));
    state.grants.prune(now_ms);
    let wanted = options.port.or((state.port != 0).then_some(state.port));
    let (listener, port) = bind(wanted).await?;
    state.port = port;
    let folder = options.data_dir.clone();
    keep(&folder, &state)?;
    let base_url = format!("http://127.0.0.1:{port}");
    let (deliveries, queue) = mpsc::channel(limits::DELIVERY_QUEUE_MAX);
    let app = App::new(options, base_url.clone(), Keeper::new(folder, state), deliveries);
    let (stop, stopped) = watch::channel(false);
    let server = tokio::spawn(serve(listener, router(&app), stopped, deliver_all(app.clone(), queue)));
    tracing::info!(base_url, "the playground answers");
    Ok(Running { base_url, port, started: true, own: Some(Own { app, stop, server, _lock: lock }) })
}

async fn bind(wanted: Option<u16>) -> Result<(TcpListener, u16), StartError> {
    let listen = |port| TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
    if let Some(port) = wanted {
        return listen(port).await.map(|listener| (listener, port)).map_err(|_cause| StartError::PortTaken { port });
    }
    for _ in 0..limits::PORT_TRIES_MAX {
        let port = rand::random_range(limits::PORTS);
        if let Ok(listener) = listen(port).await {
            return Ok((listener, port));
        }
    }
    Err(StartError::NoPort)
}

async fn serve(
    listener: TcpListener,
    router: Router,
    mut stopped: watch::Receiver<bool>,
    deliveries: impl Future<Output = ()> + Send + 'static,
) {
    let mut connections = JoinSet::new();
    let mut deliverer = JoinSet::new();
    deliverer.spawn(deliveries);
    let places = Arc::new(Semaphore::new(limits::CONNECTIONS_MAX));
    loop {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { break };
        while connections.try_join_next().is_some() {}
        tokio::select! {
            _ = stopped.changed() => break,
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    let (router, stopped) = (router.clone(), stopped.clone());
                    connections.spawn(async move {
                        serve_connection(stream, router, stopped).await;
                        drop(place);
                    });
                }
                // Out of file descriptors, most likely: others must close first.
                Err(_) => tokio::time::sleep(limits::REUSE_PAUSE).await,
            },
        }
    }
    drop(listener);
    let finish = async { while connections.join_next().await.is_some() {} };
    if tokio::time::timeout(limits::STOP_TIMEOUT, finish).await.is_err() {
        tracing::debug!("connections were cut at stop");
    }
}

async fn serve_connection(stream: TcpStream, router: Router, mut stopped: watch::Receiver<bool>) {
    let service = hyper::service::service_fn(move |request: Request<hyper::body::Incoming>| {
        let router = router.clone();
        async move {
            let response = router.oneshot(request.map(axum::body::Body::new)).await.map_err(io::Error::other)?;
            match response.extensions().get::<CloseInstead>() {
                Some(_) => Err(io::Error::from(io::ErrorKind::ConnectionAborted)),
                None => Ok(response),
            }
        }
    });
    let connection = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits::HEADER_READ_TIMEOUT)
        .serve_connection(TokioIo::new(stream), service);
    tokio::pin!(connection);
    let ended = tokio::select! {
        ended = &mut connection => ended,
        _ = stopped.changed() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection ended early");
    }
}

impl Running {
    /// In-process controls for tests; `None` if another process or task started it.
    #[must_use]
    pub fn controls(&self) -> Option<Controls> {
        self.own.as_ref().map(|own| Controls::new(own.app.clone()))
    }

    /// Stops answering, if it was started here, and frees the port and the data folder. Everything is on disk already.
    pub async fn stop(self) {
        let Some(own) = self.own else { return };
        own.stop.send_replace(true);
        if own.server.await.is_err() {
            tracing::warn!("the playground's server task had failed");
        }
    }
}

impl std::fmt::Debug for Running {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Running").field("base_url", &self.base_url).field("started", &self.started).finish()
    }
}
