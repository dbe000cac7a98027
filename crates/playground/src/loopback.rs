//! One small HTTP client for calls to this machine: hook deliveries and the question "are you my playground?".
//!
//! Must never connect to anything but a loopback address, nor follow a redirect.
//! Tests: `tests/walk/`, `tests/walk/main.rs`.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::{Request, StatusCode, header};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use url::{Host, Url};

use crate::limits;

/// Why there was no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LoopbackError {
    #[error("the address is not on this machine")]
    NotLoopback,
    #[error("nobody answered in time")]
    Timeout,
    #[error("the connection failed: {0}")]
    Connection(#[from] std::io::Error),
    #[error("the exchange failed: {0}")]
    Exchange(#[from] hyper::Error),
    #[error("the request could not be written: {0}")]
    Request(#[from] hyper::http::Error),
}

fn address(url: &Url) -> Option<SocketAddr> {
    let ip = match url.host()? {
        Host::Ipv4(ip) => IpAddr::V4(ip),
        Host::Ipv6(ip) => IpAddr::V6(ip),
        // Never resolved: a hosts file could say anything.
        Host::Domain("localhost") => IpAddr::V4(Ipv4Addr::LOCALHOST),
        Host::Domain(_) => return None,
    };
    ip.is_loopback().then_some(SocketAddr::new(ip, url.port_or_known_default()?))
}

/// Sends one request and reads a bounded answer, within the deadline.
pub(crate) async fn send(
    method: &str,
    url: &Url,
    headers: &[(&str, &str)],
    body: Bytes,
) -> Result<(StatusCode, Bytes), LoopbackError> {
    let address = address(url).ok_or(LoopbackError::NotLoopback)?;
    let mut request = Request::builder().method(method).uri(&url[url::Position::BeforePath..url::Position::AfterQuery]);
    request = request.header(header::HOST, &url[url::Position::BeforeHost..url::Position::AfterPort]);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request.body(Full::new(body))?;
    tokio::time::timeout(limits::LOOPBACK_CALL_TIMEOUT, exchange(address, request))
        .await
        .map_err(|_elapsed| LoopbackError::Timeout)?
}

async fn exchange(address: SocketAddr, request: Request<Full<Bytes>>) -> Result<(StatusCode, Bytes), LoopbackError> {
    let stream = TcpStream::connect(address).await?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    let exchange = async {
        let answer = sender.send_request(request).await?;
        let status = answer.status();
        let body = Limited::new(answer.into_body(), limits::LOOPBACK_ANSWER_BYTES_MAX).collect().await;
        // A body that is too long or cut off is as good as none: only the status counts.
        Ok((status, body.map(|body| body.to_bytes()).unwrap_or_default()))
    };
    tokio::pin!(exchange);
    tokio::select! {
        answer = &mut exchange => answer,
        ended = connection => { ended?; exchange.await }
    }
}
