//! The proxy's sockets: requests in, to the org, answers back.
//!
//! Must never lose what the org did because the caller went away: a request that came is carried out.
//! Tests: `tests/tests/e2e/harness.rs`.

use std::sync::Arc;

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, HeaderValue, TRANSFER_ENCODING};
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::client::legacy::Client;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpListener;

use super::rules::Fault;
use super::{Seen, Service, Shared, grants, okta};

/// Largest request body, in bytes.
const BODY_BYTES_MAX: usize = 1 << 20;

/// An answer on its way back.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

impl Reply {
    pub(super) fn json(status: StatusCode, body: &str) -> Self {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        Self { status, headers, body: Bytes::from(body.to_owned()) }
    }
}

/// Why a connection was closed without an answer.
#[derive(Debug)]
struct Dropped(String);

impl std::fmt::Display for Dropped {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Dropped {}

/// Listens, and serves until the runtime ends.
pub(super) async fn listen(port: u16, shared: Arc<Shared>) -> std::io::Result<()> {
    let listener = TcpListener::bind(("127.0.0.1", port)).await?;
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let shared = shared.clone();
            let service = service_fn(move |request| carry(shared.clone(), request));
            // A connection that breaks is the caller's business.
            tokio::spawn(
                async move { http1::Builder::new().serve_connection(TokioIo::new(stream), service).await.ok() },
            );
        }
    });
    Ok(())
}

async fn carry(shared: Arc<Shared>, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Dropped> {
    let (parts, body) = request.into_parts();
    let body = Limited::new(body, BODY_BYTES_MAX).collect().await.map_err(|e| Dropped(e.to_string()))?.to_bytes();
    // Its own task: what the org does is noted even when the caller hangs up meanwhile.
    let reply = tokio::spawn(answer(shared, parts, body)).await.map_err(|e| Dropped(e.to_string()))??;
    let mut response = Response::new(Full::new(reply.body));
    *response.status_mut() = reply.status;
    *response.headers_mut() = reply.headers;
    response.headers_mut().remove(CONTENT_LENGTH);
    response.headers_mut().remove(TRANSFER_ENCODING);
    Ok(response)
}

async fn answer(shared: Arc<Shared>, mut parts: http::request::Parts, body: Bytes) -> Result<Reply, Dropped> {
    let (method, path) = (parts.method.clone(), parts.uri.path().to_owned());
    let (number, fault) = {
        let mut state = shared.lock();
        let fault = state.rules.iter_mut().find_map(|rule| rule.meet(method.as_str(), &path));
        let api = shared.service.is_api(&path);
        state.seen.push(Seen {
            method: method.to_string(),
            path: path.clone(),
            query: parts.uri.query().unwrap_or_default().to_owned(),
            body: if api { String::from_utf8_lossy(&body).into_owned() } else { String::new() },
            ..Seen::default()
        });
        (state.seen.len() - 1, fault)
    };
    shared.changed.notify_all();
    let note = |change: &dyn Fn(&mut Seen)| {
        if let Some(seen) = shared.lock().seen.get_mut(number) {
            change(seen);
        }
        shared.changed.notify_all();
    };

    match &fault {
        Some(Fault::Answer { status, headers, body }) => {
            let mut reply = Reply::json(StatusCode::from_u16(*status).expect("a status"), body);
            for (name, value) in headers {
                reply.headers.insert(*name, value.parse().expect("a header"));
            }
            note(&|seen| seen.status = Some(*status));
            return Ok(reply);
        }
        Some(Fault::DropBefore) => return Err(Dropped("told to drop before acting".into())),
        Some(Fault::HoldBefore(gate)) => gate.pass().await,
        Some(Fault::Revoke { refresh }) => revoke(&shared, None, *refresh).await.map_err(Dropped)?,
        Some(Fault::DropAfter | Fault::HoldAfter(_)) | None => {}
    }

    let is_okta = shared.service == Service::Okta;
    let who = if is_okta {
        okta::account(&shared, &method, &path, &parts.headers).await
    } else {
        grants::account(&shared, &method, &path, &parts.headers, &body)
    };
    let mut reply = match who {
        Err(refusal) => refusal,
        Ok(account) => {
            note(&|seen| seen.account.clone_from(&account));
            let sent = grants::without_port(&shared, &mut parts, body.clone());
            let reply = forward(&shared, &parts, sent).await.map_err(Dropped)?;
            note(&|seen| seen.acted = reply.status.is_success());
            reply
        }
    };
    if is_okta {
        okta::finish(&shared, &method, &path, &mut reply);
    } else {
        grants::finish(&shared, &path, &body, &mut reply);
    }

    match &fault {
        Some(Fault::DropAfter) => return Err(Dropped("told to drop after acting".into())),
        Some(Fault::HoldAfter(gate)) => gate.pass().await,
        _ => {}
    }
    note(&|seen| seen.status = Some(reply.status.as_u16()));
    Ok(reply)
}

/// Revokes what was handed out to the account, to everybody where `None`.
pub(super) async fn revoke(shared: &Shared, account: Option<&str>, refresh: bool) -> Result<(), String> {
    if shared.service == Service::Okta {
        return okta::revoke(shared, account, refresh).await;
    }
    grants::revoke(shared, account, refresh);
    Ok(())
}

/// Sends the request on as it came, with the caller's `Host`, so that links in the answer lead to the proxy.
async fn forward(shared: &Shared, parts: &http::request::Parts, body: Bytes) -> Result<Reply, String> {
    let target = parts.uri.path_and_query().map_or("/", |p| p.as_str());
    let mut request = Request::builder().method(&parts.method).uri(url(shared, target));
    for (name, value) in parts.headers.iter().filter(|(name, _)| *name != CONTENT_LENGTH) {
        request = request.header(name, value);
    }
    send(request.body(Full::new(body)).map_err(|e| e.to_string())?).await
}

/// Asks the org something of the proxy's own, form encoded.
pub(super) async fn ask(shared: &Shared, method: Method, path: &str, form: &str) -> Result<Reply, String> {
    let request = Request::builder()
        .method(method)
        .uri(url(shared, path))
        .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
        .body(Full::from(form.to_owned()))
        .map_err(|e| e.to_string())?;
    send(request).await
}

fn url(shared: &Shared, target: &str) -> String {
    format!("http://127.0.0.1:{}{target}", shared.upstream)
}

async fn send(request: Request<Full<Bytes>>) -> Result<Reply, String> {
    // One connection a request: an idle one may have been closed by the org just now.
    let client = Client::builder(TokioExecutor::new()).pool_max_idle_per_host(0).build_http();
    let answer = client.request(request).await.map_err(|e| e.to_string())?;
    let (parts, body) = answer.into_parts();
    let body = body.collect().await.map_err(|e| e.to_string())?.to_bytes();
    Ok(Reply { status: parts.status, headers: parts.headers, body })
}
