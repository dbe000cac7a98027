//! Whole requests against small and hostile servers on loopback.
//!
//! Must never leave loopback.
//! Tests: this is the test.
#![allow(clippy::unwrap_used)]

use std::sync::Arc;
use std::time::Duration;

use flowdeck_egress::{Credential, Egress, EgressError, Outgoing, Policy, Redirects, Request, Response, Sent};
use http::Method;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

/// Serves each connection with what `answer` makes of the request's head; returns the port.
async fn server(answer: impl Fn(&str) -> Vec<u8> + Send + Sync + 'static) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let answer = Arc::new(answer);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let answer = answer.clone();
            tokio::spawn(async move {
                let mut buffer = vec![0; 16 * 1024];
                let n = stream.read(&mut buffer).await.unwrap_or(0);
                let bytes = answer(&String::from_utf8_lossy(&buffer[..n]));
                stream.write_all(&bytes).await.ok();
            });
        }
    });
    port
}

fn egress() -> Egress {
    Egress::new(Policy { allow_private: vec!["127.0.0.1".parse().unwrap()], ..Policy::default() }).unwrap()
}

fn request(port: u16) -> Request {
    let mut request = Request::new(Method::GET, format!("http://127.0.0.1:{port}/a?q=secret").parse().unwrap());
    request.timeout = Duration::from_millis(1500);
    request
}

fn ok(body: &str) -> Vec<u8> {
    format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len()).into_bytes()
}

async fn send(request: Request) -> Result<Response, EgressError> {
    egress().send(request).await
}

struct Key {
    port: u16,
}

impl Credential for Key {
    fn covers(&self, url: &url::Url) -> bool {
        url.port() == Some(self.port)
    }
    fn apply(&self, request: &mut Outgoing) -> Result<(), EgressError> {
        request.set_header("x-key", "canary")?;
        request.set_query("token", "canary");
        Ok(())
    }
    fn connection(&self) -> &str {
        "con_test"
    }
}

#[tokio::test]
async fn a_credential_travels_only_to_its_host() {
    let other = server(|head| ok(if head.contains("canary") { "leaked" } else { "clean" })).await;
    let to = other;
    let own = server(move |head| {
        if !head.contains("canary") {
            return ok("missing");
        }
        format!(
            "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:{to}/b\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
        )
        .into_bytes()
    })
    .await;
    let mut with_key = request(own);
    with_key.credential = Some(Arc::new(Key { port: own }));
    let response = send(with_key).await.unwrap();
    assert_eq!((&response.body[..], response.final_url.port()), (&b"clean"[..], Some(other)));

    let mut elsewhere = request(other);
    elsewhere.credential = Some(Arc::new(Key { port: own }));
    let error = send(elsewhere).await.unwrap_err();
    assert!(matches!(error, EgressError::CredentialNotAllowed { .. }), "{error:?}");
    assert_eq!(error.was_sent(), Sent::No);
}

#[tokio::test]
async fn redirects_are_bounded_and_can_be_off() {
    let port = server(|_| {
        b"HTTP/1.1 302 Found\r\nLocation: /again\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".to_vec()
    })
    .await;
    let error = send(request(port)).await.unwrap_err();
    let ended = matches!(error.root(), EgressError::TooManyRedirects { .. } | EgressError::RedirectRefused { .. });
    assert!(ended, "{error:?}");
    let mut off = request(port);
    off.redirects = Redirects::None;
    assert_eq!(send(off).await.unwrap().status, 302);
}

#[tokio::test]
async fn a_redirect_inside_is_refused() {
    for to in ["http://169.254.169.254/", "http://10.0.0.1/", "http://[::1]:1/", "file:///etc/passwd", "http://0/"] {
        let port = server(move |_| {
            format!("HTTP/1.1 301 Moved\r\nLocation: {to}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
                .into_bytes()
        })
        .await;
        let error = send(request(port)).await.unwrap_err();
        let refused = matches!(error.root(), EgressError::Denied { .. } | EgressError::RedirectRefused { .. });
        assert!(refused, "{to}: {error:?}");
    }
}

#[tokio::test]
async fn hostile_answers_are_bounded_and_typed() {
    let endless = || {
        let mut bytes = b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n".to_vec();
        bytes.resize(4 << 20, b'x');
        bytes
    };
    let table: Vec<(&str, Vec<u8>)> = vec![
        ("garbage", b"hello\r\n\r\n".to_vec()),
        ("closed at once", Vec::new()),
        ("closed in the head", b"HTTP/1.1 200 OK\r\nConte".to_vec()),
        ("closed in the body", b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc".to_vec()),
        ("a bad chunk", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n".to_vec()),
        ("claims a terabyte", b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000000\r\n\r\n".to_vec()),
        ("more than asked for", endless()),
        ("too many headers", format!("HTTP/1.1 200 OK\r\n{}\r\n", "A: b\r\n".repeat(100_000)).into_bytes()),
    ];
    for (name, bytes) in table {
        let port = server(move |_| bytes.clone()).await;
        let mut bounded = request(port);
        bounded.response_bytes_max = 1 << 20;
        let error = send(bounded).await.unwrap_err();
        assert_eq!(error.was_sent(), Sent::Maybe, "{name}: {error:?}");
        assert!(!error.to_string().contains("secret"), "{name}: {error}");
    }
}

#[tokio::test]
async fn silence_ends_by_the_timeout_and_may_have_been_sent() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut silent = request(listener.local_addr().unwrap().port());
    silent.timeout = Duration::from_millis(100);
    let error = send(silent).await.unwrap_err();
    assert!(matches!(error, EgressError::Timeout { sent: true, .. }), "{error:?}");
}

#[tokio::test]
async fn nobody_listening_is_certainly_not_sent() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let error = send(request(port)).await.unwrap_err();
    assert!(matches!(error, EgressError::Connect { .. }), "{error:?}");
    assert_eq!(error.was_sent(), Sent::No);
}
