//! Listens on TCP; beyond loopback only when there is somebody who can sign in.
//!
//! Must never listen where other machines reach it while nobody can sign in. Tests: `tests/edge.rs`.

use std::io;
use std::net::SocketAddr;

use flowdeck::RuntimeError;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::router;
use crate::api::Api;
use crate::people::{Site, SiteError};
use crate::serve::{Accept, serve};

/// Why nothing listens.
#[derive(Debug, thiserror::Error)]
pub enum NotListening {
    /// The address is not of this machine alone.
    #[error(
        "{0} can be reached from other machines, and there is no user yet; add one first: flowdeck people add NAME --role administrator"
    )]
    Public(SocketAddr),
    /// The public address cannot be used.
    #[error(transparent)]
    PublicUrl(#[from] SiteError),
    /// Whether somebody can sign in could not be found out.
    #[error(transparent)]
    Runtime(#[from] RuntimeError),
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
            Self::PublicUrl(error) => error.code(),
            Self::Runtime(error) => error.code(),
            Self::Address { .. } => "serve.address",
        }
    }
}

/// A listener at work. Dropped, it cuts what is under way.
#[derive(Debug)]
pub struct Listening {
    address: SocketAddr,
    url: String,
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

    /// The address that people open.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
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
pub(crate) async fn listen(
    api: &Api,
    address: SocketAddr,
    public_url: Option<&str>,
) -> Result<Listening, NotListening> {
    may_listen(api, address).await?;
    let unusable = |error: io::Error| NotListening::Address { address, why: error.to_string() };
    let listener = TcpListener::bind(address).await.map_err(unusable)?;
    let address = listener.local_addr().map_err(unusable)?;
    let site = Site::new(address, public_url)?;
    let url = site.url();
    let (stop, stopped) = watch::channel(false);
    let serving = tokio::spawn(serve(Tcp(listener), router(api, site), stopped));
    Ok(Listening { address, url, stop, serving })
}

/// Nobody else reaches it, or somebody can sign in.
async fn may_listen(api: &Api, address: SocketAddr) -> Result<(), NotListening> {
    if address.ip().is_loopback() {
        return Ok(());
    }
    let runtime = api.runtime().map_err(|_| RuntimeError::Stopping)?;
    if runtime.people().is_set_up().await? { Ok(()) } else { Err(NotListening::Public(address)) }
}

struct Tcp(TcpListener);

impl Accept for Tcp {
    type Stream = TcpStream;

    fn peer(stream: &TcpStream) -> Option<SocketAddr> {
        stream.peer_addr().ok()
    }

    async fn accept(&mut self) -> io::Result<Option<TcpStream>> {
        let (stream, _) = self.0.accept().await?;
        stream.set_nodelay(true).ok();
        Ok(Some(stream))
    }
}

#[cfg(test)]
mod tests {
    use flowdeck::Runtime;
    use flowdeck::people::{PasswordCost, Role};

    use super::*;

    #[tokio::test]
    async fn other_machines_are_served_only_when_somebody_can_sign_in() {
        let builder = Runtime::builder().memory().password_cost(PasswordCost::Small);
        let runtime = builder.open().await.unwrap();
        let api = Api::new(runtime.clone(), "1", "here", false);
        let (every, own) = ("0.0.0.0:80".parse().unwrap(), "127.0.0.1:80".parse().unwrap());
        assert_eq!(may_listen(&api, every).await.unwrap_err().code(), "serve.public");
        may_listen(&api, own).await.unwrap();
        let name = "ada".parse().unwrap();
        runtime.people().add_user(None, name, Role::Administrator, &"correct horse battery".into()).await.unwrap();
        may_listen(&api, every).await.unwrap();
    }
}
