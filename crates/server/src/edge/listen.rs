//! Listens on TCP, on loopback only: people cannot sign in yet.
//!
//! Must never listen where other machines reach it. Tests: `tests/edge.rs`.

use std::io;
use std::net::SocketAddr;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::router;
use crate::api::Api;
use crate::serve::{Accept, serve};

/// Why nothing listens.
#[derive(Debug, thiserror::Error)]
pub enum NotListening {
    /// The address is not of this machine alone.
    #[error(
        "{0} can be reached from other machines, and nobody can sign in yet; listen on 127.0.0.1 or [::1], and let a proxy with a login of its own stand in front"
    )]
    Public(SocketAddr),
    /// The address cannot be used.
    #[error("nothing can listen on {address}: {why}")]
    Address {
        /// The address.
        address: SocketAddr,
        /// Why.
        why: String,
    },
}

impl NotListening {
    /// The stable code.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Public(_) => "serve.public",
            Self::Address { .. } => "serve.address",
        }
    }
}

/// A listener at work. Dropped, it cuts what is under way.
#[derive(Debug)]
pub struct Listening {
    address: SocketAddr,
    stop: watch::Sender<bool>,
    serving: JoinHandle<()>,
}

impl Drop for Listening {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

impl Listening {
    /// Where, with the port that the system chose.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Takes nothing new, and lets answers under way end, for a short time.
    pub async fn end(mut self) {
        self.stop.send_replace(true);
        if (&mut self.serving).await.is_err() {
            tracing::warn!("the server on {} had failed", self.address);
        }
    }
}

/// Listens.
///
/// # Errors
/// [`NotListening`].
pub(crate) async fn listen(api: &Api, address: SocketAddr) -> Result<Listening, NotListening> {
    if !address.ip().is_loopback() {
        return Err(NotListening::Public(address));
    }
    let unusable = |error: io::Error| NotListening::Address { address, why: error.to_string() };
    let listener = TcpListener::bind(address).await.map_err(unusable)?;
    let address = listener.local_addr().map_err(unusable)?;
    let (stop, stopped) = watch::channel(false);
    let serving = tokio::spawn(serve(Tcp(listener), router(api), stopped));
    Ok(Listening { address, stop, serving })
}

struct Tcp(TcpListener);

impl Accept for Tcp {
    type Stream = TcpStream;

    async fn accept(&mut self) -> io::Result<Option<TcpStream>> {
        let (stream, _) = self.0.accept().await?;
        stream.set_nodelay(true).ok();
        Ok(Some(stream))
    }
}
