//! Attempts to connect: form, browser, device, direct; completion, account check, promotion.
//!
//! Must never call the token endpoint before the attempt's state is used up, and never switch accounts unasked.
//! Tests: `tests/connect.rs`.

use std::collections::BTreeMap;
use std::sync::Arc;

use flowdeck_engine::ports::Space;
use flowdeck_model::app::{AppAuth, AuthMethod, OAuthGrant, RedirectPolicy};
use flowdeck_model::connect::{ConnectionState, PromptState};
use flowdeck_model::{AttemptId, ConnectionId, Nickname};
use oauth2::{PkceCodeChallenge, PkceCodeVerifier};
use url::{Url, form_urlencoded};

use crate::api::{Attempt, AttemptFault, AttemptStep, AuditKind, BeginConnect, ConnectError, FieldError, Surface};
use crate::classify::FailureClass;
use crate::fields::tidy;
use crate::hosts::{HttpHosts, is_loopback};
use crate::lifecycle::{Happening, next};
use crate::prompts::free_nickname;
use crate::protocol::{Probed, TokenFault, Tokens, probe, read_tokens, short, union};
use crate::random::token;
use crate::record::{AttemptRecord, ConnectionRecord, Phase, digest, encode, grant_key, key};
use crate::registry::{Inner, Registry, Secrets, method_of, oauth_of, plain, view};
use crate::secret::SecretText;

/// What an authorization brought.
struct Brought {
    secrets: Secrets,
    granted: Option<Vec<String>>,
    expires_in_s: Option<u64>,
    subject: Option<String>,
    account: Option<String>,
}

impl Registry {
    /// Begins to connect, repair or widen; without a browser it also ends here.
    ///
    /// # Errors
    /// [`ConnectError`]: the form, the names, the declaration or the store. A refusal by the provider is
    /// [`AttemptStep::Failed`].
    pub async fn begin(&self, asked: BeginConnect) -> Result<Attempt, ConnectError> {
        let inner = &self.inner;
        let auth = inner.auth(&asked.app)?;
        let head = match asked.prompt {
            Some(id) => Some(inner.head(id).await?),
            None => None,
        };
        if let Some(head) = &head
            && inner.prompt_state(head).await? != PromptState::Open
        {
            return Err(ConnectError::PromptOver(head.id));
        }
        let target = asked.connection.or_else(|| head.as_ref().and_then(|h| h.connection));
        let record = match target {
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
            let brought = Brought { secrets, granted: None, expires_in_s: None, subject: None, account: None };
            return self.complete(attempt, brought).await;
        };
        let needed = match &head {
            Some(head) => inner.prompt_view(head, None).await?.scopes,
            None => Vec::new(),
        };
        let granted = record.as_ref().and_then(|r| r.granted.clone()).unwrap_or_default();
        let awaited = match &record {
            Some(r) => inner.awaited_scopes(r.id).await?,
            None => Vec::new(),
        };
        let chosen = asked.scopes.as_ref().unwrap_or(&auth.default_scopes);
        let probed = auth.probe.as_ref().map(|p| p.scopes.clone()).unwrap_or_default();
        attempt.requested = union([chosen.as_slice(), &oauth.always_scopes, &probed, &granted, &needed, &awaited]);
        let scope = attempt.requested.join(&oauth.scope_separator);
        let client = inner.client(&auth, oauth, &plain(&attempt.fields), &secrets)?;
        let grant = match asked.surface {
            Surface::Browser { .. } | Surface::Paste { .. } => OAuthGrant::AuthorizationCode,
            Surface::Device => OAuthGrant::Device,
            Surface::Direct => OAuthGrant::ClientCredentials,
        };
        // An app that only knows client credentials needs no person wherever it is asked.
        let grant = if oauth.grants == [OAuthGrant::ClientCredentials] { OAuthGrant::ClientCredentials } else { grant };
        if !oauth.grants.contains(&grant) {
            let possible = oauth.grants.iter().map(|g| format!("{g:?}")).collect::<Vec<_>>().join(", ");
            return Err(ConnectError::SurfaceUnsupported { title: method.title.clone(), possible });
        }
        let wrong = |why: &str| ConnectError::Declaration { app: auth.app.clone(), why: why.to_owned() };
        let mut kept = secrets;
        match grant {
            OAuthGrant::AuthorizationCode => {
                let given = match asked.surface {
                    Surface::Browser { redirect_uri } | Surface::Paste { redirect_uri } => redirect_uri,
                    _ => None,
                };
                let redirect = inner.checked_redirect(&auth, oauth.redirect, given)?;
                let template = oauth.authorize_url.as_deref().ok_or_else(|| wrong("no authorization endpoint"))?;
                let mut url = Url::parse(&inner.filled(&auth, template, &plain(&attempt.fields))?)
                    .map_err(|_| wrong("the authorization endpoint is no URL"))?;
                let state = token(&*inner.parts.random);
                let verifier = PkceCodeVerifier::new(token(&*inner.parts.random));
                {
                    let mut query = url.query_pairs_mut();
                    query.append_pair("response_type", "code").append_pair("client_id", &client.id);
                    query
                        .append_pair("redirect_uri", &redirect)
                        .append_pair("scope", &scope)
                        .append_pair("state", &state);
                    if !oauth.no_pkce {
                        let challenge = PkceCodeChallenge::from_code_verifier_sha256(&verifier);
                        query
                            .append_pair("code_challenge", challenge.as_str())
                            .append_pair("code_challenge_method", "S256");
                    }
                    for (name, value) in &oauth.authorize_params {
                        query.append_pair(name, value);
                    }
                }
                kept.insert("attempt.verifier".into(), verifier.secret().as_str().into());
                kept.insert("attempt.state".into(), state.as_str().into());
                kept.insert("attempt.url".into(), url.as_str().into());
                attempt.state_hash = Some(hex::encode(digest(&state)));
                attempt.redirect_uri = Some(redirect);
            }
            OAuthGrant::Device => {
                let template = oauth.device_url.as_deref().ok_or_else(|| wrong("no device endpoint"))?;
                let url = inner.filled(&auth, template, &plain(&attempt.fields))?;
                let raw = match client.post(&url, &[("scope", scope.as_str())]).await {
                    Ok(raw) => raw,
                    Err(e) => return self.fail(attempt, "unreachable", &e.to_string()).await,
                };
                let body: serde_json::Value = serde_json::from_str(raw.body.expose()).unwrap_or_default();
                let text = |name: &str| body.get(name).and_then(serde_json::Value::as_str).map(str::to_owned);
                let (Some(device), Some(user), Some(uri)) = (
                    text("device_code"),
                    text("user_code"),
                    text("verification_uri").or_else(|| text("verification_url")),
                ) else {
                    return self
                        .fail(attempt, "provider", &format!("the provider gave no device code (status {})", raw.status))
                        .await;
                };
                let number = |name: &str| body.get(name).and_then(serde_json::Value::as_u64);
                attempt.interval_s = number("interval").unwrap_or(5).clamp(1, 300);
                attempt.expires_at = inner.now().plus(number("expires_in").unwrap_or(600).min(3_600) * 1_000);
                attempt.next_poll = inner.now().plus(attempt.interval_s * 1_000);
                attempt.device = Some((user, uri, text("verification_uri_complete")));
                kept.insert("attempt.device".into(), device.into());
            }
            OAuthGrant::ClientCredentials => {
                let url = inner.filled(&auth, &oauth.token_url, &plain(&attempt.fields))?;
                let params = [("grant_type", "client_credentials"), ("scope", scope.as_str())];
                let called = match client.post(&url, &params).await {
                    Ok(raw) => read_tokens(&raw, oauth),
                    Err(e) => Err(TokenFault::transient(e.to_string())),
                };
                return self.tokens(attempt, kept, called).await;
            }
        }
        attempt.sealed = inner.seal("attempt", attempt.id.to_bytes(), 0, &kept);
        let mut change = inner.change();
        change.delta.put(Space::Attempts, key("a", &attempt.id.to_bytes()), encode(&attempt));
        if let Some(hash) = &attempt.state_hash {
            change.delta.put(Space::Attempts, key("s", hash.as_bytes()), encode(&attempt.id));
        }
        inner.parts.store.commit(change.delta).await?;
        inner.shown(attempt).await
    }

    /// The browser's answer: a query string, a path with a query, or the whole URL.
    ///
    /// # Errors
    /// [`ConnectError::UnknownState`] for a replay or a foreign answer; [`ConnectError::AttemptOver`];
    /// [`ConnectError::WrongIssuer`].
    pub async fn callback(&self, query: &str) -> Result<Attempt, ConnectError> {
        let answer = answer_of(query);
        let hash = hex::encode(digest(answer.get("state").ok_or(ConnectError::UnknownState)?));
        let id: Option<AttemptId> = self.inner.read(Space::Attempts, &key("s", hash.as_bytes())).await?;
        self.answered(id.ok_or(ConnectError::UnknownState)?, answer).await
    }

    /// What a person pasted: the whole URL they were sent to, or the code in it.
    ///
    /// # Errors
    /// As [`Self::callback`].
    pub async fn paste(&self, attempt: AttemptId, text: &str) -> Result<Attempt, ConnectError> {
        let text = text.trim();
        let answer =
            if text.contains('=') { answer_of(text) } else { BTreeMap::from([("code".to_owned(), text.to_owned())]) };
        let record = self.inner.attempt_record(attempt).await?;
        let state = answer.get("state").map(|s| hex::encode(digest(s)));
        if state.is_some() && state != record.state_hash {
            return Err(ConnectError::UnknownState);
        }
        self.answered(attempt, answer).await
    }

    async fn answered(&self, id: AttemptId, answer: BTreeMap<String, String>) -> Result<Attempt, ConnectError> {
        let this = self.clone();
        // The code works once: the exchange goes on when the caller goes away.
        let work = tokio::spawn(async move { Box::pin(this.exchange(id, answer)).await });
        work.await.unwrap_or(Err(ConnectError::AttemptOver { why: "the exchange stopped" }))
    }

    async fn exchange(&self, id: AttemptId, answer: BTreeMap<String, String>) -> Result<Attempt, ConnectError> {
        let inner = &self.inner;
        let lock = inner.flight(id.to_bytes());
        let _flight = lock.lock().await;
        let mut attempt = inner.attempt_record(id).await?;
        inner.still_pending(&attempt)?;
        let auth = inner.auth(&attempt.app)?;
        let method = method_of(&auth, &attempt.method)?;
        let oauth = oauth_of(method).ok_or(ConnectError::UnknownState)?;
        let fields = plain(&attempt.fields);
        if let Some(template) = &oauth.issuer {
            let expected = inner.filled(&auth, template, &fields)?;
            let got = answer.get("iss").cloned().unwrap_or_default();
            if got != expected {
                return Err(ConnectError::WrongIssuer { expected, got: short(&got) });
            }
        } else if let Some(iss) = answer.get("iss") {
            // Not declared, but sent: it must at least be the server that we ask for the token (RFC 9207 2.4).
            let asked = Url::parse(&inner.filled(&auth, &oauth.token_url, &fields)?).ok();
            let same = Url::parse(iss).ok().zip(asked.as_ref()).is_some_and(|(a, b)| a.origin() == b.origin());
            if !same {
                let expected = asked.map(|u| u.origin().ascii_serialization()).unwrap_or_default();
                return Err(ConnectError::WrongIssuer { expected, got: short(iss) });
            }
        }
        let kept = inner.unseal("attempt", attempt.id.to_bytes(), 0, &attempt.sealed)?;
        let before = encode(&attempt);
        attempt.phase = Phase::Consumed;
        attempt.sealed.clear();
        let mut change = inner.change();
        change.delta.expect_equals(Space::Attempts, key("a", &id.to_bytes()), before);
        change.delta.put(Space::Attempts, key("a", &id.to_bytes()), encode(&attempt));
        if let Some(hash) = &attempt.state_hash {
            change.delta.delete(Space::Attempts, key("s", hash.as_bytes()));
        }
        inner.parts.store.commit(change.delta).await?;
        if let Some(error) = answer.get("error") {
            let detail = answer.get("error_description").map(|d| format!(": {}", short(d))).unwrap_or_default();
            return self.fail(attempt, "refused", &format!("the provider answered `{}`{detail}", short(error))).await;
        }
        let Some(code) = answer.get("code") else {
            return self.fail(attempt, "provider", "the provider's answer has no code").await;
        };
        let client = inner.client(&auth, oauth, &fields, &kept)?;
        let url = inner.filled(&auth, &oauth.token_url, &fields)?;
        let redirect = attempt.redirect_uri.clone().unwrap_or_default();
        let mut params =
            vec![("grant_type", "authorization_code"), ("code", code.as_str()), ("redirect_uri", &redirect)];
        if let Some(verifier) = kept.get("attempt.verifier").filter(|_| !oauth.no_pkce) {
            params.push(("code_verifier", verifier.expose()));
        }
        let called = match client.post(&url, &params).await {
            Ok(raw) => read_tokens(&raw, oauth),
            Err(e) => Err(TokenFault::transient(e.to_string())),
        };
        drop(params);
        self.tokens(attempt, kept, called).await
    }

    /// Asks whether the device code was approved; sooner than the interval allows no call is made.
    ///
    /// # Errors
    /// [`ConnectError::UnknownAttempt`], [`ConnectError::AttemptOver`].
    pub async fn poll_device(&self, id: AttemptId) -> Result<Attempt, ConnectError> {
        let this = self.clone();
        let work = tokio::spawn(async move { Box::pin(this.poll(id)).await });
        work.await.unwrap_or(Err(ConnectError::AttemptOver { why: "the poll stopped" }))
    }

    async fn poll(&self, id: AttemptId) -> Result<Attempt, ConnectError> {
        let inner = &self.inner;
        let lock = inner.flight(id.to_bytes());
        let _flight = lock.lock().await;
        let mut attempt = inner.attempt_record(id).await?;
        if !matches!(attempt.phase, Phase::Pending) {
            return inner.shown(attempt).await;
        }
        let now = inner.now();
        if attempt.expires_at <= now {
            return self.fail(attempt, "expired", "the code was not approved in time").await;
        }
        if now < attempt.next_poll {
            return inner.shown(attempt).await;
        }
        let auth = inner.auth(&attempt.app)?;
        let method = method_of(&auth, &attempt.method)?;
        let oauth = oauth_of(method).ok_or(ConnectError::UnknownAttempt)?;
        let fields = plain(&attempt.fields);
        let kept = inner.unseal("attempt", attempt.id.to_bytes(), 0, &attempt.sealed)?;
        let client = inner.client(&auth, oauth, &fields, &kept)?;
        let url = inner.filled(&auth, &oauth.token_url, &fields)?;
        let code = kept.get("attempt.device").cloned().ok_or(ConnectError::UnknownAttempt)?;
        let params = [("grant_type", "urn:ietf:params:oauth:grant-type:device_code"), ("device_code", code.expose())];
        let called = match client.post(&url, &params).await {
            Ok(raw) => read_tokens(&raw, oauth),
            Err(e) => Err(TokenFault::transient(e.to_string())),
        };
        match &called {
            Err(fault) if fault.error == "authorization_pending" => {}
            // RFC 8628 3.5: five seconds more, from now on.
            Err(fault) if fault.error == "slow_down" => attempt.interval_s = (attempt.interval_s + 5).min(300),
            Err(fault) if fault.class == FailureClass::Transient => {
                attempt.interval_s = (attempt.interval_s * 2).min(300)
            }
            _ => {
                attempt.phase = Phase::Consumed;
                attempt.sealed.clear();
                return self.tokens(attempt, kept, called).await;
            }
        }
        attempt.next_poll = now.plus(attempt.interval_s * 1_000);
        inner.save_attempt(&attempt).await?;
        inner.shown(attempt).await
    }

    /// Answers [`AttemptStep::ConfirmAccount`]: switch to the other account, or keep the earlier one.
    ///
    /// # Errors
    /// [`ConnectError::UnknownAttempt`], [`ConnectError::AttemptOver`].
    pub async fn confirm(&self, id: AttemptId, accept: bool) -> Result<Attempt, ConnectError> {
        let attempt = self.inner.attempt_record(id).await?;
        let Phase::Candidate { subject, account, granted, expires_in_s, .. } = attempt.phase.clone() else {
            return Err(ConnectError::AttemptOver { why: "there is nothing to confirm" });
        };
        if attempt.expires_at <= self.inner.now() {
            return self.fail(attempt, "expired", "the switch was not confirmed in time").await;
        }
        if !accept {
            return self.fail(attempt, "kept", "the earlier account was kept").await;
        }
        let secrets = self.inner.unseal("attempt", attempt.id.to_bytes(), 1, &attempt.sealed)?;
        self.promote(attempt, Brought { secrets, granted: Some(granted), expires_in_s, subject, account }, true).await
    }

    /// Where an attempt stands.
    ///
    /// # Errors
    /// [`ConnectError::UnknownAttempt`].
    pub async fn attempt(&self, id: AttemptId) -> Result<Attempt, ConnectError> {
        let attempt = self.inner.attempt_record(id).await?;
        self.inner.shown(attempt).await
    }

    async fn tokens(
        &self,
        attempt: AttemptRecord,
        mut secrets: Secrets,
        called: Result<Tokens, TokenFault>,
    ) -> Result<Attempt, ConnectError> {
        let tokens = match called {
            Ok(tokens) => tokens,
            Err(fault) => {
                let code = match fault.class {
                    FailureClass::AppBroken => "setup",
                    FailureClass::Transient => "unreachable",
                    _ => "refused",
                };
                return self.fail(attempt, code, &fault.message).await;
            }
        };
        secrets.retain(|name, _| !name.starts_with("attempt."));
        secrets.insert("oauth.access".into(), tokens.access);
        if let Some(refresh) = tokens.refresh {
            secrets.insert("oauth.refresh".into(), refresh);
        }
        // An omitted scope means: as requested (RFC 6749 5.1).
        let granted = tokens.scopes.unwrap_or_else(|| attempt.requested.clone());
        let brought = Brought {
            secrets,
            granted: Some(granted),
            expires_in_s: tokens.expires_in_s,
            subject: None,
            account: None,
        };
        self.complete(attempt, brought).await
    }

    async fn complete(&self, mut attempt: AttemptRecord, mut brought: Brought) -> Result<Attempt, ConnectError> {
        let inner = &self.inner;
        let auth = inner.auth(&attempt.app)?;
        let method = method_of(&auth, &attempt.method)?;
        let fields = plain(&attempt.fields);
        let owner = attempt.connection.unwrap_or_else(|| ConnectionId::from_bytes(attempt.id.to_bytes()));
        let bearer = inner.bearer(&auth, method, owner, &fields, &brought.secrets)?;
        if let Some(declared) = &auth.probe {
            let url = inner.filled(&auth, &declared.url, &fields)?;
            let hosts = bearer.hosts.clone();
            match probe(
                &inner.parts.egress,
                declared,
                &url,
                Arc::new(bearer),
                &hosts,
                inner.parts.options.call_timeout_ms,
            )
            .await
            {
                Probed::Works { subject, account } => (brought.subject, brought.account) = (subject, account),
                Probed::Refused(why) => return self.fail(attempt, "refused", &why).await,
                Probed::Unclear(why) => {
                    return self.fail(attempt, "unreachable", &format!("the account could not be checked: {why}")).await;
                }
            }
        }
        let was = match attempt.connection {
            Some(id) => inner.record(id).await?,
            None => None,
        };
        if let Some(was) = was.filter(|w| w.subject.is_some() && w.subject != brought.subject) {
            let named = |account: &Option<String>, subject: &Option<String>| {
                account.clone().or_else(|| subject.clone()).unwrap_or_else(|| "an unknown account".into())
            };
            attempt.phase = Phase::Candidate {
                was: named(&was.account, &was.subject),
                now: named(&brought.account, &brought.subject),
                subject: brought.subject,
                account: brought.account,
                granted: brought.granted.unwrap_or_default(),
                expires_in_s: brought.expires_in_s,
            };
            attempt.sealed = inner.seal("attempt", attempt.id.to_bytes(), 1, &brought.secrets);
            inner.save_attempt(&attempt).await?;
            return inner.shown(attempt).await;
        }
        self.promote(attempt, brought, false).await
    }

    async fn promote(
        &self,
        mut attempt: AttemptRecord,
        brought: Brought,
        switched: bool,
    ) -> Result<Attempt, ConnectError> {
        let inner = &self.inner;
        let _write = inner.write.lock().await;
        let now = inner.now();
        let records = inner.records(Some(&attempt.app)).await?;
        let was = records.iter().find(|r| Some(r.id) == attempt.connection);
        if attempt.connection.is_some() && was.is_none() {
            return Err(ConnectError::AttemptOver { why: "the connection was removed meanwhile" });
        }
        let auth = inner.auth(&attempt.app)?;
        let method = method_of(&auth, &attempt.method)?;
        let oauth = oauth_of(method).is_some();
        let credentials = oauth_of(method).is_some_and(|o| o.grants == [OAuthGrant::ClientCredentials]);
        let taken = |name: &Nickname| records.iter().any(|r| r.nickname == *name);
        let record = ConnectionRecord {
            v: 1,
            id: was.map_or_else(|| ConnectionId::new(now, inner.random_id()), |w| w.id),
            app: attempt.app.clone(),
            app_version: auth.version.clone(),
            nickname: was.map_or_else(|| free_nickname(attempt.nickname.as_str(), taken), |w| w.nickname.clone()),
            method: attempt.method.clone(),
            state: was
                .map_or(Some(ConnectionState::Active), |w| next(w.state, Happening::Authorized))
                .unwrap_or(ConnectionState::Disabled),
            state_reason: String::new(),
            setup: false,
            subject: brought.subject,
            account: brought.account,
            fields: attempt.fields.clone(),
            requested: attempt.requested.clone(),
            granted: brought.granted.filter(|_| oauth),
            generation: was.map_or(1, |w| w.generation + 1),
            proved_generation: 0,
            proved_at: auth.probe.is_some().then_some(now),
            issued_at: now,
            expires_at: brought.expires_in_s.map(|s| now.plus(s.saturating_mul(1_000))),
            renewable: oauth && (credentials || brought.secrets.contains_key("oauth.refresh")),
            created_at: was.map_or(now, |w| w.created_at),
            refusals: 0,
            streak: 0,
            retry_at: None,
        };
        let mut change = inner.change();
        inner.put_record(&mut change, &record);
        inner.put_secrets(&mut change, record.id, record.generation, &brought.secrets);
        for old in was.iter().flat_map(|w| [w.generation, w.generation.saturating_sub(1)]) {
            change.delta.delete(Space::Grants, grant_key(record.id, old));
        }
        change.delta.delete(Space::Grants, key("i", &record.id.to_bytes()));
        change.delta.delete(Space::Grants, key("r", &record.id.to_bytes()));
        if let Some(id) = attempt.prompt {
            let head = inner.head(id).await?;
            if inner.prompt_state(&head).await? == PromptState::Open {
                inner.answer_prompt(&mut change, &head, &record).await?;
            }
        }
        inner
            .settle_prompts(&mut change, &record, attempt.prompt, records.len() + usize::from(was.is_none()) == 1)
            .await?;
        let kind = match (was, switched) {
            (_, true) => AuditKind::Switch,
            (Some(_), false) => AuditKind::Repair,
            (None, false) => AuditKind::Connect,
        };
        inner.audit(&mut change, kind, &record, record.account.as_deref().unwrap_or(""));
        inner.touch(&mut change, &record);
        attempt.phase = Phase::Done { connection: record.id };
        attempt.sealed.clear();
        change.delta.put(Space::Attempts, key("a", &attempt.id.to_bytes()), encode(&attempt));
        inner.commit(change).await?;
        Ok(Attempt { id: attempt.id, step: AttemptStep::Done { connection: Box::new(view(&record)) } })
    }

    async fn fail(&self, mut attempt: AttemptRecord, code: &str, message: &str) -> Result<Attempt, ConnectError> {
        let remedy = match code {
            "setup" => "Check the client id and client secret in the form, and the redirect URI at the provider.",
            "unreachable" => "Check the address in the form and the network, then try again.",
            "kept" => "Nothing was changed.",
            _ => "Start again; check what you entered and which account you are signed in with.",
        };
        let fault = AttemptFault { code: code.into(), message: message.into(), remedy: remedy.into() };
        attempt.phase = Phase::Failed(fault);
        attempt.sealed.clear();
        self.inner.save_attempt(&attempt).await?;
        self.inner.shown(attempt).await
    }
}

impl Inner {
    async fn attempt_record(&self, id: AttemptId) -> Result<AttemptRecord, ConnectError> {
        self.read(Space::Attempts, &key("a", &id.to_bytes())).await?.ok_or(ConnectError::UnknownAttempt)
    }

    async fn save_attempt(&self, attempt: &AttemptRecord) -> Result<(), ConnectError> {
        let mut change = self.change();
        change.delta.put(Space::Attempts, key("a", &attempt.id.to_bytes()), encode(attempt));
        Ok(self.parts.store.commit(change.delta).await?)
    }

    fn still_pending(&self, attempt: &AttemptRecord) -> Result<(), ConnectError> {
        match attempt.phase {
            Phase::Pending if attempt.expires_at > self.now() => Ok(()),
            Phase::Pending => Err(ConnectError::AttemptOver { why: "its time is over" }),
            _ => Err(ConnectError::AttemptOver { why: "it was answered before" }),
        }
    }

    async fn shown(&self, attempt: AttemptRecord) -> Result<Attempt, ConnectError> {
        let over = |code: &str, message: &str| {
            AttemptStep::Failed(AttemptFault {
                code: code.into(),
                message: message.into(),
                remedy: "Start again.".into(),
            })
        };
        let step = match attempt.phase {
            Phase::Done { connection } => {
                AttemptStep::Done { connection: Box::new(view(&self.known(connection).await?)) }
            }
            Phase::Failed(fault) => AttemptStep::Failed(fault),
            Phase::Consumed => over("interrupted", "the authorization was interrupted"),
            Phase::Pending if attempt.expires_at <= self.now() => over("expired", "the time for it is over"),
            Phase::Candidate { was, now, .. } => match attempt.connection {
                Some(connection) => AttemptStep::ConfirmAccount { was, now, connection },
                None => over("interrupted", "the connection is unknown"),
            },
            Phase::Pending => match attempt.device {
                Some((user_code, verification_uri, verification_uri_complete)) => AttemptStep::Device {
                    user_code,
                    verification_uri,
                    verification_uri_complete,
                    interval_s: attempt.interval_s,
                    expires_at: attempt.expires_at,
                },
                None => {
                    let kept = self.unseal("attempt", attempt.id.to_bytes(), 0, &attempt.sealed)?;
                    let text = |name: &str| kept.get(name).map(|s| s.expose().to_owned()).unwrap_or_default();
                    AttemptStep::Browser {
                        authorize_url: text("attempt.url"),
                        redirect_uri: attempt.redirect_uri.unwrap_or_default(),
                        state: text("attempt.state"),
                    }
                }
            },
        };
        Ok(Attempt { id: attempt.id, step })
    }

    async fn form(
        &self,
        auth: &AppAuth,
        method: &AuthMethod,
        given: &BTreeMap<String, SecretText>,
        record: Option<&ConnectionRecord>,
    ) -> Result<(indexmap::IndexMap<String, String>, Secrets), ConnectError> {
        let http = HttpHosts::new(&self.parts.options.allow_http_hosts, auth.private_hosts);
        let same = record.filter(|r| r.method == method.key);
        let known = match same {
            // Secrets that cannot be read any more are asked for again.
            Some(r) => self.secrets(r).await.unwrap_or_default(),
            None => Secrets::new(),
        };
        let mut errors: Vec<FieldError> = given
            .keys()
            .filter(|k| !method.fields.iter().any(|f| f.key == **k))
            .map(|k| FieldError { key: k.clone(), message: "the form has no such field".into() })
            .collect();
        let (mut fields, mut secrets) = (indexmap::IndexMap::new(), Secrets::new());
        for field in &method.fields {
            let entered = given.get(&field.key).filter(|s| !s.expose().trim().is_empty());
            let before = if field.secret {
                known.get(&field.key).cloned()
            } else {
                same.and_then(|r| r.fields.get(&field.key)).map(|t| t.as_str().into())
            };
            let value = entered.cloned().or(before).or_else(|| field.default.as_deref().map(SecretText::from));
            match value.map(|v| tidy(&field.shape, v.expose(), &http)) {
                Some(Ok(text)) if field.secret => drop(secrets.insert(field.key.clone(), text.into())),
                Some(Ok(text)) => drop(fields.insert(field.key.clone(), text)),
                Some(Err(message)) => errors.push(FieldError { key: field.key.clone(), message }),
                None if field.optional => {}
                None => {
                    errors.push(FieldError { key: field.key.clone(), message: format!("enter the {}", field.title) })
                }
            }
        }
        if errors.is_empty() { Ok((fields, secrets)) } else { Err(ConnectError::Fields(errors)) }
    }

    async fn nickname(
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

    fn checked_redirect(
        &self,
        auth: &AppAuth,
        policy: RedirectPolicy,
        given: Option<String>,
    ) -> Result<String, ConnectError> {
        let ours = self.redirect_uri(&auth.app);
        let Some(uri) = given.filter(|g| *g != ours) else { return Ok(ours) };
        let why = match (Url::parse(&uri), policy) {
            (Ok(url), RedirectPolicy::AnyPort) if url.scheme() == "http" && is_loopback(&url) => return Ok(uri),
            (Ok(_), RedirectPolicy::AnyPort) => "it must be on this machine's loopback address".to_owned(),
            (Ok(_), RedirectPolicy::Registered) => format!("the app takes only the registered one, {ours}"),
            (Err(_), _) => "it is not a URL".to_owned(),
        };
        Err(ConnectError::Redirect { uri, why })
    }
}

fn answer_of(text: &str) -> BTreeMap<String, String> {
    let query = text.split_once('?').map_or(text, |(_, query)| query);
    let query = query.split_once('#').map_or(query, |(query, _)| query);
    // The first of a repeated parameter counts; a later one cannot replace it.
    form_urlencoded::parse(query.as_bytes()).take(64).fold(BTreeMap::new(), |mut map, (k, v)| {
        map.entry(k.into_owned()).or_insert_with(|| v.into_owned());
        map
    })
}
