//! The consent page and the code it gives.
//!
//! Must never reach beyond loopback.
//! Tests: this is the test.

use flowdeck_playground::Account;
use reqwest::Method;

use crate::support::*;

#[tokio::test]
async fn a_person_who_unticks_a_scope_grants_less_and_the_browser_goes_back_with_state_and_iss() {
    let walk = Walk::start().await;
    let html = walk.authorize(&[]).await.text().await.unwrap();
    let ticket = html.split("name=\"ticket\" value=\"").nth(1).unwrap().split('"').next().unwrap();
    let form = [("ticket", ticket), ("account", "robin"), ("scope", "groups.read"), ("decision", "allow")];
    let response = walk.post("/oauth/authorize", &form).await;
    assert_eq!(back(&response, "state").as_deref(), Some("s-1"));
    assert_eq!(back(&response, "iss").as_deref(), Some(walk.running.base_url.as_str()));
    let (_, body) = walk.redeem(&back(&response, "code").unwrap(), VERIFIER).await;
    assert_eq!(body["scope"], "people.read groups.read");
    assert_eq!(walk.post("/oauth/authorize", &form).await.status(), 400, "a ticket is good once");
}

#[tokio::test]
async fn a_wrong_redirect_is_never_followed_and_missing_pkce_is_sent_back() {
    let walk = Walk::start().await;
    let wrong = walk.authorize(&[("redirect_uri", "http://127.0.0.1:8917/elsewhere")]).await;
    assert_eq!((wrong.status().as_u16(), wrong.headers().get("location")), (400, None));
    let plain = walk.authorize(&[("code_challenge_method", "plain")]).await;
    assert_eq!(back(&plain, "error").as_deref(), Some("invalid_request"));
}

#[tokio::test]
async fn a_wrong_verifier_burns_the_code_and_a_replayed_code_ends_what_it_gave() {
    let walk = Walk::start().await;
    let code = walk.code(Account::Robin).await;
    assert_eq!(walk.redeem(&code, &"x".repeat(43)).await.1["error"], "invalid_grant");
    assert_eq!(walk.redeem(&code, VERIFIER).await.0, 400);
    let code = walk.code(Account::Robin).await;
    let (_, body) = walk.redeem(&code, VERIFIER).await;
    let token = format!("Bearer {}", body["access_token"].as_str().unwrap());
    assert_eq!(walk.api(Method::GET, "/api/people", &token, None).await.status(), 200);
    assert_eq!(walk.redeem(&code, VERIFIER).await.0, 400);
    assert_eq!(walk.api(Method::GET, "/api/people", &token, None).await.status(), 401);
}

#[tokio::test]
async fn a_person_who_denies_sends_the_browser_back_with_an_error_and_no_code() {
    let walk = Walk::start().await;
    let ticket = ticket(&walk.authorize(&[]).await.text().await.unwrap());
    let form = [("ticket", ticket.as_str()), ("account", "robin"), ("scope", "people.write"), ("decision", "deny")];
    let response = walk.post("/oauth/authorize", &form).await;
    assert_eq!(back(&response, "error").as_deref(), Some("access_denied"));
    assert_eq!((back(&response, "code"), back(&response, "state").as_deref()), (None, Some("s-1")));
}

#[tokio::test]
async fn what_was_not_asked_for_cannot_be_granted_and_a_hint_chooses_the_account() {
    let walk = Walk::start().await;
    let asked = walk.authorize(&[("scope", "people.read groups.read"), ("login_hint", "sam")]).await;
    let html = asked.text().await.unwrap();
    assert!(html.contains("value=\"sam\" checked") && !html.contains("value=\"robin\" checked"), "{html}");
    let ticket = ticket(&html);
    let form = [("ticket", ticket.as_str()), ("account", "sam"), ("scope", "people.write"), ("decision", "allow")];
    let response = walk.post("/oauth/authorize", &form).await;
    let (_, body) = walk.redeem(&back(&response, "code").unwrap(), VERIFIER).await;
    assert_eq!(body["scope"], "people.read");
}

#[tokio::test]
async fn a_code_ends_after_a_minute_and_needs_the_same_redirect() {
    let walk = Walk::start().await;
    let code = walk.code(Account::Robin).await;
    walk.pass(61);
    assert_eq!(walk.redeem(&code, VERIFIER).await.1["error"], "invalid_grant");
    let code = walk.code(Account::Robin).await;
    let fields = [
        ("grant_type", "authorization_code"),
        ("client_id", "flowdeck-cli"),
        ("redirect_uri", "http://127.0.0.1:9999/callback"),
        ("code", &code),
        ("code_verifier", VERIFIER),
    ];
    assert_eq!(answer(walk.post("/oauth/token", &fields).await).await.1["error"], "invalid_grant");
}

#[tokio::test]
async fn wrong_requests_are_sent_back_with_their_reason() {
    let walk = Walk::start().await;
    let rows = [
        ("response_type", "token", "unsupported_response_type"),
        ("scope", "people.read root", "invalid_scope"),
        ("code_challenge", "short", "invalid_request"),
        ("prompt", "none", "interaction_required"),
    ];
    for (name, value, expected) in rows {
        let response = walk.authorize(&[(name, value)]).await;
        assert_eq!(back(&response, "error").as_deref(), Some(expected), "{name}={value}");
        assert_eq!(back(&response, "iss").as_deref(), Some(walk.running.base_url.as_str()));
    }
    let unknown = walk.authorize(&[("client_id", "nobody")]).await;
    assert_eq!((unknown.status().as_u16(), unknown.headers().get("location")), (400, None));
}
