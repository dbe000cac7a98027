//! Actions against a server on loopback: requests as they should be, answers read, pages, errors.
//!
//! Must never leave loopback.
//! Tests: this is the test.
#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use flowdeck_apps::{AppHost, Apps};
use flowdeck_egress::{Egress, Policy};
use flowdeck_engine::ports::{Authorized, CardCall, CardOutcome, Loss};
use flowdeck_model::{Ambient, CardName, ConnectionId, Fields, Millis, RunId, StepPath, Value};
use indexmap::IndexMap;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

async fn server(answer: impl Fn(&str) -> String + Send + Sync + 'static) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut buffer = vec![0; 16 * 1024];
            let n = stream.read(&mut buffer).await.unwrap_or(0);
            let text = answer(&String::from_utf8_lossy(&buffer[..n]));
            stream.write_all(text.as_bytes()).await.ok();
        }
    });
    url
}

fn reply(status: u16, extra: &str, body: &Value) -> String {
    let body = body.to_string();
    format!("HTTP/1.1 {status} X\r\nContent-Length: {}\r\nConnection: close\r\n{extra}\r\n{body}", body.len())
}

async fn call(url: &str, card: &str, inputs: Value, page: Option<Value>) -> CardOutcome {
    let variables = IndexMap::from([("playground_url".to_owned(), url.to_owned())]);
    let policy = Policy { allow_private: vec!["127.0.0.1".parse().unwrap()], ..Policy::default() };
    let host = AppHost::new(Arc::new(Apps::built_in(&variables).unwrap()), Egress::new(policy).unwrap());
    let fields = std::collections::BTreeMap::from([("domain".to_owned(), url.to_owned())]);
    host.perform(CardCall {
        run: RunId::new(Millis(1), 1),
        path: StepPath::root(),
        card: CardName::new(card).unwrap(),
        inputs: Fields::from_value(inputs),
        idempotency_key: "run/step/0".into(),
        attempt: 1,
        ambient: Ambient { now: Millis(0), seed: 1 },
        deadline: Millis(5_000),
        page,
        authorized: Some(Authorized {
            connection: ConnectionId::new(Millis(1), 1),
            generation: 1,
            subject: None,
            account: None,
            fields: Arc::new(fields),
            handle: Arc::new(()),
        }),
    })
    .await
}

#[tokio::test]
async fn users_are_listed_with_readable_names_page_by_page() {
    let url = server(|head| {
        let link = if head.contains("after=2") { "" } else { "Link: </api/v1/users?after=2>; rel=\"next\"\r\n" };
        assert!(head.contains("after=2") || head.contains("filter=status+eq+%22ACTIVE%22"), "{head}");
        reply(200, link, &json!([{"id": "u1", "lastLogin": null, "profile": {"login": "a@example.com"}}]))
    })
    .await;
    let CardOutcome::Done { outputs, next_page } =
        call(&url, "okta/listUsersWithFilter", json!({"status": "ACTIVE"}), None).await
    else {
        panic!("not done")
    };
    let user = &outputs.get("Users")[0];
    assert_eq!(
        (&user["ID"], &user["Login"], &user["Last Login"]),
        (&json!("u1"), &json!("a@example.com"), &Value::Null)
    );
    let second = call(&url, "okta/listUsersWithFilter", json!({"status": "ACTIVE"}), next_page).await;
    assert!(matches!(second, CardOutcome::Done { next_page: None, .. }), "{second:?}");
}

#[tokio::test]
async fn refusals_and_errors_are_told_apart() {
    let url = server(|head| {
        let id = head.split("/users/").nth(1).and_then(|r| r.split('/').next()).unwrap_or("");
        match id {
            "gone" => reply(404, "", &json!({"errorCode": "E0000007", "errorSummary": "Not found: user gone"})),
            "stale" => reply(401, "", &json!({"errorCode": "E0000011", "errorSummary": "Invalid token"})),
            "scope" => reply(403, "", &json!({"errorCode": "E0000214", "errorSummary": "insufficient scope"})),
            "role" => reply(403, "", &json!({"errorCode": "E0000006", "errorSummary": "You do not have permission"})),
            "slow" => reply(429, "Retry-After: 3\r\n", &json!({})),
            _ => String::new(),
        }
    })
    .await;
    let suspend = |id: &'static str| call(&url, "okta/suspendUser", json!({"id": id}), None);
    assert!(matches!(suspend("stale").await, CardOutcome::Refused(Loss::Unauthorized { .. })));
    let CardOutcome::Refused(Loss::Scope { scopes, .. }) = suspend("scope").await else { panic!("scope") };
    assert_eq!(scopes, ["okta.users.manage"]);
    let CardOutcome::Failed { fault, transient: false, .. } = suspend("gone").await else { panic!("gone") };
    assert!(fault.message.contains("Not found: user gone") && fault.status == Some(404), "{fault:?}");
    let CardOutcome::Failed { fault, .. } = suspend("role").await else { panic!("role") };
    assert!(fault.remedy.contains("Administrator"), "{fault:?}");
    let CardOutcome::Failed { retry_after_ms, transient: true, .. } = suspend("slow").await else { panic!("slow") };
    assert_eq!(retry_after_ms, Some(3000));
    assert!(matches!(suspend("closes").await, CardOutcome::Unknown(_)), "a write without an answer is in doubt");
}

#[tokio::test]
async fn path_values_cannot_leave_their_place() {
    let url = server(|head| {
        let line = head.lines().next().unwrap_or("").to_owned();
        reply(200, "", &json!({"id": line}))
    })
    .await;
    let CardOutcome::Done { outputs, .. } = call(&url, "okta/readUser", json!({"id": "a/../../x?y#z"}), None).await
    else {
        panic!("not done")
    };
    assert_eq!(outputs.get("ID"), &json!("GET /api/v1/users/a%2F..%2F..%2Fx%3Fy%23z HTTP/1.1"));
    for bad in ["", "..", "."] {
        let outcome = call(&url, "okta/readUser", json!({"id": bad}), None).await;
        assert!(matches!(outcome, CardOutcome::Failed { .. }), "{bad}");
    }
}

#[tokio::test]
async fn a_raw_request_hands_errors_to_the_flow() {
    let url = server(|_| reply(418, "", &json!({"tea": true}))).await;
    let CardOutcome::Done { outputs, .. } =
        call("http://127.0.0.1:1", "http/raw", json!({"url": format!("{url}/x"), "method": "GET"}), None).await
    else {
        panic!("not done")
    };
    assert_eq!((outputs.get("Status Code"), &outputs.get("Body")["tea"]), (&json!(418), &json!(true)));
}
