//! What strangers may not do: other hosts, other origins, test controls, too much of anything.
//!
//! Must never reach beyond loopback.
//! Tests: this is the test.

use flowdeck_playground::{Options, Playground, RateLimit};
use reqwest::Method;

use crate::support::*;

#[tokio::test]
async fn only_its_own_host_and_origin_are_answered() {
    let walk = Walk::start().await;
    let port = walk.running.port;
    let rows = [
        ("host", format!("localhost:{port}"), 200),
        ("host", format!("evil.example:{port}"), 403),
        ("host", "127.0.0.1:1".to_owned(), 403),
        ("origin", format!("http://127.0.0.1:{port}"), 200),
        ("origin", "http://evil.example".to_owned(), 403),
        ("origin", "null".to_owned(), 403),
    ];
    for (name, value, expected) in rows {
        let response = walk.client.get(&walk.running.base_url).header(name, &value).send().await.unwrap();
        assert_eq!(response.status().as_u16(), expected, "{name}: {value}");
    }
}

#[tokio::test]
async fn test_controls_are_not_there_unless_asked_for() {
    let walk = Walk::start().await;
    assert_eq!(walk.api(Method::GET, "/_test/counts", "", None).await.status(), 404);
    let folder = tempfile::tempdir().unwrap();
    let asked = Options { test_controls: true, ..options(&folder, &walk.now_ms) };
    let running = Playground::start(asked).await.unwrap();
    let url = format!("{}/_test/counts", running.base_url);
    assert_eq!(walk.client.get(url).send().await.unwrap().status(), 200);
}

#[tokio::test]
async fn a_rate_limit_says_when_to_come_again() {
    let walk = Walk::start().await;
    let folder = tempfile::tempdir().unwrap();
    let limited =
        Options { rate_limit: Some(RateLimit { requests: 2, window_s: 10 }), ..options(&folder, &walk.now_ms) };
    let walk = Walk { running: Playground::start(limited).await.unwrap(), ..walk };
    let (token, _) = walk.tokens(flowdeck_playground::Account::Robin).await;
    let status = async || walk.api(Method::GET, "/api/people", &token, None).await;
    assert_eq!((status().await.status(), status().await.status()), (reqwest::StatusCode::OK, reqwest::StatusCode::OK));
    let refused = status().await;
    assert_eq!(refused.status(), 429);
    let wait_s: i64 = refused.headers()["retry-after"].to_str().unwrap().parse().unwrap();
    walk.pass(wait_s);
    assert_eq!(status().await.status(), 200);
}

#[tokio::test]
async fn a_body_above_the_limit_is_refused() {
    let walk = Walk::start().await;
    let big = "x".repeat(200 * 1024);
    let status = match walk.try_post("/oauth/token", &[("grant_type", big.as_str())]).await {
        Ok(response) => response.status().as_u16(),
        // The server may close before all of it was sent.
        Err(_) => 413,
    };
    assert_eq!(status, 413);
}
