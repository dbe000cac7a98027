//! What the operator decides about outgoing traffic, and the ports that tests replace.
//!
//! Must never read the environment by itself: a proxy is only used if `proxy` or `use_env_proxy` says so.
//! Tests: `tests/connections.rs` and `tests/tls.rs`.

use std::{
    fmt, io,
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use crate::{AllowedTarget, Observer};

/// The operator's rules for everything that leaves.
#[derive(Clone)]
pub struct Policy {
    /// Private targets that any request may reach, over plain http too: a host or a network, with an optional port.
    pub allow_private: Vec<AllowedTarget>,
    /// As `allow_private`, but over https only.
    pub allow_private_https: Vec<AllowedTarget>,
    /// The proxy for what is public: `http://proxy.corp:3128`. Inside addresses, which only an allowance opens, are
    /// reached directly. Names are still resolved and checked here first, but the proxy resolves them again: it must
    /// refuse inside addresses by itself.
    pub proxy: Option<String>,
    /// Use `HTTP_PROXY`, `HTTPS_PROXY`, `ALL_PROXY` and `NO_PROXY` where `proxy` names none. Names are checked here
    /// first, too.
    pub use_env_proxy: bool,
    /// Turns names into addresses; every address is checked before it is used.
    pub resolver: Arc<dyn Resolve>,
    /// For tests: leads a checked address elsewhere.
    pub dial: Option<Arc<dyn Dial>>,
    /// Certificate authorities trusted besides the system's, each as DER bytes.
    pub extra_roots: Vec<Vec<u8>>,
    /// Upper bounds that hold for every request.
    pub limits: Limits,
    /// Told of every socket and hop.
    pub observer: Option<Arc<dyn Observer>>,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            allow_private: Vec::new(),
            allow_private_https: Vec::new(),
            proxy: None,
            use_env_proxy: false,
            resolver: Arc::new(SystemResolver),
            dial: None,
            extra_roots: Vec::new(),
            limits: Limits::default(),
            observer: None,
        }
    }
}

impl fmt::Debug for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Policy")
            .field("allow_private", &self.allow_private)
            .field("allow_private_https", &self.allow_private_https)
            .field("has_proxy", &self.proxy.is_some())
            .field("use_env_proxy", &self.use_env_proxy)
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}

impl Policy {
    /// Whether anything may go by way of a proxy.
    pub(crate) fn may_use_proxy(&self) -> bool {
        self.proxy.is_some() || self.use_env_proxy
    }
}

/// Upper bounds; a request may ask for less, never for more.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Time for name, TCP and TLS of one connection.
    pub connect_timeout: Duration,
    /// Time for one request with all its hops.
    pub total_timeout_max: Duration,
    /// Largest request body.
    pub request_bytes_max: usize,
    /// Number of headers, out or in.
    pub headers_max: usize,
    /// Size of all headers together, out or in.
    pub header_bytes_max: usize,
    /// Largest response body.
    pub response_bytes_max: usize,
    /// Idle connections kept for one origin.
    pub idle_connections_max: usize,
    /// Origins whose connections are kept.
    pub origins_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connect_timeout: Duration::from_secs(10),
            total_timeout_max: Duration::from_secs(300),
            request_bytes_max: 64 * 1024 * 1024,
            headers_max: 128,
            header_bytes_max: 64 * 1024,
            response_bytes_max: 64 * 1024 * 1024,
            idle_connections_max: 8,
            origins_max: 128,
        }
    }
}

/// Turns a host name into addresses. Asked once for each new connection, never for address literals.
#[async_trait::async_trait]
pub trait Resolve: Send + Sync {
    /// All addresses of `host`, in order of preference. An empty list counts as not found.
    async fn resolve(&self, host: &str) -> io::Result<Vec<IpAddr>>;
}

/// The operating system's resolver.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemResolver;

#[async_trait::async_trait]
impl Resolve for SystemResolver {
    async fn resolve(&self, host: &str) -> io::Result<Vec<IpAddr>> {
        Ok(tokio::net::lookup_host((host, 0)).await?.map(|address| address.ip()).collect())
    }
}

/// For tests: leads a checked address to a local server. An explicit port in the URL stays as it is. A URL whose host
/// is an address cannot be led elsewhere: unless `dial` gives it back unchanged, it is not connected to at all. So a
/// test of a guard sets this, and a missing guard does not send anything out of the machine.
pub trait Dial: Send + Sync {
    /// Where to connect instead of `checked`.
    fn dial(&self, checked: SocketAddr) -> SocketAddr;
}
