//! Registered clients and the redirect addresses they may use.
//!
//! Must never keep a client secret, only its digest.
//! Tests: below, and `tests/walk/`.

use serde::{Deserialize, Serialize};
use url::{Host, Url};

use super::{Grants, TokenRefusal};
use crate::limits;
use crate::secret::{Digest, Secret};

/// The public client that is there from the start.
pub(crate) const CLI_CLIENT_ID: &str = "flowdeck-cli";

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ClientKind {
    Public,
    Confidential { secret: Digest },
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Client {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) kind: ClientKind,
    pub(crate) redirect_uris: Vec<String>,
}

impl Client {
    pub(crate) fn cli() -> Client {
        let redirect_uris = ["127.0.0.1", "[::1]", "localhost"]
            .iter()
            .flat_map(|host| {
                ["/callback", "/oauth/callback", "/oauth/callback/playground"]
                    .map(|path| format!("http://{host}{path}"))
            })
            .collect();
        Client { id: CLI_CLIENT_ID.to_owned(), name: "flowdeck".to_owned(), kind: ClientKind::Public, redirect_uris }
    }

    pub(crate) fn is_public(&self) -> bool {
        self.kind == ClientKind::Public
    }

    /// Exact comparison; a public client may use any port of a registered loopback address (RFC 8252 section 7.3).
    pub(crate) fn allows_redirect(&self, asked: &str) -> bool {
        self.redirect_uris.iter().any(|registered| {
            registered == asked || (self.is_public() && is_same_loopback_but_for_the_port(registered, asked))
        })
    }
}

fn is_same_loopback_but_for_the_port(registered: &str, asked: &str) -> bool {
    let (Ok(mut registered), Ok(mut parsed)) = (Url::parse(registered), Url::parse(asked)) else { return false };
    // A spelling that the parser had to repair is not the registered address.
    if parsed.as_str() != asked || !is_loopback(&registered) || !is_loopback(&parsed) {
        return false;
    }
    registered.set_port(None).is_ok() && parsed.set_port(None).is_ok() && registered == parsed
}

/// An http address of this machine.
pub(crate) fn is_loopback(url: &Url) -> bool {
    let is_here = match url.host() {
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    };
    url.scheme() == "http" && is_here && url.username().is_empty() && url.password().is_none()
}

/// Whether a client may register this redirect address: loopback http or https, no fragment.
pub(crate) fn registrable_redirect(text: &str) -> bool {
    text.len() <= limits::URL_CHARS_MAX
        && Url::parse(text).is_ok_and(|url| {
            url.as_str() == text && url.fragment().is_none() && (is_loopback(&url) || url.scheme() == "https")
        })
}

impl Grants {
    pub(crate) fn client(&self, id: &str) -> Option<&Client> {
        self.clients.get(id)
    }

    pub(crate) fn clients(&self) -> impl Iterator<Item = &Client> {
        self.clients.values()
    }

    /// Registers a client; the secret, if it has one, is in the answer and nowhere else.
    pub(crate) fn register(
        &mut self,
        name: String,
        redirect_uris: Vec<String>,
        is_confidential: bool,
    ) -> Result<(Client, Option<Secret>), TokenRefusal> {
        if self.clients.len() >= limits::CLIENTS_MAX {
            return Err(TokenRefusal::Full);
        }
        let secret = is_confidential.then(|| Secret::random("fdcs_"));
        let kind = match &secret {
            Some(secret) => ClientKind::Confidential { secret: secret.digest() },
            None => ClientKind::Public,
        };
        let id = format!("client-{}", hex::encode(rand::random::<[u8; 8]>()));
        let client = Client { id: id.clone(), name, kind, redirect_uris };
        self.clients.insert(id, client.clone());
        Ok((client, secret))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_public_client_may_use_any_port_and_nothing_else() {
        let cli = Client::cli();
        for (asked, allowed) in [
            ("http://127.0.0.1/callback", true),
            ("http://127.0.0.1:8917/callback", true),
            ("http://[::1]:8917/oauth/callback", true),
            ("http://localhost:1/callback", true),
            ("http://127.0.0.1:8917/oauth/callback/playground", true),
            ("http://127.0.0.1:8917/oauth/callback/okta", false),
            ("http://127.0.0.1:8917/callback/", false),
            ("http://127.0.0.1:8917/callback?next=x", false),
            ("http://127.0.0.1:8917/callback#x", false),
            ("http://me@127.0.0.1:8917/callback", false),
            ("https://127.0.0.1:8917/callback", false),
            ("http://127.1:8917/callback", false),
            ("http://127.0.0.1.example.com:8917/callback", false),
            ("http://127.0.0.1:8917/x/../callback", false),
            ("", false),
        ] {
            assert_eq!(cli.allows_redirect(asked), allowed, "{asked}");
        }
    }

    #[test]
    fn a_confidential_client_must_use_the_very_address_it_registered() {
        let kind = ClientKind::Confidential { secret: Digest::of("x") };
        let client = Client { kind, redirect_uris: vec!["http://127.0.0.1:8917/callback".into()], ..Client::cli() };
        assert!(client.allows_redirect("http://127.0.0.1:8917/callback"));
        assert!(!client.allows_redirect("http://127.0.0.1:8918/callback"));
    }
}
