//! What the holder of a data folder does: runs flows in the background, answers itself and its guests.
//!
//! Must never leave the socket behind when it gives the folder up, nor keep the folder once it is dropped.
//! Tests: `tests/session.rs`.

use std::io::{self, ErrorKind};
use std::net::SocketAddr;

use axum::{Extension, Router};
use flowdeck::store::FolderLock;
use flowdeck::{Runtime, RuntimeError};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::api::{Api, FromGuest};
use crate::client::Client;
use crate::edge::{self, Listening, NotListening};
use crate::serve::serve;
use crate::session::{SessionError, SessionOptions};
use crate::socket;

#[derive(Debug)]
pub(crate) struct Holder {
    api: Api,
    router: Router,
    stop: watch::Sender<bool>,
    serving: JoinHandle<()>,
}

impl Drop for Holder {
    fn drop(&mut self) {
        self.api.close();
        self.serving.abort();
    }
}

impl Holder {
    pub(crate) async fn open(options: &SessionOptions, lock: FolderLock) -> Result<Self, SessionError> {
        let unusable = |error: io::Error| SessionError::Socket {
            socket: options.socket.display().to_string(),
            why: match error.kind() {
                ErrorKind::PermissionDenied | ErrorKind::NotFound | ErrorKind::ReadOnlyFilesystem => {
                    format!("{error}; set XDG_RUNTIME_DIR to a folder of your own that can be written")
                }
                _ => error.to_string(),
            },
        };
        // Before the store is opened, which may take its time: guests wait at the socket meanwhile.
        let local = socket::listen(&options.socket).map_err(unusable)?;
        let runtime = options.builder.clone().open_locked(lock).await?;
        runtime.start()?;
        let data = options.data.display().to_string();
        let api = Api::new(runtime, &options.version, &data, options.listen_for_callbacks);
        let router = api.local_router();
        let (stop, stopped) = watch::channel(false);
        let serving = tokio::spawn(serve(local, router.clone().layer(Extension(FromGuest)), stopped));
        Ok(Self { api, router, stop, serving })
    }

    pub(crate) fn client(&self) -> Client {
        Client::in_process(self.router.clone())
    }

    pub(crate) async fn listen(
        &self,
        address: SocketAddr,
        public_url: Option<&str>,
    ) -> Result<Listening, NotListening> {
        edge::listen(&self.api, address, public_url).await
    }

    pub(crate) fn runtime(&self) -> Option<Runtime> {
        self.api.runtime().ok()
    }

    /// Gives the folder up; with `wait`, only when every run has stopped and no guest follows one.
    pub(crate) async fn end(mut self, wait: bool) -> Result<(), RuntimeError> {
        let Some(runtime) = self.runtime() else { return Ok(()) };
        let mut rested = Ok(());
        if wait {
            let mut streams = self.api.shared.streams.subscribe();
            loop {
                rested = runtime.come_to_rest().await;
                if rested.is_err() || *streams.borrow_and_update() == 0 {
                    break;
                }
                // A guest's stream ends when its run stops; another may begin meanwhile.
                streams.wait_for(|n| *n == 0).await.ok();
            }
        }
        self.stop.send_replace(true);
        self.api.close();
        self.api.drained().await;
        if (&mut self.serving).await.is_err() {
            tracing::warn!("the local socket's server had failed");
        }
        let stopped = runtime.stop().await;
        rested.and(stopped)
    }

    /// How many guests follow a run that may still go on.
    pub(crate) fn guests(&self) -> usize {
        *self.api.shared.streams.borrow()
    }
}

/// A process that looks at a folder which nobody holds: it drives nothing, and nobody but itself asks it.
#[derive(Debug)]
pub(crate) struct Looker {
    api: Api,
    router: Router,
}

impl Looker {
    pub(crate) async fn open(options: &SessionOptions) -> Result<Self, RuntimeError> {
        let runtime = options.builder.clone().look().await?;
        let api = Api::new(runtime, &options.version, &options.data.display().to_string(), false);
        Ok(Self { router: api.local_router(), api })
    }

    pub(crate) fn client(&self) -> Client {
        Client::in_process(self.router.clone())
    }

    pub(crate) fn runtime(&self) -> Option<Runtime> {
        self.api.runtime().ok()
    }

    pub(crate) async fn end(self) -> Result<(), RuntimeError> {
        let runtime = self.runtime();
        self.api.close();
        match runtime {
            Some(runtime) => runtime.stop().await,
            None => Ok(()),
        }
    }
}
