//! A request as its sender describes it, and the response that comes back.
//!
//! Must never print a header, a query or a body: their `Debug` forms show sizes only.
//! Tests: `tests/hostile.rs`.

use std::{fmt, sync::Arc, time::Duration};

use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode};
use url::Url;

use crate::{AllowedHosts, Credential};

/// What to do with a 3xx answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Redirects {
    /// Hand the 3xx answer back. For token, revocation and discovery calls.
    None,
    /// Follow at most this many, each checked like the first target.
    Follow(u8),
}

impl Redirects {
    /// The number usually followed.
    pub const USUAL: Self = Self::Follow(5);
}

/// One outgoing request. Build with [`Request::new`] and set what differs.
#[derive(Clone)]
pub struct Request {
    /// The method.
    pub method: Method,
    /// Where to; see [`crate::parse_url`] for text from outside.
    pub url: Url,
    /// Headers. Hop-by-hop ones are dropped, `Host` is refused.
    pub headers: HeaderMap,
    /// The whole body; empty for none.
    pub body: Bytes,
    /// Whose secret to add, on covered hosts only.
    pub credential: Option<Arc<dyn Credential>>,
    /// Whether 3xx answers are followed.
    pub redirects: Redirects,
    /// Time for everything: name, connect, all hops, the whole body.
    pub timeout: Duration,
    /// Largest response body taken. The policy's limit still holds above it.
    pub response_bytes_max: usize,
    /// Private targets that the app's file allows.
    pub app_hosts: AllowedHosts,
}

impl Request {
    /// A request without body, headers or credential: 30 s, 10 MiB, up to 5 redirects.
    #[must_use]
    pub fn new(method: Method, url: Url) -> Self {
        Self {
            method,
            url,
            headers: HeaderMap::new(),
            body: Bytes::new(),
            credential: None,
            redirects: Redirects::USUAL,
            timeout: Duration::from_secs(30),
            response_bytes_max: 10 * 1024 * 1024,
            app_hosts: AllowedHosts::default(),
        }
    }
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request")
            .field("method", &self.method)
            .field("host", &self.url.host_str())
            .field("headers", &self.headers.len())
            .field("body_bytes", &self.body.len())
            .field("connection", &self.credential.as_ref().map(|c| c.connection().to_owned()))
            .finish_non_exhaustive()
    }
}

/// A complete response: the body has been read and its length checked.
#[derive(Clone)]
pub struct Response {
    /// The status of the last hop.
    pub status: StatusCode,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its whole body, as sent (no content coding is undone unless we asked for it).
    pub body: Bytes,
    /// The last URL, without what a credential added to it.
    pub final_url: Url,
    /// How many redirects were followed.
    pub hops: u8,
}

impl fmt::Debug for Response {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Response")
            .field("status", &self.status)
            .field("headers", &self.headers.len())
            .field("body_bytes", &self.body.len())
            .field("hops", &self.hops)
            .finish_non_exhaustive()
    }
}
