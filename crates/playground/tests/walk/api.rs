//! The directory itself: roles, scopes, pages, idempotency, groups.
//!
//! Must never reach beyond loopback.
//! Tests: this is the test.

use flowdeck_playground::{Account, ApiFault, ApiFaultKind, Faults};
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::*;

#[tokio::test]
async fn staff_may_look_and_not_change() {
    let walk = Walk::start().await;
    let (sam, _) = walk.tokens(Account::Sam).await;
    assert_eq!(walk.api(Method::GET, "/api/people", &sam, None).await.status(), 200);
    let refused = walk.api(Method::POST, "/api/people/per_0002/suspend", &sam, None).await;
    assert!(refused.headers().get("www-authenticate").is_none());
    assert_eq!(answer(refused).await.1["error"], "forbidden");
}

#[tokio::test]
async fn pages_lead_through_everybody_once() {
    let walk = Walk::start().await;
    let (token, _) = walk.tokens(Account::Robin).await;
    let (mut path, mut seen) = ("/api/people?limit=10".to_owned(), Vec::new());
    for _ in 0..3 {
        let (_, body) = answer(walk.api(Method::GET, &path, &token, None).await).await;
        seen.extend(body["people"].as_array().unwrap().iter().map(|person| person["id"].to_string()));
        path = format!("/api/people?limit=10&cursor={}", body["next"].as_str().unwrap_or_default());
    }
    seen.dedup();
    assert_eq!(seen.len(), 24);
}

#[tokio::test]
async fn the_same_idempotency_key_adds_one_person() {
    let walk = Walk::start().await;
    let (token, _) = walk.tokens(Account::Robin).await;
    let post = async |body: &'static str| {
        let request = walk.client.post(format!("{}/api/people", walk.running.base_url));
        let request = request.header("authorization", &token).header("idempotency-key", "k-1").body(body);
        answer(request.send().await.unwrap()).await
    };
    let first = post(r#"{"name":"Ada New","email":"ada@example.com"}"#).await;
    assert_eq!((first.0, post(r#"{"name":"Ada New","email":"ada@example.com"}"#).await), (201, first.clone()));
    assert_eq!(post(r#"{"name":"Eve New","email":"eve@example.com"}"#).await.1["error"], "idempotency_key_reused");
}

#[tokio::test]
async fn people_come_change_are_suspended_and_leave_and_the_event_log_tells() {
    let walk = Walk::start().await;
    let (token, _) = walk.tokens(Account::Robin).await;
    let call = async |method: Method, path: &str, body: Option<Value>| {
        answer(walk.api(method, path, &token, body).await).await
    };
    let (_, log) = call(Method::GET, "/api/events?after=latest", None).await;
    let after = log["next"].as_str().unwrap_or_default().to_owned();
    let (status, made) =
        call(Method::POST, "/api/people", Some(json!({"name": "Ada New", "email": "ada@example.com"}))).await;
    assert_eq!((status, &made["status"], &made["last_seen"]), (201, &json!("active"), &Value::Null));
    let path = format!("/api/people/{}", made["id"].as_str().unwrap());
    let taken = call(Method::POST, "/api/people", Some(json!({"name": "Eve", "email": "ada@example.com"}))).await;
    assert_eq!((taken.0, &taken.1["error"]), (409, &json!("email_taken")));
    assert_eq!(call(Method::PATCH, &path, Some(json!({"title": "Engineer"}))).await.1["title"], "Engineer");
    for _ in 0..2 {
        assert_eq!(call(Method::POST, &format!("{path}/suspend"), None).await.1["status"], "suspended");
    }
    assert_eq!(call(Method::POST, &format!("{path}/unsuspend"), None).await.1["status"], "active");
    assert_eq!(call(Method::DELETE, &path, None).await.0, 204);
    assert_eq!(call(Method::GET, &path, None).await.0, 404);
    let (_, log) = call(Method::GET, &format!("/api/events?after={after}"), None).await;
    let types: Vec<&str> = log["events"].as_array().unwrap().iter().filter_map(|e| e["type"].as_str()).collect();
    let expected = ["person.joined", "person.changed", "person.suspended", "person.unsuspended", "person.left"];
    assert_eq!(types, expected);
}

#[tokio::test]
async fn groups_hold_people_once() {
    let walk = Walk::start().await;
    let (token, _) = walk.tokens(Account::Robin).await;
    let call = async |method: Method, path: &str, body: Option<Value>| {
        answer(walk.api(method, path, &token, body).await).await
    };
    let (_, group) = call(Method::POST, "/api/groups", Some(json!({"name": "Night shift"}))).await;
    let people = format!("/api/groups/{}/people", group["id"].as_str().unwrap());
    for _ in 0..2 {
        assert_eq!(call(Method::PUT, &format!("{people}/per_0003"), None).await.0, 204);
    }
    let (_, members) = call(Method::GET, &people, None).await;
    assert_eq!(members["people"].as_array().unwrap().len(), 1);
    assert_eq!(call(Method::DELETE, &format!("{people}/per_0003"), None).await.0, 204);
    assert_eq!(call(Method::GET, &people, None).await.1["people"], json!([]));
    assert_eq!(call(Method::POST, "/api/groups", Some(json!({"name": "Night shift"}))).await.1["error"], "name_taken");
    assert_eq!(call(Method::PUT, &format!("{people}/per_9999"), None).await.0, 404);
}

#[tokio::test]
async fn ordered_trouble_comes_at_the_request_it_was_ordered_for() {
    let walk = Walk::start().await;
    let (token, _) = walk.tokens(Account::Robin).await;
    let api = vec![
        ApiFault { nth: 1, kind: ApiFaultKind::TooManyRequests, retry_after_s: 7 },
        ApiFault { nth: 3, kind: ApiFaultKind::ServerError, retry_after_s: 0 },
    ];
    walk.running.controls().unwrap().set_faults(Faults { token_endpoint: None, api });
    let first = walk.api(Method::GET, "/api/people", &token, None).await;
    assert_eq!((first.status().as_u16(), first.headers()["retry-after"].to_str().unwrap()), (429, "7"));
    assert_eq!(walk.api(Method::GET, "/api/people", &token, None).await.status(), 200);
    assert_eq!(walk.api(Method::GET, "/api/people", &token, None).await.status(), 500);
    assert_eq!(walk.running.controls().unwrap().counts().requests["GET /api/people"], 3);
}
