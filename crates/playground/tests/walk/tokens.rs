//! Tokens: rotation with grace, revocation, introspection, applications with a secret.
//!
//! Must never reach beyond loopback.
//! Tests: this is the test.

use flowdeck_playground::{Account, Faults, TokenFault, TokenFaultKind};
use reqwest::Method;
use serde_json::json;

use crate::support::*;

#[tokio::test]
async fn a_rotated_refresh_token_works_in_its_grace_and_ends_the_grant_after() {
    let walk = Walk::start().await;
    let (_, first) = walk.tokens(Account::Robin).await;
    let (_, body) = walk.refresh(&first).await;
    let second = body["refresh_token"].as_str().unwrap().to_owned();
    assert_eq!(walk.refresh(&first).await.0, 200);
    walk.pass(6);
    assert_eq!(walk.refresh(&first).await.1["error"], "invalid_grant");
    assert_eq!(walk.refresh(&second).await.1["error"], "invalid_grant");
}

#[tokio::test]
async fn a_revoked_refresh_token_takes_its_access_token_along_and_introspection_says_so() {
    let walk = Walk::start().await;
    let (access, refresh) = walk.tokens(Account::Robin).await;
    let fields = [("client_id", "flowdeck-cli"), ("token", &access["Bearer ".len()..])];
    assert_eq!(answer(walk.post("/oauth/introspect", &fields).await).await.1["sub"], "robin");
    assert_eq!(walk.post("/oauth/revoke", &[("client_id", "flowdeck-cli"), ("token", &refresh)]).await.status(), 200);
    assert_eq!(answer(walk.post("/oauth/introspect", &fields).await).await.1, json!({ "active": false }));
}

#[tokio::test]
async fn a_refresh_may_ask_for_less_and_never_for_more() {
    let walk = Walk::start().await;
    let (_, refresh) = walk.tokens(Account::Robin).await;
    let fields = |token: String, scope: &'static str| {
        [
            ("grant_type", "refresh_token".to_owned()),
            ("client_id", "flowdeck-cli".to_owned()),
            ("refresh_token", token),
            ("scope", scope.to_owned()),
        ]
    };
    let post = async |token: String, scope: &'static str| {
        let fields = fields(token, scope);
        let fields: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
        answer(walk.post("/oauth/token", &fields).await).await
    };
    let (status, body) = post(refresh, "people.read").await;
    assert_eq!((status, &body["scope"]), (200, &json!("people.read")));
    let next = body["refresh_token"].as_str().unwrap().to_owned();
    let (status, body) = post(next, "people.read everything").await;
    assert_eq!((status, &body["error"]), (400, &json!("invalid_scope")));
}

#[tokio::test]
async fn an_access_token_ends_after_its_time_and_the_refresh_token_goes_on() {
    let walk = Walk::start().await;
    let (access, refresh) = walk.tokens(Account::Robin).await;
    walk.pass(15 * 60 + 1);
    let response = walk.api(Method::GET, "/api/people", &access, None).await;
    let challenge = response.headers()["www-authenticate"].to_str().unwrap().to_owned();
    assert!(response.status() == 401 && challenge.contains("invalid_token"), "{challenge}");
    assert_eq!(walk.refresh(&refresh).await.0, 200);
}

#[tokio::test]
async fn an_application_with_a_secret_must_show_it_and_acts_by_itself() {
    let walk = Walk::start().await;
    let body =
        json!({"client_name": "Nightly", "redirect_uris": [BACK], "token_endpoint_auth_method": "client_secret_basic"});
    let (status, made) = answer(walk.api(Method::POST, "/oauth/register", "", Some(body)).await).await;
    assert_eq!(status, 201, "{made}");
    let (id, secret) = (made["client_id"].as_str().unwrap(), made["client_secret"].as_str().unwrap());
    let ask = async |secret: &str| {
        let fields = [
            ("grant_type", "client_credentials"),
            ("client_id", id),
            ("client_secret", secret),
            ("scope", "people.read"),
        ];
        answer(walk.post("/oauth/token", &fields).await).await
    };
    assert_eq!(ask("wrong").await.1["error"], "invalid_client");
    let (status, body) = ask(secret).await;
    assert_eq!((status, body.get("refresh_token")), (200, None), "{body}");
    let token = format!("Bearer {}", body["access_token"].as_str().unwrap());
    assert_eq!(walk.api(Method::GET, "/api/people", &token, None).await.status(), 200);
    let refused = walk.api(Method::POST, "/api/people/per_0002/suspend", &token, None).await;
    let challenge = refused.headers()["www-authenticate"].to_str().unwrap();
    assert!(challenge.ends_with("error=\"insufficient_scope\", scope=\"people.write\""), "{challenge}");
}

#[tokio::test]
async fn a_lost_answer_of_a_rotation_is_made_good_in_the_grace() {
    let walk = Walk::start().await;
    let (_, refresh) = walk.tokens(Account::Robin).await;
    let fault = TokenFault { kind: TokenFaultKind::CloseAfterActing, delay_ms: 0, times: 1 };
    walk.running.controls().unwrap().set_faults(Faults { token_endpoint: Some(fault), api: vec![] });
    let fields = [("grant_type", "refresh_token"), ("client_id", "flowdeck-cli"), ("refresh_token", refresh.as_str())];
    assert!(walk.try_post("/oauth/token", &fields).await.is_err(), "the answer must be lost");
    walk.pass(4);
    assert_eq!(walk.refresh(&refresh).await.0, 200);
}

#[tokio::test]
async fn the_metadata_names_what_is_there() {
    let walk = Walk::start().await;
    let (_, metadata) = answer(walk.api(Method::GET, "/.well-known/oauth-authorization-server", "", None).await).await;
    assert_eq!(metadata["issuer"], walk.running.base_url.as_str());
    assert_eq!(metadata["code_challenge_methods_supported"], json!(["S256"]));
    for endpoint in ["authorization", "token", "revocation", "introspection", "device_authorization", "registration"] {
        let url = metadata[format!("{endpoint}_endpoint")].as_str().unwrap_or_else(|| panic!("{endpoint}"));
        let path = url.strip_prefix(&walk.running.base_url).unwrap();
        let status = walk.api(Method::GET, path, "", None).await.status();
        assert_ne!(status.as_u16(), 404, "{endpoint} leads nowhere");
    }
}
