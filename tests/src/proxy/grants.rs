//! What Slack, Google, GitHub and Microsoft do and the emulator does not: a token that nobody was given is refused, scopes
//! count, and a program may listen on any port of its machine.
//!
//! Must never invent who a token belongs to: it is who pressed the button on the consent page.
//! Tests: `tests/tests/scenarios`.

use bytes::Bytes;
use http::header::{HeaderMap, HeaderValue, LOCATION};
use http::request::Parts;
use http::{Method, StatusCode};
use serde_json::Value;
use url::Url;
use url::form_urlencoded::{Serializer, parse};

use super::Shared;
use super::okta::Token;
use super::serve::Reply;

/// Who asks. An answer in place of an account is the refusal.
pub(super) fn account(
    shared: &Shared,
    method: &Method,
    path: &str,
    headers: &HeaderMap,
    body: &[u8],
) -> Result<Option<String>, Reply> {
    let state = shared.lock();
    if path == shared.service.token() {
        let form = fields(body);
        let given = value(&form, "refresh_token");
        let known = given.is_none() || state.tokens.iter().any(|t| t.refresh && Some(&t.text) == given.as_ref());
        let refusal = r#"{"error":"invalid_grant","error_description":"Token has been expired or revoked."}"#;
        return if known { Ok(None) } else { Err(Reply::json(StatusCode::BAD_REQUEST, refusal)) };
    }
    if !shared.service.is_api(path) {
        return Ok(None);
    }
    let credential = headers.get("authorization").and_then(|v| v.to_str().ok()).unwrap_or_default();
    let token = credential.split_once(' ').map_or("", |(_, token)| token);
    let Some(token) = state.tokens.iter().find(|t| !t.refresh && t.text == token) else {
        return Err(shared.service.unknown_token());
    };
    let needed = shared.service.scopes(method, path);
    if state.scopes_enforced && !needed.is_empty() && !needed.iter().any(|n| token.scopes.iter().any(|s| s == n)) {
        return Err(shared.service.lacks_scope());
    }
    Ok(token.account.clone())
}

/// Notes who consented and which tokens came of it, and sends the browser back to the port it came from.
pub(super) fn finish(shared: &Shared, path: &str, request: &[u8], reply: &mut Reply) {
    let (consent, who) = shared.service.consent();
    if path == consent {
        let form = fields(request);
        let account = value(&form, who).unwrap_or_default();
        let Some(mut location) = location(reply) else { return };
        let query: Vec<(String, String)> = location.query_pairs().into_owned().collect();
        let mut state = shared.lock();
        state.codes.insert(value(&query, "code").unwrap_or_default(), account);
        if let Some(port) = state.ports.get(&value(&query, "state").unwrap_or_default()) {
            location.set_port(Some(*port)).ok();
            reply.headers.insert(LOCATION, HeaderValue::from_str(location.as_str()).expect("a header"));
        }
    } else if path == shared.service.token() && reply.status == StatusCode::OK {
        remember(shared, &fields(request), &serde_json::from_slice(&reply.body).unwrap_or_default());
    }
}

fn remember(shared: &Shared, form: &[(String, String)], answer: &Value) {
    let mut state = shared.lock();
    let before = value(form, "refresh_token");
    let before = before.and_then(|text| state.tokens.iter().find(|t| t.text == text)).cloned();
    let account = match &before {
        Some(token) => token.account.clone(),
        None => value(form, "code").and_then(|code| state.codes.remove(&code)),
    };
    let scopes = answer["scope"].as_str().unwrap_or_default();
    let scopes: Vec<String> = scopes.split([' ', ',']).map(str::to_owned).collect();
    if let (Some(before), true) = (&before, answer["refresh_token"].is_string()) {
        state.tokens.retain(|t| t != before);
    }
    for (key, refresh) in [("access_token", false), ("refresh_token", true)] {
        if let Some(text) = answer[key].as_str() {
            let (text, account, scopes) = (text.to_owned(), account.clone(), scopes.clone());
            state.tokens.push(Token { text, refresh, account, scopes });
        }
    }
}

/// Forgets tokens of an account, of everybody where `None`; nothing but this keeps them alive.
pub(super) fn revoke(shared: &Shared, account: Option<&str>, refresh: bool) {
    let hit = |t: &Token| (refresh || !t.refresh) && account.is_none_or(|a| t.account.as_deref() == Some(a));
    shared.lock().tokens.retain(|t| !hit(t));
}

/// The redirect address as it is registered: without the port, which is kept for the way back.
pub(super) fn without_port(shared: &Shared, parts: &mut Parts, body: Bytes) -> Bytes {
    if !shared.service.takes_any_port() {
        return body;
    }
    if let Some(query) = parts.uri.query()
        && let Some(changed) = registered(shared, query.as_bytes())
    {
        let target = format!("{}?{changed}", parts.uri.path());
        parts.uri = target.parse().expect("a target");
    }
    let is_token = parts.uri.path() == shared.service.token();
    is_token.then(|| registered(shared, &body)).flatten().map_or(body, Bytes::from)
}

fn registered(shared: &Shared, form: &[u8]) -> Option<String> {
    let mut all = fields(form);
    let state = value(&all, "state");
    let (_, redirect) = all.iter_mut().find(|(key, _)| key == "redirect_uri")?;
    let mut url = Url::parse(redirect).ok().filter(|url| url.host_str() == Some("127.0.0.1"))?;
    let port = url.port()?;
    url.set_port(None).ok()?;
    *redirect = url.to_string();
    if let Some(state) = state {
        shared.lock().ports.insert(state, port);
    }
    Some(Serializer::new(String::new()).extend_pairs(all).finish())
}

fn location(reply: &Reply) -> Option<Url> {
    reply.headers.get(LOCATION).and_then(|v| v.to_str().ok()).and_then(|v| Url::parse(v).ok())
}

fn fields(form: &[u8]) -> Vec<(String, String)> {
    parse(form).into_owned().collect()
}

fn value(fields: &[(String, String)], key: &str) -> Option<String> {
    fields.iter().find(|(k, v)| k == key && !v.is_empty()).map(|(_, v)| v.clone())
}
