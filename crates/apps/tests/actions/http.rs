//! Requests to any address: bodies, queries, headers, and every answer for raw ones.
//!
//! Must never leave loopback.
//! Tests: this is the test.

use flowdeck_engine::ports::CardOutcome;
use flowdeck_model::{CardName, CardRole, EffectClass};
use serde_json::{Value, json};

use crate::actions::support::*;

#[tokio::test]
async fn a_raw_request_hands_every_answer_to_the_flow() {
    for status in [200, 301, 401, 404, 418, 500, 503] {
        let server = Server::start(move |_| reply(status, "X-Kind: tea\r\n", &json!({"tea": true}))).await;
        let url = format!("{}/x", server.url);
        let outputs =
            done("http://127.0.0.1:1", "http/raw", json!({"url": url, "method": "POST", "body": {"a": 1}})).await;
        assert_eq!(outputs.get("statusCode"), &json!(status));
        assert_eq!((&outputs.get("body")["tea"], &outputs.get("headers")["x-kind"]), (&json!(true), &json!("tea")));
    }
}

#[tokio::test]
async fn bodies_queries_and_headers_arrive_as_given() {
    let server = Server::start(|_| reply(200, "", &json!({"ok": 1}))).await;
    let url = format!("{}/a?x=1", server.url);
    let rows: Vec<(&str, Value, &str, &str)> = vec![
        ("http/get", json!({"query": {"q": "a b&c", "n": [1, 2], "none": null}}), "GET /a?x=1&q=a+b%26c&n=1&n=2", ""),
        ("http/get", json!({"query": "?q=1&r=%20"}), "GET /a?x=1&q=1&r=+", ""),
        ("http/get", json!({}), "GET /a?x=1", ""),
        ("http/post", json!({"body": {"a": null, "b": []}}), "POST /a?x=1", "{\"a\":null,\"b\":[]}"),
        ("http/post", json!({"body": "a=1&b=2"}), "POST /a?x=1", "a=1&b=2"),
        ("http/put", json!({"body": [1]}), "PUT /a?x=1", "[1]"),
        ("http/patch", json!({"body": {"a": 1}}), "PATCH /a?x=1", "{\"a\":1}"),
        ("http/delete", json!({}), "DELETE /a?x=1", ""),
        ("http/raw", json!({"method": "PUT", "body": "text"}), "PUT /a?x=1", "text"),
    ];
    for (card, mut inputs, line, body) in rows {
        inputs["url"] = json!(url);
        inputs["headers"] = json!({"X-Mine": "yes"});
        done("http://127.0.0.1:1", card, inputs).await;
        assert_eq!(server.last(), (line.to_owned(), body.to_owned()), "{card}");
        let asked = server.asked.lock().unwrap().last().unwrap().to_lowercase();
        assert!(asked.contains("x-mine: yes"), "{card}: {asked}");
        let is_json = body.starts_with(['{', '[']);
        assert_eq!(asked.contains("content-type: application/json"), is_json, "{card}: {asked}");
    }
}

#[tokio::test]
async fn headers_that_the_runtime_sets_are_refused() {
    for name in ["Host", "Content-Length", "Transfer-Encoding", "Connection", "Cookie", "a b", "X\r\nY"] {
        let inputs = json!({"url": "http://127.0.0.1:1/", "headers": {name: "x"}});
        let CardOutcome::Failed { fault, transient: false, .. } =
            call("http://127.0.0.1:1", "http/get", inputs, None).await
        else {
            panic!("{name:?} was sent")
        };
        assert!(fault.message.contains("header"), "{fault:?}");
    }
}

#[tokio::test]
async fn addresses_inside_are_refused_and_nothing_is_sent() {
    for url in
        ["http://10.0.0.1/", "http://169.254.169.254/latest", "https://[::1]/", "ftp://example.com/", "no address"]
    {
        let outcome = call("http://127.0.0.1:1", "http/post", json!({"url": url, "body": "x"}), None).await;
        assert!(matches!(outcome, CardOutcome::Failed { .. }), "{url}: {outcome:?}");
    }
}

/// The API Connector's cards have Okta's names, and a slot; those of `http` have none. Gets look, the rest is written.
#[test]
fn the_two_families_are_alike() {
    let apps = host("http://127.0.0.1:1");
    let card = |name: &str| apps.apps().card(&CardName::new(name).unwrap()).unwrap();
    for (operation, effect) in [
        ("get", EffectClass::Observe),
        ("post", EffectClass::Write),
        ("put", EffectClass::Idempotent),
        ("patch", EffectClass::Write),
        ("delete", EffectClass::Idempotent),
        ("raw", EffectClass::Write),
    ] {
        let (plain, connected) = (card(&format!("http/{operation}")), card(&format!("httpfunctions/{operation}")));
        assert_eq!((plain.effect, connected.effect), (effect, effect), "{operation}");
        assert_eq!((plain.role, connected.role), (CardRole::Action, CardRole::Action));
        assert!(plain.app.is_none() && connected.app.is_some(), "{operation}");
        let keys: Vec<&str> = connected.outputs.iter().map(|f| f.key.as_str()).collect();
        assert_eq!(keys, ["Status Code", "Headers", "Body"], "{operation}");
        let keys: Vec<&str> = plain.outputs.iter().map(|f| f.key.as_str()).collect();
        let own = ["statusCode", "headers", "body", "text"];
        assert_eq!(keys, own[..if operation == "raw" { 4 } else { 3 }], "{operation}");
    }
}

#[tokio::test]
async fn the_connector_fails_at_errors_as_in_okta_and_its_raw_body_stays_text() {
    let server = Server::start(|head| {
        if head.starts_with("GET /bad") { reply(500, "", &json!({})) } else { reply(200, "", &json!({"a": 1})) }
    })
    .await;
    let url = |path: &str| json!({"URL": format!("{}{path}", server.url), "Method": "GET"});
    assert!(matches!(call(&server.url, "httpfunctions/get", url("/bad"), None).await, CardOutcome::Failed { .. }));
    assert_eq!(done(&server.url, "httpfunctions/raw", url("/x")).await.get("Body"), &json!("{\"a\":1}"));
    assert_eq!(done(&server.url, "httpfunctions/get", url("/x")).await.get("Body"), &json!({"a": 1}));
}
