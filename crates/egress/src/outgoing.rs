//! One hop as it will leave, and the credential that may add a secret to it.
//!
//! Must never print what a credential added, nor let it name another host.
//! Tests: `tests/credentials.rs`.

use std::fmt;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use url::Url;

use crate::{EgressError, headers};

/// A secret that can be added to requests for the hosts it is made for.
pub trait Credential: Send + Sync {
    /// Whether this credential may travel to the URL's scheme, host and port. Trailing dots are already removed.
    fn covers(&self, url: &Url) -> bool;
    /// Adds the secret. Called once per hop, only for covered URLs.
    ///
    /// # Errors
    /// When the secret cannot be added; nothing is sent then.
    fn apply(&self, request: &mut Outgoing) -> Result<(), EgressError>;
    /// The connection's id, for logs.
    fn connection(&self) -> &str;
}

/// One hop before it leaves. A credential sees all of it and may add headers and query parameters.
pub struct Outgoing {
    pub(crate) method: Method,
    pub(crate) url: Url,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    pub(crate) set_headers: Vec<HeaderName>,
    pub(crate) set_params: Vec<String>,
}

impl Outgoing {
    pub(crate) fn new(method: Method, url: Url, headers: HeaderMap, body: Bytes) -> Self {
        Self { method, url, headers, body, set_headers: Vec::new(), set_params: Vec::new() }
    }

    /// The method, for signatures.
    #[must_use]
    pub fn method(&self) -> &Method {
        &self.method
    }

    /// The URL as it stands, for signatures.
    #[must_use]
    pub fn url(&self) -> &Url {
        &self.url
    }

    /// The headers as they stand, for signatures.
    #[must_use]
    pub fn headers(&self) -> &HeaderMap {
        &self.headers
    }

    /// The body, for signatures.
    #[must_use]
    pub fn body(&self) -> &Bytes {
        &self.body
    }

    /// Sets a header, replacing any of that name. It is marked sensitive and dropped when the host changes.
    ///
    /// # Errors
    /// [`EgressError::InvalidHeader`] for a malformed name or value (the value is not repeated), or for a header
    /// that belongs to the transport, such as `Host`.
    pub fn set_header(&mut self, name: &str, value: &str) -> Result<(), EgressError> {
        let name = headers::settable_name(name)?;
        let mut value = HeaderValue::from_str(value).map_err(|_| EgressError::InvalidHeader {
            name: name.to_string(),
            why: "the value has characters that a header cannot carry",
        })?;
        value.set_sensitive(true);
        self.headers.insert(name.clone(), value);
        self.set_headers.push(name);
        Ok(())
    }

    /// Sets a query parameter, replacing any of that name. It is dropped when the host changes.
    pub fn set_query(&mut self, name: &str, value: &str) {
        remove_params(&mut self.url, std::slice::from_ref(&name.to_owned()));
        self.url.query_pairs_mut().append_pair(name, value);
        self.set_params.push(name.to_owned());
    }
}

/// Removes the named query parameters and leaves the text of the others as it is.
pub(crate) fn remove_params(url: &mut Url, names: &[String]) {
    let Some(query) = url.query() else { return };
    let named = |pair: &&str| {
        let key = url::form_urlencoded::parse(pair.as_bytes()).next();
        !key.is_some_and(|(key, _)| names.iter().any(|name| *name == key))
    };
    let kept: Vec<&str> = query.split('&').filter(named).collect();
    let kept = kept.join("&");
    url.set_query(if kept.is_empty() { None } else { Some(&kept) });
}

impl fmt::Debug for Outgoing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outgoing")
            .field("method", &self.method)
            .field("host", &self.url.host_str())
            .finish_non_exhaustive()
    }
}
