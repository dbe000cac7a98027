//! A client of the HTTP API: over the local socket of a data folder, or straight into a router of this process.
//!
//! Must never retry a request by itself: whether it may be repeated is the caller's knowledge.
//! Tests: `tests/api.rs`.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use futures_util::StreamExt as _;
use futures_util::stream::BoxStream;
use http::{Method, Request, Response, StatusCode, header};
use http_body_util::BodyExt as _;
use hyper_util::rt::TokioIo;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::net::UnixStream;
use tower::ServiceExt as _;

use crate::api::ANSWER_WITHIN;
use crate::socket::own_peer;
use crate::wire::{Problem, RehearsalEvent, Rehearse, RunEvent};

/// Largest answer, in bytes (64 MiB).
const ANSWER_BYTES_MAX: usize = 64 << 20;
/// Largest event of a stream, in bytes (64 MiB: an entry may hold a step's outputs).
const EVENT_BYTES_MAX: usize = 64 << 20;
/// Longest silence of a stream; the holder breaks it every 15 s.
const SILENCE_MAX: Duration = Duration::from_secs(60);
/// Time to reach the socket and to hand over a request.
const CONNECT_WITHIN: Duration = Duration::from_secs(10);

/// Why a call got no answer of the API.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// The API refused.
    #[error(transparent)]
    Problem(#[from] Problem),
    /// The holder is gone: somebody must take its place.
    #[error("the process that held the data folder has ended: {0}")]
    Gone(String),
    /// The answer is not of this protocol.
    #[error("the answer cannot be read: {0}")]
    Unreadable(String),
}

/// A client. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Client {
    to: To,
}

#[derive(Debug, Clone)]
enum To {
    Here(Router),
    Socket(PathBuf),
}

impl Client {
    /// A client of an API in this process.
    #[must_use]
    pub fn in_process(router: Router) -> Self {
        Self { to: To::Here(router) }
    }

    /// A client of the process that listens on a local socket.
    #[must_use]
    pub fn over_socket(socket: &Path) -> Self {
        Self { to: To::Socket(socket.to_path_buf()) }
    }

    /// Calls `method path` with a JSON body (`&()` for none) and reads a JSON answer (`()` for none).
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn call<B: Serialize + Sync, A: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: &B,
    ) -> Result<A, CallError> {
        let unreadable = |cause: serde_json::Error| CallError::Unreadable(cause.to_string());
        let sent = serde_json::to_vec(body).map_err(unreadable)?;
        let sent = if sent == b"null" { None } else { Some(("application/json", sent)) };
        let answer = self.exchange(method, path, sent).await?;
        serde_json::from_slice(if answer.is_empty() { b"null" } else { &answer }).map_err(unreadable)
    }

    /// Calls with a body of any type, and answers the body as it is: CSV in and out.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn text(&self, method: Method, path: &str, body: Option<(&str, String)>) -> Result<String, CallError> {
        let answer = self.exchange(method, path, body.map(|(kind, text)| (kind, text.into_bytes()))).await?;
        String::from_utf8(answer).map_err(|cause| CallError::Unreadable(cause.to_string()))
    }

    /// Events of a run after entry number `after`, until it stops; with `follow`, also past its waits until it ends.
    ///
    /// # Errors
    /// [`CallError`]; also as the last item of the stream. A stream that ends without [`RunEvent::Stopped`] ends
    /// with [`CallError::Gone`].
    pub async fn run_events(
        &self,
        run: flowdeck_model::RunId,
        after: u64,
        follow: bool,
    ) -> Result<BoxStream<'static, Result<RunEvent, CallError>>, CallError> {
        let path = format!("/v1/runs/{run}/events?after={after}&follow={follow}");
        self.events(request(Method::GET, &path, None)?, |event| matches!(event, RunEvent::Stopped { .. })).await
    }

    /// Runs a flow dry; its calls and its end as they come.
    ///
    /// # Errors
    /// [`CallError`]; also as the last item of the stream.
    pub async fn rehearse(
        &self,
        asked: &Rehearse,
    ) -> Result<BoxStream<'static, Result<RehearsalEvent, CallError>>, CallError> {
        let body = serde_json::to_vec(asked).map_err(|cause| CallError::Unreadable(cause.to_string()))?;
        let request = request(Method::POST, "/v1/rehearsals", Some(("application/json", body)))?;
        self.events(request, |event| !matches!(event, RehearsalEvent::Call { .. })).await
    }

    async fn events<E: DeserializeOwned + Send + 'static>(
        &self,
        request: Request<Body>,
        is_last: fn(&E) -> bool,
    ) -> Result<BoxStream<'static, Result<E, CallError>>, CallError> {
        let response = within(CONNECT_WITHIN + ANSWER_WITHIN, self.send(request)).await?;
        if response.status() != StatusCode::OK {
            return Err(self.refused(refusal(response).await));
        }
        let lines = Lines { body: response.into_body().into_data_stream(), held: Vec::new(), looked: 0, over: false };
        let events = futures_util::stream::unfold(lines, move |mut lines| async move {
            let event = lines.next().await?;
            lines.over |= event.as_ref().map_or(true, is_last);
            Some((event, lines))
        });
        Ok(events.boxed())
    }

    async fn exchange(&self, method: Method, path: &str, body: Option<(&str, Vec<u8>)>) -> Result<Vec<u8>, CallError> {
        let request = request(method, path, body)?;
        within(CONNECT_WITHIN + ANSWER_WITHIN, async {
            let response = self.send(request).await?;
            if !response.status().is_success() {
                return Err(self.refused(refusal(response).await));
            }
            whole(response.into_body()).await
        })
        .await
    }

    /// Another process that is stopping is as good as gone; this one's own end is its caller's to tell.
    fn refused(&self, error: CallError) -> CallError {
        match (&self.to, error) {
            (To::Socket(_), CallError::Problem(p)) if p.code == "runtime.stopping" => CallError::Gone(p.title),
            (_, error) => error,
        }
    }

    async fn send(&self, request: Request<Body>) -> Result<Response<Body>, CallError> {
        match &self.to {
            To::Here(router) => Ok(router.clone().oneshot(request).await.unwrap_or_else(|never| match never {})),
            To::Socket(socket) => over(socket, request).await,
        }
    }
}

fn request(method: Method, path: &str, body: Option<(&str, Vec<u8>)>) -> Result<Request<Body>, CallError> {
    let mut request = Request::builder().method(method).uri(path).header(header::HOST, "flowdeck");
    let body = match body {
        Some((kind, bytes)) => {
            request = request.header(header::CONTENT_TYPE, kind);
            Body::from(bytes)
        }
        None => Body::empty(),
    };
    request.body(body).map_err(|cause| CallError::Unreadable(format!("the request is not HTTP: {cause}")))
}

async fn within<T>(time: Duration, work: impl Future<Output = Result<T, CallError>>) -> Result<T, CallError> {
    let late = || CallError::Gone(format!("it does not answer within {} s", time.as_secs()));
    tokio::time::timeout(time, work).await.unwrap_or_else(|_| Err(late()))
}

async fn over(socket: &Path, request: Request<Body>) -> Result<Response<Body>, CallError> {
    let gone = |cause: &dyn std::fmt::Display| CallError::Gone(cause.to_string());
    let stream = tokio::time::timeout(CONNECT_WITHIN, UnixStream::connect(socket)).await;
    let stream = stream.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into())).map_err(|e| gone(&e))?;
    own_peer(&stream).map_err(|e| gone(&e))?;
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(|e| gone(&e))?;
    // Ends with the connection: when the answer was read, or dropped.
    tokio::spawn(async move {
        if let Err(error) = connection.await {
            tracing::debug!(%error, "a connection to the holder ended");
        }
    });
    Ok(sender.send_request(request).await.map_err(|e| gone(&e))?.map(Body::new))
}

async fn whole(body: Body) -> Result<Vec<u8>, CallError> {
    let limited = http_body_util::Limited::new(body, ANSWER_BYTES_MAX);
    match limited.collect().await {
        Ok(bytes) => Ok(bytes.to_bytes().to_vec()),
        Err(cause) if cause.is::<http_body_util::LengthLimitError>() => {
            Err(CallError::Unreadable(format!("it is larger than {ANSWER_BYTES_MAX} bytes")))
        }
        Err(cause) => Err(CallError::Gone(cause.to_string())),
    }
}

async fn refusal(response: Response<Body>) -> CallError {
    let status = response.status();
    match whole(response.into_body()).await {
        Ok(bytes) => match serde_json::from_slice::<Problem>(&bytes) {
            Ok(problem) => problem.into(),
            Err(_) => CallError::Unreadable(format!("status {status} without a problem")),
        },
        Err(error) => error,
    }
}

/// Server-sent events out of a body.
struct Lines {
    body: axum::body::BodyDataStream,
    held: Vec<u8>,
    /// Bytes of `held` in which no event ends: a large event is not looked through again with each piece of it.
    looked: usize,
    over: bool,
}

impl Lines {
    async fn next<E: DeserializeOwned>(&mut self) -> Option<Result<E, CallError>> {
        while !self.over {
            if let Some(end) = self.held[self.looked..].windows(2).position(|pair| pair == b"\n\n") {
                let event: Vec<u8> = self.held.drain(..self.looked + end + 2).collect();
                self.looked = 0;
                if let Some(event) = data(&event) {
                    return Some(serde_json::from_slice(&event).map_err(|e| CallError::Unreadable(e.to_string())));
                }
                continue;
            }
            self.looked = self.held.len().saturating_sub(1);
            if self.held.len() > EVENT_BYTES_MAX {
                return Some(Err(CallError::Unreadable(format!("an event is larger than {EVENT_BYTES_MAX} bytes"))));
            }
            let gone = |cause: String| Some(Err(CallError::Gone(cause)));
            match tokio::time::timeout(SILENCE_MAX, self.body.next()).await {
                Ok(Some(Ok(bytes))) => self.held.extend_from_slice(&bytes),
                Ok(Some(Err(cause))) => return gone(cause.to_string()),
                Ok(None) => return gone("the stream ended before the run stopped".into()),
                Err(_) => return gone("the stream fell silent".into()),
            }
        }
        None
    }
}

/// The `data` of one event, its lines joined; `None` for comments.
fn data(event: &[u8]) -> Option<Vec<u8>> {
    let lines = event.split(|byte| *byte == b'\n').filter_map(|line| line.strip_prefix(b"data:"));
    let lines: Vec<&[u8]> = lines.map(|line| line.strip_prefix(b" ").unwrap_or(line)).collect();
    (!lines.is_empty()).then(|| lines.join(&b'\n'))
}
