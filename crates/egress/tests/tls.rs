//! The way to public hosts: https, with the certificate checked.
//!
//! Must never leave loopback. The key and certificate of `a.test` in `fixtures` protect nothing.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use crate::support;

use std::{
    io::{BufRead, BufReader, Write},
    net::TcpListener,
    sync::Arc,
    thread,
    time::Duration,
};

use flowdeck_egress::{Egress, EgressError, Policy, Request, Response, Sent};
use http::Method;
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use support::{DialLocal, Names, assert_discreet};

const CERT: &[u8] = include_bytes!("fixtures/a.test.cert.der");
const KEY: &[u8] = include_bytes!("fixtures/a.test.key.der");

/// Serves one TLS connection after the other with `answer`; the thread ends with the test.
fn tls_server(answer: &'static str) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let config = rustls::ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![CertificateDer::from(CERT)], PrivatePkcs8KeyDer::from(KEY).into())
        .unwrap();
    let config = Arc::new(config);
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let session = rustls::ServerConnection::new(Arc::clone(&config)).unwrap();
            let mut stream = BufReader::new(rustls::StreamOwned::new(session, stream));
            let mut line = String::new();
            while stream.read_line(&mut line).is_ok_and(|read| read > 2) {
                line.clear();
            }
            let head = format!("HTTP/1.1 {answer}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
            stream.get_mut().write_all(head.as_bytes()).ok();
            stream.get_mut().conn.send_close_notify();
            stream.get_mut().flush().ok();
        }
    });
    port
}

async fn send(url: &str, port: u16, extra_roots: Vec<Vec<u8>>) -> Result<Response, EgressError> {
    let public: &[&[&str]] = &[&["93.184.216.34"]];
    let policy = Policy {
        resolver: Arc::new(Names::default().with("a.test", public).with("b.test", public)),
        dial: Some(Arc::new(DialLocal(port))),
        extra_roots,
        ..Policy::default()
    };
    let mut request = Request::new(Method::POST, url.parse().unwrap());
    request.timeout = Duration::from_secs(5);
    Egress::new(policy).unwrap().send(request).await
}

#[tokio::test]
async fn a_trusted_public_host_answers() {
    let response = send("https://a.test./path", tls_server("201 Created"), vec![CERT.to_vec()]).await.unwrap();
    assert_eq!((response.status.as_u16(), response.final_url.as_str()), (201, "https://a.test/path"));
}

#[tokio::test]
async fn an_unknown_authority_and_another_name_are_refused_before_sending() {
    let port = tls_server("200 OK");
    for (url, roots) in
        [("https://a.test/path?q=canary", vec![]), ("https://b.test/path?q=canary", vec![CERT.to_vec()])]
    {
        let error = send(url, port, roots).await.unwrap_err();
        assert_eq!((error.code(), error.was_sent()), ("egress.tls", Sent::No), "{url}: {error:?}");
        assert_discreet(&error);
    }
}

#[tokio::test]
async fn a_server_that_does_not_speak_tls_was_not_sent_the_request() {
    let plain = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = plain.local_addr().unwrap().port();
    thread::spawn(move || {
        for mut stream in plain.incoming().flatten() {
            stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").ok();
        }
    });
    let error = send("https://a.test/path?q=canary", port, vec![CERT.to_vec()]).await.unwrap_err();
    assert!(matches!(error, EgressError::Tls { .. } | EgressError::Connect { .. }), "{error:?}");
    assert_eq!(error.was_sent(), Sent::No);
}

#[tokio::test]
async fn a_redirect_from_https_to_http_is_not_followed() {
    let port = tls_server("302 Found\r\nLocation: http://a.test/path");
    let error = send("https://a.test/path", port, vec![CERT.to_vec()]).await.unwrap_err();
    assert!(matches!(error.root(), EgressError::RedirectRefused { .. }), "{error:?}");
    assert_eq!(error.was_sent(), Sent::Maybe);
}

#[test]
fn an_extra_authority_that_is_no_certificate_is_said_at_the_start() {
    let policy = Policy { extra_roots: vec![b"nonsense".to_vec()], ..Policy::default() };
    assert_eq!(Egress::new(policy).unwrap_err().code(), "egress.setup");
}
