//! Asking an app for events: where it begins, what came, where it goes on, what refuses.
//!
//! Must never leave loopback.
//! Tests: this is the test.
#![allow(clippy::unwrap_used)]

use std::sync::{Arc, Mutex};

use flowdeck_apps::{App, AppHost, Apps, PollCall, Polled};
use flowdeck_egress::{Egress, Policy};
use flowdeck_engine::ports::Loss;
use flowdeck_model::{CardName, FaultCode, Fields, Millis, Value};
use indexmap::IndexMap;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

/// Answers each question with the next of these; what was asked is kept.
async fn app(answers: Vec<(&'static str, Value)>) -> (String, Arc<Mutex<Vec<String>>>) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let asked = Arc::new(Mutex::new(Vec::new()));
    let heard = asked.clone();
    tokio::spawn(async move {
        for (head, body) in answers {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut bytes = Vec::new();
            while !bytes.ends_with(b"\r\n\r\n") {
                bytes.push(stream.read_u8().await.unwrap());
            }
            let line = String::from_utf8(bytes).unwrap().lines().next().unwrap().to_owned();
            heard.lock().unwrap().push(line);
            let body = body.to_string();
            let answer =
                format!("HTTP/1.1 {head}\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}", body.len());
            stream.write_all(answer.as_bytes()).await.unwrap();
        }
    });
    (url, asked)
}

fn host(url: &str, poll: &str) -> AppHost {
    let text = format!(
        "app: bell\ntitle: Bell\nsummary: Rings.\nversion: '1'\nbase_url: '{url}'\nauth:\n  methods: []\n  hosts: ['{url}']\n  private_hosts: true\nevents:\n  rang:\n    title: Rang\n    summary: Rings.\n    scopes: [bell.read]\n    each: '${{body.rings}}'\n    key: '${{item.id}}'\n    outputs: [{{ key: id, type: text, at: /id }}]\n    poll: {poll}\n"
    );
    let mut apps = Apps::built_in(&IndexMap::new()).unwrap();
    apps.add("bell.app.yaml", &text).unwrap();
    let host = url.trim_start_matches("http://").parse().unwrap();
    AppHost::new(Arc::new(apps), Egress::new(Policy { allow_private: vec![host], ..Policy::default() }).unwrap())
}

fn call(cursor: Value) -> PollCall {
    let card = CardName::new("bell/rang").unwrap();
    PollCall { card, inputs: Fields::new(), cursor, authorized: None, now: Millis(0) }
}

const POLL: &str = "{ request: { method: GET, path: /rings, query: { after: '${cursor}' } }, cursor: '${response.body.next}', from: '${now}', every_s: 30 }";

#[tokio::test]
async fn a_poll_gives_events_and_where_the_next_one_begins() {
    let body = json!({ "rings": [{ "id": "a" }, 7, { "id": "b" }], "next": "c" });
    let (url, asked) =
        app(vec![("200 OK", body.clone()), ("200 OK", json!({ "rings": [], "next": "x".repeat(11_000) }))]).await;
    let host = host(&url, POLL);
    assert_eq!(host.poll_from(&call(Value::Null)).unwrap(), "1970-01-01T00:00:00.000Z");
    let Polled::Came { delivery, cursor } = host.poll(&call(json!("a b"))).await else { panic!() };
    let keys: Vec<&str> = delivery.events.iter().map(|event| event.key.as_str()).collect();
    assert_eq!((keys, delivery.others, cursor), (vec!["a", "b"], 1, json!("c")));
    let Polled::Failed { fault, .. } = host.poll(&call(Value::Null)).await else { panic!() };
    assert_eq!(fault.code, FaultCode::LimitReached, "{fault}");
    assert_eq!(*asked.lock().unwrap(), ["GET /rings?after=a+b HTTP/1.1", "GET /rings HTTP/1.1"]);
}

#[tokio::test]
async fn what_the_app_refuses_is_told_apart() {
    let (url, _) = app(vec![
        ("401 Unauthorized", json!({})),
        ("403 Forbidden\r\nWWW-Authenticate: Bearer error=\"insufficient_scope\"", json!({})),
        ("429 Too Many Requests\r\nRetry-After: 7", json!({})),
        ("500 Oops", json!({})),
    ])
    .await;
    let host = host(&url, POLL);
    let mut outcomes = Vec::new();
    for _ in 0..5 {
        outcomes.push(host.poll(&call(Value::Null)).await);
    }
    assert!(matches!(&outcomes[0], Polled::Refused(Loss::Unauthorized { .. })), "{outcomes:?}");
    assert!(
        matches!(&outcomes[1], Polled::Refused(Loss::Scope { scopes, .. }) if scopes == &["bell.read"]),
        "{outcomes:?}"
    );
    assert!(
        matches!(&outcomes[2], Polled::Failed { retry_after_ms: Some(7_000), fault } if fault.code == FaultCode::RateLimited),
        "{outcomes:?}"
    );
    assert!(matches!(&outcomes[3], Polled::Failed { retry_after_ms: None, .. }), "{outcomes:?}");
    assert!(
        matches!(&outcomes[4], Polled::Failed { fault, .. } if fault.code == FaultCode::Unreachable),
        "{outcomes:?}"
    );
}

#[test]
fn a_poll_that_writes_or_never_rests_is_refused() {
    for (wrong, why) in [
        (POLL.replace("GET", "POST"), "only GET"),
        (POLL.replace("every_s: 30", "every_s: 1"), "every_s"),
        (POLL.replace("${cursor}", "${cursor"), "poll"),
    ] {
        let text = format!(
            "app: bell\ntitle: B\nsummary: R.\nversion: '1'\nbase_url: 'http://127.0.0.1:1'\nevents:\n  rang:\n    title: R\n    summary: R.\n    each: '${{body}}'\n    key: '${{item.id}}'\n    outputs: []\n    poll: {wrong}\n"
        );
        let error = App::read("bell", &text).unwrap_err().to_string();
        assert!(error.contains(why) || why == "poll" && error.contains("after"), "{error}");
    }
}
