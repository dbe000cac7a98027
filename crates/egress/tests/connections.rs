//! What is connected to, what is reused, and what is certainly not sent.
//!
//! Must never leave loopback: public addresses are led to a local server by the policy's `dial` port.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use crate::support;

use std::{sync::Arc, time::Duration};

use flowdeck_egress::{AllowedHosts, Egress, EgressError, Limits, Policy, Refusal, Request, Sent, address::Kind};
use http::Method;
use support::{DialLocal, Names, Reply, Seen, Server, Silent, allow, assert_discreet, ok};

fn get(url: &str) -> Request {
    let mut request = Request::new(Method::GET, url.parse().unwrap());
    request.timeout = Duration::from_secs(5);
    request
}

#[tokio::test]
async fn a_name_that_moves_inside_between_two_connections_is_refused() {
    let server = Server::start(|_| Reply::Close(ok("first"))).await;
    let names = Arc::new(Names::default().with("moves.test", &[&["10.0.0.1"], &["127.0.0.1"]]));
    let seen = Arc::new(Seen::default());
    let policy = Policy {
        allow_private: vec![allow("10.0.0.0/8")],
        resolver: Arc::clone(&names) as _,
        dial: Some(Arc::new(DialLocal(server.port))),
        observer: Some(Arc::clone(&seen) as _),
        ..Policy::default()
    };
    let egress = Egress::new(policy).unwrap();
    assert_eq!(egress.send(get("http://moves.test/path")).await.unwrap().status, 200);
    assert_eq!(names.asked().len(), 1, "checked and connected with one answer");
    // The server closed, so a second connection is opened, with the name resolved anew.
    let error = egress.send(get("http://moves.test/path")).await.unwrap_err();
    let expected = Refusal::Address(Kind::Loopback);
    assert!(matches!(&error, EgressError::Denied { why, .. } if *why == expected), "{error:?}");
    assert_eq!(error.was_sent(), Sent::No);
    assert_eq!((names.asked().len(), seen.sockets().len(), server.heads().len()), (2, 1, 1));
}

#[tokio::test]
async fn an_open_connection_serves_the_same_allowance_again_and_no_other() {
    let server = Server::start(|_| Reply::Keep(ok("kept"))).await;
    let seen = Arc::new(Seen::default());
    let policy = Policy { observer: Some(Arc::clone(&seen) as _), ..Policy::default() };
    let egress = Egress::new(policy).unwrap();
    let url = format!("http://127.0.0.1:{}/path?q=canary", server.port);
    let allowed: AllowedHosts = [allow(&format!("127.0.0.1:{}", server.port))].into_iter().collect();
    for _ in 0..2 {
        let mut request = get(&url);
        request.app_hosts = allowed.clone();
        assert_eq!(&egress.send(request).await.unwrap().body[..], b"kept");
    }
    assert_eq!(seen.sockets().len(), 1, "the second request uses the open connection");
    let error = egress.send(get(&url)).await.unwrap_err();
    assert!(matches!(error, EgressError::Denied { .. }), "{error:?}");
    assert_eq!((seen.sockets().len(), server.heads().len()), (1, 2));
    let hops = seen.hops();
    assert_eq!(hops[0].target, format!("http://127.0.0.1:{}/path", server.port));
    assert_eq!((hops[0].received_bytes, hops[2].failure), (4, Some("egress.denied")));
}

#[tokio::test]
async fn plain_http_to_a_public_host_is_refused_before_it_is_resolved() {
    let names = Arc::new(Names::default().with("a.test", &[&["93.184.216.34"]]));
    let dial = Some(Arc::new(DialLocal(1)) as _);
    // What is allowed is another name and another port.
    let allow_private = vec![allow("b.test"), allow("a.test:81"), allow("10.0.0.0/8:81")];
    let policy = Policy { allow_private, resolver: Arc::clone(&names) as _, dial, ..Policy::default() };
    for url in ["http://a.test/", "http://93.184.216.34/"] {
        let error = Egress::new(policy.clone()).unwrap().send(get(url)).await.unwrap_err();
        assert!(matches!(error, EgressError::Denied { why: Refusal::PlainHttp, .. }), "{url}: {error:?}");
    }
    assert!(names.asked().is_empty());
}

#[tokio::test]
async fn an_address_in_the_url_is_not_connected_to_if_the_test_leads_elsewhere() {
    let server = Server::start(|_| Reply::Close(ok(""))).await;
    let dial = Some(Arc::new(DialLocal(1)) as _);
    let policy = Policy { allow_private: vec![allow("127.0.0.1")], dial, ..Policy::default() };
    let error = Egress::new(policy).unwrap().send(get(&format!("http://127.0.0.1:{}/", server.port))).await;
    assert_eq!(error.unwrap_err().code(), "egress.connect");
    assert!(server.heads().is_empty());
}

#[tokio::test]
async fn a_name_without_addresses_is_certainly_not_sent() {
    let names = Names::default().with("empty.test", &[&[]]);
    let egress = Egress::new(Policy { resolver: Arc::new(names), ..Policy::default() }).unwrap();
    for url in ["https://empty.test/path?q=canary", "https://unknown.test/path?q=canary"] {
        let error = egress.send(get(url)).await.unwrap_err();
        assert_eq!((error.code(), error.was_sent()), ("egress.dns", Sent::No), "{error:?}");
        assert_discreet(&error);
    }
}

#[tokio::test]
async fn time_used_up_before_a_connection_is_certainly_not_sent() {
    const LONG: u64 = 200_000;
    // Time to connect, for the request and for any request; with a proxy the name is asked for before.
    for (connect_ms, total_ms, max_ms, use_env_proxy) in
        [(50, LONG, LONG, false), (LONG, 50, LONG, false), (LONG, LONG, 50, false), (LONG, 50, LONG, true)]
    {
        let limits = Limits {
            connect_timeout: Duration::from_millis(connect_ms),
            total_timeout_max: Duration::from_millis(max_ms),
            ..Limits::default()
        };
        let policy = Policy { resolver: Arc::new(Silent), limits, use_env_proxy, ..Policy::default() };
        let egress = Egress::new(policy).unwrap();
        let mut request = get("https://slow.test/path?q=canary");
        request.timeout = Duration::from_millis(total_ms);
        let ended = tokio::time::timeout(Duration::from_secs(20), egress.send(request)).await;
        let error = ended.expect("no limit ended it").unwrap_err();
        assert_eq!((error.code(), error.was_sent()), ("egress.timeout", Sent::No), "{error:?}");
        assert_discreet(&error);
    }
}

#[tokio::test]
async fn a_request_larger_than_the_limits_is_not_sent() {
    let server = Server::start(|_| Reply::Close(ok(""))).await;
    let limits = Limits { request_bytes_max: 4, headers_max: 3, ..Limits::default() };
    let egress = Egress::new(Policy { allow_private: vec![allow("127.0.0.1")], limits, ..Policy::default() }).unwrap();
    let mut request = get(&format!("http://127.0.0.1:{}/", server.port));
    request.body = "12345".into();
    assert_eq!(egress.send(request.clone()).await.unwrap_err().code(), "egress.request_too_large");
    request.body = "1234".into();
    for name in ["x-1", "x-2", "x-3"] {
        request.headers.insert(name, http::HeaderValue::from_static("1"));
    }
    let error = egress.send(request).await.unwrap_err();
    assert_eq!((error.code(), error.was_sent()), ("egress.request_too_large", Sent::No));
    assert!(server.heads().is_empty());
}

#[tokio::test]
async fn a_request_goes_out_without_a_proxy() {
    let server = Server::start(|_| Reply::Close(ok("direct"))).await;
    let policy = Policy { allow_private: vec![allow("127.0.0.1")], ..Policy::default() };
    let response = Egress::new(policy).unwrap().send(get(&format!("http://127.0.0.1:{}/", server.port))).await;
    assert_eq!(&response.unwrap().body[..], b"direct");
}

#[tokio::test]
async fn idle_connections_and_origins_are_kept_within_their_limits() {
    let server = Server::start(|_| Reply::Keep(ok("kept"))).await;
    for (idle_connections_max, origins_max, opened) in [(8, 8, 2), (0, 8, 4), (8, 1, 4)] {
        let seen = Arc::new(Seen::default());
        let here: &[&[&str]] = &[&["127.0.0.1"]];
        let policy = Policy {
            allow_private: vec![allow("a.test"), allow("b.test")],
            resolver: Arc::new(Names::default().with("a.test", here).with("b.test", here)),
            observer: Some(Arc::clone(&seen) as _),
            limits: Limits { idle_connections_max, origins_max, ..Limits::default() },
            ..Policy::default()
        };
        let egress = Egress::new(policy).unwrap();
        for host in ["a", "b", "a", "b"] {
            egress.send(get(&format!("http://{host}.test:{}/", server.port))).await.unwrap();
        }
        assert_eq!(seen.sockets().len(), opened, "{idle_connections_max} {origins_max}");
    }
}

/// Run again below, where a proxy would be asked.
#[tokio::test]
async fn a_name_inside_is_refused_also_where_a_proxy_is_used() {
    let names = Names::default().with("inside.test", &[&["10.0.0.1"]]);
    let dial = Some(Arc::new(DialLocal(1)) as _);
    let policy = Policy { resolver: Arc::new(names), dial, use_env_proxy: true, ..Policy::default() };
    let egress = Egress::new(policy).unwrap();
    let error = egress.send(get("https://inside.test/path?q=canary")).await.unwrap_err();
    assert_eq!((error.code(), error.was_sent()), ("egress.denied", Sent::No), "{error:?}");
}

/// The environment of a running test cannot be changed soundly, so a test of above runs again in a child that has it.
async fn with_a_proxy_in_the_environment(test: &str) {
    let proxy = Server::start(|_| Reply::Close(ok("by proxy"))).await;
    let at = format!("http://127.0.0.1:{}", proxy.port);
    let mut child = tokio::process::Command::new(std::env::current_exe().unwrap());
    child.args(["--exact", &format!("connections::{test}")]);
    for name in ["http_proxy", "https_proxy", "all_proxy", "HTTPS_PROXY", "ALL_PROXY"] {
        child.env(name, &at);
    }
    child.env_remove("NO_PROXY").env_remove("no_proxy").env_remove("REQUEST_METHOD");
    let output = child.output().await.unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && text.contains("1 passed"), "{text}");
    assert!(proxy.heads().is_empty(), "{:?}", proxy.heads());
}

#[tokio::test]
async fn proxies_of_the_environment_are_not_used() {
    with_a_proxy_in_the_environment("a_request_goes_out_without_a_proxy").await;
}

#[tokio::test]
async fn a_proxy_that_is_used_is_not_asked_for_a_name_inside() {
    with_a_proxy_in_the_environment("a_name_inside_is_refused_also_where_a_proxy_is_used").await;
}

#[tokio::test]
async fn a_proxy_of_the_operator_is_asked_for_what_is_outside_and_for_nothing_inside() {
    let proxy = Server::start(|_| Reply::Close(ok("by proxy"))).await;
    let inside = Server::start(|_| Reply::Close(ok("direct"))).await;
    let names = Names::default()
        .with("out.test", &[&["93.184.216.34"]])
        .with("in.test", &[&["127.0.0.1"]])
        .with("corp.test", &[&["10.0.0.1"]]);
    let policy = Policy {
        proxy: Some(format!("http://127.0.0.1:{}", proxy.port)),
        // Plain http, so that the proxy sees the whole request.
        allow_private: vec![allow("out.test"), allow("in.test")],
        resolver: Arc::new(names),
        dial: Some(Arc::new(DialLocal(inside.port)) as _),
        ..Policy::default()
    };
    let egress = Egress::new(policy).unwrap();
    let by =
        async |url: &str| egress.send(get(url)).await.map(|answer| String::from_utf8_lossy(&answer.body).into_owned());
    assert_eq!(by("http://out.test/path").await.unwrap(), "by proxy");
    assert_eq!(by("http://in.test/path").await.unwrap(), "direct");
    assert_eq!(by("https://corp.test/path").await.unwrap_err().code(), "egress.denied");
    assert_eq!(by("https://10.0.0.1/path").await.unwrap_err().code(), "egress.denied");
    let heads = proxy.heads();
    assert_eq!(heads.len(), 1, "{heads:?}");
    assert!(heads[0].starts_with("GET http://out.test/path HTTP/1.1"), "{heads:?}");
}

#[tokio::test]
async fn a_proxy_of_the_operator_sees_no_more_of_https_than_the_name() {
    let proxy = Server::start(|_| Reply::Close(ok("no tunnel"))).await;
    let names = Names::default().with("out.test", &[&["93.184.216.34"]]);
    let policy = Policy {
        proxy: Some(format!("http://127.0.0.1:{}", proxy.port)),
        resolver: Arc::new(names),
        dial: Some(Arc::new(DialLocal(1)) as _),
        ..Policy::default()
    };
    let error = Egress::new(policy).unwrap().send(get("https://out.test/path?q=canary")).await.unwrap_err();
    assert_discreet(&error);
    let heads = proxy.heads();
    assert!(heads.len() == 1 && heads[0].starts_with("CONNECT out.test:443 HTTP/1.1"), "{heads:?}");
    assert!(!heads[0].contains("canary"), "{heads:?}");
}
