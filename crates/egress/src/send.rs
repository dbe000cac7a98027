//! Sends one request hop by hop, under one deadline, and reads the answer within its limits.
//!
//! Must never let a failure say more than scheme, host and port, nor call a request unsent that may have left.
//! Tests: `tests/hostile.rs`, `tests/credentials.rs`, `tests/connections.rs`.

use std::{collections::HashSet, error::Error, io, iter, sync::atomic::Ordering};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use tokio::time::{Instant, timeout_at};
use url::Url;

use crate::{
    Egress, EgressError, Exchange, Outgoing, Redirects, Request, Response, Sent, client::OriginClient, headers,
    outgoing, redirect, target,
};

/// What the next hop is made from. The credential's additions live only in the hop's own copy.
struct Step {
    method: Method,
    url: Url,
    headers: HeaderMap,
    body: Bytes,
    hop: u8,
    /// Names of query parameters that the credential has set so far.
    secret_params: Vec<String>,
}

/// What one hop brought back.
struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
    next: Option<redirect::Next>,
}

impl Egress {
    /// Sends a request, following redirects if it says so, and reads the whole answer. Any status is an answer.
    ///
    /// # Errors
    /// See [`EgressError`]; [`EgressError::was_sent`] says whether the server may have seen the request.
    pub async fn send(&self, request: Request) -> Result<Response, EgressError> {
        let limits = &self.policy.limits;
        let deadline = Instant::now() + request.timeout.min(limits.total_timeout_max);
        let mut step = Step {
            method: request.method.clone(),
            url: target::checked(request.url.clone())?,
            headers: headers::outgoing(&request.headers)?,
            body: request.body.clone(),
            hop: 0,
            secret_params: Vec::new(),
        };
        let mut visited = HashSet::from([(step.method.clone(), step.url.clone())]);
        loop {
            let hop = step.hop;
            let after = |cause| after_redirects(hop, cause);
            let answer = Box::pin(self.recorded_hop(&request, &mut step, deadline)).await.map_err(after)?;
            let Some(next) = answer.next else {
                return Ok(Response {
                    status: answer.status,
                    headers: answer.headers,
                    body: answer.body,
                    final_url: step.url,
                    hops: hop,
                });
            };
            let host = target::origin_text(&step.url);
            step.take(next);
            if !visited.insert((step.method.clone(), step.url.clone())) {
                return Err(after(EgressError::RedirectRefused { host, why: "it leads in a circle" }));
            }
        }
    }

    async fn recorded_hop(&self, request: &Request, step: &mut Step, deadline: Instant) -> Result<Answer, EgressError> {
        let begun = Instant::now();
        let mut connection = None;
        let result = self.hop(request, step, deadline, &mut connection).await;
        if let Some(observer) = &self.policy.observer {
            let answer = result.as_ref().ok();
            observer.exchanged(&Exchange {
                method: step.method.clone(),
                target: format!("{}{}", target::origin_text(&step.url), step.url.path()),
                status: answer.map(|answer| answer.status),
                failure: result.as_ref().err().map(EgressError::code),
                duration: begun.elapsed(),
                sent_bytes: if result.as_ref().is_err_and(|e| e.was_sent() == Sent::No) { 0 } else { step.body.len() },
                received_bytes: answer.map_or(0, |answer| answer.body.len()),
                connection,
                hop: step.hop,
            });
        }
        result
    }

    async fn hop(
        &self,
        request: &Request,
        step: &mut Step,
        deadline: Instant,
        connection: &mut Option<String>,
    ) -> Result<Answer, EgressError> {
        let host = target::origin_text(&step.url);
        let limits = &self.policy.limits;
        // The target is judged before the credential hands out its secret.
        let unsent = || EgressError::Timeout { host: host.clone(), sent: false };
        let client = timeout_at(deadline, self.client(&step.url, &request.app_hosts)).await.map_err(|_| unsent())??;
        let outgoing = step.authorized(request, connection)?;
        if step.body.len() > limits.request_bytes_max {
            return Err(EgressError::RequestTooLarge { host, limit_bytes: limits.request_bytes_max });
        }
        if !headers::fit(&outgoing.headers, limits) {
            return Err(EgressError::RequestTooLarge { host, limit_bytes: limits.header_bytes_max });
        }
        let (next, status, headers, body) = {
            let response = opened(&client, outgoing, deadline, &host).await?;
            if response.status() == StatusCode::SWITCHING_PROTOCOLS {
                return Err(EgressError::BadResponse { host, why: "it switches to another protocol" });
            }
            if !headers::fit(response.headers(), limits) {
                return Err(EgressError::TooLarge { host, limit_bytes: limits.header_bytes_max });
            }
            let next = next_hop(request.redirects, step, &response, &host)?;
            let (status, headers) = (response.status(), response.headers().clone());
            let body = match next {
                Some(_) => Bytes::new(),
                None => {
                    let limit_bytes = request.response_bytes_max.min(limits.response_bytes_max);
                    body(response, limit_bytes, deadline, &host).await?
                }
            };
            (next, status, headers, body)
        };
        Ok(Answer { status, headers, body, next })
    }
}

impl Step {
    /// This hop with the credential's secret, if it may travel to this URL.
    fn authorized(&mut self, request: &Request, connection: &mut Option<String>) -> Result<Outgoing, EgressError> {
        let mut outgoing =
            Outgoing::new(self.method.clone(), self.url.clone(), self.headers.clone(), self.body.clone());
        let Some(credential) = &request.credential else { return Ok(outgoing) };
        if credential.covers(&self.url) {
            *connection = Some(credential.connection().to_owned());
            credential.apply(&mut outgoing)?;
            // What the credential sets replaces the caller's own for all hops, so that neither travels on.
            for name in &outgoing.set_headers {
                self.headers.remove(name);
            }
            self.secret_params.extend(outgoing.set_params.iter().cloned());
        } else if self.hop == 0 {
            return Err(EgressError::CredentialNotAllowed { host: target::origin_text(&self.url) });
        }
        Ok(outgoing)
    }

    fn take(&mut self, next: redirect::Next) {
        self.method = next.method;
        self.url = next.url;
        // A server may repeat the query it was asked with in its Location.
        outgoing::remove_params(&mut self.url, &self.secret_params);
        if !next.keeps_body {
            self.body = Bytes::new();
            headers::strip_body_headers(&mut self.headers);
        }
        if !next.same_origin {
            headers::strip_for_other_origin(&mut self.headers);
        }
        self.hop += 1;
    }
}

fn next_hop(
    redirects: Redirects,
    step: &Step,
    response: &reqwest::Response,
    host: &str,
) -> Result<Option<redirect::Next>, EgressError> {
    let Redirects::Follow(max) = redirects else { return Ok(None) };
    let location = response.headers().get(header::LOCATION);
    let next = redirect::next(&step.url, &step.method, response.status(), location)
        .map_err(|cause| after_redirects(step.hop + 1, cause))?;
    if next.is_some() && step.hop >= max {
        return Err(EgressError::TooManyRedirects { host: host.to_owned(), max });
    }
    Ok(next)
}

/// Marks what failed after an answer: the first host has seen the request, whatever the next hop says.
fn after_redirects(hops: u8, cause: EgressError) -> EgressError {
    match cause {
        marked @ EgressError::AfterRedirect { .. } => marked,
        cause if hops == 0 => cause,
        cause => EgressError::AfterRedirect { hops, cause: Box::new(cause) },
    }
}

/// Sends the hop and waits for the head of the answer.
async fn opened(
    client: &OriginClient,
    outgoing: Outgoing,
    deadline: Instant,
    host: &str,
) -> Result<reqwest::Response, EgressError> {
    let mut request = reqwest::Request::new(outgoing.method, outgoing.url);
    *request.headers_mut() = outgoing.headers;
    // Nothing here unpacks an answer, so none is asked for packed.
    request.headers_mut().insert(header::ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    if !outgoing.body.is_empty() {
        *request.body_mut() = Some(outgoing.body.into());
    }
    match timeout_at(deadline, client.http.execute(request)).await {
        Ok(Ok(response)) => Ok(response),
        Ok(Err(error)) => Err(failure(&error, host)),
        Err(_) => {
            let sent = client.connected.load(Ordering::Acquire);
            Err(EgressError::Timeout { host: host.to_owned(), sent })
        }
    }
}

async fn body(
    mut response: reqwest::Response,
    limit_bytes: usize,
    deadline: Instant,
    host: &str,
) -> Result<Bytes, EgressError> {
    let too_large = || EgressError::TooLarge { host: host.to_owned(), limit_bytes };
    if response.content_length().is_some_and(|length| length > limit_bytes as u64) {
        return Err(too_large());
    }
    let mut body = Vec::new();
    loop {
        match timeout_at(deadline, response.chunk()).await {
            Err(_) => return Err(EgressError::Timeout { host: host.to_owned(), sent: true }),
            Ok(Err(error)) => return Err(failure(&error, host)),
            Ok(Ok(None)) => return Ok(body.into()),
            Ok(Ok(Some(chunk))) if body.len() + chunk.len() > limit_bytes => return Err(too_large()),
            Ok(Ok(Some(chunk))) => body.extend_from_slice(&chunk),
        }
    }
}

/// Turns the HTTP client's error into ours. Its own text is never used: it may hold the URL.
fn failure(error: &reqwest::Error, host: &str) -> EgressError {
    let host = host.to_owned();
    if let Some(ours) = find::<EgressError>(error) {
        return ours.clone();
    }
    if error.is_connect() {
        return connect_failure(error, host);
    }
    match find::<hyper::Error>(error) {
        Some(hyper) if hyper.is_parse() => {
            EgressError::BadResponse { host, why: "its head is too large or not valid HTTP" }
        }
        _ => EgressError::Closed { host, sent: true },
    }
}

/// The connector failed: name, TCP or TLS. No byte of the request can have left.
fn connect_failure(error: &reqwest::Error, host: String) -> EgressError {
    if error.is_timeout() {
        return EgressError::Timeout { host, sent: false };
    }
    if let Some(tls) = find::<rustls::Error>(error) {
        return EgressError::Tls { host, why: tls.to_string() };
    }
    let why = find::<io::Error>(error).map_or_else(|| "no connection".to_owned(), |io| io.kind().to_string());
    EgressError::Connect { host, why }
}

/// The first error of type `E` in the chain of causes, also inside I/O errors, whose `source` skips what they hold.
fn find<'a, E: Error + 'static>(error: &'a (dyn Error + 'static)) -> Option<&'a E> {
    iter::successors(Some(error), |error| cause(*error)).find_map(|error| error.downcast_ref::<E>())
}

fn cause<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a (dyn Error + 'static)> {
    match error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
        Some(held) => Some(held),
        None => error.source(),
    }
}
