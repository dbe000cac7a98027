//! Calls to a provider's token, device and revocation endpoints, and to an app's probe.
//!
//! Must never follow a redirect, and never put an answer's body into an error.
//! Tests: below, `tests/connect.rs`, `tests/refresh.rs`.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use flowdeck_egress::{Credential, Egress, EgressError, Redirects, Request, Sent};
use flowdeck_model::Millis;
use flowdeck_model::app::{ClientAuth, OAuth2, Probe};
use flowdeck_model::time::retry_after_ms;
use http::{HeaderValue, Method, header};
use oauth2::TokenResponse as _;
use oauth2::basic::BasicTokenResponse;
use serde_json::Value;
use url::{Url, form_urlencoded};
use zeroize::Zeroizing;

use crate::classify::{FailureClass, classify};
use crate::hosts::HostRules;
use crate::secret::SecretText;

const BODY_BYTES_MAX: usize = 64 * 1024;

/// An answer as it came. Holds secrets.
pub(crate) struct Raw {
    pub(crate) status: u16,
    pub(crate) body: SecretText,
    /// The pause that the answer asks for, in milliseconds.
    pub(crate) retry_after_ms: Option<u64>,
}

/// A token answer.
pub(crate) struct Tokens {
    pub(crate) access: SecretText,
    pub(crate) refresh: Option<SecretText>,
    pub(crate) scopes: Option<Vec<String>>,
    pub(crate) expires_in_s: Option<u64>,
}

/// Why there is no token.
#[derive(Debug, Clone)]
pub(crate) struct TokenFault {
    pub(crate) class: FailureClass,
    pub(crate) error: String,
    pub(crate) message: String,
    /// Whether the provider may have seen the request.
    pub(crate) sent: Sent,
    /// The pause that the provider asks for, in milliseconds; not bounded yet.
    pub(crate) retry_after_ms: Option<u64>,
}

impl TokenFault {
    pub(crate) fn unsent(message: impl Into<String>) -> Self {
        Self {
            class: FailureClass::Transient,
            error: String::new(),
            message: message.into(),
            sent: Sent::No,
            retry_after_ms: None,
        }
    }
}

impl From<&EgressError> for TokenFault {
    fn from(e: &EgressError) -> Self {
        Self { sent: e.was_sent(), ..Self::unsent(e.to_string()) }
    }
}

/// The text without any of these secrets, should the other side have repeated one.
pub(crate) fn scrub(text: &str, secrets: &BTreeMap<String, SecretText>) -> String {
    let long_enough = secrets.values().map(SecretText::expose).filter(|s| s.len() >= 6);
    long_enough.fold(text.to_owned(), |text, secret| text.replace(secret, "\u{2026}"))
}

/// Who we are at the provider, and how to reach it.
pub(crate) struct Client<'a> {
    pub(crate) egress: &'a Egress,
    pub(crate) oauth: &'a OAuth2,
    pub(crate) id: String,
    pub(crate) secret: Option<SecretText>,
    /// The app's own parameters of token requests.
    pub(crate) extra: Vec<(String, String)>,
    pub(crate) hosts: HostRules,
    pub(crate) timeout_ms: u64,
    pub(crate) now: Millis,
}

impl Client<'_> {
    /// Posts a form with client authentication (RFC 6749 2.3.1).
    pub(crate) async fn post(&self, url: &str, params: &[(&str, &str)]) -> Result<Raw, EgressError> {
        let mut request = Request::new(Method::POST, flowdeck_egress::parse_url(url)?);
        self.sign(&mut request, params);
        request.headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"));
        request.headers.insert(header::ACCEPT, HeaderValue::from_static("application/json"));
        request.redirects = Redirects::None;
        request.timeout = Duration::from_millis(self.timeout_ms);
        request.response_bytes_max = BODY_BYTES_MAX;
        request.app_hosts = self.hosts.private();
        let response = self.egress.send(request).await?;
        let body = String::from_utf8_lossy(&response.body).into_owned();
        let header = |name| response.headers.get(name).and_then(|value| value.to_str().ok());
        let pause = header(header::RETRY_AFTER).and_then(|text| retry_after_ms(text, header(header::DATE), self.now));
        Ok(Raw { status: response.status.as_u16(), body: body.into(), retry_after_ms: pause })
    }

    /// The form as body, and who we are: in a header or in the form.
    fn sign(&self, request: &mut Request, params: &[(&str, &str)]) {
        let mut form = form_urlencoded::Serializer::new(String::new());
        form.extend_pairs(params).extend_pairs(&self.extra);
        match (&self.oauth.client_auth, &self.secret) {
            (ClientAuth::Basic, Some(secret)) => {
                let encoded = |t: &str| form_urlencoded::byte_serialize(t.as_bytes()).collect::<String>();
                let pair = Zeroizing::new(format!("{}:{}", encoded(&self.id), encoded(secret.expose())));
                let text = format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(pair.as_bytes()));
                if let Ok(mut value) = HeaderValue::from_str(&text) {
                    value.set_sensitive(true);
                    request.headers.insert(header::AUTHORIZATION, value);
                }
            }
            (ClientAuth::Body, Some(secret)) => {
                form.append_pair("client_id", &self.id).append_pair("client_secret", secret.expose());
            }
            _ => {
                form.append_pair("client_id", &self.id);
            }
        }
        request.body = form.finish().into_bytes().into();
    }
}

/// JSON of an answer; form bodies, text numbers and missing token types of some providers made regular.
fn regular(body: &str) -> Option<serde_json::Map<String, Value>> {
    let mut map = match serde_json::from_str::<Value>(body) {
        Ok(Value::Object(map)) => map,
        Ok(_) => return None,
        // Some providers answer as a form whatever `Accept` says.
        Err(_) if body.contains('=') && !body.contains('<') => form_urlencoded::parse(body.trim().as_bytes())
            .map(|(k, v)| (k.into_owned(), Value::String(v.into_owned())))
            .collect(),
        Err(_) => return None,
    };
    if let Some(seconds) = map.get("expires_in").and_then(Value::as_str).and_then(|t| t.parse::<u64>().ok()) {
        map.insert("expires_in".into(), seconds.into());
    }
    map.retain(|_, value| !value.is_null());
    Some(map)
}

/// Reads a token answer.
pub(crate) fn read_tokens(raw: &Raw, oauth: &OAuth2) -> Result<Tokens, TokenFault> {
    let map = regular(raw.body.expose());
    let error = map.as_ref().and_then(|m| m.get("error")).and_then(Value::as_str).map(str::to_owned);
    let fault = |message: String| TokenFault {
        class: classify(raw.status, error.as_deref()),
        error: error.clone().unwrap_or_default(),
        message,
        sent: Sent::Maybe,
        retry_after_ms: raw.retry_after_ms,
    };
    if let Some(code) = &error {
        return Err(fault(format!("the provider answered `{}`", short(code))));
    }
    if raw.status != 200 {
        return Err(fault(format!("the provider answered with status {}", raw.status)));
    }
    let Some(mut map) = map else { return Err(fault("the provider's answer is not a token answer".into())) };
    map.entry("token_type").or_insert_with(|| "bearer".into());
    let scope = map.remove("scope");
    let answer: BasicTokenResponse = serde_json::from_value(Value::Object(map))
        .map_err(|_| fault("the provider's answer has no access token".into()))?;
    let separator = oauth.scope_separator.as_str();
    let scopes = scope.as_ref().and_then(Value::as_str).map(|text| {
        text.split(|c: char| c.is_whitespace() || separator.contains(c))
            .filter(|s| !s.is_empty())
            .map(str::to_owned)
            .collect()
    });
    Ok(Tokens {
        access: answer.access_token().secret().as_str().into(),
        refresh: answer.refresh_token().map(|t| t.secret().as_str().into()),
        scopes,
        expires_in_s: answer.expires_in().map(|d| d.as_secs()),
    })
}

/// What a probe showed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Probed {
    /// It works, for this account.
    Works { subject: Option<String>, account: Option<String> },
    /// The credential is refused.
    Refused(String),
    /// It cannot be told now.
    Unclear(String),
}

/// Asks the app whose account a credential is.
pub(crate) async fn probe(
    egress: &Egress,
    probe: &Probe,
    url: &str,
    credential: Arc<dyn Credential>,
    hosts: &HostRules,
    timeout_ms: u64,
) -> Probed {
    let Ok(url) = Url::parse(url) else { return Probed::Unclear("the app's probe has no valid URL".into()) };
    let mut request = Request::new(if probe.post { Method::POST } else { Method::GET }, url);
    request.credential = Some(credential);
    request.redirects = Redirects::None;
    request.timeout = Duration::from_millis(timeout_ms);
    request.response_bytes_max = 1 << 20;
    request.app_hosts = hosts.private();
    request.headers.insert(header::ACCEPT, HeaderValue::from_static("application/json"));
    let response = match egress.send(request).await {
        Ok(response) => response,
        Err(e) => return Probed::Unclear(e.to_string()),
    };
    match response.status.as_u16() {
        200..=299 => {
            let body: Value = serde_json::from_slice(&response.body).unwrap_or(Value::Null);
            if probe.ok.as_ref().is_some_and(|ok| body.pointer(ok) != Some(&Value::Bool(true))) {
                return Probed::Refused("the app answered that the credential does not work".into());
            }
            let find = |pointers: &[String]| pointers.iter().find_map(|p| text_at(&body, p));
            Probed::Works { subject: find(&probe.subject), account: find(&probe.label) }
        }
        401 => Probed::Refused("the app answered 401 (not authorized)".into()),
        403 => Probed::Refused("the app answered 403 (forbidden)".into()),
        status => Probed::Unclear(format!("the app answered with status {status}")),
    }
}

fn text_at(body: &Value, pointer: &str) -> Option<String> {
    match body.pointer(pointer)? {
        Value::String(text) if !text.is_empty() => Some(short(text)),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// Shortened, without control characters.
pub(crate) fn short(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(200).collect()
}

/// The scopes of the lists together, each once, in order of first mention.
pub(crate) fn union<'a>(lists: impl IntoIterator<Item = &'a [String]>) -> Vec<String> {
    let mut seen = BTreeMap::new();
    let mut out = Vec::new();
    for scope in lists.into_iter().flatten() {
        if seen.insert(scope.clone(), ()).is_none() {
            out.push(scope.clone());
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_taken_out_of_a_text_and_short_words_are_left_in() {
        let secrets = BTreeMap::from([("a".to_owned(), "s3cret".into()), ("b".to_owned(), "of".into())]);
        assert_eq!(scrub("one of s3cret, s3cret!", &secrets), "one of \u{2026}, \u{2026}!");
    }

    #[test]
    fn a_page_is_no_token_answer() {
        assert!(regular("access_token=a&token_type=bearer").is_some());
        for body in ["<a href=x>access_token=a</a>", "[]", "\"access_token=a\"", "access_token"] {
            assert!(regular(body).is_none(), "{body}");
        }
    }
}
