//! Opens connections: one HTTP client for each origin, whose resolver hands out checked addresses only.
//!
//! A client serves one scheme, host, port and set of allowed targets, so no connection, and no HTTP/2 stream on it,
//! can serve another host or somebody else's allowance. Tests: below, `tests/connections.rs` and `tests/tls.rs`.

use std::{
    fmt,
    future::Future,
    net::{IpAddr, SocketAddr},
    num::NonZeroUsize,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use lru::LruCache;
use parking_lot::Mutex;
use url::Host;

use crate::{
    AllowedHosts, EgressError, Policy, Refusal,
    address::{self, Verdict},
    target,
};

/// A name with more addresses than this is not worth trying further.
const ADDRESSES_MAX: usize = 32;
const IDLE_TIMEOUT: Duration = Duration::from_secs(30);

/// The way out. Cheap to clone; clones share their connections.
#[derive(Clone)]
pub struct Egress {
    pub(crate) policy: Arc<Policy>,
    tls: rustls::ClientConfig,
    clients: Arc<Mutex<LruCache<Origin, OriginClient>>>,
}

impl fmt::Debug for Egress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Egress").field("policy", &self.policy).finish_non_exhaustive()
    }
}

/// What a client is made for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Origin {
    text: String,
    https: bool,
    host: Host<String>,
    port: u16,
    app_hosts: AllowedHosts,
}

#[derive(Clone)]
pub(crate) struct OriginClient {
    pub(crate) http: reqwest::Client,
    /// Whether this client ever had a connection. Before that, no byte of a request can have left.
    pub(crate) connected: Arc<AtomicBool>,
}

impl Egress {
    /// Prepares TLS with the system's certificate authorities and the policy's own.
    ///
    /// # Errors
    /// [`EgressError::Setup`] if an extra authority is not a certificate, or the proxy not `http://host:port`.
    pub fn new(policy: Policy) -> Result<Self, EgressError> {
        policy.proxy.as_deref().map(proxy_at).transpose()?;
        let origins_max = NonZeroUsize::new(policy.limits.origins_max).unwrap_or(NonZeroUsize::MIN);
        Ok(Self {
            tls: tls_config(&policy.extra_roots)?,
            policy: Arc::new(policy),
            clients: Arc::new(Mutex::new(LruCache::new(origins_max))),
        })
    }

    /// A client for a checked URL, or the rule that refuses it before any name is resolved.
    pub(crate) async fn client(&self, url: &url::Url, app_hosts: &AllowedHosts) -> Result<OriginClient, EgressError> {
        let guard = Guard { policy: Arc::clone(&self.policy), origin: Origin::of(url, app_hosts)? };
        guard.admit_before_resolving()?;
        let mut is_inside = guard.origin.literal().is_some_and(address::is_inside);
        if self.policy.may_use_proxy()
            && let Host::Domain(name) = &guard.origin.host
        {
            is_inside = guard.addresses(name).await?.into_iter().any(address::is_inside);
        }
        if let Some(client) = self.clients.lock().get(&guard.origin) {
            return Ok(client.clone());
        }
        let origin = guard.origin.clone();
        let proxy = self.policy.proxy.as_deref().filter(|_| !is_inside);
        let client = self.build(guard, proxy)?;
        self.clients.lock().put(origin, client.clone());
        Ok(client)
    }

    fn build(&self, guard: Guard, proxy: Option<&str>) -> Result<OriginClient, EgressError> {
        let limits = &self.policy.limits;
        let connected = Arc::new(AtomicBool::new(false));
        let watch = Watch { guard: guard.clone(), connected: Arc::clone(&connected) };
        let header_bytes_max = u32::try_from(limits.header_bytes_max).unwrap_or(u32::MAX);
        let mut builder = reqwest::Client::builder()
            .tls_backend_preconfigured(self.tls.clone())
            .redirect(reqwest::redirect::Policy::none())
            .dns_resolver(guard)
            .connector_layer(watch)
            .connect_timeout(limits.connect_timeout)
            .pool_max_idle_per_host(limits.idle_connections_max)
            .pool_idle_timeout(IDLE_TIMEOUT)
            .http1_max_headers(limits.headers_max)
            .http2_max_header_list_size(header_bytes_max);
        if self.policy.proxy.is_some() || !self.policy.use_env_proxy {
            builder = builder.no_proxy();
        }
        if let Some(proxy) = proxy {
            builder = builder.proxy(proxy_at(proxy)?);
        }
        let http = builder.build().map_err(|error| EgressError::Setup { why: error.without_url().to_string() })?;
        Ok(OriginClient { http, connected })
    }
}

/// A proxy without a password: one in an option or a log would be seen.
fn proxy_at(text: &str) -> Result<reqwest::Proxy, EgressError> {
    let wrong = |why: &str| EgressError::Setup { why: format!("the proxy: {why}") };
    let url = url::Url::parse(text).map_err(|_| wrong("write it as http://HOST:PORT"))?;
    if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
        return Err(wrong("write it as http://HOST:PORT"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(wrong("one that wants a name and a password cannot be used"));
    }
    reqwest::Proxy::all(url).map_err(|_| wrong("write it as http://HOST:PORT"))
}

fn tls_config(extra_roots: &[Vec<u8>]) -> Result<rustls::ClientConfig, EgressError> {
    let mut roots = rustls::RootCertStore::empty();
    let native = rustls_native_certs::load_native_certs();
    roots.add_parsable_certificates(native.certs);
    for root in extra_roots {
        roots
            .add(root.clone().into())
            .map_err(|error| EgressError::Setup { why: format!("an extra certificate authority: {error}") })?;
    }
    if roots.is_empty() {
        tracing::warn!("no certificate authority was found on this system: every https request will fail");
    }
    let mut config = rustls::ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| EgressError::Setup { why: error.to_string() })?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}

impl Origin {
    fn of(url: &url::Url, app_hosts: &AllowedHosts) -> Result<Self, EgressError> {
        let (Some(host), Some(port)) = (url.host(), url.port_or_known_default()) else {
            return Err(EgressError::InvalidUrl { why: "it has no host" });
        };
        Ok(Self {
            text: target::origin_text(url),
            https: url.scheme() == "https",
            host: host.to_owned(),
            port,
            app_hosts: app_hosts.clone(),
        })
    }

    fn name(&self) -> &str {
        match &self.host {
            Host::Domain(name) => name,
            Host::Ipv4(_) | Host::Ipv6(_) => "",
        }
    }

    fn literal(&self) -> Option<IpAddr> {
        match self.host {
            Host::Domain(_) => None,
            Host::Ipv4(address) => Some(address.into()),
            Host::Ipv6(address) => Some(address.into()),
        }
    }
}

/// The address guard of one origin: all that is ever connected to has passed [`Guard::admit`].
#[derive(Clone)]
struct Guard {
    policy: Arc<Policy>,
    origin: Origin,
}

impl Guard {
    fn allowed(&self) -> impl Iterator<Item = &crate::AllowedTarget> {
        let by_https = self.policy.allow_private_https.iter().filter(|_| self.origin.https);
        self.policy.allow_private.iter().chain(by_https).chain(self.origin.app_hosts.iter())
    }

    fn denied(&self, why: Refusal) -> EgressError {
        EgressError::Denied { host: self.origin.text.clone(), why }
    }

    /// The one rule: public and https, or opened by somebody on purpose.
    fn admit(&self, address: IpAddr) -> Result<(), EgressError> {
        if self.allowed().any(|target| target.opens(self.origin.name(), self.origin.port, address)) {
            return Ok(());
        }
        match address::verdict(address) {
            Verdict::Refused(kind) => Err(self.denied(Refusal::Address(kind))),
            Verdict::Public if !self.origin.https => Err(self.denied(Refusal::PlainHttp)),
            Verdict::Public => Ok(()),
        }
    }

    /// Literals are judged here, for the HTTP client asks no resolver about them.
    fn admit_before_resolving(&self) -> Result<(), EgressError> {
        if let Some(address) = self.origin.literal() {
            return self.admit(address);
        }
        let may_open = |target: &crate::AllowedTarget| target.may_open_name(self.origin.name(), self.origin.port);
        if self.origin.https || self.allowed().any(may_open) {
            return Ok(());
        }
        Err(self.denied(Refusal::PlainHttp))
    }

    /// All addresses of the name, each admitted; one refused address refuses the name.
    async fn addresses(&self, name: &str) -> Result<Vec<IpAddr>, EgressError> {
        let not_found = || EgressError::Dns { host: self.origin.text.clone() };
        let mut found = self.policy.resolver.resolve(name).await.map_err(|_| not_found())?;
        if found.is_empty() {
            return Err(not_found());
        }
        for address in &found {
            self.admit(*address)?;
        }
        found.truncate(ADDRESSES_MAX);
        Ok(found)
    }

    /// Checked addresses to connect to. Another name than the origin's can only be the proxy.
    async fn checked(self, name: String) -> Result<Vec<SocketAddr>, EgressError> {
        if name != self.origin.name() {
            if !self.policy.may_use_proxy() {
                return Err(EgressError::Dns { host: self.origin.text });
            }
            let found = self.policy.resolver.resolve(&name).await;
            let found = found.map_err(|_| EgressError::Dns { host: self.origin.text.clone() })?;
            return Ok(found.into_iter().map(|address| SocketAddr::new(address, 0)).collect());
        }
        let found = self.addresses(&name).await?;
        self.announce();
        let dial = |address| {
            let checked = SocketAddr::new(address, self.origin.port);
            self.policy.dial.as_ref().map_or(checked, |dial| dial.dial(checked))
        };
        Ok(found.into_iter().map(dial).collect())
    }

    /// Whether a test's `dial` wants another address than the literal, which the HTTP client cannot be led away from.
    fn leads_elsewhere(&self, address: IpAddr) -> bool {
        let literal = SocketAddr::new(address, self.origin.port);
        self.policy.dial.as_ref().is_some_and(|dial| dial.dial(literal) != literal)
    }

    fn announce(&self) {
        if let Some(observer) = &self.policy.observer {
            observer.connecting(&self.origin.host.to_string(), self.origin.port);
        }
    }
}

impl reqwest::dns::Resolve for Guard {
    fn resolve(&self, name: reqwest::dns::Name) -> reqwest::dns::Resolving {
        let checked = self.clone().checked(name.as_str().to_owned());
        Box::pin(async move {
            let addresses: reqwest::dns::Addrs = Box::new(checked.await?.into_iter());
            Ok(addresses)
        })
    }
}

/// Stands around the client's connector to see connections come into being.
#[derive(Clone)]
struct Watch {
    guard: Guard,
    connected: Arc<AtomicBool>,
}

impl<S> tower::Layer<S> for Watch {
    type Service = Watched<S>;

    fn layer(&self, inner: S) -> Self::Service {
        Watched { inner, watch: self.clone() }
    }
}

#[derive(Clone)]
struct Watched<S> {
    inner: S,
    watch: Watch,
}

impl<S, R> tower::Service<R> for Watched<S>
where
    S: tower::Service<R, Error = Box<dyn std::error::Error + Send + Sync>>,
    S::Future: Send + 'static,
    S::Response: Send + 'static,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<S::Response, S::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, destination: R) -> Self::Future {
        if let Some(address) = self.watch.guard.origin.literal() {
            self.watch.guard.announce();
            if self.watch.guard.leads_elsewhere(address) {
                return Box::pin(async { Err(std::io::Error::from(std::io::ErrorKind::HostUnreachable).into()) });
            }
        }
        let opening = self.inner.call(destination);
        let connected = Arc::clone(&self.watch.connected);
        Box::pin(async move {
            let opened = opening.await;
            if opened.is_ok() {
                connected.store(true, Ordering::Release);
            }
            opened
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::AllowedHosts;

    struct Many(usize);

    #[async_trait::async_trait]
    impl crate::Resolve for Many {
        async fn resolve(&self, _: &str) -> std::io::Result<Vec<IpAddr>> {
            Ok((0..self.0).map(|_| IpAddr::from([93, 184, 216, 34])).collect())
        }
    }

    fn guard(addresses: usize) -> Guard {
        let policy = Policy { resolver: Arc::new(Many(addresses)), ..Policy::default() };
        let url = url::Url::parse("https://a.test/").unwrap();
        Guard { policy: Arc::new(policy), origin: Origin::of(&url, &AllowedHosts::none()).unwrap() }
    }

    #[tokio::test]
    async fn only_the_origins_name_is_resolved() {
        assert!(guard(1).checked("a.test".into()).await.is_ok());
        assert!(matches!(guard(1).checked("b.test".into()).await, Err(EgressError::Dns { .. })));
    }

    #[test]
    fn what_is_allowed_by_https_is_refused_by_http() {
        let allow_private_https = ["10.0.0.0/8", "wiki.corp"].map(|target| target.parse().unwrap()).to_vec();
        let policy = Arc::new(Policy { allow_private_https, ..Policy::default() });
        for (url, address, is_admitted) in [
            ("https://10.1.2.3/", "10.1.2.3", true),
            ("http://10.1.2.3/", "10.1.2.3", false),
            ("https://wiki.corp/", "192.168.0.7", true),
            ("http://wiki.corp/", "192.168.0.7", false),
            ("https://other.corp/", "192.168.0.7", false),
            ("https://wiki.corp/", "169.254.169.254", false),
        ] {
            let origin = Origin::of(&url::Url::parse(url).unwrap(), &AllowedHosts::none()).unwrap();
            let guard = Guard { policy: Arc::clone(&policy), origin };
            assert_eq!(guard.admit(address.parse().unwrap()).is_ok(), is_admitted, "{url} at {address}");
        }
        let origin = Origin::of(&url::Url::parse("http://wiki.corp/").unwrap(), &AllowedHosts::none()).unwrap();
        assert!(Guard { policy, origin }.admit_before_resolving().is_err(), "its name need not be looked up");
    }

    #[test]
    fn a_proxy_that_cannot_be_used_is_refused_before_anything_is_sent() {
        for (proxy, is_taken) in [
            ("http://proxy.corp:3128", true),
            ("https://proxy.corp", true),
            ("proxy.corp:3128", false),
            ("socks5://proxy.corp:1080", false),
            ("http://user:hush@proxy.corp:3128", false),
            ("", false),
        ] {
            let made = Egress::new(Policy { proxy: Some(proxy.to_owned()), ..Policy::default() });
            assert_eq!(made.is_ok(), is_taken, "{proxy}");
            assert!(!made.is_err_and(|error| error.to_string().contains("hush")));
        }
    }

    #[tokio::test]
    async fn no_more_addresses_are_tried_than_the_limit() {
        assert_eq!(guard(ADDRESSES_MAX + 1).checked("a.test".into()).await.unwrap().len(), ADDRESSES_MAX);
    }
}
