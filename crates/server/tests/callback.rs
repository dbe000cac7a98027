//! The OAuth callback listener: right answers pass, everything else gets a page that says nothing of the request.
//!
//! Must never leave loopback.
//! Tests: this is the test.
#![allow(clippy::unwrap_used)]

use crate::support;

use flowdeck::connections::{Attempt, AttemptStep};
use flowdeck_server::client::Client;
use flowdeck_server::session::Session;
use http::Method;
use serde_json::json;
use support::*;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use url::Url;

async fn browser(url: &Url, host: &str) -> String {
    let mut stream = tokio::net::TcpStream::connect(("127.0.0.1", url.port().unwrap())).await.unwrap();
    let target = format!("{}?{}", url.path(), url.query().unwrap_or_default());
    let request = format!("GET {target} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

async fn begin(client: &Client, method: &str) -> (Attempt, Url, String) {
    let form = json!({ "app": "desk", "method": method, "surface": "browser" });
    let attempt: Attempt = call(client, Method::POST, "/v1/attempts", form).await;
    let AttemptStep::Browser { redirect_uri, state, .. } = &attempt.step else { panic!("no browser: {attempt:?}") };
    let (uri, state) = (Url::parse(redirect_uri).unwrap(), state.clone());
    (attempt, uri, state)
}

fn with(uri: &Url, query: &str) -> Url {
    let mut url = uri.clone();
    url.set_query(Some(query));
    url
}

async fn holder(port: u16) -> (Session, tempfile::TempDir) {
    let root = tempfile::tempdir().unwrap();
    let (_, url) = desk().await;
    (Session::join(options(root.path(), builder(&url).redirect_port(port))).await.unwrap(), root)
}

fn host_of(uri: &Url) -> String {
    format!("127.0.0.1:{}", uri.port().unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_browsers_answer_connects_and_the_listener_ends() {
    let (session, _root) = holder(0).await;
    let client = session.client();
    let (attempt, uri, state) = begin(&client, "oauth").await;
    let host = host_of(&uri);
    for (query, host) in [
        ("code=c&state=wrong".to_owned(), host.as_str()),
        ("code=c".to_owned(), &host),
        (format!("code=c&state={state}"), "evil.example"),
        (format!("code=<script>x</script>&state={state}x"), &host),
    ] {
        let answer = browser(&with(&uri, &query), host).await;
        assert!(answer.starts_with("HTTP/1.1 4"), "{answer}");
        assert!(!answer.contains("<script") && !answer.contains(&state), "{answer}");
    }
    let mut elsewhere = with(&uri, &format!("code=c&state={state}"));
    elsewhere.set_path("/oauth/callback/other");
    assert!(browser(&elsewhere, &host).await.contains("Nothing waits for this answer"));

    let answer = browser(&with(&uri, &format!("code=c&state={state}")), &host).await;
    assert!(answer.contains("<h1>Connected</h1>"), "{answer}");
    assert!(answer.contains("content-security-policy: default-src 'none'"), "{answer}");
    assert!(answer.contains("<html lang=\"en\">") && answer.contains("<title>Connected"));
    let shown: Attempt = get_json(&client, &format!("/v1/attempts/{}", attempt.id)).await;
    assert!(matches!(shown.step, AttemptStep::Done { .. }), "{shown:?}");
    session.end().await.unwrap();
    assert!(tokio::net::TcpStream::connect(("127.0.0.1", uri.port().unwrap())).await.is_err(), "still listens");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refusal_at_the_provider_is_told_without_its_words() {
    let (session, _root) = holder(0).await;
    let (attempt, uri, state) = begin(&session.client(), "oauth").await;
    let query = format!("error=access_denied&error_description=canary&state={state}");
    let answer = browser(&with(&uri, &query), &host_of(&uri)).await;
    assert!(answer.contains("<h1>Not connected</h1>") && !answer.contains("canary"), "{answer}");
    let shown: Attempt = get_json(&session.client(), &format!("/v1/attempts/{}", attempt.id)).await;
    assert!(matches!(shown.step, AttemptStep::Failed(_)), "{shown:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_taken_port_is_an_error_whose_way_out_is_to_paste() {
    let taken = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (session, _root) = holder(taken.local_addr().unwrap().port()).await;
    let client = session.client();
    let form = json!({ "app": "desk", "method": "registered", "surface": "browser" });
    let problem = refused(&client, Method::POST, "/v1/attempts", form).await;
    assert_eq!(problem.code, "oauth.port_taken");
    assert!(problem.remedy.contains("--paste"), "{problem:?}");
    let form = json!({ "app": "desk", "method": "registered", "surface": "paste" });
    let attempt: Attempt = call(&client, Method::POST, "/v1/attempts", form).await;
    let AttemptStep::Browser { redirect_uri, state, .. } = &attempt.step else { panic!("{attempt:?}") };
    let pasted = json!({ "text": format!("{redirect_uri}?code=c&state={state}") });
    let done: Attempt = call(&client, Method::POST, &format!("/v1/attempts/{}/paste", attempt.id), pasted).await;
    assert!(matches!(done.step, AttemptStep::Done { .. }), "{done:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_takes_over_listens_for_the_answer_from_the_first_look_on() {
    let root = tempfile::tempdir().unwrap();
    let (_, url) = desk().await;
    let first = Session::join(options(root.path(), builder(&url))).await.unwrap();
    let mut second = Session::join(options(root.path(), builder(&url))).await.unwrap();
    let (attempt, uri, state) = begin(&second.client(), "oauth").await;
    first.end_now().await.unwrap();
    second.rejoin().await.unwrap();
    let path = format!("/v1/attempts/{}", attempt.id);
    get_json::<Attempt>(&second.client(), &path).await;
    let answer = browser(&with(&uri, &format!("code=c&state={state}")), &host_of(&uri)).await;
    assert!(answer.contains("<h1>Connected</h1>"), "{answer}");
}
