//! One data folder, many commands: the first becomes the holder, the others its guests over the local socket.
//!
//! Must never read or write the store as a guest.
//! Tests: `tests/session.rs`.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use flowdeck::store::try_lock;
use flowdeck::{DataFolder, Runtime, RuntimeBuilder, RuntimeError};
use http::Method;

use crate::client::{CallError, Client};
use crate::edge::{Listening, NotListening};
use crate::holder::{Holder, Looker};
use crate::wire::{About, PROTOCOL};

pub use crate::socket::socket_path;

/// Pause between two tries to join, in milliseconds.
const AGAIN_MS: u64 = 25;

/// How a command joins a data folder.
#[derive(Debug, Clone)]
pub struct SessionOptions {
    /// The data folder, an absolute path.
    pub data: PathBuf,
    /// The socket, from [`socket_path`].
    pub socket: PathBuf,
    /// The program's version, for the handshake and its messages.
    pub version: String,
    /// The runtime to open as the holder; its data folder is `data`.
    pub builder: RuntimeBuilder,
    /// How long to wait for a holder that starts, ends or hands over, in milliseconds.
    pub join_within_ms: u64,
    /// Listen for OAuth callbacks on the redirect port while browser attempts are open.
    pub listen_for_callbacks: bool,
    /// Look only: where no process holds the folder, this one drives nothing and serves nobody, and a folder that
    /// cannot be written is looked at in a private copy.
    pub looks: bool,
}

impl SessionOptions {
    /// The usual options: ten seconds to join, callbacks are listened for.
    #[must_use]
    pub fn new(data: PathBuf, socket: PathBuf, version: &str, builder: RuntimeBuilder) -> Self {
        Self {
            builder: builder.data(data.clone()),
            data,
            socket,
            version: version.to_owned(),
            join_within_ms: 10_000,
            listen_for_callbacks: true,
            looks: false,
        }
    }
}

/// What this process is to the data folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// It holds the folder and drives the runs.
    Holder,
    /// Nobody holds the folder; this one only looks.
    Looker,
    /// Another process does; this one talks to it.
    Guest,
}

/// Why a command could not join, or could not end as it should.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SessionError {
    /// The runtime could not be opened, or ended badly.
    #[error(transparent)]
    Runtime(#[from] RuntimeError),
    /// The holder speaks another version of the protocol.
    #[error(
        "process {pid} holds {data} with flowdeck {theirs}, which speaks protocol {their_protocol}; this is {ours} with protocol {our_protocol}; end that process, or use its version"
    )]
    Version {
        /// The holder's process id.
        pid: u32,
        /// The data folder.
        data: String,
        /// The holder's version.
        theirs: String,
        /// Its protocol.
        their_protocol: u32,
        /// Our version.
        ours: String,
        /// Our protocol.
        our_protocol: u32,
    },
    /// The folder is held, but its holder does not answer on the socket.
    #[error("{data} is held by process {pid}, which does not answer on {socket}; end that process and try again")]
    Silent {
        /// The data folder.
        data: String,
        /// The holder's process id.
        pid: String,
        /// The socket.
        socket: String,
    },
    /// The socket cannot be used.
    #[error("the socket {socket} cannot be used: {why}")]
    Socket {
        /// The socket.
        socket: String,
        /// Why, and what to do.
        why: String,
    },
    /// Nothing can listen on TCP.
    #[error(transparent)]
    Listen(#[from] NotListening),
    /// The holder's answer is not of this protocol.
    #[error(transparent)]
    Call(CallError),
}

impl SessionError {
    /// The stable code, for programs and for `flowdeck explain CODE`; none where the cause has its own.
    #[must_use]
    pub fn code(&self) -> Option<&str> {
        match self {
            Self::Runtime(error) => Some(error.code()),
            Self::Version { .. } => Some("session.version"),
            Self::Silent { .. } => Some("store.held"),
            Self::Socket { .. } => Some("session.socket"),
            Self::Listen(error) => Some(error.code()),
            Self::Call(CallError::Problem(problem)) => Some(&problem.code),
            Self::Call(_) => None,
        }
    }
}

/// A command's part in a data folder.
#[derive(Debug)]
pub struct Session {
    options: SessionOptions,
    part: Part,
}

#[derive(Debug)]
enum Part {
    Holder(Box<Holder>),
    Looker(Box<Looker>),
    Guest(Client),
}

impl Session {
    /// Becomes the holder, or the guest of the process that is. A holder drives runs in the background at once.
    ///
    /// # Errors
    /// [`SessionError`].
    pub async fn join(options: SessionOptions) -> Result<Self, SessionError> {
        let part = Box::pin(joined(&options)).await?;
        Ok(Self { options, part })
    }

    /// What this process is now.
    #[must_use]
    pub fn role(&self) -> Role {
        match self.part {
            Part::Holder(_) => Role::Holder,
            Part::Looker(_) => Role::Looker,
            Part::Guest(_) => Role::Guest,
        }
    }

    /// The client of whoever holds the folder: a call into this process, or over the socket.
    #[must_use]
    pub fn client(&self) -> Client {
        match &self.part {
            Part::Holder(holder) => holder.client(),
            Part::Looker(looker) => looker.client(),
            Part::Guest(client) => client.clone(),
        }
    }

    /// The runtime, in the holder.
    #[must_use]
    pub fn runtime(&self) -> Option<Runtime> {
        match &self.part {
            Part::Holder(holder) => holder.runtime(),
            Part::Looker(looker) => looker.runtime(),
            Part::Guest(_) => None,
        }
    }

    /// How many other commands follow runs here; none where this process is not the holder.
    #[must_use]
    pub fn guests(&self) -> usize {
        match &self.part {
            Part::Holder(holder) => holder.guests(),
            Part::Looker(_) | Part::Guest(_) => 0,
        }
    }

    /// After [`CallError::Gone`]: takes the holder's place, or becomes the guest of who did; then [`Self::client`]
    /// is of the new holder. Repeating the call is the caller's decision. A holder stays one.
    ///
    /// # Errors
    /// As [`Session::join`].
    pub async fn rejoin(&mut self) -> Result<(), SessionError> {
        if self.role() == Role::Guest {
            self.part = Box::pin(joined(&self.options)).await?;
        }
        Ok(())
    }

    /// Serves on TCP: health, the endpoints of flows, and the API for who signs in. A proxy with TLS in front has a
    /// public URL. Only the holder can.
    ///
    /// # Errors
    /// [`SessionError::Listen`]; [`SessionError::Runtime`] where this process is not the holder.
    pub async fn listen(&self, address: SocketAddr, public_url: Option<&str>) -> Result<Listening, SessionError> {
        match &self.part {
            Part::Holder(holder) => Ok(holder.listen(address, public_url).await?),
            Part::Looker(_) | Part::Guest(_) => {
                let what = "only the process that holds the data folder can serve it";
                Err(RuntimeError::Setting(what.into()).into())
            }
        }
    }

    /// Ends a guest's part at once, a holder's when its guests' runs have stopped: no run is at work, and no guest
    /// follows one that may still go on. Dropping a session instead stops as a kill would: everything stays resumable.
    ///
    /// # Errors
    /// [`SessionError::Runtime`].
    pub async fn end(self) -> Result<(), SessionError> {
        match self.part {
            Part::Holder(holder) => Ok(holder.end(true).await?),
            Part::Looker(looker) => Ok(looker.end().await?),
            Part::Guest(_) => Ok(()),
        }
    }

    /// As [`Self::end`], but does not wait for guests: for Ctrl-C and SIGTERM. Steps under way get eight seconds;
    /// guests take over.
    ///
    /// # Errors
    /// [`SessionError::Runtime`].
    pub async fn end_now(self) -> Result<(), SessionError> {
        match self.part {
            Part::Holder(holder) => Ok(holder.end(false).await?),
            Part::Looker(looker) => Ok(looker.end().await?),
            Part::Guest(_) => Ok(()),
        }
    }
}

/// The lock decides: who gets it holds the folder, everybody else asks on the socket.
async fn joined(options: &SessionOptions) -> Result<Part, SessionError> {
    let store = DataFolder::new(&options.data).store();
    let until = tokio::time::Instant::now() + Duration::from_millis(options.join_within_ms);
    loop {
        let taken = match options.looks {
            true => Looker::open(options).await.map(|looker| Part::Looker(Box::new(looker))),
            false => match try_lock(&store) {
                Ok(lock) => return Ok(Part::Holder(Box::new(Holder::open(options, lock).await?))),
                Err(error) => Err(RuntimeError::from(error)),
            },
        };
        let pid = match taken {
            Ok(part) => return Ok(part),
            Err(RuntimeError::Held { pid, .. }) => pid,
            Err(error) => return Err(error.into()),
        };
        let client = Client::over_socket(&options.socket);
        let asked = tokio::time::timeout_at(until, client.call::<_, About>(Method::GET, "/v1/about", &()));
        match asked.await {
            Ok(Ok(about)) => return check(options, about).map(|()| Part::Guest(client)),
            Ok(Err(CallError::Unreadable(why))) => return Err(SessionError::Call(CallError::Unreadable(why))),
            // It starts, ends, or hands over.
            Ok(Err(CallError::Gone(_) | CallError::Problem(_))) | Err(_) => {}
        }
        if tokio::time::Instant::now() >= until {
            let (data, socket) = (options.data.display().to_string(), options.socket.display().to_string());
            return Err(SessionError::Silent { data, pid, socket });
        }
        tokio::time::sleep(Duration::from_millis(AGAIN_MS)).await;
    }
}

fn check(options: &SessionOptions, about: About) -> Result<(), SessionError> {
    if about.protocol == PROTOCOL {
        return Ok(());
    }
    Err(SessionError::Version {
        pid: about.pid,
        data: about.data,
        theirs: about.version,
        their_protocol: about.protocol,
        ours: options.version.clone(),
        our_protocol: PROTOCOL,
    })
}
