//! The device flow, from both ends.
//!
//! Must never reach beyond loopback.
//! Tests: this is the test.

use flowdeck_playground::Account;
use reqwest::Method;
use serde_json::Value;

use crate::support::*;

#[tokio::test]
async fn a_device_waits_is_slowed_down_and_gets_its_tokens_once() {
    let walk = Walk::start().await;
    let (_, start) = answer(walk.post("/oauth/device_authorization", &[("client_id", "flowdeck-cli")]).await).await;
    let code = start["device_code"].as_str().unwrap();
    let fields = [
        ("grant_type", "urn:ietf:params:oauth:grant-type:device_code"),
        ("client_id", "flowdeck-cli"),
        ("device_code", code),
    ];
    for (wait_s, expected) in [(0, "authorization_pending"), (1, "slow_down"), (10, "authorization_pending")] {
        walk.pass(wait_s);
        assert_eq!(answer(walk.post("/oauth/token", &fields).await).await.1["error"], expected);
    }
    let controls = walk.running.controls().unwrap();
    controls.answer_device(start["user_code"].as_str().unwrap(), Some((Account::Sam, None))).await.unwrap();
    walk.pass(10);
    assert_eq!(answer(walk.post("/oauth/token", &fields).await).await.0, 200);
    walk.pass(10);
    assert_eq!(answer(walk.post("/oauth/token", &fields).await).await.1["error"], "invalid_grant");
}

#[tokio::test]
async fn a_person_types_the_code_in_any_form_and_the_device_goes_on() {
    let walk = Walk::start().await;
    let (_, start) = answer(walk.post("/oauth/device_authorization", &[("client_id", "flowdeck-cli")]).await).await;
    let typed = start["user_code"].as_str().unwrap().to_lowercase().replace('-', "");
    let page = walk.api(Method::GET, &format!("/oauth/device?user_code={typed}"), "", None).await.text().await.unwrap();
    assert!(page.contains("Allow only if you started this yourself"), "{page}");
    let ticket = ticket(&page);
    let form = [("ticket", ticket.as_str()), ("account", "sam"), ("decision", "allow")];
    assert!(walk.post("/oauth/device", &form).await.text().await.unwrap().contains("<h1>Connected</h1>"));
    assert_eq!(walk.post("/oauth/device", &form).await.status(), 400, "a ticket is good once");
    let (status, body) = poll(&walk, &start).await;
    assert_eq!((status, body["scope"].as_str()), (200, Some("people.read")), "nothing ticked grants what is needed");
}

#[tokio::test]
async fn a_denied_and_an_expired_code_end_the_poll() {
    let walk = Walk::start().await;
    let start =
        async || answer(walk.post("/oauth/device_authorization", &[("client_id", "flowdeck-cli")]).await).await.1;
    let denied = start().await;
    walk.running.controls().unwrap().answer_device(denied["user_code"].as_str().unwrap(), None).await.unwrap();
    assert_eq!(poll(&walk, &denied).await.1["error"], "access_denied");
    let expired = start().await;
    walk.pass(601);
    assert_eq!(poll(&walk, &expired).await.1["error"], "expired_token");
    let page = format!("/oauth/device?user_code={}", expired["user_code"].as_str().unwrap());
    let html = walk.api(Method::GET, &page, "", None).await.text().await.unwrap();
    assert!(html.contains("role=\"alert\"") && html.contains("aria-invalid=\"true\""), "{html}");
}

async fn poll(walk: &Walk, start: &Value) -> (u16, Value) {
    let fields = [
        ("grant_type", "urn:ietf:params:oauth:grant-type:device_code"),
        ("client_id", "flowdeck-cli"),
        ("device_code", start["device_code"].as_str().unwrap()),
    ];
    answer(walk.post("/oauth/token", &fields).await).await
}
