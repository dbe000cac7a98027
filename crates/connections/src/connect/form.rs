//! The form of an attempt: what was entered, tidied and checked, and the nickname.
//!
//! Must never send a kept secret where another address was entered: then it must be entered anew.
//! Tests: `tests/connect.rs`, `tests/hostile.rs`.

use std::collections::BTreeMap;

use flowdeck_model::Nickname;
use flowdeck_model::app::{AppAuth, AuthField, AuthMethod, FieldShape};
use indexmap::IndexMap;

use crate::api::BeginConnect;
use crate::error::{ConnectError, FieldError};
use crate::fields::tidy;
use crate::hosts::HttpHosts;
use crate::prompts::free_nickname;
use crate::record::ConnectionRecord;
use crate::registry::{Inner, Secrets, oauth_of};
use crate::secret::SecretText;

/// What may steer an address inside a URL template; only fields that are declared as domain or URL may hold it.
const URL_SIGNS: [char; 8] = ['/', '?', '#', '@', '\\', ':', '%', ' '];

impl Inner {
    pub(super) async fn form(
        &self,
        auth: &AppAuth,
        method: &AuthMethod,
        given: &BTreeMap<String, SecretText>,
        record: Option<&ConnectionRecord>,
    ) -> Result<(IndexMap<String, String>, Secrets), ConnectError> {
        let http = HttpHosts::new(&self.parts.options.allow_http_hosts, auth.private_hosts);
        let same = record.filter(|r| r.method == method.key);
        let mut errors: Vec<FieldError> = given
            .keys()
            .filter(|k| !method.fields.iter().any(|f| f.key == **k))
            .map(|k| error(k, "the form has no such field".into()))
            .collect();
        let entered = |field: &AuthField| given.get(&field.key).filter(|s| !s.expose().trim().is_empty());
        let mut fields = IndexMap::new();
        for field in method.fields.iter().filter(|f| !f.secret) {
            let before = same.and_then(|r| r.fields.get(&field.key)).map(String::as_str);
            let value = entered(field).map(SecretText::expose).or(before).or(field.default.as_deref());
            match checked(auth, method, field, value, &http) {
                Ok(Some(text)) => drop(fields.insert(field.key.clone(), text)),
                Ok(None) => {}
                Err(message) => errors.push(error(&field.key, message)),
            }
        }
        let known = match same {
            // A secret entered for one address or client is not sent to another one.
            Some(r) if r.fields == fields => self.secrets(r).await.unwrap_or_default(),
            _ => Secrets::new(),
        };
        let mut secrets = Secrets::new();
        for field in method.fields.iter().filter(|f| f.secret) {
            let value = entered(field).or(known.get(&field.key)).map(SecretText::expose).or(field.default.as_deref());
            match checked(auth, method, field, value, &http) {
                Ok(Some(text)) => drop(secrets.insert(field.key.clone(), text.into())),
                Ok(None) => {}
                Err(message) => errors.push(error(&field.key, message)),
            }
        }
        if errors.is_empty() { Ok((fields, secrets)) } else { Err(ConnectError::Fields(errors)) }
    }

    pub(super) async fn nickname(
        &self,
        asked: &BeginConnect,
        suggested: Option<Nickname>,
        record: Option<&ConnectionRecord>,
    ) -> Result<Nickname, ConnectError> {
        if let Some(record) = record {
            return Ok(record.nickname.clone());
        }
        let records = self.records(Some(&asked.app)).await?;
        let taken = |name: &Nickname| records.iter().any(|r| r.nickname == *name);
        match &asked.nickname {
            Some(name) if taken(name) => {
                Err(ConnectError::NicknameTaken { app: asked.app.clone(), nickname: name.clone() })
            }
            Some(name) => Ok(name.clone()),
            None => Ok(free_nickname(suggested.as_ref().map_or(asked.app.as_str(), Nickname::as_str), taken)),
        }
    }
}

fn error(key: &str, message: String) -> FieldError {
    FieldError { key: key.to_owned(), message }
}

fn checked(
    auth: &AppAuth,
    method: &AuthMethod,
    field: &AuthField,
    value: Option<&str>,
    http: &HttpHosts,
) -> Result<Option<String>, String> {
    let Some(value) = value else {
        return if field.optional { Ok(None) } else { Err(format!("enter the {}", field.title)) };
    };
    let text = tidy(&field.shape, value, http)?;
    let plain = matches!(field.shape, FieldShape::Text);
    if plain && text.contains(URL_SIGNS) && in_a_url(auth, method, &field.key) {
        return Err(format!("enter the {} alone, without a path, a port or other signs of a URL", field.title));
    }
    Ok(Some(text))
}

fn in_a_url(auth: &AppAuth, method: &AuthMethod, key: &str) -> bool {
    let placeholder = format!("{{{key}}}");
    let oauth = oauth_of(method);
    let of_oauth = oauth.into_iter().flat_map(|o| {
        [Some(&o.token_url), o.authorize_url.as_ref(), o.device_url.as_ref(), o.revoke_url.as_ref(), o.issuer.as_ref()]
    });
    let mut templates = auth.hosts.iter().chain(auth.probe.as_ref().map(|p| &p.url)).chain(of_oauth.flatten());
    templates.any(|t| t.contains(&placeholder))
}
