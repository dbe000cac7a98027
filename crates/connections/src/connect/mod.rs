//! Attempts to connect: where each begins. Form, browser, device, completion have rooms of their own.
//!
//! Must never touch a working connection: that is for `complete`, after the new grant is proved.
//! Tests: `tests/connect.rs`.

mod attempt;
mod browser;
mod complete;
mod device;
mod form;

use std::collections::BTreeMap;

use flowdeck_model::AttemptId;
use flowdeck_model::app::{AppAuth, OAuth2, OAuthGrant};
use flowdeck_model::connect::PromptState;

use crate::api::{Attempt, BeginConnect, Surface};
use crate::error::ConnectError;
use crate::protocol::{read_tokens, union};
use crate::record::{AttemptRecord, ConnectionRecord, Phase, PromptHead};
use crate::registry::{Inner, Registry, method_of, oauth_of, plain};
use complete::Brought;

impl Registry {
    /// Begins to connect, repair or widen; without a browser it also ends here.
    ///
    /// # Errors
    /// [`ConnectError`]: the form, the names, the declaration or the store. A refusal by the provider is
    /// [`crate::AttemptStep::Failed`].
    pub async fn begin(&self, asked: BeginConnect) -> Result<Attempt, ConnectError> {
        let inner = &self.inner;
        inner.sweep_attempts().await?;
        let auth = inner.auth(&asked.app)?;
        let head = inner.asked_prompt(&asked).await?;
        let record = match asked.connection.or_else(|| head.as_ref().and_then(|h| h.connection)) {
            Some(id) => Some(inner.known(id).await?),
            None => None,
        };
        if let Some(r) = record.as_ref().filter(|r| r.app != asked.app) {
            return Err(ConnectError::WrongApp { connection: r.id, app: r.app.clone(), wanted: asked.app });
        }
        let chosen = asked.method.clone().or_else(|| record.as_ref().map(|r| r.method.clone()));
        let first = auth.methods.first().map(|m| m.key.clone()).unwrap_or_default();
        let method = method_of(&auth, &chosen.unwrap_or(first))?;
        let (fields, secrets) = inner.form(&auth, method, &asked.fields, record.as_ref()).await?;
        let nickname = inner.nickname(&asked, head.as_ref().and_then(|h| h.nickname.clone()), record.as_ref()).await?;
        let mut attempt = AttemptRecord {
            v: 1,
            id: AttemptId::new(inner.now(), inner.random_id()),
            app: asked.app.clone(),
            method: method.key.clone(),
            nickname,
            fields,
            requested: Vec::new(),
            prompt: asked.prompt,
            connection: record.as_ref().map(|r| r.id),
            redirect_uri: None,
            state_hash: None,
            expires_at: inner.now().plus(inner.parts.options.attempt_ms),
            interval_s: 0,
            next_poll: inner.now(),
            device: None,
            sealed: BTreeMap::new(),
            phase: Phase::Pending,
        };
        let Some(oauth) = oauth_of(method) else {
            return self.complete(attempt, Brought::form(secrets)).await;
        };
        attempt.requested =
            inner.scopes_to_ask(&auth, oauth, asked.scopes.as_deref(), head.as_ref(), record.as_ref()).await?;
        let client = inner.client(&auth, oauth, &plain(&attempt.fields), &secrets)?;
        match chosen_grant(oauth, &asked.surface) {
            Ok(OAuthGrant::AuthorizationCode) => {
                let redirect = match asked.surface {
                    Surface::Browser { redirect_uri } | Surface::Paste { redirect_uri } => redirect_uri,
                    Surface::Device | Surface::Direct => None,
                };
                self.begin_browser(&auth, oauth, &client.id, attempt, secrets, redirect).await
            }
            Ok(OAuthGrant::Device) => self.begin_device(&auth, oauth, &client, attempt, secrets).await,
            Ok(OAuthGrant::ClientCredentials) => {
                let url = inner.filled(&auth, &oauth.token_url, &plain(&attempt.fields))?;
                let scope = attempt.requested.join(&oauth.scope_separator);
                let called = match client.post(&url, &credentials_params(&scope)).await {
                    Ok(raw) => read_tokens(&raw, oauth),
                    Err(e) => Err((&e).into()),
                };
                drop(client);
                self.tokens(attempt, secrets, called).await
            }
            Err(possible) => Err(ConnectError::SurfaceUnsupported { title: method.title.clone(), possible }),
        }
    }
}

/// The form of a client credentials call (RFC 6749 4.4.2); an empty scope is left out.
pub(crate) fn credentials_params(scope: &str) -> Vec<(&'static str, &str)> {
    let mut params = vec![("grant_type", "client_credentials")];
    if !scope.is_empty() {
        params.push(("scope", scope));
    }
    params
}

fn chosen_grant(oauth: &OAuth2, surface: &Surface) -> Result<OAuthGrant, String> {
    let grant = match surface {
        // An app that only knows client credentials needs no person wherever it is asked.
        _ if oauth.grants == [OAuthGrant::ClientCredentials] => OAuthGrant::ClientCredentials,
        Surface::Browser { .. } | Surface::Paste { .. } => OAuthGrant::AuthorizationCode,
        Surface::Device => OAuthGrant::Device,
        Surface::Direct => OAuthGrant::ClientCredentials,
    };
    if oauth.grants.contains(&grant) {
        return Ok(grant);
    }
    let names = oauth.grants.iter().map(|grant| match grant {
        OAuthGrant::AuthorizationCode => "a browser",
        OAuthGrant::Device => "a device code",
        OAuthGrant::ClientCredentials => "client id and secret alone",
    });
    Err(names.collect::<Vec<_>>().join(", "))
}

impl Inner {
    async fn asked_prompt(&self, asked: &BeginConnect) -> Result<Option<PromptHead>, ConnectError> {
        let Some(id) = asked.prompt else { return Ok(None) };
        let head = self.head(id).await?;
        if head.app != asked.app {
            return Err(ConnectError::WrongPrompt { prompt: id, app: head.app });
        }
        if self.prompt_state(&head).await?.0 != PromptState::Open {
            return Err(ConnectError::PromptOver(id));
        }
        Ok(Some(head))
    }

    /// The chosen scopes and all that is granted or waited for: one consent, and nobody loses a right by it.
    async fn scopes_to_ask(
        &self,
        auth: &AppAuth,
        oauth: &OAuth2,
        asked: Option<&[String]>,
        head: Option<&PromptHead>,
        record: Option<&ConnectionRecord>,
    ) -> Result<Vec<String>, ConnectError> {
        let needed = match head {
            Some(head) => self.member_scopes(head.id).await?,
            None => Vec::new(),
        };
        let usual = match record {
            Some(r) if !r.requested.is_empty() => &r.requested,
            _ => &auth.default_scopes,
        };
        let awaited = match record {
            Some(r) => self.awaited_scopes(r.id).await?,
            None => Vec::new(),
        };
        let granted = record.and_then(|r| r.granted.clone()).unwrap_or_default();
        let probed = auth.probe.as_ref().map(|p| p.scopes.clone()).unwrap_or_default();
        Ok(union([asked.unwrap_or(usual), &oauth.always_scopes, &probed, &granted, &needed, &awaited]))
    }
}
