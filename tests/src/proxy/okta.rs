//! What Okta does and the emulator does not: tokens are looked at, scopes count, people have a last login, and the
//! authorization answer names its issuer.
//!
//! Must never invent a fact: who a token belongs to is asked at the org's introspection endpoint.
//! Tests: `tests/tests/e2e/harness.rs`.

use http::header::{HeaderMap, HeaderValue, LOCATION};
use http::{Method, StatusCode};
use serde_json::{Value, json};
use url::Url;
use url::form_urlencoded::Serializer;

use crate::emulate::{API_TOKEN, CLIENT_ID, CLIENT_SECRET};
use crate::people::Person;

use super::rules::error_body;
use super::serve::{Reply, ask};
use super::{Shared, State};

/// A token that was handed out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Token {
    pub(super) text: String,
    pub(super) refresh: bool,
    /// Whose it is, where that is not asked at the service.
    pub(super) account: Option<String>,
    /// What it allows, where that is not asked at the service.
    pub(super) scopes: Vec<String>,
}

/// Who asks, by what the org says of the token. An answer in place of an account is the refusal.
pub(super) async fn account(
    shared: &Shared,
    method: &Method,
    path: &str,
    headers: &HeaderMap,
) -> Result<Option<String>, Reply> {
    if !path.starts_with("/api/") {
        return Ok(None);
    }
    let invalid = || shared.service.unknown_token();
    let credential = headers.get("authorization").and_then(|v| v.to_str().ok()).unwrap_or_default();
    if let Some(token) = credential.strip_prefix("SSWS ") {
        let works = token == API_TOKEN && shared.lock().api_token_works;
        return if works { Ok(shared.people.first().map(|p| p.login.clone())) } else { Err(invalid()) };
    }
    let Some(token) = credential.strip_prefix("Bearer ") else { return Err(invalid()) };
    let told = introspect(shared, token).await;
    if told["active"] != true || told["token_type"] != "Bearer" {
        return Err(invalid());
    }
    let granted = told["scope"].as_str().unwrap_or_default();
    let needed = scope(method, path);
    if shared.lock().scopes_enforced && !granted.split(' ').any(|s| s == needed || s == manages(needed)) {
        let mut refusal = Reply::json(
            StatusCode::FORBIDDEN,
            &error_body("E0000214", "The access token provided does not contain the required scopes."),
        );
        let challenge = format!(r#"Bearer error="insufficient_scope", scope="{needed}""#);
        refusal.headers.insert("www-authenticate", challenge.parse().expect("a header"));
        return Err(refusal);
    }
    Ok(told["username"].as_str().map(str::to_owned))
}

/// The scope that Okta's reference names for the call.
fn scope(method: &Method, path: &str) -> &'static str {
    let reads = method == Method::GET;
    match path.split('/').nth(3).unwrap_or_default() {
        "groups" if reads => "okta.groups.read",
        "groups" => "okta.groups.manage",
        "apps" if reads => "okta.apps.read",
        "apps" => "okta.apps.manage",
        "logs" => "okta.logs.read",
        _ if reads => "okta.users.read",
        _ => "okta.users.manage",
    }
}

/// Whoever may manage may read.
fn manages(scope: &str) -> &str {
    match scope {
        "okta.groups.read" => "okta.groups.manage",
        "okta.apps.read" => "okta.apps.manage",
        "okta.users.read" => "okta.users.manage",
        other => other,
    }
}

async fn introspect(shared: &Shared, token: &str) -> Value {
    let body = Serializer::new(String::new())
        .append_pair("token", token)
        .append_pair("client_id", CLIENT_ID)
        .append_pair("client_secret", CLIENT_SECRET)
        .finish();
    let reply = ask(shared, Method::POST, "/oauth2/v1/introspect", &body).await;
    reply.map(|r| serde_json::from_slice(&r.body).unwrap_or_default()).unwrap_or_default()
}

/// Revokes at the org what was handed out to the account; to everybody where `None`.
pub(super) async fn revoke(shared: &Shared, login: Option<&str>, refresh: bool) -> Result<(), String> {
    let tokens = shared.lock().tokens.clone();
    for token in tokens.into_iter().filter(|t| refresh || !t.refresh) {
        if let Some(login) = login
            && introspect(shared, &token.text).await["username"] != login
        {
            continue;
        }
        let body = Serializer::new(String::new()).append_pair("token", &token.text).finish();
        ask(shared, Method::POST, "/oauth2/v1/revoke", &body).await?;
        shared.lock().tokens.retain(|t| *t != token);
    }
    Ok(())
}

/// Makes the org's answer Okta's.
pub(super) fn finish(shared: &Shared, method: &Method, path: &str, reply: &mut Reply) {
    if path.ends_with("/authorize/callback") {
        name_issuer(shared, reply);
    }
    if path == "/oauth2/v1/token" && reply.status == StatusCode::OK {
        remember(&mut shared.lock(), &reply.body);
    }
    if path.starts_with("/api/v1/") && method == Method::GET && reply.status == StatusCode::OK {
        fill(&shared.people, reply);
    }
}

/// Okta's answer carries `iss` (RFC 9207).
fn name_issuer(shared: &Shared, reply: &mut Reply) {
    let location = reply.headers.get(LOCATION).and_then(|v| v.to_str().ok()).and_then(|v| Url::parse(v).ok());
    if let Some(mut url) = location {
        url.query_pairs_mut().append_pair("iss", &shared.public);
        reply.headers.insert(LOCATION, HeaderValue::from_str(url.as_str()).expect("a header"));
    }
}

fn remember(state: &mut State, body: &[u8]) {
    let answer: Value = serde_json::from_slice(body).unwrap_or_default();
    for (key, refresh) in [("access_token", false), ("refresh_token", true)] {
        if let Some(text) = answer[key].as_str() {
            state.tokens.push(Token { text: text.to_owned(), refresh, account: None, scopes: Vec::new() });
        }
    }
}

fn fill(people: &[Person], reply: &mut Reply) {
    let Ok(mut body) = serde_json::from_slice::<Value>(&reply.body) else { return };
    match &mut body {
        Value::Array(list) => list.iter_mut().for_each(|user| fill_one(people, user)),
        user => fill_one(people, user),
    }
    reply.body = body.to_string().into();
}

fn fill_one(people: &[Person], user: &mut Value) {
    let Some(person) = people.iter().find(|p| user["profile"]["login"] == p.login) else { return };
    user["lastLogin"] = json!(person.last_login);
    user["created"] = json!(person.created);
}
