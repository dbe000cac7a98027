//! Under which addresses the server is known: what `Host` and `Origin` may say, and how strict its cookie is.
//!
//! Must never take a name that the operator did not give: a foreign name may point here (DNS rebinding).
//! Tests: below, `tests/people.rs`.

use std::net::{IpAddr, SocketAddr};

use http::request::Parts;
use http::{HeaderMap, header};
use url::Url;

/// The addresses of a server.
#[derive(Debug, Clone)]
pub struct Site {
    /// `host:port`, as `Host` says it.
    hosts: Vec<String>,
    /// `scheme://host:port`, as `Origin` says it.
    origins: Vec<String>,
    /// It listens on every address: any address, written as one, is its own.
    every_address: Option<u16>,
    cookie: String,
    secure: bool,
    public: Option<Url>,
    loopback: Option<String>,
}

/// Why an address cannot be the server's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0} cannot be the public address: write https://HOST with no path, and let a proxy with TLS forward it to this server"
)]
pub struct SiteError(String);

impl SiteError {
    /// The stable code.
    #[must_use]
    pub fn code(&self) -> &'static str {
        "serve.public_url"
    }
}

impl Site {
    /// The server that listens there and, where a proxy stands in front, is known by a public URL.
    ///
    /// # Errors
    /// [`SiteError`] for a public URL that is not `https://HOST`.
    pub fn new(listen: SocketAddr, public: Option<&str>) -> Result<Self, SiteError> {
        let port = listen.port();
        let mut hosts = Vec::new();
        let own = if listen.ip().is_unspecified() { None } else { Some(listen.to_string()) };
        let names = own.into_iter().chain(["127.0.0.1", "localhost", "[::1]"].map(|name| format!("{name}:{port}")));
        for host in names {
            if port == 80 {
                hosts.push(host.trim_end_matches(":80").to_owned());
            }
            hosts.push(host);
        }
        let mut origins: Vec<String> = hosts.iter().map(|host| format!("http://{host}")).collect();
        let public = public.map(|text| public_url(text).ok_or_else(|| SiteError(text.to_owned()))).transpose()?;
        if let Some(url) = &public {
            hosts.push(authority(url));
            origins.push(format!("https://{}", authority(url)));
        }
        // A browser takes a Secure cookie over plain http only from its own machine, and not every browser does.
        let secure = public.is_some() || !listen.ip().is_loopback();
        // Cookies know no ports: two servers on one machine must not take each other's.
        let cookie = if secure { "__Host-flowdeck".to_owned() } else { format!("flowdeck-{port}") };
        let every_address = listen.ip().is_unspecified().then_some(port);
        let loopback = (public.is_none() && listen.ip().is_loopback()).then(|| listen.to_string());
        Ok(Self { hosts, origins, every_address, cookie, secure, public, loopback })
    }

    /// The address that people open.
    #[must_use]
    pub fn url(&self) -> String {
        match &self.public {
            Some(url) => format!("https://{}", authority(url)),
            None => self.origins.first().cloned().unwrap_or_default(),
        }
    }

    /// Whether people know it by a public URL.
    pub(crate) fn is_public(&self) -> bool {
        self.public.is_some()
    }

    /// `address:port` where it listens for this machine alone, known by no other name.
    pub(crate) fn on_loopback(&self) -> Option<&str> {
        self.loopback.as_deref()
    }

    pub(crate) fn cookie(&self) -> &str {
        &self.cookie
    }

    pub(crate) fn is_secure(&self) -> bool {
        self.secure
    }

    /// Whether the request was meant for this server.
    pub(crate) fn is_named(&self, parts: &Parts) -> bool {
        let mut said = parts.headers.get_all(header::HOST).iter();
        let (Some(host), None) = (said.next(), said.next()) else { return false };
        let Some(host) = host.to_str().ok() else { return false };
        self.knows(host) && parts.uri.authority().is_none_or(|other| self.knows(other.as_str()))
    }

    fn knows(&self, host: &str) -> bool {
        if self.hosts.iter().any(|known| known.eq_ignore_ascii_case(host)) {
            return true;
        }
        let address = host.parse::<SocketAddr>().map(|at| at.port());
        self.every_address.is_some_and(|port| address.is_ok_and(|said| said == port))
    }

    pub(crate) fn is_origin(&self, origin: &str) -> bool {
        if self.origins.iter().any(|known| known == origin) {
            return true;
        }
        origin.strip_prefix("http://").is_some_and(|host| self.every_address.is_some() && self.knows(host))
    }

    /// Where a request came from: the last address that a proxy on this machine names, where one stands in front.
    pub(crate) fn caller(&self, peer: Option<IpAddr>, headers: &HeaderMap) -> Option<IpAddr> {
        let peer = peer?;
        if self.public.is_none() || !peer.to_canonical().is_loopback() {
            return Some(peer);
        }
        let last = headers.get_all("x-forwarded-for").iter().next_back()?.to_str().ok()?;
        last.rsplit(',').next()?.trim().parse().ok().or(Some(peer))
    }
}

fn public_url(text: &str) -> Option<Url> {
    let url = Url::parse(text).ok()?;
    let plain = url.path() == "/" && url.query().is_none() && url.fragment().is_none();
    let nobody = url.username().is_empty() && url.password().is_none();
    (url.scheme() == "https" && url.host_str().is_some() && plain && nobody).then_some(url)
}

fn authority(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn site(listen: &str, public: Option<&str>) -> Site {
        Site::new(listen.parse().unwrap(), public).unwrap()
    }

    #[test]
    fn only_names_that_were_given_are_its_own() {
        let own = site("127.0.0.1:8918", None);
        for host in ["127.0.0.1:8918", "localhost:8918", "LOCALHOST:8918", "[::1]:8918"] {
            assert!(own.knows(host), "{host}");
        }
        for host in
            ["", "localhost", "localhost:80", "evil.example:8918", "127.0.0.1.evil.example:8918", "192.0.2.1:8918"]
        {
            assert!(!own.knows(host), "{host}");
        }
        let public = site("127.0.0.1:8918", Some("https://flows.example.com"));
        assert!(public.knows("flows.example.com") && public.is_origin("https://flows.example.com"));
        assert!(!public.is_origin("http://flows.example.com") && !public.knows("example.com"));
        assert!(site("127.0.0.1:80", None).is_origin("http://localhost"));
        let every = site("0.0.0.0:8918", None);
        assert!(every.knows("192.0.2.1:8918") && every.is_origin("http://192.0.2.1:8918"));
        assert!(
            !every.knows("evil.example:8918")
                && !every.knows("192.0.2.1:1")
                && !every.is_origin("http://evil.example:8918")
        );
    }

    #[test]
    fn a_public_url_is_https_and_a_host() {
        for bad in
            ["http://a.example", "https://", "https://a.example/x", "https://a.example/?q", "https://u@a.example", "a"]
        {
            assert!(Site::new("127.0.0.1:1".parse().unwrap(), Some(bad)).is_err(), "{bad}");
        }
        assert_eq!(site("127.0.0.1:1", Some("https://a.example:8443/")).url(), "https://a.example:8443");
        assert_eq!(site("127.0.0.1:1", None).url(), "http://127.0.0.1:1");
    }

    #[test]
    fn only_a_proxy_on_this_machine_says_who_calls() {
        let (local, far) = (Some("127.0.0.1".parse().unwrap()), Some("192.0.2.9".parse().unwrap()));
        let mut headers = HeaderMap::new();
        headers.append("x-forwarded-for", http::HeaderValue::from_static("6.6.6.6, 192.0.2.1"));
        let public = site("127.0.0.1:8918", Some("https://a.example"));
        assert_eq!(public.caller(local, &headers), Some("192.0.2.1".parse().unwrap()));
        assert_eq!(public.caller(far, &headers), far);
        assert_eq!(site("127.0.0.1:8918", None).caller(local, &headers), local);
    }
}
