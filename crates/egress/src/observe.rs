//! What is told about each hop, for audit, logs and tests.
//!
//! Must never carry a query string, a header or a body.
//! Tests: `tests/connections.rs`.

use std::time::Duration;

/// One hop of a request, after it ended.
#[derive(Clone, Debug)]
pub struct Exchange {
    /// The method of this hop.
    pub method: http::Method,
    /// `scheme://host:port/path`, without the query.
    pub target: String,
    /// The status, if one came back.
    pub status: Option<http::StatusCode>,
    /// The code of the failure, if it failed.
    pub failure: Option<&'static str>,
    /// How long the hop took.
    pub duration: Duration,
    /// Length of the body that was sent.
    pub sent_bytes: usize,
    /// Length of the body that was read.
    pub received_bytes: usize,
    /// The connection whose credential travelled on this hop.
    pub connection: Option<String>,
    /// 0 for the request itself, then 1 for each redirect.
    pub hop: u8,
}

/// Told of sockets and hops. Called on the request's task: must return at once.
pub trait Observer: Send + Sync {
    /// A socket to `host:port` is about to be opened. Not called when an open one is used again.
    fn connecting(&self, host: &str, port: u16) {
        let (_, _) = (host, port);
    }
    /// A hop ended, well or not. Hops refused before sending are told too.
    fn exchanged(&self, exchange: &Exchange);
}
