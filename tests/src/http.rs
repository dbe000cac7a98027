//! A plain HTTP client for tests: one request, one answer, no redirect followed.
//!
//! Must never hide a status: every answer comes back as it is.
//! Tests: `tests/tests/e2e/harness.rs`.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::Value;
use tokio::runtime::{Builder, Runtime};

use crate::wait::DEADLINE_S;

/// An answer, read to its end.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
}

impl Answer {
    /// The body as text.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON; null where it is none.
    #[must_use]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    /// A header as text.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }
}

/// The client; calls block.
#[derive(Debug)]
pub struct Http {
    runtime: Runtime,
    client: Client<HttpConnector, Full<Bytes>>,
}

impl Default for Http {
    fn default() -> Self {
        let runtime = Builder::new_current_thread().enable_all().build().expect("start a runtime");
        Self { runtime, client: Client::builder(TokioExecutor::new()).pool_max_idle_per_host(0).build_http() }
    }
}

impl Http {
    /// Sends a request.
    ///
    /// # Errors
    /// Why there is no answer: the connection was refused or closed, or the deadline passed.
    pub fn send(&self, request: Request<Full<Bytes>>) -> Result<Answer, String> {
        let deadline = Duration::from_secs(DEADLINE_S);
        self.runtime.block_on(async {
            let exchange = async {
                let answer = self.client.request(request).await.map_err(|e| e.to_string())?;
                let (parts, body) = answer.into_parts();
                let body = body.collect().await.map_err(|e| e.to_string())?.to_bytes();
                Ok(Answer { status: parts.status, headers: parts.headers, body })
            };
            tokio::time::timeout(deadline, exchange).await.unwrap_or_else(|_| Err("no answer in time".into()))
        })
    }

    /// Sends a request made of its parts; `authorization` may be empty.
    ///
    /// # Errors
    /// As [`Http::send`].
    pub fn call(&self, method: Method, url: &str, authorization: &str, body: &str) -> Result<Answer, String> {
        let mut request = Request::builder().method(method).uri(url);
        if !authorization.is_empty() {
            request = request.header("authorization", authorization);
        }
        let kind = if body.starts_with('{') { "application/json" } else { "application/x-www-form-urlencoded" };
        request = request.header("content-type", kind);
        self.send(request.body(Full::from(body.to_owned())).map_err(|e| e.to_string())?)
    }

    /// Gets a URL.
    ///
    /// # Errors
    /// As [`Http::send`].
    pub fn get(&self, url: &str) -> Result<Answer, String> {
        self.call(Method::GET, url, "", "")
    }
}
