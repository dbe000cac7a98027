//! Servers that mean harm get a typed, bounded end.
//!
//! Must never leave loopback. Every row says what the failure is and that the request may have arrived.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use crate::support;

use std::time::Duration;

use flowdeck_egress::{Egress, EgressError, Limits, Policy, Redirects, Request, Response, Sent};
use http::Method;
use support::{Reply, Server, allow, assert_discreet, redirect};

const BODY_MAX: usize = 1 << 20;

async fn send(server: &Server) -> Result<Response, EgressError> {
    let policy = Policy { allow_private: vec![allow("127.0.0.1")], ..Policy::default() };
    let url = format!("http://127.0.0.1:{}/path?q=canary", server.port);
    let mut request = Request::new(Method::GET, url.parse().unwrap());
    request.timeout = Duration::from_secs(5);
    request.response_bytes_max = BODY_MAX;
    Egress::new(policy).unwrap().send(request).await
}

async fn check(code: &str, reply: impl Fn() -> Reply + Send + Sync + 'static) {
    let server = Server::start(move |_| reply()).await;
    let error = send(&server).await.unwrap_err();
    assert_eq!((error.code(), error.was_sent()), (code, Sent::Maybe), "{error:?}");
    assert_discreet(&error);
    assert_eq!(server.heads().len(), 1, "the request was repeated");
}

#[tokio::test]
async fn a_body_without_end_is_cut_at_the_limit() {
    let chunk = || {
        let mut chunk = b"10000\r\n".to_vec();
        chunk.resize(7 + 0x10000, b'x');
        chunk.extend(b"\r\n");
        chunk
    };
    check("egress.too_large", move || {
        Reply::Endless(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec(), chunk())
    })
    .await;
    check("egress.too_large", || Reply::Endless(b"HTTP/1.1 200 OK\r\n\r\n".to_vec(), vec![b'x'; 65536])).await;
}

#[tokio::test]
async fn a_body_of_one_byte_more_than_the_limit_is_refused() {
    check("egress.too_large", || Reply::Close([&b"HTTP/1.1 200 OK\r\n\r\n"[..], &[b'x'; BODY_MAX + 1]].concat())).await;
}

#[tokio::test]
async fn a_length_above_the_limit_is_refused_before_the_body() {
    check("egress.too_large", || Reply::Keep(b"HTTP/1.1 200 OK\r\nContent-Length: 1048577\r\n\r\n".to_vec())).await;
}

#[tokio::test]
async fn a_body_of_exactly_the_limit_is_taken() {
    let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {BODY_MAX}\r\n\r\n").into_bytes();
    let server = Server::start(move |_| Reply::Close([&head[..], &[b'x'; BODY_MAX]].concat())).await;
    assert_eq!(send(&server).await.unwrap().body.len(), BODY_MAX);
}

#[tokio::test]
async fn a_head_without_end_is_refused() {
    check("egress.bad_response", || {
        Reply::Close(format!("HTTP/1.1 200 OK\r\n{}\r\n", "A: b\r\n".repeat(100_000)).into_bytes())
    })
    .await;
    check("egress.bad_response", || Reply::Endless(b"HTTP/1.1 200 OK\r\nA: ".to_vec(), vec![b'x'; 65536])).await;
    check("egress.too_large", || {
        Reply::Close(format!("HTTP/1.1 200 OK\r\nA: {}\r\nContent-Length: 0\r\n\r\n", "x".repeat(70_000)).into_bytes())
    })
    .await;
}

#[tokio::test]
async fn what_is_not_http_is_said_to_be_so() {
    for bytes in [
        "hello\r\n\r\n",
        "HTTP/9.9 200 OK\r\n\r\n",
        "HTTP/1.1 abc OK\r\n\r\n",
        "\0\0\0\0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nNo colon\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nabcdef",
    ] {
        check("egress.bad_response", move || Reply::Close(bytes.into())).await;
    }
    check("egress.bad_response", || {
        Reply::Close(b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n".to_vec())
    })
    .await;
}

#[tokio::test]
async fn a_connection_closed_too_early_may_have_carried_the_request() {
    for bytes in [
        "",
        "HTTP/1.1 200 OK\r\nCont",
        "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab",
    ] {
        check("egress.closed", move || Reply::Close(bytes.into())).await;
    }
}

#[tokio::test]
async fn a_body_longer_than_announced_is_cut_to_its_length() {
    let server = Server::start(|_| Reply::Close(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabcdef".to_vec())).await;
    assert_eq!(&send(&server).await.unwrap().body[..], b"abc");
}

#[tokio::test]
async fn a_trickle_ends_with_the_requests_time() {
    for (first, byte) in [
        ("", b'H'),
        ("HTTP/1.1 200 OK\r\nA: ", b'x'),
        ("HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n", b'x'),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b'0'),
    ] {
        let server = Server::start(move |_| Reply::Trickle(first.into(), byte)).await;
        let policy = Policy { allow_private: vec![allow("127.0.0.1")], ..Policy::default() };
        let url = format!("http://127.0.0.1:{}/path?q=canary", server.port);
        let mut request = Request::new(Method::POST, url.parse().unwrap());
        request.timeout = Duration::from_millis(200);
        let error = Egress::new(policy).unwrap().send(request).await.unwrap_err();
        let ended = error.code();
        // `HHHH` is no status line, which may be seen before the time is over.
        assert!(
            ended == "egress.timeout" || first.is_empty() && ended == "egress.bad_response",
            "{first:?}: {error:?}"
        );
        assert_eq!(error.was_sent(), Sent::Maybe, "{first:?}");
    }
}

#[tokio::test]
async fn a_packed_answer_is_not_unpacked_and_none_is_asked_for() {
    // The head of a gzip member; nothing may expand it.
    const PACKED: &[u8] = &[0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3, 0xed, 0xc1, 1, 1];
    let server = Server::start(|_| {
        let head = format!("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: {}\r\n\r\n", PACKED.len());
        Reply::Close([head.as_bytes(), PACKED].concat())
    })
    .await;
    let response = send(&server).await.unwrap();
    assert_eq!(&response.body[..], PACKED);
    assert!(server.heads()[0].contains("accept-encoding: identity\r\n"), "{:?}", server.heads());
}

#[tokio::test]
async fn redirects_end_at_a_circle_or_at_the_limit() {
    let circle = Server::start(|_| Reply::Keep(redirect(302, "/path/again"))).await;
    let error = send(&circle).await.unwrap_err();
    assert_eq!((error.code(), error.was_sent()), ("egress.redirect_refused", Sent::Maybe), "{error:?}");
    assert_eq!(circle.heads().len(), 2);

    let hop = std::sync::atomic::AtomicUsize::new(0);
    let chain = Server::start(move |_| {
        let next = hop.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        Reply::Keep(redirect(302, &format!("/path/{next}")))
    })
    .await;
    let error = send(&chain).await.unwrap_err();
    assert_eq!((error.code(), error.was_sent()), ("egress.too_many_redirects", Sent::Maybe), "{error:?}");
    assert_eq!(chain.heads().len(), 6, "the request and five redirects");
    assert_discreet(&error);
}

#[tokio::test]
async fn a_redirect_to_itself_and_one_where_none_is_allowed_may_have_been_sent() {
    for (location, redirects, code) in [
        ("/path?q=canary", Redirects::USUAL, "egress.redirect_refused"),
        ("/other", Redirects::Follow(0), "egress.too_many_redirects"),
    ] {
        let server = Server::start(move |_| Reply::Keep(redirect(302, location))).await;
        let policy = Policy { allow_private: vec![allow("127.0.0.1")], ..Policy::default() };
        let url = format!("http://127.0.0.1:{}/path?q=canary", server.port);
        let mut request = Request::new(Method::GET, url.parse().unwrap());
        request.redirects = redirects;
        let error = Egress::new(policy).unwrap().send(request).await.unwrap_err();
        assert_eq!((error.code(), error.was_sent()), (code, Sent::Maybe), "{error:?}");
        assert_discreet(&error);
        assert_eq!(server.heads().len(), 1);
    }
}

#[tokio::test]
async fn the_body_of_a_redirect_is_not_read() {
    let server = Server::start(|head| match head.starts_with("GET /path") {
        true => Reply::Endless(b"HTTP/1.1 302 Found\r\nLocation: /end\r\n\r\n".to_vec(), vec![b'x'; 65536]),
        false => Reply::Close(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nend".to_vec()),
    })
    .await;
    assert_eq!(&send(&server).await.unwrap().body[..], b"end");
}

#[tokio::test]
async fn a_request_may_ask_for_less_than_the_policy_takes_and_never_for_more() {
    let limits = Limits { response_bytes_max: 2, ..Limits::default() };
    for asked in [1 << 20, 1] {
        let server = Server::start(|_| Reply::Close(b"HTTP/1.1 200 OK\r\n\r\nabc".to_vec())).await;
        let policy = Policy { allow_private: vec![allow("127.0.0.1")], limits, ..Policy::default() };
        let mut request = Request::new(Method::GET, format!("http://127.0.0.1:{}/path", server.port).parse().unwrap());
        request.response_bytes_max = asked;
        let error = Egress::new(policy).unwrap().send(request).await.unwrap_err();
        assert!(matches!(error, EgressError::TooLarge { limit_bytes, .. } if limit_bytes == asked.min(2)), "{error:?}");
    }
}

#[tokio::test]
async fn the_printed_forms_of_a_request_and_its_answer_show_no_content() {
    let server = Server::start(|_| {
        let head = "HTTP/1.1 200 OK\r\nSet-Cookie: canary\r\nContent-Length: 6\r\n\r\ncanary";
        Reply::Close(head.as_bytes().to_vec())
    })
    .await;
    let policy = Policy { allow_private: vec![allow("127.0.0.1")], ..Policy::default() };
    let url = format!("http://127.0.0.1:{}/canary?q=canary", server.port);
    let mut request = Request::new(Method::POST, url.parse().unwrap());
    request.headers.insert("x-key", http::HeaderValue::from_static("canary"));
    request.body = "canary".into();
    let shown = format!("{request:?} {request:#?}");
    let response = Egress::new(policy).unwrap().send(request).await.unwrap();
    let shown = format!("{shown} {response:?} {response:#?}");
    assert_eq!(&response.body[..], b"canary");
    assert!(!shown.contains("canary") && shown.contains("POST") && shown.contains("127.0.0.1"), "{shown}");
}
