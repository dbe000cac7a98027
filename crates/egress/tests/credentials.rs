//! A secret stays with the host it is made for, whatever redirects say.
//!
//! Must never leave loopback. The rules are in `src/redirect.rs`, `src/headers.rs` and `src/send.rs`.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use crate::support;

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicUsize, Ordering},
};

use flowdeck_egress::{Credential, Egress, EgressError, Observer, Outgoing, Policy, Request, Sent};
use http::{HeaderValue, Method};
use support::{Names, Reply, Seen, Server, allow, lock, ok, redirect};

#[derive(Clone, Copy, Debug, PartialEq)]
enum Secret {
    Bearer,
    ApiKey,
    Query,
    /// Headers of the caller's own, without a connection.
    Caller,
}

struct Key {
    secret: Secret,
    origin: String,
}

impl Credential for Key {
    fn covers(&self, url: &url::Url) -> bool {
        url.origin().ascii_serialization() == self.origin
    }

    fn apply(&self, request: &mut Outgoing) -> Result<(), EgressError> {
        match self.secret {
            Secret::Bearer => request.set_header("Authorization", "Bearer canary"),
            Secret::ApiKey => request.set_header("X-Api-Key", "canary"),
            Secret::Query => {
                request.set_query("api_key", "canary");
                Ok(())
            }
            Secret::Caller => Ok(()),
        }
    }

    fn connection(&self) -> &str {
        "con_1"
    }
}

struct Bench {
    egress: Egress,
    first: Server,
    second: Server,
    answer: Arc<Mutex<(u16, String)>>,
}

impl Bench {
    async fn new() -> Self {
        Self::watched(None).await
    }

    async fn watched(observer: Option<Arc<dyn Observer>>) -> Self {
        let answer = Arc::new(Mutex::new((302, String::new())));
        let script = Arc::clone(&answer);
        let first = Server::start(move |head| match head.split(' ').nth(1) {
            Some(target) if target.starts_with("/path/start") => {
                let (status, location) = lock(&script).clone();
                Reply::Keep(redirect(status, &location))
            }
            _ => Reply::Keep(ok("end")),
        })
        .await;
        let second = Server::start(|_| Reply::Keep(ok("end"))).await;
        let here: &[&[&str]] = &[&["127.0.0.1"]];
        let names = Names::default().with("a.test", here).with("b.test", here).with("sub.a.test", here);
        let policy = Policy {
            allow_private: vec![allow("a.test"), allow("b.test"), allow("sub.a.test")],
            resolver: Arc::new(names),
            observer,
            ..Policy::default()
        };
        Self { egress: Egress::new(policy).unwrap(), first, second, answer }
    }

    fn request(&self, secret: Secret) -> Request {
        let origin = format!("http://a.test:{}", self.first.port);
        let mut request = Request::new(Method::GET, format!("{origin}/path/start?q=1").parse().unwrap());
        match secret {
            Secret::Caller => {
                request.headers.insert("authorization", HeaderValue::from_static("Bearer canary"));
                request.headers.insert("cookie", HeaderValue::from_static("session=canary"));
                request.headers.insert("x-custom", HeaderValue::from_static("canary"));
            }
            secret => {
                request.headers.insert("authorization", HeaderValue::from_static("caller's own"));
                request.credential = Some(Arc::new(Key { secret, origin }));
            }
        }
        request.headers.insert("accept", HeaderValue::from_static("text/plain"));
        request
    }
}

#[tokio::test]
async fn a_secret_stays_with_its_origin_in_a_hundred_redirects() {
    let bench = Bench::new().await;
    let (one, two) = (bench.first.port, bench.second.port);
    let targets = [
        (format!("http://a.test:{one}"), true),
        (format!("http://a.test:{two}"), false),
        (format!("http://b.test:{one}"), false),
        (format!("http://sub.a.test:{one}"), false),
        (format!("//b.test:{two}"), false),
    ];
    let mut cases = 0;
    for (target, stays) in &targets {
        for status in [301, 302, 303, 307, 308] {
            for secret in [Secret::Bearer, Secret::ApiKey, Secret::Query, Secret::Caller] {
                cases += 1;
                // A server may repeat the query it was asked with.
                let repeated = if secret == Secret::Query { "&api%5Fkey=canary" } else { "" };
                *lock(&bench.answer) = (status, format!("{target}/path/end?x=1{repeated}"));
                let response = bench.egress.send(bench.request(secret)).await.unwrap();
                let mut heads = bench.first.take_heads();
                heads.extend(bench.second.take_heads());
                let case = format!("{target} {status} {secret:?}: {heads:#?}");
                assert_eq!(heads.len(), 2, "{case}");
                assert!(heads[0].contains("canary"), "{case}");
                assert_eq!(heads[1].contains("canary"), *stays, "{case}");
                assert!(heads[1].contains("x=1") && heads[1].contains("accept: text/plain"), "{case}");
                assert!(!response.final_url.as_str().contains("canary"), "{case}");
            }
        }
    }
    assert_eq!(cases, 100);
}

#[tokio::test]
async fn a_credential_is_refused_before_anything_is_resolved_or_sent_to_a_foreign_host() {
    let bench = Bench::new().await;
    let mut request = bench.request(Secret::Bearer);
    request.url = format!("http://b.test:{}/path?q=canary", bench.first.port).parse().unwrap();
    let error = bench.egress.send(request).await.unwrap_err();
    assert!(matches!(error, EgressError::CredentialNotAllowed { .. }), "{error:?}");
    assert_eq!(error.was_sent(), Sent::No);
    support::assert_discreet(&error);
    assert!(bench.first.heads().is_empty());
}

#[tokio::test]
async fn a_changing_request_and_its_body_are_not_sent_on_to_another_host() {
    let bench = Bench::new().await;
    for status in [307, 308] {
        *lock(&bench.answer) = (status, format!("http://b.test:{}/path/end", bench.first.port));
        let mut request = bench.request(Secret::Caller);
        request.method = Method::POST;
        request.body = "canary".into();
        let error = bench.egress.send(request).await.unwrap_err();
        assert!(matches!(error.root(), EgressError::RedirectRefused { .. }), "{error:?}");
        assert_eq!(error.was_sent(), Sent::Maybe);
        support::assert_discreet(&error);
        assert_eq!(bench.first.take_heads().len(), 1);
    }
}

#[tokio::test]
async fn a_failure_after_a_redirect_may_have_been_sent_even_if_the_next_hop_was_refused() {
    let bench = Bench::new().await;
    for location in ["http://127.0.0.2:1/", "http://c.test/", "http://u:p@a.test/", "ftp://a.test/"] {
        *lock(&bench.answer) = (303, location.to_owned());
        let mut request = bench.request(Secret::Caller);
        request.method = Method::POST;
        let error = bench.egress.send(request).await.unwrap_err();
        assert!(matches!(error, EgressError::AfterRedirect { hops: 1, .. }), "{location}: {error:?}");
        assert_eq!(error.was_sent(), Sent::Maybe, "{location}");
    }
    let twice = Server::start(|head| match head.starts_with("GET /path ") {
        true => Reply::Keep(redirect(302, "/second")),
        false => Reply::Keep(redirect(302, "http://u:p@a.test/")),
    })
    .await;
    let policy = Policy { allow_private: vec![allow("127.0.0.1")], ..Policy::default() };
    let url = format!("http://127.0.0.1:{}/path", twice.port);
    let error = Egress::new(policy).unwrap().send(Request::new(Method::GET, url.parse().unwrap())).await.unwrap_err();
    let EgressError::AfterRedirect { hops: 2, cause } = error else { panic!("{error:?}") };
    assert!(matches!(*cause, EgressError::Denied { .. }), "the failure is marked once: {cause:?}");
}

#[tokio::test]
async fn a_redirect_that_only_reads_carries_neither_the_body_nor_what_describes_it() {
    let bench = Bench::new().await;
    *lock(&bench.answer) = (303, "/path/end".to_owned());
    let mut request = bench.request(Secret::Caller);
    request.method = Method::POST;
    request.body = "canary-body".into();
    request.headers.insert("content-type", HeaderValue::from_static("text/canary"));
    bench.egress.send(request).await.unwrap();
    let heads = bench.first.take_heads();
    // What the server left unread of the first body stands before the second head.
    let (_, last) = heads[1].split_once("GET /path/end").unwrap();
    assert!(heads[0].contains("content-type: text/canary"), "{heads:#?}");
    assert!(!last.contains("content-") && !last.contains("canary-body"), "{last}");
}

/// Covers one path only and counts how often it handed its secret out.
struct OnePath {
    handed_out: AtomicUsize,
}

impl Credential for OnePath {
    fn covers(&self, url: &url::Url) -> bool {
        url.path() == "/path/start"
    }
    fn apply(&self, request: &mut Outgoing) -> Result<(), EgressError> {
        self.handed_out.fetch_add(1, Ordering::SeqCst);
        request.set_header("Authorization", "Bearer canary")?;
        request.set_query("q", "canary");
        assert!(request.headers()["authorization"].is_sensitive());
        let shown = format!("{request:?}");
        assert!(!shown.contains("canary") && !shown.contains("/path"), "{shown}");
        Ok(())
    }
    fn connection(&self) -> &str {
        "con_1"
    }
}

#[tokio::test]
async fn what_a_credential_sets_replaces_the_callers_own_for_the_whole_request() {
    let bench = Bench::new().await;
    *lock(&bench.answer) = (302, "/path/end".to_owned());
    let mut request = bench.request(Secret::Bearer);
    request.credential = Some(Arc::new(OnePath { handed_out: AtomicUsize::new(0) }));
    bench.egress.send(request).await.unwrap();
    let heads = bench.first.take_heads();
    assert!(heads[0].starts_with("GET /path/start?q=canary HTTP") && heads[0].contains("Bearer canary"), "{heads:#?}");
    assert!(!heads[0].contains("caller's own") && !heads[1].contains("authorization"), "{heads:#?}");
}

#[tokio::test]
async fn the_target_is_judged_before_a_credential_hands_out_its_secret() {
    let bench = Bench::new().await;
    let credential = Arc::new(OnePath { handed_out: AtomicUsize::new(0) });
    let mut request = bench.request(Secret::Bearer);
    request.credential = Some(Arc::clone(&credential) as _);
    request.url = "https://10.0.0.1/path/start".parse().unwrap();
    let error = bench.egress.send(request).await.unwrap_err();
    assert!(matches!(error, EgressError::Denied { .. }), "{error:?}");
    assert_eq!(credential.handed_out.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn who_watches_is_told_whose_secret_travelled_on_which_hop_and_what_left() {
    let seen = Arc::new(Seen::default());
    let bench = Bench::watched(Some(Arc::clone(&seen) as _)).await;
    *lock(&bench.answer) = (303, format!("http://b.test:{}/path/end?x=canary", bench.second.port));
    let mut request = bench.request(Secret::Bearer);
    request.method = Method::POST;
    request.body = "body".into();
    bench.egress.send(request.clone()).await.unwrap();
    request.url = "https://10.0.0.1/path/start".parse().unwrap();
    bench.egress.send(request).await.unwrap_err();
    let told: Vec<_> = seen.hops().iter().map(|hop| (hop.hop, hop.connection.clone(), hop.sent_bytes)).collect();
    assert_eq!(told, [(0, Some("con_1".to_owned()), 4), (1, None, 0), (0, None, 0)]);
    assert!(seen.hops().iter().all(|hop| !format!("{hop:?}").contains("canary")), "{:?}", seen.hops());
}

struct Broken(&'static str, &'static str);

impl Credential for Broken {
    fn covers(&self, _: &url::Url) -> bool {
        true
    }
    fn apply(&self, request: &mut Outgoing) -> Result<(), EgressError> {
        request.set_header(self.0, self.1)
    }
    fn connection(&self) -> &str {
        "con_1"
    }
}

#[tokio::test]
async fn line_breaks_and_another_host_cannot_be_put_into_a_request() {
    let bench = Bench::new().await;
    for (name, value) in [
        ("x-key", "a\r\nX-Injected: canary"),
        ("x-key", "a\ncanary"),
        ("x-key", "canary\0"),
        ("x-key\r\nx", "canary"),
        ("Host", "canary.test"),
        ("Transfer-Encoding", "chunked"),
        ("Connection", "upgrade"),
        ("Content-Length", "5"),
    ] {
        let mut request = bench.request(Secret::Caller);
        request.credential = Some(Arc::new(Broken(name, value)));
        let error = bench.egress.send(request).await.unwrap_err();
        assert!(matches!(error, EgressError::InvalidHeader { .. }), "{name:?}: {error:?}");
        assert_eq!(error.was_sent(), Sent::No);
        support::assert_discreet(&error);
    }
    assert!(bench.first.heads().is_empty());
}
