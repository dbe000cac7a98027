//! Serves a router on accepted connections.
//!
//! Must never hold more connections than its limit, nor wait for a slow head of a request without end.
//! Tests: `tests/session.rs`, `tests/callback.rs`.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use http::Request;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tower::ServiceExt as _;

use crate::people::Peer;

/// Most connections at once.
const CONNECTIONS_MAX: usize = 1_024;
/// Time for the head of a request.
const HEAD_WITHIN: Duration = Duration::from_secs(10);
/// Largest head of a request, in bytes; hyper takes 100 headers at most.
const HEAD_BYTES_MAX: usize = 64 << 10;
/// Time for answers under way when the server stops.
const STOP_WITHIN: Duration = Duration::from_secs(3);
/// Pause after an accept that failed, as when no file descriptor is left.
const PAUSE: Duration = Duration::from_millis(50);

/// Where connections come from.
pub(crate) trait Accept: Send + 'static {
    type Stream: AsyncRead + AsyncWrite + Send + Unpin + 'static;

    /// Who is at the other end, where that is an address.
    fn peer(_: &Self::Stream) -> Option<SocketAddr> {
        None
    }

    /// The next connection that may be served. `Ok(None)`: one came that may not.
    fn accept(&mut self) -> impl Future<Output = io::Result<Option<Self::Stream>>> + Send;
}

/// Accepts and serves until `stop` is true; then lets answers under way end, for a short time.
pub(crate) async fn serve<A: Accept>(mut from: A, router: Router, mut stop: watch::Receiver<bool>) {
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let mut connections = JoinSet::new();
    loop {
        while connections.try_join_next().is_some() {}
        let place = tokio::select! {
            biased;
            () = stopped(&mut stop) => break,
            place = places.clone().acquire_owned() => place,
        };
        let Ok(place) = place else { break };
        tokio::select! {
            biased;
            () = stopped(&mut stop) => break,
            accepted = from.accept() => match accepted {
                Ok(Some(stream)) => {
                    let (router, stop, peer) = (router.clone(), stop.clone(), A::peer(&stream).map(Peer));
                    connections.spawn(async move {
                        connection(stream, router, peer, stop).await;
                        drop(place);
                    });
                }
                Ok(None) => {}
                Err(error) => {
                    tracing::warn!(%error, "a connection could not be accepted");
                    tokio::time::sleep(PAUSE).await;
                }
            },
        }
    }
    drop(from);
    let rest = async { while connections.join_next().await.is_some() {} };
    if tokio::time::timeout(STOP_WITHIN, rest).await.is_err() {
        tracing::debug!("connections were cut when the server stopped");
    }
}

async fn stopped(stop: &mut watch::Receiver<bool>) {
    // Whoever could say stop being gone says it too.
    drop(stop.wait_for(|stop| *stop).await);
}

async fn connection<S>(stream: S, router: Router, peer: Option<Peer>, mut stop: watch::Receiver<bool>)
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let service = hyper::service::service_fn(move |mut request: Request<hyper::body::Incoming>| {
        if let Some(peer) = peer {
            request.extensions_mut().insert(peer);
        }
        let router = router.clone();
        async move { router.oneshot(request.map(axum::body::Body::new)).await }
    });
    let connection = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_WITHIN)
        .max_buf_size(HEAD_BYTES_MAX)
        .serve_connection(TokioIo::new(stream), service);
    tokio::pin!(connection);
    let ended = tokio::select! {
        ended = &mut connection => ended,
        () = stopped(&mut stop) => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection ended early");
    }
}
